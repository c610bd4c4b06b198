//! Events from anything that can be read.

use std::io::BufRead;

use extents::{Bytes, Extent};

use crate::decode::Step;
use crate::error::ReadError;
use crate::limits::MAX_DATA_RECORD;
use crate::{Decoder, Event, ReadOptions, Record};

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
    /// Where the next piece of the record's data must end at the latest that [`Reader::next_record`] is to give.
    record_end: Bytes,
}

impl<R: BufRead> Reader<R> {
    /// Reads from the beginning of a stream.
    pub fn new(input: R) -> Self {
        Self { input, decoder: Decoder::new(), lent: 0, record_end: Bytes::ZERO }
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
        self.event_within(usize::MAX)
    }

    /// The next thing with all its data, which replaces what `data` holds; `None` only where the input ends after a
    /// complete stream.
    ///
    /// `data` never holds more than [`MAX_DATA_RECORD`]. A record of 1.1 is never longer, and comes whole and checked. A
    /// longer one of another format comes in several [`Record::Data`], each as long as that but the last. Whoever
    /// changes a volume by streams of 1.1 should use this and not [`Reader::next_event`]: a damaged record line
    /// would otherwise put data where it does not belong. Do not mix the two within a record.
    ///
    /// # Errors
    /// As [`Reader::next_event`]. Of the refused record nothing was handed out, but what came before it is still only part of
    /// a stream.
    pub fn next_record(&mut self, data: &mut Vec<u8>) -> Result<Option<Record>, ReadError> {
        data.clear();
        let most = MAX_DATA_RECORD.to_usize().unwrap_or(usize::MAX);
        let mut start = None;
        loop {
            let end = self.record_end;
            match self.event_within(most - data.len())? {
                None => return Ok(None),
                Some(Event::Header(header)) => return Ok(Some(Record::Header(header))),
                Some(Event::Check(check)) => return Ok(Some(Record::Check(check))),
                Some(Event::Zero(extent)) => return Ok(Some(Record::Zero(extent))),
                Some(Event::End(end)) => return Ok(Some(Record::End(end))),
                Some(Event::DataStart(extent)) => self.record_end = extent.end(),
                Some(Event::Data { at, bytes }) => {
                    data.extend_from_slice(bytes);
                    let to = at.saturating_add(Bytes::from(bytes.len()));
                    let whole = Extent::between(*start.get_or_insert(at), to);
                    if let Some(extent) = whole.filter(|_| to == end || data.len() >= most) {
                        return Ok(Some(Record::Data(extent)));
                    }
                }
            }
        }
    }

    /// The next event, from no more of the input than so many bytes at once.
    fn event_within(&mut self, most_bytes: usize) -> Result<Option<Event<'_>>, ReadError> {
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
            let (consumed, step) = self.decoder.step(&buffer[..buffer.len().min(most_bytes)])?;
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
