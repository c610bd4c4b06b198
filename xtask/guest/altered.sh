# Streams with damage where chance chooses: `. altered.sh`. The volumes are made by `altered_volumes`.
#
#   altered COUNT SEED              so many times: one to three runs in a row of `lvbackup recv` on altered streams, each third of them
#                                   killed, then one on the right stream, or on its rest; exit status 0 must mean the right bytes.
#                                   Between them `lvpatch` refuses the same streams.

# from/two and from/other are two states that came after from/one, which to/one is too; two.hl and other.hl lead there.
altered_volumes() {
    make_pool from pool 64m 64k
    make_volume from/pool data 12m
    write_pattern from/data 0 4m one
    snap from/data one -pr
    write_pattern from/data 2m 6m two
    discard from/data 1m 512k
    snap from/data two -pr
    write_pattern from/data 3m 6m other
    snap from/data other -pr
    expect_exit 0 lvbackup send -v from -l one -o one.hl
    expect_exit 0 lvbackup send -v from -l two -i one -o two.hl
    expect_exit 0 lvbackup send -v from -l other -i one -o other.hl
    activate from/two
    make_pool to pool 64m 64k
    expect_exit 0 lvbackup recv -v to -p pool -l one -i one.hl
    remember to
}

altered() {
    local point try status how options token kept=0 rests=0
    echo "seed: $2"
    RANDOM=$2
    for point in $(seq "$1"); do
        for try in $(seq $((1 + RANDOM % 3))); do
            how=$(altered.py $RANDOM two.hl other.hl bad.hl)
            options=(--base one)
            [ -z "$(lvbackup recv --list-partial -v to)" ] || options=(--resume)
            status=0
            if ((RANDOM % 3)); then
                lvbackup -q recv -v to -l two --keep-every 128k "${options[@]}" -i bad.hl 2>bad.stderr || status=$?
                [ $status = 3 ] || [ $status = 5 ] || fail "point $point, $how: exit status $status"
            else
                how="$how, killed"
                timeout --foreground -s KILL $((RANDOM % 4)).$((RANDOM % 9 + 1)) \
                    lvbackup -q recv -v to -l two --keep-every 128k "${options[@]}" -i bad.hl 2>bad.stderr || status=$?
                # A killed program's LVM command works on.
                within 30 no_lvm
                [ $status = 3 ] || [ $status = 5 ] || [ $status = 137 ] || fail "point $point, $how: exit status $status"
            fi
            echo "point $point, ${options[0]}: $how: exit status $status" >&2
        done
        lvbackup recv --list-partial -v to >partial
        options=(--base one)
        [ ! -s partial ] || options=(--resume)
        cp two.hl right.hl
        token=$(sed -n 's/^ *token //p' partial)
        if [ -n "$token" ]; then
            kept=$((kept + 1))
            if ((RANDOM % 2)); then
                rests=$((rests + 1))
                expect_exit 0 lvbackup send --resume "$token" >right.hl
            fi
        else
            expect_exit 3 lvpatch -g to -l one two <bad.hl
            no_leftovers to $(lvs --noheadings -o lv_name to | grep hyperlayer- || true)
        fi
        expect_exit 0 lvbackup -q recv -v to -l two "${options[@]}" -i right.hl
        no_leftovers to two
        activate to/two
        same from/two to/two
        lvremove -q -q -y to/two
        [ -z "$(ls -A /var/lib/hyperlayer/partial)" ]
    done
    echo "$1 points, $kept of them with something kept, $rests of these continued by a rest"
}
