//! What happens to one attempt: to the streams on their way, and to the receiver.

use block_copy::testing::Failure;
use proptest::prelude::*;
use testkit::{Damage, damage};

use super::super::{Fate, UNHARMED};

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) damage: Option<Damage>,
    pub(super) fate: Fate,
    /// Whether only the rest is sent where the receiver gives a token.
    pub(super) is_rest: bool,
}

fn fates() -> impl Strategy<Value = Fate> {
    let failure = prop_oneof![
        4 => Just(Failure::Kill),
        1 => Just(Failure::Once(5)),
        1 => Just(Failure::Once(28)),
        1 => Just(Failure::From(28)),
    ];
    let fails = prop_oneof![2 => Just(u64::MAX), 3 => 0..60_u64];
    let stop = prop_oneof![6 => Just(u64::MAX), 1 => 0..100_u64];
    let input = prop_oneof![4 => Just(usize::MAX), 1 => 0..60_000_usize];
    let due = prop::sample::select(vec![1, 3000, 20_000, u64::MAX]);
    let reach = prop::sample::select(vec![0, 10_000, 1 << 32]);
    let fates = (fails, failure, any::<bool>(), stop, input, due, reach);
    fates.prop_map(|(at, failure, is_kept, stop, input, due, reach)| Fate {
        fails: (at, failure),
        is_kept,
        stop,
        input,
        due,
        reach,
        ..UNHARMED
    })
}

pub(super) fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    let attempt = (prop::option::weighted(0.7, damage()), fates(), any::<bool>());
    prop::collection::vec(attempt.prop_map(|(damage, fate, is_rest)| Attempt { damage, fate, is_rest }), 0..5)
}
