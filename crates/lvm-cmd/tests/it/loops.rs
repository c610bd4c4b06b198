//! Loop devices, and what LVM remembers of them.

use std::path::Path;

use extents::Bytes;
use lvm_cmd::{Scripted, attach_loop, forget_loop};

#[test]
fn a_device_has_the_blocks_that_are_asked_for() {
    let attach = "$ losetup --nooverlap --direct-io=on --sector-size=4096 --find --show /space\n";
    let other = attach.replace("=on", "=off");
    let script = format!("{attach}! failed\n= 1\n{other}| /dev/loop7\n= 0\n");
    let exec = Scripted::from_transcript(&script).unwrap();
    let device = attach_loop(&exec, Path::new("/space"), None, Some(Bytes::new(4096))).unwrap();
    assert_eq!(device, Path::new("/dev/loop7"));
}

/// Only the entry of this device with this file.
#[test]
fn an_entry_of_the_devices_file_goes_with_its_device() {
    let list = |lines: &[&str]| {
        let lines: String = lines.iter().map(|line| format!("|   {line}\n")).collect();
        format!("$ lvmdevices\n{lines}= 0\n")
    };
    let disk = "Device /dev/sda IDTYPE=sys_wwid IDNAME=naa.5 DEVNAME=/dev/sda PVID=x";
    let ours = "Device /dev/loop7 IDTYPE=loop_file IDNAME=/a b/space DEVNAME=/dev/loop7 PVID=none";
    let deleted = "$ lvmdevices --deldev /dev/loop7\n= 0\n";
    for (script, is_good) in [
        (list(&[disk, ours]) + deleted, true),
        (list(&[disk]), true),
        (list(&[&ours.replace("/a b/space", "/a b/space2")]), true),
        (list(&[&ours.replace("DEVNAME=/dev/loop7", "DEVNAME=/dev/loop2")]) + deleted, true),
        (list(&[]), true),
        ("$ lvmdevices\n!   Devices file not enabled.\n= 5\n".to_owned(), true),
        ("$ lvmdevices\n= missing\n".to_owned(), true),
        (list(&[ours]) + &deleted.replace("= 0", "= 5"), false),
    ] {
        let exec = Scripted::from_transcript(&script).unwrap();
        let done = forget_loop(&exec, Path::new("/dev/loop7"), Path::new("/a b/space"));
        assert_eq!(done.is_ok(), is_good, "{script}");
    }
}

/// The kernel still names the file of a device that it is detaching, and nothing else. As losetup of Debian 12 prints that.
#[test]
fn a_device_that_is_being_detached_is_asked_for_again() {
    const LIST: &str = "$ losetup --list --json --output NAME,BACK-FILE,BACK-INO,BACK-MAJ:MIN\n";
    let row = |name: &str, inode: &str, number: &str| {
        format!(r#"{{"name":"{name}","back-file":"/space.img","back-ino":{inode},"back-maj:min":{number}}}"#)
    };
    let other = row("/dev/loop0", "12", "\"8:1\"");
    let detaching = row("/dev/loop1", "null", "null");
    let between = format!("{LIST}| {{\"loopdevices\":[{other},{detaching}]}}\n= 0\n");
    let after = format!("{LIST}| {{\"loopdevices\":[{other}]}}\n= 0\n");
    let exec = Scripted::from_transcript(&format!("{between}{between}{after}")).unwrap();
    let devices = lvm_cmd::loop_devices(&exec).unwrap();
    assert_eq!(devices.iter().map(|device| device.inode).collect::<Vec<_>>(), [12]);
}
