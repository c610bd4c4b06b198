//! `lvbackup` as a user runs it, without LVM.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod compare;
mod daemon;
mod foreign;
mod full_disk;
mod images;
mod info;
mod killed;
mod merge;
mod recv;
mod stores;
mod sync;
mod verify;

use testkit::Tool;

testkit::contract!(
    "lvbackup",
    missing: [[], ["send"], ["send", "-l", "a", "-l", "b", "-i", "c"]],
    unreadable: ["send", "-v", "vg0", "-l", "a", "--head", "missing.txt", "-o", "x.hl"]
);

#[test]
fn what_send_cannot_mean() {
    let folder = tempfile::tempdir().unwrap();
    for (line, says) in [
        ("send -v vg0 -l a -l b -o x.hl", "go into a folder"),
        ("send -v vg0 -l a -l a -o .", "`vg0/a` is given twice"),
        ("send -v vg0 -l a -l b -i c -o .", "2 volumes and 1 older ones"),
        ("send -l a -o x.hl", "`a`"),
        ("send -v vg0 -l a --pre true -o x.hl", "`--snapshot`"),
        ("send -v vg0 -l a --freeze -o x.hl", "--snapshot"),
        ("send -v vg0 -l a -l b -I c -o .", "one chain"),
        ("send -v vg0 -l a -I c --format 1.0 -o x.hl", "one chain"),
        ("send -v vg0 -l a -I c -i b -o x.hl", "cannot be used with"),
        ("send -v vg0 -l a -I c --snapshot -o x.hl", "cannot be used with"),
        ("send -v vg0 -l a --match s* -o x.hl", "--intermediate <OLD>"),
        ("send -v vg0 -l a -I c --match s[ -o x.hl", "invalid range"),
        ("send -v vg0 -l a --meta Chunk_size:5 -o x.hl", "meaning of its own"),
    ] {
        let _ = Tool::new("lvbackup", folder.path()).args(line.split_whitespace()).run().says(2, &[says]);
    }
}
