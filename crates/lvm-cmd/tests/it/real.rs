//! One run through everything on a real LVM, and its replay.
//!
//! `tests/transcripts/record.sh` runs [`record`] as root on a machine with LVM; [`replay`] needs nothing.

use std::fs;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use extents::Bytes;
use lvm_cmd::{
    Activation, ActivationOptions, Change, Command, Executor, Host, Kind, LvName, LvRef, LvType, MetadataSnapshot,
    MetadataTool, NewVolume, Patience, Permission, Program, Recording, ReserveError, Scripted, StateDir, Tag, change,
    create_snapshot, create_thin, find, groups, pool_status, remove, rename, resize, self_test, spawn_delta,
    spawn_dump, thin_target, volume, volumes,
};

const TRANSCRIPT: &str = "tests/transcripts/debian-12.txt";

/// The pool `my-vg/my-pool`, chunks of 64 KiB, must be there and without volumes. `write` writes chunks of a node.
fn scenario(exec: &dyn Executor, state: &StateDir, nodes: &Path, write: impl Fn(&Path, &[u64])) {
    let patience = Patience::new(Duration::from_secs(10));
    let options = || {
        let mut options = ActivationOptions::new(state, patience);
        options.nodes = nodes.to_owned();
        options
    };
    let name = |name: &str| name.parse::<LvName>().unwrap();
    let lv = |name: &str| format!("my-vg/{name}").parse::<LvRef>().unwrap();
    let pool = lv("my-pool");
    let (ours, layer): (Tag, Tag) = ("hyperlayer=test".parse().unwrap(), "layer=a/b:c!d&e#f".parse().unwrap());

    // A pool that never had a volume has no `-tpool`.
    assert_eq!(pool_status(exec, &pool).unwrap().data_used.get(), 0);
    assert!(groups(exec).unwrap().iter().any(|vg| vg.name == *pool.vg() && vg.extent_size == Bytes::new(4 << 20)));

    // 16 MiB and a byte are five extents.
    let tags = [ours.clone(), layer.clone()];
    let writable = NewVolume { tags: &tags, permission: Permission::ReadWrite, active: true, skip_activation: false };
    create_thin(exec, &pool, &name("my-base"), Bytes::new((16 << 20) + 1), &writable).unwrap();
    let base = lv("my-base");
    let node = nodes.join(base.dm_name());
    write(&node, &[0, 1, 2, 3]);
    let frozen = NewVolume { permission: Permission::ReadOnly, active: false, skip_activation: true, ..writable };
    create_snapshot(exec, &base, &name("s1"), &frozen).unwrap();
    write(&node, &[1, 9]);
    create_snapshot(exec, &base, &name("s2"), &NewVolume { tags: &tags[..1], ..frozen }).unwrap();
    let error = create_snapshot(exec, &base, &name("s2"), &frozen).unwrap_err();
    assert_eq!(error.kind(), Kind::Failed);

    let all = volumes(exec, pool.vg()).unwrap();
    let (pool_lv, base_lv, s1) =
        (find(&all, &pool).unwrap(), find(&all, &base).unwrap(), find(&all, &lv("s1")).unwrap());
    let s2 = find(&all, &lv("s2")).unwrap();
    assert_eq!(pool_lv.chunk_size.unwrap().bytes(), Bytes::new(65536));
    assert!(pool_lv.attr.lv_type() == LvType::ThinPool && pool_lv.attr.zeroes_new_chunks());
    assert_eq!((base_lv.size, base_lv.origin.as_ref()), (Bytes::new(20 << 20), None));
    assert_eq!((base_lv.attr.is_active(), base_lv.attr.permission()), (true, Permission::ReadWrite));
    assert_eq!(
        (s1.attr.is_active(), s1.attr.permission(), s1.attr.skips_activation()),
        (false, Permission::ReadOnly, true)
    );
    assert!(s1.has_tag(&ours) && s1.has_tag(&layer) && s2.has_tag(&ours) && !s2.has_tag(&layer));
    assert_eq!(s1.origin.as_ref(), Some(base.lv()));
    assert!(all.iter().all(|lv| lv.external_origin(&all).is_none()));
    assert!(s1.created_seconds.unwrap() > 1_700_000_000 && s1.created_seconds <= s2.created_seconds);
    let target = thin_target(exec, &base).unwrap();
    assert_eq!((Some(target.thin_id), target.external_origin), (base_lv.thin_id, None));

    // Activation: what was inactive is so again.
    let active = Activation::ensure(exec, s1, options()).unwrap();
    assert!(active.path().exists());
    active.release().unwrap();
    assert!(!volume(exec, &s1.name).unwrap().attr.is_active());
    assert_eq!(thin_target(exec, &s1.name).unwrap_err().kind(), Kind::Environment);

    // The metadata snapshot and what is read from it.
    let held = MetadataSnapshot::reserve(exec, pool_lv, state, patience).unwrap();
    let (old, new) = (s1.thin_id.unwrap(), s2.thin_id.unwrap());
    let read = |mut running: Box<dyn lvm_cmd::Running>| {
        let mut text = String::new();
        running.stdout().unwrap().read_to_string(&mut text).unwrap();
        running.wait().map(|()| text)
    };
    let delta = read(spawn_delta(exec, pool_lv, old, new).unwrap()).unwrap();
    for part in
        [r#"<different begin="1" length="1"/>"#, r#"<right_only begin="9" length="1"/>"#, r#"left="2" right="3""#]
    {
        assert!(delta.contains(part), "{delta}");
    }
    assert!(delta.contains(&format!(r#"transaction="{}""#, held.transaction_ids().start())), "{delta}");
    let dump = read(spawn_dump(exec, pool_lv, old).unwrap()).unwrap();
    assert!(dump.contains(r#"<device dev_id="2" mapped_blocks="4""#), "{dump}");
    let unknown = lvm_cmd::ThinId::new(4711).unwrap();
    let error = read(spawn_delta(exec, pool_lv, old, unknown).unwrap()).unwrap_err();
    assert!(error.stderr().contains("Unable to find mapping tree for snap2 (4711)"), "{error}");
    held.release().unwrap();

    // Somebody else's reservation is left alone.
    let message = |text: &str| Command::new(Program::Dmsetup).args(["message", &pool.dm_pool_name(), "0", text]);
    exec.run(&message("reserve_metadata_snap")).unwrap();
    let error = MetadataSnapshot::reserve(exec, pool_lv, state, patience).unwrap_err();
    assert!(matches!(error, ReserveError::Held { .. }), "{error}");
    exec.run(&message("release_metadata_snap")).unwrap();
    let held = MetadataSnapshot::reserve(exec, pool_lv, state, patience).unwrap();
    exec.run(&message("release_metadata_snap")).unwrap();
    held.release().unwrap_err();

    // Changes, also of what is active, and of what is so already.
    let read_only = Change { permission: Some(Permission::ReadOnly), ..Change::default() };
    change(exec, &base, &Change { remove_tags: &tags[1..], skip_activation: Some(true), ..read_only }).unwrap();
    change(exec, &base, &Change { add_tags: &tags[1..], ..read_only }).unwrap();
    let base_lv = volume(exec, &base).unwrap();
    assert_eq!((base_lv.attr.permission(), base_lv.attr.skips_activation()), (Permission::ReadOnly, true));
    assert!(base_lv.has_tag(&layer));
    rename(exec, &base, &base_lv.uuid, &name("renamed")).unwrap();
    let renamed = lv("renamed");
    for (size, extents) in [(32 << 20, 8), (32 << 20, 8), (16 << 20, 4), ((16 << 20) + 1, 5)] {
        resize(exec, &renamed, Bytes::new(size)).unwrap();
        assert_eq!(volume(exec, &renamed).unwrap().size, Bytes::new(extents * (4 << 20)));
    }
    resize(exec, &lv("s1"), Bytes::new(8 << 20)).unwrap();
    let s1 = volume(exec, &lv("s1")).unwrap();
    assert_eq!((s1.size, s1.attr.is_active()), (Bytes::new(8 << 20), false));

    // Only what has the tag is removed, active or not.
    assert_eq!(remove(exec, &lv("s2"), &layer).unwrap_err().kind(), Kind::Invalid);
    remove(exec, &lv("s2"), &ours).unwrap();
    remove(exec, &lv("s1"), &layer).unwrap();
    remove(exec, &renamed, &ours).unwrap();
    assert_eq!(remove(exec, &renamed, &ours).unwrap_err().kind(), Kind::NotFound);
    let left = volumes(exec, pool.vg()).unwrap();
    assert_eq!(left.iter().map(|lv| &lv.name).collect::<Vec<_>>(), [&pool]);

    // What is not there.
    assert_eq!(volumes(exec, &"nowhere".parse().unwrap()).unwrap_err().kind(), Kind::NotFound);
    for error in [
        rename(exec, &renamed, &base_lv.uuid, &name("x")).unwrap_err(),
        resize(exec, &renamed, Bytes::new(1)).unwrap_err(),
        change(exec, &renamed, &read_only).unwrap_err(),
    ] {
        assert!(error.is_gone() && error.kind() == Kind::NotFound, "{}", crate::chain(&error));
    }
    create_snapshot(exec, &renamed, &name("x"), &frozen).unwrap_err();
    create_thin(exec, &renamed, &name("x"), Bytes::new(1), &frozen).unwrap_err();
}

#[test]
fn replay() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(TRANSCRIPT)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("my--vg-s1"), "").unwrap();
    let state = StateDir::new(folder.path().join("state")).unwrap();
    scenario(&Scripted::from_transcript(&text).unwrap(), &state, folder.path(), |_, _| {});
}

#[test]
#[ignore = "needs root and a volume group `my-vg`: see tests/transcripts/record.sh"]
fn vm_record() {
    let out = std::env::var_os("TRANSCRIPT").expect("where to write the transcript");
    // Not in /tmp, which may be a tmpfs.
    let folder = tempfile::tempdir_in(lvm_cmd::DEFAULT_SCRATCH_DIR).unwrap();
    self_test(&Host::new(), folder.path(), MetadataTool::ThinDelta).unwrap();
    let exec = Recording::new(Host::new());
    let state = StateDir::new(folder.path().join("state")).unwrap();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        scenario(&exec, &state, Path::new("/dev/mapper"), |node, chunks| {
            let file = fs::File::options().write(true).open(node).unwrap();
            for chunk in chunks {
                file.write_all_at(&[0xa5; 65536], chunk * 65536).unwrap();
            }
            file.sync_all().unwrap();
        });
    }));
    fs::write(out, exec.transcript()).unwrap();
    result.unwrap();
}

/// Where the run that is to be killed says that it has reserved.
const MARK: &str = "MARK";

#[test]
#[ignore = "part of `vm_recover`: reserves and waits to be killed"]
fn vm_hold() {
    let mark = std::path::PathBuf::from(std::env::var_os(MARK).expect("run by `vm_recover`"));
    let exec = Host::new();
    let pool = volume(&exec, &"my-vg/my-pool".parse().unwrap()).unwrap();
    let state = StateDir::new(mark.with_extension("state")).unwrap();
    let _held = MetadataSnapshot::reserve(&exec, &pool, &state, Patience::new(Duration::ZERO)).unwrap();
    fs::write(mark, "").unwrap();
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
#[ignore = "needs root and a volume group `my-vg`: see tests/transcripts/record.sh"]
fn vm_recover() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "real::vm_hold"])
        .env(MARK, &mark)
        .spawn()
        .unwrap();
    while !mark.exists() {
        assert!(child.try_wait().unwrap().is_none(), "ended before it reserved");
        std::thread::sleep(Duration::from_millis(50));
    }
    let exec = Host::new();
    let pool = volume(&exec, &"my-vg/my-pool".parse().unwrap()).unwrap();
    let held_root = || pool_status(&exec, &pool.name).unwrap().held_root;
    let reserve = |name: &str| {
        let state = StateDir::new(folder.path().join(name)).unwrap();
        MetadataSnapshot::reserve(&exec, &pool, &state, Patience::new(Duration::ZERO))
    };
    let root = held_root();
    assert!(root.is_some());
    // While it lives: locked. For whoever has another folder: somebody else's.
    assert_eq!(reserve("mark.state").unwrap_err().kind(), Kind::Busy);
    assert!(matches!(reserve("other").unwrap_err(), ReserveError::Held { .. }));
    assert_eq!(held_root(), root);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(held_root(), root);
    assert!(matches!(reserve("other").unwrap_err(), ReserveError::Held { .. }));
    reserve("mark.state").unwrap().release().unwrap();
    assert_eq!(held_root(), None);
}
