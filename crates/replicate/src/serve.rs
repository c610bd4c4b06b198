//! The server's side of a session: request after request, each allowed or not, to the [`Host`].

use std::io::{self, Read, Write};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crossbeam_channel::{Receiver, bounded};
use extents::Bytes;
use lvm_cmd::with_causes;

use crate::limits::MAX_DATA_BYTES;
use crate::line::{Heard, Line, Patience};
use crate::wire::parts::{Begin, Data, Done, End, Hello, Offer, Send};
use crate::{
    Acknowledge, Allow, Hashes, Host, Inflow, LinkError, Message, Outflow, Refusal, RefusalKind, Side, Verify, connect,
};

/// How a server serves.
#[derive(Clone, Copy)]
pub struct Serving<'a> {
    /// What the far side may do.
    pub allow: &'a Allow,
    /// Who speaks: [`Hello::new`] with the abilities of [`Access::abilities`](crate::Access::abilities) that are served.
    pub hello: &'a Hello,
    /// The level of zstd for what is sent, where the client understands it.
    pub zstd_level: i32,
    /// How long a client may be silent.
    pub patience: Patience,
    /// Called with the length of each piece of a stream before it goes on, in either direction: to hold a rate, it waits.
    pub pace: &'a (dyn Fn(usize) + Sync),
    /// Called when the far side is gone, before this waits for a write that may never end: the output must fail from then on.
    pub hang_up: &'a (dyn Fn() + Sync),
}

impl std::fmt::Debug for Serving<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").field("allow", self.allow).field("hello", self.hello).finish_non_exhaustive()
    }
}

/// So many pieces of a stream may wait for the host: 4 MiB.
const MAX_WAITING: usize = 16;

/// Serves one session to its end. One thread reads, so that pings are answered whatever the host does; the host is called from
/// this one.
///
/// # Errors
/// The session ended otherwise than by the client's good-bye. The far side was told why, where it still listens.
pub fn serve<R: Read + std::marker::Send, W: Write + std::marker::Send>(
    input: R,
    output: W,
    host: &dyn Host,
    how: &Serving<'_>,
) -> Result<(), LinkError> {
    let (incoming, mut outgoing) = connect(Side::Server, input, output);
    outgoing.pack(how.zstd_level).map_err(LinkError::NoZstd)?;
    let line = Line::new(outgoing);
    let (to, heard) = bounded(MAX_WAITING);
    thread::scope(|scope| {
        scope.spawn(|| line.listen(incoming, &to, how.patience, is_wanted, how.hang_up));
        let served = Server { line: &line, heard, host, how }.serve();
        line.leave();
        if let Err(LinkError::Received(violation)) = &served {
            line.give_up(Refusal::new(RefusalKind::Protocol, &violation.to_string(), 1));
        }
        served
    })
}

/// What the receiver has, the session knows; a host that sends waits for nothing but the end.
fn is_wanted(message: &Message<'_>) -> bool {
    !matches!(message, Message::Durable(_) | Message::Verified(_))
}

struct Server<'a, W> {
    line: &'a Line<W>,
    heard: Receiver<Heard>,
    host: &'a dyn Host,
    how: &'a Serving<'a>,
}

/// Whether the session goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Request,
    End,
}

impl<W: Write + std::marker::Send> Server<'_, W> {
    fn serve(&self) -> Result<(), LinkError> {
        self.line.say(&Message::Hello(self.how.hello.clone()))?;
        loop {
            match self.next() {
                Heard::Said(Message::Bye | Message::Refusal(_)) => return Ok(()),
                Heard::Said(Message::Hello(_)) => {}
                Heard::Said(request) => {
                    if self.answer(&request)? == Next::End {
                        return Ok(());
                    }
                }
                Heard::Over(result) => return result,
                // The rules of the session let nothing of this through.
                Heard::Data(_) | Heard::Hashes(_) => {}
            }
        }
    }

    fn next(&self) -> Heard {
        // The reader's last word before it goes is why.
        self.heard.recv().unwrap_or(Heard::Over(Ok(())))
    }

    fn answer(&self, request: &Message<'_>) -> Result<Next, LinkError> {
        if let Err(refused) = self.how.allow.check(request) {
            return self.reply(Err(Refusal::new(refused.kind(), &refused.to_string(), 1)));
        }
        let host = self.host;
        match request {
            Message::List(ask) => self.reply(host.list(ask).map(Message::Layers)),
            Message::Snapshot(ask) => self.reply(host.snapshot(ask).map(Message::Made)),
            Message::Plan(ask) => self.reply(host.plan(ask).map(Message::Planned)),
            Message::Try(offer) => self.reply(host.would_receive(offer).map(Message::Ready)),
            Message::Receive(offer) => self.receive(offer),
            Message::Send(ask) => self.send(ask),
            Message::Compare(ask) => match host.compare(ask) {
                Ok(hashes) => self.reply(Ok(Message::Hashes(Hashes { at: ask.start, hashes: &hashes }))),
                Err(refusal) => self.reply(Err(refusal)),
            },
            Message::Differ(ask) => self.reply(host.differ(ask).map(Message::Noted)),
            Message::Settle(ask) => self.reply(host.settle(ask).map(Message::Settled)),
            Message::Adopt(ask) => self.reply(host.adopt(ask).map(Message::Made)),
            Message::Prune(ask) => self.reply(host.prune(ask).map(Message::Pruned)),
            // Nothing else is a request, as the session knows.
            _ => Ok(Next::Request),
        }
    }

    /// Answers. An answer that no client would take is this host's fault, and the client is told so.
    fn reply(&self, answer: Result<Message<'_>, Refusal>) -> Result<Next, LinkError> {
        let said = self.line.say(&answer.unwrap_or_else(Message::Refusal));
        if let Err(error @ (LinkError::Sending(_) | LinkError::Write(crate::WriteError::Message { .. }))) = &said {
            self.line.give_up(Refusal::new(RefusalKind::Failed, &with_causes(error), 1));
        }
        said.map(|()| Next::Request)
    }

    fn receive(&self, offer: &Offer) -> Result<Next, LinkError> {
        let (ready, receive) = match self.host.receive(offer) {
            Ok(ready) => ready,
            Err(refusal) => return self.reply(Err(refusal)),
        };
        self.reply(Ok(Message::Ready(ready)))?;
        let begin = match self.next() {
            Heard::Said(Message::Begin(begin)) => begin,
            Heard::Over(result) => return result.map(|()| Next::End),
            // A refusal, by the rules.
            _ => return Ok(Next::End),
        };
        let mut inflow = Arriving { server: self, begin: &begin, piece: Vec::new(), taken: 0, came: Bytes::ZERO };
        let told = Told { line: self.line, begin: &begin, last: Mutex::default() };
        match receive.receive(&begin, &mut inflow, &told) {
            Ok(done) => self.reply(Ok(Message::Done(done))),
            Err(refusal) => {
                self.line.give_up(refusal);
                Ok(Next::End)
            }
        }
    }

    fn send(&self, ask: &Send) -> Result<Next, LinkError> {
        let mut outflow = Leaving { server: self, begun: false, at: Bytes::ZERO };
        match self.host.send(ask, &mut outflow) {
            Ok(end) => self.reply(Ok(Message::End(end)))?,
            Err(refusal) if outflow.begun => {
                self.line.give_up(refusal);
                return Ok(Next::End);
            }
            Err(refusal) => return self.reply(Err(refusal)),
        };
        match self.next() {
            Heard::Said(Message::Done(done)) => self.sent(ask, &done),
            Heard::Over(result) => return result.map(|()| Next::End),
            // The receiver's refusal.
            _ => return Ok(Next::End),
        }
        Ok(Next::Request)
    }

    /// Nobody asked, so nobody is answered; the layer is where it should be in any case.
    fn sent(&self, ask: &Send, done: &Done) {
        if let Err(refusal) = self.host.sent(ask, done) {
            tracing::warn!("layer {} was sent, but is not marked so: {}", done.layer, refusal.text);
        }
    }
}

/// The stream as it arrives.
struct Arriving<'a, W> {
    server: &'a Server<'a, W>,
    begin: &'a Begin,
    piece: Vec<u8>,
    taken: usize,
    came: Bytes,
}

impl<W: Write + std::marker::Send> Arriving<'_, W> {
    fn gone(heard: Heard) -> io::Error {
        match heard {
            Heard::Over(Err(error)) => io::Error::new(io::ErrorKind::ConnectionAborted, with_causes(&error)),
            Heard::Said(Message::Refusal(refusal)) => {
                io::Error::new(io::ErrorKind::ConnectionAborted, format!("the sender gave up: {}", refusal.text))
            }
            _ => io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was cut"),
        }
    }
}

impl<W: Write + std::marker::Send> Read for Arriving<'_, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() && self.came < self.begin.plan.stream && !buffer.is_empty() {
            match self.server.next() {
                Heard::Data(piece) => {
                    (self.server.how.pace)(piece.len());
                    self.came = self.came.saturating_add(Bytes::from(piece.len()));
                    (self.piece, self.taken) = (piece, 0);
                }
                other => return Err(Self::gone(other)),
            }
        }
        let count = (self.piece.len() - self.taken).min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

impl<W: Write + std::marker::Send> Inflow for Arriving<'_, W> {
    fn end(&mut self) -> io::Result<End> {
        if self.came < self.begin.plan.stream || self.taken < self.piece.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "more of the stream follows"));
        }
        match self.server.next() {
            Heard::Said(Message::End(end)) => Ok(end),
            other => Err(Self::gone(other)),
        }
    }
}

/// What the sender was told.
struct Told<'a, W> {
    line: &'a Line<W>,
    begin: &'a Begin,
    /// The last numbers.
    last: Mutex<(Bytes, Bytes)>,
}

impl<W: Write> Told<'_, W> {
    fn say(&self, pick: impl Fn(&mut (Bytes, Bytes)) -> &mut Bytes, now: Bytes, message: &Message<'_>) {
        // Held while it is said, or a greater number of another thread might be said before.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = pick(&mut last);
        if now > *last && self.line.say(message).is_ok() {
            *last = now;
        }
    }
}

impl<W: Write + std::marker::Send> Acknowledge for Told<'_, W> {
    fn durable(&self, stream: Bytes) {
        self.say(|last| &mut last.0, stream, &Message::Durable(stream));
    }

    fn verified(&self, content: Bytes) {
        if self.begin.verify != Verify::None {
            self.say(|last| &mut last.1, content, &Message::Verified(content));
        }
    }
}

/// The stream as it leaves.
struct Leaving<'a, W> {
    server: &'a Server<'a, W>,
    begun: bool,
    at: Bytes,
}

impl<W: Write + std::marker::Send> Leaving<'_, W> {
    fn say(&self, message: &Message<'_>) -> io::Result<()> {
        if self.server.line.is_gone() {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the client is gone"));
        }
        self.server.line.say(message).map_err(|error| io::Error::other(with_causes(&error)))
    }
}

impl<W: Write + std::marker::Send> Outflow for Leaving<'_, W> {
    fn begin(&mut self, begin: &Begin) -> io::Result<()> {
        // Before it is said: a beginning that breaks a rule ends the session.
        self.begun = true;
        self.say(&Message::Begin(begin.clone()))
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(MAX_DATA_BYTES) {
            (self.server.how.pace)(piece.len());
            self.say(&Message::Data(Data { at: self.at, bytes: piece }))?;
            self.at = self.at.saturating_add(Bytes::from(piece.len()));
        }
        Ok(())
    }
}
