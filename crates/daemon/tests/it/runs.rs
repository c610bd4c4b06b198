//! What starts and stops, and when.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use daemon::{Decision, Now, Outcome, Plan, Schedule, State, WallTime, When, due, next};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::{at, count, every, name, now, plan, planned, seconds};

/// The names of the jobs that start.
fn starts(plan: &Plan, state: &mut State, now: Now) -> String {
    let start = |decision| match decision {
        Decision::Start { job, .. } => Some(job.to_string()),
        _ => None,
    };
    next(plan, state, now).decisions.into_iter().filter_map(start).collect::<Vec<_>>().join(" ")
}

fn end(state: &mut State, job: &str, outcome: Outcome, now: Now) {
    state.ended(&name(job), outcome, now.wall).unwrap();
}

fn failed() -> Outcome {
    Outcome::Failed("no route to host".to_owned())
}

#[test]
fn a_night_that_was_missed_is_made_up_for_once() {
    let times = BTreeSet::from([WallTime::parse("03:00").unwrap()]);
    let calendar = daemon::Calendar::new("Europe/Berlin".parse().unwrap(), times, BTreeSet::new(), BTreeSet::new());
    let schedule = Schedule::new(When::At(calendar.unwrap()), Duration::ZERO).unwrap();
    let plan = plan(vec![("a", planned("a", schedule, &[]))]);
    let mut state = State::default();
    let on = |text: &str| Now { wall: at(text), steady: Duration::ZERO };

    assert_eq!(starts(&plan, &mut state, on("2026-11-21T07:00Z")), "");
    assert_eq!(starts(&plan, &mut state, on("2026-11-22T01:59:59Z")), "");
    assert_eq!(starts(&plan, &mut state, on("2026-11-22T02:00Z")), "a");
    end(&mut state, "a", Outcome::Good, on("2026-11-22T02:10Z"));
    // Three nights off.
    assert_eq!(starts(&plan, &mut state, on("2026-11-25T08:00Z")), "a");
    end(&mut state, "a", Outcome::Good, on("2026-11-25T08:10Z"));
    assert_eq!(starts(&plan, &mut state, on("2026-11-25T08:10Z")), "");
    assert_eq!(starts(&plan, &mut state, on("2026-11-26T02:00Z")), "a");
}

#[test]
fn failures_wait_longer_and_longer() {
    let plan = plan(vec![("a", planned("a", every(30), &[]))]);
    let mut state = State::default();
    let mut at = 0;
    for wait in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
        assert_eq!(starts(&plan, &mut state, now(at)), "a");
        end(&mut state, "a", failed(), now(at + 5));
        assert_eq!(starts(&plan, &mut state, now(at + 5 + wait - 1)), "");
        at += 5 + wait;
    }
    assert_eq!(state.job(&name("a")).unwrap().failing.as_ref().unwrap().in_row, count(8));
    assert_eq!(starts(&plan, &mut state, now(at)), "a");
    end(&mut state, "a", Outcome::Good, now(at + 5));
    assert_eq!(state.job(&name("a")).unwrap().failing, None);
    assert_eq!(starts(&plan, &mut state, now(at + 40)), "a");
}

#[test]
fn a_run_that_was_stopped_or_asked_for_is_owed() {
    let plan = plan(vec![("a", planned("a", every(86_400), &[]))]);
    let mut state = State::default();
    assert_eq!(starts(&plan, &mut state, now(0)), "a");
    end(&mut state, "a", Outcome::Stopped, now(9));
    assert_eq!(state.job(&name("a")).unwrap().failing, None);
    assert_eq!(starts(&plan, &mut state, now(10)), "a");
    // While it runs, it is not asked for again.
    state.ask(&name("a")).unwrap();
    end(&mut state, "a", Outcome::Good, now(11));
    assert_eq!(starts(&plan, &mut state, now(12)), "");
    state.ask(&name("a")).unwrap();
    assert_eq!(starts(&plan, &mut state, now(13)), "a");
    assert!(state.ask(&name("b")).is_err());
}

#[test]
fn what_gets_no_further_is_stopped_once() {
    let plan = plan(vec![("a", planned("a", every(3600), &[]))]);
    let mut state = State::default();
    assert_eq!(next(&plan, &mut state, now(0)).wait, seconds(60));
    state.progress(&name("a"), 100, now(300)).unwrap();
    // Not more than before: not further.
    state.progress(&name("a"), 100, now(800)).unwrap();
    assert_eq!(next(&plan, &mut state, now(899)), daemon::Decisions { decisions: vec![], wait: seconds(1) });
    let stop = Decision::Stop { job: name("a"), quiet: seconds(600) };
    assert_eq!(next(&plan, &mut state, now(900)).decisions, [stop]);
    assert_eq!(next(&plan, &mut state, now(2000)).decisions, []);
    // It is a failure, however it calls itself: else it would hang again at once.
    end(&mut state, "a", Outcome::Stopped, now(2000));
    assert_eq!(starts(&plan, &mut state, now(2059)), "");
    assert_eq!(starts(&plan, &mut state, now(2060)), "a");
}

#[test]
fn a_clock_that_is_set() {
    let plan = plan(vec![("a", planned("a", every(3600), &[]))]);
    let mut state = State::default();
    let (year, wall) = (seconds(366 * 86_400), now(0).wall);
    let clock = |wall, steady| Now { wall, steady: seconds(steady) };
    // Forward, while it runs: not stuck.
    assert_eq!(starts(&plan, &mut state, clock(wall, 0)), "a");
    assert_eq!(next(&plan, &mut state, clock(wall + year, 10)).decisions, []);
    end_at(&mut state, "a", Outcome::Good, wall + year + seconds(1));
    assert_eq!(starts(&plan, &mut state, clock(wall + year + seconds(2), 12)), "a", "once for all of the year");
    end_at(&mut state, "a", Outcome::Good, wall + year + seconds(3));
    // Back by that year: due within an interval, not in a year.
    assert_eq!(starts(&plan, &mut state, clock(wall, 20)), "");
    let job = state.job(&name("a")).unwrap();
    assert!(due(&plan.jobs[&name("a")], job).unwrap() <= wall + seconds(3600));
    assert_eq!(starts(&plan, &mut state, clock(wall + seconds(3600), 3620)), "a");
}

fn end_at(state: &mut State, job: &str, outcome: Outcome, wall: jiff::Timestamp) {
    state.ended(&name(job), outcome, wall).unwrap();
}

#[test]
fn who_waits_for_two_pools_is_not_overtaken() {
    let job = |job, pools: &[&str]| (job, planned(job, every(3600), pools));
    let first = plan(vec![job("a", &["vg/x"]), job("b", &["vg/y"])]);
    let all = plan(vec![
        job("a", &["vg/x"]),
        job("b", &["vg/y"]),
        job("c", &["vg/x", "vg/y"]),
        job("d", &["vg/y"]),
        job("e", &["host:vg/y"]),
    ]);
    let mut state = State::default();
    assert_eq!(starts(&first, &mut state, now(0)), "a b");
    // A pool of the same name on another host is another pool.
    assert_eq!(starts(&all, &mut state, now(1)), "e");
    end(&mut state, "b", Outcome::Good, now(2));
    // y is free, but c is waiting for it.
    assert_eq!(starts(&all, &mut state, now(3)), "");
    end(&mut state, "a", Outcome::Good, now(4));
    assert_eq!(starts(&all, &mut state, now(5)), "c");
    end(&mut state, "c", Outcome::Good, now(6));
    assert_eq!(starts(&all, &mut state, now(7)), "d");
}

#[test]
fn pools_have_limits_of_their_own() {
    let job = |job| (job, planned(job, every(3600), &["vg/x"]));
    let mut plan = plan(vec![job("a"), job("b"), job("c"), job("d")]);
    plan.parallel.insert("vg/x".parse().unwrap(), count(3));
    assert_eq!(starts(&plan, &mut State::default(), now(0)), "a b c");
    plan.parallel.clear();
    plan.parallel_else = count(2);
    assert_eq!(starts(&plan, &mut State::default(), now(0)), "a b");
}

#[test]
fn a_restart_keeps_what_is_known() {
    let job = |job| (job, planned(job, every(3600), &[]));
    let plan = plan(vec![job("a"), job("b")]);
    let mut state = State::default();
    assert_eq!(starts(&plan, &mut state, now(0)), "a b");
    end(&mut state, "a", Outcome::Good, now(5));
    let mut back = State::after_restart(&state.to_json(), now(10).wall).unwrap();
    assert_eq!(back.job(&name("a")), state.job(&name("a")));
    // b was killed with the program: it waits, since it may be what killed it.
    let failing = back.job(&name("b")).unwrap().failing.clone().unwrap();
    assert_eq!((failing.in_row, failing.text.as_str()), (count(1), "interrupted: it has never said how it ended"));
    assert_eq!(starts(&plan, &mut back, now(69)), "");
    assert_eq!(starts(&plan, &mut back, now(70)), "b");

    let refused = |json: &str| State::after_restart(json, now(0).wall).unwrap_err().to_string();
    assert_eq!(refused("{\"version\": 2, \"jobs\": {}}"), "expected a state of version 1, found 2");
    assert_eq!(refused("{\"version\": 1, \"jobs\": {\"-a\": {}}}"), "not a state of jobs");
    assert_eq!(refused(&" ".repeat(16_777_217)), "expected a state of at most 16777216 bytes, found 16777217");
}

#[test]
fn a_job_that_is_not_planned_any_more() {
    let both = plan(vec![("a", planned("a", every(3600), &[])), ("b", planned("b", every(3600), &[]))]);
    let mut state = State::default();
    assert_eq!(starts(&both, &mut state, now(0)), "a b");
    end(&mut state, "a", Outcome::Good, now(1));
    let none = plan(vec![]);
    assert_eq!(next(&none, &mut state, now(86_400 * 30 + 1)).decisions, []);
    assert!(state.job(&name("a")).is_some(), "somebody may have mistyped it");
    assert_eq!(next(&none, &mut state, now(86_400 * 30 + 2)).decisions, []);
    assert!(state.job(&name("a")).is_none());
    assert!(state.job(&name("b")).is_some(), "it has not ended");
    assert!(state.ended(&name("a"), Outcome::Good, now(0).wall).is_err());
}

#[test]
fn a_failure_keeps_only_so_much_of_its_text() {
    let plan = plan(vec![("a", planned("a", every(3600), &[]))]);
    let mut state = State::default();
    assert_eq!(starts(&plan, &mut state, now(0)), "a");
    end_at(&mut state, "a", Outcome::Failed("ä".repeat(501)), now(0).wall);
    assert_eq!(state.job(&name("a")).unwrap().failing.as_ref().unwrap().text, "ä".repeat(500));
}

/// How a run of a simulation goes.
#[derive(Clone, Debug)]
struct Fate {
    lasts: u64,
    outcome: Outcome,
}

const LONGEST: u64 = 500;

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let outcome = prop_oneof![4 => Just(Outcome::Good), 1 => Just(failed()), 1 => Just(Outcome::Stopped)];
    vec((1..LONGEST, outcome).prop_map(|(lasts, outcome)| Fate { lasts, outcome }), 1..20)
}

fn jobs() -> impl Strategy<Value = Vec<(u64, BTreeSet<&'static str>)>> {
    let pools = prop::collection::btree_set(select(vec!["vg/x", "vg/y", "host:vg/z"]), 0..3);
    vec((60u64..5000, pools), 1..8)
}

/// By how much somebody sets the clock, and when.
fn steps() -> impl Strategy<Value = BTreeMap<u64, i64>> {
    prop::collection::btree_map(0u64..20_000, -100_000i64..100_000, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// Runs of any length and outcome, through restarts of nothing, with a clock that is set: no run overlaps another of
    /// its job, no pool has too many, nothing waits longer than all runs before it can take, and deciding ends.
    #[test]
    fn a_day(jobs in jobs(), fates in fates(), steps in steps(), room in 1u32..3) {
        const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let of = |(nth, (interval, pools)): (usize, &(u64, BTreeSet<&str>))| {
            let pools: Vec<_> = pools.iter().copied().collect();
            (NAMES[nth], planned(NAMES[nth], every(*interval), &pools))
        };
        let mut plan = plan(jobs.iter().enumerate().map(of).collect());
        plan.parallel_else = count(room);
        let mut state = State::default();
        let mut wall = at("2026-11-21T07:00Z");
        let mut running: BTreeMap<daemon::JobName, (u64, Outcome)> = BTreeMap::new();
        let mut last_start: BTreeMap<daemon::JobName, u64> = BTreeMap::new();
        let mut fates = fates.iter().cycle();
        for steady in 0..20_000u64 {
            wall += seconds(1);
            if let Some(by) = steps.get(&steady) {
                wall += jiff::SignedDuration::from_secs(*by);
            }
            let over: Vec<_> = running.iter().filter(|(_, (end, _))| *end <= steady).map(|(job, _)| job.clone()).collect();
            for job in &over {
                let (_, outcome) = running.remove(job).unwrap();
                state.ended(job, outcome, wall).unwrap();
            }
            // A program looks when it is told to, or when a run ends; every 10 s is less.
            if steady % 10 > 0 && over.is_empty() {
                continue;
            }
            let now = Now { wall, steady: seconds(steady) };
            let decided = next(&plan, &mut state, now);
            prop_assert!(decided.wait > Duration::ZERO && decided.wait <= seconds(60));
            for decision in decided.decisions {
                let Decision::Start { job, due } = decision else { panic!("none is stuck: {decision:?}") };
                prop_assert!(due <= wall);
                let fate = fates.next().unwrap();
                let before = running.insert(job.clone(), (steady + fate.lasts, fate.outcome.clone()));
                prop_assert!(before.is_none(), "{job} runs twice");
                last_start.insert(job, steady);
            }
            prop_assert_eq!(next(&plan, &mut state, now).decisions, vec![], "it has all been decided");
            let mut used: BTreeMap<_, u32> = BTreeMap::new();
            for pool in running.keys().flat_map(|job| &plan.jobs[job].pools) {
                *used.entry(pool).or_default() += 1;
            }
            prop_assert!(used.values().all(|used| *used <= room));
            // Due after an interval or a wait for failures at the latest; then each other job may be before it once in
            // every pool that it waits for.
            for (job, planned) in &plan.jobs {
                let When::Every(interval) = planned.schedule.when() else { unreachable!() };
                // A clock that is set back begins that anew.
                let longest = interval.length().as_secs().max(3600) * (steps.len() as u64 + 1) + LONGEST * (2 * jobs.len() as u64 + 1) + 20;
                let waited = steady - last_start.get(job).copied().unwrap_or(0);
                prop_assert!(running.contains_key(job) || waited <= longest, "{job} has waited for {waited} s");
            }
        }
    }

    #[test]
    fn any_state_survives(jobs in jobs(), fates in fates()) {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let plan = plan(names.iter().zip(&jobs).map(|(job, (interval, _))| (*job, planned(job, every(*interval), &[]))).collect());
        let mut state = State::default();
        for (nth, fate) in fates.iter().enumerate() {
            let time = nth as u64 * 700;
            let _ = next(&plan, &mut state, now(time));
            for job in plan.jobs.keys() {
                let _ = state.ended(job, fate.outcome.clone(), now(time + fate.lasts).wall);
            }
        }
        prop_assert_eq!(&State::after_restart(&state.to_json(), now(100_000).wall).unwrap(), &state);
    }

    #[test]
    fn no_text_breaks_it(text in "\\PC{0,200}") {
        let _ = State::after_restart(&text, now(0).wall);
    }
}
