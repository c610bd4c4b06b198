//! One layer onto its target, with marks on the way.

use std::io::BufRead;

use block_copy::{ChunkWriter, Progress, Queue, ReadAt, WriteAt, WriteQueue, write_behind_marked};
use extents::{Bytes, ChunkSize, Extent};
use hyperlayer::{Content, Digest, End, Event, Header, Kind, Outline};

use super::fingerprint::{Sums, fingerprint};
use super::mend::{Agreed, Mend};
use super::{Mark, Reach, Samples};
use crate::assembler::{Arrival, Assembler};
use crate::patch::BaseReader;
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
    /// How many of the layers before this one are still in after it was given up.
    pub layers_before: u64,
    /// Where to go on; `None` on a target that nobody has written to.
    pub from: Option<Mark>,
    /// When the next mark is due, asked with how much data came since the last one; `None` where no marks are wanted.
    pub due: Option<&'a (dyn Fn(Bytes) -> bool + Sync)>,
    /// Distance from a mark within which records may be written before the next one.
    pub reach: Reach,
    /// Is told of each data record, when its check was right.
    pub seen: Option<&'a (dyn Fn(Extent<Bytes>) + Sync)>,
    pub queue: Queue,
}

/// A layer that was applied.
pub(super) struct Applied {
    pub end: End,
    /// `None` of a layer that had no marks.
    pub fingerprint: Option<Digest>,
    pub samples: Samples,
}

impl Job<'_> {
    /// Applies the layer. When this returns, all of it was checked and is durable. `kept` is called with each mark, when
    /// what that says is durable.
    pub(super) fn run<R: BufRead>(
        &self,
        layer: &mut LayerReader<R>,
        progress: &dyn Progress,
        kept: impl FnMut(Mark) -> Result<(), block_copy::Error> + Send,
    ) -> Result<Applied, Error> {
        let needed = self.size.max(self.base_size);
        if self.target.size() < needed {
            return Err(Error::TargetTooSmall { size: self.target.size(), needed });
        }
        let writer = ChunkWriter::new(self.target, self.chunk);
        // What the target holds by now is not the parent; it was checked before the first mark.
        let base = if self.from.is_some() { self.parent } else { Some(self.target as &dyn ReadAt) };
        let base = base.filter(|_| self.check_base).map(|base| BaseReader { base, queue: self.queue, progress });

        write_behind_marked(writer, self.queue, progress, kept, |queue| {
            let mut course = Course::new(self, queue, layer, progress);
            loop {
                let event = layer.next_event().inspect_err(|_| course.interrupted());
                match event? {
                    Event::Header(_) => {}
                    Event::Check(check) => base.as_ref().map_or(Ok(()), |base| base.check(&check))?,
                    Event::DataStart(extent) => course.data_start(extent)?,
                    Event::Data { at, bytes } => course.data(at, bytes)?,
                    Event::Zero(extent) => course.zero(extent)?,
                    Event::End(end) => {
                        let (fingerprint, samples) = course.end(layer.header())?;
                        return Ok(Applied { end, fingerprint, samples });
                    }
                }
            }
        })
    }
}

/// What came of the layer so far. Under 1.1 nothing of a record is acted on before its check was right: then all records so
/// far are the first ones of the stream, with none missing.
struct Course<'j, 'q, 'w> {
    job: &'j Job<'j>,
    queue: &'q WriteQueue<'w, Mark>,
    progress: &'j dyn Progress,
    assembler: Assembler<'q, 'w, Mark>,
    arrival: Arrival,
    full: bool,
    /// Whether the stream leaves out what is in.
    is_rest: bool,
    /// Below this the volume is as it will be.
    from: Mark,
    /// What the stream says lies below that.
    before: Outline,
    /// The records below that which are in.
    agreed: Agreed,
    /// Whether `before` was compared with what is in.
    is_compared: bool,
    /// What lies before the last record.
    behind: Records,
    /// What lies before the end of the last record.
    records: Records,
    /// With the data of the record that comes.
    sums: Option<Sums>,
    /// Whether the first record was seen.
    begun: bool,
    /// The data record that comes.
    coming: Option<Extent<Bytes>>,
    /// Its data below `from`.
    known: Vec<u8>,
    /// The first of its data.
    first: Vec<u8>,
    /// Of the records so far.
    samples: Samples,
    /// Data since the last mark.
    since: Bytes,
    /// That mark.
    marked: Mark,
}

/// The records of a layer below a place.
#[derive(Clone)]
struct Records {
    outline: Outline,
    /// `None` where no mark can be set.
    sums: Option<Sums>,
    /// The place.
    at: Bytes,
}

impl<'j, 'q, 'w> Course<'j, 'q, 'w> {
    fn new<R: BufRead>(
        job: &'j Job<'j>,
        queue: &'q WriteQueue<'w, Mark>,
        layer: &LayerReader<R>,
        progress: &'j dyn Progress,
    ) -> Self {
        let from = job.from.clone().unwrap_or_default();
        let is_rest = layer.header().resumes.is_some();
        let (at, sum) = if is_rest { (from.at, from.sum) } else { Default::default() };
        let sums = job.due.is_some().then(|| Sums::new(job.chunk, at, sum));
        let records = Records { outline: from.outline.clone(), sums: sums.clone(), at: from.at };
        Self {
            job,
            queue,
            progress,
            assembler: Assembler::new(queue, job.queue.piece),
            arrival: Arrival::of(layer.header().format),
            full: layer.header().kind == Kind::Full,
            is_rest,
            // What is left out is not repeated; that it is the same, the header has said.
            before: if is_rest { from.outline.clone() } else { Outline::default() },
            agreed: Agreed::default(),
            is_compared: false,
            behind: records.clone(),
            records,
            sums,
            begun: false,
            coming: None,
            known: Vec::new(),
            first: Vec::new(),
            samples: from.samples.clone(),
            since: Bytes::ZERO,
            marked: from.clone(),
            from,
        }
    }

    fn data_start(&mut self, extent: Extent<Bytes>) -> Result<(), Error> {
        self.arrival.start(extent);
        self.coming = Some(extent);
        self.known.clear();
        self.first.clear();
        if let Some(sums) = &mut self.sums {
            sums.start(extent.start());
        }
        if !self.arrival.is_checked() {
            return self.record(Content::Data, extent);
        }
        if extent.end() > self.marked.reach {
            // Before anything of this record is in the assembler, which must be empty at a mark.
            self.assembler.flush()?;
        }
        self.mark_if_due()
    }

    fn data(&mut self, at: Bytes, bytes: &[u8]) -> Result<(), Error> {
        let known = self.from.at.saturating_sub(at).to_usize().unwrap_or(bytes.len()).min(bytes.len());
        self.known.extend_from_slice(&bytes[..known]);
        if let Some(sums) = &mut self.sums {
            sums.add(bytes);
        }
        let wanted = Samples::BYTES_MAX.saturating_sub(self.first.len()).min(bytes.len() - known);
        self.first.extend_from_slice(&bytes[known..known + wanted]);
        self.assembler.data(at.saturating_add(known.into()), &bytes[known..])?;
        if !self.arrival.is_certain(at, bytes.len().into()) {
            return Ok(());
        }
        if let Some(extent) = self.coming.filter(|_| self.arrival.is_checked()) {
            self.record(Content::Data, extent)?;
        }
        self.assembler.complete()
    }

    fn zero(&mut self, extent: Extent<Bytes>) -> Result<(), Error> {
        self.assembler.flush()?;
        self.mark_if_due()?;
        self.record(Content::Zero, extent)?;
        match extent.split_at(self.from.at).1 {
            Some(new) => Ok(self.queue.zero(new)?),
            None => Ok(()),
        }
    }

    /// A record is certain; nothing of it is queued yet.
    fn record(&mut self, content: Content, extent: Extent<Bytes>) -> Result<(), Error> {
        self.begin()?;
        if extent.end() > self.job.size {
            return Err(Error::PastSize { extent, size: self.job.size });
        }
        if let (Content::Data, Some(seen)) = (content, self.job.seen) {
            seen(extent);
        }
        if let Some(known) = extent.split_at(self.from.at).0 {
            if content == Content::Zero || self.is_in(known)? {
                self.before.add(content, known)?;
                self.agreed.add(content, known);
            } else {
                self.begin_again(known.start())?;
                self.queue.write(known.start(), &self.known)?;
                // All of the record is new now, and its sample begins where it does.
                self.known.truncate(Samples::BYTES_MAX);
                self.known.append(&mut self.first);
                std::mem::swap(&mut self.known, &mut self.first);
            }
        }
        if extent.end() > self.from.at {
            self.compare()?;
        }
        let mut before = std::mem::replace(&mut self.records.sums, self.sums.clone());
        let Some(new) = extent.split_at(self.from.at).1 else { return Ok(()) };
        // Before a record that began below the mark, only a part of its sectors is known.
        before = before.filter(|_| new.start() == extent.start());
        self.behind = Records { sums: before, at: new.start(), ..self.records.clone() };
        if self.job.due.is_some() && new.end() > self.marked.reach {
            self.reach(new.end())?;
        }
        // Without marks the records may come in any order and overlap.
        if self.job.due.is_some() {
            self.records.outline.add(content, new)?;
        }
        self.records.at = new.end();
        match content {
            Content::Zero => self.samples.add_zeros(new),
            Content::Data => {
                self.samples.add(new.start(), &self.first);
                self.since = self.since.saturating_add(new.len());
            }
        }
        Ok(())
    }

    fn end(&mut self, header: &Header) -> Result<(Option<Digest>, Samples), Error> {
        self.begin()?;
        self.compare()?;
        self.assembler.flush()?;
        let Some(sums) = &self.sums else { return Ok((None, Samples::default())) };
        let fingerprint = fingerprint(header, &self.records.outline, sums.all());
        Ok((Some(fingerprint), std::mem::take(&mut self.samples)))
    }

    /// Once, after the base checks and before the first record.
    fn begin(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        let Job { base_size, size, due, from, target, .. } = self.job;
        match from {
            // From here on a target that was interrupted is no parent any more.
            None if due.is_some() => {
                self.marked.reach = self.reach_from(Bytes::ZERO);
                self.queue.mark(self.marked.clone())?;
            }
            // What a rest leaves out does not come again, so that nothing else is compared with the target.
            Some(mark) if self.is_rest && !mark.samples.are_in(*target)? => {
                return Err(Error::RolledBack { at: mark.at, layers: self.job.layers_before });
            }
            // Whatever was written after the mark may have been of another stream.
            Some(mark) if self.can_mend() => {
                let written = Extent::between(mark.at, mark.reach.min(target.size()));
                written.map_or(Ok(()), |written| self.mend(written))?;
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

    /// Whether the data that comes again is what is in: a volume that somebody wrote to has its id all the same.
    fn is_in(&self, known: Extent<Bytes>) -> Result<bool, Error> {
        let mut found = vec![0; self.known.len()];
        self.job.target.read_at(known.start(), &mut found)?;
        Ok(found == self.known)
    }

    /// Whether what is in lies where the stream says; if not, the layer begins again.
    fn compare(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.is_compared, true) || self.before.digest() == self.from.outline.digest() {
            return Ok(());
        }
        self.begin_again(self.from.at)
    }

    /// What is in is not of this stream. Keeps the records so far, which lie below `at` and agree, and makes the rest what it
    /// was before the layer.
    fn begin_again(&mut self, at: Bytes) -> Result<(), Error> {
        let below = std::mem::take(&mut self.from.at);
        if self.is_rest {
            return Err(Error::OtherBeginning { at: below });
        }
        if !self.can_mend() {
            return Err(Error::Overwritten { at: below });
        }
        tracing::warn!(
            "what was received up to byte {below} is not of the stream that comes now: the layer begins again"
        );
        self.is_compared = true;
        self.samples = Samples::default();
        // First of all nobody may count on what is in.
        self.marked = Mark { reach: self.from.reach.max(below), ..Mark::default() };
        self.queue.mark(self.marked.clone())?;
        let agreed = std::mem::take(&mut self.agreed);
        agreed.zero.iter().try_for_each(|zero| self.queue.zero(zero))?;
        let others: Vec<_> = Extent::whole(below).into_iter().flat_map(|below| agreed.gaps(below)).collect();
        others.into_iter().try_for_each(|other| self.mend(other))?;
        self.records = Records { outline: self.before.clone(), at, ..self.records.clone() };
        self.behind = self.records.clone();
        self.from = Mark { at, ..self.marked.clone() };
        Ok(())
    }

    /// Whether it is known what the target was before the layer.
    fn can_mend(&self) -> bool {
        self.full || self.job.parent.is_some()
    }

    /// Makes a range what it was before the layer.
    fn mend(&self, range: Extent<Bytes>) -> Result<(), Error> {
        let Job { target, parent, queue: Queue { piece, .. }, .. } = self.job;
        let parent = parent.filter(|_| !self.full);
        Mend { queue: self.queue, target: *target, parent, piece: *piece, progress: self.progress }.range(range)
    }

    /// Sets a mark where that is due and possible. The input may give nothing more for a long time.
    fn mark_if_due(&mut self) -> Result<(), Error> {
        if !self.job.due.is_some_and(|due| !self.since.is_zero() && due(self.since)) {
            return Ok(());
        }
        self.assembler.flush()?;
        if self.advance(self.records.clone()) || self.advance(self.behind.clone()) {
            self.queue.mark(self.marked.clone())?;
        }
        Ok(())
    }

    /// Sets a mark before a record that ends at `end`, past what may be written after the last one.
    fn reach(&mut self, end: Bytes) -> Result<(), Error> {
        self.advance(self.behind.clone());
        self.marked.reach = self.reach_from(end);
        Ok(self.queue.mark(self.marked.clone())?)
    }

    /// How far may be written after a mark before a record that ends at `end`. To a border of chunks: the pool may show old
    /// data in all of a chunk that a part was written of.
    fn reach_from(&self, end: Bytes) -> Bytes {
        let Job { chunk, reach, .. } = self.job;
        chunk.offset(chunk.count(end.saturating_add(reach.0))).unwrap_or(Bytes::new(u64::MAX))
    }

    /// Moves the mark to the last border of chunks up to `at`, where everything that lies below is known; gives whether that
    /// is further than before.
    fn advance(&mut self, Records { outline, sums, at }: Records) -> bool {
        let chunk = self.job.chunk;
        let border = chunk.offset(chunk.containing(at)).filter(|border| *border > self.marked.at);
        let known = border.and_then(|border| Some((border, outline.until(border)?, sums?.below(border)?)));
        let Some((at, outline, sum)) = known else { return false };
        let samples = self.samples.below(at);
        (self.marked, self.since) = (Mark { at, outline, sum, reach: self.marked.reach, samples }, Bytes::ZERO);
        true
    }

    /// The input ends here, or is wrong from the last record on: what came before that need not come again.
    fn interrupted(&mut self) {
        if self.job.due.is_none() || !self.begun {
            return;
        }
        // Where this fails too, the mark before it holds.
        if self.assembler.flush().is_ok() && (self.advance(self.records.clone()) || self.advance(self.behind.clone())) {
            let _ = self.queue.mark(self.marked.clone());
        }
    }
}
