//! Documents of `thin_dump`.

use std::io::BufRead;
use std::iter::FusedIterator;

use extents::{Chunks, Extent};

use crate::order::Order;
use crate::tag::Form;
use crate::tags::Tags;
use crate::{Error, Superblock, ThinId};

/// What the document says of its device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Device {
    /// Its number in the pool.
    pub id: ThinId,
    /// How many of its chunks are mapped; the mappings that follow are as many.
    pub mapped_chunks: Chunks,
    /// The pool's transaction id when it was made.
    pub transaction: u64,
    /// The pool's snapshot clock when it was made.
    pub creation_time: u64,
    /// The pool's snapshot clock when a snapshot was last taken of it or it was made as one.
    pub snap_time: u64,
}

/// Reads the output of `thin_dump --dev-id N`: an iterator over the mapped ranges of one device, ascending, none
/// overlapping; they may touch.
///
/// The iterator ends (`None`) only after as many chunks as [`Device::mapped_chunks`] says, `</device>`,
/// `</superblock>` and the end of the input were seen. An error comes once and ends it too.
///
/// ```
/// use thin_delta::DumpReader;
///
/// let xml = br#"<superblock uuid="" time="1" transaction="3" version="2" data_block_size="128" nr_data_blocks="0">
///   <device dev_id="2" mapped_blocks="6" transaction="1" creation_time="1" snap_time="1">
///     <range_mapping origin_begin="0" data_begin="100" length="5" time="0"/>
///     <single_mapping origin_block="8" data_block="500" time="1"/>
///   </device>
/// </superblock>
/// "#;
/// let mut dump = DumpReader::new(&xml[..])?;
/// assert_eq!(dump.device().id.get(), 2);
/// let mapped = dump.by_ref().collect::<Result<extents::ExtentSet<_>, _>>()?;
/// assert_eq!(mapped.total(), dump.device().mapped_chunks);
/// # Ok::<(), thin_delta::Error>(())
/// ```
#[derive(Debug)]
pub struct DumpReader<R> {
    tags: Tags<R>,
    superblock: Superblock,
    device: Device,
    order: Order,
    found: Chunks,
    done: bool,
}

impl<R: BufRead> DumpReader<R> {
    /// Reads `<superblock ...>` and `<device ...>`.
    ///
    /// # Errors
    /// The input starts otherwise, or cannot be read.
    pub fn new(input: R) -> Result<Self, Error> {
        const EXPECTED: &str = "`<device ...>`";
        let mut tags = Tags::new(input);
        let superblock = Superblock::open(&mut tags)?;
        let tag = tags.next(EXPECTED)?;
        if (tag.form, tag.name) != (Form::Open, b"device") {
            return Err(tag.unexpected(EXPECTED));
        }
        let device = Device {
            id: ThinId::read(&tag, "dev_id")?,
            mapped_chunks: Chunks::new(tag.number("mapped_blocks")?),
            transaction: tag.number("transaction")?,
            creation_time: tag.number("creation_time")?,
            snap_time: tag.number("snap_time")?,
        };
        let order = Order::new(superblock.chunk_size);
        Ok(Self { tags, superblock, device, order, found: Chunks::ZERO, done: false })
    }

    /// What the document says of the pool.
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// What the document says of the device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn advance(&mut self) -> Result<Option<Extent<Chunks>>, Error> {
        const EXPECTED: &str = "`<range_mapping .../>`, `<single_mapping .../>` or `</device>`";
        let tag = self.tags.next(EXPECTED)?;
        let stated = self.device.mapped_chunks;
        let chunks = match (tag.form, tag.name) {
            (Form::Empty, b"range_mapping") => {
                self.order.next(&tag, tag.number("origin_begin")?, tag.number("length")?)?
            }
            (Form::Empty, b"single_mapping") => self.order.next(&tag, tag.number("origin_block")?, 1)?,
            (Form::Close, b"device") if self.found == stated => {
                Superblock::close(&mut self.tags, "`</superblock>` after the only device (`thin_dump --dev-id N`)")?;
                self.done = true;
                return Ok(None);
            }
            (Form::Close, b"device") => return Err(Error::Total { at: tag.at, stated, found: self.found }),
            _ => return Err(tag.unexpected(EXPECTED)),
        };
        // Ranges that do not overlap have together fewer than 2^64 chunks.
        self.found = self.found.saturating_add(chunks.len());
        if self.found > stated {
            return Err(Error::Total { at: tag.at, stated, found: self.found });
        }
        Ok(Some(chunks))
    }
}

impl<R: BufRead> Iterator for DumpReader<R> {
    type Item = Result<Extent<Chunks>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let chunks = self.advance();
        self.done |= chunks.is_err();
        chunks.transpose()
    }
}

impl<R: BufRead> FusedIterator for DumpReader<R> {}
