//! From a volume to a stream: read, hash, frame, hand on.

use std::io;

use block_copy::{Piece, Progress, Queue, ReadAt, read_pieces};
use extents::{Bytes, Extent};
use hyperlayer::{Check, CheckHash, CheckHasher, DATA_TRAILER, Digest, Encoder, Header, Version};

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
/// A read fails, `put` fails, `progress` asks to stop, or the header cannot be written in its version.
pub fn diff(
    header: &Header,
    plan: &Plan,
    new: &dyn ReadAt,
    base: Option<&dyn ReadAt>,
    queue: Queue,
    progress: &dyn Progress,
    put: &mut dyn FnMut(Part) -> io::Result<()>,
) -> Result<Sent, Error> {
    let mut put = |part: Part| put(part).map_err(Error::Output);
    let (mut encoder, text) = Encoder::start(header)?;
    put(Box::new(text))?;

    if let Some(base) = base {
        check_base(&plan.checks, header.version, base, queue, progress, |check| put(Box::new(encoder.check(&check)?)))?;
    }

    let mut records = plan.records();
    read_pieces(new, plan.reads(), queue, progress, |piece| {
        // Reads are the data records in their order; the zero records between them come along.
        for record in records.by_ref() {
            match record {
                Record::Zero(extent) => zero(&mut encoder, extent, &mut put)?,
                Record::Data(extent) => {
                    put(Box::new(encoder.data(extent, &piece)?))?;
                    put(Box::new(Block(piece)))?;
                    return put(Box::new(DATA_TRAILER));
                }
            }
        }
        Ok(())
    })?;
    for record in records {
        zero(&mut encoder, record.extent(), &mut put)?;
    }

    let (text, sent) = encoder.finish()?;
    put(Box::new(text))?;
    Ok(Sent { len: sent.len, blake3: sent.blake3 })
}
