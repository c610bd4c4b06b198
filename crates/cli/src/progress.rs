//! A progress bar on a terminal, silence elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use extents::Bytes;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::Stop;

/// Shows how far a copy is and tells it when to stop.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    stop: Stop,
}

impl Progress {
    /// A bar for `total` bytes, drawn on standard error where that is a terminal and `quiet` is false.
    #[must_use]
    pub fn new(doing: &'static str, total: Option<Bytes>, quiet: bool, stop: Stop) -> Self {
        let shown = !quiet && std::io::stderr().is_terminal();
        let target = if shown { ProgressDrawTarget::stderr_with_hz(4) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(total.map(Bytes::get), target);
        let template = "{msg} {bar:30} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(doing);
        if shown {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        Self { bar, stop }
    }
}

impl block_copy::Progress for Progress {
    fn advance(&self, done: Bytes) {
        self.bar.inc(done.get());
    }

    fn stop_requested(&self) -> bool {
        self.stop.requested()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
