//! What holds for every input, for the fuzzer and the tests.

use std::fmt::Debug;
use std::io::{BufRead, BufReader};
use std::mem::{Discriminant, discriminant};

use extents::{Chunks, Extent};

use crate::{DeltaReader, DumpReader, Error};

/// Reads `data` with both readers, whole and in small pieces.
///
/// # Panics
/// Where a reader breaks a promise: ranges ascend and do not overlap, a document gives the same however it is split,
/// an error is the last item and lies within the input, no range is made up (each takes a tag).
pub fn check(data: &[u8]) {
    fn delta<R: BufRead>(input: R) -> impl Iterator<Item = Result<Extent<Chunks>, Error>> {
        fallible(DeltaReader::new(input).map(|runs| runs.map(|run| Ok(run?.chunks))))
    }
    fn dump<R: BufRead>(input: R) -> impl Iterator<Item = Result<Extent<Chunks>, Error>> {
        fallible(DumpReader::new(input))
    }
    let pieces = |capacity| BufReader::with_capacity(capacity, data);
    same(&judge(data, delta(data)), [judge(data, delta(pieces(1))), judge(data, delta(pieces(7)))]);
    same(&judge(data, dump(data)), [judge(data, dump(pieces(1))), judge(data, dump(pieces(7)))]);
}

fn fallible<I: Iterator<Item = Result<Extent<Chunks>, Error>>>(
    opened: Result<I, Error>,
) -> impl Iterator<Item = I::Item> {
    let (items, error) = match opened {
        Ok(items) => (Some(items), None),
        Err(error) => (None, Some(Err(error))),
    };
    items.into_iter().flatten().chain(error)
}

/// What came out: the last range's end, how many there were, and which error where. The error's text may differ: it
/// quotes what was at hand.
fn judge(
    data: &[u8],
    mut items: impl Iterator<Item = Result<Extent<Chunks>, Error>>,
) -> (Chunks, usize, Option<(u64, Discriminant<Error>)>) {
    let (mut after, mut count) = (Chunks::ZERO, 0);
    while let Some(item) = items.next() {
        match item {
            Ok(range) => {
                assert!(range.start() >= after, "{range} starts before {after}");
                after = range.end();
                count += 1;
                assert!(count * "<same begin='1' length='1'/>".len() <= data.len(), "more ranges than tags");
            }
            Err(error) => {
                assert!(error.position() <= data.len() as u64, "{error} lies past {} bytes", data.len());
                assert!(items.next().is_none(), "an item after {error}");
                return (after, count, Some((error.position(), discriminant(&error))));
            }
        }
    }
    (after, count, None)
}

fn same<T: PartialEq + Debug, const N: usize>(whole: &T, split: [T; N]) {
    for split in split {
        assert_eq!(*whole, split, "whole and split");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// Every file that the fuzzer starts from or once failed on.
    #[test]
    fn corpus() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
        let mut count = 0;
        for folder in ["seeds/thin_delta_xml", "regressions/thin_delta_xml"] {
            for entry in fs::read_dir(fuzz.join(folder)).into_iter().flatten() {
                super::check(&fs::read(entry.unwrap().path()).unwrap());
                count += 1;
            }
        }
        assert!(count > 0, "no seeds in {}", fuzz.display());
    }
}
