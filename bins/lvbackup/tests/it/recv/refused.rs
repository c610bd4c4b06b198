use super::{Folder, TO};

/// Refused before anything of it counts: nothing is there afterwards.
#[track_caller]
fn refuses(folder: &Folder, line: &str, stream: &[u8], code: i32, says: &[&str]) {
    let said = folder.recv(line).stdin(stream).run().says(code, says);
    assert!(said.stdout.is_empty());
    assert!(folder.of_target().is_empty(), "{line}: {:?}", folder.of_target());
}

#[test]
fn what_is_no_chain() {
    let folder = Folder::new();
    refuses(&folder, TO, &[], 3, &["there is no stream"]);
    refuses(&folder, TO, b"hello world, this is no stream", 3, &["standard input"]);
    refuses(&folder, TO, &folder.chain(1), 3, &["the stream is a delta and needs its base"]);
    refuses(&folder, &format!("{TO} --base 0.img"), &folder.chain(0), 3, &["full layer"]);
    refuses(&folder, TO, &folder.read("0.hl")[..300], 3, &["cut"]);
    refuses(&folder, &format!("{TO} -i missing.hl"), &[], 1, &["missing.hl", "No such file"]);
    refuses(&folder, &format!("{TO} --base missing.img"), &folder.chain(0), 1, &["missing.img", "No such file"]);
    refuses(&folder, &format!("{TO} -i 0.hl -i missing.hl"), &[], 1, &["missing.hl"]);
}

/// What breaks the chain is named, with its place; what was whole before it stays, to be continued.
#[test]
fn a_break_in_the_chain() {
    let folder = Folder::new();
    let broken = [folder.read("0.hl"), folder.read("2.hl")].concat();
    let says = [
        "the chain is broken: `standard input#2` was made against layer blake3:",
        "`got.img` is not there yet; 1 layer is kept",
    ];
    let _ = folder.recv(TO).stdin(&broken).run().says(5, &says);
    assert_eq!(folder.of_target(), [".got.img.partial", ".got.img.partial.json"]);
    let _ = folder.recv(&format!("{TO} --resume -i 1.hl -i 2.hl -i 3.hl")).run().done();
    folder.is_received();
}

/// With files given by name all headers are compared before anything is written.
#[test]
fn a_break_between_files() {
    let folder = Folder::new();
    for number in 0..3 {
        let name = format!("{number}.hl");
        folder.write(&format!("{number}.zst"), &zstd::encode_all(&folder.read(&name)[..], 0).unwrap());
    }
    folder.write("01.hl", &[folder.read("0.hl"), folder.read("1.hl")].concat());
    folder.write("01.zst", &zstd::encode_all(&folder.read("01.hl")[..], 0).unwrap());
    folder.write("02.hl", &[folder.read("0.hl"), folder.read("2.hl")].concat());
    let broken = [
        ("-i 0.hl -i 2.hl", "`2.hl` was made against"),
        ("-i 0.zst -i 2.zst", "`2.zst` was made against"),
        ("-i 01.hl -i 3.hl", "`3.hl` was made against"),
        ("-i 01.zst -i 3.hl", "`3.hl` was made against"),
        ("-i 02.hl", "`02.hl#2` was made against"),
        ("-i 0.hl -i 0.hl", "is a full layer, which begins a chain"),
        ("-i 0.hl -i 1.hl -i 3.img", "`3.img`"),
    ];
    for (line, says) in broken {
        refuses(&folder, &format!("{TO} {line}"), &[], 3, &[says]);
    }
    let _ = folder.recv(&format!("{TO} -i 01.zst -i 2.hl -i 3.hl")).run().done();
    folder.is_received();
}

/// A complete layer, and garbage behind it: the layer is kept, and the message says how to get it.
#[test]
fn garbage_behind_a_layer() {
    let folder = Folder::new();
    let whole = folder.chain(0);
    let longer = [&whole[..], b"and more\n"].concat();
    let says = [
        "4 layers are kept",
        &format!("the input is complete before byte {}: hand it over without what follows", whole.len()),
        "continue with an input that is right: `lvbackup recv --resume --to-file got.img` < INPUT",
    ];
    let said = folder.recv(TO).stdin(&longer).run().says(5, &says);
    assert!(!said.stderr.contains("nothing was applied"), "{}", said.stderr);
    let _ = folder.recv(&format!("{TO} --resume")).stdin(&longer).run().says(5, &says);
    let _ = folder.recv(&format!("{TO} --resume")).stdin(&longer[..whole.len()]).run().done();
    folder.is_received();
}

#[test]
fn what_exists_is_not_replaced() {
    let folder = Folder::new();
    folder.write("got.img", b"somebody's");
    let _ = folder.recv(TO).stdin(&folder.chain(0)).run().says(1, &["`got.img` exists already"]);
    assert_eq!(folder.read("got.img"), b"somebody's");
    assert_eq!(folder.of_target(), ["got.img"]);
}

/// Found out before the first byte is written, not when the file is to get its name.
#[test]
fn the_name_of_a_directory() {
    let folder = Folder::new();
    let says = ["`got.img/` is the name of a directory", "the name of a file"];
    refuses(&folder, "--to-file got.img/", &folder.chain(0), 1, &says);
}

#[test]
fn what_cannot_be_meant() {
    let folder = Folder::new();
    for line in [
        "",
        "--to-file a -l b",
        "--to-file a -v vg",
        "-v vg -l a --base b -p c",
        "--to-file a --keep-old b",
        "--json",
        "--to-file a --resume --discard-partial",
        "--to-file a --list-partial --resume",
        "--to-file a --base-id x",
        "--to-file a --require-end --accept-open-end",
        "--to-file a --writable",
        "--to-file a --size x",
        "-l a",
        "-v vg -l a --base other/b",
    ] {
        let code = folder.recv(line).run().code();
        assert_eq!(code, 2, "{line}");
    }
}
