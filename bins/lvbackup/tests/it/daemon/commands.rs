//! `daemon --check`, `daemon --once`, `status` and `alarm` where there is no daemon.

use testkit::Signal;

use super::{JOB, Place, REPORT, stop};

#[test]
fn all_problems_with_their_places() {
    let place = Place::new("[job.a]\nsource = 'vg0/a'\nevery = '1x'\n", "");
    let said = place.tool(&["daemon", "--config", "lvbackup.toml", "--check"]).run().says(2, &[]).stderr;
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(
        lines[0],
        "lvbackup.toml:2:1: `job.a.destination` is missing: expected its mirror, VG/LV or [USER@]HOST:VG/LV"
    );
    assert!(lines[1].starts_with("lvbackup.toml:4:9: `job.a.every`: expected a duration"), "{said}");
    assert_eq!(lines[2], "lvbackup: the configuration `lvbackup.toml` is not right");
    // The daemon itself refuses it likewise.
    let _ = place.daemon(&[]).run().says(2, &["lvbackup.toml:2:1: "]);
    assert!(!place.path("state").exists());
    let _ = place
        .tool(&["daemon", "--config", "none.toml", "--check"])
        .run()
        .says(2, &["none.toml: there is no such file"]);
    place.write("lvbackup.toml", &format!("zone = 'UTC'\n[job.a]\n{JOB}every = '1h'"));
    let _ = place.tool(&["daemon", "--config", "lvbackup.toml", "--check"]).run().says(0, &["is right: 1 jobs"]);
}

#[test]
fn one_job_in_the_foreground() {
    let place = Place::new(&format!("[job.a]\n{JOB}every = '1h'"), &format!("echo x >>calls; echo '{REPORT}'"));
    let _ = place.daemon(&["--once", "a"]).run().says(0, &["a: done: layer L1"]);
    let _ = place.daemon(&["--once", "b"]).run().says(2, &["no job `b`; there are: a"]);
    place.script("fake", "echo 'lvbackup: cut' >&2; exit 3");
    let _ = place.daemon(&["--once", "a"]).run().says(3, &["job `a` failed: cut (it ended with exit status 3)"]);
    assert!(!place.path("state").exists(), "the daemon's state is not touched");
    place.script("fake", "trap 'echo stopping >&2; exit 143' TERM; echo >begun; while :; do sleep 0.1; done");
    let once = place.daemon(&["--once", "a"]).spawn();
    place.until_lines("begun", 1);
    once.signal(Signal::INT);
    let _ = once.finish().says(130, &["a: stopping", "job `a` was stopped"]);
}

#[test]
fn where_there_is_no_daemon() {
    let place = Place::new(&format!("[job.a]\n{JOB}every = '1h'"), &format!("echo '{REPORT}'"));
    let _ = place
        .tool(&["status", "--runtime-dir", "run"])
        .run()
        .says(4, &["no daemon has left its status in `run/status.json`"]);
    let alarm = place.tool(&["alarm", "--runtime-dir", "run"]).run();
    assert_eq!(
        (alarm.code(), alarm.text()),
        (3, "LVBACKUP UNKNOWN - no daemon has left its status in `run/status.json`\n")
    );
    let daemon = place.start();
    place.until_status("a success", |status| status["jobs"][0]["last_good"].is_string());
    let _ = stop(daemon);
    let alarm = place.tool(&["alarm", "--runtime-dir", "run", "--job", "b"]).run();
    assert_eq!((alarm.code(), alarm.text()), (3, "LVBACKUP UNKNOWN - the daemon has no job b\n"));
    // One that is gone, or hangs, for longer than it ever writes nothing.
    let mut status = place.status();
    status["at"] = "2020-01-01T00:00:00Z".into();
    place.write("run/status.json", &status.to_string());
    let alarm = place.tool(&["alarm", "--runtime-dir", "run"]).run();
    assert_eq!(alarm.code(), 2);
    assert!(alarm.text().starts_with("LVBACKUP CRITICAL - the daemon has said nothing for "), "{}", alarm.text());
    place.write("run/status.json", "{");
    assert_eq!(place.tool(&["alarm", "--runtime-dir", "run"]).run().code(), 3);
}
