//! One side of a comparison: a thin volume, an image or a stream.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use block_copy::{Access, Progress, ReadAt};
use cli::{Exit, Failure, OrFail, Outcome};
use extents::ExtentSet;
use lvm_cmd::LvRef;
use transfer::lvm::{Lvm, Selection, Source};
use transfer::{LayerReader, Opened};

/// What a name stands for.
#[derive(Debug)]
pub(super) enum Name {
    /// A thin volume.
    Thin(LvRef),
    /// A regular file, or a device that is none of LVM's.
    File(String),
}

impl Name {
    /// A file of that name is meant before a volume is.
    pub(super) fn of(text: &str) -> Outcome<Self> {
        let kind = fs::metadata(text).map(|found| found.file_type());
        match kind {
            Ok(kind) if kind.is_block_device() => {
                Ok(LvRef::parse(text, None).map_or_else(|_| Self::File(text.to_owned()), Self::Thin))
            }
            Ok(_) => Ok(Self::File(text.to_owned())),
            // What is no name for LVM is told to be no file.
            Err(missing) => LvRef::parse(text, None).map(Self::Thin).map_err(|_| missing).or_fail(Exit::Failed),
        }
        .map_err(|failure| failure.context(format!("`{text}`")))
    }

    pub(super) fn is_thin(&self) -> bool {
        matches!(self, Self::Thin(_))
    }
}

/// A side, open to be read.
pub(super) enum Side<'a> {
    Volume(Volume<'a>),
    Stream(Box<LayerReader<Opened<'a>>>),
}

/// A volume, open to be read.
pub(super) enum Volume<'a> {
    Thin { selection: Box<Selection>, source: Box<Source<'a>> },
    Image(block_copy::Volume),
}

impl<'a> Side<'a> {
    /// Opens what the name stands for. A thin volume must not change meanwhile.
    pub(super) fn open(
        name: &Name,
        lvm: Option<&Lvm<'a>>,
        reading: cli::ReadArgs,
        progress: &'a dyn Progress,
    ) -> Outcome<Self> {
        match name {
            Name::File(path) if fs::metadata(path).is_ok_and(|found| found.is_file()) => {
                let input = reading.of(cli::layer_input(Path::new(path), "", progress)?);
                match input.open() {
                    Ok(layer) => Ok(Self::Stream(Box::new(layer))),
                    Err(error) if error.is_no_stream() => Self::image(path),
                    Err(error) => Err(Failure::from(error)
                        .hint("read it as an image with `--image a`, `--image b` or `--image both`")),
                }
            }
            _ => Self::volume(name, lvm),
        }
    }

    /// Opens what the name stands for, and never as a stream. A thin volume must not change meanwhile.
    pub(super) fn volume(name: &Name, lvm: Option<&Lvm<'a>>) -> Outcome<Self> {
        match (name, lvm) {
            (Name::Thin(name), Some(lvm)) => {
                let selection = Box::new(Selection::find(lvm, name, None, None)?);
                selection.check_quiet(lvm)?;
                let source = Box::new(Source::open(lvm, &selection)?);
                Ok(Self::Volume(Volume::Thin { selection, source }))
            }
            (Name::Thin(name), None) => Self::image(&name.to_string()),
            (Name::File(path), _) => Self::image(path),
        }
    }

    fn image(path: &str) -> Outcome<Self> {
        let image = block_copy::Volume::open(path, Access::ReadExclusive).map_err(transfer::Error::from)?;
        Ok(Self::Volume(Volume::Image(image)))
    }
}

impl<'a> Volume<'a> {
    pub(super) fn read(&self) -> &dyn ReadAt {
        match self {
            Self::Thin { source, .. } => source.new_volume(),
            Self::Image(image) => image,
        }
    }

    /// Where it may read as anything but zeros.
    pub(super) fn mapped(&self, lvm: Option<&Lvm<'a>>, progress: &dyn Progress) -> Outcome<ExtentSet<extents::Bytes>> {
        match (self, lvm) {
            (Self::Thin { selection, .. }, Some(lvm)) => Ok(selection.delta(lvm, progress)?.data),
            (Self::Thin { .. }, None) => Ok(extents::Extent::whole(self.read().size()).into_iter().collect()),
            (Self::Image(image), _) => Ok(image.data_extents().map_err(transfer::Error::from)?),
        }
    }

    /// Both as one selection, where their pool can say what they share.
    pub(super) fn in_one_pool(&self, other: &Self) -> Option<Selection> {
        let (Self::Thin { selection, .. }, Self::Thin { selection: other, .. }) = (self, other) else { return None };
        let one_pool = selection.pool.uuid == other.pool.uuid && selection.new.uuid != other.new.uuid;
        let both = Selection { base: Some(other.new.clone()), ..(**selection).clone() };
        (one_pool && both.external_origin().is_ok()).then_some(both)
    }

    pub(super) fn close(self) -> Result<(), transfer::Error> {
        match self {
            Self::Thin { source, .. } => source.close(),
            Self::Image(_) => Ok(()),
        }
    }
}
