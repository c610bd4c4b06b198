# limit: 3000
# A run that is killed at each of its steps is undone by `lvsnap recover`, to the last file.
. lib.sh
trap - DEBUG
. killed.sh

makings_killed {1..18}
# Before the first one nothing is removed yet.
removings_killed {2..8}
# There are no more.
if killed_at 19 $make; then fail 'making a snapshot has more than 18 records'; fi
if killed_at 9 lvsnap -q remove tight/snap; then fail 'removing a snapshot has more than 8 records'; fi
reality | diff before -
no_leftovers tight
