//! What a run says.

use daemon::{Line, Report, Said};
use proptest::prelude::*;

/// What `lvbackup --progress json` writes.
fn progress(doing: &str, done: u64) -> String {
    format!(r#"{{"bytes_per_second":9,"doing":"{doing}","done_bytes":{done},"eta_seconds":null,"total_bytes":null}}"#)
}

#[test]
fn phases_add_up() {
    let mut said = Said::default();
    let steps =
        [("comparing", 0), ("comparing", 50), ("sending", 0), ("sending", 70), ("sending", 10), ("checking", 5)];
    let sums = steps.map(|(doing, done)| said.line(&progress(doing, done)));
    assert_eq!(sums, [0, 50, 50, 120, 130, 135].map(Line::Progress));
    assert_eq!(said.why(), None);
}

#[test]
fn why_it_failed() {
    for (lines, why) in [
        ("", None),
        (
            "lvbackup: cannot read `vg0/a`: it broke\nlvbackup: hint: try `lvs`",
            Some("cannot read `vg0/a`: it broke; hint: try `lvs`"),
        ),
        (
            "lvbackup: one\nlvbackup: two\n  more of it\nlvbackup: stopped by signal 15",
            Some("two; more of it; stopped by signal 15"),
        ),
        ("lvbackup: one\nlvbackup: warning: w", Some("one; warning: w")),
        ("ssh: connect to host box: No route to host", Some("ssh: connect to host box: No route to host")),
        ("a\u{1b}[2Jb\n\n", Some("a [2Jb")),
    ] {
        let mut said = Said::default();
        for line in lines.split('\n') {
            said.line(line);
            said.line(&progress("x", 1));
        }
        assert_eq!(said.why().as_deref(), why, "{lines}");
    }
    let mut said = Said::default();
    (0..1000).for_each(|_| drop(said.line(&"lvbackup: x".repeat(1000))));
    assert!(said.why().unwrap().chars().count() <= daemon::MAX_FAILURE_CHARS);
}

#[test]
fn what_it_did() {
    let json = r#"{"pair":"h:vg/a","layer":"L\u001b","parent":"P","resumed":true,"data_bytes":4096,"zero_bytes":1,
        "wire_bytes":5000,"verified":"full","seconds":2,"kept_written":"a-written-1","removed":{"source":[]}}"#;
    let report = Report::parse(json).unwrap();
    assert_eq!((report.layer.as_str(), report.milliseconds, report.wire_bytes), ("L ", 2000, 5000));
    assert_eq!((report.resumed, report.kept_written.as_deref()), (true, Some("a-written-1")));
    for wrong in ["", "{}", &json.replace("4096", "-1"), &json.replace("2,", "1e300,"), &format!("{json}{json}")] {
        assert_eq!(Report::parse(wrong), None, "{wrong}");
    }
}

proptest! {
    /// Whatever a run says, what it has done never becomes less.
    #[test]
    fn progress_only_grows(steps in prop::collection::vec(("[ab]", any::<u64>()), 0..20), text in "\\PC{0,40}") {
        let mut said = Said::default();
        let mut last = 0;
        for (doing, done) in steps {
            let Line::Progress(now) = said.line(&progress(&doing, done)) else { panic!("no progress") };
            prop_assert!(now >= last);
            last = now;
            let _ = (said.line(&text), said.why());
        }
    }
}
