//! Which ranges of the base a stream lets its receiver check.

use std::str::FromStr;

use extents::{Bytes, Extent, ExtentSet};

use crate::{Delta, Geometry};

/// How much of the base is hashed into the stream, as `-d` takes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum DetectLevel {
    /// 0: nothing.
    None,
    /// 1: the first block that the delta touches or relies on.
    Head,
    /// 2: that one, and samples of what the delta touches and of what it relies on; the same ones at every run.
    #[default]
    Sampled,
    /// 3: every byte of the base that the result depends on, the unmapped ones too.
    Every,
}

impl DetectLevel {
    /// The number of the level, 0 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl FromStr for DetectLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::None, Self::Head, Self::Sampled, Self::Every]
            .into_iter()
            .find(|level| level.number().to_string() == text)
            .ok_or_else(|| "a level is 0 (nothing), 1 (head), 2 (samples) or 3 (every block)".to_owned())
    }
}

/// The most that one check covers: what a receiver must read before it can say no.
const CHECK_BYTES: Bytes = Bytes::new(16 << 20);
/// The most that one sample covers. A chunk may be 1 GiB long, and a sample is to be cheap.
const SAMPLE_BYTES: Bytes = Bytes::new(64 << 10);
/// How many samples are taken of what the delta touches, and as many of what it relies on.
const SAMPLES: u64 = 64;

/// The ranges of the base to check, ascending. `seed` chooses the samples.
#[must_use]
pub fn checks(level: DetectLevel, delta: &Delta, geometry: Geometry, seed: &str) -> Vec<Extent<Bytes>> {
    // What lies past the new volume's end, the result does not depend on.
    let Some(base) = Extent::whole(geometry.base_size.min(geometry.size)) else { return Vec::new() };
    let touched = delta.data.union(&delta.zero).clip(base);
    let relied = delta.same.clip(base);
    match level {
        DetectLevel::None => Vec::new(),
        DetectLevel::Head => head(&touched.union(&relied), geometry).into_iter().collect(),
        DetectLevel::Every => base.pieces(CHECK_BYTES).collect(),
        DetectLevel::Sampled => {
            let mut random =
                blake3::Hasher::new_derive_key("hyperlayer 1.1 samples").update(seed.as_bytes()).finalize_xof();
            let mut chosen: ExtentSet<Bytes> = head(&touched.union(&relied), geometry).into_iter().collect();
            for set in [&touched, &relied] {
                chosen.extend(samples(set, geometry, &mut random));
            }
            chosen.iter().flat_map(|range| range.pieces(CHECK_BYTES)).collect()
        }
    }
}

fn grain(geometry: Geometry) -> Bytes {
    geometry.chunk.bytes().min(SAMPLE_BYTES)
}

fn head(all: &ExtentSet<Bytes>, geometry: Geometry) -> Option<Extent<Bytes>> {
    all.iter().next()?.pieces(grain(geometry)).next()
}

/// One grain out of each of [`SAMPLES`] equal parts of the set, at a place that `random` chooses.
fn samples(
    set: &ExtentSet<Bytes>,
    geometry: Geometry,
    random: &mut blake3::OutputReader,
) -> impl Iterator<Item = Extent<Bytes>> {
    let total = u128::from(set.total().get());
    let parts = SAMPLES.min(set.total().get().div_ceil(grain(geometry).get()));
    let mut ranges = set.iter();
    let mut now = ranges.next();
    let mut before = 0u128;
    (0..parts).filter_map(move |part| {
        let mut number = [0; 8];
        random.fill(&mut number);
        // A fraction of the part, with 32 bits behind the point.
        let jitter = (total * u128::from(u64::from_le_bytes(number) >> 32)) >> 32;
        let position = (total * u128::from(part) + jitter) / u128::from(parts.max(1));
        while let Some(range) = now {
            let len = u128::from(range.len().get());
            if position < before + len {
                let into = u64::try_from(position - before).ok()?;
                let at = range.start().saturating_add(Bytes::new(into));
                return grain_around(at, grain(geometry)).and_then(|sample| sample.intersection(range));
            }
            before += len;
            now = ranges.next();
        }
        None
    })
}

/// The piece of the volume, cut in steps of `grain`, that holds `at`.
fn grain_around(at: Bytes, grain: Bytes) -> Option<Extent<Bytes>> {
    Extent::new(Bytes::new(at.get() - at.get() % grain.get()), grain)
}
