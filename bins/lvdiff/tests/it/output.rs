use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, UNIX_EPOCH};

use testkit::Tool;

use crate::{Folder, SCAN};

/// The last two lines on standard error, which stay where somebody redirects it.
#[test]
fn the_hashes_are_of_exactly_what_is_written() {
    let folder = Folder::new();
    for options in ["", "--quiet", "--compress zstd", "--compress zstd:19 --quiet", "--format 1.0", "-v"] {
        let said = folder.lvdiff(&format!("{SCAN} {options}")).run().done();
        folder.write("out", &said.stdout);
        let lines: Vec<_> = said.stderr.lines().rev().take(2).collect();
        assert_eq!(lines[0], format!("BLAKE3: {}", blake3::hash(&said.stdout)), "{options}");
        let sha1 = Tool::shell("sha1sum < out", &[], folder.root()).run().done();
        assert_eq!(lines[1], format!("SHA1: {}", sha1.text().split(' ').next().unwrap()), "{options}");
    }
}

#[test]
fn to_a_file_and_to_a_pipe_is_the_same() {
    let folder = Folder::new();
    let piped = folder.lvdiff("--scan new.img old.img --format 1.0").run().done();
    folder.lvdiff("--scan new.img old.img --format 1.0 -o out.hl").run().done();
    assert!(folder.read("out.hl") == piped.stdout);
    assert_eq!(folder.names(), ["new.img", "old.img", "out.hl"]);
}

/// A stream is the same at every run: level 2 checks the same samples, and the time is the image's.
#[test]
fn twice_is_the_same() {
    let folder = Folder::new();
    let image = File::options().write(true).open(folder.path("new.img")).unwrap();
    image.set_modified(UNIX_EPOCH + Duration::from_millis(1_795_000_000_999)).unwrap();
    for format in ["1.0", "1.1"] {
        let run = || folder.lvdiff(&format!("--scan new.img old.img -d 2 --format {format}")).run().done().stdout;
        let stream = run();
        assert!(stream == run(), "{format}");
        let header = String::from_utf8_lossy(&stream[..600]).into_owned();
        // Under 1.0 what could be taken for something else stands in quotes.
        for line in ["Source: new.img\n", "Created: ", "2026-11-18T11:06:40Z", "Tool: lvdiff "] {
            assert!(header.contains(line), "{format}: no {line:?} in {header}");
        }
    }
}

/// Of a line of the user's own nothing is lost but one space after the colon.
#[test]
fn spaces_of_the_users_own_lines_stay() {
    let folder = Folder::new();
    let mut tool = folder.lvdiff(SCAN);
    tool = tool.args(["--meta", "a: two  \u{a0}spaces ", "--meta", "b:  one"]);
    let header = String::from_utf8_lossy(&tool.run().done().stdout[..700]).into_owned();
    assert!(header.contains("\na: two  \u{a0}spaces \nb:  one\n"), "{header}");
    folder.lvdiff(&format!("{SCAN} --meta")).args(["key :x"]).run().says(2, &["`key `"]);
}

#[test]
fn a_file_is_replaced_as_a_whole_and_keeps_its_permissions() {
    let folder = Folder::new();
    folder.write("out.hl", b"the old one");
    fs::set_permissions(folder.path("out.hl"), fs::Permissions::from_mode(0o600)).unwrap();
    folder.lvdiff(&format!("{SCAN} -o out.hl")).run().done();
    assert!(folder.read("out.hl").starts_with(b"HYPERLAYER/1.1\n"));
    assert_eq!(fs::metadata(folder.path("out.hl")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_the_user_says_is_in_the_header() {
    let folder = Folder::new();
    let said = folder
        .lvdiff("--scan new.img old.img --meta Author:me --pair at:12:30 --layer-id tuesday --parent-id monday")
        .run()
        .done();
    let header = String::from_utf8_lossy(&said.stdout[..1000]).into_owned();
    for line in ["Author: me", "at: 12:30", "tuesday", "monday"] {
        assert!(header.contains(line), "{line}:\n{header}");
    }
}

#[test]
fn nobody_reads_it_to_its_end() {
    let folder = Folder::large();
    let mut running = folder.lvdiff("--full ./large.img").spawn();
    let mut start = [0; 100];
    std::io::Read::read_exact(running.stdout.as_mut().unwrap(), &mut start).unwrap();
    drop(running.stdout.take());
    running.finish().says(1, &["lvdiff: cannot write the stream: Broken pipe"]);
}

#[test]
fn a_full_disk() {
    let folder = Folder::new();
    let full = File::options().write(true).open("/dev/full").unwrap();
    folder.lvdiff(SCAN).stdout(full).run().says(1, &["cannot write the stream: No space left on device"]);
}

/// A person would get a screen full of bytes.
#[test]
fn a_terminal_is_refused() {
    let folder = Folder::new();
    let line = "command -v script >/dev/null || exit 99; script -qec 'lvdiff --scan new.img old.img' /dev/null";
    let said = Tool::shell(line, &["lvdiff"], folder.root()).run();
    if said.code() == 99 {
        println!("skipped: there is no `script` that makes a terminal");
        return;
    }
    assert_eq!(said.code(), 2, "{}", said.text());
    assert!(said.text().contains("the stream is binary and standard output is a terminal"), "{}", said.text());
}

/// The standard library opens `/dev/null` in the place of a closed stream: what is written there is lost.
#[test]
fn a_stream_needs_a_standard_output() {
    let folder = Folder::new();
    let lvdiff = |line: &str| Tool::shell(&format!("lvdiff {line}"), &["lvdiff"], folder.root()).run();
    for line in ["--scan new.img old.img >&-", "--scan new.img old.img --dry-run >&-", "--scan new.img old.img <&- >&-"]
    {
        let said = lvdiff(line).says(1, &["cannot use standard output: it is closed"]);
        assert!(!said.stderr.contains("SHA1"), "{}", said.stderr);
    }
    for line in ["--scan new.img old.img >/dev/null", "--scan new.img old.img 1<>/dev/null"] {
        let _ = lvdiff(line).says(0, &["SHA1"]);
    }
    // No image and no result gets the number of a stream that is closed.
    assert_eq!(lvdiff("--scan new.img old.img -o out.hl --format 1.0 <&- >&- 2>&-").code(), 0);
    assert!(folder.read("out.hl") == lvdiff("--scan new.img old.img --format 1.0").done().stdout);
}
