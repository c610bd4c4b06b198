//! The files that packages ship.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use super::{Place, packaging};

/// Every name of a metric in a text.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("lvbackup_")).collect()
}

fn read(name: &str) -> String {
    fs::read_to_string(packaging(name)).unwrap()
}

/// What the code writes: a test of its own holds the code to this file.
fn written() -> String {
    fs::read_to_string(packaging("../crates/daemon/tests/golden/metrics.prom")).unwrap()
}

#[test]
fn every_metric_that_is_shown_is_there_and_the_other_way_round() {
    let (written, shown, alerts) = (written(), read("grafana/lvbackup.json"), read("prometheus/lvbackup.rules.yml"));
    let dashboard: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert!(dashboard["panels"].as_array().unwrap().len() > 5);
    let used: BTreeSet<_> = metrics(&shown).union(&metrics(&alerts)).copied().collect();
    assert_eq!(used, metrics(&written));
    assert!(metrics(&read("prometheus/lvbackup.rules.test.yml")).is_subset(&used));
}

#[test]
fn promtool_takes_the_rules_and_the_metrics() {
    let promtool = |args: &[&str]| Command::new("promtool").args(args).current_dir(packaging("prometheus")).output();
    if promtool(&["--version"]).is_err() {
        eprintln!("SKIPPED: the rules were not tried: promtool is not installed (Debian's package `prometheus`)");
        return;
    }
    for args in [["check", "rules", "lvbackup.rules.yml"], ["test", "rules", "lvbackup.rules.test.yml"]] {
        let output = promtool(&args).unwrap();
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat())
        );
    }
    // Each expression of the dashboard, as a rule of its own.
    let dashboard: serde_json::Value = serde_json::from_str(&read("grafana/lvbackup.json")).unwrap();
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let rules = targets.enumerate().map(|(nth, target)| {
        let expr = target["expr"].as_str().unwrap().replace("$instance", ".*").replace("$job_name", ".*");
        serde_json::json!({ "record": format!("nth:{nth}"), "expr": expr })
    });
    let rules = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules.collect::<Vec<_>>() }] });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yml");
    fs::write(&file, rules.to_string()).unwrap();
    let output = promtool(&["check", "rules", file.to_str().unwrap()]).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // It reads metrics from its standard input.
    let metrics = fs::File::open(packaging("../crates/daemon/tests/golden/metrics.prom")).unwrap();
    let output = Command::new("promtool").args(["check", "metrics"]).stdin(metrics).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
}

#[test]
fn the_example_is_right_and_has_every_key() {
    let example = packaging("lvbackup.toml");
    let place = Place::new("", "");
    let check = |path: &str| place.tool(&["daemon", "--config", path, "--check"]).run();
    let _ = check(example.to_str().unwrap()).says(0, &["is right: 3 jobs"]);

    // What keys there are, the daemon itself says, where it is asked for one that there is not.
    let zzz = "zzzzzzzzzz = 1";
    let tables = [
        "[job.a.keep.source]",
        "[job.a.keep]",
        "[job.a.hooks]",
        "[job.a.backoff]",
        "[job.a]",
        "[pool.'v/p'.data]",
        "[pool.'v/p']",
        "[alerts]",
        "[metrics]",
    ];
    let all = tables.map(|table| format!("{table}\n{zzz}\n")).concat();
    place.write("lvbackup.toml", &format!("{zzz}\n{all}"));
    let said = check("lvbackup.toml").says(2, &[]).stderr;
    let lists: Vec<_> = said
        .lines()
        .filter_map(|line| line.split_once("unknown key")?.1.split_once("expected one of "))
        .map(|(_, list)| list)
        .collect();
    assert_eq!(lists.len(), tables.len() + 1, "{said}");
    let text = fs::read_to_string(example).unwrap();
    let words: BTreeSet<_> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    for key in lists.iter().flat_map(|list| list.split(", ")).map(|key| key.trim_matches('`')) {
        assert!(words.contains(key), "the example has no `{key}`");
    }
}

/// What is true of one unit is true of the other, and systemd takes both.
#[test]
fn the_units() {
    let hardening = |name: &str| {
        let text = read(name);
        let (_, hardening) = text.split_once("# What is left out, and why:").unwrap();
        hardening.split("\n[Install]").next().unwrap().trim_end().to_owned()
    };
    assert_eq!(hardening("systemd/lvbackup-daemon.service"), hardening("systemd/lvbackup-sync@.service"));
    assert!(!hardening("systemd/lvbackup-daemon.service").contains("\nNoNewPrivileges="), "mail would not go out");

    // systemd kills the rest of a unit's processes as soon as the main one has ended, LVM commands among them (systemd.kill(5)), in
    // any mode but these two.
    for name in ["systemd/lvbackup-daemon.service", "systemd/lvbackup-sync@.service"] {
        let text = read(name);
        let has = |line: &str| text.lines().any(|other| other == line);
        assert!(has("KillMode=process") || has("SendSIGKILL=no"), "{name} kills LVM commands");
    }

    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("SKIPPED: the units were not tried: systemd-analyze is not installed (Debian's package `systemd`)");
        return;
    }
    // It looks whether the program is there.
    let folder = tempfile::tempdir().unwrap();
    for (name, as_name) in [
        ("lvbackup-daemon.service", "lvbackup-daemon.service"),
        ("lvbackup-sync@.service", "lvbackup-sync@x.service"),
        ("lvbackup-sync@.timer", "lvbackup-sync@x.timer"),
    ] {
        let text = read(&format!("systemd/{name}")).replace("/usr/local/sbin/lvbackup", "/bin/true");
        fs::write(folder.path().join(as_name), text).unwrap();
    }
    let units = ["lvbackup-daemon.service", "lvbackup-sync@x.service", "lvbackup-sync@x.timer"];
    let output = Command::new("systemd-analyze").arg("verify").args(units).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let ours: Vec<_> = said.lines().filter(|line| line.contains("lvbackup")).collect();
    assert_eq!(ours, [""; 0], "{said}");
}
