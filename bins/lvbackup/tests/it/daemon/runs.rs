//! Runs: that they start, fail, wait, get stuck and stop.

use std::time::{Duration, Instant};

use testkit::{Signal, eventually};

use super::{JOB, Place, REPORT, stop};

fn good(more: &str) -> String {
    format!("echo \"$@\" >>calls\n{more}\necho '{REPORT}'")
}

#[test]
fn a_run_and_all_that_is_said_of_it() {
    let config = format!(
        "[job.home]\n{JOB}pool = 'thin'\nevery = '1h'\n[metrics]\nfile = '{}/x.prom'\nlisten = '127.0.0.1:PORT'",
        "METRICS"
    );
    let place = Place::new("", &good("echo 'lvbackup: a remark' >&2"));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let folder = place.path("").display().to_string();
    place.write(
        "lvbackup.toml",
        &format!("zone = 'UTC'\n{}", config.replace("METRICS", &folder).replace("PORT", &port)),
    );
    let daemon = place.start();
    place.until_status("a success", |status| status["jobs"][0]["last_good"].is_string());
    assert_eq!(
        place.read("calls"),
        "sync hl-no-such-group/a box:vg1/a --pool=thin --keep-source=last=1 --keep-destination=last=1 --zone=UTC \
         --progress=json --json\n"
    );
    let table = place.tool(&["status", "--runtime-dir", "run"]).run().done();
    assert!(table.text().contains("home  good   0s   in "), "{}", table.text());
    let json = place.tool(&["status", "--json", "--runtime-dir", "run"]).run().done();
    let json: serde_json::Value = serde_json::from_str(json.text()).unwrap();
    assert_eq!(json["jobs"][0]["report"]["wire_bytes"], 5000);
    let alarm = place.tool(&["alarm", "--job", "home", "--runtime-dir", "run"]).run().done();
    assert!(alarm.text().starts_with("LVBACKUP OK - 1 job is good | 'home_age'="), "{}", alarm.text());
    assert!(place.read("x.prom").contains("lvbackup_last_run_wire_bytes{job_name=\"home\"} 5000.0"));
    let mut client = std::net::TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    std::io::Write::write_all(&mut client, b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    assert!(std::io::read_to_string(client).unwrap().ends_with(&place.read("x.prom")));
    let said = stop(daemon).stderr;
    for text in ["lvbackup: home: a remark\n", "lvbackup: home: done: layer L1, 4.0 KiB of data, 4.8 KiB over the wire"]
    {
        assert!(said.contains(text), "{said}");
    }
    // A job is not run again because the daemon is.
    let daemon = place.start();
    std::thread::sleep(Duration::from_millis(1500));
    let _ = stop(daemon);
    assert_eq!(place.lines("calls"), 1);
}

/// What a configuration may say, `lvbackup sync` takes: else it would be found out at night. And what is longer, it is told of.
#[test]
fn the_longest_that_is_taken_is_taken_by_a_run_too() {
    let tags = |count: usize, len: usize| {
        let tags: Vec<_> = (0..count).map(|n| format!("'{n:x<len$}'")).collect();
        let others = "last = 1, hourly = 24, daily = 7, weekly = 5, monthly = 12, yearly = 10, within = '10y'";
        format!("keep.source = {{ {others}, tags = [{}] }}", tags.join(", "))
    };
    let long = |len| "x".repeat(len);
    for (taken, refused) in [
        (format!("pair = '{}'", long(256)), format!("pair = '{}'", long(257))),
        ("compress = 'zstd:19'".into(), "compress = 'zstd:20'".into()),
        (tags(20, 252), tags(21, 252)),
        (tags(1, 252), tags(1, 253)),
        (format!("remote_command = '{}'", long(4000)), format!("remote_command = '{}'", long(4001))),
    ] {
        let config = |line| format!("[job.a]\n{JOB}every = '1h'\n{line}");
        let place = Place::new(&config(refused), "");
        let check = place.daemon(&["--check"]).run();
        assert_eq!(check.code(), 2, "{taken} and one more: {}", check.stderr);
        let place = Place::new(&config(taken.clone()), "printf '%s\\n' \"$@\" >given\nmv given calls\nexit 1");
        let daemon = place.start();
        place.until_lines("calls", 1);
        let _ = stop(daemon);
        let given = place.read("calls");
        let run = place.tool(&given.lines().collect::<Vec<_>>()).run();
        // There is no such volume; but everything was understood.
        assert_ne!(run.code(), 2, "{taken}: {}", run.stderr);
        assert!(run.code() != 0 && !run.stderr.contains("invalid value"), "{taken}: {}", run.stderr);
    }
}

#[test]
fn failures_wait_longer_and_longer_and_then_it_goes_on() {
    let config = format!("[job.a]\n{JOB}every = '1s'\nbackoff = {{ first = '1s', cap = '2s' }}");
    let runs = good("date +%s.%N >>times\ntest $(wc -l <calls) -gt 3 || { echo 'lvbackup: no route' >&2; exit 4; }");
    let place = Place::new(&config, &runs);
    let daemon = place.start();
    place.until_status("three failures", |status| status["jobs"][0]["failing"]["in_row"] == 3);
    let table = place.tool(&["status", "--runtime-dir", "run"]).run().done();
    assert!(table.text().contains("no route (it ended with exit status 4)"), "{}", table.text());
    place.until_status("recovery", |status| status["jobs"][0]["last_good"].is_string());
    place.until_lines("calls", 6);
    let _ = stop(daemon);
    let times: Vec<f64> = place.read("times").lines().map(|line| line.parse().unwrap()).collect();
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits[0] >= 0.9 && waits[1] >= 1.9 && waits[2] >= 1.9, "{waits:?}");
}

#[test]
fn one_that_gets_no_further_is_stopped_and_tried_again() {
    let config = format!("[job.a]\n{JOB}every = '1s'\nstuck_after = '2s'\nbackoff = {{ first = '1s', cap = '1s' }}");
    // The first one hangs, the second is slow.
    let progress = r#"printf '{"doing":"sending","done_bytes":%s}\n' $n >&2"#;
    let slow = format!("for n in 1 2 3 4 5 6 7 8; do {progress}; sleep 0.5; done");
    let place = Place::new(&config, &good(&format!("test $(wc -l <calls) -gt 1 || exec sleep 60\n{slow}")));
    let daemon = place.start();
    place.until_status("being stuck", |status| {
        let failing = &status["jobs"][0]["failing"];
        failing["in_row"] == 1 && failing["text"].as_str().is_some_and(|text| text.contains("stopped, since nothing"))
    });
    place.until_status("a success", |status| status["jobs"][0]["last_good"].is_string());
    let said = stop(daemon).stderr;
    assert_eq!(said.matches("a: it is stuck: nothing more became durable for 2s; stopping it").count(), 1, "{said}");
}

#[test]
fn it_stops_within_10_s_and_goes_on_at_once() {
    let config = format!("[job.a]\n{JOB}every = '1d'\n[job.b]\n{}every = '1d'", JOB.replace("/a", "/b"));
    let stubborn = "case $2 in */a) trap '' TERM;; esac\necho $$ >>pids\nsleep 60";
    let place = Place::new(&config, &good(stubborn));
    let daemon = place.start();
    place.until_lines("pids", 2);
    let begun = Instant::now();
    let said = stop(daemon).stderr;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    for pid in place.read("pids").lines() {
        assert!(!std::path::Path::new("/proc").join(pid).exists(), "{pid} still runs: {said}");
    }
    // Both are owed.
    place.script("fake", &good(""));
    let daemon = place.start();
    place.until_lines("calls", 4);
    let _ = stop(daemon);
}

/// LVM's commands are children of a run in process groups of their own.
#[test]
fn it_waits_for_lvm_commands_however_long_they_take() {
    let config = format!("[job.a]\n{JOB}every = '1d'");
    let command = "trap '' TERM; echo begun >begun; sleep 11; echo whole >result";
    let place =
        Place::new(&config, &good(&format!("trap '' TERM; setsid sh -c \"{command}\" & while :; do wait; done")));
    let daemon = place.start();
    place.until_lines("begun", 1);
    let said = stop(daemon).stderr;
    assert_eq!(place.read("result"), "whole\n", "{said}");
    assert!(!said.contains("left to itself"), "{said}");
}

#[test]
fn a_daemon_that_died_says_so_of_its_run() {
    let config = format!("[job.a]\n{JOB}every = '1d'\nbackoff = {{ first = '1s', cap = '1s' }}");
    let place = Place::new(&config, &good("exec sleep 2"));
    let daemon = place.start();
    place.until_lines("calls", 1);
    daemon.signal(Signal::KILL);
    assert!(!daemon.finish().status.success());
    let daemon = place.start();
    place.until_status("the failure", |status| {
        status["jobs"][0]["failing"]["text"].as_str().is_some_and(|text| text.starts_with("interrupted"))
    });
    place.until_lines("calls", 2);
    let _ = stop(daemon);
}

#[test]
fn a_clock_that_was_set_back_delays_nothing() {
    let config = format!("[job.a]\n{JOB}every = '1s'");
    let place = Place::new(&config, &good(""));
    let daemon = place.start();
    place.until_status("a success", |status| status["jobs"][0]["last_good"].is_string());
    let _ = stop(daemon);
    // As if all that had been in another decade.
    let state = place.read("state/state.json");
    let year = &eventually("a year", || state.split("\"last_good\": \"").nth(1).map(|text| text[..4].to_owned()));
    place.write("state/state.json", &state.replace(&format!("\"{year}-"), "\"2090-"));
    let calls = place.lines("calls");
    let daemon = place.start();
    place.until_lines("calls", calls + 2);
    let _ = stop(daemon);
    assert!(!place.read("state/state.json").contains("2090"));
}

#[test]
fn one_pool_is_not_used_by_two_runs() {
    // Both name the same pool on the same host.
    let job =
        |name: &str| format!("[job.{name}]\n{}pool = 'thin'\nevery = '1d'\n", JOB.replace("/a", &format!("/{name}")));
    let runs = good("mkdir busy || { echo both >>both; exit 1; }\nsleep 0.5\nrmdir busy");
    let place = Place::new(&(job("a") + &job("b") + &job("c")), &runs);
    let daemon = place.start();
    place.until_lines("calls", 3);
    let _ = stop(daemon);
    assert_eq!(place.read("both"), "");
}
