//! What went wrong here, as the far side is told.

use std::error::Error as _;

use lvm_cmd::{ActivationError, Kind, LockError, NameError, PoolError, ReportError, VolumeError};
use transfer::lvm::LvmError;
use transfer::receive::LedgerError;
use transfer::{Error, ErrorKind};

use crate::{Refusal, RefusalKind};

/// The error with all its causes; what to do next is the hint.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let ((kind, exit), hint) = (kind(&error), hint(&error));
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        Self::new(kind, &text, exit).with_hint(hint.as_deref().unwrap_or_default())
    }
}

/// What the user of the client does next. The hints about interrupted receives name options of `lvbackup recv`, and the
/// reader ran `lvbackup sync`, which discards by itself what it cannot resume.
fn hint(error: &Error) -> Option<String> {
    match error {
        Error::In { source, .. } => hint(source),
        Error::AndLeft { left, .. } => hint(left),
        Error::Lvm(of) => match &**of {
            LvmError::PartialGone { .. } | LvmError::MayHaveChanged { .. } => Some(AGAIN.to_owned()),
            of => of.hint(),
        },
        Error::OtherBeginning { .. }
        | Error::RolledBack { .. }
        | Error::Overwritten { .. }
        | Error::OtherRest { .. }
        | Error::OtherLayer { .. }
        | Error::OtherChain { .. }
        | Error::OtherContent { .. }
        | Error::OtherHeader { .. }
        | Error::ShortChain { .. }
        | Error::Rest { .. }
        | Error::Ledger(_) => Some(AGAIN.to_owned()),
        error => error.hint(),
    }
}

const AGAIN: &str = "run the same `lvbackup sync` again, which sends the layer anew";

macro_rules! refusals {
    ($($from:ty),+) => {
        $(
            impl From<$from> for Refusal {
                fn from(error: $from) -> Self {
                    Error::from(error).into()
                }
            }
        )+
    };
}

refusals!(ActivationError, LockError, NameError, PoolError, ReportError, VolumeError, LedgerError, block_copy::Error);

/// What kind of no, and the exit status of the same failure in a command.
fn kind(error: &Error) -> (RefusalKind, u8) {
    if let Some(kind) = lvm_kind(error) {
        return (kind, 4);
    }
    if is_not_found(error) {
        return (RefusalKind::NotFound, 1);
    }
    match error.kind() {
        ErrorKind::Stopped => (RefusalKind::Stopped, 1),
        ErrorKind::Usage => (RefusalKind::Failed, 2),
        ErrorKind::Refused => (RefusalKind::Data, 3),
        ErrorKind::Surroundings => (RefusalKind::Surroundings, 4),
        ErrorKind::Unfinished => (RefusalKind::Failed, 5),
        _ => (RefusalKind::Failed, 1),
    }
}

fn lvm_kind(error: &Error) -> Option<RefusalKind> {
    match error {
        Error::Copy(error) if error.kind() == block_copy::ErrorKind::NoSpace => Some(RefusalKind::Space),
        Error::Lvm(error) => match &**error {
            LvmError::PoolFull { .. } => Some(RefusalKind::Space),
            LvmError::LockError(error) if error.kind() == Kind::Busy => Some(RefusalKind::Busy),
            _ => None,
        },
        _ => None,
    }
}

fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::Lvm(error) if matches!(&**error, LvmError::ReportError(error) if error.kind() == Kind::NotFound))
}

/// There is no such layer.
pub(super) fn no_layer(layer: &hyperlayer::LayerId, of: &lvm_cmd::LvRef) -> Refusal {
    Refusal::new(RefusalKind::NotFound, &format!("there is no layer {layer} of `{of}`"), 1)
}

/// The destination is not as it must be.
pub(super) fn destination(text: &str, exit: u8) -> Refusal {
    Refusal::new(RefusalKind::Destination, text, exit)
}

#[cfg(test)]
mod tests {
    use lvm_cmd::LvName;

    use super::*;

    #[test]
    fn kinds_exits_and_what_to_do() {
        let pool = || "vg0/pool".parse().unwrap();
        let full = LvmError::PoolFull {
            pool: pool(),
            what: "data",
            needed: extents::Bytes::new(1),
            free: extents::Bytes::ZERO,
        };
        let missing = ReportError::UnknownLv { name: pool(), similar: Vec::new() };
        let held = LockError::Held { path: "lock".into(), holder: Some(7), waited: std::time::Duration::ZERO };
        let name = "-".parse::<LvName>().unwrap_err();
        let anew = "`lvbackup sync` again";
        let table: [(Refusal, RefusalKind, u8, &str, &str); 8] = [
            (Error::from(full).into(), RefusalKind::Space, 4, "too full", "lvextend"),
            (missing.into(), RefusalKind::NotFound, 1, "not found", ""),
            (held.into(), RefusalKind::Busy, 4, "process 7", ""),
            (name.into(), RefusalKind::Failed, 2, "hyphen", ""),
            (block_copy::Error::Stopped.into(), RefusalKind::Stopped, 1, "stop", ""),
            (Error::OtherBeginning { at: extents::Bytes::ZERO }.into(), RefusalKind::Data, 3, "byte 0", anew),
            (Error::RolledBack { at: extents::Bytes::ZERO, layers: 0 }.into(), RefusalKind::Data, 3, "byte 0", anew),
            (Error::from(LvmError::PartialGone { name: pool() }).into(), RefusalKind::Failed, 1, "vg0/pool", anew),
        ];
        for (found, kind, exit, says, hints) in table {
            assert_eq!((found.kind, found.exit), (kind, exit), "{found:?}");
            assert!(found.text.as_str().contains(says) && found.hint.as_str().contains(hints), "{found:?}");
            let both = format!("{}{}", found.text, found.hint);
            assert!(hints.is_empty() == found.hint.is_empty() && !both.contains("lvbackup recv"), "{found:?}");
        }
    }
}
