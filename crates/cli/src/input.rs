//! Where a stream comes from: standard input or a file, compressed or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, IsTerminal, Read, Seek};
use std::path::Path;

use block_copy::Progress;
use transfer::{Interruptible, LayerInput, Seekable, is_stop};

use crate::{Exit, Failure, OrFail, Outcome, stdin};

/// How a zstd frame begins (RFC 8878, section 3.1.1).
const ZSTD_MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
/// How much of a decompressed stream is decoded at once, in bytes.
const BUFFER_BYTES: usize = 256 * 1024;
/// How much is read at once of a file of which only the lines are wanted, in bytes.
const LINES_BYTES: usize = 4096;

/// The bytes of a stream: decompressed, and interruptible by `progress` even while nothing comes.
pub type Input<'a> = Box<dyn BufRead + Send + 'a>;

/// Opens a file.
///
/// # Errors
/// It is not there, or cannot be read.
pub fn open_input<'a>(path: &Path, progress: &'a dyn Progress) -> Outcome<Input<'a>> {
    let file = File::open(path).or_fail(Exit::Failed);
    let file = file.map_err(|failure| failure.context(format!("cannot open `{}`", path.display())))?;
    let input = decompressed(Interruptible::new(file, progress)).map_err(transfer::Error::input);
    input.map_err(|error| Failure::from(error).context(format!("cannot read `{}`", path.display())))
}

/// Takes standard input; `hint` shows where a stream could come from.
///
/// # Errors
/// It is a terminal, or closed, or cannot be read.
pub fn stdin_for_data<'a>(hint: &str, progress: &'a dyn Progress) -> Outcome<Input<'a>> {
    let stdin = stdin()?;
    if stdin.is_terminal() {
        return Err(
            Failure::msg(Exit::Usage, "the stream is expected on standard input, which is a terminal").hint(hint)
        );
    }
    Ok(decompressed(Interruptible::new(stdin, progress)).map_err(transfer::Error::input)?)
}

/// A file, or standard input where its name is `-`, as a layer that may have others before and behind it.
///
/// # Errors
/// It is standard input, and that is a terminal or cannot be read. (A file is opened when it is read.)
pub fn layer_input<'a>(path: &Path, hint: &str, progress: &'a dyn Progress) -> Outcome<LayerInput<'a>> {
    if path == Path::new("-") {
        return Ok(LayerInput::once("standard input", stdin_for_data(hint, progress)?));
    }
    let file = path.to_owned();
    let open = move || decompressed(Interruptible::new(File::open(&file)?, progress));
    let file = path.to_owned();
    let seekable = move || plain(File::open(&file)?);
    Ok(LayerInput::new(path.display().to_string(), open).or_seekable(seekable))
}

/// The file, where it is regular and not compressed.
fn plain<'a>(mut file: File) -> io::Result<Option<Box<dyn Seekable + 'a>>> {
    if !file.metadata()?.is_file() {
        return Ok(None);
    }
    let mut start = Vec::with_capacity(ZSTD_MAGIC.len());
    (&file).take(ZSTD_MAGIC.len() as u64).read_to_end(&mut start)?;
    file.rewind()?;
    Ok((start != ZSTD_MAGIC).then(|| Box::new(BufReader::with_capacity(LINES_BYTES, file)) as Box<dyn Seekable>))
}

fn decompressed(mut raw: Interruptible<'_>) -> io::Result<Input<'_>> {
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
