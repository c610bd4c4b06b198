//! What the documents show in image mode works as written.

use std::fs;

use testkit::Tool;

use crate::Folder;

/// Runs the lines of `text` that are in image mode, one after the other; each `lvpatch` must make the new image.
fn run(text: &str, expected: usize) {
    let folder = Folder::new();
    let mut shown = 0;
    for line in text.lines().map(str::trim) {
        let image_mode = line.starts_with("lvdiff --scan ") || line.starts_with("lvpatch --base ");
        if !image_mode || line.contains("`") {
            continue;
        }
        shown += 1;
        // The help of one program names what the other one writes.
        if line.contains("< changes.hl") && !folder.path("changes.hl").exists() {
            folder.write("changes.hl", &folder.stream("--scan new.img old.img"));
        }
        let output = line.split_once("--output ").map(|(_, rest)| rest.split(' ').next().unwrap());
        let wanted = folder.read("new.img");
        if output == Some("new.img") {
            fs::remove_file(folder.path("new.img")).unwrap();
        }
        Tool::shell(line, &["lvdiff", "lvpatch"], folder.root()).run().done();
        if let Some(output) = output {
            assert!(folder.read(output) == wanted, "{line}");
        }
    }
    assert_eq!(shown, expected);
}

#[test]
fn the_readme() {
    run(include_str!("../../../../README.md"), 2);
}

#[test]
fn the_help() {
    let folder = Folder::new();
    for tool in ["lvdiff", "lvpatch"] {
        run(Tool::new(tool, folder.root()).args(["--help"]).run().done().text(), 1);
    }
}
