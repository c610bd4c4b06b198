# Backups into a folder, encrypted: every kept generation comes back to the byte, after pruning, merging, a killed backup; and
# what is damaged is said.
. lib.sh
. store.sh

STORE=$PWD/store
make_source 16m
expect_exit 0 lvbackup init "$STORE"
expect_exit 1 lvbackup init "$STORE"
generation 1
generation 2
[ "$(lvbackup list --json "$STORE" | grep -c '"kind":"full"')" = 1 ]
# The next one's base, and no other, stays at the source.
lvs --noheadings -o lv_name,lv_attr,lv_tags src
[ "$(lvs --noheadings -o lv_name src | grep -c data-)" = 1 ]
remember src

backing_up 512k
kill -KILL $backup
status=0
wait $backup || status=$?
[ $status = 137 ]
being_received src
expect_exit 0 lvbackup check "$STORE" >check
grep 'left by a dead run' check
generation 3
stderr_has 'which an interrupted run had left' lvbackup
[ "$(lvs --noheadings -o lv_name src | grep -c data-)" = 1 ]
[ "$(lvs --noheadings -o lv_name src | wc -l)" = "$(wc -l <src.state | awk '{ print $1 - 1 }')" ]
expect_exit 0 lvbackup prune "$STORE"
stderr_has '0 layers' lvbackup
expect_exit 0 lvbackup check "$STORE" >check
[ ! -s check ]
generation 4 --full
generation 5
generation 6
gives_back 1 2 3 4 5 6
expect_exit 0 lvbackup check "$STORE" --read-data --identity key.txt

# Without the key nothing is given back; the rules need none.
expect_exit 3 lvbackup restore "$STORE" --to-file image
stderr_has "is encrypted" lvbackup
[ ! -e image ]
expect_exit 0 lvbackup prune "$STORE" --keep-last 2 --dry-run
[ "$(kept)" = '1 2 3 4 5 6' ]
expect_exit 0 lvbackup hold "$STORE" "$(cat g2.layer)"
expect_exit 0 lvbackup prune "$STORE" --keep-last 2
[ "$(kept)" = '1 2 4 5 6' ]
expect_exit 0 lvbackup unhold "$STORE" "$(cat g2.layer)"
expect_exit 0 lvbackup prune "$STORE" --keep-last 2
[ "$(kept)" = '4 5 6' ]
expect_exit 0 lvbackup prune "$STORE" --keep-last 2 --merge --identity key.txt --encrypt-to $RECIPIENT
[ "$(kept)" = '5 6' ]
gives_back 5 6
# What was written anew is still what the next one is made against.
generation 7
stderr_has "(delta on $(cat g6.layer))" lvbackup
expect_exit 0 lvbackup restore "$STORE" src/pool back --identity key.txt
stderr_has '`lvchange -ay src/back` activates it' lvbackup
# As the next boot does.
lvchange -ay src/back
same src/data src/back
expect_exit 1 lvbackup restore "$STORE" src/pool back --identity key.txt

# A byte in a layer that two others are made of.
object=$(find store -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
printf '\377\0\377\0' | dd status=none of="$object" bs=1 seek=50000 conv=notrunc
expect_exit 3 lvbackup check "$STORE" --read-data --identity key.txt >check
[ "$(grep -c 'cannot be restored' check)" = 3 ]
for n in 5 6 7; do grep -F "$(cat g$n.layer)" check; done
expect_exit 3 lvbackup restore "$STORE" --identity key.txt --to-file image
[ ! -e image ]
generation 8 --full
gives_back 8
