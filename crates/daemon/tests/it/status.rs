//! What people and programs are shown.

use daemon::{Fill, JobStatus, Limits, Outcome, Plugin, PoolLevel, PoolReport, Report, Service, State, Status, next};

use crate::{count, every, name, now, plan, planned, seconds};

fn status(at: u64) -> Status {
    let mut plan = plan(vec![
        ("home", planned("home", every(86_400), &[])),
        ("mail", planned("mail", every(86_400), &[])),
        ("scratch", planned("scratch", every(86_400), &[])),
    ]);
    let mut state = State::default();
    let _ = next(&plan, &mut state, now(0));
    let report =
        r#"{"pair":"p","layer":"l","parent":null,"resumed":false,"data_bytes":4096,"wire_bytes":5000,"seconds":1.5}"#;
    state.report(&name("home"), Report::parse(report).unwrap()).unwrap();
    state.ended(&name("home"), Outcome::Good, now(600).wall).unwrap();
    for time in (500..5000).step_by(500) {
        state.progress(&name("scratch"), time, now(time)).unwrap();
        if time <= 1000 {
            state.ended(&name("mail"), Outcome::Failed("other".to_owned()), now(time).wall).unwrap();
        }
        let _ = next(&plan, &mut state, now(time + 400));
    }
    state.ended(&name("mail"), Outcome::Failed("no | route\nto host".to_owned()), now(5000).wall).unwrap();
    state.progress(&name("scratch"), 12_345, now(4990)).unwrap();
    plan.jobs.insert(name("zz"), planned("zz", every(60), &[]));
    let _ = next(&plan, &mut state, now(5001));
    state.ended(&name("zz"), Outcome::Stopped, now(5002).wall).unwrap();
    let limits = Limits { after_failures: count(3), max_age: Some(seconds(7200)) };
    let none = Limits { max_age: None, ..limits };
    let jobs = plan.jobs.iter().map(|(job, planned)| {
        let (source, destination) =
            (format!("vg0/{job}").parse().unwrap(), format!("m@box:vg1/{job}").parse().unwrap());
        let limits = if job.as_str() == "scratch" { none } else { limits };
        JobStatus::new(job, [&source, &destination], planned, &limits, state.job(job).unwrap())
    });
    let pools = vec![PoolReport {
        pool: "vg0/thin".parse().unwrap(),
        level: PoolLevel::Warned,
        reasons: vec!["its data is 81 % full, the limit is 80 %".to_owned()],
        data: Fill { used: 8001, total: 10_000, warn_percent: 80, refuse_percent: 95 },
        metadata: Fill { used: 1, total: 4, warn_percent: 80, refuse_percent: 95 },
    }];
    Status::new(now(at).wall, jobs.collect(), pools)
}

#[test]
fn a_table() {
    assert_eq!(status(5100).table(now(5100).wall), include_str!("../golden/status.txt"));
    assert!(
        status(5100)
            .table(now(90_000).wall)
            .starts_with("the daemon has said nothing for 23h 35m; this is how it was then\n\nJOB ")
    );
    assert!(status(5100).table(now(90_000).wall).contains("1d 1h, too old"));
}

#[test]
fn a_line_for_monitoring() {
    let Plugin { service, line } = status(5100).plugin(now(5100).wall);
    assert_eq!((service, line.as_str()), (Service::Critical, include_str!("../golden/alarm.txt").trim_end()));
    assert_eq!(line.matches('|').count(), 1);
    assert_eq!(
        [Service::Ok, Service::Warning, Service::Critical, Service::Unknown].map(Service::exit_code),
        [0, 1, 2, 3]
    );

    let of = |change: fn(&mut Status), time: u64| {
        let mut status = status(5100);
        change(&mut status);
        let plugin = status.plugin(now(time).wall);
        let text = plugin.line.split(" | ").next().unwrap().to_owned();
        (plugin.service.exit_code(), text)
    };
    let text = |code, text: &str| (code, text.to_owned());
    let pools = |status: &mut Status| status.jobs.retain(|job| job.name == name("home"));
    assert_eq!(of(pools, 5100), text(1, "LVBACKUP WARNING - pool vg0/thin: its data is 81 % full, the limit is 80 %"));
    let one = |status: &mut Status| {
        status.jobs.retain(|job| job.name == name("home"));
        status.pools.clear();
    };
    assert_eq!(of(one, 5100), text(0, "LVBACKUP OK - 1 job is good"));
    assert_eq!(of(one, 5401), text(2, "LVBACKUP CRITICAL - the daemon has said nothing for 5m 1s"));
    let refused = |status: &mut Status| {
        status.jobs.truncate(1);
        status.pools[0].level = PoolLevel::Refused;
    };
    assert_eq!(of(refused, 5100).0, 2);
    let old = |status: &mut Status| {
        status.at = now(7201).wall;
        status.jobs.truncate(1);
        status.pools.clear();
    };
    assert_eq!(of(old, 7200).0, 0);
    assert_eq!(of(old, 7201), text(2, "LVBACKUP CRITICAL - home: 2h old"));
    let told_later = |status: &mut Status| {
        status.jobs.retain(|job| job.name == name("mail"));
        status.jobs[0].told_after_failures = 4;
        status.pools.clear();
    };
    assert_eq!(of(told_later, 5100), text(1, "LVBACKUP WARNING - mail: 3 failures (no / route to host)"));
    let nothing = |status: &mut Status| {
        status.jobs.clear();
        status.pools.clear();
    };
    assert_eq!(of(nothing, 5100), text(3, "LVBACKUP UNKNOWN - there are no jobs"));
    assert_eq!(Plugin::unknown("a|b\nc").line, "LVBACKUP UNKNOWN - a/b c");
}

#[test]
fn metrics() {
    assert_eq!(status(5100).metrics().unwrap(), include_str!("../golden/metrics.prom"));
}

#[test]
fn json_comes_back() {
    let status = status(5100);
    let json = status.to_json();
    assert_eq!(Status::from_json(&json).unwrap().to_json(), json);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let home = &value["jobs"][0];
    assert_eq!((home["name"].as_str(), home["last_good"].as_str()), (Some("home"), Some("2026-11-21T07:00:00Z")));
    assert_eq!((home["destination"].as_str(), home["max_age_seconds"].as_u64()), (Some("m@box:vg1/home"), Some(7200)));
    assert_eq!(value["jobs"][1]["failing"]["in_row"], 3);
    assert_eq!(value["jobs"][2]["running"]["durable_bytes"], 12_345);
    assert_eq!(value["pools"][0]["level"], "warned");

    let refused = |json: &str| Status::from_json(json).unwrap_err().to_string();
    assert_eq!(refused(&json.replace("\"version\": 1", "\"version\": 3")), "expected a status of version 1, found 3");
    assert_eq!(refused(&json[..json.len() / 2]), "not a status of jobs and pools");
    assert_eq!(refused(&json.replace("\"home\"", "\"a'|b\"")), "not a status of jobs and pools");
    assert_eq!(refused(&" ".repeat(16_777_217)), "expected a status of at most 16777216 bytes, found 16777217");
}

#[test]
fn lengths_of_time() {
    for (length, text) in [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (61, "1m 1s"),
        (3599, "59m 59s"),
        (3600, "1h"),
        (3659, "1h"),
        (3660, "1h 1m"),
        (86_399, "23h 59m"),
        (86_400, "1d"),
        (90_000, "1d 1h"),
        (86_400 * 400 + 5, "400d"),
    ] {
        assert_eq!(daemon::Ago(seconds(length)).to_string(), text);
    }
}
