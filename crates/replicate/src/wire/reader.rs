//! Frames from anything that is read.

use std::io::{self, Read};

use crate::limits::{HEADER_BYTES, PREAMBLE};
use crate::wire::frame::{FrameError, Header, Kind};
use crate::{Message, MessageError};

/// Reads messages: the preamble, then frame by frame, each checked before anything of it is handed out.
///
/// Where the input is not ready ([`io::ErrorKind::WouldBlock`], a time limit), a later call goes on where it stopped. It
/// never reads past the end of a frame. Its buffer has room for one frame; see [`limits`](crate::limits).
#[derive(Debug)]
pub struct FrameReader<R> {
    input: R,
    step: Step,
    buffer: Vec<u8>,
    filled: usize,
    number: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Preamble,
    Header,
    Body(Header),
    /// The buffer holds a body that was handed out.
    Handed,
    /// The input has ended, or was refused: nothing that follows means anything.
    Over,
}

impl<R: Read> FrameReader<R> {
    /// From the first byte of an input on.
    pub fn new(input: R) -> Self {
        Self { input, step: Step::Preamble, buffer: Vec::new(), filled: 0, number: 0 }
    }

    /// The next message; `None` where the input ends between two frames, and after an error.
    ///
    /// # Errors
    /// The input fails, is cut or altered, or says what no message can.
    pub fn next_message(&mut self) -> Result<Option<Message<'_>>, ReadError> {
        match self.next_frame() {
            Ok(None) => Ok(None),
            Ok(Some(kind)) => match Message::decode(kind, &self.buffer[..self.filled]) {
                Ok(message) => Ok(Some(message)),
                Err(source) => {
                    self.step = Step::Over;
                    Err(ReadError::Message { number: self.number - 1, source })
                }
            },
            Err(error) => {
                if !matches!(error, ReadError::Input(_)) {
                    self.step = Step::Over;
                }
                Err(error)
            }
        }
    }

    /// Reads until the buffer holds a body.
    fn next_frame(&mut self) -> Result<Option<Kind>, ReadError> {
        loop {
            match self.step {
                Step::Over => return Ok(None),
                Step::Handed => self.go_on(Step::Header),
                Step::Preamble => {
                    let whole = self.fill(PREAMBLE.len(), |found| PREAMBLE.starts_with(found))?;
                    let found = &self.buffer[..self.filled];
                    if !whole && found.is_empty() {
                        return Err(FrameError::Silent.into());
                    }
                    if !whole || found != PREAMBLE {
                        return Err(
                            FrameError::NoPreamble { found: String::from_utf8_lossy(found).into_owned() }.into()
                        );
                    }
                    self.go_on(Step::Header);
                }
                Step::Header => {
                    if !self.fill(HEADER_BYTES, |_| true)? {
                        if self.filled == 0 {
                            self.step = Step::Over;
                            return Ok(None);
                        }
                        return Err(self.cut(HEADER_BYTES));
                    }
                    let Some((bytes, _)) = self.buffer.split_first_chunk() else { return Err(self.cut(HEADER_BYTES)) };
                    let header = Header::parse(bytes, self.number)?;
                    self.go_on(Step::Body(header));
                }
                Step::Body(header) => {
                    if !self.fill(header.len_bytes, |_| true)? {
                        return Err(self.cut(header.len_bytes));
                    }
                    header.check(&self.buffer[..self.filled], self.number)?;
                    self.number += 1;
                    self.step = Step::Handed;
                    return Ok(Some(header.kind));
                }
            }
        }
    }

    fn go_on(&mut self, step: Step) {
        (self.step, self.filled) = (step, 0);
    }

    /// Reads until `len` bytes are there; `false` where the input ends before, or what is there is not `right`.
    fn fill(&mut self, len: usize, right: impl Fn(&[u8]) -> bool) -> Result<bool, ReadError> {
        if self.buffer.len() < len {
            self.buffer.resize(len, 0);
        }
        while self.filled < len {
            match self.input.read(&mut self.buffer[self.filled..len]) {
                Ok(0) => return Ok(false),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadError::Input(error)),
            }
            if !right(&self.buffer[..self.filled]) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn cut(&self, expected_bytes: usize) -> ReadError {
        FrameError::Cut { number: self.number, found_bytes: self.filled, expected_bytes }.into()
    }
}

/// Why no message came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The input failed. Where it was only not ready, a later call goes on.
    #[error("cannot read from the far side")]
    Input(#[source] io::Error),
    /// The bytes are no frame.
    #[error("the session is refused")]
    Frame(#[from] FrameError),
    /// The frame's body is no message.
    #[error("frame {number} is refused")]
    Message {
        /// The frame's number.
        number: u64,
        /// Why.
        source: MessageError,
    },
}
