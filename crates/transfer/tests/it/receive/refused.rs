use block_copy::WriteAt;
use block_copy::testing::Failure;
use extents::{Bytes, Extent};
use hyperlayer::{Format, Header, Resumes};
use transfer::receive::Ledger;
use transfer::{DetectLevel, Error, ErrorKind};

use super::chain::rest;
use super::{Fate, History, Machine, UNHARMED, example, id, named};
use crate::{Layer, chunk};

/// A receive of the example's chain that was cut in the third layer.
fn interrupted() -> (History, Machine) {
    let history = History::full(&example());
    let mut machine = Machine::new(&history, chunk(4096), false);
    let streams = history.streams();
    let len = streams[0].len() + streams[1].len() + streams[2].len() - 400;
    machine.run(&streams, Fate { input: len, due: 1, ..UNHARMED }, &mut || true).unwrap_err();
    let partial = machine.partial();
    assert_eq!(partial.layers, 2);
    assert!(partial.begun.as_ref().unwrap().mark.at > Bytes::ZERO, "{partial:?}");
    (history, machine)
}

/// Refused, and what was received can be continued as before.
#[track_caller]
fn refuses(streams: &[Vec<u8>], says: &str) {
    let (history, mut machine) = interrupted();
    let before = machine.partial();
    let error = machine.run(streams, UNHARMED, &mut || true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert!(error.to_string().contains(says), "{error}");
    assert!(error.hint().is_some(), "{error}");
    assert_eq!(machine.partial(), before);
    machine.run(&history.streams(), UNHARMED, &mut || true).unwrap();
    assert!(machine.result() == history.last());
}

fn renamed(layer: &Layer, header: Header) -> Vec<u8> {
    Layer { header, ..layer.clone() }.stream()
}

#[test]
fn other_layers_than_before() {
    let (history, _) = interrupted();
    let streams = history.streams();
    // Another state where the interrupted one was.
    let third = &history.layers[2];
    let header = Header { layer: Some(id(9)), ..third.header.clone() };
    let other = renamed(third, header);
    refuses(&[streams[0].clone(), streams[1].clone(), other], "`in#3` is layer state:9, expected layer state:2");
    // Another one where a whole one was.
    let second = &history.layers[1];
    let header = Header { layer: Some(id(9)), ..second.header.clone() };
    refuses(&[streams[0].clone(), renamed(second, header)], "`in#2` is layer state:9, and not the last layer");
    // One is left out, is there twice, comes after itself.
    refuses(&[streams[0].clone(), streams[2].clone()], "the chain is broken: `in#2` was made against layer state:1");
    refuses(&[streams[0].clone(), streams[0].clone()], "is a full layer, which begins a chain");
    refuses(&streams[..1], "the input ends before layer state:2");
    refuses(&streams[..2], "the input ends before layer state:2");
    refuses(&streams[3..], "the input ends before layer state:2");
}

/// Without ids one chain looks like another, so what is in is known by its bytes.
#[test]
fn other_layers_without_ids() {
    let unnamed = |states: &[testkit::ThinVolume]| -> Vec<Vec<u8>> {
        let bare = |layer: &Layer| renamed(layer, Header { layer: None, parent: None, ..layer.header.clone() });
        History::full(states).layers.iter().map(bare).collect()
    };
    let (history, states) = (History::full(&example()), example());
    let mut others = states.clone();
    others[0].write(512, &testkit::stamped(9, 7, 512));
    let (ours, other) = (unnamed(&states), unnamed(&others));
    assert_eq!(ours[0].len(), other[0].len());
    let mut machine = Machine::new(&history, chunk(4096), false);
    let input = ours[0].len() + ours[1].len() / 2;
    machine.run(&ours, Fate { input, ..UNHARMED }, &mut || true).unwrap_err();
    assert_eq!(machine.partial().layers, 1);
    let error = machine.run(&other, UNHARMED, &mut || true).unwrap_err();
    assert!(matches!(error, Error::OtherChain { .. }), "{error:?}");
    machine.run(&ours, UNHARMED, &mut || true).unwrap();
    assert!(machine.result() == history.last());
}

/// Accepted as if nothing of it were in, and not mixed with what is in. A rest of the same stream is refused, since it leaves
/// out what is missing.
#[track_caller]
fn begins_again(streams: &[Vec<u8>], last: &Layer) {
    let (_, mut machine) = interrupted();
    let token = machine.partial().token().unwrap();
    let at = token.at;
    let outline = last.plan.outline_until(at);
    let plan = last.plan.from_offset(at);
    let header =
        Header { resumes: Some(Resumes { at, skipped: outline }), totals: Some(plan.totals()), ..last.header.clone() };
    let rest = Layer { header, plan, ..last.clone() }.stream();
    let before = machine.partial();
    if outline != token.outline.digest() {
        let error = machine.run(&[rest], UNHARMED, &mut || true).unwrap_err();
        assert!(matches!(error, Error::OtherBeginning { .. }), "{error:?}");
        assert_eq!(machine.partial(), before);
    }
    machine.run(streams, UNHARMED, &mut || true).unwrap();
    assert!(machine.result() == last.new);
}

/// A volume that was written to between the two streams, which has the same id and the same ranges.
#[test]
fn another_content_before_the_interruption() {
    let (history, _) = interrupted();
    let (mut streams, third) = (history.streams(), &history.layers[2]);
    let mut new = third.new.clone();
    new[1024] ^= 1;
    let other = Layer { new, ..third.clone() };
    streams[2] = other.stream();
    begins_again(&streams[..3], &other);
}

/// The volume was written to between two streams of its layer, in a record below the mark or across it. The second stream is
/// cut too; its rest goes on where that was cut, and is refused where the volume was rolled back since.
#[test]
fn another_content_and_its_rest() {
    let history = History::full(&example());
    let (streams, third) = (history.streams(), &history.layers[2]);
    for by in [4096, 12288] {
        let cut_at = |last: &[u8], missing: usize, machine: &mut Machine| {
            let input = [&streams[..2], &[last.to_vec()]].concat();
            let fate = Fate { input: input.concat().len() - missing, due: 1, ..UNHARMED };
            machine.run(&input, fate, &mut || true).unwrap_err();
            machine.partial().token().unwrap()
        };
        let interrupted = || {
            let mut machine = Machine::new(&history, chunk(by), false);
            let at = cut_at(&third.stream(), 10, &mut machine).at.to_usize().unwrap();
            (machine, at)
        };
        let mark = interrupted().1;
        for altered in [1024, mark - 1] {
            let mut new = third.new.clone();
            new[altered] ^= 1;
            let other = Layer { new, ..third.clone() };
            let case = format!("chunks of {by}, altered at {altered}");
            for is_rolled_back in [false, true] {
                let (mut machine, _) = interrupted();
                let token = cut_at(&other.stream(), 10, &mut machine);
                assert_eq!(token.at.to_usize(), Some(mark), "{case}");
                if is_rolled_back {
                    let before = machine.volumes[&1].to_vec();
                    machine.volumes[&2].write_at(Bytes::ZERO, &before[..mark]).unwrap();
                }
                let ended = machine.run(&[rest(&other, &token).stream()], UNHARMED, &mut || true);
                match ended {
                    Ok(()) => assert!(!is_rolled_back && machine.result() == other.new, "{case}"),
                    Err(Error::RolledBack { .. }) => assert!(is_rolled_back, "{case}: refused falsely"),
                    Err(error) => panic!("{case}: {error}"),
                }
            }
        }
    }
}

#[test]
fn another_rest_than_the_one_asked_for() {
    let (history, machine) = interrupted();
    let (third, token) = (&history.layers[2], machine.partial().token().unwrap());
    let right = rest(third, &token);
    let at = token.at.saturating_sub(Bytes::new(4096));
    let earlier = transfer::receive::ResumeToken { at, outline: token.outline.until(at).unwrap(), ..token.clone() };
    refuses(&[rest(third, &earlier).stream()], "goes on at byte");
    let mut resumes = right.header.resumes.unwrap();
    resumes.skipped.0[0] ^= 1;
    let header = Header { resumes: Some(resumes), ..right.header.clone() };
    refuses(&[renamed(&right, header)], "is not what was received before the interruption");
    let header = Header { parent: Some(id(7)), ..right.header.clone() };
    refuses(&[renamed(&right, header)], "was made against layer state:7");
    // What a rest shares with its layer is more than its ids.
    let header = Header { chunk_size: Some(chunk(8192)), ..right.header.clone() };
    refuses(&[renamed(&right, header)], "is not what was received before the interruption");
}

/// A layer of the same name whose header says something else.
#[test]
fn another_way_to_send_it() {
    let (history, _) = interrupted();
    let (mut streams, third) = (history.streams(), &history.layers[2]);
    let header = Header { chunk_size: Some(chunk(8192)), ..third.header.clone() };
    let other = Layer { header, ..third.clone() };
    streams[2] = other.stream();
    begins_again(&streams[..3], &other);
}

/// A layer of the same name whose records lie elsewhere before the interruption.
#[test]
fn another_beginning() {
    let (history, _) = interrupted();
    let streams = history.streams();
    let mut states = example();
    states[2].write(0, &testkit::stamped(9, 0, 512));
    let pair = testkit::Pair { old: states[1].clone(), new: states[2].clone() };
    let other = named(Layer::of(&pair, DetectLevel::None), 2);
    assert_eq!(other.header.volume_size, history.layers[2].header.volume_size);
    let mut with_zeros = other.clone();
    with_zeros.plan.delta.zero.insert(with_zeros.plan.delta.data.ranges()[0]);
    with_zeros.plan.delta.data = with_zeros.plan.delta.data.difference(&with_zeros.plan.delta.zero);
    with_zeros.header.totals = Some(with_zeros.plan.totals());
    with_zeros.plan.delta.zero.iter().for_each(|zero| {
        let len = with_zeros.new.len();
        let index = |at: Bytes| at.to_usize().unwrap().min(len);
        with_zeros.new[index(zero.start())..index(zero.end())].fill(0);
    });
    // Of the same volume, told in another way.
    begins_again(&[streams[0].clone(), streams[1].clone(), with_zeros.stream()], &with_zeros);
}

/// The pool was rolled back to what it held before the layer, or somebody wrote to the volume: the rest does not complete
/// it, and the ledger no longer counts on what was there.
#[test]
fn a_rest_on_a_volume_that_was_rolled_back() {
    let (history, mut machine) = interrupted();
    let (third, token) = (&history.layers[2], machine.partial().token().unwrap());
    let before = machine.volumes[&1].to_vec();
    let (number, volume) = machine.volumes.last_key_value().map(|(number, volume)| (*number, volume.to_vec())).unwrap();
    let below = &before[..token.at.to_usize().unwrap()];
    assert!(volume[..below.len()] != *below, "nothing of the layer is in");
    machine.volumes[&number].write_at(Bytes::ZERO, below).unwrap();
    let error = machine.run(&[rest(third, &token).stream()], UNHARMED, &mut || true).unwrap_err();
    assert!(matches!(error, Error::RolledBack { .. }), "{error:?}");
    assert_eq!((error.kind(), machine.partial().begun), (ErrorKind::Refused, None));
    assert_eq!(machine.partial().layers, 2);
    assert!(machine.volumes[&number].to_vec()[..below.len()] == *below, "written to");
    machine.run(&history.streams(), UNHARMED, &mut || true).unwrap();
    assert!(machine.result() == history.last());
}

/// The hint after a rollback names a command that works: `--resume` only where something is left for it.
#[test]
fn what_to_do_after_a_rollback() {
    let history = History::full(&example());
    let streams = history.streams();
    for (file, number, left) in [(false, 0, 0), (false, 1, 1), (false, 3, 3), (true, 0, 0), (true, 3, 0)] {
        let case = format!("layer {number}, in a file: {file}");
        let mut machine = Machine::new(&history, chunk(4096), file);
        let input = streams[..=number].concat().len() - 10;
        machine.run(&streams, Fate { input, due: 1, ..UNHARMED }, &mut || true).unwrap_err();
        let partial = machine.partial();
        let token = partial.token().unwrap();
        assert_eq!((partial.layers, token.at > Bytes::ZERO), (number as u64, true), "{case}");
        let (_, volume) = machine.volumes.last_key_value().unwrap();
        volume.write_at(Bytes::ZERO, &vec![0xaa; token.at.to_usize().unwrap()]).unwrap();
        let rest = rest(&history.layers[number], &token).stream();
        let error = machine.run(&[rest], UNHARMED, &mut || true).unwrap_err();
        assert!(matches!(error, Error::RolledBack { .. }), "{case}: {error:?}");
        let partial = machine.partial();
        assert_eq!((partial.layers, partial.is_empty()), (left, left == 0), "{case}");
        let hint = error.hint().unwrap();
        assert_eq!(hint.contains("--resume"), left > 0, "{case}: {hint}");
        assert_eq!(hint.contains("from its first layer on"), left == 0, "{case}: {hint}");
        machine.run(&streams, UNHARMED, &mut || true).unwrap();
        assert!(machine.result() == history.last(), "{case}");
    }
}

#[test]
fn a_rest_where_nothing_was_interrupted() {
    let (history, machine) = interrupted();
    let stream = rest(&history.layers[2], &machine.partial().token().unwrap()).stream();
    let mut fresh = Machine::new(&history, chunk(4096), false);
    let error = fresh.run(std::slice::from_ref(&stream), UNHARMED, &mut || true).unwrap_err();
    assert!(matches!(error, Error::Rest { .. }), "{error:?}");
    // Nor does anybody else take it.
    let opened =
        [transfer::Incoming::open(&stream[..]).map(drop), transfer::LayerReader::open("in", &stream[..]).map(drop)];
    for result in opened {
        assert!(matches!(result, Err(Error::Rest { .. })), "{result:?}");
    }
}

/// Where the digest says that something before it was altered, what was received of that stream does not stay; the layers
/// before it do.
#[test]
fn what_was_altered_is_forgotten() {
    for file in [false, true] {
        let history = History::full(&example());
        let mut machine = Machine::new(&history, chunk(4096), file);
        let mut streams = history.streams();
        let digit = streams[2].len() - 3;
        streams[2][digit] ^= 1;
        let error = machine.run(&streams, Fate { due: 1, ..UNHARMED }, &mut || true).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
        let partial = machine.partial();
        assert_eq!((partial.layers, partial.begun), (if file { 0 } else { 2 }, None));
        machine.run(&history.streams(), UNHARMED, &mut || true).unwrap();
        assert!(machine.result() == history.last());
    }
}

/// A layer that cannot be continued in its middle begins anew, and where that is not possible, the chain does.
#[test]
fn layers_that_cannot_be_continued() {
    let mut states = example();
    states[2].resize(32 * 1024);
    states.truncate(3);
    let history = History::full(&states);
    let old = history.layers[2].clone().in_format(Format::V1_0);
    let streams = [history.streams()[0].clone(), history.streams()[1].clone(), old.stream()];
    for (file, left) in [(false, 2), (true, 0)] {
        let mut machine = Machine::new(&history, chunk(4096), file);
        let input = streams.concat().len() - 300;
        machine.run(&streams, Fate { input, due: 1, ..UNHARMED }, &mut || true).unwrap_err();
        let partial = machine.partial();
        assert_eq!((partial.layers, partial.begun), (left, None), "in a file: {file}");
        machine.run(&streams, UNHARMED, &mut || true).unwrap();
        assert!(machine.result() == history.last());
    }
}

/// The same layers, where one has another content from `byte` on.
fn altered(layers: &[Layer], number: usize, byte: usize) -> Vec<Layer> {
    let mut layers = layers.to_vec();
    layers[number].new[byte] ^= 1;
    layers
}

fn streams(layers: &[Layer]) -> Vec<Vec<u8>> {
    layers.iter().map(Layer::stream).collect()
}

/// A layer that is in is not known by its id alone, also where it came in two streams.
#[test]
fn another_content_of_a_layer_that_is_in() {
    let history = History::full(&example());
    let right = history.streams();
    for (file, is_rest, number) in
        [(false, false, 0), (false, false, 1), (true, false, 0), (true, true, 1), (false, true, 1)]
    {
        let case = format!("layer {number}, in a file: {file}, received in two streams: {is_rest}");
        let mut machine = Machine::new(&history, chunk(4096), file);
        if is_rest {
            let input = right[..2].concat().len() - 400;
            machine.run(&right, Fate { input, due: 1, ..UNHARMED }, &mut || true).unwrap_err();
            let token = machine.partial().token().unwrap();
            assert!(token.at > Bytes::ZERO, "{case}");
            let streams = [rest(&history.layers[1], &token).stream(), right[2].clone()];
            let input = streams.concat().len() - 400;
            machine.run(&streams, Fate { input, due: 1, ..UNHARMED }, &mut || true).unwrap_err();
        } else {
            let input = right[..3].concat().len() - 400;
            machine.run(&right, Fate { input, due: 1, ..UNHARMED }, &mut || true).unwrap_err();
        }
        let before = machine.partial();
        assert_eq!(before.layers, 2, "{case}");
        for byte in [512, 12_000] {
            let other = streams(&altered(&history.layers, number, byte));
            assert!(other[number] != right[number], "{case}");
            let error = machine.run(&other, UNHARMED, &mut || true).unwrap_err();
            assert!(matches!(error, Error::OtherContent { .. }), "{case}: {error:?}");
            assert_eq!((error.kind(), machine.partial()), (ErrorKind::Refused, before.clone()), "{case}");
        }
        machine.run(&right, UNHARMED, &mut || true).unwrap();
        assert!(machine.result() == history.last(), "{case}");
    }
}

/// The same content is refused where its records lie elsewhere. The error does not say that the content differs, and what its
/// hint says works.
#[test]
fn a_layer_that_is_in_recorded_in_another_way() {
    for file in [false, true] {
        let history = History::full(&example());
        let right = history.streams();
        let mut machine = Machine::new(&history, chunk(4096), file);
        let input = right[..3].concat().len() - 400;
        machine.run(&right, Fate { input, due: 1, ..UNHARMED }, &mut || true).unwrap_err();
        let before = machine.partial();
        assert_eq!(before.layers, 2);
        // One more record, whose content is that of the layer below.
        let mut other = history.layers[1].clone();
        let extent = Extent::new(Bytes::new(24 * 1024), Bytes::new(512)).unwrap();
        other.plan.delta.data.insert(extent);
        other.header.totals = Some(other.plan.totals());
        let again = [right[0].clone(), other.stream(), right[2].clone(), right[3].clone()];
        assert!(again[1] != right[1]);
        let error = machine.run(&again, UNHARMED, &mut || true).unwrap_err();
        assert!(matches!(error, Error::OtherContent { .. }), "{error:?}");
        assert!(error.to_string().contains("in content or in how they are recorded"), "{error}");
        assert!(error.hint().unwrap().contains("only the layers that are not received yet"), "{error}");
        assert_eq!(machine.partial(), before);
        machine.run(&again[2..], UNHARMED, &mut || true).unwrap();
        assert!(machine.result() == history.last());
    }
}

/// What a layer that is in was rolled back to is not what the next one is made against.
#[test]
fn a_layer_that_is_in_was_rolled_back() {
    let history = History::full(&example());
    let right = history.streams();
    // All layers are in, and only the ledger does not say so yet; one is begun; one is between two layers.
    for file in [false, true] {
        for (input, layers) in
            [(right[..2].concat().len() - 1, 1), (right[..3].concat().len() - 400, 2), (usize::MAX, 4)]
        {
            for is_whole_chain in [false, true] {
                let case = format!("{layers} layers, in a file: {file}, the whole chain again: {is_whole_chain}");
                let mut machine = Machine::new(&history, chunk(4096), file);
                let (fate, is_all) = (Fate { input, due: u64::MAX, ..UNHARMED }, input == usize::MAX);
                let _ = machine.run(&right, fate, &mut || true);
                if is_all {
                    let partial = machine.partial();
                    machine.ledger.keep(&transfer::receive::Partial { complete: false, ..partial }).unwrap();
                }
                assert_eq!(machine.partial().layers, layers, "{case}");
                let key = if file { 0 } else { layers - 1 };
                let volume = &machine.volumes[&key];
                volume.write_at(Bytes::ZERO, &vec![0; volume.to_vec().len()]).unwrap();
                let from = usize::try_from(layers).unwrap();
                let sent = if is_whole_chain || is_all { &right[..] } else { &right[from..] };
                let error = machine.run(sent, UNHARMED, &mut || true).unwrap_err();
                // Where all layers go into one target, what is in of the next layer is compared too.
                let is_found = matches!(error, Error::RolledBack { layers: 0, .. })
                    || file && layers < 4 && matches!(error, Error::Overwritten { .. });
                assert!(is_found, "{case}: {error:?}");
                assert_eq!((error.kind(), machine.partial().layers), (ErrorKind::Refused, 0), "{case}");
                machine.run(&right, UNHARMED, &mut || true).unwrap();
                assert!(machine.result() == history.last(), "{case}");
            }
        }
    }
}

/// Where the state before a layer is overwritten, what was written past the mark cannot be undone: the stream must be the
/// one that was interrupted.
#[test]
fn another_content_past_the_mark_in_a_file() {
    let history = History::full(&example());
    let right = history.streams();
    let mut states = example();
    let before = states[1].clone();
    states[2] = before.clone();
    states[2].resize(60 * 1024);
    states[2].write(20 * 1024, &testkit::stamped(8, 2, 512));
    let pair = testkit::Pair { old: before, new: states[2].clone() };
    let other = named(Layer::of(&pair, DetectLevel::Every), 2);
    let mut accepted = 0;
    for passes in 0..60 {
        let mut machine = Machine::new(&history, chunk(4096), true);
        let fate = Fate { fails: (passes, Failure::Kill), due: u64::MAX, reach: 1 << 32, ..UNHARMED };
        if machine.run(&right[..3], fate, &mut || true).is_ok() {
            break;
        }
        let ended = machine.run(&[right[0].clone(), right[1].clone(), other.stream()], UNHARMED, &mut || true);
        accepted += u32::from(ended.is_ok());
        assert!(ended.is_err() || machine.result() == other.new, "accepted, and wrong after {passes} operations");
    }
    assert!(accepted > 0);
}

/// A receive of a chain into one file that was cut in the second layer.
fn interrupted_in_a_file(history: &History) -> Machine {
    let streams = history.streams();
    let mut machine = Machine::new(history, chunk(4096), true);
    let input = streams[..2].concat().len() - 400;
    machine.run(&streams, Fate { input, due: 1, ..UNHARMED }, &mut || true).unwrap_err();
    let partial = machine.partial();
    assert_eq!(partial.layers, 1);
    assert!(partial.begun.as_ref().unwrap().mark.at > Bytes::ZERO, "{partial:?}");
    machine
}

fn created(layer: &Layer, created: &str) -> Layer {
    Layer { header: Header { created: Some(created.to_owned()), ..layer.header.clone() }, ..layer.clone() }
}

/// Where the state before a layer is overwritten, a header that states something else is refused. It proves nothing about the
/// data that was received, so all of that stays, and the first stream still completes the layer.
#[test]
fn another_header_in_a_file_loses_nothing() {
    for (case, time, by) in
        [("another time", "2026-11-22T03:00:00Z", 4096), ("another chunk", "2026-11-21T03:00:00Z", 8192)]
    {
        let mut history = History::full(&example());
        history.layers[1] = created(&history.layers[1], "2026-11-21T03:00:00Z");
        let (right, mut machine) = (history.streams(), interrupted_in_a_file(&history));
        let before = machine.partial();
        let mut other = right.clone();
        let layer = created(&history.layers[1], time);
        other[1] = renamed(&layer, Header { chunk_size: Some(chunk(by)), ..layer.header.clone() });
        assert!(other[1] != right[1], "{case}");
        let error = machine.run(&other, UNHARMED, &mut || true).unwrap_err();
        assert!(matches!(error, Error::OtherHeader { .. }), "{case}: {error:?}");
        assert_eq!((error.kind(), machine.partial()), (ErrorKind::Refused, before), "{case}");
        assert!(error.hint().unwrap().contains("first stream"), "{case}: {error}");
        machine.run(&right, UNHARMED, &mut || true).unwrap();
        assert!(machine.result() == history.last(), "{case}");
    }
}

/// An id that is derived from the content proves that the content is equal: the time at which the stream was made may differ.
#[test]
fn another_time_of_the_same_content_in_a_file() {
    let mut history = History::full(&example());
    let id = |number: usize| hyperlayer::LayerId::new(format!("blake3:{number:064}")).unwrap();
    for (number, layer) in history.layers.iter_mut().enumerate() {
        layer.header.layer = Some(id(number));
        layer.header.parent = number.checked_sub(1).map(id);
        *layer = created(layer, "2026-11-21T03:00:00Z");
    }
    let mut machine = interrupted_in_a_file(&history);
    let later: Vec<_> = history.layers.iter().map(|layer| created(layer, "2026-11-22T03:00:00Z").stream()).collect();
    machine.run(&later, UNHARMED, &mut || true).unwrap();
    assert!(machine.result() == history.last());
}

/// A layer without marks is applied in a file on layers that were rolled back.
#[test]
fn a_layer_without_marks_on_a_layer_that_was_rolled_back() {
    let mut states = example();
    // A stream of format 1.0 does not say that the volume shrank.
    states[1].resize(64 * 1024);
    states.truncate(2);
    let history = History::full(&states);
    let mut right = history.streams();
    let mut old = history.layers[1].clone();
    // Nothing of the parent is checked by the stream itself.
    old.plan.checks.clear();
    old.header.totals = Some(old.plan.totals());
    for format in [Format::V1_0, Format::V1_1] {
        let case = format!("{format:?}");
        // Without an id a layer of this format has no marks either.
        let header = Header { layer: None, ..old.header.clone() };
        right[1] = match format {
            Format::V1_1 => renamed(&old, header),
            format => old.clone().in_format(format).stream(),
        };
        let streams = &right[..2];
        let mut machine = Machine::new(&history, chunk(4096), true);
        let fate = Fate { input: right[0].len() + 10, ..UNHARMED };
        machine.run(streams, fate, &mut || true).unwrap_err();
        assert_eq!((machine.partial().layers, machine.partial().begun), (1, None), "{case}");
        let volume = &machine.volumes[&0];
        volume.write_at(Bytes::ZERO, &vec![0; volume.to_vec().len()]).unwrap();
        let error = machine.run(streams, UNHARMED, &mut || true).unwrap_err();
        assert!(matches!(error, Error::RolledBack { layers: 0, .. }), "{case}: {error:?}");
        assert_eq!(machine.partial().layers, 0, "{case}");
        machine.run(streams, UNHARMED, &mut || true).unwrap();
        assert!(machine.result() == history.layers[1].new, "{case}");
    }
}
