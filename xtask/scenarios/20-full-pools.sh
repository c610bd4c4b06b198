# A destination pool without enough room, known before; and one that somebody else fills meanwhile.
. lib.sh

make_layers 64k
make_pool small pool 8m 64k
make_volume small/pool other 8m
write_pattern small/other 0 6m other
remember small
expect_exit 0 lvdiff --full src/one -o full.hl
expect_exit 4 lvpatch -g small -p pool <full.hl
stderr_has 'pool `small/pool` is too full' lvpatch
stderr_has 'lvextend -L +SIZE small/pool' lvpatch
no_leftovers small

make_pool dst pool 8m 64k
lvchange -q -q --errorwhenfull y dst/pool
make_volume dst/pool other 8m
remember dst
mkfifo slow
lvpatch -g dst -p pool <slow 2>lvpatch.stderr &
lvpatch=$!
exec 9>slow
head -c 1M full.hl >&9
within 60 being_received dst
write_pattern dst/other 0 5m other
tail -c +1048577 full.hl >&9 || true
exec 9>&-
status=0
wait $lvpatch || status=$?
cat lvpatch.stderr
[ $status = 4 ]
stderr_has 'space' lvpatch
no_leftovers dst
write_pattern dst/other 6m 1m there-is-room-again
