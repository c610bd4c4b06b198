//! What holds for every input, for the fuzzer and the tests.

use std::io::Read;

use crate::limits::PREAMBLE;
use crate::{FrameError, FrameReader, FrameWriter, Message, ReadError, Session, Side};

/// At most this many bytes at a time, and a pause after each time.
struct Pieces<'a> {
    rest: &'a [u8],
    most: usize,
    ready: bool,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.ready = !self.ready;
        if self.ready {
            return Err(std::io::ErrorKind::WouldBlock.into());
        }
        let len = self.rest.len().min(self.most).min(buffer.len());
        self.rest.read(&mut buffer[..len])
    }
}

/// The messages of an input, as text, and what ended them.
fn read(data: &[u8], most: usize) -> (Vec<String>, Option<String>) {
    let mut reader = FrameReader::new(Pieces { rest: data, most, ready: true });
    let mut all = Vec::new();
    loop {
        match reader.next_message() {
            Ok(Some(message)) => all.push(format!("{message:?}")),
            Ok(None) => return (all, None),
            Err(ReadError::Input(_)) => {}
            Err(error) => {
                assert!(matches!(reader.next_message(), Ok(None)), "a message after {error}");
                return (
                    all,
                    Some(match error {
                        // It quotes what was at hand.
                        ReadError::Frame(FrameError::NoPreamble { .. }) => "no preamble".to_owned(),
                        error => format!("{error:?}"),
                    }),
                );
            }
        }
    }
}

/// Reads `data` as frames; then its bytes from the ninth on as the body of a frame that its first byte chooses, with
/// which the checksums are right.
///
/// # Panics
/// Where the messages depend on the pieces in which they come; where one that was read cannot be written, or is another one
/// then; or where a session goes on after a rule was broken.
pub fn check(data: &[u8]) {
    frames(data);
    if let [first, body @ ..] = data {
        let kinds = crate::Kind::ALL;
        let kind = kinds[usize::from(*first) % kinds.len()];
        let body = &body[..body.len().min(kind.max_body_bytes())];
        frames(&[PREAMBLE, &crate::wire::frame::header(kind, 0, body)[..], body].concat());
    }
}

fn frames(data: &[u8]) {
    let whole = read(data, usize::MAX);
    assert_eq!(whole, read(data, 7), "whole and in pieces");
    let mut reader = FrameReader::new(data);
    let mut writer = FrameWriter::new(Vec::new());
    let mut sessions = [Side::Client, Side::Server].map(|side| (side, Session::default(), false));
    while let Ok(Some(message)) = reader.next_message() {
        writer.write(&message).unwrap_or_else(|error| panic!("{message:?} was read and cannot be written: {error}"));
        for (side, session, broken) in &mut sessions {
            let stepped = session.step(*side, &message);
            assert!(!*broken || stepped.is_err(), "{message:?} after a rule was broken");
            *broken |= stepped.is_err();
            if let (Some((durable, sent)), Message::Durable(_)) = (session.progress(), &message) {
                assert!(durable <= sent, "{durable} durable of {sent} sent");
            }
        }
    }
    let written = writer.into_inner();
    if !written.is_empty() {
        assert_eq!(read(&written, usize::MAX), (whole.0, None), "written again");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// A seed that is not what its name says was made for other numbers, or other messages.
    #[test]
    fn seeds_are_taken_for_what_they_are() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/replicate_session");
        for (index, kind) in crate::Kind::ALL.into_iter().enumerate() {
            let path = folder.join(format!("body_{}", format!("{kind:?}").to_lowercase()));
            let seed = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(usize::from(seed[0]), index, "{}", path.display());
            let framed = [super::PREAMBLE, &crate::wire::frame::header(kind, 0, &seed[1..])[..], &seed[1..]].concat();
            assert_eq!((super::read(&framed, 7).0.len(), super::read(&framed, 7).1), (1, None), "{}", path.display());
        }
        for name in ["push_client", "push_server", "refused", "sync_client", "sync_server"] {
            let (messages, end) = super::read(&fs::read(folder.join(name)).unwrap(), 7);
            assert!(messages.len() > 1 && end.is_none(), "{name}: {end:?} after {messages:?}");
        }
    }

    /// Every file that the fuzzer starts from or once failed on.
    #[test]
    fn corpus() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
        let mut count = 0;
        for folder in ["seeds/replicate_session", "regressions/replicate_session"] {
            for entry in fs::read_dir(fuzz.join(folder)).into_iter().flatten() {
                super::check(&fs::read(entry.unwrap().path()).unwrap());
                count += 1;
            }
        }
        assert!(count > 20, "{count} seeds in {}", fuzz.display());
    }
}
