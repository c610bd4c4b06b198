//! Streams to anything that can be written.

use std::io::Write;

use extents::{Bytes, Extent};

use crate::error::WriteError;
use crate::{Check, DATA_TRAILER, Encoder, Finished, Header};

/// Writes one stream. What must hold for the order of the calls, [`Encoder`] says.
///
/// Dropped without [`Writer::finish`], it leaves a cut stream, which every reader refuses. After an error every later
/// call fails.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
    encoder: Encoder,
    /// Whether something could not be written, so that the output lacks it.
    broken: bool,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// [`WriteError`] where the header is wrong, or the output fails.
    pub fn new(mut output: W, header: &Header) -> Result<Self, WriteError> {
        let (encoder, text) = Encoder::start(header)?;
        output.write_all(&text)?;
        Ok(Self { output, encoder, broken: false })
    }

    /// Writes a base check.
    ///
    /// # Errors
    /// As [`Encoder::check`], or the output fails.
    pub fn check(&mut self, check: &Check) -> Result<(), WriteError> {
        self.unbroken()?;
        let line = self.encoder.check(check)?;
        self.put(&line)
    }

    /// Writes a data record.
    ///
    /// # Errors
    /// As [`Encoder::data`], or the output fails.
    pub fn data(&mut self, extent: Extent<Bytes>, payload: &[u8]) -> Result<(), WriteError> {
        self.unbroken()?;
        let line = self.encoder.data(extent, payload)?;
        self.put(&line)?;
        self.put(payload)?;
        self.put(DATA_TRAILER)
    }

    /// Writes that a range reads as zeros.
    ///
    /// # Errors
    /// As [`Encoder::zero`], or the output fails.
    pub fn zero(&mut self, extent: Extent<Bytes>) -> Result<(), WriteError> {
        self.unbroken()?;
        for piece in self.encoder.zero(extent)? {
            self.output.write_all(&piece).inspect_err(|_| self.broken = true)?;
        }
        Ok(())
    }

    fn unbroken(&self) -> Result<(), WriteError> {
        if self.broken { Err(WriteError::Broken) } else { Ok(()) }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        Ok(self.output.write_all(bytes).inspect_err(|_| self.broken = true)?)
    }

    /// Writes the end and flushes; gives the output back.
    ///
    /// # Errors
    /// As [`Encoder::finish`], or the output fails.
    pub fn finish(mut self) -> Result<(W, Finished), WriteError> {
        self.unbroken()?;
        let finished = self.encoder.finish()?;
        self.output.write_all(&finished.bytes)?;
        self.output.flush()?;
        Ok((self.output, finished))
    }
}
