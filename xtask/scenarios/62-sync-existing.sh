# limit: 900
# takes: 130
# A destination that exists is kept and only mended, or refused; a pair kept by other means is taken over.
. lib.sh
. sync.sh

# The copy differs in one percent of its blocks; only those go over the wire.
make_pair 64m
write_pattern src/data 0 64m whole
make_volume dst/pool data 64m
far_host
cat /dev/src/data >/dev/dst/data
for block in 3 97 402 403 404 500 611 709 810 1023; do
    write_pattern dst/data $((block * 64))k 64k "other $block"
done
remember dst
expect_exit 3 lvbackup sync src/data far:dst/data
stderr_has '--use-existing'
no_leftovers dst
sync_to 0 src/data far:dst/data --use-existing
mirrored
[ "$(said data_bytes)" = $((10 * 65536)) ]
# What it was is kept, and from now on only changes are sent.
[ "$(layers dst | wc -l)" -ge 1 ]
change 1
sync_to 0 src/data far:dst/data
mirrored
[ "$(said data_bytes)" -le 1179648 ]

# A pair that was kept by hand: two snapshots that hold the same, whatever they are called.
make_volume src/pool hand 16m
write_pattern src/hand 0 6m hand
snap src/hand hand_thinsendrcv_1 -pr
make_volume dst/pool hand 16m
cat /dev/src/hand >/dev/dst/hand
snap dst/hand received -pr
write_pattern src/hand 2m 1m later
snap src/hand wrong -pr
expect_exit 3 lvbackup sync src/hand far:dst/hand --adopt wrong received
stderr_has 'differ'
remember src
sync_to 0 src/hand far:dst/hand --adopt hand_thinsendrcv_1 received
[ "$(said data_bytes)" -le 1179648 ]
mirrored_hand() {
    activate dst/hand
    same src/hand dst/hand
}
mirrored_hand
