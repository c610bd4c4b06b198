//! The steps on a model of a host that dies wherever it can.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod adversary;
mod checks;
mod grow;
mod journal;
mod killed;
mod looked;
mod model;
mod plans;
mod reach;
