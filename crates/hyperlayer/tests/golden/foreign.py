#!/usr/bin/env python3
"""Writes the golden files of the foreign formats: run once, in this folder; what it wrote is never regenerated."""

from base64 import b64encode
from hashlib import md5
from struct import pack


def text(volume, i, size):
    return (b"%c%02d\n" % (ord(volume), i)) * (size // 4)


def changed(i, size):
    """Chunk i of what turns B into A; chunk 6 reads as zeros."""
    return bytes(size) if i == 6 else text("A", i, size)


CHANGED = [0, 2, 3, 6, 10, 11, 12]
A_UUID = b"w5DLJD-l6Cx-zV8E-ky9V-2oGZ-0UcT-X3eE0s"
B_UUID = b"CG3k1B-7dyZ-hpAC-0Y8C-tpwy-Vj2X-1QaXyk"


def lvbackup_v1(kind, uuid, source, blocks):
    head = pack(">BBQIQ36s36s", 1, kind, 65536, 4096, len(blocks), uuid[:36], source[:36])
    stream = head + md5(head).digest()
    for i, data in blocks:
        block = pack(">Q", i) + data
        stream += block + md5(block).digest()
    return stream


def write(name, data):
    with open(name, "wb") as file:
        file.write(data)


B = [(i, text("B", i, 4096)) for i in (0, 1, 6, 7, 10, 11, 12, 13)]
FULL = lvbackup_v1(1, B_UUID, b"", B)
DELTA = lvbackup_v1(2, A_UUID, B_UUID, [(i, changed(i, 4096)) for i in CHANGED])
write("lvbackup-v1-full.bin", FULL)
write("lvbackup-v1-delta.bin", DELTA)

C = 512


def chunk(magic, offset, length, command, data=b""):
    return pack(">QQQI", magic, offset, length, command) + data


def runs(magic):
    yield chunk(magic, 0, C, 0, text("A", 0, C))
    yield chunk(magic, 2 * C, 2 * C, 0, text("A", 2, C) + text("A", 3, C))
    yield chunk(magic, 6 * C, C, 1)
    yield chunk(magic, 10 * C, 3 * C, 0, b"".join(text("A", i, C) for i in (10, 11, 12)))


V1_1, V1_0 = 0x24C4F02AAE2E4FA9, 0xCA7F00D5DE7EC7ED


def end(*counts):
    return chunk(V1_1, 0, 24, 3, pack(">QQQ", *counts))


BEGIN = chunk(V1_1, 0, 0, 2)
write("thin-send-1.1-empty.bin", BEGIN + end(2, 0, 0))
# With a chunk that may be skipped by who does not know it.
write("thin-send-1.1.bin", BEGIN + chunk(V1_1, 7, 11, 0x80000005, b"hello world") + b"".join(runs(V1_1)) + end(7, 3, 1))
write("thin-send-1.0.bin", b"".join(runs(V1_0)))

# The order of a hash table.
RECORDS = b"".join(pack(">QI", i * C, C) + changed(i, C) for i in (10, 0, 3, 2, 12, 6, 11))
write("lvmsync.bin", b"lvmsync PROTO[3]\n" + RECORDS)

BLOCKS = "".join(f"<block offset='{i}'>{b64encode(changed(i, C)).decode()}</block>\n" for i in CHANGED)
write("ddxml.xml", f'<?xml version="1.0" encoding="UTF-8"?>\n\n<dd>\n{BLOCKS}</dd>\n'.encode())
