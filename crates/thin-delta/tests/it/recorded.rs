//! What the real tools wrote (`tests/data/README.md`).

use RunKind::{Different, LeftOnly, RightOnly, Same};
use extents::{Bytes, Chunks};
use thin_delta::{DeltaReader, DumpReader, RunKind, Side, ThinId};

use crate::{chunks, data, delta, dump, run};

#[track_caller]
fn check_delta(file: &str, expected: &[(RunKind, u64, u64)]) {
    let expected: Vec<_> = expected.iter().copied().map(run).collect();
    assert_eq!(delta(data(file).as_bytes()).unwrap(), expected, "{file}");
}

#[test]
fn deltas() {
    let pool = [
        (Same, 0, 5),
        (Different, 5, 1),
        (Same, 6, 4),
        (Same, 20, 9),
        (LeftOnly, 29, 1),
        (RightOnly, 40, 2),
        (Different, 64, 1),
    ];
    check_delta("0.9.0-delta.xml", &pool);
    check_delta("0.9.0-delta-verbose.xml", &pool);
    check_delta("derived-0.9-delta-metadata-snap.xml", &pool);
    check_delta("derived-1.x-delta.xml", &pool);
    check_delta("derived-1.x-delta-needs-check.xml", &pool);
    check_delta("derived-1.x-delta-roots.xml", &pool);
    check_delta("0.9.0-delta-scattered-verbose.xml", &[(Different, 0, 1), (Different, 1, 1), (Different, 2, 1)]);
    check_delta("derived-1.x-delta-scattered-verbose.xml", &[(Different, 0, 3)]);
    check_delta("0.9.0-delta-right-only.xml", &[(RightOnly, 0, 10), (RightOnly, 20, 10), (RightOnly, 64, 1)]);
    check_delta("0.9.0-delta-empty.xml", &[]);
    check_delta(
        "linux-6.1-0.9.0-delta.xml",
        &[
            (Same, 0, 1),
            (Different, 1, 1),
            (Same, 2, 2),
            (RightOnly, 4, 2),
            (LeftOnly, 6, 2),
            (Different, 8, 1),
            (Same, 9, 2),
            (RightOnly, 12, 1),
            (Same, 15, 1),
            (Same, 254, 1),
            (Different, 255, 1),
        ],
    );
}

#[test]
fn dumps() {
    let mapped = [chunks(0, 5), chunks(5, 1), chunks(6, 4), chunks(20, 9), chunks(40, 2), chunks(64, 1)];
    assert_eq!(dump(data("0.9.0-dump.xml").as_bytes()).unwrap(), mapped);
    assert_eq!(dump(data("derived-1.x-dump.xml").as_bytes()).unwrap(), mapped);
    assert_eq!(dump(data("0.9.0-dump-empty.xml").as_bytes()).unwrap(), []);
}

#[test]
fn what_a_delta_says_of_the_pool() {
    let text = data("linux-6.1-0.9.0-delta.xml");
    let delta = DeltaReader::new(text.as_bytes()).unwrap();
    let superblock = delta.superblock();
    assert_eq!((superblock.transaction, superblock.time, superblock.nr_data_blocks), (3, 2, Some(0)));
    assert_eq!((superblock.flags, superblock.version, superblock.uuid.as_str()), (None, None, ""));
    assert_eq!(superblock.chunk_size.bytes(), Bytes::new(65536));
    assert!(!superblock.needs_check());
    let device = |id| Side::Device(ThinId::new(id).unwrap());
    assert_eq!((delta.left(), delta.right()), (device(2), device(3)));

    let text = data("derived-1.x-delta-needs-check.xml");
    assert!(DeltaReader::new(text.as_bytes()).unwrap().superblock().needs_check());
    let text = data("derived-1.x-delta-roots.xml");
    let delta = DeltaReader::new(text.as_bytes()).unwrap();
    assert_eq!((delta.left(), delta.right()), (Side::Root(41), device(2)));
}

#[test]
fn what_a_dump_says_of_its_device() {
    let text = data("0.9.0-dump.xml");
    let dump = DumpReader::new(text.as_bytes()).unwrap();
    assert_eq!((dump.superblock().flags, dump.superblock().version), (Some(0), Some(2)));
    let device = dump.device();
    assert_eq!((device.id.get(), device.mapped_chunks), (2, Chunks::new(22)));
    assert_eq!((device.transaction, device.creation_time, device.snap_time), (1, 1, 1));
}

#[test]
fn dumps_of_other_than_one_device() {
    let error = |file: &str| dump(data(file).as_bytes()).unwrap_err().to_string();
    assert_eq!(error("0.9.0-dump-no-such-device.xml"), "at byte 112: expected `<device ...>`, found `</superblock>`");
    assert_eq!(
        error("0.9.0-dump-pool.xml"),
        "at byte 434: expected `</superblock>` after the only device (`thin_dump --dev-id N`), found \
         `<device dev_id=\"2\" mapped_blocks=\"22\" transaction=\"1\" creation_time=\"1\" ...`"
    );
    assert_eq!(
        error("derived-1.x-dump-shared.xml"),
        "at byte 104: expected the mappings of one device, found `<def name=\"1\">`: a dump of a whole pool, in which \
         devices share mappings (`thin_dump --dev-id N` writes those of one)"
    );
}
