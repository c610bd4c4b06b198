//! One layer onto its target, with marks on the way.

use std::io::BufRead;

use block_copy::{ChunkWriter, Progress, Queue, ReadAt, WriteAt, WriteQueue, write_behind_marked};
use extents::{Bytes, ChunkSize, Extent};
use hyperlayer::{Content, End, Event, Kind, Outline};

use super::Mark;
use crate::patch::{Assembler, BaseReader};
use crate::{Error, LayerReader};

/// How a layer is applied.
pub(super) struct Job<'a> {
    pub target: &'a dyn WriteAt,
    /// What the target was made of, where it can be read.
    pub parent: Option<&'a dyn ReadAt>,
    pub chunk: ChunkSize,
    pub base_size: Bytes,
    pub size: Bytes,
    pub check_base: bool,
    /// Where to go on; `None` on a target that nobody has written to.
    pub from: Option<Mark>,
    /// When the next mark is due, asked with how much data came since the last one; `None` where no marks are wanted.
    pub due: Option<&'a (dyn Fn(Bytes) -> bool + Sync)>,
    /// Is told of each data record.
    pub seen: Option<&'a (dyn Fn(Extent<Bytes>) + Sync)>,
    pub queue: Queue,
}

impl Job<'_> {
    /// Applies the layer. When this returns, all of it was checked and is durable. `kept` is called with each mark, when
    /// what that says is durable.
    pub(super) fn run<R: BufRead>(
        &self,
        layer: &mut LayerReader<R>,
        progress: &dyn Progress,
        kept: impl FnMut(Mark) -> Result<(), block_copy::Error> + Send,
    ) -> Result<End, Error> {
        let needed = self.size.max(self.base_size);
        if self.target.size() < needed {
            return Err(Error::TargetTooSmall { size: self.target.size(), needed });
        }
        let writer = ChunkWriter::new(self.target, self.chunk);
        let writer = if self.from.is_some() { writer.over(self.parent) } else { writer };
        // What the target holds by now is not the parent; it was checked before the first mark.
        let base = if self.from.is_some() { self.parent } else { Some(self.target as &dyn ReadAt) };
        let base = base.filter(|_| self.check_base).map(|base| BaseReader { base, queue: self.queue, progress });

        write_behind_marked(writer, self.queue, progress, kept, |queue| {
            let mut course = Course::new(self, queue, layer);
            loop {
                let event = layer.next_event().inspect_err(|_| course.interrupted());
                match event? {
                    Event::Header(_) => {}
                    Event::Check(check) => base.as_ref().map_or(Ok(()), |base| base.check(&check))?,
                    Event::DataStart(extent) => {
                        course.record(Content::Data, extent)?;
                        if let Some(seen) = self.seen {
                            seen(extent);
                        }
                    }
                    Event::Data { at, bytes } => course.data(at, bytes)?,
                    Event::Zero(extent) => course.zero(extent)?,
                    Event::End(end) => {
                        course.end()?;
                        return Ok(end);
                    }
                }
            }
        })
    }
}

/// What came of the layer so far.
struct Course<'j, 'q, 'w> {
    job: &'j Job<'j>,
    queue: &'q WriteQueue<'w, Mark>,
    assembler: Assembler<'q, 'w, Mark>,
    full: bool,
    /// Where the volume is as it will be.
    from: Mark,
    /// What the stream says lies before that.
    before: Outline,
    /// What lies before the last record, and where that begins.
    behind: (Outline, Bytes),
    /// The same with that record.
    outline: Outline,
    /// Whether the first record was seen.
    begun: bool,
    /// Data since the last mark.
    since: Bytes,
    /// Where that is.
    marked: Bytes,
}

impl<'j, 'q, 'w> Course<'j, 'q, 'w> {
    fn new<R: BufRead>(job: &'j Job<'j>, queue: &'q WriteQueue<'w, Mark>, layer: &LayerReader<R>) -> Self {
        let from = job.from.clone().unwrap_or_default();
        Self {
            job,
            queue,
            assembler: Assembler::new(queue, job.queue.piece),
            full: layer.header().kind == Kind::Full,
            // What is left out is not repeated; that it is the same, the header has said.
            before: layer.header().resumes.map_or_else(Outline::default, |_| from.outline.clone()),
            behind: (from.outline.clone(), from.at),
            outline: from.outline.clone(),
            begun: false,
            since: Bytes::ZERO,
            marked: from.at,
            from,
        }
    }

    /// A record begins; the ones before it are complete. Gives the part of it that is not in yet.
    fn record(&mut self, content: Content, extent: Extent<Bytes>) -> Result<Option<Extent<Bytes>>, Error> {
        self.begin()?;
        if extent.end() > self.job.size {
            return Err(Error::PastSize { extent, size: self.job.size });
        }
        let (known, new) = extent.split_at(self.from.at);
        if let Some(known) = known {
            self.before.add(content, known);
        }
        if let Some(new) = new {
            self.compare()?;
            self.behind = (self.outline.clone(), new.start());
            if self.job.due.is_some_and(|due| !self.since.is_zero() && due(self.since)) {
                self.mark()?;
            }
            self.outline.add(content, new);
        }
        Ok(new)
    }

    fn data(&mut self, at: Bytes, bytes: &[u8]) -> Result<(), Error> {
        let known = self.from.at.saturating_sub(at).to_usize().unwrap_or(bytes.len()).min(bytes.len());
        self.is_in(at, &bytes[..known])?;
        let (at, bytes) = (at.saturating_add(known.into()), &bytes[known..]);
        self.since = self.since.saturating_add(bytes.len().into());
        self.assembler.data(at, bytes)
    }

    fn zero(&mut self, extent: Extent<Bytes>) -> Result<(), Error> {
        if let Some(new) = self.record(Content::Zero, extent)? {
            self.assembler.flush()?;
            self.queue.zero(new)?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        self.begin()?;
        self.compare()?;
        self.assembler.flush()
    }

    /// Once, after the base checks and before the first record.
    fn begin(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        let Job { base_size, size, due, from, target, .. } = self.job;
        match from {
            // From here on a target that was interrupted is no parent any more.
            None if due.is_some() => self.queue.mark(self.from.clone())?,
            // Whatever came after the mark comes again.
            Some(mark) if self.full => {
                Extent::between(mark.at, target.size()).map_or(Ok(()), |rest| self.queue.zero(rest))?;
            }
            _ => {}
        }
        // What only one of base and result has: past the end of a volume that once was larger, old chunks still wait.
        let resized =
            Extent::between((*size).min(*base_size), (*size).max(*base_size)).filter(|_| !base_size.is_zero());
        match resized.and_then(|resized| resized.split_at(self.from.at).1) {
            Some(resized) => Ok(self.queue.zero(resized)?),
            None => Ok(()),
        }
    }

    /// Whether data that comes again is what is in: a volume that somebody wrote to has its id all the same.
    fn is_in(&self, at: Bytes, bytes: &[u8]) -> Result<(), Error> {
        let mut found = vec![0; bytes.len()];
        self.job.target.read_at(at, &mut found)?;
        if found == bytes { Ok(()) } else { Err(Error::OtherBeginning { at: self.from.at }) }
    }

    /// Whether what is in lies where the stream says.
    fn compare(&self) -> Result<(), Error> {
        let same = self.before.digest() == self.from.outline.digest();
        same.then_some(()).ok_or(Error::OtherBeginning { at: self.from.at })
    }

    /// Sets a mark where one is possible: on the last border of chunks before the last record.
    fn mark(&mut self) -> Result<(), Error> {
        let (chunk, (outline, at)) = (self.job.chunk, &self.behind);
        let border = chunk.offset(chunk.containing(*at)).filter(|border| *border > self.marked);
        if let Some((at, outline)) = border.and_then(|border| Some((border, outline.until(border)?))) {
            self.assembler.flush()?;
            self.queue.mark(Mark { at, outline })?;
            (self.marked, self.since) = (at, Bytes::ZERO);
        }
        Ok(())
    }

    /// The input ends here, or is wrong from the last record on: what came before that need not come again.
    fn interrupted(&mut self) {
        if self.job.due.is_some() && self.begun {
            // Where this fails too, the mark before it holds.
            let _ = self.mark();
        }
    }
}
