//! A volume that comes to be: under a name of ours until it is whole.

use block_copy::{Access, ReadAt, Volume};
use extents::{Bytes, ChunkSize, Chunks};
use hyperlayer::LayerId;
use lvm_cmd::{
    Activation, ActivationError, Change, Lv, LvName, LvRef, NewVolume, Permission, PoolMode, PoolStatus, Tag, Uuid,
    VolumeError, change, create_snapshot, create_thin, mapped, pool_status, rename, resize, volume,
};

use super::LvmError;
use super::own::{receiving_tag, remove};
use super::{Lvm, Run, layer_tag};
use crate::Error;

/// What a layer needs of the pool that it is received in.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// The pool's chunk.
    pub chunk: ChunkSize,
    /// The most chunks that its data takes; `None` where nobody knows.
    pub chunks: Option<Chunks>,
    /// How many records that data comes in: what is together in a record is together in the metadata too.
    pub records: Option<u64>,
    /// The size of the new volume.
    pub size: Bytes,
}

/// How many mappings a node of the metadata's B-tree holds at least when it was split in half
/// (`Documentation/admin-guide/device-mapper/persistent-data.rst`: 4 KiB nodes, 16 bytes an entry).
const MAPPINGS_PER_NODE: u64 = 126;
/// One node, in bytes.
const NODE_BYTES: u64 = 4096;

impl Space {
    /// Checks that the pool works and has room. Runs one command.
    ///
    /// # Errors
    /// It is not healthy, or too full.
    pub fn check(self, lvm: &Lvm<'_>, pool: &Lv) -> Result<(), Error> {
        let status = pool_status(lvm.exec, &pool.name)?;
        self.fits(&pool.name, &status)
    }

    fn fits(self, pool: &LvRef, status: &PoolStatus) -> Result<(), Error> {
        if status.needs_check {
            return Err(LvmError::NeedsCheck { pool: pool.clone() }.into());
        }
        if status.mode != PoolMode::ReadWrite {
            return Err(LvmError::PoolNotWritable { pool: pool.clone(), mode: status.mode }.into());
        }
        let Some(chunks) = self.chunks else { return Ok(()) };
        if chunks > status.data_free() {
            let bytes = |chunks| self.chunk.offset(chunks).unwrap_or(Bytes::new(u64::MAX));
            return Err(LvmError::PoolFull {
                pool: pool.clone(),
                what: "data",
                needed: bytes(chunks),
                free: bytes(status.data_free()),
            }
            .into());
        }
        let needed = self.metadata_needed(chunks);
        if needed > status.metadata_free() {
            return Err(LvmError::PoolFull {
                pool: pool.clone(),
                what: "metadata",
                needed,
                free: status.metadata_free(),
            }
            .into());
        }
        Ok(())
    }

    /// At the worst every record lies in nodes of its own, which are copied as the snapshot is written to.
    fn metadata_needed(self, chunks: Chunks) -> Bytes {
        let all = self.chunk.count(self.size).get() / MAPPINGS_PER_NODE + 1;
        let full = chunks.get() / MAPPINGS_PER_NODE;
        let touched = self.records.map_or(chunks.get(), |records| full.saturating_add(records.saturating_mul(2)));
        Bytes::new(touched.min(chunks.get()).min(all) * NODE_BYTES + PoolStatus::METADATA_FLOOR.get())
    }
}

/// A volume under a name of ours, with a tag that says which one it will be. Dropped without
/// [`finish`](Self::finish), it is removed.
#[derive(Debug)]
#[must_use = "the volume is removed as soon as this is dropped"]
pub struct Receiving<'a> {
    // Dropped in this order: closed, deactivated, removed.
    volume: Volume,
    activation: Activation<'a>,
    undo: Undo<'a>,
    name: LvName,
    uuid: Uuid,
}

/// Removes the volume when it is dropped, unless it was defused.
#[derive(Debug)]
struct Undo<'a> {
    lvm: Lvm<'a>,
    temporary: LvRef,
    proof: Tag,
    exists: bool,
}

/// What a volume becomes when it is whole.
#[derive(Clone, Debug)]
pub struct Finish {
    /// The layer that it holds; `None` where the stream does not name it.
    pub layer: Option<LayerId>,
    /// Its size: that of the stream's volume.
    pub size: Bytes,
    /// Whether it may be written. Only what may not keeps its layer.
    pub permission: Permission,
}

impl<'a> Receiving<'a> {
    /// A new snapshot of `base`, at least `size` large, to become `name`. Runs three to five commands.
    ///
    /// # Errors
    /// LVM refuses, or the new volume cannot be opened; it is then removed.
    pub fn snapshot(lvm: Lvm<'a>, run: &mut Run, base: &Lv, name: &LvName, size: Bytes) -> Result<Self, Error> {
        let undo = Undo::new(lvm, run, &base.name, name)?;
        let new = being_received(&undo.proof);
        let mut made = create_snapshot(lvm.exec, &base.name, undo.temporary.lv(), &new);
        if made.is_ok() && size > base.size {
            made = resize(lvm.exec, &undo.temporary, size);
        }
        Self::open(undo, made, name, size.max(base.size))
    }

    /// A new, empty volume in `pool`, to become `name`. Runs four or five commands.
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot).
    pub fn empty(lvm: Lvm<'a>, run: &mut Run, pool: &Lv, name: &LvName, size: Bytes) -> Result<Self, Error> {
        let undo = Undo::new(lvm, run, &pool.name, name)?;
        let made = create_thin(lvm.exec, &pool.name, undo.temporary.lv(), size, &being_received(&undo.proof));
        let receiving = Self::open(undo, made, name, size)?;
        // A pool whose metadata LVM lost track of gives a thin id out again, with all that was mapped under it.
        match mapped(lvm.exec, &receiving.undo.temporary) {
            Ok(nothing) if nothing.is_zero() => Ok(receiving),
            Ok(_) => Err(receiving.abandon(LvmError::NotEmpty { pool: pool.name.clone() }.into())),
            Err(error) => Err(receiving.abandon(error.into())),
        }
    }

    /// What the stream is applied on.
    #[must_use]
    pub fn target(&self) -> &Volume {
        &self.volume
    }

    /// Gives the volume its size, its permission, its layer's tag and, last, its name. Runs four or five commands.
    ///
    /// # Errors
    /// LVM refuses; the volume is then removed, unless it had its name already.
    pub fn finish(self, finish: &Finish) -> Result<LvRef, Error> {
        let Self { volume, activation, mut undo, name, uuid } = self;
        let shrinks = volume.size() > finish.size;
        drop(volume);
        match undo.become_final(activation, &uuid, &name, finish, shrinks) {
            Ok(name) => Ok(name),
            Err(cause) => Err(undo.because_of(cause)),
        }
    }

    /// Removes the volume because of `cause`, and gives that back; or says what is left.
    #[must_use]
    pub fn abandon(self, cause: Error) -> Error {
        let Self { volume, activation, undo, .. } = self;
        drop(volume);
        drop(activation);
        undo.because_of(cause)
    }

    /// Opens what was made. What LVM says it did not make may be there all the same: it may have been killed.
    fn open(undo: Undo<'a>, made: Result<(), VolumeError>, name: &LvName, size: Bytes) -> Result<Self, Error> {
        let opened = made.map_err(Error::from).and_then(|()| {
            let lv = volume(undo.lvm.exec, &undo.temporary)?;
            check_size(&lv, size)?;
            open(&undo.lvm, &lv).map(|opened| (opened, lv.uuid))
        });
        match opened {
            Ok(((volume, activation), uuid)) => Ok(Self { volume, activation, undo, name: name.clone(), uuid }),
            Err(cause) => Err(undo.because_of(cause)),
        }
    }
}

/// What LVM is told of a volume that is whole. One to work with is active after the next boot, as any other; one that is
/// only kept stays inactive, like thin snapshots.
pub(super) fn whole(layer: &[Tag], permission: Permission) -> Change<'_> {
    let skip_activation = (permission == Permission::ReadWrite).then_some(false);
    Change { add_tags: layer, permission: Some(permission), skip_activation, ..Change::default() }
}

/// The command that activates a volume that was received as [`Receiving::finish`] leaves it.
#[must_use]
pub fn activating(received: &LvRef, permission: Permission) -> String {
    match permission {
        Permission::ReadOnly => format!("lvchange -ay -K {received}"),
        Permission::ReadWrite => format!("lvchange -ay {received}"),
    }
}

/// Activates and opens a volume to be written by nobody else.
pub(super) fn open<'a>(lvm: &Lvm<'a>, lv: &Lv) -> Result<(Volume, Activation<'a>), Error> {
    let activation = Activation::ensure(lvm.exec, lv, lvm.activation())?;
    let volume = lvm.open_device(&activation, Access::Write)?;
    Ok((volume, activation))
}

/// LVM rounds up to whole extents of the group.
pub(super) fn check_size(volume: &Lv, size: Bytes) -> Result<(), Error> {
    let (vg, found) = (volume.name.vg().clone(), volume.size);
    if found == size { Ok(()) } else { Err(LvmError::OddSize { vg, size, found }.into()) }
}

impl<'a> Undo<'a> {
    /// For a volume that is about to be made beside `beside`. From here on it is removed, should it be there.
    fn new(lvm: Lvm<'a>, run: &mut Run, beside: &LvRef, name: &LvName) -> Result<Self, Error> {
        let temporary = beside.sibling(run.name()?);
        Ok(Self { lvm, temporary, proof: receiving_tag(&lvm, name)?, exists: true })
    }

    fn become_final(
        &mut self,
        activation: Activation<'_>,
        uuid: &Uuid,
        name: &LvName,
        finish: &Finish,
        shrinks: bool,
    ) -> Result<LvRef, Error> {
        let exec = self.lvm.exec;
        if shrinks {
            resize(exec, &self.temporary, finish.size)?;
            check_size(&volume(exec, &self.temporary)?, finish.size)?;
        }
        let layer = finish.layer.as_ref().filter(|_| finish.permission == Permission::ReadOnly);
        let layer: Vec<Tag> = layer.map(layer_tag).transpose()?.into_iter().collect();
        change(exec, &self.temporary, &whole(&layer, finish.permission))?;
        activation.release().map_err(refused)?;
        rename(exec, &self.temporary, uuid, name)?;
        // From here on it is the user's.
        self.exists = false;
        let name = self.temporary.sibling(name.clone());
        let proof = std::slice::from_ref(&self.proof);
        match change(exec, &name, &Change { remove_tags: proof, ..Change::default() }) {
            Ok(()) => Ok(name),
            Err(source) => Err(LvmError::TagLeft { name, tag: self.proof.clone(), source }.into()),
        }
    }

    /// Removes the volume because of `cause`, and gives that back; or says what is left.
    fn because_of(mut self, cause: Error) -> Error {
        match self.remove() {
            Ok(()) => cause,
            Err(left) => Error::AndLeft { cause: Box::new(cause), left: Box::new(left) },
        }
    }

    fn remove(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.exists) { remove(&self.lvm, &self.temporary, &self.proof) } else { Ok(()) }
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::error!("{error}");
        }
    }
}

/// The volume is removed then, so that nobody has to deactivate it later.
fn refused(error: ActivationError) -> Error {
    match error {
        ActivationError::Deactivate { name, in_use, source } => {
            VolumeError::Refused { action: "deactivate", name, in_use, list: None, source }.into()
        }
        error => error.into(),
    }
}

/// Writable, since it is about to be written, whatever its base is; active only while it is, and never after a boot by
/// itself.
fn being_received(proof: &Tag) -> NewVolume<'_> {
    NewVolume {
        tags: std::slice::from_ref(proof),
        permission: Permission::ReadWrite,
        active: false,
        skip_activation: true,
    }
}
