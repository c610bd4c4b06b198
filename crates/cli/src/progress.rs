//! How far a copy is: a bar on a terminal, lines of JSON for scripts, one line on SIGUSR1, silence elsewhere.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use extents::{Bytes, human};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use crate::{Common, Stop, say};

/// How soon a signal is answered.
const TICK: Duration = Duration::from_millis(200);
/// How often a line of JSON comes.
const JSON_EVERY: Duration = Duration::from_secs(1);

/// What is shown while something is copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Shown {
    /// A bar where standard error is a terminal
    #[default]
    Auto,
    /// A JSON object a second on standard error, one in a line: `doing`, `done_bytes`, `total_bytes` (or null),
    /// `bytes_per_second`, `eta_seconds` (or null)
    Json,
    /// Nothing
    None,
}

/// Shows how far a copy is and tells it when to stop.
#[derive(Debug)]
pub struct Progress {
    count: Arc<Count>,
    bar: ProgressBar,
    stop: Stop,
    ticker: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Count {
    doing: &'static str,
    done_bytes: AtomicU64,
    total: Option<Bytes>,
    started: Instant,
    finished: AtomicBool,
}

impl Progress {
    /// For `total` bytes, where that is known.
    #[must_use]
    pub fn new(doing: &'static str, total: Option<Bytes>, common: Common, stop: Stop) -> Self {
        let shown = if common.quiet { Shown::None } else { common.progress };
        let (done_bytes, finished) = (AtomicU64::new(0), AtomicBool::new(false));
        let count = Arc::new(Count { doing, done_bytes, total, started: Instant::now(), finished });
        let ticker = {
            let (count, stop) = (Arc::clone(&count), stop.clone());
            std::thread::spawn(move || count.tick(shown == Shown::Json, &stop))
        };
        Self { count, bar: bar(doing, total, shown), stop, ticker: Some(ticker) }
    }
}

impl Progress {
    /// Removes the bar. What is written to standard error before would go with it.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn bar(doing: &'static str, total: Option<Bytes>, shown: Shown) -> ProgressBar {
    let drawn = shown == Shown::Auto && std::io::stderr().is_terminal();
    let target = if drawn { ProgressDrawTarget::stderr_with_hz(4) } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(total.map(Bytes::get), target);
    let template = match total {
        Some(_) => "{msg} {wide_bar} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
        None => "{msg} {binary_bytes}, {binary_bytes_per_sec}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(doing);
    if drawn {
        bar.enable_steady_tick(Duration::from_millis(250));
    }
    bar
}

impl Count {
    /// Answers signals and writes lines until it is finished.
    fn tick(&self, as_json: bool, stop: &Stop) {
        let mut last = Instant::now();
        while !self.finished.load(Ordering::Relaxed) {
            std::thread::park_timeout(TICK);
            if stop.take_question() {
                say(&self.line());
            }
            if as_json && last.elapsed() >= JSON_EVERY {
                last = Instant::now();
                say(&self.json());
            }
        }
        if as_json {
            say(&self.json());
        }
    }

    fn done(&self) -> Bytes {
        Bytes::new(self.done_bytes.load(Ordering::Relaxed))
    }

    /// Bytes a second since the beginning, and the seconds that the rest takes at that rate.
    fn rate(&self) -> (u64, Option<u64>) {
        let done = u128::from(self.done().get());
        let per_second = u64::try_from(done * 1000 / self.started.elapsed().as_millis().max(1)).unwrap_or(u64::MAX);
        let left = self.total.map(|total| total.saturating_sub(self.done()).get());
        (per_second, left.and_then(|left| left.checked_div(per_second)))
    }

    fn line(&self) -> String {
        let (per_second, eta_seconds) = self.rate();
        let of = self.total.map_or_else(String::new, |total| format!(" of {}", human(total)));
        let eta = eta_seconds.map_or_else(String::new, |seconds| format!(", {seconds} s left"));
        format!("{}: {}{of}, {}/s{eta}", self.doing, human(self.done()), human(Bytes::new(per_second)))
    }

    fn json(&self) -> String {
        let (per_second, eta_seconds) = self.rate();
        json!({
            "doing": self.doing,
            "done_bytes": self.done().get(),
            "total_bytes": self.total.map(Bytes::get),
            "bytes_per_second": per_second,
            "eta_seconds": eta_seconds,
        })
        .to_string()
    }
}

impl block_copy::Progress for Progress {
    fn advance(&self, done: Bytes) {
        self.count.done_bytes.fetch_add(done.get(), Ordering::Relaxed);
        self.bar.inc(done.get());
    }

    fn stop_requested(&self) -> bool {
        self.stop.requested()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.count.finished.store(true, Ordering::Relaxed);
        if let Some(ticker) = self.ticker.take() {
            ticker.thread().unpark();
            let _ = ticker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(done: u64, total: Option<u64>) -> Count {
        let started = Instant::now().checked_sub(Duration::from_secs(10)).unwrap();
        let (done_bytes, finished) = (AtomicU64::new(done), AtomicBool::new(false));
        Count { doing: "sending", done_bytes, total: total.map(Bytes::new), started, finished }
    }

    #[test]
    fn a_line_and_an_object_say_the_same() {
        let half = count(10 << 20, Some(20 << 20));
        let line = half.line();
        assert!(line.starts_with("sending: 10.0 MiB of 20.0 MiB, ") && line.ends_with(" s left"), "{line}");
        let said: serde_json::Value = serde_json::from_str(&half.json()).unwrap();
        assert_eq!((&said["done_bytes"], &said["total_bytes"]), (&json!(10 << 20), &json!(20 << 20)));
        assert!((9..=10).contains(&said["eta_seconds"].as_u64().unwrap()), "{said}");
    }

    #[test]
    fn nothing_is_promised_where_nothing_is_known() {
        let said: serde_json::Value = serde_json::from_str(&count(5, None).json()).unwrap();
        assert_eq!((&said["total_bytes"], &said["eta_seconds"]), (&json!(null), &json!(null)));
        let said: serde_json::Value = serde_json::from_str(&count(0, Some(5)).json()).unwrap();
        assert_eq!(said["eta_seconds"], json!(null));
    }
}
