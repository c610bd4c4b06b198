//! Adversaries: every operation goes wrong once, and several work at once, interrupted at every operation.
//!
//! `HYPERLAYER_ADVERSARY_CASES` is how many random schedules are tried; without it, so many as take a few seconds.

mod actors;
mod at_once;
mod disk;
mod once;
mod schedule;
mod world;
