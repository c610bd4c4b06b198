# Dumps of a thin volume: as an archive, by a thin snapshot, and as layers in a store.
. lib.sh

mkdir -p data dumps restored
make_pool src pool 96m 64k
make_volume src/pool data 32m
make_volume src/pool spare 64m
lvcreate -q -q -y -L 8m -n thick src
mkfs.ext4 -q /dev/src/data
mount /dev/src/data data
head -c 4M /dev/urandom >data/file
remember src
expect_exit 0 lvsnap dump src/data dumps --zone UTC --level 0
no_leftovers src
# Whoever reads it reads everything.
[ "$(stat -c %a dumps/src-data-dumps dumps/src-data-dumps/*.fsa | xargs)" = '700 600' ]
expect_exit 3 lvsnap dump src/data data --zone UTC
stderr_has 'lies on `src/data` itself' lvsnap
expect_exit 0 lvsnap restore dumps/src-data-dumps/*.fsa src/spare --yes
mount -o ro /dev/src/spare restored
same ./data/file ./restored/file
umount restored

lvbackup init store
expect_exit 2 lvsnap dump src/data store --with hyperlayer --size 8m
expect_exit 3 lvsnap dump src/thick store --with hyperlayer
stderr_has 'is no thin volume' lvsnap
for layer in 1 2; do
    expect_exit 0 lvsnap dump src/data store --with hyperlayer --daily-max 1 --weekly-max 1 --zone UTC
    [ "$(lvbackup list store --json | grep -o '"layer"' | wc -l)" = $layer ]
    head -c 1M /dev/urandom >data/more
done
# What lvbackup fails with is what the dump fails with.
status=0
lvbackup backup src/data nothing || status=$?
expect_exit $status lvsnap dump src/data nothing --with hyperlayer
