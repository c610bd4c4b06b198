use lvm_cmd::{LvName, LvRef, Tag, ThinId, Uuid, VgName};
use proptest::prelude::*;

#[test]
fn volume_names() {
    let long = "x".repeat(128);
    for (name, why) in [
        ("home", ""),
        ("0+_.-", ""),
        ("home-2024.11_a+b", ""),
        (&long[..127], ""),
        (&long, "128 bytes, at most 127"),
        ("", "empty"),
        (".", "folder"),
        ("..", "folder"),
        ("-x", "hyphen"),
        ("a b", "` ` is not among"),
        ("a/b", "`/` is not among"),
        ("bön", "`ö` is not among"),
        ("a\u{1b}b", r"`\u{1b}` is not among"),
        ("snapshot1", "start with `snapshot`"),
        ("pvmove0", "start with `pvmove`"),
        ("mysnapshot", ""),
        ("pool_tmeta", "contain `_tmeta`"),
        ("x_tdata_y", "contain `_tdata`"),
        ("lvol0_pmspare", "contain `_pmspare`"),
    ] {
        match name.parse::<LvName>() {
            Ok(parsed) => assert!(why.is_empty() && parsed.as_str() == name, "{name:?} is taken"),
            Err(error) => assert!(!why.is_empty() && error.to_string().contains(why), "{name:?}: {error}"),
        }
    }
    // A group may have what only a volume may not.
    assert!("snapshot".parse::<VgName>().is_ok());
    assert!("-vg".parse::<VgName>().is_err());
}

#[test]
fn tags() {
    let long = "t".repeat(1025);
    for (tag, good) in [
        ("hyperlayer", true),
        ("hyperlayer.id=a/b:c!d&e#f+g-h_i", true),
        (&long[..1024], true),
        (&long, false),
        ("", false),
        ("-a", false),
        ("a,b", false),
        ("a b", false),
        ("@a", false),
    ] {
        assert_eq!(tag.parse::<Tag>().is_ok(), good, "{tag:?}");
    }
}

#[test]
fn ids() {
    for (uuid, good) in [
        ("jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K", true),
        ("jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37", false),
        ("jeQKMHO6R5y0QzwjUOmBqaYe7uUXe37K", false),
        ("../../-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K", false),
        ("", false),
    ] {
        assert_eq!(uuid.parse::<Uuid>().is_ok(), good, "{uuid:?}");
    }
    assert_eq!(ThinId::new((1 << 24) - 1).map(ThinId::get), Some(16_777_215));
    assert_eq!(ThinId::new(1 << 24), None);
}

#[test]
fn references() {
    let vg: VgName = "vg0".parse().unwrap();
    for (text, expected) in [
        ("vg0/home", "vg0/home"),
        ("/dev/vg0/home", "vg0/home"),
        ("/dev/my-vg/my-lv", "my-vg/my-lv"),
        ("/dev/mapper/my--vg-my--lv", "my-vg/my-lv"),
        ("/dev/mapper/vg---lv", "vg-/lv"),
        ("/dev/mapper/a----b-c", "a--b/c"),
        ("home", "vg0/home"),
        ("/dev/vg0", ""),
        ("/dev/mapper/vg0", ""),
        ("/dev/mapper/my-vg-lv", ""),
        ("/dev/mapper/vg0-pool-tpool", ""),
        ("/dev/mapper/vg0-pool_tmeta", ""),
        ("/dev/mapper/", ""),
        ("/tmp/image/x", ""),
        ("/home", ""),
        ("a/b/c", ""),
        ("vg0/", ""),
        ("/", ""),
        ("", ""),
    ] {
        let parsed = LvRef::parse(text, Some(&vg)).map_or_else(|_| String::new(), |name| name.to_string());
        assert_eq!(parsed, expected, "{text:?}");
    }
    let error = "home".parse::<LvRef>().unwrap_err();
    assert_eq!(error.to_string(), "invalid volume `home`: its volume group is not given: expected VG/LV");
}

#[test]
fn device_mapper_names() {
    for (name, dm, pool) in [
        ("vg0/home", "vg0-home", "vg0-home-tpool"),
        ("my-vg/my-lv", "my--vg-my--lv", "my--vg-my--lv-tpool"),
        ("a--b/c-", "a----b-c--", "a----b-c---tpool"),
    ] {
        let name: LvRef = name.parse().unwrap();
        assert_eq!((name.dm_name().as_str(), name.dm_pool_name().as_str()), (dm, pool));
        assert_eq!(name.dm_path().to_str(), Some(&*format!("/dev/mapper/{dm}")));
    }
}

proptest! {
    #[test]
    fn device_mapper_names_round_trip(vg in "[a-z0-9+_.][a-z0-9+_.-]{0,12}", lv in "[a-z0-9+_.][a-z0-9+_.-]{0,12}") {
        let (Ok(vg), Ok(lv)) = (vg.parse(), lv.parse()) else { return Ok(()) };
        let name = LvRef::new(vg, lv);
        prop_assert_eq!(LvRef::from_dm_name(&name.dm_name()).unwrap(), name.clone());
        prop_assert_eq!(name.dm_path().to_str().unwrap().parse::<LvRef>().unwrap(), name.clone());
        prop_assert_eq!(name.to_string().parse::<LvRef>().unwrap(), name);
    }

    #[test]
    fn no_text_panics(text in "(/dev/|/dev/mapper/)?[a-z/-]{0,20}|.{0,20}") {
        if let Ok(name) = text.parse::<LvRef>() {
            prop_assert_eq!(name.to_string().parse::<LvRef>().unwrap(), name);
        }
    }
}

/// `lvrename`'s limit on both names together, and the device mapper's on its name for them, where hyphens count twice.
#[test]
fn how_long_names_may_be() {
    for (vg, letters, hyphens, fits) in [
        (3, 5, 0, true),
        (45, 60, 0, true),
        (45, 75, 0, true),
        (45, 76, 0, false),
        (1, 119, 0, true),
        (1, 120, 0, false),
        (60, 54, 6, true),
        (60, 53, 7, false),
        (45, 31, 25, true),
        (45, 32, 25, false),
        (126, 1, 0, false),
    ] {
        let name = format!("{}/l{}{}", "g".repeat(vg), "-".repeat(hyphens), "l".repeat(letters - 1));
        let volume: LvRef = name.parse().unwrap();
        let checked = volume.check_length();
        assert_eq!(checked.is_ok(), fits, "{vg} {letters} {hyphens}: {checked:?}");
        assert_eq!(volume.dm_name().len() <= 127 && vg + letters + hyphens <= 120, fits, "{vg} {letters} {hyphens}");
    }
}

#[test]
fn names_of_what_belongs_to_a_volume() {
    let suffix = "sync-20261121T181000Z";
    for (vg, lv, expected) in [
        (3, "data".to_owned(), "data-sync-20261121T181000Z".to_owned()),
        (45, "x".repeat(53), format!("{}-{suffix}", "x".repeat(53))),
        (45, "x".repeat(60), format!("{}-{suffix}", "x".repeat(53))),
        // Its own hyphens count twice in the device mapper.
        (45, format!("vm{}", "-x".repeat(30)), format!("vm{}-{suffix}", "-x".repeat(18))),
    ] {
        let volume: LvRef = format!("{}/{lv}", "g".repeat(vg)).parse().unwrap();
        let mut taken: Vec<LvName> = Vec::new();
        for _ in 0..12 {
            let found = volume.with_suffix(suffix, |name| taken.contains(name)).unwrap();
            found.check_length().unwrap();
            assert!(!taken.contains(found.lv()) && found.vg() == volume.vg());
            taken.push(found.lv().clone());
        }
        assert_eq!(taken[0].as_str(), expected);
    }
    let long: LvRef = format!("{}/data", "g".repeat(98)).parse().unwrap();
    let refused = long.with_suffix(suffix, |_| false).unwrap_err().to_string();
    assert!(refused.contains("121 bytes, at most 120"), "{refused}");
}
