//! The XML of lvm-thin-sendrcv, in blocks of 512 bytes.

use extents::ChunkSize;
use hyperlayer::{Completeness, ErrorKind, Event, Format, Header, Kind, Reader};

use super::{header, sector_chunks};
use crate::golden::{check, totals};
use crate::streams::{accept, golden, refuse, refused};

#[test]
fn blocks() {
    let records = sector_chunks([0, 2, 3, 6, 10, 11, 12]);
    let header = Header { chunk_size: Some(ChunkSize::SECTOR), ..header(Format::Ddxml, Kind::Delta) };
    check("ddxml.xml", &header, &records, Completeness::Counted, totals(0, 7, 7 * 512, 0, 0));
}

#[test]
fn the_block_size_must_be_known() {
    let mut reader = Reader::new(golden("ddxml.xml"));
    let words = "at byte 0: the stream is ddxml, which does not say how large its blocks are";
    assert_eq!(reader.next_event().unwrap_err().to_string(), words);
}

/// 512 zeros.
fn zeros() -> String {
    format!("{}=", "A".repeat(683))
}

#[test]
fn other_spellings() {
    let z = zeros();
    let plain = accept(format!("<dd><block offset=\"3\">{z}</block></dd>").as_bytes());
    assert_eq!(plain.len(), 3);
    for same in [
        format!("<dd>\r\n  <block  offset = '3' >{z}</block >\t</dd >\n\n"),
        format!("<?xml version='1.0'?><dd ><block offset='03'>{z}</block></dd>"),
    ] {
        assert_eq!(accept(same.as_bytes())[1], plain[1], "{same}");
    }
    // A base64 text that is decoded in several pieces, and the next document behind it.
    let two = format!("<dd></dd>\n<dd><block offset='3'>{z}</block></dd>");
    assert_eq!(accept(two.as_bytes()).len(), 5);
}

#[test]
fn refused_documents() {
    let z = zeros();
    let open = "<dd><block offset='3'>";
    let data = "expected the base64 of one block, not more and not less, found";
    let start = format!("{}...", "A".repeat(60));
    let wrong = |document: String, position: usize, words: &str| refused(document.as_bytes(), position, words);
    wrong(format!("{open}</block></dd>"), open.len(), &format!("{data} `<`"));
    wrong(format!("{open}AAAA</block></dd>"), open.len() + 4, &format!("{data} `<`"));
    wrong(format!("{open}AAA</block></dd>"), open.len(), &format!("{data} `AAA`"));
    wrong(format!("{open}{}</block>", "A".repeat(684)), open.len(), &format!("{data} `{start}`"));
    wrong(format!("{open}{z}AAAA</block>"), open.len(), &format!("{data} `{start}`"));
    wrong(format!("{open}\n{z}</block>"), open.len(), &format!("{data} `\\n{}...`", "A".repeat(59)));
    wrong(format!("{open}{}</block>", "A".repeat(8192)), open.len(), &format!("{data} `{start}`"));
    wrong(format!("{open}{z}</dd>"), open.len() + z.len(), "expected `</block>`, found `</dd>`");
    wrong(format!("{open}{z}<x>"), open.len() + z.len(), "expected `</block>`, found `<x>`");

    let block = "expected `<block offset='N'>` or `</dd>`, found";
    for tag in
        ["<block>", "<block offset='-1'>", "<block offset='1' x='2'>", "<block offset='1\">", "<dd>", "<!-- x -->"]
    {
        wrong(format!("<dd>{tag}"), 4, &format!("{block} `{tag}`"));
    }
    let far = "<block offset='18014398509481983'>";
    wrong(format!("<dd>{far}"), 4, &format!("expected a block below 2^63 bytes, found `{far}`"));
    wrong("<dd>x".to_owned(), 4, "expected a tag, found `x`");
    wrong("<ddx>".to_owned(), 0, "expected `<dd>`, found `<ddx>`");
    wrong(format!("<dd>{}", "<block ".repeat(600)), 4, "a line has at least 4097 bytes, at most 4096 are allowed");
    let words = "expected the end of the input or another stream, found `x`";
    wrong("<dd></dd>\n x".to_owned(), 11, words);
}

/// The newest sender says the size of a block, and where it would have the blocks written.
#[test]
fn two_words_before_the_document() {
    let document = golden("ddxml.xml");
    let with = |words: &[u8]| [words, document].concat();
    let (plain, same) = (accept(document), accept(&with(b"/dev/vg0/data\x00512\0")));
    assert_eq!(same[..same.len() - 1], plain[..plain.len() - 1]);

    let of_4096 = with(b"/dev/vg0/data\x004096\0");
    let mut reader = Reader::new(&of_4096[..]);
    let Some(Event::Header(header)) = reader.next_event().unwrap() else { panic!("no header") };
    assert_eq!(header.chunk_size, Some(crate::streams::chunk_size(4096)));

    let size = |found: &str| format!("the size of a block is {found}, expected a multiple of 512 bytes, at most 2^30");
    for (words, position, says) in [
        (&b"/dev/vg0/data\0\0"[..], 14, size("``")),
        (b"/dev/a\x00513\0", 7, size("`513`")),
        (b"/dev/a\0-512\0", 7, size("`-512`")),
        (b"/dev/a\x002147483648\0", 7, size("`2147483648`")),
    ] {
        refused(&with(words), position, &says);
    }
    refused(b"/dev/vg0/data", 13, "the stream is cut: it ends before `</dd>`");
    refused(b"/dev/vg0/data\x004", 15, "the stream is cut: it ends before `</dd>`");
    let endless = [&b"/dev/"[..], &[b'a'; 1 << 20]].concat();
    assert!(matches!(refuse(&endless).kind, ErrorKind::LineTooLong { .. }));
}
