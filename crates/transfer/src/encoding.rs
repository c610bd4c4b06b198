//! The frames of each format that is written.

use hyperlayer::{Check, DATA_TRAILER, EncodeError, Encoder, Finished, Format, Header, ThinSendEncoder};

use extents::{Bytes, Extent};

/// Makes the frames of one stream, in the format that its header says.
#[derive(Debug)]
pub(crate) enum Encoding {
    Hyperlayer(Box<Encoder>),
    ThinSend(Box<ThinSendEncoder>),
}

impl Encoding {
    /// Gives the encoder, and the first bytes of the stream.
    pub(crate) fn start(header: &Header) -> Result<(Self, Vec<u8>), EncodeError> {
        if header.format == Format::ThinSend1_1 {
            return ThinSendEncoder::start(header).map(|(encoder, text)| (Self::ThinSend(Box::new(encoder)), text));
        }
        Encoder::start(header).map(|(encoder, text)| (Self::Hyperlayer(Box::new(encoder)), text))
    }

    pub(crate) fn check(&mut self, check: &Check) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::Hyperlayer(encoder) => encoder.check(check),
            Self::ThinSend(_) => Err(EncodeError::CheckNotExpressible { format: Format::ThinSend1_1 }),
        }
    }

    /// What stands before the data of a record, and what after it.
    pub(crate) fn data(
        &mut self,
        extent: Extent<Bytes>,
        payload: &[u8],
    ) -> Result<(Vec<u8>, Option<&'static [u8]>), EncodeError> {
        match self {
            Self::Hyperlayer(encoder) => Ok((encoder.data(extent, payload)?, Some(DATA_TRAILER))),
            Self::ThinSend(encoder) => Ok((encoder.data(extent, payload)?, None)),
        }
    }

    /// Hands `put` the pieces of a record of zeros.
    pub(crate) fn zero<E: From<EncodeError>>(
        &mut self,
        extent: Extent<Bytes>,
        mut put: impl FnMut(crate::Part) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Hyperlayer(encoder) => encoder.zero(extent)?.try_for_each(|piece| put(Box::new(piece))),
            Self::ThinSend(encoder) => put(Box::new(encoder.zero(extent)?)),
        }
    }

    pub(crate) fn finish(self) -> Result<Finished, EncodeError> {
        match self {
            Self::Hyperlayer(encoder) => encoder.finish(),
            Self::ThinSend(encoder) => Ok(encoder.finish()),
        }
    }
}
