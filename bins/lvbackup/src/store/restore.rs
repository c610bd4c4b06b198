//! `lvbackup restore`: a volume or a file as it was.

use std::path::{Path, PathBuf};

use block_copy::{BesideFile, Existing, Queue, WriteAt};
use cli::{Common, Exit, Failure, OrFail, Outcome, Progress, Stop, say};
use extents::{Bytes, ChunkSize, Chunks, human};
use lvm_cmd::{LvName, LvRef, Permission};
use store::{Identities, Store, Stored};
use transfer::lvm::{Destination, Finish, Lvm, Receiving, Run, Space, activating};
use transfer::{Restore, restore};

use super::pick::Pick;
use super::{chain, open};

/// Restore a volume from a store, as it was at some moment
///
/// All layers that make it up are read once, the newest first, each block is written once, and every byte is checked
/// before the volume appears under its name. An existing volume or file is never replaced.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The store: a folder, or `s3://BUCKET/PREFIX`, `gs://...`, `az://...`
    #[arg(value_name = "STORE")]
    store: String,

    /// The thin pool to restore into
    #[arg(value_name = "VG/POOL", required_unless_present = "to_file", conflicts_with = "to_file")]
    pool: Option<LvRef>,

    /// The new volume's name
    #[arg(value_name = "NEW", required_unless_present = "to_file")]
    new: Option<String>,

    /// Restore into a file instead, with holes where nothing was written; needs neither root nor LVM
    #[arg(long, value_name = "FILE")]
    to_file: Option<PathBuf>,

    #[command(flatten)]
    pick: Pick,

    /// The key file that opens encrypted layers, as age-keygen writes it; repeatable
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,

    /// Leave the volume read-only, tagged with its layer: a base for deltas that follow
    #[arg(long, conflicts_with = "to_file")]
    read_only: bool,
}

const AFTER: &str = "\
Examples:
  lvbackup restore /backup/store vg0/pool0 data-restored
  lvbackup restore /backup/store vg0/pool0 monday --at 2026-11-16
  lvbackup restore s3://bucket/hosts/web1 --to-file data.img --series vg0/data --identity key.txt";

/// Restores the layer that is meant.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let identities = open::identities(&args.identity)?;
    if args.to_file.is_none() {
        cli::require_root("`--to-file FILE`")?;
    }
    let store = open::store(&args.store, stop)?;
    let _lock = open::lock_to_read(&store)?;
    let listing = store.list(None)?;
    let layer = args.pick.layer(&listing)?;
    args.pick.warn_of_times(&listing, layer);
    let chain = listing.chain(&layer.layer.series, &layer.layer.layer).map_err(store::Error::from)?;
    match (&args.to_file, &args.pool, &args.new) {
        (Some(path), ..) => to_file(&store, &chain, &identities, path, common, stop),
        (None, Some(pool), Some(new)) => {
            let name = new_name(new, pool)?;
            let permission = if args.read_only { Permission::ReadOnly } else { Permission::ReadWrite };
            to_volume(&store, &chain, &identities, (pool, &name, permission), common, stop)
        }
        _ => Err(Failure::msg(Exit::Usage, "neither a pool and a name nor a file is given")),
    }
}

/// Restores a chain, newest layer first, into a sparse file.
///
/// # Errors
/// The chain is refused, or the file exists or cannot be written; it is then not there.
pub(crate) fn to_file(
    store: &Store,
    chain: &[&Stored],
    identities: &Identities,
    path: &Path,
    common: Common,
    stop: &Stop,
) -> Outcome {
    let raw = |file: &BesideFile, size, _: &Path| Ok(Box::new(file.volume(size)?) as Box<dyn WriteAt>);
    to_new_file(store, chain, identities, path, raw, common, stop)
}

/// Restores a chain, newest layer first, into what `image` makes of an empty file for a volume of its size.
///
/// # Errors
/// As [`to_file`].
pub(crate) fn to_new_file(
    store: &Store,
    chain: &[&Stored],
    identities: &Identities,
    path: &Path,
    image: impl FnOnce(&BesideFile, Bytes, &Path) -> Result<Box<dyn WriteAt>, block_copy::Error>,
    common: Common,
    stop: &Stop,
) -> Outcome {
    cli::check_image_name(path)?;
    if std::fs::symlink_metadata(path).is_ok() {
        return Err(cli::image_exists(path));
    }
    let size = newest(chain)?.layer.volume_size;
    let file = BesideFile::create(path, Existing::Refuse).map_err(transfer::Error::from)?;
    let target = image(&file, size, path).map_err(transfer::Error::from)?;
    let progress = Progress::new("restoring", Some(work(chain)), common, stop.clone());
    let how = Restore { size: None, chunk: ChunkSize::SECTOR, fresh: true, queue: Queue::default() };
    restore(chain::inputs(store, chain, identities), &*target, how, &progress)?;
    drop(target);
    file.commit().map_err(transfer::Error::from)?;
    drop(progress);
    done(chain, &format!("`{}`", path.display()), common);
    Ok(())
}

fn to_volume(
    store: &Store,
    chain: &[&Stored],
    identities: &Identities,
    (pool, name, permission): (&LvRef, &LvName, Permission),
    common: Common,
    stop: &Stop,
) -> Outcome {
    let newest = newest(chain)?;
    let size = newest.layer.volume_size;
    let (exec, state) = cli::host(stop)?;
    let lvm = Lvm::new(&exec, &state, stop.flag());
    let mut this = Run::start(&lvm)?;
    let destination = Destination::find(&lvm, None, pool, name)?;
    cli::say_leftovers("lvbackup", this.remove_leftovers(&lvm, &destination.group)?);
    let chunk = destination.chunk()?;
    space(chain, chunk, size).check(&lvm, &destination.pool)?;

    let receiving = Receiving::empty(lvm, &mut this, &destination.pool, name, size)?;
    let progress = Progress::new("restoring", Some(work(chain)), common, stop.clone());
    let how = Restore { size: None, chunk, fresh: true, queue: Queue::default() };
    if let Err(cause) = restore(chain::inputs(store, chain, identities), receiving.target(), how, &progress) {
        return Err(receiving.abandon(cause).into());
    }
    let layer = Some(newest.layer.layer.clone());
    let new = receiving.finish(&Finish { layer, size, permission })?;
    drop(progress);
    done(chain, &format!("`{new}`"), common);
    if !common.quiet {
        say(&format!("lvbackup: `{}` activates it", activating(&new, permission)));
    }
    Ok(())
}

fn newest<'s>(chain: &[&'s Stored]) -> Outcome<&'s Stored> {
    chain.first().copied().ok_or_else(|| Failure::msg(Exit::Refused, "the chain is empty"))
}

/// How much of the volume's data is written at most, which progress counts.
fn work(chain: &[&Stored]) -> Bytes {
    chain.iter().fold(Bytes::ZERO, |sum, stored| sum.saturating_add(stored.layer.totals.data))
}

/// What the layers need at most: as if no block were in two of them.
fn space(chain: &[&Stored], chunk: ChunkSize, size: Bytes) -> Space {
    let records = chain.iter().fold(0u64, |sum, stored| sum.saturating_add(stored.layer.totals.data_records));
    // Every record may touch a chunk more at each end.
    let most = (work(chain).get() / chunk.bytes().get()).saturating_add(records.saturating_mul(2));
    Space { chunk, chunks: Some(chunk.count(size).min(Chunks::new(most))), records: Some(records), size }
}

fn new_name(new: &str, pool: &LvRef) -> Outcome<LvName> {
    let new = LvRef::parse(new, Some(pool.vg())).or_fail(Exit::Usage)?;
    if new.vg() == pool.vg() {
        return Ok(new.lv().clone());
    }
    Err(Failure::msg(Exit::Usage, format!("`{new}` cannot come to be in `{pool}`, which is in another group")))
}

fn done(chain: &[&Stored], what: &str, common: Common) {
    let (Some(newest), false) = (chain.first(), common.quiet) else { return };
    let (size, layers) = (human(newest.layer.volume_size), chain.len());
    say(&format!("lvbackup: {what} is whole: {size}, layer {} from {layers} layers", newest.layer.layer));
}
