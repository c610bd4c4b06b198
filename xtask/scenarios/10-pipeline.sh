# The main job: a full layer and a delta through a pipe into another group, and the same delta by way of files.
. lib.sh

make_pool src pool 128m 64k
make_pool dst pool 128m 64k
make_volume src/pool data 48m
write_pattern src/data 0 3m first 17m 1m first 47m 1m first
snap src/data monday -pr
write_pattern src/data 1m 100k second 30m 2m second
discard src/data 17m 512k
snap src/data tuesday -pr
remember src
remember dst

expect_exit 0 lvdiff --full src/monday | expect_exit 0 lvpatch -g dst -p pool
stderr_has '`dst/monday` is whole; `lvchange -ay -K dst/monday` activates it' lvpatch
expect_exit 0 lvdiff src/tuesday src/monday | expect_exit 0 lvpatch -g dst -l monday copy
no_leftovers src
no_leftovers dst monday copy

# Read-only, inactive, to be activated only by hand; what layer it is stands in its tag.
for volume in monday copy; do
    [[ $(property dst/$volume lv_attr) == Vri---*k ]]
done
[ "$(property dst/monday lv_tags)" = "hyperlayer.layer=$(property src/monday lv_uuid)" ]
[ "$(property dst/copy lv_tags)" = "hyperlayer.layer=$(property src/tuesday lv_uuid)" ]

# A file appears when it is whole, and the hashes are those of its bytes.
mkdir files
echo old >files/delta.hl
expect_exit 0 lvdiff src/tuesday src/monday -o files/delta.hl
stderr_has "SHA1: $(sha1sum <files/delta.hl | cut -d' ' -f1)" lvdiff
grep -qE '^BLAKE3: [0-9a-f]{64}$' lvdiff.stderr
[ "$(stat -c %s files/delta.hl)" -lt $((5 << 19)) ]
expect_exit 0 lvdiff src/tuesday src/monday --compress zstd -o files/delta.zst
stderr_has "SHA1: $(sha1sum <files/delta.zst | cut -d' ' -f1)" lvdiff
[ "$(ls -A files | xargs)" = 'delta.hl delta.zst' ]
expect_exit 0 lvpatch dst/by-file -l dst/monday <files/delta.hl
expect_exit 0 lvpatch -g dst -l monday -i files/delta.zst by-zstd

# What was received is sent on under its layer's id.
expect_exit 0 lvdiff -g dst by-zstd monday | expect_exit 0 lvpatch -g dst -l monday sent-on
[ "$(property dst/sent-on lv_tags)" = "hyperlayer.layer=$(property src/tuesday lv_uuid)" ]
no_leftovers src
no_leftovers dst monday copy by-file by-zstd sent-on

activate src/monday src/tuesday dst/monday dst/copy dst/by-file dst/by-zstd dst/sent-on
same src/data src/tuesday
same src/monday dst/monday
for volume in copy by-file by-zstd sent-on; do
    same src/tuesday dst/$volume
done
[ "$(mapped dst/copy)" = "$(mapped src/tuesday)" ]
