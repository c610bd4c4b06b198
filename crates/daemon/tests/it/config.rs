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
pair = "box:home"
pool = "thin"
recv_read_only = true
verify = "sampled"
compress = "zstd:9"
ssh = "ssh -F /etc/hyperlayer/ssh_config"
remote_command = "sudo lvbackup"

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
sendmail_program = "/opt/bin/sendmail"
remind_after = "1w"
quiet = "30m"

[metrics]
file = "/var/lib/node/lvbackup.prom"
listen = "[::1]:9749"
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
    assert_eq!(home.sync.bwlimit, Some(Bytes::new(20_000_000)));
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
    assert_eq!(mail.sync.bwlimit, Some(Bytes::new(1000)));
    assert_eq!(mail.keep_source.rules, [Rule::Calendar(Per::Day, 2.try_into().unwrap())]);
    assert_eq!((mail.limits.max_age, mail.limits.after_failures), (None, count(3)));

    let web = &config.jobs[&name("web.1")];
    assert_eq!(interval(&web.schedule), seconds(3600));
    assert_eq!(web.keep_destination.rules, [Rule::Last(1.try_into().unwrap())]);

    let pool = &config.pools[&"vg1/thin".parse().unwrap()];
    assert_eq!(
        (pool.parallel, pool.thresholds.data.refuse().get(), pool.thresholds.metadata.refuse().get()),
        (count(2), 80, 95)
    );
    assert_eq!(config.alerts.exec.as_deref().unwrap(), ["/usr/bin/tell", "-x"]);
    assert_eq!(config.alerts.webhook.as_deref(), Some("https://example.org/hook"));
    assert_eq!(config.alerts.sendmail.as_deref(), Some("root@example.org"));
    assert_eq!(config.alerts.sendmail_program.as_deref(), Some("/opt/bin/sendmail"));
    assert_eq!(config.metrics.file.as_deref(), Some(std::path::Path::new("/var/lib/node/lvbackup.prom")));
    assert_eq!(config.metrics.listen, Some("[::1]:9749".parse().unwrap()));
    assert_eq!((config.alerts.pace.remind_after, config.alerts.pace.quiet), (seconds(604_800), seconds(1800)));
}

#[test]
fn the_command_line_says_all_of_it() {
    let config = Config::parse("x", WHOLE).unwrap();
    let line = |job: &str| config.jobs[&name(job)].arguments().join("\n");
    assert_eq!(
        line("home"),
        "sync\nvg0/home\nmirror@box:vg1/home\n--pair=box:home\n--pool=thin\n--verify=sampled\n--compress=zstd:9\n\
         --bwlimit=20000000\n--ssh=ssh -F /etc/hyperlayer/ssh_config\n--remote-command=sudo lvbackup\n\
         --keep-source=last=3\n\
         --keep-destination=last=1,hourly=24,daily=7,weekly=5,monthly=12,yearly=2,within=90d,tag=x\n\
         --zone=Europe/Berlin\n--pre='/usr/bin/sync-it' 'now'\n--post='/usr/bin/done'\n--progress=json\n\
         --recv-read-only\n--json"
    );
    assert_eq!(
        line("web.1"),
        "sync\nbox:vg0/web\nvg1/web\n--keep-source=last=3\n--keep-destination=last=1\n\
         --zone=Europe/Berlin\n--progress=json\n--json"
    );
    // A shell makes of a hook's words what they were.
    let text = WHOLE.replace(r#"["/usr/bin/done"]"#, r#"["/bin/echo", "it's", "$HOME; a  b", "-x"]"#);
    let arguments = Config::parse("x", &text).unwrap().jobs[&name("home")].arguments();
    let post = arguments.iter().find_map(|word| word.strip_prefix("--post=")).unwrap();
    let echoed = std::process::Command::new("sh").args(["-c", post]).output().unwrap();
    assert_eq!(String::from_utf8(echoed.stdout).unwrap(), "it's $HOME; a  b -x\n");
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
    assert_eq!(
        problems(text),
        "f:1:1: `zone` is missing: expected a time zone such as `Europe/Berlin`, `UTC` or `+02:00`\n\
             f:1:1: unknown key `zon`: did you mean `zone`?\n\
             f:2:1: `job.home.source` is missing: expected the volume to mirror, VG/LV or [USER@]HOST:VG/LV\n\
             f:3:1: unknown key `job.home.sauce`: did you mean `source`?\n\
             f:5:9: `job.home.every`: expected a duration such as `90s`, `15m`, `1h30m`, `2d` or `1w`, found `'fifteen'`\n\
             f:6:1: unknown key `job.home.every_time`: expected one of `source`, `destination`, `pair`, `every`, `at`, `weekdays`, `month_days`, `jitter`, `pool`, `recv_read_only`, `verify`, `compress`, `bwlimit`, `ssh`, `remote_command`, `stuck_after`, `max_age`, `alert_after_failures`, `backoff`, `keep`, `hooks`\n\
             f:7:22: unknown key `job.home.keep.destination.dayly`: did you mean `daily`?\n\
             f:8:1: `job.mail`: `every` or `at` is missing: expected one of them\n\
             f:10:15: `job.mail.destination`: source and destination are both on other hosts: one must be on this one\n\
             f:11:1: `pool.thin`: the name is not valid: expected VG/LV or [USER@]HOST:VG/LV (invalid volume `thin`: its volume group is not given: expected VG/LV)\n\
             f:12:42: `pool.thin.data.refuse`: expected hundredths from 1 to 100, found `101`"
    );
}

#[test]
fn one_by_one() {
    for (line, expected) in [
        (
            "every = 15",
            "f:4:9: `job.a.every`: expected a duration such as `90s`, `15m`, `1h30m`, `2d` or `1w`, found `15`",
        ),
        (
            "every = '1m1h'",
            "f:4:9: `job.a.every`: expected a duration such as `90s`, `15m`, `1h30m`, `2d` or `1w`, found `'1m1h'`",
        ),
        (
            "every = '0s'",
            "f:4:9: `job.a.every`: expected a duration such as `90s`, `15m`, `1h30m`, `2d` or `1w`, found `'0s'`",
        ),
        (
            "every = '99999999999999999999d'",
            "f:4:9: `job.a.every`: expected a duration such as `90s`, `15m`, `1h30m`, `2d` or `1w`, found `'99999999999999999999d'`",
        ),
        ("every = '400d'", "f:4:9: `job.a.every`: expected a duration from `1s` to `367d`, found `'400d'`"),
        ("every = '1m'\nat = ['03:00']", "f:5:6: `job.a.at`: either `every` or `at` may be given, not both"),
        (
            "every = '1m'\nweekdays = ['Mon']",
            "f:5:12: `job.a.weekdays`: days are for times of day: `at` is missing beside it",
        ),
        ("at = []", "f:4:6: `job.a.at`: expected times such as `[\"03:00\", \"15:30\"]`, found `[]`"),
        (
            "at = ['3:00', '03:00', '25:00']",
            "f:4:7: `job.a.at[0]`: expected a time such as `\"03:00\"`, found `'3:00'`\n\
             f:4:24: `job.a.at[2]`: expected a time such as `\"03:00\"`, found `'25:00'`",
        ),
        ("at = '03:00'", "f:4:6: `job.a.at`: expected times such as `[\"03:00\", \"15:30\"]`, found `'03:00'`"),
        (
            "at = ['03:00']\nweekdays = ['Monday']\nmonth_days = [0, 32]",
            "f:5:13: `job.a.weekdays[0]`: expected one of `Mon`, `Tue`, `Wed`, `Thu`, `Fri`, `Sat`, `Sun`, found `'Monday'`\n\
             f:6:15: `job.a.month_days[0]`: expected a day from 1 to 31, found `0`\n\
             f:6:18: `job.a.month_days[1]`: expected a day from 1 to 31, found `32`",
        ),
        ("every = '1m'\njitter = '1m'", "f:2:1: `job.a`: expected a jitter below the interval, which is 1m, found 1m"),
        ("every = '1m'\njitter = '2d'", "f:5:10: `job.a.jitter`: expected at most `1d`, found `'2d'`"),
        ("", "f:2:1: `job.a`: `every` or `at` is missing: expected one of them"),
        (
            "every = '1m'\nbwlimit = '0'",
            "f:5:11: `job.a.bwlimit`: expected bytes per second such as `\"20M\"` or `\"500k\"`, more than none, found `'0'`",
        ),
        (
            "every = '1m'\nbwlimit = 'fast'",
            "f:5:11: `job.a.bwlimit`: expected bytes per second such as `\"20M\"` or `\"500k\"`, more than none, found `'fast'`",
        ),
        (
            "every = '1m'\nbwlimit = -1",
            "f:5:11: `job.a.bwlimit`: expected bytes per second such as `\"20M\"` or `\"500k\"`, more than none, found `-1`",
        ),
        ("every = '1m'\nkeep = 3", "f:5:8: `job.a.keep`: expected rules for `source` and `destination`, found `3`"),
        ("every = '1m'\nkeep.source = {}", "f:5:15: `job.a.keep.source`: expected at least one rule, found none"),
        (
            "every = '1m'\nkeep.source = { last = 0 }",
            "f:5:24: `job.a.keep.source.last`: expected a whole number from 1 to 1000000, found `0`",
        ),
        (
            "every = '1m'\nkeep.source = { within = '90' }",
            "f:5:26: `job.a.keep.source.within`: expected a duration such as `90d` or `1y6m` (m is a month here), found `'90'`",
        ),
        (
            "every = '1m'\nhooks.before = ['true']",
            "f:5:16: `job.a.hooks.before`: expected an absolute path first, such as `[\"/usr/bin/true\"]`, found `['true']`",
        ),
        (
            "every = '1m'\nhooks.before = '/bin/true'",
            "f:5:16: `job.a.hooks.before`: expected a program and its arguments such as `[\"/usr/bin/true\"]`, found `'/bin/true'`",
        ),
        ("every = '1m'\nhooks.befor = ['/bin/true']", "f:5:7: unknown key `job.a.hooks.befor`: did you mean `before`?"),
        (
            "every = '1m'\nbackoff = { first = '2m', cap = '1m' }",
            "f:5:11: `job.a.backoff`: expected `first` <= `cap` <= `367d`",
        ),
        (
            "every = '1m'\nbackoff = { first = '2m' }",
            "f:5:11: `job.a.backoff.cap` is missing: expected the longest wait",
        ),
        (
            "every = '1m'\nalert_after_failures = 0",
            "f:5:24: `job.a.alert_after_failures`: expected a whole number from 1 to 1000, found `0`",
        ),
        (
            "every = '1m'\nverify = 'some'\ncompress = 'zstd:20'\nrecv_read_only = 1\npair = 'ä'\npool = 'a/b'\nssh = '-x'",
            "f:5:10: `job.a.verify`: expected one of `full`, `sampled`, `none`, found `'some'`\n\
             f:6:12: `job.a.compress`: expected `zstd`, `zstd:LEVEL` with a level from 1 to 19, or `none`, found `'zstd:20'`\n\
             f:7:18: `job.a.recv_read_only`: expected `true` or `false`, found `1`\n\
             f:8:8: `job.a.pair`: expected a name of a-z A-Z 0-9 _ + . - / : and the like, found `'ä'`\n\
             f:9:8: `job.a.pool`: expected the name of a pool in the destination's group, found `'a/b'`\n\
             f:10:7: `job.a.ssh`: expected a command, found `'-x'`",
        ),
        (
            "every = '1m'\nstuck_after = 1.5",
            "f:5:15: `job.a.stuck_after`: expected a duration such as `90s`, `15m`, `1h30m`, `2d` or `1w`, found `1.5`",
        ),
        (
            "every = '1m'\n\"ä\\n\" = 1",
            "f:5:1: unknown key `job.a.ä `: expected one of `source`, `destination`, `pair`, `every`, `at`, `weekdays`, `month_days`, `jitter`, `pool`, `recv_read_only`, `verify`, `compress`, `bwlimit`, `ssh`, `remote_command`, `stuck_after`, `max_age`, `alert_after_failures`, `backoff`, `keep`, `hooks`",
        ),
    ] {
        assert_eq!(of_job(line), expected, "{line}");
    }
}

#[test]
fn files() {
    for (text, expected) in [
        (
            "",
            "f:1:1: `job` is missing: expected tables such as `[job.home]`\n\
             f:1:1: `zone` is missing: expected a time zone such as `Europe/Berlin`, `UTC` or `+02:00`",
        ),
        ("zone = 'UTC'\njob = 1", "f:2:7: `job`: expected tables such as `[job.NAME]`, found `1`"),
        (
            "zone = 'Mars'\n[job]",
            "f:1:8: `zone`: expected a time zone such as `Europe/Berlin`, `UTC` or `+02:00`, found `'Mars'`",
        ),
        (
            "zone = 'UTC'\n[job.'a b']\nsource = 'v/a'\ndestination = 'v/a'\nevery = '1m'",
            "f:2:1: `job.a b`: the name is not valid: expected a name of 1 to 64 of a-z A-Z 0-9 _ . -, with a letter or a digit first\n\
             f:4:15: `job.a b.destination`: is the source itself",
        ),
        (
            "zone = 'UTC'\n[job.a]\nsource = 'v/a'\ndestination = 'v/c'\nevery = '1m'\n[job.b]\nsource = 'v/b'\ndestination = '/dev/v/c'\nevery = '1m'",
            "f:6:1: `job.b`: its destination `v/c` is that of `job.a` too",
        ),
        (
            "zone = 'UTC'\n[job.a]\nsource = 'v/a'\ndestination = 'v/c'\nevery = '1m'\npair = 'p'\n[job.b]\nsource = 'v/a'\ndestination = 'v/d'\nevery = '1m'\npair = 'p'",
            "f:7:1: `job.b`: its pair `p` is that of `job.a` too",
        ),
        (
            "zone = 'UTC'\n[job]\n[metrics]\nfile = '/a/b.txt'\nlisten = 'localhost'",
            "f:4:8: `metrics.file`: expected an absolute path that ends with `.prom`, found `'/a/b.txt'`\n\
             f:5:10: `metrics.listen`: expected an address and a port such as `127.0.0.1:9749` or `[::1]:9749`, found `'localhost'`",
        ),
        (
            "zone = 'UTC'\n[job]\n[pool.'v/p']\n[pool.'/dev/v/p']\nparallel = 0",
            "f:3:1: `pool.v/p`: the same is there already, written in another way\n\
             f:5:12: `pool./dev/v/p.parallel`: expected a whole number from 1 to 64, found `0`",
        ),
        (
            "zone = 'UTC'\n[job]\n[alerts]\nwebhook = 'ftp://x'\nsendmail = 'a@b, c@d'\nexec = []",
            "f:4:11: `alerts.webhook`: expected an address that begins with `https://` or `http://`, found `'ftp://x'`\n\
             f:5:12: `alerts.sendmail`: expected one mail address such as `root@example.org`, found `'a@b, c@d'`\n\
             f:6:8: `alerts.exec`: expected a program and its arguments such as `[\"/usr/bin/true\"]`, found `[]`",
        ),
        (
            "zone = 'UTC'\n[defaults]\nsource = 'v/a'\n[job]",
            "f:3:1: unknown key `defaults.source`: expected one of `every`, `at`, `weekdays`, `month_days`, `jitter`, `pool`, `recv_read_only`, `verify`, `compress`, `bwlimit`, `ssh`, `remote_command`, `stuck_after`, `max_age`, `alert_after_failures`, `backoff`, `keep`, `hooks`",
        ),
        (
            "zone = = 'UTC'\n[job.a\nx = 'y\nzone = 1",
            "f:1:8: not TOML: extra `=`, expected nothing\n\
             f:1:10: not TOML: unexpected key or value, expected newline, `#`\n\
             f:2:7: not TOML: unclosed table, expected `]`\n\
             f:4:1: not TOML: duplicate key",
        ),
        ("zone = 'UTC'\nzone = 'UTC'\n[job]", "f:2:1: not TOML: duplicate key"),
        (
            "[job]\nä = 'ö' x\n",
            "f:2:1: not TOML: invalid unquoted key, expected letters, numbers, `-`, `_`\n\
             f:2:9: not TOML: unexpected key or value, expected newline, `#`",
        ),
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
