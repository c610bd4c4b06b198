//! How far a layer is.

use extents::Bytes;
use hyperlayer::Outline;
use serde::{Deserialize, Serialize};

use super::text;

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
