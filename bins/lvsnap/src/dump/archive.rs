//! fsarchiver at work on a snapshot, which is watched meanwhile.

use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use cli::{Exit, Failure, OrFail, Outcome, Stop, say};
use extents::{Bytes, human};
use lvm_cmd::{
    Executor, Password, Room, Running, Save, archive_info, classic_status, ends_whole, extend_classic, groups,
    physical_volumes, spawn_save,
};
use snapshot::{HostSite, Journal, Record};

use super::watch::{Fullness, Next};
use crate::context::of_site;

/// How long a signal may wait for its effect.
const POLL: Duration = Duration::from_millis(100);
/// How often it is looked how full the snapshot is.
const LOOK: Duration = Duration::from_secs(1);

/// A program that runs, and the word that it has ended.
pub(crate) struct Child {
    running: Box<dyn Running>,
    ended: Receiver<()>,
}

impl Child {
    /// Waits for its end in a thread: what it writes ends with it.
    pub(crate) fn new(mut running: Box<dyn Running>) -> Self {
        let (tell, ended) = channel();
        if let Some(mut output) = running.stdout() {
            std::thread::spawn(move || {
                let _ = io::copy(&mut output.by_ref(), &mut io::sink());
                // Where nobody waits any more nobody is told.
                let _ = tell.send(());
            });
        }
        Self { running, ended }
    }

    /// Whether it has ended, after a while in which it may end.
    fn has_ended(&self, wait: Duration) -> bool {
        !matches!(self.ended.recv_timeout(wait), Err(RecvTimeoutError::Timeout))
    }

    /// Kills it, and waits until it has let go of everything.
    fn kill(self) {
        drop(self.running);
        let _ = self.ended.recv_timeout(Duration::from_secs(10));
    }

    /// Waits until it has ended, asking `look` every now and then whether to go on. It is killed where that or a signal
    /// says no.
    ///
    /// # Errors
    /// That; or the program failed.
    pub(crate) fn finish(self, stop: &Stop, mut look: impl FnMut() -> Outcome) -> Outcome {
        let mut looked = Instant::now();
        while !self.has_ended(POLL) {
            let looking = if stop.requested() {
                Err(stopped())
            } else if looked.elapsed() >= LOOK {
                looked = Instant::now();
                look()
            } else {
                Ok(())
            };
            if let Err(failure) = looking {
                self.kill();
                return Err(failure);
            }
        }
        self.running.wait().or_fail(Exit::Failed)
    }
}

/// A signal asked for it.
pub(crate) fn stopped() -> Failure {
    transfer::Error::from(block_copy::Error::Stopped).into()
}

/// Archives a snapshot. A file is left there in any case; it is whole if this succeeds.
///
/// # Errors
/// fsarchiver failed, the snapshot was lost meanwhile, or a signal asked to stop.
pub(crate) fn save(
    exec: &dyn Executor,
    save: &Save<'_>,
    record: &mut Record,
    journal: &Journal,
    may_extend: bool,
    stop: &Stop,
) -> Outcome {
    let mut guard = Guard { exec, record, journal, fullness: Fullness::new(may_extend) };
    let child = Child::new(spawn_save(exec, save).or_fail(Exit::Failed)?);
    let saved = child.finish(stop, || guard.look());
    // Also where it failed: an overflow is then the cause. And where it did not: what was read of a snapshot that is lost
    // is anything. It needs no more space now.
    guard.fullness.is_at_its_end();
    match (guard.look(), saved) {
        (Err(lost), Err(_)) if !stop.requested() => Err(lost),
        (looked, Ok(())) => looked,
        (_, saved) => saved,
    }
}

/// Whether what was written is an archive of one file system, with its end.
///
/// # Errors
/// It is not.
pub(crate) fn check(exec: &dyn Executor, archive: &Path, password: Option<&Password>) -> Outcome {
    let named = |failure: Failure| failure.context(format!("cannot use the archive `{}`", archive.display()));
    let info = archive_info(exec, archive, password).or_fail(Exit::Failed).map_err(named)?;
    let found = info.file_systems.len();
    if found != 1 {
        let text = format!("expected one file system in the archive, found {found}");
        return Err(named(Failure::msg(Exit::Failed, text)));
    }
    match ends_whole(archive).or_fail(Exit::Failed).map_err(named)? {
        true => Ok(()),
        false => Err(named(Failure::msg(Exit::Failed, "the archive has no end: it was cut, as by a full disk"))
            .hint(format!("make room: `df {}` shows how much there is", durable::parent(archive).display()))),
    }
}

/// What looks after a snapshot.
struct Guard<'g> {
    exec: &'g dyn Executor,
    record: &'g mut Record,
    journal: &'g Journal,
    fullness: Fullness,
}

impl Guard<'_> {
    fn look(&mut self) -> Outcome {
        // A thin one has no space of its own.
        let Some(size) = self.record.cow_size else { return Ok(()) };
        let name = &self.record.snapshot.clone();
        let status = classic_status(self.exec, name).or_fail(Exit::Failed);
        let status = status.map_err(|failure| failure.context(format!("cannot see how full `{name}` is")))?;
        match self.fullness.seen(status) {
            Next::Nothing => {}
            Next::Warn(percent) => say(&format!(
                "lvsnap: warning: the space of `{name}` is {percent} % full; when it is full, the snapshot is lost"
            )),
            Next::Extend(percent) => match self.extend(size) {
                Ok(by) => say(&format!("lvsnap: the space of `{name}` was {percent} % full: {} more", human(by))),
                Err(failure) => {
                    self.fullness.is_at_its_end();
                    say(&failure.context(format!("`{name}` is {percent} % full")).render("lvsnap: warning"));
                }
            },
            Next::Lost => {
                return Err(Failure::msg(
                    Exit::Failed,
                    format!(
                        "the snapshot `{name}` overflowed: its {} were too little for what was written",
                        human(size)
                    ),
                )
                .hint("the same with a larger `--size`, or with `--auto-extend`"));
            }
        }
        Ok(())
    }

    /// As much again as it had at first, or what there is.
    fn extend(&mut self, size: Bytes) -> Outcome<Bytes> {
        let name = &self.record.snapshot.clone();
        let none =
            |of: String| Failure::msg(Exit::Surroundings, format!("there is no space left to extend it in {of}"));
        let by = match self.record.file.clone() {
            Some(file) => {
                // The snapshot has all of it, so it grows first.
                let site = HostSite::new(self.exec, &|_| true);
                site.grow(self.record, self.journal, size).map_err(of_site)?;
                let all = physical_volumes(self.exec).map_err(transfer::Error::from)?;
                let of = format!("`{}`", file.path.display());
                let ours = all.into_iter().find(|pv| pv.uuid == file.pv && !pv.free.is_zero());
                let (free, device) = ours.and_then(|pv| Some((pv.free, pv.device?))).ok_or_else(|| none(of))?;
                extend_classic(self.exec, name, Room::AllOf(&device)).map(|()| free)
            }
            None => {
                let all = groups(self.exec).map_err(transfer::Error::from)?;
                let group = all.into_iter().find(|group| group.name == *name.vg());
                let free = group.map(|group| group.free).filter(|free| !free.is_zero());
                let by = size.min(free.ok_or_else(|| none(format!("the group `{}`", name.vg())))?);
                extend_classic(self.exec, name, Room::Size(by)).map(|()| by)
            }
        };
        by.map_err(transfer::Error::from).map_err(Failure::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lvm_cmd::Scripted;
    use snapshot::Phase;

    fn record() -> Record {
        Record {
            id: "0123456789abcdef".to_owned(),
            snapshot: "vg0/data_snapshot".parse().unwrap(),
            origin: "vg0/data".parse().unwrap(),
            origin_uuid: testkit::POOL_UUID.parse().unwrap(),
            since: String::new(),
            cow_size: Some(Bytes::new(16 << 20)),
            writable: true,
            file: None,
            mount: None,
            phase: Phase::Removing,
            steps: std::collections::BTreeMap::new(),
        }
    }

    const SAVE: &str = "$ setpriv --pdeathsig KILL unshare --mount --propagation slave --kill-child setsid fsarchiver savefs -j2 \
                        -z3 -o /d/a.fsa /dev/mapper/vg0-data_snapshot\n";

    fn status(words: &str) -> String {
        format!("$ dmsetup status vg0-data_snapshot\n| 0 98304 snapshot {words}\n= 0\n")
    }

    fn saved(end: &str, last: &str) -> Outcome {
        let exec = Scripted::from_transcript(&format!("{SAVE}{end}{}", status(last))).unwrap();
        let device = record().snapshot.dm_path();
        let how = Save {
            device: &device,
            archive: Path::new("/d/a.fsa"),
            jobs: std::num::NonZeroUsize::new(2).unwrap(),
            level: Some(3),
            password: None,
        };
        save(&exec, &how, &mut record(), &Journal::new("/none"), false, &Stop::default())
    }

    #[test]
    fn a_dump_counts_only_where_the_snapshot_still_does() {
        saved("= 0\n", "16/32768 16").unwrap();
        let lost = saved("= 0\n", "Invalid").unwrap_err();
        assert!(lost.exit() == Exit::Failed && lost.render("lvsnap").contains("--auto-extend"), "{lost}");
        // That it overflowed is the cause of what fsarchiver says.
        assert!(saved("! cannot read\n= 1\n", "Invalid").unwrap_err().to_string().contains("overflowed"));
        assert!(saved("! no space\n= 1\n", "16/32768 16").unwrap_err().to_string().contains("no space"));
    }

    #[test]
    fn more_space_is_what_it_had_at_first_or_what_there_is() {
        let vgs = |free: u64| {
            format!(
                "$ vgs --reportformat json --units b --nosuffix -o vg_name,vg_uuid,vg_size,vg_free,vg_extent_size\n| {{\"report\":[{{\"vg\":[{{\"vg_name\":\"vg0\",\"vg_uuid\":\"{}\",\
                 \"vg_size\":\"99999999\",\"vg_free\":\"{free}\",\"vg_extent_size\":\"4194304\"}}]}}]}}\n= 0\n",
                testkit::POOL_UUID
            )
        };
        let (half, whole) = (8_u64 << 20, 16_u64 << 20);
        for (free, by) in [(64 << 20, Some(whole)), (half, Some(half)), (0, None)] {
            let extended =
                by.map(|by| format!("$ lvextend --size +{by}b vg0/data_snapshot\n= 0\n")).unwrap_or_default();
            let exec =
                Scripted::from_transcript(&format!("{}{}{extended}", status("30000/32768 16"), vgs(free))).unwrap();
            let journal = Journal::new("/none");
            let mut guard =
                Guard { exec: &exec, record: &mut record(), journal: &journal, fullness: Fullness::new(true) };
            guard.look().unwrap();
            assert_eq!(guard.fullness.may_extend, by.is_some(), "{free} free");
        }
    }

    #[test]
    fn a_program_that_is_stopped_is_killed() {
        let stop = Stop::default();
        stop.flag().store(true, std::sync::atomic::Ordering::Relaxed);
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("fsarchiver");
        std::fs::write(&program, "#!/bin/sh\nsleep 60\n").unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let exec = lvm_cmd::Host::with_directories([folder.path()]);
        let started = Instant::now();
        let child = Child::new(exec.spawn(&lvm_cmd::Command::new(lvm_cmd::Program::Fsarchiver)).unwrap());
        child.finish(&stop, || Ok(())).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn an_archive_without_its_end_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.fsa");
        let said = "! Archive creation date: \t2026-11-21_15-06-52\n! Filesystem id in archive: \t0\n! Filesystem format: ext4\n= 0\n";
        let script = format!(
            "$ setpriv --pdeathsig KILL unshare --mount --propagation slave --kill-child setsid fsarchiver archinfo {}\n{said}",
            archive.display()
        );
        for (content, is_whole) in [(&b"head, data, FsAE, digest"[..], true), (b"head, data", false), (b"", false)] {
            std::fs::write(&archive, content).unwrap();
            let exec = Scripted::from_transcript(&script).unwrap();
            assert_eq!(check(&exec, &archive, None).is_ok(), is_whole);
        }
    }
}
