# limit: 3000
# A run that is killed at each of its steps is undone by `lvsnap recover`, to the last file.
. lib.sh
trap - DEBUG
. killed.sh

makings_killed {1..18}
# Before the first one nothing is removed yet.
removings_killed {2..8}
# There are no more.
! killed_at 19 $make
! killed_at 9 lvsnap -q remove tight/snap
reality | diff before -
no_leftovers tight
