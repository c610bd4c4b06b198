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

# While thin_delta reads the pool's metadata snapshot: from when the reservation is on record until it is released. (Killed
# before, a run leaves one of which nobody can tell whose it is; that is refused, and tested with scripted programs.)
recorded() {
    grep -qs '"held_root":[0-9]' /run/hyperlayer/metadata-snapshot-*.json && [ "$(held src/pool)" != - ]
}
for try in 1 2 3 4 5; do
    lvdiff src/two src/one -o files/cut.hl &
    lvdiff=$!
    while kill -0 $lvdiff 2>/dev/null && ! grep -qs '"held_root":[0-9]' /run/hyperlayer/metadata-snapshot-*.json; do
        sleep 0.02
    done
    kill -STOP $lvdiff 2>/dev/null || { wait $lvdiff; continue; }
    killed $lvdiff
    pkill -KILL -x thin_delta || true
    if recorded; then break; fi
done
recorded
expect_exit 0 lvdiff src/two src/one -o files/delta.hl
no_leftovers src
rm -f files/.cut.hl.*

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
mkfifo slow
sleep 100 >slow &
keeps_open=$!
lvpatch -g dst -l one <slow &
lvpatch=$!
head -c 4M files/delta.hl >slow
within 60 being_received dst
sleep 1
killed $lvpatch
kill $keeps_open
being_received dst
expect_exit 0 lvpatch -g dst -l one <files/delta.hl
stderr_has "which an interrupted run had left" lvpatch
no_leftovers dst two

activate src/two dst/two
same src/two dst/two
