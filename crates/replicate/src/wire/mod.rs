//! What goes over the wire (`PROTOCOL.md`): bytes as frames, frames as messages, messages in their turn. Nothing here runs a
//! command or knows what a volume holds.

pub(crate) mod blocks;
pub(crate) mod frame;
pub(crate) mod keep;
pub(crate) mod layers;
pub mod limits;
pub(crate) mod link;
pub(crate) mod manage;
pub(crate) mod message;
pub(crate) mod pack;
pub(crate) mod parts;
pub(crate) mod reader;
pub(crate) mod rule;
pub(crate) mod session;
pub(crate) mod text;
pub(crate) mod transferring;
pub(crate) mod verify;
pub(crate) mod violation;
pub(crate) mod writer;
