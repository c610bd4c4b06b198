//! Which layer of a chain gives which byte of the result.

use extents::{Bytes, Extent, ExtentSet};

/// What is already decided on the way from the newest layer to the oldest. What it has not covered, an older layer
/// decides; below the oldest: the base, or zeros.
#[derive(Debug, Default)]
pub(super) struct Covered(ExtentSet<Bytes>);

impl Covered {
    /// Before the newest layer, whose volume has this size: nothing past its end matters.
    pub(super) fn newest(size: Bytes) -> Self {
        let mut covered = Self::default();
        covered.from(size);
        covered
    }

    /// Everything from here on is decided, as what lies past the end of a layer's parent is: by its own data, or zeros.
    pub(super) fn from(&mut self, at: Bytes) {
        if let Some(past) = Extent::between(at, Bytes::new(u64::MAX)) {
            self.0.insert(past);
        }
    }

    /// What of the set this layer decides.
    pub(super) fn visible(&self, set: &ExtentSet<Bytes>) -> ExtentSet<Bytes> {
        set.difference(&self.0)
    }

    /// What of the range this layer decides.
    pub(super) fn visible_parts(&self, extent: Extent<Bytes>) -> impl Iterator<Item = Extent<Bytes>> + '_ {
        self.0.gaps(extent)
    }

    /// The layer decided this.
    pub(super) fn add(&mut self, set: &ExtentSet<Bytes>) {
        self.0 = self.0.union(set);
    }
}
