//! `docs/guarantees.md` has a section for each command, and each test that it names exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn document() -> String {
    read("docs/guarantees.md")
}

/// The commands of a program, as its command line declares them.
fn commands(program: &str) -> Vec<String> {
    let args = read(&format!("bins/{program}/src/args.rs"));
    let declared = args.split_once("enum Command {").unwrap().1.split_once('}').unwrap().0;
    let variants = declared.lines().filter_map(|line| line.trim().split_once('('));
    variants.map(|(name, _)| format!("{program} {}", name.to_lowercase())).collect()
}

#[test]
fn each_command_has_a_section() {
    let document = document();
    let sections = document.split("\n### ").skip(1).map(|section| section.split_once('\n').unwrap());
    let expected: BTreeSet<_> = ["lvdiff", "lvpatch"]
        .map(str::to_owned)
        .into_iter()
        .chain(["lvbackup", "lvsnap"].into_iter().flat_map(commands))
        .collect();
    let found: BTreeSet<_> = sections.clone().map(|(name, _)| name.to_owned()).collect();
    assert!(expected.len() > 30, "{expected:?}");
    assert_eq!(found, expected);
    for (name, section) in sections {
        for needed in ["\n- **0**: ", "\n- **Else**: ", "\n- Tests: `"] {
            assert!(format!("\n{section}").contains(needed), "`{name}` lacks {needed:?}");
        }
    }
}

/// Paths in the document that name no test: the example that explains them, and this module.
const NOT_TESTS: [&str; 3] = ["crate::it::module::name", "crate::module::name", "xtask::it::guarantees"];

#[test]
fn each_test_that_is_named_exists() {
    let document = document();
    let quoted: Vec<_> = document.split('`').skip(1).step_by(2).collect();
    let mut missing = Vec::new();
    let mut seen = 0;
    for name in quoted {
        let is_scenario =
            name.len() > 3 && name.as_bytes()[2] == b'-' && name.bytes().take(2).all(|digit| digit.is_ascii_digit());
        let is_there = match (is_scenario, name.split_once("::")) {
            (true, _) => root().join(format!("xtask/scenarios/{name}.sh")).exists(),
            (false, Some((krate, path))) if !NOT_TESTS.contains(&name) => has_test(krate, path),
            _ => continue,
        };
        seen += 1;
        if !is_there {
            missing.push(name);
        }
    }
    assert!(seen > 150, "only {seen} tests are named");
    assert!(missing.is_empty(), "no such test: {}", missing.join(", "));
}

/// Whether the crate has a test of that path: a function behind `#[test]`, also in a macro.
///
/// `it::module::name` is in `tests/it/module.rs`, any other `module::name` in `src/module.rs`.
fn has_test(krate: &str, path: &str) -> bool {
    let (target, path) = path.strip_prefix("it::").map_or(("src", path), |path| ("tests/it", path));
    let (module, test) = path.rsplit_once("::").unwrap_or(("main", path));
    let module = module.replace("::", "/");
    let folders = ["crates", "bins", ""].map(|folder| root().join(folder).join(krate).join(target));
    let files =
        folders.iter().flat_map(|folder| [format!("{module}.rs"), format!("{module}/mod.rs")].map(|f| folder.join(f)));
    let text: String = files.filter_map(|file| std::fs::read_to_string(file).ok()).collect();
    let Some((before, _)) = text.split_once(&format!("fn {test}(")) else { return false };
    // Attributes stand on the lines directly before.
    before
        .trim_end()
        .lines()
        .rev()
        .take_while(|line| line.trim().starts_with("#["))
        .any(|line| line.trim() == "#[test]")
}
