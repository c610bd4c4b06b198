use extents::{Bytes, Chunks};
use lvm_cmd::{Kind, PoolMode, PoolStatus, Scripted, ThinTarget, mapped, pool_status, thin_target};
use proptest::prelude::*;

use crate::chain;

const BLOCK: u64 = 4096;

#[test]
fn numbers_and_words() {
    let line = "0 204800 thin-pool 3 114/1024 18/1600 58 rw no_discard_passdown queue_if_no_space - 256";
    let status = PoolStatus::parse(line).unwrap();
    assert_eq!(status.transaction_id, 3);
    assert_eq!((status.metadata_used, status.metadata_total), (Bytes::new(114 * BLOCK), Bytes::new(1024 * BLOCK)));
    assert_eq!(status.metadata_free(), Bytes::new(910 * BLOCK));
    assert_eq!((status.data_used, status.data_total), (Chunks::new(18), Chunks::new(1600)));
    assert_eq!(status.held_root, Some(58));
    assert_eq!(status.mode, PoolMode::ReadWrite);
    assert!(status.discards && !status.error_if_full && !status.needs_check);
}

#[test]
fn states() {
    // Held root, mode, discards, error if full, needs check.
    for (rest, expected) in [
        ("- rw discard_passdown queue_if_no_space - 1024", (None, PoolMode::ReadWrite, true, false, false)),
        ("7 ro ignore_discard error_if_no_space needs_check 64", (Some(7), PoolMode::ReadOnly, false, true, true)),
        (
            "- out_of_data_space discard_passdown error_if_no_space -",
            (None, PoolMode::OutOfDataSpace, true, true, false),
        ),
        ("- rw", (None, PoolMode::ReadWrite, true, false, false)),
        ("- rw discard_passdown something_new - 1024 more", (None, PoolMode::ReadWrite, true, false, false)),
    ] {
        let s = PoolStatus::parse(&format!("0 8 thin-pool 0 1/2 0/1 {rest}")).unwrap();
        assert_eq!((s.held_root, s.mode, s.discards, s.error_if_full, s.needs_check), expected, "{rest}");
    }
}

#[test]
fn refused_lines_say_where() {
    let failed = "the pool has failed; it answers nothing until it is deactivated and repaired (`lvconvert --repair`)";
    for (line, expected) in [
        ("0 8 thin-pool Fail", failed),
        ("0 8 thin-pool Error", failed),
        ("", "word 1 of ``: expected the first sector"),
        ("0 8 linear 253:1 0", "word 3 of `0 8 linear 253:1 0`: expected the target `thin-pool`"),
        ("0 8 thin-pool x 1/2", "word 4 of `0 8 thin-pool x 1/2`: expected a transaction id"),
        ("0 8 thin-pool 1 3/2", "word 5 of `0 8 thin-pool 1 3/2`: expected used/total metadata blocks"),
        ("0 8 thin-pool 1 1/2 1", "word 6 of `0 8 thin-pool 1 1/2 1`: expected used/total data chunks"),
        ("0 8 thin-pool 1 1/2 0/1", "word 7 of `0 8 thin-pool 1 1/2 0/1`: expected a held metadata root or `-`"),
        (
            "0 8 thin-pool 1 1/2 0/1 - xy",
            "word 8 of `0 8 thin-pool 1 1/2 0/1 - xy`: expected one of `rw`, `ro`, `out_of_data_space`",
        ),
        (
            "0 8 thin-pool 1 1/18446744073709551615 0/1 - rw",
            "word 5 of `0 8 thin-pool 1 1/18446744073709551615 0/1 - rw`: expected used/total metadata blocks",
        ),
    ] {
        assert_eq!(PoolStatus::parse(line).unwrap_err().to_string(), expected);
    }
}

#[test]
fn thin_tables() {
    let thin = ThinTarget::parse("0 32768 thin 253:2 3").unwrap();
    assert_eq!((thin.pool.as_str(), thin.thin_id.get(), thin.external_origin), ("253:2", 3, None));
    let external = ThinTarget::parse("0 32768 thin 253:2 3 253:9").unwrap();
    assert_eq!(external.external_origin.as_deref(), Some("253:9"));
    let error = ThinTarget::parse("0 32768 thin 253:2 16777216").unwrap_err();
    assert_eq!(error.to_string(), "word 5 of `0 32768 thin 253:2 16777216`: expected a thin id");
}

#[test]
fn asks_by_the_device_mappers_name() {
    const LIST: &str = "$ dmsetup info --columns --noheadings --options name\n";
    let exec = Scripted::from_transcript(&format!(
        "$ dmsetup status --target thin-pool my--vg-my--pool-tpool\n\
         ! Device does not exist.\n! Command failed.\n= 1\n\
         {LIST}| No devices found\n= 0\n\
         $ dmsetup table --target thin my--vg-data\n| 0 32768 thin 253:2 3\n= 0\n\
         $ dmsetup table --target thin my--vg-none\n\
         ! device-mapper: table ioctl on my--vg-none  failed: No such device or address\n! Command failed.\n= 1\n\
         {LIST}| my--vg-data\n= 0\n\
         $ dmsetup table --target thin my--vg-data\n! No such device: it is there, and dmsetup fails.\n= 1\n\
         {LIST}| my--vg-data\n= 0\n\
         $ dmsetup status --target thin-pool vg0-pool-tpool\n| 0 8 thin-pool Fail\n= 0\n\
         $ dmsetup status --target thin-pool vg0-empty-tpool\n! Device does not exist.\n! Command failed.\n= 1\n\
         {LIST}| vg0-empty\n| my--vg-data\n= 0\n\
         $ dmsetup status --target thin-pool vg0-empty\n| 0 8 thin-pool 0 1/2 0/1 - rw\n= 0\n",
    ))
    .unwrap();
    let error = pool_status(&exec, &"my-vg/my-pool".parse().unwrap()).unwrap_err();
    assert_eq!(error.kind(), Kind::Environment);
    assert_eq!(chain(&error), "`my-vg/my-pool` is not active; activate it with `lvchange -ay -K my-vg/my-pool`");
    assert_eq!(thin_target(&exec, &"my-vg/data".parse().unwrap()).unwrap().pool, "253:2");
    let error = thin_target(&exec, &"my-vg/none".parse().unwrap()).unwrap_err();
    assert_eq!(error.kind(), Kind::Environment);
    let error = thin_target(&exec, &"my-vg/data".parse().unwrap()).unwrap_err();
    assert_eq!(error.kind(), Kind::Failed);
    let error = pool_status(&exec, &"vg0/pool".parse().unwrap()).unwrap_err();
    assert_eq!(error.kind(), Kind::Environment);
    assert!(chain(&error).starts_with("unusable state of `vg0/pool`: the pool has failed"), "{}", chain(&error));
    assert_eq!(pool_status(&exec, &"vg0/empty".parse().unwrap()).unwrap().data_total, Chunks::new(1));
}

proptest! {
    #[test]
    fn no_line_panics(line in "(0 8 thin(-pool)? )?([0-9/:a-z_-]{1,21} ){0,12}") {
        let _ = PoolStatus::parse(&line);
        let _ = ThinTarget::parse(&line);
    }
}

#[test]
fn what_a_volume_has_mapped() {
    let name = "my-vg/data".parse().unwrap();
    let ask = |answer: &str| {
        let exec = Scripted::from_transcript(&format!("$ dmsetup status --target thin my--vg-data\n| {answer}\n= 0\n"));
        mapped(&exec.unwrap(), &name)
    };
    assert_eq!(ask("0 131072 thin 1024 131071").unwrap(), extents::Sectors::new(1024));
    assert_eq!(ask("0 131072 thin 0 -").unwrap(), extents::Sectors::ZERO);
    assert_eq!(ask("0 131072 thin Fail").unwrap_err().kind(), Kind::Environment);
    assert_eq!(ask("0 131072 linear 8:0 0").unwrap_err().kind(), Kind::Failed);
}
