use std::fs;

use block_copy::WriteAt;
use extents::Bytes;
use hyperlayer::LayerId;
use lvm_cmd::{LvRef, Permission};
use testkit::{LISTS_STEP, lv_row, lvs_step};
use transfer::lvm::{Finish, Receiving, Run};
use transfer::{Error, ErrorKind};

use super::{Machine, SIZE, fails, fails_then, lv, lv_name, lv_ref, ok, own_name, removal, removal_command, script};

const TAG: &str = "hyperlayer.receiving=new/this-boot/folder";
const CREATE: &str = "lvcreate --snapshot --name OWN --addtag hyperlayer.receiving=new/this-boot/folder --permission rw \
                      --setactivationskip y --activate n vg0/data";
const EMPTY: &str = "lvcreate --virtualsize 16777216b --name OWN --addtag hyperlayer.receiving=new/this-boot/folder --permission rw \
                     --setactivationskip y --activate n --thinpool vg0/pool";
const ACTIVATE: &str = "lvchange -ay -K vg0/OWN";
const CHANGE: &str = "lvchange --addtag hyperlayer.layer=monday --permission r vg0/OWN";
const DEACTIVATE: &str = "lvchange -an vg0/OWN";
const RENAME: &str = "lvrename vg0 OWN new";
const UNTAG: &str = "lvchange --deltag hyperlayer.receiving=new/this-boot/folder vg0/new";

fn resize(size: u64) -> String {
    format!("lvresize -f --fs ignore --size {size}b vg0/OWN")
}

/// Puts the name in that this process gives its first volume.
fn own(text: &str) -> String {
    let name = own_name(1);
    text.replace("NODE", &lv_ref(&name).dm_name()).replace("OWN", &name)
}

/// The step in which the kernel says how many sectors of the new volume are mapped.
fn mapped(sectors: u64) -> String {
    format!("$ dmsetup status --target thin NODE\n| 0 32768 thin {sectors} -\n= 0\n")
}

/// The step in which the new volume is looked at.
fn look() -> String {
    look_at(SIZE)
}

fn look_at(bytes: u64) -> String {
    let size = bytes.to_string();
    let row = [("lv_name", &*own_name(1)), ("lv_attr", "Vwi---tz-k"), ("lv_tags", TAG), ("lv_size", &*size)];
    lvs_step(&[lv_row(&row)])
}

fn look_active() -> String {
    lvs_step(&[lv_row(&[("lv_name", &own_name(1)), ("lv_tags", TAG)])])
}

fn removed() -> String {
    removal(&own_name(1), TAG)
}

fn size(bytes: u64) -> Bytes {
    Bytes::new(bytes)
}

fn finish(bytes: u64) -> Finish {
    Finish { layer: Some(LayerId::new("monday").unwrap()), size: size(bytes), permission: Permission::ReadOnly }
}

/// Receives a layer of `bytes` on a snapshot of `vg0/data`; LVM makes a volume of `node_bytes` of it.
fn receive(steps: &[String], bytes: u64, node_bytes: u64, how: &Finish) -> Result<LvRef, Error> {
    let machine = Machine::new();
    machine.node(&own_name(1), node_bytes);
    let exec = script(&own(&steps.concat()));
    let lvm = machine.lvm(&exec);
    let mut run = Run::start(&lvm).unwrap();
    let receiving = Receiving::snapshot(lvm, &mut run, &lv(&[]), &lv_name("new"), size(bytes))?;
    receiving.target().write_at(Bytes::ZERO, b"the new layer").unwrap();
    receiving.finish(how)
}

#[test]
fn a_layer_of_the_same_size() {
    let steps = [ok(CREATE), look(), ok(ACTIVATE), ok(CHANGE), ok(DEACTIVATE), ok(RENAME), ok(UNTAG)];
    assert_eq!(receive(&steps, SIZE, SIZE, &finish(SIZE)).unwrap(), lv_ref("new"));
}

#[test]
fn a_larger_and_a_smaller_one() {
    let end = [ok(CHANGE), ok(DEACTIVATE), ok(RENAME), ok(UNTAG)].concat();
    let grown = [ok(CREATE), ok(&resize(2 * SIZE)), look_at(2 * SIZE), ok(ACTIVATE), end.clone()];
    receive(&grown, 2 * SIZE, 2 * SIZE, &finish(2 * SIZE)).unwrap();
    let shrunk = [ok(CREATE), look(), ok(ACTIVATE), ok(&resize(SIZE / 2)), look_at(SIZE / 2), end];
    receive(&shrunk, SIZE / 2, SIZE, &finish(SIZE / 2)).unwrap();
}

/// Only what nobody can write keeps its layer.
#[test]
fn one_that_stays_writable_has_no_layer() {
    let change = ok("lvchange --permission rw --setactivationskip n vg0/OWN");
    let steps = [ok(CREATE), look(), ok(ACTIVATE), change, ok(DEACTIVATE), ok(RENAME), ok(UNTAG)];
    receive(&steps, SIZE, SIZE, &Finish { permission: Permission::ReadWrite, ..finish(SIZE) }).unwrap();
}

#[test]
fn a_full_layer() {
    let end = [ok(CHANGE), ok(DEACTIVATE), ok(RENAME), ok(UNTAG)].concat();
    let steps = [ok(EMPTY), look(), ok(ACTIVATE), mapped(0), end];
    assert_eq!(receive_full(&steps).unwrap(), lv_ref("new"));
}

/// LVM lost a volume whose thin id the pool gives out again, data and all.
#[test]
fn a_new_volume_that_is_not_empty() {
    let steps = [ok(EMPTY), look(), ok(ACTIVATE), mapped(128), ok(DEACTIVATE), removed()];
    let error = receive_full(&steps).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Surroundings);
    assert!(error.to_string().contains("a new volume in pool `vg0/pool` is not empty"), "{error}");
}

fn receive_full(steps: &[String]) -> Result<LvRef, Error> {
    let machine = Machine::new();
    machine.node(&own_name(1), SIZE);
    let exec = script(&own(&steps.concat()));
    let lvm = machine.lvm(&exec);
    let mut run = Run::start(&lvm).unwrap();
    let pool = lv(&[("lv_name", "pool"), ("lv_attr", "twi-aotz--"), ("pool_lv", "")]);
    Receiving::empty(lvm, &mut run, &pool, &lv_name("new"), size(SIZE))?.finish(&finish(SIZE))
}

/// Whichever step fails, the volume is removed, and the error is the step's.
#[test]
fn a_step_fails() {
    let size = SIZE / 2;
    let resize = resize(size);
    let shrinking = [
        ok(CREATE),
        look(),
        ok(ACTIVATE),
        ok(&resize),
        look_at(size),
        ok(CHANGE),
        ok(DEACTIVATE),
        ok(RENAME),
        ok(UNTAG),
    ];
    let none = || lvs_step(&[lv_row(&[])]);
    let made = [("lv_name", &*own_name(1)), ("lv_tags", TAG)].map(|(name, value)| (name, value.to_owned()));
    // The volume as it is after a step that failed and did nothing.
    let judged = |command: &str| {
        let row: Vec<_> = made.iter().map(|(name, value)| (*name, value.as_str())).collect();
        fails_then(command, &[lv_row(&row)])
    };
    // Which step fails instead, what is undone then.
    let groups =
        "$ vgs --reportformat json --units b --nosuffix -o vg_name,vg_uuid,vg_size,vg_free,vg_extent_size\n= 5\n";
    let unknown = fails(testkit::LVS) + groups;
    let inactive = fails_then(ACTIVATE, &[lv_row(&[("lv_attr", "Vwi---tz-k")])]) + LISTS_STEP;
    let table: [(usize, String, &[String]); 8] = [
        // It may have been made all the same.
        (0, fails(CREATE) + LISTS_STEP, &[none()]),
        (0, fails(CREATE) + LISTS_STEP, &[removed()]),
        (1, unknown, &[removed()]),
        (2, inactive, &[removed()]),
        (3, judged(&resize), &[ok(DEACTIVATE), removed()]),
        (5, judged(CHANGE), &[ok(DEACTIVATE), removed()]),
        (6, judged(DEACTIVATE), &[removed()]),
        (7, judged(RENAME), &[removed()]),
    ];
    for (n, failing, undone) in table {
        let steps = [&shrinking[..n], &[failing], undone].concat();
        let error = receive(&steps, size, SIZE, &finish(size)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed, "step {n}: {error:?}");
        assert!(matches!(error, Error::Lvm(_)), "step {n}: {error:?}");
    }
}

#[test]
fn a_resize_to_grow_fails() {
    let small = lv_row(&[("lv_name", &own_name(1)), ("lv_tags", TAG)]);
    let steps = [ok(CREATE), fails_then(&resize(2 * SIZE), &[small]), removed()];
    let error = receive(&steps, 2 * SIZE, 2 * SIZE, &finish(2 * SIZE)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed, "{error:?}");
}

/// LVM rounds sizes up to its extents: a volume of another size would not be the layer.
#[test]
fn a_size_that_the_group_cannot_have() {
    let odd = SIZE + 512;
    let steps = [ok(CREATE), ok(&resize(odd)), look_at(SIZE + (4 << 20)), removed()];
    let error = receive(&steps, odd, SIZE + (4 << 20), &finish(odd)).unwrap_err();
    assert!(error.to_string().contains("16777728 bytes cannot be in group `vg0`"), "{error}");
    // The same on the way down.
    let odd = SIZE / 2 + 512;
    let shrunk = [ok(CREATE), look(), ok(ACTIVATE), ok(&resize(odd)), look(), ok(DEACTIVATE), removed()];
    let error = receive(&shrunk, odd, SIZE, &finish(odd)).unwrap_err();
    assert!(error.to_string().contains("its extents make it 16777216"), "{error}");
}

/// A volume that cannot be opened is not left behind either.
#[test]
fn no_node() {
    let machine = Machine::new();
    let steps =
        [ok(CREATE), look(), ok(ACTIVATE), ok("udevadm settle --timeout=1"), look_active(), ok(DEACTIVATE), removed()];
    let exec = script(&own(&steps.concat()));
    let lvm = machine.lvm(&exec);
    let mut run = Run::start(&lvm).unwrap();
    let error = Receiving::snapshot(lvm, &mut run, &lv(&[]), &lv_name("new"), size(SIZE)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Surroundings, "{error:?}");
}

/// It has its name already, so it is the user's: nothing is removed, and the message names what is left.
#[test]
fn the_last_step_fails() {
    let tagged = fails_then(UNTAG, &[lv_row(&[("lv_name", "new"), ("lv_tags", TAG)])]);
    let steps = [ok(CREATE), look(), ok(ACTIVATE), ok(CHANGE), ok(DEACTIVATE), ok(RENAME), tagged];
    let error = receive(&steps, SIZE, SIZE, &finish(SIZE)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unfinished);
    assert_eq!(error.to_string(), "`vg0/new` is whole, but keeps the tag `hyperlayer.receiving=new/this-boot/folder`");
    let hint = "take the tag away: `lvchange --deltag hyperlayer.receiving=new/this-boot/folder vg0/new`";
    assert_eq!(error.hint().as_deref(), Some(hint));
}

/// What cannot be removed is named, with the command that removes it and with what went wrong first.
#[test]
fn a_step_fails_and_so_does_the_removal() {
    let name = own_name(1);
    let look_again = lvs_step(&[lv_row(&[("lv_name", &name), ("lv_tags", TAG)])]);
    let left = [look_again.clone(), fails(&removal_command(&name, TAG)), look_again].concat();
    let renaming = fails_then(RENAME, &[lv_row(&[("lv_name", &name), ("lv_tags", TAG)])]);
    let steps = [ok(CREATE), look(), ok(ACTIVATE), ok(CHANGE), ok(DEACTIVATE), renaming, left];
    let error = receive(&steps, SIZE, SIZE, &finish(SIZE)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unfinished);
    let text = error.to_string();
    assert!(text.contains(&format!("`vg0/{name}` is left, a volume that is not whole")), "{text}");
    assert!(text.contains("cannot rename"), "{text}");
    assert_eq!(error.hint(), Some(format!("remove it: `lvremove vg0/{name}`")));
}

#[test]
fn what_is_abandoned_or_dropped_is_closed_and_removed() {
    let steps = own(&[ok(CREATE), look(), ok(ACTIVATE), ok(DEACTIVATE), removed()].concat());
    for abandon in [true, false] {
        let machine = Machine::new();
        machine.node(&own_name(1), SIZE);
        let exec = script(&steps);
        let lvm = machine.lvm(&exec);
        let mut run = Run::start(&lvm).unwrap();
        let receiving = Receiving::snapshot(lvm, &mut run, &lv(&[]), &lv_name("new"), size(SIZE)).unwrap();
        if abandon {
            let cause = receiving.abandon(Error::SecondLayer);
            assert!(matches!(cause, Error::SecondLayer), "{cause:?}");
        } else {
            drop(receiving);
        }
    }
}

/// Somebody took the tag away in between: then it is not ours any more.
#[test]
fn without_our_tag_nothing_is_removed() {
    let name = own_name(1);
    let untagged = lvs_step(&[lv_row(&[("lv_name", &name)])]);
    let steps = own(&[ok(CREATE), look(), ok(ACTIVATE), ok(DEACTIVATE), untagged].concat());
    let machine = Machine::new();
    machine.node(&name, SIZE);
    let exec = script(&steps);
    let lvm = machine.lvm(&exec);
    let mut run = Run::start(&lvm).unwrap();
    let receiving = Receiving::snapshot(lvm, &mut run, &lv(&[]), &lv_name("new"), size(SIZE)).unwrap();
    let error = receiving.abandon(Error::SecondLayer);
    assert_eq!(error.kind(), ErrorKind::Unfinished, "{error:?}");
}

/// The data is in the volume, not beside it.
#[test]
fn the_target_is_the_node() {
    let machine = Machine::new();
    machine.node(&own_name(1), SIZE);
    let exec = script(&own(&[ok(CREATE), look(), ok(ACTIVATE), ok(DEACTIVATE), removed()].concat()));
    let lvm = machine.lvm(&exec);
    let mut run = Run::start(&lvm).unwrap();
    let receiving = Receiving::snapshot(lvm, &mut run, &lv(&[]), &lv_name("new"), size(SIZE)).unwrap();
    receiving.target().write_at(Bytes::new(512), b"here").unwrap();
    let node = fs::read(machine.nodes.join(lv_ref(&own_name(1)).dm_name())).unwrap();
    assert_eq!(node[512..516], *b"here");
}
