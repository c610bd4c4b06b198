//! Reading from what may block for ever (a pipe, a terminal, a child) without losing the way to stop.

use std::io::{self, Read};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::Stop;

/// How much is read at once, in bytes: the capacity of a pipe that was not enlarged.
const PIECE_BYTES: usize = 64 * 1024;
/// How many pieces may wait.
const QUEUE_PIECES: usize = 32;
/// How long a signal may wait for its effect.
const POLL: Duration = Duration::from_millis(50);

/// A reader on a thread of its own. A signal ends the reading with an error of kind
/// [`Other`](io::ErrorKind::Other) that [`is_stopped`] recognises, even while the source is silent. The thread is left
/// behind then, and ends with the process.
#[derive(Debug)]
pub struct Interruptible {
    pieces: Receiver<io::Result<Vec<u8>>>,
    stop: Stop,
    piece: Vec<u8>,
    used_bytes: usize,
}

impl Interruptible {
    /// Starts to read ahead, at most 2 MiB.
    pub fn new(mut source: impl Read + Send + 'static, stop: Stop) -> Self {
        let (sender, pieces) = bounded(QUEUE_PIECES);
        std::thread::spawn(move || {
            loop {
                let mut piece = vec![0; PIECE_BYTES];
                let result = match source.read(&mut piece) {
                    Ok(0) => return,
                    Ok(len) => {
                        piece.truncate(len);
                        Ok(piece)
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let failed = result.is_err();
                if sender.send(result).is_err() || failed {
                    return;
                }
            }
        });
        Self { pieces, stop, piece: Vec::new(), used_bytes: 0 }
    }
}

impl io::BufRead for Interruptible {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.used_bytes == self.piece.len() {
            if self.stop.requested() {
                return Err(stopped());
            }
            match self.pieces.recv_timeout(POLL) {
                Ok(piece) => {
                    self.piece = piece?;
                    self.used_bytes = 0;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(&self.piece[self.used_bytes..])
    }

    fn consume(&mut self, len_bytes: usize) {
        self.used_bytes = (self.used_bytes + len_bytes).min(self.piece.len());
    }
}

impl Read for Interruptible {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let have = io::BufRead::fill_buf(self)?;
        let len = have.len().min(buf.len());
        buf[..len].copy_from_slice(&have[..len]);
        io::BufRead::consume(self, len);
        Ok(len)
    }
}

#[derive(Debug)]
struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped by a signal")
    }
}

impl std::error::Error for Stopped {}

/// The error that a signal makes of reading and writing.
pub(crate) fn stopped() -> io::Error {
    io::Error::other(Stopped)
}

/// Whether the error came from a signal.
#[must_use]
pub fn is_stopped(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Stopped>)
}
