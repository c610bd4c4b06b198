//! `lvbackup send`.
use cli::{Common, Outcome, Stop};

/// Write a full layer, or what changed since an older one, as a stream
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    pub stream: cli::StreamArgs,
}

pub(crate) fn run(_args: &Args, _common: Common, _stop: &Stop) -> Outcome {
    Ok(())
}
