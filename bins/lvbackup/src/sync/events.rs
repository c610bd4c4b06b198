//! What is shown of a run, and how fast it may be.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use block_copy::Progress as _;
use cli::{Common, Failure, Hooks, Outcome, Progress, Stop, say};
use extents::{Bytes, human};
use replicate::{Events, Layer, Plan, SyncError};

/// Holds a rate.
#[derive(Debug)]
pub(crate) struct Pace {
    per_second: Option<Bytes>,
    /// When the next piece may go.
    due: Mutex<Option<Instant>>,
    stop: Stop,
}

/// How soon a request to stop is followed.
const LOOK: Duration = Duration::from_millis(100);
/// Nobody need be faster now because he was slow before, but for this.
const BURST: Duration = Duration::from_millis(200);

impl Pace {
    pub(crate) const fn new(per_second: Option<Bytes>, stop: Stop) -> Self {
        Self { per_second, due: Mutex::new(None), stop }
    }

    /// Waits until so many bytes may go.
    pub(crate) fn wait(&self, bytes: usize) {
        let Some(rate) = self.per_second.filter(|rate| !rate.is_zero()) else { return };
        let micros = u128::try_from(bytes).unwrap_or(u128::MAX).saturating_mul(1_000_000) / u128::from(rate.get());
        let takes = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        let due = {
            let mut due = lock(&self.due);
            let now = Instant::now();
            let earliest = now.checked_sub(BURST).unwrap_or(now);
            let from = due.map_or(now, |due| due.max(earliest));
            *due = from.checked_add(takes);
            from
        };
        while let Some(left) = due.checked_duration_since(Instant::now())
            && !left.is_zero()
            && !self.stop.requested()
        {
            std::thread::sleep(left.min(LOOK));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is copied, compared or read back now.
#[derive(Debug)]
struct Doing {
    what: &'static str,
    shown: Progress,
    done: Bytes,
    /// How much will be read back.
    data: Bytes,
}

/// What is told of a run.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub(super) common: Common,
    pub(super) stop: &'a Stop,
    pub(super) hooks: &'a Hooks,
    /// What the hooks are told.
    pub(super) source: String,
    pub(super) pace: Pace,
    doing: Mutex<Option<Doing>>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(common: Common, stop: &'a Stop, hooks: &'a Hooks, source: String, rate: Option<Bytes>) -> Self {
        Self { common, stop, hooks, source, pace: Pace::new(rate, stop.clone()), doing: Mutex::default() }
    }

    fn advance(&self, what: &'static str, done: Bytes, total: impl FnOnce(&Doing) -> Option<Bytes>) {
        let mut doing = lock(&self.doing);
        if doing.as_ref().is_none_or(|doing| doing.what != what) {
            let (total, data) = doing.as_ref().map_or((None, Bytes::ZERO), |doing| (total(doing), doing.data));
            // The one before ends first: two bars would be drawn into each other.
            doing.take();
            *doing = Some(self.start(what, total, data));
        }
        if let Some(doing) = doing.as_mut() {
            doing.shown.advance(done.saturating_sub(doing.done));
            doing.done = done;
        }
    }

    fn start(&self, what: &'static str, total: Option<Bytes>, data: Bytes) -> Doing {
        Doing { what, shown: Progress::new(what, total, self.common, self.stop.clone()), done: Bytes::ZERO, data }
    }
}

impl Events for Shown<'_> {
    fn log(&self, text: &str) {
        if !self.common.quiet {
            say(&format!("lvbackup: {text}"));
        }
    }

    fn begins(&self, plan: &Plan) {
        let mut doing = lock(&self.doing);
        doing.take();
        *doing = Some(self.start("sending", Some(plan.stream), plan.data));
        if !self.common.quiet {
            let of = plan
                .parent
                .as_ref()
                .map_or_else(|| "all of it".to_owned(), |parent| format!("what changed since {parent}"));
            say(&format!("lvbackup: layer {}, {of}: {} of data", plan.layer, human(plan.data)));
        }
    }

    fn relays(&self, bytes: usize) {
        self.pace.wait(bytes);
    }

    fn durable(&self, stream: Bytes) {
        self.advance("sending", stream, |_| None);
    }

    fn verified(&self, content: Bytes) {
        self.advance("verifying", content, |doing| Some(doing.data));
    }

    fn compared(&self, done: Bytes, size: Bytes) {
        let mut doing = lock(&self.doing);
        if doing.is_none() {
            *doing = Some(self.start("comparing", Some(size), Bytes::ZERO));
        }
        drop(doing);
        self.advance("comparing", done, |_| Some(size));
    }

    fn around_snapshot(&self, make: &mut dyn FnMut() -> Result<Layer, SyncError>) -> Result<Layer, SyncError> {
        let mut failed = None;
        let outcome: Outcome<Layer> = self.hooks.around(&self.source, || {
            make().map_err(|error| {
                let failure = Failure::msg(cli::Exit::Failed, &error);
                failed = Some(error);
                failure
            })
        });
        outcome.map_err(|failure| failed.take().unwrap_or_else(|| SyncError::Snapshot(failure.to_string())))
    }

    fn stop_requested(&self) -> bool {
        self.stop.requested()
    }
}
