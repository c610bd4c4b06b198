# One LVM command of a program fails, hangs or dies: `. positions.sh`, after `. lib.sh`.
#
# Only commands that change something count: lvcreate, lvchange, lvrename, lvremove, lvresize, lvextend, and those for physical
# volumes and groups. HOW says what happens to the command with that number:
#
#   undone    exit status 5, and nothing is done
#   done      exit status 5, and all is done
#   dead      a SIGKILL before anything is done
#   before    the program gets a SIGKILL before the command does anything
#   after     the program gets a SIGKILL when the command has done its work
#   stopped   the program gets a SIGTERM, and the command does its work 3 s later
#
#   make_receiving                  src/pool with layers (`make_layers`), their streams, dst/pool with dst/one, and a store
#   positions OPERATION HOW NUMBER...   one trial for each number; fails where the operation runs fewer commands
#   every_position OPERATION HOW...     for each HOW one trial for each command that the operation runs
#
# An OPERATION is one of these. After each trial the result is complete (exit status 0), or the old state is there, or the message
# names the rest. Then the next command finishes, and nothing is left over.
#
#   sync          `lvbackup sync src/data dst/copy`, after `. copy.sh` and a first run
#   recv lvpatch backup     after `make_receiving`
#   create remove           of a classic snapshot in a file, after `. killed.sh`

positions=/run/hyperlayer-positions
mkdir -p $positions
lvm_wrapper <<'END'
positions=/run/hyperlayer-positions
case ${0##*/} in
lvcreate | lvchange | lvrename | lvremove | lvresize | lvextend) ;;
pvcreate | pvchange | pvremove | pvresize | vgextend | vgreduce) ;;
*) exec -a "$0" "$lvm" "$@" ;;
esac
exec 7>>$positions/lock
flock 7
number=$(($(cat $positions/count) + 1))
echo $number >$positions/count
echo "$number: ${0##*/} ${*:3}" >>$positions/log
exec 7>&-
read -r at how <$positions/at
[ $number = $at ] || exec -a "$0" "$lvm" "$@"
work() {
    (exec -a "$0" "$lvm" "$@")
}
case $how in
undone) ;;
done) work "$@" ;;
dead) kill -KILL $$ ;;
before) kill -KILL $PPID ;;
after)
    work "$@"
    kill -KILL $PPID
    ;;
stopped)
    kill -TERM $PPID
    sleep 3
    exec -a "$0" "$lvm" "$@"
    ;;
esac
echo '  This command fails for the sake of a test.' >&2
exit 5
END

echo 0 none >$positions/at
echo 0 >$positions/count

# interfere NUMBER COMMAND...: the NUMBERth LVM command meets $how. Sets $status, and $reached to `no` where there are fewer:
# then nothing is disturbed.
interfere() {
    local number=$1
    shift
    echo 0 >$positions/count
    : >$positions/log
    echo "$number $how" >$positions/at
    status=0
    "$@" 2>position.stderr || status=$?
    echo 0 none >$positions/at
    sed 's/^/    /' position.stderr >&2
    # A killed program's LVM command works on.
    within 30 no_lvm
    reached=yes
    [ "$(cat $positions/count)" -ge "$number" ] || reached=no
    [ $reached = yes ] || return 0
    echo "$SECONDS s: $operation, $how at $(sed -n "${number}p" $positions/log | cut -c 1-120): exit status $status" >&2
    case $how in
    before | after) [ $status = 137 ] ;;
    stopped) [ $status = 0 ] || [ $status = 143 ] || [ $status = 5 ] ;;
    esac
}

# What is not as before is complete, or is named by a program that had the time to do so.
named() {
    case $how in before | after) return 0 ;; esac
    grep -qF -- "$1" position.stderr || fail "nothing names $1"
}

make_receiving() {
    make_layers 64k
    make_pool dst pool 128m 128k
    lvbackup -q send -v src -l one -o one.hl
    lvbackup -q send -v src -l two -i one -o two.hl
    lvbackup -q recv -v dst -p pool -l one -i one.hl
    lvbackup -q init store
    lvbackup -q backup src/data store
    activate src/one src/two
    remember src
    remember dst
}

trial_sync() {
    write_pattern src/data 6m 64k "$how $1"
    cp --sparse=always /dev/dst/copy old
    interfere $1 sync
    if lvs dst/copy >/dev/null 2>&1; then
        activate dst/copy
        { [ $status != 0 ] && cmp -s -n $size old /dev/dst/copy; } || cmp -n $size /dev/src/data /dev/dst/copy
    else
        # Between two renames.
        [ $status != 0 ]
        lvs --noheadings -o lv_name dst | grep hyperlayer-live- >/dev/null
        named 'lvbackup sync'
    fi
    expect_exit 0 sync
    whole
    layers 1
}

trial_recv() {
    interfere $1 lvbackup recv -v dst -p pool -l got -i one.hl
    if lvs dst/got >/dev/null 2>&1; then
        [ $status = 0 ] || named dst/got
    else
        [ $status != 0 ]
        status=0
        lvbackup recv -v dst -p pool -l got -i one.hl 2>again.stderr || status=$?
        if [ $status != 0 ]; then
            [ $status = 5 ]
            grep -F 'recv --resume -v dst -l got' again.stderr
            expect_exit 0 lvbackup recv --resume -v dst -l got -i one.hl
        fi
    fi
    received got one
    [ -z "$(ls -A /var/lib/hyperlayer/partial)" ]
}

trial_lvpatch() {
    interfere $1 lvpatch -g dst -l one -i two.hl two
    if lvs dst/two >/dev/null 2>&1; then
        [ $status = 0 ] || named dst/two
    else
        [ $status != 0 ]
        expect_exit 0 lvpatch -g dst -l one -i two.hl two
    fi
    received two two
}

# received NAME LAYER: dst/NAME is that layer, and goes; nothing else was left.
received() {
    [ "$(property "dst/$1" lv_tags)" = "hyperlayer.layer=$(property "src/$2" lv_uuid)" ]
    [[ $(property "dst/$1" lv_attr) == Vri* ]]
    activate "dst/$1"
    same "src/$2" "dst/$1"
    deactivate "dst/$1"
    no_leftovers dst "$1"
    lvremove -q -q -y "dst/$1"
}

trial_backup() {
    write_pattern src/data 6m 64k "$how $1"
    interfere $1 lvbackup backup src/data store
    [ $status = 0 ] || expect_exit 0 lvbackup backup src/data store
    rm -f image
    expect_exit 0 lvbackup restore store --to-file image
    same src/data ./image
    # The next one's base, and no other, stays at the source.
    [ "$(lvs --noheadings -o lv_tags src | grep -c hyperlayer.backup=)" = 1 ]
    no_leftovers src $(lvs --noheadings -o lv_name src | grep data-) $(grep -o '^data-[^ ]*' src.state)
    expect_exit 0 lvbackup prune store
    expect_exit 0 lvbackup check store >check
    [ ! -s check ]
}

trial_create() {
    interfere $1 $make
    if [ $status = 0 ]; then
        cmp /dev/tight/data /dev/tight/snap
    elif [ $status != 5 ] && [ $status != 137 ]; then
        as_before
    else
        [ $status = 137 ] || named 'lvsnap recover'
        lvsnap -q recover --yes
        as_before
    fi
    lvs tight/snap >/dev/null 2>&1 || expect_exit 0 $make
    expect_exit 0 lvsnap remove tight/snap
    as_before
}

trial_remove() {
    expect_exit 0 $make
    interfere $1 lvsnap remove tight/snap
    # Whatever is left, the same command finishes; where nothing is, it says that there is none.
    if [ $status != 0 ] && ! lvsnap remove tight/snap; then lvsnap -q recover --yes; fi
    as_before
}

as_before() {
    reality | diff before -
    no_leftovers tight
}

positions() {
    local operation=$1 how=$2 number
    shift 2
    for number; do
        trial_$operation $number
        [ $reached = yes ] || fail "$operation has fewer than $number LVM commands that change something"
    done
}

every_position() {
    local operation=$1 how number
    shift
    for how; do
        number=0 reached=yes
        while [ $reached = yes ]; do
            number=$((number + 1))
            trial_$operation $number
        done
        echo "$SECONDS s: $operation, $how: $((number - 1)) commands" >&2
        [ $number -gt 1 ]
    done
}
