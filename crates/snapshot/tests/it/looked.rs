//! What is looked up, and by which commands.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;

use extents::Bytes;
use lvm_cmd::{LvType, Program, Scripted, Stack};
use snapshot::check::{Asked, AskedFile, Check, Conclusion, Look, Seen, There, findings, look, look_at_mount_point};
use snapshot::{Found, SiteError};
use tempfile::TempDir;
use testkit::{LISTS_STEP, lv_row, lvs_step, pool_row};

use crate::model::record;

pub(crate) const CONFIG: &str = "--reportformat json --units b --nosuffix -o";
const GROUP: &str = "aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg";
const NO_DEVICES: &str = "$ dmsetup info --columns --noheadings --options name\n| No devices found\n= 0\n";
const STATUS: &str = "$ dmsetup status --target thin-pool vg0-pool-tpool\n";

struct Host {
    folder: TempDir,
    root: bool,
    missing: Vec<Program>,
    record: Option<Result<snapshot::Record, String>>,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["nodes", "devices", "there", "there/full"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("mountinfo"), "").unwrap();
        fs::write(folder.path().join("there/file"), "").unwrap();
        fs::write(folder.path().join("there/full/file"), "").unwrap();
        Self { folder, root: true, missing: Vec::new(), record: None }
    }

    fn path(&self, name: &str) -> PathBuf {
        // Where the folder for temporary files is a symbolic link, so are all of these.
        self.folder.path().canonicalize().unwrap().join(name)
    }

    fn look(&self, asked: &Asked, script: &str) -> Result<Seen, SiteError> {
        let exec = Scripted::from_transcript(script).unwrap();
        let (nodes, devices, mounts) = (self.path("nodes"), self.path("devices"), self.path("mountinfo"));
        let at = Look {
            exec: &exec,
            is_root: self.root,
            missing: self.missing.clone(),
            other_run: None,
            record: self.record.clone(),
            nodes: &nodes,
            stack: Stack { devices: &devices, mounts: &mounts },
        };
        look(asked, at)
    }

    /// What the tests' files lie on, as the kernel would say.
    fn lies_on(&self, name: &str, uuid: &str) {
        let device = fs::metadata(self.folder.path()).unwrap().dev();
        let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        let folder = self.path("devices").join(number).join("dm");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("name"), name).unwrap();
        fs::write(folder.join("uuid"), uuid).unwrap();
    }
}

fn asked() -> Asked {
    Asked {
        origin: "vg0/data".parse().unwrap(),
        snapshot: "vg0/snap".parse().unwrap(),
        size: None,
        file: None,
        mount: None,
        freeze: false,
    }
}

pub(crate) fn pvs(missing: &str) -> String {
    let fields = "pv_name,pv_uuid,vg_name,pv_size,pv_free,pv_missing,pv_tags";
    let row = |group: &str, missing: &str| {
        format!(
            r#"{{"pv_name":"/dev/sda","pv_uuid":"{GROUP}","vg_name":"{group}","pv_size":"4","pv_free":"4","pv_missing":"{missing}","pv_tags":""}}"#
        )
    };
    let rows = [row("vg0", missing), row("vg0", ""), row("other", "missing")].join(",");
    format!("$ pvs {CONFIG} {fields}\n| {{\"report\":[{{\"pv\":[{rows}]}}]}}\n= 0\n")
}

/// LVM is asked whether it would change the group.
const WOULD: &str = "$ vgchange --test --addtag hyperlayer.test vg0\n= 0\n";

fn vgs() -> String {
    let fields = "vg_name,vg_uuid,vg_size,vg_free,vg_extent_size";
    let row = format!(
        r#"{{"vg_name":"vg0","vg_uuid":"{GROUP}","vg_size":"8388608","vg_free":"4194304","vg_extent_size":"4194304"}}"#
    );
    format!("$ vgs {CONFIG} {fields}\n| {{\"report\":[{{\"vg\":[{row}]}}]}}\n= 0\n")
}

fn of(asked: &Asked, seen: &Seen, check: Check) -> Conclusion {
    findings(asked, seen).into_iter().find(|finding| finding.check == check).unwrap().conclusion
}

#[test]
fn a_thin_snapshot_asks_for_its_pool_and_nothing_of_space() {
    let status = "| 0 204800 thin-pool 3 114/1024 18/1600 - rw discard_passdown queue_if_no_space - 256\n= 0\n";
    let script = lvs_step(&[lv_row(&[]), pool_row()]) + &pvs("") + WOULD + LISTS_STEP + STATUS + status;
    let seen = Host::new().look(&asked(), &script).unwrap();
    let group = seen.group.clone().unwrap().unwrap();
    assert_eq!((group.missing_count, group.space, group.is_name_taken, group.is_device_taken), (0, None, false, false));
    let origin = group.origin.unwrap();
    assert_eq!((origin.kind, origin.size, origin.is_active), (LvType::ThinVolume, Bytes::new(16 << 20), true));
    let pool = origin.pool.unwrap();
    assert_eq!((pool.name.to_string().as_str(), pool.status.unwrap().unwrap().data_free().get()), ("vg0/pool", 1582));
    // There is no such node here.
    assert!(!origin.has_node);
}

#[test]
fn a_pool_that_is_not_active_is_no_obstacle() {
    let none = |name: &str| {
        format!("$ dmsetup status --target thin-pool {name}\n! Device does not exist.\n! Command failed.\n= 1\n")
    };
    let row = lv_row(&[("lv_attr", "Vwi---tz-k")]);
    let script = lvs_step(&[row, pool_row()]) + &pvs("") + WOULD + LISTS_STEP + &none("vg0-pool-tpool") + NO_DEVICES;
    let seen = Host::new().look(&asked(), &script).unwrap();
    assert!(matches!(of(&asked(), &seen, Check::PoolHealth), Conclusion::WhenMade(_)));
    assert_eq!(of(&asked(), &seen, Check::OriginDevice), Conclusion::Warning);
}

#[test]
fn without_root_or_programs_lvm_is_not_asked() {
    let asked = Asked { size: Some(Bytes::new(1)), mount: Some("/nowhere/at/all".into()), ..asked() };
    for (root, missing) in [(false, vec![]), (true, vec![Program::Pvs])] {
        let seen = Host { root, missing, ..Host::new() }.look(&asked, "").unwrap();
        assert_eq!(seen.group, None);
        assert_eq!(of(&asked, &seen, Check::OriginThere), Conclusion::NotLookedAt);
        // What needs neither is looked at all the same.
        assert!(matches!(of(&asked, &seen, Check::MountPointFolder), Conclusion::Refused(_)));
    }
}

#[test]
fn names_and_physical_volumes_are_looked_for() {
    let host = Host::new();
    symlink("../dm-7", host.path("nodes/vg0-snap")).unwrap();
    let rows = [lv_row(&[("pool_lv", "")]), lv_row(&[("lv_name", "snap"), ("pool_lv", "")])];
    let seen = host.look(&asked(), &(lvs_step(&rows) + &pvs("missing") + LISTS_STEP)).unwrap();
    let group = seen.group.unwrap().unwrap();
    assert_eq!((group.missing_count, group.is_name_taken, group.is_device_taken), (1, true, true));
    let seen = host.look(&asked(), &(lvs_step(&[pool_row()]) + &pvs("") + WOULD + LISTS_STEP)).unwrap();
    let why = seen.group.unwrap().unwrap().origin.unwrap_err();
    assert!(why.contains("`vg0/data` not found"), "{why}");
}

/// Why LVM would not change a group is for LVM to say, with all settings that the host has.
#[test]
fn a_group_that_lvm_does_not_change_is_refused() {
    let would_not = WOULD.replace("= 0", "!   Cannot update volume group vg0 with duplicate PV devices.\n= 5");
    let script = lvs_step(&[lv_row(&[("pool_lv", "")])]) + &pvs("") + &would_not + LISTS_STEP;
    let seen = Host::new().look(&asked(), &script).unwrap();
    let all = findings(&asked(), &seen);
    let finding = all.iter().find(|finding| finding.check == Check::GroupChanges).unwrap();
    assert!(matches!(finding.conclusion, Conclusion::Refused(_)));
    assert!(finding.found.contains("duplicate PV devices"), "{}", finding.found);
    assert!(finding.hint.as_deref().unwrap().starts_with("run `vgchange --test --addtag t vg0`"), "{:?}", finding.hint);
}

#[test]
fn a_group_that_is_not_there_is_a_finding() {
    let lvs = lvs_step(&[]);
    let lvs = lvs.split("\n| ").next().unwrap();
    let script = format!("{lvs}\n!   Volume group \"vg0\" not found\n= 5\n") + &vgs().replace("\"vg0\"", "\"vg1\"");
    let seen = Host::new().look(&asked(), &script).unwrap();
    let why = seen.group.unwrap().unwrap_err();
    assert!(why.contains("`vg0` not found") && why.contains("vg1"), "{why}");
    // Whatever LVM says: the group is there.
    let script = format!("{lvs}\n!   Volume group \"vg0\" not found\n= 5\n") + &vgs();
    Host::new().look(&asked(), &script).unwrap_err();
}

#[test]
fn the_place_of_a_file_is_looked_at_without_making_it() {
    let host = Host::new();
    symlink("there", host.path("link")).unwrap();
    let asked_at = |name: &str| Asked {
        size: Some(Bytes::new(1)),
        file: Some(AskedFile { path: host.path(name), loop_device: None }),
        ..asked()
    };
    let script = lvs_step(&[lv_row(&[])]) + &pvs("") + WOULD + LISTS_STEP + &vgs();
    let at = |name: &str| host.look(&asked_at(name), &script).unwrap().file.unwrap();
    let free = at("link/new");
    assert_eq!(free.path.unwrap(), host.path("there/new"));
    assert!(!free.is_there && free.free > Bytes::ZERO && !host.path("there/new").exists());
    assert!(at("there/file").is_there);
    assert!(at("nowhere/new").path.unwrap_err().contains("is not there"));
    assert!(at("there/file/new").path.is_err());
    // A number that file systems without a device have is looked for among the mounts instead.
    if rustix::fs::major(fs::metadata(host.folder.path()).unwrap().dev()) != 0 {
        host.lies_on("vg0-data-real", "LVM-aaaaaabbbbccccddddeeeeffffggggggxxxx-real");
        assert_eq!(at("there/new").on, Ok(Some("vg0-data-real".to_owned())));
        host.lies_on("vg0-data", "LVM-aaaaaabbbbccccddddeeeeffffggggggxxxx");
        assert_eq!(at("there/new").on, Ok(Some("vg0/data".to_owned())));
        host.lies_on("vg1-data", "LVM-zzzzzzbbbbccccddddeeeeffffggggggxxxx");
        assert_eq!(at("there/new").on, Ok(None));
    }
}

#[test]
fn a_mount_point_is_absent_or_an_empty_folder() {
    let host = Host::new();
    fs::create_dir(host.path("empty")).unwrap();
    let line = format!("36 35 8:1 / {} rw - ext4 /dev/sda1 rw\n", host.path("empty").display());
    let at = |name: &str| look_at_mount_point(&host.path(name), &host.path("mountinfo")).unwrap();
    for (name, there) in
        [("new", There::Absent), ("empty", There::Empty), ("there/full", There::Full), ("there/file", There::Other)]
    {
        let place = at(name);
        assert_eq!((place.path.unwrap(), place.there, place.is_mount_point), (host.path(name), there, false));
    }
    assert!(at("nowhere/new").path.is_err());
    fs::write(host.path("mountinfo"), line).unwrap();
    assert!(at("empty").is_mount_point && !at("there").is_mount_point);
}

#[test]
fn a_snapshot_that_is_there_is_looked_at_as_its_removal_does() {
    let record = record(false, None);
    let tag = record.tag().unwrap();
    let rows = [lv_row(&[("pool_lv", "")]), lv_row(&[("lv_name", "snap"), ("pool_lv", ""), ("lv_tags", tag.as_str())])];
    let host = Host { record: Some(Ok(record)), ..Host::new() };
    let lvs = lvs_step(&rows);
    let mut inactive = lvs.clone();
    inactive = inactive.replace("Vwi-a-tz--", "Vwi---tz-k");
    let seen = host.look(&asked(), &(lvs + &pvs("") + WOULD + LISTS_STEP + &inactive + &pvs(""))).unwrap();
    assert_eq!(seen.made.clone().unwrap().facts.volume, Found::Ours);
    assert_eq!(of(&asked(), &seen, Check::VolumeIsOurs), Conclusion::Ok);
}
