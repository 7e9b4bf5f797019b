#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Boot the machine of every row of matrix.table, compare what the guest reports
with what the row expects, print one table.

The guest reports with lines like
	result: attach="reachable" route=iova chunks=3 verified=8192 system=0
A row is verified if the guest's verdict is pass, it reported as many results as
the row expects, all expected values are there, and bytes were verified. A row
for which QEMU has no bytes to show must say so, with verified=route-only.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import shlex
import subprocess
import sys
import threading
import time

from screen import Screen

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(HERE)
FIELDS = ('name', 'topology', 'devices', 'cpu', 'iommu', 'args', 'run', 'expect')
COLUMNS = ('limit', 'exporter', 'importer', 'ask', 'attach', 'memory', 'route', 'reason', 'chunks', 'error',
           'verified', 'system', 'confined', 'pixels')
# What runs in the guest: ours, and the driver of the samples
PROGRAMS = ('testbed/guest/vfio-iommufd.c', 'testbed/guest/qxl-p2p.c',
            'testbed/guest/scanout.c', 'testbed/guest/exporters.c',
            'testbed/guest/edu-domain', 'testbed/guest/queues.c',
            'testbed/guest/reach.c', 'testbed/guest/map-benchmark',
            'testbed/guest/ffs.c', 'testbed/guest/iio.c', 'testbed/guest/netdev.c',
            'testbed/guest/limits.c', 'testbed/guest/radeon.c', 'testbed/guest/vmwgfx.c', 'testbed/guest/vimc.c',
            'tools/testing/selftests/dmabuf-heaps/p2p-test.c',
            'tools/dma/lsdmabuf.c', 'build/linux/tools/dma/dma_map_benchmark.c')


def die(text):
    sys.exit(f'error: {text}')


def pairs(text):
    """Turn 'a=1 b="two words"' into a dict."""
    try:
        return dict(word.split('=', 1) for word in shlex.split(text))
    except ValueError:
        return None


def read_fields(path):
    """Yield the fields of each line; one that ends in a backslash goes on."""
    joined = ''
    with open(path, encoding='utf-8') as table:
        for line in table:
            line = joined + line.strip()
            joined = line[:-1] if line.endswith('\\') else ''
            if joined or not line or line.startswith('#'):
                continue
            yield [field.strip() for field in line.split('|')]
    if joined:
        die(f'{path}: ends in the middle of a row')


def make_row(path, fields, names=FIELDS):
    where = f'{path}: "{fields[0]}"'
    if len(fields) != len(names):
        die(f'{where}: {len(fields)} fields, not {len(names)}')
    row = dict(zip(names, fields))
    row['expect'] = [pairs(part) for part in row['expect'].split(';')]
    if not all(row['expect']):
        die(f'{where}: expected results are key=value pairs')
    return row


def judge(row, status, results):
    """Return what is wrong with a row, or an empty string."""
    if status:
        return 'the guest failed' if status == 1 else 'no verdict'
    if len(results) != len(row['expect']):
        return f'{len(results)} results, not {len(row["expect"])}'
    for result, expect in zip(results, row['expect']):
        if result is None:
            return 'unreadable result'
        for key, value in expect.items():
            if result.get(key) != value:
                return f'{key} is {result.get(key, "missing")}, not {value}'
        if not {'verified', 'pixels', 'failed'} & expect.keys() and int(result.get('verified', 0)) <= 0:
            return 'no bytes verified'
    return ''


def boot(row, options):
    """Boot the machine of a row of the matrix."""
    launch(row, options, ['-k', options.image, '-i', options.initramfs, '-t', row['topology'],
                          '-d', row['devices'], '-c', row['cpu'], '-m', row['iommu']])


def launch(row, options, arguments, count=None):
    """Run qemu.sh, and put down in the row what the guest said and if that is right."""
    log = os.path.join(options.log, row['name'] + '.log')
    command = [os.path.join(HERE, 'qemu.sh'), *arguments, '-l', log, '-a', row['args'],
               '-r', row['run'], '-s', str(options.timeout)]
    start = time.monotonic()
    screen = None
    if any('pixels' in expect for expect in row['expect']):
        screen = Screen(log.removesuffix('.log'))
        command += ['-q', screen.qemu_args()]
        threading.Thread(target=screen.watch, args=(options.timeout,),
                         daemon=True).start()
    run = subprocess.run(command, stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                         text=True, check=False)
    text = ''
    if os.path.exists(log):
        with open(log, encoding='utf-8', errors='replace') as serial:
            text = serial.read()
    row['results'] = [pairs(line) for line in
                      re.findall(r'^result: (.*)$', text, re.M)]
    if screen and row['results'] and row['results'][0]:
        row['results'][0]['pixels'] = str(screen.right_pixels())
    if count:
        count(row, log)
    row['why'] = judge(row, run.returncode, row['results'])
    if row['why']:
        verdict = re.findall(r'^testbed: verdict fail: (.*)$', text, re.M)
        row['detail'] = verdict or run.stderr.split('\n')[-2:-1]
        row['log'] = log
    print(f'{row["name"]}: {row["why"] or "verified"}, '
          f'{time.monotonic() - start:.1f} s', file=sys.stderr, flush=True)


def print_table(rows, machine_names=('topology', 'cpu', 'iommu')):
    used = [column for column in COLUMNS if
            any(column in (result or {}) for row in rows for result in row['results'])]
    lines = [['scenario', *machine_names, *used, '']]
    for row in rows:
        machine = [row['name'], *(row[name] for name in machine_names)]
        for result in row['results'] or [{}]:
            values = [(result or {}).get(column, '-') for column in used]
            lines.append(machine + values + ['FAILED' if row['why'] else 'ok'])
            machine = [''] * len(machine)
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        print('  '.join(map(str.ljust, line, widths)).rstrip())


def complain(failed):
    sys.stdout.flush()
    for row in failed:
        print(': '.join([row['name'], row['why'], *row['detail']]) +
              f' (see {os.path.relpath(row["log"])})', file=sys.stderr)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--kernel', default='fast', help='fast or debug')
    parser.add_argument('--table', default=os.path.join(HERE, 'matrix.table'))
    parser.add_argument('--build', help='kernel build, default build/kernel-NAME')
    parser.add_argument('--initramfs', help='use this, do not make one')
    parser.add_argument('--jobs', type=int, default=2, help='guests at a time')
    parser.add_argument('--timeout', type=int, default=400, help='of a guest')
    parser.add_argument('--log', help='directory for the serial logs')
    parser.add_argument('--demo', action='store_true',
                        help='print a table instead of TAP')
    parser.add_argument('names', nargs='*', help='only these rows')
    options = parser.parse_args()
    build = os.path.join(TOP, 'build')
    options.build = options.build or os.path.join(build, f'kernel-{options.kernel}')
    options.log = options.log or os.path.join(build, 'log', f'matrix-{options.kernel}')
    options.image = os.path.join(options.build, 'arch/x86/boot/bzImage')
    if not os.path.exists(options.image):
        die(f'no {options.image}: run testbed/kernel.sh {options.kernel} first')
    os.makedirs(options.log, exist_ok=True)
    for old in glob.glob(os.path.join(options.log, '*.log')):
        os.unlink(old)
    return options


def main():
    options = parse_options()
    rows = [make_row(options.table, fields) for fields in read_fields(options.table)]
    if options.names:
        unknown = set(options.names) - {row['name'] for row in rows}
        if unknown:
            die(f'no row {", ".join(sorted(unknown))} in {options.table}')
        rows = [row for row in rows if row['name'] in options.names]
    if not rows:
        die(f'{options.table} has no rows')
    if not options.initramfs:
        options.initramfs = os.path.join(options.log, 'initramfs.gz')
        command = [os.path.join(HERE, 'guest/mkinitramfs.sh'), '-b', options.build,
                   '-o', options.initramfs]
        command += [os.path.join(TOP, program) for program in PROGRAMS]
        for modules in ('edu-domain', 'importer-devices'):
            command += glob.glob(f'{options.build}/{modules}/*.ko')
        if subprocess.run(command, check=False).returncode:
            sys.exit(1)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda row: boot(row, options), rows))

    failed = [row for row in rows if row['why']]
    if options.demo:
        print_table(rows)
    else:
        for number, row in enumerate(rows, 1):
            word = 'not ok' if row['why'] else 'ok'
            why = ' # ' + ': '.join([row['why'], *row['detail']]) if row['why'] else ''
            print(f'{word} {number} - matrix {options.kernel}: {row["name"]}{why}')
    complain(failed)
    verified = len(rows) - len(failed)
    if options.demo:
        print(f'demo: {len(rows)} scenarios, {verified} verified')
    else:
        print(f'# totals: pass:{verified} fail:{len(failed)} skip:0')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
