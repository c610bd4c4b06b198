//! The snapshots between two, as steps.

use std::sync::Arc;

use lvm_cmd::{Lv, LvName, LvRef, LvType};

use super::own::is_of_a_run;
use super::{Lvm, LvmError, Selection, keeps_its_layer};
use crate::Error;

impl Selection {
    /// The steps from the snapshot `old` to the later snapshot `new` of one volume: each snapshot between them that is
    /// `wanted`, and `new`, against the one before, oldest first. The first step has `old` as its base. Runs one command.
    ///
    /// The pool's transactions and LVM's times say which snapshot is later; the thin id decides between equals. Where `new`
    /// was made of `old` through other snapshots, as received layers are, these are the ones between.
    ///
    /// # Errors
    /// As [`find`](Self::find); `new` and `old` are not snapshots of one volume, `new` is the older one, or a wanted snapshot
    /// between them is writable.
    pub fn history(
        lvm: &Lvm<'_>,
        new: &LvRef,
        old: &LvRef,
        wanted: impl Fn(&LvName) -> bool,
    ) -> Result<Vec<Self>, Error> {
        let ends = Self::find(lvm, new, Some(old), None)?;
        let between = ends.snapshots_between()?.into_iter().filter(|lv| wanted(lv.name.lv())).collect::<Vec<_>>();
        if let Some(writable) = between.iter().find(|lv| !keeps_its_layer(lv)) {
            return Err(LvmError::WritableBetween { name: writable.name.clone() }.into());
        }
        let mut base = ends.base.clone();
        let steps = between.into_iter().chain([&ends.new]).map(|lv| Self {
            group: Arc::clone(&ends.group),
            pool: ends.pool.clone(),
            new: lv.clone(),
            base: base.replace(lv.clone()),
        });
        Ok(steps.collect())
    }

    /// All snapshots between the base and the new volume, oldest first.
    fn snapshots_between(&self) -> Result<Vec<&Lv>, Error> {
        let (new, base) = (&self.new, self.base.as_ref().unwrap_or(&self.new));
        if let Some(path) = self.made_through(base) {
            return Ok(path);
        }
        let (since, until) = (made_at(base), made_at(new));
        if new.origin.is_none() || new.origin != base.origin || since > until {
            return Err(LvmError::NotLater { new: new.name.clone(), base: base.name.clone() }.into());
        }
        let is_between = |lv: &&Lv| {
            lv.pool == new.pool
                && lv.origin == new.origin
                && lv.attr.lv_type() == LvType::ThinVolume
                && (since < made_at(lv) && made_at(lv) < until)
                && !is_of_a_run(lv)
        };
        let mut between: Vec<_> = self.group.iter().filter(is_between).collect();
        between.sort_by_key(|lv| made_at(lv));
        Ok(between)
    }

    /// The snapshots through which the new volume was made of `base`, oldest first; `None` where it was not.
    fn made_through(&self, base: &Lv) -> Option<Vec<&Lv>> {
        let mut path = Vec::new();
        let mut at = &self.new;
        // No chain of origins is longer than there are volumes.
        for _ in 0..self.group.len() {
            let origin = at.origin.as_ref()?;
            at = self.group.iter().find(|lv| lv.name.lv() == origin && lv.pool == base.pool)?;
            if at.uuid == base.uuid {
                path.reverse();
                return Some(path);
            }
            path.push(at);
        }
        None
    }
}

/// What orders the volumes of one pool by when they were made.
fn made_at(lv: &Lv) -> impl Ord + use<> {
    (lv.transaction_id, lv.created_seconds, lv.thin_id)
}
