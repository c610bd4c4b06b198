# Volumes are compared with volumes of their pool, of another one, and with streams; only what may differ is read.
# limit: 600
. lib.sh

make_layers 64k
make_pool dst pool 128m 128k
snap src/two twin -pr
snap src/data long -pr
lvchange -q -q -prw src/long
lvresize -q -q -y -L 40m src/long
lvchange -q -q -pr src/long
lvbackup send -v src -l one -o one.hl
lvbackup send -v src -l two -i one -o two.hl
lvpatch -g dst -p pool one <one.hl
remember src
remember dst

# Inactive volumes are activated for it and deactivated again.
expect_exit 0 lvbackup compare src/one dst/one
expect_exit 0 lvbackup compare dst/one one.hl
expect_exit 0 lvbackup compare two.hl src/two
expect_exit 3 lvbackup compare src/two one.hl >differ
sed -n 2p differ | grep -qx "$((4 << 20)) *$((1 << 20))"

# In one pool the metadata says what is shared.
expect_exit 3 lvbackup compare --json src/one src/two >differ.json
grep -q "\"first\":\[\[$((4 << 20)),$((1 << 20))\],\[$((9 << 20)),$((1 << 20))\],\[$((16 << 20)),$((1 << 20))\]\]" differ.json
grep -q "\"compared_bytes\":$((3 << 20))," differ.json
expect_exit 0 lvbackup compare src/two src/twin
stderr_has 'are the same: 0 B compared' lvbackup
expect_exit 0 lvbackup compare --all src/two src/twin
stderr_lacks '0 B compared' lvbackup
expect_exit 3 lvbackup compare src/two src/long
stderr_has "\`src/two\` has $((32 << 20)) bytes, \`src/long\` $((40 << 20))" lvbackup
no_leftovers src
no_leftovers dst
