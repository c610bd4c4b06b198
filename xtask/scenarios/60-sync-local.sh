# limit: 900
# takes: 150
# A volume and its copy on one machine, kept in step: the first time, what changed, with rules that keep more, grown and shrunk; in
# groups with extents and chunks of other lengths.
. lib.sh
. copy.sh

# The first time all that is mapped, later what changed.
remember src
remember dst
expect_exit 0 sync --dry-run
no_leftovers src
no_leftovers dst
# The warning of a twin is no remark.
expect_exit 0 sync --json --quiet >first.json
stderr_has 'has the file system UUID of' sync
grep -F '"parent":null' first.json
whole
layers 1
write_pattern src/data 4m 1m two 9m 1m two
discard src/data 16m 1m
expect_exit 0 sync --json --quiet >second.json
stderr_lacks 'has the file system UUID of' sync
grep -F '"data_bytes":2097152' second.json
grep -F '"zero_bytes":1048576' second.json
whole
layers 1

expect_exit 0 sync --no-snapshot --quiet
stderr_lacks 'has the file system UUID of' sync

# Rules keep more; a hold keeps what the next delta needs.
write_pattern src/data 5m 64k three
expect_exit 0 sync --keep-source last=2 --keep-destination last=2
whole
layers 2
lvs -o lv_name,lv_tags src dst
[ "$(lvs --noheadings -o lv_tags src | grep -c 'hyperlayer.hold=')" = 1 ]
[ "$(lvs --noheadings -o lv_tags dst | grep -c 'hyperlayer.hold=')" = 1 ]

# Larger, then smaller.
lvextend -q -q -L +8m src/data
size=$((size + (8 << 20)))
write_pattern src/data 30m 1m five
expect_exit 0 sync
whole
lvreduce -q -q -y -f -L -16m src/data
size=$((size - (16 << 20)))
expect_exit 0 sync
whole

# An LVM command fails with its work done. `soak positions-sync` tries each command in each way.
. positions.sh
positions sync done 5
