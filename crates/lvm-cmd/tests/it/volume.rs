use extents::Bytes;
use lvm_cmd::{
    Change, Kind, NewVolume, Permission, Scripted, Tag, VolumeError, change, create_snapshot, create_thin, remove,
    rename, resize,
};

use crate::{chain, lvs, row};

fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

#[test]
fn creation_is_one_command_with_everything() {
    let exec = Scripted::from_transcript(
        "$ lvcreate --snapshot --name new --addtag a --addtag b=1 --permission rw --setactivationskip n --activate y \
         --ignoreactivationskip vg0/data\n= 0\n\
         $ lvcreate --snapshot --name new --permission r --setactivationskip y --activate n vg0/data\n= 0\n\
         $ lvcreate --virtualsize 16777216b --name new --addtag a --permission rw --setactivationskip n --activate y \
         --ignoreactivationskip --thinpool vg0/pool\n= 0\n\
         $ lvcreate --snapshot --name new --permission r --setactivationskip y --activate n vg0/data\n\
         ! Logical Volume \"new\" already exists in volume group \"vg0\"\n= 5\n",
    )
    .unwrap();
    let (data, pool, new) = ("vg0/data".parse().unwrap(), "vg0/pool".parse().unwrap(), "new".parse().unwrap());
    let tags = [tag("a"), tag("b=1")];
    let writable = NewVolume { tags: &tags, permission: Permission::ReadWrite, active: true, skip_activation: false };
    let frozen = NewVolume { tags: &[], permission: Permission::ReadOnly, active: false, skip_activation: true };
    create_snapshot(&exec, &data, &new, &writable).unwrap();
    create_snapshot(&exec, &data, &new, &frozen).unwrap();
    create_thin(&exec, &pool, &new, Bytes::new(16 << 20), &NewVolume { tags: &tags[..1], ..writable }).unwrap();
    let error = create_snapshot(&exec, &data, &new, &frozen).unwrap_err();
    assert!(chain(&error).starts_with("cannot create snapshot `vg0/new`: `lvcreate --snapshot"), "{}", chain(&error));
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
    rename(&exec, &data, &"home".parse().unwrap()).unwrap();
}

#[test]
fn what_is_so_already_is_no_error() {
    let exec = Scripted::from_transcript(
        "$ lvchange --addtag new --permission r vg0/data\n\
         !   Logical volume \"vg0/data\" is already read only.\n!   WARNING: This metadata update is NOT backed up.\n= 5\n\
         $ lvchange --permission rw vg0/data\n!   Logical volume vg0/data is already writable.\n= 5\n\
         $ lvchange --permission r vg0/data\n\
         !   Logical volume \"vg0/data\" is already read only.\n!   Something else.\n= 5\n",
    )
    .unwrap();
    let data = "vg0/data".parse().unwrap();
    let new = [tag("new")];
    let permission = |permission| Change { permission: Some(permission), ..Change::default() };
    change(&exec, &data, &Change { add_tags: &new, ..permission(Permission::ReadOnly) }).unwrap();
    change(&exec, &data, &permission(Permission::ReadWrite)).unwrap();
    change(&exec, &data, &permission(Permission::ReadOnly)).unwrap_err();
}

#[test]
fn sizes_whatever_the_version() {
    let exec = Scripted::from_transcript(
        "$ lvresize -f --fs ignore --size 33554432b vg0/data\n= 0\n\
         $ lvresize -f --fs ignore --size 33554944b vg0/data\n! lvresize: unrecognized option '--fs'\n= 3\n\
         $ lvresize -f --size 33554944b vg0/data\n= 0\n\
         $ lvresize -f --fs ignore --size 33554432b vg0/data\n\
         !   New size (8 extents) matches existing size (8 extents).\n= 5\n\
         $ lvresize -f --fs ignore --size 33554432b vg0/data\n!   Logical volume data not found in volume group vg0.\n= 5\n",
    )
    .unwrap();
    let data = "vg0/data".parse().unwrap();
    resize(&exec, &data, Bytes::new(32 << 20)).unwrap();
    resize(&exec, &data, Bytes::new((32 << 20) + 1)).unwrap();
    resize(&exec, &data, Bytes::new(32 << 20)).unwrap();
    assert_eq!(resize(&exec, &data, Bytes::new(32 << 20)).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn only_what_carries_our_tag_is_removed() {
    let data = "vg0/data".parse().unwrap();
    let ours = lvs(&[row(&[("lv_tags", "x,hyperlayer=receiving")])]);
    let select = "$ lvremove -f --select 'lv_uuid=\"jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K\" && \
                  lv_tags={\"hyperlayer=receiving\"}' vg0/data\n";
    let removed = "|   Logical volume \"data\" successfully removed.\n= 0\n";
    let exec = Scripted::from_transcript(&format!("{ours}{select}{removed}")).unwrap();
    remove(&exec, &data, &tag("hyperlayer=receiving")).unwrap();

    let exec = Scripted::from_transcript(&format!("{ours}{select}= 0\n")).unwrap();
    let error = remove(&exec, &data, &tag("hyperlayer=receiving")).unwrap_err();
    assert!(matches!(error, VolumeError::Replaced { .. }), "{error}");

    for tags in ["", "x", "hyperlayer", "hyperlayer=receiving2"] {
        let exec = Scripted::from_transcript(&lvs(&[row(&[("lv_tags", tags)])])).unwrap();
        let error = remove(&exec, &data, &tag("hyperlayer=receiving")).unwrap_err();
        assert!(matches!(error, VolumeError::NotOurs { .. }), "{tags}: {error}");
    }
    let exec = Scripted::from_transcript(&lvs(&[])).unwrap();
    assert_eq!(remove(&exec, &data, &tag("a")).unwrap_err().kind(), Kind::NotFound);
}
