//! Streams to anything that can be written.

use std::io::Write;

use extents::{Bytes, Extent};

use crate::error::WriteError;
use crate::{Check, DATA_TRAILER, Encoder, Finished, Header};

/// Writes one stream. What must hold for the order of the calls, [`Encoder`] says.
///
/// Dropped without [`Writer::finish`], it leaves a cut stream, which every reader refuses.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
    encoder: Encoder,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// [`WriteError`] where the header is wrong, or the output fails.
    pub fn new(mut output: W, header: &Header) -> Result<Self, WriteError> {
        let (encoder, text) = Encoder::start(header)?;
        output.write_all(&text)?;
        Ok(Self { output, encoder })
    }

    /// Writes a base check.
    ///
    /// # Errors
    /// As [`Encoder::check`], or the output fails.
    pub fn check(&mut self, check: &Check) -> Result<(), WriteError> {
        let line = self.encoder.check(check)?;
        Ok(self.output.write_all(&line)?)
    }

    /// Writes a data record.
    ///
    /// # Errors
    /// As [`Encoder::data`], or the output fails.
    pub fn data(&mut self, extent: Extent<Bytes>, payload: &[u8]) -> Result<(), WriteError> {
        let line = self.encoder.data(extent, payload)?;
        self.output.write_all(&line)?;
        self.output.write_all(payload)?;
        Ok(self.output.write_all(DATA_TRAILER)?)
    }

    /// Writes that a range reads as zeros.
    ///
    /// # Errors
    /// As [`Encoder::zero`], or the output fails.
    pub fn zero(&mut self, extent: Extent<Bytes>) -> Result<(), WriteError> {
        for piece in self.encoder.zero(extent)? {
            self.output.write_all(&piece)?;
        }
        Ok(())
    }

    /// Writes the end and flushes; gives the output back.
    ///
    /// # Errors
    /// As [`Encoder::finish`], or the output fails.
    pub fn finish(mut self) -> Result<(W, Finished), WriteError> {
        let finished = self.encoder.finish()?;
        self.output.write_all(&finished.bytes)?;
        self.output.flush()?;
        Ok((self.output, finished))
    }
}
