//! `lvbackup export`: a volume as a file that other programs read.

mod qcow2;

use std::path::PathBuf;

use clap::ValueEnum;
use cli::{Common, Outcome, Stop};

use super::pick::Pick;
use super::{open, restore};

/// Write a volume as an image file, as it was at some moment
///
/// As `lvbackup restore --to-file`, also in the format of virtual machines. Every byte is checked before the file appears
/// under its name, and no existing file is replaced. Neither root nor LVM is needed.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The store: a folder, or `s3://BUCKET/PREFIX`, `gs://...`, `az://...`
    #[arg(value_name = "STORE")]
    store: String,

    #[command(flatten)]
    pick: Pick,

    /// The format of the file
    #[arg(long, value_enum, value_name = "FORMAT")]
    to: To,

    /// The file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// The key file that opens encrypted layers, as age-keygen writes it; repeatable
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum To {
    /// The volume's bytes, with holes where nothing was written
    Raw,
    /// What QEMU and its relatives read (version 3, clusters of 64 KiB, not compressed)
    Qcow2,
}

const AFTER: &str = "\
Examples:
  lvbackup export /backup/store --series vg0/root --to qcow2 -o root.qcow2
  lvbackup export s3://bucket/hosts/web1 --at 2026-11-16 --to raw -o data.img --identity key.txt

Exit status: 0 where the file is whole and durable, 1 where it could not be written or is there already, 3 where the chain
is broken or damaged, or the newest layer is not known, 4 where the store cannot be reached or the disk is full, 5 where
the file has its name and is complete, but its directory cannot be synced. Except with 0 and 5 there is no new file.";

/// Exports the layer that is meant.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let identities = open::identities(&args.identity)?;
    let store = open::store(&args.store, stop)?;
    let _lock = open::lock_to_read(&store)?;
    let listing = store.list(None)?;
    let layer = args.pick.layer(&listing)?;
    args.pick.warn_of_times(&listing, layer);
    let chain = listing.chain(&layer.layer.series, &layer.layer.layer).map_err(store::Error::from)?;
    match args.to {
        To::Raw => restore::to_file(&store, &chain, &identities, &args.output, common, stop),
        To::Qcow2 => restore::to_new_file(&store, &chain, &identities, &args.output, qcow2::create, common, stop),
    }
}
