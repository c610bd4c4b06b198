//! Who may work beside whom.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use store::limits::{LOCK_REFRESH, LOCK_STALE, LOCK_STEPS_BACK};
use store::{Encoding, Error, ErrorKind, LockKind, Options, ReadBack, Store};

use crate::kit::{Place, begin, draft, edit, get, holder, id, now, on_both, put, series, wait};

fn other(place: &Place, change: impl FnOnce(&mut Options)) -> Store {
    let mut options = place.options.clone();
    options.holder.pid = 99;
    change(&mut options);
    Store::open(&place.location, &options).unwrap()
}

#[test]
fn who_shares_shares_and_who_excludes_excludes() {
    on_both(|place| {
        let (store, other) = (place.init(), other(place, |_| {}));
        let first = store.lock_shared().unwrap();
        let second = other.lock_shared().unwrap();
        let refused = other.lock_exclusive().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Locked);
        assert!(matches!(&refused, Error::Locked(lock) if lock.kind == LockKind::Shared), "{refused}");
        for word in ["a test", "here", "2026-11-21T03"] {
            assert!(format!("{refused}").contains(word), "{refused} lacks {word}");
        }
        // Whichever is seen first.
        assert!(["process 1234", "process 99"].iter().any(|word| refused.to_string().contains(word)), "{refused}");
        assert!(refused.hint().unwrap().contains("lvbackup unlock"));
        drop((first, second));
        let alone = store.lock_exclusive().unwrap();
        assert_eq!(other.lock_shared().unwrap_err().kind(), ErrorKind::Locked);
        assert_eq!(other.lock_exclusive().unwrap_err().kind(), ErrorKind::Locked);
        drop(alone);
        assert!(place.files().iter().all(|file| !file.starts_with("locks/")), "{:?}", place.files());
        drop(other.lock_shared().unwrap());
    });
}

#[test]
fn a_lock_counts_while_it_is_refreshed() {
    on_both(|place| {
        let (store, other) = (place.init(), other(place, |_| {}));
        let lock = store.lock_shared().unwrap();
        wait(LOCK_STALE);
        assert!(other.lock_exclusive().is_err(), "not a second too early");
        lock.refresh().unwrap();
        wait(LOCK_STALE);
        assert!(other.lock_exclusive().is_err(), "refreshed");
        wait(Duration::from_secs(1));
        let taken = other.lock_exclusive().unwrap();
        assert!(matches!(lock.refresh(), Err(Error::LockLost { .. })));
        assert!(matches!(lock.refresh(), Err(Error::LockLost { .. })), "it does not come back");
        drop(lock);
        drop(taken);
        assert!(LOCK_REFRESH * 3 < LOCK_STALE);
    });
}

#[test]
fn the_lock_of_a_dead_process_of_this_machine_is_dead_at_once() {
    on_both(|place| {
        let store = place.init();
        std::mem::forget(store.lock_exclusive().unwrap());
        let elsewhere = other(place, |options| {
            options.holder.host = "elsewhere".into();
            options.is_alive = Arc::new(|_| false);
        });
        assert!(elsewhere.lock_shared().is_err(), "nobody can see from there");
        let rebooted = other(place, |options| {
            options.holder.boot_id = "boot-2".into();
            options.is_alive = Arc::new(|_| false);
        });
        assert!(rebooted.lock_shared().is_err(), "two machines may have one name");
        for namespace in ["pid:[4026532001]", ""] {
            let contained = other(place, |options| {
                options.holder.pid_namespace = namespace.into();
                options.is_alive = Arc::new(|_| false);
            });
            assert!(contained.lock_shared().is_err(), "a container has process numbers of its own");
        }
        assert!(other(place, |_| {}).lock_shared().is_err(), "it lives");
        let here = other(place, |options| options.is_alive = Arc::new(|pid| pid != 1234));
        let (locks, unknown) = here.locks().unwrap();
        assert!(locks[0].dead && unknown.is_empty());
        assert_eq!((locks[0].holder.clone(), locks[0].created), (holder(), now()));
        drop(here.lock_exclusive().unwrap());
        assert!(here.locks().unwrap().0.is_empty(), "the dead one was removed");
    });
}

#[test]
fn who_lost_the_lock_adds_nothing() {
    on_both(|place| {
        let (store, other) = (place.init(), other(place, |_| {}));
        let lock = store.lock_shared().unwrap();
        let mut writer = begin(&store, &lock, "a", &Encoding::default());
        writer.write_all(b"too late").unwrap();
        let (locks, _) = other.locks().unwrap();
        other.remove_lock(&locks[0]).unwrap();
        let exclusive = other.lock_exclusive().unwrap();
        other.remove_garbage(&exclusive).unwrap();
        let refused = writer.finish(draft(None), ReadBack::Length).unwrap_err();
        assert!(matches!(refused, Error::LockLost { .. }), "{refused:?}");
        drop(exclusive);
        assert!(store.list(None).unwrap().layers().is_empty());
        put(&store, "b", None, b"b");
        // Whoever took the lock may have looked for marks already.
        let marked = store.hold(&lock, &series(), &id("b"));
        assert!(matches!(marked, Err(Error::LockLost { .. })), "{marked:?}");
        assert_eq!(store.garbage().unwrap(), []);
        let stored = put(&store, "a", None, b"again");
        assert_eq!(get(&store, &stored).unwrap(), b"again");
    });
}

/// A lock that was removed for dead just before it was written again: who took the store meanwhile has it.
#[test]
fn who_comes_back_beside_somebody_alone_has_lost() {
    on_both(|place| {
        let elsewhere = Place::folder();
        let theirs = elsewhere.init().lock_exclusive().unwrap();
        let (from, key) =
            (elsewhere.file(&format!("locks/{}.json", theirs.id())), format!("locks/{}.json", theirs.id()));
        let store = place.init();
        let lock = store.lock_shared().unwrap();
        let ours = format!("locks/{}.json", lock.id());

        // Somebody who has only just come steps back.
        std::fs::copy(&from, place.file(&key)).unwrap();
        let file = place.file(&key);
        let steps_back = std::thread::spawn(move || {
            std::thread::sleep(LOCK_STEPS_BACK / 4);
            std::fs::remove_file(file).unwrap();
        });
        lock.refresh().unwrap();
        steps_back.join().unwrap();

        std::fs::copy(&from, place.file(&key)).unwrap();
        assert!(matches!(lock.refresh(), Err(Error::LockLost { .. })));
        assert!(!place.files().contains(&ours), "it is out of the way");
        std::fs::remove_file(place.file(&key)).unwrap();
        assert!(matches!(lock.refresh(), Err(Error::LockLost { .. })), "it does not come back");
    });
}

#[test]
fn a_writer_keeps_the_lock_that_it_was_begun_under() {
    let place = Place::folder();
    let store = place.init();
    let lock = store.lock_shared().unwrap();
    let writer = begin(&store, &lock, "a", &Encoding::default());
    drop(lock);
    assert!(store.lock_exclusive().is_err());
    drop(writer);
    drop(store.lock_exclusive().unwrap());
}

#[test]
fn a_lock_that_is_not_understood_is_not_passed_by() {
    on_both(|place| {
        let store = place.init();
        drop(store.lock_shared().unwrap());
        let name = "locks/0123456789abcdef.json";
        std::fs::create_dir_all(place.file("locks")).unwrap();
        std::mem::forget(store.lock_shared().unwrap());
        let [real] = &place.files().into_iter().filter(|f| f.starts_with("locks/")).collect::<Vec<_>>()[..] else {
            panic!("{:?}", place.files())
        };
        std::fs::rename(place.file(real), place.file(name)).unwrap();
        store.locks().unwrap();
        for (from, to) in [("\"version\": 1", "\"version\": 2"), ("shared", "friendly"), ("\"host\"", "\"guest\"")] {
            let right = std::fs::read_to_string(place.file(name)).unwrap();
            edit(&place.file(name), |bytes| *bytes = right.replace(from, to).into());
            let refused = store.lock_shared().unwrap_err();
            assert!(matches!(refused, Error::UnknownLock { .. }), "{to}: {refused:?}");
            edit(&place.file(name), |bytes| *bytes = right.into());
        }
        std::fs::rename(place.file(name), place.file("locks/what.txt")).unwrap();
        assert!(matches!(store.lock_shared(), Err(Error::UnknownLock { .. })));
        let (_, unknown) = store.locks().unwrap();
        store.remove_unknown_lock(&unknown[0]).unwrap();
        drop(store.lock_shared().unwrap());
    });
}

#[test]
fn of_many_who_want_it_alone_one_at_most_has_it() {
    let place = Place::folder();
    place.init();
    let stores: Vec<_> = (0..6).map(|_| place.open().unwrap()).collect();
    let start = std::sync::Barrier::new(stores.len());
    let had: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = stores
            .iter()
            .map(|store| {
                scope.spawn(|| {
                    start.wait();
                    let taken = store.lock_exclusive().ok();
                    start.wait();
                    usize::from(taken.is_some())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(had <= 1, "{had} have it");
}
