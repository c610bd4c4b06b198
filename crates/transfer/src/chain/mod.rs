//! Layers that follow each other: whether they do, and what they make together.

mod headers;
mod index;
mod layer;
mod link;
mod merge;
mod overlay;
mod restore;
mod verify;

pub use headers::check_headers;
pub use layer::{LayerInput, LayerReader, Opened, Seekable};
pub use link::{Link, follows};
pub use merge::Merge;
pub use restore::{Restore, restore};
pub use verify::{Verified, verify_chain};
