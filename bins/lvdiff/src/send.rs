//! From the plan to the bytes on standard output or in a file.

use block_copy::{Queue, ReadAt};
use cli::{Outcome, Progress, Stop};
use hyperlayer::Header;
use transfer::{Plan, diff};

use crate::args::Args;

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
    let progress = Progress::new("sending", Some(plan.work()), args.common, stop.clone());
    args.stream.write(&progress, stop, |progress, put| {
        // One part behind, so that the end comes last of all.
        let mut last = None;
        let held = &mut |part| last.replace(part).map_or(Ok(()), &mut *put);
        let sent = diff(header, plan, new, base, Queue::default(), progress, held)?;
        unchanged()?;
        last.map_or(Ok(()), put).map_err(transfer::Error::output)?;
        Ok(sent)
    })
}

/// Refuses early what `send` would refuse late: standard output that is a terminal.
///
/// # Errors
/// It is one.
pub(crate) fn check_output(args: &Args) -> Outcome {
    if args.dry_run { Ok(()) } else { args.stream.check() }
}
