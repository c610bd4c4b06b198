//! What is said (PROTOCOL.md, "Messages"), and its bytes.

use extents::Bytes;
use lvm_cmd::LvRef;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::wire::blocks::{Compare, Hashes};
use crate::wire::frame::Kind;
use crate::wire::manage::{Adopt, Differ, Noted, Prune, Pruned, Settle, Settled, Snapshot};
use crate::wire::parts::{
    Begin, Data, Done, End, Hello, Layers, List, Offer, Packed, Plan, Ready, Refusal, Selected, Send, check_layer,
};
use crate::wire::rule::Rule;
use crate::{Layer, Side, Text};

/// One frame's content.
#[derive(Clone, PartialEq, Debug)]
pub enum Message<'a> {
    /// Both, first: who speaks, and what.
    Hello(Hello),
    /// Both: are you there? With any number.
    Ping(u64),
    /// Both: yes, with the ping's number. It proves life, not progress.
    Pong(u64),
    /// Both: no, or no longer.
    Refusal(Refusal),
    /// The client: that was all.
    Bye,

    /// The client: what is there of a volume?
    List(List),
    /// The server: this.
    Layers(Layers),
    /// The client: what would be sent?
    Plan(Selected),
    /// The server: this.
    Planned(Plan),
    /// The client: would you receive this? Nothing is made or changed for it.
    Try(Offer),
    /// The client: receive this.
    Receive(Offer),
    /// The server: I would, or am about to.
    Ready(Ready),
    /// The client: send this.
    Send(Send),
    /// The client: what are the hashes of these blocks?
    Compare(Compare),
    /// The server: these.
    Hashes(Hashes<'a>),
    /// The client: make a layer of what is in the volume now.
    Snapshot(Snapshot),
    /// The server: this one.
    Made(Layer),
    /// The client: these blocks of a layer differ from one that you do not have.
    Differ(Differ),
    /// The server: so much is noted.
    Noted(Noted),
    /// The client: put that layer under the destination's own name.
    Settle(Settle),
    /// The server: it is there.
    Settled(Settled),
    /// The client: take that snapshot for a layer.
    Adopt(Adopt),
    /// The client: remove what no rule keeps.
    Prune(Prune),
    /// The server: this went.
    Pruned(Pruned),

    /// The sender: here it comes.
    Begin(Begin),
    /// The sender: the next piece of the stream.
    Data(Data<'a>),
    /// The sender: the next piece of the stream, packed.
    Packed(Packed<'a>),
    /// The receiver: everything of the stream below this many bytes is on disk for good, and known to be.
    Durable(Bytes),
    /// The sender: the stream is whole.
    End(End),
    /// The receiver: this many bytes of content were read back.
    Verified(Bytes),
    /// The receiver: the layer is whole, checked, durable, and has its name.
    Done(Done),
}

/// Why a body is no message, or a message cannot be sent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Its JSON is none, or not that of the message.
    #[error("{kind:?} is malformed: {why}")]
    Malformed {
        /// What it was to be.
        kind: Kind,
        /// What is wrong.
        why: Text,
    },
    /// A binary body of the wrong length.
    #[error("{kind:?} has {found_bytes} bytes, expected {expected}")]
    Length {
        /// What it was to be.
        kind: Kind,
        /// Its length in bytes.
        found_bytes: usize,
        /// What it may have.
        expected: &'static str,
    },
    /// A value that contradicts another, or lies out of range.
    #[error("{kind:?} is refused: {rule}")]
    Rule {
        /// What it was to be.
        kind: Kind,
        /// What is wrong.
        rule: Rule,
    },
}

impl Message<'_> {
    /// Its type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Hello(_) => Kind::Hello,
            Self::Ping(_) => Kind::Ping,
            Self::Pong(_) => Kind::Pong,
            Self::Refusal(_) => Kind::Refusal,
            Self::Bye => Kind::Bye,
            Self::List(_) => Kind::List,
            Self::Layers(_) => Kind::Layers,
            Self::Plan(_) => Kind::Plan,
            Self::Planned(_) => Kind::Planned,
            Self::Try(_) => Kind::Try,
            Self::Receive(_) => Kind::Receive,
            Self::Ready(_) => Kind::Ready,
            Self::Send(_) => Kind::Send,
            Self::Compare(_) => Kind::Compare,
            Self::Hashes(_) => Kind::Hashes,
            Self::Snapshot(_) => Kind::Snapshot,
            Self::Made(_) => Kind::Made,
            Self::Differ(_) => Kind::Differ,
            Self::Noted(_) => Kind::Noted,
            Self::Settle(_) => Kind::Settle,
            Self::Settled(_) => Kind::Settled,
            Self::Adopt(_) => Kind::Adopt,
            Self::Prune(_) => Kind::Prune,
            Self::Pruned(_) => Kind::Pruned,
            Self::Begin(_) => Kind::Begin,
            Self::Data(_) => Kind::Data,
            Self::Packed(_) => Kind::Packed,
            Self::Durable(_) => Kind::Durable,
            Self::End(_) => Kind::End,
            Self::Verified(_) => Kind::Verified,
            Self::Done(_) => Kind::Done,
        }
    }

    /// The volume that a request is about; `None` of everything else. This is what a server's rule is asked about.
    #[must_use]
    pub const fn volume(&self) -> Option<&LvRef> {
        match self {
            Self::List(list) => Some(&list.volume),
            Self::Plan(selected) => Some(&selected.volume),
            Self::Try(offer) | Self::Receive(offer) => Some(&offer.volume),
            Self::Send(send) => Some(&send.selected.volume),
            Self::Compare(compare) => Some(&compare.volume),
            Self::Snapshot(snapshot) => Some(&snapshot.volume),
            Self::Differ(differ) => Some(&differ.volume),
            Self::Settle(settle) => Some(&settle.volume),
            Self::Adopt(adopt) => Some(&adopt.volume),
            Self::Prune(prune) => Some(&prune.volume),
            Self::Hello(_)
            | Self::Ping(_)
            | Self::Pong(_)
            | Self::Refusal(_)
            | Self::Bye
            | Self::Layers(_)
            | Self::Planned(_)
            | Self::Ready(_)
            | Self::Hashes(_)
            | Self::Made(_)
            | Self::Noted(_)
            | Self::Settled(_)
            | Self::Pruned(_)
            | Self::Begin(_)
            | Self::Data(_)
            | Self::Packed(_)
            | Self::Durable(_)
            | Self::End(_)
            | Self::Verified(_)
            | Self::Done(_) => None,
        }
    }

    /// Appends the body.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) -> Result<(), MessageError> {
        let kind = self.kind();
        self.check().map_err(|rule| MessageError::Rule { kind, rule })?;
        let before = to.len();
        match self {
            Self::Hello(body) => json(kind, body, to),
            Self::Refusal(body) => json(kind, body, to),
            Self::List(body) => json(kind, body, to),
            Self::Layers(body) => json(kind, body, to),
            Self::Plan(body) => json(kind, body, to),
            Self::Planned(body) => json(kind, body, to),
            Self::Try(body) | Self::Receive(body) => json(kind, body, to),
            Self::Ready(body) => json(kind, body, to),
            Self::Send(body) => json(kind, body, to),
            Self::Compare(body) => json(kind, body, to),
            Self::Snapshot(body) => json(kind, body, to),
            Self::Made(body) => json(kind, body, to),
            Self::Differ(body) => json(kind, body, to),
            Self::Noted(body) => json(kind, body, to),
            Self::Settle(body) => json(kind, body, to),
            Self::Settled(body) => json(kind, body, to),
            Self::Adopt(body) => json(kind, body, to),
            Self::Prune(body) => json(kind, body, to),
            Self::Pruned(body) => json(kind, body, to),
            Self::Begin(body) => json(kind, body, to),
            Self::End(body) => json(kind, body, to),
            Self::Done(body) => json(kind, body, to),
            Self::Ping(number) | Self::Pong(number) => {
                to.extend(number.to_be_bytes());
                Ok(())
            }
            Self::Durable(bytes) | Self::Verified(bytes) => {
                to.extend(bytes.get().to_be_bytes());
                Ok(())
            }
            Self::Bye => Ok(()),
            Self::Hashes(Hashes { at, hashes }) => {
                to.extend(at.get().to_be_bytes());
                to.extend(hashes.as_flattened());
                Ok(())
            }
            Self::Data(Data { at, bytes }) | Self::Packed(Packed { at, bytes }) => {
                to.extend(at.get().to_be_bytes());
                to.extend(*bytes);
                Ok(())
            }
        }?;
        let found_bytes = to.len() - before;
        if found_bytes > kind.max_body_bytes() {
            return Err(MessageError::Length { kind, found_bytes, expected: "no more than the type allows" });
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Rule> {
        match self {
            Self::Hello(body) => body.check(),
            Self::Refusal(body) => body.check(),
            Self::Layers(body) => body.check(),
            Self::Plan(body) => body.check(),
            Self::Planned(body) => body.check(),
            Self::Try(body) | Self::Receive(body) => body.plan.check(),
            Self::Send(body) => body.selected.check(),
            Self::Compare(body) => body.check(),
            Self::Hashes(body) => body.check(),
            Self::Made(body) => check_layer(body),
            Self::Differ(body) => body.check(),
            Self::Noted(body) => body.check(),
            Self::Pruned(body) => body.check(),
            Self::Begin(body) => body.check(),
            Self::Data(body) => body.check(),
            Self::Packed(body) => body.check(),
            Self::Ping(_) | Self::Pong(_) | Self::Bye | Self::Durable(_) | Self::Verified(_) => Ok(()),
            Self::List(_) | Self::Ready(_) | Self::End(_) | Self::Done(_) => Ok(()),
            Self::Snapshot(_) | Self::Settle(_) | Self::Settled(_) | Self::Adopt(_) | Self::Prune(_) => Ok(()),
        }
    }
}

impl<'a> Message<'a> {
    /// The message of a frame's body.
    pub(crate) fn decode(kind: Kind, body: &'a [u8]) -> Result<Self, MessageError> {
        let length = |expected| MessageError::Length { kind, found_bytes: body.len(), expected };
        let number = || <[u8; 8]>::try_from(body).map(u64::from_be_bytes).map_err(|_| length("8"));
        let placed = || {
            let (at, rest) = body.split_first_chunk().ok_or_else(|| length("8 and what follows them"))?;
            Ok((Bytes::new(u64::from_be_bytes(*at)), rest))
        };
        let message = match kind {
            Kind::Hello => Self::Hello(of_json(kind, body)?),
            Kind::Ping => Self::Ping(number()?),
            Kind::Pong => Self::Pong(number()?),
            Kind::Refusal => Self::Refusal(of_json(kind, body)?),
            Kind::Bye if body.is_empty() => Self::Bye,
            Kind::Bye => return Err(length("0")),
            Kind::List => Self::List(of_json(kind, body)?),
            Kind::Layers => Self::Layers(of_json(kind, body)?),
            Kind::Plan => Self::Plan(of_json(kind, body)?),
            Kind::Planned => Self::Planned(of_json(kind, body)?),
            Kind::Try => Self::Try(of_json(kind, body)?),
            Kind::Receive => Self::Receive(of_json(kind, body)?),
            Kind::Ready => Self::Ready(of_json(kind, body)?),
            Kind::Send => Self::Send(of_json(kind, body)?),
            Kind::Compare => Self::Compare(of_json(kind, body)?),
            Kind::Hashes => {
                let (at, rest) = placed()?;
                let (hashes, []) = rest.as_chunks() else { return Err(length("8 and 32 for each hash")) };
                Self::Hashes(Hashes { at, hashes })
            }
            Kind::Snapshot => Self::Snapshot(of_json(kind, body)?),
            Kind::Made => Self::Made(of_json(kind, body)?),
            Kind::Differ => Self::Differ(of_json(kind, body)?),
            Kind::Noted => Self::Noted(of_json(kind, body)?),
            Kind::Settle => Self::Settle(of_json(kind, body)?),
            Kind::Settled => Self::Settled(of_json(kind, body)?),
            Kind::Adopt => Self::Adopt(of_json(kind, body)?),
            Kind::Prune => Self::Prune(of_json(kind, body)?),
            Kind::Pruned => Self::Pruned(of_json(kind, body)?),
            Kind::Begin => Self::Begin(of_json(kind, body)?),
            Kind::Data => {
                let (at, bytes) = placed()?;
                Self::Data(Data { at, bytes })
            }
            Kind::Packed => {
                let (at, bytes) = placed()?;
                Self::Packed(Packed { at, bytes })
            }
            Kind::Durable => Self::Durable(Bytes::new(number()?)),
            Kind::End => Self::End(of_json(kind, body)?),
            Kind::Verified => Self::Verified(Bytes::new(number()?)),
            Kind::Done => Self::Done(of_json(kind, body)?),
        };
        message.check().map_err(|rule| MessageError::Rule { kind, rule })?;
        Ok(message)
    }

    /// Who may say it, where only one side may whatever the session does.
    pub(crate) const fn only_of(&self) -> Option<Side> {
        match self {
            Self::Bye
            | Self::List(_)
            | Self::Plan(_)
            | Self::Try(_)
            | Self::Receive(_)
            | Self::Send(_)
            | Self::Compare(_)
            | Self::Snapshot(_)
            | Self::Differ(_)
            | Self::Settle(_)
            | Self::Adopt(_)
            | Self::Prune(_) => Some(Side::Client),
            Self::Layers(_) | Self::Planned(_) | Self::Ready(_) | Self::Hashes(_) => Some(Side::Server),
            Self::Made(_) | Self::Noted(_) | Self::Settled(_) | Self::Pruned(_) => Some(Side::Server),
            _ => None,
        }
    }
}

fn json(kind: Kind, body: &impl Serialize, to: &mut Vec<u8>) -> Result<(), MessageError> {
    serde_json::to_writer(to, body).map_err(|error| malformed(kind, &error))
}

fn of_json<T: DeserializeOwned>(kind: Kind, body: &[u8]) -> Result<T, MessageError> {
    serde_json::from_slice(body).map_err(|error| malformed(kind, &error))
}

/// The error may quote what it does not like, of any length.
fn malformed(kind: Kind, error: &serde_json::Error) -> MessageError {
    MessageError::Malformed { kind, why: Text::new(&error.to_string()) }
}
