//! For each check a case in which nothing stands in the way, and those in which something does.

use std::collections::BTreeSet;

use extents::Bytes;
use lvm_cmd::{LvRef, LvType, PoolStatus, Program};
use snapshot::check::{
    Asked, AskedFile, Check, Conclusion, FilePlace, Finding, Group, GroupSpace, LoopPlace, Made, MountPlace, NodeKind,
    Origin, Pool, Refusal, Seen, Stage, There, file_len, findings, mount_options, refusals,
};
use snapshot::{Facts, Found, Phase, Physical, Step};

use crate::model::record;

const MIB: u64 = 1 << 20;
const HEALTHY: &str = "3 114/1024 18/1600 - rw discard_passdown queue_if_no_space - 256";

fn mib(count: u64) -> Bytes {
    Bytes::new(count * MIB)
}

fn pool(status: &str) -> Pool {
    let status = PoolStatus::parse(&format!("0 204800 thin-pool {status}")).map(Some);
    Pool { name: "vg0/pool".parse().unwrap(), status: status.map_err(|error| error.to_string()) }
}

/// A classic snapshot with all that one can have, and a host on which nothing stands in its way.
fn classic() -> (Asked, Seen) {
    let asked = Asked {
        origin: "vg0/data".parse().unwrap(),
        snapshot: "vg0/snap".parse().unwrap(),
        size: Some(mib(100)),
        file: Some(AskedFile { path: "/var/tmp/space.img".into(), loop_device: Some("/dev/loop7".into()) }),
        mount: Some("/mnt/snap".into()),
        freeze: true,
    };
    let origin = Origin {
        uuid: "aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg".parse().unwrap(),
        kind: LvType::Other('-'),
        is_classic_snapshot: false,
        size: mib(1000),
        trouble: None,
        is_active: true,
        has_node: true,
        pool: None,
    };
    let group = Group {
        missing_count: 0,
        refused: None,
        unusable: None,
        block_size: None,
        space: Some(GroupSpace { free: mib(200), extent: mib(4) }),
        is_name_taken: false,
        is_device_taken: false,
        origin: Ok(origin),
    };
    let seen = Seen {
        is_root: true,
        group: Some(Ok(group)),
        file: Some(FilePlace { path: Ok("/var/tmp/space.img".into()), is_there: false, free: mib(1000), on: Ok(None) }),
        loop_device: Some(LoopPlace { kind: NodeKind::Loop, file: None }),
        mount: Some(MountPlace { path: Ok("/mnt/snap".into()), there: There::Empty, is_mount_point: false }),
        file_system: Some(Ok(Some("ext4".to_owned()))),
        ..Seen::default()
    };
    (asked, seen)
}

/// The same in the group itself.
fn in_group() -> (Asked, Seen) {
    let (asked, seen) = classic();
    (Asked { file: None, ..asked }, Seen { file: None, loop_device: None, ..seen })
}

/// A thin snapshot of a thin volume, and nothing else.
fn thin() -> (Asked, Seen) {
    let (asked, mut seen) = in_group();
    let origin = origin(&mut seen);
    (origin.kind, origin.pool) = (LvType::ThinVolume, Some(pool(HEALTHY)));
    group(&mut seen).space = None;
    (Asked { size: None, mount: None, ..asked }, Seen { mount: None, file_system: None, ..seen })
}

/// A snapshot that is there, in a file, mounted at a folder of ours.
fn there(is_mounted: bool) -> (Asked, Seen) {
    let (asked, mut seen) = classic();
    let mut record = record(true, Some(true));
    record.phase = Phase::Made;
    let at = record.mount.clone().unwrap().path;
    let facts = Facts {
        file: Found::Ours,
        loops: vec!["/dev/loop7".into()],
        physical: Physical::InGroup,
        volume: Found::Ours,
        is_active: true,
        folder: Found::Ours,
        mounts: if is_mounted { vec![at] } else { Vec::new() },
        ..Facts::default()
    };
    group(&mut seen).is_name_taken = true;
    (asked, Seen { record: Some(Ok(record)), made: Some(Made { facts, ..Made::default() }), ..seen })
}

fn group(seen: &mut Seen) -> &mut Group {
    seen.group.as_mut().unwrap().as_mut().unwrap()
}

fn origin(seen: &mut Seen) -> &mut Origin {
    group(seen).origin.as_mut().unwrap()
}

fn facts(seen: &mut Seen) -> &mut Facts {
    &mut seen.made.as_mut().unwrap().facts
}

fn of(all: &[Finding], check: Check) -> &Finding {
    all.iter().find(|finding| finding.check == check).unwrap()
}

type State = (Asked, Seen);
type Case = (Check, State, fn(&mut Asked, &mut Seen), Conclusion, &'static str);

const USAGE: Conclusion = Conclusion::Refused(Refusal::Usage);
const SURROUNDINGS: Conclusion = Conclusion::Refused(Refusal::Surroundings);
const FAILED: Conclusion = Conclusion::Refused(Refusal::Failed);
const CONTENT: Conclusion = Conclusion::Refused(Refusal::Content);
const UNFINISHED: Conclusion = Conclusion::Refused(Refusal::Unfinished);
const WARNING: Conclusion = Conclusion::Warning;

/// A volume with a name of so many letters.
fn named(letters: usize) -> LvRef {
    format!("vg0/{}", "n".repeat(letters)).parse().unwrap()
}

/// A volume whose name has 125 bytes in the device mapper, 120 elsewhere.
fn hyphens() -> LvRef {
    format!("vg0/n----{}", "n".repeat(112)).parse().unwrap()
}

/// A check, a state in which it is content, what changes there, what it concludes then, and what it says.
fn cases() -> Vec<Case> {
    vec![
        (
            Check::FileAbsolute,
            classic(),
            |asked, _| asked.file.as_mut().unwrap().path = "a/b".into(),
            USAGE,
            "no absolute path",
        ),
        (
            Check::LoopDeviceAbsolute,
            classic(),
            |asked, _| asked.file.as_mut().unwrap().loop_device = Some("loop7".into()),
            USAGE,
            "`loop7`",
        ),
        (Check::MountPointAbsolute, classic(), |asked, _| asked.mount = Some("mnt".into()), USAGE, "`mnt`"),
        (
            Check::NameInGroup,
            thin(),
            |asked, _| asked.snapshot = "vg1/snap".parse().unwrap(),
            USAGE,
            "another volume group",
        ),
        (Check::NameNotOrigin, thin(), |asked, _| asked.snapshot = asked.origin.clone(), USAGE, "called as its origin"),
        (Check::NameLength, thin(), |asked, _| asked.snapshot = named(118), USAGE, "121 bytes, at most 120"),
        (Check::NameLength, classic(), |asked, _| asked.snapshot = named(117), Conclusion::Ok, "short"),
        (Check::NameLength, classic(), |asked, _| asked.origin = named(117), Conclusion::Ok, "short"),
        (Check::NameLength, classic(), |asked, _| asked.snapshot = hyphens(), USAGE, "with LVM's `-cow`, 129 bytes"),
        (Check::NameLength, classic(), |asked, _| asked.origin = hyphens(), USAGE, "with LVM's `-real`, 130 bytes"),
        (Check::NameLength, thin(), |asked, _| asked.origin = hyphens(), Conclusion::Ok, "short"),
        (Check::NameLength, thin(), |asked, _| asked.snapshot = hyphens(), Conclusion::Ok, "short"),
        (Check::Root, thin(), |_, seen| seen.is_root = false, SURROUNDINGS, "needs root"),
        (
            Check::Tools,
            classic(),
            |_, seen| seen.missing = vec![Program::Losetup, Program::Pvcreate],
            SURROUNDINGS,
            "`losetup`, `pvcreate`",
        ),
        (Check::NoOtherRun, thin(), |_, seen| seen.other_run = Some("held".into()), SURROUNDINGS, "`vg0/snap`: held"),
        (Check::RecordFree, thin(), |_, seen| seen.record = Some(Err("it is damaged".into())), FAILED, "damaged"),
        (
            Check::RecordFree,
            thin(),
            |_, seen| {
                let mut record = record(false, None);
                record.phase = Phase::Made;
                seen.record = Some(Ok(record));
            },
            FAILED,
            "made 2026-11-21",
        ),
        (
            Check::RecordFree,
            thin(),
            |_, seen| seen.record = Some(Ok(record(true, None))),
            UNFINISHED,
            "was interrupted",
        ),
        (Check::GroupThere, thin(), |_, seen| seen.group = Some(Err("no such".into())), FAILED, "no such"),
        (Check::GroupWhole, thin(), |_, seen| group(seen).missing_count = 2, SURROUNDINGS, "misses 2"),
        (Check::GroupChanges, thin(), |_, seen| group(seen).refused = Some("no".into()), SURROUNDINGS, "`vg0`: no"),
        (
            Check::GroupActivation,
            thin(),
            |_, seen| group(seen).unusable = Some("a list".into()),
            SURROUNDINGS,
            "a list",
        ),
        (Check::NameFree, thin(), |_, seen| group(seen).is_name_taken = true, FAILED, "a volume `vg0/snap`"),
        (Check::DeviceFree, thin(), |_, seen| group(seen).is_device_taken = true, FAILED, "`vg0-snap`"),
        (Check::OriginThere, thin(), |_, seen| group(seen).origin = Err("no such".into()), FAILED, "no such"),
        (Check::OriginKind, thin(), |_, seen| origin(seen).kind = LvType::ThinPool, FAILED, "a pool"),
        (
            Check::OriginKind,
            classic(),
            |_, seen| origin(seen).is_classic_snapshot = true,
            FAILED,
            "classic snapshot itself",
        ),
        (Check::OriginWhole, classic(), |_, seen| origin(seen).trouble = Some('p'), SURROUNDINGS, "lacks a part"),
        (Check::OriginWhole, classic(), |_, seen| origin(seen).trouble = Some('m'), WARNING, "`m`"),
        (Check::OriginDevice, thin(), |_, seen| origin(seen).has_node = false, SURROUNDINGS, "no block device"),
        (Check::OriginDevice, thin(), |_, seen| origin(seen).is_active = false, WARNING, "not active"),
        (Check::SizeGiven, in_group(), |asked, _| asked.size = None, USAGE, "is no thin volume"),
        (Check::SizeGiven, in_group(), |asked, _| asked.size = Some(Bytes::ZERO), USAGE, "without any space"),
        (Check::PoolHealth, thin(), |_, seen| origin(seen).pool = Some(pool("Fail")), SURROUNDINGS, "has failed"),
        (
            Check::PoolHealth,
            thin(),
            |_, seen| origin(seen).pool = Some(pool(&HEALTHY.replace(" - 256", " needs_check 256"))),
            SURROUNDINGS,
            "checked and repaired",
        ),
        (
            Check::PoolHealth,
            thin(),
            |_, seen| origin(seen).pool = Some(pool(&HEALTHY.replace(" rw ", " ro "))),
            SURROUNDINGS,
            "(read-only)",
        ),
        (
            Check::PoolData,
            thin(),
            |_, seen| origin(seen).pool = Some(pool(&HEALTHY.replace("18/", "1600/"))),
            SURROUNDINGS,
            "is full",
        ),
        (
            Check::PoolData,
            thin(),
            |_, seen| origin(seen).pool = Some(pool(&HEALTHY.replace("18/", "1280/"))),
            WARNING,
            "80% full",
        ),
        (
            Check::PoolMetadata,
            thin(),
            |_, seen| origin(seen).pool = Some(pool(&HEALTHY.replace("114/", "961/"))),
            SURROUNDINGS,
            "metadata space",
        ),
        (
            Check::PoolMetadata,
            thin(),
            |_, seen| origin(seen).pool = Some(pool(&HEALTHY.replace("114/", "960/"))),
            WARNING,
            "93% full",
        ),
        (Check::GroupRoom, in_group(), |asked, _| asked.size = Some(mib(201)), SURROUNDINGS, "204.0 MiB needed"),
        (
            Check::FileFolder,
            classic(),
            |_, seen| seen.file.as_mut().unwrap().path = Err("no folder".into()),
            FAILED,
            "no folder",
        ),
        (
            Check::FileAbsent,
            classic(),
            |_, seen| seen.file.as_mut().unwrap().is_there = true,
            FAILED,
            "is there already",
        ),
        (
            Check::FileElsewhere,
            classic(),
            |_, seen| seen.file.as_mut().unwrap().on = Ok(Some("vg0/data".into())),
            FAILED,
            "lies on `vg0/data`",
        ),
        (
            Check::FileElsewhere,
            classic(),
            |_, seen| seen.file.as_mut().unwrap().on = Err("no".into()),
            FAILED,
            "not known",
        ),
        // 116 MiB are wanted.
        (
            Check::FileRoom,
            classic(),
            |_, seen| seen.file.as_mut().unwrap().free = mib(128),
            SURROUNDINGS,
            "nine tenths",
        ),
        (
            Check::LoopDeviceKind,
            classic(),
            |_, seen| seen.loop_device.as_mut().unwrap().kind = NodeKind::NoBlock,
            FAILED,
            "no block device",
        ),
        (
            Check::LoopDeviceKind,
            classic(),
            |_, seen| seen.loop_device.as_mut().unwrap().kind = NodeKind::Block,
            FAILED,
            "no loop device",
        ),
        (
            Check::LoopDeviceFree,
            classic(),
            |_, seen| seen.loop_device.as_mut().unwrap().file = Some("/other".into()),
            FAILED,
            "`/other`",
        ),
        (
            Check::MountPointFolder,
            classic(),
            |_, seen| seen.mount.as_mut().unwrap().there = There::Other,
            FAILED,
            "`/mnt/snap` is no folder",
        ),
        (
            Check::MountPointFolder,
            classic(),
            |_, seen| seen.mount.as_mut().unwrap().path = Err("nowhere".into()),
            FAILED,
            "nowhere",
        ),
        (
            Check::MountPointEmpty,
            classic(),
            |_, seen| seen.mount.as_mut().unwrap().there = There::Full,
            FAILED,
            "not empty",
        ),
        (
            Check::MountPointFree,
            classic(),
            |_, seen| seen.mount.as_mut().unwrap().is_mount_point = true,
            FAILED,
            "a mount point already",
        ),
        (Check::FileSystem, classic(), |_, seen| seen.file_system = Some(Ok(None)), CONTENT, "no file system"),
        (Check::FileSystem, classic(), |_, seen| seen.file_system = Some(Err("two".into())), FAILED, "two"),
        (
            Check::MountOptions,
            classic(),
            |_, seen| seen.file_system = Some(Ok(Some("btrfs".into()))),
            CONTENT,
            "btrfs knows",
        ),
        (Check::MountPointThere, there(true), |_, seen| facts(seen).mounts.clear(), WARNING, "nothing is mounted"),
        (
            Check::MountIsOurs,
            there(true),
            |_, seen| {
                facts(seen).mounts.clear();
                seen.made.as_mut().unwrap().other_mount = true;
            },
            WARNING,
            "stays mounted",
        ),
        (Check::FolderIsOurs, there(false), |_, seen| facts(seen).folder = Found::Other, WARNING, "another one"),
        (
            Check::FolderIsEmpty,
            there(false),
            |_, seen| seen.made.as_mut().unwrap().folder_holds = true,
            UNFINISHED,
            "not empty",
        ),
        (Check::VolumeIsOurs, there(true), |_, seen| facts(seen).volume = Found::Other, WARNING, "another one"),
        (
            Check::PhysicalInGroup,
            there(true),
            |_, seen| {
                facts(seen).file = Found::Absent;
                facts(seen).physical = Physical::Missing { entangled: true };
            },
            UNFINISHED,
            "another volume has a part",
        ),
        (
            Check::PhysicalInGroup,
            there(true),
            |_, seen| facts(seen).physical = Physical::Missing { entangled: false },
            WARNING,
            "attached again",
        ),
        (
            Check::PhysicalAlone,
            {
                let (asked, mut seen) = there(true);
                facts(&mut seen).physical = Physical::Alone;
                (asked, seen)
            },
            |_, seen| facts(seen).physical = Physical::InGroup,
            Conclusion::WhenRemoved(Step::PhysicalVolume),
            "undone",
        ),
        (Check::LoopIsOurs, there(true), |_, seen| facts(seen).loops.clear(), Conclusion::NotNeeded, "has none"),
        (Check::FileIsOurs, there(true), |_, seen| facts(seen).file = Found::Other, WARNING, "another one"),
    ]
}

#[test]
fn each_check_is_content_in_one_case_and_not_in_another() {
    for (check, (mut asked, mut seen), change, concludes, says) in cases() {
        let content = findings(&asked, &seen);
        assert_eq!(of(&content, check).conclusion, Conclusion::Ok, "{check:?}: {:?}", of(&content, check));
        change(&mut asked, &mut seen);
        let changed = findings(&asked, &seen);
        let finding = of(&changed, check);
        assert_eq!(finding.conclusion, concludes, "{finding:?}");
        assert!(finding.found.contains(says), "{finding:?}");
    }
    let tried: BTreeSet<_> = cases().into_iter().map(|case| case.0).collect();
    let is_looked_at = |check: &Check| matches!(check.stage(), Stage::Before | Stage::Removing);
    let all: BTreeSet<_> = Check::ALL.iter().copied().filter(is_looked_at).collect();
    assert_eq!(tried, all, "checks without a case, or cases without a check");
}

/// Only a rename of the volume whose name is too long helps.
#[test]
fn the_hint_about_a_long_name_is_about_that_volume() {
    let hint = |asked: &Asked, seen: &Seen| of(&findings(asked, seen), Check::NameLength).hint.clone().unwrap();
    for (asked, seen) in [thin(), classic()] {
        let asked = Asked { snapshot: hyphens(), ..asked };
        let asked = if asked.size.is_none() { Asked { snapshot: named(118), ..asked } } else { asked };
        assert_eq!(hint(&asked, &seen), "give the snapshot a shorter name");
    }
    let (asked, seen) = classic();
    assert_eq!(hint(&Asked { origin: hyphens(), ..asked }, &seen), "rename the origin");
}

#[test]
fn every_table_has_every_check_once_and_in_order() {
    let changed = cases().into_iter().map(|(_, (mut asked, mut seen), change, ..)| {
        change(&mut asked, &mut seen);
        (asked, seen)
    });
    let unknown = |(asked, _): State| (asked, Seen::default());
    let states = [classic(), in_group(), thin(), there(true), there(false), unknown(classic()), unknown(thin())];
    for (asked, seen) in states.into_iter().chain(changed) {
        let all: Vec<_> = findings(&asked, &seen).iter().map(|finding| finding.check).collect();
        assert_eq!(all, Check::ALL, "{asked:?} {seen:?}");
    }
}

#[test]
fn names_are_kebab_case_and_the_scripts_checks_are_all_there() {
    let names: BTreeSet<_> = Check::ALL.iter().map(|check| check.name()).collect();
    assert_eq!(names.len(), Check::ALL.len());
    assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
    let mut of_script: Vec<_> = Check::ALL.iter().filter_map(|check| check.of_script()).collect();
    of_script.sort_unstable();
    assert_eq!(of_script, (1..=39).collect::<Vec<_>>());
}

#[test]
fn nothing_is_refused_where_nothing_stands_in_the_way() {
    for (asked, seen) in [classic(), in_group(), thin()] {
        let all = findings(&asked, &seen);
        assert_eq!(refusals(&all), [], "{asked:?}");
        assert!(all.iter().all(|finding| finding.conclusion != Conclusion::NotLookedAt), "{all:?}");
    }
    // What a step alone can tell names it.
    let (asked, seen) = classic();
    let all = findings(&asked, &seen);
    let steps = [Step::File, Step::Loop, Step::PhysicalVolume, Step::Group, Step::Volume, Step::Mount];
    let made = all.iter().filter(|finding| finding.check.stage() == Stage::Making).map(|finding| finding.conclusion);
    assert_eq!(made.collect::<Vec<_>>(), steps.map(Conclusion::WhenMade));
}

/// What one thing stands in the way of is said once.
#[test]
fn a_refusal_has_no_echo() {
    let recorded = there(true);
    let mut own_name = thin();
    own_name.0.snapshot = own_name.0.origin.clone();
    group(&mut own_name.1).is_name_taken = true;
    let mut taken = thin();
    (group(&mut taken.1).is_name_taken, group(&mut taken.1).is_device_taken) = (true, true);
    let nobody = (thin().0, Seen { is_root: false, ..Seen::default() });
    let mut pool = thin();
    origin(&mut pool.1).kind = LvType::ThinPool;
    for ((asked, seen), check) in [
        (recorded, Check::RecordFree),
        (own_name, Check::NameNotOrigin),
        (taken, Check::NameFree),
        (nobody, Check::Root),
        (pool, Check::OriginKind),
    ] {
        let all = findings(&asked, &seen);
        assert_eq!(refusals(&all).iter().map(|(finding, _)| finding.check).collect::<Vec<_>>(), [check]);
    }
}

/// Nobody can say of these what they are, and none of them may be called content.
#[test]
fn what_was_not_looked_at_is_not_content() {
    let (asked, _) = classic();
    for finding in findings(&asked, &Seen { is_root: true, ..Seen::default() }) {
        let known = [Check::Root, Check::Tools, Check::NoOtherRun, Check::RecordFree, Check::SizeGiven];
        if finding.check.stage() == Stage::Before && !known.contains(&finding.check) {
            let by_itself = finding.check < Check::Root || finding.conclusion == Conclusion::NotNeeded;
            assert!(by_itself || finding.conclusion == Conclusion::NotLookedAt, "{finding:?}");
        }
    }
}

#[test]
fn a_file_has_room_for_the_snapshot_and_what_lvm_needs() {
    for (size, extent, len) in [(100, 4, 116), (101, 4, 120), (100, 64, 192), (1, 1, 17)] {
        assert_eq!(file_len(mib(size), mib(extent)), mib(len), "{size} in extents of {extent}");
    }
}

#[test]
fn what_cannot_be_mounted_beside_its_origin_is_refused() {
    assert_eq!(mount_options("xfs"), Ok("ro,nouuid,norecovery"));
    assert_eq!(mount_options("ext4"), Ok("ro,noload"));
    assert_eq!(mount_options("vfat"), Ok("ro"));
    assert!(mount_options("btrfs").unwrap_err().contains("id"));
}
