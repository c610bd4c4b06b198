# limit: 600
# takes: 90
# A run that is killed at its steps is undone by `lvsnap recover`, to the last file. `soak snap-killed` kills at each.
. lib.sh
trap - DEBUG
. killed.sh

# The file before it has its name, a step in the middle, one near the end.
makings_killed 3 8 14
# Before the first one nothing is removed yet.
removings_killed 2 5

# An LVM command fails. `soak positions` tries each.
. positions.sh
positions create done 2
positions remove undone 2
