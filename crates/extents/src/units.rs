//! Bytes, sectors, chunks.

use std::fmt;

use crate::Extent;

/// The length of one sector, in bytes. The device mapper and the HYPERLAYER format count in it whatever the device's
/// own block size is (`Documentation/admin-guide/device-mapper` in the kernel's sources).
pub const SECTOR_BYTES: u64 = 512;

mod sealed {
    pub trait Sealed {}
}

/// A count, or an offset, in one unit: [`Bytes`], [`Sectors`] or [`Chunks`].
pub trait Unit: sealed::Sealed + Copy + Ord + fmt::Debug + fmt::Display + Default {
    /// The value of `count` of this unit.
    #[must_use]
    fn from_count(count: u64) -> Self;
    /// How many of this unit.
    #[must_use]
    fn count(self) -> u64;
}

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(u64);

        impl $name {
            /// None of it, or the start of the volume.
            pub const ZERO: Self = Self(0);

            /// `count` of this unit.
            #[must_use]
            pub const fn new(count: u64) -> Self {
                Self(count)
            }

            /// The plain number, for where a unit cannot go (a system call, a text).
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// Whether this is nothing.
            #[must_use]
            pub const fn is_zero(self) -> bool {
                self.0 == 0
            }

            /// The sum, or `None` above `u64::MAX`.
            #[must_use]
            pub const fn checked_add(self, other: Self) -> Option<Self> {
                match self.0.checked_add(other.0) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// The difference, or `None` below zero.
            #[must_use]
            pub const fn checked_sub(self, other: Self) -> Option<Self> {
                match self.0.checked_sub(other.0) {
                    Some(difference) => Some(Self(difference)),
                    None => None,
                }
            }

            /// The sum, or `u64::MAX` where it would be more.
            #[must_use]
            pub const fn saturating_add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }

            /// The difference, or zero where it would be less.
            #[must_use]
            pub const fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl sealed::Sealed for $name {}

        impl Unit for $name {
            fn from_count(count: u64) -> Self {
                Self(count)
            }

            fn count(self) -> u64 {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        /// The plain number, without the unit's name.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

unit! {
    /// A byte offset, or a length in bytes.
    Bytes
}
unit! {
    /// An offset or a length in sectors of [`SECTOR_BYTES`] bytes.
    Sectors
}
unit! {
    /// A chunk's number in a thin volume, or a count of chunks. What one chunk is in bytes, a [`ChunkSize`] knows.
    Chunks
}

impl Bytes {
    /// The same in whole sectors, or `None` where it is no whole number of them.
    #[must_use]
    pub const fn to_sectors(self) -> Option<Sectors> {
        if self.0.is_multiple_of(SECTOR_BYTES) { Some(Sectors(self.0 / SECTOR_BYTES)) } else { None }
    }

    /// The same as an index into memory, or `None` where this machine's memory has no such index.
    #[must_use]
    pub fn to_usize(self) -> Option<usize> {
        usize::try_from(self.0).ok()
    }
}

impl From<usize> for Bytes {
    fn from(len_bytes: usize) -> Self {
        // Rust runs on no machine whose usize is wider than 64 bits.
        Self(len_bytes as u64)
    }
}

impl Sectors {
    /// The same in bytes, or `None` where that is more than `u64::MAX`.
    #[must_use]
    pub const fn to_bytes(self) -> Option<Bytes> {
        match self.0.checked_mul(SECTOR_BYTES) {
            Some(bytes) => Some(Bytes(bytes)),
            None => None,
        }
    }
}

/// The length of one chunk: a whole number of sectors, at least one.
///
/// The kernel allows 64 KiB to 1 GiB in steps of 64 KiB for a thin pool
/// (`Documentation/admin-guide/device-mapper/thin-provisioning.rst`); image files may be cut finer, so this type does
/// not insist on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkSize(Bytes);

impl ChunkSize {
    /// The smallest there is: one sector.
    pub const SECTOR: Self = Self(Bytes(SECTOR_BYTES));

    /// From bytes; `None` for zero and for what is no whole number of sectors.
    #[must_use]
    pub const fn from_bytes(bytes: Bytes) -> Option<Self> {
        if bytes.0 > 0 && bytes.0.is_multiple_of(SECTOR_BYTES) { Some(Self(bytes)) } else { None }
    }

    /// From sectors; `None` for zero and above `u64::MAX` bytes.
    #[must_use]
    pub const fn from_sectors(sectors: Sectors) -> Option<Self> {
        match sectors.to_bytes() {
            Some(bytes) => Self::from_bytes(bytes),
            None => None,
        }
    }

    /// The length of one chunk in bytes.
    #[must_use]
    pub const fn bytes(self) -> Bytes {
        self.0
    }

    /// Where chunk number `chunk` starts, or `None` above `u64::MAX` bytes.
    #[must_use]
    pub const fn offset(self, chunk: Chunks) -> Option<Bytes> {
        match self.0.0.checked_mul(chunk.0) {
            Some(bytes) => Some(Bytes(bytes)),
            None => None,
        }
    }

    /// The bytes of a range of chunks, or `None` above `u64::MAX` bytes.
    #[must_use]
    pub fn extent(self, chunks: Extent<Chunks>) -> Option<Extent<Bytes>> {
        Extent::between(self.offset(chunks.start())?, self.offset(chunks.end())?)
    }

    /// The chunk that holds the byte at `at`.
    #[must_use]
    pub const fn containing(self, at: Bytes) -> Chunks {
        Chunks(at.0 / self.0.0)
    }

    /// How many chunks a volume of `size` has; a short last one counts.
    #[must_use]
    pub const fn count(self, size: Bytes) -> Chunks {
        Chunks(size.0.div_ceil(self.0.0))
    }

    /// All chunks of which `bytes` covers at least one byte.
    #[must_use]
    pub fn touched(self, bytes: Extent<Bytes>) -> Extent<Chunks> {
        Extent::spanning(Chunks(bytes.start().0 / self.0.0), Chunks((bytes.end().0 - 1) / self.0.0))
    }

    /// All chunks that `bytes` covers whole; `None` where there is none.
    #[must_use]
    pub fn inside(self, bytes: Extent<Bytes>) -> Option<Extent<Chunks>> {
        Extent::between(Chunks(bytes.start().0.div_ceil(self.0.0)), Chunks(bytes.end().0 / self.0.0))
    }

    /// Whether `at` lies on a chunk's border.
    #[must_use]
    pub const fn is_aligned(self, at: Bytes) -> bool {
        at.0.is_multiple_of(self.0.0)
    }
}

impl fmt::Debug for ChunkSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChunkSize({} bytes)", self.0)
    }
}

/// In bytes, without the unit's name.
impl fmt::Display for ChunkSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
