//! What a run says while it runs, and at its end.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{MAX_FAILURE_CHARS, text::one_line};

/// The longest line that is read, in bytes; what comes after these of a longer one is dropped.
pub const MAX_LINE_BYTES: usize = 16 << 10;
/// The longest report that is read, in bytes.
pub const MAX_REPORT_BYTES: usize = 64 << 10;
/// So many lines are kept to say why it failed.
const KEPT_LINES: usize = 8;
/// So much of a name in a report is kept, in characters.
const MAX_NAME_CHARS: usize = 200;

/// Takes the lines that a run writes on standard error, and tells what gets it further from what is for people.
#[derive(Debug, Default)]
pub struct Said {
    /// Of phases that are over.
    before_bytes: u64,
    phase: Option<Phase>,
    kept: VecDeque<String>,
}

#[derive(Debug)]
struct Phase {
    doing: String,
    done_bytes: u64,
}

/// One line that a run wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Line {
    /// It has done so much by now, in bytes, with all that it did before: this only grows.
    Progress(u64),
    /// Something for people, without control characters.
    Text(String),
}

/// A line of `--progress json`; what else is in it is not needed here.
#[derive(Deserialize)]
struct ProgressLine {
    doing: String,
    done_bytes: u64,
}

impl Said {
    /// Takes a line, without its end.
    pub fn line(&mut self, line: &str) -> Line {
        if let Ok(ProgressLine { doing, done_bytes }) = serde_json::from_str(line) {
            // Each phase counts from zero again, also where it is called as the one before it.
            if let Some(last) = self.phase.take().filter(|last| last.doing != doing || last.done_bytes > done_bytes) {
                self.before_bytes = self.before_bytes.saturating_add(last.done_bytes);
            }
            self.phase = Some(Phase { doing, done_bytes });
            return Line::Progress(self.before_bytes.saturating_add(done_bytes));
        }
        let text = one_line(line);
        if !text.trim().is_empty() {
            self.kept.push_back(text.clone());
            if self.kept.len() > KEPT_LINES {
                self.kept.pop_front();
            }
        }
        Line::Text(text)
    }

    /// Why it failed, from what it said last: from the last line that is an error of its own on, or else the last line.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        let is_error = |line: &String| {
            let own = line.strip_prefix("lvbackup: ").or_else(|| line.strip_prefix("error: "));
            own.is_some_and(|rest| !["hint: ", "warning: ", "stopped by "].iter().any(|begin| rest.starts_with(begin)))
        };
        let begin = self.kept.iter().rposition(is_error).unwrap_or(self.kept.len().saturating_sub(1));
        let lines = self.kept.iter().skip(begin).map(|line| line.strip_prefix("lvbackup: ").unwrap_or(line).trim());
        let text = lines.collect::<Vec<_>>().join("; ");
        (!text.is_empty()).then(|| text.chars().take(MAX_FAILURE_CHARS).collect())
    }
}

/// What a run that was a success says of itself (`lvbackup sync --json`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The pair, as it is called in tags.
    pub pair: String,
    /// The id of the layer that the destination has now.
    pub layer: String,
    /// Whether it went on with what an earlier run had begun.
    pub resumed: bool,
    /// Data that was sent, in bytes.
    pub data_bytes: u64,
    /// What went over the wire in both directions, in bytes.
    pub wire_bytes: u64,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// What somebody had written to the destination, where that was kept as a snapshot: its name.
    pub kept_written: Option<String>,
}

#[derive(Deserialize)]
struct SyncJson {
    pair: String,
    layer: String,
    #[serde(default)]
    resumed: bool,
    data_bytes: u64,
    wire_bytes: u64,
    seconds: f64,
    #[serde(default)]
    kept_written: Option<String>,
}

impl Report {
    /// From what it wrote on standard output; `None` where that is no report.
    #[must_use]
    pub fn parse(json: &str) -> Option<Self> {
        let said: SyncJson = serde_json::from_str(json.get(..MAX_REPORT_BYTES).unwrap_or(json)).ok()?;
        let name = |text: String| one_line(&text).chars().take(MAX_NAME_CHARS).collect::<String>();
        let milliseconds = std::time::Duration::try_from_secs_f64(said.seconds).ok()?.as_millis();
        Some(Self {
            pair: name(said.pair),
            layer: name(said.layer),
            resumed: said.resumed,
            data_bytes: said.data_bytes,
            wire_bytes: said.wire_bytes,
            milliseconds: u64::try_from(milliseconds).ok()?,
            kept_written: said.kept_written.map(name),
        })
    }
}
