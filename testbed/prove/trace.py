#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Does a trace of the real thing have its events in the order of protocol.pml?

The order is read from there: the lines "#define event_NAME(i) step(i, FROM, TO)".
A trace, or a log that it is in, is of events/dma_buf and events/dma:

    attach   dma_buf_dynamic_attach
    map      dma_buf_route with error=0, after dma_map_phys of as many runs as the
             list has chunks, if it is of the route per-run
    unmap    dma_unmap_phys of the last of these
    detach   dma_buf_detach

Other lists, and those of a kernel without dma-debug, which maps nothing run by run, are mapped again or detached without an
unmap that could be seen. The file has to be there for as long as it is attached:
there is a dma_buf_get for that, and the dma_buf_put comes later. Telling importers
and revoking have no events.

--swap exchanges each two steps of an attachment that follow one another, and expects
that to be found.
"""
import os
import re
import sys

MODEL = os.path.join(os.path.dirname(os.path.realpath(__file__)), 'protocol.pml')
EVENT = re.compile(r'^ *\S+-\d+ +\[\d+\] \S+ +[\d.]+: (dma_\w+): (.*)$')


class Illegal(Exception):
    pass


def read_model():
    with open(MODEL, encoding='utf-8') as model:
        steps = re.findall(r'^#define event_(\w+)\(i\)\s+step\(i, (\w+), (\w+)\)$', model.read(), re.M)
    if {name for name, _, _ in steps} != {'attach', 'map', 'unmap', 'detach'}:
        sys.exit(f'error: {MODEL} has other events than there are in a trace')
    return {(start, name): end for name, start, end in steps}, steps[0][1]


class Attachment:
    def __init__(self, state):
        self.state = state
        self.seen = False       # are the runs of the list in the trace?
        self.runs = set()


class Checker:
    def __init__(self, events):
        self.order, self.start = read_model()
        self.attachments = {}
        self.gets = {}
        self.pending = {}       # what a device has mapped for a list that is not made yet
        # These have the runs of each list that is mapped run by run in the trace.
        self.shown = {text.split(' ', 1)[0] for _, event, text in events if event == 'dma_map_phys'}
        self.steps = []         # (line, attachment, name)

    def step(self, line, key, name):
        attach = self.attachments.setdefault(key, Attachment(self.start))
        if name in ('map', 'detach') and attach.state == 'MAPPED' and not attach.seen:
            attach.state = self.order[('MAPPED', 'unmap')]
        if (attach.state, name) not in self.order:
            raise Illegal(f'{name} while {attach.state}: {" ".join(key)}')
        attach.state = self.order[(attach.state, name)]
        self.steps.append((line, key, name))
        return attach

    def event(self, line, event, text):
        words = dict(re.findall(r'(\w+)=(\S*)', text))
        dev = words.get('dev_name') or text.split(' ', 1)[0]
        key = (words.get('ino'), dev)
        ino = words.get('ino')
        if event == 'dma_buf_get':
            self.gets[ino] = self.gets.get(ino, 0) + 1
        elif event == 'dma_buf_put':
            self.gets[ino] = self.gets.get(ino, 0) - 1
        elif event == 'dma_buf_dynamic_attach':
            self.step(line, key, 'attach')
        elif event == 'dma_buf_route' and words['error'] == '0':
            attach = self.step(line, key, 'map')
            attach.runs = self.pending.pop(dev, set())
            attach.seen = words['route'] == 'per-run' and dev in self.shown
            if attach.seen and len(attach.runs) != int(words['chunks']):
                raise Illegal(f'{words["chunks"]} chunks of {len(attach.runs)} runs')
        elif event == 'dma_buf_detach':
            self.step(line, key, 'detach')
        elif event == 'dma_map_phys':
            self.pending.setdefault(dev, set()).add(words['dma_addr'])
        elif event == 'dma_unmap_phys':
            self.unmap(line, dev, words['dma_addr'])
        if ino and self.gets.get(ino, 0) < sum(
                attach.state != self.start for (where, _), attach in self.attachments.items()
                if where == ino):
            raise Illegal(f'the file is gone while it is attached: ino={ino}')

    def unmap(self, line, dev, addr):
        if addr in self.pending.get(dev, ()):
            self.pending[dev].remove(addr)
            return
        for key, attach in self.attachments.items():
            if key[1] == dev and addr in attach.runs:
                attach.runs.remove(addr)
                if not attach.runs:
                    self.step(line, key, 'unmap')
                return
        raise Illegal(f'unmap of what is not mapped: {dev} {addr}')


def check(events):
    checker = Checker(events)
    for line, (number, event, text) in enumerate(events):
        try:
            checker.event(line, event, text)
        except Illegal as illegal:
            return checker.steps, f'line {number}: {illegal}'
    return checker.steps, ''


def main():
    *options, path = sys.argv[1:]
    with open(path, encoding='utf-8', errors='replace') as trace:
        found = ((number, EVENT.match(line)) for number, line in enumerate(trace, 1))
        events = [(number, *match.groups()) for number, match in found if match]
    steps, why = check(events)
    if why:
        sys.exit(f'{path}: {why}')
    missing = {'attach', 'map', 'unmap', 'detach'} - {name for _, _, name in steps}
    if missing:
        sys.exit(f'{path}: no {", ".join(sorted(missing))} in {len(events)} events')
    if '--swap' not in options:
        print(f'{len(events)} events, {len(steps)} steps')
        return
    swaps = 0
    for place, (one, key, name) in enumerate(steps):
        for other, its_key, its_name in steps[place + 1:]:
            if key == its_key:
                swapped = list(events)
                swapped[one], swapped[other] = swapped[other], swapped[one]
                if not check(swapped)[1]:
                    sys.exit(f'{path}: {name} and {its_name} swapped, and not refused: '
                             f'lines {events[one][0]} and {events[other][0]}')
                swaps += 1
                break
    print(f'{swaps} times two steps swapped, all refused')


if __name__ == '__main__':
    main()
