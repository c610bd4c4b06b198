# limit: 10000
# takes: 5000
# Each LVM command that changes something fails, hangs or dies, at every position, in every program that works on volumes.
. lib.sh
trap - DEBUG
. positions.sh

ways=(undone done dead before after stopped)
. killed.sh
for operation in create remove; do every_position $operation "${ways[@]}"; done
make_receiving
for operation in recv lvpatch backup; do every_position $operation "${ways[@]}"; done
