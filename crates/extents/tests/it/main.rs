//! Tests of the public interface.

#![allow(clippy::cast_possible_truncation, reason = "the tests' numbers are small")]

mod set;
mod size;
mod units;
