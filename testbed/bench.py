#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""bench.py DIR [write] - tables and plots of what bench.sh measured

DIR has the raw lines of each run; the tables and plots go there, too. With
"write" all of it is kept in testbed/bench, and the summary in testbed/BENCH.md.
"""
import pathlib
import re
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
KEEP = TOP / 'testbed' / 'bench'
RUNS = {
    'uml': ('native, UML, no IOMMU', 'ns'),
    'direct': ('x86-64, no IOMMU', 'instructions'),
    'strict': ('x86-64, VT-d, strict', 'instructions'),
    'amd': ('x86-64, AMD IOMMU, strict', 'instructions'),
    'lazy': ('x86-64, VT-d, lazy', 'instructions'),
    'arm64': ('arm64, no IOMMU', 'instructions'),
    'arm64-noncoherent': ('arm64, no IOMMU, not coherent', 'instructions'),
    'arm64-smmu': ('arm64, SMMUv3, strict', 'instructions'),
    'arm64-smmu-noncoherent': ('arm64, SMMUv3, strict, not coherent', 'instructions'),
}
LAYOUTS = ('4k', '64k', '2m', 'one')
# What the sum has to be better by, natively.
GOALS = {
    'array': dict(zip(LAYOUTS, (2.5, 4, 5, 5))),
    'runs': dict(zip(LAYOUTS, (2.5, 5, 6, 6))),
}
SUMMARY = 256 << 20
# Where an IOMMU makes the difference, the sg_table of the base is measured apart.
SINGLE = '-single'


class Row:
    """One buffer, with each peer and part as (median, minimum, maximum)."""
    def __init__(self):
        self.time, self.bytes = {}, {}

    def get(self, peer, part):
        return self.time[peer, part][0]

    def ratio(self, part='sum', ours='list', theirs='sgt'):
        return self.get(theirs, part) / max(self.get(ours, part), 1)

    def batched(self):
        """Against an sg_table that uses the same batches."""
        return self.ratio(theirs='sgt-vec' if ('sgt-vec', 'sum') in self.time else 'sgt')

    def against(self, base):
        """Against the sg_table of the base."""
        return base.get('sgt', 'sum') / max(self.get('list', 'sum'), 1)

    def mapping(self):
        def both(peer):
            return self.get(peer, 'map') + self.get(peer, 'unmap')
        return both('sgt') / max(both('list'), 1)

    def spread(self):
        low, high = self.time['list', 'sum'][1:]
        return (high - low) / max(self.get('list', 'sum'), 1)

    def floor(self, ours='list'):
        if ('bare', 'sum') not in self.time:
            return None
        return self.get(ours, 'sum') / max(self.get('bare', 'sum'), 1)


def parse(path):
    rows = {}
    for line in path.read_text(errors='replace').splitlines():
        words = line.partition('dma-buf-bench: ')[2].split()
        if len(words) != 10:
            continue
        backing, layout, size, batch, peer, part = words[:6]
        row = rows.setdefault((backing, layout, int(size)), Row())
        row.time[peer, part] = tuple(int(w) / int(batch) for w in words[6:9])
        row.bytes[peer] = int(words[9])
    return rows


def iommu_of(path):
    """What the kernel said of the IOMMU, as far as it decides what mapping costs."""
    text = path.read_text(errors='replace') if path.exists() else ''
    found = re.search(r'DMAR: dmar\d: .* ecap ([0-9a-f]+)', text)
    if found:
        return 'VT-d, ' + ('coherent' if int(found[1], 16) & 1 else 'not coherent')
    # The kernel says nothing of QEMU's AMD IOMMU, which sees the caches.
    return 'AMD, coherent' if path.name.startswith('amd') else 'unknown'


def human(size):
    for unit in ('KiB', 'MiB', 'GiB'):
        size /= 1024
        if size < 1024 or unit == 'GiB':
            return f'{size:g} {unit}'


def number(value):
    return '-' if value is None else f'{value:.2f}'


def sync(row):
    """For the CPU and back for the device, which the memory of a device need not be."""
    if ('list', 'sync') not in row.time:
        return '-'
    return f'{row.get("sgt", "sync"):.0f}, {row.get("list", "sync"):.0f}'


def full(name, rows):
    text, unit = RUNS[name]
    yield f'## {text}\n'
    yield f'{unit} a buffer, median; map/walk/unmap; SYNC begin and end of the sg_table and of the list\n'
    yield ('| backing | layout | size | sg_table | list | sum | walk | by hand | map+unmap | against bare | spread '
           '| SYNC | bytes, sg_table | bytes, list |')
    yield '|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|'
    for (backing, layout, size), row in rows.items():
        def parts(peer, row=row):
            return '/'.join(f'{row.get(peer, p):.0f}' for p in ('map', 'walk', 'unmap'))
        yield (f'| {backing} | {layout} | {human(size)} | {parts("sgt")} | {parts("list")} | {row.ratio():.2f} '
               f'| {row.ratio("walk"):.2f} | {row.ratio("walk", "list-ranges", "sgt-entries"):.2f} '
               f'| {row.mapping():.2f} | {number(row.floor())} | {row.spread():.0%} | {sync(row)} '
               f'| {row.bytes["sgt"]} | {row.bytes["list"]} |')
    yield ''


def behind_iommu(out, runs):
    """Both ratios behind each IOMMU."""
    names = [n for n in ('strict', 'amd') if n in runs and n + SINGLE in runs]
    if not names:
        return
    yield '| backing | layout | ' + ' | '.join(
        f'{iommu_of(out / (n + ".txt"))}: base | in batches, too' for n in names) + ' |'
    yield '|---|---|' + '--:|--:|' * len(names)
    for key in runs[names[0]]:
        if key[2] == SUMMARY:
            both = [f'{runs[n][key].against(runs[n + SINGLE][key]):.2f} | {runs[n][key].batched():.2f}' for n in names]
            yield f'| {key[0]} | {key[1]} | ' + ' | '.join(both) + ' |'


def summary(runs):
    yield ('| backing | layout | sum | goal | bare loop | walk | map+unmap | instructions | lazy, 2 MiB '
           '| bytes, sg_table | bytes, list |')
    yield '|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|'
    for (backing, layout, size), row in runs['uml'].items():
        if size != SUMMARY:
            continue
        key = (backing, layout, size)
        goal = GOALS.get(backing, {}).get(layout)
        keys = {'direct': key, 'lazy': (backing, layout, 2 << 20)}
        other = [number(runs[n][k].ratio()) if k in runs.get(n, {}) else '-' for n, k in keys.items()]
        yield (f'| {backing} | {layout} | {row.ratio():.2f} | {goal or "-"} | {row.ratio("sum", "bare"):.2f} '
               f'| {row.ratio("walk"):.2f} | {row.mapping():.2f} | {" | ".join(other)} '
               f'| {row.bytes["sgt"]} | {row.bytes["list"]} |')


def lines(path, kind):
    """The words behind KIND in the lines of that kind."""
    if not path.exists():
        return
    for line in path.read_text(errors='replace').splitlines():
        words = line.partition('dma-buf-bench: ')[2].split()
        if words and words[0] == kind:
            yield words[1:]


def exporters(out):
    """Real exporters, before and after."""
    cost = {}
    for kernel in ('before', 'after'):
        for name, importer, size, *parts in lines(out / f'{kernel}.txt', 'exporter'):
            cost[name, kernel, importer] = [int(p) for p in parts]
    if {kernel for _, kernel, _ in cost} != {'before', 'after'}:
        return
    yield ('| exporter, 64 MiB | base, sg_table | patched, list | map+unmap | walk | with attaching '
           '| SYNC begin and end: base, patched |')
    yield '|---|--:|--:|--:|--:|--:|--:|'
    for name in dict.fromkeys(key[0] for key in cost):
        old, new = (cost[name, *key] for key in (
            ('before', 'sg_table'), ('after', 'list')))

        def parts(c):
            return '/'.join(str(n) for n in c[1:4])
        yield (f'| {name} | {parts(old)} | {parts(new)} '
               f'| {(old[1] + old[3]) / (new[1] + new[3]):.2f} | {old[2] / new[2]:.2f} '
               f'| {sum(old[:5]) / sum(new[:5]):.2f} | {old[5]}, {new[5]} |')


def attaching(out):
    """Instructions for each pair of an exporter and an importer."""
    cost = {}
    for importer, n, pairs, reached, attach, detach in lines(out / 'attach.txt', 'attach'):
        cost[int(n), importer] = (int(pairs), int(reached), int(attach) / int(pairs), int(detach) / int(pairs))
    if not cost:
        return
    yield '| devices | pairs | reached | attach | attach, peer-to-peer | pci_p2pdma_distance() alone | detach |'
    yield '|--:|--:|--:|--:|--:|--:|--:|'
    for n in sorted({key[0] for key in cost}):
        plain, peer, distance = (cost[n, i] for i in ('plain', 'peer2peer', 'distance'))
        yield (f'| {n} | {peer[0]} | {peer[1]} | {plain[2]:.0f} | {peer[2]:.0f} | {distance[2]:.0f} | {peer[3]:.0f} |')


def plot(out, layout, rows):
    """Nanoseconds a page over the size of the buffer."""
    curves = []
    script = [f'set terminal svg size 720,420 background "white"; set output "{out}/{layout}.svg"',
              f'set title "{layout}: build, map, walk, unmap (native, UML)"; set key left top',
              'set logscale x 2; set xlabel "size of the buffer"; set ylabel "ns for each 4 KiB"; set grid; set yrange [0:]',
              'set xtics (' + ', '.join(f'"{human(s)}" {s}' for s in sorted({k[2] for k in rows})) + ')']
    for backing in ('array', 'runs'):
        for peer in ('sgt', 'list', 'bare'):
            points = [(k[2], row.get(peer, 'sum') * 4096 / k[2]) for k, row in rows.items()
                      if k[:2] == (backing, layout) and (peer, 'sum') in row.time]
            if points:
                data = f'${backing}_{peer}'
                script += [data + ' << EOD'] + [f'{x} {y:.4f}' for x, y in points] + ['EOD']
                curves.append(f'{data} using 1:2 with linespoints title "{backing}, {peer}"')
    script.append('plot ' + ', '.join(curves))
    subprocess.run(['gnuplot'], input='\n'.join(script), text=True, check=True)


def main():
    out = pathlib.Path(sys.argv[1])
    names = [*RUNS, *(name + SINGLE for name in RUNS)]
    runs = {name: parse(out / f'{name}.txt') for name in names if (out / f'{name}.txt').exists()}
    behind = list(behind_iommu(out, runs))
    if behind:
        behind = ['', 'Behind an IOMMU, strict, 256 MiB: against the sg_table of the base, and against one that is mapped '
                  'in batches as the list is:', ''] + behind
    real = list(exporters(out))
    if real:
        real = ['', 'Instructions for map/walk/unmap of real exporters, from their importer\'s side:', ''] + real
    pairs = list(attaching(out))
    if pairs:
        pairs = ['## Attaching', '', 'Instructions for each pair, devices behind two switches', ''] + pairs + ['']
    short = '\n'.join([*summary(runs), *behind, *real])
    (out / 'results.md').write_text('\n'.join(
        ['# The page list against the sg_table', '', f'Ratios are sg_table over list; {human(SUMMARY)}:', '', short, '']
        + pairs + [line for name, rows in runs.items() if name in RUNS for line in full(name, rows)]))
    for layout in LAYOUTS:
        plot(out, layout, runs['uml'])
    print(short, file=sys.stderr)
    if sys.argv[2:] == ['write']:
        KEEP.mkdir(exist_ok=True)
        for path in [*out.glob('*.txt'), *out.glob('*.svg'), out / 'results.md']:
            shutil.copy(path, KEEP)
        page = TOP / 'testbed' / 'BENCH.md'
        head, mark, rest = page.read_text().partition('<!-- bench: begin -->\n')
        page.write_text(head + mark + short + '\n' + rest[rest.index('<!-- bench: end -->'):])


if __name__ == '__main__':
    main()
