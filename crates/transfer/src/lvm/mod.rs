//! The two ends of a transfer on LVM: a [`Source`] is read, a [`Receiving`] volume comes to be.

mod error;
mod metadata;
mod own;
mod receive;
mod select;
mod snapshot;
mod source;

use std::sync::atomic::AtomicBool;

use hyperlayer::LayerId;
use lvm_cmd::{Executor, Lv, Patience, StateDir, Tag};

use crate::Error;

pub use error::LvmError;
pub use own::{Leftovers, Run};
pub use receive::{Finish, Receiving, Space};
pub use select::{Selection, newest_first};
pub use snapshot::TemporarySnapshot;
pub use source::Source;

/// What every operation on LVM needs.
#[derive(Clone, Copy, Debug)]
pub struct Lvm<'a> {
    /// Runs the programs.
    pub exec: &'a dyn Executor,
    /// Where locks and records lie that other runs must see.
    pub state: &'a StateDir,
    /// How long to wait for udev, for locks, and for others to let go.
    pub patience: Patience<'a>,
    /// Becomes true when the operation is to stop. What is being undone then is waited for all the same.
    pub stop: &'a AtomicBool,
}

/// The tag that names the layer which a volume received. LVM gives a received volume a UUID of its own, and `origin`
/// does not survive a merge, so lineage is kept here.
const LAYER_TAG: &str = "hyperlayer.layer=";

/// The tag for a layer.
///
/// # Errors
/// The id is too long for a tag.
pub fn layer_tag(layer: &LayerId) -> Result<Tag, Error> {
    Ok(format!("{LAYER_TAG}{layer}").parse::<Tag>()?)
}

/// The layer that was received into a volume, as its tag says.
fn tagged_layers(volume: &Lv) -> impl Iterator<Item = LayerId> + '_ {
    volume.tags.iter().filter_map(|tag| LayerId::new(tag.as_str().strip_prefix(LAYER_TAG)?).ok())
}

/// Whether nobody can have changed the volume since its tag was set: the tag's word counts only then.
fn keeps_its_layer(volume: &Lv) -> bool {
    volume.attr.permission() == lvm_cmd::Permission::ReadOnly
}

/// What a stream calls the volume: the layer that was received into it, so that a copy can be sent on under its first
/// name; else its own UUID.
///
/// # Errors
/// The UUID is no layer id.
pub fn layer_of(volume: &Lv) -> Result<LayerId, Error> {
    match tagged_layers(volume).next().filter(|_| keeps_its_layer(volume)) {
        Some(layer) => Ok(layer),
        None => LayerId::new(volume.uuid.as_str()).map_err(|source| Error::LayerId { source }),
    }
}

/// All layers that the volume may stand for as a base.
///
/// # Errors
/// As [`layer_of`].
pub fn layers_of(volume: &Lv) -> Result<Vec<LayerId>, Error> {
    let own = LayerId::new(volume.uuid.as_str()).map_err(|source| Error::LayerId { source })?;
    let tagged = tagged_layers(volume).filter(|_| keeps_its_layer(volume));
    Ok(std::iter::once(own).chain(tagged).collect())
}

/// Whether the volume carries the layer's tag and was writable at some time since.
#[must_use]
pub fn may_have_left(volume: &Lv, layer: &LayerId) -> bool {
    !keeps_its_layer(volume) && tagged_layers(volume).any(|tagged| tagged == *layer)
}
