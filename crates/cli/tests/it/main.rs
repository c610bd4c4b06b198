//! What the binaries share, without a binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod errors;
mod exit;
mod output;
mod stores;
