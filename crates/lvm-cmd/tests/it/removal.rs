use lvm_cmd::{Kind, LvRef, Scripted, VolumeError, remove_all};

use crate::{lvs, row};

const UUIDS: [&str; 3] = [
    "aaaaaa-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K",
    "bbbbbb-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K",
    "cccccc-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K",
];

fn names() -> Vec<LvRef> {
    ["a", "b", "c"].map(|name| format!("vg0/{name}").parse().unwrap()).to_vec()
}

/// The report of those of the three that are there: each with its tags and attributes.
fn report(there: &[(usize, &str, &str)]) -> String {
    let rows = there.iter().map(|(nth, tags, attr)| {
        let name = ["a", "b", "c"][*nth];
        row(&[("lv_name", name), ("lv_uuid", UUIDS[*nth]), ("lv_tags", tags), ("lv_attr", attr)])
    });
    lvs(&rows.collect::<Vec<_>>())
}

/// The command that removes some, and how it ends.
fn removal(some: &[usize], end: &str) -> String {
    let uuids: Vec<_> = some.iter().map(|nth| format!("lv_uuid=\"{}\"", UUIDS[*nth])).collect();
    let uuids = if let [one] = &uuids[..] { one.clone() } else { format!("({})", uuids.join(" || ")) };
    let names: Vec<_> = some.iter().map(|nth| format!("vg0/{}", ["a", "b", "c"][*nth])).collect();
    format!("$ lvremove -f --select '{uuids} && lv_tags={{\"ours\"}}' {}\n{end}\n", names.join(" "))
}

fn run(script: &[String]) -> Vec<Result<(), VolumeError>> {
    let exec = Scripted::from_transcript(&script.concat()).unwrap();
    remove_all(&exec, &names(), &"ours".parse().unwrap())
}

const QUIET: &str = "Vri---tz-k";

/// One command and a report before and after, however the command ends.
#[test]
fn several_are_removed_by_one_command() {
    let all = report(&[(0, "ours", QUIET), (1, "ours", QUIET), (2, "x,ours", QUIET)]);
    for end in ["= 0", "!   Something is wrong.\n= 5", "= signal 11"] {
        let ended = run(&[all.clone(), removal(&[0, 1, 2], end), report(&[])]);
        assert!(ended.iter().all(Result::is_ok), "{end}: {ended:?}");
    }
}

/// What stays is tried by itself, so that its own error is known; what is not ours is never named in a command.
#[test]
fn each_that_stays_says_why() {
    let all = report(&[(0, "ours", QUIET), (1, "ours", QUIET), (2, "theirs", QUIET)]);
    let left = report(&[(1, "ours", "Vri-aotz-k"), (2, "theirs", QUIET)]);
    let in_use = "!   Logical volume vg0/b in use.\n= 5";
    let script = [all, removal(&[0, 1], in_use), left.clone(), left.clone(), removal(&[1], in_use), left.clone(), left];
    let ended = run(&script);
    assert!(ended[0].is_ok());
    assert_eq!(ended[1].as_ref().unwrap_err().kind(), Kind::Busy);
    assert!(matches!(ended[2], Err(VolumeError::NotOurs { .. })), "{ended:?}");
}

/// What was there when the command ran, and is not there any more, is removed.
#[test]
fn a_report_that_fails_is_asked_for_again() {
    let two = [(0, "ours", QUIET), (1, "ours", QUIET)];
    let fails = format!("$ {}\n= 5\n", testkit::LVS);
    let groups =
        "$ vgs --reportformat json --units b --nosuffix -o vg_name,vg_uuid,vg_size,vg_free,vg_extent_size\n= 5\n";
    let none = report(&[]);
    let mut script = vec![report(&two), removal(&[0, 1], "= 0"), fails, groups.to_owned()];
    script.extend([(); 5].map(|()| none.clone()));
    let ended = run(&script);
    assert!(ended[0].is_ok() && ended[1].is_ok(), "{ended:?}");
    assert!(ended[2].as_ref().unwrap_err().is_gone(), "this one never was there: {ended:?}");
}

/// LVM waits for seconds for each that is open, while no other command can change the group.
#[test]
fn what_is_open_is_not_removed_with_others() {
    let open = "Vri-aotz-k";
    let all = report(&[(0, "ours", QUIET), (1, "ours", open), (2, "ours", QUIET)]);
    let left = report(&[(1, "ours", open)]);
    let in_use = "!   Logical volume vg0/b in use.\n= 5";
    let script = [all, removal(&[0, 2], "= 0"), left.clone(), left.clone(), removal(&[1], in_use), left];
    let ended = run(&script);
    assert!(ended[0].is_ok() && ended[2].is_ok(), "{ended:?}");
    assert_eq!(ended[1].as_ref().unwrap_err().kind(), Kind::Busy);
}

/// A volume that has another name by now is not gone.
#[test]
fn what_was_renamed_meanwhile_is_not_reported_as_removed() {
    let all = report(&[(0, "ours", QUIET), (1, "ours", QUIET), (2, "ours", QUIET)]);
    let renamed = lvs(&[row(&[("lv_name", "kept"), ("lv_uuid", UUIDS[1]), ("lv_tags", "ours"), ("lv_attr", QUIET)])]);
    let script = [all, removal(&[0, 1, 2], "= 0"), renamed.clone(), renamed.clone(), renamed];
    let ended = run(&script);
    assert!(ended[0].is_ok() && ended[2].is_ok(), "{ended:?}");
    assert!(matches!(ended[1], Err(VolumeError::Replaced { .. })), "{ended:?}");
}
