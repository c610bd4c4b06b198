# limit: 900
# takes: 300
# A connection that is cut at any point leaves the old or the new state, and the next run goes on.
. lib.sh
. sync.sh
. cut.sh

make_pair 32m
far_host
seed=$RANDOM
echo "seed: $seed"
RANDOM=$seed
trap - DEBUG
cuts 5
