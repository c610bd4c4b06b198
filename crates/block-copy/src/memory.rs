//! A volume in memory.

use std::path::Path;
use std::sync::{PoisonError, RwLock};

use extents::{Bytes, Extent};

use crate::zeros::inside;
use crate::{Error, Op, ReadAt, WriteAt};

/// A volume in memory, for tests and embedders.
#[derive(Debug, Default)]
pub struct Memory {
    content: RwLock<Vec<u8>>,
    size: Bytes,
}

impl Memory {
    /// A volume with this content.
    #[must_use]
    pub fn new(content: Vec<u8>) -> Self {
        Self { size: content.len().into(), content: RwLock::new(content) }
    }

    /// A volume of `len` zeros.
    #[must_use]
    pub fn zeroed(len: usize) -> Self {
        Self::new(vec![0; len])
    }

    /// A copy of the content.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.content.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The content.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.content.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn range(&self, op: Op, at: Bytes, len: usize) -> Result<std::ops::Range<usize>, Error> {
        let extent = Error::within(op, Path::new("memory"), at, len.into(), self.size)?;
        Ok(match (extent, Extent::whole(self.size)) {
            (Some(part), Some(whole)) => inside(whole, part),
            _ => 0..0,
        })
    }
}

impl ReadAt for Memory {
    fn size(&self) -> Bytes {
        self.size
    }

    fn read_at(&self, at: Bytes, buf: &mut [u8]) -> Result<(), Error> {
        let range = self.range(Op::Read, at, buf.len())?;
        buf.copy_from_slice(&self.content.read().unwrap_or_else(PoisonError::into_inner)[range]);
        Ok(())
    }
}

impl WriteAt for Memory {
    fn write_at(&self, at: Bytes, data: &[u8]) -> Result<(), Error> {
        let range = self.range(Op::Write, at, data.len())?;
        self.content.write().unwrap_or_else(PoisonError::into_inner)[range].copy_from_slice(data);
        Ok(())
    }

    fn zero(&self, extent: Extent<Bytes>) -> Result<(), Error> {
        let range = self.range(Op::Zero, extent.start(), extent.len().to_usize().unwrap_or(usize::MAX))?;
        self.content.write().unwrap_or_else(PoisonError::into_inner)[range].fill(0);
        Ok(())
    }

    fn sync(&self) -> Result<(), Error> {
        Ok(())
    }
}
