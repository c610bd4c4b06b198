# limit: 3600
# 30 generations, one a day, into a folder and into an object store: after every pruning each kept one comes back to the byte.
. lib.sh
. store.sh
trap - DEBUG

mkdir -p s3/bucket
s3-server s3 9000 >s3.env &
server=$!
within 10 grep AWS_ENDPOINT s3.env
export $(cat s3.env)
make_source 16m

days=0
trap 'date -s @$(($(date +%s) - days * 86400)) >/dev/null' EXIT
a_day_later() {
    days=$((days + 1))
    date -s @$(($(date +%s) + 86400)) >/dev/null
}

for STORE in "$PWD/store" s3://bucket/store; do
    expect_exit 0 lvbackup init "$STORE"
    for ((n = 1; n <= 30; n++)); do
        a_day_later
        generation $n --full-every 8
        ((n % 5 == 0)) || continue
        merge=()
        ((n % 10)) || merge=(--merge --identity key.txt --encrypt-to $RECIPIENT)
        expect_exit 0 lvbackup prune "$STORE" --keep-daily 4 --keep-weekly 3 "${merge[@]}"
        now=" $(kept) "
        echo "$SECONDS s: $STORE: after $n:$now" >&2
        for newest in $n $((n - 1)) $((n - 2)) $((n - 3)); do
            [[ $now == *" $newest "* ]] || fail "generation $newest is not there any more"
        done
        # With merging, only what a rule keeps.
        [ ${#merge[@]} = 0 ] || [ "$(wc -w <<<"$now")" -le 7 ]
        gives_back $now
    done
    expect_exit 0 lvbackup check "$STORE" --read-data --identity key.txt >check
    [ ! -s check ]
    expect_exit 0 lvbackup restore "$STORE" src/pool back --identity key.txt
    activate src/back
    same src/data src/back
    lvremove -q -q -y src/back
    # What was never kept is gone from the disk as well: no more than the layers, their manifests and marks.
    [ "$(find store s3 -type f -size +64k 2>/dev/null | wc -l)" -le 20 ]
done
kill $server
