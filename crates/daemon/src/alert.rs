//! What people are told, and how often.

use std::{collections::BTreeMap, fmt, num::NonZeroU32, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Ago, JobName, JobState, Place};

mod message;

pub use message::Message;

/// Something that can be in order or not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Subject {
    /// Whether a job's runs are successes.
    Runs(JobName),
    /// Whether a job's destination is new enough.
    Age(JobName),
    /// Whether a pool has room and is sound.
    Pool(Place),
}

/// How a subject is now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    /// Of what.
    pub subject: Subject,
    /// What is wrong; `None` where nothing is.
    pub wrong: Option<String>,
}

/// When a job's state is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// From so many failures in a row on.
    pub after_failures: NonZeroU32,
    /// When the destination is older than this; `None` for never.
    pub max_age: Option<Duration>,
}

/// How often something is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// What stays wrong is told again after this time.
    pub remind_after: Duration,
    /// What became wrong again is told only when this time has passed since it was told last: what comes and goes makes
    /// at most two notices in it.
    pub quiet: Duration,
}

/// A day, and an hour.
impl Default for Pace {
    fn default() -> Self {
        Self { remind_after: Duration::from_secs(86_400), quiet: Duration::from_secs(3600) }
    }
}

/// How a job is now.
#[must_use]
pub fn conditions(name: &JobName, job: &JobState, limits: &Limits, now: Timestamp) -> [Condition; 2] {
    let failing = job.failing.as_ref().filter(|failing| failing.in_row >= limits.after_failures);
    let runs = failing.map(|failing| format!("{} failures in a row; the last: {}", failing.in_row, failing.text));
    let age = now.duration_since(job.last_good.unwrap_or(job.first_seen));
    let age = Duration::try_from(age).unwrap_or_default();
    let old = limits.max_age.filter(|allowed| age > *allowed).map(|allowed| match job.last_good {
        Some(_) => format!("the destination is {} old, {} are allowed", Ago(age), Ago(allowed)),
        None => format!("the destination holds nothing after {}, {} are allowed", Ago(age), Ago(allowed)),
    });
    [
        Condition { subject: Subject::Runs(name.clone()), wrong: runs },
        Condition { subject: Subject::Age(name.clone()), wrong: old },
    ]
}

/// What was told. It survives a restart as JSON, so that nothing is told twice.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Told(Vec<Topic>);

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Topic {
    subject: Subject,
    /// Since when people know that it is wrong; `None` where they think that it is right.
    wrong_since: Option<Timestamp>,
    /// When they were told last that it is wrong.
    told_wrong: Timestamp,
}

/// One thing to tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice {
    /// Of what.
    pub subject: Subject,
    /// What.
    pub news: News,
}

/// What is told of a subject.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// It has become wrong.
    Wrong {
        /// What is.
        text: String,
    },
    /// It still is.
    StillWrong {
        /// What is.
        text: String,
        /// Since people were told first.
        since: Timestamp,
    },
    /// It is right again.
    Recovered {
        /// Since people were told first that it was not.
        since: Timestamp,
    },
}

impl Told {
    /// What is to be told now, and what will have been told then: to be taken over, and kept, once somebody took the
    /// message, so that one that nobody took is made again.
    ///
    /// `conditions` are those of all subjects that there are, each once: what was told of others is forgotten. A recovery
    /// is told where the trouble was, and only there.
    #[must_use]
    pub fn news(&self, conditions: &[Condition], pace: &Pace, now: Timestamp) -> (Vec<Notice>, Self) {
        let mut topics: BTreeMap<&Subject, Topic> = BTreeMap::new();
        for topic in &self.0 {
            // From a clock that has been set back since: it counts as now.
            let told_wrong = topic.told_wrong.min(now);
            topics.insert(
                &topic.subject,
                Topic { told_wrong, wrong_since: topic.wrong_since.map(|since| since.min(now)), ..topic.clone() },
            );
        }
        let mut notices = Vec::new();
        let mut told = Vec::new();
        for condition in conditions {
            let (news, topic) = judge(topics.remove(&condition.subject), condition, pace, now);
            notices.extend(news.map(|news| Notice { subject: condition.subject.clone(), news }));
            told.extend(topic);
        }
        (notices, Self(told))
    }
}

fn judge(topic: Option<Topic>, condition: &Condition, pace: &Pace, now: Timestamp) -> (Option<News>, Option<Topic>) {
    let since_told = |topic: &Topic| now.duration_since(topic.told_wrong).unsigned_abs();
    let wrong_at_last = |since| Topic { subject: condition.subject.clone(), wrong_since: Some(since), told_wrong: now };
    match (&condition.wrong, topic) {
        (None, None) => (None, None),
        (Some(text), None) => (Some(News::Wrong { text: text.clone() }), Some(wrong_at_last(now))),
        (Some(text), Some(topic)) => match topic.wrong_since {
            None if since_told(&topic) >= pace.quiet => {
                (Some(News::Wrong { text: text.clone() }), Some(wrong_at_last(now)))
            }
            Some(since) if since_told(&topic) >= pace.remind_after => {
                (Some(News::StillWrong { text: text.clone(), since }), Some(wrong_at_last(since)))
            }
            _ => (None, Some(topic)),
        },
        (None, Some(topic)) => {
            // Kept for as long as it keeps the next one quiet.
            let left = (since_told(&topic) < pace.quiet).then(|| Topic { wrong_since: None, ..topic.clone() });
            (topic.wrong_since.map(|since| News::Recovered { since }), left)
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runs(job) => write!(f, "job {job}"),
            Self::Age(job) => write!(f, "age of {job}"),
            Self::Pool(pool) => write!(f, "pool {pool}"),
        }
    }
}

/// `job home: failing: ...`
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.subject)?;
        match &self.news {
            News::Wrong { text } => f.write_str(text),
            News::StillWrong { text, since } => write!(f, "still, since {since:.0}: {text}"),
            News::Recovered { since } => write!(f, "right again; it was not since {since:.0}"),
        }
    }
}
