//! Both directions of one session.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use extents::Bytes;

use crate::{FrameReader, FrameWriter, Message, ReadError, Refusal, Session, Side, Violation, WriteError};

/// One side's way out. The rules of the session are kept before anything is written.
#[derive(Debug)]
pub struct Outgoing<W> {
    side: Side,
    session: Arc<Mutex<Session>>,
    writer: FrameWriter<W>,
}

/// One side's way in. The rules of the session are kept before anything is handed out.
#[derive(Debug)]
pub struct Incoming<R> {
    side: Side,
    session: Arc<Mutex<Session>>,
    reader: FrameReader<R>,
}

/// Both ways of a session that `side` is about to begin. They may be used by two threads, and while a layer is on its way
/// they must be: who does not read while it writes waits for the other side for ever.
pub fn connect<R: Read, W: Write>(side: Side, input: R, output: W) -> (Incoming<R>, Outgoing<W>) {
    let session = Arc::default();
    let incoming = Incoming { side, session: Arc::clone(&session), reader: FrameReader::new(input) };
    (incoming, Outgoing { side, session, writer: FrameWriter::new(output) })
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
        lock(&self.session).step(self.side, message).map_err(LinkError::Sending)?;
        Ok(self.writer.write(message)?)
    }

    /// Says why this side goes no further, whatever was said before: after a rule was broken too, when nothing else may be
    /// said. It is the last frame; whoever answers a request with a refusal, and goes on, sends it as any other message.
    ///
    /// # Errors
    /// The output fails, now or before.
    pub fn give_up(mut self, refusal: Refusal) -> Result<W, WriteError> {
        self.writer.write(&Message::Refusal(refusal))?;
        Ok(self.writer.into_inner())
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
    /// Waits for what the other side says; `None` where it ended, as it may. Pings are handed out too: whoever has the way
    /// out answers them.
    ///
    /// # Errors
    /// It said what it may not say now, or what is no message; it ended too early; or the input fails.
    pub fn receive(&mut self) -> Result<Option<Message<'_>>, LinkError> {
        match self.reader.next_message()? {
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
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}
