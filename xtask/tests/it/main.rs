//! The workspace keeps to its own rules.

#![allow(clippy::unwrap_used)]

mod directions;
mod guarantees;
