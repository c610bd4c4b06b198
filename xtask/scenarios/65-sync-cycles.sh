# limit: 900
# takes: 130
# A file system that is written to all the time, mirrored again and again.
. lib.sh
. sync.sh
. cycles.sh

make_pair 64m
far_host
trap - DEBUG
cycles 4
