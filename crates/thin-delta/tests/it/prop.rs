//! What is written as the tools write it is read as it was meant, however the input is split.

use std::fmt::Write;
use std::io::{BufReader, Read};

use proptest::prelude::*;
use thin_delta::{Run, RunKind};

use crate::{chunks, delta, dump, run};

const KINDS: [RunKind; 4] = [RunKind::Same, RunKind::Different, RunKind::LeftOnly, RunKind::RightOnly];

fn name(kind: RunKind) -> &'static str {
    match kind {
        RunKind::Same => "same",
        RunKind::Different => "different",
        RunKind::LeftOnly => "left_only",
        RunKind::RightOnly => "right_only",
    }
}

/// Runs in order, from gaps, lengths and kinds.
fn runs() -> impl Strategy<Value = Vec<Run>> {
    let part = (0..3u64, prop_oneof![1..5u64, 1..1u64 << 40], prop::sample::select(&KINDS[..]));
    (0..1u64 << 44, prop::collection::vec(part, 0..40)).prop_map(|(start, parts)| {
        let mut at = start;
        let place = |(gap, len, kind)| {
            at += gap + len;
            run((kind, at - len, len))
        };
        parts.into_iter().map(place).collect()
    })
}

/// As `thin_delta` prints it. `shape` turns attributes round, quotes them otherwise, adds one of the future.
fn print_delta(runs: &[Run], verbose: bool, shape: usize) -> String {
    let element = |name: &str, run: &Run| {
        let (begin, length) = (run.chunks.start(), run.chunks.len());
        match shape % 3 {
            0 => format!("<{name} begin=\"{begin}\" length=\"{length}\"/>"),
            1 => format!("<{name} length='{length}'  x:y='\"' begin='{begin}' />"),
            _ => format!("<{name}\n  length = \"{length}\"\tdata_begin=\"no number\" begin=\"{begin}\"\r\n/>"),
        }
    };
    let mut text = "<superblock uuid=\"\" time=\"1\" transaction=\"3\" data_block_size=\"128\">\n".to_owned();
    text += "  <diff left=\"1\" right=\"2\">\n";
    if verbose {
        for group in runs.chunk_by(|a, b| a.kind == b.kind) {
            let name = name(group[0].kind);
            writeln!(text, "    <{name}>").unwrap();
            group.iter().for_each(|run| writeln!(text, "      {}", element("range", run)).unwrap());
            writeln!(text, "    </{name}>").unwrap();
        }
    } else {
        runs.iter().for_each(|run| writeln!(text, "    {}", element(name(run.kind), run)).unwrap());
    }
    text + "  </diff>\n</superblock>" + ["\n", "", " \r\n\t"][shape % 3]
}

fn print_dump(runs: &[Run]) -> String {
    let mapped: u64 = runs.iter().map(|run| run.chunks.len().get()).sum();
    let mut text = "<superblock uuid=\"\" time=\"1\" transaction=\"3\" data_block_size=\"128\">\n".to_owned();
    writeln!(
        text,
        "  <device dev_id=\"1\" mapped_blocks=\"{mapped}\" transaction=\"0\" creation_time=\"0\" snap_time=\"1\">"
    )
    .unwrap();
    for run in runs {
        let (begin, length) = (run.chunks.start(), run.chunks.len());
        if length.get() == 1 {
            writeln!(text, "    <single_mapping origin_block=\"{begin}\" data_block=\"7\" time=\"0\"/>").unwrap();
        } else {
            writeln!(
                text,
                "    <range_mapping origin_begin=\"{begin}\" data_begin=\"7\" length=\"{length}\" time=\"0\"/>"
            )
            .unwrap();
        }
    }
    text + "  </device>\n</superblock>\n"
}

proptest! {
    #[test]
    fn printed_deltas_are_read(runs in runs(), verbose: bool, shape: usize) {
        prop_assert_eq!(delta(print_delta(&runs, verbose, shape).as_bytes()).unwrap(), runs);
    }

    #[test]
    fn printed_dumps_are_read(runs in runs()) {
        let mapped: Vec<_> = runs.iter().map(|run| chunks(run.chunks.start().get(), run.chunks.len().get())).collect();
        prop_assert_eq!(dump(print_dump(&runs).as_bytes()).unwrap(), mapped);
    }

    #[test]
    fn any_split_gives_the_same(
        runs in runs(), verbose: bool, shape: usize, capacity in 1..100usize, cut: prop::sample::Index, other: u8,
    ) {
        let mut text = print_delta(&runs, verbose, shape).into_bytes();
        let cut = cut.index(text.len());
        // Half of the documents are spoilt: the error is the same too.
        if other % 2 == 0 {
            text[cut] = other;
        }
        let verdict = |result: Result<Vec<Run>, thin_delta::Error>| result.map_err(|e| (e.position(), e.is_truncated()));
        let whole = verdict(delta(&text[..]));
        prop_assert_eq!(&whole, &verdict(delta((&text[..cut]).chain(&text[cut..]))));
        prop_assert_eq!(&whole, &verdict(delta(BufReader::with_capacity(capacity, &text[..]))));
    }

    #[test]
    fn nothing_that_was_cut_is_read(runs in runs(), verbose: bool, cut: prop::sample::Index) {
        let text = print_delta(&runs, verbose, 1);
        prop_assert!(delta(&text.as_bytes()[..cut.index(text.len())]).unwrap_err().is_truncated());
        let text = print_dump(&runs);
        prop_assert!(dump(&text.as_bytes()[..cut.index(text.len() - 1)]).unwrap_err().is_truncated());
    }

    #[test]
    fn any_bytes_are_read_or_refused(data: Vec<u8>) {
        prop_assert!(delta(&data[..]).is_err());
        prop_assert!(dump(&data[..]).is_err());
    }
}
