//! From a stream to a volume: decode, check, write.

use std::io::BufRead;

use block_copy::{Progress, Queue, ReadAt, WriteAt, read_pieces, write_behind};
use extents::{Bytes, ChunkSize, Chunks, Extent};
use hyperlayer::{Check, End, Event, Header, ReadError, ReadOptions, Reader};

use crate::assembler::{Arrival, Assembler};
use crate::{Demands, Error, Promises};

/// A stream of which the header is read and nothing else.
#[derive(Debug)]
pub struct Incoming<R> {
    reader: Reader<R>,
    header: Header,
    demands: Demands,
    /// For a stream that does not say it.
    volume_size: Option<Bytes>,
}

/// How a stream is applied.
#[derive(Clone, Copy, Debug)]
pub struct Apply {
    /// The destination's chunk: data is written in whole ones.
    pub chunk: ChunkSize,
    /// The size of the base; zero where there is none and the target is fresh.
    pub base_size: Bytes,
    /// Whether the base is held against the stream's checks.
    pub check_base: bool,
    /// The bounds of the pipeline.
    pub queue: Queue,
}

impl<R: BufRead> Incoming<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// There is none, or it is wrong.
    pub fn open(input: R) -> Result<Self, Error> {
        Self::open_with(input, ReadOptions::default())
    }

    /// The same, told what some foreign formats do not say.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(input: R, options: ReadOptions) -> Result<Self, Error> {
        let mut reader = Reader::with_options(input, options);
        match reader.next_event() {
            Ok(Some(Event::Header(header))) => {
                let header = *header;
                if header.resumes.is_some() {
                    return Err(Error::Rest { input: "the stream".to_owned() });
                }
                Ok(Self { reader, header, demands: Demands::default(), volume_size: None })
            }
            Err(ReadError::Stream(error)) if error.is_cut() && error.position == 0 => Err(Error::NoStream),
            Err(error) => Err(error.into()),
            Ok(_) => Err(Error::NoStream),
        }
    }

    /// Takes the stream also where nothing in it says that it is whole: HYPERLAYER 1.0 without `Delta blocks`,
    /// thin-send 1.0, lvmsync.
    #[must_use]
    pub fn accept_open_end(self, accept: bool) -> Self {
        Self { demands: Demands { end: !accept, ..self.demands }, ..self }
    }

    /// Says what the stream must promise to be taken.
    ///
    /// # Errors
    /// It is already seen that it does not.
    pub fn demand(self, demands: Demands) -> Result<Self, Error> {
        demands.check(&self.header)?;
        Ok(Self { demands, ..self })
    }

    /// Says the size of the result, for a stream that does not say it itself.
    #[must_use]
    pub fn with_size(self, volume_size: Option<Bytes>) -> Self {
        Self { volume_size, ..self }
    }

    /// What the stream can promise.
    #[must_use]
    pub fn promises(&self) -> Promises {
        Promises::of(&self.header)
    }

    /// What the stream says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The size of the volume that results on a base of `base_size` (zero for none). Where neither the stream nor
    /// [`with_size`](Self::with_size) says it, it is the base's.
    ///
    /// # Errors
    /// Nobody says it.
    pub fn size(&self, base_size: Bytes) -> Result<Bytes, Error> {
        let said = self.header.volume_size.or(self.volume_size);
        said.or(Some(base_size).filter(|size| !size.is_zero())).ok_or(Error::SizeUnknown)
    }

    /// The most chunks of length `chunk` that a pool must have free for the stream on a snapshot of a base of
    /// `base_size` (zero for none): for data, and for zeros in a part of a chunk, which can then not be shared with the
    /// base any more. `None` where a stream of 1.0 does not say how much it holds.
    ///
    /// `unmaps` says whether the pool unmaps what is discarded; where it does not, all zeros take chunks. What the base
    /// may still have mapped past its end, nobody knows; there only the chunks at both ends are counted.
    #[must_use]
    pub fn chunks_needed(&self, chunk: ChunkSize, base_size: Bytes, unmaps: bool) -> Option<Chunks> {
        chunks_needed(&self.header, self.size(base_size).ok()?, chunk, base_size, unmaps)
    }

    /// How many data records the stream holds, where it says so.
    #[must_use]
    pub fn records(&self) -> Option<u64> {
        records(&self.header)
    }

    /// Checks the base and applies the stream on `target`, which has the base's content and is at least as large as
    /// both the base and the result. When this returns, the target holds the new layer and is durable. On an error it
    /// holds anything: it must not be used.
    ///
    /// # Errors
    /// The stream is cut, altered, made for another base, or not the only one; or a read or write fails, or `progress`
    /// asks to stop.
    pub fn apply(self, target: &dyn WriteAt, how: Apply, progress: &dyn Progress) -> Result<End, Error> {
        let size = self.size(how.base_size)?;
        // What only one of base and result has: past the end of a volume that once was larger, old chunks still wait.
        let resized = Extent::between(size.min(how.base_size), size.max(how.base_size));
        let mut resized = resized.filter(|_| !how.base_size.is_zero());
        let target_size = target.size();
        if target_size < size.max(how.base_size) {
            return Err(Error::TargetTooSmall { size: target_size, needed: size.max(how.base_size) });
        }
        let base = BaseReader { base: target, queue: how.queue, progress };
        write_behind(target, how.chunk, how.queue, progress, |queue| {
            let mut assembler = Assembler::new(queue, how.queue.piece);
            self.run(
                Some(size),
                |check| if how.check_base { base.check(&check) } else { Ok(()) },
                |write| {
                    // After the checks, which may lie there.
                    if let Some(resized) = resized.take_if(|_| !matches!(write, Write::Data { .. })) {
                        queue.zero(resized)?;
                    }
                    match write {
                        Write::Data { at, bytes } => assembler.data(at, bytes),
                        Write::Complete => assembler.complete(),
                        Write::Zero(extent) => {
                            assembler.flush()?;
                            Ok(queue.zero(extent)?)
                        }
                        Write::End => assembler.flush(),
                    }
                },
            )
        })
    }

    /// Reads the stream through and checks all of it, and the base where there is one, without writing anything.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub fn verify(self, base: Option<&dyn ReadAt>, queue: Queue, progress: &dyn Progress) -> Result<End, Error> {
        let size = self.size(base.map_or(Bytes::ZERO, ReadAt::size)).ok();
        let base = base.map(|base| BaseReader { base, queue, progress });
        self.run(size, |check| base.as_ref().map_or(Ok(()), |base| base.check(&check)), |_| Ok(()))
    }

    /// Hands on what the stream says, to its very end; there must be no second one behind it.
    fn run(
        mut self,
        size: Option<Bytes>,
        mut check: impl FnMut(Check) -> Result<(), Error>,
        mut write: impl FnMut(Write<'_>) -> Result<(), Error>,
    ) -> Result<End, Error> {
        self.demands.check(&self.header)?;
        // Of a stream that says its size, the reader has made sure.
        let inside = |extent: Extent<Bytes>| match size {
            Some(size) if extent.end() > size => Err(Error::PastSize { extent, size }),
            _ => Ok(()),
        };
        let mut arrival = Arrival::of(self.header.format);
        let end = loop {
            match self.reader.next_event()? {
                Some(Event::Check(what)) => check(what)?,
                Some(Event::DataStart(extent)) => {
                    inside(extent)?;
                    arrival.start(extent);
                }
                Some(Event::Data { at, bytes }) => {
                    write(Write::Data { at, bytes })?;
                    if arrival.is_certain(at, bytes.len().into()) {
                        write(Write::Complete)?;
                    }
                }
                Some(Event::Zero(extent)) => {
                    inside(extent)?;
                    write(Write::Zero(extent))?;
                }
                Some(Event::End(end)) => break end,
                Some(Event::Header(_)) | None => return Err(Error::NoStream),
            }
        };
        self.demands.check_end(&end)?;
        write(Write::End)?;
        match self.reader.next_event()? {
            None => Ok(end),
            Some(_) => Err(Error::SecondLayer),
        }
    }
}

/// See [`Incoming::chunks_needed`]; the result has `size`.
pub(crate) fn chunks_needed(
    header: &Header,
    size: Bytes,
    chunk: ChunkSize,
    base_size: Bytes,
    unmaps: bool,
) -> Option<Chunks> {
    let (records, data, zero_records, zero) = match (header.totals, header.delta_blocks) {
        (Some(totals), _) => (totals.data_records, totals.data, totals.zero_records, totals.zero),
        (None, Some(blocks)) => {
            let data = header.chunk_size?.bytes().get().saturating_mul(blocks);
            (blocks, Bytes::new(data), 0, Bytes::ZERO)
        }
        (None, None) => return None,
    };
    let source_chunk = header.chunk_size.map_or(512, |chunk| chunk.bytes().get());
    // Ranges on borders of the pool's chunks fill them, but where a volume ends; any other may touch one more at
    // each end.
    let aligned = source_chunk.is_multiple_of(chunk.bytes().get());
    let edges = |ranges: u64| 2u64.saturating_mul(if aligned { ranges.min(1) } else { ranges });
    let whole = |bytes: Bytes| bytes.get() / chunk.bytes().get();
    let kept = |bytes| if unmaps { 0 } else { whole(bytes) };
    let mut most = whole(data).saturating_add(edges(records));
    if !base_size.is_zero() {
        most = most.saturating_add(edges(zero_records)).saturating_add(kept(zero));
        // Both ends of what only one of base and result has.
        let resized = u64::from(size != base_size);
        most = most.saturating_add(2 * resized).saturating_add(kept(base_size.saturating_sub(size)));
    }
    Some(chunk.count(size.max(base_size)).min(Chunks::new(most)))
}

/// See [`Incoming::records`].
pub(crate) fn records(header: &Header) -> Option<u64> {
    header.totals.map(|totals| totals.data_records).or(header.delta_blocks)
}

/// What happens to the target, in the stream's order.
#[derive(Clone, Copy)]
enum Write<'a> {
    Data {
        at: Bytes,
        bytes: &'a [u8],
    },
    /// All data so far is certain.
    Complete,
    Zero(Extent<Bytes>),
    End,
}

/// Holds a base against a stream's checks.
pub(crate) struct BaseReader<'a, B: ?Sized> {
    pub(crate) base: &'a B,
    pub(crate) queue: Queue,
    pub(crate) progress: &'a dyn Progress,
}

impl<B: ReadAt + ?Sized> BaseReader<'_, B> {
    pub(crate) fn check(&self, check: &Check) -> Result<(), Error> {
        let mut hasher = check.hasher().map_err(Error::UnknownHash)?;
        if check.extent.end() > self.base.size() {
            return Err(Error::BaseTooSmall { size: self.base.size(), check: check.extent });
        }
        read_pieces(self.base, [check.extent], self.queue, self.progress, |piece| {
            hasher.update(&piece.buf);
            Ok::<_, Error>(())
        })?;
        if hasher.finish() == check.hash { Ok(()) } else { Err(Error::BaseChanged { extent: check.extent }) }
    }
}
