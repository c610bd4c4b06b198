//! What a store holds, as it was read once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use hyperlayer::LayerId;

use crate::chain::{self, ChainError};
use crate::fault::Problem;
use crate::layer::Stored;
use crate::names::Series;
use crate::tree;

/// The layers of a store, or of one series, and what could not be understood beside them.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Objects that are not as they must be.
    pub problems: Vec<Problem>,
    layers: BTreeMap<Series, BTreeMap<LayerId, Stored>>,
    /// Of each parent, also of one that is not there.
    children: BTreeMap<Series, BTreeMap<LayerId, BTreeSet<LayerId>>>,
}

impl Listing {
    pub(crate) fn new(layers: impl IntoIterator<Item = Stored>, problems: Vec<Problem>) -> Self {
        let mut listing = Self { problems, ..Self::default() };
        for stored in layers {
            if let Some(parent) = &stored.layer.parent {
                let of_series = listing.children.entry(stored.layer.series.clone()).or_default();
                of_series.entry(parent.clone()).or_default().insert(stored.layer.layer.clone());
            }
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

    /// The layers of one series, from the oldest to the newest by [`tree::times`]. Of those of one second, a layer comes
    /// after the one that it is applied on; the id settles what is left.
    #[must_use]
    pub fn of(&self, series: &Series) -> Vec<&Stored> {
        tree::in_order(self.layers.get(series).into_iter().flat_map(BTreeMap::values).collect())
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
        let layers = self.of(series);
        let times = tree::times(&layers);
        layers.into_iter().rfind(|stored| times.get(&stored.layer.layer).is_some_and(|time| *time <= when))
    }

    /// The layer that may be newer than `chosen`, although its time is earlier: where `chosen` is of a time after `now`, the newest
    /// layer of its series that is not, unless `chosen` is applied on it.
    #[must_use]
    pub fn rival(&self, chosen: &Stored, now: SystemTime) -> Option<&Stored> {
        let (series, id) = (&chosen.layer.series, &chosen.layer.layer);
        let is_future = tree::times(&self.of(series)).get(id).is_some_and(|time| *time > now);
        let rival = self.at(series, now).filter(|_| is_future)?;
        let chain = self.chain(series, id).unwrap_or_default();
        let is_below = chain.iter().any(|below| below.layer.layer == rival.layer.layer);
        (!is_below).then_some(rival)
    }

    /// The layers whose time cannot be right: earlier than that of the layer below, later than that of one above, or after
    /// `now`.
    #[must_use]
    pub fn doubtful_times(&self, now: SystemTime) -> Vec<&Stored> {
        let doubtful = self.layers.keys().flat_map(|series| {
            let layers = self.of(series);
            let times = tree::times(&layers);
            layers.into_iter().filter(move |Stored { layer, .. }| {
                times.get(&layer.layer).is_some_and(|time| *time != layer.created) || layer.created > now
            })
        });
        doubtful.collect()
    }

    /// The layers that are applied on this one.
    #[must_use]
    pub fn children(&self, series: &Series, layer: &LayerId) -> Vec<&Stored> {
        let ids = self.children.get(series).and_then(|of_series| of_series.get(layer));
        tree::in_order(ids.into_iter().flatten().filter_map(|id| self.find(series, id)).collect())
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
        self.layers.keys().flat_map(|series| self.broken_of(series)).collect()
    }

    fn broken_of(&self, series: &Series) -> Vec<ChainError> {
        let layers = self.of(series);
        let missing = layers.iter().filter_map(|Stored { layer, .. }| {
            let missing = layer.parent.as_ref().filter(|parent| self.find(series, parent).is_none())?;
            Some(ChainError::Missing { series: series.clone(), child: layer.layer.clone(), missing: missing.clone() })
        });
        let circles = tree::circles(&layers).into_iter();
        let circles = circles.map(|met| ChainError::Circle { series: series.clone(), layer: met.layer.layer.clone() });
        missing.chain(circles).collect()
    }

    pub(crate) fn forget(&mut self, series: &Series, layer: &LayerId) {
        let Some(gone) = self.layers.get_mut(series).and_then(|layers| layers.remove(layer)) else { return };
        let of_series = self.children.get_mut(series).zip(gone.layer.parent.as_ref());
        if let Some(children) = of_series.and_then(|(of_series, parent)| of_series.get_mut(parent)) {
            children.remove(layer);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use extents::{Bytes, ChunkSize};
    use hyperlayer::Totals;

    use super::*;
    use crate::layer::{Facts, Layer, Wrapping};

    fn series() -> Series {
        Series::new("vg/home").unwrap()
    }

    fn id(text: impl Into<String>) -> LayerId {
        LayerId::new(text.into()).unwrap()
    }

    fn stored(layer: LayerId, parent: Option<LayerId>, seconds: u64) -> Stored {
        let facts = Facts { len: Bytes::ZERO, blake3: blake3::hash(b"") };
        let layer = Layer {
            series: series(),
            key: layer.to_string(),
            layer,
            parent,
            created: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
            volume_size: Bytes::new(512),
            chunk_size: ChunkSize::SECTOR,
            totals: Totals::default(),
            stream: facts,
            object: facts,
            wrapping: Wrapping::default(),
            tool: String::new(),
            host: None,
            machine: None,
        };
        Stored { layer, held: false, tags: BTreeSet::new() }
    }

    fn listing(layers: &[(&str, Option<&str>, u64)]) -> Listing {
        let layers = layers.iter().map(|(layer, parent, at)| stored(id(*layer), parent.map(id), *at));
        Listing::new(layers, Vec::new())
    }

    fn names(layers: &[&Stored]) -> String {
        layers.iter().map(|stored| stored.layer.layer.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn of_one_second_a_parent_comes_first() {
        for (layers, order) in [
            (&[("c", None, 5), ("b", Some("c"), 5), ("a", Some("b"), 5)][..], "c b a"),
            (&[("c", None, 4), ("a", Some("c"), 5), ("b", Some("a"), 5), ("0", None, 6)], "c a b 0"),
            (&[("b", None, 5), ("a", None, 5)], "a b"),
            // A clock that was set back, or ahead for one layer: the parent is older.
            (&[("a", None, 9), ("b", Some("a"), 5)], "a b"),
            (&[("a", None, 1), ("b", Some("a"), 900), ("c", Some("b"), 3), ("d", None, 4)], "a b c d"),
            (&[("a", None, 5), ("b", Some("a"), 1), ("c", Some("b"), 7), ("d", None, 6)], "a b d c"),
            (&[("b", Some("gone"), 5), ("a", Some("b"), 5)], "b a"),
            (&[("x", Some("y"), 5), ("y", Some("x"), 4), ("z", Some("x"), 4)], "y z x"),
        ] {
            let listing = listing(layers);
            assert_eq!(names(&listing.of(&series())), order);
            assert_eq!(listing.newest(&series()).unwrap().layer.layer.as_str(), &order[order.len() - 1..]);
        }
    }

    #[test]
    fn each_break_is_told_once() {
        let listing = listing(&[
            ("a", None, 1),
            ("b", Some("gone"), 2),
            ("c", Some("b"), 3),
            ("d", Some("gone"), 3),
            ("x", Some("y"), 4),
            ("y", Some("x"), 5),
            ("z", Some("y"), 6),
            ("u", Some("w"), 7),
            ("v", Some("u"), 7),
            ("w", Some("v"), 7),
        ]);
        let broken: Vec<_> = listing.broken().iter().map(ToString::to_string).collect();
        let missing = broken.iter().filter(|text| text.contains("needs layer gone")).count();
        let circles = broken.iter().filter(|text| text.contains("in a circle")).count();
        assert_eq!((missing, circles, broken.len()), (2, 2, 4), "{broken:?}");
    }

    #[test]
    fn times_that_contradict_parents_are_named() {
        let layers =
            [("a", None, 10), ("b", Some("a"), 900), ("c", Some("b"), 20), ("d", Some("c"), 5), ("e", Some("d"), 30)];
        let listing = listing(&layers);
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let all = listing.of(&series());
        let times = tree::times(&all);
        let times: Vec<_> = all.iter().map(|stored| times[&stored.layer.layer]).collect();
        assert_eq!(times, [at(10), at(10), at(20), at(20), at(30)]);
        assert_eq!(names(&listing.doubtful_times(at(100))), "b d");
        assert_eq!(names(&listing.doubtful_times(at(25))), "b d e");
        assert_eq!(names(&[listing.at(&series(), at(25)).unwrap()]), "d");
    }

    /// A clock that was ahead for a while, of which nothing above tells.
    #[test]
    fn what_is_dated_ahead_of_the_clock_has_a_rival() {
        for (layers, now, rival) in [
            (&[("a", None, 1), ("b", Some("a"), 2), ("f", None, 900)][..], 10, Some("b")),
            (&[("a", None, 1), ("b", Some("a"), 2), ("f", None, 900), ("g", Some("f"), 901)], 10, Some("b")),
            (&[("a", None, 1), ("f", Some("a"), 900), ("b", Some("a"), 3)], 10, Some("b")),
            // Parents settle it.
            (&[("a", None, 1), ("b", Some("a"), 2), ("f", Some("b"), 900)], 10, None),
            (&[("f", None, 900), ("a", Some("f"), 3)], 10, None),
            // The clock has reached it, or is behind all of them.
            (&[("a", None, 1), ("f", None, 900)], 900, None),
            (&[("a", None, 20), ("f", None, 900)], 10, None),
        ] {
            let listing = listing(layers);
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
            let found = listing.rival(listing.newest(&series()).unwrap(), now);
            assert_eq!(found.map(|stored| stored.layer.layer.as_str()), rival, "{layers:?}");
        }
    }

    /// Squared, these many would take minutes.
    #[test]
    fn a_long_chain_is_looked_at_in_one_pass() {
        const COUNT: usize = 20_000;
        // From the newest to the oldest, by name: the worst order to walk in.
        let name = |n: usize| id(format!("{:05}", COUNT - n));
        let layers = (0..COUNT).map(|n| stored(name(n), n.checked_sub(1).map(name), 5));
        let mut listing = Listing::new(layers, Vec::new());
        assert_eq!(listing.broken(), []);
        assert_eq!(listing.newest(&series()).unwrap().layer.layer, name(COUNT - 1));
        assert_eq!(tree::chains(&listing.of(&series())).last().unwrap().chain, Some(COUNT));
        for n in (0..COUNT).rev() {
            assert!(listing.children(&series(), &name(n)).is_empty());
            listing.forget(&series(), &name(n));
            assert!(n == 0 || listing.children(&series(), &name(n - 1)).is_empty());
        }
        let circle = (0..COUNT).map(|n| stored(name(n), Some(name((n + COUNT - 1) % COUNT)), 5));
        assert_eq!(Listing::new(circle, Vec::new()).broken().len(), 1);
    }
}
