# Ctrl-C and SIGTERM while lvdiff reads and while lvpatch applies: everything is as before, and the status says which signal.
. lib.sh
# Each job in a process group of its own, as a terminal's shell does it.
set -m

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

# signalled SIGNAL PID STATUS: to the whole group, as a terminal does.
signalled() {
    local status=0
    kill -"$1" -- "-$2"
    wait "$2" || status=$?
    cat running.stderr
    [ $status = "$3" ] || fail "exit status $status after SIG$1, expected $3"
}

for signal in INT:130 TERM:143 HUP:129; do
    lvdiff src/two src/one --bwlimit 256k -o files/cut.hl 2>running.stderr &
    within 60 test -e /dev/mapper/src-two
    sleep 1
    signalled ${signal%:*} $! ${signal#*:}
    no_leftovers src
    [ -z "$(ls -A files)" ]

    # The other half of the stream never comes.
    mkfifo slow
    sleep 60 >slow &
    keeps_open=$!
    lvpatch -g dst -l one two <slow 2>running.stderr &
    lvpatch=$!
    head -c 4M delta.hl >slow
    within 60 being_received dst
    sleep 1
    signalled ${signal%:*} $lvpatch ${signal#*:}
    kill $keeps_open
    rm slow
    no_leftovers dst
done

expect_exit 0 lvdiff src/two src/one -o files/delta.hl
expect_exit 0 lvpatch -g dst -l one <files/delta.hl
activate src/two dst/two
same src/two dst/two
