# limit: 3000
# A receive that is killed at 50 points, and every third time again while it is continued, comes to the right bytes.
. lib.sh

make_pool src pool 96m 64k
make_volume src/pool data 32m
write_pattern src/data 0 10m one
snap src/data one -pr
write_pattern src/data 8m 8m two
discard src/data 2m 1m
snap src/data two -pr
expect_exit 0 lvbackup send -v src -l one -o one.hl
expect_exit 0 lvbackup send -v src -l two -i one -o two.hl
cat one.hl two.hl >chain.hl
size=$(stat -c %s chain.hl)
activate src/two
expected=$(sha256sum </dev/src/two)
make_pool dst pool 96m 64k
remember dst

seed=$RANDOM
echo "seed: $seed"
RANDOM=$seed
trap - DEBUG

# How long one takes that nobody kills, in tenths of a second.
start=${EPOCHREALTIME/./}
lvbackup -q recv -v dst -p pool -l data -i chain.hl
whole=$(((${EPOCHREALTIME/./} - start) / 100000))
lvremove -q -q -y dst/data
echo "not killed: $whole tenths of a second"

# seconds TENTHS
seconds() {
    echo $(($1 / 10)).$(($1 % 10))
}

# killed WHEN COMMAND...: WHEN is a command that returns at that moment; COMMAND may have ended by then.
killed() {
    local when=$1
    shift
    # Its input by name: the shell would give it an empty one.
    "$@" <&0 &
    $when
    kill -KILL $! || true
    wait $! || true
}

# The beginning of the chain comes at once, the rest never.
fed() {
    head -c "$1" chain.hl
    touch fed
    exec sleep 60
}

declare -A found
for ((point = 0; point < 50; point++)); do
    # Half of them by how much came, half by time, which also hits LVM's own commands.
    if ((point % 2)); then
        length=$((size * point / 50))
        how="$length bytes"
        mkfifo slow
        fed $length >slow &
        feeder=$!
        # From then on up to three seconds: what came is kept every two.
        when_fed() {
            within 60 test -e fed
            sleep $(seconds $((RANDOM % 30)))
        }
        killed when_fed lvbackup -q recv -v dst -p pool -l data --keep-every 128k <slow
        kill $feeder || true
        wait $feeder || true
        rm slow fed
    else
        after=$(seconds $((whole * point / 50 + RANDOM % 3)))
        how="$after s"
        killed "sleep $after" lvbackup -q recv -v dst -p pool -l data --keep-every 128k -i chain.hl
    fi
    again=
    if ((point % 3 == 0)) && lvbackup recv --list-partial -v dst | grep data; then
        again=", and again"
        killed "sleep $(seconds $((RANDOM % whole)))" lvbackup -q recv --resume -v dst -l data --keep-every 128k -i chain.hl
    fi
    state=$(lvbackup recv --list-partial -v dst | sed -n 1p)
    if [ -n "$state" ]; then
        case $state in
        *"whole chain"*) what=complete ;;
        *"1 layer, and"*) what="second layer" ;;
        *"1 layer"*) what="between" ;;
        *" up to "*) what="first layer" ;;
        *nothing*) what=nothing ;;
        *) what=other ;;
        esac
        status=0
        lvbackup recv --resume -v dst -l data -i chain.hl 2>resume.stderr || status=$?
        if [ $status != 0 ]; then
            cat resume.stderr >&2
            fail "point $point, killed after $how$again: $state; exit status $status"
        fi
    elif lvs dst/data >lvs.out 2>&1; then
        what="done before"
    else
        what="nothing yet"
        lvbackup -q recv -v dst -p pool -l data -i chain.hl
    fi
    found[$what]=$((${found[$what]:-0} + 1))
    echo "$SECONDS s: point $point, killed after $how$again: $what: ${state#*: }" >&2
    no_leftovers dst data
    lvchange -ay -K dst/data
    [ "$(sha256sum </dev/dst/data)" = "$expected" ] || fail "point $point: other bytes"
    lvremove -q -q -y dst/data
    no_leftovers dst
    [ -z "$(ls -A /var/lib/hyperlayer/partial)" ]
done
for what in "${!found[@]}"; do echo "$what: ${found[$what]}"; done
# Where it matters.
[ "${found["first layer"]:-0}" -ge 5 ] && [ "${found["second layer"]:-0}" -ge 5 ] || fail 'hardly one was killed in the midst of a layer'
