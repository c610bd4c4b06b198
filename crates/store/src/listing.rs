//! What a store holds, as it was read once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use hyperlayer::LayerId;

use crate::chain::{self, ChainError};
use crate::error::Problem;
use crate::layer::Stored;
use crate::names::Series;

/// The layers of a store, or of one series, and what could not be understood beside them.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Objects that are not as they must be.
    pub problems: Vec<Problem>,
    layers: BTreeMap<Series, BTreeMap<LayerId, Stored>>,
}

impl Listing {
    pub(crate) fn new(layers: impl IntoIterator<Item = Stored>, problems: Vec<Problem>) -> Self {
        let mut listing = Self { problems, layers: BTreeMap::new() };
        for stored in layers {
            let series = listing.layers.entry(stored.layer.series.clone()).or_default();
            series.insert(stored.layer.layer.clone(), stored);
        }
        listing
    }

    /// All layers: series by name, each from its oldest layer to its newest.
    #[must_use]
    pub fn layers(&self) -> Vec<&Stored> {
        self.layers.keys().flat_map(|series| self.of(series)).collect()
    }

    /// The series that have layers, by name.
    pub fn series(&self) -> impl Iterator<Item = &Series> {
        self.layers.keys()
    }

    /// The layers of one series, from the oldest to the newest.
    #[must_use]
    pub fn of(&self, series: &Series) -> Vec<&Stored> {
        let mut layers: Vec<_> = self.layers.get(series).into_iter().flat_map(BTreeMap::values).collect();
        layers.sort_by_key(|stored| (stored.layer.created, &stored.layer.layer));
        layers
    }

    /// One layer.
    #[must_use]
    pub fn find(&self, series: &Series, layer: &LayerId) -> Option<&Stored> {
        self.layers.get(series)?.get(layer)
    }

    /// The newest layer of a series.
    #[must_use]
    pub fn newest(&self, series: &Series) -> Option<&Stored> {
        self.of(series).pop()
    }

    /// The newest layer of a series that is not newer than `when`.
    #[must_use]
    pub fn at(&self, series: &Series, when: SystemTime) -> Option<&Stored> {
        self.of(series).into_iter().rfind(|stored| stored.layer.created <= when)
    }

    /// The layers that are applied on this one.
    #[must_use]
    pub fn children(&self, series: &Series, layer: &LayerId) -> Vec<&Stored> {
        self.of(series).into_iter().filter(|stored| stored.layer.parent.as_ref() == Some(layer)).collect()
    }

    /// What a layer is restored from: itself, its parent, and so on to the full layer.
    ///
    /// # Errors
    /// One of them is not there, or they go round in a circle.
    pub fn chain(&self, series: &Series, layer: &LayerId) -> Result<Vec<&Stored>, ChainError> {
        chain::chain(series, layer, |id| self.find(series, id))
    }

    /// One error for each way in which chains are broken, not one for each layer above it.
    #[must_use]
    pub fn broken(&self) -> Vec<ChainError> {
        let mut broken = Vec::new();
        for series in self.layers.keys() {
            let mut circles = BTreeSet::new();
            for stored in self.of(series) {
                match self.chain(series, &stored.layer.layer) {
                    Err(ChainError::Missing { child, missing, .. }) if child == stored.layer.layer => {
                        broken.push(ChainError::Missing { series: series.clone(), child, missing });
                    }
                    Err(error @ ChainError::Circle { .. }) if circles.insert(error.to_string()) => broken.push(error),
                    _ => {}
                }
            }
        }
        broken
    }

    pub(crate) fn forget(&mut self, series: &Series, layer: &LayerId) {
        if let Some(layers) = self.layers.get_mut(series) {
            layers.remove(layer);
        }
    }
}

/// `percent` in a hundred of the layers, rounded up, one at least: which ones, `seed` says. With another seed for each
/// check, all of a store is read in the long run.
#[must_use]
pub fn sample<'a>(layers: &[&'a Stored], percent: u8, seed: u64) -> Vec<&'a Stored> {
    let rank = |stored: &Stored| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes()).update(stored.layer.key.as_bytes());
        *hasher.finalize().as_bytes()
    };
    let mut ranked: Vec<_> = layers.iter().map(|stored| (rank(stored), *stored)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let count = (layers.len() * usize::from(percent.min(100))).div_ceil(100).max(1);
    ranked.into_iter().take(count).map(|(_, stored)| stored).collect()
}
