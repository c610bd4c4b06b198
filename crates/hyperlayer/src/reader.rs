//! Events from anything that can be read.

use std::io::BufRead;

use crate::decode::Step;
use crate::error::ReadError;
use crate::{Decoder, Event, ReadOptions};

/// Reads the events of one stream, or of several one after the other.
///
/// Data is handed out where it lies in the input's buffer, so that buffer decides how large the pieces are: give a
/// [`BufReader`](std::io::BufReader) some hundred KiB.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    decoder: Decoder,
    /// How much of the input's buffer was handed out by the last call and is to be consumed by the next.
    lent: usize,
}

impl<R: BufRead> Reader<R> {
    /// Reads from the beginning of a stream.
    pub fn new(input: R) -> Self {
        Self { input, decoder: Decoder::new(), lent: 0 }
    }

    /// The same, told what some foreign formats do not say.
    pub fn with_options(input: R, options: ReadOptions) -> Self {
        Self { decoder: Decoder::with_options(options), ..Self::new(input) }
    }

    /// How many bytes were read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.decoder.position()
    }

    /// The next event; `None` only where the input ends after a complete stream.
    ///
    /// # Errors
    /// [`ReadError`] where the input cannot be read, or is no valid stream. What was handed out before is then not
    /// to be trusted: a stream is right as a whole or not at all.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, ReadError> {
        self.input.consume(std::mem::take(&mut self.lent));
        loop {
            let io = |source| ReadError::Io { position: self.decoder.position(), source };
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(io(error)),
            };
            if buffer.is_empty() {
                return Ok(self.decoder.finish()?);
            }
            let (consumed, step) = self.decoder.step(buffer)?;
            match step {
                None => self.input.consume(consumed),
                Some(Step::Event(event)) => {
                    self.input.consume(consumed);
                    return Ok(Some(event));
                }
                Some(Step::Decoded { at }) => {
                    self.input.consume(consumed);
                    return Ok(Some(Event::Data { at, bytes: self.decoder.decoded() }));
                }
                Some(Step::Data { at, input }) => {
                    self.lent = consumed;
                    // The buffer is not empty, so this reads nothing and gives the same bytes.
                    let position = self.decoder.position();
                    let buffer = self.input.fill_buf().map_err(|source| ReadError::Io { position, source })?;
                    return Ok(Some(Event::Data { at, bytes: &buffer[input] }));
                }
            }
        }
    }
}
