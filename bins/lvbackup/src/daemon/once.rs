//! `lvbackup daemon --once`: one run in the foreground.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cli::{Exit, Failure, OrFail, Outcome, Stop};
use daemon::{Config, JobName, Line};
use lvm_cmd::Executor;

use super::guard::Guard;
use super::log::Log;
use super::run::{self, Ask, Ended};

/// So long it has to come to a durable point.
const GRACE: Duration = Duration::from_secs(10);
/// How soon a signal is passed on.
const TICK: Duration = Duration::from_millis(100);

/// Runs a job as the daemon would.
///
/// # Errors
/// What the run failed with, with its exit status.
pub(super) fn run<E: Executor>(
    config: &Config,
    name: &JobName,
    program: &Path,
    guard: &Guard<E>,
    log: &Log,
    stop: &Stop,
) -> Outcome {
    let job = config.jobs.get(name).ok_or_else(|| {
        let known: Vec<_> = config.jobs.keys().map(JobName::as_str).collect();
        Failure::msg(Exit::Usage, format!("no job `{name}`; there are: {}", known.join(", ")))
    })?;
    guard.before(config, job, log).1.map_err(|why| Failure::msg(Exit::Surroundings, why))?;
    let (ask, over) = (Ask::default(), AtomicBool::new(false));
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                if stop.requested() {
                    ask.stop(GRACE);
                }
                std::thread::sleep(TICK);
            }
        });
        let ended = run::run(program, &job.arguments(), &ask, |line| {
            if let Line::Text(text) = line {
                log.info(&[("JOB", name.as_str())], text.strip_prefix("lvbackup: ").unwrap_or(text));
            }
        });
        over.store(true, Ordering::Relaxed);
        ended
    });
    match ended.outcome() {
        daemon::Outcome::Good => {
            if let Some(report) = &ended.report {
                log.info(&[("JOB", name.as_str()), ("LAYER", &report.layer)], &format!("done: layer {}", report.layer));
            }
            Ok(())
        }
        daemon::Outcome::Stopped => Err(Failure::msg(Exit::Failed, format!("job `{name}` was stopped"))),
        daemon::Outcome::Failed(why) => Err(Failure::msg(exit(ended)?, format!("job `{name}` failed: {why}"))),
    }
}

/// The same as the run's.
fn exit(ended: Ended) -> Outcome<Exit> {
    let Some(status) = ended.status.or_fail(Exit::Surroundings)? else { return Ok(Exit::Failed) };
    Ok(match (status.code(), status.signal()) {
        (Some(2), _) => Exit::Usage,
        (Some(3), _) => Exit::Refused,
        (Some(4), _) => Exit::Surroundings,
        (Some(5), _) => Exit::Unfinished,
        (Some(code @ 129..), _) => u8::try_from(code - 128).map_or(Exit::Failed, Exit::Signal),
        (_, Some(signal)) => u8::try_from(signal).map_or(Exit::Failed, Exit::Signal),
        _ => Exit::Failed,
    })
}
