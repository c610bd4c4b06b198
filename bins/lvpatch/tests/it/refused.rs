use std::fs;

use testkit::Tool;

use crate::{APPLY, Folder, SCAN};

#[test]
fn a_cut_stream_leaves_nothing() {
    let folder = Folder::new();
    for options in ["", "--compress zstd"] {
        let stream = folder.stream(&format!("{SCAN} {options}"));
        for cut in [1, 3, 14, 300, stream.len() / 2, stream.len() - 1] {
            folder.refuses(APPLY, &stream[..cut], 3, &["lvpatch: ", "stream"]);
        }
    }
    folder.refuses(APPLY, b"", 3, &["there is no stream: the input is empty"]);
}

#[test]
fn an_altered_stream_leaves_nothing() {
    let folder = Folder::new();
    for options in ["", "--compress zstd"] {
        let stream = folder.stream(&format!("{SCAN} {options}"));
        for at in [stream.len() / 3, stream.len() / 2, stream.len() - 2] {
            let mut stream = stream.clone();
            stream[at] ^= 1;
            folder.refuses(APPLY, &stream, 3, &["lvpatch: "]);
        }
    }
}

#[test]
fn more_than_one_layer() {
    let folder = Folder::new();
    let stream = folder.stream(SCAN);
    folder.refuses(APPLY, &stream.repeat(2), 3, &["the input holds more than one layer"]);
    folder.refuses(APPLY, &[&stream[..], b"\n"].concat(), 3, &["expected the end of the input"]);
}

#[test]
fn what_is_no_stream() {
    let folder = Folder::new();
    folder.refuses(APPLY, b"lvdiff: no such volume\n", 3, &["expected a stream that begins with `HYPERLAYER/`"]);
    folder.refuses(APPLY, &[0; 10_000], 3, &["expected a stream"]);
    folder.refuses(APPLY, b"\x28\xb5\x2f\xfdno zstd frame at all", 3, &["the zstd frame is damaged"]);
    for (compressed, program) in
        [(&b"\x1f\x8b\x08\x00\x00"[..], "gzip"), (b"\xfd7zXZ\x00\x00", "xz"), (b"BZh91AY&SY", "bzip2")]
    {
        folder.refuses(APPLY, compressed, 3, &[&format!("`{program} -dc`")]);
    }
    folder.refuses(APPLY, b"HYPERLAYER/9.9\n\n", 3, &["found `HYPERLAYER/9.9`"]);
}

/// The sizes are compared before a file of that size is made.
#[test]
fn a_base_of_another_size() {
    let folder = Folder::new();
    let old = b"HYPERLAYER/1.0\nVolume size: 80000000000000\nChunk size: 4096\nDelta blocks: 0\n\n";
    folder.refuses(APPLY, old, 3, &["had 80000000000000", "`old.img`"]);
    let new = "HYPERLAYER/1.1\nKind: delta\nVolume_size: 80000000000000\nChunk_size: 4096\nParent_size: 512\n\
               Check_records: 0\nData_records: 0\nData_bytes: 0\nZero_records: 0\nZero_bytes: 0\n\n";
    folder.refuses(APPLY, new.as_bytes(), 3, &["had 512", "`old.img`"]);
}

#[test]
fn files_that_are_none() {
    let folder = Folder::new();
    let stream = folder.stream(SCAN);
    folder.refuses("--base missing.img --output got.img", &stream, 1, &["`missing.img`", "No such file or directory"]);
    folder.refuses("--base old.img --output missing/got.img", &stream, 1, &["No such file or directory"]);
    let outside = tempfile::tempdir().unwrap();
    let dir = outside.path().display();
    folder.refuses(&format!("--base {dir} --output got.img"), &stream, 1, &["is a directory"]);
    folder.refuses(&format!("--base old.img --output {dir}"), &stream, 1, &["exists already", "name a file in it"]);
    folder.refuses("--base old.img --output -", &stream, 2, &["standard output", "`./-`"]);
    folder.refuses(&format!("{APPLY} --input {dir}"), b"", 1, &["Is a directory"]);
}

/// The file system is too small: nothing is left on it.
#[test]
fn a_volume_larger_than_any_disk() {
    let folder = Folder::new();
    let stream = folder.stream("--full ./new.img");
    let text = String::from_utf8_lossy(&stream[..400]).into_owned();
    let size = text.lines().find(|line| line.starts_with("Volume_size: ")).unwrap();
    let at = text.find(size).unwrap();
    let huge = [&stream[..at], b"Volume_size: 9223372036854775296", &stream[at + size.len()..]].concat();
    let said = folder.lvpatch("--output got.img").stdin(&huge).run();
    assert!(said.code() == 1 || said.code() == 3, "{}", said.stderr);
    assert_eq!(folder.names(), ["new.img", "old.img"]);
}

#[test]
fn a_terminal_is_refused() {
    let folder = Folder::new();
    let line = "command -v script >/dev/null || exit 99; script -qec 'lvpatch --output got.img' /dev/null";
    let said = Tool::shell(line, &["lvpatch"], folder.root()).run();
    if said.code() == 99 {
        println!("skipped: there is no `script` that makes a terminal");
        return;
    }
    assert_eq!(said.code(), 2, "{}", said.text());
    assert!(said.text().contains("expected on standard input, which is a terminal"), "{}", said.text());
}

#[test]
fn what_cannot_be_meant() {
    let folder = Folder::new();
    folder.refuses("", b"", 2, &["neither a base nor a pool is given", "hint: `lvpatch -g VG -l BASE NEW`"]);
    folder.refuses("-g vg0 -l old -p pool0", b"", 2, &["cannot be used with"]);
    folder.refuses("-g no/group -l old", b"", 2, &["no/group"]);
    fs::metadata(folder.path("got.img")).unwrap_err();
}

#[test]
fn a_stream_needs_a_standard_input() {
    let folder = Folder::new();
    let said = Tool::shell("lvpatch --base old.img --output made.img <&-", &["lvpatch"], folder.root()).run();
    let _ = said.says(1, &["cannot use standard input: it is closed"]);
    assert!(!folder.path("made.img").exists());
}
