use hyperlayer::{Header, LayerId, Totals};
use testkit::{lv_row, lvs_step, pool_row};
use transfer::lvm::{Destination, LvmError, Selection, identify_volume, is_quiet, layer_of, layers_of, newest_first};
use transfer::{DetectLevel, Error, ErrorKind, Identity};

use super::{Machine, SIZE, UUID, lv, lv_name, lv_ref, script};
use crate::chunk;

/// A pool with two volumes, another pool with one, a linear volume.
fn group() -> Vec<String> {
    vec![
        pool_row(),
        lv_row(&[("lv_name", "new"), ("lv_uuid", "new111-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K"), ("thin_id", "4")]),
        lv_row(&[("lv_name", "old"), ("lv_attr", "Vri---tz-k")]),
        lv_row(&[("lv_name", "else"), ("lv_uuid", "else11-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K"), ("pool_lv", "pool2")]),
        lv_row(&[
            ("lv_name", "root"),
            ("lv_uuid", "root11-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K"),
            ("lv_attr", "-wi-ao----"),
            ("pool_lv", ""),
            ("thin_id", ""),
        ]),
    ]
}

fn find(new: &str, base: Option<&str>, pool: Option<&str>) -> Result<Selection, Error> {
    let machine = Machine::new();
    let exec = script(&lvs_step(&group()));
    let (base, pool) = (base.map(lv_ref), pool.map(lv_name));
    Selection::find(&machine.lvm(&exec), &lv_ref(new), base.as_ref(), pool.as_ref())
}

#[test]
fn volumes_of_one_pool() {
    let found = find("new", Some("old"), Some("pool")).unwrap();
    let names = (found.pool.name.clone(), found.new.name.clone(), found.base.as_ref().unwrap().name.clone());
    assert_eq!(names, (lv_ref("pool"), lv_ref("new"), lv_ref("old")));
    assert_eq!(found.geometry().unwrap().chunk, chunk(65536));
    assert_eq!(found.geometry().unwrap().base_size.get(), SIZE);
    let found = find("new", None, None).unwrap();
    assert!(found.base.is_none() && found.geometry().unwrap().base_size.is_zero());
}

#[test]
fn what_cannot_be_compared() {
    let refused = |new, base, pool| {
        let error = find(new, base, pool).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error:?}");
        error.to_string()
    };
    assert_eq!(refused("new", Some("new"), None), "`vg0/new` is given as its own base");
    assert_eq!(refused("new", Some("else"), None), "`vg0/new` and `vg0/else` are in different thin pools");
    assert_eq!(refused("new", Some("root"), None), "`vg0/root` is no thin volume");
    assert_eq!(refused("pool", None, None), "`vg0/pool` is no thin volume");
    assert_eq!(refused("new", Some("old"), Some("pool2")), "`vg0/new` is in pool `vg0/pool`, not in `pool2`");
    let error = find("old", Some("older"), None).unwrap_err();
    assert!(matches!(&error, Error::Lvm(cause) if matches!(**cause, LvmError::ReportError(_))), "{error:?}");
}

/// However many are sent.
#[test]
fn several_are_found_by_one_report() {
    let (machine, exec) = (Machine::new(), script(&lvs_step(&group())));
    let (new, old) = (lv_ref("new"), lv_ref("old"));
    let found = Selection::find_all(&machine.lvm(&exec), [(&new, Some(&old)), (&old, None)]).unwrap();
    let names = found.iter().map(|of| (of.new.name.clone(), of.base.as_ref().map(|base| base.name.clone())));
    assert_eq!(names.collect::<Vec<_>>(), [(new, Some(old.clone())), (old, None)]);
    assert!(std::sync::Arc::ptr_eq(&found[0].group, &found[1].group));
}

#[test]
fn volumes_of_two_groups() {
    let (machine, exec) = (Machine::new(), script(""));
    let base = "vg1/old".parse().unwrap();
    let error = Selection::find(&machine.lvm(&exec), &lv_ref("new"), Some(&base), None).unwrap_err();
    assert_eq!(error.to_string(), "`vg0/new` and `vg1/old` are in different volume groups");
}

#[test]
fn what_may_change_is_not_read() {
    // lv_attr: permission, activity, open; the origin; whether nobody can write to it meanwhile.
    let table = [
        ("Vwi-aotz--", "", false),
        ("Vwi-a-tz--", "", false),
        ("Vri-aotz--", "", true),
        ("Vwi---tz--", "", true),
        ("Vwi-a-tz--", "data", true),
        ("Vwi-aotz--", "data", false),
        ("Vwi---tz-k", "data", true),
        // Read-only because it was activated so: anybody can change that without a trace.
        ("VRi-a-tz--", "", false),
    ];
    let (machine, exec) = (Machine::new(), script(""));
    let lvm = machine.lvm(&exec);
    for (attr, origin, quiet) in table {
        assert_eq!(is_quiet(&lvm, &lv(&[("lv_attr", attr), ("origin", origin)])), quiet, "{attr} {origin:?}");
    }
    let error = find("new", Some("old"), None).unwrap().check_quiet(&lvm).unwrap_err();
    assert_eq!(error.to_string(), "`vg0/new` may change while it is read: it is writable, active");
    assert!(error.hint().unwrap().contains("lvcreate -s -pr -n NAME vg0/new"));
}

/// What is sent in two streams must not change in between, however long that is.
#[test]
fn what_may_have_changed_is_not_continued() {
    let table = [
        ("Vri---tz-k", "Vri---tz-k", None),
        ("Vwi---tz-k", "Vri---tz-k", Some("new")),
        ("Vri---tz-k", "Vwi---tz-k", Some("old")),
    ];
    for (new, old, changed) in table {
        let mut found = find("new", Some("old"), None).unwrap();
        found.new = lv(&[("lv_name", "new"), ("lv_attr", new)]);
        found.base = Some(lv(&[("lv_name", "old"), ("lv_attr", old)]));
        match (found.check_kept(), changed) {
            (Ok(()), None) => {}
            (Err(error), Some(name)) => {
                assert_eq!(error.kind(), ErrorKind::Refused);
                let says = format!("`vg0/{name}` is writable: it may have changed since a part of it was sent");
                assert_eq!(error.to_string(), says);
            }
            (found, _) => panic!("{new} {old}: {found:?}"),
        }
    }
}

/// A snapshot of the base for one run would be a layer that no receiver has.
#[test]
fn a_live_base_is_not_sent_against() {
    let (machine, exec) = (Machine::new(), script(""));
    let lvm = machine.lvm(&exec);
    for (attr, quiet) in [("Vwi-aotz--", false), ("Vwi---tz--", true), ("Vri-aotz--", true)] {
        let mut found = find("new", Some("old"), None).unwrap();
        found.base = Some(lv(&[("lv_name", "old"), ("lv_attr", attr)]));
        assert_eq!(found.check_base_quiet(&lvm).is_ok(), quiet, "{attr}");
        found.base = None;
        found.check_base_quiet(&lvm).unwrap();
    }
}

/// Both must read through to the same origin: where they have mapped nothing, nobody compares them.
#[test]
fn an_external_origin_is_found() {
    let with_origin =
        |name: &str, origin: &str| lv(&[("lv_name", name), ("lv_attr", "Vri---tz-k"), ("origin", origin)]);
    let root = lv(&[("lv_name", "root"), ("lv_attr", "ori-------"), ("pool_lv", ""), ("thin_id", "")]);
    let mut found = find("new", Some("old"), None).unwrap();
    assert!(found.external_origin().unwrap().is_none());
    std::sync::Arc::make_mut(&mut found.group).push(root);
    found.new = with_origin("new", "root");
    let error = found.external_origin().unwrap_err();
    assert_eq!(error.to_string(), "`vg0/new` reads through to `root` as its external origin, and its base to none");
    assert!(error.hint().unwrap().contains("lvdiff --full vg0/new"));
    found.base = Some(with_origin("old", "root"));
    assert_eq!(found.external_origin().unwrap().unwrap().name, lv_ref("root"));
}

#[test]
fn turned_round() {
    let at = |seconds: &str| lv(&[("lv_time", seconds)]);
    assert!(newest_first(&at("1763696001"), &at("1763696000")));
    assert!(newest_first(&at("1763696000"), &at("1763696000")));
    assert!(!newest_first(&at("1763696000"), &at("1763696001")));
    // An origin is older than its snapshot, and its content is newer.
    let origin = lv(&[("lv_name", "data"), ("lv_time", "1763696000")]);
    let snapshot = lv(&[("lv_name", "monday"), ("origin", "data"), ("lv_time", "1763696001")]);
    assert!(newest_first(&origin, &snapshot));
    assert!(!newest_first(&snapshot, &origin));
}

/// What a user should know, of any pair: that it is turned round, that nobody holds the base still.
#[test]
fn what_is_odd() {
    let mut found = find("new", Some("old"), None).unwrap();
    for (times, attr, detect, says) in [
        (["1763696001", "1763696000"], "Vri---tz-k", DetectLevel::None, &[][..]),
        (["1763696000", "1763696001"], "Vri---tz-k", DetectLevel::Every, &["is older than its base `vg0/old`"]),
        (["1763696001", "1763696000"], "Vwi---tz--", DetectLevel::Sampled, &["`vg0/old` is writable"]),
        (["1763696001", "1763696000"], "Vwi---tz--", DetectLevel::Every, &[]),
        (["1763696000", "1763696001"], "Vwi---tz--", DetectLevel::None, &["older than its base", "is writable"]),
    ] {
        found.new = lv(&[("lv_name", "new"), ("lv_time", times[0])]);
        found.base = Some(lv(&[("lv_name", "old"), ("lv_attr", attr), ("lv_time", times[1])]));
        let doubts: Vec<_> = found.doubts(detect).iter().map(ToString::to_string).collect();
        assert_eq!(doubts.len(), says.len(), "{doubts:?}");
        assert!(doubts.iter().zip(says).all(|(doubt, says)| doubt.contains(says)), "{doubts:?}");
    }
    found.base = None;
    assert!(found.doubts(DetectLevel::None).is_empty());
}

fn destination(base: Option<&str>, pool: &str, new: &str) -> Result<Destination, Error> {
    let (machine, exec) = (Machine::new(), script(&lvs_step(&group())));
    let base = base.map(lv_ref);
    Destination::find(&machine.lvm(&exec), base.as_ref(), &lv_ref(pool), &lv_name(new))
}

#[test]
fn where_a_layer_is_received() {
    let found = destination(Some("old"), "old", "tuesday").unwrap();
    assert_eq!((found.pool.name.clone(), found.base.as_ref().unwrap().name.clone()), (lv_ref("pool"), lv_ref("old")));
    assert!(found.unmaps());
    let found = destination(None, "pool", "tuesday").unwrap();
    assert_eq!((found.pool.name.clone(), found.base.is_none()), (lv_ref("pool"), true));
    assert_eq!(found.chunk().unwrap(), chunk(65536));
}

#[test]
fn where_no_layer_is_received() {
    let refused = |base, pool, new| destination(base, pool, new).unwrap_err();
    let error = refused(Some("old"), "old", "new");
    assert_eq!(error.to_string(), "`vg0/new` exists already");
    assert_eq!(error.hint().as_deref(), Some("give another name, or remove it: `lvremove vg0/new`"));
    assert_eq!(refused(None, "root", "tuesday").kind(), ErrorKind::Usage);
    assert_eq!(refused(Some("pool"), "pool", "tuesday").kind(), ErrorKind::Usage);
    assert_eq!(refused(Some("root"), "root", "tuesday").to_string(), "`vg0/root` is no thin volume");
}

fn id(text: &str) -> LayerId {
    LayerId::new(text).unwrap()
}

fn delta_of(parent: &str) -> Header {
    let size = extents::Bytes::new(SIZE);
    Header { parent: Some(id(parent)), ..Header::delta(size, size, chunk(65536), Totals::default()) }
}

const RECEIVED: &str = "nightly,hyperlayer.layer=monday";

/// A received volume is sent on under the name of its layer, as long as it cannot have changed.
#[test]
fn what_a_volume_is_called() {
    let of = |attr, tags| lv(&[("lv_attr", attr), ("lv_tags", tags)]);
    assert_eq!(layer_of(&of("Vri---tz-k", RECEIVED)).unwrap(), id("monday"));
    assert_eq!(layers_of(&of("Vri---tz-k", RECEIVED)).unwrap(), [id(UUID), id("monday")]);
    assert_eq!(layer_of(&of("Vwi---tz-k", RECEIVED)).unwrap(), id(UUID));
    assert_eq!(layers_of(&of("Vwi---tz-k", RECEIVED)).unwrap(), []);
    for (attr, tags) in [("Vri---tz-k", ""), ("Vri---tz-k", "hyperlayer.layer=")] {
        assert_eq!(layer_of(&of(attr, tags)).unwrap(), id(UUID), "{attr} {tags:?}");
        assert_eq!(layers_of(&of(attr, tags)).unwrap(), [id(UUID)], "{attr} {tags:?}");
    }
}

#[test]
fn whether_a_volume_is_the_base() {
    type Expected = Result<Identity, fn(&Error) -> bool>;
    let wrong: Expected = Err(|error| matches!(error, Error::WrongBase { .. }));
    let in_use: Expected = Err(|error| matches!(error, Error::BaseInUse { .. }));
    let writable: Expected = Err(|error| matches!(error, Error::BaseWritable { .. }));
    // lv_attr, tags, the stream's parent, forced; what comes of it.
    let table = [
        ("Vri---tz-k", RECEIVED, "monday", false, &Ok(Identity::Proven)),
        ("Vri-aotz-k", RECEIVED, "monday", false, &Ok(Identity::Proven)),
        ("Vri---tz-k", RECEIVED, "tuesday", false, &wrong),
        ("Vri---tz-k", RECEIVED, "tuesday", true, &Ok(Identity::Forced)),
        // It was received and made writable: who knows what is in it.
        ("Vwi---tz-k", RECEIVED, "monday", false, &writable),
        ("Vwi---tz-k", RECEIVED, "monday", true, &Ok(Identity::Forced)),
        // The very volume that the stream was made against.
        ("Vri---tz-k", "", UUID, false, &Ok(Identity::Proven)),
        ("Vwi---tz-k", "", UUID, false, &writable),
        ("Vwi-aotz--", "", UUID, false, &in_use),
        ("Vwi-aotz--", "", UUID, true, &Ok(Identity::Forced)),
    ];
    for (attr, tags, parent, force, expected) in table {
        let base = lv(&[("lv_attr", attr), ("lv_tags", tags)]);
        match (identify_volume(&delta_of(parent), &base, force), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, *expected, "{attr} {tags:?} {parent}"),
            (Err(error), Err(is_expected)) => {
                assert!(is_expected(&error), "{attr} {tags:?} {parent}: {error:?}");
                assert_eq!(error.kind(), ErrorKind::Refused);
            }
            (found, _) => panic!("{attr} {tags:?} {parent}: {found:?}"),
        }
    }
}

/// Snapshots of `vg0/data`, made in this order: name, LVM's time, attributes, tags. `user` is another volume's.
fn snapshots() -> Vec<String> {
    let table = [
        ("data", "100", "Vwi-aotz--", "", ""),
        ("s1", "200", "Vri---tz-k", "data", ""),
        ("s2", "190", "Vri---tz-k", "data", ""),
        ("hourly", "210", "Vwi---tz-k", "data", ""),
        ("other", "215", "Vri---tz-k", "user", ""),
        ("s3", "220", "Vri---tz-k", "data", ""),
        ("hyperlayer-7-folder-1", "225", "Vri---tz-k", "data", "hyperlayer.temporary=boot/folder"),
        ("s4", "230", "Vri---tz-k", "data", ""),
        ("r1", "300", "Vri---tz-k", "s1", ""),
        ("r2", "310", "Vri---tz-k", "r1", ""),
        ("r3", "320", "Vri---tz-k", "r2", ""),
        // A clone of a layer in between is no state of it.
        ("replica", "330", "Vwi-aotz--", "r2", ""),
        ("r4", "340", "Vri---tz-k", "r3", ""),
        // The volume was put back to `s2`, by a new volume made of that.
        ("back", "400", "Vwi-aotz--", "s2", ""),
        ("b1", "410", "Vri---tz-k", "back", ""),
        ("b2", "420", "Vri---tz-k", "back", ""),
        ("b3", "430", "Vri---tz-k", "back", ""),
    ];
    // In another order than that of their making.
    let row = |(nth, (name, time, attr, origin, tags)): (usize, (&str, &str, &str, &str, &str))| {
        let (uuid, nth) = (format!("{nth:06}-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K"), (nth + 4).to_string());
        let said = [("lv_name", name), ("lv_time", time), ("lv_attr", attr), ("origin", origin), ("lv_tags", tags)];
        lv_row(&[&said[..], &[("lv_uuid", &uuid), ("thin_id", &nth), ("transaction_id", &nth)]].concat())
    };
    [pool_row()].into_iter().chain(table.into_iter().enumerate().map(row).rev()).collect()
}

/// The steps as `BASE>NEW`, by one report.
fn history(new: &str, old: &str, wanted: &str) -> Result<Vec<String>, Error> {
    let (machine, exec) = (Machine::new(), script(&lvs_step(&snapshots())));
    let steps =
        Selection::history(&machine.lvm(&exec), &lv_ref(new), &lv_ref(old), |name| name.as_str().starts_with(wanted))?;
    Ok(steps.iter().map(|of| format!("{}>{}", of.base.as_ref().unwrap().name.lv(), of.new.name.lv())).collect())
}

/// The clock went back when `s2` was made; the snapshot of a run that works is nobody's state.
#[test]
fn every_snapshot_between_two() {
    assert_eq!(history("s4", "s1", "s").unwrap(), ["s1>s2", "s2>s3", "s3>s4"]);
    assert_eq!(history("s4", "s2", "s3").unwrap(), ["s2>s3", "s3>s4"]);
    assert_eq!(history("s4", "s3", "").unwrap(), ["s3>s4"], "nothing lies between");
    assert_eq!(history("r3", "s1", "").unwrap(), ["s1>r1", "r1>r2", "r2>r3"], "each was made of the one before");
    assert_eq!(history("r3", "r2", "").unwrap(), ["r2>r3"]);
    assert_eq!(history("r4", "r1", "").unwrap(), ["r1>r2", "r2>r3", "r3>r4"]);
    assert_eq!(history("b3", "b1", "").unwrap(), ["b1>b2", "b2>b3"]);
    assert_eq!(history("b2", "s1", "").unwrap(), ["s1>s2", "s2>b1", "b1>b2"], "through the volume it was put back to");
    assert_eq!(history("b2", "s2", "").unwrap(), ["s2>b1", "b1>b2"]);
    let writable = history("s4", "s1", "").unwrap_err();
    assert_eq!(writable.to_string(), "cannot send the snapshot `vg0/hourly`: it is writable");
    assert!(writable.hint().unwrap().contains("lvchange -pr vg0/hourly"));
}

/// Each is active and open at once.
#[test]
fn a_chain_has_a_limit() {
    let row = |nth: usize| {
        let (name, nth) = (format!("n{nth}"), (nth + 1).to_string());
        let uuid = format!("{nth:0>6}-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K");
        let said = [("lv_name", &*name), ("lv_attr", "Vri---tz-k"), ("origin", "data"), ("lv_uuid", &uuid)];
        lv_row(&[&said[..], &[("thin_id", &nth), ("transaction_id", &nth)]].concat())
    };
    let steps = |count: usize| {
        let data = lv_row(&[("lv_name", "data"), ("thin_id", "99999"), ("transaction_id", "0")]);
        let rows: Vec<_> = [pool_row(), data].into_iter().chain((0..=count).map(row)).collect();
        let (machine, exec) = (Machine::new(), script(&lvs_step(&rows)));
        Selection::history(&machine.lvm(&exec), &lv_ref(&format!("n{count}")), &lv_ref("n0"), |_| true)
    };
    assert_eq!(steps(256).unwrap().len(), 256);
    let refused = steps(257).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Usage);
    assert!(refused.hint().unwrap().contains("`-l vg0/n256 -I vg0/n0`"), "{:?}", refused.hint());
}

#[test]
fn what_lies_between_no_two() {
    for (new, old) in [
        ("s1", "s4"),
        ("s4", "other"),
        ("other", "s4"),
        ("r2", "s2"),
        ("s1", "r3"),
        ("b1", "s3"),
        ("s1", "data"),
        ("b1", "data"),
    ] {
        let refused = history(new, old, "").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Usage);
        assert!(refused.to_string().contains("is not a later snapshot of the same volume"), "{new} {old}: {refused}");
        assert!(refused.hint().unwrap().contains("lv_time vg0"));
    }
    assert_eq!(history("s1", "s1", "").unwrap_err().to_string(), "`vg0/s1` is given as its own base");
    assert_eq!(history("data", "s1", "").unwrap_err().kind(), ErrorKind::Usage);
}
