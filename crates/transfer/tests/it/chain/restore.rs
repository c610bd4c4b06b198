use block_copy::testing::ThinModel;
use block_copy::{Memory, Queue, Silent, WriteAt};
use extents::{Bytes, ChunkSize};
use hyperlayer::Format;
use proptest::prelude::*;
use testkit::{Pair, histories};
use transfer::{DetectLevel, Error, Identity, Restore, Verified, restore};

use super::merge::{applied, merge_inputs};
use super::{Chain, example, inputs};
use crate::Layer;

fn how(chunk: ChunkSize, fresh: bool) -> Restore {
    Restore { size: None, chunk, fresh, queue: Queue { piece: Bytes::new(4096), depth: 3, readers: 2 } }
}

fn run(streams: &[Vec<u8>], target: &dyn WriteAt, how: Restore) -> Result<Vec<Verified>, Error> {
    restore(inputs(streams).into_iter().rev(), target, how, &Silent)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// On a file, on a thin volume that is new, and on a target that is full of other things and larger.
    #[test]
    fn gives_the_newest_state(history in histories(1..6), chunk in prop::sample::select(vec![4096u64, 12288, 65536])) {
        let chain = Chain::full(&history);
        let newest = &chain.states[chain.states.len() - 1];

        let file = Memory::zeroed(newest.len());
        let verified = run(&chain.streams, &file, how(ChunkSize::SECTOR, true)).unwrap();
        prop_assert!(file.into_vec() == *newest, "on a file");
        prop_assert_eq!(verified.len(), chain.streams.len());
        prop_assert!(verified[1..].iter().all(|layer| layer.link.identity == Some(Identity::Proven)));
        prop_assert_eq!(verified[0].link.identity, None);

        let thin = ThinModel::new(newest.len(), crate::chunk(chunk));
        run(&chain.streams, &thin, how(crate::chunk(chunk), true)).unwrap();
        prop_assert!(thin.to_vec() == *newest, "on a thin volume");

        let used = Memory::new(testkit::stamped(77, 0, newest.len() + 3000));
        run(&chain.streams, &used, how(ChunkSize::SECTOR, false)).unwrap();
        let used = used.into_vec();
        prop_assert!(used[..newest.len()] == *newest, "on what was used");
        prop_assert!(used[newest.len()..] == testkit::stamped(77, 0, newest.len() + 3000)[newest.len()..], "past the end");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Also where some layers say no sizes at all, and the volume has one that was said beside them.
    #[test]
    fn of_layers_in_any_format(mut history in histories(2..6), silent in prop::collection::vec(any::<bool>(), 5)) {
        let size = history[history.len() - 1].size();
        let len = size.to_usize().unwrap();
        for (state, _) in history[1..].iter_mut().zip(&silent).filter(|(_, silent)| **silent) {
            state.resize(len);
        }
        let mut streams = vec![Chain::full(&history[..1]).streams.remove(0)];
        for (pair, silent) in history.windows(2).zip(&silent) {
            let layer = Layer::of(&Pair { old: pair[0].clone(), new: pair[1].clone() }, DetectLevel::None);
            let format = if *silent { Format::ThinSend1_1 } else { Format::V1_1 };
            streams.push(layer.in_format(format).stream());
        }
        let expected = history[history.len() - 1].content();

        let target = Memory::new(testkit::stamped(77, 0, expected.len()));
        run(&streams, &target, Restore { size: Some(size), ..how(ChunkSize::SECTOR, false) }).unwrap();
        prop_assert!(target.into_vec() == expected, "restored");

        let merged = merge_inputs(inputs(&streams), Some(size)).unwrap();
        prop_assert!(applied(&merged, &[]) == expected, "merged");
    }
}

/// A layer that says no size is refused where it does not fit into the one that was said.
#[test]
fn records_past_the_end() {
    let mut history = histories_of(2);
    let small = 8 * 1024;
    history[1].write(12 * 1024, &testkit::stamped(9, 24, 4096));
    let pair = Pair { old: history[0].clone(), new: history[1].clone() };
    let silent = Layer::of(&pair, DetectLevel::None).in_format(Format::ThinSend1_1).stream();
    let streams = [Chain::full(&history[..1]).streams.remove(0), silent];
    let how = Restore { size: Some(Bytes::new(small)), ..how(ChunkSize::SECTOR, true) };
    let error = run(&streams, &Memory::zeroed(16 * 1024), how).unwrap_err();
    let past = |error: &Error| matches!(error, Error::PastSize { size, .. } if size.get() == small);
    assert!(matches!(&error, Error::In { input, source } if input == "1.hl" && past(source)), "{error:?}");
}

/// What lay past the end of a volume that was small for a while is zeros and not an older layer's.
#[test]
fn what_shrank_and_grew_again() {
    let chain = Chain::full(&example());
    let target = Memory::zeroed(chain.states[3].len());
    run(&chain.streams, &target, how(ChunkSize::SECTOR, true)).unwrap();
    assert!(target.into_vec() == chain.states[3]);
}

/// Every block comes from the layer that has it last, and is written once.
#[test]
fn nothing_is_written_twice() {
    let mut now = testkit::ThinVolume::new(crate::chunk(4096), 64 * 1024);
    let mut history = Vec::new();
    for seed in 1..5 {
        now.write(0, &testkit::stamped(seed, 0, 64 * 1024));
        history.push(now.clone());
    }
    let chain = Chain::full(&history);
    let written = Counting::default();
    let target = Memory::zeroed(64 * 1024);
    restore(inputs(&chain.streams).into_iter().rev(), &target, how(ChunkSize::SECTOR, true), &written).unwrap();
    assert_eq!(written.0.into_inner(), 64 * 1024);
    assert!(target.into_vec() == chain.states[3]);
}

#[derive(Default)]
struct Counting(std::sync::atomic::AtomicU64);

impl block_copy::Progress for Counting {
    fn advance(&self, done: Bytes) {
        self.0.fetch_add(done.get(), std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn refused_without_a_root_or_with_two() {
    let chain = Chain::full(&histories_of(3));
    let target = Memory::zeroed(1 << 20);
    let how = how(ChunkSize::SECTOR, true);
    let error = run(&chain.streams[1..], &target, how).unwrap_err();
    assert!(matches!(&error, Error::NoRoot { input, .. } if input == "0.hl"), "{error}");
    assert!(error.to_string().contains("needs layer state:0 before it"), "{error}");

    let two = [chain.streams[0].clone(), chain.streams[0].clone()];
    let error = run(&two, &target, how).unwrap_err();
    assert!(matches!(error, Error::FullInChain { .. }), "{error}");

    let error = run(&[], &target, how).unwrap_err();
    assert!(matches!(error, Error::NoStream), "{error}");

    let error = run(&chain.streams, &Memory::zeroed(512), how).unwrap_err();
    assert!(matches!(error, Error::TargetTooSmall { .. }), "{error}");
}

fn histories_of(states: u32) -> Vec<testkit::ThinVolume> {
    let mut now = testkit::ThinVolume::new(crate::chunk(4096), 16 * 1024);
    let states = (0..states).map(|seed| {
        now.write(4096, &testkit::stamped(seed + 1, 8, 4096));
        now.clone()
    });
    states.collect()
}
