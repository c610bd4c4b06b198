//! Documents of `thin_delta`.

use std::io::BufRead;
use std::iter::FusedIterator;

use extents::{Chunks, Extent};

use crate::order::Order;
use crate::tag::{Form, Tag};
use crate::tags::Tags;
use crate::{Error, Superblock, ThinId};

/// What was compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// A thin device (`--snap1`, `--thin1` and their like).
    Device(ThinId),
    /// The block in the metadata where a mapping tree starts (`--root1`, `--root2`; 1.x only).
    Root(u64),
}

/// How the two sides compare in a run of chunks. What no run names is mapped on neither side: it reads as zeros, or
/// as the volume's external origin.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RunKind {
    /// Mapped on both sides to the same data.
    Same,
    /// Mapped on both sides to different data blocks, whose content may still be equal.
    Different,
    /// Mapped on the left side (`--snap1`) only.
    LeftOnly,
    /// Mapped on the right side (`--snap2`) only.
    RightOnly,
}

impl RunKind {
    fn named(name: &[u8]) -> Option<Self> {
        match name {
            b"same" => Some(Self::Same),
            b"different" => Some(Self::Different),
            b"left_only" => Some(Self::LeftOnly),
            b"right_only" => Some(Self::RightOnly),
            _ => None,
        }
    }
}

/// Consecutive chunks that compare alike. Runs of one kind may touch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Run {
    /// How they compare.
    pub kind: RunKind,
    /// Which chunks.
    pub chunks: Extent<Chunks>,
}

/// Reads the output of `thin_delta`, plain or verbose: an iterator over its runs, ascending, none overlapping.
///
/// The iterator ends (`None`) only after `</diff>`, `</superblock>` and the end of the input were seen. An error comes
/// once and ends it too, so a run may only be believed when the iterator came to its end without one.
#[derive(Debug)]
pub struct DeltaReader<R> {
    tags: Tags<R>,
    superblock: Superblock,
    left: Side,
    right: Side,
    order: Order,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Between runs.
    Diff,
    /// In a wrapper element of the verbose format, which has ranges so far, or not.
    Wrapper { kind: RunKind, filled: bool },
    /// After the end or an error.
    Done,
}

impl<R: BufRead> DeltaReader<R> {
    /// Reads `<superblock ...>` and `<diff ...>`.
    ///
    /// # Errors
    /// The input starts otherwise, or cannot be read.
    pub fn new(input: R) -> Result<Self, Error> {
        const EXPECTED: &str = "`<diff ...>`";
        let mut tags = Tags::new(input);
        let superblock = Superblock::open(&mut tags)?;
        let tag = tags.next(EXPECTED)?;
        if (tag.form, tag.name) != (Form::Open, b"diff") {
            return Err(tag.unexpected(EXPECTED));
        }
        let left = side(&tag, "left", "left_root")?;
        let right = side(&tag, "right", "right_root")?;
        let order = Order::new(superblock.chunk_size);
        Ok(Self { tags, superblock, left, right, order, state: State::Diff })
    }

    /// What the document says of the pool.
    pub fn superblock(&self) -> &Superblock {
        &self.superblock
    }

    /// The left side: `--snap1`, `--thin1` or `--root1`.
    pub fn left(&self) -> Side {
        self.left
    }

    /// The right side: `--snap2`, `--thin2` or `--root2`.
    pub fn right(&self) -> Side {
        self.right
    }

    fn advance(&mut self) -> Result<Option<Run>, Error> {
        loop {
            match self.state {
                State::Done => return Ok(None),
                State::Diff => {
                    const EXPECTED: &str =
                        "`<same>`, `<different>`, `<left_only>` or `<right_only>` with its chunks, or `</diff>`";
                    let tag = self.tags.next(EXPECTED)?;
                    match (tag.form, RunKind::named(tag.name)) {
                        (Form::Empty, Some(kind)) => return run(&mut self.order, &tag, kind).map(Some),
                        // With chunks of its own it would be no wrapper, and they would be lost.
                        (Form::Open, Some(kind)) if !tag.has("begin") && !tag.has("length") => {
                            self.state = State::Wrapper { kind, filled: false };
                        }
                        (Form::Close, None) if tag.name == b"diff" => {
                            Superblock::close(&mut self.tags, "`</superblock>`")?;
                            self.state = State::Done;
                        }
                        _ => return Err(tag.unexpected(EXPECTED)),
                    }
                }
                State::Wrapper { kind, filled } => {
                    let expected =
                        if filled { "`<range .../>` or the end of the element around it" } else { "`<range .../>`" };
                    let tag = self.tags.next(expected)?;
                    match tag.form {
                        Form::Empty if tag.name == b"range" => {
                            self.state = State::Wrapper { kind, filled: true };
                            return run(&mut self.order, &tag, kind).map(Some);
                        }
                        Form::Close if filled && RunKind::named(tag.name) == Some(kind) => self.state = State::Diff,
                        _ => return Err(tag.unexpected(expected)),
                    }
                }
            }
        }
    }
}

impl<R: BufRead> Iterator for DeltaReader<R> {
    type Item = Result<Run, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let run = self.advance();
        if run.is_err() {
            self.state = State::Done;
        }
        run.transpose()
    }
}

impl<R: BufRead> FusedIterator for DeltaReader<R> {}

fn run(order: &mut Order, tag: &Tag<'_>, kind: RunKind) -> Result<Run, Error> {
    let chunks = order.next(tag, tag.number("begin")?, tag.number("length")?)?;
    Ok(Run { kind, chunks })
}

fn side(tag: &Tag<'_>, device: &'static str, root: &'static str) -> Result<Side, Error> {
    match tag.optional(root)? {
        None => ThinId::read(tag, device).map(Side::Device),
        Some(_) if tag.has(device) => Err(tag.unexpected("a device number or a root on each side, not both")),
        Some(block) => Ok(Side::Root(block)),
    }
}
