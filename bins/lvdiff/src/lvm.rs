//! Thin volumes.

use cli::{Exit, OrFail, Outcome, Progress, Stop, say, undone};
use lvm_cmd::{LvName, LvRef, VgName};
use transfer::Layer;
use transfer::lvm::{Lvm, Run, Selection, Snapshots, Source, layer_of};

use crate::args::Args;
use crate::{image, send};

/// Sends the difference of two thin volumes, or all of one.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, stop: &Stop) -> Outcome {
    send::check_output(args)?;
    let vg = args.vg.as_deref().map(str::parse::<VgName>).transpose().or_fail(Exit::Usage)?;
    let pool = args.pool.as_deref().map(|pool| pool_name(pool, vg.as_ref())).transpose()?;
    let named = |name: &String| LvRef::parse(name, vg.as_ref()).or_fail(Exit::Usage).map_err(|e| image::hint(e, name));
    let new = named(&args.new)?;
    let base = args.base.as_ref().map(named).transpose()?;
    cli::require_root("image mode (`--scan`, `--delta`)")?;

    let (exec, state) = cli::host(stop)?;
    let lvm = Lvm::new(&exec, &state, stop.flag());
    let mut this = Run::start(&lvm)?;
    let selection = Selection::find(&lvm, &new, base.as_ref(), pool.as_ref())?;
    if !args.dry_run {
        cli::say_leftovers("lvdiff", this.remove_leftovers(&lvm, &selection.group)?);
    }
    for doubt in selection.doubts(args.detect) {
        say(&format!("lvdiff: warning: {doubt}"));
    }

    if !args.snapshot || selection.check_quiet(&lvm).is_ok() {
        return with_quiet(args, &lvm, &selection, &selection, stop);
    }
    let snapshots = Snapshots::create(lvm, &mut this, std::slice::from_ref(&selection))?;
    let outcome = Selection::find(&lvm, snapshots.in_place_of(&new), base.as_ref(), pool.as_ref())
        .map_err(cli::Failure::from)
        .and_then(|quiet| with_quiet(args, &lvm, &quiet, &selection, stop));
    undone(outcome, snapshots.remove())
}

/// Sends `selection`, under the names that the user gave.
fn with_quiet(args: &Args, lvm: &Lvm<'_>, selection: &Selection, named: &Selection, stop: &Stop) -> Outcome {
    selection.check_quiet(lvm)?;
    if args.dry_run {
        return with_source(args, lvm, selection, named, None, stop);
    }
    // Before the delta, so that it is checked of all of the time whether a volume is written to.
    let source = Source::open(lvm, selection)?;
    let sent = with_source(args, lvm, selection, named, Some(&source), stop);
    undone(sent, source.close())
}

fn with_source(
    args: &Args,
    lvm: &Lvm<'_>,
    selection: &Selection,
    named: &Selection,
    source: Option<&Source<'_>>,
    stop: &Stop,
) -> Outcome {
    let progress = Progress::new("comparing", None, args.common, stop.clone());
    let layer = Layer {
        name: Some(named.new.name.lv().to_string()),
        source: named.new.name.to_string(),
        id: Some(layer_of(&selection.new)?),
        parent: selection.base.as_ref().map(layer_of).transpose()?,
        full: selection.base.is_none(),
        created: selection.new.created_seconds.and_then(cli::utc),
        geometry: selection.geometry()?,
        delta: selection.delta(lvm, &progress)?,
    };
    drop(progress);
    let (header, plan) = layer.plan(&args.style())?;
    match source {
        None => cli::show_plan(&header, &plan, args.json),
        Some(source) => send::send(args, &header, &plan, source.new_volume(), source.base(), stop),
    }
}

fn pool_name(text: &str, vg: Option<&VgName>) -> Outcome<LvName> {
    match LvRef::parse(text, vg) {
        Ok(pool) => Ok(pool.lv().clone()),
        // Without a group the name alone is enough.
        Err(_) => text.parse().or_fail(Exit::Usage),
    }
}
