//! What there is of a volume.

use lvm_cmd::{Lv, LvRef, LvType};
use transfer::lvm::{LvmError, keeps_its_layer, partial_target};
use transfer::receive::{LedgerFile, Partial, ResumeToken};

use super::members::{End, oldest_first};
use super::{LvmHost, names, tags};
use crate::limits::MAX_LAYERS;
use crate::{Layer, Layers, Refusal, Role};

impl LvmHost<'_> {
    pub(super) fn list_layers(&self, end: &End) -> Result<Layers, Refusal> {
        let group = self.settled_group(end)?;
        let own = group.iter().find(|lv| lv.name == end.volume);
        if end.role == Role::Source {
            let own = end.own(&group)?;
            if own.attr.lv_type() != LvType::ThinVolume {
                return Err(transfer::Error::from(LvmError::NotThin { name: own.name.clone() }).into());
            }
        } else {
            // Before anything is made for a first layer.
            end.volume.check_length()?;
            let between = [names::new_live(&end.volume)?, names::old_live(&end.volume)?];
            if !group.iter().any(|lv| between.contains(&lv.name)) {
                names::check_swap(&end.volume)?;
            }
            end.only_live(&group)?;
            own.map_or(Ok(()), |own| can_be_replaced(own, &group))?;
        }
        let live = match end.role {
            Role::Source => None,
            Role::Destination => Some(self.live(end, &group)?),
        };
        let in_use = own.is_some_and(|lv| lv.attr.is_open());
        let mut layers = Vec::new();
        for volume in oldest_first(&end.layers(&group)).into_iter().rev() {
            layers.extend(Layer::of(volume, &end.pair)?);
        }
        let complete = layers.len() <= MAX_LAYERS;
        layers.truncate(MAX_LAYERS);
        let partial = match end.role {
            Role::Source => None,
            Role::Destination => self.resumable(end, &group)?,
        };
        Ok(Layers { live, in_use, layers, complete, partial })
    }

    /// The group; a destination that somebody has open only for a moment, as udev does, is waited for.
    fn settled_group(&self, end: &End) -> Result<Vec<Lv>, Refusal> {
        let open = |group: &[Lv]| group.iter().any(|lv| lv.name == end.volume && lv.attr.is_open());
        if end.role == Role::Source {
            return self.look(&end.volume);
        }
        let look = || match self.look(&end.volume) {
            Ok(group) if open(&group) => Err(Ok(group)),
            Ok(group) => Ok(group),
            Err(refusal) => Err(Err(refusal)),
        };
        let patience = lvm_cmd::Patience::new(IN_USE.min(self.lvm.patience.limit())).cancelled_by(self.lvm.stop);
        patience.retry(look, Result::is_ok).or_else(|last| last)
    }

    /// What a receive that was interrupted could go on with.
    fn resumable(&self, end: &End, group: &[Lv]) -> Result<Option<ResumeToken>, Refusal> {
        let target = names::partial(&end.volume)?;
        let volume = group.iter().find(|lv| partial_target(lv).as_ref() == Some(&target));
        // One that is whole, but for its name, is read-only.
        if volume.is_none_or(keeps_its_layer) {
            return Ok(None);
        }
        match self.ledger(&target).read() {
            Ok(partial) => {
                Ok(partial.filter(|partial| is_of_group(partial, group)).and_then(|partial| partial.token()))
            }
            Err(error) => {
                tracing::warn!("what was received of `{}` is begun anew: {error}", end.volume);
                Ok(None)
            }
        }
    }

    pub(super) fn ledger(&self, target: &LvRef) -> LedgerFile {
        LedgerFile::new(self.setup.ledgers.join(format!("{}.json", target.dm_name())))
    }
}

/// How long somebody is waited for who has a destination open.
const IN_USE: std::time::Duration = std::time::Duration::from_secs(2);

/// Whether something of it is in, and what it was made of is still there.
pub(super) fn is_of_group(partial: &Partial, group: &[Lv]) -> bool {
    let base = partial.base.as_ref().and_then(|base| base.uuid.as_deref());
    let there = |uuid: &str| group.iter().any(|lv| lv.uuid.as_str() == uuid);
    let begun = partial.begun.as_ref().is_some_and(|begun| !begun.mark.at.is_zero());
    begun && !partial.complete && partial.layers == 0 && (partial.base.is_none() || base.is_some_and(there))
}

/// LVM removes a classic snapshot, and a volume that reads through to this one, along with it when it is replaced.
pub(super) fn can_be_replaced(copy: &Lv, group: &[Lv]) -> Result<(), Refusal> {
    match copy.removed_along(group).next() {
        None => Ok(()),
        Some(by) => {
            let text = format!(
                "cannot replace `{}`: LVM would remove `{}`, which depends on it, along with it",
                copy.name, by.name
            );
            let hint = format!("remove `{}`, and make thin snapshots in the replica's pool instead", by.name);
            Err(super::refuse::destination(&text, 4).with_hint(&hint))
        }
    }
}

impl End {
    /// Two destinations of one pair in one group would take each other's layers.
    fn only_live(&self, group: &[Lv]) -> Result<(), Refusal> {
        let own = [names::new_live(&self.volume)?, names::old_live(&self.volume)?, self.volume.clone()];
        let other = |lv: &&Lv| lv.has_tag(self.pair.tag()) && tags::live_of(lv).is_some() && !own.contains(&lv.name);
        match group.iter().find(other) {
            None => Ok(()),
            Some(other) => Err(super::refuse::destination(
                &format!(
                    "the pair `{}` keeps `{}` in step already, not `{}`; give this one another name (`--pair NAME`), or rename \
                     that volume",
                    self.pair, other.name, self.volume
                ),
                2,
            )),
        }
    }
}
