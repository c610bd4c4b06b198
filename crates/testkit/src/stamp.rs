//! Content that proves its place.

/// The length of one stamped block, in bytes: a sector.
pub const BLOCK_BYTES: usize = 512;

/// `len_bytes` of content in which every block tells `seed` and its own number, so that a block which is missing, stale
/// or in another's place is a difference. No block is zero, and no two with different seeds or numbers are alike.
#[must_use]
pub fn stamped(seed: u32, first_block: u64, len_bytes: usize) -> Vec<u8> {
    let mut content = Vec::with_capacity(len_bytes.next_multiple_of(BLOCK_BYTES));
    for block in (first_block..).take(len_bytes.div_ceil(BLOCK_BYTES)) {
        // The seed lies above all block numbers that a test has; one bit is always set.
        let word = ((u64::from(seed) << 31) ^ block | 1 << 63).to_le_bytes();
        content.extend_from_slice(&word.repeat(BLOCK_BYTES / word.len()));
    }
    content.truncate(len_bytes);
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_another_one() {
        let mut blocks: Vec<_> = (0..50)
            .map(|seed| stamped(seed, 0, 50 * BLOCK_BYTES))
            .collect::<Vec<_>>()
            .concat()
            .chunks(BLOCK_BYTES)
            .map(<[u8]>::to_vec)
            .collect();
        blocks.sort();
        blocks.dedup();
        assert_eq!(blocks.len(), 50 * 50);
        assert!(blocks.iter().all(|block| block.iter().any(|byte| *byte != 0)));
    }

    #[test]
    fn a_part_is_as_in_the_whole() {
        let whole = stamped(7, 0, 10 * BLOCK_BYTES + 3);
        assert_eq!(stamped(7, 4, 6 * BLOCK_BYTES + 3), whole[4 * BLOCK_BYTES..]);
    }
}
