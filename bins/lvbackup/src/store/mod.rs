//! The commands on a store of layers.

pub(crate) mod backup;
mod chain;
pub(crate) mod check;
pub(crate) mod export;
pub(crate) mod init;
pub(crate) mod list;
pub(crate) mod mark;
mod open;
mod pick;
pub(crate) mod prune;
pub(crate) mod restore;
mod table;
pub(crate) mod unlock;
mod when;

pub(crate) use table::printable;
