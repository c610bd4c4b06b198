//! From the plan to the bytes on standard output or in a file.

use block_copy::{Queue, ReadAt};
use cli::{Outcome, Progress, Stop};
use hyperlayer::Header;
use transfer::{Plan, diff};

use crate::args::Args;

/// Writes the stream and says the hashes of what was written.
///
/// # Errors
/// Reading or writing fails, a volume changed meanwhile, or a signal asks to stop. A file is then not there, or as it was.
pub(crate) fn send(
    args: &Args,
    header: &Header,
    plan: &Plan,
    new: &dyn ReadAt,
    base: Option<&dyn ReadAt>,
    stop: &Stop,
) -> Outcome {
    let progress = Progress::new("sending", Some(plan.work()), args.common, stop.clone());
    args.stream
        .write(&progress, stop, |progress, put| Ok(diff(header, plan, new, base, Queue::default(), progress, put)?))
}

/// Refuses early what `send` would refuse late: standard output that is a terminal.
///
/// # Errors
/// It is one.
pub(crate) fn check_output(args: &Args) -> Outcome {
    if args.dry_run { Ok(()) } else { args.stream.check() }
}
