#!/usr/bin/env python3
"""Writes the streams in `refused`, each of which breaks one rule of FORMAT.md, and prints where.

Run in this directory; a written file is never regenerated: new ones are added below, and to the table in refused/README.md.
Needs the package blake3 from PyPI."""

import os
from zlib import crc32

from blake3 import blake3

X, Y = b"x" * 512, b"y" * 512
DELTA = [
    ("Name", "sp1"),
    ("Kind", "delta"),
    ("Volume_size", 65536),
    ("Chunk_size", 4096),
    ("Parent_size", 131072),
    ("Check_records", 2),
    ("Data_records", 2),
    ("Data_bytes", 1024),
    ("Zero_records", 1),
    ("Zero_bytes", 512),
]
FULL = [(key, "full" if key == "Kind" else value) for key, value in DELTA if key != "Parent_size"]
FULL = [(key, 0 if key == "Check_records" else value) for key, value in FULL]
CHECKS = [("D 10 1 CRC32 00000001", b""), ("D 80 80 BLAKE3 " + 64 * "a", b"")]
RECORDS = [("W 10 1", X), ("Z 11 1", b""), ("W 12 1", Y)]
COUNTS = "2 2 2 1 1"
written = {}


def case(name, rule, stream, at, version="1.1"):
    """A stream, and where it is refused: a byte, the bytes that begin there (the last such), or None for its end."""
    if isinstance(at, (bytes, str)):
        at = stream.rindex(at.encode() if isinstance(at, str) else at)
    written[name] = (stream, len(stream) if at is None else at, rule)


def header(keys, magic=b"HYPERLAYER/1.1\n"):
    return magic + b"".join(key.encode() + b": " + (v if isinstance(v, bytes) else str(v).encode()) + b"\n" for key, v in keys) + b"\n"


def chained(head, records):
    check, out = b"%08x" % crc32(head), []
    for line, data in records:
        line = line.encode() + b" "
        check = b"%08x" % crc32(check + line + data)
        out.append(line + check + b"\n" + (data + b"\n" if data else b""))
    return out


def ended(stream, counts=COUNTS):
    stream += b"E " + counts.encode() + b" "
    return stream + blake3(stream).hexdigest().encode() + b"\n"


def stream(keys=DELTA, records=CHECKS + RECORDS, counts=COUNTS):
    head = header(keys)
    return ended(head + b"".join(chained(head, records)), counts)


def keys(base=DELTA, without=(), add=(), **changed):
    kept = [(key, changed.get(key, value)) for key, value in base if key not in without]
    return kept + list(add)


def head_case(name, rule, at, base=DELTA, **how):
    case(name, rule, stream(keys(base, **how)), at)


def line_case(name, rule, line, at):
    """A line that is no record, in place of the first; its check, where it has one, is written out."""
    head = header(DELTA)
    case(name, rule, ended(head + line.encode() + b"\n"), len(head) + at)


def rule_case(name, rule, records, at, base=DELTA, counts=COUNTS, **how):
    """Records whose checks are right, and of which one may not stand there; `at`: which."""
    head = header(keys(base, **how))
    parts = chained(head, records)
    case(name, rule, ended(head + b"".join(parts), counts), len(head) + sum(map(len, parts[:at])))


def old(lines, body=b"", magic=b"HYPERLAYER/1.0\n"):
    return magic + "".join(line + "\n" for line in lines).encode() + b"\n" + body


GOOD = stream()
HEAD = header(DELTA)
PARTS = chained(HEAD, CHECKS + RECORDS)
END = GOOD[len(HEAD) + sum(map(len, PARTS)) :]


def first_bytes():
    case("empty", "an empty input is no stream", b"", None)
    case("no-magic", "a stream begins with its magic line", b"HYPERLAYERS" + GOOD[10:], 0)
    case("version-1.2", "an unknown version is refused", GOOD.replace(b"/1.1", b"/1.2"), 0)
    case("version-2.0", "an unknown version is refused", GOOD.replace(b"/1.1", b"/2.0"), 0)
    case("magic-cr-lf", "lines end with one line feed", GOOD.replace(b"/1.1\n", b"/1.1\r\n"), 0)
    case("trailing-byte", "nothing but a stream follows the end line", GOOD + b"x", len(GOOD))
    case("trailing-newline", "nothing but a stream follows the end line", GOOD + b"\n", len(GOOD))


def headers():
    head_case("line-too-long", "a line has at most 4096 bytes", "k: v", add=[("k", "v" * 4093)])
    many = [("k%d" % n, "v" * 4000) for n in range(17)]
    head = header(keys(add=many))
    over = b"k16: "
    case("header-too-long", "a header has at most 65536 bytes", ended(head), head.index(over))
    head_case("too-many-keys", "a header has at most 256 keys", "k246: ", add=[("k%d" % n, "") for n in range(247)])
    head_case("no-space-after-colon", "one space follows the colon", "Kind:", Kind="delta")
    good = written.pop("no-space-after-colon")[0].replace(b"Kind: ", b"Kind:")
    case("no-space-after-colon", "one space follows the colon", good, "Kind:")
    case("no-colon", "a header line is a key, a colon, one space, the value", stream(keys(add=[("k", "")])).replace(b"k: \n", b"k\n"), b"k\n\n")
    head_case("key-with-space", "a key is a letter or `_`, then letters, digits, `_`", "Chunk size", add=[("Chunk size", 1)])
    head_case("key-with-digit-first", "a key is a letter or `_`, then letters, digits, `_`", "1k", add=[("1k", "")])
    head_case("value-with-tab", "a value has no control characters", "k: ", add=[("k", "a\tb")])
    head_case("value-with-c1-control", "a value has no control characters", "k: ", add=[("k", "a\u0085b")])
    head_case("name-with-escape", "a value has no control characters", "Name", Name="a\x1b[31m")
    head_case("value-not-utf-8", "a value is UTF-8", "k: ", add=[("k", b"a\xffb")])
    head_case("key-twice", "no key comes twice", "k: 2", add=[("k", 1), ("k", 2)])
    for key in "Kind", "Volume_size", "Chunk_size", "Parent_size", "Check_records", "Data_records", "Data_bytes", "Zero_records", "Zero_bytes":
        rest = keys(without=[key])
        case("without-" + key, "`%s` must be there" % key, stream(rest), len(header(rest)) - 1)
    head_case("kind-unknown", "`Kind` is one of four words", "Kind", Kind="Delta")
    head_case("number-with-leading-zero", "numbers have no leading zeros", "Data_bytes", Data_bytes="01024")
    head_case("number-with-sign", "numbers have no sign", "Data_bytes", Data_bytes="+1024")
    head_case("volume-size-not-sectors", "`Volume_size` is a multiple of 512", "Volume_size", Volume_size=65537)
    head_case("volume-size-too-large", "`Volume_size` is at most 2^63 - 512", "Volume_size", Volume_size=1 << 63)
    head_case("parent-size-not-sectors", "`Parent_size` is a multiple of 512", "Parent_size", Parent_size=131073)
    head_case("chunk-size-zero", "`Chunk_size` is at least 512", "Chunk_size", Chunk_size=0)
    head_case("chunk-size-too-large", "`Chunk_size` is at most 2^30", "Chunk_size", Chunk_size=(1 << 30) + 512)
    head_case("full-with-parent-size", "a full layer has no `Parent_size`", "Parent_size", FULL, add=[("Parent_size", 512)])
    head_case("full-with-parent", "a full layer has no `Parent`", "Parent", FULL, add=[("Parent", "x")])
    head_case("full-with-checks", "a full layer has no base checks", "Check_records", FULL, Check_records=1)
    head_case("id-with-space", "an id has the characters of an LVM tag", "Layer", add=[("Layer", "a b")])
    head_case("id-too-long", "an id has at most 128 characters", "Layer", add=[("Layer", "x" * 129)])
    head_case("id-empty", "an id has at least one character", "Parent: ", add=[("Parent", "")])
    for name, time in [
        ("month-13", "2026-13-01T00:00:00Z"),
        ("day-0", "2026-01-00T00:00:00Z"),
        ("february-29", "2026-02-29T00:00:00Z"),
        ("hour-24", "2026-01-01T24:00:00Z"),
        ("minute-60", "2026-01-01T00:60:00Z"),
        ("leap-second", "2016-12-31T23:59:60Z"),
        ("other-zone", "2026-01-01T00:00:00+01:00"),
        ("empty-fraction", "2026-01-01T00:00:00.Z"),
        ("lower-case", "2026-01-01t00:00:00z"),
    ]:
        head_case("created-" + name, "`Created` is a time that there is, in UTC", "Created", add=[("Created", time)])
    head_case("bytes-not-sectors", "byte counts are multiples of 512", "Data_bytes", Data_bytes=1025)
    head_case("bytes-without-records", "byte counts are zero where there is no record", "Zero_bytes", Zero_records=0)
    head_case("records-without-bytes", "byte counts are zero only where there is no record", "Data_bytes", Data_bytes=0)
    head_case("more-records-than-sectors", "a record has at least one sector", "Data_bytes", Data_records=3)
    head_case("more-than-the-volume", "the byte counts are together at most `Volume_size`", "Data_bytes", Data_bytes=65536)
    rest = {"Kind": "delta-rest"}
    at, skipped = ("Resumes_at", 512), ("Skipped", 64 * "0")
    for key, add in [("Resumes_at", [skipped]), ("Skipped", [at])]:
        kept = keys(add=add, **rest)
        case("rest-without-" + key, "a rest has `%s`" % key, stream(kept), len(header(kept)) - 1)
    head_case("resumes-without-rest", "only a rest has `Resumes_at`", "Resumes_at", add=[at])
    head_case("skipped-without-rest", "only a rest has `Skipped`", "Skipped", add=[skipped])
    head_case("skipped-in-capitals", "`Skipped` is 64 lowercase hex digits", "Skipped", add=[at, ("Skipped", 64 * "A")], **rest)
    head_case("resumes-past-the-volume", "`Resumes_at` is at most `Volume_size`", "Resumes_at", add=[("Resumes_at", 66048), skipped], **rest)
    head_case("resumes-not-sectors", "`Resumes_at` is a multiple of 512", "Resumes_at", add=[("Resumes_at", 513), skipped], **rest)


def spelling():
    none = "00000000"
    line_case("number-in-lower-case", "numbers are uppercase hex", "W a 1 " + none, 2)
    line_case("number-with-leading-zero-in-record", "numbers have no leading zeros", "W 10 01 " + none, 5)
    line_case("number-of-17-digits", "numbers have at most 16 digits", "W " + "1" * 17 + " 1 " + none, 2)
    line_case("length-zero", "no length is 0", "Z 10 0 " + none, 5)
    line_case("range-too-large", "a range ends at 2^64 bytes at most", "Z FFFFFFFFFFFFFFFF 1 " + none, 2)
    line_case("two-spaces", "words are separated by one space", "W  10 1 " + none, 2)
    line_case("trailing-space", "words are separated by one space", "Z 10 1 " + none + " ", 15)
    line_case("cr-lf", "lines end with one line feed", "Z 10 1 " + none + "\r", 7)
    line_case("check-in-capitals", "a check is 8 lowercase hex digits", "Z 10 1 0000000A", 7)
    line_case("check-too-short", "a check is 8 lowercase hex digits", "Z 10 1 0000000", 7)
    line_case("check-not-there", "a record has its check", "Z 10 1", 6)
    line_case("d-other-hash", "`D` lines have CRC32 or BLAKE3", "D 10 1 SHA1 x " + none, 7)
    line_case("d-hash-in-lower-case", "`D` lines have CRC32 or BLAKE3", "D 10 1 crc32 00000001 " + none, 7)
    line_case("d-value-too-short", "digests are of full length", "D 10 1 CRC32 1 " + none, 13)
    line_case("d-value-in-capitals", "digests are lowercase hex", "D 10 1 BLAKE3 " + 64 * "A" + " " + none, 14)
    line_case("record-of-1.0", "a line is a `D`, `W`, `Z` or `E` record", "10 1", 0)
    line_case("record-unknown", "a line is a `D`, `W`, `Z` or `E` record", "X 10 1 " + none, 0)
    line_case("line-empty", "a line is a `D`, `W`, `Z` or `E` record", "", 0)


def chain():
    rule = "a check covers the check before it, the line, the data"
    start = lambda n: len(HEAD) + sum(map(len, PARTS[:n]))
    def parts(name, changed, at):
        case(name, rule, HEAD + b"".join(changed) + END, start(at))
    case("header-damaged", rule, GOOD.replace(b"Name: sp1", b"Name: sp2"), len(HEAD))
    case("d-offset-damaged", rule, GOOD.replace(b"D 10 1", b"D 11 1"), start(0))
    case("d-digest-damaged", rule, GOOD.replace(b"CRC32 00000001", b"CRC32 00000003"), start(0))
    case("w-offset-damaged", rule, GOOD.replace(b"W 12 1", b"W 13 1"), start(4))
    case("z-length-damaged", rule, GOOD.replace(b"Z 11 1", b"Z 11 9"), start(3))
    case("data-damaged", rule, GOOD.replace(Y, b"Y" + Y[1:]), start(4))
    case("check-damaged", rule, GOOD.replace(PARTS[3], PARTS[3][:-2] + (b"1" if PARTS[3][-2:-1] != b"1" else b"2") + b"\n"), start(3))
    parts("record-dropped", PARTS[:3] + PARTS[4:], 3)
    parts("record-doubled", PARTS[:1] + PARTS, 1)
    parts("records-swapped", PARTS[1::-1] + PARTS[2:], 0)
    other = chained(header(keys(Name="sp2")), CHECKS + RECORDS)
    parts("record-of-another-stream", PARTS[:3] + other[3:4] + PARTS[4:], 3)
    unchained = b"".join(b"%s %08x\n" % (line.encode(), crc32(line.encode() + b" " + data)) + (data + b"\n" if data else b"") for line, data in CHECKS + RECORDS)
    case("checks-not-chained", rule, ended(HEAD + unchained), len(HEAD))


def order():
    d, w = CHECKS, RECORDS
    rule_case("d-after-w", "`D` lines come first", w[:1] + d, 1)
    rule_case("d-after-z", "`D` lines come first", w[1:2] + d, 1)
    rule_case("d-descending", "`D` lines ascend", d[::-1] + w, 1)
    rule_case("d-overlapping", "`D` lines do not overlap", [d[0], ("D 10 2 CRC32 00000001", b"")] + w, 1)
    rule_case("d-past-the-parent", "`D` lines end at `Parent_size`", [("D 80 81 CRC32 00000001", b"")], 0)
    rule_case("d-in-full", "a full layer has no `D` line", d[:1], 0, FULL)
    rule_case("w-descending", "`W` and `Z` ascend together", d + [w[2], w[0]], 3)
    rule_case("z-overlapping-w", "`W` and `Z` do not overlap", d + [w[0], ("Z 10 2", b"")], 3)
    rule_case("w-overlapping-z", "`W` and `Z` do not overlap", d + [w[1], ("W 11 1", X)], 3)
    rule_case("w-past-the-volume", "`W` ends at `Volume_size`", d + [("W 80 1", X)], 2)
    rule_case("z-past-the-volume", "`Z` ends at `Volume_size`", d + [("Z 7F 2", b"")], 2)
    large = keys(Volume_size=1 << 30, Data_bytes=1 << 29)
    head = header(large)
    case("w-too-long", "a `W` record has at most 16 MiB", head + b"W 0 8001 00000000\n" + X, len(head))
    rest = {"Kind": "delta-rest", "add": [("Resumes_at", 0x11 * 512), ("Skipped", 64 * "0")]}
    rule_case("rest-with-w-before-its-place", "a rest has no record below `Resumes_at`", d + w, 2, **rest)
    case("data-without-line-feed", "one line feed follows the data", GOOD.replace(X + b"\n", X + b"x"), GOOD.index(X) + 512)


def ends():
    for n, what in enumerate(["d", "w", "w-sectors", "z", "z-sectors"]):
        counts = COUNTS.split()
        counts[n] = "9"
        case("end-wrong-" + what, "the end line counts what came", stream(counts=" ".join(counts)), b"E 2" if n else b"E 9")
    for key, value in [("Check_records", 3), ("Data_records", 1), ("Data_bytes", 1536), ("Zero_records", 2), ("Zero_bytes", 1024)]:
        changed = {key: value, **({"Zero_bytes": 1024} if key == "Zero_records" else {})}
        case("header-wrong-" + key, "the header counts what comes", stream(keys(**changed)), b"E 2")
    end = len(GOOD) - len(END)
    wrong = GOOD[:-65] + blake3(b"").hexdigest().encode() + b"\n"
    case("digest-wrong", "the digest covers all before it", wrong, end)
    case("digest-in-capitals", "digests are lowercase hex", GOOD[:-65] + b"A" * 64 + b"\n", len(GOOD) - 65)
    case("digest-too-short", "digests are of full length", GOOD[:-2] + b"\n", len(GOOD) - 65)
    for name, at in [
        ("in-the-magic-line", 5),
        ("in-the-header", 40),
        ("before-the-empty-line", len(HEAD) - 1),
        ("after-the-header", len(HEAD)),
        ("in-a-line", len(HEAD) + 5),
        ("in-data", GOOD.index(X) + 100),
        ("before-the-line-feed-of-data", GOOD.index(X) + 512),
        ("before-the-end-line", end),
        ("in-the-end-line", end + 20),
        ("before-the-last-line-feed", len(GOOD) - 1),
    ]:
        case("cut-" + name, "a cut is found at every byte", GOOD[:at], None)


def of_1_0():
    sizes = ["Volume size: 8192", "Chunk size: 1024"]
    w = b"W 0 1\n" + X + b"\n"
    def one(name, rule, data, at):
        case("1.0-" + name, rule, data, at, "1.0")
    one("number-with-sign", "numbers have no sign", old(["Volume size: +8192"], w), "Volume")
    one("number-with-leading-zero", "numbers have no leading zeros", old(["Volume size: 08192"], w), "Volume")
    one("number-00", "numbers have no leading zeros", old(sizes + ["Delta blocks: 00"]), "Delta")
    one("volume-size-not-sectors", "`Volume size` is a multiple of 512", old(["Volume size: 8193", sizes[1]], w), "Volume")
    one("chunk-size-too-large", "`Chunk size` is at most 2^30", old([sizes[0], "Chunk size: 1073742336"], w), "Chunk")
    one("detect-level-too-large", "`Detect level` has 32 bits and a sign", old(["Detect level: 2147483648"], w), "Detect")
    one("name-with-escaped-line-feed", "a text has no control characters", old(['Name: "x\\n  state     whole"'], w), "Name")
    one("name-with-broken-quotes", "a value is a YAML scalar", old(['Name: "x'], w), "Name")
    one("value-with-escape", "a header line has no control characters", old(["note: a\x1b[31m"], w), "note")
    one("key-with-escape", "a header line has no control characters", old(["no\x1bte: a"], w), "no")
    one("id-with-space", "an id has the characters of an LVM tag", old(["VolumeUUID: a b"], w), "VolumeUUID")
    d = b"D 0 1 CRC32 1\n"
    one("d-crc-too-long", "CRC32 is at most 8 hex digits", old(sizes, b"D 0 1 CRC32 123456789\n\n" + w), "123456789")
    one("d-crc-no-number", "CRC32 is at most 8 hex digits", old(sizes, b"D 0 1 CRC32 xyz\n\n" + w), "xyz")
    one("d-blake3-too-short", "BLAKE3 is 64 hex digits", old(sizes, b"D 0 1 BLAKE3 00\n\n" + w), "00\n\n")
    one("d-without-empty-line", "an empty line follows the `D` lines", old(sizes, d + w), "W 0")
    one("d-late", "no `D` line comes after the empty line", old(sizes, w + d), "D 0")
    one("d-cut", "an empty line follows the `D` lines", old(sizes, d), None)
    one("length-zero", "no length is 0", old(sizes, b"W 0 0\n"), "0\n")
    one("number-of-17-digits", "numbers have at most 16 digits", old(sizes, b"W 0 " + b"0" * 16 + b"1\n" + X), b"0" * 16)
    one("overlapping", "records do not overlap", old(sizes, w + w), "W 0")
    one("past-the-volume", "no record ends past `Volume size`", old(sizes, b"W F 2\n" + X + X), "W F")
    one("past-2-63", "no record ends past 2^63 - 512", old([], b"W 3FFFFFFFFFFFFF 2\n"), "W 3")
    one("fewer-blocks", "`Delta blocks` counts the chunks", old(sizes + ["Delta blocks: 2"], w), None)
    one("more-blocks", "`Delta blocks` counts the chunks", old(sizes + ["Delta blocks: 0"], w), None)
    mixed = old(sizes, w + b"W 1 1\n" + X + b"W 2 1\n" + X)
    one("line-feed-missing", "a line feed follows all data or none", mixed, "W 2")
    one("line-of-two-words", "a line has three words", old(sizes, w + b"Z 30 8\n"), "Z 30")
    end = old(sizes, w) + b"END 1 records BLAKE3 "
    one("end-wrong-count", "the end line counts the records", old(sizes, w) + b"END 2 records BLAKE3 " + b"0" * 64 + b"\n", "END")
    one("end-wrong-digest", "the digest covers all before it", end + b"0" * 64 + b"\n", "END")
    whole = end + blake3(end).hexdigest().encode() + b"\n"
    one("record-after-end", "nothing but a stream follows the end line", whole + b"W 1 1\n", len(whole))


if __name__ == "__main__":
    for make in first_bytes, headers, spelling, chain, order, ends, of_1_0:
        make()
    for name, (data, at, rule) in written.items():
        path = os.path.join("refused", name + ".hl")
        if not os.path.exists(path):
            with open(path, "xb") as file:
                file.write(data)
            print("| `%s.hl` | %s | %d |" % (name, rule, at))
