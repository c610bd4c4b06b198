//! `lvsnap recover`.

use std::path::PathBuf;

use cli::{Common, Exit, Failure, Outcome, Stop, say};
use snapshot::{Found, HostSite, Phase, Record, Site, attach, recover, remove, to_recover};

use crate::context::{Context, left, of_site, volume};
use crate::lost;

/// Show what crashes and boots have left to do, and do it
///
/// What was being made or removed is removed. What was made and lost its loop device, its activation or its mount in a reboot gets
/// them back; what lost its temporary file is removed. A file on a file system that is not mounted is not lost: mount that first.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// One snapshot only
    #[arg(value_name = "VG/SNAPSHOT")]
    snapshot: Option<String>,

    /// Do it; without this it is only shown
    #[arg(long)]
    yes: bool,

    /// Remove the snapshot also where it could be brought back; a file that cannot be reached is left
    #[arg(long, requires = "snapshot")]
    remove: bool,
}

/// Shows it, or does it.
///
/// # Errors
/// [`Exit::Unfinished`] where something is left to do.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    let only = args.snapshot.as_deref().map(|text| volume(text, None)).transpose()?;
    let context = Context::new(stop)?;
    let mut failures = Vec::new();
    if args.yes {
        for half in context.journal.halves() {
            match context.lock_if_free(&half) {
                Ok(Some(_lock)) => {
                    failures.extend(context.journal.remove_half(&half).err().map(|error| of_site(error.into())));
                }
                // Another run is writing it.
                Ok(None) => {}
                Err(failure) => failures.push(failure),
            }
        }
    }
    let mut records = Vec::new();
    for record in context.journal.all().map_err(|error| of_site(error.into()))? {
        match record {
            Ok(record) => records.push(record),
            Err(error) => failures.push(of_site(error.into())),
        }
    }
    records.extend(lost::find(&context)?);
    let all = records.clone();
    records.retain(|record| only.as_ref().is_none_or(|only| *only == record.snapshot));
    if let (Some(only), true) = (&only, records.is_empty() && failures.is_empty()) {
        return Err(Failure::msg(Exit::Failed, format!("nothing is known of a snapshot `{only}`"))
            .hint("`lvsnap list` shows what is"));
    }
    let mut site = HostSite::new(&context.exec, &|_| true);
    site.note_lost(&all).map_err(of_site)?;
    if args.yes && only.is_none() {
        // Otherwise the removal of one would have LVM mark the space of another as missing.
        failures.extend(all.iter().filter_map(|record| attached(&context, &site, record).err()));
    }
    // Those that can be brought back first: until their spaces are attached, a lost one cannot be removed.
    records.sort_by_key(|record| site.is_lost(record));
    let mut to_do = 0;
    for record in &mut records {
        match one(args, common, &context, &site, record) {
            Ok(left) => to_do += left,
            Err(failure) => failures.push(failure),
        }
    }
    if let Some(first) = failures.pop() {
        failures.iter().for_each(|failure| say(&failure.render("lvsnap")));
        return Err(first);
    }
    match to_do {
        0 => {
            if !common.quiet {
                say("lvsnap: nothing is left to do");
            }
            Ok(())
        }
        _ => Err(Failure::msg(Exit::Unfinished, "this is left to do").hint("`--yes` does it")),
    }
}

/// Attaches the space of a snapshot, where it can be had.
fn attached(context: &Context, site: &HostSite<'_>, record: &Record) -> Outcome {
    // Another run that has the lock attaches it as well.
    let Some(_lock) = context.lock_if_free(&record.snapshot)? else { return Ok(()) };
    // What is found only now says more than the record from before the lock.
    match context.journal.read(&record.snapshot).map_err(|error| of_site(error.into()))? {
        Some(now) => attach(site, &now).map_err(of_site),
        None => attach(site, record).map_err(of_site),
    }
}

/// Gives how much is left to do.
fn one(args: &Args, common: Common, context: &Context, site: &HostSite<'_>, record: &mut Record) -> Outcome<usize> {
    let name = record.snapshot.clone();
    let _lock = context.lock(&name)?;
    // It may have been finished meanwhile, by the run that made it.
    if let Some(now) = context.journal.read(&name).map_err(|error| of_site(error.into()))? {
        *record = now;
    }
    let mut given_up = Vec::new();
    if args.remove {
        record.phase = Phase::Removing;
        given_up = give_up_unreachable(site, record)?;
    }
    let actions = to_recover(site, record).map_err(of_site)?;
    for action in &actions {
        if !common.quiet {
            say(&format!("lvsnap: {}: {}", if args.yes { "doing" } else { "to do" }, action.says(record)));
        }
    }
    if !args.yes {
        // A record of which nothing is left is something to do as well.
        return Ok(actions.len() + usize::from(actions.is_empty() && record.phase != Phase::Made));
    }
    let done =
        if args.remove { remove(site, record, &context.journal) } else { recover(site, record, &context.journal) };
    done.map_err(|cause| left(record, of_site(cause)))?;
    for path in given_up {
        say(&format!(
            "lvsnap: warning: `{}` was made for `{name}`, and is left where its file system is",
            path.display()
        ));
    }
    Ok(0)
}

/// What cannot be looked at is left where it is.
fn give_up_unreachable(site: &HostSite<'_>, record: &mut Record) -> Outcome<Vec<PathBuf>> {
    let facts = site.look(record).map_err(of_site)?;
    let mut given_up = Vec::new();
    if let Some(file) = record.file.as_mut().filter(|_| facts.file == Found::Unreachable) {
        file.abandoned = true;
        given_up.push(file.path.clone());
    }
    if facts.folder == Found::Unreachable {
        given_up.extend(record.mount.as_ref().map(|at| at.path.clone()));
        record.keep_folder();
    }
    Ok(given_up)
}
