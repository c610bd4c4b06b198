//! Reading from what may block for ever (a pipe, a terminal, a child) without losing the way to stop.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::time::Duration;

use block_copy::Progress;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

/// How much is read at once, in bytes: what a pipe holds that was not enlarged.
const PIECE_BYTES: usize = 64 * 1024;
/// How many pieces may wait: 2 MiB in all.
const QUEUE_PIECES: usize = 32;
/// How long a request to stop may wait for its effect.
const POLL: Duration = Duration::from_millis(50);

/// A reader on a thread of its own. A request to stop ends the reading with [`stopped`], even while the source is
/// silent. The thread is left behind then, and ends with the process.
pub struct Interruptible<'a> {
    pieces: Receiver<io::Result<Vec<u8>>>,
    progress: &'a dyn Progress,
    piece: Vec<u8>,
    used_bytes: usize,
}

impl<'a> Interruptible<'a> {
    /// Starts to read ahead.
    pub fn new(mut source: impl Read + Send + 'static, progress: &'a dyn Progress) -> Self {
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
        Self { pieces, progress, piece: Vec::new(), used_bytes: 0 }
    }
}

impl BufRead for Interruptible<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.used_bytes == self.piece.len() {
            if self.progress.stop_requested() {
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

impl Read for Interruptible<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let have = self.fill_buf()?;
        let len = have.len().min(buf.len());
        buf[..len].copy_from_slice(&have[..len]);
        self.consume(len);
        Ok(len)
    }
}

impl fmt::Debug for Interruptible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interruptible").finish_non_exhaustive()
    }
}

/// The error that a request to stop makes of reading and writing.
#[must_use]
pub fn stopped() -> io::Error {
    io::Error::other(block_copy::Error::Stopped)
}

/// Whether an error of reading or writing is that a request to stop was heard.
#[must_use]
pub fn is_stop(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    matches!(cause, Some(block_copy::Error::Stopped))
}
