//! Pieces of a stream as frames of zstd.

use std::fmt;
use std::io;

use crate::limits::MAX_DATA_BYTES;

/// Packs pieces, each by itself: so that one which is lost or altered is known at once, and no side must remember more.
pub(crate) struct Packer {
    zstd: zstd::bulk::Compressor<'static>,
    buffer: Vec<u8>,
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer").finish_non_exhaustive()
    }
}

impl Packer {
    /// With a level of zstd.
    pub(crate) fn new(level: i32) -> io::Result<Self> {
        Ok(Self { zstd: zstd::bulk::Compressor::new(level)?, buffer: vec![0; MAX_DATA_BYTES] })
    }

    /// The packed piece; `None` where that would not be shorter.
    pub(crate) fn pack(&mut self, piece: &[u8]) -> Option<&[u8]> {
        // Fails where the buffer is too small, so that nothing is gained anyway.
        let len = self.zstd.compress_to_buffer(piece, self.buffer.as_mut_slice()).ok()?;
        self.buffer.get(..len).filter(|packed| packed.len() < piece.len())
    }
}

/// Unpacks them.
#[derive(Default)]
pub(crate) struct Unpacker {
    zstd: Option<zstd::bulk::Decompressor<'static>>,
    buffer: Vec<u8>,
}

impl fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unpacker").finish_non_exhaustive()
    }
}

impl Unpacker {
    /// The piece, of at most [`MAX_DATA_BYTES`]. What says that it has more is refused before so much is unpacked.
    pub(crate) fn unpack(&mut self, packed: &[u8]) -> io::Result<&[u8]> {
        let zstd = match &mut self.zstd {
            Some(zstd) => zstd,
            none => none.insert(zstd::bulk::Decompressor::new()?),
        };
        self.buffer.resize(MAX_DATA_BYTES, 0);
        // Straight into the buffer and no further: zstd needs no window of its own for that.
        let len = zstd.decompress_to_buffer(packed, self.buffer.as_mut_slice())?;
        self.buffer.get(..len).ok_or_else(|| io::Error::other("more than its buffer holds"))
    }
}
