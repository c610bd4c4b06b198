//! Objects that are not what they were.

use store::{Encoding, ErrorKind, Identities, Store, Stored};

use crate::keys::pair;
use crate::kit::{Place, edit, get_with, noise, on_both, put, put_as};

/// Asserts that a layer is refused however it is read, and by the check where a check can see it.
#[track_caller]
fn is_refused(store: &Store, stored: &Stored, identities: &Identities, what: &str) {
    let read = get_with(store, stored, identities).expect_err(what);
    assert_eq!(read.kind(), ErrorKind::Refused, "{what}: {read:?}");
    let verified = store.verify(stored).expect_err(what);
    assert_eq!(verified.kind(), ErrorKind::Refused, "{what}: {verified:?}");
}

#[test]
fn an_altered_object_is_refused_in_every_wrapping() {
    on_both(|place| {
        let store = place.init();
        for (n, (zstd_level, secret)) in
            [(None, false), (Some(1), false), (None, true), (Some(1), true)].into_iter().enumerate()
        {
            let (recipients, identities) = pair(secret);
            let bytes = noise(9 << 20, 3);
            let stored = put_as(&store, &format!("l{n}"), None, &bytes, &Encoding { zstd_level, recipients });
            let file = place.file(&stored.layer.key);
            let right = std::fs::read(&file).unwrap();
            let end = right.len();
            for at in [0, 100, end / 2, (8 << 20) - 1, 8 << 20, end - 1] {
                edit(&file, |bytes| bytes[at] ^= 1);
                is_refused(&store, &stored, &identities, &format!("{n}: flipped at {at}"));
                std::fs::write(&file, &right).unwrap();
            }
            for len in [0, 1, end / 2, 8 << 20, end - 1] {
                edit(&file, |bytes| bytes.truncate(len));
                is_refused(&store, &stored, &identities, &format!("{n}: cut at {len}"));
                std::fs::write(&file, &right).unwrap();
            }
            edit(&file, |bytes| bytes.push(0));
            is_refused(&store, &stored, &identities, &format!("{n}: one byte more"));
            std::fs::remove_file(&file).unwrap();
            is_refused(&store, &stored, &identities, &format!("{n}: missing"));
            std::fs::write(&file, &right).unwrap();
            assert!(get_with(&store, &stored, &identities).unwrap() == bytes);
        }
    });
}

#[test]
fn what_was_read_before_the_damage_is_not_reported_whole() {
    let place = Place::folder();
    let store = place.init();
    let stored = put(&store, "a", None, &noise(20 << 20, 3));
    edit(&place.file(&stored.layer.key), |bytes| bytes[19 << 20] ^= 1);
    let mut reader = store.read(&stored, &Identities::none()).unwrap();
    let (mut sink, mut failures) = (Vec::new(), 0);
    // Also whoever goes on after the error never comes to an end.
    for _ in 0..5 {
        failures += usize::from(std::io::copy(&mut reader, &mut sink).is_err());
    }
    assert_eq!(failures, 5);
    assert!(sink.len() < 20 << 20);
}

#[test]
fn swapped_objects_are_refused() {
    on_both(|place| {
        let store = place.init();
        let (one, two) = (put(&store, "a", None, &noise(1000, 1)), put(&store, "b", None, &noise(1000, 2)));
        let files = [&one, &two].map(|stored| place.file(&stored.layer.key));
        let spare = place.file("spare");
        std::fs::rename(&files[0], &spare).unwrap();
        std::fs::rename(&files[1], &files[0]).unwrap();
        std::fs::rename(&spare, &files[1]).unwrap();
        for stored in [&one, &two] {
            is_refused(&store, stored, &Identities::none(), "swapped");
        }
        // Of the same length, so only reading tells.
        assert!(store.check().unwrap().is_sound());
    });
}

#[test]
fn a_check_finds_what_can_be_seen_without_reading() {
    on_both(|place| {
        let store = place.init();
        let stored: Vec<_> = ["a", "b", "c"].map(|layer| put(&store, layer, None, &noise(1000, 1))).into();
        let report = store.check().unwrap();
        assert!(report.is_sound() && report.leftovers.garbage.is_empty() && report.listing.layers().len() == 3);
        std::fs::remove_file(place.file(&stored[0].layer.key)).unwrap();
        edit(&place.file(&stored[1].layer.key), |bytes| bytes.truncate(999));
        let report = store.check().unwrap();
        let wrong: Vec<_> = report.problems.iter().map(|problem| problem.key.clone()).collect();
        assert_eq!(wrong, [stored[0].layer.key.clone(), stored[1].layer.key.clone()]);
    });
}

/// A small object that becomes a large stream, and a manifest that says another length.
#[test]
fn a_stream_longer_than_its_manifest_says_is_given_up_at_once() {
    let place = Place::folder();
    let store = place.init();
    let encoding = Encoding { zstd_level: Some(1), ..Encoding::default() };
    let stored = put_as(&store, "a", None, &vec![0; 50 << 20], &encoding);
    for said in ["1000", "52428801"] {
        let manifest = place.file("manifests/vg=2Fhome/a.json");
        edit(&manifest, |text| {
            let right = String::from_utf8(text.clone()).unwrap();
            *text = right.replacen("\"len\": 52428800", &format!("\"len\": {said}"), 1).into();
        });
        let listing = store.list(None).unwrap();
        let lied = listing.layers()[0].clone();
        assert_ne!(lied, stored);
        let mut sink = Vec::new();
        let mut reader = store.read(&lied, &Identities::none()).unwrap();
        assert!(std::io::copy(&mut reader, &mut sink).is_err(), "{said}");
        assert!(said != "1000" || sink.len() < 1 << 20, "{} bytes for {said}", sink.len());
        edit(&manifest, |text| {
            let wrong = String::from_utf8(text.clone()).unwrap();
            *text = wrong.replacen(&format!("\"len\": {said}"), "\"len\": 52428800", 1).into();
        });
    }
}
