//! What runs that died leave.

use std::io::Write;
use std::time::Duration;

use store::limits::LOCK_STALE;
use store::{Encoding, Garbage, Options, ReadBack, Store};

use crate::kit::{Place, begin, draft, get, id, noise, on_both, put, series, wait};

/// The store as another process sees it that knows this one to be dead.
fn after_death(place: &Place) -> Store {
    let mut options = Options { is_alive: |pid| pid != 1234, ..place.options.clone() };
    options.holder.pid = 99;
    Store::open(&place.location, &options).unwrap()
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    on_both(|place| {
        let store = place.init();
        let lock = store.lock_shared().unwrap();
        for zstd_level in [None, Some(1)] {
            let mut writer = begin(&store, &lock, "a", &Encoding { zstd_level, ..Encoding::default() });
            writer.write_all(&noise(30 << 20, 1)).unwrap();
            drop(writer);
        }
        drop(lock);
        let left: Vec<_> = place.files().into_iter().filter(|file| file.starts_with("layers/")).collect();
        assert_eq!(left, [] as [&str; 0]);
        assert_eq!(store.garbage().unwrap(), []);
    });
}

#[test]
fn half_a_file_of_a_killed_run_is_collected_and_that_of_a_live_one_is_not() {
    let place = Place::folder();
    let store = place.init();
    let kept = put(&store, "kept", None, b"kept");
    let lock = store.lock_shared().unwrap();
    let mut writer = begin(&store, &lock, "a", &Encoding::default());
    writer.write_all(&noise(30 << 20, 1)).unwrap();
    assert_eq!(store.garbage().unwrap(), [], "it lives");
    // As if it was killed.
    std::mem::forget((writer, lock));
    let later = after_death(&place);
    let garbage = later.garbage().unwrap();
    assert!(matches!(&garbage[..], [half] if half.key.ends_with("#1")), "{garbage:?}");
    let exclusive = later.lock_exclusive().unwrap();
    assert_eq!(later.remove_garbage(&exclusive).unwrap(), garbage);
    assert_eq!(later.remove_garbage(&exclusive).unwrap(), []);
    drop(exclusive);
    let stored = put(&later, "a", None, b"again");
    assert_eq!(get(&later, &stored).unwrap(), b"again");
    assert_eq!(get(&later, &kept).unwrap(), b"kept");
}

#[test]
fn an_object_without_a_manifest_is_collected_with_its_marks() {
    on_both(|place| {
        let store = place.init();
        let (kept, gone) = (put(&store, "kept", None, b"kept"), put(&store, "gone", None, b"gone"));
        for layer in ["kept", "gone"] {
            store.hold(&series(), &id(layer)).unwrap();
        }
        std::fs::remove_file(place.file("manifests/vg=2Fhome/gone.json")).unwrap();
        let expected = [
            Garbage { key: gone.layer.key.clone(), len_bytes: Some(4) },
            Garbage { key: "marks/vg=2Fhome/gone/hold".into(), len_bytes: Some(0) },
        ];
        let lock = store.lock_shared().unwrap();
        assert_eq!(store.garbage().unwrap(), expected[..1], "while somebody writes, a mark may be of a layer to come");
        drop(lock);
        assert_eq!(store.garbage().unwrap(), expected);
        let report = store.check().unwrap();
        assert!(report.is_sound(), "garbage does no harm: {:?}", report.problems);
        store.remove_garbage(&store.lock_exclusive().unwrap()).unwrap();
        assert_eq!(store.garbage().unwrap(), []);
        let listing = store.list(None).unwrap();
        assert!(listing.layers()[0].held);
        assert_eq!(get(&store, &kept).unwrap(), b"kept");
    });
}

#[test]
fn a_run_that_is_cut_off_for_long_is_taken_for_dead() {
    on_both(|place| {
        let store = place.init();
        let lock = store.lock_shared().unwrap();
        let mut writer = begin(&store, &lock, "a", &Encoding::default());
        writer.write_all(&noise(9 << 20, 1)).unwrap();
        let object = place.file("layers/vg=2Fhome").join(format!("x.{}-7.hl", lock.id()));
        std::fs::create_dir_all(object.parent().unwrap()).unwrap();
        std::fs::write(object, "of a live run").unwrap();
        assert_eq!(store.garbage().unwrap(), []);
        wait(LOCK_STALE + Duration::from_secs(1));
        let found = store.garbage().unwrap();
        assert!(found.iter().any(|garbage| garbage.key.contains("/x.")), "{found:?}");
        // It comes back in time, before anybody collected.
        lock.refresh().unwrap();
        assert_eq!(store.garbage().unwrap(), []);
        writer.finish(draft(None), ReadBack::Data).unwrap();
    });
}

/// Neither what somebody else put beside the marks, nor what a link in a hostile folder leads to.
#[test]
fn what_is_not_the_stores_stays() {
    let place = Place::folder();
    let store = place.init();
    let stored = put(&store, "a", None, b"a");
    let outside = tempfile::tempdir().unwrap();
    let theirs =
        [outside.path().join("a/hold"), place.file("marks/x/a/README"), place.file("marks/vg=2Fhome/a/README")];
    for file in &theirs {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "theirs").unwrap();
    }
    let lock = store.lock_exclusive().unwrap();
    assert_eq!(store.remove_garbage(&lock).unwrap(), []);
    let mut listing = store.list(None).unwrap();
    store.remove(&lock, &mut listing, &stored.layer.series, &stored.layer.layer).unwrap();
    std::os::unix::fs::symlink(outside.path(), place.file("marks/y")).unwrap();
    let error = store.remove_garbage(&lock).unwrap_err();
    assert_eq!(error.kind(), store::ErrorKind::Refused, "{error:?}");
    for file in &theirs {
        assert!(file.exists(), "{}", file.display());
    }
}
