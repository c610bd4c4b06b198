//! What differs between a new volume and its base.

use extents::{Bytes, ChunkSize, Chunks, Extent, ExtentSet};
use thin_delta::{Run, RunKind};

use crate::Error;

/// What differs between a new volume and its base, in bytes of the new volume; each byte is in at most one set, and what
/// is in none reads as zeros in both.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Delta {
    /// What must be read from the new volume.
    pub data: ExtentSet<Bytes>,
    /// What the base may hold data in and the new volume reads as zeros in.
    pub zero: ExtentSet<Bytes>,
    /// What the new volume shares with its base, and a receiver therefore keeps.
    pub same: ExtentSet<Bytes>,
}

/// The sizes that a delta lies between.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// The size of the new volume.
    pub size: Bytes,
    /// The size of its base; zero where there is none.
    pub base_size: Bytes,
    /// The chunk of both.
    pub chunk: ChunkSize,
}

impl Delta {
    /// From the runs of `thin_delta --snap1 BASE --snap2 NEW`.
    ///
    /// dm-thin does not store a volume's size: after a shrink its mappings go on past the end, so runs are cut at the
    /// volumes' sizes. What both share past the base's end a receiver does not have, so it is sent as data.
    ///
    /// # Errors
    /// The first error of `runs`, and a run past the largest offset there is.
    pub fn between<E>(runs: impl IntoIterator<Item = Result<Run, E>>, geometry: Geometry) -> Result<Self, Error>
    where
        Error: From<E>,
    {
        let mut delta = Self::default();
        for run in runs {
            let run = run?;
            let set = match run.kind {
                RunKind::Same => &mut delta.same,
                RunKind::Different | RunKind::RightOnly => &mut delta.data,
                RunKind::LeftOnly => &mut delta.zero,
            };
            set.extend(geometry.clip(run.chunks)?);
        }
        Ok(delta.within_base(geometry.base_size))
    }

    /// Everything that is mapped, for a volume without a base.
    ///
    /// # Errors
    /// As [`between`](Self::between).
    pub fn full<E>(
        mapped: impl IntoIterator<Item = Result<Extent<Chunks>, E>>,
        geometry: Geometry,
    ) -> Result<Self, Error>
    where
        Error: From<E>,
    {
        let mut delta = Self::default();
        for chunks in mapped {
            delta.data.extend(geometry.clip(chunks?)?);
        }
        Ok(delta)
    }

    /// For volumes that read through to an external origin where they have mapped nothing: what lies within the origin's
    /// `len` and would be zeros on another volume is the origin's data. With a base, both must have the same origin.
    #[must_use]
    pub fn through_origin(mut self, len: Bytes, geometry: Geometry) -> Self {
        let Some(origin) = Extent::whole(len.min(geometry.size)) else { return self };
        let mut through = self.zero.clip(origin);
        // Past the base's end the receiver has nothing of the origin yet; without a base, nowhere.
        through.extend(Extent::between(geometry.base_size, origin.end()));
        self.data = self.data.union(&through);
        self.zero = self.zero.difference(&through);
        self
    }

    /// Past the base's end there is nothing to share, and nothing that would have to become zero.
    pub(crate) fn within_base(mut self, base_size: Bytes) -> Self {
        if let Some(grown) = Extent::between(base_size, Bytes::new(u64::MAX)) {
            self.data = self.data.union(&self.same.clip(grown));
        }
        let base = Extent::whole(base_size);
        let keep = |set: &ExtentSet<Bytes>| base.map_or_else(ExtentSet::new, |base| set.clip(base));
        self.same = keep(&self.same);
        self.zero = keep(&self.zero);
        self
    }
}

impl Geometry {
    fn clip(self, chunks: Extent<Chunks>) -> Result<Option<Extent<Bytes>>, Error> {
        let start = self.chunk.offset(chunks.start()).filter(|start| *start < self.size);
        let Some(start) = start else { return Ok(None) };
        let end = self.chunk.offset(chunks.end()).ok_or(Error::TooFar { chunks })?;
        Ok(Extent::between(start, end.min(self.size)))
    }
}
