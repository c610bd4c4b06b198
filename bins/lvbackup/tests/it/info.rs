use testkit::Folder;

use crate::images::{folder, json_lines, lvbackup};

#[test]
fn of_every_layer_in_a_file() {
    let folder = folder();
    folder.write("chain.hl", &["mon.hl", "tue.hl", "wed.hl", "thu.hl"].map(|name| folder.read(name)).concat());
    let said = lvbackup(&folder, "info --json chain.hl", 0, &[]);
    let layers = json_lines(&said);
    let inputs: Vec<_> = layers.iter().map(|layer| layer["input"].as_str().unwrap()).collect();
    assert_eq!(inputs, ["chain.hl", "chain.hl#2", "chain.hl#3", "chain.hl#4"]);
    assert!(layers.iter().all(|layer| layer["state"] == "proven" && layer["error"].is_null()));
    assert!(layers.windows(2).all(|two| two[1]["parent"] == two[0]["layer"]), "they follow each other");
    let (first, last) = (&layers[0], &layers[3]);
    assert_eq!((&first["kind"], &first["parent"], &first["name"]), (&"full".into(), &().into(), &"mon".into()));
    assert_eq!(last["volume_size_bytes"], 900 * 1024);
    assert_eq!(last["parent_size_bytes"], 600 * 1024);
    let bytes: u64 = layers.iter().map(|layer| layer["stream_bytes"].as_u64().unwrap()).sum();
    assert_eq!(bytes, folder.read("chain.hl").len() as u64);
}

/// A name of its own for each key, as the help lists them.
#[test]
fn the_keys_are_those_that_the_help_says() {
    let folder = folder();
    let help = lvbackup(&folder, "info --help", 0, &[]);
    let keys = help.text().split_once("Keys of --json: ").unwrap().1.split_once("does not say").unwrap().0;
    let said = lvbackup(&folder, "info --json mon.hl", 0, &[]);
    for key in json_lines(&said)[0].as_object().unwrap().keys() {
        let words = || keys.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        assert!(words().any(|word| word == key), "{key} is not in:\n{keys}");
    }
}

#[test]
fn as_text() {
    let folder = folder();
    let _ = folder.tool("lvdiff", "--scan tue.img mon.img --meta Author:me -o tue.hl").run().done();
    let said = lvbackup(&folder, "info tue.hl", 0, &[]);
    for line in ["tue.hl:", "  kind      delta", "  meta      Author: me", "  state     whole and unaltered"] {
        assert!(said.text().lines().any(|found| found.starts_with(line)), "{line:?} is not in:\n{}", said.text());
    }
}

/// Neither a file's name nor what a stream of 1.0 says can forge a line.
#[test]
fn text_that_looks_like_lines() {
    let folder = folder();
    let name = "a\n  state     whole and unaltered\x1b[31m.hl";
    folder.write(name, b"HYPERLAYER/1.0\nnote: \"x\\n  state     whole\\e[31m\"\ntab: a\tb\n\n");
    let said = folder.tool("lvbackup", "info --header").args([name]).run().done();
    let lines = said.text().lines().filter(|line| line.trim_start().starts_with("state"));
    assert_eq!(lines.count(), 1, "{}", said.text());
    assert!(!said.text().contains(['\x1b', '\t']), "{}", said.text());
}

#[test]
fn only_the_header() {
    let folder = folder();
    let cut = folder.read("mon.hl")[..2000].to_vec();
    folder.write("cut.hl", &cut);
    let said = lvbackup(&folder, "info --header --json cut.hl", 0, &[]);
    let layer = &json_lines(&said)[0];
    assert_eq!((&layer["state"], &layer["stream_bytes"]), (&"unread".into(), &().into()));
    assert_eq!(layer["data_bytes"], 1 << 20, "as stated");
}

#[test]
fn of_what_is_damaged() {
    let folder = folder();
    let mut chain = [folder.read("mon.hl"), folder.read("tue.hl")].concat();
    chain.truncate(chain.len() - 1);
    folder.write("chain.hl", &chain);
    let said = lvbackup(&folder, "info --json chain.hl thu.hl", 3, &["`chain.hl#2`", "the stream is cut"]);
    let layers = json_lines(&said);
    let states: Vec<_> = layers.iter().map(|layer| layer["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["proven", "damaged", "proven"], "what is damaged keeps nothing else back");
    assert!(layers[1]["error"].as_str().unwrap().contains("cut"));
    let _ = lvbackup(&folder, "info mon.img", 3, &["`mon.img`", "expected a stream"]);
    folder.write("empty", b"");
    let _ = lvbackup(&folder, "info empty", 3, &["`empty`: there is no stream"]);
    let _ = lvbackup(&folder, "info mon.img empty missing", 3, &["`mon.img`", "`empty`", "`missing`", "name what"]);
}

#[test]
fn from_standard_input_and_compressed() {
    let folder = Folder::default();
    folder.write("a.img", &testkit::stamped(1, 0, 100 * 512));
    let stream = folder.tool("lvdiff", "--full ./a.img --compress zstd").run().done().stdout;
    let said = folder.tool("lvbackup", "info --json -").stdin(&stream).run().done();
    assert_eq!(json_lines(&said)[0]["data_bytes"], 100 * 512);
}

/// The golden files of `hyperlayer`: what each format can say, in JSON and as sure as it can be.
#[test]
fn of_other_tools() {
    let folder = folder();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/hyperlayer/tests/golden");
    for (name, format, kind, state) in [
        ("lvbackup-v1-full.bin", "lvbackup v1", "full", "counted"),
        ("lvbackup-v1-delta.bin", "lvbackup v1", "delta", "counted"),
        ("thin-send-1.1.bin", "thin-send 1.1", "unknown", "counted"),
        ("thin-send-1.0.bin", "thin-send 1.0", "unknown", "unknown"),
        ("lvmsync.bin", "lvmsync", "delta", "unknown"),
        ("ddxml.xml", "ddxml", "delta", "counted"),
        ("original-level2-1.0.hl", "1.0", "delta", "counted"),
    ] {
        let said = lvbackup(&folder, &format!("info --json --block-size 512 {golden}/{name}"), 0, &[]);
        let layer = &json_lines(&said)[0];
        assert_eq!([&layer["format"], &layer["kind"], &layer["state"]], [format, kind, state], "{name}");
    }
    lvbackup(&folder, &format!("info {golden}/ddxml.xml"), 3, &["--block-size SIZE"]);
    let chain = format!("{golden}/lvbackup-v1-full.bin {golden}/lvbackup-v1-delta.bin");
    let said = lvbackup(&folder, &format!("verify --json {chain}"), 0, &[]);
    assert_eq!(json_lines(&said)[1]["identity"], "proven");
}

/// One line about it, not one for each file that is left.
#[test]
fn a_reader_that_is_gone() {
    let folder = folder();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let said = folder.tool("lvbackup", "info mon.hl tue.hl wed.hl").stdout(writer).run().says(1, &[]);
    assert_eq!(said.stderr, "lvbackup: cannot write to standard output: Broken pipe (os error 32)\n");
    let _ = lvbackup_in_shell(&folder, "info mon.hl >&-").says(1, &["cannot use standard output: it is closed"]);
    let _ = lvbackup_in_shell(&folder, "info - <&-").says(1, &["cannot use standard input: it is closed"]);
    let _ = lvbackup_in_shell(&folder, "serve --stdio <&-").says(1, &["cannot use standard input: it is closed"]);
    let _ = lvbackup_in_shell(&folder, "init new --json >&-").says(1, &["cannot use standard output: it is closed"]);
    assert!(!folder.path("new").exists());
}

fn lvbackup_in_shell(folder: &testkit::Folder, line: &str) -> testkit::Finished {
    testkit::Tool::shell(&format!("lvbackup {line}"), &["lvbackup"], folder.root()).run()
}
