//! The same commands on an object store.

use std::io::{BufRead, BufReader};

use testkit::Tool;

use super::{Filled, copy, json_lines};

/// What a folder holds is what a bucket holds.
#[test]
fn every_command_once() {
    let filled = Filled::days(4);
    let bucket = filled.folder.path("s3/bucket");
    copy(&filled.folder.path("store"), &bucket);
    let root = filled.folder.path("s3").display().to_string();
    let mut server = Tool::new("s3-server", filled.folder.root()).args([root.as_str(), "0"]).spawn();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines().map(Result::unwrap);
    let environment: Vec<_> =
        lines.take(5).map(|line| line.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())).unwrap()).collect();
    let run = |line: &str, code, says: &[&str]| {
        filled.folder.tool("lvbackup", line).envs(&environment).run().says(code, says)
    };
    let layers = json_lines(&run("list s3://bucket --json", 0, &[]));
    assert_eq!(layers.len(), 4);
    let _ = run("check s3://bucket --read-data", 0, &["4 read to their ends"]);
    let _ = run("tag s3://bucket latest release", 0, &["layer day-3"]);
    let _ = run("hold s3://bucket day-1", 0, &[]);
    let _ = run("prune s3://bucket --keep-tag release --merge", 0, &["2 layers"]);
    let layers = json_lines(&run("list s3://bucket --json", 0, &[]));
    assert_eq!(layers.iter().map(|layer| layer["layer"].as_str().unwrap()).collect::<Vec<_>>(), ["day-1", "day-3"]);
    for day in ["1", "3"] {
        let _ = run(&format!("restore s3://bucket --layer day-{day} --to-file got-{day}.img"), 0, &[]);
        assert!(
            filled.folder.read(&format!("got-{day}.img")) == filled.folder.read(&format!("{day}.img")),
            "day {day}"
        );
    }
    let _ = run("export s3://bucket --to qcow2 -o last.qcow2", 0, &["is whole"]);
    let _ = run("unlock s3://bucket", 0, &["nobody works on the store"]);
    let _ = run("init s3://bucket/below", 0, &["s3://bucket/below"]);
    let _ = run("init s3://bucket", 1, &["holds a store already"]);
    let _ = run("list s3://nowhere", 1, &["nowhere"]);
    let mut stranger = environment.clone();
    stranger[4].1 = "wrong".to_owned();
    let listed = filled.folder.tool("lvbackup", "list s3://bucket").envs(&stranger).run();
    let _ = listed.says(4, &["cannot", "when the store can be reached", "AWS_SECRET_ACCESS_KEY"]);
}
