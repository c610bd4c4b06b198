//! Hashes of blocks, for a destination that exists already.

use extents::{Bytes, Extent};
use hyperlayer::LayerId;
use hyperlayer::limits::MAX_VOLUME_SIZE;
use lvm_cmd::LvRef;
use serde::{Deserialize, Serialize};

use crate::limits::MAX_HASHES;
use crate::wire::rule::{Rule, at_most, sectors};
use crate::wire::{manage, text};
use crate::{Pair, Role};

/// Which blocks are hashed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// The source's or the destination's own name.
    #[serde(with = "text")]
    pub volume: LvRef,
    /// The pair.
    #[serde(with = "text")]
    pub pair: Pair,
    /// Which end that is.
    pub role: Role,
    /// The layer of the pair's whose blocks are hashed.
    #[serde(with = "text")]
    pub layer: LayerId,
    /// Where the first block begins.
    #[serde(rename = "start_bytes", with = "text::bytes")]
    pub start: Bytes,
    /// How much is hashed.
    #[serde(rename = "len_bytes", with = "text::bytes")]
    pub len: Bytes,
    /// How long a block is; the last one may be shorter.
    #[serde(rename = "block_bytes", with = "text::bytes")]
    pub block: Bytes,
}

impl Compare {
    pub(crate) fn check(&self) -> Result<(), Rule> {
        let rule = |field, found: Bytes, expected| Err(Rule::Number { field, found: found.get(), expected });
        manage::block("block_bytes", self.block)?;
        if !self.start.get().is_multiple_of(self.block.get()) {
            return rule("start_bytes", self.start, "a multiple of block_bytes");
        }
        sectors("len_bytes", self.len)?;
        let Some(extent) = Extent::new(self.start, self.len) else {
            return rule("len_bytes", self.len, "more than 0, and an end within the volume");
        };
        at_most("start_bytes and len_bytes", extent.end().get(), MAX_VOLUME_SIZE.get())?;
        at_most("blocks", self.hashes(), MAX_HASHES as u64)
    }

    /// How many hashes that makes.
    #[must_use]
    pub const fn hashes(&self) -> u64 {
        match self.block.get() {
            0 => 0,
            block => self.len.get().div_ceil(block),
        }
    }
}

/// The BLAKE3 of consecutive blocks; what is not mapped counts as zeros.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hashes<'a> {
    /// Where the first block begins.
    pub at: Bytes,
    /// One for each block, at most [`MAX_HASHES`].
    pub hashes: &'a [[u8; 32]],
}

impl Hashes<'_> {
    pub(crate) fn check(&self) -> Result<(), Rule> {
        at_most("hashes", self.hashes.len() as u64, MAX_HASHES as u64)
    }
}
