//! A snapshot that lives only as long as it is read.

use lvm_cmd::{LvRef, NewVolume, Permission, Tag, create_snapshot};

use super::own::{remove, temporary_tag};
use super::{Lvm, Run, Selection};
use crate::{Error, undone};

/// A read-only snapshot of a live volume, removed when this is dropped.
#[derive(Debug)]
#[must_use = "the snapshot is removed as soon as this is dropped"]
pub struct TemporarySnapshot<'a> {
    lvm: Lvm<'a>,
    name: LvRef,
    proof: Tag,
    exists: bool,
}

impl<'a> TemporarySnapshot<'a> {
    /// Makes one of `origin`, inactive. Runs one command.
    ///
    /// # Errors
    /// LVM refuses.
    pub fn create(lvm: Lvm<'a>, run: &mut Run, origin: &LvRef) -> Result<Self, Error> {
        let (name, proof) = (run.name()?, temporary_tag(&lvm)?);
        let new = NewVolume {
            tags: std::slice::from_ref(&proof),
            permission: Permission::ReadOnly,
            active: false,
            skip_activation: true,
        };
        let made = create_snapshot(lvm.exec, origin, &name, &new);
        let this = Self { lvm, name: origin.sibling(name), proof: proof.clone(), exists: true };
        match made {
            Ok(()) => Ok(this),
            // It may be there all the same: LVM may have been killed.
            Err(refused) => undone(Err(refused.into()), this.remove()),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &LvRef {
        &self.name
    }

    /// Removes it. Runs two commands.
    ///
    /// # Errors
    /// LVM refuses.
    pub fn remove(mut self) -> Result<(), Error> {
        self.undo()
    }

    /// Lets it stay; gives the tag that made it temporary.
    pub(super) fn into_kept(mut self) -> Tag {
        self.exists = false;
        self.proof.clone()
    }

    fn undo(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.exists) { remove(&self.lvm, &self.name, &self.proof) } else { Ok(()) }
    }
}

/// Temporary snapshots of several volumes, made one right after the other. (LVM has none of several volumes at once.)
#[derive(Debug, Default)]
pub struct Snapshots<'a> {
    made: Vec<(LvRef, TemporarySnapshot<'a>)>,
}

impl<'a> Snapshots<'a> {
    /// Makes one of each volume to send that somebody may write to. Runs one command for each.
    ///
    /// # Errors
    /// Somebody may write to a base, of which a snapshot would be another layer: none is made. Or LVM refuses one; the
    /// others are removed.
    pub fn create(lvm: Lvm<'a>, run: &mut Run, selections: &[Selection]) -> Result<Self, Error> {
        selections.iter().try_for_each(|selection| selection.check_base_quiet(&lvm))?;
        let mut this = Self::default();
        for volume in selections.iter().flat_map(|selection| selection.live(&lvm)) {
            if this.made.iter().any(|(of, _)| of == volume) {
                continue;
            }
            match TemporarySnapshot::create(lvm, run, volume) {
                Ok(snapshot) => this.made.push((volume.clone(), snapshot)),
                Err(refused) => return undone(Err(refused), this.remove()),
            }
        }
        Ok(this)
    }

    /// The snapshot of a volume, or the volume itself where none was made of it.
    #[must_use]
    pub fn in_place_of<'n>(&'n self, volume: &'n LvRef) -> &'n LvRef {
        self.made.iter().find(|(of, _)| of == volume).map_or(volume, |(_, snapshot)| snapshot.name())
    }

    /// Removes all of them. Runs two commands for each.
    ///
    /// # Errors
    /// LVM refuses one; the others are removed.
    pub fn remove(self) -> Result<(), Error> {
        let mut so_far = Ok(());
        for (_, snapshot) in self.made {
            so_far = undone(so_far, snapshot.remove());
        }
        so_far
    }
}

impl Drop for TemporarySnapshot<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.undo() {
            tracing::error!("{error}");
        }
    }
}
