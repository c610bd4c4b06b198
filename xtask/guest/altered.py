#!/usr/bin/python3
"""altered.py SEED RIGHT OTHER OUT - writes RIGHT, a stream of HYPERLAYER 1.1, with damage where the seed says, and says which.

OTHER is a right stream too, of another volume: a part of it, or all, may come instead.
"""
import random, sys


def parts(stream):
    """The header, each record with its data, the end."""
    at = stream.index(b"\n\n") + 2
    found = [stream[:at]]
    while at < len(stream):
        end = stream.index(b"\n", at) + 1
        if stream[at : at + 1] == b"W":
            end += int(stream[at:end].split()[2], 16) * 512 + 1
        found.append(stream[at:end])
        at = end
    return found


def flipped(part, line_only):
    at = chance.randrange(part.index(b"\n") + 1 if line_only and not part.startswith(b"HYPERLAYER") else len(part))
    return part[:at] + bytes([part[at] ^ 1 << chance.randrange(8)]) + part[at + 1 :]


def damaged():
    found = parts(right)
    number = chance.randrange(1, len(found) - 1)
    if chance.randrange(4):
        # Past the base checks, where something may be kept of the stream.
        number = chance.choice([n for n, part in enumerate(found) if part[:1] in b"WZ"])
    way = chance.choice(WAYS)
    where = f"record {number} of {len(found) - 2}"
    match way:
        case "line":
            number = chance.randrange(len(found))
            where = f"part {number} of {len(found)}"
            found[number] = flipped(found[number], True)
        case "anywhere":
            found[number] = flipped(found[number], False)
        case "dropped":
            del found[number]
        case "doubled":
            found.insert(number, found[number])
        case "swapped":
            by = chance.choice([n for n in range(1, len(found) - 1) if n != number])
            found[number], found[by] = found[by], found[number]
        case "spliced":
            others = parts(other)
            found[number:] = others[chance.randrange(1, len(others)) :]
        case "longer":
            found.append(b"and more\n")
        case "cut":
            length = chance.randrange(1, len(right))
            return right[:length], f"cut at byte {length} of {len(right)}"
    return b"".join(found), f"{way}, {where}"


WAYS = ["line", "line", "line", "anywhere", "anywhere", "cut", "cut", "dropped", "doubled", "swapped", "spliced", "longer"]

seed, right, other, out = sys.argv[1:]
chance = random.Random(seed)
right, other = open(right, "rb").read(), open(other, "rb").read()
result, how = right, ""
while result in (right, other):
    result, how = damaged()
open(out, "wb").write(result)
print(how)
