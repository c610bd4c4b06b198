# Volumes that shrink and grow: dm-thin keeps the chunks past the end of a volume that was shrunk, and shows them again when
# it grows. The receiver's volume shows what the source's does, and nothing else.
. lib.sh

make_pool src pool 128m 64k
make_pool dst pool 128m 64k
make_volume src/pool data 32m
write_pattern src/data 0 1m a 15m 2m a 30m 1m a
snap src/data big -pr
lvreduce -q -q -f -y -L 16m src/data
write_pattern src/data 1m 64k b
snap src/data small -pr
lvextend -q -q -L 32m src/data
# What was at 30 MiB is there again; at the destination nobody has it any more, or has something else.
write_pattern src/data 2m 64k c
snap src/data grown -pr
blkdiscard -o 16M /dev/src/data
snap src/data cleared -pr
remember src

expect_exit 0 lvdiff --full src/big | expect_exit 0 lvpatch -g dst -p pool
expect_exit 0 lvdiff src/small src/big | expect_exit 0 lvpatch -g dst -l big
# From small, whose snapshots still have the old chunks of big past their end, on either side.
expect_exit 0 lvdiff src/grown src/small | expect_exit 0 lvpatch -g dst -l small
expect_exit 0 lvdiff src/cleared src/small | expect_exit 0 lvpatch -g dst -l small
expect_exit 0 lvdiff src/cleared src/grown | expect_exit 0 lvpatch -g dst -l grown cleared-from-grown
no_leftovers src

for volume in big small grown cleared; do
    activate src/$volume dst/$volume
    same src/$volume dst/$volume
done
[ "$(property dst/small lv_size)" = $((16 << 20)) ]
activate dst/cleared-from-grown
same src/cleared dst/cleared-from-grown
cmp -n 1M -i 30M:30M /dev/src/big /dev/src/grown
