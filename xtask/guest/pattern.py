#!/usr/bin/python3
"""pattern.py FILE (OFFSET LENGTH SEED)... - writes content that depends on the seed and on every single position.

Bytes; a suffix k, m or g multiplies. Each 4 KiB differs from any other, so that a block in the wrong place is noticed.
"""
import os, random, sys

UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
STEP = 1 << 20


def number(text):
    return int(text[:-1]) * UNITS[text[-1]] if text[-1] in UNITS else int(text)


path, *ranges = sys.argv[1:]
file = os.open(path, os.O_WRONLY)
for at in range(0, len(ranges), 3):
    offset, length, seed = number(ranges[at]), number(ranges[at + 1]), ranges[at + 2]
    content = random.Random(f"{seed} {offset}")
    while length:
        step = min(length, STEP)
        # randbytes() would make all of it as one big number, slowly.
        block = b"".join(content.randbytes(4096) for _ in range(step // 4096)) + content.randbytes(step % 4096)
        assert os.pwrite(file, block, offset) == step, f"{path} is full at byte {offset}"
        offset, length = offset + step, length - step
os.fsync(file)
