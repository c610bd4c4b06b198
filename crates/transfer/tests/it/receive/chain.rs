use hyperlayer::Header;
use proptest::prelude::*;
use testkit::histories;
use transfer::ErrorKind;
use transfer::receive::ResumeToken;

use super::{Fate, History, Machine, UNHARMED, example};
use crate::{Layer, chunk};

fn fates() -> impl Strategy<Value = Fate> {
    let input = prop_oneof![4 => Just(usize::MAX), 3 => 0..60_000_usize];
    let writes = prop_oneof![5 => 0..40_u64, 1 => Just(u64::MAX)];
    let (due, reach) = (prop::sample::select(vec![1, 3000, 20_000]), prop::sample::select(vec![0, 10_000, 1 << 32]));
    (writes, input, due, reach).prop_map(|(writes, input, due, reach)| Fate { writes, input, due, reach, ..UNHARMED })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// However often it is interrupted, and wherever: after any write, at any byte of the input, with any part of what
    /// was not durable lost. The whole input is handed over each time.
    #[test]
    fn interrupted_anywhere(
        states in histories(2..5),
        (full, file) in any::<(bool, bool)>(),
        by in prop::sample::select(vec![4096, 12288, 65536]),
        fates in prop::collection::vec(fates(), 0..6),
        survives in prop::collection::vec(any::<bool>(), 1..7),
    ) {
        let history = if full { History::full(&states) } else { History::on_base(&states) };
        let (streams, mut machine) = (history.streams(), Machine::new(&history, chunk(by), file));
        let mut survives = survives.into_iter().cycle();
        for fate in fates {
            if machine.partial().complete {
                break;
            }
            // A receiver that is told of it begins anew where nothing is in.
            let _ = machine.run(&streams, fate, &mut || survives.next().unwrap());
        }
        if !machine.partial().complete {
            machine.run(&streams, UNHARMED, &mut || true).unwrap();
        }
        prop_assert!(machine.result() == history.last());
    }

    /// The same, but after each interruption only what is not in yet is sent.
    #[test]
    fn only_the_rest_is_sent(
        states in histories(2..4),
        (full, file) in any::<(bool, bool)>(),
        by in prop::sample::select(vec![4096, 65536]),
        fates in prop::collection::vec(fates(), 1..6),
        survives in prop::collection::vec(any::<bool>(), 1..7),
    ) {
        let history = if full { History::full(&states) } else { History::on_base(&states) };
        let mut machine = Machine::new(&history, chunk(by), file);
        let mut survives = survives.into_iter().cycle();
        for fate in fates.into_iter().chain([UNHARMED]) {
            let partial = machine.partial();
            if partial.complete {
                break;
            }
            let mut streams = history.streams().split_off(usize::try_from(partial.layers).unwrap());
            if let Some(token) = partial.token() {
                let layer = &history.layers[usize::try_from(partial.layers).unwrap()];
                let token: ResumeToken = token.to_string().parse().unwrap();
                streams[0] = rest(layer, &token).stream();
            }
            let ended = machine.run(&streams, fate, &mut || survives.next().unwrap());
            prop_assert!(ended.is_ok() || fate.writes < u64::MAX || fate.input < usize::MAX, "{ended:?}");
        }
        prop_assert!(machine.result() == history.last());
    }
}

/// What a sender makes of a token.
pub(super) fn rest(layer: &Layer, token: &ResumeToken) -> Layer {
    let resumes = token.resumes(&layer.header, layer.plan.outline_until(token.at)).unwrap();
    let plan = layer.plan.from_offset(token.at);
    let header = Header { resumes: Some(resumes), totals: Some(plan.totals()), ..layer.header.clone() };
    Layer { header, plan, ..layer.clone() }
}

/// After an interruption, no more is written than what was not durable.
#[test]
fn what_is_in_is_not_written_again() {
    let history = History::full(&example());
    let mut machine = Machine::new(&history, chunk(4096), false);
    let streams = history.streams();
    let cut = Fate { input: streams[0].len() - 5000, due: 1, ..UNHARMED };
    let error = machine.run(&streams, cut, &mut || false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    let partial = machine.partial();
    let at = partial.begun.as_ref().unwrap().mark.at.get();
    assert!((40_000..64_000).contains(&at), "{at}");
    // Pieces of 4096 bytes: far fewer than for all of it.
    machine.run(&streams[..1], Fate { writes: 8, ..UNHARMED }, &mut || true).unwrap();
    assert!(machine.result() == history.layers[0].new);
}

/// Without marks, layers that are in are still in.
#[test]
fn whole_layers_are_kept() {
    let history = History::full(&example());
    for file in [false, true] {
        let mut machine = Machine::new(&history, chunk(4096), file);
        let streams = history.streams();
        let cut = Fate { input: streams[0].len() + streams[1].len() + 700, due: u64::MAX, ..UNHARMED };
        machine.run(&streams, cut, &mut || false).unwrap_err();
        assert_eq!(machine.partial().layers, 2, "{:?}", machine.partial());
        // The input may begin with what is not in yet.
        machine.run(&streams[2..], UNHARMED, &mut || true).unwrap();
        assert!(machine.result() == history.last());
    }
}
