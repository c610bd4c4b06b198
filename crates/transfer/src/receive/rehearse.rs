//! Everything of a receive but the writing.

use std::io::BufRead;

use block_copy::{Progress, Queue, ReadAt};
use hyperlayer::{Event, Header};

use super::Received;
use crate::patch::BaseReader;
use crate::{Error, Identity, LayerReader, Link, follows};

/// Checks a chain as a [`Receiver`](super::Receiver) does, and the base against the first layer, and writes nothing. What
/// later layers say of their parents cannot be held against anything.
pub struct Rehearsal<'a> {
    base: Option<&'a dyn ReadAt>,
    queue: Queue,
    behind: Option<Link>,
}

impl std::fmt::Debug for Rehearsal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rehearsal").field("behind", &self.behind).finish_non_exhaustive()
    }
}

impl<'a> Rehearsal<'a> {
    /// Before the first layer; `base` is what that is to be held against.
    #[must_use]
    pub fn new(base: Option<&'a dyn ReadAt>, queue: Queue) -> Self {
        Self { base, queue, behind: None }
    }

    /// Checks the next layer. `identify` says whether the base is meant, and is asked for the first one.
    ///
    /// # Errors
    /// The layer would be refused.
    pub fn receive<R: BufRead>(
        &mut self,
        layer: &mut LayerReader<R>,
        identify: impl FnOnce(&Header) -> Result<Option<Identity>, Error>,
        progress: &dyn Progress,
    ) -> Result<Received, Error> {
        let (name, header) = (layer.name().to_owned(), layer.header().clone());
        if header.resumes.is_some() {
            return Err(Error::Rest { input: name });
        }
        let link = Link { name, header, identity: None };
        let identity = match &self.behind {
            None => identify(&link.header)?,
            Some(behind) => Some(follows(behind, &link)?),
        };
        let base = self.base.take().map(|base| BaseReader { base, queue: self.queue, progress });
        let end = loop {
            if progress.stop_requested() {
                return Err(block_copy::Error::Stopped.into());
            }
            match layer.next_event()? {
                Event::Check(check) => base.as_ref().map_or(Ok(()), |base| base.check(&check))?,
                Event::End(end) => break end,
                _ => {}
            }
        };
        let link = Link { identity, ..link };
        self.behind = Some(link.clone());
        Ok(Received { link, end, was_in: false })
    }
}
