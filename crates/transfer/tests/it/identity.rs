//! Whether a stream is meant for a base.

use extents::Bytes;
use hyperlayer::{Header, LayerId, Totals};
use transfer::{Base, Error, ErrorKind, Identity, identify, needs_no_base};

use crate::chunk;

const SIZE: Bytes = Bytes::new(1 << 20);

fn full() -> Header {
    Header::full(SIZE, chunk(65536), Totals::default())
}

fn delta(parent: Option<&str>) -> Header {
    Header { parent: parent.map(id), ..Header::delta(SIZE, SIZE, chunk(65536), Totals::default()) }
}

fn id(text: &str) -> LayerId {
    LayerId::new(text).unwrap()
}

fn base(size: Bytes, ids: &[&str]) -> Base {
    Base { name: "vg/base".to_owned(), size, ids: ids.iter().map(|text| id(text)).collect() }
}

#[test]
fn the_table() {
    let other = Bytes::new(2 << 20);
    // The stream, the base's size, its layers, forced; what comes of it.
    type Expected = Result<Identity, fn(&Error) -> bool>;
    let wrong: Expected = Err(|error| matches!(error, Error::WrongBase { .. }));
    let size: Expected = Err(|error| matches!(error, Error::BaseSize { .. }));
    let full_layer: Expected = Err(|error| matches!(error, Error::FullLayer { .. }));
    let table: &[(Header, Bytes, &[&str], bool, &Expected)] = &[
        (delta(Some("monday")), SIZE, &["monday"], false, &Ok(Identity::Proven)),
        (delta(Some("monday")), SIZE, &["uuid", "monday"], false, &Ok(Identity::Proven)),
        (delta(Some("monday")), SIZE, &["monday"], true, &Ok(Identity::Proven)),
        (delta(Some("monday")), SIZE, &["tuesday"], false, &wrong),
        (delta(Some("monday")), SIZE, &["MONDAY"], false, &wrong),
        (delta(Some("monday")), SIZE, &[], false, &wrong),
        (delta(Some("monday")), SIZE, &["tuesday"], true, &Ok(Identity::Forced)),
        (delta(None), SIZE, &["monday"], false, &Ok(Identity::Unnamed)),
        (delta(None), SIZE, &[], true, &Ok(Identity::Unnamed)),
        // A wrong size is never right, whatever is forced.
        (delta(Some("monday")), other, &["monday"], false, &size),
        (delta(Some("monday")), other, &["tuesday"], true, &size),
        (delta(None), other, &[], true, &size),
        // A full layer replaces everything.
        (full(), SIZE, &["monday"], false, &full_layer),
        (full(), SIZE, &[], true, &full_layer),
    ];
    for (header, size, ids, force, expected) in table {
        let found = identify(header, &base(*size, ids), *force);
        match (&found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{:?} on {ids:?}", header.parent),
            (Err(error), Err(is_expected)) => {
                assert!(is_expected(error), "{:?} on {ids:?}: {error:?}", header.parent);
                assert_eq!(error.kind(), ErrorKind::Refused);
            }
            _ => panic!("{:?} on {ids:?}: {found:?}", header.parent),
        }
    }
}

/// A stream of 1.0 is of volumes of one size, or says no size at all.
#[test]
fn sizes_under_1_0() {
    let header = Header { parent: Some(id("monday")), ..Header::v1_0(SIZE, chunk(65536), Totals::default(), 0) };
    let small = base(Bytes::new(512), &["monday"]);
    assert!(matches!(identify(&header, &small, true).unwrap_err(), Error::BaseSize { .. }));
    let silent = Header { volume_size: None, ..header };
    assert_eq!(identify(&silent, &small, false).unwrap(), Identity::Proven);
}

#[test]
fn a_delta_needs_a_base() {
    needs_no_base(&full()).unwrap();
    let error = needs_no_base(&delta(Some("monday"))).unwrap_err();
    assert!(matches!(&error, Error::NeedsBase { parent } if *parent == Some(id("monday"))), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Refused);
}
