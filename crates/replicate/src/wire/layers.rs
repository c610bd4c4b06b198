//! What a side has of a volume.

use std::fmt;
use std::str::FromStr;

use extents::Bytes;
use hyperlayer::LayerId;
use lvm_cmd::{Lv, LvName, Tag};
use serde::{Deserialize, Serialize};
use transfer::lvm::{keeps_its_layer, layers_of};

use crate::limits::{MAX_LAYER_IDS, MAX_PAIR_BYTES};
use crate::wire::text;

/// The tag of the volumes on both sides that keep a pair in step, with the pair's name. Beside `hyperlayer.layer=ID`,
/// which says what a received volume holds, and like `hyperlayer.backup=STORE:SERIES` for stores.
const SYNC_TAG: &str = "hyperlayer.sync=";
/// The tag that names the layer which a layer was made against, where that is known.
const PARENT_TAG: &str = "hyperlayer.parent=";

/// The name of a source and its destination, the same on both sides for ever: 1 to [`MAX_PAIR_BYTES`] of the characters
/// of an LVM tag.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Pair {
    tag: Tag,
}

/// A text that is no [`Pair`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "`{}` names no pair: expected 1 to {MAX_PAIR_BYTES} of a-z A-Z 0-9 _ + . - / = ! : & #", text.escape_debug()
)]
pub struct PairError {
    text: String,
}

impl Pair {
    /// The tag of the pair's volumes.
    #[must_use]
    pub fn tag(&self) -> &Tag {
        &self.tag
    }
}

impl FromStr for Pair {
    type Err = PairError;

    fn from_str(name: &str) -> Result<Self, PairError> {
        let refused = || PairError { text: name.chars().take(MAX_PAIR_BYTES).collect() };
        if name.is_empty() || name.len() > MAX_PAIR_BYTES {
            return Err(refused());
        }
        Ok(Self { tag: format!("{SYNC_TAG}{name}").parse().map_err(|_| refused())? })
    }
}

/// The name alone.
impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag.as_str().strip_prefix(SYNC_TAG).unwrap_or_default())
    }
}

/// A volume that holds a layer: a snapshot of the source, or a received state of the destination. It is read-only, or
/// nobody would know what it holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Its name in its group.
    #[serde(with = "text")]
    pub name: LvName,
    /// What it is known by, 1 to [`MAX_LAYER_IDS`]: the layer that was received into it, its own UUID. Two volumes that
    /// share an id hold the same.
    #[serde(with = "text::list")]
    pub ids: Vec<LayerId>,
    /// What it was made against, where that is known.
    #[serde(with = "text::option")]
    pub parent: Option<LayerId>,
    /// When LVM made it, in seconds since 1970, by that host's clock, which may have been wrong.
    pub created_seconds: Option<i64>,
    /// Its size.
    #[serde(rename = "size_bytes", with = "text::bytes")]
    pub size: Bytes,
    /// Whether it carries the pair's tag: only then may it ever be removed.
    pub ours: bool,
}

impl Layer {
    /// What LVM reports, as a layer of the pair; `None` where it is writable, so that nobody knows what it holds.
    ///
    /// # Errors
    /// Its UUID is no layer id.
    pub fn of(volume: &Lv, pair: &Pair) -> Result<Option<Self>, transfer::Error> {
        if !keeps_its_layer(volume) {
            return Ok(None);
        }
        let mut ids = layers_of(volume)?;
        ids.truncate(MAX_LAYER_IDS);
        Ok(Some(Self {
            name: volume.name.lv().clone(),
            // No volume is made against what it holds itself.
            parent: parent_of(volume).filter(|parent| !ids.contains(parent)),
            ids,
            created_seconds: volume.created_seconds,
            size: volume.size,
            ours: volume.has_tag(pair.tag()),
        }))
    }

    /// Whether `copy`, at a destination, holds the same: an id in common, and not smaller. It may be larger, where the extents of
    /// its group are; the rest is zeros.
    #[must_use]
    pub fn is_same(&self, copy: &Self) -> bool {
        copy.size >= self.size && self.ids.iter().any(|id| copy.ids.contains(id))
    }
}

/// What the layer of a volume was made against, as its tag says.
pub(crate) fn parent_of(volume: &Lv) -> Option<LayerId> {
    let named = |tag: &Tag| LayerId::new(tag.as_str().strip_prefix(PARENT_TAG)?).ok();
    volume.tags.iter().find_map(named)
}

/// The tag that says what a layer was made against.
///
/// # Errors
/// Never for an id of the length that the format allows.
pub fn parent_tag(parent: &LayerId) -> Result<Tag, transfer::Error> {
    Ok(format!("{PARENT_TAG}{parent}").parse::<Tag>()?)
}

/// What is under the destination's own name, `VG/LV`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Live {
    /// Nothing.
    Missing,
    /// Exactly this layer: the volume is read-only, or the pool's metadata says that it shares every block with it.
    Holds {
        /// The layer.
        #[serde(with = "text")]
        layer: LayerId,
        /// Whether the pair put it there.
        ours: bool,
    },
    /// Somebody wrote to it since it held this layer.
    Written {
        /// The layer that it held last.
        #[serde(with = "text")]
        since: LayerId,
    },
    /// A volume of which nobody knows what it holds.
    Unknown,
}
