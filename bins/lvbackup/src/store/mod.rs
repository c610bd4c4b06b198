//! The commands on a store of layers.

pub(crate) mod backup;
mod chain;
mod open;
mod pick;
pub(crate) mod restore;
