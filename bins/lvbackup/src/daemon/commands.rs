//! The LVM commands of a run, which must end by themselves.

use std::fs;

use rustix::process::Pid;

/// Whether a process has children that work in process groups of their own, as all commands of `lvm_cmd::Host` do. A command
/// that is killed half-way may leave a volume suspended.
///
/// Reads `/proc`; what cannot be read there counts as gone.
pub(super) fn are_running(run: Pid) -> bool {
    let run = run.as_raw_nonzero().get();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = processes.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
    stats.filter_map(|stat| Stat::parse(&stat)).any(|stat| stat.works && stat.parent == run && stat.group != run)
}

/// What is read of `/proc/PID/stat` (`proc_pid_stat(5)`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stat {
    /// Neither a zombie nor dead.
    works: bool,
    parent: i32,
    group: i32,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name before it may contain anything.
        let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
        let works = !matches!(fields.next()?, "Z" | "X");
        Some(Self { works, parent: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let stat = |works, parent, group| Some(Stat { works, parent, group });
        assert_eq!(Stat::parse("7 (lvs) S 3 7 3 0 -1"), stat(true, 3, 7));
        assert_eq!(Stat::parse("7 (a) Z (b) Z 3 4 3"), stat(false, 3, 4));
        assert_eq!(Stat::parse("7 (lvs) S 3"), None);
        assert_eq!(Stat::parse(""), None);
    }
}
