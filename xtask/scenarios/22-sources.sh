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
