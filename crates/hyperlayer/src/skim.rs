//! What a stream holds, without reading its data.

use std::io::{self, BufRead, Seek, SeekFrom};

use extents::{Bytes, Extent};

use crate::decode::Step;
use crate::error::{DecodeError, ErrorKind, ReadError};
use crate::{Check, Completeness, Decoder, Event, Format, Header, Totals};

/// One thing that a stream says, data left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Skim {
    /// As [`Event::Header`].
    Header(Box<Header>),
    /// As [`Event::Check`].
    Check(Check),
    /// Data for this range.
    Data {
        /// Where on the volume.
        extent: Extent<Bytes>,
        /// Where in the input its first byte lies, in bytes from the input's beginning.
        position: u64,
    },
    /// As [`Event::Zero`].
    Zero(Extent<Bytes>),
    /// The stream ends. Every count it states was compared; its digest and the checks of its data records were not.
    End {
        /// The stream's format.
        format: Format,
        /// [`Completeness::Counted`] at most where there is any data.
        completeness: Completeness,
        /// What the stream held.
        totals: Totals,
        /// The stream's length in bytes.
        len: Bytes,
    },
}

/// A [`Decoder`] of HYPERLAYER 1.1 and 1.0 that steps over the data, so that a large file is known after reading its
/// lines. A foreign stream is none to it: there is no way round reading that through.
///
/// ```
/// # let bytes = include_bytes!("../tests/golden/full-1.1.hl").as_slice();
/// use hyperlayer::{Skim, Skimmer};
///
/// let (mut skimmer, mut at, mut ranges) = (Skimmer::new(), 0, Vec::new());
/// while at < bytes.len() {
///     let (taken, skim) = skimmer.skim(&bytes[at..])?;
///     at += taken as usize; // may lie past the piece that was given: here a file is seeked
///     if let Some(Skim::Data { extent, .. }) = skim {
///         ranges.push(extent);
///     }
/// }
/// skimmer.finish(bytes.len() as u64)?;
/// assert_eq!(ranges.len(), 3);
/// # Ok::<(), hyperlayer::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct Skimmer {
    decoder: Decoder,
}

impl Default for Skimmer {
    fn default() -> Self {
        Self::new()
    }
}

impl Skimmer {
    /// Before the first byte.
    #[must_use]
    pub fn new() -> Self {
        Self { decoder: Decoder::hyperlayer_only() }
    }

    /// Where the next bytes must come from, in bytes from the beginning of the input.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.decoder.position()
    }

    /// Takes bytes up to the next thing that is said; gives how many of them, and that thing. After a data record that
    /// is more than were given where the data goes on behind them: the next call must be given what comes after it.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn skim(&mut self, input: &[u8]) -> Result<(u64, Option<Skim>), DecodeError> {
        let before = self.decoder.position();
        let (_, step) = self.decoder.step(input)?;
        let skim = match step {
            Some(Step::Event(event)) => self.skimmed(event),
            Some(Step::Data { .. } | Step::Decoded { .. }) | None => None,
        };
        Ok((self.decoder.position() - before, skim))
    }

    /// Says that the input ends here, after `input_len_bytes`. As [`Decoder::finish`]: call again until there is nothing.
    ///
    /// # Errors
    /// As [`Decoder::finish`]; also where data was stepped over that is not there.
    pub fn finish(&mut self, input_len_bytes: u64) -> Result<Option<Skim>, DecodeError> {
        if self.decoder.position() > input_len_bytes {
            let kind = ErrorKind::Cut { inside: "within the data of a record" };
            return Err(DecodeError { position: input_len_bytes, kind });
        }
        let event = self.decoder.finish()?;
        Ok(event.and_then(|event| self.skimmed(event)))
    }

    fn skimmed(&mut self, event: Event<'static>) -> Option<Skim> {
        Some(match event {
            Event::Header(header) => Skim::Header(header),
            Event::Check(check) => Skim::Check(check),
            Event::DataStart(extent) => {
                let position = self.decoder.position();
                self.decoder.skip_payload();
                Skim::Data { extent, position }
            }
            Event::Zero(extent) => Skim::Zero(extent),
            Event::End(end) => {
                let (format, completeness, totals, len) = (end.format, end.completeness, end.totals, end.len);
                Skim::End { format, completeness, totals, len }
            }
            Event::Data { .. } => return None,
        })
    }
}

/// A [`Skimmer`] over anything that can be read and seeked. What the input's buffer has is used, so a small buffer is a
/// good one: lines are short, and data is not wanted.
#[derive(Debug)]
pub struct SkimReader<R> {
    input: R,
    skimmer: Skimmer,
    /// How much the input has, in bytes from where it stood.
    len_bytes: u64,
}

impl<R: BufRead + Seek> SkimReader<R> {
    /// Skims from where the input stands to its end. Positions count from there.
    ///
    /// # Errors
    /// The input cannot seek.
    pub fn new(mut input: R) -> io::Result<Self> {
        let start = input.stream_position()?;
        let end = input.seek(SeekFrom::End(0))?;
        input.seek(SeekFrom::Start(start))?;
        Ok(Self { input, skimmer: Skimmer::new(), len_bytes: end.saturating_sub(start) })
    }

    /// The next thing that is said; `None` only where the input ends after a complete stream.
    ///
    /// # Errors
    /// As [`Reader::next_event`](crate::Reader::next_event).
    pub fn next_skim(&mut self) -> Result<Option<Skim>, ReadError> {
        loop {
            let position = self.skimmer.position();
            let io = |source| ReadError::Io { position, source };
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(io(error)),
            };
            if buffer.is_empty() {
                return Ok(self.skimmer.finish(self.len_bytes)?);
            }
            let have = buffer.len();
            let (taken, skim) = self.skimmer.skim(buffer)?;
            let consumed = usize::try_from(taken).map_or(have, |taken| taken.min(have));
            self.input.consume(consumed);
            let beyond = i64::try_from(taken - consumed as u64).unwrap_or(i64::MAX);
            if beyond > 0 {
                self.input.seek(SeekFrom::Current(beyond)).map_err(io)?;
            }
            if skim.is_some() {
                return Ok(skim);
            }
        }
    }
}
