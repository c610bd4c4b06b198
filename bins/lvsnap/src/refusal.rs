//! What a command fails with where a check refuses.

use cli::{Exit, Failure, Outcome};
use snapshot::check::{Finding, Refusal, refusals};

/// The exit code of a refusal.
pub(crate) fn exit(refusal: Refusal) -> Exit {
    match refusal {
        Refusal::Usage => Exit::Usage,
        Refusal::Surroundings => Exit::Surroundings,
        Refusal::Failed => Exit::Failed,
        Refusal::Content => Exit::Refused,
        Refusal::Unfinished => Exit::Unfinished,
    }
}

/// # Errors
/// The first refusal; all others are further lines of it.
pub(crate) fn refuse(findings: &[Finding]) -> Outcome {
    let refused = refusals(findings);
    let Some(((first, refusal), rest)) = refused.split_first() else { return Ok(()) };
    let failure = Failure::msg(exit(*refusal), &first.found);
    let failure = first.hint.iter().fold(failure, Failure::hint);
    Err(rest.iter().fold(failure, |failure, (other, _)| failure.hint(format!("besides: {}", other.found))))
}
