//! `lvbackup backup`: one more layer of a volume into a store.

use std::num::NonZeroUsize;
use std::time::SystemTime;

use block_copy::Queue;
use cli::{Common, Compression, Encoding, Exit, Failure, OrFail, Outcome, Output, Progress, Stop, rate, say, undone};
use extents::{Bytes, human};
use hyperlayer::{Format, Header, LayerId, stream_len};
use jiff::Timestamp;
use lvm_cmd::{Lv, LvName, LvRef};
use store::{Draft, ErrorKind, Listing, ReadBack, Recipients, Series, SharedLock, Store, Stored, Tag};
use transfer::lvm::{Lineage, Lvm, Run, Selection, Source, TemporarySnapshot, layer_of};
use transfer::{DetectLevel, Layer, Plan, Style, diff};

use super::open;

/// Back up a volume into a store: a snapshot, its layer, and the snapshot kept for the next one
///
/// The layer is a delta against the newest snapshot on the source whose layer the store has with its whole chain; a full
/// one where there is none. What was written is read back and compared before the layer counts. Then the snapshot stays
/// on the source, read-only and inactive, and the older one goes.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The thin volume, live or not
    #[arg(value_name = "VG/LV")]
    volume: LvRef,

    /// The store: a folder, or `s3://BUCKET/PREFIX`, `gs://...`, `az://...`
    #[arg(value_name = "STORE")]
    store: String,

    /// Write a full layer, whatever there is already
    #[arg(long)]
    full: bool,

    /// Write a full layer as soon as the chain has N layers
    #[arg(long, value_name = "N", conflicts_with = "full")]
    full_every: Option<NonZeroUsize>,

    /// What the volume is called in the store [default: VG/LV, if its newest layer there is not another machine's]
    #[arg(long, value_name = "NAME")]
    series: Option<String>,

    /// Tag the layer; repeatable
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,

    /// Encrypt the layer for the owner of this age recipient, `age1...`; repeatable
    #[arg(long, value_name = "RECIPIENT")]
    encrypt_to: Vec<String>,

    /// Compress the layer: zstd, zstd:LEVEL (1 to 19) or none
    #[arg(long, value_name = "METHOD", default_value = "zstd")]
    compress: Compression,

    /// At most so many bytes a second of the stream, before compression, such as 20m
    #[arg(long, value_name = "RATE", value_parser = rate)]
    bwlimit: Option<Bytes>,

    /// A line of your own in the layer's header; repeatable, the value may contain `:`
    #[arg(long, value_name = "KEY:VALUE")]
    meta: Vec<cli::Meta>,

    /// Freeze the file systems above the volume, on encryption or a partition, while the snapshot is made. One directly
    /// on the volume is frozen by the device mapper in any case
    #[arg(long)]
    freeze: bool,

    #[command(flatten)]
    hooks: cli::Hooks,

    /// How much of the parent is hashed into the layer, 0 to 3; a receiver that applies it checks its base by that
    #[arg(short, long, value_name = "LEVEL", default_value = "2")]
    detect: DetectLevel,

    /// Do not read back what was written; only its length is compared
    #[arg(long)]
    no_read_back: bool,
}

const AFTER: &str = "\
Examples:
  lvbackup init /backup/store
  lvbackup backup vg0/data /backup/store
  lvbackup backup vg0/data s3://bucket/hosts/web1 --full-every 30 --encrypt-to age1ql3z7hjy...
  lvbackup backup vg0/data /mnt/all --series web1:vg0/data
  lvbackup backup vg0/db /backup/store --pre 'mysql -e \"flush tables\"' --freeze

Two machines may have volumes of one name: without --series, one whose newest layer in the store was written on another machine,
by its name or its machine-id(5), is refused, with exit status 2. After a change of either, name the series once:
`--series VG/LV`.

A run that is killed leaves nothing that counts: the next one removes its snapshot, `lvbackup prune` its objects.";

/// Backs the volume up.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let series = Series::new(args.series.clone().unwrap_or_else(|| args.volume.to_string()))?;
    let encoding = store::Encoding {
        zstd_level: match args.compress {
            Compression::None => None,
            Compression::Zstd(level) => Some(level),
        },
        recipients: Recipients::parse(&args.encrypt_to)?,
    };
    let tags = args.tag.iter().map(|tag| Tag::new(tag.as_str())).collect::<Result<_, _>>()?;
    let style = Style {
        format: Format::V1_1,
        detect: args.detect,
        meta: args.meta.iter().cloned().map(cli::Meta::into_pair).collect(),
        tool: concat!("lvbackup ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    style.check().or_fail(Exit::Usage)?;
    cli::require_root("`lvbackup send --help`, which names what images need")?;

    let store = open::store(&args.store, stop)?;
    let lock = store.lock_shared()?;
    let lineage = Lineage::new(store.id(), series.as_str())?;
    let (exec, state) = cli::host(stop)?;
    let lvm = Lvm::new(&exec, &state, stop.flag());
    let mut this = Run::start(&lvm)?;
    let source = Selection::find(&lvm, &args.volume, None, None)?;
    cli::say_leftovers("lvbackup", this.remove_leftovers(&lvm, &source.group)?);
    let listing = store.list(Some(&series))?;
    for problem in &listing.problems {
        say(&format!("lvbackup: warning: {problem}"));
    }
    if args.series.is_none() {
        of_this_machine(&listing, &series, &open::host(), open::machine().as_deref(), SystemTime::now())?;
    }
    let kept: Vec<Lv> = lineage.snapshots(&source.group, &source.new).into_iter().cloned().collect();
    let parent = if args.full { None } else { parent(&store, &listing, &series, &kept, args.full_every)? };
    // A group whose name leaves no room is refused before anything is made.
    snapshot_name(&source, store.id(), Timestamp::now())?;

    let snapshot = args.hooks.around(&args.volume.to_string(), || {
        let frozen = args.freeze.then(|| this.freeze_above(&lvm, [&args.volume], &cli::written_to())).transpose()?;
        let made = TemporarySnapshot::create(lvm, &mut this, &args.volume);
        let thawed = frozen.map_or(Ok(()), |frozen| frozen.thaw().map_err(transfer::Error::from));
        Ok(match (made, thawed) {
            (made, Ok(())) => made,
            (Ok(made), Err(frozen)) => transfer::undone(Err(frozen), made.remove()),
            (Err(refused), Err(frozen)) => transfer::undone(Err(refused), Err(frozen)),
        }?)
    })?;
    let created = Timestamp::now();
    let job = Job { args, common, lvm: &lvm, store: &store, lock: &lock, series: &series, style, encoding, stop };
    let quiet = Selection::find(&lvm, snapshot.name(), parent.map(|parent| &parent.name), None);
    let written = quiet.map_err(Failure::from).and_then(|quiet| {
        let layer = job.write(&source, &quiet, created.into(), tags)?;
        Ok((layer, quiet.new.uuid))
    });
    let (layer, uuid) = match written {
        Ok(written) => written,
        Err(failure) => return undone(Err(failure), snapshot.remove()),
    };
    // From here on the layer counts. What follows only decides what the next one is made against.
    let name = snapshot_name(&source, store.id(), created)?;
    let done = |failure: Failure| failure.context(format!("layer {} is in the store, but", layer.layer.layer));
    let new = lineage.keep(&lvm, snapshot, &uuid, &name).map_err(|error| done(error.into()))?;
    for old in &kept {
        lineage.remove(&lvm, &old.name).map_err(|error| done(error.into()))?;
    }
    if !common.quiet {
        let (stream, object) = (human(layer.layer.stream.len), human(layer.layer.object.len));
        let kind = layer.layer.parent.as_ref().map_or_else(|| "full".to_owned(), |parent| format!("delta on {parent}"));
        say(&format!(
            "lvbackup: layer {} ({kind}): {stream}, {object} in the store; `{new}` is the next one's base",
            layer.layer.layer
        ));
    }
    Ok(())
}

/// The newest snapshot whose layer the store has with all that it needs.
fn parent<'s>(
    store: &Store,
    listing: &Listing,
    series: &Series,
    kept: &'s [Lv],
    full_every: Option<NonZeroUsize>,
) -> Outcome<Option<&'s Lv>> {
    for snapshot in kept {
        if let Ok(chain) = listing.chain(series, &layer_of(snapshot)?)
            && is_there(store, &chain)?
        {
            let long = full_every.is_some_and(|most| chain.len() >= most.get());
            return Ok(Some(snapshot).filter(|_| !long));
        }
    }
    Ok(None)
}

/// Whether the objects of a chain are in the store: on what is lost nothing is built.
fn is_there(store: &Store, chain: &[&Stored]) -> Outcome<bool> {
    for stored in chain {
        match store.look(stored) {
            Err(error) if error.kind() == ErrorKind::Refused => {
                let (layer, why) = (&stored.layer.layer, Failure::from(error));
                say(&format!("lvbackup: warning: layer {layer} is damaged, so nothing is built on it: {why}"));
                return Ok(false);
            }
            looked => looked?,
        }
    }
    Ok(true)
}

/// Two machines may each have a volume of that name; their layers are to be kept apart.
fn of_this_machine(listing: &Listing, series: &Series, host: &str, machine: Option<&str>, now: SystemTime) -> Outcome {
    let differs = |theirs: &Option<String>, ours: Option<&str>| {
        theirs.as_deref().zip(ours).is_some_and(|(theirs, ours)| theirs != ours)
    };
    let Some(newest) = listing.newest(series) else { return Ok(()) };
    // One that is dated ahead stays the newest, whoever writes the next ones.
    let Stored { layer, .. } = listing.rival(newest, now).unwrap_or(newest);
    let (other_host, other_machine) = (differs(&layer.host, Some(host)), differs(&layer.machine, machine));
    if !other_host && !other_machine {
        return Ok(());
    }
    let other = layer.host.as_deref().unwrap_or_default();
    let written = if other_host {
        format!("was written on `{other}`, this is `{host}`")
    } else {
        format!("was written on another machine called `{host}`, with another machine-id(5)")
    };
    let own = if other_host { host.to_owned() } else { format!("{host}-2") };
    Err(Failure::msg(Exit::Usage, format!("the newest layer of `{series}` in the store, {}, {written}", layer.layer))
        .hint(format!("for another machine's volume, give it a name of its own: `--series {own}:{series}`"))
        .hint(format!("continue those layers here with `--series {series}`")))
}

/// `LV-YYYYMMDDTHHMMSSZ-STORE`, which a person finds again; shorter where that is too long.
fn snapshot_name(source: &Selection, store: &str, created: Timestamp) -> Outcome<LvName> {
    let short: String = store.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let suffix = format!("{}-{short}", created.strftime("%Y%m%dT%H%M%SZ"));
    let taken = |name: &LvName| source.group.iter().any(|lv| lv.name.lv() == name);
    Ok(source.new.name.with_suffix(&suffix, taken).or_fail(Exit::Usage)?.lv().clone())
}

struct Job<'a> {
    args: &'a Args,
    common: Common,
    lvm: &'a Lvm<'a>,
    store: &'a Store,
    lock: &'a SharedLock,
    series: &'a Series,
    style: Style,
    encoding: store::Encoding,
    stop: &'a Stop,
}

impl Job<'_> {
    /// Writes the layer of the snapshot `quiet` of the volume `source`.
    fn write(
        &self,
        source: &Selection,
        quiet: &Selection,
        created: SystemTime,
        tags: std::collections::BTreeSet<Tag>,
    ) -> Outcome<Stored> {
        // Before the delta, so that it is checked of all of the time whether a volume is written to.
        let opened = Source::open(self.lvm, quiet)?;
        let written = self.write_opened(source, quiet, &opened, created, tags);
        undone(written, opened.close())
    }

    fn write_opened(
        &self,
        source: &Selection,
        quiet: &Selection,
        opened: &Source<'_>,
        created: SystemTime,
        tags: std::collections::BTreeSet<Tag>,
    ) -> Outcome<Stored> {
        let progress = Progress::new("comparing", None, self.common, self.stop.clone());
        let layer = Layer {
            name: Some(source.new.name.lv().to_string()),
            source: source.new.name.to_string(),
            id: Some(layer_of(&quiet.new)?),
            parent: quiet.base.as_ref().map(layer_of).transpose()?,
            full: quiet.base.is_none(),
            created: quiet.new.created_seconds.and_then(cli::utc),
            geometry: quiet.geometry()?,
            delta: quiet.delta(self.lvm, &progress)?,
        };
        drop(progress);
        let geometry = layer.geometry;
        let (header, plan) = layer.plan(&self.style)?;
        let draft = Draft {
            parent: header.parent.clone(),
            created,
            volume_size: geometry.size,
            chunk_size: geometry.chunk,
            totals: plan.totals(),
            tool: self.style.tool.clone(),
            host: Some(open::host()).filter(|host| !host.is_empty()),
            machine: open::machine(),
            tags,
        };
        self.stream(opened, &header, &plan, draft)
    }

    fn stream(&self, source: &Source<'_>, header: &Header, plan: &Plan, draft: Draft) -> Outcome<Stored> {
        let id = |id: &Option<LayerId>| id.clone().ok_or_else(|| Failure::msg(Exit::Failed, "the layer has no id"));
        let len =
            stream_len(header, plan.checks.iter().copied(), plan.reads(), &plan.delta.zero).or_fail(Exit::Failed)?;
        let len = len.unwrap_or(plan.delta.data.total());
        let writer = self.store.begin(self.lock, self.series, &id(&header.layer)?, &self.encoding, len)?;
        let limited = Encoding { zstd_level: None, limit_per_second: self.args.bwlimit };
        let mut output = Output::start(writer, limited, self.stop.clone()).or_fail(Exit::Failed)?;
        let progress = Progress::new("backing up", Some(plan.work()), self.common, self.stop.clone());
        let put = &mut |part| output.put(part);
        diff(header, plan, source.new_volume(), source.base(), Queue::default(), &progress, put).map_err(of_store)?;
        let (mut writer, _) = output.finish().map_err(transfer::Error::output).map_err(of_store)?;
        drop(progress);
        writer.watch(open::watch(self.common, self.stop));
        let read_back = if self.args.no_read_back { ReadBack::Length } else { ReadBack::Data };
        Ok(writer.finish(draft, read_back)?)
    }
}

/// What the store failed with, out of what failed to be written.
fn of_store(error: transfer::Error) -> Failure {
    match error {
        transfer::Error::Output(source) => match store::Error::from_io(source) {
            Ok(error) => error.into(),
            Err(source) => transfer::Error::Output(source).into(),
        },
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;
    use std::time::Duration;

    use extents::ChunkSize;
    use hyperlayer::Totals;
    use store::Location;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn monday() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    /// A store with one layer, written on a machine of that name.
    fn one_layer(folder: &Path, host: Option<&str>, machine: Option<&str>) -> (Store, Stored) {
        let store = Store::init(&Location::folder(folder), &open::options(&Stop::default()).unwrap()).unwrap();
        let stored = add(&store, ("monday", monday()), host, machine);
        (store, stored)
    }

    /// Adds a full layer.
    fn add(store: &Store, (layer, created): (&str, SystemTime), host: Option<&str>, machine: Option<&str>) -> Stored {
        let (lock, series) = (store.lock_shared().unwrap(), Series::new("vg0/a").unwrap());
        let layer = LayerId::new(layer).unwrap();
        let mut writer = store.begin(&lock, &series, &layer, &store::Encoding::default(), Bytes::new(100)).unwrap();
        writer.write_all(&[7; 100]).unwrap();
        let draft = Draft::full(created, Bytes::new(1 << 20), ChunkSize::SECTOR, Totals::default());
        let (host, machine) = (host.map(str::to_owned), machine.map(str::to_owned));
        writer.finish(Draft { host, machine, ..draft }, ReadBack::Data).unwrap()
    }

    #[test]
    fn a_parent_whose_object_is_cut_or_gone_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let (store, stored) = one_layer(&folder.path().join("store"), None, None);
        assert!(is_there(&store, &[&stored]).unwrap());
        let object = folder.path().join("store").join(&stored.layer.key);
        std::fs::File::options().write(true).open(&object).unwrap().set_len(99).unwrap();
        assert!(!is_there(&store, &[&stored]).unwrap());
        std::fs::remove_file(&object).unwrap();
        assert!(!is_there(&store, &[&stored]).unwrap());
    }

    #[test]
    fn two_machines_are_kept_apart() {
        for (wrote, on, is_ours) in [
            (None, None, true),
            (Some("web1"), None, true),
            (Some("web1"), Some("one"), true),
            (Some("web2"), None, false),
            (Some("web2"), Some("one"), false),
            (Some("web1"), Some("two"), false),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let (store, stored) = one_layer(&folder.path().join("store"), wrote, on);
            let (listing, series) = (store.list(None).unwrap(), &stored.layer.series);
            let other = Series::new("vg0/b").unwrap();
            of_this_machine(&listing, &other, "web1", Some("one"), monday()).unwrap();
            let Err(refused) = of_this_machine(&listing, series, "web1", Some("one"), monday()) else {
                assert!(is_ours, "{wrote:?}");
                continue;
            };
            assert!(!is_ours, "{wrote:?}: {refused}");
            assert_eq!(refused.exit(), Exit::Usage);
            let own = if wrote == Some("web1") { "`--series web1-2:vg0/a`" } else { "`--series web1:vg0/a`" };
            for says in ["`web1`", "monday", own, "`--series vg0/a`"].into_iter().chain(wrote) {
                assert!(refused.render("lvbackup").contains(says), "{says}: {refused}");
            }
        }
    }

    /// The clock of the former host was ahead, so its last layer stays the newest one. The layers that were written after
    /// `--series` was given once decide.
    #[test]
    fn a_layer_dated_ahead_does_not_decide_whose_the_series_is() {
        let folder = tempfile::tempdir().unwrap();
        let (store, stored) = one_layer(&folder.path().join("store"), Some("web2"), Some("two"));
        let series = &stored.layer.series;
        let _ = add(&store, ("ahead", monday() + 300 * DAY), Some("web2"), Some("two"));
        let is_ours = |now| of_this_machine(&store.list(None).unwrap(), series, "web1", Some("one"), now).is_ok();
        assert!(!is_ours(monday() + DAY));
        let _ = add(&store, ("tuesday", monday() + DAY), Some("web1"), Some("one"));
        assert!(is_ours(monday() + 2 * DAY));
        assert!(!is_ours(monday() + 301 * DAY), "dated ahead no longer");
    }
}
