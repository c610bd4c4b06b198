//! Manifests that are not what they must be, and what they look like.

use std::time::Duration;

use store::limits::MAX_SMALL_BYTES;
use store::{Encoding, Error, Fault, Series, Stored};

use crate::kit::{Place, draft, edit, id, on_both, put, put_as, series};

fn key(layer: &str) -> String {
    format!("manifests/vg=2Fhome/{layer}.json")
}

/// The example of STORE.md.
#[test]
fn looks_as_documented() {
    let place = Place::folder();
    let store = place.init();
    let stored = put_as(&store, "a", Some("b"), b"stream", &Encoding { zstd_level: Some(3), ..Encoding::default() });
    let text = std::fs::read_to_string(place.file(&key("a"))).unwrap();
    let object = &stored.layer.object;
    let expected = format!(
        r#"{{
  "version": 1,
  "series": "vg/home",
  "layer": "a",
  "kind": "delta",
  "parent": "b",
  "created": "2026-11-21T03:00:00Z",
  "volume_size": 1073741824,
  "chunk_size": 65536,
  "stream": {{
    "len": 6,
    "blake3": "{}"
  }},
  "object": {{
    "key": "{}",
    "len": {},
    "blake3": "{}",
    "encoding": [
      "zstd"
    ]
  }},
  "totals": {{
    "checks": 0,
    "data_records": 3,
    "data": 1048576,
    "zero_records": 0,
    "zero": 0
  }},
  "tool": "hyperlayer 0.1.0"
}}
"#,
        blake3::hash(b"stream"),
        stored.layer.key,
        object.len,
        object.blake3
    );
    assert_eq!(text, expected);
}

/// It stands last, and may be absent, but not empty.
#[test]
fn the_host_is_kept_where_it_is_known() {
    let place = Place::folder();
    let store = place.init();
    let without = put(&store, "a", None, b"stream");
    assert_eq!(without.layer.host, None);
    let lock = store.lock_shared().unwrap();
    let host = Some("web1".to_owned());
    let with = crate::kit::begin(&store, &lock, "b", &Encoding::default());
    let with = with.finish(store::Draft { host: host.clone(), ..draft(None) }, store::ReadBack::Data).unwrap();
    assert_eq!(with.layer.host, host);
    assert_eq!(store.list(None).unwrap().layers(), [&without, &with]);
    let text = std::fs::read_to_string(place.file(&key("b"))).unwrap();
    assert!(text.ends_with("\"tool\": \"hyperlayer 0.1.0\",\n  \"host\": \"web1\"\n}\n"), "{text}");
    for wrong in ["null", "\"\"", "\"a\\nb\"", "1"] {
        std::fs::write(place.file(&key("b")), text.replace("\"web1\"", wrong)).unwrap();
        assert_eq!(store.list(None).unwrap().problems.len(), 1, "{wrong}");
    }
}

#[test]
fn one_that_was_altered_is_a_problem_and_no_layer() {
    on_both(|place| {
        let store = place.init();
        put(&store, "a", None, b"stream");
        let kept = put(&store, "kept", None, b"other");
        let file = place.file(&key("a"));
        let right = std::fs::read_to_string(&file).unwrap();
        let table: &[(&str, &str)] = &[
            ("\"version\": 1", "\"version\": 2"),
            ("\"version\": 1", "\"version\": -1"),
            ("\"series\": \"vg/home\"", "\"series\": \"vg/root\""),
            ("\"series\": \"vg/home\"", "\"series\": \"\""),
            ("\"layer\": \"a\"", "\"layer\": \"kept\""),
            ("\"layer\": \"a\"", "\"layer\": \"a b\""),
            ("\"kind\": \"full\"", "\"kind\": \"delta\""),
            ("\"kind\": \"full\"", "\"kind\": \"other\""),
            ("\"parent\": null", "\"parent\": \"kept\""),
            ("\"created\": \"2026-11-21T03:00:00Z\"", "\"created\": \"2026-11-21T03:00:00+01:00\""),
            ("\"created\": \"2026-11-21T03:00:00Z\"", "\"created\": \"yesterday\""),
            ("\"volume_size\": 1073741824", "\"volume_size\": 1073741825"),
            ("\"volume_size\": 1073741824", "\"volume_size\": 18446744073709551104"),
            ("\"volume_size\": 1073741824", "\"volume_size\": 1e9"),
            ("\"chunk_size\": 65536", "\"chunk_size\": 0"),
            ("\"chunk_size\": 65536", "\"chunk_size\": 1099511627776"),
            ("\"len\": 6", "\"len\": 18446744073709551615"),
            ("\"len\": 6", "\"len\": -6"),
            ("\"data\": 1048576", "\"data\": 2147483648"),
            ("\"encoding\": []", "\"encoding\": [\"zstd\"]"),
            ("\"encoding\": []", "\"encoding\": [\"age\", \"zstd\"]"),
            ("\"encoding\": []", "\"encoding\": [\"rot13\"]"),
            ("\"key\": \"layers/", "\"key\": \"../layers/"),
            ("\"key\": \"layers/vg=2Fhome/a.", "\"key\": \"layers/vg=2Fhome/kept."),
            ("\"key\": \"layers/vg=2Fhome/", "\"key\": \"layers/../"),
            ("\"blake3\": \"", "\"blake3\": \"00"),
            ("\"tool\": \"hyperlayer", "\"tool\": \"\\u001b[2J"),
            ("\"tool\"", "\"more\": 1, \"tool\""),
            ("\"tool\": \"hyperlayer 0.1.0\"", "\"also\": 1"),
            ("}\n}", "}"),
            ("{", "[{"),
        ];
        for (from, to) in table {
            let wrong = right.replacen(from, to, 1);
            // `"tool"` is the last key, so the end differs for the two last rows of structure.
            let wrong = if wrong == right { format!("{right} x") } else { wrong };
            edit(&file, |bytes| *bytes = wrong.into());
            refused(&store, &kept, &key("a"), &format!("{from} -> {to}"));
        }
        for cut in (0..right.len() - 2).step_by(7) {
            edit(&file, |bytes| *bytes = right.as_bytes()[..cut].into());
            refused(&store, &kept, &key("a"), &format!("cut at {cut}"));
        }
        edit(&file, |bytes| {
            *bytes = right.clone().into();
            bytes.resize(usize::try_from(MAX_SMALL_BYTES).unwrap() + 1, b' ');
        });
        let fault = refused(&store, &kept, &key("a"), "too long");
        assert!(matches!(fault, Fault::TooLarge { .. }), "{fault}");
    });
}

/// Asserts that one manifest is a problem, and the other layer is there.
#[track_caller]
fn refused(store: &store::Store, kept: &Stored, key: &str, what: &str) -> Fault {
    let listing = store.list(None).unwrap();
    let [problem] = &listing.problems[..] else { panic!("{what}: {:?}", listing.problems) };
    assert_eq!(problem.key, key, "{what}");
    assert_eq!(listing.layers(), [kept], "{what}");
    assert!(!problem.to_string().contains('\u{1b}'), "{problem}");
    let report = store.check().unwrap();
    assert!(!report.is_sound(), "{what}");
    assert_eq!(report.leftovers.garbage, [], "{what}: what a manifest in doubt may name is no garbage");
    problem.fault.clone()
}

#[test]
fn one_that_was_moved_is_noticed() {
    on_both(|place| {
        let store = place.init();
        put(&store, "a", None, b"1");
        put(&store, "b", None, b"2");
        let (a, b) = (place.file(&key("a")), place.file(&key("b")));
        let text = (std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
        // Swapped.
        std::fs::write(&a, &text.1).unwrap();
        std::fs::write(&b, &text.0).unwrap();
        let listing = store.list(None).unwrap();
        assert_eq!(listing.layers().len(), 0);
        let belongs: Vec<_> = listing.problems.iter().map(|problem| problem.fault.clone()).collect();
        assert_eq!(belongs, [Fault::Misplaced { belongs: key("b") }, Fault::Misplaced { belongs: key("a") }]);
    });
}

#[test]
fn names_that_are_none_of_ours_are_told_and_not_followed() {
    on_both(|place| {
        let store = place.init();
        let kept = put(&store, "a", None, b"1");
        let foreign = [
            "manifests/readme.txt",
            "manifests/vg=2Fhome/x.txt",
            "manifests/vg=2Fhome/deep/x.json",
            "manifests/vg=2fhome/x.json",
            "manifests/=2E=2E/x=.json",
            "manifests/vg=2Fhome/=2.json",
            "marks/vg=2Fhome/a/else",
            "marks/vg=2Fhome/a/tag-=FF",
            "marks/hold",
        ];
        for key in foreign {
            let file = place.file(key);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "{}").unwrap();
        }
        let listing = store.list(None).unwrap();
        assert_eq!(listing.layers(), [&kept]);
        let mut found: Vec<_> = listing.problems.iter().map(|problem| problem.key.as_str()).collect();
        found.sort_unstable();
        let mut expected = foreign;
        expected.sort_unstable();
        assert_eq!(found, expected);
        assert!(listing.problems.iter().all(|problem| problem.fault == Fault::Foreign));

        let more = ["layers/vg=2Fhome/a.hl", "layers/x", "notes.txt"];
        for key in more {
            std::fs::write(place.file(key), "?").unwrap();
        }
        let report = store.check().unwrap();
        for key in more {
            assert!(report.problems.iter().any(|problem| problem.key == key), "{key}: {:?}", report.problems);
        }
        assert_eq!(report.leftovers.garbage, [], "what is not ours is not removed");
    });
}

#[test]
fn every_name_that_can_be_a_series_is_one_folder_and_comes_back() {
    let names = [
        "vg/home",
        "..",
        ".",
        ".hidden",
        "a.b",
        "../../etc/passwd",
        "=2F",
        "über/größe",
        "with space",
        "a\\b",
        "%2F",
        "#1",
        "*",
        "CON",
        "-rf",
        &"x".repeat(180),
    ];
    on_both(|place| {
        let store = place.init();
        let lock = store.lock_shared().unwrap();
        // The server makes one file name of a whole key.
        let longest = if place.is_folder() { usize::MAX } else { 100 };
        let names = names.iter().filter(|name| name.len() < longest).copied().collect::<Vec<_>>();
        for name in &names {
            let series = Series::new(*name).unwrap();
            let writer =
                store.begin(&lock, &series, &id("a/../b#+"), &Encoding::default(), extents::Bytes::new(0)).unwrap();
            writer.finish(draft(None), store::ReadBack::Length).unwrap();
        }
        let listing = store.list(None).unwrap();
        assert_eq!(listing.problems, []);
        let mut found: Vec<_> = listing.series().map(|series| series.as_str().to_owned()).collect();
        found.sort();
        let mut expected = names;
        expected.sort_unstable();
        assert_eq!(found, expected);
        for file in place.files() {
            let parts = file.split('/').count();
            assert!(file == "hyperlayer-store.json" || file.starts_with("locks/") || parts == 3, "{file}");
        }
    });
    for name in ["", "a\nb", "\u{85}", &"x".repeat(181), &"/".repeat(61)] {
        assert!(matches!(Series::new(name), Err(Error::Name { .. })), "{name:?}");
    }
}

#[test]
fn a_draft_that_cannot_be_read_back_is_not_written() {
    on_both(|place| {
        let store = place.init();
        let lock = store.lock_shared().unwrap();
        let long = || draft(None);
        let drafts = [
            store::Draft { volume_size: extents::Bytes::new(1), ..long() },
            store::Draft { tool: "x\ny".into(), ..long() },
            store::Draft { host: Some(String::new()), ..long() },
            long().on(id("a")),
            store::Draft { created: std::time::SystemTime::UNIX_EPOCH - Duration::from_secs(1 << 42), ..long() },
        ];
        for draft in drafts {
            let writer = crate::kit::begin(&store, &lock, "a", &Encoding::default());
            let refused = writer.finish(draft, store::ReadBack::Length).unwrap_err();
            assert!(matches!(refused, Error::Draft { .. }), "{refused:?}");
        }
        drop(lock);
        assert_eq!(place.files(), ["hyperlayer-store.json"]);
        assert!(store.list(Some(&series())).unwrap().layers().is_empty());
    });
}
