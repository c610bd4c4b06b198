//! From the pieces of records to writes of full buffers, none of them before the check of its record.

use block_copy::{PooledBuf, WriteQueue};
use extents::{Bytes, Extent};
use hyperlayer::Format;

use crate::Error;

/// When the data of a record may be used: under 1.1 when all of it came and its check was right, in other formats at
/// once, since their records have no check and no largest size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    is_checked: bool,
    end: Bytes,
}

impl Arrival {
    /// For the records of a stream of `format`.
    pub(crate) fn of(format: Format) -> Self {
        Self { is_checked: format == Format::V1_1, end: Bytes::ZERO }
    }

    /// Whether each record of the stream has a check that covers its range and its data.
    pub(crate) fn is_checked(self) -> bool {
        self.is_checked
    }

    /// A record begins.
    pub(crate) fn start(&mut self, extent: Extent<Bytes>) {
        self.end = extent.end();
    }

    /// Whether the record may be used up to the end of a piece of `len` at `at`.
    pub(crate) fn is_certain(self, at: Bytes, len: Bytes) -> bool {
        !self.is_checked || at.saturating_add(len) >= self.end
    }
}

/// Joins the pieces in which records come to writes of a full buffer each, so that whole chunks are written whole. A
/// piece is queued after [`complete`](Self::complete) only, and dropped without it.
///
/// Holds at most one record of [`MAX_DATA_RECORD`](hyperlayer::limits::MAX_DATA_RECORD) beside the buffer that is being filled.
pub(crate) struct Assembler<'q, 'w, M = ()> {
    queue: &'q WriteQueue<'w, M>,
    piece: Bytes,
    /// Full buffers of the record whose check is not known yet.
    held: Vec<Filled>,
    filling: Option<Filled>,
    /// How much of the oldest buffer of both belongs to complete records, in bytes.
    complete_bytes: usize,
}

struct Filled {
    extent: Extent<Bytes>,
    buf: PooledBuf,
}

impl<'q, 'w, M> Assembler<'q, 'w, M> {
    /// For writes of up to `piece` each.
    pub(crate) fn new(queue: &'q WriteQueue<'w, M>, piece: Bytes) -> Self {
        Self { queue, piece, held: Vec::new(), filling: None, complete_bytes: 0 }
    }

    /// Takes a piece of the record that comes.
    pub(crate) fn data(&mut self, mut at: Bytes, mut bytes: &[u8]) -> Result<(), Error> {
        while let Some(all) = Extent::new(at, bytes.len().into()) {
            if self.filling.as_ref().is_some_and(|filled| filled.extent.end() != at || self.is_border(at)) {
                self.put_away()?;
            }
            let Some(part) = all.pieces(self.piece).next() else { break };
            let (now, later) = bytes.split_at(part.len().to_usize().unwrap_or(bytes.len()));
            let Filled { extent, mut buf } =
                self.filling.take().unwrap_or_else(|| Filled { extent: part, buf: self.queue.buffer() });
            let len = buf.len();
            buf.set_len(len + now.len());
            buf[len..].copy_from_slice(now);
            self.filling = Some(Filled { extent: extent.join(part).unwrap_or(part), buf });
            (at, bytes) = (part.end(), later);
        }
        Ok(())
    }

    /// All that came is certain.
    pub(crate) fn complete(&mut self) -> Result<(), Error> {
        for Filled { extent, buf } in self.held.drain(..) {
            self.queue.write_buf(extent.start(), buf)?;
        }
        self.complete_bytes = self.filling.as_ref().map_or(0, |filled| filled.buf.len());
        Ok(())
    }

    /// Queues all complete records, and drops what came of one that is not.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        let oldest = self.held.drain(..).chain(self.filling.take()).next();
        let complete_bytes = std::mem::take(&mut self.complete_bytes);
        match oldest {
            Some(Filled { extent, mut buf }) if complete_bytes > 0 => {
                buf.set_len(complete_bytes);
                Ok(self.queue.write_buf(extent.start(), buf)?)
            }
            _ => Ok(()),
        }
    }

    /// The buffer that is being filled gets nothing more.
    fn put_away(&mut self) -> Result<(), Error> {
        let Some(filled) = self.filling.take() else { return Ok(()) };
        if self.held.is_empty() && self.complete_bytes == filled.buf.len() {
            self.complete_bytes = 0;
            return Ok(self.queue.write_buf(filled.extent.start(), filled.buf)?);
        }
        self.held.push(filled);
        Ok(())
    }

    fn is_border(&self, at: Bytes) -> bool {
        at.get().is_multiple_of(self.piece.get())
    }
}
