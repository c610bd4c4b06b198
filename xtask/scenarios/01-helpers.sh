# not under noise otherwise settings: they change LVM for the programs, and none runs here
# takes: 20
# The helpers of lib.sh notice what they are there for.
. lib.sh

must_fail() {
    ! ("$@") || fail "this should have failed: $*"
}

make_pool one pool 32m 64k
make_volume one/pool volume 16m
write_pattern one/volume 0 1m a
write_pattern one/volume 1m 1m a
cp --sparse=never /dev/one/volume copy
same one/volume ./copy
must_fail different one/volume ./copy

# Every position has a content of its own, and a seed as well.
dd status=none if=copy of=first bs=1M count=1
dd status=none if=copy of=second bs=1M count=1 skip=1
must_fail same ./first ./second
printf x | dd status=none of=copy bs=1 seek=1048575 conv=notrunc
must_fail same one/volume ./copy

expect_exit 3 sh -c 'echo "the reason" >&2; exit 3'
stderr_has 'the reason' sh
must_fail stderr_has 'another reason'
must_fail stderr_lacks 'the reason'
must_fail expect_exit 0 sh -c 'exit 3'
[ "$(expect_exit 0 echo data | tr a-z A-Z)" = DATA ]

remember one
no_leftovers one
snap one/volume extra
must_fail no_leftovers one
no_leftovers one extra
reserve one/pool
must_fail no_leftovers one extra
release one/pool
lvchange --addtag receiving one/volume
must_fail no_leftovers one extra
