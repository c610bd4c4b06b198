# --snapshot: a mounted file system that is being written. What arrives is of one moment and clean, and the snapshot is gone.
. lib.sh

make_pool src pool 128m 64k
make_pool dst pool 128m 64k
make_volume src/pool data 64m
mkfs.ext4 -q /dev/src/data
mkdir live arrived
mount /dev/src/data live
head -c 5M /dev/urandom >live/before
sync
remember src

while sleep 0.02; do
    head -c 20000 /dev/urandom >live/now.new
    mv live/now.new live/now.$((RANDOM % 20))
done &
writer=$!
expect_exit 0 lvdiff --full --snapshot src/data -o live.hl
kill $writer
no_leftovers src

# A snapshot of a live base would be a layer that no receiver has.
lvcreate -q -q -s -n frozen src/data
expect_exit 1 lvdiff --snapshot src/frozen src/data -o none.hl
stderr_has 'a snapshot of it is a layer that no receiver has' lvdiff
[ ! -e none.hl ]
lvremove -q -q -y src/frozen

expect_exit 0 lvpatch -g dst -p pool <live.hl
[ "$(property dst/data lv_size)" = $((64 << 20)) ]

activate dst/data
e2fsck -fn /dev/dst/data
mount -o ro /dev/dst/data arrived
same ./live/before ./arrived/before
ls arrived/now.* | grep . >/dev/null
umount arrived live
