//! From a volume to a stream: read, hash, frame, hand on.

use std::io;

use block_copy::{Piece, Progress, Queue, ReadAt, read_pieces};
use extents::{Bytes, Extent};
use hyperlayer::{Check, CheckHasher, Digest, Format, Header};

use crate::encoding::Encoding;
use crate::{Error, Plan, Record};

/// A part of the stream, given away whole so that no byte is copied on its way.
pub type Part = Box<dyn AsRef<[u8]> + Send>;

/// What a stream held when it was complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    /// The stream's length.
    pub len: Bytes,
    /// The BLAKE3 of all its bytes.
    pub blake3: Digest,
}

/// Where a stream goes that somebody also wants to know the content of.
pub trait Sink {
    /// The next part of the stream.
    ///
    /// # Errors
    /// It cannot be written.
    fn put(&mut self, part: Part) -> io::Result<()>;

    /// The data record that comes next, before its part is put.
    fn record(&mut self, extent: Extent<Bytes>, content: &[u8]) {
        let _ = (extent, content);
    }
}

/// One that only writes.
pub(crate) struct Put<'a>(pub(crate) &'a mut dyn FnMut(Part) -> io::Result<()>);

impl Sink for Put<'_> {
    fn put(&mut self, part: Part) -> io::Result<()> {
        (self.0)(part)
    }
}

/// Writes the stream that `plan` describes: the header, the checks of the base, the records, the end.
///
/// # Errors
/// A read fails, a volume was written to since it was opened, `put` fails, `progress` asks to stop, or the header cannot be
/// written in its format. The stream then has no end.
pub fn diff(
    header: &Header,
    plan: &Plan,
    new: &dyn ReadAt,
    base: Option<&dyn ReadAt>,
    queue: Queue,
    progress: &dyn Progress,
    put: &mut dyn FnMut(Part) -> io::Result<()>,
) -> Result<Sent, Error> {
    diff_into(header, plan, new, base, queue, progress, &mut Put(put))
}

/// A layer to write: what it holds, the volume that it is of, and its base.
#[derive(Clone, Copy)]
pub struct ToSend<'a> {
    /// The header.
    pub header: &'a Header,
    /// The records.
    pub plan: &'a Plan,
    /// The volume.
    pub new: &'a dyn ReadAt,
    /// Its base; `None` for a full layer.
    pub base: Option<&'a dyn ReadAt>,
}

impl std::fmt::Debug for ToSend<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToSend").field("header", self.header).finish_non_exhaustive()
    }
}

/// Writes layers one after the other as one chain. What was sent is counted and hashed over all of them.
///
/// # Errors
/// As [`diff`]; the layers after that one are not begun.
pub fn diff_chain(
    layers: &[ToSend<'_>],
    queue: Queue,
    progress: &dyn Progress,
    put: &mut dyn FnMut(Part) -> io::Result<()>,
) -> Result<Sent, Error> {
    // One layer is hashed while it is framed.
    if let [ToSend { header, plan, new, base }] = *layers {
        return diff(header, plan, new, base, queue, progress, put);
    }
    let (mut len, mut hasher) = (Bytes::ZERO, blake3::Hasher::new());
    for ToSend { header, plan, new, base } in layers {
        let put = &mut |part: Part| {
            hasher.update((*part).as_ref());
            put(part)
        };
        len = len.saturating_add(diff(header, plan, *new, *base, queue, progress, put)?.len);
    }
    Ok(Sent { len, blake3: hasher.finalize().into() })
}

/// As [`diff`], into a sink.
///
/// # Errors
/// As [`diff`].
pub fn diff_into(
    header: &Header,
    plan: &Plan,
    new: &dyn ReadAt,
    base: Option<&dyn ReadAt>,
    queue: Queue,
    progress: &dyn Progress,
    sink: &mut dyn Sink,
) -> Result<Sent, Error> {
    // A piece that is read is a record.
    let queue = Queue { piece: plan.step, ..queue };
    let mut out = Framing::start(header, plan, sink)?;
    if let Some(base) = base {
        for extent in &plan.checks {
            out.check(&hash(*extent, header.format, base, queue, progress)?)?;
        }
    }
    read_pieces(new, plan.reads(), queue, progress, |piece| {
        out.sink.record(piece.extent, &piece.buf);
        out.data(piece)
    })?;
    // Before the end: no reader takes a stream without one.
    base.map_or(Ok(()), ReadAt::check_unchanged)?;
    new.check_unchanged()?;
    out.finish()
}

/// The check for a range of the base.
fn hash(
    extent: Extent<Bytes>,
    format: Format,
    base: &dyn ReadAt,
    queue: Queue,
    progress: &dyn Progress,
) -> Result<Check, Error> {
    let mut hasher = if format == Format::V1_1 { CheckHasher::blake3() } else { CheckHasher::crc32() };
    read_pieces(base, [extent], queue, progress, |piece| {
        hasher.update(&piece.buf);
        Ok::<_, Error>(())
    })?;
    Ok(Check { extent, hash: hasher.finish() })
}

/// Puts records into their frames, wherever their data comes from.
pub(crate) struct Framing<'a, I> {
    encoding: Encoding,
    /// The records that are still to come.
    records: I,
    sink: &'a mut dyn Sink,
}

impl<'a> Framing<'a, ()> {
    /// Writes the header.
    pub(crate) fn start(
        header: &Header,
        plan: &'a Plan,
        sink: &'a mut dyn Sink,
    ) -> Result<Framing<'a, impl Iterator<Item = Record> + 'a>, Error> {
        let (encoding, text) = Encoding::start(header)?;
        let mut out = Framing { encoding, records: plan.records(), sink };
        out.put(text)?;
        Ok(out)
    }
}

impl<I: Iterator<Item = Record>> Framing<'_, I> {
    /// Writes a check of the base.
    pub(crate) fn check(&mut self, check: &Check) -> Result<(), Error> {
        let line = self.encoding.check(check)?;
        self.put(line)
    }

    /// Writes the next data record of the plan, and the zero records before it.
    pub(crate) fn data(&mut self, piece: Piece) -> Result<(), Error> {
        while let Some(record) = self.records.next() {
            match record {
                Record::Zero(extent) => self.zero(extent)?,
                Record::Data(_) => break,
            }
        }
        let (before, after) = self.encoding.data(piece.extent, &piece.buf)?;
        self.put(before)?;
        self.put(Block(piece))?;
        after.map_or(Ok(()), |after| self.put(after))
    }

    /// Writes the zero records after the last data, and the end.
    pub(crate) fn finish(mut self) -> Result<Sent, Error> {
        while let Some(record) = self.records.next() {
            self.zero(record.extent())?;
        }
        let finished = self.encoding.finish()?;
        let sent = Sent { len: finished.len, blake3: finished.blake3 };
        self.sink.put(Box::new(finished.bytes)).map_err(Error::output)?;
        Ok(sent)
    }

    fn zero(&mut self, extent: Extent<Bytes>) -> Result<(), Error> {
        self.encoding.zero(extent, |bytes| self.sink.put(bytes).map_err(Error::output))
    }

    fn put(&mut self, part: impl AsRef<[u8]> + Send + 'static) -> Result<(), Error> {
        self.sink.put(Box::new(part)).map_err(Error::output)
    }
}

/// The content of a piece; its memory goes back when it was written.
struct Block(Piece);

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.0.buf
    }
}
