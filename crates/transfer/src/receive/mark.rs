//! How far a layer is.

use block_copy::ReadAt;
use extents::{Bytes, Extent};
use hyperlayer::{Digest, Outline};
use serde::{Deserialize, Serialize};

use super::{Sum, text};
use crate::Error;

/// How much of a layer is in its target for good, and how far it may have been written to.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Every record below this is written, complete and durable. A border of the target's chunks.
    #[serde(rename = "at_bytes", with = "text::bytes")]
    pub at: Bytes,
    /// Nothing of the layer was written from here on.
    #[serde(rename = "reach_bytes", with = "text::bytes")]
    pub reach: Bytes,
    /// Where the records below [`at`](Self::at) lie.
    #[serde(with = "text")]
    pub outline: Outline,
    /// What the data records below [`at`](Self::at) hold.
    #[serde(with = "text")]
    pub sum: Sum,
    /// Some of what was written below [`at`](Self::at).
    pub samples: Samples,
}

/// The beginnings of some records that are in, in ascending order: at most 64, the newer ones denser. With them a
/// receiver of a rest finds out whether its target was rolled back.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Samples(Vec<Sample>);

/// The digest of a range.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    #[serde(rename = "at_bytes", with = "text::bytes")]
    at: Bytes,
    #[serde(rename = "len_bytes", with = "text::bytes")]
    len: Bytes,
    #[serde(with = "text")]
    blake3: Digest,
}

impl Samples {
    const COUNT_MAX: usize = 64;
    pub(super) const BYTES_MAX: usize = 4096;

    /// Samples a record that begins with `content` at `at`, past all samples so far.
    pub(super) fn add(&mut self, at: Bytes, content: &[u8]) {
        let content = &content[..content.len().min(Self::BYTES_MAX)];
        if self.0.len() == Self::COUNT_MAX {
            let mut number = 0usize;
            self.0.retain(|_| {
                number += 1;
                number.is_multiple_of(2)
            });
        }
        self.0.push(Sample { at, len: content.len().into(), blake3: digest(content) });
    }

    /// Samples a record of zeros.
    pub(super) fn add_zeros(&mut self, extent: Extent<Bytes>) {
        let len = extent.len().to_usize().unwrap_or(usize::MAX).min(Self::BYTES_MAX);
        self.add(extent.start(), &[0; Self::BYTES_MAX][..len]);
    }

    /// The samples that lie below `border`.
    pub(super) fn below(&self, border: Bytes) -> Self {
        Self(self.0.iter().filter(|sample| sample.at.saturating_add(sample.len) <= border).cloned().collect())
    }

    /// The samples that begin at `at` or later.
    pub(super) fn past(&self, at: Bytes) -> Self {
        Self(self.0.iter().filter(|sample| sample.at >= at).cloned().collect())
    }

    /// Whether the target holds them all.
    ///
    /// # Errors
    /// The target cannot be read.
    pub(super) fn are_in(&self, target: &dyn ReadAt) -> Result<bool, Error> {
        let mut content = [0; Self::BYTES_MAX];
        for sample in &self.0 {
            let Some(part) = sample.len.to_usize().and_then(|len| content.get_mut(..len)) else { return Ok(false) };
            target.read_at(sample.at, part)?;
            if digest(part) != sample.blake3 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn digest(content: &[u8]) -> Digest {
    Digest(blake3::hash(content).into())
}

/// How far past its record a mark lets others be written before there must be another mark, in bytes of the volume. After a
/// crash that much at most is compared with what the target was made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reach(pub Bytes);

impl Default for Reach {
    /// 4 GiB: read in seconds, and passed by 256 marks for each TiB.
    fn default() -> Self {
        Self(Bytes::new(4 << 30))
    }
}
