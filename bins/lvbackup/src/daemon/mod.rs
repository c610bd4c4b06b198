//! `lvbackup daemon`: runs `lvbackup sync` for each job of a configuration when it is due, looks after the pools, and tells
//! people. What it decides is in the crate of the same name.

mod channel;
mod commands;
mod engine;
mod files;
mod guard;
mod keep;
mod listen;
mod log;
mod notify;
mod once;
mod order;
mod run;
pub(crate) mod status;
mod tell;
mod webhook;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use cli::{Common, Exit, Failure, OrFail, Outcome, Stop, say};
use daemon::JobName;
use lvm_cmd::{DEFAULT_STATE_DIR, Host, StateDir};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use engine::{Engine, Event, Tools};
use files::{Files, configuration};
use guard::Guard;
use log::Log;
use notify::Notify;

/// Where the daemon keeps what must survive a restart.
const STATE_DIR: &str = "/var/lib/hyperlayer/daemon";
/// Where it leaves its status.
const RUNTIME_DIR: &str = "/run/hyperlayer/daemon";

/// Keep volumes mirrored, each by its own schedule, unattended
///
/// Runs `lvbackup sync` for each job of FILE when it is due. A run that fails is tried again after longer and longer
/// waits; one that gets no further is stopped and tried again; one that was stopped goes on where it was. Before each run,
/// and each minute, the pools of this machine are looked at: where one is too full, the oldest snapshots go that were made
/// here and nothing needs, or else nothing begins. People are told once of what is wrong, and once when it is right again.
///
/// SIGHUP reads FILE again; one that is not right is refused, and the old one stays. SIGTERM stops all runs at a durable
/// point, within 10 s; an LVM command is never interrupted, so the daemon waits for it however long it takes.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// What is to be mirrored, and when
    #[arg(long, value_name = "FILE")]
    config: PathBuf,

    /// Only say all that is wrong with FILE, each with its file, line and column
    #[arg(long)]
    check: bool,

    /// Run one job now, in the foreground, and exit as it does: for timers. What daemons know and tell is not touched
    #[arg(long, value_name = "JOB", conflicts_with = "check")]
    once: Option<JobName>,

    /// Where it keeps what must survive a restart; one daemon at a time
    #[arg(long, value_name = "DIR", default_value = STATE_DIR)]
    state_dir: PathBuf,

    /// Where it leaves its status, for `lvbackup status` and `lvbackup alarm`
    #[arg(long, value_name = "DIR", default_value = RUNTIME_DIR)]
    runtime_dir: PathBuf,

    /// What to run for each job in place of this program
    #[arg(long, value_name = "PROGRAM", hide = true)]
    program: Option<PathBuf>,
}

const AFTER: &str = "\
Examples:
  lvbackup daemon --config /etc/hyperlayer/lvbackup.toml --check
  lvbackup daemon --config /etc/hyperlayer/lvbackup.toml --once home
  systemctl enable --now lvbackup-daemon
  systemctl reload lvbackup-daemon

The smallest configuration (`lvbackup.toml` in the package's examples has every key, with what each means):
  zone = \"Europe/Berlin\"
  [job.home]
  source = \"vg0/home\"
  destination = \"mirror@box:vg1/home\"
  pool = \"thin\"
  every = \"15m\"
  max_age = \"1h\"
  [alerts]
  sendmail = \"root@example.org\"";

/// Runs the daemon, or what is asked for in its place.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let config = configuration(&args.config).map_err(|problems| {
        say(&problems);
        let text = format!("the configuration `{}` is not right", args.config.display());
        Failure::msg(Exit::Usage, text)
    })?;
    if args.check {
        if !common.quiet {
            say(&format!("lvbackup: `{}` is right: {} jobs", args.config.display(), config.jobs.len()));
        }
        return Ok(());
    }
    let variable = |name: &str| std::env::var(name).ok();
    let log = Arc::new(Log::new(variable("JOURNAL_STREAM").as_deref(), common));
    let program = match &args.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().or_fail(Exit::Surroundings)?,
    };
    let guard = Guard::new(Host::new(), StateDir::new(DEFAULT_STATE_DIR).or_fail(Exit::Surroundings)?);
    if let Some(name) = &args.once {
        return once::run(&config, name, &program, &guard, &log, stop);
    }

    let files = Files::open(&args.state_dir)?;
    keep::make_folder(&args.runtime_dir).or_fail(Exit::Surroundings)?;
    let kept = files.read(&log)?;
    let (events, heard) = channel();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let tools = Tools {
        config: args.config.clone(),
        program,
        status: status::file(&args.runtime_dir),
        machine: machine(&host),
        host,
        log,
        notify: Notify::new(variable),
        files,
        guard: Arc::new(guard),
    };
    listen_to_signals(events.clone()).or_fail(Exit::Failed)?;
    let engine = Engine::new(tools, kept, config, events);
    engine.or_fail(Exit::Surroundings)?.run(&heard);
    Ok(())
}

/// From here on SIGHUP is no request to stop, as it is for the other commands. A signal that was ignored when the process
/// started stays ignored, as it does for them.
fn listen_to_signals(events: Sender<Event>) -> std::io::Result<()> {
    let heard = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| !cli::is_ignored(*signal));
    let mut signals = Signals::new(heard)?;
    let listen = move || {
        for signal in signals.forever() {
            let event = if signal == SIGHUP { Event::Reload } else { Event::Stop };
            if events.send(event).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(listen).map(drop)
}

/// What tells this machine from others with the same configuration (machine-id(5)).
fn machine(host: &str) -> String {
    let id = keep::read(Path::new("/etc/machine-id"), 100).ok().flatten();
    id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).unwrap_or_else(|| host.to_owned())
}
