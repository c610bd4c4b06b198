#!/usr/bin/env python3
"""Makes ../src/selftest.bin: the metadata that thin_restore writes for pool.xml, without its zeros."""

import pathlib
import struct
import subprocess
import tempfile

IMAGE_BYTES = 2 << 20
# A header takes 6 bytes: fewer zeros than that are cheaper kept than skipped.
HEADER = struct.Struct("<IH")

here = pathlib.Path(__file__).resolve().parent
with tempfile.NamedTemporaryFile() as image:
    image.truncate(IMAGE_BYTES)
    subprocess.run(["thin_restore", "--quiet", "-i", here / "pool.xml", "-o", image.name], check=True)
    data = pathlib.Path(image.name).read_bytes()
assert len(data) == IMAGE_BYTES

packed = bytearray()
at = 0
while at < len(data):
    if data[at] == 0:
        at += 1
        continue
    end = data.find(bytes(HEADER.size), at)
    end = len(data) if end < 0 else end
    packed += HEADER.pack(at, end - at) + data[at:end]
    at = end
(here.parent / "src" / "selftest.bin").write_bytes(packed)
print(len(packed), "bytes")
