#!/bin/sh
# The guest's process 1. It only finds the payload disk and hands over to the `init` there.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
case $(cat /proc/cmdline) in
*guest.probe*)
    echo 'guest is up'
    echo o >/proc/sysrq-trigger
    sleep 60
    ;;
esac
modprobe -q -a virtio_pci virtio_blk
for disk in /sys/block/vd*; do
    if [ "$(cat "$disk/serial")" = payload ]; then
        mount -r -t ext4 "/dev/${disk##*/}" /payload
    fi
done
exec /payload/init
