#!/usr/bin/env python3
"""Writes the golden files of 1.1, from FORMAT.md alone: run once, in this directory; a written file is never regenerated.

Needs the package blake3 from PyPI."""

from zlib import crc32

from blake3 import blake3


def text(volume, *chunks):
    return b"".join((b"%c%02d\n" % (ord(volume), i)) * 1024 for i in chunks)


def volume(name, chunks):
    return b"".join(text(name, i) if i in chunks else bytes(4096) for i in range(16))


B_CHUNKS = [0, 1, 6, 7, 10, 11, 12, 13]
BASE = volume("B", B_CHUNKS)
NEW = b"".join(
    text("A", i) if i in (0, 2, 3, 10, 11, 12) else text("B", i) if i in (1, 7, 13) else bytes(4096) for i in range(16)
)
A_ID = "w5DLJD-l6Cx-zV8E-ky9V-2oGZ-0UcT-X3eE0s"
B_ID = "CG3k1B-7dyZ-hpAC-0Y8C-tpwy-Vj2X-1QaXyk"


def at(content, start, sectors):
    return content[start * 512 : (start + sectors) * 512]


class Stream:
    """One stream: its header's lines, then its records as they are added."""

    def __init__(self, **keys):
        self.keys = keys
        self.records = []
        self.counts = [0, 0, 0, 0, 0]

    def check(self, start, sectors, algorithm="CRC32"):
        content = at(BASE, start, sectors)
        digest = "%08x" % crc32(content) if algorithm == "CRC32" else blake3(content).hexdigest()
        return self.add(0, None, "D %X %X %s %s " % (start, sectors, algorithm, digest), b"")

    def data(self, start, sectors, content):
        return self.add(1, sectors, "W %X %X " % (start, sectors), at(content, start, sectors))

    def zero(self, start, sectors):
        return self.add(3, sectors, "Z %X %X " % (start, sectors), b"")

    def add(self, count, sectors, line, data):
        self.counts[count] += 1
        if sectors:
            self.counts[count + 1] += sectors
        self.records.append((line.encode(), data))
        return self

    def bytes(self):
        checks, data, data_sectors, zeros, zero_sectors = self.counts
        totals = {
            "Check_records": checks,
            "Data_records": data,
            "Data_bytes": data_sectors * 512,
            "Zero_records": zeros,
            "Zero_bytes": zero_sectors * 512,
        }
        own = {key: value for key, value in self.keys.items() if key in ("Author", "Message")}
        keys = {**{key: value for key, value in self.keys.items() if key not in own}, **totals, **own}
        out = "HYPERLAYER/1.1\n" + "".join("%s: %s\n" % pair for pair in keys.items()) + "\n"
        out = out.encode()
        check = b"%08x" % crc32(out)
        for line, data in self.records:
            check = b"%08x" % crc32(check + line + data)
            out += line + check + b"\n" + (data + b"\n" if data else b"")
        out += ("E %X %X %X %X %X " % tuple(self.counts)).encode()
        return out + blake3(out).hexdigest().encode() + b"\n"


READ = {"Created": "2026-11-21T03:00:00Z", "Tool": "lvdiff 0.1.0"}
SIZES = {"Volume_size": 65536, "Chunk_size": 4096, "Parent_size": 65536}


def full():
    own = {"Author": "BigVan (alpc_metic@live.com)", "Message": "a time: 12:00, über"}
    sizes = {"Volume_size": 65536, "Chunk_size": 4096}
    stream = Stream(Name="sp0", Kind="full", **sizes, Layer=B_ID, Source="vg0/sp0", **READ, **own)
    return stream.data(0, 0x10, BASE).data(0x30, 0x10, BASE).data(0x50, 0x20, BASE)


def delta():
    stream = Stream(Name="sp1", Kind="delta", **SIZES, Layer=A_ID, Parent=B_ID, Source="vg0/sp1", **READ)
    stream.check(0, 8).check(0x30, 8, "BLAKE3").check(0x50, 0x18)
    return stream.data(0, 8, NEW).data(0x10, 0x10, NEW).zero(0x30, 8).data(0x50, 0x18, NEW)


def empty():
    return Stream(Kind="delta", **{**SIZES, "Chunk_size": 65536})


def short():
    sizes = {"Volume_size": 19 * 512, "Chunk_size": 4096, "Parent_size": 65536}
    ids = {"Layer": "blake3:" + blake3(NEW[: 19 * 512]).hexdigest(), "Parent": "blake3:" + blake3(BASE).hexdigest()}
    return Stream(Name="a-b.c_d+e", Kind="delta", **sizes, **ids).check(0x60, 8).zero(8, 1).data(0x10, 3, NEW)


if __name__ == "__main__":
    for make in full, delta, empty, short:
        with open(make.__name__ + "-1.1.hl", "xb") as file:
            file.write(make().bytes())
