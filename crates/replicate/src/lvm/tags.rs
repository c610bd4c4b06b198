//! What the tags of a volume say of pairs; `hyperlayer.sync=PAIR`, `hyperlayer.layer=ID` and `hyperlayer.parent=ID` are
//! [`Layer`](crate::Layer)'s.

use hyperlayer::LayerId;
use lvm_cmd::{Lv, NameError, Tag};

use crate::Pair;

/// A volume of a pair, with the pair's name.
const SYNC: &str = "hyperlayer.sync=";
/// A snapshot of a source, beside `hyperlayer.sync=PAIR`: both ends of a pair may be in one group.
const SOURCE: &str = "hyperlayer.source=";
/// A layer that the pair's next delta, or one that was interrupted, needs.
const HOLD: &str = "hyperlayer.hold=";
/// The layer that the live volume was made of.
const LIVE: &str = "hyperlayer.live=";
/// A live volume that was replaced and stays: as what, followed by the moment and, where that is taken, a counter.
const KEEP: &str = "hyperlayer.keep=";
/// A live volume that was writable, and is read-only as long as it is looked at and replaced.
const CLOSED: &str = "hyperlayer.closed";
/// A volume that is being received, with the name that it gets.
const PARTIAL: &str = "hyperlayer.partial=";
/// Somebody else made it: it is never removed.
const ADOPTED: &str = "hyperlayer.adopted";

pub(super) fn source(pair: &Pair) -> Result<Tag, NameError> {
    format!("{SOURCE}{pair}").parse()
}

pub(super) fn hold(pair: &Pair) -> Result<Tag, NameError> {
    format!("{HOLD}{pair}").parse()
}

pub(super) fn live(layer: &LayerId) -> Result<Tag, NameError> {
    format!("{LIVE}{layer}").parse()
}

pub(super) fn adopted() -> Result<Tag, NameError> {
    ADOPTED.parse()
}

/// Why a live volume that was replaced stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Keep {
    /// Somebody wrote to it since it held its layer.
    Written,
    /// It was there before the pair was.
    Before,
}

impl Keep {
    const ALL: [Self; 2] = [Self::Written, Self::Before];

    /// As it stands in the name.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Before => "before",
        }
    }

    pub(super) fn tag(self) -> Result<Tag, NameError> {
        format!("{KEEP}{}", self.word()).parse()
    }

    /// What the tags of a volume say.
    pub(super) fn of(volume: &Lv) -> Option<Self> {
        let word = value(volume, KEEP)?;
        Self::ALL.into_iter().find(|keep| keep.word() == word)
    }
}

/// Whether any pair needs it.
pub(super) fn is_held(volume: &Lv) -> bool {
    value(volume, HOLD).is_some()
}

pub(super) fn closed() -> Result<Tag, NameError> {
    CLOSED.parse()
}

pub(super) fn is_closed(volume: &Lv) -> bool {
    volume.tags.iter().any(|tag| tag.as_str() == CLOSED)
}

pub(super) fn is_adopted(volume: &Lv) -> bool {
    volume.tags.iter().any(|tag| tag.as_str() == ADOPTED)
}

/// The layer that a live volume was made of, and the tag that says so.
pub(super) fn live_of(volume: &Lv) -> Option<(LayerId, &Tag)> {
    volume.tags.iter().find_map(|tag| Some((LayerId::new(tag.as_str().strip_prefix(LIVE)?).ok()?, tag)))
}

/// Another pair than this one that the volume belongs to.
pub(super) fn other_pair(volume: &Lv, pair: &Pair) -> Option<String> {
    let name = |tag: &Tag| Some(tag.as_str().strip_prefix(SYNC)?.to_owned());
    pairs(volume).filter(|tag| *tag != pair.tag()).find_map(name)
}

/// Whether a layer was received, and still has the tag of volumes that are being received.
pub(super) fn is_being_named(volume: &Lv) -> bool {
    value(volume, PARTIAL).is_some()
}

/// The tag of each pair that the volume belongs to.
pub(super) fn pairs(volume: &Lv) -> impl Iterator<Item = &Tag> {
    volume.tags.iter().filter(|tag| tag.as_str().starts_with(SYNC))
}

/// Whether it is a snapshot of a pair's source.
pub(super) fn is_source(volume: &Lv) -> bool {
    value(volume, SOURCE).is_some()
}

fn value<'l>(volume: &'l Lv, key: &str) -> Option<&'l str> {
    volume.tags.iter().find_map(|tag| tag.as_str().strip_prefix(key))
}
