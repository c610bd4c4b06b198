# SIGKILL, which nobody can clean up after: the same command again does that, and its job.
. lib.sh

make_pool src pool 64m 64k
make_pool dst pool 64m 64k
make_volume src/pool data 32m
write_pattern src/data 0 1m one
snap src/data one -pr
write_pattern src/data 4m 8m two
snap src/data two -pr
expect_exit 0 lvdiff --full src/one | expect_exit 0 lvpatch -g dst -p pool
expect_exit 0 lvdiff src/two src/one -o delta.hl
remember src
remember dst
mkdir files

killed() {
    local status=0
    kill -KILL "$1"
    wait "$1" || status=$?
    [ $status = 137 ]
}

# While thin_delta reads the pool's metadata snapshot.
reserved() {
    [ "$(held src/pool)" != - ]
}
lvdiff src/two src/one -o files/cut.hl &
lvdiff=$!
# Too quick to be caught reading: it is stopped as soon as there is a reservation.
within 60 reserved
kill -STOP $lvdiff
killed $lvdiff
pkill -KILL -x thin_delta || true
[ "$(held src/pool)" != - ]
expect_exit 0 lvdiff src/two src/one -o files/delta.hl
no_leftovers src
[ "$(ls -A files)" = delta.hl ]

# While the volumes are read.
lvdiff src/two src/one --bwlimit 256k -o files/cut.hl &
lvdiff=$!
within 60 test -e /dev/mapper/src-one
sleep 1
killed $lvdiff
expect_exit 0 lvdiff src/two src/one -o files/delta.hl
no_leftovers src
# What was being written is no stream under its name, but a file that says what it is.
[ "$(ls -A files | grep -v '^\.cut\.hl\..*\.partial$')" = delta.hl ]

# While the stream is applied.
being_received() {
    lvs --noheadings -o lv_name dst | grep -q hyperlayer-
}
mkfifo slow
sleep 100 >slow &
keeps_open=$!
lvpatch -g dst -l one <slow &
lvpatch=$!
head -c 4M files/delta.hl >slow
within 60 being_received
sleep 1
killed $lvpatch
kill $keeps_open
being_received
expect_exit 0 lvpatch -g dst -l one <files/delta.hl
stderr_has "which an interrupted run had left" lvpatch
no_leftovers dst two

activate src/two dst/two
same src/two dst/two
