//! `lvbackup hold`, `unhold`, `tag`, `untag`: what may change about a layer.

use cli::{Common, Outcome, Stop, say};
use store::{SharedLock, Stored, Tag};

use super::open;
use super::pick::Pick;

/// A layer of a store.
#[derive(clap::Args, Debug)]
struct Which {
    /// The store: a folder, or `s3://BUCKET/PREFIX`, `gs://...`, `az://...`
    #[arg(value_name = "STORE")]
    store: String,

    /// The layer's id, or as much of it as no other one begins with; or `latest`
    #[arg(value_name = "LAYER")]
    layer: String,

    /// The volume whose layer is meant; needed for `latest` where the store holds several
    #[arg(long, value_name = "VG/LV")]
    series: Option<String>,
}

/// Keep a layer, and what it needs, whatever `prune` is told
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  lvbackup hold /backup/store latest --series vg0/data
  lvbackup hold /backup/store 4F1hLxyz

`lvbackup list` shows what is held. Holding what is held changes nothing.

Exit status: 0 where it is held, 2 where several layers could be meant, 3 where the store has no such layer, 4 while `prune`
works on the store.")]
pub(crate) struct HoldArgs {
    #[command(flatten)]
    which: Which,
}

/// Let `prune` decide about a layer again
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  lvbackup unhold /backup/store 4F1hLxyz

Letting go what is not held changes nothing.

Exit status: as `lvbackup hold`.")]
pub(crate) struct UnholdArgs {
    #[command(flatten)]
    which: Which,
}

/// Tag a layer, for `prune --keep-tag` and for people
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  lvbackup tag /backup/store latest before-upgrade --series vg0/data

Exit status: as `lvbackup hold`.")]
pub(crate) struct TagArgs {
    #[command(flatten)]
    which: Which,

    /// The tag: any printable text
    #[arg(value_name = "TAG")]
    tag: String,
}

/// Take a tag off a layer
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Examples:
  lvbackup untag /backup/store 4F1hLxyz before-upgrade

A tag that the layer does not have is no mistake.

Exit status: as `lvbackup hold`.")]
pub(crate) struct UntagArgs {
    #[command(flatten)]
    which: Which,

    /// The tag
    #[arg(value_name = "TAG")]
    tag: String,
}

/// Holds the layer.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn hold(args: &HoldArgs, common: Common, stop: &Stop) -> Outcome {
    args.which.mark((common, stop), "is held", |store, lock, layer| store.hold(lock, &layer.series, &layer.layer))
}

/// Ends that.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn unhold(args: &UnholdArgs, common: Common, stop: &Stop) -> Outcome {
    args.which.mark((common, stop), "is not held", |store, lock, layer| store.unhold(lock, &layer.series, &layer.layer))
}

/// Tags the layer.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn tag(args: &TagArgs, common: Common, stop: &Stop) -> Outcome {
    let tag = Tag::new(args.tag.as_str())?;
    let done = format!("has the tag `{tag}`");
    args.which.mark((common, stop), &done, |store, lock, layer| store.tag(lock, &layer.series, &layer.layer, &tag))
}

/// Takes the tag off.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn untag(args: &UntagArgs, common: Common, stop: &Stop) -> Outcome {
    let tag = Tag::new(args.tag.as_str())?;
    let done = format!("does not have the tag `{tag}`");
    args.which.mark((common, stop), &done, |store, lock, layer| store.untag(lock, &layer.series, &layer.layer, &tag))
}

impl Which {
    fn mark(
        &self,
        (common, stop): (Common, &Stop),
        done: &str,
        mark: impl FnOnce(&store::Store, &SharedLock, &store::Layer) -> Result<(), store::Error>,
    ) -> Outcome {
        let store = open::store(&self.store, stop)?;
        let lock = store.lock_shared()?;
        let listing = store.list(None)?;
        let layer = Some(self.layer.clone()).filter(|layer| layer != "latest");
        let pick = Pick { series: self.series.clone(), layer, at: None, zone: "UTC".into() };
        let Stored { layer, .. } = pick.layer(&listing)?;
        mark(&store, &lock, layer)?;
        if !common.quiet {
            say(&format!("lvbackup: layer {} of {} {done}", layer.layer, layer.series));
        }
        Ok(())
    }
}
