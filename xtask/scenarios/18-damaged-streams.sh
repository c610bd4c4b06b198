# limit: 900
# takes: 330
# Streams that are cut, altered or prolonged: refused with status 3, and nothing is left of the volume.
. lib.sh

make_layers 64k
make_pool dst pool 64m 64k
expect_exit 0 lvdiff --full src/one | expect_exit 0 lvpatch -g dst -p pool
expect_exit 0 lvdiff src/two src/one -o whole.hl
remember dst
size=$(stat -c %s whole.hl)

refused() {
    expect_exit 3 lvpatch -g dst -l one <"$1"
    stderr_has "${2-the stream is refused}" lvpatch
    no_leftovers dst
}

# Where the lines begin: of the first check, the first data record, the zeros, the end.
line() {
    grep -abo -m 1 -P "$1" whole.hl | head -n 1 | cut -d: -f1
}
end=$(grep -abo -P '^E ' whole.hl | tail -n 1 | cut -d: -f1)
data=$(line '^W ')
check=$(line '^D ')
[ $((size - end)) -lt 200 ]

for at in 5 $((check - 1)) $check $data $((data + 30)) $((end - 5000)) $end $((size - 1)); do
    head -c $at whole.hl >cut.hl
    refused cut.hl
done
expect_exit 3 lvpatch -g dst -l one </dev/null
stderr_has 'there is no stream' lvpatch

# flip OFFSET: one bit.
flip() {
    python3 - "$1" <<'PYTHON'
import sys
content = bytearray(open("whole.hl", "rb").read())
content[int(sys.argv[1])] ^= 1
open("altered.hl", "wb").write(content)
PYTHON
}
for at in 20 $((check + 4)) $((data + 1000)) $((end - 100000)) $((end + 4)) $((size - 5)); do
    flip $at
    refused altered.hl ''
done

cat whole.hl - <<<'and more' >longer.hl
refused longer.hl ''
cat whole.hl whole.hl >twice.hl
refused twice.hl 'more than one layer'

expect_exit 0 lvdiff src/two src/one --compress zstd -o whole.zst
head -c -1000 whole.zst >cut.zst
refused cut.zst ''
expect_exit 3 lvpatch -g dst -l one </usr/bin/env
stderr_has 'the stream is refused' lvpatch
no_leftovers dst

expect_exit 0 lvpatch -g dst -l one <whole.hl
activate src/two dst/two
same src/two dst/two

# Several in a row where chance chooses, some of the runs killed, and then the right one.
. altered.sh
altered_volumes
altered 12 18
