//! `lvbackup check`: whether what a store holds can be restored.

mod repair;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::SystemTime;

use cli::{Common, Exit, Failure, Outcome, Progress, Stop, say};
use extents::{Bytes, human};
use hyperlayer::LayerId;
use serde_json::{Value, json};
use store::tree::without;
use store::{ChainError, Fault, Garbage, Identities, Layer, Leftovers, Listing, Report, Series, Store, Stored, sample};

use super::list::counted;
use super::table::printable;
use super::{chain, open, when};

/// Check that what a store holds can be restored
///
/// Every manifest is read, every object's length compared, every chain followed. With --read-data the layers are read
/// too: each object is held against its BLAKE3, and what is not encrypted, or opened by --identity, is decoded to its
/// last record. What is wrong is named with the layers that can no longer be restored because of it. With --repair,
/// manifests that are missing are rebuilt from the layers themselves.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The store: a folder, or `s3://BUCKET/PREFIX`, `gs://...`, `az://...`
    #[arg(value_name = "STORE")]
    store: String,

    /// Read the layers too: all, or so many in a hundred, others each time
    #[arg(long, value_name = "N%", num_args = 0..=1, require_equals = true, default_missing_value = "100%")]
    read_data: Option<Percent>,

    /// Which layers --read-data=N% reads; the same number, the same layers [default: the time]
    #[arg(long, value_name = "NUMBER", requires = "read_data")]
    seed: Option<u64>,

    /// Rebuild the manifests of layers that have none, from their streams; encrypted ones need --identity
    #[arg(long)]
    repair: bool,

    /// The key file that opens encrypted layers, as age-keygen writes it; repeatable
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,

    /// As one JSON object on standard output
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  lvbackup check /backup/store
  lvbackup check /backup/store --read-data
  lvbackup check s3://bucket/hosts/web1 --read-data=5% --identity key.txt
  lvbackup check /backup/store --repair

Keys of --json: layers (how many there are), read_layers, read_bytes, seed (null where all or none are read), problems (a
list of objects: key, problem, lost), broken (a list of objects: series, problem, lost), garbage (a list of objects: key,
len_bytes or null), unopened_layers (how many encrypted ones no --identity opens; their objects are whole), repaired (how
many manifests were rebuilt), lost (all layers that cannot be restored). A layer in `lost` is an object: series, layer, created.

Exit status: 0 where all is sound, 3 where something is wrong, an object has no manifest, or a layer is encrypted for others
than --identity. What dead runs left does no harm: `lvbackup prune` removes it.";

/// A share of the layers, 1 to 100 in a hundred.
#[derive(Clone, Copy, Debug)]
struct Percent(u8);

impl FromStr for Percent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix('%').unwrap_or(text).parse().ok();
        number.filter(|number| (1..=100).contains(number)).map(Self).ok_or("expected 1% to 100%")
    }
}

/// Checks the store.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let identities = open::identities(&args.identity)?;
    let store = open::store(&args.store, stop)?;
    let lock = if args.repair { Some(store.lock_shared()?) } else { open::lock_to_read(&store)? };
    let mut report = store.check()?;
    let mut repaired = repair::Repaired::default();
    if let (true, Some(lock)) = (args.repair, &lock) {
        repaired = repair::run(&store, lock, &report.leftovers.unlisted, &identities, common, stop)?;
        report = store.check()?;
    }
    for stored in report.listing.doubtful_times(SystemTime::now()) {
        say(&format!("lvbackup: warning: {}", printable(&open::doubtful(stored))));
    }
    let mut found = Found::of(report, &repaired);
    if let Some(Percent(percent)) = args.read_data {
        let identities = (!args.identity.is_empty()).then_some(&identities);
        found.with_identity = identities.is_some();
        found.read(&Reading { store: &store, identities, percent, seed: args.seed, common, stop })?;
    }
    let text = if args.json { format!("{}\n", found.json()) } else { found.text() };
    cli::print(&text)?;
    found.outcome(common)
}

/// Something that is wrong, and the layers that it takes with it.
struct Wrong {
    /// The object, where it is one.
    key: Option<String>,
    series: Option<Series>,
    says: String,
    lost: Vec<Stored>,
}

struct Found {
    listing: Listing,
    garbage: Vec<Garbage>,
    wrong: Vec<Wrong>,
    read_layers: usize,
    /// Whole, but encrypted for others.
    unopened_layers: usize,
    read_bytes: Bytes,
    seed: Option<u64>,
    /// Manifests that were rebuilt.
    repaired: usize,
    /// Whether encrypted layers were to be opened.
    with_identity: bool,
    /// Objects without manifests.
    unlisted: usize,
}

struct Reading<'r> {
    store: &'r Store,
    identities: Option<&'r Identities>,
    percent: u8,
    seed: Option<u64>,
    common: Common,
    stop: &'r Stop,
}

impl Found {
    fn of(report: Report, repaired: &repair::Repaired) -> Self {
        let Report { listing, problems, broken, leftovers: Leftovers { garbage, unlisted, stray_marks } } = report;
        let without = unlisted.iter().map(|one| {
            let why = repaired
                .failed
                .get(&one.key)
                .map_or_else(String::new, |why| format!(", and none can be rebuilt: {why}"));
            (one, format!("{}{why}", Fault::Unlisted))
        });
        let without = without.map(|(one, says)| Wrong {
            key: Some(one.key.clone()),
            series: Some(one.series.clone()),
            says,
            lost: Vec::new(),
        });
        let stray = stray_marks.iter().map(|key| Wrong {
            key: Some(key.clone()),
            series: None,
            says: Fault::NoLayer.to_string(),
            lost: Vec::new(),
        });
        let count = unlisted.len();
        let without: Vec<_> = without.chain(stray).collect();
        let by_key: BTreeMap<_, _> = listing.layers().into_iter().map(|s| (s.layer.key.as_str(), s)).collect();
        let of_objects = problems.iter().map(|problem| Wrong {
            key: Some(problem.key.clone()),
            series: by_key.get(problem.key.as_str()).map(|stored| stored.layer.series.clone()),
            says: problem.fault.to_string(),
            lost: by_key.get(problem.key.as_str()).map_or_else(Vec::new, |stored| lost(&listing, stored)),
        });
        let of_chains = broken.iter().map(|error| {
            let (series, id) = match error {
                ChainError::Missing { series, child, .. } => (Some(series), Some(child)),
                ChainError::NoLayer { series, layer } | ChainError::Circle { series, layer } => {
                    (Some(series), Some(layer))
                }
                _ => (None, None),
            };
            let first = series.zip(id).and_then(|(series, id)| listing.find(series, id));
            let lost = first.map_or_else(Vec::new, |first| lost(&listing, first));
            Wrong { key: None, series: series.cloned(), says: error.to_string(), lost }
        });
        let wrong = of_objects.chain(of_chains).chain(without).collect();
        let (read_bytes, repaired) = (Bytes::ZERO, repaired.count);
        Self {
            listing,
            garbage,
            wrong,
            read_layers: 0,
            unopened_layers: 0,
            read_bytes,
            seed: None,
            repaired,
            with_identity: false,
            unlisted: count,
        }
    }

    /// Reads some of the layers whose objects are there.
    fn read(&mut self, how: &Reading<'_>) -> Outcome {
        let known: BTreeSet<_> = self.wrong.iter().filter_map(|wrong| wrong.key.as_deref()).collect();
        let layers: Vec<_> =
            self.listing.layers().into_iter().filter(|s| !known.contains(s.layer.key.as_str())).collect();
        let layers = if how.percent < 100 {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            sample(&layers, how.percent, *self.seed.insert(how.seed.unwrap_or(now)))
        } else {
            layers
        };
        let total = layers.iter().fold(Bytes::ZERO, |sum, stored| sum.saturating_add(how.work(stored)));
        let progress = Progress::new("reading", Some(total), how.common, how.stop.clone());
        let mut damaged = Vec::new();
        for stored in layers {
            match how.read(stored, &progress) {
                Ok(Read::Whole) => {}
                Ok(Read::Unopened) => {
                    self.unopened_layers += 1;
                    continue;
                }
                Err(failure) if failure.exit() == Exit::Refused && !how.stop.requested() => damaged.push(Wrong {
                    key: Some(stored.layer.key.clone()),
                    series: Some(stored.layer.series.clone()),
                    says: failure.to_string(),
                    lost: lost(&self.listing, stored),
                }),
                Err(failure) => return Err(failure),
            }
            self.read_layers += 1;
            self.read_bytes = self.read_bytes.saturating_add(stored.layer.object.len);
        }
        self.wrong.extend(damaged);
        Ok(())
    }

    /// All layers that cannot be restored, each once.
    fn lost(&self) -> Vec<&Stored> {
        let all = self.wrong.iter().flat_map(|wrong| &wrong.lost);
        let each: BTreeMap<_, _> = all.map(|stored| (stored.layer.key.as_str(), stored)).collect();
        each.into_values().collect()
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        for wrong in &self.wrong {
            let of = wrong.key.as_ref().map_or_else(String::new, |key| format!("`{key}`: "));
            lines.push(printable(&format!("{of}{}", wrong.says)));
            for stored in &wrong.lost {
                let (layer, series) = (&stored.layer.layer, &stored.layer.series);
                let created = when::utc(stored.layer.created).unwrap_or_default();
                lines.push(format!("  cannot be restored: layer {layer} of {series}, {created}"));
            }
        }
        if let Some(seed) = self.seed {
            let read = counted(self.read_layers, "layer", "layers");
            lines.push(format!("read {read}, {}; `--seed {seed}` reads the same again", human(self.read_bytes)));
        }
        for garbage in &self.garbage {
            lines.push(printable(&format!("`{}`: left by a dead run, does no harm", garbage.key)));
        }
        lines.into_iter().map(|line| line + "\n").collect()
    }

    fn json(&self) -> Value {
        let layers = |layers: &[&Stored]| -> Vec<Value> {
            let one = |stored: &&Stored| {
                json!({
                    "series": stored.layer.series.as_str(),
                    "layer": stored.layer.layer.as_str(),
                    "created": when::utc(stored.layer.created),
                })
            };
            layers.iter().map(one).collect()
        };
        let lost = |wrong: &Wrong| layers(&wrong.lost.iter().collect::<Vec<_>>());
        let of_objects = self.wrong.iter().filter_map(|wrong| {
            wrong.key.as_ref().map(|key| json!({ "key": key, "problem": wrong.says, "lost": lost(wrong) }))
        });
        let of_chains = self.wrong.iter().filter(|wrong| wrong.key.is_none()).map(|wrong| {
            json!({ "series": wrong.series.as_ref().map(Series::as_str), "problem": wrong.says, "lost": lost(wrong) })
        });
        let garbage = self.garbage.iter().map(|one| json!({ "key": one.key, "len_bytes": one.len_bytes }));
        json!({
            "layers": self.listing.layers().len(),
            "read_layers": self.read_layers,
            "read_bytes": self.read_bytes.get(),
            "unopened_layers": self.unopened_layers,
            "repaired": self.repaired,
            "seed": self.seed,
            "problems": of_objects.collect::<Vec<_>>(),
            "broken": of_chains.collect::<Vec<_>>(),
            "garbage": garbage.collect::<Vec<_>>(),
            "lost": layers(&self.lost()),
        })
    }

    fn outcome(&self, common: Common) -> Outcome {
        let (layers, lost) = (self.listing.layers().len(), self.lost());
        if self.wrong.is_empty() && self.unopened_layers > 0 && self.with_identity {
            let unopened = counted(self.unopened_layers, "layer is", "layers are");
            let says =
                format!("{unopened} encrypted for others than the identities given; what is in the store is whole");
            return Err(Failure::msg(Exit::Refused, says).hint("name the right key file: `--identity FILE`"));
        }
        if self.wrong.is_empty() {
            if !common.quiet {
                let read = match (self.read_layers, self.unopened_layers) {
                    (0, 0) => "nothing was read, `--read-data` reads them".to_owned(),
                    (count, 0) => format!("{count} read to their ends"),
                    (count, unopened) => format!(
                        "{count} read to their ends; of {unopened} encrypted, only the objects were compared, `--identity \
                         FILE` decrypts and reads them"
                    ),
                };
                say(&format!("lvbackup: {} and the chains are sound; {read}", counted(layers, "layer", "layers")));
            }
            return Ok(());
        }
        let wrong = counted(self.wrong.len(), "thing is wrong", "things are wrong");
        let failure =
            Failure::msg(Exit::Refused, format!("{wrong}, {} of {layers} layers cannot be restored", lost.len()));
        let failure = if self.unlisted > 0 {
            failure.hint(
                "finish copying the store, or rebuild the manifests that are missing: `lvbackup check STORE --repair`",
            )
        } else {
            failure
        };
        if lost.is_empty() {
            return Err(failure.hint("every layer can be restored; look at what the objects named are, and move away what is none of the store's"));
        }
        let mut series: Vec<_> = lost.iter().map(|stored| &stored.layer.series).collect();
        series.sort_unstable();
        series.dedup();
        let begin = |failure: Failure, series: &&Series| {
            failure.hint(format!("begin a new chain at once: `lvbackup backup {series} STORE --full`"))
        };
        let failure = failure.hint("put the objects back where there is a copy of them, and check again");
        let failure = series.iter().fold(failure, begin);
        Err(failure.hint(
            "without a copy, delete what is altered or cannot be understood; then `lvbackup prune STORE --remove-broken` \
             removes all layers that cannot be restored",
        ))
    }
}

/// What reading a layer showed that is not damaged.
enum Read {
    /// All of it, as far as it could be asked for.
    Whole,
    /// Its object is whole, and encrypted for others.
    Unopened,
}

/// A layer and all that are restored from it.
fn lost(listing: &Listing, first: &Stored) -> Vec<Stored> {
    let lost: BTreeSet<LayerId> = [first.layer.layer.clone()].into();
    without(&listing.of(&first.layer.series), &lost).into_iter().cloned().collect()
}

impl Reading<'_> {
    /// Whether the layer's stream can be had, and not only its object.
    fn opens(&self, stored: &Stored) -> bool {
        !stored.layer.wrapping.age || self.identities.is_some()
    }

    /// How much progress is told of the layer.
    fn work(&self, stored: &Stored) -> Bytes {
        if self.opens(stored) { stored.layer.totals.data } else { stored.layer.object.len }
    }

    /// Reads a layer: its stream where it can be opened, else its object.
    fn read(&self, stored: &Stored, progress: &Progress) -> Outcome<Read> {
        if self.stop.requested() {
            return Err(transfer::Error::from(block_copy::Error::Stopped).into());
        }
        if !self.opens(stored) {
            self.verify(stored, progress)?;
            return Ok(Read::Unopened);
        }
        let (one, none) = ([stored], Identities::none());
        let identities = self.identities.unwrap_or(&none);
        if let (true, Err(store::Error::NoIdentity { .. })) =
            (stored.layer.wrapping.age, self.store.read(stored, identities))
        {
            // Another's, or altered? Its digest tells.
            self.verify(stored, progress)?;
            return Ok(Read::Unopened);
        }
        for input in chain::inputs(self.store, &one, identities) {
            let mut layer = input.open()?;
            let (parent, size) = (layer.header().parent.clone(), layer.header().volume_size);
            let totals = layer.read_through(progress)?.totals;
            let Layer { parent: expected, volume_size, totals: counted, .. } = &stored.layer;
            if (&parent, size, &totals) != (expected, Some(*volume_size), counted) {
                let says = "its stream says another parent, size or length than its manifest";
                return Err(Failure::msg(Exit::Refused, says));
            }
            if layer.next_layer()?.is_some() {
                return Err(Failure::msg(Exit::Refused, "it holds more than one layer"));
            }
        }
        Ok(Read::Whole)
    }

    /// Reads a layer's object.
    fn verify(&self, stored: &Stored, progress: &Progress) -> Outcome {
        let watch = |read| {
            block_copy::Progress::advance(progress, read);
            if self.stop.requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        Ok(self.store.verify_watched(stored, watch)?)
    }
}
