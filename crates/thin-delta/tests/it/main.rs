//! Recorded documents, properties of all documents, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod input;
mod prop;
mod recorded;
mod refused;
mod tags;

use std::io::BufRead;
use std::path::PathBuf;

use extents::{Chunks, Extent};
use thin_delta::{DeltaReader, DumpReader, Error, Run, RunKind};

/// A file of `tests/data`.
fn data(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn chunks(start: u64, len: u64) -> Extent<Chunks> {
    Extent::new(Chunks::new(start), Chunks::new(len)).unwrap()
}

fn run((kind, start, len): (RunKind, u64, u64)) -> Run {
    Run { kind, chunks: chunks(start, len) }
}

/// All runs of a document, or its error, which must come last.
fn delta(input: impl BufRead) -> Result<Vec<Run>, Error> {
    all(DeltaReader::new(input)?)
}

/// All mapped ranges of a document, or its error, which must come last.
fn dump(input: impl BufRead) -> Result<Vec<Extent<Chunks>>, Error> {
    all(DumpReader::new(input)?)
}

fn all<T>(mut items: impl Iterator<Item = Result<T, Error>>) -> Result<Vec<T>, Error> {
    let mut good = Vec::new();
    let result = loop {
        match items.next() {
            Some(Ok(item)) => good.push(item),
            Some(Err(e)) => break Err(e),
            None => break Ok(good),
        }
    };
    assert!(items.next().is_none(), "an item after the end");
    result
}
