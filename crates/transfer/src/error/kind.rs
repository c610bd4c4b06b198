//! What a failure means.

use std::io;

use super::Error;

/// What a failure means to its caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operation failed.
    Failed,
    /// It was stopped on request.
    Stopped,
    /// What was asked for cannot be meant.
    Usage,
    /// The data was refused: cut, altered, or meant for another base.
    Refused,
    /// The surroundings were refused: a tool missing or faulty, a pool unhealthy or too full.
    Surroundings,
    /// Something was left that must be finished or removed.
    Unfinished,
}

impl Error {
    /// What this means to the caller.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Copy(block_copy::Error::Stopped) => ErrorKind::Stopped,
            Self::NotInOld { .. } => ErrorKind::Usage,
            Self::Input { source, .. } if is_about_content(source) => ErrorKind::Refused,
            Self::Input { .. } | Self::Output(_) | Self::Encode { .. } | Self::TargetTooSmall { .. } => {
                ErrorKind::Failed
            }
            Self::Copy(error) => match error.kind() {
                block_copy::ErrorKind::NoSpace | block_copy::ErrorKind::Uncounted => ErrorKind::Surroundings,
                block_copy::ErrorKind::Changed => ErrorKind::Refused,
                block_copy::ErrorKind::NotDurable => ErrorKind::Unfinished,
                _ => ErrorKind::Failed,
            },
            Self::Lvm(error) => error.kind(),
            Self::Ledger(_) => ErrorKind::Failed,
            Self::AndLeft { .. } => ErrorKind::Unfinished,
            Self::In { source, .. } => source.kind(),
            _ => ErrorKind::Refused,
        }
    }

    /// Whether what was read is no stream at all, neither cut nor altered.
    #[must_use]
    pub fn is_no_stream(&self) -> bool {
        match self {
            Self::NoStream => true,
            Self::Stream { source } => matches!(source.kind, hyperlayer::ErrorKind::NoMagic { .. }),
            Self::In { source, .. } => source.is_no_stream(),
            _ => false,
        }
    }

    /// Whether the input ended too early, which the same input from its source may mend.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        match self {
            Self::Stream { source } => source.is_cut(),
            Self::In { source, .. } => source.is_cut(),
            _ => false,
        }
    }
}

/// Whether the bytes themselves are wrong: a compressed stream that is cut or altered.
pub(super) fn is_about_content(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}
