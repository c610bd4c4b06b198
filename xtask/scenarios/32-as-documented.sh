# The command lines of the original tools, as their documents have them, and streams of version 1.0.
. lib.sh

make_pool vg0 pool0 64m 64k
make_pool vg1 pool0 64m 64k
make_volume vg0/pool0 vol0 32m
write_pattern vg0/vol0 0 2m one
snap vg0/vol0 sp0 -pr
expect_exit 0 lvdiff --full vg0/sp0 | expect_exit 0 lvpatch -g vg1 -p pool0
write_pattern vg0/vol0 1m 256k two 8m 1m two
discard vg0/vol0 0 64k
deactivate vg0/vol0
remember vg0
sleep 1

expect_exit 0 lvdiff -g vg0 --pair 'Author:Someone' --pair 'Message:at 12:30' vol0 sp0 >test.diff
grep -aq 'Author: *Someone' test.diff
grep -aq 'Message: *at 12:30' test.diff
stderr_lacks 'is older' lvdiff
cat test.diff | expect_exit 0 lvpatch -g vg1 -l sp0
# Turned round: from the new one back to the old one, which is rarely meant.
expect_exit 0 lvdiff -g vg0 --pair 'Author:Someone' --pair 'Message:hello' sp0 vol0 >back.diff
stderr_has '`vg0/sp0` is older than its base `vg0/vol0`' lvdiff
stderr_has 'turn both round' lvdiff
expect_exit 0 lvpatch --lvgroup vg1 --lvbase vol0 back <back.diff

expect_exit 0 lvdiff --format 1.0 vg0/vol0 vg0/sp0 >old.diff
head -n 1 old.diff | grep -aF 1.0
expect_exit 0 lvpatch -g vg1 -l sp0 from-1-0 <old.diff
head -c -100 old.diff >cut.diff
expect_exit 3 lvpatch -g vg1 -l sp0 cut <cut.diff
expect_exit 2 lvdiff --format 1.0 --full vg0/sp0 >nothing
stderr_has 'no full layers' lvdiff
no_leftovers vg0

activate vg0/vol0 vg0/sp0 vg1/vol0 vg1/back vg1/from-1-0
same vg0/vol0 vg1/vol0
same vg0/sp0 vg1/back
same vg0/vol0 vg1/from-1-0
if lvs vg1/cut 2>/dev/null; then fail 'a cut stream left a volume'; fi
