use std::collections::BTreeSet;

use crate::{Folder, SCAN};

/// The schema: scripts read these keys.
const KEYS: [&str; 14] = [
    "format",
    "kind",
    "name",
    "layer",
    "parent",
    "volume_size_bytes",
    "parent_size_bytes",
    "chunk_size_bytes",
    "check_records",
    "data_records",
    "data_bytes",
    "zero_records",
    "zero_bytes",
    "stream_bytes",
];

fn dry_run(folder: &Folder, line: &str) -> serde_json::Value {
    let said = folder.lvdiff(&format!("{line} --dry-run --json")).run().done();
    assert_eq!(said.stderr, "");
    serde_json::from_str(said.text()).unwrap()
}

#[test]
fn the_keys() {
    let folder = Folder::new();
    for line in [SCAN, "--full ./new.img", "--scan new.img old.img --format 1.0"] {
        let value = dry_run(&folder, line);
        let found: BTreeSet<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(found, BTreeSet::from(KEYS), "{line}");
    }
}

#[test]
fn it_is_what_is_written() {
    let folder = Folder::new();
    for (line, kind) in [(SCAN, "delta"), ("--full ./new.img", "full"), ("--scan new.img old.img -d 3", "delta")] {
        let value = dry_run(&folder, line);
        folder.lvdiff(&format!("{line} -o out.hl")).run().done();
        assert_eq!(value["stream_bytes"], folder.read("out.hl").len(), "{line}");
        assert_eq!((&value["kind"], &value["format"]), (&kind.into(), &"1.1".into()));
        assert_eq!(value["volume_size_bytes"], 1 << 20);
        assert_eq!(value["name"], "new");
        assert_eq!(value["chunk_size_bytes"], 65536);
        assert_eq!(value["layer"], format!("blake3:{}", blake3::hash(&folder.read("new.img"))));
    }
    let value = dry_run(&folder, SCAN);
    // 200000 lies in chunk 3; 700000 to 800000 are the end of chunk 10, all of 11, and the start of 12.
    assert_eq!((&value["data_bytes"], &value["zero_bytes"]), (&(3 * 65536).into(), &65536.into()));
    assert_eq!(value["parent"], format!("blake3:{}", blake3::hash(&folder.read("old.img"))));
    assert_eq!(dry_run(&folder, "--full ./new.img")["parent"], serde_json::Value::Null);
    let old_format = dry_run(&folder, "--scan new.img old.img --format 1.0");
    assert_eq!((&old_format["format"], &old_format["stream_bytes"]), (&"1.0".into(), &serde_json::Value::Null));
}

#[test]
fn for_people() {
    let folder = Folder::new();
    let before = folder.names();
    let said = folder.lvdiff(&format!("{SCAN} --dry-run -o out.hl")).run().done();
    assert!(said.text().contains("volume   1.0 MiB (1048576 bytes)"), "{}", said.text());
    assert!(said.text().contains("data     192.0 KiB (196608 bytes) in 3 records"), "{}", said.text());
    assert!(said.text().contains("zeros    64.0 KiB (65536 bytes) in 1 records"), "{}", said.text());
    assert_eq!(folder.names(), before, "a dry run writes nothing");
}

#[test]
fn json_is_only_for_a_dry_run() {
    let folder = Folder::new();
    folder.lvdiff(&format!("{SCAN} --json")).run().says(2, &["--dry-run"]);
}
