//! What kind of failure an error is.

/// What kind of failure an error is, coarse and stable, for whoever has to choose an exit code or a hint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Kind {
    /// A volume, a group or a file that was named does not exist.
    NotFound,
    /// The surroundings do not permit the work: a program is missing or faulty, a pool is unhealthy, too full, or in
    /// somebody else's use.
    Environment,
    /// In use right now; the same may succeed later.
    Busy,
    /// A program was run and failed, or answered what it should not.
    Failed,
    /// What was asked for cannot be meant: a name that LVM would not take, a volume of the wrong type.
    Invalid,
}

/// An error with its causes on one line, as a program shows it.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
