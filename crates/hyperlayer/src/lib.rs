//! The HYPERLAYER stream format: a sans-IO decoder and encoder, and readers and writers over them.
