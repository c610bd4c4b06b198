//! Inputs that fail, stop and never end.

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use thin_delta::Error;

use crate::{data, delta};

/// Gives its bytes one at a time, each after an interruption, and fails at the end.
struct Flaky<'a> {
    bytes: &'a [u8],
    interrupted: bool,
    last: ErrorKind,
}

impl Read for Flaky<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(ErrorKind::Interrupted.into());
        }
        match self.bytes.split_first() {
            Some((byte, rest)) => {
                into[0] = *byte;
                self.bytes = rest;
                Ok(1)
            }
            None => Err(self.last.into()),
        }
    }
}

#[test]
fn an_interruption_is_no_failure_and_a_failure_is_no_end() {
    let text = data("0.9.0-delta.xml");
    let flaky = Flaky { bytes: text.as_bytes(), interrupted: false, last: ErrorKind::BrokenPipe };
    let error = delta(BufReader::new(flaky)).unwrap_err();
    assert_eq!(error.position(), text.len() as u64);
    assert!(matches!(&error, Error::Read { source, .. } if source.kind() == ErrorKind::BrokenPipe), "{error:?}");
    assert!(!error.is_truncated());
    assert_eq!(error.to_string(), format!("cannot read on at byte {}", text.len()));
    assert_eq!(io::Error::from(error).kind(), ErrorKind::BrokenPipe);
}

#[test]
fn errors_become_errors_of_input() {
    let kind = |text: &str| io::Error::from(delta(text.as_bytes()).unwrap_err()).kind();
    assert_eq!(kind("<superblock"), ErrorKind::UnexpectedEof);
    assert_eq!(kind("<other>"), ErrorKind::InvalidData);
}

/// A reader that counts.
struct Counted<R>(R, u64);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = self.0.read(into)?;
        self.1 += len as u64;
        Ok(len)
    }
}

#[test]
fn an_endless_tag_is_refused_after_its_limit() {
    let mut counted = Counted(b"<superblock "[..].chain(io::repeat(b'a')), 0);
    let error = delta(&mut BufReader::with_capacity(64, &mut counted) as &mut dyn BufRead).unwrap_err();
    assert!(matches!(error, Error::TagTooLong { at: 0, .. }), "{error}");
    assert!(counted.1 <= thin_delta::MAX_TAG_BYTES as u64 + 64, "{} bytes read", counted.1);
}
