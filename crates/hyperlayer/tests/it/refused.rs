//! One stream for each rule of FORMAT.md that it breaks, and where and in which words it is refused.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hyperlayer::fuzzing::{events, read};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/refused")
}

/// The cells of each line of the table: file, rule, byte, error.
fn table() -> Vec<[String; 4]> {
    let text = fs::read_to_string(folder().join("README.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').splitn(4, '|').map(|cell| cell.trim().to_owned()).collect();
        cells.try_into().unwrap_or_else(|cells| panic!("{cells:?}"))
    })
    .collect()
}

#[test]
fn each_breaks_one_rule() {
    let mut wrong = Vec::new();
    for [file, rule, position, words] in table() {
        let stream = fs::read(folder().join(file.trim_matches('`'))).unwrap();
        let (seen, error) = events([stream.as_slice()]);
        let found = error.as_ref().map_or_else(
            || "nothing: it is accepted".to_owned(),
            |error| format!("{} | {}", error.position, error.kind.to_string().replace('|', "\\|")),
        );
        if found != format!("{position} | {words}") {
            wrong.push(format!("| {file} | {rule} | {found} |"));
        }
        // However the bytes come.
        assert_eq!(events(stream.chunks(1)), (seen, error), "{file}");
        assert_eq!(read(stream.as_slice()), events([stream.as_slice()]), "{file}");
    }
    assert!(wrong.is_empty(), "refused otherwise than the table says:\n{}", wrong.join("\n"));
}

#[test]
fn the_table_has_every_file() {
    let listed: BTreeSet<_> = table().into_iter().map(|[file, ..]| file.trim_matches('`').to_owned()).collect();
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<_> = names.filter(|name| name != "README.md").collect();
    assert_eq!(listed, found);
    assert!(found.len() > 100);
}
