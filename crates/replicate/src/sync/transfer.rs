//! One layer from the source's session to the destination's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;

use extents::Bytes;

use super::peer::Peer;
use super::{Events, SyncError};
use crate::line::Heard;
use crate::wire::parts::{Begin, Data};
use crate::{LinkError, Message, Ready, Refusal, RefusalKind, Selected, Send, Verify, Violation};

/// Why a side says no to a transfer.
const SENDING: &str = "does not send it";
const RECEIVING: &str = "does not receive it";

/// Sends what was offered and is waited for, until it is there for good.
///
/// # Errors
/// [`SyncError::Partly`] where something of it is at the destination for good.
pub(super) fn transfer<'p>(
    source: &Peer<'p>,
    destination: &Peer<'p>,
    selected: Selected,
    ready: Ready,
    verify: Verify,
    events: &dyn Events,
) -> Result<Begin, SyncError> {
    let layer = selected.layer.clone();
    let resumes = ready.resume.is_some();
    let began = source
        .say(&Message::Send(Send { selected, resume: ready.resume, verify }), SENDING)
        .and_then(|()| source.next(SENDING))
        .and_then(|heard| match heard {
            Heard::Said(Message::Begin(begin)) => Ok(begin),
            _ => Err(source.ended()),
        });
    let begin = match began {
        Ok(begin) => begin,
        Err(error) => {
            destination.give_up(Refusal::new(RefusalKind::Failed, &error.to_string(), 1));
            return Err(error);
        }
    };
    if resumes && begin.resumes_at.is_zero() {
        events.log("what was received before no longer fits what the source has; the layer is sent anew");
    }
    events.begins(&begin.plan);
    let relay = Relay { source, destination, events, durable: AtomicU64::new(0), failed: AtomicBool::new(false) };
    match relay.run(&begin) {
        Ok(()) => Ok(begin),
        Err(cause) => {
            let durable = Bytes::new(relay.durable.load(Relaxed));
            // What came before this run counts too.
            if durable.is_zero() && begin.resumes_at.is_zero() {
                return Err(cause);
            }
            Err(SyncError::Partly { layer, durable, cause: Box::new(cause) })
        }
    }
}

struct Relay<'a, 'p> {
    source: &'a Peer<'p>,
    destination: &'a Peer<'p>,
    events: &'a dyn Events,
    /// Of the stream, in bytes.
    durable: AtomicU64,
    /// The way back has ended, and not well.
    failed: AtomicBool,
}

impl Relay<'_, '_> {
    fn run(&self, begin: &Begin) -> Result<(), SyncError> {
        let (there, back) = thread::scope(|scope| {
            let back = scope.spawn(|| {
                let back = self.back();
                self.failed.store(back.is_err(), Relaxed);
                back
            });
            let there = self.there(begin);
            if let Err(error) = &there {
                // Each is told, since neither would end by itself.
                let refusal = || Refusal::new(RefusalKind::Failed, &error.to_string(), 1);
                self.destination.give_up(refusal());
                self.source.give_up(refusal());
            }
            (there, back.join().unwrap_or_else(|_| Err(self.destination.ended())))
        });
        match (there, back) {
            (Ok(()), back) => back,
            (Err(there), Err(back)) if is_shadow(&there) && !is_shadow(&back) => Err(back),
            (Err(there), _) => Err(there),
        }
    }

    /// The stream, piece by piece.
    fn there(&self, begin: &Begin) -> Result<(), SyncError> {
        self.destination.tell(&Message::Begin(begin.clone()))?;
        let mut at = Bytes::ZERO;
        loop {
            if self.failed.load(Relaxed) {
                return Err(self.destination.ended());
            }
            if self.events.stop_requested() {
                return Err(SyncError::Stopped);
            }
            match self.source.next(SENDING)? {
                Heard::Data(bytes) => {
                    self.events.relays(bytes.len());
                    self.destination.tell(&Message::Data(Data { at, bytes: &bytes }))?;
                    at = at.saturating_add(Bytes::from(bytes.len()));
                }
                Heard::Said(end @ Message::End(_)) => return self.destination.tell(&end),
                _ => return Err(self.source.ended()),
            }
        }
    }

    /// What the destination says of it, up to its last word. Where the source cannot be told, the reason may be what the destination
    /// says next: the way there ends both sessions as soon as one of them is broken. Where it does not, the layer is whole soon.
    fn back(&self) -> Result<(), SyncError> {
        let mut untold = None;
        loop {
            let Heard::Said(message) = self.destination.next(RECEIVING)? else { return Err(self.destination.ended()) };
            match &message {
                Message::Durable(stream) => {
                    self.durable.store(stream.get(), Relaxed);
                    self.events.durable(*stream);
                }
                Message::Verified(content) => self.events.verified(*content),
                Message::Done(_) => return untold.map_or_else(|| self.source.tell(&message), Err),
                _ => return Err(self.destination.ended()),
            }
            if untold.is_none() {
                untold = self.source.tell(&message).err();
            }
        }
    }
}

/// Whether this only says that a session is over which ended for another reason: of the way there and the way back, one hears why.
const fn is_shadow(error: &SyncError) -> bool {
    use LinkError::{Sending, Write};
    matches!(
        error,
        SyncError::Ended { .. } | SyncError::Link { source: Sending(Violation::OutOfTurn { .. }) | Write(_), .. }
    )
}
