# A volume that reads another one where it has mapped nothing is sent with what it reads there.
. lib.sh

# udev activates the volumes of a new group, which may come after `lvchange -an` below. LVM takes no active external origin.
[ -e /etc/lvm.plain ] || cp -a /etc/lvm /etc/lvm.plain
echo 'global { event_activation = 0 }' >>/etc/lvm/lvmlocal.conf

make_layers 64k
make_pool dst pool 128m 128k
lvcreate -q -q -y -L 16m -n plain src
write_pattern src/plain 0 8m plain
lvchange -q -q -an src/plain
lvchange -q -q -pr src/plain
lvcreate -q -q -y -s src/plain --thinpool src/pool -n external
write_pattern src/external 2m 1m external
snap src/external through -pr
write_pattern src/external 10m 1m later
discard src/external 2m 64k
snap src/external through-2 -pr
remember src
lvdiff --full src/through | lvpatch -g dst -p pool through
activate src/through dst/through; same src/through dst/through; deactivate src/through dst/through
lvdiff src/through-2 src/through -d 3 | lvpatch -g dst -l through through-2
activate src/through-2 dst/through-2; same src/through-2 dst/through-2; deactivate src/through-2 dst/through-2
expect_exit 2 lvdiff src/through src/one >stream
[ ! -s stream ]
stderr_has 'reads through to `plain` as its external origin, and its base to none' lvdiff
no_leftovers src
