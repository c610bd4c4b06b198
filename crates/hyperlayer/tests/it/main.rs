//! The format from outside.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a helper of a test may fail the test")]

mod chain;
mod corpus;
mod dialects;
mod encoder;
mod foreign;
mod golden;
mod limits;
mod prop;
mod refused;
mod rest;
mod skim;
mod streams;
mod truncation;
