//! What a run does, in its order.

use extents::Bytes;
use hyperlayer::LayerId;
use lvm_cmd::LvRef;
use transfer::receive::ResumeToken;

use super::existing::BLOCK;
use super::transfer::transfer;
use super::{Events, Peer, Summary, Sync, SyncError};
use crate::wire::manage::{Adopt, Prune, Removed, Settle, Snapshot};
use crate::{
    Destination, Layer, Layers, LineageError, List, Live, Offer, Pair, Plan, Role, Selected, Step, newer_at, next,
};

pub(super) struct Run<'a, 'p> {
    pub(super) want: &'a Sync,
    pub(super) pair: Pair,
    pub(super) source: &'a Peer<'p>,
    pub(super) destination: &'a Peer<'p>,
    pub(super) events: &'a dyn Events,
}

/// What was done so far.
#[derive(Default)]
struct Done {
    layer: Option<LayerId>,
    parent: Option<LayerId>,
    /// Of what the sending was begun.
    begun: Option<LayerId>,
    in_full: bool,
    resumed: bool,
    data: Bytes,
    zero: Bytes,
    stream: Bytes,
    kept_written: Option<lvm_cmd::LvName>,
}

impl Done {
    fn count(&mut self, plan: &Plan) {
        self.parent.clone_from(&plan.parent);
        self.in_full |= plan.parent.is_none();
        self.data = self.data.saturating_add(plan.data);
        self.zero = self.zero.saturating_add(plan.zero);
        self.stream = self.stream.saturating_add(plan.stream);
    }
}

impl<'p> Run<'_, 'p> {
    pub(super) fn run(&self) -> Result<Summary, SyncError> {
        let mut done = Done::default();
        self.bring(&mut done).map_err(|error| match &done.layer {
            // What was settled stays, and is worth knowing.
            Some(layer) => SyncError::After { layer: layer.clone(), cause: Box::new(error) },
            None => error,
        })
    }

    fn bring(&self, done: &mut Done) -> Result<Summary, SyncError> {
        let mut here = self.list(Role::Source)?;
        let mut there = self.list(Role::Destination)?;
        if let Some((ours, theirs)) = &self.want.adopt {
            self.adopt(ours, theirs)?;
            (here, there) = (self.list(Role::Source)?, self.list(Role::Destination)?);
        }
        // Before anything is made: a refusal must not leave a snapshot each time.
        there = self.made_free(there, done)?;
        if let Some(token) = there.partial.take() {
            self.finish(&token, &here, &there, done)?;
            if !self.want.dry_run {
                there = self.list(Role::Destination)?;
            }
        }
        let newest = self.newest(&here)?;
        self.warn_of_times(&newest, &here);
        if !self.want.rollback
            && let Some(holds) = newer_at(&target(&there), &newest, &here.layers)
            && let Some(layer) = id_of(&newest)
        {
            return Err(LineageError::Older { layer, holds }.into());
        }
        let common = match self.send_newest(&newest, &here, &there, done) {
            Ok(common) => common,
            Err(error) => {
                if done.begun == id_of(&newest) {
                    self.tidy(&here, &there, &newest);
                }
                return Err(error);
            }
        };
        let layer = id_of(&newest).ok_or_else(|| self.source.ended())?;
        let dry_run = self.want.dry_run;
        let common = if dry_run { common } else { Some(layer.clone()) };
        let (removed_source, removed_destination) = match &common {
            Some(common) => self.prune_both(common)?,
            None => (Vec::new(), Vec::new()),
        };
        Ok(Summary {
            pair: self.pair.clone(),
            layer,
            parent: done.parent.take(),
            in_full: done.in_full,
            resumed: done.resumed,
            data: done.data,
            zero: done.zero,
            stream: done.stream,
            kept_written: done.kept_written.take(),
            removed_source,
            removed_destination,
        })
    }

    pub(super) fn volume(&self, role: Role) -> &LvRef {
        match role {
            Role::Source => &self.want.source,
            Role::Destination => &self.want.destination,
        }
    }

    fn peer(&self, role: Role) -> &Peer<'p> {
        match role {
            Role::Source => self.source,
            Role::Destination => self.destination,
        }
    }

    fn list(&self, role: Role) -> Result<Layers, SyncError> {
        let (volume, pair) = (self.volume(role).clone(), self.pair.clone());
        self.peer(role).list(List { volume, pair, role })
    }

    /// Takes over a pair of snapshots, if they hold the same.
    fn adopt(&self, ours: &lvm_cmd::LvName, theirs: &lvm_cmd::LvName) -> Result<(), SyncError> {
        let take = |role, snapshot: &lvm_cmd::LvName, layer: Option<LayerId>| {
            let (volume, pair) = (self.volume(role).clone(), self.pair.clone());
            self.peer(role).adopt(Adopt { volume, pair, role, snapshot: snapshot.clone(), layer })
        };
        let (here, there) = (take(Role::Source, ours, None)?, take(Role::Destination, theirs, None)?);
        let (Some(layer), Some(parent)) = (id_of(&here), id_of(&there)) else { return Err(self.source.ended()) };
        if here.is_same(&there) {
            return Ok(());
        }
        let mut first = (there.size < here.size).then_some(there.size);
        self.compare((&layer, here.size), (&parent, there.size), |start, bits| {
            if let Some(block) = bits.iter().position(|differs| *differs) {
                first = Some(start.saturating_add(Bytes::new(block as u64 * BLOCK.get())));
            }
            Ok(first.is_none())
        })?;
        match first {
            None => take(Role::Destination, theirs, Some(layer)).map(drop),
            Some(at) => {
                let (source_snapshot, destination_snapshot) = (ours.clone(), theirs.clone());
                Err(SyncError::Differs { source_snapshot, destination_snapshot, at })
            }
        }
    }

    /// Refuses where the destination's own name may not become another volume's; takes back what was written to it, where that
    /// is wanted.
    fn made_free(&self, there: Layers, done: &mut Done) -> Result<Layers, SyncError> {
        let exists = there.live != Some(Live::Missing);
        if exists && there.in_use {
            return Err(LineageError::InUse.into());
        }
        match &there.live {
            Some(Live::Unknown) if !self.want.use_existing => Err(LineageError::Unknown.into()),
            Some(Live::Holds { layer, ours: false }) => Err(LineageError::OtherPair { layer: layer.clone() }.into()),
            Some(Live::Written { since }) if !self.want.rollback => {
                Err(LineageError::Written { since: since.clone(), common: None }.into())
            }
            Some(Live::Written { since }) if !self.want.dry_run => {
                self.settle(since.clone(), done)?;
                // Whatever fails from here on, the copy is another one than before.
                done.layer = Some(since.clone());
                self.list(Role::Destination)
            }
            Some(Live::Written { since }) => {
                self.events.log("what was written to the destination would be kept as a snapshot");
                let live = Some(Live::Holds { layer: since.clone(), ours: true });
                Ok(Layers { live, ..there })
            }
            _ => Ok(there),
        }
    }

    fn settle(&self, layer: LayerId, done: &mut Done) -> Result<(), SyncError> {
        let settled = self.destination.settle(Settle {
            volume: self.want.destination.clone(),
            pair: self.pair.clone(),
            layer: layer.clone(),
            rollback: self.want.rollback,
            read_only_live: self.want.read_only_live,
        });
        let settled = settled.map_err(|cause| match cause {
            // The server knows that the copy is what it was.
            SyncError::Refused { ref refusal, .. } if refusal.exit != 5 => cause,
            cause => SyncError::Settling { layer, cause: Box::new(cause) },
        })?;
        if let Some(kept) = settled.kept {
            self.events.log(&format!("what was written to the destination is kept as `{kept}`"));
            done.kept_written = Some(kept);
        }
        Ok(())
    }

    /// Goes on with what a run before was interrupted in, if it still fits.
    fn finish(&self, token: &ResumeToken, here: &Layers, there: &Layers, done: &mut Done) -> Result<(), SyncError> {
        let afresh = |why: &str| {
            self.events.log(&format!(
                "a part of layer {} is at the destination, but {why}; it is not gone on with",
                token.layer
            ));
            Ok(())
        };
        let Some(begun) = here.layers.iter().find(|layer| layer.ids.contains(&token.layer)) else {
            return afresh("the source does not have that layer any more");
        };
        if begun.size != token.size {
            return afresh("the source's has another size");
        }
        let target = target(there);
        let kept: Vec<_> = here.layers.iter().filter(|layer| !layer.is_same(begun)).cloned().collect();
        let fits = match next(begun, &kept, &target) {
            Ok(Step::Delta { on, .. }) => token.parent.as_ref().is_some_and(|parent| on.ids.contains(parent)),
            Ok(Step::Initial) => token.parent.is_none(),
            Err(LineageError::NothingCommon { .. }) if self.want.use_existing => {
                token.parent.as_ref().is_some_and(|parent| base_of(there).is_some_and(|base| base.ids.contains(parent)))
            }
            Ok(_) => return afresh("it has that layer as a whole"),
            Err(_) => false,
        };
        if !fits {
            return afresh("both have a newer layer in common, or not any more the one that it was sent against");
        }
        self.events.log(&format!("layer {} goes on where it was interrupted", token.layer));
        done.resumed = self.want.dry_run;
        self.send_newest(begun, &Layers { layers: kept, ..here.clone() }, there, done).map(drop)
    }

    /// The layer that the destination is to hold.
    fn newest(&self, here: &Layers) -> Result<Layer, SyncError> {
        if !self.want.snapshot {
            return newest_of(&here.layers).cloned().ok_or(SyncError::NoSnapshot);
        }
        let make = || {
            let (volume, pair, temporary) = (self.want.source.clone(), self.pair.clone(), self.want.dry_run);
            self.source.snapshot(Snapshot { volume, pair, role: Role::Source, temporary })
        };
        self.events.around_snapshot(&mut { make })
    }

    /// A snapshot with a later time than a newer one: a clock was set, and rules by time may mean another one than their user.
    fn warn_of_times(&self, newest: &Layer, here: &Layers) {
        let later = |layer: &&Layer| !layer.is_same(newest) && layer.created_seconds > newest.created_seconds;
        if let Some(layer) = here.layers.iter().find(later) {
            self.events.log(&format!(
                "warning: by its time the snapshot `{}` of the source is newer than `{}`, which was made after it: a clock was \
                 wrong; the order of the pool's transactions counts",
                layer.name, newest.name
            ));
        }
    }

    /// Brings one layer over and puts it under the destination's name. Gives what both had in common before.
    fn send_newest(
        &self,
        newest: &Layer,
        here: &Layers,
        there: &Layers,
        done: &mut Done,
    ) -> Result<Option<LayerId>, SyncError> {
        let target = target(there);
        let step = next(newest, &here.layers, &target);
        if matches!(step, Ok(Step::Initial) | Err(LineageError::NothingCommon { .. })) {
            // Its common layer may be one of those that were not told.
            let cut =
                [(Role::Source, here), (Role::Destination, there)].into_iter().find(|(_, layers)| !layers.complete);
            if let Some((role, _)) = cut {
                return Err(SyncError::TooMany { role });
            }
        }
        let common = match step {
            Ok(Step::UpToDate) => id_of(newest),
            Ok(Step::Swap { layer }) => {
                self.events.log(&format!("the destination has the layer already, as `{}`", layer.name));
                id_of(newest)
            }
            Ok(Step::Delta { from, on }) => {
                let shared = from.ids.iter().find(|id| on.ids.contains(id)).cloned();
                self.send(newest, shared.clone(), done)?;
                shared
            }
            Ok(Step::Initial) => {
                self.send(newest, None, done)?;
                None
            }
            Err(LineageError::Unknown | LineageError::NothingCommon { .. }) if self.want.use_existing => {
                let base = self.existing(there)?;
                self.note_differing(newest, &base)?;
                self.send(newest, id_of(&base), done)?;
                None
            }
            Err(error) => return Err(error.into()),
        };
        if !self.want.dry_run
            && let Some(layer) = id_of(newest)
        {
            self.settle(layer.clone(), done)?;
            done.layer = Some(layer);
        }
        Ok(common)
    }

    /// The layer that a destination's volume is compared as, which exists: the pair's, or a snapshot of it now.
    fn existing(&self, there: &Layers) -> Result<Layer, SyncError> {
        if let Some(base) = base_of(there) {
            return Ok(base.clone());
        }
        let (volume, pair, role) = (self.want.destination.clone(), self.pair.clone(), Role::Destination);
        let temporary = self.want.dry_run;
        let base =
            self.destination.snapshot(Snapshot { volume: volume.clone(), pair: pair.clone(), role, temporary })?;
        if !temporary {
            // From here on the volume is known to hold this, so that a write to it is noticed.
            self.destination.adopt(Adopt { volume, pair, role, snapshot: base.name.clone(), layer: None })?;
        }
        Ok(base)
    }

    fn send(&self, layer: &Layer, parent: Option<LayerId>, done: &mut Done) -> Result<(), SyncError> {
        let Some(id) = id_of(layer) else { return Err(self.source.ended()) };
        let selected = Selected { volume: self.want.source.clone(), pair: self.pair.clone(), layer: id, parent };
        let plan = self.source.plan(selected.clone())?;
        let offer = Offer {
            volume: self.want.destination.clone(),
            pair: self.pair.clone(),
            pool: self.want.pool.clone(),
            plan: plan.clone(),
        };
        if self.want.dry_run {
            self.destination.would_receive(offer)?;
            done.count(&plan);
            return Ok(());
        }
        let ready = self.destination.receive(offer)?;
        done.begun = Some(selected.layer.clone());
        let begin = transfer(self.source, self.destination, selected, ready, self.want.verify, self.events)?;
        done.resumed |= !begin.resumes_at.is_zero();
        done.count(&begin.plan);
        Ok(())
    }

    fn prune(&self, role: Role, common: &LayerId) -> Result<Vec<Removed>, SyncError> {
        let keep = if role == Role::Source { &self.want.keep_source } else { &self.want.keep_destination };
        let ask = Prune {
            volume: self.volume(role).clone(),
            pair: self.pair.clone(),
            role,
            policy: keep.clone(),
            common: common.clone(),
            dry_run: self.want.dry_run,
        };
        Ok(self.peer(role).prune(ask)?.removed)
    }

    /// Both, even where one of them fails.
    fn prune_both(&self, common: &LayerId) -> Result<(Vec<Removed>, Vec<Removed>), SyncError> {
        let (here, there) = (self.prune(Role::Source, common), self.prune(Role::Destination, common));
        Ok((here?, there?))
    }

    /// The snapshot that was not sent to its end stays, to be gone on with, and others go by the rules, or each failure would leave
    /// one more. (One that was not begun to be sent went with the session.) Whether that succeeds changes nothing about the failure
    /// before it.
    fn tidy(&self, here: &Layers, there: &Layers, newest: &Layer) {
        if self.want.dry_run || !self.want.snapshot {
            return;
        }
        let target = target(there);
        let common = match next(newest, &here.layers, &target) {
            Ok(Step::Delta { from, .. }) => id_of(from),
            _ => id_of(newest),
        };
        match common.map(|common| self.prune(Role::Source, &common)) {
            // What ended the session is the failure, or follows from it, and nobody is to look for it here.
            None | Some(Ok(_) | Err(SyncError::Link { .. } | SyncError::Ended { .. })) => {}
            Some(Err(error)) => {
                self.events.log(&format!("older snapshots of the source stay until the next run: {error}"));
            }
        }
    }
}

fn id_of(layer: &Layer) -> Option<LayerId> {
    layer.ids.first().cloned()
}

fn target(there: &Layers) -> Destination {
    let live = there.live.clone().unwrap_or(Live::Unknown);
    Destination { live, in_use: there.in_use, layers: there.layers.clone() }
}

/// What the destination holds, of the pair's own layers.
fn base_of(there: &Layers) -> Option<&Layer> {
    let Some(Live::Holds { layer, ours: true }) = &there.live else { return None };
    there.layers.iter().find(|base| base.ours && base.ids.contains(layer))
}

/// The newest of these by their parents where they are known, else by their order: the pair's own, or where it has none, any.
fn newest_of(layers: &[Layer]) -> Option<&Layer> {
    let has_own = layers.iter().any(|layer| layer.ours);
    let is_parent = |of: &Layer| {
        let is_of = |layer: &&Layer| layer.parent.as_ref().is_some_and(|parent| of.ids.contains(parent));
        layers.iter().any(|layer| is_of(&layer))
    };
    let candidates = layers.iter().rev().filter(|layer| layer.ours || !has_own);
    // A listing begins with the newest; of equal ones this gives the last one.
    candidates.max_by_key(|layer| !is_parent(layer))
}
