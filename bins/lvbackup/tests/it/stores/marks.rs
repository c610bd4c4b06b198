use store::Encoding;

use super::{Filled, day, json_lines};

#[test]
fn come_and_go() {
    let filled = Filled::days(2);
    let held = |filled: &Filled| -> Vec<bool> {
        json_lines(&filled.run("list store --json", 0, &[])).iter().map(|layer| layer["held"] == true).collect()
    };
    let _ = filled.run("hold store latest", 0, &["layer day-1 of vg0/data is held"]);
    let _ = filled.run("hold store day-1 --quiet", 0, &[]);
    assert_eq!(held(&filled), [false, true]);
    let _ = filled.run("unhold store day-1", 0, &["is not held"]);
    let _ = filled.run("unhold store day-1", 0, &[]);
    assert_eq!(held(&filled), [false, false]);
    let _ = filled.run("tag store day-0 a=b/c", 0, &["has the tag `a=b/c`"]);
    assert!(filled.run("list store", 0, &[]).text().contains("#a=b/c"));
    let _ = filled.run("untag store day-0 a=b/c", 0, &["does not have the tag"]);
    assert!(!filled.run("list store", 0, &[]).text().contains('#'));
}

#[test]
fn which_layer_is_meant() {
    let filled = Filled::days(1);
    let stream = filled.folder.read("0.hl");
    filled.put("vg0/root", &stream, day(5), &Encoding::default());
    let _ = filled.run("hold store latest", 2, &["several volumes: vg0/data, vg0/root", "--series"]);
    let _ = filled.run("hold store day-0", 2, &["`vg0/data` and `vg0/root` both have the layer `day-0`", "--series"]);
    let _ = filled.run("hold store latest --series vg0/root", 0, &["layer day-0 of vg0/root is held"]);
    let _ = filled.run("hold store none", 3, &["no layer `none`", "lvbackup list"]);
    let _ = filled
        .folder
        .tool("lvbackup", "")
        .args(["tag", "store", "day-0", "--series", "vg0/root", "a\nb"])
        .run()
        .says(2, &["tag"]);
}
