use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, SystemTime};

use hyperlayer::{Encoder, Header, LayerId, Totals};
use store::Encoding;

use super::{Filled, json_lines, text};

const DAY: Duration = Duration::from_secs(86_400);

/// A full layer without data, which its id tells from others.
fn empty_layer(id: &str) -> Vec<u8> {
    let chunk = extents::ChunkSize::from_bytes(extents::Bytes::new(65536)).unwrap();
    let header = Header::full(extents::Bytes::new(1 << 20), chunk, Totals::default());
    let (encoder, mut bytes) = Encoder::start(&Header { layer: Some(LayerId::new(id).unwrap()), ..header }).unwrap();
    bytes.extend(encoder.finish().unwrap().bytes);
    bytes
}

/// A year of daily layers, at noon UTC; each is called by its date.
fn year() -> Filled {
    let filled = Filled::empty();
    // 2025-01-01 12:00 UTC, a Wednesday.
    let first = SystemTime::UNIX_EPOCH + Duration::from_secs(1_735_732_800);
    for number in 0..365 {
        let created = first + DAY * number;
        let date = jiff::Timestamp::try_from(created).unwrap().strftime("%Y-%m-%d").to_string();
        filled.put("vg0/data", &empty_layer(&date), created, &Encoding::default());
    }
    filled
}

/// What stays by a dry run, with the reasons.
fn kept(filled: &Filled, rules: &str) -> BTreeMap<String, Vec<String>> {
    let said = filled.run(&format!("prune store {rules} --dry-run --json"), 0, &[]);
    let found = json_lines(&said).remove(0);
    let layers = found["layers"].as_array().unwrap();
    assert_eq!((layers.len(), &found["dry_run"]), (365, &true.into()));
    let kept = layers.iter().filter(|layer| layer["verdict"] == "keep").map(|layer| {
        let reasons = layer["reasons"].as_array().unwrap().iter().map(|reason| text(reason).to_owned());
        (text(&layer["layer"]).to_owned(), reasons.collect())
    });
    kept.collect()
}

#[test]
fn a_year_by_many_rules() {
    let filled = year();
    let months: Vec<_> =
        ["01-31", "02-28", "03-31", "04-30", "05-31", "06-30", "07-31", "08-31", "09-30", "10-31", "11-30"]
            .iter()
            .map(|day| format!("2025-{day}"))
            .collect();
    let month_ends = |from: usize, and: &[&str]| -> Vec<String> {
        let mut dates: Vec<_> = months[from..].to_vec();
        dates.extend(and.iter().map(|date| format!("2025-{date}")));
        dates.sort();
        dates
    };
    for (rules, expected) in [
        ("--keep-last 2", month_ends(11, &["12-30", "12-31"])),
        ("--keep-monthly 12", month_ends(0, &["12-31"])),
        ("--keep-daily 3 --keep-monthly 3", month_ends(9, &["12-29", "12-30", "12-31"])),
        // Weeks end on Sundays, the 28th being one.
        ("--keep-weekly 3", month_ends(11, &["12-21", "12-28", "12-31"])),
        ("--policy original --daily-max 2 --weekly-max 2", month_ends(11, &["12-21", "12-28", "12-30", "12-31"])),
        ("--policy original --daily-max 0 --weekly-max 1", month_ends(11, &["12-28", "12-31"])),
        ("--keep-within 3d", month_ends(11, &["12-29", "12-30", "12-31"])),
        ("--keep-yearly 5", month_ends(11, &["12-31"])),
        ("--keep-hourly 2", month_ends(11, &["12-30", "12-31"])),
        ("--keep-tag release", month_ends(11, &["12-31"])),
        // At noon UTC it is already the next day there.
        ("--keep-monthly 2 --zone Pacific/Kiritimati", month_ends(11, &["12-30", "12-31"])),
    ] {
        let found = kept(&filled, rules);
        assert_eq!(found.keys().cloned().collect::<Vec<_>>(), expected, "{rules}");
    }
    assert_eq!(kept(&filled, "").len(), 365, "no rule lets anything go");
    let found = kept(&filled, "--keep-weekly 2 --keep-last 1");
    assert_eq!(found["2025-12-31"], ["newest", "last 1 of 1", "weekly 1 of 2 (2026-W01)"]);

    let _ = filled.run("tag store 2025-07-14 release", 0, &[]);
    let _ = filled.run("hold store 2025-02-02", 0, &[]);
    let line = "prune store --keep-last 1 --keep-tag release";
    let said = filled.run(&format!("{line} --dry-run"), 0, &["362 layers", "would be removed"]);
    assert!(said.text().starts_with("vg0/data: 362 of 365 layers to go, "), "{}", said.text());
    let rows: Vec<_> = said.text().lines().collect();
    assert!(
        rows.iter().any(|row| row.starts_with("  keep    2025-02-02 12:00  2025-02-02  ") && row.ends_with("  held"))
    );
    assert!(rows.iter().any(|row| row.starts_with("  remove  2025-02-03 12:00") && row.ends_with("beyond last 1")));
    assert_eq!(filled.layers().len(), 365, "a dry run changes nothing");
    let _ = filled.run(line, 0, &["362 layers", "removed"]);
    assert_eq!(filled.layers(), ["2025-02-02", "2025-07-14", "2025-12-31"]);
    let _ = filled.run(line, 0, &["0 layers (0 B)"]);
    let _ = filled.run("check store --read-data", 0, &["3 layers"]);
}

/// A rule that no layer can meet keeps nothing, and is a mistake.
#[test]
fn rules_that_cannot_be_meant() {
    let filled = Filled::days(2);
    for tag in ["", "a,b", "a\nb"] {
        let line = ["prune", "store", "--keep-tag", tag];
        let _ = filled.folder.tool("lvbackup", "").args(line).run().says(2, &["--keep-tag"]);
    }
    let _ = filled.run("prune store --series vg0/typo --keep-last 1", 3, &["no layers of vg0/typo", "lvbackup list"]);
    assert_eq!(filled.layers(), ["0", "1"]);
}

/// A layer made while the clock was a year ahead, and one made at its beginning.
#[test]
fn a_wrong_clock_neither_hides_nor_removes_a_layer() {
    let filled = Filled::empty();
    for (number, created) in [(0, 0), (1, 365), (2, 2), (3, 3), (4, 0)] {
        filled.write_image(number);
        filled.add_at(number, number.checked_sub(1), &Encoding::default(), created);
    }
    let said =
        filled.run("restore store --to-file got.img", 0, &["layer day-1 of vg0/data is dated", "layer day-4 of"]);
    assert!(filled.folder.read("got.img") == filled.folder.read("4.img"), "{}", said.text());
    let said = filled.run("prune store --keep-daily 2 --merge --dry-run --json", 0, &["is dated"]);
    let found = json_lines(&said).remove(0);
    let verdicts: Vec<_> = found["layers"].as_array().unwrap().iter().map(|layer| text(&layer["verdict"])).collect();
    assert_eq!(verdicts, ["merge", "merge", "rewrite", "merge", "rewrite"]);
}

/// A full layer made while the clock was far ahead, and older and newer layers that have nothing to do with it.
#[test]
fn a_layer_of_the_future_is_never_chosen_silently() {
    let filled = Filled::empty();
    for (number, on, created) in [(0, None, 0), (1, Some(0), 1), (2, None, 50 * 365), (3, None, 3), (4, Some(3), 4)] {
        filled.write_image(number);
        filled.add_at(number, on, &Encoding::default(), created);
    }
    let says = [
        "cannot choose the newest layer of vg0/data",
        "day-2 is dated 2076",
        "day-4 is dated 2026",
        "--layer day-4",
        "clock",
    ];
    for line in [
        "restore store --to-file got.img",
        "restore store --to-file got.img --at 2099-01-01",
        "export store --to raw -o got.img",
    ] {
        let _ = filled.run(line, 3, &says);
        assert!(!filled.folder.path("got.img").exists());
    }
    for day in ["2", "4"] {
        filled.gives(day, "");
    }
    let _ = filled.run("restore store --to-file got.img --at 2026-10-06", 0, &["layer day-2 of vg0/data is dated"]);
    assert!(filled.folder.read("got.img") == filled.folder.read("4.img"));
    // It does not take the place of the newest.
    let said = filled.run("prune store --keep-last 1 --json", 0, &["is dated"]);
    let reasons = &json_lines(&said)[0]["layers"][4]["reasons"];
    assert_eq!(reasons, &serde_json::json!(["taken in the future"]));
    assert_eq!(filled.layers(), ["3", "4", "2"]);
}

/// What a layer that stays is applied on stays too.
#[test]
fn chains_stay_whole() {
    let filled = Filled::days(6);
    filled.write_image(6);
    filled.add(6, None, &Encoding::default());
    filled.write_image(7);
    filled.add(7, Some(6), &Encoding::default());
    let said = filled.run("prune store --keep-last 3 --json", 0, &[]);
    let found = json_lines(&said).remove(0);
    let reasons = &found["layers"][4]["reasons"];
    assert_eq!(reasons, &serde_json::json!(["parent of day-5"]));
    assert_eq!(filled.layers().len(), 8);
    let _ = filled.run("prune store --keep-last 2", 0, &["6 layers"]);
    assert_eq!(filled.layers(), ["6", "7"]);
    filled.gives("7", "");
    let _ = filled.run("check store --read-data", 0, &[]);
}

/// Of layers of one second the last of the chain is the newest, whatever they are called.
#[test]
fn of_one_second() {
    let filled = Filled::empty();
    let image = testkit::stamped(1, 0, 64 * 1024);
    for (name, parent) in [("z", None), ("y", Some("z")), ("x", Some("y"))] {
        let mut image = image.clone();
        image[..512].fill(name.as_bytes()[0]);
        filled.folder.write(&format!("{name}.img"), &image);
        let line = match parent {
            None => format!("--full ./{name}.img --layer-id {name} -o {name}.hl"),
            Some(on) => {
                format!("--scan {name}.img {on}.img --layer-id {name} --parent-id {on} -d 3 -o {name}.hl")
            }
        };
        let _ = filled.folder.tool("lvdiff", &line).run().done();
        let stream = filled.folder.read(&format!("{name}.hl"));
        filled.put("vg0/data", &stream, super::day(0), &Encoding::default());
    }
    let newest = |filled: &Filled| {
        let _ = filled.run("restore store --to-file got.img", 0, &["layer x from"]);
        assert!(filled.folder.read("got.img") == filled.folder.read("x.img"));
        fs::remove_file(filled.folder.path("got.img")).unwrap();
    };
    newest(&filled);
    let _ = filled.run("prune store --keep-last 1", 0, &["0 layers"]);
    newest(&filled);
    let _ = filled.run("prune store --keep-last 1 --merge", 0, &["2 layers"]);
    newest(&filled);
    assert_eq!(filled.layers(), ["x"]);
}

#[test]
fn of_each_volume_by_itself() {
    let filled = Filled::days(2);
    let full = filled.folder.read("0.hl");
    filled.put("vg0/root", &full, super::day(0), &Encoding::default());
    filled.write_image(2);
    filled.add(2, None, &Encoding::default());
    let _ = filled.run("prune store --series vg0/root --keep-last 1", 0, &["0 layers"]);
    let _ = filled.run("prune store --keep-last 1", 0, &["2 layers"]);
    let said = filled.run("list store --json", 0, &[]);
    let left: Vec<_> =
        json_lines(&said).iter().map(|l| format!("{} {}", text(&l["series"]), text(&l["layer"]))).collect();
    assert_eq!(left, ["vg0/data day-2", "vg0/root day-0"]);
}

/// Who cannot be understood may need anything.
#[test]
fn nothing_goes_that_something_unknown_may_need() {
    let filled = Filled::days(3);
    filled.write_image(3);
    filled.add(3, None, &Encoding::default());
    let manifest = filled.file("manifests", "day-2");
    let good = fs::read(&manifest).unwrap();
    fs::write(&manifest, b"{}").unwrap();
    let says = ["manifests/vg0=2Fdata/day-2.json", "may need any layer: nothing is removed", "--series"];
    let _ = filled.run("prune store --keep-last 1", 3, &says);
    let _ = filled.run("prune store", 3, &says);
    fs::write(&manifest, good).unwrap();
    assert_eq!(filled.layers().len(), 4);
}

/// What stays is there: a layer that only seems to be one does not let a sound one go.
#[test]
fn nothing_goes_while_an_object_of_what_stays_is_damaged() {
    // Days 0 and 1, and the chain of 2 and 3.
    let filled = Filled::days(2);
    for (number, on) in [(2, None), (3, Some(2))] {
        filled.write_image(number);
        filled.add(number, on, &Encoding::default());
    }
    let line = "prune store --keep-last 1";
    let (base, newest) = (filled.file("layers", "day-2"), filled.file("layers", "day-3"));
    for object in [&base, &newest] {
        let bytes = fs::read(object).unwrap();
        let id = if object == &base { "layer day-2 of vg0/data" } else { "layer day-3 of vg0/data" };
        for damage in [None, Some(&bytes[1..])] {
            match damage {
                None => fs::remove_file(object).unwrap(),
                Some(cut) => fs::write(object, cut).unwrap(),
            }
            for more in ["", "--dry-run", "--merge"] {
                let says = [id, "that stay", "nothing is removed", "lvbackup check STORE", "--remove-broken"];
                let _ = filled.run(&format!("{line} {more}"), 3, &says);
            }
            assert_eq!(filled.layers(), ["0", "1", "2", "3"]);
        }
        fs::write(object, &bytes).unwrap();
    }

    // What goes need not be sound.
    let gone = filled.file("layers", "day-1");
    fs::remove_file(&gone).unwrap();
    let _ = filled.run("check store", 3, &["prune STORE --remove-broken"]);
    let _ = filled.run("prune store --keep-last 1 --dry-run", 0, &["2 layers"]);

    // The way on without a copy: what cannot be restored does not count, and goes.
    fs::remove_file(&base).unwrap();
    let _ = filled.run("hold store day-1", 0, &[]);
    let _ = filled.run(&format!("{line} --remove-broken"), 0, &["2 layers"]);
    assert_eq!(filled.layers(), ["0", "1"], "what is held stays all the same");
    filled.gives("0", "");
    let _ = filled.run("unhold store day-1", 0, &[]);
    let _ = filled.run(&format!("{line} --remove-broken"), 0, &["1 layer "]);
    let _ = filled.run("check store --read-data", 0, &["1 layer "]);
}

/// A layer that cannot be restored does not take the place of one that can.
#[test]
fn broken_chains() {
    let filled = Filled::days(1);
    for number in 1..4 {
        filled.write_image(number);
    }
    filled.add(1, None, &Encoding::default());
    filled.add(2, Some(1), &Encoding::default());
    filled.add(3, Some(2), &Encoding::default());
    fs::remove_file(filled.file("manifests", "day-1")).unwrap();
    let line = "prune store --keep-last 1";
    let _ = filled.run(line, 3, &["1 object without a manifest", "check STORE --repair"]);
    fs::remove_file(filled.file("layers", "day-1")).unwrap();
    let _ = filled.run("hold store day-2", 0, &[]);
    let said = filled.run(&format!("{line} --dry-run"), 0, &[]);
    assert!(
        said.text().contains("newest, last 1 of 1") && said.text().contains("held, cannot be restored"),
        "{}",
        said.text()
    );
    let ids = |filled: &Filled| -> Vec<_> {
        let said = filled.run("list store --json", 3, &[]);
        json_lines(&said).iter().map(|layer| text(&layer["layer"]).to_owned()).collect()
    };
    let _ = filled.run(line, 0, &["0 layers"]);
    assert_eq!(ids(&filled), ["day-0", "day-2", "day-3"]);
    let _ = filled.run(&format!("{line} --remove-broken"), 0, &["1 layer "]);
    assert_eq!(ids(&filled), ["day-0", "day-2"], "one that is held stays even so");
    let _ = filled.run("unhold store day-2", 0, &[]);
    let _ = filled.run(&format!("{line} --remove-broken"), 0, &["1 layer "]);
    assert_eq!(filled.layers(), ["0"]);
}

#[test]
fn what_cannot_be_meant() {
    let filled = Filled::days(1);
    for (line, says) in [
        ("--keep-last 0", "0"),
        ("--keep-within 5", "5"),
        ("--policy original --daily-max 3", "--weekly-max"),
        ("--daily-max 3", "--policy"),
        ("--zone Berlin --keep-last 1", "Berlin"),
        ("--merge", "say what stays"),
        ("--identity key.txt --keep-last 1", "--merge"),
    ] {
        let _ = filled.run(&format!("prune store {line}"), 2, &[says]);
    }
    let said = filled.run("prune store --keep-last 1 --json", 0, &[]);
    let help = filled.run("prune --help", 0, &[]);
    let found = json_lines(&said).remove(0);
    let keys = found.as_object().unwrap().keys().chain(found["layers"][0].as_object().unwrap().keys());
    for key in keys {
        assert!(help.text().contains(key), "{key} is not in the help");
    }
}
