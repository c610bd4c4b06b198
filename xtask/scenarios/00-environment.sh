# not under noise otherwise settings: they change LVM for the programs, and none runs here
# takes: 20
# The guest itself, without any program of ours: thin pools, snapshots, metadata snapshots, thin_delta, names with hyphens.
. lib.sh

# Extents of 64 KiB and chunks of 256 KiB: the volume ends in the middle of a chunk.
EXTENT=64k make_pool vg-one po-ol 64m 256k
make_volume vg-one/po-ol the-volume $((33 * 64))k
write_pattern vg-one/the-volume 0 512k first 1536k 256k first 2m 64k first
snap vg-one/the-volume snap-1 -pr
remember vg-one

write_pattern vg-one/the-volume 256k 4096 second 1m 256k second
discard vg-one/the-volume 1536k 256k
snap vg-one/the-volume snap-2
[ "$(mapped vg-one/the-volume)" = $((1024 << 10)) ]

ids=($(lvs --noheadings -o thin_id vg-one/snap-1 vg-one/snap-2))
[ "$(held vg-one/po-ol)" = - ]
reserve vg-one/po-ol
[ "$(held vg-one/po-ol)" != - ]
thin_delta -m --snap1 "${ids[0]}" --snap2 "${ids[1]}" /dev/mapper/vg--one-po--ol_tmeta >delta.xml
release vg-one/po-ol
grep '<different begin="1" length="1"/>' delta.xml
grep '<right_only begin="4" length="1"/>' delta.xml
grep '<left_only begin="6" length="1"/>' delta.xml

activate vg-one/snap-1 vg-one/snap-2
same vg-one/the-volume vg-one/snap-2
different vg-one/snap-1 vg-one/snap-2
deactivate vg-one/snap-1 vg-one/snap-2
no_leftovers vg-one snap-2
