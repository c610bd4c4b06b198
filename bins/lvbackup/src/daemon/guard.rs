//! Looking after the pools of this machine: on a clock, and before each run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use daemon::{
    Action, Config, Fill, Job, JobName, Levels, Place, Pool, PoolLevel, PoolReport, Purpose, Thresholds, Verdict, judge,
};
use jiff::Timestamp;
use lvm_cmd::{
    Executor, Lv, LvRef, MetadataSnapshot, PoolStatus, StateDir, VgName, find, pool_status, remove, volumes,
    with_causes,
};
use replicate::lvm::removable;

use super::log::Log;

/// So many snapshots go at most when a pool is looked at once.
const MAX_PRUNED: usize = 1000;

/// So often a pool is looked at that others work on meanwhile, until its transaction id is given up.
const MAX_LOOKS: usize = 5;

/// What is found when all is looked at.
#[derive(Debug, Default)]
pub(super) struct Looked {
    /// The pools of each job, as far as they are known.
    pub pools: BTreeMap<JobName, BTreeSet<Place>>,
    /// How the pools of this machine are.
    pub reports: Vec<PoolReport>,
}

/// Looks at pools, and removes from those that are too full. One at a time does.
#[derive(Debug)]
pub(super) struct Guard<E> {
    exec: E,
    state: StateDir,
    one: Mutex<Problems>,
    /// From now on no LVM command is started.
    stopped: AtomicBool,
}

/// What there is on this machine.
#[derive(Debug, Default)]
struct Found {
    volumes: Vec<Lv>,
    /// The groups that could be listed.
    groups: BTreeSet<VgName>,
}

/// What could not be looked at, so that it is told once and not every minute.
type Problems = BTreeMap<VgName, String>;

impl<E: Executor> Guard<E> {
    pub(super) fn new(exec: E, state: StateDir) -> Self {
        Self { exec, state, one: Mutex::default(), stopped: AtomicBool::new(false) }
    }

    /// Starts nothing more; what is under way ends after its present step.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Waits until the last LVM command has ended: one that loses its reader may be killed half-way.
    pub(super) fn close(&self) {
        self.stop();
        drop(self.one.lock());
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Looks at the pools of all jobs, and at those that the configuration names.
    pub(super) fn look(&self, config: &Config, log: &Log) -> Looked {
        let mut told = self.one.lock().unwrap_or_else(PoisonError::into_inner);
        let places = config.jobs.values().flat_map(|job| [&job.source, &job.destination]);
        let found = self.found(places.chain(config.pools.keys()), &mut told, log);
        let pools: BTreeMap<_, _> =
            config.jobs.iter().map(|(name, job)| (name.clone(), job.pools(&found.volumes))).collect();
        let named = config.pools.keys().cloned();
        let all: BTreeSet<Place> = pools.values().flatten().cloned().chain(named).collect();
        let reports = self.reports(config, &all, found, Purpose::Look, log);
        Looked { pools, reports }
    }

    /// Looks at the pools of a job before its run, which makes a snapshot on the one side and a volume on the other.
    ///
    /// # Errors
    /// Why it must not begin.
    pub(super) fn before(&self, config: &Config, job: &Job, log: &Log) -> (Vec<PoolReport>, Result<(), String>) {
        let mut told = self.one.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.found([&job.source, &job.destination], &mut told, log);
        let pools = job.pools(&found.volumes);
        let reports = self.reports(config, &pools, found, Purpose::Snapshot, log);
        let refused = reports.iter().find(|report| report.level == PoolLevel::Refused);
        let refused = refused.map(|report| format!("pool {}: {}", report.pool, report.reasons.join(", ")));
        (reports, refused.map_or(Ok(()), Err))
    }

    /// The volumes of all groups of this machine that these places are in. A group that cannot be listed has none: the run
    /// that needs it will say so.
    fn found<'a>(&self, places: impl IntoIterator<Item = &'a Place>, told: &mut Problems, log: &Log) -> Found {
        let here = places.into_iter().filter(|place| place.host().is_none());
        let groups: BTreeSet<_> = here.map(|place| place.volume().vg().clone()).collect();
        let mut all = Found::default();
        for group in groups.into_iter().take_while(|_| !self.is_stopped()) {
            match volumes(&self.exec, &group) {
                Ok(found) => {
                    told.remove(&group);
                    all.volumes.extend(found);
                    all.groups.insert(group);
                }
                Err(error) => {
                    let text = with_causes(&error);
                    if told.insert(group, text.clone()).as_ref() != Some(&text) {
                        log.warning(&[], &format!("cannot look after its pools: {text}"));
                    }
                }
            }
        }
        all
    }

    fn reports(
        &self,
        config: &Config,
        pools: &BTreeSet<Place>,
        mut found: Found,
        purpose: Purpose,
        log: &Log,
    ) -> Vec<PoolReport> {
        let mut reports = Vec::new();
        for place in pools.iter().filter(|place| place.host().is_none()).take_while(|_| !self.is_stopped()) {
            let thresholds = config.pools.get(place).copied().unwrap_or_default().thresholds;
            if !found.groups.contains(place.volume().vg()) {
                continue;
            }
            reports.push(match find(&found.volumes, place.volume()) {
                Ok(_) => self.report(place, &mut found.volumes, &thresholds, purpose, log),
                Err(error) => unknown(place, &thresholds, with_causes(&error)),
            });
        }
        reports
    }

    /// Looks at one pool; where it is too full, removes one snapshot after the other until it is not, or none may go.
    fn report(
        &self,
        place: &Place,
        volumes: &mut Vec<Lv>,
        thresholds: &Thresholds,
        purpose: Purpose,
        log: &Log,
    ) -> PoolReport {
        let pool = place.volume();
        let mut stay = BTreeSet::new();
        for _ in 0..MAX_PRUNED {
            if self.is_stopped() {
                return unknown(place, thresholds, "the daemon stops".to_owned());
            }
            let (status, lvm_transaction_id) = match self.status(pool, volumes) {
                Ok(found) => found,
                Err(error) => return unknown(place, thresholds, format!("cannot look at it: {error}")),
            };
            let mut layers = removable(volumes, pool);
            layers.retain(|(layer, _)| !stay.contains(&layer.name));
            let names: Vec<_> = layers.iter().map(|(layer, _)| layer.name.clone()).collect();
            let verdict = judge(
                &Pool {
                    status: &status,
                    lvm_transaction_id,
                    holder_is_ours: status.held_root.is_none() || self.holder_is_ours(volumes, pool),
                    removable: &names,
                },
                thresholds,
                purpose,
            );
            let Action::Prune(volume) = &verdict.action else { return report(place, &status, thresholds, &verdict) };
            let why: Vec<_> = verdict.reasons.iter().map(ToString::to_string).collect();
            let why = format!("pool {place}: {}", why.join(", "));
            let proof = layers.iter().find(|(layer, _)| layer.name == *volume).map(|(_, tag)| *tag);
            match proof.map(|proof| remove(&self.exec, volume, proof)) {
                Some(Ok(())) => {
                    log.warning(&[("VOLUME", &volume.to_string())], &format!("removed the snapshot `{volume}`: {why}"));
                    volumes.retain(|lv| lv.name != *volume);
                    // Others come, get tags, and count transactions meanwhile.
                    let _ = self.list_again(volumes, pool);
                }
                failed => {
                    let error = failed.and_then(Result::err).map_or_else(String::new, |error| with_causes(&error));
                    log.warning(
                        &[("VOLUME", &volume.to_string())],
                        &format!("cannot remove `{volume}`: {error}; {why}"),
                    );
                    stay.insert(volume.clone());
                }
            }
        }
        unknown(place, thresholds, format!("it is too full after {MAX_PRUNED} snapshots were looked at"))
    }

    /// What the kernel says of a pool, and the transaction id that LVM had for it at that time; `None` where that could not be
    /// told.
    fn status(&self, pool: &LvRef, volumes: &mut Vec<Lv>) -> Result<(PoolStatus, Option<u64>), String> {
        let id = |volumes: &[Lv]| find(volumes, pool).ok().and_then(|lv| lv.transaction_id);
        let status = || pool_status(&self.exec, pool).map_err(|error| with_causes(&error));
        for _ in 0..MAX_LOOKS {
            let (status, before) = (status()?, id(volumes));
            if before.is_none_or(|id| id == status.transaction_id) {
                return Ok((status, before));
            }
            // LVM locks the group from where it counts a transaction until the kernel has done it. What it says both before and
            // after the kernel was asked was so in between.
            self.list_again(volumes, pool)?;
            if id(volumes) == before {
                return Ok((status, before));
            }
        }
        Ok((status()?, None))
    }

    fn list_again(&self, volumes: &mut Vec<Lv>, pool: &LvRef) -> Result<(), String> {
        let found = lvm_cmd::volumes(&self.exec, pool.vg()).map_err(|error| with_causes(&error))?;
        volumes.retain(|lv| lv.name.vg() != pool.vg());
        volumes.extend(found);
        Ok(())
    }

    /// Whether the metadata snapshot that was held is a run's of ours, which may have released it since.
    fn holder_is_ours(&self, volumes: &[Lv], pool: &LvRef) -> bool {
        let lv = find(volumes, pool);
        lv.is_ok_and(|lv| MetadataSnapshot::is_in_use(lv, &self.state).unwrap_or(false))
            || pool_status(&self.exec, pool).is_ok_and(|status| status.held_root.is_none())
    }
}

fn report(place: &Place, status: &PoolStatus, thresholds: &Thresholds, verdict: &Verdict) -> PoolReport {
    let level = match verdict.action {
        Action::Go => PoolLevel::Good,
        Action::Warn | Action::Prune(_) => PoolLevel::Warned,
        Action::Refuse => PoolLevel::Refused,
    };
    PoolReport {
        pool: place.clone(),
        level,
        reasons: verdict.reasons.iter().map(ToString::to_string).collect(),
        data: fill(status.data_used.get(), status.data_total.get(), &thresholds.data),
        metadata: fill(status.metadata_used.get(), status.metadata_total.get(), &thresholds.metadata),
    }
}

/// One that does not answer. What needs it will be refused by LVM itself.
fn unknown(place: &Place, thresholds: &Thresholds, why: String) -> PoolReport {
    PoolReport {
        pool: place.clone(),
        level: PoolLevel::Warned,
        reasons: vec![why],
        data: fill(0, 1, &thresholds.data),
        metadata: fill(0, 1, &thresholds.metadata),
    }
}

fn fill(used: u64, total: u64, levels: &Levels) -> Fill {
    Fill { used, total, warn_percent: levels.warn().get(), refuse_percent: levels.refuse().get() }
}

/// The present state of all pools with those that were looked at just now.
pub(super) fn update(all: &mut Vec<PoolReport>, new: Vec<PoolReport>) {
    all.retain(|old| new.iter().all(|report| report.pool != old.pool));
    all.extend(new);
    all.sort_by(|a, b| a.pool.cmp(&b.pool));
}

/// The time by the clock on the wall, and by one that nobody sets.
pub(super) fn now(begun: std::time::Instant) -> daemon::Now {
    daemon::Now { wall: Timestamp::now(), steady: begun.elapsed() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lvm_cmd::Scripted;
    use testkit::{lv_row, lvs_step, pool_row, pool_row_with};

    const CONFIG: &str = "zone='UTC'\n[job.home]\nsource='vg0/home'\ndestination='box:vg1/home'\nevery='1m'\n";

    #[test]
    fn a_pool_that_is_named_wrongly_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let script = [found(&[]), status(1)].concat();
        let guard = Guard::new(Scripted::from_transcript(&script).unwrap(), StateDir::new(folder.path()).unwrap());
        let looked = guard.look(&Config::parse("f", &format!("{CONFIG}[pool.'vg0/pol']\nparallel=2")).unwrap(), &log());
        let levels: Vec<_> = looked.reports.iter().map(|report| (report.pool.to_string(), report.level)).collect();
        assert_eq!(levels, [("vg0/pol".to_owned(), PoolLevel::Warned), ("vg0/pool".to_owned(), PoolLevel::Good)]);
        assert!(looked.reports[0].reasons[0].contains("not found"), "{:?}", looked.reports);
    }

    fn log() -> Log {
        Log::new(None, cli::Common { verbose: 0, quiet: true, progress: cli::Shown::None })
    }

    /// The pool, the source, and layers of its pair: the older one free, the other one held.
    fn found(layers: &[&str]) -> String {
        let row = |(nth, tags): (usize, &&str)| {
            let (name, time) = (format!("home-{nth}"), (1_763_696_000 + nth).to_string());
            let uuid = format!("jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe3{nth}K");
            let row = [("lv_name", &*name), ("lv_attr", "Vri---tz--"), ("lv_tags", tags), ("lv_time", &time)];
            lv_row(&[&row[..], &[("lv_uuid", &uuid)]].concat())
        };
        let rows: Vec<_> = layers.iter().enumerate().map(row).collect();
        lvs_step(&[vec![pool_row(), lv_row(&[("lv_name", "home")])], rows].concat())
    }

    /// With so many of 1000 chunks in use.
    fn status(used: u32) -> String {
        let command = "dmsetup status --target thin-pool vg0-pool-tpool";
        format!(
            "$ {command}\n| 0 204800 thin-pool 3 114/1024 {used}/1000 - rw discard_passdown queue_if_no_space - 256\n= 0\n"
        )
    }

    fn before(script: &str) -> (Vec<PoolReport>, Result<(), String>) {
        let folder = tempfile::tempdir().unwrap();
        let guard = Guard::new(Scripted::from_transcript(script).unwrap(), StateDir::new(folder.path()).unwrap());
        let config = Config::parse("f", CONFIG).unwrap();
        guard.before(&config, config.jobs.values().next().unwrap(), &log())
    }

    #[test]
    fn the_oldest_that_nothing_needs_goes_until_there_is_room() {
        const SYNC: &str = "hyperlayer.sync=p";
        let held = format!("{SYNC},hyperlayer.hold=p");
        let remove = "$ lvremove -f --select 'lv_uuid=\"jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe31K\" && \
                      lv_tags={\"hyperlayer.sync=p\"}' vg0/home-1\n|   Logical volume \"home-1\" successfully removed.\n= 0\n";
        let all = found(&[&held, SYNC, SYNC]);
        let after = found(&[&held]);
        let (reports, room) =
            before(&[all.as_str(), &status(960), &all, remove, &after, &after, &status(910)].concat());
        assert_eq!((room, reports[0].level), (Ok(()), PoolLevel::Warned));
        assert_eq!(reports[0].data.percent(), 91);
        // Where none may go, nothing begins; what the user made is not touched.
        let adopted = format!("{SYNC},hyperlayer.adopted");
        let (reports, room) = before(&[found(&[&held, "mine", &adopted, &held]), status(960)].concat());
        assert_eq!(room, Err("pool vg0/pool: its data is 96 % full, the limit is 95 %".to_owned()));
        assert_eq!(reports[0].level, PoolLevel::Refused);
        // LVM refuses to remove it: it is not tried for ever.
        let refused = remove.replace("|   Logical volume \"home-1\" successfully removed.\n= 0", "! in use\n= 5");
        let (_, room) = before(&[all.as_str(), &status(960), &all, &refused, &all, &status(960)].concat());
        assert!(room.is_err());
    }

    #[test]
    fn a_transaction_that_others_make_meanwhile_is_no_fault() {
        let pool = |id: &str| lvs_step(&[pool_row_with(&[("transaction_id", id)]), lv_row(&[("lv_name", "home")])]);
        let (_, room) = before(&[pool("2"), status(1), pool("3"), status(1)].concat());
        assert_eq!(room, Ok(()));
        // It is one where LVM says the same afterwards.
        let (_, room) = before(&[pool("2"), status(1), pool("2")].concat());
        assert_eq!(room, Err("pool vg0/pool: its transaction id is 3, while LVM expects 2".to_owned()));
        // With somebody who never ends it cannot be told.
        let busy: Vec<_> = (5..9).map(|id| status(1) + &pool(&id.to_string())).collect();
        let (_, room) = before(&[pool("4"), busy.concat(), status(1), pool("9"), status(1)].concat());
        assert_eq!(room, Ok(()));
    }

    #[test]
    fn what_cannot_be_looked_at_is_no_reason_not_to_try() {
        let missing = found(&[]).split("\n|").next().unwrap().to_owned() + "\n= missing\n";
        let (reports, room) = before(&missing);
        assert_eq!((reports.len(), room), (0, Ok(())));
        let silent = status(1).split("\n|").next().unwrap().to_owned()
            + "\n! no such device\n= 1\n\
                                 $ dmsetup info --columns --noheadings --options name\n= 1\n";
        let (reports, room) = before(&[found(&[]), silent].concat());
        assert_eq!((reports[0].level, room), (PoolLevel::Warned, Ok(())));
        assert!(reports[0].reasons[0].starts_with("cannot look at it: "), "{reports:?}");
    }
}
