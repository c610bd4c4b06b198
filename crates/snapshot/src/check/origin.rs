//! What the snapshot is to be made of, and the pool or the group that has to have room for it.

use extents::{Bytes, human};
use lvm_cmd::{LvType, PoolMode, PoolStatus};

use super::finding::of;
use super::{Asked, Check, Finding, Group, Origin, Pool, Refusal, Seen};
use crate::Step;

/// From how full a pool on there is a warning, in percent.
const WARN_PERCENT: u64 = 80;

pub(super) fn findings(asked: &Asked, seen: &Seen) -> Vec<Finding> {
    let name = &asked.origin;
    let there = of(Check::OriginThere, name);
    let group = seen.group.as_ref().and_then(|group| group.as_ref().ok());
    let (origin, why) = match group.map(|group| &group.origin) {
        Some(Ok(origin)) => (Some(origin), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    };
    let there = match (origin, why) {
        (Some(origin), _) => there.ok(human(origin.size)),
        (None, Some(why)) => there.refused(Refusal::Failed, why),
        (None, None) => there.not_looked_at(),
    };
    let mut all = vec![there, group_room(asked, group, origin)];
    match origin {
        Some(origin) => {
            all.extend([kind(asked, origin), whole(asked, origin), device(asked, origin), size(asked, origin)]);
        }
        None => {
            let checks = [Check::OriginKind, Check::OriginWhole, Check::OriginDevice, Check::SizeGiven];
            all.extend(checks.map(|check| of(check, name).not_looked_at()));
        }
    }
    all.extend(pool(asked, origin));
    all
}

fn kind(asked: &Asked, origin: &Origin) -> Finding {
    let name = &asked.origin;
    let of = of(Check::OriginKind, name);
    match origin.kind {
        LvType::ThinPool => of.refused(Refusal::Failed, format!("`{name}` is a pool, not a volume")),
        _ if origin.is_classic_snapshot => {
            of.refused(Refusal::Failed, format!("`{name}` is a classic snapshot itself; LVM makes none of one"))
        }
        LvType::ThinVolume => of.ok("a thin volume"),
        LvType::Other(_) => of.ok("a volume that is not thin"),
    }
}

fn whole(asked: &Asked, origin: &Origin) -> Finding {
    let name = &asked.origin;
    let of = of(Check::OriginWhole, name);
    let refused = |why: &str| format!("`{name}` {why}");
    match origin.trouble {
        None => of.ok("nothing is wrong"),
        Some('p') => {
            of.refused(Refusal::Surroundings, refused("lacks a part of itself, on a physical volume that is not there"))
        }
        Some('F') => of.refused(Refusal::Surroundings, refused("has failed")),
        Some(letter) => of.warning(format!("lvs(8) says `{letter}` of its health")),
    }
}

fn device(asked: &Asked, origin: &Origin) -> Finding {
    let node = asked.origin.dm_path();
    let of = of(Check::OriginDevice, node.display());
    match (origin.is_active, origin.has_node) {
        (true, true) => of.ok("a block device"),
        (true, false) => of
            .refused(
                Refusal::Surroundings,
                format!("`{}` is active, and `{}` is no block device", asked.origin, node.display()),
            )
            .hint("`vgscan --mknodes` makes device nodes that are missing"),
        (false, _) => of.warning("it is not active: what is on it is seen only when the snapshot is there"),
    }
}

fn size(asked: &Asked, origin: &Origin) -> Finding {
    let of = of(Check::SizeGiven, "--size");
    match (asked.size, origin.kind) {
        (Some(Bytes::ZERO), _) => of.refused(Refusal::Usage, "a classic snapshot without any space holds nothing"),
        (Some(size), _) => of.ok(human(size)),
        (None, LvType::Other(_)) if !origin.is_classic_snapshot => of
            .refused(
                Refusal::Usage,
                format!("`{}` is no thin volume: its snapshot needs space for what is overwritten", asked.origin),
            )
            .hint("say how much: `--size 4g`"),
        (None, _) => of.not_needed("a thin snapshot has none of its own"),
    }
}

fn group_room(asked: &Asked, group: Option<&Group>, origin: Option<&Origin>) -> Finding {
    let vg = asked.origin.vg();
    let of = of(Check::GroupRoom, vg);
    let size = match (asked.size, &asked.file) {
        (None, _) => return of.not_needed("a thin snapshot takes none"),
        (Some(_), Some(_)) => return of.not_needed("its space is in the temporary file"),
        (Some(size), None) => size,
    };
    let (Some(space), Some(origin)) = (group.and_then(|group| group.space), origin) else { return of.not_looked_at() };
    // LVM makes none larger than what can be overwritten, and its own tables, which it counts itself.
    let size = size.min(origin.size);
    let extent = space.extent.get().max(1);
    let needed = Bytes::new(size.get().div_ceil(extent).saturating_mul(extent));
    if needed <= space.free {
        return of.ok(format!("{} needed, {} free", human(needed), human(space.free)));
    }
    of.refused(
        Refusal::Surroundings,
        format!("group `{vg}` has no room for the snapshot: {} needed, {} free", human(needed), human(space.free)),
    )
    .hint("take a smaller `--size`, or the space of a file elsewhere: `--tmp-file FILE`")
}

fn pool(asked: &Asked, origin: Option<&Origin>) -> Vec<Finding> {
    let checks = [Check::PoolHealth, Check::PoolData, Check::PoolMetadata];
    let Some(origin) = origin.filter(|_| asked.size.is_none()) else {
        let looked_at = |check| of(check, "-");
        return match asked.size {
            Some(_) => {
                checks.map(|check| looked_at(check).not_needed("a classic snapshot takes nothing of a pool")).into()
            }
            None => checks.map(|check| looked_at(check).not_looked_at()).into(),
        };
    };
    let Some(Pool { name, status }) = &origin.pool else {
        return checks.map(|check| of(check, "-").not_needed("the origin is in no pool")).into();
    };
    let [health, data, metadata] = checks.map(|check| of(check, name));
    let status = match status {
        Ok(Some(status)) => status,
        // LVM activates it to make the snapshot.
        Ok(None) => return [health, data, metadata].map(|of| of.when_made(Step::Volume)).into(),
        Err(why) => {
            let health = health.refused(Refusal::Surroundings, why);
            return vec![health, data.not_looked_at(), metadata.not_looked_at()];
        }
    };
    let mode = match status.mode {
        PoolMode::ReadWrite => "read-write",
        PoolMode::OutOfDataSpace => "out of data space",
        PoolMode::ReadOnly => "read-only",
    };
    let health = if status.needs_check {
        health
            .refused(Refusal::Surroundings, format!("the metadata of pool `{name}` must be checked and repaired first"))
            .hint(format!("deactivate it and run `lvconvert --repair {name}`"))
    } else if status.mode != PoolMode::ReadWrite {
        health
            .refused(Refusal::Surroundings, format!("pool `{name}` takes no writes now ({mode})"))
            .hint(format!("look at `lvs -a {name}`; extend it with `lvextend`"))
    } else {
        health.ok(mode)
    };
    let [data_full, metadata_full] = percents(status);
    // As soon as the snapshot is there, the next write to the origin needs a chunk.
    let data = if status.data_free().get() == 0 {
        data.refused(
            Refusal::Surroundings,
            format!("pool `{name}` is full: with a snapshot, the next write to `{}` would stop", asked.origin),
        )
        .hint(format!("`lvextend -L +SIZE {name}`, or remove old snapshots"))
    } else if data_full >= WARN_PERCENT {
        data.warning(format!("{data_full}% full; what is overwritten from now on needs new space"))
    } else {
        data.ok(format!("{data_full}% full"))
    };
    let metadata = if status.metadata_free() < PoolStatus::METADATA_FLOOR {
        let (needed, free) = (human(PoolStatus::METADATA_FLOOR), human(status.metadata_free()));
        metadata
            .refused(
                Refusal::Surroundings,
                format!("pool `{name}` is too full: the snapshot may need {needed} of metadata space, free are {free}"),
            )
            .hint(format!("`lvextend --poolmetadatasize +SIZE {name}`"))
    } else if metadata_full >= WARN_PERCENT {
        metadata.warning(format!("{metadata_full}% full"))
    } else {
        metadata.ok(format!("{metadata_full}% full"))
    };
    vec![health, data, metadata]
}

/// How full data and metadata are, rounded down.
fn percents(status: &PoolStatus) -> [u64; 2] {
    let percent = |used: u64, total: u64| used.saturating_mul(100) / total.max(1);
    [
        percent(status.data_used.get(), status.data_total.get()),
        percent(status.metadata_used.get(), status.metadata_total.get()),
    ]
}
