# LVM uses only the devices that its devices file names. LVM writes the file when the scenario makes its first group.
[ -e /etc/lvm.plain ] || cp -a /etc/lvm /etc/lvm.plain
echo 'devices { use_devicesfile = 1 }' >>/etc/lvm/lvmlocal.conf
