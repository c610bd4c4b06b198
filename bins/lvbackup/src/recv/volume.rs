//! A chain as a thin volume.

use std::path::Path;

use block_copy::Queue;
use cli::{Common, Exit, Failure, OrFail, Outcome, Progress, Stop, say};
use hyperlayer::LayerId;
use lvm_cmd::{DEFAULT_LOCKS_DIR, Lv, LvName, LvRef, Permission, StateDir, Uuid, VgName, find, volumes};
use transfer::lvm::{
    Destination, Lvm, LvmError, PartialVolumes, Replaced, Run, Source, VolumeSite, activating, identify_volume,
    layer_of,
};
use transfer::needs_no_base;
use transfer::receive::{DEFAULT_PARTIAL_DIR, Ledger, LedgerFile, Partial, PartialBase, Receiver, Rehearsal};

use super::left::Target;
use super::{Args, done, due, hand_over, want};

/// Where the ledger of a volume lies.
pub(super) fn ledger(target: &LvRef) -> LedgerFile {
    LedgerFile::new(Path::new(DEFAULT_PARTIAL_DIR).join(format!("{}.json", target.dm_name())))
}

pub(super) fn target(name: &LvRef) -> Target {
    Target { name: name.to_string(), options: format!("-v {} -l {}", name.vg(), name.lv()) }
}

/// Receives into `VG/LV`.
///
/// # Errors
/// See the exit status in the help.
pub(super) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let vg = args.vg.as_deref().map(str::parse::<VgName>).transpose().or_fail(Exit::Usage)?;
    let name = LvRef::parse(args.lv.as_deref().unwrap_or_default(), vg.as_ref()).or_fail(Exit::Usage)?;
    let in_group = |text: &Option<String>| -> Outcome<Option<LvRef>> {
        let Some(text) = text else { return Ok(None) };
        let found = LvRef::parse(text, Some(name.vg())).or_fail(Exit::Usage)?;
        if found.vg() == name.vg() {
            return Ok(Some(found));
        }
        Err(Failure::msg(Exit::Usage, format!("`{name}` cannot come to be from `{found}`, which is in another group")))
    };
    let (base, pool) = (in_group(&args.base)?, in_group(&args.pool)?);
    let keep_old = args.keep_old.as_deref().map(str::parse::<LvName>).transpose().or_fail(Exit::Usage)?;
    if !args.discard_partial {
        name.check_length().or_fail(Exit::Usage)?;
    }
    cli::require_root("`--to-file IMAGE`")?;

    let (exec, state) = cli::host(stop)?;
    let lvm = Lvm::new(&exec, &state, stop.flag());
    let this = Run::start(&lvm)?;
    let job = Job { args, common, lvm, target: target(&name), ledger: ledger(&name), base, pool, keep_old };
    let locks = StateDir::new(DEFAULT_LOCKS_DIR).map_err(transfer::Error::from)?;
    let ours = PartialVolumes::lock(lvm, &locks, &name)?;
    let group = volumes(&exec, name.vg()).map_err(transfer::Error::from)?;
    if args.discard_partial {
        return job.discard(&ours, &group);
    }
    if !args.dry_run {
        cli::say_leftovers("lvbackup", this.remove_leftovers(&lvm, &group)?);
    }
    let progress = Progress::new("receiving", None, common, stop.clone());
    if args.dry_run {
        return job.rehearse(&ours, &group, &progress);
    }
    job.receive(ours, group, &progress)
}

struct Job<'a> {
    args: &'a Args,
    common: Common,
    lvm: Lvm<'a>,
    target: Target,
    ledger: LedgerFile,
    base: Option<LvRef>,
    pool: Option<LvRef>,
    keep_old: Option<LvName>,
}

impl Job<'_> {
    fn discard(&self, ours: &PartialVolumes<'_>, group: &[Lv]) -> Outcome {
        let removed = ours.discard(group)?;
        if removed.is_empty() && !self.ledger.path().exists() {
            return Err(self.target.nothing());
        }
        // Last: as long as it is there, nobody takes the volumes for something else.
        self.ledger.remove().map_err(transfer::Error::from)?;
        let names: Vec<_> = removed.iter().map(|name| format!("`{name}`")).collect();
        say(&format!(
            "lvbackup: removed {}",
            if names.is_empty() { "the ledger".to_owned() } else { names.join(", ") }
        ));
        Ok(())
    }

    fn receive(&self, ours: PartialVolumes<'_>, group: Vec<Lv>, progress: &Progress) -> Outcome {
        let old = self.old(&ours, &group)?;
        let partial = match old {
            Some(old) => old,
            None => {
                let (new, _) = self.begin(&ours, &group)?;
                // What a run that came no further may have left.
                ours.discard(&group)?;
                self.ledger.keep(&new).map_err(transfer::Error::from)?;
                new
            }
        };
        if partial.complete {
            return self.finish(&ours, &partial, &[]);
        }
        let destination = match self.destination(&ours, group, &partial) {
            Ok(destination) => destination,
            Err(cause) => return Err(self.interrupted(&ours, &partial, cause)),
        };
        let due = due(self.args);
        let site = VolumeSite::new(ours, destination, self.args.force_base)?;
        let mut receiver = Receiver::new(site, &self.ledger, partial, want(self.args, &due));
        match hand_over(self.args, progress, |layer| receiver.receive(layer, progress)) {
            Ok(received) => {
                let before = receiver.partial().clone();
                let (site, partial) = receiver.complete().map_err(|cause| {
                    // It may count on less than before.
                    self.target.interrupted(&self.ledger.read().ok().flatten().unwrap_or(before), cause.into())
                })?;
                self.finish(&site.close(), &partial, &received)
            }
            Err(cause) => {
                let (site, partial) = receiver.interrupt();
                Err(self.interrupted(&site.close(), &partial, cause))
            }
        }
    }

    /// What is left to be continued; removed, where that is nothing.
    fn interrupted(&self, ours: &PartialVolumes<'_>, partial: &Partial, cause: Failure) -> Failure {
        if !partial.is_empty() {
            return self.target.interrupted(partial, cause);
        }
        let removed = volumes(self.lvm.exec, ours.target().vg())
            .map_err(transfer::Error::from)
            .and_then(|group| ours.discard(&group))
            .and_then(|_| self.ledger.remove().map_err(Into::into));
        match removed {
            Ok(()) => cause,
            Err(left) => self.target.lost(cause).hint(Failure::from(left)),
        }
    }

    /// What an interrupted receive has left; `None` where there is nothing to continue.
    fn old(&self, ours: &PartialVolumes<'_>, group: &[Lv]) -> Outcome<Option<Partial>> {
        match self.ledger.read() {
            Ok(Some(old)) if old.is_empty() && !old.complete && !self.args.resume => Ok(None),
            Ok(Some(old)) if !self.args.resume => Err(self.target.in_the_way(&old)),
            Ok(Some(old)) => Ok(Some(old)),
            Ok(None) => match ours.among(group).next() {
                Some(volume) => {
                    let lost = format!("`{}` says how far, and is not there", self.ledger.path().display());
                    Err(self.target.lost(Failure::msg(Exit::Failed, format!("`{}` is left, and {lost}", volume.name))))
                }
                None if self.args.resume => Err(self.target.nothing()),
                None => Ok(None),
            },
            Err(error) => Err(self.target.lost(transfer::Error::from(error).into())),
        }
    }

    /// What is to come to be, and what it is made of.
    fn begin(&self, ours: &PartialVolumes<'_>, group: &[Lv]) -> Outcome<(Partial, Option<Lv>)> {
        let name = ours.target();
        PartialVolumes::check_length(name)?;
        let there = group.iter().find(|lv| lv.name == *name);
        let base = match (&self.base, there) {
            (Some(_), Some(_)) => return Err(taken(name)),
            (Some(base), None) => Some(find(group, base).map_err(transfer::Error::from)?),
            (None, Some(_)) if self.pool.is_some() => return Err(taken(name)),
            (None, there) => there,
        };
        if base.is_none() && self.pool.is_none() {
            return Err(Failure::msg(
                Exit::Usage,
                format!("`{name}` does not exist, and neither a pool nor a base is given"),
            )
            .hint(
                "`-p POOL` for a chain that begins with a full layer, `--base BASE` for one that begins with a delta",
            ));
        }
        let made_of = base.map(|base| PartialBase {
            name: base.name.to_string(),
            uuid: Some(base.uuid.to_string()),
            size: base.size,
        });
        let mut partial = Partial::new(name.to_string(), cli::now_utc(), made_of);
        partial.pool = self.pool.as_ref().map(LvRef::to_string);
        if let Some(there) = there {
            let keep_as = self.keep_as(there)?;
            name.sibling(keep_as.clone()).check_length().or_fail(Exit::Usage)?;
            if group.iter().any(|lv| lv.name == name.sibling(keep_as.clone())) {
                let text = format!("the old state of `{name}` cannot be kept as `{keep_as}`: there is such a volume");
                return Err(Failure::msg(Exit::Failed, text).hint("give another name: `--keep-old NAME`"));
            }
            partial.keep_old = Some(keep_as.to_string());
        }
        Ok((partial, base.cloned()))
    }

    /// What the volume that is there will be called.
    fn keep_as(&self, there: &Lv) -> Outcome<LvName> {
        if let Some(name) = &self.keep_old {
            return Ok(name.clone());
        }
        let layer: LayerId = layer_of(there)?;
        let first: String = layer.as_str().chars().filter(char::is_ascii_alphanumeric).take(6).collect();
        // One that is taken is refused: a second receive of the same chain is a mistake.
        let named = there.name.with_suffix(&first, |_| false).or_fail(Exit::Usage);
        named
            .map(|named| named.lv().clone())
            .map_err(|failure| failure.hint("give the old state a name: `--keep-old NAME`"))
    }

    /// Where a chain goes on. By the base's UUID: names change.
    fn destination(&self, ours: &PartialVolumes<'_>, group: Vec<Lv>, partial: &Partial) -> Outcome<Destination> {
        let made_of = partial.base.as_ref().filter(|_| partial.layers == 0);
        let base = match made_of {
            Some(base) => {
                let found = group.iter().find(|lv| Some(lv.uuid.as_str()) == base.uuid.as_deref());
                let found =
                    found.ok_or_else(|| Failure::msg(Exit::Failed, format!("its base `{}` is gone", base.name)));
                Some(found?.name.clone())
            }
            None => None,
        };
        let before = partial.pool.as_ref().map(|pool| LvRef::parse(pool, None)).transpose().or_fail(Exit::Failed)?;
        let of_ours = ours.among(&group).find_map(Lv::pool_ref);
        let pool = self.pool.clone().or(before).or(of_ours).or_else(|| base.clone());
        let Some(pool) = pool else {
            return Err(Failure::msg(Exit::Usage, "the pool is not given").hint("add `-p POOL`"));
        };
        Ok(Destination::among(group, base.as_ref(), &pool)?)
    }

    /// The last steps, which can be done again.
    fn finish(
        &self,
        ours: &PartialVolumes<'_>,
        partial: &Partial,
        received: &[transfer::receive::Received],
    ) -> Outcome {
        let permission = if self.args.writable { Permission::ReadWrite } else { Permission::ReadOnly };
        let layer = partial.whole.as_ref().and_then(|whole| whole.layer.as_ref());
        let replaced = match (&partial.keep_old, &partial.base) {
            (Some(keep_as), Some(PartialBase { uuid: Some(uuid), .. })) => Some(Replaced {
                uuid: uuid.parse::<Uuid>().or_fail(Exit::Failed)?,
                keep_as: keep_as.parse::<LvName>().or_fail(Exit::Failed)?,
            }),
            _ => None,
        };
        let finished = ours.finish(partial.layers, layer, permission, replaced.as_ref());
        let new = finished.map_err(|cause| self.target.interrupted(partial, cause.into()))?;
        self.ledger.remove().map_err(transfer::Error::from)?;
        ours.release()?;
        let kept = partial.keep_old.as_ref().map(|old| format!(", its old state is `{old}`")).unwrap_or_default();
        let how = format!("`{new}` is whole{kept}; `{}` activates it", activating(&new, permission));
        done(self.args, self.common, received, &how);
        Ok(())
    }

    /// Checks everything and writes nothing.
    fn rehearse(&self, ours: &PartialVolumes<'_>, group: &[Lv], progress: &Progress) -> Outcome {
        let (_, base) = self.begin(ours, group)?;
        let checked = base.as_ref().filter(|_| !self.args.no_base_check);
        let source = checked.map(|base| Source::open_one(&self.lvm, group, base)).transpose()?;
        let mut rehearsal = Rehearsal::new(source.as_ref().map(Source::new_volume), Queue::default());
        let received = hand_over(self.args, progress, |layer| {
            let identify = |header: &hyperlayer::Header| match &base {
                Some(base) => identify_volume(header, base, self.args.force_base).map(Some),
                None => needs_no_base(header).map(|()| None),
            };
            rehearsal.receive(layer, identify, progress)
        });
        let received = cli::undone(received, source.map_or(Ok(()), Source::close))?;
        done(self.args, self.common, &received, "whole and unaltered; nothing was written");
        Ok(())
    }
}

fn taken(name: &LvRef) -> Failure {
    transfer::Error::from(LvmError::Exists { name: name.clone() }).into()
}
