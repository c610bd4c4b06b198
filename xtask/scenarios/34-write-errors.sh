# The disk below the destination fails while a layer is received.
. lib.sh

make_layers 64k
make_pool dst pool 64m 64k
expect_exit 0 lvdiff --full src/one | expect_exit 0 lvpatch -g dst -p pool
expect_exit 0 lvdiff src/two src/one -o delta.hl
remember dst

data=dst-pool_tdata
good=$(dmsetup table $data)
mkfifo slow
lvpatch -g dst -l one <slow 2>lvpatch.stderr &
lvpatch=$!
exec 9>slow
head -c 500K delta.hl >&9
within 60 being_received dst
sleep 1
set -- $good
dmsetup suspend $data
dmsetup load $data --table "0 $2 error"
dmsetup resume $data
tail -c +512001 delta.hl >&9 || true
exec 9>&-
status=0
wait $lvpatch || status=$?
cat lvpatch.stderr
[ $status = 1 ]
stderr_has 'Input/output error' lvpatch

dmsetup suspend $data
dmsetup load $data --table "$good"
dmsetup resume $data
no_leftovers dst
expect_exit 0 lvpatch -g dst -l one <delta.hl
activate src/two dst/two
same src/two dst/two
