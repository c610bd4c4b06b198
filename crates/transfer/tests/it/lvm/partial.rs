//! A chain that becomes a volume, layer by layer, over several runs.

use extents::{Bytes, ChunkSize};
use hyperlayer::{Header, LayerId, Totals};
use lvm_cmd::{LvRef, Permission, Scripted};
use testkit::{lv_row, lvs_step, pool_row};
use transfer::lvm::{Destination, PartialVolumes, Replaced, Sizes, VolumeSite, activating, partial_target};
use transfer::receive::Site;
use transfer::{Error, ErrorKind};

use super::{Machine, SIZE, UUID, fails_then, lv, lv_name, lv_ref, ok, script};

const TAG: &str = "hyperlayer.partial=new";
const STATUS: &str = "$ dmsetup status --target thin-pool vg0-pool-tpool\n| 0 204800 thin-pool 3 114/1024 18/1600 - rw \
                      discard_passdown queue_if_no_space - 256\n= 0\n";

fn name(number: u32) -> String {
    format!("hyperlayer-partial-{}-{number}", &blake3::hash(b"new").to_hex()[..12])
}

fn ours(number: u32, bytes: u64) -> String {
    let uuid = format!("jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe3{number}K");
    lv_row(&[
        ("lv_name", &name(number)),
        ("lv_uuid", &uuid),
        ("lv_attr", "Vwi---tz-k"),
        ("lv_tags", TAG),
        ("lv_size", &bytes.to_string()),
    ])
}

/// The step in which LVM lists the pool and these.
fn group(rows: &[String]) -> String {
    lvs_step(&[&[pool_row()], rows].concat())
}

fn create(number: u32) -> String {
    let name = name(number);
    match number {
        0 => ok(&format!(
            "lvcreate --virtualsize {SIZE}b --name {name} --addtag {TAG} --permission rw --setactivationskip y \
             --activate n --thinpool vg0/pool"
        )),
        _ => snapshot(number, &super::lv_ref(&self::name(number - 1)).to_string()),
    }
}

fn snapshot(number: u32, of: &str) -> String {
    let name = name(number);
    ok(&format!(
        "lvcreate --snapshot --name {name} --addtag {TAG} --permission rw --setactivationskip y --activate n {of}"
    ))
}

fn activate(number: u32) -> String {
    ok(&format!("lvchange -ay -K vg0/{}", name(number)))
}

fn deactivate(number: u32) -> String {
    ok(&format!("lvchange -an vg0/{}", name(number)))
}

fn resize(number: u32, bytes: u64) -> String {
    ok(&format!("lvresize -f --fs ignore --size {bytes}b vg0/{}", name(number)))
}

fn removal(number: u32) -> String {
    super::removal(&name(number), TAG)
}

fn full() -> Header {
    let header = Header::full(Bytes::new(SIZE), ChunkSize::SECTOR, Totals::default());
    Header { layer: Some(LayerId::new("sunday").unwrap()), ..header }
}

fn delta(size: u64, parent_size: u64) -> Header {
    let header = Header::delta(Bytes::new(size), Bytes::new(parent_size), ChunkSize::SECTOR, Totals::default());
    Header { parent: Some(LayerId::new(UUID).unwrap()), ..header }
}

fn volumes<'a>(machine: &'a Machine, exec: &'a Scripted) -> PartialVolumes<'a> {
    PartialVolumes::lock(machine.lvm(exec), &machine.locks, &lv_ref("new")).unwrap()
}

/// In the pool alone, or on the read-only `vg0/data`.
fn site<'a>(machine: &'a Machine, exec: &'a Scripted, on_base: bool) -> VolumeSite<'a> {
    let pool = lv(&[
        ("lv_name", "pool"),
        ("lv_attr", "twi-aotz--"),
        ("pool_lv", ""),
        ("chunk_size", "65536"),
        ("discards", "passdown"),
    ]);
    let base = on_base.then(|| lv(&[("lv_attr", "Vri---tz-k")]));
    let destination = Destination { group: vec![pool.clone()], base, pool };
    VolumeSite::new(volumes(machine, exec), destination, false).unwrap()
}

fn mapped(number: u32) -> String {
    let name = lv_ref(&name(number)).dm_name();
    format!("$ dmsetup status --target thin {name}\n| 0 32768 thin 0 -\n= 0\n")
}

#[test]
fn a_full_layer_and_a_smaller_one_behind_it() {
    let half = SIZE / 2;
    let steps = [
        // What an earlier run may have left of it is not there.
        STATUS.to_owned(),
        group(&[]),
        create(0),
        group(&[ours(0, SIZE)]),
        activate(0),
        mapped(0),
        deactivate(0),
        group(&[ours(0, SIZE)]),
        STATUS.to_owned(),
        group(&[ours(0, SIZE)]),
        create(1),
        group(&[ours(1, SIZE)]),
        activate(1),
        resize(1, half),
        group(&[ours(1, half)]),
        deactivate(1),
        removal(0),
    ];
    let machine = Machine::new();
    machine.node(&name(0), SIZE);
    machine.node(&name(1), SIZE);
    let exec = script(&steps.concat());
    let mut site = site(&machine, &exec, false);
    assert_eq!(site.begin(0, &full(), Bytes::new(SIZE)).unwrap(), None);
    let (target, parent) = site.target().unwrap();
    target.write_at(Bytes::ZERO, b"the first layer").unwrap();
    assert!(parent.is_none());
    site.end(0, Bytes::new(SIZE)).unwrap();
    site.forget_parent(0).unwrap();
    let header = Header { parent: full().layer, ..delta(half, SIZE) };
    site.begin(1, &header, Bytes::new(half)).unwrap();
    assert_eq!(site.target().unwrap().0.size(), Bytes::new(SIZE));
    site.end(1, Bytes::new(half)).unwrap();
    site.forget_parent(1).unwrap();
    let _ = site.close();
}

/// What an interrupted run left of the layer is removed, and the base is its parent.
#[test]
fn begun_anew_on_a_base_and_larger() {
    let twice = 2 * SIZE;
    let steps = [
        STATUS.to_owned(),
        removal(0),
        snapshot(0, "vg0/data"),
        resize(0, twice),
        group(&[ours(0, twice)]),
        activate(0),
        deactivate(0),
    ];
    let machine = Machine::new();
    machine.node(&name(0), twice);
    let exec = script(&steps.concat());
    let mut site = site(&machine, &exec, true);
    let identity = site.begin(0, &delta(twice, SIZE), Bytes::new(twice)).unwrap();
    assert_eq!(identity, Some(transfer::Identity::Proven));
    site.end(0, Bytes::new(twice)).unwrap();
    let _ = site.close();
}

/// What is read back is active from the first byte that is written until that is done, and not longer.
#[test]
fn one_activation_to_write_and_to_read_back() {
    let begin = [STATUS.to_owned(), removal(0), snapshot(0, "vg0/data"), group(&[ours(0, SIZE)]), activate(0)];
    let table = format!("$ dmsetup table --target thin {}\n| 0 32768 thin 253:3 3\n= 0\n", lv_ref(&name(0)).dm_name());
    let machine = Machine::new();
    machine.node(&name(0), SIZE);
    let exec = script(&[begin.concat(), group(&[ours(0, SIZE)]), table, deactivate(0)].concat());
    let mut site = site(&machine, &exec, true).staying_active();
    site.begin(0, &delta(SIZE, SIZE), Bytes::new(SIZE)).unwrap();
    site.end(0, Bytes::new(SIZE)).unwrap();
    let (volumes, active) = site.close_active();
    let group = lvm_cmd::volumes(&exec, &"vg0".parse().unwrap()).unwrap();
    let source = transfer::lvm::Source::open_one(&machine.lvm(&exec), &group, volumes.first(&group).unwrap()).unwrap();
    assert_eq!(source.new_volume().size(), Bytes::new(SIZE));
    source.close().unwrap();
    active.unwrap().release().unwrap();
}

/// The group's extents are longer than the source's, so every volume here is larger than its layer says.
#[test]
fn sizes_that_are_rounded_up() {
    let said = SIZE - 65_536;
    let begin = [STATUS.to_owned(), removal(0), snapshot(0, "vg0/data"), group(&[ours(0, SIZE)]), activate(0)];
    let end = [resize(0, said), group(&[ours(0, SIZE)]), deactivate(0)];
    let machine = Machine::new();
    machine.node(&name(0), SIZE);
    let exec = script(&[begin.concat(), end.concat()].concat());
    let mut larger = site(&machine, &exec, true).with_sizes(Sizes::Rounded);
    larger.begin(0, &delta(said, said), Bytes::new(said)).unwrap();
    larger.end(0, Bytes::new(said)).unwrap();
    let _ = larger.close();
}

/// Which base is a parent of that size.
#[test]
fn sizes_of_a_base() {
    let grown = SIZE + 65_536;
    for (sizes, parent, taken) in [
        (Sizes::Exact, SIZE, true),
        (Sizes::Exact, SIZE - 512, false),
        (Sizes::Rounded, SIZE - 512, true),
        (Sizes::Rounded, grown, false),
        (Sizes::Compared, grown, true),
    ] {
        let machine = Machine::new();
        // It goes no further than to the pool's state.
        let stop = "$ dmsetup status --target thin-pool vg0-pool-tpool\n! no\n= 1\n\
                    $ dmsetup info --columns --noheadings --options name\n= 1\n";
        let exec = script(if taken { stop } else { "" });
        let mut site = site(&machine, &exec, true).with_sizes(sizes);
        let error = site.begin(0, &delta(grown, parent), Bytes::new(grown)).unwrap_err();
        assert_eq!(matches!(error, Error::BaseSize { .. }), !taken, "{sizes:?} {parent}: {error:?}");
    }
}

#[test]
fn reopened_with_its_parent() {
    let steps = [
        group(&[ours(1, SIZE), ours(0, SIZE)]),
        group(&[ours(1, SIZE), ours(0, SIZE)]),
        activate(0),
        format!("$ dmsetup table --target thin {}\n| 0 32768 thin 254:2 3\n= 0\n", lv_ref(&name(0)).dm_name()),
        group(&[ours(1, SIZE)]),
        activate(1),
        deactivate(0),
        deactivate(1),
    ];
    let machine = Machine::new();
    machine.node(&name(0), SIZE);
    machine.node(&name(1), SIZE);
    std::fs::write(machine.nodes.join(lv_ref(&name(0)).dm_name()), vec![7; usize::try_from(SIZE).unwrap()]).unwrap();
    let exec = script(&steps.concat());
    let mut site = site(&machine, &exec, false);
    site.reopen(1, &delta(SIZE, SIZE), Bytes::new(SIZE)).unwrap();
    let (target, parent) = site.target().unwrap();
    assert_eq!(target.size(), Bytes::new(SIZE));
    let mut first = [0; 4];
    parent.unwrap().read_at(Bytes::ZERO, &mut first).unwrap();
    assert_eq!(first, [7; 4]);
    site.end(1, Bytes::new(SIZE)).unwrap();
    let _ = site.close();
}

#[test]
fn what_is_gone_is_said() {
    let machine = Machine::new();
    let exec = script(&group(&[]));
    let error = site(&machine, &exec, true).reopen(0, &delta(SIZE, SIZE), Bytes::new(SIZE)).unwrap_err();
    assert!(error.to_string().contains("with what was received before the interruption, is not there"), "{error}");
    assert!(error.hint().unwrap().contains("--discard-partial"));
}

/// Another run has it, also one in a container with a `/run` of its own.
#[test]
fn one_run_at_a_time() {
    let machine = Machine::new();
    let exec = script("");
    let first = volumes(&machine, &exec);
    let error = PartialVolumes::lock(machine.lvm(&exec), &machine.locks, &lv_ref("new")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Surroundings, "{error:?}");
    let container = Machine::new();
    let error = PartialVolumes::lock(container.lvm(&exec), &machine.locks, &lv_ref("new")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Surroundings, "{error:?}");
    let _other = PartialVolumes::lock(machine.lvm(&exec), &machine.locks, &lv_ref("other")).unwrap();
    drop(first);
    let _again = volumes(&machine, &exec);
}

/// An older version made volumes whose names are too long to be active. They can be discarded, and no others are made.
#[test]
fn names_too_long() {
    let machine = Machine::new();
    let target: LvRef = format!("{}/new", "g".repeat(90)).parse().unwrap();
    let text = group(&[lv_row(&[("lv_name", &name(0)), ("lv_tags", TAG), ("lv_attr", "Vwi---tz-k")])]);
    let removed = removal(0);
    let exec = script(&[text, removed].concat().replace("vg0", target.vg().as_str()));
    let volumes = PartialVolumes::lock(machine.lvm(&exec), &machine.locks, &target).unwrap();
    let group = lvm_cmd::volumes(&exec, target.vg()).unwrap();
    let names = volumes.discard(&group).unwrap();
    assert_eq!(names.iter().map(|name| name.lv().as_str()).collect::<Vec<_>>(), [name(0)]);

    assert!(PartialVolumes::check_length(&target).is_err());
    let pool = lv(&[("lv_name", "pool"), ("lv_attr", "twi-aotz--"), ("pool_lv", ""), ("chunk_size", "65536")]);
    let destination = Destination { group: vec![pool.clone()], base: None, pool };
    // No command is left in the script.
    let error = VolumeSite::new(volumes, destination, false).unwrap().begin(0, &full(), Bytes::new(SIZE)).unwrap_err();
    assert!(error.to_string().contains("at most 120 are allowed"), "{error}");
}

const CHANGE: &str = "lvchange --addtag hyperlayer.layer=sunday --permission r vg0/LAST";
const UNTAG: &str = "lvchange --deltag hyperlayer.partial=new vg0/new";

fn finish(steps: &[String], replaced: Option<&Replaced>) -> Result<(), Error> {
    let machine = Machine::new();
    let exec = script(&steps.concat().replace("LAST", &name(2)));
    let layer = LayerId::new("sunday").unwrap();
    let volumes = volumes(&machine, &exec);
    let new = volumes.finish(3, Some(&layer), Permission::ReadOnly, replaced)?;
    assert_eq!(new, lv_ref("new"));
    volumes.release()
}

fn rename() -> String {
    ok("lvrename vg0 LAST new")
}

#[test]
fn the_last_layer_gets_its_name() {
    finish(&[group(&[ours(2, SIZE)]), ok(CHANGE), rename(), ok(UNTAG)], None).unwrap();
    // Killed before the last step.
    let named = lv_row(&[("lv_name", "new"), ("lv_tags", TAG)]);
    finish(&[group(&[named]), ok(UNTAG)], None).unwrap();
    // Killed before it could remove the layer before.
    let removed = removal(1);
    let left = group(&[ours(1, SIZE), ours(2, SIZE)]);
    finish(&[left, removed, ok(CHANGE), rename(), ok(UNTAG)], None).unwrap();
    // Somebody else's by now, or nothing at all.
    let named = lv_row(&[("lv_name", "new")]);
    for rows in [vec![named.clone()], vec![]] {
        let error = finish(&[group(&rows)], None).unwrap_err();
        assert!(error.to_string().contains("is not there"), "{error}");
    }
    let error = finish(&[group(&[ours(2, SIZE), named])], None).unwrap_err();
    assert!(error.to_string().contains("`vg0/new` exists already"), "{error}");
}

/// Its tags, all of them in one step with the permission; then its name; then the tag goes that made it ours to remove.
#[test]
fn a_layer_gets_a_name_of_its_own() {
    let tags = ["hyperlayer.sync=a".parse().unwrap(), "hyperlayer.layer=sunday".parse().unwrap()];
    let change =
        format!("lvchange --addtag hyperlayer.sync=a --addtag hyperlayer.layer=sunday --permission r vg0/{}", name(0));
    let rename = format!("lvrename vg0 {} new-monday", name(0));
    let untag = "lvchange --deltag hyperlayer.partial=new vg0/new-monday";
    let run = |steps: &[String]| {
        let machine = Machine::new();
        let exec = script(&steps.concat());
        volumes(&machine, &exec).finish_as(&lv_name("new-monday"), &tags)
    };
    let named = run(&[group(&[ours(0, SIZE)]), ok(&change), ok(&rename), ok(untag)]).unwrap();
    assert_eq!(named, lv_ref("new-monday"));
    assert!(run(&[group(&[])]).unwrap_err().to_string().contains("is not there"));
    run(&[group(&[ours(0, SIZE)]), ok(&change), fails_then(&rename, &[ours(0, SIZE)])]).unwrap_err();
    let named = lv_row(&[("lv_name", "new-monday"), ("lv_uuid", "jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe30K")]);
    run(&[group(&[ours(0, SIZE)]), ok(&change), fails_then(&rename, &[named]), ok(untag)]).unwrap();
}

#[test]
fn the_old_state_gets_another_name() {
    let replaced = Replaced { uuid: UUID.parse().unwrap(), keep_as: lv_name("new-old") };
    let there = |uuid: &str| lv_row(&[("lv_name", "new"), ("lv_uuid", uuid)]);
    let aside = ok("lvrename vg0 new new-old");
    let last = ours(2, SIZE);
    finish(&[group(&[last.clone(), there(UUID)]), aside, ok(CHANGE), rename(), ok(UNTAG)], Some(&replaced)).unwrap();
    // Killed after that.
    let old = lv_row(&[("lv_name", "new-old")]);
    finish(&[group(&[last.clone(), old]), ok(CHANGE), rename(), ok(UNTAG)], Some(&replaced)).unwrap();
    // Not the one that was there when it began.
    let other = there(testkit::POOL_UUID);
    assert!(
        finish(&[group(&[last.clone(), other])], Some(&replaced)).unwrap_err().to_string().contains("exists already")
    );
    // It stays under its name where the first step fails.
    let failed = fails_then("lvrename vg0 new new-old", &[last.clone(), there(UUID)]);
    let error = finish(&[group(&[last, there(UUID)]), failed], Some(&replaced)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed, "{error:?}");
}

/// One to work with is active after the next boot, and as no base it has no layer.
#[test]
fn a_writable_one_is_activated_as_any_other() {
    let machine = Machine::new();
    let change = "lvchange --permission rw --setactivationskip n vg0/LAST";
    let steps = [group(&[ours(2, SIZE)]), ok(change), rename()].concat().replace("LAST", &name(2));
    let exec = script(&steps);
    let volumes = volumes(&machine, &exec);
    let new = volumes.finish(3, Some(&LayerId::new("sunday").unwrap()), Permission::ReadWrite, None).unwrap();
    assert_eq!(activating(&new, Permission::ReadWrite), "lvchange -ay vg0/new");
    assert_eq!(activating(&new, Permission::ReadOnly), "lvchange -ay -K vg0/new");
}

/// Only what has our tag and our name, and is of this target.
#[test]
fn discarded() {
    let of = |name: &str, tag: &str| lv(&[("lv_name", name), ("lv_tags", tag)]);
    let group = [
        of(&name(0), TAG),
        of(&name(1), TAG),
        of(&name(2), ""),
        of(&name(3), "hyperlayer.partial=other"),
        of("new", TAG),
        of("hyperlayer-1-1", "hyperlayer.receiving=new/this-boot/folder"),
    ];
    let machine = Machine::new();
    let exec = script(&[removal(0), removal(1)].concat());
    let removed = volumes(&machine, &exec).discard(&group).unwrap();
    assert_eq!(removed, [lv_ref(&name(0)), lv_ref(&name(1))]);
    let targets: Vec<_> = group.iter().map(partial_target).collect();
    assert_eq!(targets, [Some(lv_ref("new")), Some(lv_ref("new")), None, Some(lv_ref("other")), None, None]);
}

/// No dead run's cleaner takes them for a leftover.
#[test]
fn no_leftover() {
    let machine = Machine::new();
    let exec = script("");
    let lvm = machine.lvm(&exec);
    let group = [lv(&[("lv_name", &name(0)), ("lv_tags", TAG)])];
    let left = transfer::lvm::Run::start(&lvm).unwrap().remove_leftovers(&lvm, &group).unwrap();
    assert!(left.removed.is_empty() && left.kept.is_empty());
}
