//! What the daemon leaves for others: the log, alerts, its status, its state.

use std::path::Path;
use std::sync::Arc;

use daemon::{Condition, Job, JobName, JobStatus, Outcome, PoolLevel, Status, Subject, conditions};
use jiff::Timestamp;
use lvm_cmd::Executor;

use super::{Engine, Event};
use crate::daemon::channel::Channel;
use crate::daemon::guard::Looked;
use crate::daemon::keep::{self, For};
use crate::daemon::run::Ended;
use crate::daemon::tell::Errand;

impl<E: Executor + Send + 'static> Engine<E> {
    pub(super) fn tell_end(&self, name: &JobName, ended: &Ended) {
        let job = ("JOB", name.as_str());
        match (ended.outcome(), &ended.report) {
            (Outcome::Good, Some(report)) => {
                let (data, wire) = (extents::Bytes::new(report.data_bytes), extents::Bytes::new(report.wire_bytes));
                let resumed = if report.resumed { ", resumed" } else { "" };
                let text = format!(
                    "done{resumed}: layer {}, {} of data, {} over the wire, {} ms",
                    report.layer,
                    extents::human(data),
                    extents::human(wire),
                    report.milliseconds
                );
                self.tools.log.info(&[job, ("PAIR", &report.pair), ("LAYER", &report.layer)], &text);
                if let Some(kept) = &report.kept_written {
                    let text = format!("somebody had written to the destination; that is kept as `{kept}`");
                    self.tools.log.warning(&[job, ("PAIR", &report.pair), ("VOLUME", kept)], &text);
                }
            }
            (Outcome::Good, None) => self.tools.log.warning(&[job], "done; it said nothing of what it did"),
            (Outcome::Stopped, _) => self.tools.log.info(&[job], "stopped; the next run goes on from there"),
            (Outcome::Failed(why), _) => self.tools.log.error(&[job], &format!("failed: {why}")),
        }
    }

    /// How all that people may be told of is now.
    fn conditions(&self) -> Vec<Condition> {
        let now = Timestamp::now();
        let jobs = self.config.jobs.iter();
        let mut all: Vec<_> = jobs
            .filter_map(|(name, job)| Some(conditions(name, self.state.job(name)?, &job.limits, now)))
            .flatten()
            .collect();
        for report in self.looked.iter().flat_map(|looked| &looked.reports) {
            let wrong = (report.level > PoolLevel::Good).then(|| report.reasons.join(", "));
            all.push(Condition { subject: Subject::Pool(report.pool.clone()), wrong });
        }
        all
    }

    pub(super) fn tell(&mut self) {
        // Before the pools are known, what was told of them would be forgotten.
        if self.looked.is_none() {
            return;
        }
        let (conditions, now) = (self.conditions(), Timestamp::now());
        let before = self.teller.kept().clone();
        let pace = self.config.alerts.pace;
        for notice in self.teller.log(&conditions, &pace, now) {
            self.tools.log.warning(&[], &format!("alert: {notice}"));
        }
        let channels = Channel::all(&self.config.alerts);
        let errands = self.teller.errands(channels, &self.tools.host, &conditions, &pace, now);
        if *self.teller.kept() != before {
            self.keep_told();
        }
        for Errand { channel, message } in errands {
            let (name, events, over) = (channel.name(), self.events.clone(), Arc::clone(&self.over));
            let send = move || drop(events.send(Event::Sent(name, channel.send(&message, &over))));
            if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(send) {
                let _ = self.events.send(Event::Sent(name, Err(error.to_string())));
            }
        }
    }

    pub(super) fn summary(&self) -> String {
        let failing = |name: &&JobName| self.state.job(name).is_some_and(|job| job.failing.is_some());
        let failing = self.config.jobs.keys().filter(failing).count();
        format!("{} jobs, {} running, {failing} failing", self.config.jobs.len(), self.runs.len())
    }

    fn status(&self, looked: &Looked) -> Status {
        let plan = self.plan(looked);
        let of = |(name, job): (&JobName, &Job)| {
            let state = self.state.job(name)?;
            Some(JobStatus::new(name, [&job.source, &job.destination], plan.jobs.get(name)?, &job.limits, state))
        };
        Status::new(Timestamp::now(), self.config.jobs.iter().filter_map(of).collect(), looked.reports.clone())
    }

    pub(super) fn write_status(&self) {
        // Without the pools it would have no jobs.
        let Some(looked) = &self.looked else { return };
        let status = self.status(looked);
        let metrics = status.metrics().unwrap_or_default();
        self.kept(&self.tools.status, keep::replace(&self.tools.status, &status.to_json(), For::Others));
        if let Some(path) = &self.config.metrics.file {
            self.kept(path, keep::replace(path, &metrics, For::Others));
        }
        self.listener.iter().for_each(|listener| listener.put(metrics.clone()));
        if self.stopping.is_none() {
            self.tools.notify.status(&self.summary());
        }
    }

    pub(super) fn keep_state(&self) {
        self.kept("the state".as_ref(), self.tools.files.keep_state(&self.state));
    }

    pub(super) fn keep_told(&self) {
        self.kept("what was told".as_ref(), self.tools.files.keep_told(&self.teller));
    }

    /// A disk that is full is no reason to stop mirroring.
    fn kept(&self, what: &Path, result: std::io::Result<()>) {
        if let Err(error) = result {
            self.tools.log.error(&[], &format!("cannot write {}: {error}", what.display()));
        }
    }
}
