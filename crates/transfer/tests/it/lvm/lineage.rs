use testkit::lv_row;
use transfer::ErrorKind;
use transfer::lvm::{Lineage, Run, TemporarySnapshot};

use super::{Machine, UUID, fails_then, lv, lv_name, lv_ref, ok, own_name, removal, script};

const TAG: &str = "hyperlayer.backup=12ab:vg0/data";
const TEMPORARY: &str = "hyperlayer.temporary=this-boot/folder";

fn lineage() -> Lineage {
    Lineage::new("12ab", "vg0/data").unwrap()
}

#[test]
fn newest_first_and_only_what_is_still_what_was_backed_up() {
    let snapshot = |name: &str, time: &str, tags: &str| {
        lv(&[("lv_name", name), ("lv_time", time), ("lv_tags", tags), ("lv_attr", "Vri---tz-k")])
    };
    let mut group = vec![
        snapshot("old", "1763696000", TAG),
        snapshot("new", "1763696001", &format!("mine,{TAG}")),
        snapshot("of-another-store", "1763696002", "hyperlayer.backup=34cd:vg0/data"),
        snapshot("of-another-volume", "1763696002", "hyperlayer.backup=12ab:vg0/data2"),
        snapshot("nobodys", "1763696002", ""),
        lv(&[("lv_name", "written"), ("lv_tags", TAG), ("lv_attr", "Vwi---tz-k")]),
    ];
    group.push(lv(&[("lv_name", "elsewhere"), ("lv_tags", TAG), ("lv_attr", "Vri---tz-k"), ("pool_lv", "other")]));
    let found: Vec<_> = lineage().snapshots(&group, &lv(&[])).iter().map(|lv| lv.name.to_string()).collect();
    assert_eq!(found, ["vg0/new", "vg0/old"]);
}

fn keep(steps: &[String]) -> Result<(), transfer::Error> {
    let machine = Machine::new();
    let create = format!(
        "lvcreate --snapshot --name {} --addtag {TEMPORARY} --permission r --setactivationskip y --activate n vg0/data",
        own_name(1)
    );
    let exec = script(&[ok(&create), steps.concat()].concat());
    let lvm = machine.lvm(&exec);
    let mut run = Run::start(&lvm).unwrap();
    let snapshot = TemporarySnapshot::create(lvm, &mut run, &lv_ref("data")).unwrap();
    lineage()
        .keep(&lvm, snapshot, &UUID.parse().unwrap(), &lv_name("monday"))
        .map(|name| assert_eq!(name, lv_ref("monday")))
}

#[test]
fn a_snapshot_is_kept_or_removed() {
    let own = own_name(1);
    let tag = format!("lvchange --addtag {TAG} vg0/{own}");
    let name = format!("lvrename vg0 {own} monday");
    let row = lv_row(&[("lv_name", &own), ("lv_tags", TEMPORARY)]);
    let named = lv_row(&[("lv_name", "monday"), ("lv_tags", &format!("{TEMPORARY},{TAG}"))]);
    let untag = ok(&format!("lvchange --deltag {TEMPORARY} vg0/monday"));
    keep(&[ok(&tag), ok(&name), untag.clone()]).unwrap();
    // Renamed, whatever the command's end says.
    keep(&[ok(&tag), fails_then(&name, &[named]), untag]).unwrap();
    let rows = std::slice::from_ref(&row);
    for steps in [vec![fails_then(&tag, rows)], vec![ok(&tag), fails_then(&name, rows)]] {
        let error = keep(&[steps, vec![removal(&own, TEMPORARY)]].concat()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed);
    }
}

#[test]
fn only_what_carries_the_tag_is_removed() {
    let machine = Machine::new();
    let exec = script(&removal("monday", TAG));
    lineage().remove(&machine.lvm(&exec), &lv_ref("monday")).unwrap();
    let row = testkit::lv_row(&[("lv_name", "monday"), ("lv_tags", "hyperlayer.backup=34cd:vg0/data")]);
    let exec = script(&testkit::lvs_step(&[row]));
    lineage().remove(&machine.lvm(&exec), &lv_ref("monday")).unwrap_err();
}
