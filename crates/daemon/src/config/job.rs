//! `[job.NAME]` and `[defaults]`.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use retention::{Rule, Zone};

use super::{
    Hooks, Job, MAX_LIST, Sync, keep,
    reader::{Field, Table},
    sync, when,
};
use crate::{Backoff, Interval, JobName, Limits, Place};

/// Without word from anybody, a transfer that gets no further for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(600);
/// A failure may be a host that restarts; the third in a row is told.
const AFTER_FAILURES: NonZeroU32 = NonZeroU32::new(3).unwrap();

/// What may stand in a job and among the defaults.
#[derive(Clone, Default)]
pub(super) struct Keys {
    when: when::Keys,
    keep_source: Option<Vec<Rule>>,
    keep_destination: Option<Vec<Rule>>,
    before: Option<Vec<String>>,
    after: Option<Vec<String>>,
    sync: Sync,
    stuck_after: Option<Duration>,
    max_age: Option<Duration>,
    after_failures: Option<NonZeroU32>,
    backoff: Option<Backoff>,
}

impl Keys {
    pub(super) fn read(table: &mut Table<'_>, zone: &Zone) -> Self {
        let mut keys = Self {
            when: when::Keys::read(table, zone),
            sync: Sync::read(table),
            stuck_after: table.read("stuck_after", Field::duration),
            max_age: table.read("max_age", Field::duration),
            after_failures: table.read("alert_after_failures", |field| {
                let number = field.number("a whole number from 1 to 1000", 1..1001)?;
                NonZeroU32::new(u32::try_from(number).ok()?)
            }),
            backoff: table.read("backoff", backoff),
            ..Self::default()
        };
        if let Some(mut keep) = table.read("keep", |field| field.table("rules for `source` and `destination`")) {
            keys.keep_source = keep.read("source", keep::rules);
            keys.keep_destination = keep.read("destination", keep::rules);
            keep.done();
        }
        if let Some(mut hooks) = table.read("hooks", |field| field.table("programs for `before` and `after`")) {
            keys.before = hooks.read("before", program);
            keys.after = hooks.read("after", program);
            hooks.done();
        }
        keys
    }
}

/// A job, with what the defaults say where it says nothing.
pub(super) fn read(mut table: Table<'_>, defaults: &Keys, zone: &Zone) -> Option<Job> {
    let place = |field: Field<'_>| field.text("VG/LV or [USER@]HOST:VG/LV", |text| text.parse::<Place>().ok());
    let source = table.need("source", "the volume to mirror, VG/LV or [USER@]HOST:VG/LV").and_then(place);
    let given = table.need("destination", "its mirror, VG/LV or [USER@]HOST:VG/LV");
    let destination = given.clone().and_then(place);
    if let (Some(source), Some(destination), Some(given)) = (&source, &destination, given) {
        if source == destination {
            given.wrong::<()>("is the source itself");
        } else if source.host().is_some() && destination.host().is_some() {
            given.wrong::<()>("source and destination are both on other hosts: one must be on this one");
        }
    }
    let pair = table.read("pair", sync::pair);
    let keys = Keys::read(&mut table, zone);
    let schedule = keys.when.schedule(&defaults.when, &table);
    table.done();
    Some(Job {
        source: source?,
        destination: destination?,
        schedule: schedule?,
        keep_source: keep::policy(keys.keep_source.or_else(|| defaults.keep_source.clone()), zone),
        keep_destination: keep::policy(keys.keep_destination.or_else(|| defaults.keep_destination.clone()), zone),
        hooks: Hooks {
            before: keys.before.or_else(|| defaults.before.clone()),
            after: keys.after.or_else(|| defaults.after.clone()),
        },
        sync: Sync { pair, ..keys.sync.or(&defaults.sync) },
        stuck_after: keys.stuck_after.or(defaults.stuck_after).unwrap_or(STUCK_AFTER),
        backoff: keys.backoff.or(defaults.backoff).unwrap_or_default(),
        limits: Limits {
            after_failures: keys.after_failures.or(defaults.after_failures).unwrap_or(AFTER_FAILURES),
            max_age: keys.max_age.or(defaults.max_age),
        },
    })
}

/// Two jobs that write the same volume would undo each other's work, and so would two with the tags of the same pair.
pub(super) fn check_destinations(jobs: &BTreeMap<JobName, (Job, Field<'_>)>) {
    let mut seen: BTreeMap<&Place, &JobName> = BTreeMap::new();
    let mut pairs: BTreeMap<&str, &JobName> = BTreeMap::new();
    for (name, (job, field)) in jobs {
        if let Some(other) = seen.insert(&job.destination, name) {
            field.wrong::<()>(&format!("its destination `{}` is that of `job.{other}` too", job.destination));
        }
        if let Some(pair) = &job.sync.pair
            && let Some(other) = pairs.insert(pair, name)
        {
            field.wrong::<()>(&format!("its pair `{pair}` is that of `job.{other}` too"));
        }
    }
}

fn backoff(field: &Field<'_>) -> Option<Backoff> {
    let mut table = field.table("waits such as `{ first = \"1m\", cap = \"1h\" }`")?;
    let first = table.need("first", "how long to wait after one failure").and_then(|field| field.duration());
    let cap = table.need("cap", "the longest wait").and_then(|field| field.duration());
    table.done();
    let longest = Interval::MAX.as_secs() / 86_400;
    Backoff::new(first?, cap?).or_else(|| field.wrong(&format!("expected `first` <= `cap` <= `{longest}d`")))
}

/// A program and its arguments.
pub(super) fn program(field: &Field<'_>) -> Option<Vec<String>> {
    let argument = |item: &Field<'_>| {
        item.text("a text without zero bytes", |text| (!text.contains('\0')).then(|| text.to_owned()))
    };
    let program = field.list("a program and its arguments such as `[\"/usr/bin/true\"]`", MAX_LIST, argument)?;
    let is_absolute = program.first().is_some_and(|path| path.starts_with('/'));
    if is_absolute { Some(program) } else { field.fault("an absolute path first, such as `[\"/usr/bin/true\"]`") }
}
