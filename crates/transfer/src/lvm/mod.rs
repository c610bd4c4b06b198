//! The two ends of a transfer on LVM: a [`Source`] is read, a [`Receiving`] volume comes to be.

mod doubt;
mod error;
mod history;
mod lineage;
mod metadata;
mod own;
mod partial;
mod receive;
mod select;
mod snapshot;
mod source;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use block_copy::{Access, Volume};
use hyperlayer::{Header, LayerId};
use lvm_cmd::{Activation, ActivationOptions, DEFAULT_SCRATCH_DIR, Executor, Lv, Patience, StateDir, Tag};

use crate::{Base, Error, Identity, identify};

pub use doubt::Doubt;
pub use error::LvmError;
pub use lineage::Lineage;
pub use metadata::deltas;
pub use own::{Leftovers, Run};
pub use partial::{PartialVolumes, Replaced, Sizes, VolumeSite, partial_target};
pub use receive::{Finish, Receiving, Space, activating};
pub use select::{Destination, Selection, is_quiet, newest_first};
pub use snapshot::{Snapshots, TemporarySnapshot};
pub use source::Source;

/// What every operation on LVM needs.
#[derive(Clone, Copy, Debug)]
pub struct Lvm<'a> {
    /// Runs the programs.
    pub exec: &'a dyn Executor,
    /// Where locks and records lie that other runs must see.
    pub state: &'a StateDir,
    /// A folder on a disk, for the image that `thin_delta` is tested with.
    pub scratch: &'a Path,
    /// The folder in which the device mapper's nodes are.
    pub nodes: &'a Path,
    /// How long to wait for udev, for locks, and for others to let go.
    pub patience: Patience<'a>,
    /// Becomes true when the operation is to stop. What is being undone then is waited for all the same.
    pub stop: &'a AtomicBool,
}

impl<'a> Lvm<'a> {
    /// With the usual patience, a minute, and the usual folders.
    pub fn new(exec: &'a dyn Executor, state: &'a StateDir, stop: &'a AtomicBool) -> Self {
        let patience = Patience::new(Duration::from_secs(60));
        let (scratch, nodes) = (Path::new(DEFAULT_SCRATCH_DIR), Path::new("/dev/mapper"));
        Self { exec, state, scratch, nodes, patience, stop }
    }

    /// Opens an active volume. What makes it busy is waited for: udev looks at every new device.
    fn open_device(&self, activation: &Activation<'_>, access: Access) -> Result<Volume, Error> {
        let open = || Volume::open(activation.path(), access);
        let patience = self.patience.cancelled_by(self.stop);
        Ok(patience.retry(open, |error| error.kind() == block_copy::ErrorKind::Busy)?)
    }

    /// How volumes are activated.
    fn activation(&self) -> ActivationOptions<'a> {
        ActivationOptions { nodes: self.nodes.to_owned(), state: self.state, patience: self.patience }
    }
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

/// Whether the volume is read-only now. Only then does it count as the layer that its UUID or its tag names: what is
/// writable may have been written at any time since. (What was made writable, written, and made read-only again, nobody
/// can tell; the stream's checks of the base may.)
#[must_use]
pub fn keeps_its_layer(volume: &Lv) -> bool {
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

/// All layers that the volume stands for as a base: none where it is writable.
///
/// # Errors
/// As [`layer_of`].
pub fn layers_of(volume: &Lv) -> Result<Vec<LayerId>, Error> {
    if !keeps_its_layer(volume) {
        return Ok(Vec::new());
    }
    let own = LayerId::new(volume.uuid.as_str()).map_err(|source| Error::LayerId { source })?;
    Ok(std::iter::once(own).chain(tagged_layers(volume)).collect())
}

/// Compares a stream's parent with the volume that is to be its base. `force` lets another layer pass, and one that may
/// have changed or is changing.
///
/// # Errors
/// As [`identify`]; and the base is in use and writable, or was writable since it received its layer.
pub fn identify_volume(header: &Header, base: &Lv, force: bool) -> Result<Identity, Error> {
    let name = base.name.to_string();
    if !force && !keeps_its_layer(base) {
        if base.attr.is_open() {
            return Err(Error::BaseInUse { base: name });
        }
        if let Some(expected) = header.parent.clone() {
            let own = LayerId::new(base.uuid.as_str()).ok();
            let was = own.into_iter().chain(tagged_layers(base)).any(|id| header.has_parent(&id));
            if was {
                return Err(Error::BaseWritable { base: name, expected });
            }
        }
    }
    identify(header, &Base { name, size: base.size, ids: layers_of(base)? }, force)
}
