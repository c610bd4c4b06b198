//! Sizes as people write them.

use extents::{Bytes, human, parse_size};
use proptest::prelude::*;

#[test]
fn lvm_suffixes() {
    for (text, bytes) in [
        ("0", 0),
        ("4096", 4096),
        ("8s", 4096),
        ("64k", 65536),
        ("64K", 64000),
        ("64KiB", 65536),
        ("64kB", 64000),
        ("1m", 1 << 20),
        ("10g", 10 << 30),
        ("1T", 1_000_000_000_000),
        ("15e", 15 << 60),
        ("1.5k", 1536),
        ("0.5s", 256),
        ("2.50GiB", 5 << 29),
    ] {
        assert_eq!(parse_size(text), Ok(Bytes::new(bytes)), "{text}");
    }
    for (text, why) in [
        ("", "does not start with a number"),
        ("k", "does not start with a number"),
        ("-1", "does not start with a number"),
        (".5k", "does not start with a number"),
        ("1.3k", "is not a whole number of bytes"),
        ("1.5", "is not a whole number of bytes"),
        ("1.k", "digits after the point"),
        ("1.0000000000000000000k", "digits after the point"),
        ("1.5.5k", "unknown suffix"),
        ("1 g", "unknown suffix"),
        ("1x", "unknown suffix"),
        ("16e", "more than 16 EiB"),
        ("99999999999999999999", "more than 16 EiB"),
    ] {
        let refused = parse_size(text).unwrap_err().to_string();
        assert!(refused.contains(why), "{text}: {refused}");
    }
}

#[test]
fn for_people() {
    for (bytes, text) in [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (u64::MAX, "15.9 EiB")] {
        assert_eq!(human(Bytes::new(bytes)).to_string(), text);
    }
}

proptest! {
    #[test]
    fn any_text_is_a_size_or_an_error(text in "\\PC{0,12}") {
        let _ = parse_size(&text);
    }

    #[test]
    fn bytes_are_themselves(bytes: u64) {
        prop_assert_eq!(parse_size(&bytes.to_string()), Ok(Bytes::new(bytes)));
    }
}
