//! Snapshots that stay on the source, so that the next backup can be a delta.

use lvm_cmd::{Change, Lv, LvName, LvRef, Tag, Uuid, change, rename};

use super::own::remove;
use super::{Lvm, TemporarySnapshot, keeps_its_layer};
use crate::{Error, undone};

/// The tag of a snapshot that was backed up, with what it was backed up to.
const BACKUP_TAG: &str = "hyperlayer.backup=";

/// The snapshots of one volume that belong to the backups in one place.
#[derive(Clone, Debug)]
pub struct Lineage {
    tag: Tag,
}

impl Lineage {
    /// That of the layers `series` in the store `store`, by whatever ids the store gives both.
    ///
    /// # Errors
    /// The ids make no LVM tag.
    pub fn new(store: &str, series: &str) -> Result<Self, Error> {
        Ok(Self { tag: format!("{BACKUP_TAG}{store}:{series}").parse::<Tag>()? })
    }

    /// The snapshots in `source`'s pool that are still what was backed up, newest first. What was made writable is its
    /// user's.
    #[must_use]
    pub fn snapshots<'g>(&self, group: &'g [Lv], source: &Lv) -> Vec<&'g Lv> {
        let ours = |lv: &&Lv| lv.pool == source.pool && lv.has_tag(&self.tag) && keeps_its_layer(lv);
        let mut found: Vec<_> = group.iter().filter(ours).collect();
        found.sort_by(|a, b| (b.created_seconds, b.name.lv()).cmp(&(a.created_seconds, a.name.lv())));
        found
    }

    /// Makes a temporary snapshot one that stays, as `name`; `uuid` is that of the snapshot. Runs three commands.
    ///
    /// # Errors
    /// LVM refuses; the snapshot is then removed, unless it has its name already.
    pub fn keep(
        &self,
        lvm: &Lvm<'_>,
        snapshot: TemporarySnapshot<'_>,
        uuid: &Uuid,
        name: &LvName,
    ) -> Result<LvRef, Error> {
        let add = Change { add_tags: std::slice::from_ref(&self.tag), ..Change::default() };
        let named =
            change(lvm.exec, snapshot.name(), &add).and_then(|()| rename(lvm.exec, snapshot.name(), uuid, name));
        if let Err(refused) = named {
            return undone(Err(refused.into()), snapshot.remove());
        }
        let name = snapshot.name().sibling(name.clone());
        let proof = snapshot.into_kept();
        // Under another name that tag says nothing any more.
        change(lvm.exec, &name, &Change { remove_tags: &[proof], ..Change::default() })?;
        Ok(name)
    }

    /// Removes one that was kept. Runs two commands.
    ///
    /// # Errors
    /// It does not carry the tag, or LVM refuses.
    pub fn remove(&self, lvm: &Lvm<'_>, snapshot: &LvRef) -> Result<(), Error> {
        remove(lvm, snapshot, &self.tag)
    }
}
