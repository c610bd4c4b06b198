//! `lvbackup send`: a full layer, or what changed since an older one, as a stream.

mod head;
mod resume;

use std::path::PathBuf;

use block_copy::Queue;
use cli::{Common, Exit, Failure, OrFail, Outcome, Progress, Stop, StreamArgs, say, undone};
use extents::Bytes;
use hyperlayer::Header;
use lvm_cmd::{LvName, LvRef, VgName};
use transfer::lvm::{Lvm, Run, Selection, Snapshots, Source, deltas, layer_of};
use transfer::receive::ResumeToken;
use transfer::{Delta, DetectLevel, Layer, Plan, Style, ToSend, diff_chain};

use head::Head;

/// Write a full layer, or what changed since an older one, as a stream
///
/// Without -i everything that is mapped in LV is sent, with it only the chunks in which LV and OLD differ. Neither may
/// change meanwhile: each must be read-only, inactive, or a snapshot that is not in use; `--snapshot` makes a snapshot of
/// one that is live. Several volumes of one pool (-l repeated, each with its -i in the same order, or none) are compared
/// in one metadata snapshot and go into the folder of `-o`, each as LV.hl.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The volume group of all volumes
    #[arg(short = 'v', long = "vg", value_name = "VG")]
    vg: Option<String>,

    /// The volume to send; repeatable
    #[arg(short = 'l', long = "lv", value_name = "LV", required_unless_present = "resume")]
    lv: Vec<String>,

    /// The older volume that the receiver has: send only what differs from it
    #[arg(short, long, visible_alias = "base", value_name = "OLD")]
    incremental: Vec<String>,

    /// Send all snapshots after OLD up to LV as one chain
    ///
    /// The stream holds one delta for each, oldest first. OLD and LV must be snapshots of one volume, and those between must be
    /// read-only. The receiver must have OLD.
    #[arg(short = 'I', long, value_name = "OLD", conflicts_with_all = ["incremental", "snapshot", "resume"])]
    intermediate: Option<String>,

    /// With -I, send only snapshots whose names match PATTERN
    ///
    /// PATTERN may contain `*`, `?` and `[a-z]`. LV is always sent.
    #[arg(long = "match", value_name = "PATTERN", requires = "intermediate")]
    matching: Option<glob::Pattern>,

    /// Add the header lines in FILE, `KEY: VALUE`, to the stream's own; `Name` there replaces the volume's
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,

    /// A line of your own in the stream's header; repeatable, the value may contain `:`
    #[arg(long, value_name = "KEY:VALUE")]
    meta: Vec<cli::Meta>,

    /// Make a snapshot of a volume to send that is live, read that, and remove it afterwards
    #[arg(long)]
    snapshot: bool,

    /// With --snapshot: freeze the file systems above the volume, on encryption or a partition, while it is made. One
    /// directly on the volume is frozen by the device mapper in any case
    #[arg(long, requires = "snapshot")]
    freeze: bool,

    #[command(flatten)]
    hooks: cli::Hooks,

    /// How much of OLD is hashed into the stream, for the receiver to check: 0 nothing, 1 the first block, 2 samples,
    /// 3 every block that the result depends on
    #[arg(short, long, value_name = "LEVEL", default_value = "2")]
    detect: DetectLevel,

    /// The stream's format
    #[arg(long, value_enum, default_value = "1.1")]
    format: cli::WriteFormat,

    #[command(flatten)]
    stream: StreamArgs,

    /// Send only the rest of a layer, for a receiver that was interrupted and gave this token. The volumes are found by
    /// their ids where no -l is given
    #[arg(long, value_name = "TOKEN", conflicts_with = "snapshot")]
    resume: Option<ResumeToken>,

    /// Say what the stream would hold, to the byte, and send nothing
    #[arg(long)]
    dry_run: bool,

    /// With --dry-run: as one JSON object a line on standard output
    #[arg(long, requires = "dry_run")]
    json: bool,
}

const AFTER: &str = "\
Examples:
  lvbackup send -v vg0 -l monday | ssh host lvbackup recv -v vg1 -p pool0 -l monday
  lvbackup send -v vg0 -l tuesday -i monday --compress zstd -o tuesday.hl
  lvbackup send -v vg0 -l sunday -I monday -o week.hl
  lvbackup send -v vg0 -l data-daily-30 -I data-daily-1 --match 'data-daily-*' | ssh host 'cat >month.hl'
  lvbackup send -v vg0 -l data --snapshot --pre 'pg_ctl stop' --post 'pg_ctl start' -o data.hl
  lvbackup send --resume hl1-eyJsYXllciI6... | ssh host lvbackup recv --resume -v vg1 -l tuesday
  lvbackup send -v vg0 -l root -l data -l log --snapshot -o /backup/today

The last two lines on standard error are the SHA1 and the BLAKE3 of exactly the bytes written. A snapshot of `--snapshot`
is gone afterwards, and with it the base of a later delta: for a chain, make snapshots that stay, or use
`lvbackup backup`.

`lvbackup recv` of a chain gives the state of its last layer. The states between are in the stream: keep it as a file.";

/// Sends the volumes.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let head = args.head.as_deref().map(head::read).transpose()?.unwrap_or_default();
    let style = args.style(&head);
    style.check().or_fail(Exit::Usage)?;
    let outputs = args.outputs()?;
    let mut names = args.names()?;
    if !args.snapshot && args.hooks.are_any() {
        return Err(Failure::msg(
            Exit::Usage,
            "`--pre` and `--post` are for the moment of a snapshot, and none is made",
        )
        .hint("add `--snapshot`"));
    }
    cli::require_root("`lvdiff` with `--scan` or `--full FILE`, which send images")?;

    let (exec, state) = cli::host(stop)?;
    let lvm = Lvm::new(&exec, &state, stop.flag());
    let mut this = Run::start(&lvm)?;
    if let Some(token) = args.resume.as_ref().filter(|_| names.is_empty()) {
        names.push(resume::find(&lvm, token)?);
    }
    let found = args.find(&lvm, &names)?;
    if let (false, Some(first)) = (args.dry_run, found.first()) {
        cli::say_leftovers("lvbackup", this.remove_leftovers(&lvm, &first.group)?);
    }
    for doubt in found.iter().flat_map(|selection| selection.doubts(args.detect)) {
        say(&format!("lvbackup: warning: {doubt}"));
    }
    if args.snapshot {
        found.iter().try_for_each(|selection| selection.check_base_quiet(&lvm))?;
    }
    if args.resume.is_some() {
        found.iter().try_for_each(Selection::check_kept)?;
    }

    let job = Job { args, common, lvm: &lvm, style: &style, name: head.name.as_deref(), named: &found, outputs, stop };
    if !args.snapshot {
        return job.send(&found);
    }
    let snapshots = args.hooks.around(&listed(&names), || {
        let live: Vec<_> = found.iter().flat_map(|selection| selection.live(&lvm)).collect();
        let frozen =
            args.freeze.then(|| this.freeze_above(&lvm, live.iter().copied(), &cli::written_to())).transpose()?;
        let made = Snapshots::create(lvm, &mut this, &found);
        let thawed = frozen.map_or(Ok(()), |frozen| frozen.thaw().map_err(transfer::Error::from));
        Ok(match (made, thawed) {
            (made, Ok(())) => made,
            (Ok(made), Err(frozen)) => transfer::undone(Err(frozen), made.remove()),
            (Err(refused), Err(frozen)) => transfer::undone(Err(refused), Err(frozen)),
        }?)
    })?;
    let quiet: Vec<_> = names.iter().map(|(new, base)| (snapshots.in_place_of(new).clone(), base.clone())).collect();
    let outcome = find_all(&lvm, &quiet).map_err(Failure::from).and_then(|quiet| job.send(&quiet));
    undone(outcome, snapshots.remove())
}

/// A volume to send and its base.
type Names = (LvRef, Option<LvRef>);

impl Args {
    fn style(&self, head: &Head) -> Style {
        let meta = self.meta.iter().cloned().map(cli::Meta::into_pair);
        Style {
            format: self.format.into(),
            detect: self.detect,
            meta: head.meta.iter().cloned().chain(meta).collect(),
            tool: concat!("lvbackup ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    /// Where each volume's stream goes.
    fn outputs(&self) -> Outcome<Vec<StreamArgs>> {
        if self.resume.is_some() && (self.lv.len() > 1 || self.format != cli::WriteFormat::V1_1) {
            return Err(Failure::msg(Exit::Usage, "`--resume` sends the rest of one layer, in format 1.1"));
        }
        if self.intermediate.is_some() && (self.lv.len() > 1 || self.format != cli::WriteFormat::V1_1) {
            return Err(Failure::msg(Exit::Usage, "`-I` sends one chain, in format 1.1")
                .hint("run `lvbackup send` once for each `-l LV`, without `--format`"));
        }
        if self.lv.len() <= 1 {
            if !self.dry_run {
                self.stream.check()?;
            }
            return Ok(vec![self.stream.clone()]);
        }
        let Some(folder) = self.stream.output.as_deref().filter(|output| output.is_dir() || self.dry_run) else {
            return Err(Failure::msg(Exit::Usage, "several volumes go into a folder, each as LV.hl")
                .hint("name a folder that exists: `-o FOLDER`"));
        };
        let file = |lv: &String| folder.join(format!("{}.hl", lv.rsplit('/').next().unwrap_or(lv)));
        Ok(self.lv.iter().map(|lv| StreamArgs { output: Some(file(lv)), ..self.stream.clone() }).collect())
    }

    /// The volumes to send, each with its base; with `-I` one for each layer of the chain.
    fn find(&self, lvm: &Lvm<'_>, names: &[Names]) -> Outcome<Vec<Selection>> {
        let (Some(_), [(new, Some(old))]) = (&self.intermediate, names) else { return Ok(find_all(lvm, names)?) };
        let wanted = |name: &LvName| self.matching.as_ref().is_none_or(|pattern| pattern.matches(name.as_str()));
        let steps = Selection::history(lvm, new, old, wanted)?;
        match &self.matching {
            Some(pattern) if steps.len() == 1 => {
                let text = format!("cannot send a chain: no snapshot between `{old}` and `{new}` matches `{pattern}`");
                Err(Failure::msg(Exit::Usage, text).hint(format!("name its base with `-i {old}` to send one delta")))
            }
            _ => Ok(steps),
        }
    }

    fn names(&self) -> Outcome<Vec<Names>> {
        let vg = self.vg.as_deref().map(str::parse::<VgName>).transpose().or_fail(Exit::Usage)?;
        let named = |names: &[String]| -> Outcome<Vec<LvRef>> {
            names.iter().map(|name| LvRef::parse(name, vg.as_ref()).or_fail(Exit::Usage)).collect()
        };
        let olds = self.intermediate.as_ref().map_or(&self.incremental[..], std::slice::from_ref);
        let (volumes, bases) = (named(&self.lv)?, named(olds)?);
        if let Some(twice) = volumes.iter().enumerate().find_map(|(n, one)| volumes[..n].contains(one).then_some(one)) {
            return Err(Failure::msg(Exit::Usage, format!("`{twice}` is given twice")));
        }
        match bases.len() {
            0 => Ok(volumes.into_iter().map(|volume| (volume, None)).collect()),
            n if n == volumes.len() => Ok(volumes.into_iter().zip(bases.into_iter().map(Some)).collect()),
            n => Err(Failure::msg(Exit::Usage, format!("there are {} volumes and {n} older ones", volumes.len()))
                .hint("give each `-l LV` its `-i OLD`, in the same order, or none at all")),
        }
    }
}

fn find_all(lvm: &Lvm<'_>, names: &[Names]) -> Result<Vec<Selection>, transfer::Error> {
    Selection::find_all(lvm, names.iter().map(|(new, base)| (new, base.as_ref())))
}

fn listed(names: &[Names]) -> String {
    names.iter().map(|(volume, _)| volume.to_string()).collect::<Vec<_>>().join(" ")
}

/// What is sent, and how.
struct Job<'a> {
    args: &'a Args,
    common: Common,
    lvm: &'a Lvm<'a>,
    style: &'a Style,
    /// The name that the head gives the volume.
    name: Option<&'a str>,
    /// The volumes under the names that the user gave.
    named: &'a [Selection],
    outputs: Vec<StreamArgs>,
    stop: &'a Stop,
}

impl Job<'_> {
    /// Sends volumes that nobody writes to.
    fn send(&self, quiet: &[Selection]) -> Outcome {
        quiet.iter().try_for_each(|selection| selection.check_quiet(self.lvm))?;
        // Before the deltas, so that it is checked of all of the time whether a volume is written to.
        let sources = if self.args.dry_run { Vec::new() } else { Source::open_all(self.lvm, quiet)? };
        let sent = self.send_opened(quiet, &sources);
        sources.into_iter().fold(sent, |outcome, source| undone(outcome, source.close()))
    }

    fn send_opened(&self, quiet: &[Selection], sources: &[Source<'_>]) -> Outcome {
        let progress = Progress::new("comparing", None, self.common, self.stop.clone());
        let deltas = deltas(self.lvm, quiet, &progress)?;
        drop(progress);
        let parts = quiet.iter().zip(deltas).zip(self.named);
        let layers = parts.map(|((selection, delta), named)| self.layer(selection, delta, named));
        let layers = layers.collect::<Outcome<Vec<_>>>()?;
        if self.args.dry_run {
            return layers.iter().try_for_each(|(header, plan)| cli::show_plan(header, plan, self.args.json));
        }
        let layers: Vec<_> = layers.iter().zip(sources).collect();
        let in_each = if self.args.intermediate.is_some() { layers.len() } else { 1 };
        layers.chunks(in_each).zip(&self.outputs).try_for_each(|(layers, output)| self.write(layers, output))
    }

    fn layer(&self, selection: &Selection, delta: Delta, named: &Selection) -> Outcome<(Header, Plan)> {
        let layer = Layer {
            name: Some(self.name.map_or_else(|| named.new.name.lv().to_string(), str::to_owned)),
            source: named.new.name.to_string(),
            id: Some(layer_of(&selection.new)?),
            parent: selection.base.as_ref().map(layer_of).transpose()?,
            full: selection.base.is_none(),
            created: selection.new.created_seconds.and_then(cli::utc),
            geometry: selection.geometry()?,
            delta,
        };
        let (header, plan) = layer.plan(self.style)?;
        match &self.args.resume {
            Some(token) => resume::rest(token, header, &plan),
            None => Ok((header, plan)),
        }
    }

    /// Writes one layer or a chain of them into one output.
    fn write(&self, layers: &[(&(Header, Plan), &Source<'_>)], output: &StreamArgs) -> Outcome {
        let work = layers.iter().fold(Bytes::ZERO, |work, ((_, plan), _)| work.saturating_add(plan.work()));
        let progress = Progress::new("sending", Some(work), self.common, self.stop.clone());
        let layers: Vec<_> = layers.iter().map(|((header, plan), source)| to_send(header, plan, source)).collect();
        output.write(&progress, self.stop, |progress, put| Ok(diff_chain(&layers, Queue::default(), progress, put)?))
    }
}

fn to_send<'a>(header: &'a Header, plan: &'a Plan, source: &'a Source<'_>) -> ToSend<'a> {
    ToSend { header, plan, new: source.new_volume(), base: source.base() }
}
