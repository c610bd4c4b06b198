//! How streams are read: what they must promise, and what some formats do not say.

use extents::ChunkSize;
use hyperlayer::ReadOptions;
use transfer::{Demands, LayerInput};

use crate::chunk_size;

/// What the user knows of a stream that its format does not say.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct Unsaid {
    /// The size of the blocks that a ddxml stream counts in, which it does not say
    #[arg(long, value_name = "SIZE", value_parser = chunk_size)]
    block_size: Option<ChunkSize>,
}

impl Unsaid {
    /// For a reader of streams.
    #[must_use]
    pub fn options(self) -> ReadOptions {
        ReadOptions { block_size: self.block_size }
    }
}

/// The options of every command that believes a stream.
#[derive(clap::Args, Clone, Copy, Debug, Default)]
pub struct ReadArgs {
    /// Take streams that do not say how much they hold (some of HYPERLAYER 1.0, thin-send 1.0, lvmsync): nobody can tell
    /// whether one was cut
    #[arg(long, conflicts_with = "require_end")]
    accept_open_end: bool,

    /// Refuse formats that cannot say that a stream is whole: so it is, unless --accept-open-end is given
    #[arg(long)]
    require_end: bool,

    /// Refuse a delta that does not name what it was made against
    #[arg(long)]
    require_identity: bool,

    #[command(flatten)]
    unsaid: Unsaid,
}

impl ReadArgs {
    /// What every stream must promise.
    #[must_use]
    pub fn demands(self) -> Demands {
        Demands { end: self.require_end || !self.accept_open_end, identity: self.require_identity }
    }

    /// For a reader of streams.
    #[must_use]
    pub fn options(self) -> ReadOptions {
        self.unsaid.options()
    }

    /// The same input, read so.
    #[must_use]
    pub fn of(self, input: LayerInput<'_>) -> LayerInput<'_> {
        input.with_options(self.options()).demanding(self.demands())
    }
}
