#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""suites.py LOGS SUITE... - compare what tests said on the base and on the patched kernel.

Reads LOGS/suites-SUITE-base.log and -patched.log: TAP, nested as KUnit has it, and the
lines of v4l2-compliance and of IGT. What passes on the base has to pass on the patched
kernel, and there must be something that does.
"""
import re
import sys

RESULT = re.compile(r'( *)(not )?ok \d+ *(?:- )?(.*)')
SUBTEST = re.compile(r'( *)# Subtest: (.*)')
SECTION = re.compile(r'# suite: (.*)|Test (?:in|out)put \d+|[A-Z]\w+ ioctls.*:|# Testing heap: (.*)')
COMPLIANCE = re.compile(r'\ttest (.*): (OK|FAIL)\b(.*)')
IGT = re.compile(r'Starting subtest: (.*)|(Dynamic s|S)ubtest (.*): ([A-Z]+) \([\d.]+s\)')
IDLE = re.compile(r'testbed: (\S+) has skipped all of its tests')
VERDICT = re.compile(r'testbed: (?:verdict (pass|fail: .*)|no verdict.*)')
KERNEL = 'no complaint of the kernel'
# Why what the base fails passes: a pattern of suite and test
REASONS = {
    r'iommufd: .*\.dmabuf_(simple|revoke)': "the base's driver gives 0 for the file descriptor of its dma-buf",
}

SHMEM = 'drm_gem_shmem.drm_gem_shmem_test_'
# Tests of functions that the series removes, and those of what is there instead
REPLACED = {
    SHMEM + 'obj_create_private': SHMEM + 'import',
    SHMEM + 'get_sg_table': SHMEM + 'map_list',
    SHMEM + 'get_pages_sgt': SHMEM + 'get_pages_list',
}


def clean(name):
    """Without the result and numbers that some have in the name, nor the reason, if there is more."""
    name = re.sub(r'\[(?:PASS|FAIL),', '[', name)
    name = re.sub(r': before=\d+ after=\d+', '', name)
    return re.sub(r'\s*# (?:SKIP|XFAIL).*', '', name).strip() or name.strip()


def read(path):
    """Returns {name: pass, fail or skip} in order, whether the guest came to its end, and what has tested nothing."""
    results = {}
    suites = {}     # of KUnit, by depth
    section = []    # of what has no tree
    ended = False
    idle = []

    def add(name, result):
        full, count = name, 1
        while full in results:
            count += 1
            full = f'{name} ({count})'
        results[full] = result

    with open(path, encoding='utf-8', errors='replace') as log:
        for line in log:
            line = line.rstrip('\r\n')
            if match := VERDICT.match(line):
                ended = match[1] is not None
                why = [why for why in (match[1] or '').split('; ') if 'exit code' not in why]
                good = why in (['pass'], [])
                add(KERNEL, 'pass' if ended and good else 'fail')
            elif match := SUBTEST.match(line):
                suites[len(match[1]) // 4] = match[2]
            elif match := RESULT.match(line):
                depth = len(match[1]) // 4
                name = clean(match[3])
                above = [suites[n] for n in sorted(suites) if n <= depth]
                # That of a suite sums up what is below.
                if suites.pop(depth + 1, None) is None:
                    result = 'skip' if '# SKIP' in line else 'fail' if match[2] else 'pass'
                    add('.'.join(section + above + [name]), result)
            elif match := COMPLIANCE.match(line):
                result = 'fail' if match[2] == 'FAIL' else 'skip' if 'Not Supported' in match[3] else 'pass'
                add(': '.join(section + [clean(match[1])]), result)
            elif match := IGT.match(line):
                if match[1] or match[2] == 'S':
                    section = section[:1]
                if match[1]:
                    section.append(match[1])
                else:
                    result = {'SUCCESS': 'pass', 'SKIP': 'skip'}.get(match[4], 'fail')
                    add(': '.join(section + [match[3]]), result)
            elif match := IDLE.match(line):
                idle.append(match[1])
            elif match := SECTION.match(line):
                name = match[1] or match[2]
                section = [name] if name else section[:1] + [line.strip(' \t:')]
    return results, ended, idle


def count(results):
    return '/'.join(str(list(results.values()).count(kind)) for kind in ('pass', 'fail', 'skip'))


def main():
    logs, suites = sys.argv[1], sys.argv[2:]
    rows = [('suite', 'base pass/fail/skip', 'patched pass/fail/skip', 'same?')]
    lines = []
    failed = 0
    for number, suite in enumerate(suites, 1):
        base, ended, idle = read(f'{logs}/suites-{suite}-base.log')
        patched, patched_ended, _ = read(f'{logs}/suites-{suite}-patched.log')
        different = [name for name in dict.fromkeys([*base, *patched]) if base.get(name) != patched.get(name)]
        replaced = {old: new for old, new in REPLACED.items() if old not in patched and patched.get(new) == 'pass'}
        worse = [name for name in different if base.get(name) == 'pass' and name not in replaced]
        ran = any(result == 'pass' for name, result in base.items() if name != KERNEL)
        rows.append((suite, count(base), count(patched), f'{len(different)} differ' if different else 'yes'))
        for name in different:
            reason = ''.join(f' ({why})' for test, why in REASONS.items() if re.fullmatch(test, f'{suite}: {name}'))
            if name in replaced:
                reason = f' (of what was removed, see {replaced[name]})'
            lines.append(f'# {suite}: {name}: base {base.get(name, "-")}, patched {patched.get(name, "-")}{reason}')
        good = ran and ended and patched_ended and not worse and not idle
        why = '' if good else f': {len(worse)} lost' if worse else ': passed nothing' if not ran else \
            f': nothing of {", ".join(idle)}' if idle else ': a guest has not ended'
        failed += not good
        lines.append(f'{"ok" if good else "not ok"} {number} - {suite}{why}')
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print('# ' + '  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print('\n'.join(lines))
    print(f'# totals: pass:{len(suites) - failed} fail:{failed} skip:0')
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
