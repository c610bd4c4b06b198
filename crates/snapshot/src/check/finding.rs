//! What a check found.

use std::fmt::Display;

use super::Check;
use crate::Step;

/// What one check looked at, found and concludes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// The object.
    pub looked_at: String,
    /// What was found; where it is refused, a whole sentence for people.
    pub found: String,
    /// What that means.
    pub conclusion: Conclusion,
    /// What to do next.
    pub hint: Option<String>,
}

/// What a check concludes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conclusion {
    /// Nothing stands in the way.
    Ok,
    /// Nothing does now, and something may later.
    Warning,
    /// It cannot be done.
    Refused(Refusal),
    /// What is asked for has no need of it.
    NotNeeded,
    /// It could not be looked at, because of what another check refused.
    NotLookedAt,
    /// Only this step can tell, while the snapshot is made.
    WhenMade(Step),
    /// It is looked at before this step is undone, when the snapshot is removed.
    WhenRemoved(Step),
}

impl Conclusion {
    /// In a few words, which never change.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Refused(_) => "refused",
            Self::NotNeeded => "not needed",
            Self::NotLookedAt => "not looked at",
            Self::WhenMade(_) => "when it is made",
            Self::WhenRemoved(_) => "when it is removed",
        }
    }

    /// The name of the step that tells, or before whose undoing it is looked at.
    #[must_use]
    pub const fn step(self) -> Option<&'static str> {
        match self {
            Self::WhenMade(step) | Self::WhenRemoved(step) => Some(name(step)),
            _ => None,
        }
    }
}

/// Why it cannot be done, coarsely.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It cannot be meant.
    Usage,
    /// The host does not permit it: rights, programs, space, the state of a group or a pool.
    Surroundings,
    /// Something is there that is not touched, or is not there.
    Failed,
    /// What is on the volume does not permit it.
    Content,
    /// Something is left of an earlier run.
    Unfinished,
}

/// The first refusal, and all others.
#[must_use]
pub fn refusals(findings: &[Finding]) -> Vec<(&Finding, Refusal)> {
    let refused = |finding: &'_ Finding| match finding.conclusion {
        Conclusion::Refused(refusal) => Some(refusal),
        _ => None,
    };
    findings.iter().filter_map(|finding| Some((finding, refused(finding)?))).collect()
}

/// A check of something, of which a finding is made.
pub(super) struct Of {
    check: Check,
    looked_at: String,
}

/// A check of `looked_at`.
pub(super) fn of(check: Check, looked_at: impl Display) -> Of {
    Of { check, looked_at: looked_at.to_string() }
}

impl Of {
    fn finding(self, conclusion: Conclusion, found: impl Display) -> Finding {
        Finding { check: self.check, looked_at: self.looked_at, found: found.to_string(), conclusion, hint: None }
    }

    pub(super) fn ok(self, found: impl Display) -> Finding {
        self.finding(Conclusion::Ok, found)
    }

    pub(super) fn warning(self, found: impl Display) -> Finding {
        self.finding(Conclusion::Warning, found)
    }

    pub(super) fn refused(self, why: Refusal, found: impl Display) -> Finding {
        self.finding(Conclusion::Refused(why), found)
    }

    pub(super) fn not_needed(self, found: impl Display) -> Finding {
        self.finding(Conclusion::NotNeeded, found)
    }

    pub(super) fn not_looked_at(self) -> Finding {
        self.finding(Conclusion::NotLookedAt, "something before it is refused")
    }

    pub(super) fn when_made(self, step: Step) -> Finding {
        self.finding(Conclusion::WhenMade(step), format!("only the step `{}` can tell", name(step)))
    }

    pub(super) fn when_removed(self, step: Step) -> Finding {
        self.finding(Conclusion::WhenRemoved(step), format!("before the step `{}` is undone", name(step)))
    }
}

impl Finding {
    pub(super) fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }
}

/// As the record calls it.
const fn name(step: Step) -> &'static str {
    match step {
        Step::File => "file",
        Step::Loop => "loop",
        Step::PhysicalVolume => "physical-volume",
        Step::Group => "group",
        Step::Volume => "volume",
        Step::Folder => "folder",
        Step::Mount => "mount",
    }
}
