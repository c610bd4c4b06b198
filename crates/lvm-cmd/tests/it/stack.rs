//! What a file lies on, on a tree as sysfs has it.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use lvm_cmd::{Stack, Uuid};
use tempfile::TempDir;

const GROUP: &str = "aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg";
const VOLUME_ID: &str = "LVM-aaaaaabbbbccccddddeeeeffffggggggZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ";

struct Tree {
    folder: TempDir,
}

impl Tree {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("block")).unwrap();
        fs::write(folder.path().join("mountinfo"), "").unwrap();
        Self { folder }
    }

    /// A device of this number, below a folder or in `sys` itself, with files in it.
    fn device(&self, at: &str, number: &str, files: &[(&str, &str)]) -> &Self {
        let folder = self.folder.path().join("sys").join(at);
        for (name, text) in [("dev", number)].iter().chain(files) {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{text}\n")).unwrap();
        }
        symlink(&folder, self.folder.path().join("block").join(number)).unwrap();
        self
    }

    fn numbers(&self, path: &Path) -> Vec<String> {
        let (devices, mounts) = (self.folder.path().join("block"), self.folder.path().join("mountinfo"));
        let below = Stack { devices: &devices, mounts: &mounts }.below(path).unwrap();
        let group: Uuid = GROUP.parse().unwrap();
        let sign = |is_of: bool| if is_of { " of the group" } else { "" };
        below.into_iter().map(|device| device.number.clone() + sign(device.is_of_group(&group))).collect()
    }
}

/// The number of a node that is there on every machine, as `MAJOR:MINOR`.
fn number(node: &str) -> String {
    let device = fs::metadata(node).unwrap().rdev();
    format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device))
}

#[test]
fn encryption_partitions_loops_and_volumes_are_followed_down() {
    // /proc has no device, whatever the machine; a mount of it is said to be from the node.
    let (node, number) = ("/dev/null", number("/dev/null"));
    let tree = Tree::new();
    fs::write(tree.folder.path().join("mountinfo"), format!("36 35 0:9 / /proc rw - odd {node} rw\n")).unwrap();
    tree.device("crypt", &number, &[("slaves/dm-3/dev", "253:3"), ("dm/name", "secret"), ("dm/uuid", "CRYPT-LUKS2-x")])
        .device("dm-3", "253:3", &[("slaves/p1/dev", "8:1"), ("dm/name", "vg0-data"), ("dm/uuid", VOLUME_ID)])
        .device("disk", "8:0", &[])
        .device("disk/p1", "8:1", &[("partition", "1")]);
    let mut expected = [number.as_str(), "253:3 of the group", "8:0", "8:1"];
    expected.sort_unstable();
    assert_eq!(tree.numbers(Path::new("/proc/self")), expected);
    // Where it is mounted once more, the last one counts; what is mounted elsewhere does not.
    let more = format!("36 35 0:9 / /proc rw - odd {node} rw\n37 35 0:9 / /proc rw - proc proc rw\n");
    fs::write(tree.folder.path().join("mountinfo"), more).unwrap();
    assert_eq!(tree.numbers(Path::new("/proc/self")), [] as [&str; 0]);
}

#[test]
fn a_loop_device_lies_on_what_its_file_lies_on() {
    let (loop_number, below) = (number("/dev/zero"), number("/dev/null"));
    let tree = Tree::new();
    let mounts = "36 35 0:9 / /sys rw - odd /dev/zero rw\n37 35 0:9 / /proc rw - odd /dev/null rw\n";
    fs::write(tree.folder.path().join("mountinfo"), mounts).unwrap();
    tree.device("loop0", &loop_number, &[("loop/backing_file", "/proc/self/status")]);
    // The file of one that lies below is gone, and that of the other lies on itself: it ends nevertheless.
    tree.device("dm-7", &below, &[("slaves/x/dev", "253:3"), ("loop/backing_file", "/proc/self/status")]);
    tree.device("dm-3", "253:3", &[("dm/uuid", VOLUME_ID), ("loop/backing_file", "/proc/gone (deleted)")]);
    let mut expected = [loop_number, below, "253:3 of the group".to_owned()];
    expected.sort();
    assert_eq!(tree.numbers(Path::new("/sys/block")), expected);
}

#[test]
fn the_number_of_a_file_system_is_that_of_its_device() {
    let tree = Tree::new();
    let device = fs::metadata(tree.folder.path()).unwrap().dev();
    if rustix::fs::major(device) == 0 {
        return;
    }
    let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    tree.device("own", &number, &[("dm/uuid", VOLUME_ID)]);
    assert_eq!(tree.numbers(tree.folder.path()), [format!("{number} of the group")]);
}

#[test]
fn another_groups_volume_is_not_of_this_group() {
    let group: Uuid = GROUP.parse().unwrap();
    let below = |uuid: Option<&str>| lvm_cmd::Below {
        number: "253:0".to_owned(),
        dm_name: None,
        dm_uuid: uuid.map(str::to_owned),
    };
    assert!(below(Some(VOLUME_ID)).is_of_group(&group));
    assert!(below(Some(&format!("{VOLUME_ID}-tdata"))).is_of_group(&group));
    assert!(!below(Some(&VOLUME_ID.replace("aaaaaa", "aaaaab"))).is_of_group(&group));
    assert!(!below(Some("CRYPT-LUKS2-aaaaaa")).is_of_group(&group));
    assert!(!below(None).is_of_group(&group));
}

#[test]
fn block_sizes() {
    let (whole, part, unknown) = ("/dev/null", "/dev/zero", "/dev/full");
    let tree = Tree::new();
    tree.device("disk", &number(whole), &[("queue/logical_block_size", "4096")]).device(
        "other/part",
        &number(part),
        &[("../queue/logical_block_size", "512"), ("partition", "1")],
    );
    let (devices, mounts) = (tree.folder.path().join("block"), tree.folder.path().join("mountinfo"));
    let of =
        |node: &str| Stack { devices: &devices, mounts: &mounts }.block_size(Path::new(node)).map(extents::Bytes::get);
    assert_eq!([whole, part, unknown, "/nowhere"].map(of), [Some(4096), Some(512), None, None]);
}
