//! A document in which one tag is missing, doubled or misplaced, and one that was cut.

use crate::{data, delta, dump};

/// A reader's verdict: how many ranges there are, or the error's text.
type Read = fn(&str) -> Result<usize, String>;

const DELTA: Read = |text| delta(text.as_bytes()).map(|runs| runs.len()).map_err(|e| e.to_string());
const DUMP: Read = |text| dump(text.as_bytes()).map(|runs| runs.len()).map_err(|e| e.to_string());

const FILES: [(&str, Read); 7] = [
    ("0.9.0-delta.xml", DELTA),
    ("0.9.0-delta-verbose.xml", DELTA),
    ("0.9.0-delta-scattered-verbose.xml", DELTA),
    ("0.9.0-delta-empty.xml", DELTA),
    ("derived-1.x-delta.xml", DELTA),
    ("0.9.0-dump.xml", DUMP),
    ("derived-1.x-dump.xml", DUMP),
];

/// Cuts a document after each `>`.
fn tags(text: &str) -> Vec<&str> {
    text.split_inclusive('>').filter(|tag| tag.ends_with('>')).collect()
}

#[test]
fn every_prefix_is_truncated() {
    for (file, _) in FILES {
        let text = data(file);
        let whole = text.trim_end().len();
        for len in 0..whole {
            let cut = &text.as_bytes()[..len];
            let error = if file.contains("dump") { dump(cut).unwrap_err() } else { delta(cut).unwrap_err() };
            assert!(error.is_truncated(), "{file} cut after {len} bytes: {error}");
            assert_eq!(error.position(), len as u64, "{file}");
        }
    }
}

#[test]
fn a_doubled_tag_is_refused() {
    for (file, read) in FILES {
        let text = data(file);
        let tags = tags(&text);
        for twice in 0..tags.len() {
            let doubled = [&tags[..=twice], &tags[twice..]].concat().concat();
            assert!(read(&doubled).is_err(), "{file} with {} twice", tags[twice]);
        }
    }
}

#[test]
fn a_missing_tag_is_refused() {
    for (file, read) in FILES {
        let text = data(file);
        let tags = tags(&text);
        let ranges = read(&text).unwrap();
        for gone in 0..tags.len() {
            let rest = [&tags[..gone], &tags[gone + 1..]].concat().concat();
            // A delta may skip any chunks: that a run is missing from a list of several, nothing shows.
            let listed = tags[gone].contains(" begin=") && !only_range(&tags, gone);
            if listed {
                assert_eq!(read(&rest), Ok(ranges - 1), "{file} without {}", tags[gone]);
            } else {
                assert!(read(&rest).is_err(), "{file} without {}", tags[gone]);
            }
        }
    }
}

/// Whether the tag stands alone in a wrapper of the verbose format.
fn only_range(tags: &[&str], at: usize) -> bool {
    tags[at].contains("<range") && !tags[at - 1].contains("<range") && !tags[at + 1].contains("<range")
}

#[test]
fn neighbours_that_change_places_are_refused() {
    for (file, read) in FILES {
        let text = data(file);
        let mut tags = tags(&text);
        for first in 0..tags.len() - 1 {
            tags.swap(first, first + 1);
            assert!(read(&tags.concat()).is_err(), "{file} with {} after {}", tags[first + 1], tags[first]);
            tags.swap(first, first + 1);
        }
    }
}
