//! `lvbackup sync`: a volume and its copy, kept in step by what changed.

pub(crate) mod ends;
pub(crate) mod events;
mod place;
mod ssh;

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use cli::{Common, Compression, Exit, Failure, Hooks, OrFail, Outcome, Stop, say};
use extents::{Bytes, human};
use lvm_cmd::LvName;
use replicate::{
    Access, Allow, Keep, Pair, Patience, Reached, Removed, Role, Summary, Sync, SyncError, Verify, Volumes,
};
use serde_json::json;

use crate::serve::{Machine, TOOL};
use ends::{End, Shared, Stops};
use events::{Pace, Shown};
use place::Place;
use ssh::Ssh;

/// Bring a copy of a volume, here or on another host, to the present state
///
/// Each run makes a snapshot of SRC, finds the newest one that both sides have, and sends what changed since; the first sends
/// all that is mapped. It is received beside DST, read back, and then takes its name, so that DST always holds one whole state;
/// older snapshots go on both sides. A run that was interrupted goes on the next time. Either side may be on another host, where
/// ssh starts `lvbackup serve`. Nobody should write to DST: that is noticed, and refused.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// What is copied: `VG/LV`, or `[ssh://][USER@]HOST:VG/LV`
    #[arg(value_name = "SRC")]
    source: String,

    /// Its copy: `[HOST:]VG/LV`, or `[HOST:]VG` for one called as SRC is
    #[arg(value_name = "DST")]
    destination: String,

    /// What both are called together; snapshots carry it as a tag [default: both places with the names of their hosts]
    #[arg(long, value_name = "NAME")]
    pair: Option<Pair>,

    /// The thin pool in which a first copy is made
    #[arg(long, value_name = "POOL")]
    pool: Option<LvName>,

    /// The copy's name, where DST is a volume group
    #[arg(long, value_name = "LV")]
    name: Option<String>,

    /// Make the copy read-only
    #[arg(long)]
    recv_read_only: bool,

    /// Read back what this run writes: full, sampled or none
    ///
    /// The blocks that are read back are compared with the source. A run that resumes a layer reads back only the rest of the
    /// layer. The part that earlier runs received was checked before it was written, and is durable. Samples of that part are
    /// compared before the rest is applied.
    #[arg(long, value_name = "HOW", default_value = "full", value_parser = ["full", "sampled", "none"])]
    verify: String,

    /// Send no more than so many bytes of streams a second, such as 20m
    #[arg(long, value_name = "RATE", value_parser = rate)]
    bwlimit: Option<Bytes>,

    /// Compress what goes to another host: zstd, zstd:LEVEL (1 to 19; what comes from one has level 3) or none
    #[arg(long, value_name = "METHOD", default_value = "none")]
    compress: Compression,

    /// Which snapshots of the pair stay at the source: `last=3,hourly=24,daily=7,within=90d,tag=NAME`. The newest that both
    /// sides have always stays
    #[arg(long, value_name = "RULES", default_value = "last=1")]
    keep_source: Keep,

    /// Which stay at the destination
    #[arg(long, value_name = "RULES", default_value = "last=1")]
    keep_destination: Keep,

    /// Whose days the rules mean, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,

    /// Overwrite local changes in DST, keeping them as the snapshot `LV-written-TIME`; and let DST go back to an older layer
    #[arg(long)]
    rollback: bool,

    /// Where DST exists and nothing is known of it, or both sides have no snapshot in common: compare both block by block, and
    /// send only what differs
    #[arg(long)]
    use_existing: bool,

    /// Take over a pair that another tool kept: a snapshot of each side that holds the same. Both are compared first
    #[arg(long, value_names = ["SNAP_SRC", "SNAP_DST"], num_args = 2, conflicts_with_all = ["use_existing", "dry_run"])]
    adopt: Vec<LvName>,

    /// Make no snapshot: send the newest that there is
    #[arg(long, conflicts_with_all = ["pre", "post"])]
    no_snapshot: bool,

    #[command(flatten)]
    hooks: Hooks,

    /// Say what would be sent, to the byte, and change nothing: snapshots for it are removed again
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// As one JSON object on standard output
    #[arg(long)]
    json: bool,

    /// The program that reaches the other host, with its options
    #[arg(long, value_name = "COMMAND", default_value = "ssh")]
    ssh: String,

    /// What is started on the other host, as its shell takes it
    #[arg(long, value_name = "COMMAND", default_value = "lvbackup")]
    remote_command: String,

    /// Give up when the other host says nothing for so long: 90s, 5m, 1h
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = waits)]
    stall_timeout: u32,
}

const AFTER: &str = "\
Examples:
  lvbackup sync vg0/data root@backup1:vg1/data --pool pool0
  lvbackup sync root@web1:vg0/data vg1 --name web1-data --pool pool0 --keep-destination last=3,daily=7,weekly=5
  lvbackup sync vg0/data vg1/data --recv-read-only --verify sampled
  lvbackup sync vg0/data backup1:vg1/data --compress zstd --bwlimit 20m --ssh 'ssh -p 2222'
  lvbackup sync vg0/db backup1:vg1/db --pre 'pg_ctl stop -m fast' --post 'pg_ctl start'
  lvbackup sync vg0/data backup1:vg1/data --use-existing
  lvbackup sync vg0/data backup1:vg1/data --dry-run --json

Several copies of one volume are several pairs, each with snapshots of its own. A pair is named by both places: after `lvrename` or
`vgrename` of either, name it by --pair. Content is copied, and nothing else: the copy has no tag or property of SRC.

A copy on the same host has the same file system UUID and label as SRC, or is the same LVM physical volume. Mount neither by UUID,
and keep the copy inactive where nothing reads it: after `lvchange -an -ky DST`, each later run leaves it so. A copy of a physical
volume that is to be active must be hidden from LVM (`devices/global_filter` in lvm.conf).

DST cannot be replaced while it has a classic snapshot (`lvcreate -s -L`), which LVM would remove along with it: make thin snapshots
of it.

Keys of --json: pair, layer, parent (null: all was sent, or nothing), resumed, data_bytes, zero_bytes, wire_bytes (sent to and
received from other hosts), verified, seconds, kept_written (null: nothing was), removed (an object: source, destination, each
a list of objects: name, why), dry_run.

Exit status: 0; 1 the connection or the operation failed, DST is as it was; 2 wrong usage; 3 DST was written to, is in use, or holds
what nobody knows: the message says how to go on; 4 the surroundings were refused, on either side; 5 a part of what was to come
is there: the same command goes on with it; 128+N ended by signal N.";

/// Runs it.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    if args.json {
        cli::stdout()?;
    }
    let (source, destination) = (Place::parse(&args.source)?, Place::parse(&args.destination)?);
    let want = args.want(&source, &destination)?;
    if source.host.is_none() && destination.host.is_none() && want.source == want.destination {
        return Err(Failure::msg(Exit::Usage, format!("`{}` cannot be its own copy", want.source)));
    }
    let started = Instant::now();
    let here = source.host.is_none() || destination.host.is_none();
    let machine = here.then(|| Machine::new(stop)).transpose()?;
    let shown = Shown::new(common, stop, &args.hooks, want.source.to_string(), args.bwlimit);
    let both = Both { args, machine: machine.as_ref(), stop };
    let (summary, wire) = both.run(&want, [&source, &destination], &shown)?;
    drop(shown);
    let seconds = started.elapsed();
    if args.json {
        let object = object(args, &summary, wire, seconds);
        cli::report(&format!("{object}\n"), &format!("`{}` is in sync", want.destination))?;
    }
    if !common.quiet {
        tell(args, &want, &summary, seconds);
    }
    if source.host.is_none() && destination.host.is_none() && summary.in_full && !args.dry_run {
        say(&format!(
            "lvbackup: warning: `{0}` has the file system UUID of `{1}`, or is the same physical volume, on one host; mount \
             neither by UUID, or keep `{0}` inactive: `lvchange -an -ky {0}`",
            want.destination, want.source
        ));
    }
    Ok(())
}

/// Both servers, for one session each.
struct Both<'a> {
    args: &'a Args,
    machine: Option<&'a Machine<'a>>,
    stop: &'a Stop,
}

impl Both<'_> {
    /// The summary, and how much went over wires.
    fn run(&self, want: &Sync, places: [&Place; 2], shown: &Shown<'_>) -> Outcome<(Summary, u64)> {
        let allow = Allow { volumes: Volumes::Any, access: Access::Both };
        // What comes or goes is held back on its way through the client; here nothing more is to be held back.
        let pace = Pace::new(None, self.stop.clone());
        let shared = [Shared::default(), Shared::default()];
        let mut remotes = [None, None];
        let mut ends = [None, None];
        for (n, place) in places.into_iter().enumerate() {
            if let Some(host) = &place.host {
                let (ssh, pipes) = Ssh::start(&self.args.ssh, host, &self.args.remote_command, self.stop)?;
                (remotes[n], ends[n]) = (Some(ssh), Some(pipes));
            }
        }
        let hang_up: [_; 2] = std::array::from_fn(|n| {
            let shared = remotes[n].as_ref().map_or_else(|| shared[n].clone(), |ssh: &Ssh| ssh.shared.clone());
            move || shared.hang_up()
        });
        let synced = thread::scope(|scope| {
            let mut reached = Vec::new();
            let mut served = Vec::new();
            for (n, pipes) in ends.into_iter().enumerate() {
                reached.push(match (pipes, self.machine) {
                    (Some((from, to)), _) => self.reached(Box::new(from), Box::new(to), &hang_up[n], true),
                    (None, Some(machine)) => {
                        let (near, server) = local(scope, machine, &shared[n], &allow, &pace, self.stop)?;
                        served.push(server);
                        self.reached(Box::new(near.0), Box::new(near.1), &hang_up[n], false)
                    }
                    (None, None) => return Err(Failure::msg(Exit::Failed, "nothing serves on this machine")),
                });
            }
            let (Some(destination), Some(source)) = (reached.pop(), reached.pop()) else {
                return Err(Failure::msg(Exit::Failed, "nothing serves"));
            };
            Ok(replicate::sync(want, source, destination, TOOL, shown))
        })?;
        let wire = remotes.iter().flatten().map(|ssh| ssh.shared.bytes()).sum();
        match synced {
            Ok(summary) => Ok((summary, wire)),
            Err(error) => {
                let broken =
                    broken_side(&error).and_then(|role| remotes[usize::from(role == Role::Destination)].as_mut());
                let failure = failure(error);
                Err(match broken {
                    Some(ssh) if !self.stop.requested() => ssh.explain(failure),
                    _ => failure,
                })
            }
        }
    }

    fn reached<'e>(
        &self,
        input: Box<dyn std::io::Read + Send + 'e>,
        output: Box<dyn Write + Send + 'e>,
        hang_up: &'e (dyn Fn() + std::marker::Sync),
        is_remote: bool,
    ) -> Reached<'e> {
        let zstd_level = match self.args.compress {
            Compression::Zstd(level) if is_remote => Some(level),
            _ => None,
        };
        let gone_after_waits = self.args.stall_timeout;
        let patience = Patience { ping_after_waits: (gone_after_waits / 3).clamp(1, 60), gone_after_waits };
        Reached { input, output, zstd_level, patience, hang_up }
    }
}

type LocalEnds = (End<UnixStream>, End<UnixStream>);

/// A server for this machine's volumes, in a thread, as it would be on another host.
fn local<'scope>(
    scope: &'scope Scope<'scope, '_>,
    machine: &'scope Machine<'scope>,
    shared: &'scope Shared,
    allow: &'scope Allow,
    pace: &'scope Pace,
    stop: &Stop,
) -> Outcome<(LocalEnds, ScopedJoinHandle<'scope, ()>)> {
    let (near, far) = UnixStream::pair().or_fail(Exit::Failed)?;
    let ends = |stream: UnixStream, stops| -> std::io::Result<LocalEnds> {
        let other = stream.try_clone()?;
        Ok((End::new(stream, shared, stop, stops)?, End::new(other, shared, stop, stops)?))
    };
    let near = ends(near, Stops::WhereItWaits).or_fail(Exit::Failed)?;
    let (input, output) = ends(far, Stops::AtOnce).or_fail(Exit::Failed)?;
    let server = scope.spawn(move || {
        // Whatever ended it, the client knows, and says it.
        let _ = machine.serve(input, output, shared, allow, pace);
    });
    Ok((near, server))
}

impl Args {
    fn want(&self, source: &Place, destination: &Place) -> Outcome<Sync> {
        let volume = source.volume()?;
        let keep = |keep: &Keep| keep.clone().in_zone(&self.zone).or_fail(Exit::Usage);
        let seed = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos().into();
        Ok(Sync {
            destination: destination.destination(&volume, self.name.as_deref())?,
            source: volume,
            pair: self.pair.clone(),
            pool: self.pool.clone(),
            read_only_live: self.recv_read_only,
            verify: match self.verify.as_str() {
                "none" => Verify::None,
                "sampled" => Verify::Sampled { seed: seed() },
                _ => Verify::Full,
            },
            keep_source: keep(&self.keep_source)?,
            keep_destination: keep(&self.keep_destination)?,
            rollback: self.rollback,
            use_existing: self.use_existing,
            adopt: match self.adopt.as_slice() {
                [ours, theirs] => Some((ours.clone(), theirs.clone())),
                _ => None,
            },
            snapshot: !self.no_snapshot,
            dry_run: self.dry_run,
        })
    }
}

/// The side whose connection broke, if it is that.
fn broken_side(error: &SyncError) -> Option<Role> {
    match error {
        SyncError::Link { role, .. } | SyncError::Ended { role } => Some(*role),
        SyncError::Partly { cause, .. } | SyncError::Settling { cause, .. } | SyncError::After { cause, .. } => {
            broken_side(cause)
        }
        _ => None,
    }
}

fn failure(error: SyncError) -> Failure {
    if error.is_stop() {
        return transfer::Error::from(block_copy::Error::Stopped).into();
    }
    let exit = match error.exit() {
        2 => Exit::Usage,
        3 => Exit::Refused,
        4 => Exit::Surroundings,
        5 => Exit::Unfinished,
        _ => Exit::Failed,
    };
    let hints: Vec<_> = error.hints().into_iter().map(str::to_owned).collect();
    let failure = Failure::new(exit, error);
    hints.into_iter().fold(failure, Failure::hint)
}

fn object(args: &Args, summary: &Summary, wire_bytes: u64, seconds: Duration) -> serde_json::Value {
    let removed = |removed: &[Removed]| -> Vec<_> {
        removed.iter().map(|of| json!({"name": of.name.as_str(), "why": of.why.as_str()})).collect()
    };
    json!({
        "pair": summary.pair.to_string(),
        "layer": summary.layer.as_str(),
        "parent": summary.parent.as_ref().map(hyperlayer::LayerId::as_str),
        "resumed": summary.resumed,
        "data_bytes": summary.data.get(),
        "zero_bytes": summary.zero.get(),
        "wire_bytes": wire_bytes,
        "verified": args.verify,
        "seconds": seconds.as_secs_f64(),
        "kept_written": summary.kept_written.as_ref().map(LvName::as_str),
        "removed": {
            "source": removed(&summary.removed_source),
            "destination": removed(&summary.removed_destination),
        },
        "dry_run": args.dry_run,
    })
}

fn tell(args: &Args, want: &Sync, summary: &Summary, seconds: Duration) {
    let (data, zero) = (human(summary.data), human(summary.zero));
    let removed = summary.removed_source.len() + summary.removed_destination.len();
    if args.dry_run {
        return say(&format!(
            "lvbackup: {data} of data and {zero} of zeros would be sent, a stream of {} bytes; {removed} older snapshots would go",
            summary.stream
        ));
    }
    let verified = match args.verify.as_str() {
        "none" => "not verified",
        "sampled" => "verified by samples",
        _ => "verified",
    };
    say(&format!(
        "lvbackup: `{}` holds layer {} of `{}`: {data} of data, {zero} of zeros, {verified}, in {:.1} s; {removed} older \
         snapshots removed",
        want.destination,
        summary.layer,
        want.source,
        seconds.as_secs_f64()
    ));
}

/// A rate at which the far side still hears something from time to time.
fn rate(text: &str) -> Result<Bytes, String> {
    const LEAST: Bytes = Bytes::new(16 * 1024);
    cli::rate(text)
        .and_then(|rate| if rate < LEAST { Err("expected at least 16k a second".to_owned()) } else { Ok(rate) })
}

/// A time as so many waits of a second.
fn waits(text: &str) -> Result<u32, String> {
    let refused = || format!("expected a time from 10s to 24h such as `5m`, found `{text}`");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(refused)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(refused()),
    };
    let waits = number.parse::<u32>().ok().and_then(|number| number.checked_mul(seconds));
    waits.filter(|waits| (10..=86_400).contains(waits)).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, expected) in [("90s", Some(90)), ("5m", Some(300)), ("24h", Some(86_400)), ("10s", Some(10))] {
            assert_eq!(waits(text).ok(), expected, "{text}");
        }
        for text in ["", "5", "m", "9s", "25h", "5d", "-5m", "99999999h", "5 m", "5µ"] {
            assert!(waits(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates() {
        assert_eq!(rate("20m").unwrap(), Bytes::new(20 << 20));
        assert!(rate("1k").is_err() && rate("0").is_err());
    }
}
