use proptest::prelude::*;
use replicate::limits::{HEADER_BYTES, MAX_DATA_BYTES, PREAMBLE};
use replicate::{Data, FrameError, FrameWriter, Kind, Message, MessageError, ReadError, WriteError, fuzzing};

use crate::kit::{any_message, borders, bytes, data, one_of_each, read, shown, written};

proptest! {
    #[test]
    fn what_is_written_is_read(messages in proptest::collection::vec(any_message(), 1..6)) {
        let (found, end) = read(&written(&messages));
        prop_assert!(end.is_ok(), "{:?}", end);
        prop_assert_eq!(found, messages.iter().map(shown).collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        fuzzing::check(&input);
    }

    /// What is almost right goes deeper than what is random.
    #[test]
    fn almost_right(
        messages in proptest::collection::vec(any_message(), 1..5),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut input = written(&messages);
        fuzzing::check(&input);
        let len = input.len();
        input[at.index(len)] = byte;
        fuzzing::check(&input);
        // As the body behind right checksums, from its type on.
        for (message, kind) in messages.iter().zip(messages.iter().map(Message::kind)) {
            let body = &written(std::slice::from_ref(message))[PREAMBLE.len() + HEADER_BYTES..];
            let choice = Kind::ALL.iter().position(|other| *other == kind).unwrap();
            let mut input = [&[u8::try_from(choice).unwrap()][..], body].concat();
            fuzzing::check(&input);
            let len = input.len();
            input[at.index(len)] = byte;
            fuzzing::check(&input);
        }
    }
}

#[test]
fn every_type_has_a_message() {
    let kinds: Vec<_> = one_of_each().iter().map(Message::kind).collect();
    assert_eq!(kinds, Kind::ALL);
}

#[test]
fn a_cut_between_two_bytes_is_seen() {
    let messages = one_of_each();
    let (whole, borders) = (written(&messages), borders(&messages));
    assert_eq!(borders.last(), Some(&whole.len()));
    for len in 0..whole.len() {
        let (found, end) = read(&whole[..len]);
        match (borders.iter().position(|border| *border == len), end) {
            // Only the rules of the session see this one.
            (Some(count), Ok(())) => assert_eq!(found.len(), count, "cut at {len}"),
            (None, Err(ReadError::Frame(error))) => match error {
                FrameError::Silent => assert_eq!(len, 0),
                FrameError::NoPreamble { .. } => assert!(len < PREAMBLE.len()),
                FrameError::Cut { number, found_bytes, expected_bytes } => {
                    assert!(found_bytes < expected_bytes, "cut at {len}");
                    assert_eq!(usize::try_from(number).unwrap(), found.len(), "cut at {len}");
                }
                other => panic!("cut at {len}: {other}"),
            },
            (_, end) => panic!("cut at {len}: {end:?}"),
        }
    }
}

#[test]
fn a_bit_that_flips_is_seen() {
    let messages = one_of_each();
    let whole = written(&messages);
    let right: Vec<_> = messages.iter().map(shown).collect();
    for bit in 0..whole.len() * 8 {
        let mut input = whole.clone();
        input[bit / 8] ^= 1 << (bit % 8);
        let (found, end) = read(&input);
        assert!(matches!(end, Err(ReadError::Frame(_))), "bit {bit}: {end:?}");
        assert!(right.starts_with(&found) && found.len() < right.len(), "bit {bit}");
    }
}

#[test]
fn frames_that_are_lost_doubled_or_swapped_are_seen() {
    let messages = one_of_each();
    let (whole, borders) = (written(&messages), borders(&messages));
    let frame = |n: usize| &whole[borders[n]..borders[n + 1]];
    let number = |expected, found| FrameError::Number { expected, found };
    for (order, error) in
        [(&[0, 2][..], number(1, 2)), (&[0, 1, 1], number(2, 1)), (&[0, 2, 1], number(1, 2)), (&[1], number(0, 1))]
    {
        let frames: Vec<_> = order.iter().map(|n| frame(*n)).collect();
        let (_, end) = read(&[PREAMBLE, &frames.concat()[..]].concat());
        assert_eq!(frame_error(end), error, "{order:?}");
    }
}

fn frame_error(end: Result<(), ReadError>) -> FrameError {
    match end {
        Err(ReadError::Frame(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// A header by hand from PROTOCOL.md.
fn by_hand(kind: u8, len: u32, number: u32, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind];
    frame.extend(&len.to_be_bytes()[1..]);
    frame.extend(number.to_be_bytes());
    frame.extend(crc32fast::hash(body).to_be_bytes());
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    [PREAMBLE, &frame[..], body].concat()
}

#[test]
fn frames_are_as_the_protocol_says() {
    assert_eq!(written(&[Message::Ping(7)]), by_hand(0x02, 8, 0, &[0, 0, 0, 0, 0, 0, 0, 7]));
    assert_eq!(frame_error(read(&by_hand(0x7f, 0, 0, &[])).1), FrameError::UnknownKind { number: 0, found: 0x7f });
    for kind in Kind::ALL {
        let max_bytes = kind.max_body_bytes();
        let long = by_hand(kind as u8, u32::try_from(max_bytes + 1).unwrap(), 0, &[]);
        let error = FrameError::TooLong { number: 0, kind, found_bytes: max_bytes + 1, max_bytes };
        assert_eq!(frame_error(read(&long).1), error);
    }
}

#[test]
fn what_a_login_shell_prints_is_shown() {
    let (_, end) = read(b"Welcome to Debian!\n\x1b[0m");
    let error = frame_error(end);
    assert_eq!(
        error.to_string(),
        r"the far side does not speak the session protocol: it began with `Welcome to Debian!\n`"
    );
    // The first wrong byte is enough: nobody waits for more.
    let (_, end) = read(b"hyper-V\n");
    assert!(matches!(frame_error(end), FrameError::NoPreamble { .. }));
}

#[test]
fn what_cannot_be_read_is_not_written() {
    let mut writer = FrameWriter::new(Vec::new());
    for len in [0, MAX_DATA_BYTES + 1] {
        let refused = writer.write(&data(0, len));
        assert!(matches!(refused, Err(WriteError::Message { source: MessageError::Rule { .. } })), "{refused:?}");
    }
    writer.write(&Message::Data(Data { at: bytes(0), bytes: &[1; MAX_DATA_BYTES] })).unwrap();
    let written = writer.into_inner();
    assert_eq!(written.len(), PREAMBLE.len() + HEADER_BYTES + 8 + MAX_DATA_BYTES);
}

/// An output that takes so many bytes and no more.
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = bytes.len().min(self.0);
        self.0 -= count;
        if count == 0 { Err(std::io::ErrorKind::BrokenPipe.into()) } else { Ok(count) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn nothing_follows_a_frame_that_was_cut() {
    let mut writer = FrameWriter::new(Full(30));
    assert!(matches!(writer.write(&Message::Ping(1)), Err(WriteError::Output(_))));
    assert!(matches!(writer.write(&Message::Ping(1)), Err(WriteError::Broken)));
}
