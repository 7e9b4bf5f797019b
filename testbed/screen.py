# SPDX-License-Identifier: GPL-2.0
"""Looks at the display of a guest that runs guest/scanout.c.

The guest says on its second serial port that the picture is there, and goes on
when it gets an answer. In between, QEMU writes down what the display shows.
"""
import contextlib
import json
import os
import select
import socket
import struct
import time
import zlib

WIDTH, HEIGHT = 640, 480


def expected():
    """The picture that guest/scanout.c draws, as rows of RGB bytes."""
    for y in range(HEIGHT):
        row = bytearray()
        for x in range(WIDTH):
            dx, dy = x - WIDTH // 2, y - HEIGHT // 2
            ring = (dx * dx + dy * dy) // 1024 % 32 * 8
            if (x ^ y) & 32:
                ring = 255 - ring
            row += bytes((x // 16 * 6, y // 16 * 8, ring))
        yield bytes(row)


def write_png(path, rows):
    """Write rows of RGB bytes."""
    def chunk(kind, data):
        return (struct.pack('>I', len(data)) + kind + data +
                struct.pack('>I', zlib.crc32(kind + data)))

    header = struct.pack('>IIBBBBB', len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    pixels = zlib.compress(b''.join(b'\0' + row for row in rows), 9)
    with open(path, 'wb') as png:
        png.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) +
                  chunk(b'IDAT', pixels) + chunk(b'IEND', b''))


def read_ppm(path):
    """Return rows of RGB bytes of what QEMU's screendump writes."""
    with open(path, 'rb') as ppm:
        assert ppm.readline() == b'P6\n'
        width, height = map(int, ppm.readline().split())
        ppm.readline()
        return [ppm.read(width * 3) for _ in range(height)]


class Screen:
    """The display of one guest."""

    def __init__(self, path):
        self.path = path        # without an extension
        # Socket names are short, whatever directory this is in.
        self.sockets = [f'/tmp/screen-{os.getpid()}-{id(self):x}-{name}'
                        for name in ('qmp', 'tty')]
        for name in ('.ppm', '.png'):
            if os.path.exists(path + name):
                os.unlink(path + name)

    def qemu_args(self):
        """Arguments for QEMU."""
        qmp, tty = self.sockets
        return (f'-serial unix:{tty},server=on,wait=off '
                f'-qmp unix:{qmp},server=on,wait=off')

    @staticmethod
    def connect(path, deadline):
        while True:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(path)
                return sock, sock.makefile('rw')
            except OSError:
                sock.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    @staticmethod
    def command(qmp, name, **arguments):
        """Returns if QEMU did it, and is still there."""
        print(json.dumps({'execute': name, 'arguments': arguments}), file=qmp, flush=True)
        answer = {}
        while not {'return', 'error'} & answer.keys():
            answer = json.loads(qmp.readline() or '{"error": "end"}')
        return 'return' in answer

    def watch(self, timeout):
        """Wait for the picture, keep it, answer the guest."""
        deadline = time.monotonic() + timeout
        (_, qmp), (sock, tty) = (self.connect(path, deadline) for path in self.sockets)
        # QEMU may end at any time.
        with contextlib.suppress(OSError), qmp, tty:
            self.command(qmp, 'qmp_capabilities')
            # What is part of a board has no name. Nor has all of it a vertical blank
            # while nobody looks, which the driver waits for.
            which = {'device': 'gpu'}
            if not self.command(qmp, 'qom-get', path='/machine/peripheral/gpu', property='type'):
                which = {}
            while not which and not select.select([sock], [], [], 0.02)[0]:
                self.command(qmp, 'screendump', filename=os.devnull)
            if tty.readline().strip() != 'look':
                return
            self.command(qmp, 'screendump', filename=self.path + '.ppm', **which)
            print(file=tty, flush=True)
            while not which and self.command(qmp, 'screendump', filename=os.devnull):
                time.sleep(0.02)

    def right_pixels(self):
        """Compare the display with the picture; both are kept as one PNG."""
        for path in self.sockets:
            if os.path.exists(path):
                os.unlink(path)
        if not os.path.exists(self.path + '.ppm'):
            return 0
        rows = read_ppm(self.path + '.ppm')
        write_png(self.path + '.png', rows)
        return sum(got[i:i + 3] == want[i:i + 3]
                   for got, want in zip(rows, expected())
                   for i in range(0, 3 * WIDTH, 3))
