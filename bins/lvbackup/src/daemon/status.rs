//! `lvbackup status` and `lvbackup alarm`: what the daemon left to read.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use cli::{Exit, Failure, Outcome, Stop};
use daemon::{JobName, MAX_STATUS_BYTES, Plugin, Status};
use jiff::Timestamp;

use super::{RUNTIME_DIR, keep};

/// How often it is looked at with `--watch`, in steps after each of which a signal is followed.
const WATCH: [Duration; 10] = [Duration::from_millis(200); 10];
/// Home, and all below is empty (ECMA-48, CUP and ED).
const CLEAR: &str = "\u{1b}[H\u{1b}[J";

/// Show how the daemon's jobs and pools are
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct StatusArgs {
    /// As one JSON object: `at`, `jobs` and `pools`
    #[arg(long)]
    json: bool,

    /// Show it again every two seconds, until it is interrupted
    #[arg(long, conflicts_with = "json")]
    watch: bool,

    /// Where the daemon leaves its status
    #[arg(long, value_name = "DIR", default_value = RUNTIME_DIR)]
    runtime_dir: PathBuf,
}

const AFTER: &str = "\
Examples:
  lvbackup status
  lvbackup status --watch
  lvbackup status --json | jq '.jobs[] | select(.failing != null) | .name'";

/// One line for a monitoring system, with the exit status that it wants
///
/// Prints what a monitoring plugin prints (Nagios, Icinga, Checkmk): a text, a `|`, and performance data; and exits with 0
/// for OK, 1 for WARNING (a run failed), 2 for CRITICAL (a destination is too old, a job fails again and again, nothing begins
/// in a pool, the daemon is silent), 3 for UNKNOWN (there is no daemon, or no such job).
#[derive(clap::Args, Debug)]
#[command(after_long_help = ALARM_AFTER)]
pub(crate) struct AlarmArgs {
    /// Only this job, and no pools
    #[arg(long, value_name = "NAME")]
    job: Option<JobName>,

    /// Where the daemon leaves its status
    #[arg(long, value_name = "DIR", default_value = RUNTIME_DIR)]
    runtime_dir: PathBuf,
}

const ALARM_AFTER: &str = "\
Examples:
  lvbackup alarm
  lvbackup alarm --job home

For a monitoring system that is not root, in sudoers(5):
  nagios ALL=(root) NOPASSWD: /usr/local/sbin/lvbackup alarm";

/// The file in the folder where the daemon leaves its status.
pub(super) fn file(folder: &Path) -> PathBuf {
    folder.join("status.json")
}

fn read(folder: &Path) -> Result<Status, String> {
    let path = file(folder);
    match keep::read(&path, MAX_STATUS_BYTES) {
        Ok(Some(json)) => Status::from_json(&json).map_err(|error| format!("`{}`: {error}", path.display())),
        Ok(None) => Err(format!("no daemon has left its status in `{}`", path.display())),
        Err(error) => Err(format!("cannot read `{}`: {error}", path.display())),
    }
}

/// Shows the status.
///
/// # Errors
/// There is none, or it cannot be read.
pub(crate) fn run(args: &StatusArgs, stop: &Stop) -> Outcome {
    loop {
        let status = read(&args.runtime_dir).map_err(|why| {
            Failure::msg(Exit::Surroundings, why).hint("`lvbackup daemon` leaves it; only root may read it")
        })?;
        let mut text = if args.json { status.to_json() + "\n" } else { status.table(Timestamp::now()) };
        if args.watch && cli::stdout_is_terminal() {
            text.insert_str(0, CLEAR);
        }
        cli::print(&text)?;
        if !args.watch {
            return Ok(());
        }
        for step in WATCH {
            if stop.requested() {
                return Ok(());
            }
            std::thread::sleep(step);
        }
    }
}

/// What a monitoring system is told.
pub(crate) fn alarm(args: &AlarmArgs) -> ExitCode {
    let plugin = plugin(args).unwrap_or_else(|why| Plugin::unknown(&why));
    // Where nobody reads it, the exit status says it.
    let _ = cli::print(&format!("{}\n", plugin.line));
    plugin.service.exit_code().into()
}

fn plugin(args: &AlarmArgs) -> Result<Plugin, String> {
    let mut status = read(&args.runtime_dir)?;
    if let Some(job) = &args.job {
        status.jobs.retain(|found| found.name == *job);
        status.pools.clear();
        if status.jobs.is_empty() {
            return Err(format!("the daemon has no job {job}"));
        }
    }
    Ok(status.plugin(Timestamp::now()))
}
