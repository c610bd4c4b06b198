# --dry-run says what would be, to the byte, and does nothing.
. lib.sh

make_layers 64k
make_pool dst pool 64m 64k
remember src

# Sectors that were read from the group's disk.
sectors_read() {
    awk '{ print $3 }' "/sys/block/$(basename "$(losetup -n -O NAME -j /scratch/src.pv)")/stat"
}
before=$(sectors_read)
expect_exit 0 lvdiff src/two src/one --dry-run --json >said.json
[ $(($(sectors_read) - before)) -lt $(((1 << 20) / 512)) ]
expect_exit 0 lvdiff src/two src/one --dry-run >said.txt
expect_exit 0 lvdiff src/two src/one -o delta.hl
said() {
    python3 -c 'import json, sys; print(json.load(open("said.json"))[sys.argv[1]])' "$1"
}
[ "$(said stream_bytes)" = "$(stat -c %s delta.hl)" ]
[ "$(said data_bytes)" = $((2 << 20)) ]
[ "$(said zero_bytes)" = $((1 << 20)) ]
[ "$(said layer)" = "$(property src/two lv_uuid)" ]
[ "$(said parent)" = "$(property src/one lv_uuid)" ]
grep -F "$(stat -c %s delta.hl) bytes" said.txt
no_leftovers src

expect_exit 0 lvdiff --full src/one -o full.hl
remember dst
expect_exit 0 lvpatch -g dst -p pool --dry-run <full.hl
stderr_has 'nothing was written' lvpatch
head -c -1 full.hl >cut.hl
expect_exit 3 lvpatch -g dst -p pool --dry-run <cut.hl
no_leftovers dst
expect_exit 0 lvpatch -g dst -p pool <full.hl
remember dst
expect_exit 0 lvpatch -g dst -l one --dry-run <delta.hl
no_leftovers dst
