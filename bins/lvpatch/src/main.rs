//! Applies a HYPERLAYER stream on a base volume, giving a new volume.

fn main() {}
