//! A temporary file that grows while its snapshot is in use.

use std::fs;
use std::os::unix::fs::MetadataExt;

use extents::Bytes;
use lvm_cmd::Scripted;
use snapshot::{FileId, HostSite, Journal, TmpFile};

use crate::model::record;

#[test]
fn the_file_its_device_and_its_physical_volume_grow() {
    for write in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("space.img");
        fs::write(&path, vec![7; 8192]).unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        let mut record = record(true, None);
        let tmp = record.file.take().unwrap();
        let made = Some(FileId::of(&path).unwrap());
        record.file = Some(TmpFile { path: path.clone(), len: Bytes::new(8192), write, made, ..tmp });
        let exec = Scripted::from_transcript(&format!(
            "$ losetup --list --json --output NAME,BACK-FILE,BACK-INO,BACK-MAJ:MIN\n\
             | {{\"loopdevices\":[{{\"name\":\"/dev/loop7\",\"back-file\":\"{}\",\"back-ino\":{inode},\"back-maj:min\":\"8:1\"}}]}}\n\
             = 0\n\
             $ losetup --set-capacity /dev/loop7\n= 0\n\
             $ pvresize /dev/loop7\n= 0\n",
            path.display()
        ))
        .unwrap();
        let journal = Journal::new(folder.path().join("journal"));
        HostSite::new(&exec, &|_| true).grow(&mut record, &journal, Bytes::new(4096)).unwrap();
        // What was in it is as it was, and the record knows how long it is.
        assert_eq!(fs::read(&path).unwrap(), [vec![7; 8192], vec![0; 4096]].concat());
        assert_eq!(journal.read(&record.snapshot).unwrap().unwrap().file.unwrap().len, Bytes::new(12288));
    }
}
