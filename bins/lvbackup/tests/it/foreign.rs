//! What other tools' formats do not say, said on the command line: by every command that reads streams.

use testkit::Folder;

use crate::images::{folder, json_lines, lvbackup};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../crates/hyperlayer/tests/golden");

/// `tue.ts`: the changes between the first two states as thin-send writes them, with neither sizes nor identities.
fn with_thin_send() -> Folder {
    let folder = folder();
    let _ = folder.tool("lvdiff", "--scan tue.img mon.img --format thin-send -o tue.ts").run().done();
    folder
}

#[test]
fn the_size_of_a_block() {
    let folder = folder();
    folder.write("any.img", &[0; 1 << 20]);
    for (command, code) in [
        ("info FILE", 0),
        ("verify FILE", 0),
        ("merge FILE --size 1m --dry-run", 0),
        ("compare any.img FILE", 3),
        ("recv --to-file out.img --base any.img -i FILE --dry-run", 0),
    ] {
        let line = command.replace("FILE", &format!("{GOLDEN}/ddxml.xml"));
        let _ = lvbackup(&folder, &line, 3, &["hint: say what the sender used: `--block-size SIZE`"]);
        let said = folder.tool("lvbackup", &format!("{line} --block-size 512")).run();
        assert_eq!(said.code(), code, "{line}: {}", said.stderr);
        assert!(!said.stderr.contains("--block-size"), "{line}: {}", said.stderr);
    }
}

#[test]
fn the_size_of_a_volume() {
    let folder = with_thin_send();
    let says = ["`tue.ts` does not say how large its volume is", "hint: say it: `--size SIZE`"];
    let _ = lvbackup(&folder, "merge tue.ts -o one.hl", 3, &says);
    let says = ["`tue.ts`: a record of bytes", "lies past the end of the volume, which has 524288 bytes"];
    let _ = lvbackup(&folder, "merge tue.ts --size 512k -o one.hl", 3, &says);

    let says = ["warning: `tue.ts` does not say whether it is a whole volume; the result is a delta"];
    let _ = lvbackup(&folder, "merge tue.ts --size 1m -o one.hl", 0, &says);
    let _ = folder.tool("lvpatch", "--base mon.img --output got.img --input one.hl").run().done();
    assert!(folder.read("got.img") == folder.read("tue.img"));
    let said = lvbackup(&folder, "info --json one.hl", 0, &[]);
    let one = &json_lines(&said)[0];
    assert_eq!((&one["parent_size_bytes"], &one["volume_size_bytes"]), (&(1 << 20).into(), &(1 << 20).into()));
}

#[test]
fn what_must_be_promised() {
    let folder = with_thin_send();
    for command in ["verify FILE", "merge FILE --size 1m -o out.hl", "compare tue.img FILE"] {
        let with = |file: &str, option: &str| format!("{} {option}", command.replace("FILE", file));
        let names_none = ["does not name its base", "leave out `--require-identity`"];
        let _ = lvbackup(&folder, &with("tue.ts", "--require-identity"), 3, &names_none);
        let _ = lvbackup(&folder, &with("tue.hl", "--require-identity --require-end"), 0, &[]);
        let lvmsync = format!("{GOLDEN}/lvmsync.bin");
        let _ = lvbackup(&folder, &with(&lvmsync, "--require-end"), 3, &["does not say how much it holds"]);
        let _ = lvbackup(&folder, &with(&lvmsync, "--require-end --accept-open-end"), 2, &["cannot be used with"]);
    }
}

/// The old `lvbackup` wrote over a longer file without cutting it, so records of the older stream follow the newer one's.
/// Nothing in its format tells them apart, so it is taken only by who says that it is whole; and never where a block comes
/// twice, or the rest of a record shows.
#[test]
fn an_older_stream_behind_a_newer_one() {
    let folder = Folder::default();
    folder.write("base.img", &[0; 64 * 1024]);
    let stream = |name: &str, records: &[u8]| {
        let data = records.iter().map(|at| [format!("{at:X} 4\n").as_bytes(), &[b'x'; 2048], b"\n"].concat());
        [format!("HYPERLAYER/1.0\nName: {name}\n\n").into_bytes(), data.collect::<Vec<_>>().concat()].concat()
    };
    let over = |newer: &[u8], older: &[u8]| [newer, &older[newer.len()..]].concat();
    let older = stream("sp1", &[0, 4, 12]);
    folder.write("over.hl", &over(&stream("sp2", &[8]), &older));
    folder.write("twice.hl", &over(&stream("sp2", &[4]), &older));
    folder.write("torn.hl", &over(&stream("other", &[0]), &older));
    for command in ["verify FILE", "recv --to-file out.img --base base.img -i FILE", "compare base.img FILE"] {
        let line = |file: &str| command.replace("FILE", file);
        let _ = lvbackup(&folder, &line("over.hl"), 3, &["does not say how much it holds", "--accept-open-end"]);
        for refused in ["twice.hl", "torn.hl"] {
            let _ = lvbackup(&folder, &format!("{} --accept-open-end", line(refused)), 3, &["the stream is refused"]);
        }
    }
    assert!(!folder.names().iter().any(|name| name.contains("out.img")), "{:?}", folder.names());
    // What is read side by side must ascend, as what that tool writes does and what follows it does not.
    let says = ["`over.hl` has its records in no ascending order"];
    let _ = lvbackup(&folder, "merge over.hl --accept-open-end --size 64k -o out.hl", 3, &says);
}
