//! What goes in comes out, with its marks, in chains.

use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use extents::{Bytes, Extent};
use proptest::prelude::*;
use store::{ChainError, Encoding, Error, ErrorKind, ReadBack, Series, Tag, Wrapping, sample};

use crate::kit::{Place, begin, draft, get, get_with, id, noise, now, on_both, put, put_as, series, wait};

#[test]
fn comes_back_as_it_went_in() {
    on_both(|place| {
        let store = place.init();
        let lens = [0, 1, 8 << 20, (8 << 20) + 1, (20 << 20) + 12345];
        for (n, len) in lens.into_iter().enumerate() {
            let bytes = noise(len, n as u64);
            for zstd_level in [None, Some(1)] {
                let encoding = Encoding { zstd_level, ..Encoding::default() };
                let name = format!("{n}-{zstd_level:?}").replace(['(', ')'], "-");
                let stored = put_as(&store, &name, None, &bytes, &encoding);
                assert_eq!(stored.layer.stream.len, Bytes::from(len));
                assert_eq!(stored.layer.stream.blake3, blake3::hash(&bytes));
                assert_eq!(stored.layer.wrapping, Wrapping { zstd: zstd_level.is_some(), age: false });
                assert!(get(&store, &stored).unwrap() == bytes, "{len} bytes, zstd {zstd_level:?}");
                store.verify(&stored).unwrap();
                let object = std::fs::read(place.file(&stored.layer.key)).unwrap();
                assert_eq!(blake3::hash(&object), stored.layer.object.blake3);
            }
        }
        let listing = place.open().unwrap().list(None).unwrap();
        assert_eq!((listing.layers().len(), listing.problems.as_slice()), (2 * lens.len(), [].as_slice()));
    });
}

#[test]
fn says_again_what_was_said_of_it() {
    on_both(|place| {
        let store = place.init();
        let tags = [Tag::new("vor dem Umzug").unwrap(), Tag::new("ü/..=%").unwrap()];
        let lock = store.lock_shared().unwrap();
        let mut draft = draft(Some("older"));
        draft.tags.extend(tags.clone());
        draft.tool = "lvbackup 9.9".into();
        let mut writer = begin(&store, &lock, "newer", &Encoding::default());
        writer.write_all(b"stream").unwrap();
        let written = writer.finish(draft.clone(), ReadBack::Length).unwrap();

        let listing = place.open().unwrap().list(Some(&series())).unwrap();
        let [found] = listing.layers()[..] else { panic!("{listing:?}") };
        assert_eq!(*found, written);
        let layer = &found.layer;
        assert_eq!((&layer.parent, layer.created, layer.volume_size), (&Some(id("older")), now(), draft.volume_size));
        assert_eq!((layer.chunk_size, layer.totals, &layer.tool), (draft.chunk_size, draft.totals, &draft.tool));
        assert_eq!(found.tags, tags.into());
        assert_eq!(store.read_range(found, Extent::new(Bytes::new(2), Bytes::new(3)).unwrap()).unwrap(), b"rea");
        assert!(store.list(Some(&Series::new("vg").unwrap())).unwrap().layers().is_empty());
    });
}

#[test]
fn marks_come_and_go() {
    on_both(|place| {
        let store = place.init();
        put(&store, "a", None, b"1");
        let (layer, tag) = (id("a"), Tag::new("keep").unwrap());
        let marks = || {
            let listing = store.list(None).unwrap();
            let found = listing.find(&series(), &layer).unwrap();
            (found.held, found.tags.len())
        };
        store.hold(&store.lock_shared().unwrap(), &series(), &layer).unwrap();
        store.hold(&store.lock_shared().unwrap(), &series(), &layer).unwrap();
        store.tag(&store.lock_shared().unwrap(), &series(), &layer, &tag).unwrap();
        assert_eq!(marks(), (true, 1));
        store.unhold(&store.lock_shared().unwrap(), &series(), &layer).unwrap();
        assert_eq!(marks(), (false, 1));
        store.untag(&store.lock_shared().unwrap(), &series(), &layer, &tag).unwrap();
        store.untag(&store.lock_shared().unwrap(), &series(), &layer, &tag).unwrap();
        assert_eq!(marks(), (false, 0));
        let lock = store.lock_shared().unwrap();
        for refused in [store.hold(&lock, &series(), &id("b")), store.untag(&lock, &series(), &id("b"), &tag)] {
            assert!(matches!(refused, Err(Error::NoLayer { .. })), "{refused:?}");
        }
    });
}

#[test]
fn a_chain_is_found_or_said_to_be_broken() {
    let place = Place::folder();
    let store = place.init();
    for (layer, parent) in [("a", None), ("b", Some("a")), ("c", Some("b")), ("d", Some("gone")), ("e", Some("d"))] {
        put(&store, layer, parent, layer.as_bytes());
        wait(Duration::from_secs(60));
    }
    for (layer, parent) in [("x", "y"), ("y", "x")] {
        put(&store, layer, Some(parent), b"");
    }
    let listing = store.list(None).unwrap();
    let names = |layer: &str| -> Result<Vec<_>, ChainError> {
        let chain = listing.chain(&series(), &id(layer))?;
        Ok(chain.iter().map(|stored| stored.layer.layer.to_string()).collect())
    };
    assert_eq!(names("c").unwrap(), ["c", "b", "a"]);
    assert_eq!(names("a").unwrap(), ["a"]);
    assert!(matches!(names("nobody"), Err(ChainError::NoLayer { .. })));
    assert!(matches!(names("x"), Err(ChainError::Circle { .. })));
    let missing = ChainError::Missing { series: series(), child: id("d"), missing: id("gone") };
    assert_eq!(names("e").unwrap_err(), missing);
    assert!(listing.broken().contains(&missing));
    // `e` is broken for the same reason as `d`; `x` and `y` are one circle.
    assert_eq!(listing.broken().len(), 2, "{:?}", listing.broken());

    let at = |seconds| listing.at(&series(), now() - Duration::from_secs(seconds)).map(|s| s.layer.layer.to_string());
    assert_eq!(at(5 * 60).as_deref(), Some("a"));
    assert_eq!(at(3 * 60 + 1).as_deref(), Some("b"));
    assert_eq!(at(5 * 60 + 1), None);
    assert_eq!(listing.children(&series(), &id("a")).len(), 1);
}

#[test]
fn reading_back_is_told_and_can_be_stopped() {
    on_both(|place| {
        let store = place.init();
        let lock = store.lock_shared().unwrap();
        let told = Arc::new(AtomicU64::new(0));
        for stop_at in [8 << 20, u64::MAX] {
            let mut writer = begin(&store, &lock, "a", &Encoding::default());
            writer.write_all(&noise(20 << 20, 1)).unwrap();
            told.store(0, Ordering::Relaxed);
            let count = Arc::clone(&told);
            writer.watch(move |read| {
                let so_far = count.fetch_add(read.get(), Ordering::Relaxed) + read.get();
                if so_far >= stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            let finished = writer.finish(draft(None), ReadBack::Data);
            if stop_at == u64::MAX {
                assert_eq!(told.load(Ordering::Relaxed), 20 << 20);
                assert!(matches!(
                    store.verify_watched(&finished.unwrap(), |_| ControlFlow::Break(())),
                    Err(Error::Stopped)
                ));
            } else {
                assert!(matches!(finished, Err(Error::Stopped)), "{finished:?}");
                assert_eq!(told.load(Ordering::Relaxed), stop_at, "at once");
                assert!(place.files().iter().all(|file| !file.starts_with("layers/")), "{:?}", place.files());
                assert!(store.list(None).unwrap().layers().is_empty());
            }
        }
    });
}

/// Its parts are long, and their requests have more time.
#[test]
fn one_that_may_become_very_long_is_a_layer_as_others() {
    on_both(|place| {
        let store = place.init();
        let lock = store.lock_shared().unwrap();
        let at_most = extents::Bytes::new(1 << 40);
        let mut writer = store.begin(&lock, &series(), &id("a"), &Encoding::default(), at_most).unwrap();
        writer.write_all(b"short").unwrap();
        let stored = writer.finish(draft(None), ReadBack::Data).unwrap();
        assert_eq!(get(&store, &stored).unwrap(), b"short");
    });
}

#[test]
fn layers_are_not_written_over() {
    on_both(|place| {
        let store = place.init();
        let first = put(&store, "a", None, b"first");
        let lock = store.lock_shared().unwrap();
        let refused = store.begin(&lock, &series(), &id("a"), &Encoding::default(), Bytes::new(1)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Exists);
        assert_eq!(get(&store, &first).unwrap(), b"first");
    });
}

#[test]
fn of_two_who_write_one_layer_the_quicker_wins() {
    on_both(|place| {
        let (store, other) = (place.init(), place.open().unwrap());
        let (lock, others) = (store.lock_shared().unwrap(), other.lock_shared().unwrap());
        let mut slow = begin(&store, &lock, "a", &Encoding::default());
        let mut quick = begin(&other, &others, "a", &Encoding::default());
        slow.write_all(&noise(9 << 20, 1)).unwrap();
        quick.write_all(&noise(9 << 20, 2)).unwrap();
        let kept = quick.finish(draft(None), ReadBack::Data).unwrap();
        let refused = slow.finish(draft(None), ReadBack::Data).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Exists, "{refused}");
        assert!(get(&store, &kept).unwrap() == noise(9 << 20, 2));
        assert_eq!(store.garbage().unwrap(), []);
        assert_eq!(place.files().iter().filter(|file| file.starts_with("layers/")).count(), 1);
    });
}

#[test]
fn many_write_at_once() {
    on_both(|place| {
        place.init();
        std::thread::scope(|scope| {
            for n in 0..4_u64 {
                let store = place.open().unwrap();
                scope.spawn(move || put(&store, &format!("l{n}"), None, &noise(3 << 20, n)));
            }
        });
        let store = place.open().unwrap();
        let listing = store.list(None).unwrap();
        assert_eq!(listing.layers().len(), 4);
        for (n, stored) in listing.layers().into_iter().enumerate() {
            assert!(get(&store, stored).unwrap() == noise(3 << 20, n as u64));
        }
    });
}

#[test]
fn a_layer_is_replaced_with_its_marks() {
    on_both(|place| {
        let store = place.init();
        put(&store, "a", None, b"parent");
        let old = put(&store, "b", Some("a"), b"delta");
        store.hold(&store.lock_shared().unwrap(), &series(), &id("b")).unwrap();
        let lock = store.lock_exclusive().unwrap();
        let mut listing = store.list(None).unwrap();
        let held = listing.find(&series(), &id("b")).unwrap().clone();
        let mut writer = store.begin_replacing(&lock, &held, &Encoding::default(), Bytes::new(10)).unwrap();
        writer.write_all(b"merged").unwrap();
        assert_eq!(get(&store, &old).unwrap(), b"delta", "until then the old one is there");
        let new = writer.finish(draft(None), ReadBack::Data).unwrap();
        assert!(new.held);
        assert_eq!(get(&store, &new).unwrap(), b"merged");
        assert!(!place.file(&old.layer.key).exists());

        assert!(matches!(store.remove(&lock, &mut listing, &series(), &id("a")), Err(Error::Needed { .. })));
        let mut listing = store.list(None).unwrap();
        store.remove(&lock, &mut listing, &series(), &id("a")).unwrap();
        assert_eq!(store.list(None).unwrap().layers(), [&new]);
    });
}

#[test]
fn removing_leaves_nothing_and_spares_what_is_held() {
    on_both(|place| {
        let store = place.init();
        put(&store, "a", None, b"1");
        put(&store, "b", None, b"2");
        store.tag(&store.lock_shared().unwrap(), &series(), &id("a"), &Tag::new("t").unwrap()).unwrap();
        let lock = store.lock_exclusive().unwrap();
        let mut listing = store.list(None).unwrap();
        // A hold takes a lock, which the other one excludes; it is looked for all the same.
        assert_eq!(store.lock_shared().unwrap_err().kind(), ErrorKind::Locked);
        std::fs::create_dir_all(place.file("marks/vg=2Fhome/b")).unwrap();
        std::fs::write(place.file("marks/vg=2Fhome/b/hold"), "").unwrap();
        let held = store.remove(&lock, &mut listing, &series(), &id("b"));
        assert!(matches!(held, Err(Error::Held { .. })), "{held:?}");
        store.remove(&lock, &mut listing, &series(), &id("a")).unwrap();
        assert!(matches!(store.remove(&lock, &mut listing, &series(), &id("a")), Err(Error::NoLayer { .. })));
        drop(lock);
        let left: Vec<_> = place.files().into_iter().filter(|file| !file.contains("/b")).collect();
        assert_eq!(left, ["hyperlayer-store.json"], "{:?}", place.files());
        assert_eq!(store.list(None).unwrap().layers().len(), 1);
    });
}

#[test]
fn tells_of_what_it_sends() {
    let place = Place::folder();
    let store = place.init();
    let lock = store.lock_shared().unwrap();
    let mut writer = begin(&store, &lock, "a", &Encoding { zstd_level: Some(1), ..Encoding::default() });
    let told = Arc::new(AtomicU64::new(0));
    let count = told.clone();
    writer.pace(move |piece| {
        count.fetch_add(piece.get(), Ordering::Relaxed);
    });
    writer.write_all(&vec![0; 1 << 20]).unwrap();
    let stored = writer.finish(draft(None), ReadBack::Length).unwrap();
    assert_eq!(told.load(Ordering::Relaxed), stored.layer.object.len.get());
    assert!(stored.layer.object.len < Bytes::new(1 << 16), "zeros are compressed");
}

#[test]
fn a_sample_is_of_the_size_asked_for_and_seeds_cover_all() {
    let place = Place::folder();
    let store = place.init();
    for n in 0..10 {
        put(&store, &format!("l{n}"), None, b"x");
    }
    let listing = store.list(None).unwrap();
    let all = listing.layers();
    for (percent, count) in [(0, 1), (1, 1), (10, 1), (11, 2), (50, 5), (100, 10), (255, 10)] {
        assert_eq!(sample(&all, percent, 7).len(), count, "{percent} %");
    }
    let mut seen: Vec<_> = (0..100).flat_map(|seed| sample(&all, 10, seed)).map(|s| &s.layer.layer).collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 10);
    assert!(sample(&[], 50, 1).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Any stream, in pieces of any length, in any wrapping, is read in pieces of any length as it was.
    #[test]
    fn every_wrapping_gives_the_stream_back(
        len in prop_oneof![0..300_000_usize, Just(65536), Just(131_072), Just(65536 * 5 - 16)],
        write in 1..100_000_usize,
        read in 1..100_000_usize,
        zstd_level in proptest::option::of(1..4_i32),
        secret in proptest::bool::ANY,
    ) {
        let (recipients, identities) = crate::keys::pair(secret);
        let place = Place::folder();
        let store = place.init();
        let lock = store.lock_shared().unwrap();
        let bytes = noise(len, 5);
        let mut writer = begin(&store, &lock, "a", &Encoding { zstd_level, recipients });
        for piece in bytes.chunks(write) {
            writer.write_all(piece).unwrap();
        }
        let stored = writer.finish(draft(None), ReadBack::Data).unwrap();
        let mut reader = store.read(&stored, &identities).unwrap();
        let (mut back, mut buffer) = (Vec::new(), vec![0; read]);
        loop {
            match reader.read(&mut buffer).unwrap() {
                0 => break,
                count => back.extend_from_slice(&buffer[..count]),
            }
        }
        prop_assert!(back == bytes);
        prop_assert!(get_with(&store, &stored, &identities).unwrap() == bytes);
    }
}
