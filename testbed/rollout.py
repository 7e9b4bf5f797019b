#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The state of the roll-out, from the patched tree itself.

	rollout.py objects ARCH	objects to compile for that architecture
	rollout.py table	the table, in the form ROLLOUT.md has
	rollout.py write	put it into ROLLOUT.md
	rollout.py check	TAP: is all of it true

Which exporters and importers there are, and what they return or take, is read from
the source. What the source does not say stands in rollout.table: an sg_table that the
driver keeps for itself, and which tests run it. A test that is named there must exist,
and the tables in ROLLOUT.md must be these.
"""
import glob
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(HERE)
TREE = os.environ.get('TREE', os.path.join(TOP, 'build/linux'))
PAGE = os.path.join(HERE, 'ROLLOUT.md')
BEGIN, END = '<!-- rollout: begin -->', '<!-- rollout: end -->'
# Not built by themselves
PART_OF = {'drivers/gpu/drm/i915/gem/selftests/mock_dmabuf.c':
           'drivers/gpu/drm/i915/gem/i915_gem_dmabuf.c'}
ARM = ('drivers/gpu/drm/armada/armada_gem.c',)
# Those that 7.3 does not have
NEW = ('drivers/gpu/drm/qxl/qxl_prime.c', 'samples/dma-buf/bar-export.c')
TESTS = ('drivers/dma-buf/st-dma-buf-', 'drivers/gpu/drm/ttm/tests/', 'drivers/gpu/drm/tests/')
OPS = re.compile(r'^(?:static )?(?:const )?struct (?:virtio_)?dma_buf_ops (\w+) ?=\s*\{(.*?)^\};', re.M | re.S)


# Who maps, or has GEM map for it. drm_prime.c does so for all that GEM maps for.
MAPS = (r'dma_buf_list_map(_unlocked)?\(|dma_buf_map_attachment(_unlocked)?\(|'
        r'\.gem_prime_import_(list|sg_table)\b|^drm_gem_dma_prime_import_list\(')
OF_TABLES = re.compile(r'dma_buf_map_attachment(_unlocked)?\(|\.gem_prime_import_sg_table\b')
KUNIT = {'kunit': ('drm_prime_import', 'drm_gem_import', 'drm_gem_shmem'),
         'importers': ('dma-buf-umem', 'dma-buf-part-devmem', 'dma-buf-part-zcrx', 'dma-buf-part-iio')}
# What a driver makes of the list, read in all files of its directory
OF_A_DRIVER = r'drivers/(gpu/drm|accel|media/platform)/\w+/'
TAKES = (('ranges', r'dma_buf_(list_for_each|cursor_for_each|cursor_next|list_first)_range|dma_buf_segs_next\('),
         ('pages', r'dma_buf_list_for_each_(page|block)|dma_buf_cursor_next_(page|block)\('),
         ('array of addresses', r'dma_buf_list_copy_addrs\('),
         ('one address', r'dma_buf_list_contiguous\('),
         ('IOMMU domain of its own', r'dma_buf_list_iommu_map\('),
         ('sg_table of its own', r'dma_buf_list_to_sgt\('),
         ('physical runs', r'dma_buf_list_contiguous_phys\(|dma_buf_segs_next_phys\('))


def die(text):
    sys.exit('error: ' + text)


def slurp(path):
    with open(path, encoding='utf-8', errors='replace') as file:
        return file.read()


def of_directory(path):
    """All sources beside this one."""
    return ''.join(slurp(name) for name in
                   sorted(glob.glob(os.path.join(TREE, os.path.dirname(path), '*.c'))))


def exporters():
    """(file, ops, converted) of all there are, ours among them."""
    run = subprocess.run(['git', 'grep', '-lE', r'struct (virtio_)?dma_buf_ops \w+ ?=', '--', '*.c'],
                         cwd=TREE, stdout=subprocess.PIPE, check=False, text=True)
    found = []
    for path in run.stdout.split():
        if path.startswith(TESTS):
            continue
        for ops, body in OPS.findall(slurp(os.path.join(TREE, path))):
            if not re.search(r'\.map_dma_buf(_sgt)?\s*=', body):
                die(f'{path}: {ops} maps nothing')
            found.append((path, ops, '.map_dma_buf_sgt' not in body))
    return found or die(f'no exporters in {TREE}: run ./run tree first')


def importers():
    """(file, on the list, what it makes of the list)"""
    run = subprocess.run(['git', 'grep', '-lE', MAPS, '--', '*.c'],
                         cwd=TREE, stdout=subprocess.PIPE, check=False, text=True)
    found = []
    for path in run.stdout.split():
        if path.startswith(('drivers/dma-buf/', *TESTS)) or '/tests/' in path:
            continue
        text = slurp(os.path.join(TREE, path))
        whole = text
        if re.match(OF_A_DRIVER, path):
            whole = of_directory(path)
        takes = [what for what, how in TAKES if re.search(how, whole)]
        found.append((path, not OF_TABLES.search(text), ', '.join(takes)))
    return found or die(f'no importers in {TREE}: run ./run tree first')


def notes(want):
    """file: (table of its own, tests), of what is @want: exporters or importers"""
    found = {}
    path = os.path.join(HERE, 'rollout.table')
    which = 'exporters'
    for number, line in enumerate(slurp(path).splitlines(), 1):
        if line.startswith('= '):
            which = line[2:]
        if not line.strip() or line.startswith(('#', '=')) or which != want:
            continue
        fields = [field.strip() for field in line.split('|')]
        if len(fields) != 3 or fields[0] in found:
            die(f'{path}:{number}: three fields, and each file once')
        found[fields[0]] = fields[1:]
    return found


def known_tests():
    """What can be named as a test, and how its line in the log of its part looks."""
    tests = {}
    for part in ('matrix', 'importers'):
        rows = slurp(os.path.join(HERE, part + '.table')).replace('\\\n', '')
        for line in rows.splitlines():
            if line.strip() and not line.startswith('#'):
                name = line.split('|')[0].strip()
                tests[name] = (part, f' - matrix .*: {re.escape(name)}$')
    for name in re.findall(r'^\s*(?:machines=\()?"(\w+)\|',
                           slurp(os.path.join(HERE, 'selftest.sh')), re.M):
        tests[name] = ('selftest', f' - {re.escape(name)}: ')
    # Boards, which only "./run machines" boots, so that no part has a log of them
    for row, names in re.findall(r'^(\w[\w-]*) *\| ([\w -]+?) *\|',
                                 slurp(os.path.join(HERE, 'machines.table')), re.M):
        for name in names.split():
            tests.setdefault(f'{name}-{row}', ('machines-table', ''))
    # Suites of KUnit, which the line in the log ends with or names
    for part, suites in KUNIT.items():
        for name in suites:
            tests[name] = (part, f'(?: -)? {re.escape(name)}\\b')
    return tests


def table():
    return exporters_table() + '\n\n' + importers_table()


def short(path):
    return re.sub(r'^drivers/(gpu/)?', '', path)


def importers_table():
    extra = notes('importers')
    found = importers()
    lines = ['| importer | on the list | makes of it | run by |', '|---|---|---|---|']
    for path, converted, takes in found:
        tests = extra.get(path, ('', '?'))[1]
        lines.append(f'| {short(path)} | {"yes" if converted else "no"} | {takes or "-"} | {tests or "-"} |')
    lines += ['', f'{sum(converted for _, converted, _ in found)} of {len(found)} files that map for importing.']
    return '\n'.join(lines)


def exporters_table():
    extra = notes('exporters')
    found = exporters()
    lines = ['| exporter | on the list | sg_table of its own | compiled on | run by |',
             '|---|---|---|---|---|']
    for path, ops, converted in found:
        own, tests = extra.get(path, ('?', '?'))
        lines.append(f'| {short(path)} `{ops}` | {"yes" if converted else "no"} | {own or "-"} | '
                     f'{"arm" if path in ARM else "x86_64"} | {tests or "-"} |')
    known = [converted for path, _, converted in found if path not in NEW]
    lines += ['', f'{sum(known)} of {len(known)} exporters of 7.3; qxl and the sample are new.']
    return '\n'.join(lines)


def page():
    return slurp(PAGE)


def in_page():
    match = re.search(re.escape(BEGIN) + r'\n(.*?)\n' + re.escape(END), page(), re.S)
    return match.group(1) if match else die('ROLLOUT.md has no place for the table')


def objects(arch):
    for path in sorted({PART_OF.get(path, path) for path, _, _ in exporters()}):
        if (path in ARM) == (arch == 'arm'):
            print(path.removesuffix('.c') + '.o')


def check():
    """TAP; the logs of the tests that ran before this one are looked at."""
    results, tests, extra = [], known_tests(), notes('exporters')
    files = {path for path, _, _ in exporters()}
    more = notes('importers')
    results.append(('each importer has a row in rollout.table, and no other',
                    {path for path, _, _ in importers()} == set(more)))
    results.append(('ROLLOUT.md has the table of this tree', in_page() == table()))
    results.append(('each exporter has a row in rollout.table, and no other', files == set(extra)))
    for path, (own, _) in extra.items():
        if own:
            results.append((f'{path}: there is an sg_table ({own})', 'sg_table' in of_directory(path)))
    for path, (_, run) in sorted(extra.items()) + sorted(more.items()):
        for name in run.split():
            part, line = tests.get(name, ('', ''))
            log = os.path.join(os.environ.get('LOG', os.path.join(TOP, 'build/log')), part + '.log')
            ran = part and os.path.exists(log)
            good = part and (not ran or (re.search('^ok [0-9]+' + line, slurp(log), re.M) and
                                         not re.search('^not ok [0-9]+' + line, slurp(log), re.M)))
            results.append((f'{path}: {name} {"has passed" if ran else "exists"}', good))
    for number, (text, good) in enumerate(results, 1):
        print(f'{"ok" if good else "not ok"} {number} - {text}')
    failed = sum(not good for _, good in results)
    print(f'# totals: pass:{len(results) - failed} fail:{failed} skip:0')
    sys.exit(failed > 0)


def write():
    text = page().replace(in_page(), table())
    with open(PAGE, 'w', encoding='utf-8') as file:
        file.write(text)


def main():
    command = sys.argv[1:] or ['']
    if command[0] == 'objects' and len(command) == 2:
        objects(command[1])
    elif command == ['table']:
        print(table())
    elif command == ['write']:
        write()
    elif command == ['check']:
        check()
    else:
        die(__doc__)


main()
