//! Writing a stream: compressed, limited and hashed on a thread of its own, so that a reader that does not read can
//! not hold the command back from stopping.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{SendTimeoutError, Sender, bounded};
use extents::Bytes;
use sha1::{Digest, Sha1};

use transfer::{Part, stopped};

use crate::{Exit, Failure, OrFail, Outcome, Stop, stdout};

/// How many parts (a record's line, a record's data) may wait for the writer.
const QUEUE_PARTS: usize = 32;
/// How long a signal may wait for its effect.
const POLL: Duration = Duration::from_millis(50);

/// What the bytes go through on their way out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Encoding {
    /// The zstd level (1 to 22); `None` leaves the stream as it is.
    pub zstd_level: Option<i32>,
    /// The most bytes a second, on average, after compression.
    pub limit_per_second: Option<Bytes>,
}

/// What was written, exactly.
#[derive(Clone, Debug)]
pub struct Written {
    /// How much, after compression.
    pub len: Bytes,
    /// The SHA-1 of it.
    pub sha1: [u8; 20],
    /// The BLAKE3 of it, where it was compressed; else whoever made the stream knows it.
    pub blake3: Option<blake3::Hash>,
}

/// A stream on its way to a file or a pipe.
pub struct Output<W> {
    parts: Sender<Part>,
    writer: JoinHandle<io::Result<(W, Written)>>,
    stop: Stop,
}

impl<W: Write + Send + 'static> Output<W> {
    /// Starts the thread that writes to `sink`.
    ///
    /// # Errors
    /// The zstd level is out of range.
    pub fn start(sink: W, encoding: Encoding, stop: Stop) -> io::Result<Self> {
        let (parts, queue) = bounded::<Part>(QUEUE_PARTS);
        let hashed = Hashed::new(sink, encoding);
        let mut stage = Stage::new(hashed, encoding.zstd_level)?;
        let writer = std::thread::spawn(move || {
            for part in queue {
                stage.write_all((*part).as_ref())?;
            }
            stage.finish()?.finish()
        });
        Ok(Self { parts, writer, stop })
    }

    /// Hands over the next part.
    ///
    /// # Errors
    /// What the writing failed with; or a signal asked to stop.
    pub fn put(&mut self, mut part: Part) -> io::Result<()> {
        loop {
            if self.stop.requested() {
                return Err(stopped());
            }
            match self.parts.send_timeout(part, POLL) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(back)) => part = back,
                Err(SendTimeoutError::Disconnected(_)) => return Err(self.cause()),
            }
        }
    }

    /// Waits until everything is written and flushed, and gives the sink back.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    pub fn finish(self) -> io::Result<(W, Written)> {
        let Self { parts, writer, stop } = self;
        drop(parts);
        while !writer.is_finished() {
            if stop.requested() {
                return Err(stopped());
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        join(writer)
    }

    fn cause(&mut self) -> io::Error {
        let nothing = std::thread::spawn(|| Err(io::ErrorKind::BrokenPipe.into()));
        let ended = join(std::mem::replace(&mut self.writer, nothing));
        ended.err().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl<W> fmt::Debug for Output<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").finish_non_exhaustive()
    }
}

fn join<T>(thread: JoinHandle<io::Result<T>>) -> io::Result<T> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The first stage: plain or compressed.
enum Stage<W: Write> {
    Plain(Box<Hashed<W>>),
    Zstd(Box<zstd::Encoder<'static, Hashed<W>>>),
}

impl<W: Write> Stage<W> {
    fn new(mut sink: Hashed<W>, zstd_level: Option<i32>) -> io::Result<Self> {
        let Some(level) = zstd_level else { return Ok(Self::Plain(Box::new(sink))) };
        sink.blake3 = Some(blake3::Hasher::new());
        let mut encoder = zstd::Encoder::new(sink, level)?;
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        encoder.multithread(u32::try_from(workers).unwrap_or(1))?;
        encoder.include_checksum(true)?;
        Ok(Self::Zstd(Box::new(encoder)))
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<Hashed<W>> {
        match self {
            Self::Plain(sink) => Ok(*sink),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

/// The last stage: counts, hashes, slows down, writes.
struct Hashed<W> {
    sink: W,
    len: Bytes,
    sha1: Sha1,
    blake3: Option<blake3::Hasher>,
    limit_per_second: Option<Bytes>,
    started: Instant,
}

impl<W: Write> Hashed<W> {
    fn new(sink: W, encoding: Encoding) -> Self {
        let limit_per_second = encoding.limit_per_second;
        Self { sink, len: Bytes::ZERO, sha1: Sha1::new(), blake3: None, limit_per_second, started: Instant::now() }
    }

    fn finish(mut self) -> io::Result<(W, Written)> {
        self.sink.flush()?;
        let blake3 = self.blake3.map(|hasher| hasher.finalize());
        Ok((self.sink, Written { len: self.len, sha1: self.sha1.finalize().into(), blake3 }))
    }

    /// Sleeps until the bytes so far are no more than the limit allows.
    fn wait_for_limit(&self) {
        if let Some(limit) = self.limit_per_second {
            let due = Duration::from_secs_f64(to_f64(self.len) / to_f64(limit).max(1.0));
            std::thread::sleep(due.saturating_sub(self.started.elapsed()));
        }
    }
}

/// Near enough for a rate.
#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
fn to_f64(bytes: Bytes) -> f64 {
    bytes.get() as f64
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A limited stream goes out in small steps, so that the rate is even.
        let step = if self.limit_per_second.is_some() { bytes.len().min(64 * 1024) } else { bytes.len() };
        let written = self.sink.write(&bytes[..step])?;
        self.sha1.update(&bytes[..written]);
        if let Some(hasher) = &mut self.blake3 {
            hasher.update(&bytes[..written]);
        }
        self.len = self.len.saturating_add(Bytes::from(written));
        self.wait_for_limit();
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// Standard output, unless a person would see the bytes. As a file: without a buffer that looks for newlines.
///
/// # Errors
/// It is a terminal, or closed.
pub fn stdout_for_data() -> Outcome<File> {
    let stdout = stdout()?;
    if stdout.is_terminal() {
        return Err(Failure::msg(Exit::Usage, "the stream is binary and standard output is a terminal")
            .hint("write it to a file with `-o FILE`, or pipe it on"));
    }
    Ok(stdout.as_fd().try_clone_to_owned().or_fail(Exit::Failed)?.into())
}

/// Waits until what was written is durable, where it went to a file (`lvdiff ... > FILE`). A pipe has nothing to wait for.
///
/// # Errors
/// The system could not keep it.
pub fn sync(written: &File) -> io::Result<()> {
    if written.metadata()?.is_file() { written.sync_all() } else { Ok(()) }
}
