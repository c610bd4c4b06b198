//! What a configuration means for the volumes that are found.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lvm_cmd::{Lv, LvRef, LvType, Permission, Tag};

use crate::{Candidate, Job, Place};

/// Each layer, and the live volume, carries it with its pair's name.
const SYNC: &str = "hyperlayer.sync=";
/// On the layer that the next delta needs, and on what is being sent.
const HOLD: &str = "hyperlayer.hold=";
/// On the volume that people use.
const LIVE: &str = "hyperlayer.live=";
/// On what is being received.
const PARTIAL: &str = "hyperlayer.partial=";

impl Job {
    /// The pools that it reads or writes, as far as they are known here: on this machine by the volumes there are, `found`
    /// by the names of their groups; elsewhere by what the configuration says.
    #[must_use]
    pub fn pools(&self, found: &[Lv]) -> std::collections::BTreeSet<Place> {
        let of_volume = |place: &Place| {
            let volume = found.iter().find(|lv| place.host().is_none() && lv.name == *place.volume())?;
            volume.pool_ref().map(Place::here)
        };
        let said = || Some(self.destination.sibling(self.sync.pool.clone()?));
        [of_volume(&self.source), of_volume(&self.destination).or_else(said)].into_iter().flatten().collect()
    }
}

/// The volumes of a pool that may go when it is too full, each with the tag that proves that it is ours: layers of a pair,
/// read-only. What is held, live or being received is needed, and so is the newest of each pair, whatever its tags say: the
/// next delta is made against it.
#[must_use]
pub fn candidates(pool: &LvRef, volumes: &[Lv]) -> Vec<(Candidate, Tag)> {
    let value = |lv: &Lv, key: &str| lv.tags.iter().find(|tag| tag.as_str().starts_with(key)).cloned();
    let layer = |lv: &Lv| {
        let is_layer = lv.pool_ref().as_ref() == Some(pool)
            && lv.attr.lv_type() == LvType::ThinVolume
            && lv.attr.permission() == Permission::ReadOnly
            && value(lv, LIVE).is_none();
        // Without its time it cannot be said to be the oldest.
        let taken = lv.created_seconds.and_then(|seconds| Timestamp::from_second(seconds).ok())?;
        let needed = value(lv, HOLD).is_some() || value(lv, PARTIAL).is_some();
        let candidate = Candidate { volume: lv.name.clone(), taken, ours: true, held: needed };
        value(lv, SYNC).filter(|_| is_layer).map(|pair| (candidate, pair))
    };
    let mut layers: Vec<_> = volumes.iter().filter_map(layer).collect();
    let mut newest = BTreeMap::new();
    for (candidate, pair) in &layers {
        let key = (candidate.taken, candidate.volume.clone());
        let best = newest.entry(pair.as_str().to_owned()).or_insert_with(|| key.clone());
        *best = key.max(best.clone());
    }
    for (candidate, pair) in &mut layers {
        candidate.held |= newest.get(pair.as_str()).is_some_and(|(_, volume)| *volume == candidate.volume);
    }
    layers
}
