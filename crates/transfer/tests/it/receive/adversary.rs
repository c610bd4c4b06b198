//! Streams that are altered, receives that are interrupted, and then the right stream: what is accepted is right, and the right
//! stream is accepted.

use proptest::prelude::*;
use testkit::{ThinVolume, Totals, adversary, histories};
use transfer::{ErrorKind, receive::ResumeToken};

use super::{Failure, Fate, History, Machine, UNHARMED};
use crate::chunk;

/// What happens to the bytes of a stream on their way. Numbers choose among the places that there are.
#[derive(Clone, Debug)]
enum Damage {
    /// One bit anywhere.
    Bit(usize, u8),
    /// One bit of the header, of the end, or of a record's line.
    LineBit(usize, usize, u8),
    Dropped(usize),
    Doubled(usize),
    Swapped(usize, usize),
    /// From a record on, another volume of the same geometry, from a record of that.
    Spliced(usize, usize),
    Cut(usize),
    /// A layer of another state of the volume under the same name, as it is.
    Other,
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        3 => (any::<usize>(), 0..8u8).prop_map(|(at, bit)| Damage::Bit(at, bit)),
        6 => (any::<usize>(), any::<usize>(), 0..8u8).prop_map(|(line, at, bit)| Damage::LineBit(line, at, bit)),
        1 => any::<usize>().prop_map(Damage::Dropped),
        1 => any::<usize>().prop_map(Damage::Doubled),
        1 => any::<(usize, usize)>().prop_map(|(a, b)| Damage::Swapped(a, b)),
        2 => any::<(usize, usize)>().prop_map(|(a, b)| Damage::Spliced(a, b)),
        3 => any::<usize>().prop_map(Damage::Cut),
        2 => Just(Damage::Other),
    ]
}

/// The parts of a stream of 1.1: the header, each record with its data, the end.
fn parts(stream: &[u8]) -> Vec<Vec<u8>> {
    let header = stream.windows(2).position(|two| two == b"\n\n").unwrap() + 2;
    let mut parts = vec![stream[..header].to_vec()];
    let mut rest = &stream[header..];
    while !rest.is_empty() {
        let mut len = line_len(rest);
        if rest[0] == b'W' {
            let length = std::str::from_utf8(&rest[..len]).unwrap().split(' ').nth(2).unwrap();
            len += usize::from_str_radix(length, 16).unwrap() * 512 + 1;
        }
        parts.push(rest[..len].to_vec());
        rest = &rest[len..];
    }
    parts
}

fn line_len(part: &[u8]) -> usize {
    part.iter().position(|byte| *byte == b'\n').unwrap() + 1
}

impl Damage {
    fn to(&self, stream: &mut Vec<u8>, other: &[u8]) {
        let flip = |part: &mut [u8], at: usize, bit: u8| {
            let len = part.len();
            part[at % len] ^= 1 << bit;
        };
        if let Self::Bit(at, bit) = *self {
            return flip(stream, at, bit);
        }
        if let Self::Cut(at) = *self {
            // A chain without its last layer is another chain.
            return stream.truncate(1 + at % (stream.len() - 1));
        }
        let (mut found, others) = (parts(stream), parts(other));
        let records = found.len() - 2;
        let nth = |number: usize| 1 + number % records.max(1);
        match *self {
            Self::LineBit(line, at, bit) => {
                let part = line % found.len();
                let len = if part == 0 { found[0].len() } else { line_len(&found[part]) };
                flip(&mut found[part][..len], at, bit);
            }
            Self::Other => found = others,
            _ if records == 0 => {}
            Self::Dropped(record) => drop(found.remove(nth(record))),
            Self::Doubled(record) => found.insert(nth(record), found[nth(record)].clone()),
            Self::Swapped(a, b) => found.swap(nth(a), nth(b)),
            Self::Spliced(from, to) => {
                found.truncate(nth(from));
                found.extend_from_slice(&others[(1 + to % (others.len() - 1))..]);
            }
            Self::Bit(..) | Self::Cut(_) => {}
        }
        *stream = found.concat();
    }
}

/// One run.
#[derive(Clone, Debug)]
struct Attempt {
    damage: Option<Damage>,
    fate: Fate,
    /// Whether only the rest is sent where the receiver gives a token.
    is_rest: bool,
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
    (fails, failure, stop, input, due, reach).prop_map(|(at, failure, stop, input, due, reach)| Fate {
        fails: (at, failure),
        stop,
        input,
        due,
        reach,
        ..UNHARMED
    })
}

fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
    let attempt = (prop::option::weighted(0.7, damage()), fates(), any::<bool>());
    prop::collection::vec(attempt.prop_map(|(damage, fate, is_rest)| Attempt { damage, fate, is_rest }), 0..5)
}

/// Another volume of the same sizes whose older states are the same.
fn another(states: &[ThinVolume], seed: u32, discarded: usize) -> Vec<ThinVolume> {
    let mut others = states.to_vec();
    let last = others.last_mut().unwrap();
    let len = last.size().to_usize().unwrap();
    last.write(len / 3 / 512 * 512, &testkit::stamped(seed, 7, len / 2));
    last.discard(discarded * 512 % len, len / 4);
    others
}

#[derive(Clone, Debug)]
struct Case {
    states: Vec<ThinVolume>,
    seed: u32,
    discarded: usize,
    full: bool,
    file: bool,
    by: u64,
    attempts: Vec<Attempt>,
    is_rest: bool,
    survives: Vec<bool>,
}

fn cases() -> impl Strategy<Value = Case> {
    let place = (any::<(bool, bool)>(), prop::sample::select(vec![4096, 12288, 65536]));
    let other = (1000..2000_u32, 0..100_usize);
    let end = (any::<bool>(), prop::collection::vec(any::<bool>(), 1..7));
    (histories(2..4), other, place, attempts(), end).prop_map(
        |(states, (seed, discarded), ((full, file), by), attempts, (is_rest, survives))| Case {
            states,
            seed,
            discarded,
            full,
            file,
            by,
            attempts,
            is_rest,
            survives,
        },
    )
}

/// The streams that a sender gives: all of them, or only what the receiver waits for.
fn sent(history: &History, machine: &Machine, is_rest: bool) -> Vec<Vec<u8>> {
    let partial = machine.partial();
    let mut streams = history.streams();
    if !is_rest || partial.is_empty() || partial.layers == streams.len() as u64 {
        return streams;
    }
    let layers = usize::try_from(partial.layers).unwrap();
    let mut rest = streams.split_off(layers);
    if let (Some(token), Some(layer)) = (partial.token(), history.layers.get(layers)) {
        let token: ResumeToken = token.to_string().parse().unwrap();
        // One that does not fit is refused by the sender, which then sends all of the layer.
        if let Ok((header, plan)) = token.rest(layer.header.clone(), &layer.plan) {
            rest[0] = crate::Layer { header, plan, ..layer.clone() }.stream();
        }
    }
    rest
}

fn history(states: &[ThinVolume], full: bool) -> History {
    if full { History::full(states) } else { History::on_base(states) }
}

fn run(case: &Case, totals: &mut Totals) -> Result<(), TestCaseError> {
    let right = history(&case.states, case.full);
    let other = history(&another(&case.states, case.seed, case.discarded), case.full);
    let mut machine = Machine::new(&right, chunk(case.by), case.file);
    let mut survives = case.survives.iter().copied().cycle();
    let mut has_changed = false;
    for Attempt { damage, fate, is_rest } in &case.attempts {
        let mut is_other = matches!(damage, Some(Damage::Other));
        // Who sends a rest must know that its volume did not change.
        has_changed |= is_other;
        let mut streams = sent(&right, &machine, *is_rest && !has_changed);
        if let (Some(damage), false) = (damage, streams.is_empty()) {
            // Of the last layer; those before it are the same in both.
            let others = sent(&other, &machine, *is_rest && !has_changed);
            let number = streams.len() - 1;
            let whole = right.layers[right.layers.len() - 1].stream();
            let is_rest = streams[number] != whole;
            damage.to(&mut streams[number], &others[number]);
            // A splice may come to all of the other one.
            is_other = streams[number] == others[number] && others[number] != whole;
            has_changed |= is_other;
            if is_other && is_rest {
                continue;
            }
        }
        let (mut fate, mut border) = (*fate, 0);
        for stream in &streams {
            border += stream.len();
            // For the same reason.
            fate.input = if fate.input == border { border - 1 } else { fate.input };
        }
        let ended = machine.run(&streams, fate, &mut || survives.next().unwrap());
        totals.count(match &ended {
            Ok(()) => "accepted".to_owned(),
            Err(error) => {
                format!("{:?}, {} kept", error.kind(), if machine.partial().is_empty() { "nothing" } else { "some" })
            }
        });
        if let Err(error) = &ended {
            let is_about_data = fate.fails.0 == u64::MAX && fate.stop == u64::MAX;
            prop_assert!(!is_about_data || matches!(error.kind(), ErrorKind::Refused | ErrorKind::Failed), "{error:?}");
        }
        let is_in = machine.partial().layers == right.layers.len() as u64;
        if machine.partial().complete || is_other && is_in {
            let last = if is_other { other.last() } else { right.last() };
            prop_assert!(machine.result() == last, "accepted, and wrong");
            return Ok(());
        }
    }
    let streams = sent(&right, &machine, case.is_rest && !has_changed);
    let ended = machine.run(&streams, UNHARMED, &mut || true);
    prop_assert!(ended.is_ok(), "the right stream is refused: {ended:?} {:?}", machine.partial());
    prop_assert!(machine.result() == right.last(), "the right stream is accepted, and the result is wrong");
    totals.count("right at last");
    Ok(())
}

#[test]
fn altered_interrupted_resumed() {
    let totals = std::cell::RefCell::new(Totals::default());
    let mut runner = adversary(600);
    let found = runner.run(&cases(), |case| run(&case, &mut totals.borrow_mut()));
    println!("altered, interrupted, resumed:\n{}", totals.borrow());
    if let Err(found) = found {
        panic!("{found}");
    }
    for outcome in ["accepted", "right at last", "Refused, some kept", "Refused, nothing kept", "Failed, some kept"] {
        assert!(totals.borrow().of(outcome) > 0, "no case was {outcome}");
    }
}
