//! Writes the difference between two thin volumes as one HYPERLAYER stream.

fn main() {}
