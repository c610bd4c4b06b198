# A stream on a base that it was not made against, on none at all, or on one that may have changed.
. lib.sh

make_layers 64k
make_pool dst pool 64m 64k
snap src/two three -pr
expect_exit 0 lvdiff --full src/one -o full.hl
expect_exit 0 lvdiff src/three src/two -o delta.hl
expect_exit 0 lvpatch -g dst -p pool <full.hl
remember dst

expect_exit 3 lvpatch -g dst -l one <delta.hl
stderr_has 'dst/one' lvpatch
stderr_has "made against layer $(property src/two lv_uuid)" lvpatch
stderr_has "$(property src/one lv_uuid)" lvpatch
stderr_has --force-base lvpatch

expect_exit 3 lvpatch -g dst -p pool <delta.hl
stderr_has "is a delta and needs its base, layer $(property src/two lv_uuid)" lvpatch
expect_exit 3 lvpatch -g dst -l one again <full.hl
stderr_has 'is a full layer' lvpatch
expect_exit 1 lvpatch -g dst -l two <delta.hl
stderr_has 'dst/two' lvpatch
no_leftovers dst

# The right layer, but who knows what was written to it.
expect_exit 0 lvdiff src/two src/one | expect_exit 0 lvpatch -g dst -l one
lvchange -q -q -prw dst/two
remember dst
expect_exit 3 lvpatch -g dst -l two <delta.hl
stderr_has 'is writable and may have changed since' lvpatch
stderr_has 'lvchange -pr' lvpatch
no_leftovers dst
expect_exit 0 lvpatch -g dst -l two --force-base <delta.hl
no_leftovers dst three

# On another layer's base by force: the samples are still held against it, and they differ.
expect_exit 0 lvdiff src/two src/one -o two.hl
expect_exit 3 lvpatch -g dst -l three --force-base forced <two.hl
stderr_has 'the base differs' lvpatch
expect_exit 0 lvpatch -g dst -l three --force-base --no-base-check forced <two.hl
stderr_has 'warning: forced on a base of another layer' lvpatch
no_leftovers dst three forced
