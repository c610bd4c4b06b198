//! Why a destination was not brought to the source's state.

use extents::Bytes;
use hyperlayer::LayerId;
use lvm_cmd::LvName;

use crate::{LineageError, LinkError, PairError, Refusal, RefusalKind, Role};

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// A server said no.
    #[error("the {} {doing}: {}", side(*role), refusal.text)]
    Refused {
        /// Which.
        role: Role,
        /// To what.
        doing: &'static str,
        /// Why.
        refusal: Refusal,
    },
    /// A session broke.
    #[error("the session with the {} broke", side(*role))]
    Link {
        /// With whom.
        role: Role,
        /// How.
        #[source]
        source: LinkError,
    },
    /// A session ended, and more was to come.
    #[error("the {} ended the session", side(*role))]
    Ended {
        /// Who.
        role: Role,
    },
    /// The pair has no name.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// What is there may not be replaced, or nobody knows what it is.
    #[error(transparent)]
    Lineage(#[from] LineageError),
    /// A listing that is cut would be taken for all that there is.
    #[error("the {} has more layers than a listing can have, and none of the newest is one that both have", side(*role))]
    TooMany {
        /// Who.
        role: Role,
    },
    /// A side's server does not do what the run needs of it.
    #[error("the {}'s server does not {ability}: it may have been started with an option that forbids it", side(*role))]
    NotAble {
        /// Which side.
        role: Role,
        /// What it would have to do.
        ability: &'static str,
    },
    /// Nothing can be sent.
    #[error("the source has no snapshot that could be sent, and none is to be made")]
    NoSnapshot,
    /// What was to be adopted is not the same.
    #[error(
        "`{source_snapshot}` and `{destination_snapshot}` differ, first in the block at byte {at}; both are read-only and the \
         pair's now, and nothing was sent"
    )]
    Differs {
        /// The source's snapshot.
        source_snapshot: LvName,
        /// The destination's.
        destination_snapshot: LvName,
        /// Where the first block that differs begins.
        at: Bytes,
    },
    /// What was to be quiet at the snapshot did not get so.
    #[error("{0}")]
    Snapshot(String),
    /// Somebody asked to stop.
    #[error("stopped")]
    Stopped,
    /// A transfer was interrupted, and what came is kept.
    #[error("layer {layer} is on its way, and {durable} bytes of its stream are at the destination for good")]
    Partly {
        /// The layer.
        layer: LayerId,
        /// How much of its stream is there.
        durable: Bytes,
        /// What interrupted it.
        #[source]
        cause: Box<SyncError>,
    },
    /// The layer is whole at the destination, and nobody said whether it came under the copy's name.
    #[error("layer {layer} is whole at the destination, and the copy may have become it, or be between its names")]
    Settling {
        /// The layer.
        layer: LayerId,
        /// What came between.
        #[source]
        cause: Box<SyncError>,
    },
    /// The copy is as it was to become, and something that follows on it was not done.
    #[error("the destination holds layer {layer} now, but something was not done")]
    After {
        /// The layer.
        layer: LayerId,
        /// What.
        #[source]
        cause: Box<SyncError>,
    },
}

const fn side(role: Role) -> &'static str {
    match role {
        Role::Source => "source",
        Role::Destination => "destination",
    }
}

impl SyncError {
    /// What a command exits with: 1 failed, 2 usage, 3 refused, 4 surroundings, 5 something is left.
    #[must_use]
    pub fn exit(&self) -> u8 {
        match self {
            Self::Refused { refusal, .. } => refusal.exit,
            Self::Lineage(_) | Self::Differs { .. } | Self::TooMany { .. } | Self::NotAble { .. } => 3,
            Self::NoSnapshot => 2,
            Self::Link { source, .. } if source.is_broken_rule() => 3,
            // As a store that cannot be reached.
            Self::Link { .. } | Self::Ended { .. } => 4,
            Self::Snapshot(_) | Self::Pair(_) | Self::Stopped => 1,
            Self::Partly { .. } | Self::Settling { .. } => 5,
            Self::After { cause, .. } => cause.exit(),
        }
    }

    /// Whether it is nothing but a request to stop that was followed.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        match self {
            Self::Stopped => true,
            Self::Refused { refusal, .. } => refusal.kind == RefusalKind::Stopped,
            _ => false,
        }
    }

    /// What to do next, in this order: first what removes the cause, then the command that finishes.
    #[must_use]
    pub fn hints(&self) -> Vec<&str> {
        let (cause, then) = match self {
            Self::Partly { cause, .. } => (
                cause,
                "run the same `lvbackup sync` again: it resumes the layer, or sends it anew if that is not possible",
            ),
            Self::Settling { cause, .. } => (cause, "run the same `lvbackup sync` again, which finishes it"),
            Self::After { cause, .. } => (cause, "run the same `lvbackup sync` again, which does the rest"),
            _ => return self.own_hint().into_iter().collect(),
        };
        let mut hints = cause.hints();
        hints.push(then);
        hints
    }

    fn own_hint(&self) -> Option<&str> {
        match self {
            Self::Lineage(LineageError::Older { .. }) => {
                Some("sync without `--no-snapshot`; `--rollback` puts the destination back to the older layer")
            }
            Self::Lineage(LineageError::Written { .. }) => Some(
                "never write to the destination; `--rollback` keeps what was written as a snapshot and goes on from the \
                 layer before",
            ),
            Self::Lineage(LineageError::InUse) => {
                Some("unmount it, and do it again; what is mounted from a snapshot of it may stay")
            }
            Self::Lineage(LineageError::Unknown | LineageError::NothingCommon { .. }) => Some(
                "give `--use-existing` to compare both and send only what differs, or another `--name` to leave it as it is and \
                 send everything",
            ),
            Self::Lineage(LineageError::OtherPair { .. }) => Some("give the pair that it belongs to with `--pair`"),
            Self::NoSnapshot => Some("omit `--no-snapshot`"),
            Self::Differs { .. } => Some("give `--use-existing` instead of `--adopt` to send only what differs"),
            Self::Refused { refusal, .. } if !refusal.hint.is_empty() => Some(refusal.hint.as_str()),
            Self::Refused { refusal, .. } if refusal.kind == RefusalKind::Busy => {
                Some("wait until the other session is done; nothing was changed")
            }
            _ => None,
        }
    }
}
