//! What is told, and how often.

use daemon::{
    Condition, JobState, Limits, Message, News, Notice, Outcome, Pace, State, Subject, Told, conditions, next,
};
use proptest::{collection::vec, prelude::*};

use crate::{at, count, every, name, now, plan, planned, seconds};

fn condition(wrong: Option<&str>) -> Condition {
    Condition { subject: Subject::Runs(name("home")), wrong: wrong.map(str::to_owned) }
}

/// After a restart, what was told is what it was.
fn restarted(told: &Told) -> Told {
    let back = serde_json::from_str(&serde_json::to_string(told).unwrap()).unwrap();
    assert_eq!(told, &back);
    back
}

#[test]
fn a_course_of_events() {
    let mut told = Told::default();
    // Minutes, whether it is wrong, what is told.
    for (minute, wrong, expected) in [
        (0, false, ""),
        (1, true, "job home: broken"),
        (2, true, ""),
        (3, true, ""),
        (4, false, "job home: right again; it was not since 2026-11-21T07:01:00Z"),
        (5, false, ""),
        // It comes and goes: quiet for an hour since it was told.
        (6, true, ""),
        (7, false, ""),
        (60, true, ""),
        (61, true, "job home: broken"),
        // A day later.
        (61 + 1439, true, ""),
        (61 + 1440, true, "job home: still, since 2026-11-21T08:01:00Z: broken"),
        (61 + 1441, true, ""),
        (61 + 2880, true, "job home: still, since 2026-11-21T08:01:00Z: broken"),
        (61 + 2881, false, "job home: right again; it was not since 2026-11-21T08:01:00Z"),
        (61 + 2881 + 60, true, "job home: broken"),
    ] {
        let wrong = condition(wrong.then_some("broken"));
        let (notices, after) = told.news(&[wrong], &Pace::default(), now(minute * 60).wall);
        let texts: Vec<_> = notices.iter().map(ToString::to_string).collect();
        assert_eq!(texts.join("\n"), expected, "minute {minute}");
        told = restarted(&after);
    }
}

#[test]
fn a_message_that_nobody_took_is_made_again() {
    let told = Told::default();
    let news = |minute: u64| told.news(&[condition(Some("broken"))], &Pace::default(), now(minute * 60).wall).0.len();
    assert_eq!([news(0), news(1)], [1, 1]);
}

#[test]
fn what_is_gone_is_forgotten_without_a_word() {
    let wrong = [condition(Some("broken"))];
    let (_, told) = Told::default().news(&wrong, &Pace::default(), now(0).wall);
    let (notices, told) = told.news(&[], &Pace::default(), now(60).wall);
    assert_eq!((notices, told), (vec![], Told::default()));
}

#[test]
fn a_clock_that_was_set_back_does_not_silence() {
    let wrong = [condition(Some("broken"))];
    let (_, told) = Told::default().news(&wrong, &Pace::default(), at("2030-01-01T00:00Z"));
    let (notices, told) = told.news(&wrong, &Pace::default(), now(0).wall);
    assert_eq!(notices, []);
    let (notices, _) = told.news(&wrong, &Pace::default(), now(86_400).wall);
    assert_eq!(notices.len(), 1);
}

fn known(outcomes: &[Outcome]) -> JobState {
    let plan = plan(vec![("home", planned("home", every(60), &[]))]);
    let mut state = State::default();
    for (nth, outcome) in (0u64..).zip(outcomes) {
        let _ = next(&plan, &mut state, now(nth * 4000));
        state.ended(&name("home"), outcome.clone(), now(nth * 4000 + 5).wall).unwrap();
    }
    let _ = next(&plan, &mut state, now(outcomes.len() as u64 * 4000));
    state.job(&name("home")).unwrap().clone()
}

#[test]
fn how_a_job_is() {
    let failed = || Outcome::Failed("no route to host".to_owned());
    let limits = Limits { after_failures: count(2), max_age: Some(seconds(3600)) };
    let wrong = |outcomes: &[Outcome], time| {
        conditions(&name("home"), &known(outcomes), &limits, now(time).wall)
            .map(|condition| condition.wrong.unwrap_or_default())
    };
    assert_eq!(wrong(&[Outcome::Good], 3600), ["", ""]);
    // As old as the state that it holds, not as the run's end.
    assert_eq!(wrong(&[Outcome::Good], 3601), ["", "the destination is 1h old, 1h are allowed"]);
    assert_eq!(wrong(&[Outcome::Good, failed()], 3600), ["", ""]);
    assert_eq!(
        wrong(&[Outcome::Good, failed(), failed()], 9000),
        ["2 failures in a row; the last: no route to host", "the destination is 2h 30m old, 1h are allowed"]
    );
    assert_eq!(wrong(&[], 3600), ["", ""]);
    assert_eq!(wrong(&[], 7200), ["", "the destination holds nothing after 2h, 1h are allowed"]);
    assert_eq!(wrong(&[failed(), failed(), Outcome::Good], 8000), ["", ""]);
}

fn wrong(job: &str, text: &str) -> Notice {
    Notice { subject: Subject::Runs(name(job)), news: News::Wrong { text: text.to_owned() } }
}

#[test]
fn a_message() {
    let since = at("2026-11-21T06:00Z");
    let recovered = Notice { subject: Subject::Pool("vg0/thin".parse().unwrap()), news: News::Recovered { since } };
    let still =
        Notice { subject: Subject::Age(name("mail")), news: News::StillWrong { text: "2h old".to_owned(), since } };
    // What another host said must begin no header and no line.
    let odd = wrong("home", "no route\r\nBcc: x@example.org\n.\n\u{1b}[2J");
    let message = Message::new("näs\nX: y", at("2026-11-21T07:00Z"), vec![odd, still, recovered.clone()]).unwrap();
    assert_eq!(
        message.mail("root@example.org"),
        "To: root@example.org\n\
         Subject: lvbackup on n?s X: y: 2 things wrong, 1 right again\n\
         Auto-Submitted: auto-generated\n\
         MIME-Version: 1.0\n\
         Content-Type: text/plain; charset=utf-8\n\
         \n\
         job home: no route  Bcc: x@example.org .  [2J\n\
         age of mail: still, since 2026-11-21T06:00:00Z: 2h old\n\
         pool vg0/thin: right again; it was not since 2026-11-21T06:00:00Z\n"
    );
    let json: serde_json::Value = serde_json::from_str(&message.json()).unwrap();
    let expected = serde_json::json!({
        "version": 1,
        "host": "näs X: y",
        "at": "2026-11-21T07:00:00Z",
        "subject": "lvbackup on näs X: y: 2 things wrong, 1 right again",
        "notices": [
            { "runs": "home", "news": "wrong", "text": "no route\r\nBcc: x@example.org\n.\n\u{1b}[2J" },
            { "age": "mail", "news": "still_wrong", "since": "2026-11-21T06:00:00Z", "text": "2h old" },
            { "pool": "vg0/thin", "news": "recovered", "since": "2026-11-21T06:00:00Z" },
        ],
        "more": 0,
    });
    assert_eq!(json, expected);

    let subject = |notices| Message::new("nas", at("2026-11-21T07:00Z"), notices).unwrap().subject();
    assert_eq!(subject(vec![wrong("home", "x")]), "lvbackup on nas: job home: wrong");
    assert_eq!(subject(vec![recovered.clone()]), "lvbackup on nas: pool vg0/thin: right again");
    assert_eq!(subject(vec![recovered.clone(), recovered]), "lvbackup on nas: 2 things right again");
    assert_eq!(Message::new("nas", at("2026-11-21T07:00Z"), vec![]), None);
}

#[test]
fn a_host_that_is_down_makes_one_message() {
    let notices = (0..120).map(|nth| wrong(&format!("job{nth}"), "no route")).collect();
    let message = Message::new("nas", at("2026-11-21T07:00Z"), notices).unwrap();
    assert_eq!(message.subject(), "lvbackup on nas: 120 things wrong");
    assert_eq!(message.body().lines().count(), 51);
    assert!(message.body().ends_with("job job49: no route\nand 70 more\n"));
}

proptest! {
    /// Whatever comes and goes: in each hour at most once that it is wrong, each recovery after a trouble that was told,
    /// and what stays wrong for an hour is told.
    #[test]
    fn no_storms(minutes in vec(any::<bool>(), 1..400), jumps in vec((0usize..400, -100_000i64..0), 0..2)) {
        let mut told = Told::default();
        let mut wall = now(0).wall;
        let (mut people_think_wrong, mut last, mut wrong_for) = (false, None::<usize>, 0);
        for (minute, wrong) in minutes.iter().enumerate() {
            wall += seconds(60);
            let set_back = jumps.iter().filter(|(at, _)| *at == minute).map(|(_, by)| *by).sum();
            wall += jiff::SignedDuration::from_secs(set_back);
            if set_back < 0 {
                wrong_for = 0;
            }
            let (notices, after) = told.news(&[condition(wrong.then_some("x"))], &Pace::default(), wall);
            told = restarted(&after);
            prop_assert!(notices.len() <= 1);
            match notices.first().map(|notice| &notice.news) {
                Some(News::Wrong { .. }) => {
                    prop_assert!(*wrong && !people_think_wrong);
                    prop_assert!(last.is_none_or(|last| minute - last >= 60), "{:?} {}", last, minute);
                    (people_think_wrong, last) = (true, Some(minute));
                }
                Some(News::Recovered { .. }) => {
                    prop_assert!(!*wrong && people_think_wrong);
                    people_think_wrong = false;
                }
                Some(News::StillWrong { .. }) => prop_assert!(false, "not within a day"),
                None => {}
            }
            wrong_for = if *wrong { wrong_for + 1 } else { 0 };
            prop_assert!(people_think_wrong || wrong_for <= 60, "wrong, and nobody knows");
            prop_assert!(*wrong || !people_think_wrong, "right, and nobody knows");
        }
    }
}
