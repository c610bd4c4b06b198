#!/bin/bash
# How long a write of 1 MiB on a volume of 10 GiB takes to be in a verified mirror, and how much of it goes over the wire; beside
# what a single LVM command takes there. The median of as many runs as the first argument says, else 3.
RUNS=${1:-3}
export WORK=/tmp/work
mkdir -p $WORK
mkfs.ext4 -q "$DISK1"
mount -o discard "$DISK1" /scratch
. lib.sh
. sync.sh
trap - DEBUG

make_pool src pool 2g 64k --poolmetadatasize 32m
make_volume src/pool data 10g
write_pattern src/data 0 128m first 5g 64m second 9g 64m third
make_pool dst pool 2g 64k --poolmetadatasize 32m
far_host

tenths() { echo $((${EPOCHREALTIME/./} / 100000)); }
median() { sort -n | sed -n "$(((RUNS + 1) / 2))p"; }
shown() { echo "$(($1 / 10)).$(($1 % 10)) s"; }

begin=$(tenths)
sync_to 0 src/data far:dst --pool pool >/dev/null 2>&1
echo "initial sync over ssh: $(shown $(($(tenths) - begin))), $(said data_bytes) bytes of data, $(said wire_bytes) on the wire"
sync_to 0 src/data dst/local --pool pool >/dev/null 2>&1
for where in far:dst/data dst/local; do
    for run in $(seq "$RUNS"); do
        begin=$(tenths)
        write_pattern src/data $((run * 300))m 1m "$where $run"
        sync_to 0 src/data $where >/dev/null 2>&1
        echo $(($(tenths) - begin))
        echo "$(said data_bytes) $(said wire_bytes)" >bytes
    done >times
    read -r data wire <bytes
    echo "1 MiB to $where: $(shown "$(median <times)"), $data bytes changed, $wire on the wire"
    [ "$data" = 0 ] || awk -v data="$data" -v wire="$wire" 'BEGIN { printf "    wire over changed: %.4f\n", wire / data }'
done
for command in 'lvs src' 'lvcreate -s src/data -n probe' 'lvremove -y src/probe'; do
    begin=$(tenths)
    $command >/dev/null 2>&1
    echo "$command: $(shown $(($(tenths) - begin)))"
done
