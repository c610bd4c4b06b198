//! One of both servers, as the client talks to it.

use std::io::{Read, Write};
use std::sync::Arc;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::{Events, Reached, SyncError};
use crate::line::{Heard, LOOK, LOOKS_FOR_WHY, Line, Patience};
use crate::wire::manage::{Adopt, Differ, Noted, Prune, Pruned, Settle, Settled, Snapshot};
use crate::{
    Compare, Hello, Incoming, Layer, Layers, LinkError, List, Message, Offer, Plan, Ready, Refusal, Role, Selected,
    Side, connect,
};

type Out<'a> = Box<dyn Write + std::marker::Send + 'a>;
type In<'a> = Box<dyn Read + std::marker::Send + 'a>;
type HangUp<'a> = &'a (dyn Fn() + Sync);

/// So many pieces of a stream may wait for the other side: 4 MiB.
const MAX_WAITING: usize = 16;

/// One of both, to talk to.
pub(super) struct Peer<'a> {
    role: Role,
    line: Arc<Line<Out<'a>>>,
    heard: Receiver<Heard>,
    events: &'a dyn Events,
}

/// What is listened to, by a thread of its own.
pub(super) struct Ends<'a> {
    incoming: Incoming<In<'a>>,
    line: Arc<Line<Out<'a>>>,
    to: Sender<Heard>,
    patience: Patience,
    hang_up: HangUp<'a>,
}

impl Ends<'_> {
    pub(super) fn listen(self) {
        self.line.listen(self.incoming, &self.to, self.patience, |_| true, self.hang_up);
    }
}

impl<'a> Peer<'a> {
    pub(super) fn new(role: Role, reached: Reached<'a>, events: &'a dyn Events) -> Result<(Self, Ends<'a>), SyncError> {
        let (incoming, mut out) = connect(Side::Client, reached.input, reached.output);
        if let Some(level) = reached.zstd_level {
            out.pack(level).map_err(|error| SyncError::Link { role, source: LinkError::NoZstd(error) })?;
        }
        let (to, heard) = bounded(MAX_WAITING);
        let line = Arc::new(Line::new(out));
        let ends = Ends { incoming, line: Arc::clone(&line), to, patience: reached.patience, hang_up: reached.hang_up };
        Ok((Self { role, line, heard, events }, ends))
    }

    /// Says that somebody is here.
    pub(super) fn beat(&self) {
        self.line.ping();
    }

    /// Ends the session, with a good-bye where nothing is under way: what was refused is no fault of the server's.
    pub(super) fn leave(&self, well: bool) {
        // Nothing is lost where it does not arrive: what was done is done.
        let _ = self.line.say(&Message::Bye);
        if !well {
            self.line.leave();
        }
    }

    /// Says why the session ends in the middle.
    pub(super) fn give_up(&self, refusal: Refusal) {
        self.line.give_up(refusal);
        self.line.leave();
    }

    fn link(&self, source: LinkError) -> SyncError {
        SyncError::Link { role: self.role, source }
    }

    /// Says something, while another thread hears whatever is said.
    pub(super) fn tell(&self, message: &Message<'_>) -> Result<(), SyncError> {
        self.line.say(message).map_err(|failed| self.link(failed))
    }

    /// Says something. Where that fails, what the other side said before it went is the reason.
    pub(super) fn say(&self, message: &Message<'_>, doing: &'static str) -> Result<(), SyncError> {
        let Err(failed) = self.line.say(message) else { return Ok(()) };
        for _ in 0..LOOKS_FOR_WHY {
            match self.heard.recv_timeout(LOOK) {
                Ok(Heard::Said(Message::Refusal(refusal))) => {
                    return Err(SyncError::Refused { role: self.role, doing, refusal });
                }
                Ok(Heard::Over(Err(source))) => return Err(self.link(source)),
                Ok(Heard::Over(Ok(()))) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
        Err(self.link(failed))
    }

    /// The next word; a refusal and an end are errors.
    pub(super) fn next(&self, doing: &'static str) -> Result<Heard, SyncError> {
        loop {
            match self.heard.recv_timeout(LOOK) {
                Ok(Heard::Said(Message::Refusal(refusal))) => {
                    return Err(SyncError::Refused { role: self.role, doing, refusal });
                }
                Ok(Heard::Over(Err(source))) => return Err(self.link(source)),
                Ok(Heard::Over(Ok(()))) | Err(RecvTimeoutError::Disconnected) => return Err(self.ended()),
                Ok(heard) => return Ok(heard),
                Err(RecvTimeoutError::Timeout) if self.events.stop_requested() => return Err(SyncError::Stopped),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// The session is over, or said what its rules do not let pass.
    pub(super) const fn ended(&self) -> SyncError {
        SyncError::Ended { role: self.role }
    }

    pub(super) fn greet(&self, hello: Hello) -> Result<Hello, SyncError> {
        let doing = "does not let anybody in";
        self.say(&Message::Hello(hello), doing)?;
        match self.next(doing)? {
            Heard::Said(Message::Hello(hello)) => Ok(hello),
            _ => Err(self.ended()),
        }
    }

    fn ask<T>(
        &self,
        request: &Message<'_>,
        doing: &'static str,
        pick: impl FnOnce(Heard) -> Option<T>,
    ) -> Result<T, SyncError> {
        self.say(request, doing)?;
        pick(self.next(doing)?).ok_or_else(|| self.ended())
    }
}

/// A request with its answer, and what it means that the server said no.
macro_rules! requests {
    ($($name:ident: $request:ident($ask:ty) -> $answer:ident($of:ty), $doing:literal;)*) => {
        impl Peer<'_> {
            $(pub(super) fn $name(&self, ask: $ask) -> Result<$of, SyncError> {
                self.ask(&Message::$request(ask), $doing, |heard| match heard {
                    Heard::Said(Message::$answer(answer)) => Some(answer),
                    _ => None,
                })
            })*
        }
    };
}

requests! {
    list: List(List) -> Layers(Layers), "does not say what it has";
    snapshot: Snapshot(Snapshot) -> Made(Layer), "makes no snapshot";
    plan: Plan(Selected) -> Planned(Plan), "does not say what it would send";
    would_receive: Try(Offer) -> Ready(Ready), "would not receive it";
    receive: Receive(Offer) -> Ready(Ready), "does not receive it";
    differ: Differ(Differ) -> Noted(Noted), "does not note what differs";
    settle: Settle(Settle) -> Settled(Settled), "does not change names";
    adopt: Adopt(Adopt) -> Made(Layer), "does not take the snapshot over";
    prune: Prune(Prune) -> Pruned(Pruned), "does not remove older layers";
}

/// Why it says no to hashes.
const COMPARING: &str = "does not compare";

impl Peer<'_> {
    /// Asks for hashes, and does not wait for them: the other side makes its own meanwhile.
    pub(super) fn ask_hashes(&self, ask: Compare) -> Result<(), SyncError> {
        self.say(&Message::Compare(ask), COMPARING)
    }

    /// The hashes that were asked for.
    pub(super) fn hashes(&self) -> Result<Vec<[u8; 32]>, SyncError> {
        match self.next(COMPARING)? {
            Heard::Hashes(hashes) => Ok(hashes),
            _ => Err(self.ended()),
        }
    }
}
