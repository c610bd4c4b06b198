# limit: 9000
# takes: 3600
# Streams with damage where chance chooses, at 200 points, and runs that are killed: what is accepted at last is right.
. lib.sh
. altered.sh

altered_volumes
trap - DEBUG
altered 200 $RANDOM | tee altered.out
# Where it matters.
[ "$(sed -n 's/.* \([0-9]*\) of them with.*/\1/p' altered.out)" -ge 40 ] || fail 'hardly one had something to continue'
