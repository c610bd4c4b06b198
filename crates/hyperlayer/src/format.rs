//! Which formats there are, and what each can promise.

use std::fmt;

/// The format of a stream. What each can promise, the methods say; why, FORMAT.md under "Foreign formats".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// HYPERLAYER 1.0, as the original `lvdiff` writes it, and its variants.
    V1_0,
    /// HYPERLAYER 1.1, with identity, zero records, checks of every record and an end record.
    V1_1,
    /// The binary streams of the first `lvbackup`. Read only.
    LvbackupV1,
    /// What `thin_send` of thin-send-recv 1.0 writes. Read only.
    ThinSend1_0,
    /// What `thin_send` of thin-send-recv 1.1 writes, with an end mark.
    ThinSend1_1,
    /// What `lvmsync` 1.0 and later dumps. Read only.
    Lvmsync,
    /// The XML of lvm-thin-sendrcv. Read only, and only by who knows the block size.
    Ddxml,
}

/// A version of HYPERLAYER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1_0,
    V1_1,
}

impl From<Version> for Format {
    fn from(version: Version) -> Self {
        match version {
            Version::V1_0 => Self::V1_0,
            Version::V1_1 => Self::V1_1,
        }
    }
}

impl Format {
    /// Which version of HYPERLAYER it is, if it is one.
    pub(crate) fn version(self) -> Option<Version> {
        match self {
            Self::V1_0 => Some(Version::V1_0),
            Self::V1_1 => Some(Version::V1_1),
            _ => None,
        }
    }

    /// Whether no stream can be cut unseen. One of HYPERLAYER 1.0 may still say how much it holds: see
    /// [`Header::delta_blocks`](crate::Header::delta_blocks) and [`End::completeness`](crate::End::completeness).
    #[must_use]
    pub fn promises_end(self) -> bool {
        match self {
            Self::V1_1 | Self::LvbackupV1 | Self::ThinSend1_1 | Self::Ddxml => true,
            Self::V1_0 | Self::ThinSend1_0 | Self::Lvmsync => false,
        }
    }

    /// Whether a delta can name its base.
    #[must_use]
    pub fn names_base(self) -> bool {
        match self {
            Self::V1_0 | Self::V1_1 | Self::LvbackupV1 => true,
            Self::ThinSend1_0 | Self::ThinSend1_1 | Self::Lvmsync | Self::Ddxml => false,
        }
    }

    /// Whether records ascend and do not overlap. Where they need not, a later record replaces what an earlier one
    /// said of the same bytes.
    #[must_use]
    pub fn orders_records(self) -> bool {
        self == Self::V1_1
    }

    /// Whether every stream says how large its volume is. One of HYPERLAYER 1.0 may.
    #[must_use]
    pub fn knows_size(self) -> bool {
        matches!(self, Self::V1_1 | Self::LvbackupV1)
    }

    /// Whether it is a version of HYPERLAYER.
    #[must_use]
    pub fn is_hyperlayer(self) -> bool {
        self.version().is_some()
    }
}

impl fmt::Display for Format {
    /// A short name; of HYPERLAYER only the version.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::LvbackupV1 => "lvbackup v1",
            Self::ThinSend1_0 => "thin-send 1.0",
            Self::ThinSend1_1 => "thin-send 1.1",
            Self::Lvmsync => "lvmsync",
            Self::Ddxml => "ddxml",
        })
    }
}
