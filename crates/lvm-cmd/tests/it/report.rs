use extents::{Bytes, ChunkSize};
use lvm_cmd::{
    Discards, Kind, LvName, LvType, Permission, Scripted, Tag, ThinId, find, groups, volume, volumes, volumes_by_group,
};

use crate::{chain, lvs, parsed, pool_row, row};

#[test]
fn a_thin_volume_and_its_pool() {
    let rows = [pool_row(), row(&[("lv_tags", "hyperlayer,id=a/b"), ("origin", "base")])];
    let lvs = parsed(&rows);
    let [pool, data] = lvs.as_slice() else { panic!("{lvs:?}") };
    assert_eq!(pool.attr.lv_type(), LvType::ThinPool);
    assert!(pool.attr.zeroes_new_chunks());
    assert_eq!(pool.chunk_size.map(ChunkSize::bytes), Some(Bytes::new(65536)));
    assert_eq!(pool.metadata_lv.as_ref().map(LvName::as_str), Some("pool_tmeta"));
    assert_eq!((pool.discards, pool.transaction_id, pool.thin_id), (Some(Discards::Passdown), Some(3), None));

    assert_eq!(data.name.to_string(), "vg0/data");
    assert_eq!(data.attr.lv_type(), LvType::ThinVolume);
    assert_eq!((data.size, data.chunk_size), (Bytes::new(16 << 20), None));
    assert_eq!(data.pool_ref().map(|pool| format!("{pool}")).as_deref(), Some("vg0/pool"));
    assert_eq!(data.origin.as_ref().map(LvName::as_str), Some("base"));
    assert_eq!(data.thin_id.map(ThinId::get), Some(3));
    assert_eq!((data.data_percent, data.metadata_percent), (Some(5.08), None));
    assert_eq!(data.created_seconds, Some(1_763_696_000));
    let tags: Vec<Tag> = ["hyperlayer", "id=a/b"].map(|tag| tag.parse().unwrap()).into();
    assert_eq!(data.tags, tags);
    assert!(data.has_tag(&tags[1]) && !data.has_tag(&"id=a".parse().unwrap()));
}

#[test]
fn attributes() {
    // Active, open, skipped by activation, read-only by metadata, read-only now, trouble.
    for (attr, expected) in [
        ("Vwi-a-tz--", (true, false, false, false, false, None)),
        ("Vwi-aotz--", (true, true, false, false, false, None)),
        ("Vri---tz-k", (false, false, true, true, true, None)),
        ("VRi-a-tz-k", (true, false, true, false, true, None)),
        ("Vwi-s-tz--", (true, false, false, false, false, None)),
        ("VwiXXXtzXk", (false, false, true, false, false, Some('X'))),
        ("twi-aotzM-", (true, true, false, false, false, Some('M'))),
        ("twi-cotzF-", (true, true, false, false, false, Some('F'))),
    ] {
        let lv = &parsed(&[row(&[("lv_attr", attr)])])[0];
        let a = lv.attr;
        let read_only = a.permission() == Permission::ReadOnly;
        let found = (a.is_active(), a.is_open(), a.skips_activation(), read_only, a.is_read_only_now(), a.trouble());
        assert_eq!(found, expected, "{attr}");
        assert_eq!(a.to_string(), attr);
    }
}

#[test]
fn an_origin_elsewhere_is_external() {
    let base = row(&[("lv_name", "base")]);
    let image = row(&[("lv_name", "image"), ("lv_attr", "ori-------"), ("pool_lv", ""), ("thin_id", "")]);
    let foreign = row(&[("lv_name", "foreign"), ("pool_lv", "other")]);
    for (origin, expected) in
        [("", None), ("base", None), ("image", Some("image")), ("foreign", Some("foreign")), ("gone", Some("gone"))]
    {
        let all = parsed(&[base.clone(), image.clone(), foreign.clone(), row(&[("origin", origin)])]);
        let data = find(&all, &"vg0/data".parse().unwrap()).unwrap();
        assert_eq!(data.external_origin(&all).map(LvName::as_str), expected, "{origin}");
    }
    // A snapshot of a volume that reads through does so too; and no report makes the search endless.
    let through = row(&[("lv_name", "through"), ("origin", "image")]);
    for (base_origin, expected) in [("image", Some("image")), ("data", None)] {
        let base = row(&[("lv_name", "base"), ("origin", base_origin)]);
        let all = parsed(&[image.clone(), through.clone(), base, row(&[("origin", "base")])]);
        let data = find(&all, &"vg0/data".parse().unwrap()).unwrap();
        assert_eq!(data.external_origin(&all).map(LvName::as_str), expected);
    }
}

#[test]
fn unknown_names_come_with_similar_ones() {
    let exec = Scripted::from_transcript(&lvs(&[pool_row(), row(&[]), row(&[("lv_name", "data-old")])])).unwrap();
    let error = volume(&exec, &"vg0/dat".parse().unwrap()).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert_eq!(error.to_string(), "logical volume `vg0/dat` not found; similar: `data`, `data-old`");

    let vgs = "vgs --reportformat json --units b --nosuffix -o vg_name,vg_uuid,vg_size,vg_free,vg_extent_size";
    let group = r#"{"report":[{"vg":[{"vg_name":"vg0","vg_uuid":"W3Xq3c-8bJr-aA1r-iX0T-2c8m-kYyR-x0v5Qe","vg_size":"1069547520","vg_free":"536870912","vg_extent_size":"4194304"}]}]}"#;
    let lvs = lvs(&[]);
    let asked = lvs.lines().next().unwrap().replace("vg0", "vg1");
    let transcript = format!(
        "{asked}\n! Volume group \"vg1\" not found\n! Cannot process volume group vg1\n= 5\n$ {vgs}\n| {group}\n= 0\n"
    );
    let exec = Scripted::from_transcript(&transcript).unwrap();
    let error = volumes(&exec, &"vg1".parse().unwrap()).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert_eq!(error.to_string(), "volume group `vg1` not found; similar: `vg0`");

    let exec = Scripted::from_transcript(&format!("$ {vgs}\n| {group}\n= 0\n")).unwrap();
    let vg = groups(&exec).unwrap().remove(0);
    assert_eq!((vg.free, vg.extent_size), (Bytes::new(512 << 20), Bytes::new(4 << 20)));
}

#[test]
fn what_is_not_understood_is_named() {
    for (changed, expected) in [
        (("lv_size", "16,0m"), "LVM reports lv_size `16,0m` of `vg0/data`: expected a number"),
        (("lv_attr", "Vwi"), "LVM reports lv_attr `Vwi` of `vg0/data`: expected ten letters"),
        (("lv_uuid", ""), "LVM reports lv_uuid `` of `vg0/data`: expected a valid name"),
        (("thin_id", "16777216"), "LVM reports thin_id `16777216` of `vg0/data`: expected a number of 24 bits"),
        (("discards", "maybe"), "LVM reports discards `maybe` of `vg0/data`: expected passdown, nopassdown or ignore"),
        (("lv_tags", "a,b c"), "LVM reports lv_tags `b c` of `vg0/data`: expected a valid name"),
    ] {
        let exec = Scripted::from_transcript(&lvs(&[row(&[changed])])).unwrap();
        assert_eq!(volumes(&exec, &"vg0".parse().unwrap()).unwrap_err().to_string(), expected);
    }
    let transcript = lvs(&[]).replace("| {", "| x{");
    let error = volumes(&Scripted::from_transcript(&transcript).unwrap(), &"vg0".parse().unwrap()).unwrap_err();
    assert_eq!(
        chain(&error),
        "cannot understand LVM's report of the volumes of group `vg0`: expected value at line 1 column 1"
    );
}

/// Groups of one name, and an exported one, are listed by vgs, and lvs refuses them: the others count all the same.
#[test]
fn a_group_that_lvm_does_not_list_hides_no_other() {
    let row = |name: &str| {
        format!(
            r#"{{"vg_name":"{name}","vg_uuid":"W3Xq3c-8bJr-aA1r-iX0T-2c8m-kYyR-x0v5Qe","vg_size":"1","vg_free":"0","vg_extent_size":"1"}}"#
        )
    };
    let names = [row("vg1"), row("vg0"), row("vg1")].join(",");
    let vgs = format!(
        "$ vgs --reportformat json --units b --nosuffix -o vg_name,vg_uuid,vg_size,vg_free,vg_extent_size\n\
         | {{\"report\":[{{\"vg\":[{names}]}}]}}\n= 0\n"
    );
    let listed = lvs(&[crate::row(&[])]);
    let refused = lvs(&[]).lines().next().unwrap().replace("vg0", "vg1") + "\n!   Multiple VGs found\n= 5\n";
    let exec = Scripted::from_transcript(&format!("{vgs}{listed}{refused}{vgs}")).unwrap();
    let found = volumes_by_group(&exec).unwrap();
    let found: Vec<_> = found.iter().map(|(name, found)| (name.as_str(), found.as_ref().ok().map(Vec::len))).collect();
    assert_eq!(found, [("vg0", Some(1)), ("vg1", None)]);
}
