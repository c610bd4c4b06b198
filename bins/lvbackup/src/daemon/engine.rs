//! The daemon: one thread that decides, one for each run, one that looks after the pools.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use daemon::{Config, Decision, Job, JobName, Outcome, Plan, State, next};
use jiff::Timestamp;
use lvm_cmd::Executor;

use super::files::{Files, configuration};
use super::guard::{Guard, Looked, now, update};
use super::listen::Listener;
use super::log::Log;
use super::notify::Notify;
use super::order::{Order, Pools};
use super::run::{Ask, Ended};
use super::tell::Teller;

mod show;

/// A run that is stuck has so long to come to a durable point.
const STUCK_GRACE: Duration = Duration::from_secs(10);
/// The same when the daemon stops: then all is over within 10 s, unless LVM commands work.
const STOP_GRACE: Duration = Duration::from_secs(8);
/// So soon a run that is killed is gone.
const KILL_LIMIT: Duration = Duration::from_millis(1500);
/// Then the daemon ends, whatever still runs, LVM commands excepted.
const STOP_LIMIT: Duration = STOP_GRACE.saturating_add(KILL_LIMIT);
/// How soon it is noticed then that LVM commands have ended.
const STOP_TICK: Duration = Duration::from_millis(100);
/// A message that was not taken by then is made again by the next daemon.
const SEND_LIMIT: Duration = Duration::from_secs(1);
/// How often the status is written, at least; and while something runs.
const STATUS_EVERY: Duration = Duration::from_secs(30);
const STATUS_RUNNING: Duration = Duration::from_secs(5);

/// What happens to the daemon.
#[derive(Debug)]
pub(super) enum Event {
    /// SIGHUP.
    Reload,
    /// SIGTERM, SIGINT.
    Stop,
    Progress(JobName, u64),
    Pools(Vec<daemon::PoolReport>),
    Ended(JobName, Ended),
    Looked(Looked),
    Sent(&'static str, Result<(), String>),
}

/// What does not change while it runs.
#[derive(Debug)]
pub(super) struct Tools<E> {
    /// The file that its configuration is in.
    pub config: PathBuf,
    /// What is run for each job: this very program.
    pub program: PathBuf,
    pub status: PathBuf,
    /// Tells this machine from others.
    pub machine: String,
    pub host: String,
    pub log: Arc<Log>,
    pub notify: Notify,
    pub files: Files,
    pub guard: Arc<Guard<E>>,
}

/// One run, until it has said how it ended.
#[derive(Debug)]
struct Run {
    ask: Ask,
    /// `None` when it is over.
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
pub(super) struct Engine<E> {
    tools: Tools<E>,
    events: Sender<Event>,
    config: Arc<Config>,
    state: State,
    teller: Teller,
    /// Nothing starts before the pools are known: two runs might else use the same one.
    looked: Option<Looked>,
    look: Sender<Arc<Config>>,
    runs: BTreeMap<JobName, Run>,
    listener: Option<Listener>,
    begun: Instant,
    status_at: Instant,
    stopping: Option<Instant>,
    /// Set when it stops, for who sends messages.
    over: Arc<AtomicBool>,
}

impl<E: Executor + Send + 'static> Engine<E> {
    /// # Errors
    /// Where metrics are to be asked for, it cannot listen.
    pub(super) fn new(
        tools: Tools<E>,
        (state, teller): (State, Teller),
        config: Config,
        events: Sender<Event>,
    ) -> std::io::Result<Self> {
        let config = Arc::new(config);
        let listener = config.metrics.listen.map(Listener::new).transpose()?;
        let (look, asked) = channel();
        let pools = Pools {
            guard: Arc::clone(&tools.guard),
            log: Arc::clone(&tools.log),
            config: Arc::clone(&config),
            events: events.clone(),
        };
        std::thread::Builder::new().name("pools".to_owned()).spawn(move || pools.watch(&asked))?;
        let begun = Instant::now();
        Ok(Self {
            tools,
            events,
            config,
            state,
            teller,
            looked: None,
            look,
            runs: BTreeMap::new(),
            listener,
            begun,
            status_at: begun,
            stopping: None,
            over: Arc::default(),
        })
    }

    /// Until somebody stops it.
    pub(super) fn run(&mut self, events: &Receiver<Event>) {
        self.tools.log.info(&[], &format!("{} jobs of `{}`", self.config.jobs.len(), self.tools.config.display()));
        self.tools.notify.ready(&self.summary());
        loop {
            let wait = self.step();
            if self.stopping.is_some_and(|since| self.is_over(since)) {
                break;
            }
            match events.recv_timeout(wait) {
                Ok(event) => {
                    self.take(event);
                    while let Ok(event) = events.try_recv() {
                        self.take(event);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                // Never: it has a sender itself.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        for job in self.runs.keys() {
            self.tools.log.warning(&[("JOB", job.as_str())], "its run does not end; it is left to itself");
        }
        self.tools.guard.close();
        self.keep_state();
        self.write_status();
    }

    fn is_over(&self, since: Instant) -> bool {
        let told = !self.teller.is_sending() || since.elapsed() > SEND_LIMIT;
        let waits = self.runs.values().any(|run| run.ask.waited_for_lvm(KILL_LIMIT));
        (since.elapsed() > STOP_LIMIT && !waits) || (self.runs.is_empty() && told)
    }

    /// Does what is to be done now, and says how long nothing else is.
    fn step(&mut self) -> Duration {
        self.sweep();
        let mut wait = self.tools.notify.watchdog().unwrap_or(Duration::MAX);
        self.tools.notify.alive();
        if let Some(since) = self.stopping {
            let limit = if self.runs.is_empty() { SEND_LIMIT } else { STOP_LIMIT };
            wait = wait.min(limit.saturating_sub(since.elapsed()).max(STOP_TICK));
        } else {
            wait = wait.min(self.decide());
            self.tell();
            wait = wait.min(self.teller.wait().unwrap_or(Duration::MAX));
        }
        if self.status_at <= Instant::now() {
            self.write_status();
            self.status_at = Instant::now() + STATUS_EVERY;
        }
        wait.min(self.status_at.saturating_duration_since(Instant::now()))
    }

    fn plan(&self, looked: &Looked) -> Plan {
        let planned = |(name, job): (&JobName, &Job)| {
            let pools = looked.pools.get(name)?.clone();
            Some((name.clone(), job.planned(name, &self.tools.machine, pools)))
        };
        Plan {
            jobs: self.config.jobs.iter().filter_map(planned).collect(),
            parallel: self.config.pools.iter().map(|(pool, said)| (pool.clone(), said.parallel)).collect(),
            parallel_else: NonZeroU32::MIN,
        }
    }

    fn decide(&mut self) -> Duration {
        let Some(looked) = &self.looked else { return Duration::MAX };
        let plan = self.plan(looked);
        let decided = next(&plan, &mut self.state, now(self.begun));
        if !decided.decisions.is_empty() {
            // Before they start: a run that takes the machine down with it must not be forgotten.
            self.keep_state();
            self.status_soon(Duration::ZERO);
        }
        for decision in decided.decisions {
            match decision {
                Decision::Start { job, .. } => self.start(&job),
                Decision::Stop { job, quiet } => {
                    let text =
                        format!("it is stuck: nothing more became durable for {}; stopping it", daemon::Ago(quiet));
                    self.tools.log.warning(&[("JOB", job.as_str())], &text);
                    self.runs.get(&job).into_iter().for_each(|run| run.ask.stop(STUCK_GRACE));
                }
                _ => {}
            }
        }
        decided.wait
    }

    fn start(&mut self, name: &JobName) {
        let Some(job) = self.config.jobs.get(name).cloned() else { return };
        let ask = Ask::default();
        let order = Order {
            name: name.clone(),
            job,
            config: Arc::clone(&self.config),
            program: self.tools.program.clone(),
            ask: ask.clone(),
        };
        let (guard, log, events) = (Arc::clone(&self.tools.guard), Arc::clone(&self.tools.log), self.events.clone());
        let thread = std::thread::Builder::new().name(format!("job {name}"));
        match thread.spawn(move || order.carry_out(&guard, &log, &events)) {
            Ok(thread) => drop(self.runs.insert(name.clone(), Run { ask, thread: Some(thread) })),
            Err(error) => self.ended(name, Outcome::Failed(format!("no thread for it: {error}"))),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Reload => self.reload(),
            Event::Stop => self.stop(),
            Event::Progress(job, bytes) => {
                let _ = self.state.progress(&job, bytes, now(self.begun));
                self.status_soon(STATUS_RUNNING);
            }
            Event::Pools(reports) => {
                if let Some(looked) = &mut self.looked {
                    update(&mut looked.reports, reports);
                }
            }
            Event::Looked(looked) => {
                if self.looked.replace(looked).is_none() {
                    self.status_soon(Duration::ZERO);
                }
            }
            Event::Ended(job, ended) => {
                self.runs.remove(&job);
                if let (Outcome::Good, Some(report)) = (ended.outcome(), ended.report.clone()) {
                    let _ = self.state.report(&job, report);
                }
                self.tell_end(&job, &ended);
                self.ended(&job, ended.outcome());
            }
            Event::Sent(way, result) => {
                self.teller.sent(way, result.is_ok());
                match result {
                    Ok(()) => self.keep_told(),
                    Err(why) => {
                        self.tools.log.error(&[], &format!("nobody could be told by {way}: {why}; it is tried again"));
                    }
                }
            }
        }
    }

    /// Runs whose thread came to an end that nobody foresaw.
    fn sweep(&mut self) {
        let mut lost = Vec::new();
        for (name, run) in &mut self.runs {
            let over = run.thread.take_if(|thread| thread.is_finished());
            // One that ended as it should has said so; that is still to be taken.
            if over.is_some_and(|thread| thread.join().is_err()) {
                lost.push(name.clone());
            }
        }
        for name in lost {
            self.runs.remove(&name);
            self.ended(&name, Outcome::Failed("a mistake in this program ended it".to_owned()));
        }
    }

    fn ended(&mut self, name: &JobName, outcome: Outcome) {
        let _ = self.state.ended(name, outcome, Timestamp::now());
        self.keep_state();
        self.status_soon(Duration::ZERO);
    }

    fn reload(&mut self) {
        if self.stopping.is_some() {
            return;
        }
        self.tools.notify.reloading();
        match self.reloaded() {
            Ok(()) => {
                self.tools.log.info(&[], &format!("reloaded: {} jobs", self.config.jobs.len()));
                self.tools.notify.ready(&self.summary());
            }
            Err(why) => {
                why.lines().for_each(|line| self.tools.log.error(&[], line));
                self.tools.log.error(&[], "this configuration is not right; the old one stays");
                self.tools.notify.ready("the last configuration was refused; the old one stays");
            }
        }
    }

    fn reloaded(&mut self) -> Result<(), String> {
        let config = configuration(&self.tools.config)?;
        if config.metrics.listen != self.listener.as_ref().map(Listener::address) {
            let listen =
                |address| Listener::new(address).map_err(|error| format!("cannot listen on {address}: {error}"));
            self.listener = config.metrics.listen.map(listen).transpose()?;
        }
        self.config = Arc::new(config);
        // What is new starts when its pools are known.
        let _ = self.look.send(Arc::clone(&self.config));
        self.status_soon(Duration::ZERO);
        Ok(())
    }

    fn stop(&mut self) {
        if self.stopping.is_none() {
            self.tools.log.info(&[], &format!("stopping {} runs", self.runs.len()));
            self.tools.notify.stopping();
            self.stopping = Some(Instant::now());
            self.over.store(true, Ordering::Relaxed);
            self.tools.guard.stop();
        }
        self.runs.values().for_each(|run| run.ask.stop(STOP_GRACE));
    }

    fn status_soon(&mut self, wait: Duration) {
        self.status_at = self.status_at.min(Instant::now() + wait);
    }
}
