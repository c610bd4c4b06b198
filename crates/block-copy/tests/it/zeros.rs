use block_copy::{AlignedBuf, BufferPool, is_zero};
use proptest::prelude::*;

/// A single byte anywhere, at any alignment, the last one above all.
#[test]
fn one_byte_is_not_zero_wherever_it_lies() {
    for len in [0, 1, 7, 255, 256, 257, 511, 512, 513, 4096] {
        let mut bytes = vec![0; len + 8];
        for from in 0..8 {
            assert!(is_zero(&bytes[from..from + len]));
            for place in from..from + len {
                bytes[place] = 0x80;
                assert!(!is_zero(&bytes[from..from + len]), "byte {place} of {from}..{}", from + len);
                bytes[place] = 0;
            }
        }
    }
}

proptest! {
    #[test]
    fn agrees_with_the_definition(bytes in prop::collection::vec(prop_oneof![99 => Just(0u8), 1 => any::<u8>()], 0..2000)) {
        prop_assert_eq!(is_zero(&bytes), bytes.iter().all(|b| *b == 0));
    }
}

#[test]
fn buffers_are_aligned_and_come_back() {
    for capacity in [1, 4095, 4096, 1 << 20] {
        let buf = AlignedBuf::zeroed(capacity);
        assert_eq!((buf.capacity(), buf.len()), (capacity, capacity));
        assert!(buf.as_ptr().addr().is_multiple_of(AlignedBuf::ALIGN) && is_zero(&buf));
    }
    let pool = BufferPool::new(8192, 1);
    let mut first = pool.take();
    first.set_len(8192);
    let address = first.as_ptr();
    drop(first);
    let again = pool.take();
    assert!(again.is_empty());
    assert_eq!(again.as_ptr(), address);
}
