//! From the plan to the bytes on standard output or in a file.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use block_copy::{BesideFile, Existing, Queue, ReadAt};
use cli::{Encoding, Exit, OrFail, Outcome, Output, Progress, Stop, Written, say};
use hyperlayer::Header;
use transfer::{Plan, Sent, diff};

use crate::args::{Args, Compression};
use crate::layer::work;

/// Writes the stream and says the hashes of what was written. `unchanged` is asked when all is read, before the
/// stream's end is written: without it, no reader takes the stream.
///
/// # Errors
/// Reading or writing fails, or a signal asks to stop, or `unchanged` says no. A file is then not there, or as it was.
pub(crate) fn send(
    args: &Args,
    header: &Header,
    plan: &Plan,
    new: &dyn ReadAt,
    base: Option<&dyn ReadAt>,
    unchanged: &dyn Fn() -> Outcome,
    stop: &Stop,
) -> Outcome {
    let stream = Stream { args, header, plan, new, base, unchanged, stop };
    match &args.output {
        None => {
            let (stdout, hashes) = stream.write(cli::stdout_for_data()?)?;
            cli::sync(&stdout).map_err(transfer::Error::output)?;
            hashes.say();
            Ok(())
        }
        Some(path) => {
            let (file, sink) = create(path)?;
            let (_, hashes) = stream.write(sink)?;
            file.commit().map_err(transfer::Error::from)?;
            hashes.say();
            Ok(())
        }
    }
}

/// Refuses early what `send` would refuse late: standard output that is a terminal.
///
/// # Errors
/// It is one.
pub(crate) fn check_output(args: &Args) -> Outcome {
    if args.output.is_none() && !args.dry_run { cli::stdout_for_data().map(drop) } else { Ok(()) }
}

fn create(path: &Path) -> Outcome<(BesideFile, File)> {
    let file = BesideFile::create(path, Existing::Replace).map_err(transfer::Error::from)?;
    let sink = file.file().try_clone().or_fail(Exit::Failed)?;
    Ok((file, sink))
}

struct Stream<'a> {
    args: &'a Args,
    header: &'a Header,
    plan: &'a Plan,
    new: &'a dyn ReadAt,
    base: Option<&'a dyn ReadAt>,
    unchanged: &'a dyn Fn() -> Outcome,
    stop: &'a Stop,
}

impl Stream<'_> {
    fn write<W: Write + Send + 'static>(&self, sink: W) -> Outcome<(W, Hashes)> {
        let encoding = Encoding {
            zstd_level: match self.args.compress {
                Compression::None => None,
                Compression::Zstd(level) => Some(level),
            },
            limit_per_second: self.args.bwlimit,
        };
        let mut output = Output::start(sink, encoding, self.stop.clone()).or_fail(Exit::Failed)?;
        let progress = Progress::new("sending", Some(work(self.plan)), self.args.common.quiet, self.stop.clone());
        // One part behind, so that the end comes last of all.
        let mut last = None;
        let put = &mut |part| last.replace(part).map_or(Ok(()), |part| output.put(part));
        let sent = diff(self.header, self.plan, self.new, self.base, Queue::default(), &progress, put)?;
        (self.unchanged)()?;
        last.map_or(Ok(()), |end| output.put(end)).map_err(transfer::Error::output)?;
        let (sink, written) = output.finish().map_err(transfer::Error::output)?;
        drop(progress);
        Ok((sink, Hashes { sent, written }))
    }
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
