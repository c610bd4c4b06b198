//! The sans-IO decoder: bytes in, events out.

mod stream;

use std::ops::Range;

use extents::Bytes;

use crate::error::{DecodeError, EXCERPT_BYTES, ErrorKind, excerpt};
use crate::foreign::{self, Codec, Found, ReadOptions};
use crate::format::Version;
use crate::header::{HeaderParser, MAGIC};
use crate::limits::MAX_LINE_BYTES;
use crate::{Completeness, End, Event, Format, Totals};
use stream::{Next, Stream};

/// Turns bytes, handed over in any pieces, into [`Event`]s. Does no input itself and holds no payload: its memory is
/// bounded by the limits of this crate whatever the bytes say.
///
/// ```
/// # let bytes = include_bytes!("../tests/golden/full-1.1.hl").as_slice();
/// use hyperlayer::{Decoder, Event};
///
/// let mut decoder = Decoder::new();
/// let mut data_bytes = 0;
/// for mut piece in bytes.chunks(1000) {
///     loop {
///         let (consumed, event) = decoder.decode(piece)?;
///         piece = &piece[consumed..];
///         match event {
///             Some(Event::Data { bytes, .. }) => data_bytes += bytes.len(),
///             Some(_) => {}
///             None => break, // all of the piece is consumed
///         }
///     }
/// }
/// while decoder.finish()?.is_some() {}
/// assert_eq!(data_bytes, 32768);
/// # Ok::<(), hyperlayer::DecodeError>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// The part of the current line that was seen.
    line: Vec<u8>,
    /// How many bytes were consumed.
    position: u64,
    failed: Option<DecodeError>,
    /// What foreign formats need; `None` where none is read.
    options: Option<ReadOptions>,
}

#[derive(Debug)]
enum State {
    /// Nothing of a stream was seen; `first` before the first one.
    Start {
        first: bool,
    },
    Header {
        parser: HeaderParser,
        stream: Box<Stream>,
    },
    Records(Box<Stream>),
    Foreign(Box<Foreign>),
    /// Taken out while it is worked on.
    Busy,
}

/// A stream of a foreign format.
#[derive(Debug)]
struct Foreign {
    codec: Box<dyn Codec>,
    format: Format,
    /// Where in the input it starts.
    start: u64,
    hasher: blake3::Hasher,
}

/// One step of the decoder, independent of where the input lies.
#[derive(Debug)]
pub(crate) enum Step {
    Event(Event<'static>),
    /// Data at this place of the volume, which are these bytes of the input.
    Data {
        at: Bytes,
        input: Range<usize>,
    },
    /// Data at this place of the volume, which is in [`Decoder::decoded`].
    Decoded {
        at: Bytes,
    },
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Before the first byte.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(ReadOptions::default())
    }

    /// The same, told what some foreign formats do not say.
    #[must_use]
    pub fn with_options(options: ReadOptions) -> Self {
        Self { options: Some(options), ..Self::hyperlayer_only() }
    }

    /// Takes every foreign format for no stream.
    pub(crate) fn hyperlayer_only() -> Self {
        Self { state: State::Start { first: true }, line: Vec::new(), position: 0, failed: None, options: None }
    }

    /// How many bytes were consumed since the beginning.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Takes bytes up to the next event; gives how many of them, and the event. Without an event all of them were
    /// taken and more are needed.
    ///
    /// # Errors
    /// [`DecodeError`] where the bytes are no valid stream. Every later call fails with the same error.
    pub fn decode<'a>(&'a mut self, input: &'a [u8]) -> Result<(usize, Option<Event<'a>>), DecodeError> {
        let (consumed, step) = self.step(input)?;
        let event = step.map(|step| match step {
            Step::Event(event) => event,
            Step::Data { at, input: range } => Event::Data { at, bytes: &input[range] },
            Step::Decoded { at } => Event::Data { at, bytes: self.decoded() },
        });
        Ok((consumed, event))
    }

    /// Says that the input ends here. A stream that may end without a mark, as one of 1.0, gives its
    /// [`End`](Event::End) now; call again until there is no event.
    ///
    /// # Errors
    /// [`DecodeError`] where the input ends within a stream ([`DecodeError::is_cut`]), or before one.
    pub fn finish(&mut self) -> Result<Option<Event<'static>>, DecodeError> {
        self.guarded(|decoder| {
            let position = decoder.position;
            let cut = |inside| DecodeError { position, kind: ErrorKind::Cut { inside } };
            let may_be_foreign = decoder.may_be_foreign(None);
            match &mut decoder.state {
                State::Start { first: true } if decoder.line.is_empty() => Err(cut("before anything")),
                State::Start { .. } if decoder.line.is_empty() => Ok(None),
                State::Start { .. } if may_be_foreign => Err(cut("within the first bytes of a stream")),
                State::Start { .. } => {
                    decoder.check_magic(decoder.position - decoder.line.len() as u64)?;
                    Err(cut("within the first line of a stream"))
                }
                State::Header { .. } => Err(cut("within the header")),
                State::Records(stream) => {
                    let end = stream.end_of_input(decoder.position, &decoder.line)?;
                    decoder.state = State::Start { first: false };
                    Ok(Some(Event::End(end)))
                }
                State::Foreign(foreign) => {
                    let (completeness, totals) = foreign.codec.finish(decoder.position)?;
                    let end = foreign.end(decoder.position, completeness, totals);
                    decoder.state = State::Start { first: false };
                    Ok(Some(Event::End(end)))
                }
                State::Busy => Ok(None),
            }
        })
    }

    /// Goes on as if all the record's data had been taken.
    pub(crate) fn skip_payload(&mut self) {
        if let State::Records(stream) = &mut self.state {
            self.position = self.position.saturating_add(stream.skip_payload().get());
        }
    }

    /// The data that [`Step::Decoded`] told of.
    pub(crate) fn decoded(&self) -> &[u8] {
        match &self.state {
            State::Foreign(foreign) => foreign.codec.decoded(),
            _ => &[],
        }
    }

    /// As [`Decoder::decode`], for a caller that cannot lend the input for so long.
    pub(crate) fn step(&mut self, input: &[u8]) -> Result<(usize, Option<Step>), DecodeError> {
        self.guarded(|decoder| {
            let mut consumed = 0;
            loop {
                let rest = &input[consumed..];
                let (taken, next) = decoder.advance(rest)?;
                decoder.position += taken as u64;
                let from = consumed;
                consumed += taken;
                match next {
                    Advance::Event(event) => return Ok((consumed, Some(Step::Event(event)))),
                    Advance::Data(at) => return Ok((consumed, Some(Step::Data { at, input: from..consumed }))),
                    Advance::Decoded(at) => return Ok((consumed, Some(Step::Decoded { at }))),
                    Advance::Starved => return Ok((consumed, None)),
                    Advance::Further => {}
                }
            }
        })
    }

    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, DecodeError>) -> Result<T, DecodeError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        work(self).inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// Takes a line, or a piece of data, from the beginning of the input.
    fn advance(&mut self, input: &[u8]) -> Result<(usize, Advance), DecodeError> {
        if let State::Records(stream) = &mut self.state
            && let Some(step) = stream.payload(self.position, input)?
        {
            return Ok(step);
        }
        if matches!(self.state, State::Foreign(_)) {
            return self.foreign(input);
        }
        if let Some(step) = self.foreign_magic(input)? {
            return Ok(step);
        }
        let Some(taken) = self.cut_line(input)? else { return Ok((input.len(), Advance::Starved)) };
        let start = self.position + taken as u64 - self.line.len() as u64;
        let mut line = std::mem::take(&mut self.line);
        let advance = self.line(start, &line)?;
        // Kept for its capacity.
        line.clear();
        self.line = line;
        Ok((taken, advance))
    }

    /// Hands the input to the decoder of its format.
    fn foreign(&mut self, input: &[u8]) -> Result<(usize, Advance), DecodeError> {
        let State::Foreign(foreign) = &mut self.state else { return Ok((0, Advance::Starved)) };
        let (taken, found) = foreign.codec.advance(self.position, input)?;
        foreign.hasher.update(&input[..taken]);
        let advance = match found {
            Found::Event(event) => Advance::Event(event),
            Found::Data(at) => Advance::Data(at),
            Found::Decoded(at) => Advance::Decoded(at),
            Found::Starved => Advance::Starved,
            Found::Further => Advance::Further,
            Found::End(completeness, totals) => {
                let end = foreign.end(self.position + taken as u64, completeness, totals);
                self.state = State::Start { first: false };
                Advance::Event(Event::End(end))
            }
        };
        Ok((taken, advance))
    }

    /// Whether a stream is to begin here, and what was seen of it, with this byte, may be a foreign one's beginning.
    fn may_be_foreign(&self, next: Option<&u8>) -> bool {
        matches!(self.state, State::Start { .. })
            && self.options.is_some()
            && foreign::may_begin(&self.line.iter().chain(next))
    }

    /// Takes what may be the magic of a foreign format: byte by byte, so that it does not matter how the input comes.
    fn foreign_magic(&mut self, input: &[u8]) -> Result<Option<(usize, Advance)>, DecodeError> {
        let mut taken = 0;
        while let Some(byte) = input.get(taken)
            && self.may_be_foreign(Some(byte))
        {
            self.line.push(*byte);
            taken += 1;
            let Some((format, open)) = foreign::find(&self.line) else { continue };
            let start = self.position + taken as u64 - self.line.len() as u64;
            let codec = open(self.options.unwrap_or_default());
            let codec = codec.map_err(|kind| DecodeError { position: start, kind })?;
            let mut hasher = blake3::Hasher::new();
            hasher.update(&self.line);
            self.line.clear();
            self.state = State::Foreign(Box::new(Foreign { codec, format, start, hasher }));
            break;
        }
        Ok((taken > 0).then_some((taken, Advance::Further)))
    }

    /// Adds to the line what the input has of it; gives how much that is, where the line is complete.
    fn cut_line(&mut self, input: &[u8]) -> Result<Option<usize>, DecodeError> {
        let start = self.position - self.line.len() as u64;
        let refuse = |kind| DecodeError { position: start, kind };
        let room = MAX_LINE_BYTES - self.line.len();
        let window = &input[..input.len().min(room)];
        let newline = window.iter().position(|b| *b == b'\n');
        self.line.extend_from_slice(newline.map_or(window, |at| &window[..=at]));
        // Told only with as much of the line as the error shows, so that the error does not depend on the pieces.
        if newline.is_some() || self.line.len() > EXCERPT_BYTES {
            self.check_magic(start)?;
        }
        if newline.is_none() && self.line.len() == MAX_LINE_BYTES {
            return Err(refuse(ErrorKind::LineTooLong { at_least_bytes: self.line.len() + 1 }));
        }
        Ok(newline.map(|at| at + 1))
    }

    /// Refuses a line, from `position`, that is to begin a stream and does not.
    fn check_magic(&self, position: u64) -> Result<(), DecodeError> {
        let State::Start { first } = self.state else { return Ok(()) };
        let shown = self.line.len().min(MAGIC.len());
        if self.line[..shown] == MAGIC.as_bytes()[..shown] {
            return Ok(());
        }
        let found = excerpt(&self.line);
        let kind = if first { ErrorKind::NoMagic { found } } else { ErrorKind::TrailingBytes { found } };
        Err(DecodeError { position, kind })
    }

    /// Works on one line, which ends with its newline and starts at `position`.
    fn line(&mut self, position: u64, line: &[u8]) -> Result<Advance, DecodeError> {
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        match std::mem::replace(&mut self.state, State::Busy) {
            State::Start { .. } => {
                self.state = Self::magic(position, line)?;
                Ok(Advance::Further)
            }
            State::Header { mut parser, mut stream } => {
                stream.header_line(line);
                let header = parser.line(position, bare)?;
                let (state, advance) = match header {
                    None => (State::Header { parser, stream }, Advance::Further),
                    Some(header) => {
                        stream.begin(&header);
                        (State::Records(stream), Advance::Event(Event::Header(Box::new(header))))
                    }
                };
                self.state = state;
                Ok(advance)
            }
            State::Records(mut stream) => {
                // Only 1.0 can be at its end here without having said so.
                if stream.may_end() && line.starts_with(MAGIC.as_bytes()) {
                    let end = stream.end_without_mark(position)?;
                    self.state = Self::magic(position, line)?;
                    return Ok(Advance::Event(Event::End(end)));
                }
                let (state, advance) = match stream.record(position, line)? {
                    Next::Nothing => (State::Records(stream), Advance::Further),
                    Next::Event(event) => (State::Records(stream), Advance::Event(event)),
                    Next::End(end) => (State::Start { first: false }, Advance::Event(Event::End(end))),
                };
                self.state = state;
                Ok(advance)
            }
            // Neither comes in lines.
            state @ (State::Foreign(_) | State::Busy) => {
                self.state = state;
                Ok(Advance::Starved)
            }
        }
    }

    fn magic(position: u64, line: &[u8]) -> Result<State, DecodeError> {
        let version = match line {
            b"HYPERLAYER/1.0\n" | b"HYPERLAYER/1.0\r\n" => Version::V1_0,
            b"HYPERLAYER/1.1\n" => Version::V1_1,
            _ => {
                let found = excerpt(line.strip_suffix(b"\n").unwrap_or(line));
                return Err(DecodeError { position, kind: ErrorKind::UnknownVersion { found } });
            }
        };
        let mut stream = Box::new(Stream::new(version, position));
        stream.header_line(line);
        Ok(State::Header { parser: HeaderParser::new(version, line.len()), stream })
    }
}

/// What came of taking some bytes.
#[derive(Debug)]
pub(crate) enum Advance {
    Event(Event<'static>),
    /// The bytes taken are data for this place.
    Data(Bytes),
    /// Data for this place is in [`Decoder::decoded`].
    Decoded(Bytes),
    /// All bytes are taken and none is left to go on with.
    Starved,
    /// Nothing to tell; there may be more to take.
    Further,
}

impl Foreign {
    fn end(&self, position: u64, completeness: Completeness, totals: Totals) -> End {
        let len = Bytes::new(position - self.start);
        End { format: self.format, completeness, totals, len, blake3: self.hasher.finalize().into() }
    }
}
