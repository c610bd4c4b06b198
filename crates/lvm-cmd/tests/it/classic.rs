use extents::Sectors;
use lvm_cmd::{ClassicStatus, Room, Scripted, classic_status, extend_classic};
use testkit::LISTS_STEP;

#[test]
fn how_full_it_is() {
    let valid = |used, total| ClassicStatus::Valid { used: Sectors::new(used), total: Sectors::new(total) };
    // As recorded on Linux 6.1, and the words of later kernels.
    for (line, expected, percent) in [
        ("0 98304 snapshot 136/32768 16", valid(136, 32768), 0),
        ("0 655360 snapshot 4160/32768 32\n", valid(4160, 32768), 12),
        ("0 98304 snapshot 32768/32768 16", valid(32768, 32768), 100),
        ("0 98304 snapshot 0/0 0", valid(0, 0), 0),
        ("0 98304 snapshot Invalid", ClassicStatus::Invalid, 100),
        ("0 98304 snapshot Overflow", ClassicStatus::Invalid, 100),
    ] {
        assert_eq!(ClassicStatus::parse(line).unwrap(), expected, "{line}");
        assert_eq!(expected.full_percent(), percent, "{line}");
    }
    for line in ["", "0 98304 linear ", "0 98304 snapshot", "0 98304 snapshot Merge failed", "0 98304 snapshot a/b 1"] {
        ClassicStatus::parse(line).unwrap_err();
    }
}

#[test]
fn it_is_looked_at_and_extended_by_one_command_each() {
    let commands = "$ dmsetup status vg--0-data_snapshot\n| 0 98304 snapshot 136/32768 16\n= 0\n\
         $ lvextend --size +1048576b vg-0/data_snapshot\n= 0\n\
         $ lvextend --extents +100%PVS vg-0/data_snapshot /dev/loop3\n= 5\n";
    let exec = Scripted::from_transcript(&format!("{commands}{LISTS_STEP}")).unwrap();
    let name = "vg-0/data_snapshot".parse().unwrap();
    classic_status(&exec, &name).unwrap();
    extend_classic(&exec, &name, Room::Size(extents::Bytes::new(1 << 20))).unwrap();
    extend_classic(&exec, &name, Room::AllOf("/dev/loop3".as_ref())).unwrap_err();
}
