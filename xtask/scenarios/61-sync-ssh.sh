# limit: 900
# takes: 220
# A volume is mirrored over ssh, pushed and pulled, by a key that is good for nothing else.
. lib.sh
. sync.sh

make_pair 64m
far_host

# Pushed into nothing, then by what changed. On the wire goes little more than that.
sync_to 0 src/data far:dst --pool pool
[ "$(said parent)" = null ]
mirrored
change 1
sync_to 0 src/data far:dst/data
mirrored
[ "$(said data_bytes)" -ge 1048576 ]
[ "$(said data_bytes)" -le 1179648 ]
[ "$(said wire_bytes)" -lt $(($(said data_bytes) + 131072)) ]

# Random bytes do not shrink, others do.
head -c 4m /dev/zero | tr '\0' x >/dev/src/data
sync_to 0 src/data far:dst/data --compress zstd
mirrored
[ "$(said wire_bytes)" -lt 262144 ]

# The same pair from the other end: what both have is known.
change 2
sync_to 0 --pair "$(said pair)" far:src/data dst/data
mirrored
[ "$(said parent)" != null ]
[ "$(said data_bytes)" -le 1179648 ]

# One connection for all, as the user's own configuration says; nothing is asked twice.
printf 'ControlMaster auto\nControlPath %s/control\nControlPersist 30\n' "$WORK" >>/root/.ssh/config
change 3
sync_to 0 src/data far:dst/data
[ -S control ]
mirrored
ssh -O exit far
sed -i '/^Control/d' /root/.ssh/config

# What only a person can mend is said by its name: no such host, no such key, no such program there, one that prints more.
expect_exit 4 lvbackup sync src/data nowhere.invalid:dst/data
stderr_has 'nowhere.invalid'
expect_exit 4 lvbackup sync src/data far:dst/data --ssh 'ssh -o PubkeyAuthentication=no -o BatchMode=yes'
expect_exit 4 lvbackup sync src/data far:dst/data --remote-command /nonexistent/lvbackup
stderr_has '/nonexistent/lvbackup'
expect_exit 4 lvbackup sync src/data far:dst/data --remote-command 'echo Welcome to far; lvbackup'
stderr_has 'Welcome'

refused() {
    if lvbackup sync "$@"; then fail "it was done: $*"; fi
}

# A forced command: what it allows works, everything else is refused there, whatever is asked for here.
make_pool other pool 64m 64k
make_volume other/pool data 16m
snap other/data one -pr
far_host 'lvbackup serve --stdio --allow dst/data --receive-only'
change 6
sync_to 0 src/data far:dst/data
mirrored
remember dst
remember other
for target in other/data dst/database; do
    expect_exit 1 lvbackup sync src/data "far:$target" --pool pool
    stderr_has 'this server allows'
done
refused far:dst/data src/copy --pool pool
refused far:other/data src/copy --pool pool
no_leftovers dst
no_leftovers other
far_host 'lvbackup serve --stdio --allow src/* --read-only'
refused other/data far:src/copy --pool pool
refused far:other/data dst/copy --pool pool
change 7
sync_to 0 far:src/data dst/data --pair "$(said pair)"
mirrored
no_leftovers other
