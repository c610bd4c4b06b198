use std::fs;
use std::io::Write;

use hyperlayer::{Content, Event, Header, Outline, Reader, Resumes, Totals, Writer};
use testkit::{Signal, eventually};
use transfer::receive::{Ledger, LedgerFile, Partial, ResumeToken};

use super::{Folder, TO};

const OFTEN: &str = "--to-file got.img --keep-every 128k";
const PARTIAL: [&str; 2] = [".got.img.partial", ".got.img.partial.json"];

/// A cut anywhere leaves what can be continued with the same input.
#[test]
fn cut_anywhere() {
    let folder = Folder::new();
    let chain = folder.chain(0);
    for part in 0..12 {
        // Past the first record, which has a mebibyte.
        let cut = 1_200_000 + (chain.len() - 1_200_000) * part / 12;
        let said = folder.recv(OFTEN).stdin(&chain[..cut]).run();
        let says = [
            "the stream is cut",
            "continue with the same input: `lvbackup recv --resume --to-file got.img` < INPUT",
            "or remove it: `lvbackup recv --discard-partial --to-file got.img`",
        ];
        let _ = said.says(5, &says);
        assert_eq!(folder.of_target(), PARTIAL);
        let _ = folder
            .recv(OFTEN)
            .stdin(&chain)
            .run()
            .says(5, &["was interrupted, begun 20", "--resume", "--discard-partial"]);
        let _ = folder.recv(&format!("{OFTEN} --resume")).stdin(&chain).run().done();
        folder.is_received();
        fs::remove_file(folder.path("got.img")).unwrap();
    }
}

/// Killed without a word, again and again, at any moment; each time a bit more is in.
#[test]
fn killed_again_and_again() {
    let folder = Folder::new();
    let chain = folder.chain(0);
    let mut fed = 1_200_000;
    let mut ats = Vec::new();
    while fed < chain.len() {
        let resume = if folder.of_target().is_empty() { "" } else { "--resume" };
        let mut running = folder.recv(&format!("{OFTEN} {resume}")).spawn();
        let mut stdin = running.stdin.take().unwrap();
        stdin.write_all(&chain[..fed]).unwrap();
        is_kept(&folder);
        running.signal(Signal::KILL);
        let _ = running.finish();
        drop(stdin);
        // Perhaps with a ledger that was being written.
        assert_eq!(folder.of_target()[..2], PARTIAL);
        ats.push(fed);
        fed += 331_111;
    }
    assert!(ats.len() > 10, "{ats:?}");
    let _ = folder.recv(&format!("{OFTEN} --resume")).stdin(&chain).run().done();
    folder.is_received();
}

/// Waits until there is something to be continued.
fn is_kept(folder: &Folder) {
    eventually("something that is kept", || {
        let value: serde_json::Value = serde_json::from_str(&ledger(folder)?).unwrap();
        let partial = &value["partial"];
        let at = partial["begun"]["mark"]["at_bytes"].as_u64().unwrap_or(0);
        (at > 0 || partial["layers"].as_u64() > Some(0)).then_some(())
    });
}

fn ledger(folder: &Folder) -> Option<String> {
    fs::read_to_string(folder.path(PARTIAL[1])).ok()
}

#[test]
fn stopped_by_a_signal() {
    let folder = Folder::new();
    let chain = folder.chain(0);
    let mut running = folder.recv(OFTEN).spawn();
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(&chain[..1_500_000]).unwrap();
    is_kept(&folder);
    running.signal(Signal::TERM);
    let _ = running.finish().says(5, &["`got.img` is not there yet", "stopped by signal 15", "--resume"]);
    drop(stdin);
    let _ = folder.recv(&format!("{OFTEN} --resume")).stdin(&chain).run().done();
    folder.is_received();

    // Before anything came, nothing is left.
    let running = {
        fs::remove_file(folder.path("got.img")).unwrap();
        folder.recv(OFTEN).spawn()
    };
    running.until_it_catches_signals();
    running.signal(Signal::TERM);
    let mut running = running;
    let silent = running.stdin.take();
    let _ = running.finish().says(143, &["stopped by signal 15"]);
    drop(silent);
    assert!(folder.of_target().is_empty(), "{:?}", folder.of_target());
}

/// What a sender makes of a token, from the stream that it sent first.
fn rest(stream: &[u8], token: &ResumeToken) -> Vec<u8> {
    let mut reader = Reader::new(stream);
    let (mut header, mut records, mut outline, mut checks) = (None, Vec::new(), Outline::default(), Vec::new());
    let mut totals = Totals::default();
    while let Some(event) = reader.next_event().unwrap() {
        let (content, extent) = match event {
            Event::Header(found) => {
                header = Some(*found);
                continue;
            }
            Event::Check(check) => {
                checks.push(check);
                continue;
            }
            Event::DataStart(extent) => (Content::Data, extent),
            Event::Zero(extent) => (Content::Zero, extent),
            Event::Data { at, bytes } => {
                let (_, data): &mut (_, Vec<u8>) = records.last_mut().unwrap();
                let skip = token.at.saturating_sub(at).to_usize().unwrap().min(bytes.len());
                data.extend(&bytes[skip..]);
                continue;
            }
            Event::End(_) => continue,
        };
        let (before, after) = extent.split_at(token.at);
        before.into_iter().for_each(|before| outline.add(content, before).unwrap());
        records.push((after.map(|after| (content, after)), Vec::new()));
    }
    records.retain(|(record, _)| record.is_some());
    for (record, _) in &records {
        let (content, extent) = record.unwrap();
        let (count, sum) = match content {
            Content::Data => (&mut totals.data_records, &mut totals.data),
            Content::Zero => (&mut totals.zero_records, &mut totals.zero),
        };
        *count += 1;
        *sum = sum.saturating_add(extent.len());
    }
    totals.checks = checks.len() as u64;
    let resumes = token.resumes(header.as_ref().unwrap(), outline.digest()).unwrap();
    let header = Header { resumes: Some(Resumes { ..resumes }), totals: Some(totals), ..header.unwrap() };
    let mut writer = Writer::new(Vec::new(), &header).unwrap();
    checks.iter().for_each(|check| writer.check(check).unwrap());
    for (record, data) in records {
        match record.unwrap() {
            (Content::Data, extent) => writer.data(extent, &data).unwrap(),
            (Content::Zero, extent) => writer.zero(extent).unwrap(),
        }
    }
    writer.finish().unwrap().0
}

/// The token is in the message and in the list, and its rest finishes the layer, with the ones behind it.
#[test]
fn the_rest_alone() {
    let folder = Folder::new();
    let first = folder.read("0.hl");
    for part in 3..8 {
        let said = folder.recv(OFTEN).stdin(&first[..first.len() * part / 8]).run();
        let words = said.stderr.split_whitespace();
        let token =
            words.into_iter().find(|word| word.starts_with("hl1-")).unwrap_or_else(|| panic!("{}", said.stderr));
        let listed = folder.recv("--list-partial --to-file got.img").run().done();
        assert!(listed.text().contains(&format!("token {token}")), "{}", listed.text());
        let stream = rest(&first, &token.parse().unwrap());
        assert!(stream.len() < first.len() - first.len() * part / 8 + (1 << 20) + 2000, "it is only the rest");
        let _ = folder.recv(&format!("{OFTEN} --resume")).stdin(&[stream, folder.chain(1)].concat()).run().done();
        folder.is_received();
        fs::remove_file(folder.path("got.img")).unwrap();
    }
}

#[test]
fn listed_as_json() {
    let folder = Folder::new();
    assert_eq!(folder.recv("--list-partial --json --to-file got.img").run().done().text(), "");
    let chain = folder.chain(0);
    let _ = folder.recv(OFTEN).stdin(&chain[..folder.read("0.hl").len() + 300_000]).run().says(5, &[]);
    let text = folder.recv("--list-partial --json --to-file got.img").run().done().text().to_owned();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&value["target"], &value["layers"], &value["complete"]), (&"got.img".into(), &1.into(), &false.into()));
    assert!(value["at_bytes"].as_u64().unwrap() > 0 && value["token"].as_str().unwrap().starts_with("hl1-"), "{text}");
    let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let documented = folder.recv("--help").run().done().text().to_owned();
    let (_, documented) = documented.split_once("Keys of --json:").unwrap();
    for key in keys {
        assert!(documented.contains(key), "`{key}` is not documented");
    }
}

#[test]
fn discarded() {
    let folder = Folder::new();
    let line = "--discard-partial --to-file got.img";
    let _ = folder.recv(line).run().says(1, &["nothing of `got.img` is left"]);
    let _ = folder.recv(OFTEN).stdin(&folder.chain(0)[..1_500_000]).run().says(5, &[]);
    let _ = folder.recv(line).run().done();
    assert!(folder.of_target().is_empty(), "{:?}", folder.of_target());
    let _ = folder.recv(&format!("{TO} --resume")).run().says(1, &["nothing of `got.img` is left"]);
    assert!(folder.of_target().is_empty(), "{:?}", folder.of_target());
}

/// Without a ledger that can be read, nobody knows how far it was: it can be removed, and nothing else.
#[test]
fn a_ledger_that_is_damaged() {
    let folder = Folder::new();
    let chain = folder.chain(0);
    let _ = folder.recv(OFTEN).stdin(&chain[..1_500_000]).run().says(5, &[]);
    let path = folder.path(PARTIAL[1]);
    let text = fs::read_to_string(&path).unwrap().replacen("\"layers\": 0", "\"layers\": 1", 1);
    fs::write(&path, text).unwrap();
    for resume in ["", "--resume"] {
        let _ = folder
            .recv(&format!("{OFTEN} {resume}"))
            .stdin(&chain)
            .run()
            .says(5, &["remove it: `lvbackup recv --discard-partial"]);
    }
    let listed = folder.recv("--list-partial --to-file got.img").run().done();
    assert!(listed.text().contains("it can only be removed"), "{}", listed.text());
    let _ = folder.recv("--discard-partial --to-file got.img").run().done();
    assert!(folder.of_target().is_empty(), "{:?}", folder.of_target());
}

/// A file that no ledger says to be ours is somebody's: it is neither written nor removed.
#[test]
fn a_partial_file_of_nobody_knows_whom() {
    let folder = Folder::new();
    folder.write(PARTIAL[0], b"somebody's");
    let says = ["`.got.img.partial` is in the way", "no `.got.img.partial.json` says", "`rm .got.img.partial`"];
    for line in [OFTEN.to_owned(), format!("{OFTEN} --resume"), "--discard-partial --to-file got.img".to_owned()] {
        let _ = folder.recv(&line).stdin(&folder.chain(0)).run().says(1, &says);
    }
    assert_eq!(folder.recv("--list-partial --to-file got.img").run().done().text(), "");
    assert_eq!(folder.read(PARTIAL[0]), b"somebody's");
    assert_eq!(folder.of_target(), [PARTIAL[0]]);
}

/// In a shared folder anybody can make a link of a name that is ours.
#[test]
fn links_are_not_followed() {
    let folder = Folder::new();
    folder.write("victim", b"somebody's");
    std::os::unix::fs::symlink("victim", folder.path(".got.img.partial.json.new")).unwrap();
    let _ = folder.recv(OFTEN).stdin(&folder.chain(0)).run().done();
    folder.is_received();
    assert_eq!(folder.read("victim"), b"somebody's");

    fs::remove_file(folder.path("got.img")).unwrap();
    for missing in ["victim", "missing"] {
        std::os::unix::fs::symlink(missing, folder.path(PARTIAL[0])).unwrap();
        let says = ["`.got.img.partial` is a symbolic link, expected a regular file"];
        let _ = folder.recv(OFTEN).stdin(&folder.chain(0)).run().says(1, &says);
        assert_eq!((folder.read("victim"), folder.path("missing").exists()), (b"somebody's".to_vec(), false));
        fs::remove_file(folder.path(PARTIAL[0])).unwrap();
    }
}

/// Killed between the last layer and the name.
#[test]
fn all_is_in_but_its_name() {
    let folder = Folder::new();
    let chain = folder.chain(0);
    // The name is taken meanwhile.
    let mut running = folder.recv(OFTEN).spawn();
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(&chain[..1_500_000]).unwrap();
    eventually("the partial file", || folder.path(PARTIAL[0]).exists().then_some(()));
    folder.write("got.img", b"somebody's");
    stdin.write_all(&chain[1_500_000..]).unwrap();
    drop(stdin);
    let _ =
        running.finish().says(5, &["the whole chain is kept", "finish it: `lvbackup recv --resume --to-file got.img`"]);
    assert_eq!(folder.read("got.img"), b"somebody's");
    fs::remove_file(folder.path("got.img")).unwrap();
    let _ = folder.recv(&format!("{TO} --resume")).run().done();
    folder.is_received();
}

/// Two at once: the second one is told.
#[test]
fn one_at_a_time() {
    let folder = Folder::new();
    let mut running = folder.recv(OFTEN).spawn();
    let mut stdin = running.stdin.take().unwrap();
    stdin.write_all(&folder.chain(0)[..1_500_000]).unwrap();
    eventually("the ledger", || ledger(&folder));
    for line in [OFTEN.to_owned(), format!("{OFTEN} --resume"), "--discard-partial --to-file got.img".to_owned()] {
        let _ = folder.recv(&line).stdin(&folder.chain(0)).run().says(1, &["being written by another process"]);
    }
    stdin.write_all(&folder.chain(0)[1_500_000..]).unwrap();
    drop(stdin);
    let _ = running.finish().done();
    folder.is_received();
}

/// A discard that was killed between its steps is finished by another one. What its ledger counts is not received again as
/// zeros.
#[test]
fn a_discard_that_was_killed() {
    let folder = Folder::new();
    let chain = folder.chain(0);
    let cut = folder.read("0.hl").len() + 300_000;
    for is_complete in [false, true] {
        for is_there in [false, true] {
            let _ = folder.recv(OFTEN).stdin(&chain[..cut]).run().says(5, &["1 layer"]);
            if is_complete {
                complete(&folder);
            }
            if is_there {
                folder.write(PARTIAL[0], b"");
            } else {
                fs::remove_file(folder.path(PARTIAL[0])).unwrap();
            }
            let says = ["no longer holds what was received", "remove it: `lvbackup recv --discard-partial"];
            let _ = folder.recv(&format!("{OFTEN} --resume")).stdin(&chain).run().says(5, &says);
            let _ = folder.recv("--discard-partial --to-file got.img").run().done();
            assert!(folder.of_target().is_empty(), "{:?}", folder.of_target());
        }
    }
    // After the ledger is removed.
    folder.write(PARTIAL[0], b"");
    let _ = folder.recv("--discard-partial --to-file got.img").run().done();
    assert!(folder.of_target().is_empty(), "{:?}", folder.of_target());
}

/// Makes the ledger say that all layers are in.
fn complete(folder: &Folder) {
    let ledger = LedgerFile::new(folder.path(PARTIAL[1]));
    let partial = ledger.read().unwrap().unwrap();
    ledger.keep(&Partial { begun: None, complete: true, ..partial }).unwrap();
}

/// The second layer is made again of an image of another modification time. Its header differs, and its content does not:
/// with an id that is derived from the content it continues the receive. Where it does not, nothing is lost.
#[test]
fn a_layer_that_was_made_again() {
    let folder = Folder::new();
    let first = folder.read("1.hl");
    let cut = [folder.read("0.hl"), first[..first.len() * 3 / 4].to_vec()].concat();
    let touched = fs::File::options().write(true).open(folder.path("1.img")).unwrap();
    touched.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000)).unwrap();
    let again = |chunk: &str| {
        let line = format!("--scan 1.img 0.img -d 3 --chunk-size {chunk} -o 1.hl");
        fs::remove_file(folder.path("1.hl")).unwrap();
        let _ = testkit::Tool::new("lvdiff", folder.0.path()).args(line.split_whitespace()).run().done();
        assert!(folder.read("1.hl") != first);
    };
    let _ = folder.recv(OFTEN).stdin(&cut).run().says(5, &["1 layer, and layer blake3:"]);
    again("64k");
    let _ = folder.recv(&format!("{OFTEN} --resume")).stdin(&folder.chain(0)).run().done();
    folder.is_received();

    fs::remove_file(folder.path("got.img")).unwrap();
    let _ = folder.recv(OFTEN).stdin(&cut).run().says(5, &["1 layer, and layer blake3:"]);
    let before = ledger(&folder);
    again("4k");
    let says = ["its header states another", "1 layer, and layer blake3:", "--resume", "--discard-partial"];
    let _ = folder.recv(&format!("{OFTEN} --resume")).stdin(&folder.chain(0)).run().says(5, &says);
    assert_eq!((ledger(&folder), folder.of_target()), (before, PARTIAL.map(str::to_owned).to_vec()));
    folder.write("1.hl", &first);
    let _ = folder.recv(&format!("{OFTEN} --resume")).stdin(&folder.chain(0)).run().done();
    folder.is_received();
}

/// What cannot be continued is removed, and that is reported.
#[test]
fn an_altered_layer_takes_those_before_it_away() {
    let folder = Folder::new();
    let chain = folder.chain(0);
    let len = folder.read("0.hl").len() + folder.read("1.hl").len();
    let _ = folder.recv(OFTEN).stdin(&chain[..len - 300_000]).run().says(5, &["1 layer"]);
    let mut altered = chain.clone();
    // A digit of the digest.
    altered[len - 3] = if altered[len - 3] == b'0' { b'1' } else { b'0' };
    let says = ["removed `.got.img.partial`, which cannot be continued"];
    let _ = folder.recv(&format!("{OFTEN} --resume")).stdin(&altered).run().says(3, &says);
    assert!(folder.of_target().is_empty(), "{:?}", folder.of_target());
}
