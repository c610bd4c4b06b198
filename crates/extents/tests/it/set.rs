//! The set's algebra against a plain bitmap.

use extents::{Chunks, Extent, ExtentSet};
use proptest::prelude::*;

const WORLD: usize = 64;

fn extents() -> impl Strategy<Value = Vec<Extent<Chunks>>> {
    let one = (0..WORLD as u64, 1..9u64).prop_filter_map("ends past the bitmap", |(start, len)| {
        Extent::new(Chunks::new(start), Chunks::new(len)).filter(|e| e.end().get() <= WORLD as u64)
    });
    prop::collection::vec(one, 0..20)
}

fn bitmap(extents: &[Extent<Chunks>]) -> [bool; WORLD] {
    let mut bits = [false; WORLD];
    for extent in extents {
        bits[extent.start().get() as usize..extent.end().get() as usize].fill(true);
    }
    bits
}

#[track_caller]
fn check(set: &ExtentSet<Chunks>, expected: [bool; WORLD]) {
    assert_eq!(bitmap(set.ranges()), expected);
    assert!(set.ranges().windows(2).all(|w| w[0].end() < w[1].start()), "neither sorted nor coalesced: {set:?}");
    assert_eq!(set.total().get(), expected.iter().filter(|b| **b).count() as u64);
    for (at, expected) in expected.iter().enumerate() {
        assert_eq!(set.contains(Chunks::new(at as u64)), *expected, "at {at}");
    }
}

fn both(a: [bool; WORLD], b: [bool; WORLD], op: fn(bool, bool) -> bool) -> [bool; WORLD] {
    std::array::from_fn(|i| op(a[i], b[i]))
}

proptest! {
    #[test]
    fn behaves_like_a_bitmap(a in extents(), b in extents(), window in (0..WORLD as u64, 1..WORLD as u64)) {
        let (bits_a, bits_b) = (bitmap(&a), bitmap(&b));
        let (a, b): (ExtentSet<_>, ExtentSet<_>) = (a.into_iter().collect(), b.into_iter().collect());
        check(&a, bits_a);
        check(&a.union(&b), both(bits_a, bits_b, |a, b| a || b));
        check(&a.intersection(&b), both(bits_a, bits_b, |a, b| a && b));
        check(&a.difference(&b), both(bits_a, bits_b, |a, b| a && !b));
        let window = Extent::new(Chunks::new(window.0), Chunks::new(window.1)).unwrap();
        let inside = std::array::from_fn(|i| bits_a[i] && window.contains(Chunks::new(i as u64)));
        check(&a.clip(window), inside);
        let outside = std::array::from_fn(|i| !bits_a[i] && window.contains(Chunks::new(i as u64)));
        let world = Extent::whole(Chunks::new(WORLD as u64)).unwrap();
        check(&a.gaps(window).filter_map(|gap| gap.intersection(world)).collect(), outside);
    }

    #[test]
    fn pieces_are_the_whole(start in 0..1000u64, len in 1..1000u64, step in 0..70u64) {
        let whole = Extent::new(Chunks::new(start), Chunks::new(len)).unwrap();
        let pieces: Vec<_> = whole.pieces(Chunks::new(step)).collect();
        prop_assert_eq!(pieces[0].start(), whole.start());
        prop_assert_eq!(pieces[pieces.len() - 1].end(), whole.end());
        prop_assert!(pieces.windows(2).all(|w| w[0].end() == w[1].start()));
        if step > 0 {
            prop_assert!(pieces.iter().all(|p| p.len().get() <= step));
            prop_assert!(pieces.windows(2).all(|w| w[0].end().get().is_multiple_of(step)));
        }
    }
}

#[test]
fn the_last_range_that_fits_is_one() {
    let last = Extent::new(Chunks::new(u64::MAX - 1), Chunks::new(1)).unwrap();
    assert_eq!(last.pieces(Chunks::new(7)).collect::<Vec<_>>(), [last]);
    assert_eq!(Extent::new(Chunks::new(u64::MAX), Chunks::new(1)), None);
    assert_eq!(Extent::new(Chunks::new(1), Chunks::ZERO), None);
    assert_eq!(Extent::between(Chunks::new(2), Chunks::new(1)), None);
}
