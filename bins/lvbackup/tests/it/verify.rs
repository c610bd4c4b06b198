use crate::images::{STATES, folder, json_lines, lvbackup};

#[test]
fn a_chain_in_files_and_in_one() {
    let folder = folder();
    let says = ["4 layers are whole and follow each other"];
    let _ = lvbackup(&folder, "verify mon.hl tue.hl wed.hl thu.hl", 0, &says);
    let all = STATES.map(|name| folder.read(&format!("{name}.hl"))).concat();
    let _ = folder.tool("lvbackup", "verify -").stdin(&all).run().says(0, &says);

    let said = lvbackup(&folder, "verify --json mon.hl tue.hl", 0, &[]);
    let layers = json_lines(&said);
    assert_eq!((&layers[0]["identity"], &layers[1]["identity"]), (&().into(), &"proven".into()));
    assert_eq!(layers[1]["state"], "proven");
    assert_eq!(lvbackup(&folder, "verify --quiet mon.hl", 0, &[]).stderr, "");
}

#[test]
fn what_does_not_follow() {
    let folder = folder();
    for (line, says) in [
        ("mon.hl wed.hl", "`wed.hl` was made against layer blake3:"),
        ("mon.hl mon.hl", "`mon.hl` is a full layer"),
        ("tue.hl wed.hl tue.hl", "the chain is broken: `tue.hl`"),
    ] {
        let said = lvbackup(&folder, &format!("verify --json {line}"), 3, &[says, "from the oldest to the newest"]);
        assert_eq!(said.text(), "", "{line}");
    }
    let _ = lvbackup(&folder, "verify --each wed.hl mon.hl wed.hl", 0, &["3 layers are whole: "]);

    // Each of several bad files is named, and the good ones are checked.
    for name in ["mon", "wed"] {
        let stream = folder.read(&format!("{name}.hl"));
        folder.write(&format!("{name}-cut.hl"), &stream[..stream.len() - 5]);
    }
    let line = "verify --each --json mon-cut.hl tue.hl wed-cut.hl thu.hl";
    let said = lvbackup(&folder, line, 3, &["`mon-cut.hl`", "`wed-cut.hl`", "2 layers are whole: "]);
    assert_eq!(json_lines(&said).len(), 2, "{}", said.text());
}

/// Every byte is looked at.
#[test]
fn what_is_cut_or_altered() {
    let folder = folder();
    let stream = folder.read("tue.hl");
    for at in [30, stream.len() / 2, stream.len() - 20] {
        let mut altered = stream.clone();
        altered[at] ^= 1;
        folder.write("altered.hl", &altered);
        folder.write("cut.hl", &stream[..at]);
        for name in ["altered.hl", "cut.hl"] {
            let _ = lvbackup(&folder, &format!("verify mon.hl {name}"), 3, &[name]);
            let _ = lvbackup(&folder, &format!("verify --each {name}"), 3, &[name]);
        }
    }
}

/// What the original wrote promises less, and that is said.
#[test]
fn what_a_stream_cannot_promise() {
    let folder = folder();
    let text = |blocks: &str| format!("HYPERLAYER/1.0\nVolume size: 4096\nChunk size: 512\n{blocks}\nW 2 1\n");
    let stream = |blocks| [text(blocks).as_bytes(), &[b'x'; 512], b"\n"].concat();
    folder.write("open.hl", &stream(""));
    folder.write("counted.hl", &stream("Delta blocks: 1\n"));
    let _ = lvbackup(&folder, "verify open.hl", 3, &["`open.hl`: the stream does not say how much it holds"]);
    let says = ["warning: nobody can tell whether `open.hl` was cut"];
    let _ = lvbackup(&folder, "verify open.hl --accept-open-end", 0, &says);
    let _ = lvbackup(&folder, "verify counted.hl", 0, &["no digest covers them all"]);
    let says = ["`counted.hl` does not name its parent: nothing proves that it follows"];
    folder.write("first.hl", &stream("Delta blocks: 1\n"));
    let _ = lvbackup(&folder, "verify first.hl counted.hl", 0, &says);
}
