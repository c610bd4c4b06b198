//! A chain that becomes an image file.

use block_copy::{PartialFile, Progress, Queue, ReadAt, Volume, WriteAt, copy_sparse};
use extents::{Bytes, ChunkSize};
use hyperlayer::{Header, Kind, LayerId};

use super::Site;
use crate::scan::content;
use crate::{Base, Error, Identity, check_base_size, identify, needs_no_base};

/// All layers in one sparse file beside its target.
pub struct FileSite<'a> {
    file: PartialFile,
    base: Option<Volume>,
    /// What the base is said to be.
    ids: Vec<LayerId>,
    force: bool,
    progress: &'a dyn Progress,
    open: Option<Volume>,
    /// Whether what is being written was made of the base itself.
    first: bool,
}

impl std::fmt::Debug for FileSite<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileSite").field("file", &self.file).field("base", &self.base).finish_non_exhaustive()
    }
}

impl<'a> FileSite<'a> {
    /// Into `file`, of `base`, which is said to hold one of these layers; `force` takes any.
    pub fn new(
        file: PartialFile,
        base: Option<Volume>,
        ids: Vec<LayerId>,
        force: bool,
        progress: &'a dyn Progress,
    ) -> Self {
        Self { file, base, ids, force, progress, open: None, first: false }
    }

    /// The file.
    #[must_use]
    pub fn into_file(self) -> PartialFile {
        self.file
    }

    fn open(&mut self, number: u64, needed: Bytes) -> Result<(), Error> {
        self.file.resize(needed)?;
        self.open = Some(self.file.volume()?);
        self.first = number == 0;
        Ok(())
    }

    fn identify(&self, header: &Header, image: &dyn ReadAt, base: &Volume) -> Result<Identity, Error> {
        let base = Base { name: base.name().display().to_string(), size: base.size(), ids: self.ids.clone() };
        identify_image(header, image, base, self.force, self.progress)
    }
}

/// Compares a layer's parent with an image: with what its user says it is, and, where the layer names a content, with the
/// content of its first bytes, as many as the base has.
///
/// # Errors
/// As [`identify`]; or it cannot be read.
pub fn identify_image(
    header: &Header,
    image: &dyn ReadAt,
    mut base: Base,
    force: bool,
    progress: &dyn Progress,
) -> Result<Identity, Error> {
    let by_content = header.parent.as_ref().is_some_and(|parent| parent.as_str().starts_with("blake3:"));
    if by_content && header.kind == Kind::Delta {
        let hash = content(image, base.size, Queue::default(), progress)?;
        base.ids.push(LayerId::new(format!("blake3:{hash}"))?);
    }
    identify(header, &base, force)
}

impl Site for FileSite<'_> {
    fn chunk(&self) -> ChunkSize {
        // A file has no chunks to complete.
        ChunkSize::SECTOR
    }

    fn begin(&mut self, number: u64, header: &Header, size: Bytes) -> Result<Option<Identity>, Error> {
        if number > 0 {
            let needed = self.file.len()?.max(size);
            return self.open(number, needed).map(|()| None);
        }
        self.file.resize(Bytes::ZERO)?;
        let Some(base) = &self.base else {
            needs_no_base(header)?;
            self.open(number, size)?;
            return self.file.sync().map(|()| None).map_err(Into::into);
        };
        if let Err(size) = check_base_size(header, &base.name().display().to_string(), base.size()) {
            // Before anything is made; where it is another layer, that says more than its size.
            return self.identify(header, base, base).and(Err(size));
        }
        self.file.resize(size.max(base.size()))?;
        let copy = self.file.volume()?;
        copy_sparse(base, &copy, self.progress)?;
        self.file.sync()?;
        // The copy is what the layer is applied on, so the copy is what must be the right one.
        let identity = self.identify(header, &copy, base)?;
        (self.open, self.first) = (Some(copy), true);
        Ok(Some(identity))
    }

    fn reopen(&mut self, number: u64, header: &Header, size: Bytes) -> Result<Option<Identity>, Error> {
        let base = self.base.as_ref().filter(|_| number == 0);
        let identity = base.map(|base| self.identify(header, base, base)).transpose()?;
        self.open(number, size.max(header.parent_size.unwrap_or_default()))?;
        Ok(identity)
    }

    fn read_whole(&self, _: u64, read: &mut dyn FnMut(&dyn ReadAt)) -> Result<(), Error> {
        read(&self.file.volume()?);
        Ok(())
    }

    fn target(&self) -> Result<(&dyn WriteAt, Option<&dyn ReadAt>), Error> {
        let target = self.open.as_ref().ok_or(Error::NoStream)?;
        let parent = self.base.as_ref().filter(|_| self.first);
        Ok((target, parent.map(|base| base as &dyn ReadAt)))
    }

    fn end(&mut self, _: u64, size: Bytes) -> Result<(), Error> {
        self.open = None;
        Ok(self.file.resize(size)?)
    }

    fn forget_parent(&mut self, _: u64) -> Result<(), Error> {
        Ok(())
    }

    fn can_begin_again(&self, number: u64) -> bool {
        number == 0
    }
}
