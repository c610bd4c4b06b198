//! Stores in a folder and on a real S3 server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod adversary;
mod damage;
mod garbage;
mod keys;
mod kit;
mod layers;
mod locks;
mod manifests;
mod network;
mod places;
mod quirks;
