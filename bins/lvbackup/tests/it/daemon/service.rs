//! The daemon as a service: systemd, reload, locks.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use testkit::{Signal, Tool, eventually};

use super::{JOB, Place, REPORT, stop};

#[test]
fn systemd_is_told() {
    let config = format!("[job.a]\n{JOB}every = '1d'");
    let place = Place::new(&config, &format!("env >env\necho '{REPORT}'"));
    let path = place.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(testkit::LIMIT)).unwrap();
    let until = |text: &str| {
        let mut bytes = [0; 2000];
        loop {
            let len = socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{text}: {error}"));
            let said = String::from_utf8_lossy(&bytes[..len]).into_owned();
            if said.split('\n').any(|line| line.starts_with(text)) {
                return said;
            }
        }
    };
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "1000000")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let daemon = place.daemon(&[]).envs(&variables).spawn();
    assert!(until("READY=1").contains("STATUS=1 jobs"));
    let begun = std::time::Instant::now();
    (0..4).for_each(|_| drop(until("WATCHDOG=1")));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    daemon.signal(Signal::HUP);
    let said = until("RELOADING=1");
    let micros: u64 = said.split_once("MONOTONIC_USEC=").unwrap().1.parse().unwrap();
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    assert!(micros > 0 && (micros as f64) < (uptime + 60.0) * 1e6, "{said}, {uptime}");
    until("READY=1");
    eventually("the run's environment", || place.path("env").exists().then_some(()));
    daemon.signal(Signal::TERM);
    until("STOPPING=1");
    let _ = daemon.finish().done();
    assert!(!place.read("env").contains("NOTIFY_SOCKET"), "a run could speak for the daemon");
}

#[test]
fn a_configuration_is_read_again_and_a_wrong_one_is_not_taken() {
    let job = |name: &str| format!("[job.{name}]\n{}every = '1d'\n", JOB.replace("/a", &format!("/{name}")));
    let place = Place::new(&job("a"), &format!("echo $2 >>calls\necho '{REPORT}'"));
    let daemon = place.start();
    place.until_lines("calls", 1);
    place.write("lvbackup.toml", &format!("zone = 'UTC'\n{}evry = 1\n", job("b")));
    daemon.signal(Signal::HUP);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(place.status()["jobs"][0]["name"], "a");
    place.write("lvbackup.toml", &format!("zone = 'UTC'\n{}{}", job("b"), job("c")));
    daemon.signal(Signal::HUP);
    place.until_lines("calls", 3);
    place.until_status("the new jobs", |status| status["jobs"][0]["name"] == "b" && status["jobs"][1]["name"] == "c");
    let said = stop(daemon).stderr;
    assert!(said.contains("lvbackup.toml:6:1: unknown key `job.b.evry`: did you mean `every`?"), "{said}");
    assert!(said.contains("the old one stays"), "{said}");
}

/// As `nohup` and a job in the background of a script start it.
#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let run = format!("grep SigIgn: /proc/$PPID/status >ignored\necho '{REPORT}'");
    let place = Place::new(&format!("[job.a]\n{JOB}every = '1d'"), &run);
    let line = "trap '' HUP INT; exec lvbackup daemon --config lvbackup.toml --state-dir state --runtime-dir run \
                --program ./fake";
    let daemon = Tool::shell(line, &["lvbackup"], place.folder.path()).spawn();
    place.until_lines("ignored", 1);
    let _ = stop(daemon);
    let mask =
        place.read("ignored").trim().rsplit('\t').next().map(|mask| u64::from_str_radix(mask, 16)).unwrap().unwrap();
    let both = [Signal::HUP, Signal::INT].iter().fold(0, |bits, signal| bits | 1 << (signal.as_raw() - 1));
    assert_eq!(mask & both, both, "{mask:x}");
}

#[test]
fn two_daemons_on_one_state_are_refused() {
    let place = Place::new(&format!("[job.a]\n{JOB}every = '1d'"), "sleep 60");
    let daemon = place.start();
    let _ = place.daemon(&[]).run().says(4, &["another daemon works with `state`, process ", "hint: "]);
    let _ = stop(daemon);
    let _ = stop(place.start());
}

#[test]
fn a_state_that_is_not_usable_is_put_aside() {
    let place = Place::new(&format!("[job.a]\n{JOB}every = '1d'"), &format!("echo x >>calls\necho '{REPORT}'"));
    let _ = stop(place.start());
    place.write("state/state.json", "{\"version\":1,\"jo");
    place.write("state/told.json", "\u{0}");
    let calls = place.lines("calls");
    let daemon = place.start();
    place.until_lines("calls", calls + 1);
    let said = stop(daemon).stderr;
    assert!(said.contains("`state/state.json` is not usable, and is now `state/state.unusable`"), "{said}");
    assert_eq!(place.read("state/state.unusable"), "{\"version\":1,\"jo");
}
