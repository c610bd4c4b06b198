# limit: 600
# takes: 90
# not under noise otherwise: positions.sh has an LVM wrapper of its own
# An LVM command fails with its work done or undone, dies, or hangs, while a volume is received, patched or backed up: what is
# there is complete or named, and the next command finishes. `soak positions` tries each command.
. lib.sh
trap - DEBUG
. positions.sh

make_receiving
positions recv undone 2
positions recv after 1
positions lvpatch dead 3
positions backup stopped 2
