use std::fs;

use store::Encoding;

use super::{Filled, day, json_lines, text};

#[test]
fn chains_as_a_person_reads_them() {
    let filled = Filled::days(3);
    // A side branch of day 0, and a chain of its own.
    filled.write_image(3);
    filled.add(3, Some(0), &Encoding::default());
    filled.write_image(4);
    filled.add(4, None, &Encoding::default());
    let _ = filled.run("hold store day-1", 0, &["layer day-1 of vg0/data is held"]);
    let _ = filled.run("tag store day-1 weekly", 0, &["has the tag `weekly`"]);
    let said = filled.run("list store --zone Europe/Berlin", 0, &[]);
    let lines: Vec<_> = said.text().lines().collect();
    assert!(lines[0].starts_with("vg0/data: 5 layers, 2 full, "), "{}", said.text());
    let columns = |line: &str| {
        let cells: Vec<_> =
            line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect();
        (cells[0].clone(), cells[1].clone(), cells[2].clone(), cells[6].clone(), cells[7..].join(" "))
    };
    let expected = [
        ("2026-10-01 05:00", "day-0", "full", "1", ""),
        ("2026-10-02 05:00", "+ day-1", "delta", "2", "held #weekly"),
        ("2026-10-03 05:00", "+ day-2", "delta", "3", ""),
        ("2026-10-04 05:00", "+ day-3", "delta", "2", ""),
        ("2026-10-05 05:00", "day-4", "full", "1", ""),
    ];
    let mut found: Vec<_> = lines[2..].iter().map(|line| columns(line)).collect();
    found.sort();
    assert_eq!(found, expected.map(|(a, b, c, d, e)| (a.into(), b.into(), c.into(), d.into(), e.into())));
    // Two on one layer: the older branch is set in, before what goes on.
    let place = |id: &str| lines.iter().position(|line| line.contains(id)).unwrap();
    assert!(place("day-0") < place("day-1") && place("day-2") < place("day-3") && place("day-3") < place("day-4"));
    assert!(lines[place("day-1")].contains("    + day-1") && lines[place("day-3")].contains("  + day-3"));
}

#[test]
fn every_key_of_json() {
    let filled = Filled::days(2);
    let _ = filled.run("tag store day-1 a", 0, &[]);
    let said = filled.run("list store --json", 0, &[]);
    let layers = json_lines(&said);
    let keys: Vec<_> = layers[0].as_object().unwrap().keys().map(String::as_str).collect();
    let mut documented = vec![
        "series",
        "layer",
        "parent",
        "kind",
        "created",
        "volume_size_bytes",
        "chunk_size_bytes",
        "data_bytes",
        "zero_bytes",
        "stream_bytes",
        "stored_bytes",
        "wrapping",
        "chain_layers",
        "held",
        "tags",
        "tool",
        "host",
    ];
    documented.sort_unstable();
    assert_eq!(keys, documented);
    let help = filled.run("list --help", 0, &[]);
    for key in keys {
        assert!(help.text().contains(key), "{key} is not in the help");
    }
    let delta = &layers[1];
    assert_eq!(delta["parent"], "day-0");
    assert_eq!(delta["created"], "2026-10-02T03:00:00Z");
    assert_eq!(delta["volume_size_bytes"], filled.folder.read("1.img").len());
    assert_eq!(delta["stream_bytes"], filled.folder.read("1.hl").len());
    assert_eq!((&delta["chain_layers"], &delta["held"]), (&2.into(), &false.into()));
    assert_eq!((&delta["tags"][0], &delta["wrapping"][0]), (&"a".into(), &"zstd".into()));
}

/// What is damaged keeps nothing else from being shown, and is told by the exit status.
#[test]
fn what_cannot_be_understood() {
    let filled = Filled::days(3);
    let manifest = filled.file("manifests", "day-1");
    fs::write(&manifest, "{").unwrap();
    fs::write(manifest.with_file_name("notes.txt"), "").unwrap();
    let says = ["manifests/vg0=2Fdata/day-1.json", "needs layer day-1", "3 things are wrong", "lvbackup check"];
    let said = filled.run("list store --json", 3, &says);
    let layers = json_lines(&said);
    let chains: Vec<_> = layers.iter().map(|layer| (text(&layer["layer"]), &layer["chain_layers"])).collect();
    assert_eq!(chains, [("day-0", &1.into()), ("day-2", &().into())]);
    let _ = filled.run("list store --series vg0/other", 0, &["holds no layers of vg0/other"]);
    let _ = filled.run("list elsewhere", 1, &["elsewhere holds no store", "lvbackup init"]);
    let _ = filled.run("list store --zone Nowhere", 2, &["`Nowhere` as a time zone"]);
}

#[test]
fn ids_as_short_as_they_can_be() {
    let filled = Filled::empty();
    let image = testkit::stamped(9, 0, 4096);
    filled.folder.write("0.img", &image);
    for (number, id) in ["abcdefgh-1", "abcdefgh-2", "zzzzzzzzzzzz"].iter().enumerate() {
        let _ = filled.folder.tool("lvdiff", &format!("--full ./0.img --layer-id {id} -o x.hl")).run().done();
        let stream = filled.folder.read("x.hl");
        filled.put("vg0/data", &stream, day(number as u64), &Encoding::default());
    }
    let said = filled.run("list store", 0, &[]);
    let ids = |said: &testkit::Finished| -> Vec<String> {
        said.text().lines().skip(2).map(|line| line.split_whitespace().nth(2).unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&said), ["abcdefgh-1", "abcdefgh-2", "zzzzzzzzzz"]);
    assert_eq!(ids(&filled.run("list store --ids", 0, &[]))[2], "zzzzzzzzzzzz");
    let _ = filled.run("hold store abcdefgh", 2, &["2 layers begin with `abcdefgh`"]);
    let _ = filled.run("hold store zzzzzzzz", 0, &["layer zzzzzzzzzzzz of vg0/data is held"]);
}
