//! Where the layers come from.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use block_copy::Progress;
use cli::Outcome;
use extents::Bytes;
use transfer::{LayerInput, LayerReader, check_headers};

use super::Args;

/// The first layer of an input; those behind it follow from it.
pub(super) type First<'a> = LayerReader<Limited<cli::Input<'a>>>;

/// The inputs, one after the other; each is opened when it is its turn.
pub(super) struct Inputs<'a> {
    /// What is left; `None` is standard input.
    left: std::vec::IntoIter<Option<PathBuf>>,
    args: &'a Args,
    progress: &'a dyn Progress,
}

impl<'a> Inputs<'a> {
    /// Those that are asked for.
    ///
    /// # Errors
    /// A file cannot be opened, or is no layer that follows the one before it: found before anything is received.
    pub(super) fn of(args: &'a Args, progress: &'a dyn Progress) -> Outcome<Self> {
        let named = |file: &PathBuf| {
            drop(cli::open_input(file, progress)?);
            let input = cli::layer_input(&Path::new(".").join(file), "", progress)?;
            Ok(input
                .named(file.display().to_string())
                .with_options(args.reading.options())
                .demanding(args.reading.demands()))
        };
        let inputs = args.input.iter().map(named).collect::<Outcome<Vec<LayerInput<'_>>>>()?;
        check_headers(&inputs, progress)?;
        let files = match args.input.is_empty() {
            true => vec![None],
            false => args.input.iter().cloned().map(Some).collect(),
        };
        Ok(Self { left: files.into_iter(), args, progress })
    }

    fn open(&self, file: Option<&Path>) -> Outcome<First<'a>> {
        let (name, input) = match file {
            Some(path) => (path.display().to_string(), cli::open_input(path, self.progress)?),
            None => {
                let hint = "`lvbackup recv ... < FILE`, or `lvbackup send ... | lvbackup recv ...`";
                ("standard input".to_owned(), cli::stdin_for_data(hint, self.progress)?)
            }
        };
        let input = Limited::new(input, self.args.bwlimit);
        let layer = LayerReader::open_rest(&name, input, self.args.reading.options())?;
        Ok(layer.accept_open_end(!self.args.reading.demands().end))
    }
}

impl<'a> Iterator for Inputs<'a> {
    type Item = Outcome<First<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let file = self.left.next()?;
        Some(self.open(file.as_deref()))
    }
}

/// Reads no faster, on average, than it may.
pub(super) struct Limited<R> {
    source: R,
    per_second: Option<Bytes>,
    read: Bytes,
    started: Instant,
}

/// How much is let through at once, so that the rate is even.
const STEP_BYTES: usize = 64 * 1024;

impl<R> Limited<R> {
    fn new(source: R, per_second: Option<Bytes>) -> Self {
        Self { source, per_second, read: Bytes::ZERO, started: Instant::now() }
    }
}

impl<R: BufRead> BufRead for Limited<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let buffer = self.source.fill_buf()?;
        let shown = if self.per_second.is_some() { buffer.len().min(STEP_BYTES) } else { buffer.len() };
        Ok(&buffer[..shown])
    }

    fn consume(&mut self, len_bytes: usize) {
        self.source.consume(len_bytes);
        self.read = self.read.saturating_add(len_bytes.into());
        if let Some(per_second) = self.per_second {
            let milliseconds = u128::from(self.read.get()) * 1000 / u128::from(per_second.get().max(1));
            let due = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(u64::MAX));
            std::thread::sleep(due.saturating_sub(self.started.elapsed()));
        }
    }
}

impl<R: BufRead> Read for Limited<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let have = self.fill_buf()?;
        let len = have.len().min(buf.len());
        buf[..len].copy_from_slice(&have[..len]);
        self.consume(len);
        Ok(len)
    }
}
