//! The volumes of a transfer, open to be read.

use std::collections::HashMap;
use std::sync::Arc;

use block_copy::{Access, ReadAt, Volume};
use lvm_cmd::{Activation, Lv, Uuid, thin_target};

use super::{Lvm, LvmError, Selection, keeps_its_layer};
use crate::{Error, undone};

/// Active, open volumes. What was inactive becomes so again when this is closed or dropped.
///
/// Open them before their delta is asked for: what is written to a volume between its opening and its
/// [`check_unchanged`](ReadAt::check_unchanged) is found out.
#[derive(Debug)]
pub struct Source<'a> {
    new: Arc<Opened<'a>>,
    base: Option<Arc<Opened<'a>>>,
}

#[derive(Debug)]
struct Opened<'a> {
    // Closed before it is deactivated: fields are dropped in this order.
    volume: Volume,
    activation: Activation<'a>,
}

impl<'a> Source<'a> {
    /// Activates and opens both volumes. Runs one to three commands for each.
    ///
    /// # Errors
    /// One cannot be activated or opened, or is not the volume that LVM reported.
    pub fn open(lvm: &Lvm<'a>, selection: &Selection) -> Result<Self, Error> {
        let mut opened = HashMap::new();
        Self::open_with(lvm, selection, &mut opened)
    }

    /// The same of several, each volume once: one that is writable can be open exclusively only once.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_all(lvm: &Lvm<'a>, selections: &[Selection]) -> Result<Vec<Self>, Error> {
        let mut opened = HashMap::new();
        selections.iter().map(|selection| Self::open_with(lvm, selection, &mut opened)).collect()
    }

    fn open_with(
        lvm: &Lvm<'a>,
        selection: &Selection,
        opened: &mut HashMap<Uuid, Arc<Opened<'a>>>,
    ) -> Result<Self, Error> {
        let through = selection.external_origin()?.is_some();
        let mut open = |lv: &Lv| match opened.get(&lv.uuid) {
            Some(open) => Ok(Arc::clone(open)),
            None => {
                let open = Arc::new(Opened::open(lvm, lv, through)?);
                opened.insert(lv.uuid.clone(), Arc::clone(&open));
                Ok::<_, Error>(open)
            }
        };
        let new = open(&selection.new)?;
        let base = selection.base.as_ref().map(open).transpose()?;
        Ok(Self { new, base })
    }

    /// Activates and opens one volume of `group` alone. Runs one to three commands.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_one(lvm: &Lvm<'a>, group: &[Lv], volume: &Lv) -> Result<Self, Error> {
        let through = volume.external_origin(group).is_some();
        Ok(Self { new: Arc::new(Opened::open(lvm, volume, through)?), base: None })
    }

    /// The volume to send.
    #[must_use]
    pub fn new_volume(&self) -> &dyn ReadAt {
        &self.new.volume
    }

    /// Its base.
    #[must_use]
    pub fn base(&self) -> Option<&dyn ReadAt> {
        self.base.as_ref().map(|base| &base.volume as &dyn ReadAt)
    }

    /// Closes the volumes and deactivates what was inactive.
    ///
    /// # Errors
    /// One stays active.
    pub fn close(self) -> Result<(), Error> {
        // The last one that has a volume closes it.
        let close = |volume| Arc::into_inner(volume).map_or(Ok(()), Opened::close);
        let base = self.base.map_or(Ok(()), close);
        undone(close(self.new), base)
    }
}

impl<'a> Opened<'a> {
    /// `through`: whether LVM's report says that it has an external origin.
    fn open(lvm: &Lvm<'a>, lv: &Lv, through: bool) -> Result<Self, Error> {
        let activation = Activation::ensure(lvm.exec, lv, lvm.activation())?;
        let target = thin_target(lvm.exec, &lv.name)?;
        if Some(target.thin_id) != lv.thin_id {
            return Err(LvmError::Replaced { name: lv.name.clone() }.into());
        }
        // What differs was computed by the report.
        if target.external_origin.is_some() != through {
            return Err(LvmError::Replaced { name: lv.name.clone() }.into());
        }
        // What can be written must not be while it is read; another run of ours is waited for.
        let access = if keeps_its_layer(lv) { Access::Read } else { Access::ReadExclusive };
        let volume = lvm.open_device(&activation, access)?;
        if volume.size() != lv.size {
            return Err(LvmError::OtherSize { name: lv.name.clone(), expected: lv.size, found: volume.size() }.into());
        }
        Ok(Self { volume, activation })
    }

    fn close(self) -> Result<(), Error> {
        let Self { volume, activation } = self;
        drop(volume);
        Ok(activation.release()?)
    }
}
