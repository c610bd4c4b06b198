use crate::images::{STATES, folder, json_lines, lvbackup};

/// Every contiguous part of the chain, merged and applied, gives what its newest layer is.
#[test]
fn every_part_of_a_chain() {
    let folder = folder();
    for from in 0..4 {
        for to in from + 1..=4 {
            let files: Vec<_> = STATES[from..to].iter().map(|name| format!("{name}.hl")).collect();
            let _ = lvbackup(&folder, &format!("merge {} -o merged.hl", files.join(" ")), 0, &["SHA1: ", "BLAKE3: "]);
            let base = from.checked_sub(1).map_or_else(String::new, |base| format!("--base {}.img", STATES[base]));
            let _ = folder.tool("lvpatch", &format!("{base} --output got.img --input merged.hl")).run().done();
            assert!(folder.read("got.img") == folder.read(&format!("{}.img", STATES[to - 1])), "{files:?}");
            std::fs::remove_file(folder.path("got.img")).unwrap();
        }
    }
}

#[test]
fn compressed_in_and_out_and_through_a_pipe() {
    let folder = folder();
    let plain = lvbackup(&folder, "merge mon.hl tue.hl wed.hl", 0, &[]).stdout;
    let _ = lvbackup(&folder, "merge mon.hl tue.hl --compress zstd:5 -o both.hl.zst", 0, &[]);
    assert!(folder.read("both.hl.zst").starts_with(b"\x28\xb5\x2f\xfd"));
    let again = lvbackup(&folder, "merge both.hl.zst wed.hl -o -", 0, &[]).stdout;
    assert!(again == plain, "merging what was merged gives the same");
}

#[test]
fn a_dry_run_says_what_comes() {
    let folder = folder();
    let said = lvbackup(&folder, "merge tue.hl wed.hl thu.hl --dry-run --json", 0, &[]);
    let plan = &json_lines(&said)[0];
    let stream = lvbackup(&folder, "merge tue.hl wed.hl thu.hl", 0, &[]).stdout;
    assert_eq!(plan["stream_bytes"], stream.len());
    assert_eq!((&plan["kind"], &plan["name"]), (&"delta".into(), &"thu".into()));
    folder.write("merged.hl", &stream);
    let info = lvbackup(&folder, "info --json merged.hl", 0, &[]);
    for key in
        ["layer", "parent", "volume_size_bytes", "parent_size_bytes", "check_records", "data_bytes", "zero_bytes"]
    {
        assert_eq!(plan[key], json_lines(&info)[0][key], "{key}");
    }
}

#[test]
fn for_the_original() {
    let folder = folder();
    let says = ["has no full layers", "use 1.1"];
    let _ = lvbackup(&folder, "merge mon.hl tue.hl --format 1.0 -o old.hl", 2, &says);
    let _ = lvbackup(
        &folder,
        "merge tue.hl wed.hl --format 1.0 -o old.hl",
        2,
        &["cannot say that a volume grew or shrank"],
    );
    let one = folder.tool("lvdiff", "--scan tue.img mon.img -d 0 -o plain.hl").run().done();
    assert_eq!(one.text(), "");
    let _ = lvbackup(&folder, "merge plain.hl --format 1.0 -o old.hl", 0, &[]);
    assert!(folder.read("old.hl").starts_with(b"HYPERLAYER/1.0\n"));
    let _ = folder.tool("lvpatch", "--base mon.img --output got.img --input old.hl").run().done();
    assert!(folder.read("got.img") == folder.read("tue.img"));
}

#[test]
fn what_is_refused_leaves_nothing() {
    let folder = folder();
    let (mut cut, mut altered) = (folder.read("wed.hl"), folder.read("thu.hl"));
    cut.truncate(cut.len() - 1);
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    folder.write("cut.hl", &cut);
    folder.write("altered.hl", &altered);
    folder.write("both.hl", &[folder.read("mon.hl"), folder.read("tue.hl")].concat());
    let before = folder.names();
    for (line, code, says) in [
        ("mon.hl wed.hl", 3, "the chain is broken: `wed.hl` was made against layer blake3:"),
        ("tue.hl mon.hl", 3, "`mon.hl` is a full layer, which begins a chain, and comes after `tue.hl`"),
        ("mon.hl tue.hl cut.hl", 3, "`cut.hl`: the stream is refused"),
        ("mon.hl tue.hl wed.hl altered.hl", 3, "`altered.hl`: the stream is refused"),
        ("both.hl wed.hl", 3, "`both.hl`: the input holds more than one layer"),
        ("mon.hl missing.hl", 1, "`missing.hl`"),
        ("mon.img", 3, "`mon.img`: the stream is refused"),
    ] {
        let _ = lvbackup(&folder, &format!("merge {line} -o out.hl"), code, &[says]);
        assert_eq!(folder.names(), before, "{line}");
    }
    let _ = lvbackup(&folder, "merge mon.hl tue.hl -o tue.hl", 2, &["the result cannot take the place of `tue.hl`"]);
    let _ = lvbackup(&folder, "merge -", 2, &["cannot be read twice"]);
}
