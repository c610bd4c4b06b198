//! The commands of a run: those of LVM must end by themselves.

use std::fs;

use lvm_cmd::Program;
use rustix::process::{Pid, Signal, kill_process_group};

/// The children of a run that work in process groups of their own, as all commands of `lvm_cmd::Host` do.
pub(super) struct Commands {
    must_end: bool,
    killable: Vec<Pid>,
}

impl Commands {
    /// Those of a run that work now. Reads `/proc`; what cannot be read there counts as gone.
    pub(super) fn of(run: Pid) -> Self {
        let parent = run.as_raw_nonzero().get();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let stats = processes.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
        let mut found = Self { must_end: false, killable: Vec::new() };
        for stat in stats.filter_map(|stat| Stat::parse(&stat)) {
            if !stat.works || stat.parent != parent || stat.group == parent {
                continue;
            }
            match (stat.fate, Pid::from_raw(stat.group)) {
                (Fate::Outlives, _) => {}
                (Fate::Killed, Some(group)) => found.killable.push(group),
                _ => found.must_end = true,
            }
        }
        found
    }

    /// Whether one is among them that must not be killed: an LVM command that is killed half-way may leave a volume suspended.
    pub(super) fn must_end(&self) -> bool {
        self.must_end
    }

    /// Kills the others, which would outlive their run, but for those that are to.
    pub(super) fn kill(&self) {
        for group in &self.killable {
            let _ = kill_process_group(*group, Signal::KILL);
        }
    }
}

/// What becomes of a command when its run is killed, by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// It is waited for: whatever has no known name may be LVM's.
    Ends,
    /// It is killed too.
    Killed,
    /// Neither: it waits for its run's end, to thaw what that had frozen.
    Outlives,
}

impl Fate {
    fn of(name: &str) -> Self {
        match Program::ALL.iter().find(|program| program.name() == name) {
            Some(program) if program.outlives() => Self::Outlives,
            Some(program) if program.may_be_killed() => Self::Killed,
            _ => Self::Ends,
        }
    }
}

/// What is read of `/proc/PID/stat` (`proc_pid_stat(5)`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stat {
    fate: Fate,
    /// Neither a zombie nor dead.
    works: bool,
    parent: i32,
    group: i32,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name may contain anything.
        let (before, after) = text.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        let mut fields = after.split_ascii_whitespace();
        let works = !matches!(fields.next()?, "Z" | "X");
        Some(Self {
            fate: Fate::of(name),
            works,
            parent: fields.next()?.parse().ok()?,
            group: fields.next()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let stat = |fate, works, parent, group| Some(Stat { fate, works, parent, group });
        assert_eq!(Stat::parse("7 (lvs) S 3 7 3 0 -1"), stat(Fate::Ends, true, 3, 7));
        assert_eq!(Stat::parse("7 (thin_delta) R 3 7 3 0 -1"), stat(Fate::Killed, true, 3, 7));
        assert_eq!(Stat::parse("7 (flock) S 3 7 3 0 -1"), stat(Fate::Outlives, true, 3, 7));
        assert_eq!(Stat::parse("7 (thin_delta) (lvs) R 3 7 3 0 -1"), stat(Fate::Ends, true, 3, 7));
        assert_eq!(Stat::parse("7 (a) Z (b) Z 3 4 3"), stat(Fate::Ends, false, 3, 4));
        assert_eq!(Stat::parse("7 (lvs) S 3"), None);
        assert_eq!(Stat::parse(""), None);
    }
}
