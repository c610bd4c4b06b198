//! What PROTOCOL.md shows is what is said.

use replicate::limits::{HEADER_BYTES, PREAMBLE};
use replicate::{Kind, Message};

use crate::kit::{read, written};

const TEXT: &str = include_str!("../../PROTOCOL.md");

/// The blocks whose first line begins so, with the rest of that line.
fn blocks(language: &str) -> impl Iterator<Item = (&str, &str)> {
    let start = format!("```{language} ");
    TEXT.split("\n```")
        .filter_map(move |part| format!("```{part}").strip_prefix(&start).map(|_| part))
        .filter_map(|part| part.split_once(' ')?.1.split_once('\n'))
}

#[test]
fn the_table_of_types() {
    for kind in Kind::ALL {
        let row = format!("| 0x{:02x} | {kind:?} |", kind as u8);
        let line = TEXT.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("no row {row}"));
        let limit = match kind.max_body_bytes() {
            8 => "| 8 bytes: ",
            0 => "| empty |",
            len if len == 16 << 10 => "| JSON, 16 KiB |",
            len if len == 1 << 20 => "| JSON, 1 MiB |",
            len if len == 8 + (256 << 10) => "1 byte to 256 KiB",
            len if len == 8 + 32 * 4096 => "up to 4096 blocks",
            len => panic!("{kind:?}: {len}"),
        };
        assert!(line.contains(limit), "{line}");
    }
    assert_eq!(TEXT.lines().filter(|line| line.starts_with("| 0x")).count(), Kind::ALL.len());
}

#[test]
fn the_examples_in_json() {
    let mut kinds = Vec::new();
    for (name, body) in blocks("json") {
        let kind = Kind::ALL.into_iter().find(|kind| format!("{kind:?}") == name).unwrap();
        let mut frame = vec![kind as u8];
        frame.extend(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
        frame.extend([0; 4]);
        frame.extend(crc32fast::hash(body.as_bytes()).to_be_bytes());
        frame.extend(crc32fast::hash(&frame).to_be_bytes());
        assert_eq!(frame.len(), HEADER_BYTES);
        let (found, end) = read(&[PREAMBLE, &frame[..], body.as_bytes()].concat());
        assert!(end.is_ok() && found.len() == 1, "{name}: {end:?}");
        kinds.push(kind);
    }
    kinds.sort();
    let json = Kind::ALL.into_iter().filter(|kind| kind.max_body_bytes() >= 16 << 10);
    let shown = json.filter(|kind| ![Kind::Try, Kind::Hashes, Kind::Data, Kind::Packed].contains(kind));
    assert_eq!(kinds, shown.collect::<Vec<_>>(), "every message in JSON has an example");
}

#[test]
fn the_example_in_hex() {
    let (_, block) = blocks("hexdump").next().unwrap();
    let hex: String = block.lines().filter_map(|line| line.get(10..50)).flat_map(|line| line.split(' ')).collect();
    let bytes: Vec<_> = (0..hex.len() / 2).map(|n| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap()).collect();
    assert_eq!(bytes, written(&[Message::Ping(7)]));
}
