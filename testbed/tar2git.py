#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Read a kernel tarball from stdin, write it as one commit for git fast-import.

A stream into one pack: unpacking 96000 files first takes far longer.
"""
import sys
import tarfile

out = sys.stdout.buffer


def data(raw):
    out.write(b"data %d\n" % len(raw) + raw + b"\n")


def convert(tar):
    out.write(b"commit refs/base/stream\ncommitter - <-> 0 +0000\n")
    data(b"")
    for entry in tar:
        path = entry.name.removeprefix("./").partition("/")[2]
        if entry.isfile():
            mode, raw = b"100755" if entry.mode & 0o100 else b"100644", tar.extractfile(entry).read()
        elif entry.issym():
            mode, raw = b"120000", entry.linkname.encode("utf-8", "surrogateescape")
        elif entry.isdir() or not path:
            continue
        else:
            sys.exit("unexpected kind of file: " + entry.name)
        out.write(b"M %s inline %s\n" % (mode, path.encode("utf-8", "surrogateescape")))
        data(raw)
    out.write(b"done\n")


try:
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|*", errors="surrogateescape") as kernel:
        convert(kernel)
except (tarfile.TarError, EOFError) as e:
    sys.exit("no tarball, or damaged: %s" % e)
