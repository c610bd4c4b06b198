//! What interrupted receives have left.

use std::collections::BTreeSet;

use cli::{Exit, OrFail, Outcome};
use lvm_cmd::{Host, LvRef, VgName, VolumesByGroup, volumes, volumes_by_group};
use serde_json::{Value, json};
use transfer::lvm::partial_target;
use transfer::receive::{DEFAULT_PARTIAL_DIR, LedgerError, LedgerFile, Partial};

use super::left::so_far;
use super::{Args, image, volume};

/// Shows them.
///
/// # Errors
/// LVM does not answer, or nobody reads it.
pub(super) fn run(args: &Args) -> Outcome {
    match &args.to_file {
        Some(path) => {
            let ledger = image::ledger(path)?;
            if ledger.path().exists() {
                show(args, &path.display().to_string(), &ledger)?;
            }
            Ok(())
        }
        None => {
            cli::require_root("`--to-file IMAGE`")?;
            all(args)?.iter().try_for_each(|target| show(args, &target.to_string(), &volume::ledger(target)))
        }
    }
}

/// The targets that have volumes of ours, or a ledger.
fn all(args: &Args) -> Outcome<BTreeSet<LvRef>> {
    let exec = Host::new();
    let groups = match &args.vg {
        Some(vg) => {
            let vg = vg.parse::<VgName>().or_fail(Exit::Usage)?;
            let found = volumes(&exec, &vg).map_err(transfer::Error::from)?;
            VolumesByGroup::from([(vg, Ok(found))])
        }
        None => volumes_by_group(&exec).map_err(transfer::Error::from)?,
    };
    let ledgers = std::fs::read_dir(DEFAULT_PARTIAL_DIR).into_iter().flatten().flatten();
    let ledgers = ledgers.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "json"));
    let told = ledgers.filter_map(|entry| LedgerFile::new(entry.path()).read().ok()??.target.parse::<LvRef>().ok());
    let mut targets: BTreeSet<_> = told.filter(|target| groups.contains_key(target.vg())).collect();
    for found in groups.into_values() {
        match found {
            Ok(group) => targets.extend(group.iter().filter_map(partial_target)),
            Err(error) => cli::warn("lvbackup", &transfer::Error::from(error).into()),
        }
    }
    Ok(targets)
}

fn show(args: &Args, target: &str, ledger: &LedgerFile) -> Outcome {
    let found = ledger.read();
    let text = if args.json { as_json(target, &found).to_string() } else { as_text(target, &found) };
    cli::print(&format!("{text}\n"))
}

fn as_text(target: &str, found: &Result<Option<Partial>, LedgerError>) -> String {
    match found {
        Ok(Some(partial)) => {
            let token = partial.token().map(|token| format!("\n  token {token}")).unwrap_or_default();
            format!("{target}: since {}, {}{token}", partial.since, so_far(partial))
        }
        other => format!("{target}: {}", problem(other).unwrap_or_default()),
    }
}

fn problem(found: &Result<Option<Partial>, LedgerError>) -> Option<String> {
    match found {
        Ok(Some(_)) => None,
        Ok(None) => Some("nobody knows how far: its ledger is not there; it can only be removed".to_owned()),
        Err(error) => Some(format!("{error}; it can only be removed")),
    }
}

fn as_json(target: &str, found: &Result<Option<Partial>, LedgerError>) -> Value {
    let partial = found.as_ref().ok().and_then(Option::as_ref);
    let begun = partial.and_then(|partial| partial.begun.as_ref());
    json!({
        "target": target,
        "since": partial.map(|partial| &partial.since),
        "layers": partial.map(|partial| partial.layers),
        "whole": partial.and_then(|partial| Some(partial.whole.as_ref()?.layer.as_ref()?.to_string())),
        "layer": begun.map(|begun| begun.layer.to_string()),
        "at_bytes": begun.map(|begun| begun.mark.at.get()),
        "size_bytes": begun.map(|begun| begun.size.get()),
        "complete": partial.map(|partial| partial.complete),
        "token": partial.and_then(Partial::token).map(|token| token.to_string()),
        "problem": problem(found),
    })
}
