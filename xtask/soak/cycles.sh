# limit: 5400
# 100 mirrors of a file system that is written to all the time.
. lib.sh
. sync.sh
. cycles.sh

make_pair 64m
far_host
trap - DEBUG
cycles 100
