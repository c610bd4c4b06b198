use std::fs;

use testkit::{Pair, ThinVolume, Tool, stamped};

use crate::{APPLY, Folder, SCAN};

/// The result is the new image, and the base is what it was.
#[track_caller]
fn check(folder: &Folder, diff: &str, patch: &str) {
    let before = folder.read("old.img");
    let stream = folder.stream(diff);
    let said = folder.lvpatch(patch).stdin(&stream).run().done();
    assert!(said.stdout.is_empty(), "{diff}");
    assert!(said.stderr.contains("lvpatch: `got.img` is whole"), "{diff}: {}", said.stderr);
    assert!(folder.read("got.img") == folder.read("new.img"), "{diff}");
    assert!(folder.read("old.img") == before, "{diff}: the base was written");
    fs::remove_file(folder.path("got.img")).unwrap();
    assert!(!folder.names().iter().any(|name| name.ends_with(".partial")), "{:?}", folder.names());
}

#[test]
fn scanned_at_every_level() {
    let folder = Folder::new();
    for level in 0..4 {
        check(&folder, &format!("{SCAN} -d {level}"), APPLY);
    }
}

#[test]
fn compressed() {
    let folder = Folder::new();
    for method in ["zstd", "zstd:1", "zstd:19", "none"] {
        check(&folder, &format!("{SCAN} --compress {method}"), APPLY);
    }
}

#[test]
fn by_chunks_of_any_size() {
    let folder = Folder::new();
    for size in ["512", "4k", "3s", "1m", "1g"] {
        check(&folder, &format!("{SCAN} --chunk-size {size} -d 3"), APPLY);
    }
}

#[test]
fn full() {
    let folder = Folder::new();
    check(&folder, "--full ./new.img", "--output got.img");
    check(&folder, "--full ./new.img --compress zstd --chunk-size 512", "--output got.img");
    check(&folder, "--full --scan new.img", "--output got.img");
}

#[test]
fn smaller_and_empty() {
    let folder = Folder::new();
    // The other way round, the volume shrinks.
    let (old, new) = (folder.read("old.img"), folder.read("new.img"));
    folder.write("old.img", &new);
    folder.write("new.img", &old);
    check(&folder, SCAN, APPLY);
    folder.write("new.img", &new);
    check(&folder, SCAN, APPLY);
    folder.write("new.img", &[]);
    check(&folder, SCAN, APPLY);
}

#[test]
fn in_1_0() {
    let folder = Folder::new();
    folder.write("new.img", &folder.read("new.img")[..600 * 512]);
    for level in 0..4 {
        let diff = format!("{SCAN} --format 1.0 -d {level}");
        check(&folder, &diff, APPLY);
        assert!(folder.stream(&diff).starts_with(b"HYPERLAYER/1.0\n"));
    }
}

#[test]
fn for_thin_recv() {
    let folder = Folder::new();
    let diff = format!("{SCAN} --format thin-send");
    // The stream does not say the size.
    let sectors = folder.read("new.img").len() / 512;
    check(&folder, &diff, &format!("{APPLY} --size {sectors}s"));
    assert!(folder.stream(&diff).starts_with(&0x24C4_F02A_AE2E_4FA9_u64.to_be_bytes()));
    let said = folder.refuses(APPLY, &folder.stream(&diff), 3, &["lies past the end of the volume", "--size SIZE"]);
    assert!(!said.stderr.contains("warning"));

    let full = folder.stream("--full ./new.img --format thin-send");
    folder.refuses("--output got.img", &full, 3, &["nothing says how large the volume is", "--size SIZE"]);
    let said = folder.lvpatch(&format!("--output got.img --size {sectors}s")).stdin(&full).run().done();
    assert!(folder.read("got.img") == folder.read("new.img"));
    for warning in ["does not say what it is; it was taken for a whole volume", "nothing checks the content"] {
        assert!(said.stderr.contains(warning), "{}", said.stderr);
    }
}

#[test]
fn through_a_real_pipe_and_through_files() {
    let folder = Folder::new();
    for line in [
        "lvdiff --scan new.img old.img | lvpatch --base old.img --output got.img",
        "lvdiff --scan new.img old.img -o changes.hl && lvpatch --base old.img --output got.img --input changes.hl",
        "lvdiff --scan new.img old.img | zstd -q | lvpatch --base old.img --output got.img",
    ] {
        let said = Tool::shell(line, &["lvdiff", "lvpatch"], folder.root()).run();
        if line.contains("zstd -q") && said.stderr.contains("zstd: not found") {
            println!("skipped: there is no `zstd`");
            continue;
        }
        said.done();
        assert!(folder.read("got.img") == folder.read("new.img"), "{line}");
        fs::remove_file(folder.path("got.img")).unwrap();
    }
}

/// What `thin_delta` prints of two volumes, sent as the volumes' images.
#[test]
fn from_thin_delta() {
    let chunk = extents::ChunkSize::from_bytes(extents::Bytes::new(65536)).unwrap();
    let mut old = ThinVolume::new(chunk, 1 << 20);
    old.write(0, &stamped(1, 0, 600_000));
    let mut new = old.clone();
    new.write(70_000, &stamped(2, 0, 100_000));
    new.discard(3 << 16, 2 << 16);
    new.resize(1_500_160);
    new.write(1_400_000, &stamped(3, 0, 100_160));
    let pair = Pair { old, new };
    let folder = Folder::new();
    folder.write("old.img", &pair.old.content());
    folder.write("new.img", &pair.new.content());
    folder.write("delta.xml", pair.xml().as_bytes());
    for options in ["-d 0", "-d 1", "-d 2", "-d 3", "--compress zstd"] {
        check(&folder, &format!("--delta delta.xml new.img old.img {options}"), APPLY);
    }
}

/// What a real `thin_delta` printed of a real pool; images are made to fit.
#[test]
fn from_a_recorded_thin_delta() {
    let folder = Folder::new();
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/thin-delta/tests/data");
    for recorded in ["0.9.0-delta.xml", "0.9.0-delta-verbose.xml", "derived-1.x-delta.xml", "linux-6.1-0.9.0-delta.xml"]
    {
        let xml = fs::read_to_string(format!("{data}/{recorded}")).unwrap();
        let number = |line: &str, key: &str| -> Option<usize> {
            line.split_once(&format!(" {key}=\""))?.1.split_once('"')?.0.parse().ok()
        };
        let chunk = number(&xml, "data_block_size").unwrap() * 512;
        // Every chunk is other than in the base where the document says so; in the base alone, it was discarded.
        let (mut old, mut new, mut kind) = (Vec::new(), Vec::new(), "");
        for line in xml.lines() {
            let kinds = ["<same", "<different", "<left_only", "<right_only"];
            kind = kinds.into_iter().find(|kind| line.contains(kind)).unwrap_or(kind);
            let (Some(begin), Some(length)) = (number(line, "begin"), number(line, "length")) else { continue };
            let (start, end) = (begin * chunk, (begin + length) * chunk);
            old.resize(end.max(old.len()), 0);
            new.resize(end.max(new.len()), 0);
            let (then, now) = (stamped(1, begin as u64, end - start), stamped(2, begin as u64, end - start));
            match kind {
                "<same" => (old[start..end].copy_from_slice(&then), new[start..end].copy_from_slice(&then)),
                "<different" => (old[start..end].copy_from_slice(&then), new[start..end].copy_from_slice(&now)),
                "<left_only" => (old[start..end].copy_from_slice(&then), ()),
                _ => ((), new[start..end].copy_from_slice(&now)),
            };
        }
        assert!(old != new, "{recorded}");
        folder.write("old.img", &old);
        folder.write("new.img", &new);
        folder.write("delta.xml", xml.as_bytes());
        check(&folder, "--delta delta.xml new.img old.img -d 3", APPLY);
    }
}

#[test]
fn a_dry_run_checks_everything_and_writes_nothing() {
    let folder = Folder::new();
    let stream = folder.stream(&format!("{SCAN} -d 3"));
    let line = format!("{APPLY} --dry-run");
    let said = folder.refuses(&line, &stream, 0, &["whole, unaltered and made for this base; nothing was written"]);
    assert!(said.stderr.contains("1 base checks"), "{}", said.stderr);
    folder.refuses("--output got.img --dry-run", &folder.stream("--full ./new.img"), 0, &["nothing was written"]);
    folder.refuses(&line, &stream[..stream.len() / 2], 3, &["the stream is cut"]);
    folder.refuses(&format!("{APPLY} --dry-run --quiet"), &stream, 0, &[]);
}

#[test]
fn what_exists_is_not_replaced() {
    let folder = Folder::new();
    let stream = folder.stream(SCAN);
    folder.write("got.img", b"somebody's");
    for line in [APPLY, "--base old.img --output got.img --dry-run", "--base old.img --output old.img"] {
        folder.refuses(line, &stream, 1, &["img` exists already"]);
    }
    folder.refuses("--output got.img", &folder.stream("--full ./new.img"), 1, &["`got.img`"]);
}

#[test]
fn quiet_is_quiet() {
    let folder = Folder::new();
    let said = folder.lvpatch(&format!("{APPLY} --quiet")).stdin(&folder.stream(SCAN)).run().done();
    assert_eq!(said.stderr, "");
}
