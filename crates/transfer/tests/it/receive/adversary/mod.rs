//! Streams that are altered, receives that are interrupted, and then the right stream: what is accepted is right, and the right
//! stream is accepted.

mod attempts;
mod image;
mod receivers;
mod streams;

use std::cell::RefCell;

use proptest::prelude::*;
use testkit::{Damage, ThinVolume, Totals, adversary, histories};
use transfer::receive::Partial;
use transfer::{Error, ErrorKind};

use super::{Machine, UNHARMED};
use crate::chunk;
use attempts::{Attempt, attempts};
use image::{Image, PatchImage};
use receivers::{Patch, Receives, Restoring};
use streams::{Form, Sending};

/// Another volume of the same sizes, of which one state after the base is another.
fn another(states: &[ThinVolume], full: bool, seed: u32, discarded: usize) -> Vec<ThinVolume> {
    let mut others = states.to_vec();
    let first = usize::from(!full);
    // The last one more often than another.
    let other = (first + seed as usize % (2 * (states.len() - first))).min(states.len() - 1);
    let other = &mut others[other];
    let len = other.size().to_usize().unwrap();
    other.write(len / 3 / 512 * 512, &testkit::stamped(seed, 7, len / 2));
    other.discard(discarded * 512 % len, len / 4);
    others
}

/// What the streams are sent to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum To {
    /// `lvbackup recv` to a volume, and `lvbackup sync`'s destination.
    Volume,
    /// `lvbackup recv` where all layers go into one target that cannot be had anew.
    OneTarget,
    /// `lvbackup recv --to-file`.
    Image,
    /// `lvpatch` to a volume.
    Patch,
    /// `lvpatch --output`.
    PatchImage,
    /// `lvbackup restore`.
    Restore,
}

#[derive(Clone, Debug)]
struct Case {
    states: Vec<ThinVolume>,
    form: Form,
    seed: u32,
    discarded: usize,
    full: bool,
    to: To,
    by: u64,
    attempts: Vec<Attempt>,
    is_rest: bool,
    survives: Vec<bool>,
}

fn cases(to: &'static [To]) -> impl Strategy<Value = Case> {
    let how = (any::<bool>(), prop::sample::select(to), Form::any(), prop::sample::select(vec![4096, 12288, 65536]));
    let other = (1000..2000_u32, 0..100_usize);
    let end = (any::<bool>(), prop::collection::vec(any::<bool>(), 1..7));
    (histories(2..4), other, how, attempts(), end).prop_map(
        |(mut states, (seed, discarded), (full, to, form, by), attempts, (is_rest, survives))| {
            let is_one = matches!(to, To::Patch | To::PatchImage);
            let full = full && (!is_one || form.has_full()) || to == To::Restore;
            if is_one {
                states.truncate(if full { 1 } else { 2 });
            }
            Case { states, form, seed, discarded, full, to, by, attempts, is_rest, survives }
        },
    )
}

/// What the other stream has left in the receiver.
#[derive(Default)]
struct Foreign {
    /// Of each layer that is in, whether the other stream completed it.
    layers: Vec<bool>,
    /// Whether the other stream moved the mark of the layer that is begun.
    is_begun: bool,
}

impl Foreign {
    fn attempt(&mut self, before: &Partial, after: &Partial, is_other: bool) {
        self.layers.resize(usize::try_from(after.layers).unwrap(), is_other);
        if after.begun != before.begun {
            self.is_begun = is_other && after.begun.is_some();
        }
    }

    /// Whether a layer is in that is another one in the right chain.
    fn is_in(&self, right: &Sending, other: &Sending) -> bool {
        let differs = right.streams().into_iter().zip(other.streams()).map(|(right, other)| right != other);
        self.layers.iter().zip(differs).any(|(is_other, differs)| *is_other && differs)
    }
}

fn run(case: &Case, totals: &mut Totals) -> Result<(), TestCaseError> {
    let right = Sending::new(&case.states, case.full, case.form);
    let other = Sending::new(&another(&case.states, case.full, case.seed, case.discarded), case.full, case.form);
    if [&right, &other].iter().any(|sending| sending.streams().iter().any(Vec::is_empty)) {
        // thin-send 1.0 says nothing where nothing differs, and that is refused.
        return Ok(());
    }
    let (history, reading, by) = (&right.history, right.reading(), chunk(case.by));
    let machine = |file| Machine { reading, ..Machine::new(history, by, file) };
    let mut receiver: Box<dyn Receives> = match case.to {
        To::Volume => Box::new(machine(false)),
        To::OneTarget => Box::new(machine(true)),
        To::Image => Box::new(Image::new(history, reading)),
        To::Patch => Box::new(Patch::new(history, by, reading)),
        To::PatchImage => Box::new(PatchImage::new(history, reading)),
        To::Restore => Box::new(Restoring::new(reading)),
    };
    let mut survives = case.survives.iter().copied().cycle();
    let mut has_changed = false;
    let mut foreign = Foreign::default();
    for Attempt { damage, fate, is_rest } in &case.attempts {
        let mut is_other = matches!(damage, Some(Damage::Other));
        let was_in = receiver.partial().layers == right.len();
        let mut streams = right.to(&*receiver, *is_rest && !has_changed && !is_other);
        // Who sends a rest must know that its volume did not change.
        let mut sender = &right;
        if let (Some(damage), false) = (damage, streams.is_empty()) {
            let others = other.to(&*receiver, *is_rest && !has_changed && !is_other);
            let (number, rights) = (streams.len() - 1, streams.clone());
            let is_rest = streams[number] != *right.streams().last().unwrap();
            if is_other {
                streams.clone_from(&others);
            } else {
                damage.apply(&mut streams[number], &others[number]);
            }
            // A splice may come to all of the other one.
            is_other |= streams[number] == others[number] && streams[number] != rights[number];
            is_other &= streams != rights;
            // A chain without its last layer is another chain, and so is one of the layers of two chains.
            if is_other && (is_rest || streams != others) || streams[number].is_empty() {
                continue;
            }
            has_changed |= is_other;
            sender = if is_other { &other } else { &right };
        }
        let (mut fate, mut border) = (*fate, 0);
        let mut last: &[u8] = &[];
        for stream in &streams {
            let came = if case.to == To::Restore { fate.input } else { fate.input.saturating_sub(border) };
            last = &stream[..came.min(stream.len())];
            border += stream.len();
            // So is one that ends between two layers.
            fate.input = if fate.input == border { border - 1 } else { fate.input };
        }
        let meant = sender.meant(last);
        let before = receiver.partial();
        let ended = receiver.run(&streams, fate, &mut || survives.next().unwrap());
        let partial = receiver.partial();
        foreign.attempt(&before, &partial, is_other);
        totals.count(match &ended {
            Ok(()) => "accepted".to_owned(),
            Err(error) => format!("{:?}, {} kept", error.kind(), if partial.is_empty() { "nothing" } else { "some" }),
        });
        if let Err(error) = &ended {
            let is_about_data = fate.fails.0 == u64::MAX && fate.stop == u64::MAX;
            prop_assert!(!is_about_data || matches!(error.kind(), ErrorKind::Refused | ErrorKind::Failed), "{error:?}");
        }
        prop_assert!(ended.is_err() || partial.complete, "accepted, and not there");
        if partial.complete || partial.layers == right.len() {
            // What was in is the right one, whatever was refused now.
            let meant = if was_in && ended.is_err() { right.last().to_vec() } else { meant };
            prop_assert!(receiver.result() == meant, "accepted, and wrong");
            // What a format took that cannot tell stays: the right stream is another one to it.
            let is_altered = !matches!(damage, None | Some(Damage::Prolonged(_)));
            if partial.complete || is_altered && !was_in {
                return Ok(());
            }
        }
    }
    let streams = right.to(&*receiver, case.is_rest && !has_changed);
    let before = receiver.partial();
    let mut ended = receiver.run(&streams, UNHARMED, &mut || true);
    if foreign.is_begun && matches!(ended, Err(Error::OtherHeader { .. })) {
        // The stream that was begun completes its layer all the same.
        prop_assert!(receiver.partial() == before, "what was received is kept");
        let others = other.streams().split_off(usize::try_from(before.layers).unwrap());
        ended = receiver.run(&others, UNHARMED, &mut || true);
        prop_assert!(ended.is_ok(), "the stream that was begun is refused: {ended:?} {before:?}");
        prop_assert!(
            receiver.result() == other.last(),
            "the stream that was begun is accepted, and the result is wrong"
        );
        totals.count("another stream is begun");
        return Ok(());
    }
    if foreign.is_begun && matches!(ended, Err(Error::Overwritten { .. })) {
        prop_assert!(receiver.partial().is_empty(), "nothing is left to continue");
        ended = receiver.run(&right.streams(), UNHARMED, &mut || true);
    }
    if foreign.is_in(&right, &other) && matches!(ended, Err(Error::OtherContent { .. })) {
        totals.count("another content is in");
        return Ok(());
    }
    prop_assert!(ended.is_ok(), "the right stream is refused: {ended:?} {:?}", receiver.partial());
    prop_assert!(receiver.result() == right.last(), "the right stream is accepted, and the result is wrong");
    totals.count("right at last");
    Ok(())
}

/// How often each outcome came, and the smallest case that is wrong.
fn search(cases: u32, to: &'static [To]) -> (Totals, Option<String>) {
    let totals = RefCell::new(Totals::default());
    let found = adversary(cases).run(&self::cases(to), |case| run(&case, &mut totals.borrow_mut()));
    (totals.into_inner(), found.err().map(|found| found.to_string()))
}

/// No case was wrong, and each of the outcomes came.
#[track_caller]
fn check((totals, found): &(Totals, Option<String>), outcomes: &[&str]) {
    assert!(found.is_none(), "{}", found.as_deref().unwrap_or_default());
    for outcome in outcomes {
        assert!(totals.of(outcome) > 0, "no case was {outcome}");
    }
}

const RESUMED: &[&str] =
    &["accepted", "right at last", "Refused, some kept", "Refused, nothing kept", "Failed, some kept"];
const NOT_RESUMED: &[&str] = &["accepted", "right at last", "Refused, nothing kept", "Failed, nothing kept"];

#[test]
fn received_as_a_volume() {
    let found = search(600, &[To::Volume, To::OneTarget]);
    println!("received as a volume:\n{}", found.0);
    check(&found, RESUMED);
    check(&found, &["another content is in"]);
}

#[test]
fn received_as_an_image() {
    let found = search(300, &[To::Image]);
    println!("received as an image:\n{}", found.0);
    check(&found, RESUMED);
}

#[test]
fn patched() {
    let found = search(400, &[To::Patch, To::PatchImage]);
    println!("patched:\n{}", found.0);
    check(&found, NOT_RESUMED);
}

#[test]
fn restored() {
    let found = search(300, &[To::Restore]);
    println!("restored:\n{}", found.0);
    check(&found, NOT_RESUMED);
}
