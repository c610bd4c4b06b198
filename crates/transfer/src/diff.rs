//! From a volume to a stream: read, hash, frame, hand on.

use std::io;

use block_copy::{Piece, Progress, Queue, ReadAt, read_pieces};
use extents::{Bytes, Extent};
use hyperlayer::{Check, CheckHasher, DATA_TRAILER, Digest, Encoder, Format, Header};

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

/// Writes the stream that `plan` describes: the header, the checks of the base, the records, the end.
///
/// # Errors
/// A read fails, `put` fails, `progress` asks to stop, or the header cannot be written in its format.
pub fn diff(
    header: &Header,
    plan: &Plan,
    new: &dyn ReadAt,
    base: Option<&dyn ReadAt>,
    queue: Queue,
    progress: &dyn Progress,
    put: &mut dyn FnMut(Part) -> io::Result<()>,
) -> Result<Sent, Error> {
    // A piece that is read is a record.
    let queue = Queue { piece: plan.step, ..queue };
    let (encoder, text) = Encoder::start(header)?;
    let mut out = Framing { encoder, put };
    out.put(text)?;

    if let Some(base) = base {
        for extent in &plan.checks {
            let check = hash(*extent, header.format, base, queue, progress)?;
            let line = out.encoder.check(&check)?;
            out.put(line)?;
        }
    }

    let mut records = plan.records();
    read_pieces(new, plan.reads(), queue, progress, |piece| {
        // What is read are the data records in their order; the zero records before each come along.
        for record in records.by_ref() {
            match record {
                Record::Zero(extent) => out.zero(extent)?,
                Record::Data(_) => return out.data(piece),
            }
        }
        Ok(())
    })?;
    for record in records {
        out.zero(record.extent())?;
    }

    let finished = out.encoder.finish()?;
    let sent = Sent { len: finished.len, blake3: finished.blake3 };
    (out.put)(Box::new(finished.bytes)).map_err(Error::output)?;
    Ok(sent)
}

/// The check for a range of the base.
fn hash(
    extent: Extent<Bytes>,
    format: Format,
    base: &dyn ReadAt,
    queue: Queue,
    progress: &dyn Progress,
) -> Result<Check, Error> {
    let mut hasher = match format {
        Format::V1_0 => CheckHasher::crc32(),
        Format::V1_1 => CheckHasher::blake3(),
    };
    read_pieces(base, [extent], queue, progress, |piece| {
        hasher.update(&piece.buf);
        Ok::<_, Error>(())
    })?;
    Ok(Check { extent, hash: hasher.finish() })
}

struct Framing<'a> {
    encoder: Encoder,
    put: &'a mut dyn FnMut(Part) -> io::Result<()>,
}

impl Framing<'_> {
    fn put(&mut self, part: impl AsRef<[u8]> + Send + 'static) -> Result<(), Error> {
        (self.put)(Box::new(part)).map_err(Error::output)
    }

    fn data(&mut self, piece: Piece) -> Result<(), Error> {
        let line = self.encoder.data(piece.extent, &piece.buf)?;
        self.put(line)?;
        self.put(Block(piece))?;
        self.put(DATA_TRAILER)
    }

    fn zero(&mut self, extent: Extent<Bytes>) -> Result<(), Error> {
        for bytes in self.encoder.zero(extent)? {
            (self.put)(Box::new(bytes)).map_err(Error::output)?;
        }
        Ok(())
    }
}

/// The content of a piece; its memory goes back when it was written.
struct Block(Piece);

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.0.buf
    }
}
