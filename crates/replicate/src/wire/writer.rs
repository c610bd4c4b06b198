//! Frames to anything that is written.

use std::io::{self, Write};

use crate::limits::{HEADER_BYTES, PREAMBLE};
use crate::wire::frame::header;
use crate::{Kind, Message, MessageError};

/// Writes messages: the preamble before the first, then one frame each, flushed but for data, which a message of another
/// kind always follows.
#[derive(Debug)]
pub struct FrameWriter<W> {
    output: W,
    buffer: Vec<u8>,
    number: u64,
    broken: bool,
}

impl<W: Write> FrameWriter<W> {
    /// To an output to which nothing was written.
    pub fn new(output: W) -> Self {
        Self { output, buffer: Vec::new(), number: 0, broken: false }
    }

    /// Writes one message.
    ///
    /// # Errors
    /// It breaks a rule of the protocol, so that no reader would take it: nothing is written then. Or the output fails:
    /// then nobody knows how much of the frame went out, and nothing more can be written.
    pub fn write(&mut self, message: &Message<'_>) -> Result<(), WriteError> {
        self.buffer.clear();
        self.buffer.resize(HEADER_BYTES, 0);
        message.encode(&mut self.buffer).map_err(|source| WriteError::Message { source })?;
        if self.broken {
            return Err(WriteError::Broken);
        }
        let kind = message.kind();
        let (head, body) = self.buffer.split_at_mut(HEADER_BYTES);
        head.copy_from_slice(&header(kind, self.number, body));
        self.broken = true;
        self.put(kind).map_err(WriteError::Output)?;
        self.broken = false;
        self.number += 1;
        Ok(())
    }

    fn put(&mut self, kind: Kind) -> io::Result<()> {
        if self.number == 0 {
            self.output.write_all(PREAMBLE)?;
        }
        self.output.write_all(&self.buffer)?;
        if kind == Kind::Data { Ok(()) } else { self.output.flush() }
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.output
    }
}

/// Why a message was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// It breaks a rule of the protocol.
    #[error("the message cannot be sent")]
    Message {
        /// Which one.
        source: MessageError,
    },
    /// The output failed.
    #[error("cannot write to the far side")]
    Output(#[source] io::Error),
    /// The output failed before.
    #[error("nothing can be written after a frame that was cut")]
    Broken,
}
