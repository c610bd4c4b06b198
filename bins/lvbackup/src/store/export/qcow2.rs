//! A qcow2 image as a volume to restore into.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use block_copy::{BesideFile, Error, Op, ReadAt, WriteAt};
use extents::{Bytes, Extent, SECTOR_BYTES};
use imago::file::File as Storage;
use imago::qcow2::Qcow2;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatCreateBuilder, FormatDriverBuilder};

/// The image, which reads zeros where nothing was written.
pub(super) struct Image {
    access: FormatAccess<Storage>,
    file: File,
    name: PathBuf,
    size: Bytes,
}

/// Makes an image for a volume of this size in an empty file.
///
/// # Errors
/// What the system or the library said.
pub(crate) fn create(beside: &BesideFile, size: Bytes, name: &Path) -> Result<Box<dyn WriteAt>, Error> {
    let failed = |source| Error::System { op: Op::Create, name: name.to_owned(), extent: None, source };
    let file = beside.file().try_clone().map_err(failed)?;
    let storage = Storage::try_from(beside.file().try_clone().map_err(failed)?).map_err(failed)?;
    // The format counts in sectors, as volumes do.
    let sectors = size.get().next_multiple_of(SECTOR_BYTES);
    let image = Qcow2::<Storage>::create_builder(storage)
        .size(sectors)
        .create_open(DenyImplicitOpenGate::default(), |image| Ok(Qcow2::builder(image).write(true)))
        .map_err(failed)?;
    Ok(Box::new(Image { access: FormatAccess::new(image), file, name: name.to_owned(), size }))
}

impl Image {
    fn failed(&self, op: Op, extent: Option<Extent<Bytes>>) -> impl FnOnce(io::Error) -> Error {
        let name = self.name.clone();
        move |source| Error::System { op, name, extent, source }
    }
}

impl ReadAt for Image {
    fn size(&self) -> Bytes {
        self.size
    }

    fn read_at(&self, at: Bytes, buf: &mut [u8]) -> Result<(), Error> {
        let extent = Extent::new(at, Bytes::from(buf.len()));
        self.access.read(buf, at.get()).map_err(self.failed(Op::Read, extent))
    }
}

impl WriteAt for Image {
    fn write_at(&self, at: Bytes, data: &[u8]) -> Result<(), Error> {
        let extent = Extent::new(at, Bytes::from(data.len()));
        self.access.write(data, at.get()).map_err(self.failed(Op::Write, extent))
    }

    fn zero(&self, extent: Extent<Bytes>) -> Result<(), Error> {
        self.access.write_zeroes(extent.start().get(), extent.len().get()).map_err(self.failed(Op::Zero, Some(extent)))
    }

    /// The library's own tables first.
    fn sync(&self) -> Result<(), Error> {
        let flushed = self.access.flush().and_then(|()| self.file.sync_all());
        flushed.map_err(self.failed(Op::Sync, None))
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image").field("name", &self.name).finish_non_exhaustive()
    }
}
