//! Telling systemd how the daemon is, as `sd_notify(3)` describes it.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::Command;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What the environment says of a service; none where it is not one.
#[derive(Debug, Default)]
pub(super) struct Notify {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

const VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// Takes away what a child must not inherit: it would speak for the daemon.
pub(super) fn silence(command: &mut Command) {
    for name in VARIABLES {
        command.env_remove(name);
    }
}

impl Notify {
    /// From the variables of the environment, by their names.
    pub(super) fn new(variable: impl Fn(&str) -> Option<String>) -> Self {
        let [socket, usec, pid] = VARIABLES.map(variable);
        let is_for_us = pid.is_none_or(|pid| pid == std::process::id().to_string());
        // Half of it, as sd_watchdog_enabled(3) asks for.
        let watchdog = usec.and_then(|usec| usec.parse().ok()).filter(|usec| is_for_us && *usec > 0);
        Self {
            socket: socket.and_then(|path| connect(&path).ok()),
            watchdog: watchdog.map(|usec| Duration::from_micros(usec) / 2),
        }
    }

    /// How often [`alive`](Self::alive) is to be said.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    pub(super) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    pub(super) fn status(&self, status: &str) {
        self.send(&format!("STATUS={status}"));
    }

    pub(super) fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// With the time that systemd wants with it, to tell this reload from the one before.
    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    pub(super) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=stopping its runs");
    }

    /// Where systemd does not listen nobody else would.
    fn send(&self, text: &str) {
        let _ = self.socket.as_ref().map(|socket| socket.send(text.as_bytes()));
    }
}

/// An absolute path, or, after `@`, a name in the abstract name space.
fn connect(path: &str) -> io::Result<UnixDatagram> {
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    Ok(socket)
}
