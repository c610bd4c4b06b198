use std::fs;
use std::process::Command;

use store::{Encoding, Recipients};

use super::{Filled, alter, json_lines, text};

/// The layers that a check says are lost.
fn lost(filled: &Filled, line: &str) -> Vec<String> {
    let said = filled.run(line, 3, &["cannot be restored"]);
    let found = &json_lines(&said)[0];
    let mut ids: Vec<_> =
        found["lost"].as_array().unwrap().iter().map(|layer| text(&layer["layer"]).to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn what_is_sound() {
    let filled = Filled::days(4);
    let _ = filled.run("check store", 0, &["4 layers and the chains are sound", "--read-data"]);
    let _ = filled.run("check store --read-data", 0, &["4 read to their ends"]);
    let said = filled.run("check store --read-data=30% --seed 7 --json", 0, &[]);
    let found = &json_lines(&said)[0];
    assert_eq!((&found["layers"], &found["read_layers"], &found["seed"]), (&4.into(), &2.into(), &7.into()));
    let keys: Vec<_> = found.as_object().unwrap().keys().cloned().collect();
    let help = filled.run("check --help", 0, &[]);
    for key in keys {
        assert!(help.text().contains(&key), "{key} is not in the help");
    }
    // Other seeds read other layers, and all in the long run.
    let mut sizes: Vec<_> = (0..40)
        .map(|seed| {
            let said = filled.run(&format!("check store --read-data=1% --seed {seed} --json"), 0, &[]);
            json_lines(&said)[0]["read_bytes"].as_u64().unwrap()
        })
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    assert_eq!(sizes.len(), 4, "each of the layers has its own size");
    for wrong in ["0%", "101%", "x"] {
        let _ = filled.run(&format!("check store --read-data={wrong}"), 2, &["1% to 100%"]);
    }
}

#[test]
fn an_altered_layer_takes_what_lies_on_it() {
    let filled = Filled::days(5);
    alter(&filled.file("layers", "day-2"));
    let _ = filled.run("check store", 0, &[]);
    assert_eq!(lost(&filled, "check store --read-data --json"), ["day-2", "day-3", "day-4"]);
    let says = ["1 thing is wrong, 3 of 5 layers cannot be restored", "lvbackup backup vg0/data STORE --full"];
    let said = filled.run("check store --read-data", 3, &says);
    assert!(
        said.text().contains("`layers/vg0=2Fdata/day-2.") && said.text().contains("cannot be restored: layer day-4")
    );
}

#[test]
fn what_is_cut_missing_or_foreign() {
    let filled = Filled::days(5);
    let object = filled.file("layers", "day-3");
    let bytes = fs::read(&object).unwrap();
    fs::write(&object, &bytes[1..]).unwrap();
    assert_eq!(lost(&filled, "check store --json"), ["day-3", "day-4"]);
    fs::remove_file(&object).unwrap();
    assert_eq!(lost(&filled, "check store --json"), ["day-3", "day-4"]);
    fs::write(&object, &bytes).unwrap();

    let manifest = filled.file("manifests", "day-1");
    let text = fs::read(&manifest).unwrap();
    fs::remove_file(&manifest).unwrap();
    assert_eq!(lost(&filled, "check store --json"), ["day-2", "day-3", "day-4"]);
    fs::write(&manifest, &text[1..]).unwrap();
    assert_eq!(lost(&filled, "check store --json"), ["day-2", "day-3", "day-4"]);
    fs::write(&manifest, &text).unwrap();

    // Two layers of which each says that it is the other.
    let (a, b) = (filled.file("layers", "day-1"), filled.file("layers", "day-2"));
    let (of_a, of_b) = (fs::read(&a).unwrap(), fs::read(&b).unwrap());
    fs::write(&a, &of_b).unwrap();
    fs::write(&b, &of_a).unwrap();
    assert_eq!(lost(&filled, "check store --read-data --json"), ["day-1", "day-2", "day-3", "day-4"]);
    fs::write(&a, &of_a).unwrap();
    fs::write(&b, &of_b).unwrap();

    filled.folder.write("store/notes.txt", b"");
    let _ = filled.run("check store", 3, &["0 of 5 layers cannot be restored", "every layer can be restored"]);
    fs::remove_file(filled.folder.path("store/notes.txt")).unwrap();
    let _ = filled.run("check store --read-data", 0, &[]);
}

/// As on a disk that is mounted read-only: where no lock can be written, what only reads goes on.
#[test]
fn a_store_that_cannot_be_written_to_is_read() {
    let filled = Filled::days(2);
    let locks = filled.folder.path("store/locks");
    fs::remove_dir_all(&locks).unwrap();
    fs::write(&locks, "").unwrap();
    let warns = "warning: nothing keeps others from removing layers meanwhile";
    for line in [
        "check store --read-data",
        "prune store --keep-last 1 --dry-run",
        "export store --to raw -o exported.img",
        "restore store --to-file restored.img",
    ] {
        let _ = filled.run(line, 0, &[warns]);
    }
    let _ = filled.run("list store", 0, &[]);
    let _ = filled.run("prune store --keep-last 1", 4, &["cannot write", "locks"]);
    for image in ["exported.img", "restored.img"] {
        assert!(filled.folder.read(image) == filled.folder.read("1.img"), "{image}");
    }
}

#[test]
fn root_a_store_on_a_full_disk_is_read() {
    let filled = Filled::days(2);
    let disk = filled.folder.path("disk");
    fs::create_dir(&disk).unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=2m", "none"];
    if !Command::new("mount").args(mount).arg(&disk).status().is_ok_and(|status| status.success()) {
        println!("skipped: mounting a tmpfs needs root");
        return;
    }
    super::copy(&filled.folder.path("store"), &disk.join("store"));
    let mut filler = fs::File::create(disk.join("filler")).unwrap();
    while std::io::Write::write(&mut filler, &[0; 512]).is_ok() {}
    drop(filler);
    let run = |line: &str| filled.folder.tool("lvbackup", line).run();
    let said =
        ["restore disk/store --to-file got.img", "check disk/store --read-data", "prune disk/store --keep-last 1"];
    let said = said.map(run);
    assert!(Command::new("umount").arg(&disk).status().unwrap().success());
    let [restored, checked, pruned] = said;
    let _ = restored.says(0, &["warning", "is whole"]);
    let _ = checked.says(0, &["warning", "2 read to their ends"]);
    let _ = pruned.says(4, &["make room"]);
}

/// The layers above one without a manifest need it: nothing goes until it has one again.
#[test]
fn a_manifest_that_is_missing_is_rebuilt() {
    let filled = Filled::days(3);
    let (recipient, key) = super::age_key(&filled.folder);
    filled.write_image(3);
    filled.add(3, Some(2), &Encoding { zstd_level: Some(1), recipients: Recipients::parse([&recipient]).unwrap() });
    let _ = filled.run("hold store day-1", 0, &[]);
    for day in ["day-1", "day-3"] {
        fs::remove_file(filled.file("manifests", day)).unwrap();
    }
    let _ = filled.run("check store", 3, &["3 things are wrong", "1 of 2 layers cannot be restored", "--repair"]);
    for line in ["prune store", "prune store --keep-last 1", "prune store --keep-last 1 --dry-run"] {
        let _ = filled.run(line, 3, &["2 objects without a manifest", "nothing is removed", "--repair"]);
    }
    let said = filled.run("check store --repair --json", 3, &[]);
    assert_eq!(json_lines(&said)[0]["repaired"], 1);
    assert!(said.text().contains("none can be rebuilt"), "{}", said.text());
    assert_eq!(filled.layers(), ["0", "1", "2"]);
    let said = filled.run(&format!("check store --repair --json --identity {key}"), 0, &[]);
    assert_eq!(json_lines(&said)[0]["repaired"], 1);
    let _ = filled.run(&format!("check store --read-data --identity {key}"), 0, &["4 read to their ends"]);
    assert!(filled.run("list store", 0, &[]).text().contains("held"), "its marks stayed");
    filled.gives("3", &format!("--identity {key}"));

    // What is no stream of that layer cannot be listed, and goes when that is asked for.
    let object = filled.file("layers", "day-3");
    fs::write(&object, "no stream").unwrap();
    fs::remove_file(filled.file("manifests", "day-3")).unwrap();
    let _ = filled.run(&format!("check store --repair --identity {key}"), 3, &["1 thing is wrong"]);
    let _ = filled.run("prune store --remove-broken", 0, &["1 object of dead runs removed"]);
    let _ = filled.run("check store", 0, &["3 layers"]);
}

#[test]
fn what_dead_runs_left_is_no_damage() {
    let filled = Filled::days(2);
    let object = filled.file("layers", "day-1");
    let left = object.file_name().unwrap().to_str().unwrap().replacen("day-1.", "day-9.", 1);
    let attempt = left.split('.').nth(1).unwrap();
    let pending = filled.folder.path(&format!("store/marks/vg0=2Fdata/day-9/pending-{attempt}"));
    fs::create_dir_all(pending.parent().unwrap()).unwrap();
    fs::write(pending, "").unwrap();
    fs::copy(&object, object.with_file_name(left)).unwrap();
    let said = filled.run("check store --json", 0, &[]);
    assert!(text(&json_lines(&said)[0]["garbage"][0]["key"]).contains("day-9"));
    assert!(filled.run("check store", 0, &[]).text().contains("left by a dead run, does no harm"));
    let says = ["0 layers (0 B) and 2 objects of dead runs removed", "no layer goes without a rule"];
    let _ = filled.run("prune store", 0, &says);
    assert_eq!(filled.layers(), ["0", "1"]);
    let said = filled.run("check store --json", 0, &[]);
    assert_eq!(json_lines(&said)[0]["garbage"], serde_json::json!([]));
}

#[test]
fn encrypted_ones_with_and_without_the_key() {
    let filled = Filled::days(1);
    let (recipient, key) = super::age_key(&filled.folder);
    filled.write_image(1);
    filled.add(1, Some(0), &Encoding { zstd_level: Some(1), recipients: Recipients::parse([&recipient]).unwrap() });
    let says = ["1 read to their ends; of 1 encrypted, only the objects were compared, `--identity FILE` decrypts"];
    let said = filled.run("check store --read-data --json", 0, &[]);
    let found = &json_lines(&said)[0];
    assert_eq!((&found["read_layers"], &found["unopened_layers"]), (&1.into(), &1.into()));
    let _ = filled.run("check store --read-data", 0, &says);
    let _ = filled.run(&format!("check store --read-data --identity {key}"), 0, &["2 read to their ends"]);
    // Somebody else's key: nothing is lost because of that.
    let right = filled.folder.read(key);
    super::age_key(&filled.folder);
    let line = format!("check store --read-data --identity {key}");
    let said = filled.run(&format!("{line} --json"), 3, &["1 layer is encrypted for others", "--identity FILE"]);
    let found = &json_lines(&said)[0];
    assert_eq!((&found["lost"], &found["unopened_layers"]), (&serde_json::json!([]), &1.into()));
    for (more, says) in
        [(format!("--identity {key}"), "the identity given does not open it"), (String::new(), "no identity is given")]
    {
        for command in ["restore store --to-file x.img", "export store --to raw -o x.img"] {
            let said =
                filled.run(&format!("{command} {more}"), 3, &["layer day-1 of vg0/data", says, "--identity FILE"]);
            assert_eq!(said.stderr.matches("layers/vg0=2Fdata/day-1.").count(), 1, "{}", said.stderr);
        }
    }
    alter(&filled.file("layers", "day-1"));
    assert_eq!(lost(&filled, &format!("{line} --json")), ["day-1"]);
    filled.folder.write(key, &right);
    assert_eq!(lost(&filled, "check store --read-data --json"), ["day-1"]);
    assert_eq!(lost(&filled, &format!("check store --read-data --json --identity {key}")), ["day-1"]);
}
