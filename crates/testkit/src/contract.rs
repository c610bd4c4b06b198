//! What every binary promises on its command line.

use crate::Tool;

/// Tests that every binary must pass. `missing` are command lines that lack an argument, `unreadable` one that names an
/// input which is not there.
///
/// ```ignore
/// testkit::contract!("lvdiff", missing: [["a"]], unreadable: ["--scan", "new.img", "old.img"]);
/// ```
#[macro_export]
macro_rules! contract {
    ($tool:literal, missing: [$([$($missing:literal),*]),*], unreadable: [$($unreadable:literal),+]) => {
        #[test]
        fn contract_help() {
            $crate::check_help($tool);
        }

        #[test]
        fn contract_standard_output() {
            $crate::check_standard_output($tool);
        }

        #[test]
        fn contract_unknown_option() {
            $crate::check_refused($tool, &["--no-such-option"], 2, "'--no-such-option'");
        }

        #[test]
        fn contract_missing_argument() {
            $($crate::check_refused($tool, &[$($missing),*], 2, "");)*
        }

        #[test]
        fn contract_unreadable_input() {
            $crate::check_refused($tool, &[$($unreadable),+], 1, "No such file or directory");
        }
    };
}

/// `-h`, `--help` and `--version` go to standard output and exit with 0; the long help documents the exit status and
/// shows examples, and fits its width.
///
/// # Panics
/// It is not so.
pub fn check_help(tool: &str) {
    let folder = tempfile::tempdir().unwrap();
    let ask = |option: &str| {
        let finished = Tool::new(tool, folder.path()).args([option]).run().done();
        assert_eq!(finished.stderr, "", "{option}");
        finished.text().to_owned()
    };
    let (short, long, version) = (ask("-h"), ask("--help"), ask("--version"));
    assert_eq!(version, format!("{tool} {}\n", env!("CARGO_PKG_VERSION")));
    assert!(short.len() < long.len());
    assert!(short.contains(&format!("{tool} --help")), "the short help leads to the long one");
    for needed in ["Usage:", "Examples:", "Exit status:"] {
        assert!(long.contains(needed), "{needed} is not in:\n{long}");
    }
    let exits = long.split_once("Exit status:").unwrap().1;
    for code in ["0", "1", "2", "3", "4", "5", "128+N"] {
        let said = exits.lines().filter(|line| line.split_whitespace().next() == Some(code)).count();
        assert_eq!(said, 1, "exit status {code} in:\n{exits}");
    }
    for line in short.lines().chain(long.lines()) {
        assert!(line.chars().count() <= 120, "too wide: {line}");
    }
}

/// What standard output does not take is a failure, and whatever takes it is not: also a `/dev/null` that is open for reading
/// too, which is what the standard library puts in the place of a closed stream, and what other programs give to their
/// children.
///
/// # Panics
/// It is not so.
pub fn check_standard_output(tool: &str) {
    let folder = tempfile::tempdir().unwrap();
    for (output, code, says) in [
        (">&-", 1, "cannot use standard output: it is closed"),
        (">/dev/full", 1, "cannot write to standard output: No space left on device"),
        (">/dev/null", 0, ""),
        ("1<>/dev/null", 0, ""),
    ] {
        for option in ["-h", "--help", "--version"] {
            let line = format!("exec {tool} {option} {output}");
            let _ = Tool::shell(&line, &[tool], folder.path()).run().says(code, &[says]);
        }
    }
}

/// The exit code, the text on standard error, and nothing on standard output.
///
/// # Panics
/// It is not so.
pub fn check_refused(tool: &str, args: &[&str], code: i32, says: &str) {
    let folder = tempfile::tempdir().unwrap();
    let finished = Tool::new(tool, folder.path()).args(args).run().says(code, &[says]);
    assert!(!finished.stderr.is_empty(), "{args:?}: not a word");
    assert_eq!(finished.text(), "", "{args:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{args:?} left something");
}
