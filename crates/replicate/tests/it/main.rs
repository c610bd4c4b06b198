//! Both ends of a session in memory, honest ones and others.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod allow;
mod documented;
mod frames;
mod kit;
mod liar;
mod lineage;
mod messages;
mod model;
mod pipes;
mod pool;
mod sync;
mod verify;
mod walk;
