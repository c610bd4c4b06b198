use extents::{Bytes, Chunks};
use transfer::ErrorKind;
use transfer::lvm::Space;

use super::{Machine, SIZE, lv, script};
use crate::chunk;

/// Whether a layer that may take `chunks` fits into a pool of this status.
fn check(chunks: Option<u64>, status: &str) -> Result<(), (ErrorKind, String)> {
    let machine = Machine::new();
    let exec =
        script(&format!("$ dmsetup status --target thin-pool vg0-pool-tpool\n| 0 204800 thin-pool {status}\n= 0\n"));
    let pool = lv(&[("lv_name", "pool"), ("lv_attr", "twi-aotz--"), ("pool_lv", ""), ("chunk_size", "65536")]);
    let space = Space { chunk: chunk(65536), chunks: chunks.map(Chunks::new), records: None, size: Bytes::new(SIZE) };
    space.check(&machine.lvm(&exec), &pool).map_err(|error| (error.kind(), error.to_string()))
}

#[test]
fn there_is_room() {
    check(Some(1582), "3 114/1024 18/1600 - rw discard_passdown queue_if_no_space - 256").unwrap();
    check(Some(0), "3 114/1024 1600/1600 - rw discard_passdown queue_if_no_space - 256").unwrap();
    check(None, "3 114/1024 1600/1600 - rw discard_passdown queue_if_no_space - 256").unwrap();
}

#[test]
fn there_is_none() {
    let refused = |chunks, status| {
        let (kind, text) = check(Some(chunks), status).unwrap_err();
        assert_eq!(kind, ErrorKind::Surroundings, "{text}");
        text
    };
    assert_eq!(
        refused(1583, "3 114/1024 18/1600 - rw discard_passdown queue_if_no_space - 256"),
        "pool `vg0/pool` is too full: the layer may need 98.9 MiB (103743488 bytes) of data space, free are 98.8 MiB \
         (103677952 bytes)"
    );
    let text = refused(1, "3 1000/1024 18/1600 - rw discard_passdown queue_if_no_space - 256");
    assert!(text.contains("of metadata space"), "{text}");
    let text = refused(1, "3 114/1024 18/1600 - ro discard_passdown queue_if_no_space - 256");
    assert!(text.contains("takes no writes now (read-only)"), "{text}");
    let text = refused(1, "3 114/1024 1600/1600 - out_of_data_space discard_passdown queue_if_no_space - 256");
    assert!(text.contains("takes no writes now (out of data space)"), "{text}");
    let text = refused(1, "3 114/1024 18/1600 - rw discard_passdown queue_if_no_space needs_check 256");
    assert!(text.contains("must be checked and repaired"), "{text}");
}
