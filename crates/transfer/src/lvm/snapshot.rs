//! A snapshot that lives only as long as it is read.

use lvm_cmd::{LvRef, NewVolume, Permission, Tag, create_snapshot};

use super::own::{remove, temporary_tag};
use super::{Lvm, Run};
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
        let (name, proof) = (run.name()?, temporary_tag()?);
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

    fn undo(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.exists) { remove(&self.lvm, &self.name, &self.proof) } else { Ok(()) }
    }
}

impl Drop for TemporarySnapshot<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.undo() {
            tracing::error!("{error}");
        }
    }
}
