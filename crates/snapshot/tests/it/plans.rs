use snapshot::{Action, Facts, Found, Physical, PlanError, removal};

use crate::model::record;

#[test]
fn what_is_entangled_is_left_alone() {
    let record = record(true, None);
    let facts = Facts { volume: Found::Ours, physical: Physical::Missing { entangled: true }, ..Facts::default() };
    assert!(matches!(removal(&record, &facts), Err(PlanError::Entangled { .. })));
    // With its file there is a way.
    let facts = Facts { file: Found::Ours, ..facts };
    let expected = [
        Action::Attach,
        Action::RemoveVolume,
        Action::ReduceGroup,
        Action::RemovePhysical,
        Action::Detach,
        Action::RemoveFile,
    ];
    assert_eq!(removal(&record, &facts).unwrap(), expected);
}

#[test]
fn the_snapshot_goes_before_its_lost_space() {
    // LVM, told to do both in one, takes the origin too.
    let facts = Facts { volume: Found::Ours, physical: Physical::Missing { entangled: false }, ..Facts::default() };
    assert_eq!(removal(&record(true, None), &facts).unwrap(), [Action::RemoveVolume, Action::DropMissing]);
}

#[test]
fn a_plan_names_what_goes() {
    let record = record(true, Some(true));
    for (action, says) in [
        (Action::Unmount("/mnt/x".into()), "unmount `/mnt/x`"),
        (Action::RemoveFolder, "remove the empty folder `/mnt/snap`"),
        (Action::RemoveVolume, "remove the snapshot `vg0/snap`"),
        (Action::ReduceGroup, "take the space in `/var/tmp/space.img` out of `vg0`"),
        (Action::RemoveFile, "remove the file `/var/tmp/space.img`"),
    ] {
        assert_eq!(action.says(&record), says);
    }
}
