//! The temporary file and its loop device.

use extents::{Bytes, human};

use super::finding::{Of, of};
use super::{Asked, AskedFile, Check, FilePlace, Finding, LoopPlace, NodeKind, Refusal, Seen, quoted};
use crate::Step;

/// How much longer a temporary file is than the snapshot in it: LVM's label and metadata, and what is lost to whole
/// extents.
const MARGIN_BYTES: u64 = 16 << 20;

/// The length of a temporary file for a snapshot of `size` in a group with extents of `extent`.
#[must_use]
pub fn file_len(size: Bytes, extent: Bytes) -> Bytes {
    let extents = size.get().div_ceil(extent.get().max(1));
    Bytes::new(extents.saturating_mul(extent.get()).saturating_add(MARGIN_BYTES.max(extent.get())))
}

pub(super) fn findings(asked: &Asked, seen: &Seen) -> Vec<Finding> {
    let made = [
        (Check::FileMade, Step::File),
        (Check::LoopAttached, Step::Loop),
        (Check::PhysicalMade, Step::PhysicalVolume),
        (Check::GroupExtended, Step::Group),
    ];
    let mut all = vec![of(Check::SnapshotMade, &asked.snapshot).when_made(Step::Volume)];
    let before = [Check::FileFolder, Check::FileAbsent, Check::FileElsewhere, Check::FileRoom];
    let Some(file) = &asked.file else {
        let none = "no temporary file is wanted";
        let loops = [Check::LoopDeviceKind, Check::LoopDeviceFree];
        let checks = before.into_iter().chain(loops).chain(made.map(|(check, _)| check));
        all.extend(checks.map(|check| of(check, "-").not_needed(none)));
        return all;
    };
    let path = file.path.display();
    all.extend(made.map(|(check, step)| of(check, path.to_string()).when_made(step)));
    all.extend(match &seen.file {
        Some(place) => on_place(asked, file, place, seen),
        None => before.map(|check| of(check, path.to_string()).not_looked_at()).into(),
    });
    all.extend(loop_device(file, seen.loop_device.as_ref()));
    all
}

fn on_place(asked: &Asked, file: &AskedFile, place: &FilePlace, seen: &Seen) -> Vec<Finding> {
    let [folder, absent, elsewhere, room] =
        [Check::FileFolder, Check::FileAbsent, Check::FileElsewhere, Check::FileRoom]
            .map(|check| of(check, file.path.display()));
    let path = match &place.path {
        Ok(path) => path,
        Err(why) => {
            let folder = folder.refused(Refusal::Failed, why);
            let rest = [absent, elsewhere, room].map(Of::not_looked_at);
            return std::iter::once(folder).chain(rest).collect();
        }
    };
    let vg = asked.origin.vg();
    let extent = seen.group.as_ref().and_then(|group| Some(group.as_ref().ok()?.space?.extent));
    vec![
        folder.ok(quoted(path.parent().unwrap_or(path))),
        if place.is_there {
            absent
                .refused(Refusal::Failed, format!("{} is there already", quoted(path)))
                .hint("name a file that is not there: it is made, and removed with the snapshot")
        } else {
            absent.ok("not there")
        },
        match &place.on {
            // Whose group it is, only LVM can say.
            _ if extent.is_none() => elsewhere.not_looked_at(),
            Ok(None) => elsewhere.ok(format!("on no volume of `{vg}`")),
            Ok(Some(volume)) => elsewhere
                .refused(
                    Refusal::Failed,
                    format!(
                        "{} lies on `{volume}`, a volume of `{vg}`: what is written there would fill the snapshot",
                        quoted(path)
                    ),
                )
                .hint("name a file on another disk, or on another machine's"),
            Err(why) => {
                elsewhere.refused(Refusal::Failed, format!("it is not known on what {} lies: {why}", quoted(path)))
            }
        },
        match extent {
            None => room.not_looked_at(),
            Some(extent) => {
                let len = file_len(asked.size.unwrap_or_default(), extent);
                // The rest is for who else writes there.
                let free = Bytes::new(place.free.get() / 10 * 9);
                let folder = path.parent().unwrap_or(path);
                if len <= free {
                    room.ok(format!("{} of {}", human(len), human(free)))
                } else {
                    room.refused(
                        Refusal::Surroundings,
                        format!(
                            "{} needs {}, and nine tenths of what is free in {} are {}",
                            quoted(path),
                            human(len),
                            quoted(folder),
                            human(free)
                        ),
                    )
                }
            }
        },
    ]
}

fn loop_device(file: &AskedFile, place: Option<&LoopPlace>) -> [Finding; 2] {
    let checks = [Check::LoopDeviceKind, Check::LoopDeviceFree];
    let Some(device) = &file.loop_device else {
        return checks.map(|check| of(check, "-").not_needed("any will do"));
    };
    let [kind, free] = checks.map(|check| of(check, device.display()));
    let Some(place) = place else { return [kind.not_looked_at(), free.not_looked_at()] };
    let why = match place.kind {
        NodeKind::Loop => {
            let free = match &place.file {
                None => free.ok("it has no file"),
                Some(file) => free
                    .refused(Refusal::Failed, format!("{} is taken: it has {}", quoted(device), quoted(file)))
                    .hint("`losetup --find` shows a free one; without `--loop-device` that is taken"),
            };
            return [kind.ok("a loop device"), free];
        }
        NodeKind::Absent => "is not there",
        NodeKind::NoBlock => "is no block device",
        NodeKind::Block => "is no loop device",
    };
    let kind = kind
        .refused(Refusal::Failed, format!("{} {why}", quoted(device)))
        .hint("`losetup --find` shows a free one; without `--loop-device` that is taken");
    [kind, free.not_looked_at()]
}
