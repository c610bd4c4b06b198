//! A chain, layer by layer.

use std::io::BufRead;
use std::sync::{Mutex, PoisonError};

use block_copy::{Progress, Queue, ReadAt, WriteAt};
use extents::{Bytes, ChunkSize, Extent};
use hyperlayer::{Digest, End, ErrorKind, Event, Header, Kind, RuleError, Totals};

use super::apply::{Applied, Job};
use super::fingerprint::{Reading, chained};
use super::{Begun, Ledger, Mark, Partial, Reach, Whole};
use crate::{Error, Identity, LayerReader, Link, follows};

/// Where the layers of a chain are applied.
pub trait Site {
    /// The chunk of every target.
    fn chunk(&self) -> ChunkSize;

    /// Makes the target of a layer, by its number in the chain from 0: with the content of the layer before it, or of
    /// the base, or with nothing; at least as large as that and as its own volume of `size`. Whatever there was of this
    /// layer is gone. For the first one, says how sure it is that the base is its parent.
    ///
    /// # Errors
    /// It cannot be made, or the base is not meant.
    fn begin(&mut self, number: u64, header: &Header, size: Bytes) -> Result<Option<Identity>, Error>;

    /// Opens the target of a layer that was begun, with what was written there.
    ///
    /// # Errors
    /// As [`begin`](Self::begin); or it is not there.
    fn reopen(&mut self, number: u64, header: &Header, size: Bytes) -> Result<Option<Identity>, Error>;

    /// Opens the last layer that is in, where none behind it is begun, to be read, and closes it again.
    ///
    /// # Errors
    /// It is not there, or what the system said.
    fn read_whole(&self, number: u64, read: &mut dyn FnMut(&dyn ReadAt)) -> Result<(), Error>;

    /// What the layer is applied on, and what that was made of, where it can be read. Not called before the target was
    /// made or opened.
    ///
    /// # Errors
    /// It was not.
    fn target(&self) -> Result<(&dyn WriteAt, Option<&dyn ReadAt>), Error>;

    /// The layer is in. Gives the target its size.
    ///
    /// # Errors
    /// What the system said.
    fn end(&mut self, number: u64, size: Bytes) -> Result<(), Error>;

    /// The ledger knows that the layer is in: what it was made of is not needed any more.
    ///
    /// # Errors
    /// What the system said.
    fn forget_parent(&mut self, number: u64) -> Result<(), Error>;

    /// Whether the target of this layer can be made anew when it was written to.
    fn can_begin_again(&self, number: u64) -> bool;
}

/// What is wanted of a chain.
#[derive(Clone, Copy)]
pub struct Want<'a> {
    /// Whether bases are held against the checks in the layers.
    pub check_base: bool,
    /// The size of the volume, for layers that do not say it.
    pub size: Option<Bytes>,
    /// When it is time to keep how far the receive is, asked with how much data came since the last time.
    pub due: &'a (dyn Fn(Bytes) -> bool + Sync),
    /// How far apart marks may be on the volume.
    pub reach: Reach,
    /// Is told where each data record of the stream lies, when its check was right, in the stream's order.
    pub seen: Option<&'a (dyn Fn(Extent<Bytes>) + Sync)>,
    /// The bounds of the pipeline.
    pub queue: Queue,
}

impl std::fmt::Debug for Want<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Want").field("check_base", &self.check_base).field("queue", &self.queue).finish_non_exhaustive()
    }
}

/// A layer that was received, or found to be in.
#[derive(Clone, Debug)]
pub struct Received {
    /// The layer. How it follows its parent is not known of one that was in.
    pub link: Link,
    /// What its stream held.
    pub end: End,
    /// Whether it was in already, and only read.
    pub was_in: bool,
}

/// Receives a chain.
pub struct Receiver<'a, S> {
    site: S,
    ledger: &'a dyn Ledger,
    partial: Partial,
    want: Want<'a>,
    /// How many layers this run has seen or knows to be in.
    number: u64,
    behind: Option<Link>,
    /// The fingerprint of the chain as far as this run has seen it.
    chain: Option<Digest>,
    /// Whether samples of the last layer that was in were read back.
    is_sampled: bool,
}

impl<S: std::fmt::Debug> std::fmt::Debug for Receiver<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("site", &self.site).field("partial", &self.partial).finish_non_exhaustive()
    }
}

impl<'a, S: Site> Receiver<'a, S> {
    /// Goes on with `partial`, which may be a new one, and is what the ledger holds.
    pub fn new(site: S, ledger: &'a dyn Ledger, partial: Partial, want: Want<'a>) -> Self {
        Self { site, ledger, partial, want, number: 0, behind: None, chain: None, is_sampled: false }
    }

    /// How far it is.
    #[must_use]
    pub fn partial(&self) -> &Partial {
        &self.partial
    }

    /// Where it is received.
    #[must_use]
    pub fn site(&self) -> &S {
        &self.site
    }

    /// Receives one layer of the chain. The first one handed over is the chain's first one, or the first that is not in
    /// yet.
    ///
    /// # Errors
    /// The layer is cut or altered, does not follow the one before, or is not the one that was begun; the base is not
    /// meant; or something fails. How far it came then, [`partial`](Self::partial) says.
    pub fn receive<R: BufRead>(
        &mut self,
        layer: &mut LayerReader<R>,
        progress: &dyn Progress,
    ) -> Result<Received, Error> {
        let link = Link { name: layer.name().to_owned(), header: layer.header().clone(), identity: None };
        if self.number == 0 && self.goes_on(&link.header) {
            let whole = self.partial.whole.as_ref();
            (self.number, self.behind) = (self.partial.layers, whole.map(whole_link));
            self.chain = whole.map(|whole| whole.chain);
        }
        let follows = self.behind.as_ref().map(|behind| follows(behind, &link)).transpose()?;
        let received = if self.number < self.partial.layers {
            let end = self.skip(layer, &link, progress)?;
            Received { link: Link { identity: follows, ..link }, end, was_in: true }
        } else {
            let applied = self.apply(layer, &link.header, progress).inspect_err(|error| self.after(error));
            let (identity, end) = applied?;
            Received { link: Link { identity: follows.or(identity), ..link }, end, was_in: false }
        };
        self.number += 1;
        self.behind = Some(received.link.clone());
        Ok(received)
    }

    /// Says that there are no more layers: what is in is the whole chain.
    ///
    /// # Errors
    /// There must be more, since more was begun before; or the ledger cannot be written.
    pub fn complete(mut self) -> Result<(S, Partial), Error> {
        let missing = self.partial.begun.as_ref().map(|begun| begun.layer.clone());
        if missing.is_some() || self.number < self.partial.layers {
            let layer = missing.or_else(|| self.partial.whole.as_ref()?.layer.clone());
            return Err(Error::ShortChain { layer });
        }
        if let (false, Some(whole)) = (self.is_sampled, &self.partial.whole) {
            let mut is_in = Ok(true);
            self.site.read_whole(self.number.saturating_sub(1), &mut |volume| is_in = whole.samples.are_in(volume))?;
            if !is_in? {
                let rolled_back = Error::RolledBack { at: whole.size, layers: 0 };
                self.after(&rolled_back);
                return Err(rolled_back);
            }
        }
        self.partial.complete = true;
        self.ledger.keep(&self.partial)?;
        Ok((self.site, self.partial))
    }

    /// Gives up what was received of, and keeps what the ledger has.
    pub fn interrupt(self) -> (S, Partial) {
        (self.site, self.partial)
    }

    /// Reads a layer that is in, and compares the last one that is.
    fn skip<R: BufRead>(
        &mut self,
        layer: &mut LayerReader<R>,
        link: &Link,
        progress: &dyn Progress,
    ) -> Result<End, Error> {
        let mut reading = Begun::new(&link.header).map(|_| Reading::new());
        let end = loop {
            if progress.stop_requested() {
                return Err(block_copy::Error::Stopped.into());
            }
            let event = layer.next_event()?;
            reading.as_mut().map_or(Ok(()), |reading| reading.event(&event))?;
            if let Event::End(end) = event {
                break end;
            }
        };
        let fingerprint = reading.map(|reading| reading.fingerprint(&link.header));
        let chain = chained(self.chain, fingerprint.unwrap_or(end.blake3));
        self.chain = Some(chain);
        let last = self.partial.whole.as_ref().filter(|_| self.number + 1 == self.partial.layers);
        match last {
            Some(last) if last.layer.is_some() && last.layer == link.header.layer && last.chain != chain => {
                Err(Error::OtherContent { input: link.name.clone() })
            }
            Some(last) if last.layer != link.header.layer || last.chain != chain => Err(Error::OtherChain {
                input: link.name.clone(),
                found: link.header.layer.clone(),
                expected: last.layer.clone(),
            }),
            _ => Ok(end),
        }
    }

    /// Whether the input begins with what is not in yet, and not with the beginning of the chain.
    fn goes_on(&self, header: &Header) -> bool {
        let whole = self.partial.whole.as_ref().and_then(|whole| whole.layer.as_ref());
        header.resumes.is_some() || (header.kind == Kind::Delta && whole.is_some() && header.parent.as_ref() == whole)
    }

    fn apply<R: BufRead>(
        &mut self,
        layer: &mut LayerReader<R>,
        header: &Header,
        progress: &dyn Progress,
    ) -> Result<(Option<Identity>, End), Error> {
        let base_size = self.partial.base_size();
        let said = header.volume_size.or(self.want.size);
        let size = said.or(Some(base_size).filter(|size| !size.is_zero())).ok_or(Error::SizeUnknown)?;
        let from = self.mark_for(layer.name(), header)?;
        let begun = Begun::new(header);
        // Of the layer before this one, also where the ledger forgets that one now.
        let whole = self.partial.whole.clone().filter(|_| !self.is_sampled);
        let identity = match &from {
            Some(_) => self.site.reopen(self.number, header, size)?,
            None => {
                if self.partial.begun.is_some() || (begun.is_none() && self.number > 0) {
                    // Of what was begun nothing stays. Interrupted, a layer without marks leaves a target that is neither
                    // this layer nor the one before.
                    self.partial.begin_again(self.site.can_begin_again(self.number));
                    self.ledger.keep(&self.partial)?;
                }
                self.site.begin(self.number, header, size)?
            }
        };
        let (target, parent) = self.site.target()?;
        if let Some(whole) = whole {
            let reach = from.as_ref().map_or(Bytes::ZERO, |mark| mark.reach);
            let is_in = match parent {
                Some(parent) => whole.samples.are_in(parent)?,
                // Below and past that, this layer may have written.
                None => whole.samples.past(reach).below(size).are_in(target)?,
            };
            if !is_in {
                return Err(Error::RolledBack { at: whole.size, layers: 0 });
            }
        }
        self.is_sampled = true;
        let marked = Mutex::new(None);
        let job = Job {
            target,
            parent,
            chunk: self.site.chunk(),
            base_size,
            size,
            check_base: self.want.check_base,
            layers_before: if self.site.can_begin_again(self.number) { self.partial.layers } else { 0 },
            from,
            due: begun.is_some().then_some(self.want.due),
            reach: self.want.reach,
            seen: self.want.seen,
            queue: self.want.queue,
        };
        let keep = |mark: Mark| {
            let Some(begun) = &begun else { return Ok(()) };
            let stated = self.partial.begun.as_ref().map_or(begun.stated, |before| before.stated);
            let begun = Some(Begun { mark, stated, ..begun.clone() });
            self.ledger.keep(&Partial { begun: begun.clone(), ..self.partial.clone() })?;
            *marked.lock().unwrap_or_else(PoisonError::into_inner) = begun;
            Ok(())
        };
        let applied = job.run(layer, progress, keep);
        if let Some(begun) = marked.into_inner().unwrap_or_else(PoisonError::into_inner) {
            self.partial.begun = Some(begun);
        }
        let Applied { end, fingerprint, samples } = applied?;
        self.site.end(self.number, size)?;
        self.partial.layers = self.number + 1;
        let chain = chained(self.chain, fingerprint.unwrap_or(end.blake3));
        self.chain = Some(chain);
        self.partial.whole = Some(Whole { layer: header.layer.clone(), size, chain, samples });
        self.partial.begun = None;
        self.ledger.keep(&self.partial)?;
        self.site.forget_parent(self.number)?;
        Ok((identity, end))
    }

    /// Where to go on with this layer; `None` from its beginning on.
    fn mark_for(&self, input: &str, header: &Header) -> Result<Option<Mark>, Error> {
        match (&self.partial.begun, header.resumes) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(Error::Rest { input: input.to_owned() }),
            (Some(begun), _) if !begun.is_of(header) && header.layer.as_ref() == Some(&begun.layer) => {
                let at = begun.mark.at;
                match header.resumes {
                    // The same layer, told in another way.
                    None if self.site.can_begin_again(self.number) => Ok(None),
                    None => Err(Error::OtherHeader { input: input.to_owned(), at }),
                    Some(_) => Err(Error::OtherBeginning { at }),
                }
            }
            (Some(begun), None)
                if !self.site.can_begin_again(self.number) && begun.is_of(header) && !begun.states(header) =>
            {
                Err(Error::OtherHeader { input: input.to_owned(), at: begun.mark.at })
            }
            (Some(begun), _) if !begun.is_of(header) => Err(Error::OtherLayer {
                input: input.to_owned(),
                expected: begun.layer.clone(),
                found: header.layer.clone(),
            }),
            (Some(Begun { mark, .. }), None) => Ok(Some(mark.clone())),
            (Some(Begun { mark, .. }), Some(resumes)) if resumes.at != mark.at => {
                Err(Error::OtherRest { input: input.to_owned(), found: resumes.at, expected: mark.at })
            }
            (Some(Begun { mark, .. }), Some(resumes)) if resumes.skipped != mark.outline.digest() => {
                Err(Error::OtherBeginning { at: mark.at })
            }
            (Some(Begun { mark, .. }), Some(_)) => Ok(Some(mark.clone())),
        }
    }

    /// What an error means for what is in: where a stream as a whole was not what was sent, its part is nothing either.
    fn after(&mut self, error: &Error) {
        if condemns(error) {
            let is_in = !matches!(error, Error::RolledBack { layers: 0, .. });
            self.partial.begin_again(is_in && self.site.can_begin_again(self.number));
            if let Err(error) = self.ledger.keep(&self.partial) {
                tracing::error!("{error}");
            }
        }
    }
}

/// Whether the error says that the data or the records that were received are not those of the stream. A header that states
/// something else proves nothing about them.
fn condemns(error: &Error) -> bool {
    match error {
        Error::In { source, .. } => condemns(source),
        Error::Overwritten { .. } | Error::RolledBack { .. } => true,
        Error::Stream { source } => {
            matches!(source.kind, ErrorKind::StreamAltered { .. } | ErrorKind::Rule(RuleError::WrongTotal { .. }))
        }
        _ => false,
    }
}

/// The last layer that is in, for the one behind it.
fn whole_link(whole: &Whole) -> Link {
    let header =
        Header { layer: whole.layer.clone(), ..Header::full(whole.size, ChunkSize::SECTOR, Totals::default()) };
    Link { name: "what was received before".to_owned(), header, identity: None }
}
