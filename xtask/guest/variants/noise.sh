# Every LVM command warns on standard error, in words that mean something else where they come from a failure.
lvm_wrapper <<'END'
echo '  WARNING: Device for PV abc not found or rejected by a filter.' >&2
echo '  /dev/sr0: open failed: No medium found' >&2
echo '  Logical volume vg9/other in use.' >&2
exec -a "$0" "$lvm" "$@"
END
