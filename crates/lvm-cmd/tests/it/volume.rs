use extents::Bytes;
use lvm_cmd::{
    Change, Kind, LvRef, NewVolume, Permission, Scripted, Tag, Uuid, VolumeError, activate, change, create_snapshot,
    create_thin, deactivate, remove, rename, resize,
};

use testkit::LISTS_STEP;

use crate::{chain, lvs, row};

const UUID: &str = "jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K";

fn uuid() -> Uuid {
    UUID.parse().unwrap()
}

fn data() -> LvRef {
    "vg0/data".parse().unwrap()
}

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

#[test]
fn creation_is_one_command_with_everything() {
    let commands = "$ lvcreate --snapshot --name new --addtag a --addtag b=1 --permission rw --setactivationskip n --activate y \
         --ignoreactivationskip vg0/data\n= 0\n\
         $ lvcreate --snapshot --name new --permission r --setactivationskip y --activate n vg0/data\n= 0\n\
         $ lvcreate --virtualsize 16777216b --name new --addtag a --permission rw --setactivationskip n --activate y \
         --ignoreactivationskip --thinpool vg0/pool\n= 0\n\
         $ lvcreate --snapshot --name new --permission r --setactivationskip y --activate n vg0/data\n\
         ! Logical Volume \"new\" already exists in volume group \"vg0\"\n= 5\n";
    let exec = Scripted::from_transcript(&format!("{commands}{LISTS_STEP}")).unwrap();
    let (data, pool, new) = ("vg0/data".parse().unwrap(), "vg0/pool".parse().unwrap(), "new".parse().unwrap());
    let tags = [tag("a"), tag("b=1")];
    let writable = NewVolume { tags: &tags, permission: Permission::ReadWrite, active: true, skip_activation: false };
    let frozen = NewVolume { tags: &[], permission: Permission::ReadOnly, active: false, skip_activation: true };
    create_snapshot(&exec, &data, &new, &writable).unwrap();
    create_snapshot(&exec, &data, &new, &frozen).unwrap();
    create_thin(&exec, &pool, &new, Bytes::new(16 << 20), &NewVolume { tags: &tags[..1], ..writable }).unwrap();
    let error = create_snapshot(&exec, &data, &new, &frozen).unwrap_err();
    assert!(chain(&error).starts_with("cannot create snapshot `vg0/new`: `lvcreate --snapshot"), "{}", chain(&error));
    assert_eq!((error.kind(), error.hint()), (Kind::Failed, None));
}

/// A list that is the likely cause hides no other one.
#[test]
fn what_lvm_says_is_shown_beside_the_list_that_may_be_the_cause() {
    let listed = LISTS_STEP.replace("\n= 0", "\n| read_only_volume_list=[\"vg0\"]\n= 0");
    let command = "$ lvcreate --snapshot --name new --permission r --setactivationskip y --activate n vg0/data\n";
    let exec = Scripted::from_transcript(&format!("{command}! insufficient free space\n= 5\n{listed}")).unwrap();
    let frozen = NewVolume { tags: &[], permission: Permission::ReadOnly, active: false, skip_activation: true };
    let error = create_snapshot(&exec, &data(), &"new".parse().unwrap(), &frozen).unwrap_err();
    assert!(chain(&error).contains("insufficient free space"), "{}", chain(&error));
    let hint = error.hint().unwrap();
    assert!(hint.starts_with("see `lvmconfig activation/read_only_volume_list`"), "{hint}");
}

#[test]
fn changes_go_in_one_command() {
    let exec = Scripted::from_transcript(
        "$ lvchange --deltag old --addtag new --permission r --setactivationskip y vg0/data\n= 0\n\
         $ lvrename vg0 data home\n= 0\n",
    )
    .unwrap();
    let data = "vg0/data".parse().unwrap();
    let (old, new) = ([tag("old")], [tag("new")]);
    let all = Change {
        add_tags: &new,
        remove_tags: &old,
        permission: Some(Permission::ReadOnly),
        skip_activation: Some(true),
    };
    change(&exec, &data, &all).unwrap();
    change(&exec, &data, &Change::default()).unwrap();
    rename(&exec, &data, &uuid(), &"home".parse().unwrap()).unwrap();
}

#[test]
fn sizes_whatever_the_version() {
    let exec = Scripted::from_transcript(
        "$ lvresize -f --fs ignore --size 33554432b vg0/data\n= 0\n\
         $ lvresize -f --fs ignore --size 33554944b vg0/data\n! a newer LVM may word it otherwise\n= 3\n\
         $ lvresize -f --size 33554944b vg0/data\n= 0\n",
    )
    .unwrap();
    resize(&exec, &data(), Bytes::new(32 << 20)).unwrap();
    resize(&exec, &data(), Bytes::new((32 << 20) + 1)).unwrap();
}

/// What LVM and the system may say on standard error, whatever became of the command. None of it decides anything.
const NOISE: &[&str] = &[
    "",
    "!   Device for PV abc not found.\n!   /dev/sr0: open failed: No medium found\n",
    "!   Failed to find logical volume \"vg0/data\"\n",
    "!   Logical volume \"vg0/data\" is already read only.\n!   Something else.\n",
    "!   Logical volume vg0/data in use.\n!   Device or resource busy\n",
    "!   New size (8 extents) matches existing size (8 extents).\n",
    "!   /run/lock/lvm/P_global:aux: open failed: Permission denied\n",
    "|   Logical volume \"data\" successfully removed.\n",
];

/// Ends that say nothing of whether the work was done.
const ENDS: &[&str] = &["= 5\n", "= 1\n", "= signal 11\n", "= signal 9\n"];

/// However a command ended that did not end well, and whatever it said: its work is done where a new report shows it, and nowhere
/// else; and whether the volume is in use, the report says too.
#[test]
fn a_new_report_says_whether_a_change_was_made() {
    type Call = fn(&Scripted) -> Result<(), VolumeError>;
    type Case<'a> = (&'a str, Call, &'a [(&'a str, &'a str)]);
    // The command, what it is called by, and a row in which its work is done.
    let table: [Case<'_>; 6] = [
        (
            "lvchange --deltag old --addtag new --permission r --setactivationskip y vg0/data",
            |exec| {
                let (old, new): (Tag, Tag) = (tag("old"), tag("new"));
                let (add_tags, remove_tags) = (std::slice::from_ref(&new), std::slice::from_ref(&old));
                let permission = Some(Permission::ReadOnly);
                change(exec, &data(), &Change { add_tags, remove_tags, permission, skip_activation: Some(true) })
            },
            &[("lv_attr", "Vri-a-tz-k"), ("lv_tags", "x,new")],
        ),
        ("lvchange --activate y --ignoreactivationskip vg0/data", |exec| activate(exec, &data()), &[]),
        (
            "lvchange --activate n vg0/data",
            |exec| deactivate(exec, &data()),
            &[("lv_attr", "Vwi---tz--"), ("lv_tags", "old")],
        ),
        (
            "lvresize -f --fs ignore --size 33554432b vg0/data",
            |exec| resize(exec, &data(), Bytes::new(32 << 20)),
            &[("lv_size", "33554432"), ("lv_attr", "Vwi---tz--")],
        ),
        (
            "lvresize -f --fs ignore --size 33554944b vg0/data",
            |exec| resize(exec, &data(), Bytes::new((32 << 20) + 1)),
            &[("lv_size", "37748736"), ("lv_attr", "Vwi---tz--")],
        ),
        (
            "lvrename vg0 data home",
            |exec| rename(exec, &data(), &uuid(), &"home".parse().unwrap()),
            &[("lv_name", "home"), ("lv_attr", "Vwi---tz--")],
        ),
    ];
    let open = row(&[("lv_attr", "Vwi-aotz--"), ("lv_tags", "old")]);
    let idle = row(&[("lv_attr", "Vwi---tz--"), ("lv_tags", "old"), ("lv_size", "25165824")]);
    let other = row(&[("lv_name", "home"), ("lv_uuid", "W3Xq3c-8bJr-aA1r-iX0T-2c8m-kYyR-x0v5Qe")]);
    for (command, call, done) in table {
        for (noise, end) in NOISE.iter().flat_map(|noise| ENDS.iter().map(move |end| (noise, end))) {
            let run =
                |report: &str| call(&Scripted::from_transcript(&format!("$ {command}\n{noise}{end}{report}")).unwrap());
            let at = format!("{command}: {noise}{end}");
            assert!(run(&lvs(&[row(done)])).is_ok(), "{at}");
            if !command.contains("--activate") {
                assert_eq!(run(&lvs(std::slice::from_ref(&open))).unwrap_err().kind(), Kind::Busy, "{at}");
            }
            if !command.contains("--activate n") {
                assert_eq!(run(&lvs(std::slice::from_ref(&idle))).unwrap_err().kind(), Kind::Failed, "{at}");
            }
            // Another volume that has the new name is not this one.
            let gone = run(&lvs(std::slice::from_ref(&other))).unwrap_err();
            assert!(gone.is_gone() && gone.kind() == Kind::NotFound, "{at}: {gone}");
            // Where there is no report, the failure counts.
            let unknown = run(&format!(
                "$ {}\n= 5\n$ vgs --reportformat json --units b --nosuffix -o \
                                        vg_name,vg_uuid,vg_size,vg_free,vg_extent_size\n= 5\n",
                testkit::LVS
            ));
            assert!(matches!(unknown.unwrap_err(), VolumeError::Refused { in_use: false, .. }), "{at}");
        }
    }
}

const REMOVE: &str = "$ lvremove -f --select 'lv_uuid=\"jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K\" && \
                      lv_tags={\"hyperlayer=receiving\"}' vg0/data\n";

/// A volume is gone when a new report does not have its UUID, and only then.
#[test]
fn a_new_report_says_whether_a_volume_is_gone() {
    let proof = tag("hyperlayer=receiving");
    let ours = [("lv_tags", "x,hyperlayer=receiving"), ("lv_attr", "Vwi---tz--")];
    let before = lvs(&[row(&ours)]);
    let other = row(&[("lv_uuid", "W3Xq3c-8bJr-aA1r-iX0T-2c8m-kYyR-x0v5Qe"), ours[0]]);
    for noise in NOISE {
        for end in ENDS.iter().chain(&["= 0\n"]) {
            let after = |report: &str| {
                let script = format!("{before}{REMOVE}{noise}{end}{report}");
                remove(&Scripted::from_transcript(&script).unwrap(), &data(), &proof)
            };
            let at = format!("{noise}{end}");
            after(&lvs(&[])).unwrap();
            // Somebody's new volume under the old name.
            after(&lvs(std::slice::from_ref(&other))).unwrap();
            let error = after(&lvs(&[row(&ours)])).unwrap_err();
            assert_eq!((error.kind(), error.is_gone()), (Kind::Failed, false), "{at}: {error}");
            let error = after(&lvs(&[row(&[("lv_attr", "Vwi-aotz--"), ours[0]])])).unwrap_err();
            let kind = if *end == "= 0\n" { Kind::Failed } else { Kind::Busy };
            assert_eq!(error.kind(), kind, "{at}: {error}");
            let missing = "$ vgs --reportformat json --units b --nosuffix -o vg_name,vg_uuid,vg_size,vg_free,vg_extent_size\n\
                           | {\"report\":[{\"vg\":[]}]}\n= 0\n";
            let error = after(&format!("$ {}\n= 5\n{missing}", testkit::LVS)).unwrap_err();
            assert!(!error.is_gone(), "{at}: {error}");
        }
    }
}

#[test]
fn only_what_carries_our_tag_is_removed() {
    let data = data();
    let ours = lvs(&[row(&[("lv_tags", "x,hyperlayer=receiving")])]);
    for now in [row(&[("lv_tags", "x")]), row(&[("lv_name", "home"), ("lv_tags", "x,hyperlayer=receiving")])] {
        let exec = Scripted::from_transcript(&format!("{ours}{REMOVE}= 0\n{}", lvs(&[now]))).unwrap();
        let error = remove(&exec, &data, &tag("hyperlayer=receiving")).unwrap_err();
        assert!(matches!(error, VolumeError::Replaced { .. }), "{error}");
    }

    for tags in ["", "x", "hyperlayer", "hyperlayer=receiving2"] {
        let exec = Scripted::from_transcript(&lvs(&[row(&[("lv_tags", tags)])])).unwrap();
        let error = remove(&exec, &data, &tag("hyperlayer=receiving")).unwrap_err();
        assert!(matches!(error, VolumeError::NotOurs { .. }), "{tags}: {error}");
    }
    let exec = Scripted::from_transcript(&lvs(&[])).unwrap();
    let error = remove(&exec, &data, &tag("a")).unwrap_err();
    assert!(error.is_gone() && error.kind() == Kind::NotFound);
}

/// LVM removes a classic snapshot with its origin, and a thin volume of another pool with its external origin: whoever made
/// those needs them.
#[test]
fn what_lvm_would_remove_along_stays() {
    let proof = tag("hyperlayer=receiving");
    let ours = row(&[("lv_tags", "hyperlayer=receiving")]);
    let dependent = |changes: &[(&str, &str)]| {
        let uuid = ("lv_uuid", "W3Xq3c-8bJr-aA1r-iX0T-2c8m-kYyR-x0v5Qe");
        row(&[&[("lv_name", "users"), ("origin", "data"), uuid], changes].concat())
    };
    for needed in [
        &[("lv_attr", "swi-a-s---"), ("segtype", "linear"), ("pool_lv", "")][..],
        &[("lv_attr", "swi-I-s---"), ("segtype", "linear"), ("pool_lv", "")],
        &[("lv_attr", "Vwi---tz--"), ("pool_lv", "other")],
    ] {
        let exec = Scripted::from_transcript(&lvs(&[ours.clone(), dependent(needed)])).unwrap();
        let error = remove(&exec, &data(), &proof).unwrap_err();
        assert!(matches!(&error, VolumeError::Needed { by, .. } if by.to_string() == "vg0/users"), "{error}");
        assert_eq!((error.kind(), error.is_gone()), (Kind::Busy, false), "{needed:?}");
    }
    // A thin snapshot of it stays by itself.
    let snapshot = dependent(&[("lv_attr", "Vwi---tz--")]);
    let script = format!("{}{REMOVE}= 0\n{}", lvs(&[ours, snapshot.clone()]), lvs(&[snapshot]));
    remove(&Scripted::from_transcript(&script).unwrap(), &data(), &proof).unwrap();
}
