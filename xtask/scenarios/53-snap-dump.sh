# limit: 600
# Dumps of live file systems on a full group: restored file by file, rotated by a clock that is set, stopped by a signal.
. lib.sh

mkdir -p dumps data /var/lib/hyperlayer/snapshots
truncate -s 760m /scratch/tight.pv
vgcreate -q -q -y tight "$(losetup --find --show /scratch/tight.pv)"
lvcreate -q -q -y -L 32m -n ext4 tight
# XFS takes no less.
lvcreate -q -q -y -L 320m -n xfs tight
lvcreate -q -q -y -l 100%FREE -n spare tight
mkfs.ext4 -q /dev/tight/ext4
mkfs.xfs -q /dev/tight/xfs
# A plain `!` fails nothing.
refuse() {
    ! "$@" >/dev/null 2>&1 || fail "it succeeded: $*"
}
reality() {
    losetup --list --noheadings --output BACK-FILE | sort
    pvs --noheadings -o pv_name,vg_name | sort
    findmnt -rn -o TARGET,SOURCE | sort
    ls -A /scratch /var/lib/hyperlayer/snapshots dumps/*/ | grep -v '^vg0'
}
dump="lvsnap dump --size 12m --zone UTC --level 1"
# What is compared: names, kinds, owners, permissions, links, contents, attributes. (fsarchiver keeps whole seconds of times.)
listing() {
    (cd "$1" && find . ! -name lost+found ! -name log -printf '%p %y %m %U:%G %l %n\n' | sort &&
        find . -type f ! -name log -exec sha256sum {} + | sort &&
        python3 -c 'import os; print(os.getxattr("a/file", "user.of"), int(os.stat("a/file").st_mtime))')
}

printf 'correct horse\n' >password
for kind in ext4 xfs; do
    mkdir "data/$kind"
    mount "/dev/tight/$kind" "data/$kind"
    remember tight
    mkdir "data/$kind/a"
    head -c 2M /dev/urandom >"data/$kind/a/file"
    ln "data/$kind/a/file" "data/$kind/a/second name"
    ln -s a/file "data/$kind/link"
    chown 7:8 "data/$kind/a"
    chmod 4711 "data/$kind/a/file"
    python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.of", b"ours")' "data/$kind/a/file"
    listing "data/$kind" >"$kind.expected"
    (while echo "$RANDOM" >>"data/$kind/log"; do sync "data/$kind/log"; sleep 0.2; done) 2>/dev/null &
    writer=$!
    # In a group that is full by a temporary file; in one that is not, encrypted.
    [ $kind = ext4 ] && space="--tmp-dir /scratch" options= || space= options="--password-file password"
    expect_exit 0 $dump tight/$kind dumps $space $options
    stderr_has 'is made' lvsnap
    kill $writer
    wait $writer || true
    file=$(ls "$PWD"/dumps/tight-$kind-dumps/tight-$kind-dump-*.fsa)
    # Mounted: not overwritten. Without anybody to ask: neither.
    expect_exit 1 lvsnap restore "$file" tight/$kind --yes $options
    expect_exit 2 lvsnap restore "$file" tight/spare $options </dev/null
    if [ $kind = xfs ]; then
        expect_exit 3 lvsnap restore "$file" tight/spare --yes
        printf 'wrong horse\n' >wrong
        expect_exit 3 lvsnap restore "$file" tight/spare --yes --password-file wrong
    fi
    head -c 1000000 "$file" >cut.fsa
    expect_exit 3 lvsnap restore "$PWD/cut.fsa" tight/spare --yes $options
    expect_exit 0 lvsnap restore "$file" tight/spare --yes $options
    mkdir -p restored
    mount -o ro /dev/tight/spare restored 2>/dev/null || mount -o ro,nouuid /dev/tight/spare restored
    listing restored | diff $kind.expected -
    grep -q . restored/log
    umount restored
    no_leftovers tight
    [ $kind = xfs ] || lvreduce -q -q -f -y -L -16m tight/spare
    remember tight
done
[ -z "$(ls /var/lib/hyperlayer/snapshots)" ]
refuse ls /scratch/*.lvsnap

# No password is on a command line while it runs; one that is stopped leaves nothing, and nothing goes because of it.
head -c 20M /dev/urandom >data/ext4/large
sync -f data/ext4
# An fsarchiver that does not begin before it may: how fast it is must not matter.
hold_fsarchiver
touch /scratch/hold
reality >before
in_the_midst() {
    within 60 test -e /scratch/running
    rm /scratch/running
}
$dump tight/ext4 dumps --password-file password --daily-max 0 --weekly-max 0 2>stopped.err &
in_the_midst
refuse grep -l 'correct[ ]horse' /proc/[0-9]*/cmdline
kill -TERM $!
status=0
wait $! || status=$?
cat stopped.err >&2
[ $status = 143 ]
refuse pgrep -x fsarchiver
reality | diff before -
no_leftovers tight
# One that is killed as well: the next one removes what it left.
$dump tight/ext4 dumps 2>/dev/null &
in_the_midst
kill -KILL $!
within 10 eval '! pgrep -x fsarchiver'
# A restore that is stopped: the volume is neither the old nor the new, and the same command begins again.
lvsnap restore "$file" tight/spare --yes --password-file password 2>stopped.err &
in_the_midst
kill -TERM $!
status=0
wait $! || status=$?
cat stopped.err >&2
[ $status = 5 ]
grep -F '`tight/spare` is overwritten, and what is on it is not whole' stopped.err
grep -F 'hint: the same command again' stopped.err
within 10 eval '! pgrep -x fsarchiver'
rm /scratch/hold
expect_exit 0 lvsnap restore "$file" tight/spare --yes --password-file password
ls -A dumps/tight-ext4-dumps | grep unfinished
# The clock is set: a Saturday, a Sunday, and the day after it.
touch dumps/tight-ext4-dumps/tight-ext4-dump-daily-notes.txt
now=$(date +%s) uptime=$(cut -d. -f1 /proc/uptime)
for day in 2030-06-01 2030-06-02 2030-06-03; do
    date -s "$day 03:00:00" >/dev/null
    expect_exit 0 $dump tight/ext4 dumps --daily-max 1 --weekly-max 0
    case $day in *01) stderr_has 'which a dump that died had left' && stderr_has 'which a run that died had left' ;; esac
    (cd dumps/tight-ext4-dumps && echo *.fsa | tr ' ' '\n') | sed 's/_.*//' >"$day"
done
date -s "@$((now + $(cut -d. -f1 /proc/uptime) - uptime))" >/dev/null
no_leftovers tight
echo tight-ext4-dump-daily-2030-06-01 | diff - 2030-06-01
printf '%s\n' tight-ext4-dump-daily-2030-06-01 tight-ext4-dump-weekly-2030-06-02 | diff - 2030-06-02
echo tight-ext4-dump-daily-2030-06-03 | diff - 2030-06-03
[ -e dumps/tight-ext4-dumps/tight-ext4-dump-daily-notes.txt ]
lvsnap prune dumps tight/xfs --daily-max 0 --weekly-max 0 --dry-run | grep ^keep

# Dumps whose names can be of two volumes are nobody's, until somebody says so; then they are one volume's only.
mkdir dumps/a-b-c-dumps
for day in 1 2; do touch dumps/a-b-c-dumps/a-b-c-dump-daily-2020-01-0${day}_01-00-00.fsa; done
expect_exit 3 lvsnap prune dumps a-b/c --daily-max 0 --weekly-max 0
expect_exit 0 lvsnap prune dumps a-b/c --adopt
expect_exit 3 lvsnap prune dumps a/b-c --daily-max 0 --weekly-max 0
[ "$(ls dumps/a-b-c-dumps | wc -l)" = 2 ]
expect_exit 0 lvsnap prune dumps a-b/c --daily-max 0 --weekly-max 0
[ "$(ls dumps/a-b-c-dumps)" = a-b-c-dump-daily-2020-01-02_01-00-00.fsa ]
