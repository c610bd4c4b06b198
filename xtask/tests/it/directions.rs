//! Who may know whom: the picture in ARCHITECTURE.md as a table.

use serde_json::Value;
use std::{collections::BTreeSet, path::Path, process::Command};

/// What each crate may depend on within the workspace, and in its tests on `testkit` besides.
const ALLOWED: &[(&str, &[&str])] = &[
    ("durable", &[]),
    ("extents", &[]),
    ("retention", &[]),
    ("hyperlayer", &["extents"]),
    ("thin-delta", &["extents"]),
    ("lvm-cmd", &["durable", "extents"]),
    ("block-copy", &["durable", "extents"]),
    ("transfer", &["durable", "extents", "hyperlayer", "thin-delta", "lvm-cmd", "block-copy"]),
    ("store", &["durable", "extents", "hyperlayer", "thin-delta", "lvm-cmd", "block-copy", "retention", "transfer"]),
    ("replicate", &["extents", "hyperlayer", "thin-delta", "lvm-cmd", "block-copy", "retention", "transfer"]),
    ("snapshot", &["durable", "extents", "lvm-cmd"]),
    ("daemon", &["extents", "lvm-cmd", "retention"]),
    ("cli", &["extents", "hyperlayer", "lvm-cmd", "block-copy", "transfer", "store"]),
    ("testkit", &["extents"]),
    ("s3-server", &[]),
    ("xtask", &[]),
];

/// What tests may use besides: those of `store`, and of the commands on stores, need a service to talk to.
const FOR_TESTS: &[(&str, &[&str])] = &[("store", &["s3-server"]), ("lvbackup", &["s3-server"])];

/// A program may use every crate, but no other program.
const CRATES: &[&str] = &[
    "durable",
    "extents",
    "retention",
    "hyperlayer",
    "thin-delta",
    "lvm-cmd",
    "block-copy",
    "transfer",
    "store",
    "replicate",
    "snapshot",
    "daemon",
    "cli",
];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO")).args(["metadata", "--format-version=1", "--no-deps"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn is_program(package: &Value) -> bool {
    text(&package["manifest_path"]).contains("/bins/")
}

/// The table's row of a package.
fn allowed(package: &Value) -> Option<&'static [&'static str]> {
    let name = text(&package["name"]);
    let row = || ALLOWED.iter().find(|(known, _)| *known == name).map(|(_, allowed)| *allowed);
    if is_program(package) { Some(CRATES) } else { row() }
}

#[test]
fn crates_know_only_whom_they_may() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    let members: BTreeSet<_> = packages.iter().map(|package| text(&package["name"])).collect();
    let unpublished =
        |name: &str| packages.iter().any(|package| package["name"] == name && package["publish"] != Value::Null);
    let mut wrong = Vec::new();
    for package in packages {
        let name = text(&package["name"]);
        let Some(allowed) = allowed(package) else {
            wrong.push(format!("{name} is not in the table of this test: add it here and in ARCHITECTURE.md"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let (other, for_tests) = (text(&dependency["name"]), dependency["kind"] == "dev");
            // A crate may ask for more of its own features in its tests.
            if !members.contains(other) || (for_tests && [name, "testkit"].contains(&other)) {
                continue;
            }
            let in_tests = || FOR_TESTS.iter().any(|(known, others)| *known == name && others.contains(&other));
            if !(allowed.contains(&other) || (for_tests && in_tests())) {
                wrong.push(format!("{name} may not depend on {other}"));
            }
            if !for_tests && package["publish"] == Value::Null && unpublished(other) && !is_program(package) {
                wrong.push(format!("{name} is published and depends on {other}, which is not"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_folder_is_called_as_its_crate() {
    for package in metadata()["packages"].as_array().unwrap() {
        let manifest = Path::new(text(&package["manifest_path"]));
        assert_eq!(manifest.parent().unwrap().file_name().unwrap().to_str().unwrap(), text(&package["name"]));
    }
}

#[test]
fn only_block_copy_may_be_unsafe() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        for target in package["targets"].as_array().unwrap() {
            let kinds = target["kind"].as_array().unwrap();
            let root = text(&target["src_path"]);
            if text(&package["name"]) == "block-copy" || !kinds.iter().any(|kind| kind == "lib" || kind == "bin") {
                continue;
            }
            if !std::fs::read_to_string(root).unwrap().contains("#![forbid(unsafe_code)]") {
                wrong.push(root.to_owned());
            }
        }
    }
    assert!(wrong.is_empty(), "without `#![forbid(unsafe_code)]`: {}", wrong.join(", "));
}
