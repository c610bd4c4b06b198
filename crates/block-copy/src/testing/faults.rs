//! Failures of a whole machine, at one of all the operations that change something.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use extents::{Bytes, Extent};

use crate::{Error, Op, ReadAt, WriteAt};

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The process is killed: this operation and all later ones do nothing.
    Kill,
    /// This operation does nothing and fails with an error number of the system (5 is EIO, 28 is ENOSPC).
    Once(i32),
    /// The same, and so does each later one but syncs: what a full pool does.
    From(i32),
}

/// Counts writes, zeroings, syncs and what else a test counts, over all volumes that share it, and lets one fail.
#[derive(Clone, Debug)]
pub struct Faults {
    failure: Failure,
    /// Operations before the one that fails.
    at: u64,
    passed: Arc<AtomicU64>,
}

impl Faults {
    /// Lets `at` operations pass before `failure`.
    #[must_use]
    pub fn new(at: u64, failure: Failure) -> Self {
        Self { failure, at, passed: Arc::default() }
    }

    /// Nothing ever fails.
    #[must_use]
    pub fn none() -> Self {
        Self::new(u64::MAX, Failure::Kill)
    }

    /// How many operations were asked for.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// Whether the process was killed.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.failure == Failure::Kill && self.asked() > self.at
    }

    /// Whether the last operation that was asked for was the first one to fail.
    #[must_use]
    pub fn has_just_failed(&self) -> bool {
        self.asked() == self.at.saturating_add(1)
    }

    /// Counts an operation, which is to be done where this succeeds.
    ///
    /// # Errors
    /// The operation fails.
    pub fn pass(&self, op: Op) -> Result<(), Error> {
        let number = self.passed.fetch_add(1, Ordering::Relaxed);
        let errno = match self.failure {
            Failure::Kill if number >= self.at => 4,
            Failure::Once(errno) if number == self.at => errno,
            Failure::From(errno) if number >= self.at && op != Op::Sync => errno,
            _ => return Ok(()),
        };
        Err(Error::system(op, Path::new("faulty"), None, io::Error::from_raw_os_error(errno)))
    }

    /// A volume whose operations are counted here.
    #[must_use]
    pub fn over<T>(&self, inner: T) -> Faulted<T> {
        Faulted { inner, faults: self.clone() }
    }
}

/// A volume that fails as its [`Faults`] say. Reading never fails.
#[derive(Debug)]
pub struct Faulted<T> {
    inner: T,
    faults: Faults,
}

impl<T> Faulted<T> {
    /// The volume inside.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// The volume inside, which fails no more.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: ReadAt> ReadAt for Faulted<T> {
    fn size(&self) -> Bytes {
        self.inner.size()
    }

    fn read_at(&self, at: Bytes, buf: &mut [u8]) -> Result<(), Error> {
        self.inner.read_at(at, buf)
    }
}

impl<T: WriteAt> WriteAt for Faulted<T> {
    fn write_at(&self, at: Bytes, data: &[u8]) -> Result<(), Error> {
        self.faults.pass(Op::Write)?;
        self.inner.write_at(at, data)
    }

    fn zero(&self, extent: Extent<Bytes>) -> Result<(), Error> {
        self.faults.pass(Op::Zero)?;
        self.inner.zero(extent)
    }

    fn sync(&self) -> Result<(), Error> {
        self.faults.pass(Op::Sync)?;
        self.inner.sync()
    }
}
