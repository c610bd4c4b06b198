//! The ends of a session: a pipe or a socket that is waited for no longer than a second at a time.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use cli::Stop;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

/// How long one wait is: what `replicate::Patience` counts.
const WAIT: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// What both ends of one session share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared {
    gone: Arc<AtomicBool>,
    bytes: Arc<AtomicU64>,
}

impl Shared {
    /// From now on nothing more is written: the far side is gone.
    pub(crate) fn hang_up(&self) {
        self.gone.store(true, Relaxed);
    }

    /// How many bytes went through, both ways.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }
}

/// Who follows a request to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stops {
    /// A server: it reads nothing more, and its host ends at a durable point.
    AtOnce,
    /// The client, which looks for itself: only a write that does not get on is given up.
    WhereItWaits,
}

/// One end.
#[derive(Debug)]
pub(crate) struct End<F> {
    fd: F,
    shared: Shared,
    stop: Stop,
    stops: Stops,
}

impl<F: AsFd> End<F> {
    /// Takes an end over, which is never waited for from now on but here.
    ///
    /// # Errors
    /// The kernel does not let that be.
    pub(crate) fn new(fd: F, shared: &Shared, stop: &Stop, stops: Stops) -> io::Result<Self> {
        fcntl_setfl(&fd, fcntl_getfl(&fd)? | OFlags::NONBLOCK)?;
        Ok(Self { fd, shared: shared.clone(), stop: stop.clone(), stops })
    }

    /// Waits once; `false` where nothing happened.
    fn wait(&self, event: PollFlags) -> io::Result<bool> {
        match poll(&mut [PollFd::new(&self.fd, event)], Some(&WAIT)) {
            Ok(count) => Ok(count > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn stopped(&self) -> io::Result<()> {
        if self.stop.requested() { Err(io::Error::new(io::ErrorKind::ConnectionAborted, "stopped")) } else { Ok(()) }
    }

    fn count(&self, bytes: usize) {
        self.shared.bytes.fetch_add(bytes as u64, Relaxed);
    }
}

impl<F: AsFd> Read for End<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.stops == Stops::AtOnce {
                self.stopped()?;
            }
            match rustix::io::read(&self.fd, &mut *buffer) {
                Ok(count) => {
                    self.count(count);
                    return Ok(count);
                }
                Err(Errno::AGAIN) => {
                    if !self.wait(PollFlags::IN)? {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl<F: AsFd> Write for End<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            if self.shared.gone.load(Relaxed) {
                return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the far side is gone"));
            }
            match rustix::io::write(&self.fd, bytes) {
                Ok(count) => {
                    self.count(count);
                    return Ok(count);
                }
                Err(Errno::AGAIN) => {
                    if !self.wait(PollFlags::OUT)? {
                        self.stopped()?;
                    }
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_and_everything_arrives() {
        let (from, to) = io::pipe().unwrap();
        let shared = Shared::default();
        let stop = Stop::default();
        let mut from = End::new(from, &shared, &stop, Stops::WhereItWaits).unwrap();
        let mut to = End::new(to, &shared, &stop, Stops::WhereItWaits).unwrap();
        assert_eq!(from.read(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        // Far more than a pipe holds.
        let sent: Vec<_> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[2]).collect();
        let read = std::thread::scope(|scope| {
            scope.spawn(move || to.write_all(&sent).unwrap());
            let mut read = Vec::new();
            from.read_to_end(&mut read).unwrap();
            read
        });
        assert_eq!(read.len(), 1_000_000);
        assert!(read.iter().enumerate().all(|(n, byte)| u8::try_from((n & 0xff) ^ (n >> 16)).unwrap() == *byte));
        assert_eq!(shared.bytes(), 2_000_000);
    }

    #[test]
    fn a_write_that_nobody_takes_ends_when_the_far_side_is_gone() {
        let (from, to) = io::pipe().unwrap();
        let shared = Shared::default();
        let mut to = End::new(to, &shared, &Stop::default(), Stops::WhereItWaits).unwrap();
        let failed = std::thread::scope(|scope| {
            let writing = scope.spawn(move || to.write_all(&[0; 1_000_000]).unwrap_err());
            shared.hang_up();
            writing.join().unwrap()
        });
        assert_eq!(failed.kind(), io::ErrorKind::BrokenPipe);
        drop(from);
    }
}
