//! What differs between two images that nobody has a map of: both are read and compared.

use block_copy::{Progress, Queue, ReadAt, Volume, is_zero, read_pieces};
use extents::{Bytes, ChunkSize, Extent, ExtentSet};

use crate::{Delta, Error};

/// What a scan found.
#[derive(Clone, Debug)]
pub struct Scan {
    /// What differs, to the chunk.
    pub delta: Delta,
    /// The content of the new image: the BLAKE3 of all its bytes.
    pub content: blake3::Hash,
    /// The content of the base, likewise; `None` without one.
    pub base_content: Option<blake3::Hash>,
}

/// Reads both images whole and compares them chunk by chunk. Without a base every chunk that is not zero is data.
///
/// # Errors
/// A read fails, an image was written to since it was opened, or `progress` asks to stop.
pub fn scan(
    new: &dyn ReadAt,
    base: Option<&dyn ReadAt>,
    chunk: ChunkSize,
    queue: Queue,
    progress: &dyn Progress,
) -> Result<Scan, Error> {
    let (mut data, mut zero, mut same) = (ExtentSet::new(), ExtentSet::new(), ExtentSet::new());
    let (mut content, mut base_content) = (blake3::Hasher::new(), blake3::Hasher::new());
    let base_size = base.map_or(Bytes::ZERO, ReadAt::size);
    let mut old = Vec::new();
    read_pieces(new, Extent::whole(new.size()), queue, progress, |piece| {
        content.update(&piece.buf);
        old.clear();
        if let Some(base) = base
            && let Some(shared) = Extent::whole(base_size).and_then(|b| b.intersection(piece.extent))
        {
            old.resize(shared.len().to_usize().unwrap_or(0), 0);
            base.read_at(shared.start(), &mut old)?;
            base_content.update(&old);
        }
        for part in piece.extent.pieces(chunk.bytes()) {
            let now = within(&piece.buf, piece.extent, part);
            let before = within(&old, piece.extent, part);
            // Past the base's end its bytes count as zeros: what a receiver finds there after growing it.
            let equal = now.len() == before.len() && now == before;
            match (equal, is_zero(now)) {
                (true, true) => {}
                (true, false) => same.insert(part),
                (false, false) => data.insert(part),
                (false, true) if is_zero(before) => {}
                (false, true) => zero.insert(part),
            }
        }
        Ok::<_, Error>(())
    })?;
    if let (Some(base), Some(cut)) = (base, Extent::between(new.size(), base_size)) {
        read_pieces(base, Some(cut), queue, progress, |piece| {
            base_content.update(&piece.buf);
            Ok::<_, Error>(())
        })?;
    }
    base.map_or(Ok(()), ReadAt::check_unchanged)?;
    new.check_unchanged()?;
    Ok(Scan {
        delta: Delta { data, zero, same }.within_base(base_size),
        content: content.finalize(),
        base_content: base.map(|_| base_content.finalize()),
    })
}

/// How many chunks that are said to be the same are compared at most.
const SAMPLES: usize = 256;

/// Compares a delta from elsewhere with its images. All that it says reads as zeros must do so, in the new image and, where it
/// does not say that the base holds data, in the base too; holes are not read. Of what it says is the same, up to 256 chunks are compared, evenly
/// spread.
///
/// # Errors
/// [`Error::OddDelta`] where the delta is of other images, or of these in the other order; or a read fails, or `progress`
/// asks to stop.
pub fn check(
    delta: &Delta,
    (new, base): (&Volume, &Volume),
    chunk: ChunkSize,
    queue: Queue,
    progress: &dyn Progress,
) -> Result<(), Error> {
    let has_data = delta.data.union(&delta.same);
    let blank = |image: &Volume, holds: &ExtentSet<Bytes>, which: &str| {
        let gaps = image.data_extents()?.difference(holds);
        read_pieces(image, gaps.iter(), queue, progress, |piece| match is_zero(&piece.buf) {
            true => Ok(()),
            false => Err(Error::OddDelta(format!("it has no data in bytes {} of {which}, which has", piece.extent))),
        })
    };
    blank(new, &has_data, "the new image")?;
    let of_base = Extent::whole(new.size()).map_or_else(ExtentSet::new, |new| has_data.union(&delta.zero).clip(new));
    // Past the new image's end the base may hold anything.
    let cut = Extent::between(new.size(), base.size());
    blank(base, &cut.map_or(of_base.clone(), |cut| of_base.union(&ExtentSet::from_iter([cut]))), "the base")?;

    // Not collected: a document of a few lines may name millions of chunks.
    let chunks = || delta.same.iter().flat_map(|same| same.pieces(chunk.bytes()));
    let step = chunks().count().div_ceil(SAMPLES).max(1);
    let (mut now, mut before) = (Vec::new(), Vec::new());
    for sample in chunks().skip(step / 2).step_by(step) {
        let len = sample.len().to_usize().unwrap_or(0);
        now.resize(len, 0);
        before.resize(len, 0);
        new.read_at(sample.start(), &mut now)?;
        base.read_at(sample.start(), &mut before)?;
        if now != before {
            return Err(Error::OddDelta(format!("bytes {sample} are not the same in both images")));
        }
    }
    Ok(())
}

/// The bytes of `part` in a buffer that starts where `whole` does; less where the buffer ends before.
fn within(buffer: &[u8], whole: Extent<Bytes>, part: Extent<Bytes>) -> &[u8] {
    let index = |at: Bytes| at.saturating_sub(whole.start()).to_usize().unwrap_or(buffer.len()).min(buffer.len());
    &buffer[index(part.start())..index(part.end())]
}

/// The BLAKE3 of the first `size` bytes of an image.
///
/// # Errors
/// As [`scan`].
pub fn content(image: &dyn ReadAt, size: Bytes, queue: Queue, progress: &dyn Progress) -> Result<blake3::Hash, Error> {
    let mut hasher = blake3::Hasher::new();
    read_pieces(image, Extent::whole(size), queue, progress, |piece| {
        hasher.update(&piece.buf);
        Ok::<_, Error>(())
    })?;
    image.check_unchanged()?;
    Ok(hasher.finalize())
}
