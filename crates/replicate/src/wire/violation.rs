//! Each rule of the session by its lie.

use std::fmt;

use extents::Bytes;
use hyperlayer::{Digest, LayerId};
use lvm_cmd::LvName;

use crate::wire::parts::Role;
use crate::{Kind, Side, Text};

/// What was to come, and what came: layer and parent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OtherLayer {
    /// As agreed.
    pub expected: (LayerId, Option<LayerId>),
    /// As it came.
    pub found: (LayerId, Option<LayerId>),
}

impl fmt::Display for OtherLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parent =
            |parent: &Option<LayerId>| parent.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let ((layer, on), (other, other_on)) = (&self.expected, &self.found);
        write!(f, "expected layer {layer} on {}, found {other} on {}", parent(on), parent(other_on))
    }
}

/// A rule of the session that was broken: by the other side, or, where it was about to be sent, by this program.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// Not now, or not from that side.
    #[error("{kind:?} came from the {from} out of turn; expected {awaited}")]
    OutOfTurn {
        /// What came.
        kind: Kind,
        /// From whom.
        from: Side,
        /// What was to come.
        awaited: &'static str,
    },
    /// No version in common.
    #[error(
        "the two programs speak no version of the protocol in common: the client {} to {}, the server {} to {}",
        client.0, client.1, server.0, server.1
    )]
    Versions {
        /// The client's oldest and newest.
        client: (u32, u32),
        /// The server's oldest and newest.
        server: (u32, u32),
    },
    /// The server never said that it can do this.
    #[error("{kind:?} needs a server with the ability `{ability}`, which this one does not have or does not allow")]
    NotAble {
        /// What was asked.
        kind: Kind,
        /// What it needs.
        ability: &'static str,
    },
    /// A ping before the one before was answered.
    #[error("the {from} sent a ping before the one before was answered")]
    PingTwice {
        /// Who.
        from: Side,
    },
    /// A pong that answers no ping.
    #[error("the {from} answered a ping with {found}, expected {expected:?}")]
    Pong {
        /// Who.
        from: Side,
        /// The ping's number; `None` where there was none.
        expected: Option<u64>,
        /// The pong's.
        found: u64,
    },
    /// An answer about something else.
    #[error("the far side answered about another layer: {0}")]
    OtherLayer(Box<OtherLayer>),
    /// A listing with, or without, what is under the volume's own name.
    #[error(
        "a listing of a {role:?} must say what is under its own name, and may have a part of a layer, exactly where it is a \
         destination"
    )]
    Live {
        /// What was asked for.
        role: Role,
    },
    /// Another layer was made or adopted than was asked for.
    #[error("the far side answered with `{name}`, which is not the layer that was to be made")]
    Made {
        /// The volume that it says it is.
        name: LvName,
    },
    /// A piece of the stream was packed, which not both sides understand.
    #[error("a piece of the stream came packed, and not both sides said that they can do that")]
    NotPacked,
    /// A piece of the stream cannot be unpacked.
    #[error("a packed piece of the stream is refused: {why}")]
    Packed {
        /// Why.
        why: Text,
    },
    /// Hashes of other blocks.
    #[error("expected {expected_count} hashes from byte {expected_at}, found {found_count} from byte {found_at}")]
    Hashes {
        /// Where the first block begins.
        expected_at: Bytes,
        /// How many.
        expected_count: u64,
        /// Where it says that they begin.
        found_at: Bytes,
        /// How many came.
        found_count: u64,
    },
    /// A stream that begins where nobody asked for.
    #[error("the stream begins at byte {found} of the volume, expected 0 or {expected:?}")]
    Resume {
        /// Where the token says.
        expected: Option<Bytes>,
        /// Where it does.
        found: Bytes,
    },
    /// A stream of other sizes than were offered.
    #[error("`{field}` of the stream is {found}, expected {expected}")]
    Plan {
        /// Which.
        field: &'static str,
        /// As offered.
        expected: u64,
        /// As it came.
        found: u64,
    },
    /// Another read-back than was asked for.
    #[error("the stream is to be verified otherwise than was asked for")]
    Verify,
    /// A piece of the stream from another place.
    #[error("data came from byte {found} of the stream, expected {expected}")]
    Offset {
        /// What comes next.
        expected: Bytes,
        /// What came.
        found: Bytes,
    },
    /// More than the stream has.
    #[error("data came up to byte {found} of a stream of {stream} bytes")]
    TooMuch {
        /// How long the stream is.
        stream: Bytes,
        /// Up to where the data would go.
        found: Bytes,
    },
    /// Less than the stream has.
    #[error("the stream ended after {found} of {stream} bytes")]
    TooLittle {
        /// How long the stream is.
        stream: Bytes,
        /// What came of it.
        found: Bytes,
    },
    /// What was never sent was acknowledged.
    #[error("{found} bytes of the stream were acknowledged, and only {sent} were sent")]
    AckBeyond {
        /// What was sent.
        sent: Bytes,
        /// What was acknowledged.
        found: Bytes,
    },
    /// An acknowledgement that says no more than the one before.
    #[error("{found} bytes were acknowledged after {last} were")]
    AckAgain {
        /// The last one.
        last: Bytes,
        /// This one.
        found: Bytes,
    },
    /// A layer was said to be done before all of it was durable.
    #[error("the layer was said to be done when {durable} of {stream} bytes were durable")]
    NotDurable {
        /// How long the stream is.
        stream: Bytes,
        /// What was acknowledged.
        durable: Bytes,
    },
    /// What was read back is not what was sent; or it was not read back.
    #[error("the content read back is not what was sent: expected {}, found {}", shown(expected), shown(found))]
    ReadBack {
        /// What the sender read.
        expected: Option<Digest>,
        /// What the receiver read.
        found: Option<Digest>,
    },
    /// A digest where none was agreed, or none where one was.
    #[error("the end of the stream has {}, expected {}", shown(found), if *expected { "a digest" } else { "no digest" })]
    EndDigest {
        /// Whether there was to be one.
        expected: bool,
        /// What came.
        found: Option<Digest>,
    },
    /// The connection ended, and more was to come.
    #[error("the session ended; expected {awaited}")]
    Ended {
        /// What was to come.
        awaited: &'static str,
    },
}

fn shown(digest: &Option<Digest>) -> String {
    digest.map_or_else(|| "no digest".to_owned(), |digest| digest.to_string())
}
