//! One end of a session that is always listened to: pings are answered whatever else is done, and a far side that says
//! nothing any more is noticed.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use crossbeam_channel::{SendTimeoutError, Sender};

use crate::{Incoming, LinkError, Message, Outgoing, ReadError, Refusal};

/// How long a far side may be silent, in waits of the input: how often a read ends with [`io::ErrorKind::WouldBlock`] because
/// nothing came. An input that never does so is waited for until it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    /// After so many waits without a word it is asked whether it is there.
    pub ping_after_waits: u32,
    /// After so many it is given up. Pieces of a stream that it takes count as a word.
    pub gone_after_waits: u32,
}

impl Patience {
    /// For an input that waits for a second: a ping after one minute, and two more for the answer.
    pub const OF_SECONDS: Self = Self { ping_after_waits: 60, gone_after_waits: 180 };
}

/// How soon it is noticed that nobody takes what came, or that a stop is asked for.
pub(crate) const LOOK: Duration = Duration::from_millis(100);
/// How often it is tried to tell somebody who left why it is over; and looked whether somebody who hung up has told it.
pub(crate) const LOOKS_FOR_WHY: u32 = 20;

/// The way out, and what is known of the far side.
#[derive(Debug)]
pub(crate) struct Line<W> {
    out: Mutex<Outgoing<W>>,
    /// The number of a ping that nobody could answer yet, since something else was being written.
    owed: Mutex<Option<u64>>,
    /// How many messages were written.
    written: AtomicU64,
    /// The far side says nothing more.
    gone: AtomicBool,
    /// Nobody here listens any more.
    left: AtomicBool,
}

/// What came.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A message that borrows nothing; no ping, no pong.
    Said(Message<'static>),
    /// A piece of the stream.
    Data(Vec<u8>),
    /// Hashes.
    Hashes(Vec<[u8; 32]>),
    /// Nothing more: as it may be, or why.
    Over(Result<(), LinkError>),
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock<T>(of: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match of.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

impl<W: Write> Line<W> {
    pub(crate) fn new(out: Outgoing<W>) -> Self {
        Self {
            out: Mutex::new(out),
            owed: Mutex::default(),
            written: AtomicU64::new(0),
            gone: AtomicBool::new(false),
            left: AtomicBool::new(false),
        }
    }

    /// Says something, after whatever is being said.
    pub(crate) fn say(&self, message: &Message<'_>) -> Result<(), LinkError> {
        lock(&self.out).send(message)?;
        self.written.fetch_add(1, Relaxed);
        self.pay()
    }

    /// Says why this side goes no further. Who cannot be told is gone, and needs no reason.
    pub(crate) fn give_up(&self, refusal: Refusal) {
        let _ = lock(&self.out).last_word(refusal);
    }

    /// Whether nothing more will come.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Relaxed)
    }

    /// Ends listening at the next wait.
    pub(crate) fn leave(&self) {
        self.left.store(true, Relaxed);
    }

    /// Hands something on, to whoever may take its time; `false` where nobody will take it.
    fn hand_on(&self, to: &Sender<Heard>, mut heard: Heard) -> bool {
        // Why it is over is worth more than the rest: who leaves because of that may still be looking for it.
        let mut looks = if matches!(heard, Heard::Over(_)) { LOOKS_FOR_WHY } else { 1 };
        loop {
            if self.left.load(Relaxed) {
                looks -= 1;
            }
            match to.send_timeout(heard, LOOK) {
                Ok(()) => return true,
                Err(SendTimeoutError::Timeout(again)) if looks > 0 => heard = again,
                Err(_) => return false,
            }
        }
    }

    /// Asks whether the far side is there, where nothing else is being said and it was not asked before.
    pub(crate) fn ping(&self) {
        if let Some(mut out) = try_lock(&self.out)
            && out.may_ping()
        {
            // Where it cannot be written, the next who writes or reads is told.
            let _ = out.send(&Message::Ping(self.written.load(Relaxed)));
        }
    }

    /// Answers the ping that nobody answered yet, unless somebody is writing: who does so answers it then.
    fn pay(&self) -> Result<(), LinkError> {
        while lock(&self.owed).is_some() {
            let Some(mut out) = try_lock(&self.out) else { return Ok(()) };
            let owed = lock(&self.owed).take();
            owed.map_or(Ok(()), |number| out.send(&Message::Pong(number)))?;
        }
        Ok(())
    }

    /// Hands on all that comes, until it ends; then hangs up. Never waits for who writes.
    pub(crate) fn listen<R: Read>(
        &self,
        mut incoming: Incoming<R>,
        to: &Sender<Heard>,
        patience: Patience,
        is_wanted: fn(&Message<'_>) -> bool,
        hang_up: impl Fn(),
    ) {
        let (mut waits, mut written) = (0, 0);
        let result = loop {
            let heard = match incoming.receive() {
                Ok(None) => break Ok(()),
                Ok(Some(Message::Ping(number))) => {
                    waits = 0;
                    *lock(&self.owed) = Some(number);
                    match self.pay() {
                        Ok(()) => continue,
                        Err(error) => break Err(error),
                    }
                }
                Ok(Some(message)) => {
                    waits = 0;
                    if matches!(message, Message::Pong(_)) || !is_wanted(&message) {
                        continue;
                    }
                    owned(message)
                }
                Err(LinkError::Read(ReadError::Input(error))) if is_wait(&error) => {
                    let now = self.written.load(Relaxed);
                    if std::mem::replace(&mut written, now) != now {
                        waits = 0;
                    }
                    waits += 1;
                    if waits == patience.ping_after_waits {
                        self.ping();
                    }
                    if waits >= patience.gone_after_waits {
                        break Err(LinkError::Silent { waits });
                    }
                    if self.left.load(Relaxed) {
                        break Ok(());
                    }
                    continue;
                }
                Err(error) => break Err(error),
            };
            if !self.hand_on(to, heard) {
                break Ok(());
            }
        };
        self.gone.store(true, Relaxed);
        hang_up();
        self.hand_on(to, Heard::Over(result));
    }
}

fn is_wait(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// What came, without the reader's buffer.
fn owned(message: Message<'_>) -> Heard {
    macro_rules! owned {
        ($($kind:ident)*) => {
            match message {
                Message::Data(data) => Heard::Data(data.bytes.to_vec()),
                Message::Hashes(hashes) => Heard::Hashes(hashes.hashes.to_vec()),
                // It was unpacked before; nobody would know what to do with it.
                Message::Packed(packed) => Heard::Data(packed.bytes.to_vec()),
                Message::Bye => Heard::Said(Message::Bye),
                $(Message::$kind(body) => Heard::Said(Message::$kind(body)),)*
            }
        };
    }
    owned! {
        Hello Ping Pong Refusal List Layers Plan Planned Try Receive Ready Send Compare Snapshot Made Differ Noted Settle
        Settled Adopt Prune Pruned Begin Durable End Verified Done
    }
}
