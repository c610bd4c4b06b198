//! One line for a monitoring system.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::{JobStatus, PoolLevel, Status};
use crate::{Ago, text::one_line};

/// How a service is, with the exit codes of the Monitoring Plugins Development Guidelines ("Plugin Return Codes").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Service {
    /// All is well.
    Ok,
    /// Somebody should look.
    Warning,
    /// Somebody must look.
    Critical,
    /// It is not known.
    Unknown,
}

impl Service {
    /// 0 to 3.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What a monitoring plugin prints, and exits with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plugin {
    /// Its exit code.
    pub service: Service,
    /// What it prints, without a line break: a text, a `|`, and performance data.
    pub line: String,
}

impl Plugin {
    /// What cannot be said, and why not.
    #[must_use]
    pub fn unknown(why: &str) -> Self {
        Self { service: Service::Unknown, line: format!("LVBACKUP UNKNOWN - {}", plain(why)) }
    }
}

impl Status {
    /// For a monitoring system that asks at `now`.
    #[must_use]
    pub fn plugin(&self, now: Timestamp) -> Plugin {
        let mut critical = Vec::new();
        let mut warning = Vec::new();
        let silent = Ago::between(self.at, now);
        if silent.0 > super::SILENT_AFTER {
            critical.push(format!("the daemon has said nothing for {silent}"));
        }
        for job in &self.jobs {
            let (is_critical, texts) = judge(job, now);
            if is_critical { critical.extend(texts) } else { warning.extend(texts) }
        }
        for pool in self.pools.iter().filter(|pool| pool.level > PoolLevel::Good) {
            let list = if pool.level == PoolLevel::Refused { &mut critical } else { &mut warning };
            list.push(format!("pool {}: {}", pool.pool, pool.reasons.join(", ")));
        }
        let service = match (critical.is_empty(), warning.is_empty(), self.jobs.is_empty()) {
            (false, _, _) => Service::Critical,
            (true, false, _) => Service::Warning,
            (true, true, true) => return Plugin::unknown("there are no jobs"),
            (true, true, false) => Service::Ok,
        };
        let text = match [critical, warning].concat() {
            none if none.is_empty() && self.jobs.len() == 1 => "1 job is good".to_owned(),
            none if none.is_empty() => format!("{} jobs are good", self.jobs.len()),
            some => some.join("; "),
        };
        let mut line = format!("LVBACKUP {} - {}", service.name(), plain(&text));
        let numbers = self.performance(now);
        if !numbers.is_empty() {
            line += &format!(" | {}", numbers.join(" "));
        }
        Plugin { service, line }
    }

    /// `'label'=value[unit];warn;crit;min;max`, as the guidelines have it ("Performance data").
    fn performance(&self, now: Timestamp) -> Vec<String> {
        let mut numbers = Vec::new();
        for job in &self.jobs {
            let most = job.max_age_seconds.map_or_else(String::new, |most| most.to_string());
            numbers.push(format!("'{}_age'={}s;;{most};0;", job.name, job.age(now).0.as_secs()));
            let failures = job.failing.as_ref().map_or(0, |failing| failing.in_row.get());
            numbers.push(format!("'{}_failures'={failures};;;0;", job.name));
        }
        for pool in &self.pools {
            for (what, fill) in [("data", pool.data), ("metadata", pool.metadata)] {
                // A threshold is passed above it, ours is at it: one less.
                let (warn, critical) = (fill.warn_percent.saturating_sub(1), fill.refuse_percent.saturating_sub(1));
                numbers.push(format!("'{}_{what}'={}%;{warn};{critical};0;100", pool.pool, fill.percent()));
            }
        }
        numbers
    }
}

/// What is wrong with a job, and whether it is more than a warning.
fn judge(job: &JobStatus, now: Timestamp) -> (bool, Option<String>) {
    let mut text = String::new();
    if job.is_too_old(now) {
        let _ = write!(text, "{}: {} old", job.name, job.age(now));
    }
    if let Some(failing) = &job.failing {
        let begin = if text.is_empty() { format!("{}: ", job.name) } else { ", ".to_owned() };
        let _ = write!(text, "{begin}{} failures ({})", failing.in_row, failing.text);
    }
    (job.is_too_old(now) || job.is_failing(), Some(text).filter(|text| !text.is_empty()))
}

/// The guidelines have performance data begin at a `|`.
fn plain(text: &str) -> String {
    one_line(text).replace('|', "/")
}
