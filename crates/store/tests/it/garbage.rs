//! What runs that died leave.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use store::limits::LOCK_STALE;
use store::{Encoding, Garbage, Identities, Options, ReadBack, Store};

use crate::kit::{Place, begin, draft, get, id, noise, on_both, put, series, wait};

/// The store as another process sees it that knows this one to be dead.
fn after_death(place: &Place) -> Store {
    let mut options = Options { is_alive: Arc::new(|pid| pid != 1234), ..place.options.clone() };
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
    let [half, mark] = &garbage[..] else { panic!("{garbage:?}") };
    assert!(half.key.ends_with("#1") && mark.key.contains("/pending-"), "{garbage:?}");
    let exclusive = later.lock_exclusive().unwrap();
    assert_eq!(later.remove_garbage(&exclusive).unwrap(), garbage);
    assert_eq!(later.remove_garbage(&exclusive).unwrap(), []);
    drop(exclusive);
    let stored = put(&later, "a", None, b"again");
    assert_eq!(get(&later, &stored).unwrap(), b"again");
    assert_eq!(get(&later, &kept).unwrap(), b"kept");
}

/// A name that ends in `#N` is ours only if the rest of it is a key.
#[test]
fn only_half_files_of_keys_are_collected() {
    let place = Place::folder();
    let store = place.init();
    let layer = put(&store, "kept", None, b"kept").layer.key;
    let ours = [
        "hyperlayer-store.json#1".to_owned(),
        format!("{layer}#2"),
        "locks/0123456789abcdef.json#1".to_owned(),
        "manifests/vg=2Fhome/kept.json#10".to_owned(),
        "marks/vg=2Fhome/kept/hold#1".to_owned(),
        "marks/vg=2Fhome/kept/tag-x#1".to_owned(),
    ];
    let theirs = [
        "hyperlayer-store.json#0",
        "notes#1",
        "locks/notes#1",
        "locks/0123456789abcdef#1",
        "manifests/vg=2Fhome/notes#1",
        "manifests/vg=2Fhome/kept.json#01",
        "manifests/vg=2Fhome/kept.json#99999999999999999999",
        "marks/vg=2Fhome/kept/note#1",
        "layers/vg=2Fhome/kept.hl#1",
    ];
    for name in ours.iter().map(String::as_str).chain(theirs) {
        std::fs::create_dir_all(place.file(name).parent().unwrap()).unwrap();
        std::fs::write(place.file(name), "half").unwrap();
    }
    // The lock of the run that made the layer is gone.
    let mut found: Vec<_> = store.garbage().unwrap().into_iter().map(|one| one.key).collect();
    found.sort();
    assert_eq!(found, ours);
    store.remove_garbage(&store.lock_exclusive().unwrap()).unwrap();
    assert!(ours.iter().all(|name| !place.file(name).exists()));
    assert!(theirs.iter().all(|name| place.file(name).exists()));
}

/// The loss of a manifest must not become the loss of the layer.
#[test]
fn an_object_without_a_manifest_is_no_garbage() {
    on_both(|place| {
        let store = place.init();
        let (kept, gone) = (put(&store, "kept", None, b"kept"), put(&store, "gone", None, b"gone"));
        let above = put(&store, "above", Some("gone"), b"above");
        let lock = store.lock_shared().unwrap();
        for layer in ["kept", "gone"] {
            store.hold(&lock, &series(), &id(layer)).unwrap();
        }
        drop(lock);
        assert!(store.check().unwrap().is_sound());
        std::fs::remove_file(place.file("manifests/vg=2Fhome/gone.json")).unwrap();
        let before = place.files();
        assert_eq!(store.remove_garbage(&store.lock_exclusive().unwrap()).unwrap(), []);
        assert_eq!(place.files(), before);
        let report = store.check().unwrap();
        assert!(!report.is_sound());
        let [unlisted] = &report.leftovers.unlisted[..] else { panic!("{:?}", report.leftovers) };
        assert_eq!((&unlisted.key, unlisted.len), (&gone.layer.key, gone.layer.object.len));

        let mut reader = store.read_unlisted(unlisted, &Identities::none()).unwrap();
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"gone");
        let facts = reader.facts();
        let lock = store.lock_shared().unwrap();
        let again = store.list_again(&lock, unlisted, facts, draft(None)).unwrap();
        drop(lock);
        assert_eq!(again.layer, gone.layer);
        let report = store.check().unwrap();
        assert!(report.is_sound(), "{report:?}");
        assert_eq!(report.listing.layers().iter().filter(|stored| stored.held).count(), 2, "its marks stayed");
        for (stored, bytes) in [(&kept, "kept"), (&gone, "gone"), (&above, "above")] {
            assert_eq!(get(&store, stored).unwrap(), bytes.as_bytes());
        }
    });
}

/// A copy of a store that was broken off: objects without manifests, or marks alone.
#[test]
fn a_store_that_is_half_copied_is_neither_sound_nor_emptied() {
    on_both(|place| {
        let store = place.init();
        put(&store, "a", None, b"a");
        put(&store, "b", Some("a"), b"b");
        store.hold(&store.lock_shared().unwrap(), &series(), &id("b")).unwrap();
        for missing in ["manifests", "layers"] {
            std::fs::remove_dir_all(place.file(missing)).unwrap();
            let before = place.files();
            assert!(!store.check().unwrap().is_sound(), "without {missing}");
            assert_eq!(store.remove_garbage(&store.lock_exclusive().unwrap()).unwrap(), []);
            assert_eq!(place.files(), before);
        }
        store.remove_leftovers(&store.lock_exclusive().unwrap()).unwrap();
        assert!(store.check().unwrap().is_sound());
    });
}

/// The object that a merge wrote, and the one that it replaced: whichever the manifest names stays.
#[test]
fn of_two_objects_of_a_layer_the_one_that_is_not_named_is_garbage() {
    on_both(|place| {
        let store = place.init();
        let old = put(&store, "a", None, b"old");
        let other = old.layer.key.replace("-0.hl", "-77.hl");
        std::fs::write(place.file(&other), "other").unwrap();
        assert_eq!(store.garbage().unwrap(), [Garbage { key: other.clone(), len_bytes: Some(5) }]);
        // Not while the named one is damaged.
        std::fs::write(place.file(&old.layer.key), "ol").unwrap();
        assert_eq!(store.garbage().unwrap(), []);
        assert_eq!(store.check().unwrap().leftovers.unlisted[0].key, other);
    });
}

/// A run that died before its manifest, or in the middle of a removal, said so before.
#[test]
fn what_a_dead_run_left_is_collected() {
    on_both(|place| {
        let store = place.init();
        let stored = put(&store, "a", None, b"a");
        let manifest = place.file("manifests/vg=2Fhome/a.json");
        let text = std::fs::read(&manifest).unwrap();
        let attempt = stored.layer.key.split('.').nth(1).unwrap();
        let pending = format!("marks/vg=2Fhome/a/pending-{attempt}");
        let mark = |name: &str| {
            std::fs::create_dir_all(place.file("marks/vg=2Fhome/a")).unwrap();
            std::fs::write(place.file(name), "").unwrap();
        };
        mark(&pending);
        mark("marks/vg=2Fhome/a/tag-x");
        let keys = || -> Vec<_> { store.garbage().unwrap().into_iter().map(|one| one.key).collect() };
        assert_eq!(keys(), [pending.as_str()], "the layer is there");
        std::fs::remove_file(&manifest).unwrap();
        assert_eq!(keys(), [&stored.layer.key, pending.as_str(), "marks/vg=2Fhome/a/tag-x"]);
        std::fs::write(&manifest, &text).unwrap();
        store.remove_garbage(&store.lock_exclusive().unwrap()).unwrap();
        assert_eq!(get(&store, &store.list(None).unwrap().layers()[0].clone()).unwrap(), b"a");

        mark(&pending);
        std::fs::remove_file(&manifest).unwrap();
        let lock = store.lock_exclusive().unwrap();
        assert_eq!(store.remove_garbage(&lock).unwrap().len(), 3);
        drop(lock);
        assert_eq!(place.files(), ["hyperlayer-store.json"]);
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
        std::fs::create_dir_all(place.file("marks/vg=2Fhome/x")).unwrap();
        std::fs::write(place.file(&format!("marks/vg=2Fhome/x/pending-{}-7", lock.id())), "").unwrap();
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
