//! A table that a person likes to look at.

use jiff::Timestamp;

use super::{JobStatus, PoolLevel, PoolReport, Status};
use crate::{Ago, text::one_line};

const NOTHING: &str = "-";

impl Status {
    /// As a table, without colours, with texts as they are at `now`; each line ends with a line break.
    #[must_use]
    pub fn table(&self, now: Timestamp) -> String {
        let mut text = String::new();
        let silent = Ago::between(self.at, now);
        if silent.0 > super::SILENT_AFTER {
            text += &format!("the daemon has said nothing for {silent}; this is how it was then\n\n");
        }
        let header = ["JOB", "STATE", "AGE", "NEXT", "FROM", "TO"].map(str::to_owned);
        text += &aligned(header, self.jobs.iter().map(|job| job.row(now)));
        let failing = self.jobs.iter().filter_map(|job| Some((job, job.failing.as_ref()?)));
        for (job, failing) in failing {
            text += &format!("\n{}: since {:.0}: {}\n", job.name, failing.since, one_line(&failing.text));
        }
        if !self.pools.is_empty() {
            let header = ["POOL", "STATE", "DATA", "METADATA"].map(str::to_owned);
            text += &format!("\n{}", aligned(header, self.pools.iter().map(PoolReport::row)));
        }
        for pool in &self.pools {
            for reason in &pool.reasons {
                text += &format!("\n{}: {}\n", pool.pool, one_line(reason));
            }
        }
        text
    }
}

impl JobStatus {
    fn row(&self, now: Timestamp) -> [String; 6] {
        let state = match (&self.running, &self.failing) {
            (Some(running), _) if running.stopping => "stopping, it was stuck".to_owned(),
            (Some(running), _) => format!("running for {}", Ago::between(running.started, now)),
            (None, Some(failing)) => format!("failed {} times", failing.in_row).replace(" 1 times", " once"),
            (None, None) if self.last_good.is_none() => "not yet run".to_owned(),
            (None, None) => "good".to_owned(),
        };
        let age = match self.last_good {
            Some(_) if self.is_too_old(now) => format!("{}, too old", self.age(now)),
            Some(_) => self.age(now).to_string(),
            None => NOTHING.to_owned(),
        };
        let next = match self.due {
            Some(due) if due > now => format!("in {}", Ago::between(now, due)),
            Some(_) => "waiting".to_owned(),
            None => NOTHING.to_owned(),
        };
        [self.name.to_string(), state, age, next, self.source.to_string(), self.destination.to_string()]
    }
}

impl PoolReport {
    fn row(&self) -> [String; 4] {
        let state = match self.level {
            PoolLevel::Good => "good",
            PoolLevel::Warned => "warned",
            PoolLevel::Refused => "refused",
        };
        let percent = |percent: u64| format!("{percent} %");
        [self.pool.to_string(), state.to_owned(), percent(self.data.percent()), percent(self.metadata.percent())]
    }
}

/// Columns as wide as they need; nothing after the last one.
fn aligned<const N: usize>(header: [String; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<_> = [header].into_iter().chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
