//! Reading and writing at a place: no cursor, so that threads can share a volume.

use extents::{Bytes, Extent};

use crate::Error;

/// Something that can be read at any byte.
pub trait ReadAt: Send + Sync {
    /// Its length. It does not change.
    fn size(&self) -> Bytes;

    /// Fills `buf` from `at` on.
    ///
    /// # Errors
    /// When not all of it can be read: [`Error::PastEnd`] where the range does not lie inside the volume, else what
    /// the system said. The content of `buf` is then undefined.
    fn read_at(&self, at: Bytes, buf: &mut [u8]) -> Result<(), Error>;

    /// Checks that nobody wrote to it since it was opened, so that all that was read is of one moment. What nobody else
    /// can write passes.
    ///
    /// # Errors
    /// [`Error::Changed`], or what the system said.
    fn check_unchanged(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// Something that can be written at any byte. Its length stays.
pub trait WriteAt: ReadAt {
    /// Writes all of `data` from `at` on.
    ///
    /// # Errors
    /// When not all of it could be written: [`Error::PastEnd`] (then nothing was), else what the system said.
    fn write_at(&self, at: Bytes, data: &[u8]) -> Result<(), Error>;

    /// Makes a range read as zeros, unmapped where that is possible. Holds on every destination, also where discards
    /// are refused, ignored, or smaller than the destination's chunks. What lies outside the range keeps what it
    /// reads: no chunk becomes mapped by this.
    ///
    /// # Errors
    /// As [`write_at`](Self::write_at).
    fn zero(&self, extent: Extent<Bytes>) -> Result<(), Error>;

    /// Returns when everything written so far is durable.
    ///
    /// # Errors
    /// What the system said. It is then unknown what is durable: begin anew, do not try again.
    fn sync(&self) -> Result<(), Error>;
}
