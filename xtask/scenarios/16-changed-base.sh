# limit: 600
# takes: 110
# A base in which a single byte is not as it was: with -d 3 no such byte is missed, wherever it is.
. lib.sh

make_layers 64k
make_pool dst pool 64m 256k
expect_exit 0 lvdiff --full src/one | expect_exit 0 lvpatch -g dst -p pool
expect_exit 0 lvdiff -d 3 src/two src/one -o every.hl
expect_exit 0 lvdiff -d 0 src/two src/one -o none.hl
activate dst/one src/two
remember dst

# change OFFSET: turns all bits of one byte round.
change() {
    lvchange -q -q -prw dst/one
    python3 - "$1" <<'PYTHON'
import os, sys
file = os.open("/dev/dst/one", os.O_RDWR)
byte = os.pread(file, 1, int(sys.argv[1]))
os.pwrite(file, bytes([byte[0] ^ 0xff]), int(sys.argv[1]))
os.fsync(file)
PYTHON
    lvchange -q -q -pr dst/one
}

# In what both share, in what is replaced, in what is discarded, in what neither has mapped, and the very last one.
for byte in 70000 $(((4 << 20) + 5)) $(((16 << 20) + 77)) $((25 << 20)) $(((32 << 20) - 1)); do
    change $byte
    expect_exit 3 lvpatch -g dst -l one --dry-run <every.hl
    stderr_has 'the base differs from the one that the stream was made against' lvpatch
    change $byte
done
expect_exit 0 lvpatch -g dst -l one --dry-run <every.hl

change 70000
expect_exit 3 lvpatch -g dst -l one <every.hl
no_leftovers dst
# At the user's own risk, and the result is what can be had: two with that byte.
expect_exit 0 lvpatch -g dst -l one --no-base-check unchecked <every.hl
expect_exit 0 lvpatch -g dst -l one none <none.hl
no_leftovers dst unchecked none
activate dst/unchecked dst/none
[ "$(cmp -l /dev/src/two /dev/dst/unchecked | wc -l)" = 1 ]
same dst/unchecked dst/none
