//! `lvbackup prune`: layers that no rule keeps go.

mod plan;
mod rewrite;
mod rules;
mod show;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::SystemTime;

use cli::{Common, Exit, Failure, Outcome, Stop, say};
use extents::{Bytes, human};
use hyperlayer::LayerId;
use store::{ExclusiveLock, Fault, Leftovers, Listing, Recipients, Series, Store, Stored};

use super::list::counted;
use super::table::{printable, short_ids};
use super::{open, when};
use plan::{Broken, Plan};
use rewrite::Rewriting;
use rules::Rules;

/// Remove layers that no rule keeps, and what dead runs left
///
/// The rules are those of each volume by itself, and what one of them keeps stays. The newest layer always stays, and one
/// that is held; so does one that a staying layer is applied on, unless --merge. Without any rule no layer goes, only what
/// dead runs left. Nobody else may work on the store meanwhile.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The store: a folder, or `s3://BUCKET/PREFIX`, `gs://...`, `az://...`
    #[arg(value_name = "STORE")]
    store: String,

    /// Only the layers of this volume
    #[arg(long, value_name = "VG/LV")]
    series: Option<String>,

    /// Say what would go and why, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Let also those layers go that staying ones are applied on: these are written anew first, with what they had from
    /// them
    #[arg(long)]
    merge: bool,

    /// With --merge: the key file that opens encrypted layers, as age-keygen writes it; repeatable
    #[arg(long, value_name = "FILE", requires = "merge")]
    identity: Vec<PathBuf>,

    /// With --merge: encrypt what is written anew for the owner of this age recipient, `age1...`; repeatable
    #[arg(long, value_name = "RECIPIENT", requires = "merge")]
    encrypt_to: Vec<String>,

    /// Remove also layers that cannot be restored, since one below them is missing, and objects without a manifest, of all
    /// volumes. Without this they stay and do not count; and where only the object or the manifest of a layer is missing,
    /// nothing goes at all
    #[arg(long)]
    remove_broken: bool,

    /// As one JSON object on standard output
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    rules: Rules,
}

const AFTER: &str = "\
Examples:
  lvbackup prune /backup/store --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --dry-run
  lvbackup prune s3://bucket/hosts/web1 --series vg0/data --keep-within 90d --keep-tag release
  lvbackup prune /backup/store --keep-daily 7 --keep-monthly 12 --merge
  lvbackup prune /backup/store --policy original --daily-max 6 --weekly-max 4 --zone Europe/Berlin

A run that ends early, at whatever point, leaves a store that is whole: the same command again does the rest.

Keys of --json: dry_run, layers (a list of objects: series, layer, created, stored_bytes, verdict, onto, into, reasons),
garbage (a list of objects: key, len_bytes or null), freed_bytes (what goes; what is written anew takes some). A verdict is keep, remove, merge (it goes, its content
first into the layers `into`) or rewrite (it stays, written anew on the layer `onto`; null: in full).

Exit status: 0; 2 where a key for --merge is missing; 3 where the store holds what cannot be understood or has no manifest, so
that nobody knows what that needs, where the object of a layer that stays, or of one below it, is missing or cut, or where the
volume has no layers: nothing is removed then; 4 where somebody works on the store.";

/// Prunes the store.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, common: Common, stop: &Stop) -> Outcome {
    if args.json {
        cli::stdout()?;
    }
    let policy = args.rules.policy(plan::merging(args.merge))?;
    let zone = when::zone(&args.rules.zone)?;
    let series = args.series.as_deref().map(Series::new).transpose()?;
    let identities = (!args.identity.is_empty()).then(|| open::identities(&args.identity)).transpose()?;
    let recipients = Recipients::parse(&args.encrypt_to)?;
    let store = open::store(&args.store, stop)?;
    let lock =
        if args.dry_run { Lock::Shared(open::lock_to_read(&store)?) } else { Lock::Exclusive(store.lock_exclusive()?) };

    let listing = store.list(series.as_ref())?;
    understood(&listing)?;
    if let Some(series) = series.as_ref().filter(|series| listing.newest(series).is_none()) {
        return Err(Failure::msg(Exit::Refused, format!("the store has no layers of {series}"))
            .hint("`lvbackup list STORE` shows all that it has"));
    }
    let leftovers = store.leftovers()?;
    if !args.remove_broken {
        listed(&leftovers, series.as_ref())?;
    }
    doubtful_times(&listing);
    let damaged = store.look_at_all(&listing)?;
    let now = SystemTime::now();
    let plans = listing.series().map(|series| {
        let broken = Broken { damaged: damaged_of(&damaged, series), remove: args.remove_broken };
        Plan::of(&listing, series, &policy, &broken, now)
    });
    let plans = plans.collect::<Outcome<Vec<_>>>()?;
    sound(&plans, &damaged)?;
    let how = Rewriting {
        store: &store,
        listing: &listing,
        identities: identities.as_ref(),
        recipients: &recipients,
        common,
        stop,
    };
    let rewritten = || plans.iter().flat_map(Plan::rewritten);
    rewritten().try_for_each(|(stored, onto)| how.check(stored, onto))?;

    if !args.json && (args.dry_run || !common.quiet) {
        let ids = short_ids(&listing.layers());
        let text: Vec<_> = plans.iter().map(|plan| show::text(plan, &ids, &zone)).collect();
        cli::print(&text.join("\n"))?;
    }
    let garbage = match &lock {
        Lock::Shared(_) if args.remove_broken => leftovers.all(),
        Lock::Shared(_) => leftovers.garbage,
        Lock::Exclusive(lock) => {
            for (stored, onto) in rewritten() {
                stopped(stop)?;
                how.run(lock, stored, onto).map_err(|failure| {
                    failure.context(format!("layer {} of {} is as it was", stored.layer.layer, stored.layer.series))
                })?;
            }
            remove(&store, lock, &listing, &plans, stop)?;
            if args.remove_broken { store.remove_leftovers(lock)? } else { store.remove_garbage(lock)? }
        }
    };
    if args.json {
        let object = show::json(&plans, &garbage, args.dry_run);
        let done = if args.dry_run { "nothing was removed" } else { "the layers are removed" };
        return cli::report(&format!("{object}\n"), done);
    }
    if args.dry_run {
        cli::print(&show::garbage_text(&garbage))?;
    }
    if !common.quiet {
        let layers = plans.iter().flat_map(|plan| &plan.layers).filter(|planned| planned.fate.goes()).count();
        let freed = plans.iter().fold(Bytes::ZERO, |sum, plan| sum.saturating_add(plan.freed()));
        let (layers, garbage) = (counted(layers, "layer", "layers"), counted(garbage.len(), "object", "objects"));
        let would = if args.dry_run { "would be removed" } else { "removed" };
        say(&format!("lvbackup: {layers} ({}) and {garbage} of dead runs {would}", human(freed)));
        if policy.rules.is_empty() {
            say("lvbackup: no layer goes without a rule: say what stays, for instance `--keep-daily 7`");
        }
    }
    Ok(())
}

/// What keeps others away. A dry run only keeps those away that would change what it looks at.
enum Lock {
    Shared(#[expect(dead_code, reason = "a guard")] Option<store::SharedLock>),
    Exclusive(ExclusiveLock),
}

/// Removes what goes.
fn remove(store: &Store, lock: &ExclusiveLock, before: &Listing, plans: &[Plan<'_>], stop: &Stop) -> Outcome {
    let mut before = before.clone();
    for plan in plans {
        // Layers that were written anew since then have other parents.
        let mut rewritten = plan.rewritten().next().map(|_| store.list(Some(plan.series))).transpose()?;
        for stored in plan.removed() {
            stopped(stop)?;
            store.remove(lock, rewritten.as_mut().unwrap_or(&mut before), plan.series, &stored.layer.layer)?;
        }
    }
    Ok(())
}

/// Refuses to go on where something may need a layer that nobody knows of.
fn understood(listing: &Listing) -> Outcome {
    if listing.problems.is_empty() {
        return Ok(());
    }
    for problem in &listing.problems {
        say(&format!("lvbackup: {}", printable(&problem.to_string())));
    }
    let objects = counted(listing.problems.len(), "object", "objects");
    Err(Failure::msg(
        Exit::Refused,
        format!("{objects} in the store cannot be understood, and may need any layer: nothing is removed"),
    )
    .hint("put back or move away what is shown above; `--series VG/LV` prunes volumes without such objects"))
}

/// Refuses to go on where there are layers without manifests: what they need is not known.
fn listed(leftovers: &Leftovers, series: Option<&Series>) -> Outcome {
    let unlisted = leftovers.unlisted.iter().filter(|one| series.is_none_or(|series| one.series == *series));
    let unlisted: Vec<_> = unlisted.collect();
    if unlisted.is_empty() {
        return Ok(());
    }
    for one in &unlisted {
        say(&format!("lvbackup: {}", printable(&format!("`{}` has no manifest", one.key))));
    }
    let objects = counted(unlisted.len(), "object", "objects");
    Err(Failure::msg(Exit::Refused, format!("{objects} without a manifest may need any layer: nothing is removed"))
        .hint("finish copying the store, or rebuild the manifests: `lvbackup check STORE --repair`")
        .hint("remove these objects too: `--remove-broken`"))
}

/// Warns of layers whose times cannot be right: the rules go by times.
fn doubtful_times(listing: &Listing) {
    for stored in listing.doubtful_times(SystemTime::now()) {
        say(&format!("lvbackup: warning: {}", printable(&open::doubtful(stored))));
    }
}

/// The damaged layers of one series.
fn damaged_of(damaged: &[(&Stored, Fault)], series: &Series) -> BTreeSet<LayerId> {
    let of_series = damaged.iter().filter(|(stored, _)| stored.layer.series == *series);
    of_series.map(|(stored, _)| stored.layer.layer.clone()).collect()
}

/// Refuses to go on where what stays could not be restored, while older layers that could be would go.
fn sound(plans: &[Plan<'_>], damaged: &[(&Stored, Fault)]) -> Outcome {
    let stay: Vec<_> = plans.iter().flat_map(|plan| plan.lost_that_stay(&damaged_of(damaged, plan.series))).collect();
    if stay.is_empty() {
        return Ok(());
    }
    for (Stored { layer, .. }, fault) in damaged {
        let says = format!("layer {} of {}, `{}`: {fault}", layer.layer, layer.series, layer.key);
        say(&format!("lvbackup: {}", printable(&says)));
    }
    let layers = counted(stay.len(), "layer that stays", "layers that stay");
    Err(Failure::msg(Exit::Refused, format!("{layers} cannot be restored, by what is shown above: nothing is removed"))
        .hint("`lvbackup check STORE` says which; put the objects back where there is a copy of them")
        .hint("with `--remove-broken` what cannot be restored does not count, and goes"))
}

fn stopped(stop: &Stop) -> Outcome {
    if stop.requested() { Err(transfer::Error::from(block_copy::Error::Stopped).into()) } else { Ok(()) }
}
