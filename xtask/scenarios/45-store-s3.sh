# limit: 600
# takes: 180
# The same with an object store, whose server dies in mid-upload.
. lib.sh
. store.sh

STORE=s3://bucket/hosts/guest
mkdir -p s3/bucket
serve() {
    s3-server s3 9000 >s3.env &
    server=$!
    within 10 grep AWS_ENDPOINT s3.env
}
serve
export $(cat s3.env)
make_source 32m
expect_exit 0 lvbackup init "$STORE"
generation 1
generation 2
remember src

# The backup fails and says so, and the same command finishes when the server is there again. A part is there by then.
write_pattern src/data 16m 16m large
backing_up 2m
within 60 sh -c 'find s3 -type f -size +7M | grep .'
kill -KILL $server
wait $server || true
status=0
wait $backup || status=$?
cat backup.stderr
[ $status = 1 ] || [ $status = 4 ]
no_leftovers src
serve
discard src/data 16m 16m
generation 3
stderr_has "(delta on $(cat g2.layer))" lvbackup

# Killed itself.
backing_up 512k
kill -KILL $backup
status=0
wait $backup || status=$?
[ $status = 137 ]
generation 4 --full
generation 5
generation 6
expect_exit 0 lvbackup check "$STORE" --read-data --identity key.txt
gives_back 1 2 3 4 5 6
expect_exit 0 lvbackup prune "$STORE" --keep-last 3
[ "$(kept)" = '4 5 6' ]
expect_exit 0 lvbackup prune "$STORE" --keep-last 2 --merge --identity key.txt --encrypt-to $RECIPIENT
[ "$(kept)" = '5 6' ]
gives_back 5 6
expect_exit 0 lvbackup restore "$STORE" src/pool back --identity key.txt
activate src/back
same src/data src/back
expect_exit 0 lvbackup check "$STORE" --read-data --identity key.txt >check
[ ! -s check ]
kill $server
