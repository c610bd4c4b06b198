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
