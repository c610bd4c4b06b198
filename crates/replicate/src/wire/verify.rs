//! The digest of what was read back, which both ends make of the same records.

use extents::{Bytes, Extent};
use hyperlayer::Digest;
use serde::{Deserialize, Serialize};

/// How much of what was written is read back from the destination before the layer counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Verify {
    /// Every data record.
    Full,
    /// The first data record, and about one of 16 after it: which ones, the sender's number decides.
    Sampled {
        /// Any number, another one each time.
        seed: u64,
    },
    /// Nothing.
    None,
}

impl Verify {
    /// Whether the data record with this number in its stream, from 0, is read back.
    #[must_use]
    pub fn picks(self, record: u64) -> bool {
        match self {
            Self::Full => true,
            Self::Sampled { seed } => record == 0 || mixed(seed, record).is_multiple_of(16),
            Self::None => false,
        }
    }
}

/// The first eight bytes, as a little-endian number, of the BLAKE3 of both numbers, each in eight bytes, little-endian.
fn mixed(seed: u64, record: u64) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(&record.to_le_bytes());
    hasher.finalize().as_bytes().iter().take(8).rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// The running digest of the data records that are read back: of each, in the stream's order, its offset and its length
/// on the volume in bytes (eight bytes each, little-endian), then its content.
///
/// ```
/// use extents::{Bytes, Extent};
/// use replicate::{ReadBack, Verify};
///
/// let at = Extent::new(Bytes::new(4096), Bytes::new(512)).expect("not empty");
/// let (mut sent, mut read) = (ReadBack::new(Verify::Full), ReadBack::new(Verify::Full));
/// assert!(sent.begin(at) && read.begin(at));
/// sent.update(&[7; 512]);
/// read.update(&[7; 500]);
/// read.update(&[7; 12]);
/// assert_eq!(sent.finish(), read.finish());
/// assert_eq!(ReadBack::new(Verify::None).finish(), None);
/// ```
#[derive(Clone, Debug)]
pub struct ReadBack {
    verify: Verify,
    records: u64,
    picked: bool,
    hasher: blake3::Hasher,
}

impl ReadBack {
    /// Of no record yet.
    #[must_use]
    pub fn new(verify: Verify) -> Self {
        Self { verify, records: 0, picked: false, hasher: blake3::Hasher::new() }
    }

    /// The next data record begins; whether it is one that is read back.
    #[must_use = "what is not picked need not be read"]
    pub fn begin(&mut self, record: Extent<Bytes>) -> bool {
        self.picked = self.verify.picks(self.records);
        self.records += 1;
        if self.picked {
            self.hasher.update(&record.start().get().to_le_bytes());
            self.hasher.update(&record.len().get().to_le_bytes());
        }
        self.picked
    }

    /// The next piece of the record's content; nothing of one that is not picked.
    pub fn update(&mut self, content: &[u8]) {
        if self.picked {
            self.hasher.update(content);
        }
    }

    /// The digest; `None` where nothing is read back.
    #[must_use]
    pub fn finish(&self) -> Option<Digest> {
        (self.verify != Verify::None).then(|| self.hasher.finalize().into())
    }
}
