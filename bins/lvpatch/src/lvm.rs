//! Thin volumes.

use block_copy::Queue;
use cli::{Exit, Failure, OrFail, Outcome, Progress, Stop};
use extents::Bytes;
use hyperlayer::Header;
use lvm_cmd::{Lv, LvName, LvRef, Permission, VgName};
use transfer::lvm::{Destination, Finish, Lvm, Receiving, Run, Source, Space, activating};
use transfer::{Apply, Identity, needs_no_base};

use crate::args::Args;
use crate::input::{self, Input};
use crate::report;

/// Applies the stream on a new snapshot of the base, or on a new volume in a pool.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, stop: &Stop) -> Outcome {
    let vg = args.vg.as_deref().map(str::parse::<VgName>).transpose().or_fail(Exit::Usage)?;
    let named = |name: &Option<String>| {
        name.as_deref().map(|name| LvRef::parse(name, vg.as_ref())).transpose().or_fail(Exit::Usage)
    };
    let (base, pool) = (named(&args.lv)?, named(&args.pool)?);
    let Some(on) = base.as_ref().or(pool.as_ref()) else {
        return Err(Failure::msg(Exit::Usage, "neither a base nor a pool is given").hint(
            "`lvpatch -g VG -l BASE NEW` for a delta, `lvpatch -g VG -p POOL NEW` for a full layer, \
             `lvpatch --base FILE --output FILE` for images",
        ));
    };
    cli::require_root("image mode (`--output FILE`)")?;

    let progress = Progress::new("receiving", None, args.common, stop.clone());
    let incoming = input::open(args, &progress)?;
    let header = incoming.header().clone();
    let name = new_name(args, &header, on)?;

    let (exec, state) = cli::host(stop)?;
    let lvm = Lvm::new(&exec, &state, stop.flag());
    let mut this = Run::start(&lvm)?;
    let destination = Destination::find(&lvm, base.as_ref(), on, &name)?;
    if !args.dry_run {
        cli::say_leftovers("lvpatch", this.remove_leftovers(&lvm, &destination.group)?);
    }

    let identity = match &destination.base {
        Some(base) => Some(transfer::lvm::identify_volume(&header, base, args.force_base)?),
        None => needs_no_base(&header).map(|()| None)?,
    };
    let base_size = destination.base.as_ref().map_or(Bytes::ZERO, |base| base.size);
    let chunk = destination.chunk()?;
    let size = incoming.size(base_size)?;
    let chunks = incoming.chunks_needed(chunk, base_size, destination.unmaps());
    Space { chunk, chunks, records: incoming.records(), size }.check(&lvm, &destination.pool)?;
    if args.dry_run {
        return dry_run(args, &lvm, &destination, incoming, &header, identity, &progress);
    }

    let receiving = match &destination.base {
        Some(base) => Receiving::snapshot(lvm, &mut this, base, &name, size)?,
        None => Receiving::empty(lvm, &mut this, &destination.pool, &name, size)?,
    };
    let how = Apply { chunk, base_size, check_base: !args.no_base_check, queue: Queue::default() };
    let end = match incoming.apply(receiving.target(), how, &progress) {
        Ok(end) => end,
        Err(cause) => return Err(receiving.abandon(cause).into()),
    };
    let permission = if args.writable { Permission::ReadWrite } else { Permission::ReadOnly };
    let new = receiving.finish(&Finish { layer: header.layer.clone(), size, permission })?;
    drop(progress);
    report::warn(args, &header, identity, &end);
    report::done(args, &end, &format!("`{new}` is whole; `{}` activates it", activating(&new, permission)));
    Ok(())
}

fn dry_run(
    args: &Args,
    lvm: &Lvm<'_>,
    destination: &Destination,
    incoming: Input<'_>,
    header: &Header,
    identity: Option<Identity>,
    progress: &Progress,
) -> Outcome {
    let checked: Option<&Lv> = destination.base.as_ref().filter(|_| !args.no_base_check);
    let source = checked.map(|base| Source::open_one(lvm, &destination.group, base)).transpose()?;
    let verified = incoming.verify(source.as_ref().map(Source::new_volume), Queue::default(), progress);
    let end = transfer::undone(verified, source.map_or(Ok(()), Source::close))?;
    report::warn(args, header, identity, &end);
    report::done(args, &end, "whole, unaltered, and there is room for it; nothing was written");
    Ok(())
}

/// The name that was given, or the stream's, in the group of the base or the pool.
fn new_name(args: &Args, header: &Header, on: &LvRef) -> Outcome<LvName> {
    let Some(given) = &args.new else {
        let Some(name) = &header.name else {
            return Err(Failure::msg(Exit::Usage, "the stream does not name its volume").hint("give NEW, a name"));
        };
        return name.parse().or_fail(Exit::Refused).map_err(|failure: Failure| {
            failure.context("the stream's name for its volume is none for LVM").hint("give NEW, a name")
        });
    };
    let new = LvRef::parse(given, Some(on.vg())).or_fail(Exit::Usage)?;
    if new.vg() != on.vg() {
        return Err(Failure::msg(
            Exit::Usage,
            format!("`{new}` cannot come to be from `{on}`, which is in another group"),
        ));
    }
    Ok(new.lv().clone())
}
