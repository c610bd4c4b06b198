# Sending what is in use: --snapshot with commands around it, several volumes at once, --freeze of what lies above a volume, and
# an external origin.
. lib.sh

make_pool src pool 192m 64k
make_volume src/pool data 32m
make_volume src/pool log 32m
make_volume src/pool below 32m
dmsetup create above --table "0 65536 linear /dev/src/below 0"
mkdir data log above out
for device in src/data src/log mapper/above; do
    mkfs.ext4 -q /dev/$device
    mount /dev/$device ./${device#*/}
done
head -c 3M /dev/urandom >data/before
sync
remember src

# The commands around: in order, at the right moment, and told what it is about.
cat >head <<'END'
HYPERLAYER/1.0
Name: named
Author: somebody: else
END
expect_exit 0 lvbackup send -v src -l data --snapshot --head head -o out/data.hl \
    --pre 'echo before $HYPERLAYER_VOLUMES; touch data/while; sync' \
    --post 'echo after $HYPERLAYER_SNAPSHOT $HYPERLAYER_VOLUMES; rm data/while'
[ "$(grep -E '^(before|after) ' lvbackup.stderr | xargs)" = 'before src/data after done src/data' ]
no_leftovers src
expect_exit 0 lvbackup info out/data.hl >info
grep -E '^ +name +named$' info
grep -E '^ +meta +Author: somebody: else$' info
expect_exit 0 lvbackup recv --to-file image -i out/data.hl
mkdir arrived
mount -o loop image arrived
same ./data/before ./arrived/before
test -e arrived/while
umount arrived
rm image out/data.hl

# One that fails: nothing is made, and what it had done is undone.
expect_exit 1 lvbackup send -v src -l data --snapshot -o out/data.hl \
    --pre 'touch reached; exit 7' --post 'echo $HYPERLAYER_SNAPSHOT >after'
stderr_has 'the command of `--pre` failed (exit status: 7)' lvbackup
[ "$(cat after)" = failed ]
[ -e reached ] && [ -z "$(ls -A out)" ]
expect_exit 1 lvbackup send -v src -l data --snapshot -o out/data.hl --post 'exit 9'
stderr_has 'the command of `--post` failed (exit status: 9)' lvbackup
[ -z "$(ls -A out)" ]
no_leftovers src

# Several of one pool.
expect_exit 0 lvbackup send -v src -l data -l log --snapshot -o out
no_leftovers src
[ "$(ls out | xargs)" = 'data.hl log.hl' ]
for name in data log; do
    lvbackup -q recv --to-file $name.img -i out/$name.hl
    e2fsck -fp $name.img || [ $? = 1 ]
done
mount -o loop data.img arrived
same ./data/before ./arrived/before
umount arrived data log
remember src

# LVM does not see a file system above the volume, so it is caught in mid-work; --freeze has it at rest.
n=0
while n=$((n + 1)); do
    echo $n >above/n
    echo $n >n
    sleep 0.2
done &
writer=$!
at_end 'kill $writer 2>/dev/null || true'
at_rest() {
    lvbackup -q recv --to-file above.img -i out/below.hl
    dumpe2fs -h above.img >above.super
    rm above.img
    ! grep needs_recovery above.super
}
writes_go_on() {
    local before
    before=$(cat n)
    sleep 1
    [ "$(cat n)" != "$before" ]
}
expect_exit 0 lvbackup send -v src -l below --snapshot -o out/below.hl
! at_rest || fail 'it was at rest without being frozen'
expect_exit 0 lvbackup send -v src -l below --snapshot --freeze -o out/below.hl
at_rest
writes_go_on
expect_exit 1 fsfreeze --unfreeze above
no_leftovers src

# A signal, and death, while it is frozen: lvcreate is stopped on its way.
lvcreate=$(command -v lvcreate) lvm=$(readlink -f "$(command -v lvcreate)")
at_end 'ln -sf "$lvm" "$lvcreate"'
rm "$lvcreate"
cat >"$lvcreate" <<END
#!/bin/bash
[ ! -e $WORK/hold ] || { rm $WORK/hold; echo \$\$ >$WORK/held; kill -STOP \$\$; }
exec $lvm lvcreate "\$@"
END
chmod +x "$lvcreate"
for signal in TERM:143 KILL:137; do
    rm -f held
    touch hold
    lvbackup send -v src -l below --snapshot --freeze -o out/cut.hl 2>cut.stderr &
    sending=$!
    within 60 test -s held
    held=$(cat held)
    sleep 0.5
    ! writes_go_on || fail 'it was not frozen'
    kill -${signal%:*} $sending
    # Nobody stops lvcreate half-way, so that it ends as well before anything is cleaned up.
    [ $signal = KILL:137 ] || kill -CONT $held
    within 20 writes_go_on
    expect_exit 1 fsfreeze --unfreeze above
    # The kernel itself wakes and hangs up what is stopped when its parent is gone.
    [ $signal = TERM:143 ] || kill -CONT $held || true
    status=0
    wait $sending || status=$?
    cat cut.stderr
    [ $status = ${signal#*:} ]
    [ ! -e out/cut.hl ]
    while kill -0 $held 2>/dev/null; do sleep 0.1; done
    [ $signal = KILL:137 ] || no_leftovers src
done
# The hang-up kills lvcreate before or after it has made the snapshot.
left=$(lvs --noheadings -o lv_name src | grep -c hyperlayer- || true)
expect_exit 0 lvbackup send -v src -l below --snapshot --freeze -o out/below.hl
[ "$left" = 0 ] || stderr_has 'which an interrupted run had left' lvbackup
at_rest
no_leftovers src
kill $writer
umount above
dmsetup remove above

# A volume that reads another one where it has mapped nothing.
lvcreate -q -q -y -L 16m -n plain src
write_pattern src/plain 0 2m plain
lvchange -q -q -an src/plain
lvchange -q -q -pr src/plain
lvcreate -q -q -y -s src/plain --thinpool src/pool -n external
write_pattern src/external 1m 1m external
remember src
expect_exit 0 lvbackup send -v src -l external --snapshot -o out/external.hl
no_leftovers src
expect_exit 0 lvbackup recv --to-file image -i out/external.hl
same src/external ./image
