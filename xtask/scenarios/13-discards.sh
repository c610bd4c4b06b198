# What was discarded at the source is unmapped at the destination; a delta without any change; a volume never written.
. lib.sh

make_layers 64k
make_pool dst pool 64m 64k
snap src/two same -pr
make_volume src/pool empty 16m
lvchange -pr src/empty
remember src

expect_exit 0 lvdiff --full src/one | expect_exit 0 lvpatch -g dst -p pool
expect_exit 0 lvdiff src/two src/one | expect_exit 0 lvpatch -g dst -l one
expect_exit 0 lvdiff src/same src/two -d 0 -o empty.hl
[ "$(stat -c %s empty.hl)" -lt 1000 ]
expect_exit 0 lvpatch -g dst -l two <empty.hl
expect_exit 0 lvdiff --full src/empty | expect_exit 0 lvpatch -g dst -p pool
no_leftovers src

activate src/one src/two src/same dst/one dst/two dst/same dst/empty
for volume in one two same empty; do
    same src/$volume dst/$volume
    [ "$(mapped dst/$volume)" = "$(mapped src/$volume)" ]
done
[ "$(mapped dst/two)" = "$(mapped dst/one)" ]
[ "$(mapped dst/empty)" = 0 ]
# The discarded MiB reads as zeros: not by chance the same as before.
different dst/one dst/two
cmp -n 1M -i 16M:0 /dev/dst/two /dev/zero
