# What may be read: an inactive volume is inactive again afterwards, an active one active; a live one is refused, and the
# command that the message names helps.
. lib.sh

make_layers 64k
activate src/one
snap src/data writable -kn
activate src/writable
remember src

expect_exit 0 lvdiff src/two src/one -o both.hl
expect_exit 0 lvdiff src/writable src/one -o writable.hl
no_leftovers src

expect_exit 1 lvdiff src/data src/one >stream
[ ! -s stream ]
stderr_has '`src/data` may change while it is read: it is writable, active' lvdiff
no_leftovers src
command=$(grep -o 'lvcreate -s -pr [^`]*' lvdiff.stderr)
eval "${command/NAME/three}"
expect_exit 0 lvdiff src/three src/one -o three.hl
exec 8<>/dev/src/writable
expect_exit 1 lvdiff src/writable src/one >stream
stderr_has 'in use' lvdiff
exec 8>&-
no_leftovers src three

# A write between the delta and the reading, to a volume that no report shows in use: the stream gets no end.
thin_delta=$(command -v thin_delta) real=$(readlink -f "$(command -v thin_delta)")
mv "$thin_delta" "$thin_delta.kept"
at_end 'mv "$thin_delta.kept" "$thin_delta"'
[ "$real" != "$thin_delta" ] || real=$thin_delta.kept
cat >"$thin_delta" <<END
#!/bin/bash
(exec -a thin_delta $real "\$@") || exit
case "\$*" in *_tmeta*) touch $WORK/held; while [ -e $WORK/hold ]; do sleep 0.1; done ;; esac
END
chmod +x "$thin_delta"
written() {
    touch hold
    "$@" 2>written.stderr &
    local sending=$!
    within 60 test -e held
    dd if=/dev/urandom of=/dev/src/writable bs=64k count=1 conv=notrunc,fsync status=none
    rm hold held
    local status=0
    wait $sending || status=$?
    cat written.stderr
    [ $status = 3 ]
    grep -F 'changed while it was read' written.stderr
}
written lvdiff src/writable src/one -o none.hl
written lvdiff src/two src/writable -o none.hl
written lvbackup send -v src -l writable -i one -o none.hl
[ ! -e none.hl ]
[ -z "$(find . -name '.none.hl*')" ]
expect_exit 0 lvdiff src/writable src/one -o writable.hl
no_leftovers src three

# Inactive, so that nobody writes.
deactivate src/data
remember src
expect_exit 0 lvdiff src/data src/one -o data.hl
no_leftovers src

# What cannot be meant.
make_pool other pool 32m 64k
make_volume other/pool volume 16m
lvcreate -q -q -y --type thin-pool -L 16m -c 64k -n pool-2 src
make_volume src/pool-2 elsewhere 32m
lvchange -pr src/elsewhere
refused() {
    local status=$1 text=$2
    shift 2
    expect_exit "$status" lvdiff "$@" >stream
    [ ! -s stream ]
    stderr_has "$text" lvdiff
}
refused 2 'in different thin pools' src/elsewhere src/one
refused 2 'in different volume groups' other/volume src/one
refused 2 'its own base' src/one src/one
refused 2 'is no thin volume' src/pool src/one
refused 2 'not in `pool-2`' -p pool-2 src/two src/one
refused 1 'src/tow' src/tow src/one
