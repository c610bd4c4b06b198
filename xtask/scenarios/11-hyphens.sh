# Names with hyphens, which the device mapper doubles, in every spelling; and the other characters that LVM allows.
. lib.sh

make_pool my-source the-pool 64m 64k
make_pool my--dest a-pool- 64m 64k
make_volume my-source/the-pool web-data.1_x+y 16m
write_pattern my-source/web-data.1_x+y 0 1m one
snap my-source/web-data.1_x+y snap--1 -pr
write_pattern my-source/web-data.1_x+y 512k 1m two
snap my-source/web-data.1_x+y snap-1- -pr
remember my-source
remember my--dest

expect_exit 0 lvdiff --full /dev/my-source/snap--1 | expect_exit 0 lvpatch -p my--dest/a-pool-
expect_exit 0 lvdiff -g my-source -p the-pool snap-1- snap--1 | expect_exit 0 lvpatch -g my--dest -l snap--1
expect_exit 0 lvdiff my-source/snap-1- /dev/my-source/snap--1 | expect_exit 0 lvpatch -l /dev/my--dest/snap--1 my--dest/web-data.1_x+y
no_leftovers my-source
no_leftovers my--dest snap--1 snap-1- web-data.1_x+y

activate my-source/snap--1 my-source/snap-1- my--dest/snap--1 my--dest/snap-1- my--dest/web-data.1_x+y
same my-source/snap--1 my--dest/snap--1
same my-source/snap-1- my--dest/snap-1-
same my-source/snap-1- my--dest/web-data.1_x+y

# A name that is nearly right is not looked up in another way.
expect_exit 1 lvdiff -g my-source snap-1 snap--1 >nothing
stderr_has 'my-source/snap-1' lvdiff
[ ! -s nothing ]

# The longest names: `my--dest` has 8 bytes, 10 in the device mapper. LVM renames up to 120 bytes of group and name together, and
# the device mapper has 127, with `-real` and `-cow` where a classic snapshot is.
letters() {
    printf "%0$1d" 0 | tr 0 n
}
expect_exit 0 lvdiff --full my-source/snap--1 -o full.hl
longest=$(letters 107)----n
expect_exit 0 lvpatch -p my--dest/a-pool- "$longest" <full.hl
activate "my--dest/$longest"
same my-source/snap--1 "my--dest/$longest"
remember my--dest
expect_exit 2 lvpatch -p my--dest/a-pool- "n$longest" <full.hl
stderr_has 'have together 121 bytes, at most 120' lvpatch
expect_exit 2 lvpatch -p my--dest/a-pool- "$(letters 106)-----n" <full.hl
stderr_has 'device mapper has 128 bytes, at most 127' lvpatch
no_leftovers my--dest
make_volume my--dest/a-pool- "$(letters 108)-n" 4m
expect_exit 0 lvsnap create "my--dest/$(letters 108)-n" "$(letters 109)-n" --size 4m
expect_exit 0 lvsnap remove "my--dest/$(letters 109)-n"
remember my--dest
expect_exit 2 lvsnap create "my--dest/$(letters 108)-n" "$(letters 110)-n" --size 4m
stderr_has "with LVM's \`-cow\`, 128 bytes" lvsnap
expect_exit 2 lvsnap create "my--dest/$longest" short --size 4m
stderr_has "with LVM's \`-real\`, 132 bytes" lvsnap
no_leftovers my--dest
