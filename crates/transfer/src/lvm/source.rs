//! The volumes of a transfer, open to be read.

use block_copy::{Access, ReadAt, Volume};
use lvm_cmd::{Activation, Lv, thin_target};

use super::{Lvm, LvmError, Selection, keeps_its_layer};
use crate::{Error, undone};

/// Active, open volumes. What was inactive becomes so again when this is closed or dropped.
#[derive(Debug)]
pub struct Source<'a> {
    new: Opened<'a>,
    base: Option<Opened<'a>>,
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
        let through = selection.external_origin()?.is_some();
        let new = Opened::open(lvm, &selection.new, through)?;
        let base = selection.base.as_ref().map(|base| Opened::open(lvm, base, through)).transpose()?;
        Ok(Self { new, base })
    }

    /// Activates and opens one volume of `group` alone. Runs one to three commands.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_one(lvm: &Lvm<'a>, group: &[Lv], volume: &Lv) -> Result<Self, Error> {
        let through = volume.external_origin(group).is_some();
        Ok(Self { new: Opened::open(lvm, volume, through)?, base: None })
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
        let base = self.base.map_or(Ok(()), Opened::close);
        undone(self.new.close(), base)
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
