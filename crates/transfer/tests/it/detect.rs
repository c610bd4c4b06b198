//! How much of the base each level lets its receiver check.

use extents::{Bytes, ChunkSize, Extent, ExtentSet};
use proptest::prelude::*;
use testkit::pairs;
use transfer::{Delta, DetectLevel, Error, ErrorKind, Geometry, checks};

use crate::{LEVELS, Layer, apply_in_memory, chunk, example, geometry};

/// As the help documents level 2, and the crate: 64 samples of what is touched and of what is relied on, and the head,
/// each of at most 64 KiB.
const SAMPLES_MAX: usize = 2 * 64 + 1;
const SAMPLE_BYTES_MAX: u64 = 64 * 1024;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever byte of the base is changed: the result may depend on it.
    #[test]
    fn level_3_finds_any_changed_byte(pair in pairs(), at: prop::sample::Index, flip in 1..=255u8) {
        let layer = Layer::of(&pair, DetectLevel::Every);
        let mut base = layer.base.clone().unwrap();
        let shared = base.len().min(layer.new.len());
        base[at.index(shared)] ^= flip;
        let error = apply_in_memory(&layer.stream(), &layer, &base).unwrap_err();
        prop_assert!(matches!(error, Error::BaseChanged { .. }), "{error:?}");
        prop_assert_eq!(error.kind(), ErrorKind::Refused);
    }

    /// What a change in the base spoils, a check covers; and no check lies where the result has nothing.
    #[test]
    fn every_level_checks_inside_both_volumes(pair in pairs()) {
        let shared = geometry(&pair).size.min(geometry(&pair).base_size);
        for level in LEVELS {
            let checks = Layer::of(&pair, level).plan.checks;
            prop_assert!(checks.iter().all(|check| check.end() <= shared));
            prop_assert!(checks.is_sorted_by(|a, b| a.end() <= b.start()));
        }
    }

    #[test]
    fn a_higher_level_checks_all_that_a_lower_one_does(pair in pairs()) {
        let of = |level| Layer::of(&pair, level).plan.checks.into_iter().collect::<ExtentSet<_>>();
        let sets = LEVELS.map(of);
        for pair in sets.windows(2) {
            prop_assert!(pair[0].difference(&pair[1]).is_empty(), "{:?} in {:?}", pair[0], pair[1]);
        }
    }
}

fn extent(start: u64, len: u64) -> Extent<Bytes> {
    Extent::new(Bytes::new(start), Bytes::new(len)).unwrap()
}

/// A large volume with scattered changes.
fn large(chunk: ChunkSize) -> (Delta, Geometry) {
    let size = Bytes::new(1 << 40);
    let one = |n: u64| extent(n * 7 * chunk.bytes().get(), chunk.bytes().get());
    let places = || (1..).take_while(move |n| one(*n).end() < size).take(5000);
    let delta = Delta {
        data: places().filter(|n| n % 3 == 0).map(one).collect(),
        zero: places().filter(|n| n % 3 == 1).map(one).collect(),
        same: places().filter(|n| n % 3 == 2).map(one).collect(),
    };
    (delta, Geometry { size, base_size: size, chunk })
}

#[test]
fn level_0_and_1() {
    let (delta, geometry) = large(chunk(64 * 1024));
    assert_eq!(checks(DetectLevel::None, &delta, geometry, "seed"), []);
    let head = extent(7 * 64 * 1024, 64 * 1024);
    assert_eq!(checks(DetectLevel::Head, &delta, geometry, "seed"), [head]);
}

#[test]
fn level_2_takes_the_same_samples_of_the_same_volumes() {
    let (delta, geometry) = large(chunk(64 * 1024));
    let samples = |seed| checks(DetectLevel::Sampled, &delta, geometry, seed);
    assert_eq!(samples("one"), samples("one"));
    assert_ne!(samples("one"), samples("two"), "who knows one stream's samples knows no other's");
}

#[test]
fn level_2_has_the_head_and_samples_of_both_and_no_more_than_documented() {
    for chunk_bytes in [64 * 1024, 1 << 20, 1 << 30] {
        let (delta, geometry) = large(chunk(chunk_bytes));
        let sampled = checks(DetectLevel::Sampled, &delta, geometry, "seed");
        let head = checks(DetectLevel::Head, &delta, geometry, "seed");
        let set: ExtentSet<_> = sampled.iter().copied().collect();
        assert!(ExtentSet::from_iter(head).difference(&set).is_empty(), "the head is in it");
        assert!(sampled.len() <= SAMPLES_MAX);
        assert!(set.total().get() <= SAMPLES_MAX as u64 * SAMPLE_BYTES_MAX);
        let hits = |part: &ExtentSet<Bytes>| part.intersection(&set).ranges().len();
        assert!(hits(&delta.data) > 10 && hits(&delta.zero) > 10 && hits(&delta.same) > 40, "spread over all");
    }
}

/// Where there is little, all of it is sampled.
#[test]
fn level_2_of_a_small_delta_misses_nothing_of_it() {
    let chunk = chunk(64 * 1024);
    let delta = Delta { data: ExtentSet::from_iter([extent(0, 10 << 16)]), ..Delta::default() };
    let geometry = Geometry { size: Bytes::new(1 << 30), base_size: Bytes::new(1 << 30), chunk };
    let sampled: ExtentSet<_> = checks(DetectLevel::Sampled, &delta, geometry, "seed").into_iter().collect();
    assert_eq!(sampled, delta.data);
}

/// A base that was changed where nothing is checked is applied on: that is what the levels are for.
#[test]
fn level_0_trusts() {
    let layer = example();
    let trusting = Layer { plan: transfer::Plan { checks: Vec::new(), ..layer.plan.clone() }, ..layer.clone() };
    let header = hyperlayer::Header { totals: Some(trusting.plan.totals()), ..trusting.header.clone() };
    let trusting = Layer { header, ..trusting };
    let mut base = layer.base.clone().unwrap();
    base[0] ^= 1;
    assert!(apply_in_memory(&trusting.stream(), &trusting, &base).unwrap() != layer.new);
}

#[test]
fn levels_are_read_as_numbers() {
    for (level, text) in LEVELS.into_iter().zip(["0", "1", "2", "3"]) {
        assert_eq!((text.parse(), level.number().to_string().as_str()), (Ok(level), text));
    }
    for wrong in ["", "4", "-1", "03", "three"] {
        assert!(wrong.parse::<DetectLevel>().is_err(), "{wrong:?}");
    }
    assert_eq!(DetectLevel::default(), DetectLevel::Sampled);
}
