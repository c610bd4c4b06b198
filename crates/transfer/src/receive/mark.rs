//! How far a layer is.

use extents::Bytes;
use hyperlayer::Outline;
use serde::{Deserialize, Serialize};

use super::text;

/// How much of a layer is in its target for good: everything below a byte of the volume.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Every record below this is written, complete and durable. A border of the target's chunks.
    #[serde(rename = "at_bytes", with = "text::bytes")]
    pub at: Bytes,
    /// Where those records lie.
    #[serde(with = "text")]
    pub outline: Outline,
}
