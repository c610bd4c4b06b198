//! Reporting which command is waited for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use super::{Command, Program};

/// How long a command may run without a report. LVM itself waits up to some seconds for a device that is in use.
pub(super) const SILENCE: Duration = Duration::from_secs(30);
/// How often a request to stop is looked for. A command that ends sooner is not worth a report.
const TICK: Duration = Duration::from_secs(1);

/// Reports again and again which command is waited for, as long as this lives, and once that a stop waits for it. LVM's
/// commands have no time limit: one that is killed while it waits for a suspended device leaves more of them suspended.
pub(super) struct Watch {
    _ends: Sender<()>,
}

impl Watch {
    /// Reports `command` after each `silence`; `None` for a program that waits for no device.
    pub(super) fn new(command: &Command, silence: Duration, stop: &Arc<AtomicBool>) -> Option<Self> {
        let program = command.program();
        let touches_devices = program.is_lvm()
            || matches!(
                program,
                Program::Dmsetup | Program::Fsfreeze | Program::Mount | Program::Umount | Program::Blkid
            );
        if !touches_devices {
            return None;
        }
        let (sender, ended) = mpsc::channel();
        let (command, stop) = (command.to_string(), Arc::clone(stop));
        let report = move || {
            let tick = silence.min(TICK);
            let (mut waited, mut is_stop_reported) = (Duration::ZERO, false);
            while ended.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                waited += tick;
                if !is_stop_reported && stop.load(Ordering::Relaxed) {
                    is_stop_reported = true;
                    tracing::warn!("stopping; waiting for `{command}` to end");
                } else if waited.as_millis() % silence.as_millis().max(1) < tick.as_millis() {
                    tracing::warn!(
                        "still waiting for `{command}` after {} s; if a device is suspended, it ends when that is resumed: \
                         see `dmsetup info --columns --options name,suspended`",
                        waited.as_secs()
                    );
                }
            }
        };
        // The thread's own default would not be that of the caller.
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        std::thread::spawn(move || tracing::dispatcher::with_default(&dispatch, report));
        Some(Self { _ends: sender })
    }
}
