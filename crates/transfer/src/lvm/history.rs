//! The snapshots between two, as steps.

use std::sync::Arc;

use lvm_cmd::{Lv, LvName, LvRef, LvType};

use super::own::is_of_a_run;
use super::{Lvm, LvmError, Selection, keeps_its_layer};
use crate::Error;

/// How many steps one chain has at most: all volumes are active and open at once, with two descriptors each, and a process may
/// have 1024 by default (`getrlimit(2)`).
const MAX_STEPS: usize = 256;

impl Selection {
    /// The steps from the snapshot `old` to the later snapshot `new` of one volume: each snapshot between them that is
    /// `wanted`, and `new`, against the one before, oldest first. The first step has `old` as its base. Runs one command.
    ///
    /// The pool's transactions and LVM's times say which snapshot is later; the thin id decides between equals. Where the
    /// volume was itself made of a snapshot, as after a rollback or in a chain of received layers, the snapshots of its
    /// origin up to that moment come before its own.
    ///
    /// # Errors
    /// As [`find`](Self::find); `old` is not among the earlier states of `new`, a wanted snapshot between them is writable, or
    /// there are more than 256 steps.
    pub fn history(
        lvm: &Lvm<'_>,
        new: &LvRef,
        old: &LvRef,
        wanted: impl Fn(&LvName) -> bool,
    ) -> Result<Vec<Self>, Error> {
        let ends = Self::find(lvm, new, Some(old), None)?;
        let between = ends.states_between()?.into_iter().filter(|lv| wanted(lv.name.lv())).collect::<Vec<_>>();
        if let Some(writable) = between.iter().find(|lv| !keeps_its_layer(lv)) {
            let in_use = writable.attr.is_open() || ends.group.iter().any(|lv| is_snapshot_of(lv, writable));
            return Err(LvmError::WritableBetween { name: writable.name.clone(), in_use }.into());
        }
        if let Some(first) = between.get(MAX_STEPS - 1) {
            let (steps, first) = (between.len() + 1, first.name.clone());
            return Err(LvmError::TooManyBetween { steps, max: MAX_STEPS, first, base: old.clone() }.into());
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

    /// All states between the base and the new volume, oldest first.
    fn states_between(&self) -> Result<Vec<&Lv>, Error> {
        let (new, base) = (&self.new, self.base.as_ref().unwrap_or(&self.new));
        let not_later = || LvmError::NotLater { new: new.name.clone(), base: base.name.clone() };
        // From the newest back to the base.
        let mut states = Vec::new();
        let mut at = new;
        // No chain of origins is longer than there are volumes.
        for _ in 0..self.group.len() {
            let origin = self.group.iter().find(|lv| is_snapshot_of(at, lv)).ok_or_else(not_later)?;
            if origin.uuid == base.uuid && keeps_its_layer(origin) {
                states.reverse();
                return Ok(states);
            }
            let is_base_here = is_snapshot_of(base, origin) && made_at(base) < made_at(at);
            if keeps_its_layer(origin) {
                // Its other snapshots are the same state, or have changed since.
                states.extend((!is_base_here).then_some(origin));
            } else {
                let since = is_base_here.then(|| made_at(base));
                let is_between = |lv: &&Lv| {
                    is_snapshot_of(lv, origin)
                        && since.as_ref().is_none_or(|since| *since < made_at(lv))
                        && made_at(lv) < made_at(at)
                        && !is_of_a_run(lv)
                };
                let mut between: Vec<_> = self.group.iter().filter(is_between).collect();
                between.sort_by_key(|lv| std::cmp::Reverse(made_at(lv)));
                states.extend(between);
            }
            if is_base_here {
                states.reverse();
                return Ok(states);
            }
            at = origin;
        }
        Err(not_later().into())
    }
}

/// Whether a thin volume was made of another one of its pool.
fn is_snapshot_of(lv: &Lv, origin: &Lv) -> bool {
    lv.attr.lv_type() == LvType::ThinVolume && lv.pool == origin.pool && lv.origin.as_ref() == Some(origin.name.lv())
}

/// What orders the volumes of one pool by when they were made.
fn made_at(lv: &Lv) -> impl Ord + use<> {
    (lv.transaction_id, lv.created_seconds, lv.thin_id)
}
