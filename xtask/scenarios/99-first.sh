. lib.sh
make_pool vg-a pool-a 256m 64k
make_pool vgb poolb 256m 64k
make_volume vg-a/pool-a vol-1 64m
write_pattern vg-a/vol-1 0 4m a 20m 1m b
snap vg-a/vol-1 s1 -pr
write_pattern vg-a/vol-1 1m 256k c 30m 2m d
discard vg-a/vol-1 20m 512k
snap vg-a/vol-1 s2 -pr
set -x
time lvdiff --full vg-a/s1 -o full.hl
lvs -a vg-a
time lvpatch -g vgb -p poolb s1 < full.hl
lvs -a -o+lv_tags vgb
time lvdiff vg-a/s2 vg-a/s1 -o delta.hl
head -c 900 delta.hl | strings | head -40
time lvpatch -g vgb -l s1 < delta.hl
lvs -a -o+lv_tags vgb
activate vg-a/s1 vg-a/s2 vgb/s1 vgb/s2
same vg-a/s1 vgb/s1
same vg-a/s2 vgb/s2
lvdiff -g vg-a s1 s2 --dry-run
ls -la /run/hyperlayer
