//! A volume that comes to be: under a name of ours until it is whole.

use block_copy::{Access, ReadAt, Volume};
use extents::{Bytes, ChunkSize, Chunks};
use hyperlayer::LayerId;
use lvm_cmd::{
    Activation, ActivationOptions, Change, Lv, LvName, LvRef, NewVolume, Permission, PoolMode, PoolStatus, Tag, change,
    create_snapshot, create_thin, pool_status, rename, resize, volume,
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
    /// The size of the new volume.
    pub size: Bytes,
}

/// How many mappings a node of the metadata's B-tree holds at least when it was split in half
/// (`Documentation/admin-guide/device-mapper/persistent-data.rst`: 4 KiB nodes, 16 bytes an entry).
const MAPPINGS_PER_NODE: u64 = 126;
/// One node, in bytes.
const NODE_BYTES: u64 = 4096;
/// Metadata for everything that does not grow with the layer: the snapshot itself, inner nodes, the space maps.
const METADATA_FLOOR_BYTES: u64 = 256 * 1024;

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

    /// At the worst every chunk lies in another node, which is copied as the snapshot is written to.
    fn metadata_needed(self, chunks: Chunks) -> Bytes {
        let nodes = self.chunk.count(self.size).get() / MAPPINGS_PER_NODE + 1;
        Bytes::new(chunks.get().min(nodes) * NODE_BYTES + METADATA_FLOOR_BYTES)
    }
}

/// A volume under a name of ours, with a tag that says which one it will be. Dropped without
/// [`finish`](Self::finish), it is removed.
#[derive(Debug)]
#[must_use = "the volume is removed as soon as this is dropped"]
pub struct Receiving<'a> {
    // In this order: closed, deactivated, then removed.
    volume: Option<Volume>,
    activation: Option<Activation<'a>>,
    undo: Undo<'a>,
    name: LvName,
}

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
    /// A new snapshot of `base`, at least `size` large, to become `name`. Runs two to five commands.
    ///
    /// # Errors
    /// LVM refuses, or the new volume cannot be opened; it is then removed.
    pub fn snapshot(lvm: Lvm<'a>, run: &mut Run, base: &Lv, name: &LvName, size: Bytes) -> Result<Self, Error> {
        let temporary = run.name()?;
        let proof = receiving_tag(name)?;
        create_snapshot(lvm.exec, &base.name, &temporary, &being_received(&proof))?;
        let undo = Undo { lvm, temporary: base.name.sibling(temporary), proof, exists: true };
        undo.or_remove(|undo| {
            if size > base.size {
                resize(lvm.exec, &undo.temporary, size)?;
            }
            Ok(())
        })?
        .open(name, size.max(base.size))
    }

    /// A new, empty volume in `pool`, to become `name`. Runs two to four commands.
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot).
    pub fn empty(lvm: Lvm<'a>, run: &mut Run, pool: &Lv, name: &LvName, size: Bytes) -> Result<Self, Error> {
        let temporary = run.name()?;
        let proof = receiving_tag(name)?;
        create_thin(lvm.exec, &pool.name, &temporary, size, &being_received(&proof))?;
        let undo = Undo { lvm, temporary: pool.name.sibling(temporary), proof, exists: true };
        undo.open(name, size)
    }

    /// What the stream is applied on.
    #[must_use]
    pub fn target(&self) -> Option<&Volume> {
        self.volume.as_ref()
    }

    /// Gives the volume its size, its permission, its layer's tag and, last, its name. Runs three to five commands.
    ///
    /// # Errors
    /// LVM refuses; the volume is then removed, unless it had its name already.
    pub fn finish(mut self, finish: &Finish) -> Result<LvRef, Error> {
        match self.become_final(finish) {
            Ok(name) => Ok(name),
            Err(error) if self.undo.exists => Err(self.abandon(error)),
            Err(error) => Err(error),
        }
    }

    /// Removes the volume because of `cause`, and gives that back; or says what is left.
    #[must_use]
    pub fn abandon(mut self, cause: Error) -> Error {
        self.close_device();
        match self.undo.remove() {
            Ok(()) => cause,
            Err(left) => Error::AndLeft { cause: Box::new(cause), left: Box::new(left) },
        }
    }

    fn become_final(&mut self, finish: &Finish) -> Result<LvRef, Error> {
        let (exec, temporary) = (self.undo.lvm.exec, self.undo.temporary.clone());
        let larger = self.volume.as_ref().is_some_and(|volume| volume.size() > finish.size);
        self.volume = None;
        if larger {
            resize(exec, &temporary, finish.size)?;
        }
        let layer = finish.layer.as_ref().filter(|_| finish.permission == Permission::ReadOnly);
        let layer: Vec<Tag> = layer.map(layer_tag).transpose()?.into_iter().collect();
        let permission = Some(finish.permission);
        change(exec, &temporary, &Change { add_tags: &layer, permission, ..Change::default() })?;
        if let Some(activation) = self.activation.take() {
            activation.release()?;
        }
        rename(exec, &temporary, &self.name)?;
        // From here on it is the user's.
        self.undo.exists = false;
        let name = temporary.sibling(self.name.clone());
        let proof = std::slice::from_ref(&self.undo.proof);
        change(exec, &name, &Change { remove_tags: proof, ..Change::default() })
            .map_err(|source| LvmError::TagLeft { name: name.clone(), tag: self.undo.proof.clone(), source })?;
        Ok(name)
    }

    fn close_device(&mut self) {
        self.volume = None;
        self.activation = None;
    }
}

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        self.close_device();
    }
}

impl<'a> Undo<'a> {
    fn or_remove(mut self, step: impl FnOnce(&Self) -> Result<(), Error>) -> Result<Self, Error> {
        match step(&self) {
            Ok(()) => Ok(self),
            Err(cause) => match self.remove() {
                Ok(()) => Err(cause),
                Err(left) => Err(Error::AndLeft { cause: Box::new(cause), left: Box::new(left) }),
            },
        }
    }

    /// Activates and opens the volume.
    fn open(self, name: &LvName, size: Bytes) -> Result<Receiving<'a>, Error> {
        let lvm = self.lvm;
        let mut receiving = Receiving { volume: None, activation: None, undo: self, name: name.clone() };
        let opened = volume(lvm.exec, &receiving.undo.temporary).map_err(Error::from).and_then(|lv| {
            let activation = Activation::ensure(lvm.exec, &lv, ActivationOptions::new(lvm.patience))?;
            let volume = Volume::open(activation.path(), Access::Write)?;
            let found = volume.size();
            receiving.activation = Some(activation);
            receiving.volume = Some(volume);
            if found == size { Ok(()) } else { Err(LvmError::OddSize { vg: lv.name.vg().clone(), size, found }.into()) }
        });
        match opened {
            Ok(()) => Ok(receiving),
            Err(cause) => Err(receiving.abandon(cause)),
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
