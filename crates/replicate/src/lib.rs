//! Keeping a thin volume mirrored on another host: what two programs say to each other over `ssh HOST lvbackup serve
//! --stdio`, who may say what when, and what is to be sent next.
//!
//! `PROTOCOL.md`, beside this crate's manifest, is the normative text. [`FrameReader`] and [`FrameWriter`] put [`Message`]s
//! over any [`Read`](std::io::Read) and [`Write`](std::io::Write); a [`Session`] knows the rules; [`connect`] puts both
//! together. [`Allow`] is what a server lets the far side do. [`next`] finds the newest layer that both sides have. [`serve`] is a
//! server over a [`Host`]; [`sync`] is the client, which talks to the source's server and to the destination's.
//!
//! ```
//! use replicate::{Ability, Hello, List, Message, Role, Side, connect};
//!
//! // What the client says, it says before it has heard anything.
//! let (_, mut client) = connect(Side::Client, std::io::empty(), Vec::new());
//! client.send(&Message::Hello(Hello::new([], "example 1.0", "web1")))?;
//! let sent = client.into_inner();
//!
//! let (mut incoming, mut server) = connect(Side::Server, sent.as_slice(), Vec::new());
//! server.send(&Message::Hello(Hello::new([Ability::Send], "example 1.0", "backup1")))?;
//! let Some(Message::Hello(hello)) = incoming.receive()? else { panic!("a hello") };
//! assert_eq!(hello.tool.as_str(), "example 1.0");
//!
//! // Only the client asks.
//! let list = List { volume: "vg0/data".parse()?, pair: "web1:vg0/data".parse()?, role: Role::Source };
//! assert!(server.send(&Message::List(list)).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Promises.** Nothing is sent that the other side would refuse, and nothing is handed out that breaks a rule: a frame that is
//! cut, altered, missing or too long; a name that LVM would not take; a size, an offset or an acknowledgement that cannot be; an
//! answer to another question. **Units.** Offsets and lengths are in bytes; whether of the stream or of the volume, each says.
//! **Limits.** All in [`limits`]; memory is bounded by them whatever the other side says. **Invariant.** This crate
//! opens no connection, and knows neither clock nor environment. Only [`lvm`] starts programs, all of them through an
//! [`lvm_cmd::Executor`], and looks into the stream that is carried.
//! **Panics.** None.

#![forbid(unsafe_code)]

mod allow;
#[cfg(any(test, fuzzing, feature = "fuzzing"))]
pub mod fuzzing;
mod host;
mod line;
mod lineage;
pub mod lvm;
mod serve;
mod sync;
mod wire;

pub use allow::{Access, Allow, NotAllowed, Pattern, PatternError, Volumes};
pub use host::{Acknowledge, Host, Inflow, Outflow, Receive};
pub use line::Patience;
pub use lineage::{Destination, LineageError, Step, newer_at, next};
pub use serve::{Serving, serve};
pub use sync::{Events, Reached, Summary, Sync, SyncError, default_pair, sync};
pub use wire::blocks::{Compare, Hashes};
pub use wire::frame::{FrameError, Kind};
pub use wire::keep::{Keep, KeepError};
pub use wire::layers::{Layer, Live, Pair, PairError, parent_tag};
pub use wire::limits;
pub use wire::link::{Incoming, LinkError, Outgoing, connect};
pub use wire::manage::{Adopt, Bits, BitsError, Differ, Noted, Prune, Pruned, Removed, Settle, Settled, Snapshot};
pub use wire::message::{Message, MessageError};
pub use wire::parts::{
    Ability, Begin, Data, Done, End, Hello, Layers, List, Offer, Packed, Plan, Ready, Refusal, RefusalKind, Role,
    Selected, Send,
};
pub use wire::reader::{FrameReader, ReadError};
pub use wire::rule::Rule;
pub use wire::session::{Session, Side, agreed};
pub use wire::text::{Text, Word, WordError};
pub use wire::verify::{ReadBack, Verify};
pub use wire::violation::{OtherLayer, Violation};
pub use wire::writer::{FrameWriter, WriteError};
