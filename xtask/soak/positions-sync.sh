# limit: 10000
# takes: 5000
# Each LVM command that changes something fails, hangs or dies, at every position, in a volume's mirroring on one machine.
. lib.sh
. copy.sh
trap - DEBUG
. positions.sh

expect_exit 0 sync
every_position sync undone done dead before after stopped
