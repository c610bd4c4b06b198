# Every LVM command that changes or removes a volume does its work, and says that it failed.
lvm_wrapper <<'END'
case ${0##*/} in
lvchange | lvrename | lvremove | lvresize)
    (exec -a "$0" "$lvm" "$@")
    status=$?
    [ $status = 0 ] || exit $status
    echo '  Failed to wipe start of new LV: device not found.' >&2
    exit 5
    ;;
esac
exec -a "$0" "$lvm" "$@"
END
