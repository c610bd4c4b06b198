#!/usr/bin/python3
"""What lvbackup takes for a volume of 10 GiB on real LVM, beside dd, zstd and sha256sum on the same data, each run with
cold caches. A chunk of 64 KiB in every other MiB is mapped, so that the 320 MiB lie in 5120 places; then a quarter of them is
written anew and a sixteenth is discarded. Prints the median of the runs (as many as the first argument says, else 3), ratios, and the peak resident memory of the
largest process. Under emulation only the ratios say something."""
import os, subprocess, sys, time

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
VOLUME, STEP, CHUNK = 10 << 30, 2 << 20, 64 << 10


def sh(script):
    subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], check=True)


def once(script, after):
    sh("sync; echo 3 >/proc/sys/vm/drop_caches; udevadm settle")
    began = time.monotonic()
    shell = subprocess.Popen(["bash", "-e", "-o", "pipefail", "-c", script])
    _, status, usage = os.wait4(shell.pid, 0)
    seconds = time.monotonic() - began
    shell.returncode = os.waitstatus_to_exitcode(status)
    assert shell.returncode == 0, f"exit status {shell.returncode}: {script}"
    sh(after)
    return seconds, usage.ru_maxrss


def measure(what, size, script, beside={}, after=":"):
    """`beside`: names and seconds of what it is compared with. Gives the median in seconds."""
    runs = [once(script, after) for _ in range(RUNS)]
    seconds = sorted(second for second, _ in runs)[RUNS // 2]
    peak = max(peak for _, peak in runs) / 1024
    ratios = ", ".join(f"{seconds / other:.2f} of {name}" for name, other in beside.items())
    print(f"{what:<44} {seconds:>7.2f} s {size / 1e6 / seconds:>6.0f} MB/s {peak:>6.1f} MiB  {ratios}", flush=True)
    return seconds


def write(numbers):
    file = os.open("/dev/bench/data", os.O_WRONLY)
    for number in numbers:
        os.pwrite(file, os.urandom(CHUNK), number * STEP)
    os.fsync(file)
    os.close(file)


def mapped():
    """All that is mapped in `two`, as one file: the data that every program gets. Gives its length."""
    with open("/dev/bench/two", "rb", buffering=0) as two, open("mapped", "wb") as out:
        for number in set(range(VOLUME // STEP)) - set(range(0, VOLUME // STEP, 16)):
            two.seek(number * STEP)
            out.write(two.read(CHUNK))
    return os.stat("mapped").st_size


sh("""
vgcreate -q -q -y bench $DISK1 $DISK2
lvcreate -q -q -y --type thin-pool -L 6g -c 64k --poolmetadatasize 64m -n pool bench
lvcreate -q -q -y -L 8g -n files bench
mkfs.ext4 -q -E nodiscard /dev/bench/files
mkdir /files
mount /dev/bench/files /files
lvcreate -q -q -y -V 10g -T bench/pool -n data
""")
os.chdir("/files")
write(range(VOLUME // STEP))
sh("lvcreate -q -q -y -s bench/data -n one -pr")
write(range(1, VOLUME // STEP, 4))
for number in range(0, VOLUME // STEP, 16):
    sh(f"blkdiscard -o {number * STEP} -l {CHUNK} /dev/bench/data")
sh("lvcreate -q -q -y -s bench/data -n two -pr; lvchange -ay -K bench/two")
size = mapped()
sh("lvchange -an bench/two; for n in one two; do lvbackup -q send -v bench -l $n -o $n.hl 2>/dev/null; done")
sh("lvbackup -q send -v bench -l two -i one -o delta.hl 2>/dev/null; lvbackup init store 2>/dev/null")
delta = os.stat("delta.hl").st_size

print(f"-- the mapped {size / 1e6:.0f} MB as one file")
dd = measure("dd bs=1M | cat", size, "dd if=mapped bs=1M status=none | cat >/dev/null")
sha = measure("sha256sum", size, "sha256sum mapped >/dev/null")
zstd = measure("zstd -T0 | cat", size, "zstd -q -T0 -c mapped | cat >/dev/null")
write_dd = measure("dd bs=1M conv=fsync", size, "dd if=mapped of=out bs=1M conv=fsync status=none", after="rm out")
sh("cp mapped copy")
cmp = measure("cmp of two copies", 2 * size, "cmp mapped copy")
sh("rm copy")
read = {"dd": dd, "sha256sum": sha}
print(f"-- lvbackup; the delta is {delta / 1e6:.0f} MB")
quiet = "lvbackup -q "
measure("send | cat", size, quiet + "send -v bench -l two 2>/dev/null | cat >/dev/null", read)
measure(
    "send --compress zstd | cat",
    size,
    quiet + "send -v bench -l two --compress zstd 2>/dev/null | cat >/dev/null",
    {"zstd": zstd},
)
measure("send -i one | cat", delta, quiet + "send -v bench -l two -i one 2>/dev/null | cat >/dev/null")
removed = "lvremove -q -q -y bench/back"
written = {"dd conv=fsync": write_dd, "sha256sum": sha}
measure("recv -p pool", size, quiet + "recv -v bench -p pool -l back -i two.hl", written, removed)
measure("recv -p pool, of a chain", size + delta, quiet + "recv -v bench -p pool -l back -i one.hl -i delta.hl", written, removed)
measure("recv --to-file", size, quiet + "recv --to-file out -i two.hl", written, "rm out")
measure("verify", size, quiet + "verify two.hl >/dev/null", read)
measure("merge | cat", size + delta, quiet + "merge one.hl delta.hl 2>/dev/null | cat >/dev/null", read)
measure("compare, volume and stream", size, quiet + "compare bench/two two.hl >/dev/null", read)
sh(quiet + "recv -v bench -p pool -l back -i two.hl")
measure("compare, volumes that share nothing", 2 * size, quiet + "compare bench/two bench/back >/dev/null", {"cmp": cmp})
sh(removed)
measure("compare, volumes of one pool", delta, quiet + "compare bench/two bench/one >/dev/null || [ $? = 3 ]")
again = "rm -r store; lvbackup init store 2>/dev/null; lvremove -q -q -y $(lvs --noheadings -o lv_full_name bench | grep data-)"
measure("backup, with reading back", size, quiet + "backup bench/data store 2>/dev/null", {"zstd": zstd, "sha256sum": sha}, again)
sh(quiet + "backup bench/data store")
measure("restore", size, quiet + "restore store bench/pool back", written, removed)
measure("restore --to-file", size, quiet + "restore store --to-file out", written, "rm out")
