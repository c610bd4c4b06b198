//! Where the stream comes from, compressed or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, IsTerminal, Read};

use block_copy::Progress;
use cli::{Exit, Failure, OrFail, Outcome};
use transfer::{Incoming, Interruptible, is_stop};

use crate::args::Args;

/// How a zstd frame begins (RFC 8878, section 3.1.1).
const ZSTD_MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
/// How much of a decompressed stream is decoded at once, in bytes.
const BUFFER_BYTES: usize = 256 * 1024;

/// A stream, of whatever it is made.
pub(crate) type Input<'a> = Incoming<Box<dyn BufRead + 'a>>;

/// Opens the input and reads the stream's header.
///
/// # Errors
/// There is nothing to read, or it is no stream.
pub(crate) fn open<'a>(args: &Args, progress: &'a dyn Progress) -> Outcome<Input<'a>> {
    let raw = match &args.input {
        Some(path) => {
            let file = File::open(path).or_fail(Exit::Failed);
            Interruptible::new(
                file.map_err(|failure| failure.context(format!("cannot open `{}`", path.display())))?,
                progress,
            )
        }
        None if io::stdin().is_terminal() => {
            return Err(Failure::msg(Exit::Usage, "the stream is expected on standard input, which is a terminal")
                .hint("`lvpatch ... < FILE`, or `lvdiff ... | lvpatch ...`"));
        }
        None => Interruptible::new(io::stdin(), progress),
    };
    let incoming = Incoming::open(decompressed(raw).map_err(hyperlayer_read)?)?;
    Ok(incoming.accept_open_end(args.accept_open_end))
}

fn hyperlayer_read(source: io::Error) -> transfer::Error {
    transfer::Error::from(hyperlayer::ReadError::Io { position: 0, source })
}

fn decompressed<'a>(mut raw: Interruptible<'a>) -> io::Result<Box<dyn BufRead + 'a>> {
    let mut start = Vec::with_capacity(ZSTD_MAGIC.len());
    raw.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut start)?;
    let is_zstd = start == ZSTD_MAGIC;
    let whole = Cursor::new(start).chain(raw);
    if !is_zstd {
        return Ok(Box::new(whole));
    }
    let decoder = Zstd(zstd::Decoder::with_buffer(whole)?);
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)))
}

/// A decoder that says which errors are about the bytes: the library gives those the kind that any error may have.
struct Zstd<R>(R);

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).map_err(|error| {
            let is_system = error.raw_os_error().is_some();
            if is_system || is_stop(&error) || error.kind() != io::ErrorKind::Other {
                return error;
            }
            io::Error::new(io::ErrorKind::InvalidData, format!("the zstd frame is damaged: {error}"))
        })
    }
}
