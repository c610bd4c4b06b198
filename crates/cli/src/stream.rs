//! Where a stream goes: standard output or a file, compressed or not, and the two lines that say its hashes.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use block_copy::{BesideFile, Existing};
use extents::{Bytes, ChunkSize, parse_size};
use transfer::{Part, Sent};

use crate::{Encoding, Exit, OrFail, Outcome, Output, Progress, Stop, Written, say, stdout_for_data, sync};

/// The options of every command that writes a stream.
#[derive(clap::Args, Clone, Debug)]
pub struct StreamArgs {
    /// Compress the stream: zstd, zstd:LEVEL (1 to 19) or none
    #[arg(long, value_name = "METHOD", default_value = "none")]
    pub compress: Compression,

    /// Write to FILE instead of standard output (`-`): beside it first, renamed when it is whole and durable
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// At most so many bytes a second, such as 20m
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub bwlimit: Option<Bytes>,
}

/// The compression of the whole stream.
#[derive(Clone, Copy, Debug)]
pub enum Compression {
    /// As it is.
    None,
    /// zstd of this level, 1 to 19.
    Zstd(i32),
}

/// Takes the next part of a stream on its way out.
pub type Put<'p> = dyn FnMut(Part) -> io::Result<()> + 'p;

impl StreamArgs {
    /// Refuses early what [`write`](Self::write) would refuse late: standard output that is a terminal.
    ///
    /// # Errors
    /// It is one.
    pub fn check(&self) -> Outcome {
        if self.file().is_none() { stdout_for_data().map(drop) } else { Ok(()) }
    }

    /// The file to write; `None` for standard output.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| *path != Path::new("-"))
    }

    /// Writes the stream that `produce` makes, waits until it is durable, and says the hashes of what was written.
    ///
    /// # Errors
    /// Producing or writing fails, or a signal asks to stop. A file is then not there, or as it was.
    pub fn write(
        &self,
        progress: &Progress,
        stop: &Stop,
        produce: impl FnOnce(&Progress, &mut Put<'_>) -> Outcome<Sent>,
    ) -> Outcome {
        let hashes = self.written(progress, stop, produce).map_err(|failure| match self.file() {
            Some(path) if failure.is_of_output() => failure.context(format!("`{}`", path.display())),
            _ => failure,
        })?;
        // The bar would take the lines with it.
        progress.finish();
        hashes.say();
        Ok(())
    }

    fn written(
        &self,
        progress: &Progress,
        stop: &Stop,
        produce: impl FnOnce(&Progress, &mut Put<'_>) -> Outcome<Sent>,
    ) -> Outcome<Hashes> {
        Ok(match self.file() {
            None => {
                let (stdout, hashes) = self.write_to(stdout_for_data()?, progress, stop, produce)?;
                sync(&stdout).map_err(transfer::Error::output)?;
                hashes
            }
            Some(path) => {
                let (file, sink) = create(path)?;
                let (_, hashes) = self.write_to(sink, progress, stop, produce)?;
                file.commit().map_err(transfer::Error::from)?;
                hashes
            }
        })
    }

    fn write_to<W: Write + Send + 'static>(
        &self,
        sink: W,
        progress: &Progress,
        stop: &Stop,
        produce: impl FnOnce(&Progress, &mut Put<'_>) -> Outcome<Sent>,
    ) -> Outcome<(W, Hashes)> {
        let encoding = Encoding {
            zstd_level: match self.compress {
                Compression::None => None,
                Compression::Zstd(level) => Some(level),
            },
            limit_per_second: self.bwlimit,
        };
        let mut output = Output::start(sink, encoding, stop.clone()).or_fail(Exit::Failed)?;
        let sent = produce(progress, &mut |part| output.put(part))?;
        let (sink, written) = output.finish().map_err(transfer::Error::output)?;
        Ok((sink, Hashes { sent, written }))
    }
}

fn create(path: &Path) -> Outcome<(BesideFile, File)> {
    let file = BesideFile::create(path, Existing::Replace).map_err(transfer::Error::from)?;
    let sink = file.file().try_clone().or_fail(Exit::Failed)?;
    Ok((file, sink))
}

struct Hashes {
    sent: Sent,
    written: Written,
}

impl Hashes {
    /// The last two lines, whatever `--quiet` says: they are data.
    fn say(&self) {
        let sha1: String = self.written.sha1.iter().map(|byte| format!("{byte:02x}")).collect();
        let blake3 = self.written.blake3.map_or_else(|| self.sent.blake3.to_string(), |hash| hash.to_string());
        say(&format!("SHA1: {sha1}\nBLAKE3: {blake3}"));
    }
}

impl FromStr for Compression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let level = match text.split_once(':') {
            None if text == "none" => return Ok(Self::None),
            None if text == "zstd" => Ok(3),
            Some(("zstd", level)) => level.parse(),
            _ => return Err("known are zstd, zstd:LEVEL and none".to_owned()),
        };
        match level {
            Ok(level @ 1..=19) => Ok(Self::Zstd(level)),
            _ => Err("a level of zstd is 1 to 19".to_owned()),
        }
    }
}

/// A size of chunks or blocks, such as `64k`.
///
/// # Errors
/// It is no size, or none that a chunk can have.
pub fn chunk_size(text: &str) -> Result<ChunkSize, String> {
    let size = parse_size(text).map_err(|e| e.to_string())?;
    ChunkSize::from_bytes(size)
        .filter(|chunk| chunk.bytes() <= hyperlayer::limits::MAX_CHUNK_SIZE)
        .ok_or_else(|| "a chunk is a multiple of 512 bytes, at most 1g".to_owned())
}

/// Bytes a second, such as `20m` or `20m/s`.
///
/// # Errors
/// It is no size, or zero.
pub fn rate(text: &str) -> Result<Bytes, String> {
    let text = text.strip_suffix("/s").unwrap_or(text);
    parse_size(text)
        .map_err(|e| e.to_string())
        .and_then(|rate| if rate.is_zero() { Err("a rate of zero would never end".to_owned()) } else { Ok(rate) })
}
