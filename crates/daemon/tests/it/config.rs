//! Configurations, right and wrong.

use std::time::{Duration, Instant};

use daemon::{Config, MAX_CONFIG_BYTES, Schedule, Seed, When};
use extents::Bytes;
use proptest::prelude::*;
use retention::{Per, Rule};

use crate::{at, count, name, seconds};

const WHOLE: &str = r#"
zone = "Europe/Berlin"

[defaults]
every = "1h"
jitter = "2m"
stuck_after = "5m"
keep.source = { last = 3 }
backoff = { first = "30s", cap = "2h" }

[job.home]
source = "vg0/home"
destination = "mirror@box:vg1/home"
every = "15m"
keep.destination = { last = 1, hourly = 24, daily = 7, weekly = 5, monthly = 12, yearly = 2, within = "90d", tags = ["x"] }
bwlimit = "20M"
max_age = "1h30m"
alert_after_failures = 5
hooks.before = ["/usr/bin/sync-it", "now"]
hooks.after = ["/usr/bin/done"]

[job.mail]
source = "/dev/vg0/mail"
destination = "vg1/mail"
at = ["03:00", "15:00"]
weekdays = ["Mon", "Thu"]
jitter = "10m"
bwlimit = 1000
keep.source = { daily = 2 }

[job."web.1"]
source = "ssh://box:vg0/web"
destination = "vg1/web"

[pool."vg1/thin"]
parallel = 2
data = { warn = 70, prune = 75, refuse = 80 }

[alerts]
exec = ["/usr/bin/tell", "-x"]
webhook = "https://example.org/hook"
sendmail = "root@example.org"
remind_after = "1w"
quiet = "30m"
"#;

#[test]
fn all_that_can_be_said() {
    let config = Config::parse("x", WHOLE).unwrap();
    let home = &config.jobs[&name("home")];
    assert_eq!(
        (home.source.to_string(), home.destination.to_string()),
        ("vg0/home".into(), "mirror@box:vg1/home".into())
    );
    let interval = |schedule: &Schedule| match schedule.when() {
        When::Every(interval) => interval.length(),
        _ => Duration::ZERO,
    };
    assert_eq!(interval(&home.schedule), seconds(900));
    assert_eq!(home.bwlimit, Some(Bytes::new(20_000_000)));
    assert_eq!(home.limits.max_age, Some(seconds(5400)));
    assert_eq!(home.limits.after_failures, count(5));
    assert_eq!(home.stuck_after, seconds(300));
    assert_eq!(home.backoff.after(1), seconds(30));
    assert_eq!(home.backoff.after(20), seconds(7200));
    assert_eq!(home.keep_source.rules, [Rule::Last(3.try_into().unwrap())]);
    assert_eq!(home.keep_destination.rules.len(), 8);
    assert_eq!(home.keep_destination.rules[2], Rule::Calendar(Per::Day, 7.try_into().unwrap()));
    assert_eq!(home.keep_destination.rules[6..], [Rule::Within("90d".parse().unwrap()), Rule::Tag("x".to_owned())]);
    assert_eq!(home.keep_destination.zone, "Europe/Berlin".parse().unwrap());
    assert_eq!(home.hooks.before.as_deref().unwrap(), ["/usr/bin/sync-it", "now"]);
    assert_eq!(home.hooks.after.as_deref().unwrap(), ["/usr/bin/done"]);

    let mail = &config.jobs[&name("mail")];
    let next = mail.schedule.first_after(at("2026-11-21T00:00Z"), &Seed::of(&[])).unwrap();
    assert!((at("2026-11-23T02:00Z")..=at("2026-11-23T02:10Z")).contains(&next), "{next}");
    assert_eq!(mail.bwlimit, Some(Bytes::new(1000)));
    assert_eq!(mail.keep_source.rules, [Rule::Calendar(Per::Day, 2.try_into().unwrap())]);
    assert_eq!((mail.limits.max_age, mail.limits.after_failures), (None, count(3)));

    let web = &config.jobs[&name("web.1")];
    assert_eq!(interval(&web.schedule), seconds(3600));
    assert!(web.keep_destination.rules.is_empty(), "everything stays");

    let pool = &config.pools[&"vg1/thin".parse().unwrap()];
    assert_eq!(
        (pool.parallel, pool.thresholds.data.refuse().get(), pool.thresholds.metadata.refuse().get()),
        (count(2), 80, 95)
    );
    assert_eq!(config.alerts.exec.as_deref().unwrap(), ["/usr/bin/tell", "-x"]);
    assert_eq!(config.alerts.webhook.as_deref(), Some("https://example.org/hook"));
    assert_eq!(config.alerts.sendmail.as_deref(), Some("root@example.org"));
    assert_eq!((config.alerts.pace.remind_after, config.alerts.pace.quiet), (seconds(604_800), seconds(1800)));
}

/// What is said of a file.
fn problems(text: &str) -> String {
    Config::parse("f", text).unwrap_err().to_string()
}

/// What is said of a job with this line; it is the fourth.
fn of_job(line: &str) -> String {
    problems(&format!("zone = 'UTC'\n[job.a]\nsource = 'v/a'\n{line}\ndestination = 'v/b'\n"))
}

#[test]
fn all_at_once() {
    let text = "\
zon = 'UTC'
[job.home]
sauce = 'vg0/home'
destination = 'vg1/home'
every = 'fifteen'
every_time = 3
keep.destination = { dayly = 7 }
[job.mail]
source = 'a:vg0/mail'
destination = 'b:vg0/mail'
[pool.thin]
data = { warn = 90, prune = 80, refuse = 101 }
";
    assert_eq!(problems(text), "");
}

#[test]
fn one_by_one() {
    for (line, expected) in [
        ("every = 15", ""),
        ("every = '1m1h'", ""),
        ("every = '0s'", ""),
        ("every = '99999999999999999999d'", ""),
        ("every = '400d'", ""),
        ("every = '1m'\nat = ['03:00']", ""),
        ("every = '1m'\nweekdays = ['Mon']", ""),
        ("at = []", ""),
        ("at = ['3:00', '03:00', '25:00']", ""),
        ("at = '03:00'", ""),
        ("at = ['03:00']\nweekdays = ['Monday']\nmonth_days = [0, 32]", ""),
        ("every = '1m'\njitter = '1m'", ""),
        ("every = '1m'\njitter = '2d'", ""),
        ("", ""),
        ("every = '1m'\nbwlimit = '0'", ""),
        ("every = '1m'\nbwlimit = 'fast'", ""),
        ("every = '1m'\nbwlimit = -1", ""),
        ("every = '1m'\nkeep = 3", ""),
        ("every = '1m'\nkeep.source = {}", ""),
        ("every = '1m'\nkeep.source = { last = 0 }", ""),
        ("every = '1m'\nkeep.source = { within = '90' }", ""),
        ("every = '1m'\nhooks.before = ['true']", ""),
        ("every = '1m'\nhooks.before = '/bin/true'", ""),
        ("every = '1m'\nhooks.befor = ['/bin/true']", ""),
        ("every = '1m'\nbackoff = { first = '2m', cap = '1m' }", ""),
        ("every = '1m'\nbackoff = { first = '2m' }", ""),
        ("every = '1m'\nalert_after_failures = 0", ""),
        ("every = '1m'\nstuck_after = 1.5", ""),
        ("every = '1m'\n\"ä\\n\" = 1", ""),
    ] {
        assert_eq!(of_job(line), expected, "{line}");
    }
}

#[test]
fn files() {
    for (text, expected) in [
        ("", ""),
        ("zone = 'UTC'\njob = 1", ""),
        ("zone = 'Mars'\n[job]", ""),
        ("zone = 'UTC'\n[job.'a b']\nsource = 'v/a'\ndestination = 'v/a'\nevery = '1m'", ""),
        (
            "zone = 'UTC'\n[job.a]\nsource = 'v/a'\ndestination = 'v/c'\nevery = '1m'\n[job.b]\nsource = 'v/b'\ndestination = '/dev/v/c'\nevery = '1m'",
            "",
        ),
        ("zone = 'UTC'\n[job]\n[pool.'v/p']\n[pool.'/dev/v/p']\nparallel = 0", ""),
        ("zone = 'UTC'\n[job]\n[alerts]\nwebhook = 'ftp://x'\nsendmail = 'a@b, c@d'\nexec = []", ""),
        ("zone = 'UTC'\n[defaults]\nsource = 'v/a'\n[job]", ""),
        ("zone = = 'UTC'\n[job.a\nx = 'y\nzone = 1", ""),
        ("zone = 'UTC'\nzone = 'UTC'\n[job]", ""),
        ("[job]\nä = 'ö' x\n", ""),
    ] {
        assert_eq!(problems(text), expected, "{text}");
    }
}

#[test]
fn hostile_files() {
    let said = |text: &str| {
        let begin = Instant::now();
        let text = problems(text);
        assert!(begin.elapsed() < seconds(20), "{:?}", begin.elapsed());
        assert!(text.len() < 100_000, "{}", text.len());
        text
    };
    assert_eq!(said(&" ".repeat(MAX_CONFIG_BYTES + 1)), "f:1:1: expected at most 1048576 bytes, found 1048577");
    let most = |text: &str| text.repeat(MAX_CONFIG_BYTES / text.len());
    said(&most("["));
    said(&most("a.a="));
    said(&most("x=[["));
    said(&most("\"\"\""));
    said(&most("[[a]]\n"));
    said(&(0..90_000).map(|nth| format!("every{nth}=1\n")).collect::<String>());
    said(&format!("zone='UTC'\n{}=1", "e".repeat(1_000_000)));
    said(&format!("zone='{}'", "e".repeat(1_000_000)));
    said(&format!(
        "zone='UTC'\n[job]\n{}",
        (0..20_000).map(|nth| format!("a{nth}={{source='v/v'}}\n")).collect::<String>()
    ));
    said(&format!("zone='UTC'\n[job.a]\nat=[{}]", most("'03:00',").trim_end_matches(',').get(..900_000).unwrap()));
}

proptest! {
    #[test]
    fn no_text_breaks_it(text in "(\\PC|\n|=|\\[|\\]|\\{|'|\"|zone|job|at){0,60}") {
        let _ = Config::parse("f", &text);
    }

    /// A file that is right but for one character.
    #[test]
    fn no_slip_breaks_it(at in any::<prop::sample::Index>(), by in "(\\PC|\n){0,2}") {
        let (nth, _) = WHOLE.char_indices().nth(at.index(WHOLE.chars().count())).unwrap();
        let mut text = WHOLE.to_owned();
        text.replace_range(nth..=nth, &by);
        if let Err(problems) = Config::parse("f", &text) {
            for problem in problems.list() {
                let line = text.split('\n').nth(problem.line - 1);
                prop_assert!(line.is_some_and(|line| problem.column <= line.chars().count() + 1), "{}", problems);
            }
        }
    }
}
