//! `lvbackup unlock`: who works on a store, and who no longer does.

use cli::{Common, Exit, Failure, Outcome, Stop, say};
use serde_json::{Value, json};
use store::{Holder, LockInfo, Problem, Store};

use super::table::printable;
use super::{open, when};

/// Show who works on a store, and remove the locks of those who no longer do
///
/// A lock is dead when its process on this machine is, or when its holder, anywhere, has not said for half an hour that
/// it lives. Those are removed. Other locks only where --force names them: if their holder does live, it fails as soon as
/// it notices, and adds nothing more.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The store: a folder, or `s3://BUCKET/PREFIX`, `gs://...`, `az://...`
    #[arg(value_name = "STORE")]
    store: String,

    /// Remove this lock too, by its id as it is shown; repeatable
    #[arg(long, value_name = "ID")]
    force: Vec<String>,

    /// As one JSON object a line for each lock
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  lvbackup unlock /backup/store
  lvbackup unlock s3://bucket/hosts/web1 --force 0123456789abcdef

Keys of --json: id, kind (shared, exclusive; null where it cannot be understood), host, pid, command, created, refreshed,
dead, removed.

Exit status: 0 also where locks are left that live; 1 where there is no lock of an id that was given.";

/// Shows and removes locks.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    cli::stdout()?;
    let store = open::store(&args.store, stop)?;
    let (locks, unknown) = store.locks()?;
    let locks = locks.into_iter().map(Lock::Known).chain(unknown.into_iter().map(Lock::Unknown));
    let locks: Vec<_> = locks.collect();
    let ids: Vec<_> = locks.iter().map(Lock::id).collect();
    // Also as its file is called.
    let force: Vec<_> = args.force.iter().map(|id| id.strip_suffix(".json").unwrap_or(id).to_owned()).collect();
    if let Some(missing) = force.iter().find(|id| !ids.contains(id)) {
        return Err(Failure::msg(Exit::Failed, format!("the store has no lock `{missing}`"))
            .hint("`lvbackup unlock STORE` shows all"));
    }
    let mut left = false;
    for lock in &locks {
        let removed = lock.is_dead() || force.contains(&lock.id());
        if removed {
            lock.remove(&store)?;
        }
        left |= !removed;
        let text = if args.json { lock.json(removed).to_string() } else { lock.text(removed) };
        cli::print(&format!("{text}\n"))?;
    }
    if !common.quiet && !args.json {
        match (locks.is_empty(), left) {
            (true, _) => say("lvbackup: nobody works on the store"),
            (false, true) => say("lvbackup: what is left may live; `--force ID` removes one that you know to be dead"),
            (false, false) => {}
        }
    }
    Ok(())
}

enum Lock {
    Known(LockInfo),
    Unknown(Problem),
}

impl Lock {
    fn id(&self) -> String {
        match self {
            Self::Known(lock) => lock.id.to_string(),
            Self::Unknown(problem) => printable(problem.lock_name()),
        }
    }

    fn is_dead(&self) -> bool {
        matches!(self, Self::Known(lock) if lock.dead)
    }

    fn remove(&self, store: &Store) -> Outcome {
        match self {
            Self::Known(lock) => store.remove_lock(lock)?,
            Self::Unknown(problem) => store.remove_unknown_lock(problem)?,
        }
        Ok(())
    }

    fn text(&self, removed: bool) -> String {
        let word = match (removed, self.is_dead()) {
            (true, true) => "removed, dead: ",
            (true, false) => "removed, forced: ",
            (false, _) => "",
        };
        let what = match self {
            Self::Known(lock) => printable(&lock.to_string()),
            Self::Unknown(problem) => printable(&format!("lock {} cannot be understood: {}", self.id(), problem.fault)),
        };
        format!("{word}{what}")
    }

    fn json(&self, removed: bool) -> Value {
        let known = match self {
            Self::Known(lock) => Some(lock),
            Self::Unknown(_) => None,
        };
        let holder = |get: fn(&Holder) -> &str| known.map(|lock| get(&lock.holder));
        json!({
            "id": self.id(),
            "kind": known.map(|lock| lock.kind.to_string()),
            "host": holder(|holder| &holder.host),
            "pid": known.map(|lock| lock.holder.pid),
            "command": holder(|holder| &holder.command),
            "created": known.and_then(|lock| when::utc(lock.created)),
            "refreshed": known.and_then(|lock| when::utc(lock.refreshed)),
            "dead": self.is_dead(),
            "removed": removed,
        })
    }
}
