#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Boot the machines of machines.table: KUnit, and the rows that make sense on each.

Rows and results are as in matrix.py. A row that expects "failed" ran tests, those
of KUnit or of a program with the kselftest harness, and each of them counts.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import shlex
import subprocess
import sys

import matrix
from matrix import HERE, TOP, die

TABLE = os.path.join(HERE, 'machines.table')
MACHINE = ('name', 'kernel', 'options', 'args', 'expect')
ROW = ('row', 'machines', 'options', 'args', 'run', 'expect')
COLUMNS = ('limit', 'slept', 'arch', 'pages', 'endian', 'passed', 'failed', 'skipped', 'exporter', 'error', 'ask', 'attach', 'memory', 'route',
           'reason', 'chunks', 'scattered', 'bounced', 'verified', 'system', 'confined',
           'for-device', 'for-cpu', 'pixels')
TESTS = TOP + '/build/linux/tools/testing/selftests/'
PROGRAMS = [f'{HERE}/guest/{name}.c' for name in ('machine', 'syncs', 'insmod', 'scanout')]
PROGRAMS += [f'{TESTS}dmabuf-heaps/bounce.c']
# For one kernel only
EXTRA = {'xen': [f'{HERE}/guest/{name}' for name in ('scatter', 'scattered.c', 'gntdev.c')],
         'limits': [f'{HERE}/guest/{name}.c' for name in ('limits', 'sleeps')]}
BAR = [f'{TESTS}dmabuf-heaps/{name}.c' for name in ('p2p-test', 'p2p')]
KUNIT = re.compile(r'.*Testing complete.*')


def read_table(path):
    """Returns the machines and, of all of them, the rows."""
    machines = {}
    rows = []
    for fields in matrix.read_fields(path):
        kind = fields[0].split()[0]
        if kind in ('machine', 'board'):
            machine = matrix.make_row(path, fields, MACHINE)
            machine['name'] = machine['name'].removeprefix(kind).strip()
            machine['pci'] = kind == 'machine'
            machines[machine['name']] = machine
            continue
        row = matrix.make_row(path, fields, ROW)
        names = row['machines'].split()
        if names == ['*']:
            names = [name for name, machine in machines.items() if machine['pci']]
        for name in names:
            if name not in machines:
                die(f'{path}: no machine {name}')
            rows.append(on_machine(row, machines[name]))
    return machines, rows


def on_machine(row, machine):
    expect = [dict(part) for part in row['expect']]
    if row['run'] == 'machine':
        expect[0].update(machine['expect'][0])
    return {
        'machine': machine['name'],
        'kernel': machine['kernel'],
        'row': row['row'],
        'name': f'{machine["name"]}-{row["row"]}',
        'options': shlex.split(machine['options']) + shlex.split(row['options']),
        'args': f'{machine["args"]} {row["args"]}',
        'run': row['run'],
        'expect': expect,
    }


def count_tests(row, log):
    """Put the numbers of tests that passed, failed and were skipped into the first result."""
    if 'failed' not in row['expect'][0]:
        return
    if row['run'] == 'machine':
        counts = count_kunit(log)
    else:
        with open(log, encoding='utf-8', errors='replace') as serial:
            lines = re.findall(r'^(not )?ok \d+(.*)', serial.read(), re.M)
        skipped = sum('# SKIP' in text for _, text in lines)
        failed = sum(bool(bad) for bad, _ in lines)
        counts = (len(lines) - failed - skipped, failed, skipped)
        row['results'].insert(0, {})
    if not sum(counts[:2]):
        row['results'] = []
    if row['results'] and row['results'][0] is not None:
        row['results'][0].update(zip(('passed', 'failed', 'skipped'), map(str, counts)))
    row['counts'] = counts


def count_kunit(log):
    """What the kernel's own parser makes of it, which notices a test that never ended."""
    parser = os.path.join(TOP, 'build/linux/tools/testing/kunit/kunit.py')
    run = subprocess.run([parser, 'parse', log], stdout=subprocess.PIPE, text=True, check=False,
                         stderr=subprocess.STDOUT)
    with open(log + '.parsed', 'w', encoding='utf-8') as parsed:
        parsed.write(run.stdout)
    total = KUNIT.findall(run.stdout)
    number = {word: int(n) for word, n in re.findall(r'(\w+): (\d+)', total[-1])} if total else {}
    bad = sum(number.get(word, 0) for word in ('failed', 'crashed', 'errors'))
    return number.get('passed', 0), bad, number.get('skipped', 0)


def boot(row, options):
    image, initramfs = options.kernels[row['kernel']]
    matrix.launch(row, options, ['-k', image, '-i', initramfs, *row['options']], count_tests)


def make_initramfs(kernel, options):
    """Ask lib.sh for what depends on the architecture, and pack what runs in the guest."""
    asked = subprocess.run(['bash', '-c', '. "$1"; target "$2"; echo "$image|$cross"', '-',
                            f'{HERE}/lib.sh', kernel], stdout=subprocess.PIPE, text=True,
                           check=True)
    image, cross = asked.stdout.strip().split('|')
    build = f'{TOP}/build/kernel-{kernel}'
    if not os.path.exists(f'{build}/{image}'):
        die(f'no {build}/{image}: run testbed/kernel.sh {kernel} first')
    initramfs = f'{options.log}/{kernel}.gz'
    command = [f'{HERE}/guest/mkinitramfs.sh', '-b', build, '-o', initramfs, *PROGRAMS,
               *glob.glob(f'{build}/allow-bridge/*.ko'), *EXTRA.get(kernel, ())]
    with open(f'{build}/.config', encoding='utf-8') as config:
        command += BAR if 'CONFIG_SAMPLE_DMA_BUF_BAR=y' in config.read() else []
    if cross:
        command[1:1] = ['-c', cross]
    subprocess.run(command, check=True)
    return f'{build}/{image}', initramfs


def print_table(rows):
    used = [column for column in COLUMNS if
            any(column in (result or {}) for row in rows for result in row['results'])]
    lines = [['machine', 'row', *used, '']]
    last = ''
    for row in rows:
        first = [row['machine'] if row['machine'] != last else '', row['row']]
        last = row['machine']
        for result in row['results'] or [{}]:
            values = [(result or {}).get(column, '-') for column in used]
            lines.append(first + values + ['FAILED' if row['why'] else 'ok'])
            first = ['', '']
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        print('  '.join(map(str.ljust, line, widths)).rstrip())


def print_tap(rows):
    for number, row in enumerate(rows, 1):
        print(f'{"not ok" if row["why"] else "ok"} {number} - {row["name"]}')


def totals(rows):
    """A row counts as one, and what its tests were in addition."""
    passed, failed, skipped = (sum(row.get('counts', (0, 0, 0))[i] for row in rows)
                               for i in range(3))
    bad = sum(bool(row['why']) for row in rows)
    return passed + len(rows) - bad, failed + bad, skipped


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--jobs', type=int, default=2, help='guests at a time')
    parser.add_argument('--timeout', type=int, default=600, help='of a guest')
    parser.add_argument('--log', default=os.path.join(TOP, 'build/log/machines'))
    parser.add_argument('--kernels', action='store_true',
                        help='print the names of the kernels that are needed, no more')
    parser.add_argument('--table', action='store_true', help='print a table instead of TAP')
    parser.add_argument('--x86', default='fast', help='the kernel of x86 (default fast)')
    parser.add_argument('--skip', action='append', default=[], help='a machine that cannot be had')
    parser.add_argument('names', nargs='*', help='only these machines, or rows as machine-row')
    return parser.parse_args()


def main():
    options = parse_options()
    machines, rows = read_table(TABLE)
    for row in rows:
        row['kernel'] = options.x86 if row['kernel'] == 'x86' else row['kernel']
    unknown = set(options.names) - set(machines) - {row['name'] for row in rows}
    if unknown:
        die(f'no machine {", ".join(sorted(unknown))} in {TABLE}')
    if options.names:
        rows = [row for row in rows if {row['machine'], row['name']} & set(options.names)]
    skipped = sorted({row['machine'] for row in rows} & set(options.skip))
    rows = [row for row in rows if row['machine'] not in skipped]
    order = list(machines)
    rows.sort(key=lambda row: order.index(row['machine']))
    kernels = list(dict.fromkeys(row['kernel'] for row in rows))
    if options.kernels:
        print(*kernels)
        return
    os.makedirs(options.log, exist_ok=True)
    options.kernels = {kernel: make_initramfs(kernel, options) for kernel in kernels}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda row: boot(row, options), rows))

    failed = [row for row in rows if row['why']]
    if options.table:
        print_table(rows)
    else:
        print_tap(rows)
    for name in skipped:
        print(f'{name}: cannot be had here' if options.table else f'ok - {name} # SKIP')
    matrix.complain(failed)
    passed, bad, left_out = totals(rows)
    left_out += len(skipped)
    if not options.table:
        print(f'# totals: pass:{passed} fail:{bad} skip:{left_out}')
    else:
        names = dict.fromkeys(row['machine'] for row in rows)
        wrong = {row['machine'] for row in failed}
        print(f'machines: {len(names)} machines, {len(names) - len(wrong)} verified; '
              f'{passed} passed, {bad} failed, {left_out} skipped')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
