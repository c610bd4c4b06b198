# limit: 5400
# 50 connections that are cut at points that chance chooses.
. lib.sh
. sync.sh
. cut.sh

make_pair 32m
far_host
seed=$RANDOM
echo "seed: $seed"
RANDOM=$seed
trap - DEBUG
cuts 50
