//! `prune --merge`.

use std::collections::BTreeMap;

use store::{Encoding, Recipients};

use super::{Filled, json_lines, text};

/// What becomes of each layer.
fn verdicts(filled: &Filled, rules: &str) -> BTreeMap<String, String> {
    let said = filled.run(&format!("prune store {rules} --merge --dry-run --json"), 0, &[]);
    let found = json_lines(&said).remove(0);
    let onto =
        |layer: &serde_json::Value| layer["onto"].as_str().map_or_else(String::new, |onto| format!(" on {onto}"));
    let layers = found["layers"].as_array().unwrap().iter();
    layers
        .map(|layer| (text(&layer["layer"]).to_owned(), format!("{}{}", text(&layer["verdict"]), onto(layer))))
        .collect()
}

#[test]
fn layers_that_stay_get_what_they_need() {
    let filled = Filled::days(9);
    // A side branch of one that goes.
    filled.write_image(9);
    filled.add(9, Some(2), &Encoding::default());
    for day in [1, 4, 5] {
        let _ = filled.run(&format!("tag store day-{day} keep"), 0, &[]);
    }
    let _ = filled.run("hold store day-8", 0, &[]);
    let found = verdicts(&filled, "--keep-tag keep");
    let expected = [
        ("day-0", "merge"),
        ("day-1", "rewrite"),
        ("day-2", "merge"),
        ("day-3", "merge"),
        ("day-4", "rewrite on day-1"),
        ("day-5", "keep"),
        ("day-6", "merge"),
        ("day-7", "merge"),
        ("day-8", "rewrite on day-5"),
        ("day-9", "rewrite on day-1"),
    ];
    let found: Vec<_> = found.iter().map(|(id, verdict)| (id.as_str(), verdict.as_str())).collect();
    assert_eq!(found, expected);
    assert_eq!(filled.layers().len(), 10);

    let _ = filled.run("prune store --keep-tag keep --merge", 0, &["5 layers"]);
    assert_eq!(filled.layers(), ["1", "4", "5", "8", "9"]);
    for day in ["1", "4", "5", "8", "9"] {
        filled.gives(day, "");
    }
    let _ = filled.run("check store --read-data", 0, &[]);
    let said = filled.run("list store --json", 0, &[]);
    let layers = json_lines(&said);
    assert_eq!((&layers[0]["kind"], &layers[0]["tags"][0]), (&"full".into(), &"keep".into()), "marks stay");
    let held = layers.iter().find(|layer| layer["layer"] == "day-8").unwrap();
    assert_eq!((&held["held"], &held["created"]), (&true.into(), &"2026-10-09T03:00:00Z".into()));
    let _ = filled.run("prune store --keep-tag keep --merge", 0, &["0 layers (0 B) and 0 objects"]);
}

#[test]
fn what_is_encrypted_stays_so() {
    let filled = Filled::days(2);
    let (recipient, key) = super::age_key(&filled.folder);
    filled.write_image(2);
    filled.add(2, Some(1), &Encoding { zstd_level: Some(1), recipients: Recipients::parse([&recipient]).unwrap() });
    let line = "prune store --keep-last 1 --merge";
    for (more, says) in
        [(String::new(), "`--identity FILE`"), (format!("--identity {key}"), "`--encrypt-to RECIPIENT`")]
    {
        let _ = filled.run(&format!("{line} {more}"), 2, &["layer day-2 is to be merged with what is encrypted", says]);
        assert_eq!(filled.layers(), ["0", "1", "2"]);
    }
    let _ = filled.run(&format!("{line} --identity {key} --encrypt-to {recipient}"), 0, &["2 layers"]);
    assert_eq!(filled.layers(), ["2"]);
    let _ = filled.run("restore store --to-file x.img", 1, &["is encrypted", "--identity"]);
    filled.gives("2", &format!("--identity {key}"));
    assert!(filled.file("layers", "day-2").to_str().unwrap().ends_with(".hl.zst.age"));
}

/// A layer that is damaged is no part of anything new.
#[test]
fn damage_ends_it_before_anything_goes() {
    let filled = Filled::days(4);
    super::alter(&filled.file("layers", "day-1"));
    let _ = filled.run("prune store --keep-last 1 --merge", 3, &["layer day-3 of vg0/data is as it was", "day-1"]);
    assert_eq!(filled.layers(), ["0", "1", "2", "3"]);
    filled.gives("0", "");
}
