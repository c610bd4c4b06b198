use std::fs;
use std::os::unix::fs::PermissionsExt;

use extents::{Bytes, ChunkSize, Extent};
use hyperlayer::{Content, Digest, Outline};
use transfer::receive::{Begun, Ledger, LedgerError, LedgerFile, Mark, Partial, PartialBase, Samples, Whole};

use super::id;

fn partial() -> Partial {
    let mut outline = Outline::default();
    outline.add(Content::Zero, Extent::new(Bytes::ZERO, Bytes::new(8192)).unwrap()).unwrap();
    let mark = Mark { at: Bytes::new(8192), reach: Bytes::new(1 << 20), outline, ..Mark::default() };
    let size = Bytes::new(1 << 30);
    let base = PartialBase { name: "vg0/a \"quoted\"\n".into(), uuid: Some("u".into()), size };
    Partial {
        keep_old: Some("old".into()),
        layers: 2,
        whole: Some(Whole { layer: Some(id(1)), size, chain: Digest([7; 32]), samples: Samples::default() }),
        begun: Some(Begun {
            layer: id(2),
            parent: Some(id(1)),
            full: false,
            size,
            parent_size: size,
            chunk: ChunkSize::SECTOR,
            stated: Some(Digest([8; 32])),
            mark,
        }),
        ..Partial::new("vg0/data", "2026-11-21T03:00:00Z", Some(base))
    }
}

#[test]
fn what_is_kept_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = LedgerFile::new(folder.path().join("a/b/vg0-data.json"));
    assert_eq!(ledger.read().unwrap(), None);
    for partial in [partial(), Partial::new("vg0/data", "now", None)] {
        ledger.keep(&partial).unwrap();
        assert_eq!(ledger.read().unwrap(), Some(partial));
    }
    let mode = fs::metadata(folder.path().join("a/b")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    ledger.remove().unwrap();
    ledger.remove().unwrap();
    assert_eq!(ledger.read().unwrap(), None);
}

#[test]
fn every_damage_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = LedgerFile::new(folder.path().join("one.json"));
    ledger.keep(&partial()).unwrap();
    let whole = fs::read(ledger.path()).unwrap();
    for at in 0..whole.len() {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        for text in [&altered[..], &whole[..at]] {
            fs::write(ledger.path(), text).unwrap();
            match ledger.read() {
                Err(LedgerError::Damaged { .. } | LedgerError::Version { .. } | LedgerError::Older { .. }) => {}
                // Nothing but the space between two words.
                Ok(Some(found)) if found == partial() => assert!(whole[at].is_ascii_whitespace(), "{at}"),
                other => panic!("byte {at}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_table_of_damage() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = LedgerFile::new(folder.path().join("one.json"));
    ledger.keep(&partial()).unwrap();
    let whole = fs::read_to_string(ledger.path()).unwrap();
    for (from, to, says) in [
        ("\"version\": 3", "\"version\": 4", "has version 4, this program knows version 3"),
        ("\"version\": 3", "\"version\": 2", "was made by an older version"),
        ("\"version\": 3", "\"version\": 1", "was made by an older version"),
        ("\"version\": 3", "\"version\": \"3\"", "it has no version"),
        ("\"at_bytes\": 8192", "\"at_bytes\": 8193", "not what its digest says"),
        ("\"at_bytes\": 8192", "\"at_bytes\": -1", "invalid value"),
        ("\"complete\": false", "\"complete\": true", "not what its digest says"),
        ("\"layers\": 2", "\"layers\": 2, \"more\": 1", "unknown field `more`"),
        ("state:1", "state 1", "a layer id holds"),
        ("Z 0 10", "Z 0 0", "expected 64 hex digits"),
    ] {
        let damaged = whole.replacen(from, to, 1);
        assert!(damaged != whole, "{from} is not in {whole}");
        fs::write(ledger.path(), damaged).unwrap();
        let error = ledger.read().unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    fs::remove_file(ledger.path()).unwrap();
    fs::create_dir(ledger.path()).unwrap();
    assert!(matches!(ledger.read(), Err(LedgerError::Unreadable { .. })));
}
