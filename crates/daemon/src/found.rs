//! What a configuration means for the volumes that are found.

use std::collections::BTreeSet;

use lvm_cmd::Lv;

use crate::{Job, Place};

impl Job {
    /// The pools that it reads or writes, as far as they are known here: on this machine by the volumes there are, `found`
    /// by the names of their groups; elsewhere by what the configuration says.
    #[must_use]
    pub fn pools(&self, found: &[Lv]) -> BTreeSet<Place> {
        let of_volume = |place: &Place| {
            let volume = found.iter().find(|lv| place.host().is_none() && lv.name == *place.volume())?;
            volume.pool_ref().map(Place::here)
        };
        let said = || Some(self.destination.sibling(self.sync.pool.clone()?));
        [of_volume(&self.source), of_volume(&self.destination).or_else(said)].into_iter().flatten().collect()
    }
}
