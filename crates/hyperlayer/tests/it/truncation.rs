//! A stream that lacks its end, or has another byte, is never taken for a whole one.

use hyperlayer::Completeness;
use hyperlayer::fuzzing::{Owned, events};

use crate::streams::{GOLDEN, is_cut};

/// The prefixes that are taken for streams, each as what it is sure of.
fn accepted_prefixes(stream: &[u8]) -> Vec<(usize, Completeness)> {
    let mut accepted = Vec::new();
    for len in 0..stream.len() {
        let (all, error) = events([&stream[..len]]);
        match (error, all.last()) {
            (Some(error), _) => {
                assert!(is_cut(&error.kind), "cut after {len} bytes: {error}");
                assert_eq!(error.position, len as u64);
            }
            (None, Some(Owned::End(end))) => accepted.push((len, end.completeness)),
            (None, other) => panic!("cut after {len} bytes: ends with {other:?}"),
        }
    }
    accepted
}

#[test]
fn every_prefix_is_cut() {
    for (name, stream) in GOLDEN {
        let accepted = accepted_prefixes(stream);
        let mut sure: Vec<_> = accepted.iter().map(|(_, completeness)| *completeness).collect();
        sure.dedup();
        // What 1.0 cannot know, it says: without `Delta blocks` every record may be the last, and whoever cuts off the
        // whole end line takes away the proof, not the count.
        let expected: (usize, &[Completeness]) = match *name {
            "published-1.0.hl" => (4, &[Completeness::Unknown]),
            "lvbackup-1.0.hl" => (3, &[Completeness::Unknown]),
            "ours-1.0.hl" => (1, &[Completeness::Counted]),
            "thin-send-1.0.bin" => (3, &[Completeness::Unknown]),
            "lvmsync.bin" => (7, &[Completeness::Unknown]),
            // Only the newline after the last tag.
            "ddxml.xml" => (1, &[Completeness::Counted]),
            _ => (0, &[]),
        };
        assert_eq!((accepted.len(), sure.as_slice()), expected, "{name}: {accepted:?}");
    }
}

#[test]
fn every_changed_byte_is_seen() {
    for (name, stream) in GOLDEN.iter().filter(|(name, _)| name.ends_with("-1.1.hl")) {
        let mut changed = stream.to_vec();
        for at in 0..stream.len() {
            for flip in [0x01, 0x20, 0xff] {
                changed[at] ^= flip;
                assert!(events([changed.as_slice()]).1.is_some(), "{name}: byte {at} changed by {flip:#x}");
                changed[at] ^= flip;
            }
        }
    }
}

/// Its digests cover everything but the order and number of its blocks, which the format says once.
#[test]
fn changed_bytes_of_the_first_lvbackup_are_seen() {
    for (name, stream) in GOLDEN.iter().filter(|(name, _)| name.starts_with("lvbackup-v1-")) {
        let mut changed = stream.to_vec();
        for at in (0..200).chain((200..stream.len()).step_by(97)) {
            changed[at] ^= 0x20;
            assert!(events([changed.as_slice()]).1.is_some(), "{name}: byte {at} changed");
            changed[at] ^= 0x20;
        }
    }
}

#[test]
fn every_missing_or_added_byte_is_seen() {
    for (name, stream) in GOLDEN.iter().filter(|(name, _)| name.ends_with("-1.1.hl")) {
        for at in 0..stream.len() {
            let missing = [&stream[..at], &stream[at + 1..]];
            assert!(events(missing).1.is_some(), "{name}: without byte {at}");
            let added = [&stream[..at], &[stream[at]], &stream[at..]];
            assert!(events(added).1.is_some(), "{name}: byte {at} twice");
        }
    }
}
