//! From a volume to a HYPERLAYER stream and from a stream to a volume, over traits.
