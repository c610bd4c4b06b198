//! Where the data records of a stream lie: a list in a file without a name, since there may be any number of them.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use extents::{Bytes, Extent};

/// Ranges, in the order in which they are added.
#[derive(Debug)]
pub(super) struct Records {
    file: BufWriter<File>,
    /// The first thing that went wrong.
    failed: Option<io::Error>,
}

impl Records {
    /// An empty list in the folder of `path`, where nothing of it is to be seen.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        std::fs::remove_file(path)?;
        Ok(Self { file: BufWriter::new(file), failed: None })
    }

    /// Adds one. What goes wrong, [`read`](Self::read) says.
    pub(super) fn add(&mut self, record: Extent<Bytes>) {
        if self.failed.is_none() {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&record.start().get().to_le_bytes());
            bytes[8..].copy_from_slice(&record.len().get().to_le_bytes());
            self.failed = self.file.write_all(&bytes).err();
        }
    }

    /// All of them, from the first on.
    pub(super) fn read(self) -> io::Result<impl Iterator<Item = io::Result<Extent<Bytes>>>> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        let mut input = BufReader::new(file);
        Ok(std::iter::from_fn(move || next(&mut input).transpose()))
    }
}

fn next(input: &mut impl Read) -> io::Result<Option<Extent<Bytes>>> {
    let mut bytes = [0; 16];
    match input.read_exact(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let number = |bytes: &[u8]| Bytes::new(bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte)));
    let (start, len) = bytes.split_at(8);
    Extent::new(number(start), number(len)).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_comes_back_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        std::fs::write(&path, "of a run that was killed").unwrap();
        let mut records = Records::new(&path).unwrap();
        let all: Vec<_> =
            (1..5000u64).map(|n| Extent::new(Bytes::new(n << 40), Bytes::new(n * 512)).unwrap()).collect();
        all.iter().for_each(|record| records.add(*record));
        assert!(!path.exists());
        assert_eq!(records.read().unwrap().collect::<io::Result<Vec<_>>>().unwrap(), all);
    }
}
