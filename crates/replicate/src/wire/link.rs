//! Both directions of one session.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use extents::Bytes;

use crate::wire::pack::{Packer, Unpacker};
use crate::wire::parts::{Data, Packed};
use crate::{
    Ability, FrameError, FrameReader, FrameWriter, Message, ReadError, Refusal, Session, Side, Text, Violation,
    WriteError,
};

/// One side's way out. The rules of the session are kept before anything is written.
#[derive(Debug)]
pub struct Outgoing<W> {
    side: Side,
    session: Arc<Mutex<Session>>,
    writer: FrameWriter<W>,
    packer: Option<Packer>,
}

/// One side's way in. The rules of the session are kept before anything is handed out.
#[derive(Debug)]
pub struct Incoming<R> {
    side: Side,
    session: Arc<Mutex<Session>>,
    reader: FrameReader<R>,
    unpacker: Unpacker,
}

/// Both ways of a session that `side` is about to begin. They may be used by two threads, and while a layer is on its way
/// they must be: who does not read while it writes waits for the other side for ever.
pub fn connect<R: Read, W: Write>(side: Side, input: R, output: W) -> (Incoming<R>, Outgoing<W>) {
    let session = Arc::default();
    let (reader, writer) = (FrameReader::new(input), FrameWriter::new(output));
    let incoming = Incoming { side, session: Arc::clone(&session), reader, unpacker: Unpacker::default() };
    (incoming, Outgoing { side, session, writer, packer: None })
}

/// A panic of the other thread leaves no half-made step.
fn lock(session: &Mutex<Session>) -> MutexGuard<'_, Session> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Write> Outgoing<W> {
    /// Says something.
    ///
    /// # Errors
    /// It may not be said now, is no valid message, or the output fails.
    pub fn send(&mut self, message: &Message<'_>) -> Result<(), LinkError> {
        // Before it is written: the answer may be read before this call returns.
        let mut session = lock(&self.session);
        session.step(self.side, message).map_err(LinkError::Sending)?;
        let packs = session.both_can(Ability::Zstd);
        drop(session);
        if let (true, Some(packer), Message::Data(Data { at, bytes })) = (packs, &mut self.packer, message)
            && let Some(bytes) = packer.pack(bytes)
        {
            return Ok(self.writer.write(&Message::Packed(Packed { at: *at, bytes }))?);
        }
        Ok(self.writer.write(message)?)
    }

    /// Packs data from now on, with a level of zstd, where both sides can do that and it gets shorter.
    ///
    /// # Errors
    /// There is no such level.
    pub fn pack(&mut self, level: i32) -> std::io::Result<()> {
        self.packer = Some(Packer::new(level)?);
        Ok(())
    }

    /// Says why this side goes no further, whatever was said before: after a rule was broken too, when nothing else may be
    /// said. It is the last frame; whoever answers a request with a refusal, and goes on, sends it as any other message.
    ///
    /// # Errors
    /// The output fails, now or before.
    pub fn give_up(mut self, refusal: Refusal) -> Result<W, WriteError> {
        self.last_word(refusal)?;
        Ok(self.writer.into_inner())
    }

    /// The same where the way out is still needed, for nothing but waiting until it is closed.
    pub(crate) fn last_word(&mut self, refusal: Refusal) -> Result<(), WriteError> {
        self.writer.write(&Message::Refusal(refusal))
    }

    /// Whether this side may ask now whether the other one is there.
    pub(crate) fn may_ping(&self) -> bool {
        lock(&self.session).may_ping(self.side)
    }

    /// How far a stream is: see [`Session::progress`].
    #[must_use]
    pub fn progress(&self) -> Option<(Bytes, Bytes)> {
        lock(&self.session).progress()
    }

    /// The output, with everything written to it.
    pub fn into_inner(self) -> W {
        self.writer.into_inner()
    }
}

impl<R: Read> Incoming<R> {
    /// Whether both sides can do this.
    #[must_use]
    pub fn both_can(&self, ability: Ability) -> bool {
        lock(&self.session).both_can(ability)
    }

    /// Waits for what the other side says; `None` where it ended, as it may. Pings are handed out too: whoever has the way
    /// out answers them.
    ///
    /// # Errors
    /// It said what it may not say now, or what is no message; it ended too early; or the input fails.
    pub fn receive(&mut self) -> Result<Option<Message<'_>>, LinkError> {
        match self.reader.next_message()? {
            Some(Message::Packed(packed)) => {
                let mut session = lock(&self.session);
                if !session.both_can(Ability::Zstd) {
                    return Err(LinkError::Received(session.refuse(Violation::NotPacked)));
                }
                let refused = |why: &dyn std::fmt::Display| Violation::Packed { why: Text::new(&why.to_string()) };
                let unpacked = match self.unpacker.unpack(packed.bytes) {
                    Ok(bytes) => Data { at: packed.at, bytes },
                    Err(error) => return Err(LinkError::Received(session.refuse(refused(&error)))),
                };
                if let Err(rule) = unpacked.check() {
                    return Err(LinkError::Received(session.refuse(refused(&rule))));
                }
                let message = Message::Data(unpacked);
                session.step(self.side.other(), &message).map_err(LinkError::Received)?;
                Ok(Some(message))
            }
            Some(message) => {
                lock(&self.session).step(self.side.other(), &message).map_err(LinkError::Received)?;
                Ok(Some(message))
            }
            None => {
                lock(&self.session).end().map_err(LinkError::Received)?;
                Ok(None)
            }
        }
    }
}

/// Why a session cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The other side broke a rule.
    #[error("the far side broke the protocol")]
    Received(#[source] Violation),
    /// This program was about to break a rule.
    #[error("this would break the protocol")]
    Sending(#[source] Violation),
    /// Nothing that can be read came.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The other side says nothing any more, and does not answer whether it is there.
    #[error("the far side is silent: nothing came from it, nor an answer to a ping, in {waits} waits")]
    Silent {
        /// How often it was waited for.
        waits: u32,
    },
    /// zstd refuses its level.
    #[error("zstd cannot pack as it was asked to")]
    NoZstd(#[source] std::io::Error),
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl LinkError {
    /// Whether something was said that may not be; else the far side is not reached, or not any more.
    #[must_use]
    pub const fn is_broken_rule(&self) -> bool {
        use FrameError::{Cut, NoPreamble, Silent};
        match self {
            Self::Received(Violation::Ended { .. }) => false,
            Self::Received(_) | Self::Sending(_) | Self::Write(WriteError::Message { .. }) => true,
            Self::Read(ReadError::Frame(error)) => !matches!(error, NoPreamble { .. } | Silent | Cut { .. }),
            Self::Read(ReadError::Message { .. }) => true,
            Self::Read(ReadError::Input(_)) | Self::Silent { .. } | Self::NoZstd(_) | Self::Write(_) => false,
        }
    }
}
