# A chain of layers of a volume that shrinks and grows is verified, and merged in parts that do what the chain does.
# limit: 600
. lib.sh

make_layers 64k
make_pool dst pool 256m 128k
lvresize -q -q -y -L 40m src/data
write_pattern src/data 36m 2m three
snap src/data three -pr
lvreduce -q -q -f -y -L 24m src/data
snap src/data four -pr
lvresize -q -q -y -L 40m src/data
discard src/data 24m 16m
write_pattern src/data 38m 64k five
snap src/data five -pr
lvbackup send -v src -l one -o one.hl
for pair in two:one three:two four:three five:four; do
    lvbackup send -v src -l "${pair%:*}" -i "${pair#*:}" -o "${pair%:*}.hl"
done
expect_exit 0 lvbackup verify one.hl two.hl three.hl four.hl five.hl
stderr_has '5 layers are whole and follow each other' lvbackup
expect_exit 3 lvbackup verify one.hl three.hl
stderr_has 'the chain is broken: `three.hl`' lvbackup

# Full as a whole; and as two parts, one after the other.
lvbackup merge one.hl two.hl three.hl four.hl five.hl -o all.hl
lvpatch -g dst -p pool all <all.hl
lvbackup merge one.hl two.hl --compress zstd -o first.hl.zst
lvbackup merge three.hl four.hl five.hl -o rest.hl
lvbackup verify first.hl.zst rest.hl
lvpatch -g dst -p pool first <first.hl.zst
lvpatch -g dst -l first rest <rest.hl
activate src/five dst/all dst/rest
same src/five dst/all
same src/five dst/rest
expect_exit 0 lvbackup compare src/five all.hl
