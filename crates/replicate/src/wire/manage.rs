//! The requests that make, take over, compare and remove layers (PROTOCOL.md, "Layers are made and removed").

use std::fmt;
use std::str::FromStr;

use extents::{Bytes, Extent};
use hyperlayer::LayerId;
use hyperlayer::limits::MAX_VOLUME_SIZE;
use lvm_cmd::{LvName, LvRef};
use serde::{Deserialize, Serialize};

use crate::limits::{MAX_BITS, MAX_BLOCK, MAX_LAYERS, MAX_WHY_BYTES, MIN_BLOCK};
use crate::wire::rule::{Rule, at_most, not_own_parent, sectors};
use crate::wire::text::{self, Text};
use crate::{Keep, Pair, Role};

/// A read-only snapshot of the volume is to be made, as a layer of the pair.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Of which volume.
    #[serde(with = "text")]
    pub volume: LvRef,
    /// Whose layer it is.
    #[serde(with = "text")]
    pub pair: Pair,
    /// Which end of the pair the volume is; a destination that exists is compared as a snapshot of it.
    pub role: Role,
    /// Whether it goes when the session ends, in whatever way: for a dry run. It has none of the pair's tags then.
    pub temporary: bool,
}

/// The source is to remember which blocks of a layer differ from one of the destination's, which the source does not
/// have. A Plan and a Send of that layer on that parent in the same session then hold just these.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differ {
    /// The source's volume.
    #[serde(with = "text")]
    pub volume: LvRef,
    /// The pair.
    #[serde(with = "text")]
    pub pair: Pair,
    /// The source's layer.
    #[serde(with = "text")]
    pub layer: LayerId,
    /// The destination's.
    #[serde(with = "text")]
    pub parent: LayerId,
    /// Where the first block begins: 0 in the first request, which forgets what was noted of another layer or parent; then
    /// where the blocks of the request before ended.
    #[serde(rename = "start_bytes", with = "text::bytes")]
    pub start: Bytes,
    /// How long a block is; the volume's last one may be shorter.
    #[serde(rename = "block_bytes", with = "text::bytes")]
    pub block: Bytes,
    /// Of each block, whether it differs.
    #[serde(with = "text")]
    pub bits: Bits,
}

impl Differ {
    pub(crate) fn check(&self) -> Result<(), Rule> {
        not_own_parent(&self.layer, Some(&self.parent))?;
        block("block_bytes", self.block)?;
        if !self.start.get().is_multiple_of(self.block.get()) {
            let expected = "a multiple of block_bytes";
            return Err(Rule::Number { field: "start_bytes", found: self.start.get(), expected });
        }
        at_most("start_bytes", self.start.get(), MAX_VOLUME_SIZE.get())?;
        let len = self.block.get().saturating_mul(self.bits.0.len() as u64);
        let end = self.start.get().saturating_add(len);
        // The last block may be short, so that this lies past the volume's end by less than a block.
        at_most("start_bytes and bits", end, MAX_VOLUME_SIZE.get() + MAX_BLOCK.get())
    }

    /// The blocks that differ, as ranges of the volume in ascending order that do not touch; the last may reach past its end.
    pub fn extents(&self) -> impl Iterator<Item = Extent<Bytes>> + '_ {
        let (start, block) = (self.start.get(), self.block.get());
        let mut at = 0;
        std::iter::from_fn(move || {
            let from = at + self.bits.0.get(at..)?.iter().position(|differs| *differs)?;
            let len = self.bits.0[from..].iter().take_while(|differs| **differs).count();
            at = from + len;
            let bytes = |count: usize| Bytes::new((count as u64).saturating_mul(block));
            Extent::new(Bytes::new(start).saturating_add(bytes(from)), bytes(len))
        })
    }
}

/// A block that can be hashed: a power of two from `MIN_BLOCK` to `MAX_BLOCK`.
pub(crate) fn block(field: &'static str, found: Bytes) -> Result<(), Rule> {
    if found.get().is_power_of_two() && (MIN_BLOCK..=MAX_BLOCK).contains(&found) {
        return Ok(());
    }
    Err(Rule::Number { field, found: found.get(), expected: "a power of two, 4096 to 16777216" })
}

/// 1 to [`MAX_BITS`] yes or no; as text `1` and `0`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bits(Vec<bool>);

/// A text or list that is no [`Bits`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected 1 to {MAX_BITS} of `0` and `1`, found {found} characters")]
pub struct BitsError {
    found: usize,
}

impl Bits {
    /// These.
    ///
    /// # Errors
    /// None, or too many.
    pub fn new(bits: Vec<bool>) -> Result<Self, BitsError> {
        if (1..=MAX_BITS).contains(&bits.len()) { Ok(Self(bits)) } else { Err(BitsError { found: bits.len() }) }
    }

    /// All of them, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[bool] {
        &self.0
    }
}

impl FromStr for Bits {
    type Err = BitsError;

    fn from_str(text: &str) -> Result<Self, BitsError> {
        let bit = |c| match c {
            '0' => Some(false),
            '1' => Some(true),
            _ => None,
        };
        text.chars().map(bit).collect::<Option<_>>().ok_or(BitsError { found: text.len() }).and_then(Self::new)
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|bit| f.write_str(if *bit { "1" } else { "0" }))
    }
}

/// How much of the layer is noted as differing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    /// Of all requests so far; more than they said where gaps were filled to hold few ranges.
    #[serde(with = "text::bytes")]
    pub bytes: Bytes,
}

impl Noted {
    pub(crate) fn check(self) -> Result<(), Rule> {
        sectors("bytes", self.bytes)?;
        at_most("bytes", self.bytes.get(), MAX_VOLUME_SIZE.get())
    }
}

/// A layer of the pair's is to be what is under the destination's own name. A swap that was interrupted is finished first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    /// The destination's own name.
    #[serde(with = "text")]
    pub volume: LvRef,
    /// The pair.
    #[serde(with = "text")]
    pub pair: Pair,
    /// The layer, which is whole.
    #[serde(with = "text")]
    pub layer: LayerId,
    /// Whether what was written to the volume since its layer is kept as a snapshot of its user's, and the volume taken all the
    /// same. Without this, a volume that was written to is refused.
    pub rollback: bool,
    /// Whether nobody may write to the volume.
    pub read_only_live: bool,
}

/// The destination's own name has the layer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settled {
    /// The layer that was asked for.
    #[serde(with = "text")]
    pub layer: LayerId,
    /// The snapshot that keeps what was written, where something was.
    #[serde(with = "text::option")]
    pub kept: Option<LvName>,
}

/// A volume that somebody made is to be a layer of the pair; it becomes read-only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adopt {
    /// The source's or the destination's own name.
    #[serde(with = "text")]
    pub volume: LvRef,
    /// The pair.
    #[serde(with = "text")]
    pub pair: Pair,
    /// Which end that is. Of a destination, `volume` itself becomes the pair's too, and is said to hold the layer: who
    /// wrote to it since is found out at the next listing.
    pub role: Role,
    /// The snapshot, in the same group. A server's rule is asked about its name too.
    #[serde(with = "text")]
    pub snapshot: LvName,
    /// The source's layer that it holds, beside its own UUID; `None` where that alone is its id.
    #[serde(with = "text::option")]
    pub layer: Option<LayerId>,
}

/// The pair's layers that no rule keeps are to go. Never the newest, `common`, one that is held, or one that is not the
/// pair's; older holds of the pair are released before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prune {
    /// The source's or the destination's own name.
    #[serde(with = "text")]
    pub volume: LvRef,
    /// The pair.
    #[serde(with = "text")]
    pub pair: Pair,
    /// Which end that is.
    pub role: Role,
    /// What stays.
    pub policy: Keep,
    /// The newest layer that both sides have.
    #[serde(with = "text")]
    pub common: LayerId,
    /// Whether it is only said what would go.
    pub dry_run: bool,
}

/// What went, or would go.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pruned {
    /// At most [`MAX_LAYERS`]; what is more goes another time.
    #[serde(deserialize_with = "text::bounded::<_, _, MAX_LAYERS>")]
    pub removed: Vec<Removed>,
    /// How many of the pair's stay.
    pub kept: u32,
}

/// A layer's volume that went, or would go.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Removed {
    /// Its name.
    #[serde(with = "text")]
    pub name: LvName,
    /// Why no rule keeps it, in at most [`MAX_WHY_BYTES`].
    pub why: Text,
}

impl Removed {
    /// With its reason, which is cut where it is too long.
    #[must_use]
    pub fn new(name: LvName, why: &str) -> Self {
        let whole = Text::new(why);
        let ends = whole.as_str().char_indices().map(|(at, c)| at + c.len_utf8());
        let end = ends.take_while(|end| *end <= MAX_WHY_BYTES).last().unwrap_or_default();
        Self { name, why: Text::new(&whole.as_str()[..end]) }
    }
}

impl Pruned {
    pub(crate) fn check(&self) -> Result<(), Rule> {
        at_most("removed", self.removed.len() as u64, MAX_LAYERS as u64)?;
        let longest = self.removed.iter().map(|removed| removed.why.as_str().len()).max().unwrap_or_default();
        at_most("why", longest as u64, MAX_WHY_BYTES as u64)
    }
}
