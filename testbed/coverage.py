#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the tests reach of drivers/dma-buf and of how TTM exports, by gcov.

	coverage.py objects TREE		what has to be built with counters
	coverage.py take LOG DIRECTORY		the .gcda files that a guest printed
	coverage.py report TREE BUILD=COUNTERS...	merge all below each directory, print the table

A line is reached if any kernel reached it. The branches of a line are not the same
for each kernel: those of the kernel that took most of them count. What is never
reached has its reason in coverage.table, or fails. A compiler may have no counter for
a line, as that of its neighbour is the same: behind a line that is not in every kernel
which has the file stand those that do have it. A reason that begins with "race: " is for
a line that may be reached or not.
"""
import base64
import collections
import glob
import io
import json
import os
import re
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.realpath(__file__))
GOAL = 95
FILES = re.compile(r'(?:^|/)(drivers/dma-buf/(?:heaps/)?(?!st-)[\w-]+\.c|drivers/dma-buf/dma-buf-internal\.h|'
                   r'drivers/gpu/drm/ttm/ttm_dma_buf\.c|include/linux/dma-buf-map\.h)$')


def die(text):
    sys.exit(f'error: {text}')


def take(log, directory):
    """Guests print an archive, line by line; names in it are paths of the build."""
    with open(log, encoding='utf-8', errors='replace') as lines:
        coded = re.findall(r'gcov: ([\w+/=]+)\s*$', lines.read(), re.M)
    if not coded:
        die(f'{log}: the guest printed no counters')
    try:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(''.join(coded)))) as archive:
            found = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
    except (ValueError, EOFError, tarfile.TarError) as error:
        die(f'{log}: what the guest printed is cut off: {error}')
    for name, counters in found.items():
        match = FILES.search(re.sub(r'\.gcda$', '.c', name))
        if not match:
            continue
        path = os.path.join(directory, re.sub(r'\.c$', '.gcda', match.group(1)))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as file:
            file.write(counters)


class File:
    """Of a source file: counts by line, branches by line and kernel, functions."""
    def __init__(self):
        self.lines = collections.Counter()
        self.branches = collections.defaultdict(dict)
        self.functions = {}
        self.function_of = {}
        self.kinds = set()

    def add(self, kind, found):
        self.kinds.add(kind)
        for line in found['lines']:
            nr = line['line_number']
            self.lines[nr] += line['count']
            self.function_of[nr] = line.get('function_name', '-').split('.')[0]
            counts = [branch['count'] for branch in line['branches'] if not branch['throw']]
            # An inline function has branches wherever it was inlined.
            old = self.branches[nr].get(kind, [])
            if len(old) == len(counts):
                counts = [a + b for a, b in zip(old, counts)]
            elif old:
                counts = max(old, counts, key=lambda c: sum(map(bool, c)) / max(len(c), 1))
            self.branches[nr][kind] = counts
        for function in found['functions']:
            key = (function['start_line'], function['end_line'], function['demangled_name'])
            self.functions[key] = self.functions.get(key, 0) + function['execution_count']

    def only_in(self, nr):
        kinds = set(self.branches[nr])
        return '' if kinds == self.kinds else f' ({" ".join(map(os.path.basename, sorted(kinds)))})'

    def best_branches(self, nr):
        best = max(self.branches[nr].values(), key=lambda c: sum(map(bool, c)), default=[])
        return sum(map(bool, best)), len(best)


def gcov(build, gcda):
    """What gcov says of a file; its notes lie where the object was built."""
    name = re.sub(r'\.gcda$', '', gcda)
    match = FILES.search(name + '.c')
    notes = os.path.join(build, re.sub(r'\.c$', '.gcno', match.group(1))) if match else ''
    if not os.path.exists(notes):
        return []
    beside = name + '.gcno'
    if not os.path.exists(beside):
        os.symlink(notes, beside)
    run = subprocess.run(['gcov', '--json-format', '--stdout', '--branch-probabilities', gcda],
                         capture_output=True, text=True, check=False, cwd=build)
    if run.returncode or 'mismatch' in run.stderr:
        die(f'gcov {gcda}: {run.stderr.strip()}')
    return [file for line in run.stdout.splitlines() if line for file in json.loads(line)['files']]


def collect(builds):
    files = collections.defaultdict(File)
    for build, counters in builds:
        for gcda in sorted(glob.glob(f'{counters}/**/*.gcda', recursive=True)):
            for found in gcov(build, gcda):
                match = FILES.search(os.path.normpath(found['file']))
                if match:
                    files[match.group(1)].add(build, found)
    return files


def wanted(tree):
    """Each file that has to be there, whatever gcov knows."""
    return sorted(path[len(tree) + 1:] for pattern in ('drivers/dma-buf/*.c', 'drivers/dma-buf/heaps/*.c',
                                                       'drivers/gpu/drm/ttm/ttm_dma_buf.c')
                  for path in glob.glob(f'{tree}/{pattern}') if not os.path.basename(path).startswith('st-'))


def read_reasons():
    """file | function or * | text of the line or * | why"""
    rows = []
    with open(os.path.join(HERE, 'coverage.table'), encoding='utf-8') as table:
        for line in table:
            if line.strip() and not line.startswith('#'):
                row = [field.strip() for field in line.split(' | ')]
                if len(row) != 4:
                    die(f'coverage.table: {line.strip()}: {len(row)} fields, not 4')
                rows.append(row)
    return rows


def percent(part, whole):
    return 100 * part / whole if whole else 100.0


def print_table(files):
    """Returns the sums: lines reached and all, branches taken and all, functions."""
    total = [0] * 6
    print(f'# {"file":40}  {"lines":>16}  {"branches":>16}  {"functions":>12}')
    for path in sorted(files):
        file = files[path]
        branches = [file.best_branches(nr) for nr in file.lines]
        row = [sum(map(bool, file.lines.values())), len(file.lines),
               sum(b[0] for b in branches), sum(b[1] for b in branches),
               sum(map(bool, file.functions.values())), len(file.functions)]
        total = [a + b for a, b in zip(total, row)]
        print_row(path, row)
    print_row('total', total)
    return total


def print_row(path, row):
    line, branch = (f'{row[n]}/{row[n + 1]} {percent(row[n], row[n + 1]):5.1f}%' for n in (0, 2))
    print(f'# {path:40}  {line:>16}  {branch:>16}  {row[4]:>5}/{row[5]}')


def is_there(tree, row):
    """A race is lost now and then: its line need not be unreached, but it has to be there."""
    with open(os.path.join(tree, row[0]), encoding='utf-8') as source:
        return row[2] in (line.strip() for line in source)


def unreached(tree, files, reasons):
    """Print what was never reached with its reason; returns what has none."""
    without, used = [], set()
    for path in sorted(files):
        with open(os.path.join(tree, path), encoding='utf-8') as source:
            text = [line.strip() for line in source]
        for nr in sorted(nr for nr, count in files[path].lines.items() if not count):
            function = files[path].function_of[nr]
            why = [n for n, row in enumerate(reasons) if row[0] == path and
                   row[1] in ('*', function) and (row[2] == '*' or row[2] == text[nr - 1])]
            used.update(why)
            reason = reasons[why[0]][3] if why else 'NOT EXPLAINED'
            print(f'# {path}:{nr}: {function}: {text[nr - 1]}{files[path].only_in(nr)}  [{reason}]')
            if not why:
                without.append(f'{path}:{nr}')
    stale = [' | '.join(row[:3]) for n, row in enumerate(reasons)
             if n not in used and not (row[3].startswith('race: ') and is_there(tree, row))]
    return without, stale


def report(tree, builds):
    count, failed = 0, 0

    def say(good, text):
        nonlocal count, failed
        count += 1
        failed += not good
        print(f'{"ok" if good else "not ok"} {count} - coverage: {text}')

    files = collect(builds)
    without, stale = unreached(tree, files, read_reasons())
    total = print_table(files)
    missing = [path for path in wanted(tree) if path not in files]
    say(not missing, 'every file was measured' if not missing else f'not measured: {" ".join(missing)}')
    lines, branches = percent(*total[:2]), percent(*total[2:4])
    say(lines >= GOAL, f'{lines:.1f} percent of lines ({total[0]} of {total[1]}), at least {GOAL} wanted; '
        f'{branches:.1f} percent of branches, {total[4]} of {total[5]} functions')
    say(not without, 'each line that is never reached has its reason' if not without else
        f'{len(without)} lines are never reached and have no reason: {" ".join(without[:8])} ...')
    say(not stale, 'each reason is for a line that is not reached' if not stale else
        f'reached, or gone: {"; ".join(stale[:8])}')
    print(f'# totals: pass:{count - failed} fail:{failed} skip:0')
    return failed


def main():
    if len(sys.argv) == 3 and sys.argv[1] == 'objects':
        print('\n'.join(re.sub(r'c$', 'o', path) for path in wanted(os.path.realpath(sys.argv[2]))))
    elif len(sys.argv) == 4 and sys.argv[1] == 'take':
        take(*sys.argv[2:])
    elif len(sys.argv) > 3 and sys.argv[1] == 'report':
        sys.exit(bool(report(os.path.realpath(sys.argv[2]), [map(os.path.realpath, arg.split('=')) for arg in sys.argv[3:]])))
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    main()
