//! Who runs it, with what, and whether the snapshot's name is free.

use super::finding::{Of, of};
use super::{Asked, Check, Finding, Group, Refusal, Seen};
use crate::Phase;

pub(super) fn findings(asked: &Asked, seen: &Seen) -> Vec<Finding> {
    vec![root(seen), tools(asked, seen), other_run(asked, seen), record(asked, seen)]
        .into_iter()
        .chain(group(asked, seen))
        .collect()
}

fn root(seen: &Seen) -> Finding {
    let of = of(Check::Root, "effective user");
    if seen.is_root {
        of.ok("root")
    } else {
        of.refused(Refusal::Surroundings, "LVM needs root").hint("run it with `sudo`")
    }
}

fn tools(asked: &Asked, seen: &Seen) -> Finding {
    let needed = asked.programs();
    let of = of(Check::Tools, format!("{} programs", needed.len()));
    if seen.missing.is_empty() {
        return of.ok("all are there");
    }
    let names: Vec<_> = seen.missing.iter().map(|program| format!("`{program}`")).collect();
    let mut packages: Vec<_> = seen.missing.iter().map(|program| program.package()).collect();
    packages.sort_unstable();
    packages.dedup();
    of.refused(Refusal::Surroundings, format!("not installed: {}", names.join(", ")))
        .hint(format!("on Debian `apt-get install {}` installs what is missing", packages.join(" ")))
}

fn other_run(asked: &Asked, seen: &Seen) -> Finding {
    let of = of(Check::NoOtherRun, &asked.snapshot);
    match &seen.other_run {
        None if !seen.is_root => of.not_looked_at(),
        None => of.ok("none"),
        Some(why) => of
            .refused(Refusal::Surroundings, format!("another run works on `{}`: {why}", asked.snapshot))
            .hint("wait until it has ended"),
    }
}

fn record(asked: &Asked, seen: &Seen) -> Finding {
    let name = &asked.snapshot;
    let of = of(Check::RecordFree, name);
    match &seen.record {
        // Who works on it has its record, and will have another one in a moment.
        _ if seen.other_run.is_some() => of.not_looked_at(),
        None if !seen.is_root => of.not_looked_at(),
        None => of.ok("nothing is recorded"),
        Some(Err(why)) => of.refused(Refusal::Failed, why),
        Some(Ok(record)) if record.phase == Phase::Made => of
            .refused(Refusal::Failed, format!("`{name}` is there already, made {}", record.since))
            .hint(format!("`lvsnap remove {name}` removes it; or choose another name")),
        Some(Ok(_)) => of
            .refused(
                Refusal::Unfinished,
                format!(
                    "something of the snapshot `{name}` is left, because: a run that made or removed it was interrupted"
                ),
            )
            .hint(format!("`lvsnap recover {name}` shows what, and with `--yes` removes it")),
    }
}

fn group(asked: &Asked, seen: &Seen) -> Vec<Finding> {
    let vg = asked.origin.vg();
    let there = of(Check::GroupThere, vg);
    let whole = of(Check::GroupWhole, vg);
    let changes = of(Check::GroupChanges, vg);
    let activation = of(Check::GroupActivation, vg);
    let name = of(Check::NameFree, &asked.snapshot);
    let device = of(Check::DeviceFree, asked.snapshot.dm_path().display());
    let group = match &seen.group {
        Some(Ok(group)) => group,
        Some(Err(why)) => {
            let rest = [whole, changes, activation, name, device].map(Of::not_looked_at);
            return std::iter::once(there.refused(Refusal::Failed, why)).chain(rest).collect();
        }
        None => return [there, whole, changes, activation, name, device].map(Of::not_looked_at).into(),
    };
    let Group { missing_count, refused, unusable, is_name_taken, is_device_taken, .. } = group;
    let is_recorded = matches!(&seen.record, Some(Ok(_)));
    vec![
        there.ok("there"),
        match missing_count {
            0 => whole.ok("all physical volumes are there"),
            count => whole
                .refused(
                    Refusal::Surroundings,
                    format!("group `{vg}` misses {count} of its physical volumes; LVM changes nothing in it"),
                )
                .hint("`lvsnap recover` shows whether one is a temporary file of a snapshot; `pvs` shows all"),
        },
        match refused {
            _ if *missing_count > 0 => changes.not_looked_at(),
            None => changes.ok("LVM would"),
            Some(why) => changes
                .refused(Refusal::Surroundings, format!("LVM does not change the group `{vg}`: {why}"))
                .hint(format!("run `vgchange --test --addtag t {vg}`, which changes nothing, to see why LVM refuses")),
        },
        match unusable {
            None => activation.ok("no list in lvm.conf forbids it"),
            Some(why) => activation.refused(Refusal::Surroundings, why),
        },
        match is_name_taken {
            _ if asked.origin == asked.snapshot => name.not_looked_at(),
            true if is_recorded => name.not_needed("it is the snapshot that is recorded"),
            true => name
                .refused(Refusal::Failed, format!("there is a volume `{}` already", asked.snapshot))
                .hint("choose another name"),
            false => name.ok("no volume has it"),
        },
        match is_device_taken {
            true if *is_name_taken => device.not_needed("it is the volume's"),
            true => device
                .refused(
                    Refusal::Failed,
                    format!("the device mapper has `{}` already, which is no volume", asked.snapshot.dm_name()),
                )
                .hint(format!("`dmsetup info {}` shows it; or choose another name", asked.snapshot.dm_name())),
            false => device.ok("not there"),
        },
    ]
}
