//! A chain that becomes a thin volume, over as many runs as it takes.
//!
//! Each layer has a volume of its own, a snapshot of the one before it: so its parent can still be read when it is
//! continued, and a layer whose part is worth nothing is begun anew without those before it. They are called
//! `hyperlayer-partial-KEY-N`, `KEY` for the target and `N` the layer's number in the chain, and carry the tag
//! `hyperlayer.partial=NAME`. No run removes them but one that is told to discard or that has the chain whole.

use block_copy::{ReadAt, Volume, WriteAt};
use extents::{Bytes, ChunkSize};
use hyperlayer::{Header, LayerId};
use lvm_cmd::{
    Activation, Change, Lv, LvName, LvRef, NewVolume, Patience, Permission, ProcessLock, StateDir, Tag, Uuid, change,
    create_snapshot, create_thin, mapped, rename, resize, volumes,
};

use super::own::remove;
use super::receive::{check_size, open, whole};
use super::{Destination, Lvm, LvmError, Source, Space, identify_volume, layer_tag};
use crate::identity::parent_size;
use crate::patch::{chunks_needed, records};
use crate::receive::Site;
use crate::{Error, Identity, needs_no_base};

const PARTIAL_TAG: &str = "hyperlayer.partial=";
const NAME: &str = "hyperlayer-partial-";
/// No chain is longer in practice: names leave room for this number.
const MAX_NUMBER: u64 = 99_999;

/// The volumes of ours that are to become one target. Only one run has them at a time.
#[derive(Debug)]
#[must_use = "another run can have them as soon as this is dropped"]
pub struct PartialVolumes<'a> {
    lvm: Lvm<'a>,
    target: LvRef,
    proof: Tag,
    _lock: ProcessLock,
}

/// How sizes may differ between the group of a layer's source and the one that it is received in, whose extents may be
/// longer. What one volume has past the other's end reads as zeros, and is made so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sizes {
    /// Not at all.
    #[default]
    Exact,
    /// Volumes may be larger than their layers say, the base as well.
    Rounded,
    /// The same; and the base may be smaller too, since it was compared as if zeros came behind it.
    Compared,
}

impl Sizes {
    /// Whether a base of this size may be the parent that has `parent`.
    fn takes_base(self, base: Bytes, parent: Bytes) -> bool {
        match self {
            Self::Exact => base == parent,
            Self::Rounded => base >= parent,
            Self::Compared => true,
        }
    }
}

/// What becomes of the volume that had the target's name.
#[derive(Clone, Debug)]
pub struct Replaced {
    /// The volume.
    pub uuid: Uuid,
    /// Its name from then on.
    pub keep_as: LvName,
}

impl<'a> PartialVolumes<'a> {
    /// Takes those of a target. The lock lies in `locks`, a directory that all see who see the ledgers. Runs no command.
    ///
    /// # Errors
    /// Another run has them.
    pub fn lock(lvm: Lvm<'a>, locks: &StateDir, target: &LvRef) -> Result<Self, Error> {
        let proof = format!("{PARTIAL_TAG}{}", target.lv()).parse::<Tag>()?;
        let name = format!("receive-{}", target.dm_name());
        let lock = ProcessLock::acquire(locks, &name, Patience::new(std::time::Duration::ZERO))?;
        Ok(Self { lvm, target: target.clone(), proof, _lock: lock })
    }

    /// Checks that they can be made, however long the chain is: before a new one is begun. What is there already can be
    /// discarded all the same.
    ///
    /// # Errors
    /// The group's name leaves no room for theirs.
    pub fn check_length(target: &LvRef) -> Result<(), Error> {
        Ok(numbered(target, MAX_NUMBER)?.check_length()?)
    }

    /// What they are to become.
    #[must_use]
    pub fn target(&self) -> &LvRef {
        &self.target
    }

    /// Those among the volumes of the group.
    pub fn among<'g>(&self, group: &'g [Lv]) -> impl Iterator<Item = &'g Lv> {
        let (proof, prefix) = (self.proof.clone(), prefix(&self.target));
        group.iter().filter(move |lv| lv.has_tag(&proof) && lv.name.lv().as_str().starts_with(&prefix))
    }

    /// Removes all of them; gives their names. Two commands for each.
    ///
    /// # Errors
    /// LVM refuses.
    pub fn discard(&self, group: &[Lv]) -> Result<Vec<LvRef>, Error> {
        let names: Vec<_> = self.among(group).map(|lv| lv.name.clone()).collect();
        names.iter().try_for_each(|name| remove(&self.lvm, name, &self.proof))?;
        Ok(names)
    }

    /// Gives the volume of the last of `layers` layers its layer's tag, its permission and its name, and the volume that
    /// has that name another one. Can be run again after it was interrupted anywhere. Runs three to five commands, and two
    /// more for each volume of ours that a run which was interrupted had no more need of.
    ///
    /// # Errors
    /// LVM refuses; the name is taken by another volume than is replaced; or the volume is not there.
    pub fn finish(
        &self,
        layers: u64,
        layer: Option<&LayerId>,
        permission: Permission,
        replaced: Option<&Replaced>,
    ) -> Result<LvRef, Error> {
        let exec = self.lvm.exec;
        let name = self.name(layers.saturating_sub(1))?;
        let group = volumes(exec, self.target.vg())?;
        let there = group.iter().find(|lv| lv.name == self.target);
        match self.among(&group).find(|lv| lv.name == name) {
            Some(complete) => {
                for other in self.among(&group).filter(|lv| lv.name != name) {
                    remove(&self.lvm, &other.name, &self.proof)?;
                }
                match (there, replaced) {
                    (None, _) => {}
                    (Some(there), Some(replaced)) if there.uuid == replaced.uuid => {
                        rename(exec, &self.target, &replaced.uuid, &replaced.keep_as)?;
                    }
                    (Some(_), _) => return Err(LvmError::Exists { name: self.target.clone() }.into()),
                }
                let layer = layer.filter(|_| permission == Permission::ReadOnly);
                let layer: Vec<Tag> = layer.map(layer_tag).transpose()?.into_iter().collect();
                change(exec, &name, &whole(&layer, permission))?;
                rename(exec, &name, &complete.uuid, self.target.lv())?;
            }
            // It has its name already.
            None if there.is_some_and(|there| there.has_tag(&self.proof)) => {}
            None => return Err(LvmError::PartialGone { name }.into()),
        }
        Ok(self.target.clone())
    }

    /// Gives the volume of the first layer `tags`, makes it read-only, all in one step, and then gives it the name `name`,
    /// whatever the target is called; gives the volume. Can be run again after it was interrupted before that. Afterwards
    /// only the tag of the volumes that are being received may be left on it. Runs four commands.
    ///
    /// # Errors
    /// LVM refuses, as it does where the name is taken; or the volume is not there.
    pub fn finish_as(&self, name: &LvName, tags: &[Tag]) -> Result<LvRef, Error> {
        let exec = self.lvm.exec;
        let partial = self.name(0)?;
        let group = volumes(exec, self.target.vg())?;
        let Some(found) = group.iter().find(|lv| lv.name == partial && lv.has_tag(&self.proof)) else {
            return Err(LvmError::PartialGone { name: partial }.into());
        };
        change(exec, &partial, &whole(tags, Permission::ReadOnly))?;
        rename(exec, &partial, &found.uuid, name)?;
        let name = self.target.sibling(name.clone());
        let proof = std::slice::from_ref(&self.proof);
        change(exec, &name, &Change { remove_tags: proof, ..Change::default() })?;
        Ok(name)
    }

    /// The volume of the first layer among those of the group.
    #[must_use]
    pub fn first<'g>(&self, group: &'g [Lv]) -> Option<&'g Lv> {
        let name = self.name(0).ok()?;
        self.among(group).find(|lv| lv.name == name)
    }

    /// Takes the tag away from the target that was finished. After the ledger is gone: as long as that is there, the tag
    /// says that the volume is the one that it is about. One that stays says nothing under this name. Runs one command.
    ///
    /// # Errors
    /// LVM refuses.
    pub fn release(&self) -> Result<(), Error> {
        let proof = std::slice::from_ref(&self.proof);
        Ok(change(self.lvm.exec, &self.target, &Change { remove_tags: proof, ..Change::default() })?)
    }

    fn name(&self, number: u64) -> Result<LvRef, Error> {
        numbered(&self.target, number)
    }

    fn find(&self, number: u64) -> Result<Lv, Error> {
        let name = self.name(number)?;
        let group = volumes(self.lvm.exec, self.target.vg())?;
        let found = self.among(&group).find(|lv| lv.name == name).cloned();
        found.ok_or_else(|| LvmError::PartialGone { name }.into())
    }
}

fn numbered(target: &LvRef, number: u64) -> Result<LvRef, Error> {
    Ok(target.sibling(format!("{}{number}", prefix(target)).parse::<LvName>()?))
}

/// The target's name may be as long as a name can be.
fn prefix(target: &LvRef) -> String {
    let key = blake3::hash(target.lv().as_str().as_bytes()).to_hex();
    format!("{NAME}{}-", &key[..12])
}

/// What a volume of ours is to become.
#[must_use]
pub fn partial_target(volume: &Lv) -> Option<LvRef> {
    volume.name.lv().as_str().strip_prefix(NAME)?;
    let name = volume.tags.iter().find_map(|tag| tag.as_str().strip_prefix(PARTIAL_TAG))?;
    Some(volume.name.sibling(name.parse().ok()?))
}

/// Where the layers of a chain are applied on LVM.
#[derive(Debug)]
pub struct VolumeSite<'a> {
    // Dropped in this order: closed and deactivated.
    open: Option<OpenLayer<'a>>,
    parent: Option<Source<'a>>,
    volumes: PartialVolumes<'a>,
    destination: Destination,
    chunk: ChunkSize,
    force: bool,
    sizes: Sizes,
    /// What was open last, where it is to stay active.
    ended: Option<Activation<'a>>,
    stays_active: bool,
}

#[derive(Debug)]
struct OpenLayer<'a> {
    volume: Volume,
    activation: Activation<'a>,
    name: LvRef,
}

impl<'a> VolumeSite<'a> {
    /// In the pool, or on the base, of `destination`. `force` takes a base of another layer.
    ///
    /// # Errors
    /// LVM does not say the pool's chunk.
    pub fn new(volumes: PartialVolumes<'a>, destination: Destination, force: bool) -> Result<Self, Error> {
        let chunk = destination.chunk()?;
        let sizes = Sizes::default();
        let (open, parent, ended) = (None, None, None);
        Ok(Self { open, parent, volumes, destination, chunk, force, sizes, ended, stays_active: false })
    }

    /// The same where sizes may differ.
    #[must_use]
    pub fn with_sizes(self, sizes: Sizes) -> Self {
        Self { sizes, ..self }
    }

    /// The same where the last layer's volume stays active when all of it is in, to be read back: see
    /// [`close_active`](Self::close_active).
    #[must_use]
    pub fn staying_active(self) -> Self {
        Self { stays_active: true, ..self }
    }

    /// Closes what is open, and gives the volumes back.
    #[must_use = "another run can have them as soon as this is dropped"]
    pub fn close(self) -> PartialVolumes<'a> {
        self.close_active().0
    }

    /// The same; and what keeps the volume active that was received last, if it was to stay so.
    #[must_use = "another run can have them as soon as this is dropped"]
    pub fn close_active(self) -> (PartialVolumes<'a>, Option<Activation<'a>>) {
        let Self { open, parent, volumes, ended, .. } = self;
        drop((open, parent));
        (volumes, ended)
    }

    fn identify(&self, number: u64, header: &Header) -> Result<Option<Identity>, Error> {
        match &self.destination.base {
            _ if number > 0 => Ok(None),
            Some(base) => {
                let taken = parent_size(header).filter(|parent| self.sizes.takes_base(base.size, *parent));
                let mut counted = base.clone();
                counted.size = taken.unwrap_or(base.size);
                identify_volume(header, &counted, self.force).map(Some)
            }
            None => needs_no_base(header).map(|()| None),
        }
    }

    fn check_size(&self, volume: &Lv, size: Bytes) -> Result<(), Error> {
        if self.sizes != Sizes::Exact && volume.size >= size { Ok(()) } else { check_size(volume, size) }
    }

    /// What the layer is made of.
    fn parent(&self, number: u64) -> Result<Option<Lv>, Error> {
        match number.checked_sub(1) {
            None => Ok(self.destination.base.clone()),
            Some(before) => self.volumes.find(before).map(Some),
        }
    }

    fn check_space(&self, header: &Header, size: Bytes, base_size: Bytes) -> Result<(), Error> {
        let chunks = chunks_needed(header, size, self.chunk, base_size, self.destination.unmaps());
        Space { chunk: self.chunk, chunks, records: records(header), size }
            .check(&self.volumes.lvm, &self.destination.pool)
    }

    fn open(&mut self, name: LvRef, size: Bytes) -> Result<(), Error> {
        let lv = lvm_cmd::volume(self.volumes.lvm.exec, &name)?;
        self.check_size(&lv, size)?;
        let (volume, activation) = open(&self.volumes.lvm, &lv)?;
        self.open = Some(OpenLayer { volume, activation, name });
        Ok(())
    }

    /// A pool whose metadata LVM lost track of gives a thin id out again, with all that was mapped under it.
    fn check_empty(&self, name: &LvRef) -> Result<(), Error> {
        match mapped(self.volumes.lvm.exec, name)? {
            nothing if nothing.is_zero() => Ok(()),
            _ => Err(LvmError::NotEmpty { pool: self.destination.pool.name.clone() }.into()),
        }
    }
}

impl Site for VolumeSite<'_> {
    fn chunk(&self) -> ChunkSize {
        self.chunk
    }

    /// Runs seven to nine commands.
    fn begin(&mut self, number: u64, header: &Header, size: Bytes) -> Result<Option<Identity>, Error> {
        let name = self.volumes.name(number)?;
        name.check_length()?;
        let identity = self.identify(number, header)?;
        let parent = self.parent(number)?;
        let base_size = parent.as_ref().map_or(Bytes::ZERO, |parent| parent.size);
        self.check_space(header, size, base_size)?;
        let (lvm, proof) = (self.volumes.lvm, self.volumes.proof.clone());
        remove(&lvm, &name, &proof)?;
        let new = NewVolume {
            tags: std::slice::from_ref(&proof),
            permission: Permission::ReadWrite,
            active: false,
            skip_activation: true,
        };
        match &parent {
            Some(parent) => {
                create_snapshot(lvm.exec, &parent.name, name.lv(), &new)?;
                if size > base_size {
                    resize(lvm.exec, &name, size)?;
                }
            }
            None => create_thin(lvm.exec, &self.destination.pool.name, name.lv(), size, &new)?,
        }
        self.open(name.clone(), size.max(base_size))?;
        if parent.is_none() {
            self.check_empty(&name)?;
        }
        Ok(identity)
    }

    /// Runs five to ten commands.
    fn reopen(&mut self, number: u64, header: &Header, size: Bytes) -> Result<Option<Identity>, Error> {
        let identity = self.identify(number, header)?;
        let (parent, lvm) = (self.parent(number)?, self.volumes.lvm);
        let needed = size.max(parent.as_ref().map_or(Bytes::ZERO, |parent| parent.size));
        let there = self.volumes.find(number)?;
        if there.size < needed {
            resize(lvm.exec, &there.name, needed)?;
        }
        let group = &self.destination.group;
        self.parent = parent.map(|parent| Source::open_one(&lvm, group, &parent)).transpose()?;
        self.open(there.name, needed)?;
        Ok(identity)
    }

    /// Runs four to six commands.
    fn read_whole(&self, number: u64, read: &mut dyn FnMut(&dyn ReadAt)) -> Result<(), Error> {
        let volume = self.volumes.find(number)?;
        let source = Source::open_one(&self.volumes.lvm, &self.destination.group, &volume)?;
        read(source.new_volume());
        source.close()
    }

    fn target(&self) -> Result<(&dyn WriteAt, Option<&dyn ReadAt>), Error> {
        let open = self.open.as_ref().ok_or(Error::NoStream)?;
        Ok((&open.volume, self.parent.as_ref().map(Source::new_volume)))
    }

    /// Runs one to four commands.
    fn end(&mut self, _: u64, size: Bytes) -> Result<(), Error> {
        let closed = self.parent.take().map_or(Ok(()), Source::close);
        let Some(OpenLayer { volume, activation, name }) = self.open.take() else { return closed };
        let shrinks = volume.size() > size;
        drop(volume);
        if shrinks {
            let exec = self.volumes.lvm.exec;
            resize(exec, &name, size)?;
            self.check_size(&lvm_cmd::volume(exec, &name)?, size)?;
        }
        if self.stays_active {
            self.ended = Some(activation);
        } else {
            activation.release()?;
        }
        closed
    }

    /// Runs two commands, or none.
    fn forget_parent(&mut self, number: u64) -> Result<(), Error> {
        match number.checked_sub(1) {
            Some(before) => remove(&self.volumes.lvm, &self.volumes.name(before)?, &self.volumes.proof),
            None => Ok(()),
        }
    }

    fn can_begin_again(&self, _: u64) -> bool {
        true
    }
}
