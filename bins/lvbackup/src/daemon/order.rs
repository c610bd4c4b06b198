//! The daemon's other threads: one for each run, one that looks after the pools.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use daemon::{Config, Job, JobName, Line};
use lvm_cmd::Executor;

use super::engine::Event;
use super::guard::Guard;
use super::log::Log;
use super::run::{Ask, Ended, run};

/// How often pools are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Progress is told no more often than this.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// What a run's thread needs.
#[derive(Debug)]
pub(super) struct Order {
    pub name: JobName,
    pub job: Job,
    pub config: Arc<Config>,
    pub program: PathBuf,
    pub ask: Ask,
}

impl Order {
    pub(super) fn carry_out<E: Executor>(&self, guard: &Guard<E>, log: &Log, events: &Sender<Event>) {
        let (reports, room) = guard.before(&self.config, &self.job, log);
        let _ = events.send(Event::Pools(reports));
        let ended = match room {
            Ok(()) => self.run(log, events),
            Err(why) => Ended::refused(why),
        };
        let _ = events.send(Event::Ended(self.name.clone(), ended));
    }

    fn run(&self, log: &Log, events: &Sender<Event>) -> Ended {
        let job = [("JOB", self.name.as_str())];
        let arguments = self.job.arguments();
        log.debug(&job, &format!("{} {}", self.program.display(), arguments.join(" ")));
        let mut told: Option<Instant> = None;
        run(&self.program, &arguments, &self.ask, |line| match line {
            Line::Progress(bytes) => {
                if told.is_none_or(|at| at.elapsed() >= PROGRESS_EVERY) {
                    told = Some(Instant::now());
                    let _ = events.send(Event::Progress(self.name.clone(), *bytes));
                }
            }
            Line::Text(text) => log.info(&job, text.strip_prefix("lvbackup: ").unwrap_or(text)),
        })
    }
}

/// What the thread that looks after the pools needs.
#[derive(Debug)]
pub(super) struct Pools<E> {
    pub guard: Arc<Guard<E>>,
    pub log: Arc<Log>,
    pub config: Arc<Config>,
    pub events: Sender<Event>,
}

impl<E: Executor> Pools<E> {
    /// Looks at them every minute, and when there is another configuration, until the daemon is gone.
    pub(super) fn watch(mut self, asked: &Receiver<Arc<Config>>) {
        while self.events.send(Event::Looked(self.guard.look(&self.config, &self.log))).is_ok() {
            match asked.recv_timeout(LOOK_EVERY) {
                Ok(new) => self.config = new,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}
