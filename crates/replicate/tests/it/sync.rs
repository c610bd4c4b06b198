//! A source and its destination over many runs, whatever happens to them.

use std::sync::{Arc, Mutex};

use extents::Bytes;
use proptest::prelude::*;
use replicate::{LineageError, Refusal, RefusalKind, Role, Sync, SyncError};

use crate::model::{CHUNK, Fault, Machine, SIZE, Shared, run, want};

fn machines() -> (Shared, Shared) {
    let (mut source, destination) = (Machine::new("web1"), Machine::new("backup1"));
    let mut content = vec![0; SIZE];
    for n in (0..SIZE / CHUNK).step_by(3) {
        blake3::Hasher::new()
            .update(&[u8::try_from(n).unwrap()])
            .finalize_xof()
            .fill(&mut content[n * CHUNK..(n + 1) * CHUNK]);
    }
    source.add("data", content, false, &[]);
    (Arc::new(Mutex::new(source)), Arc::new(Mutex::new(destination)))
}

fn content(machine: &Shared, name: &str) -> Option<Vec<u8>> {
    machine.lock().unwrap().volumes.get(name).map(|volume| volume.content.clone())
}

fn write(machine: &Shared, name: &str, chunk: usize, byte: u8) {
    let mut machine = machine.lock().unwrap();
    let volume = machine.volumes.get_mut(name).unwrap();
    volume.content[chunk * CHUNK..chunk * CHUNK + 100].fill(byte);
}

fn chunks(count: usize) -> Bytes {
    Bytes::from(count * CHUNK)
}

fn names(machine: &Shared) -> Vec<String> {
    machine.lock().unwrap().volumes.keys().cloned().collect()
}

#[test]
fn first_all_then_what_changed() {
    let (source, destination) = machines();
    let (first, _) = run(&want(), &source, &destination, Fault::None);
    let first = first.unwrap();
    assert_eq!(first.pair.to_string(), "web1:vg0/data=backup1:vg1/copy");
    assert_eq!((first.parent, first.in_full, first.resumed), (None, true, false));
    assert_eq!(first.data, chunks((SIZE / CHUNK).div_ceil(3)));
    assert_eq!(content(&source, "data"), content(&destination, "copy"));
    write(&source, "data", 7, 0xaa);
    let (second, told) = run(&want(), &source, &destination, Fault::None);
    let second = second.unwrap();
    assert_eq!((second.parent, second.in_full, second.data), (Some(first.layer), false, chunks(1)));
    assert_eq!(content(&source, "data"), content(&destination, "copy"));
    assert_eq!(told.begun.lock().unwrap().len(), 1);
    // `last=1` and `last=2`.
    assert_eq!(second.removed_source.len(), 1);
    assert_eq!((names(&source).len(), names(&destination).len()), (2, 3));
    let nothing = run(&Sync { snapshot: false, ..want() }, &source, &destination, Fault::None).0.unwrap();
    assert_eq!((nothing.parent, nothing.in_full), (None, false));
}

/// When the first snapshot was made, the clock was a year ahead; the second, which both sides had, is gone at the source, or
/// both of the later ones are.
#[test]
fn without_a_snapshot_a_copy_never_goes_back_by_itself() {
    for newest_is_there in [true, false] {
        let (source, destination) = machines();
        source.lock().unwrap().now += 1_000_000;
        let keep =
            Sync { keep_source: "last=9".parse().unwrap(), keep_destination: "last=9".parse().unwrap(), ..want() };
        for n in 0..3 {
            write(&source, "data", n, 9);
            run(&keep, &source, &destination, Fault::None).0.unwrap();
            source.lock().unwrap().now = 2000;
        }
        let snapshots: Vec<_> = names(&source).into_iter().filter(|name| name.contains("sync")).collect();
        let gone = if newest_is_there { &snapshots[1..2] } else { &snapshots[1..] };
        gone.iter().for_each(|name| drop(source.lock().unwrap().volumes.remove(name)));
        let before = content(&destination, "copy");
        let again = Sync { snapshot: false, ..keep };
        let (result, told) = run(&again, &source, &destination, Fault::None);
        assert_eq!(content(&destination, "copy"), before);
        if newest_is_there {
            assert!(result.unwrap().data.is_zero());
            assert!(told.log.lock().unwrap().iter().any(|text| text.contains("a clock was wrong")), "{:?}", told.log);
        } else {
            let refused = result.unwrap_err();
            assert!(matches!(refused, SyncError::Lineage(LineageError::Older { .. })), "{refused}");
            assert_eq!(refused.exit(), 3);
            run(&Sync { rollback: true, ..again }, &source, &destination, Fault::None).0.unwrap();
            assert_ne!(content(&destination, "copy"), before, "that is what was asked for");
        }
    }
}

#[test]
fn a_dry_run_changes_nothing_and_is_exact() {
    let (source, destination) = machines();
    for _ in 0..2 {
        write(&source, "data", 5, 0xab);
        let before = (names(&source), names(&destination));
        let (dry, _) = run(&Sync { dry_run: true, ..want() }, &source, &destination, Fault::None);
        assert_eq!((names(&source), names(&destination)), before);
        let (wet, _) = run(&want(), &source, &destination, Fault::None);
        let (dry, wet) = (dry.unwrap(), wet.unwrap());
        assert_eq!((dry.data, dry.zero, dry.stream, dry.parent), (wet.data, wet.zero, wet.stream, wet.parent));
    }
}

#[test]
fn what_was_written_to_the_copy_is_refused_or_kept() {
    let (source, destination) = machines();
    run(&want(), &source, &destination, Fault::None).0.unwrap();
    write(&destination, "copy", 3, 0xcc);
    let written = content(&destination, "copy");
    let before = names(&source);
    for dry_run in [false, true] {
        let refused = run(&Sync { dry_run, ..want() }, &source, &destination, Fault::None).0.unwrap_err();
        assert!(matches!(refused, SyncError::Lineage(LineageError::Written { .. })), "{refused}");
        assert_eq!((refused.exit(), names(&source)), (3, before.clone()));
        assert_eq!(content(&destination, "copy"), written);
    }
    // The source's program dies when it is to make its snapshot: the copy is rolled back by then, and that is reported.
    let half = run(&Sync { rollback: true, ..want() }, &source, &destination, Fault::Kill(0, 0)).0.unwrap_err();
    assert!(matches!(half, SyncError::After { .. }), "{half}");
    assert_eq!(names(&destination).iter().filter(|name| name.starts_with("written")).count(), 1);
    write(&destination, "copy", 3, 0xcd);
    let written = content(&destination, "copy");
    let taken = run(&Sync { rollback: true, ..want() }, &source, &destination, Fault::None).0.unwrap();
    assert_eq!(content(&source, "data"), content(&destination, "copy"));
    assert_eq!(content(&destination, taken.kept_written.unwrap().as_str()), written);
}

#[test]
fn a_copy_in_use_is_refused_before_anything_is_made() {
    let (source, destination) = machines();
    run(&want(), &source, &destination, Fault::None).0.unwrap();
    destination.lock().unwrap().in_use = true;
    let before = (names(&source), names(&destination));
    let refused = run(&want(), &source, &destination, Fault::None).0.unwrap_err();
    assert!(matches!(refused, SyncError::Lineage(LineageError::InUse)), "{refused}");
    assert_eq!((names(&source), names(&destination)), before);
}

#[test]
fn an_existing_copy_is_compared() {
    let (source, destination) = machines();
    let mut old = content(&source, "data").unwrap();
    old[200_000..200_100].fill(9);
    destination.lock().unwrap().add("copy", old, false, &[]);
    let refused = run(&want(), &source, &destination, Fault::None).0.unwrap_err();
    assert!(matches!(refused, SyncError::Lineage(LineageError::Unknown)), "{refused}");
    let existing = Sync { use_existing: true, ..want() };
    let dry = run(&Sync { dry_run: true, ..existing.clone() }, &source, &destination, Fault::None).0.unwrap();
    // It is interrupted half-way, and then goes on.
    let cut = run(&existing, &source, &destination, Fault::Kill(1, 6)).0.unwrap_err();
    assert!(matches!(&cut, SyncError::Partly { .. }) && cut.exit() == 5, "{cut}");
    let done = run(&existing, &source, &destination, Fault::None).0.unwrap();
    assert!(done.resumed);
    assert!(dry.data.get() <= 65536 && done.data <= dry.data, "{} {}", dry.data, done.data);
    assert_eq!(content(&source, "data"), content(&destination, "copy"));
    // From now on as any other.
    write(&source, "data", 1, 1);
    let next = run(&want(), &source, &destination, Fault::None).0.unwrap();
    assert_eq!(next.data, chunks(1));
}

/// The reader removes the cause first, and then gives the command that finishes.
#[test]
fn hints_of_the_cause_come_before_those_of_what_is_left() {
    let layer = || "monday".parse().unwrap();
    let refused = |hint| {
        let refusal = Refusal::new(RefusalKind::Space, "pool `vg1/pool` is too full", 4).with_hint(hint);
        Box::new(SyncError::Refused { role: Role::Destination, doing: "does not receive it", refusal })
    };
    let errors: [&dyn Fn(&'static str) -> SyncError; 3] = [
        &|hint| SyncError::Partly { layer: layer(), durable: Bytes::new(4096), cause: refused(hint) },
        &|hint| SyncError::Settling { layer: layer(), cause: refused(hint) },
        &|hint| SyncError::After { layer: layer(), cause: refused(hint) },
    ];
    for error in errors {
        let both = error("extend it");
        let [cause, then] = both.hints()[..] else { panic!("{both}: {:?}", both.hints()) };
        assert!(cause == "extend it" && then.starts_with("run the same `lvbackup sync` again"), "{cause}; {then}");
        assert_eq!(error("").hints(), [then], "a cause without a hint");
    }
}

#[test]
fn a_pair_of_snapshots_is_taken_over_if_both_are_the_same() {
    for same in [true, false] {
        let (source, destination) = machines();
        let data = content(&source, "data").unwrap();
        source.lock().unwrap().add("ours", data.clone(), false, &[]);
        let mut theirs = data.clone();
        theirs[150_000] ^= u8::from(!same);
        destination.lock().unwrap().add("theirs", theirs.clone(), false, &[]);
        destination.lock().unwrap().add("copy", theirs, false, &[]);
        write(&source, "data", 1, 1);
        let adopt = Some(("ours".parse().unwrap(), "theirs".parse().unwrap()));
        let adopted = run(&Sync { adopt, ..want() }, &source, &destination, Fault::None).0;
        if same {
            assert_eq!(adopted.unwrap().data, chunks(1));
            assert_eq!(content(&source, "data"), content(&destination, "copy"));
        } else {
            let refused = adopted.unwrap_err();
            assert!(matches!(&refused, SyncError::Differs { at, .. } if at.get() == 131_072), "{refused}");
        }
    }
}

#[test]
fn larger_extents_at_the_destination() {
    let (source, destination) = machines();
    destination.lock().unwrap().extra = 4 << 20;
    for n in 0..3 {
        write(&source, "data", n, 3);
        let done = run(&want(), &source, &destination, Fault::None).0.unwrap();
        assert_eq!(done.parent.is_some(), n > 0);
    }
    let copy = content(&destination, "copy").unwrap();
    assert_eq!((copy.len(), Some(&copy[..SIZE])), (SIZE + (4 << 20), content(&source, "data").as_deref()));
}

#[test]
fn a_refusal_leaves_no_heap_of_snapshots() {
    let (source, destination) = machines();
    run(&want(), &source, &destination, Fault::None).0.unwrap();
    let before = names(&source);
    destination.lock().unwrap().is_full = true;
    for _ in 0..3 {
        run(&want(), &source, &destination, Fault::None).0.unwrap_err();
        write(&source, "data", 2, 77);
        // The snapshot that was made, and could not be sent, went again; and no older one because of it.
        assert_eq!(names(&source), before);
    }
    destination.lock().unwrap().is_full = false;
    for _ in 0..5 {
        // The destination's program dies as soon as it is to change anything.
        run(&want(), &source, &destination, Fault::Kill(1, 0)).0.unwrap_err();
        write(&source, "data", 2, 77);
    }
    assert!(names(&source).len() <= 4, "{:?}", names(&source));
    run(&want(), &source, &destination, Fault::None).0.unwrap();
    assert_eq!(content(&source, "data"), content(&destination, "copy"));
}

/// The destination refuses in the middle of a layer, which ends the session with the source: nobody is told of that instead.
#[test]
fn only_the_failure_is_told() {
    for changes in 0..4 {
        let (source, destination) = machines();
        let (failed, told) = run(&want(), &source, &destination, Fault::Kill(1, changes));
        let (failed, log) = (failed.unwrap_err(), told.log.lock().unwrap());
        assert!(!log.iter().any(|text| text.contains("session")), "{changes} {failed:?}: {log:?}");
    }
}

#[derive(Clone, Debug)]
enum Happens {
    Write(usize, u8),
    WriteCopy(usize, u8),
    Run(Fault),
    ClockBack,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        2 => Just(Fault::None),
        3 => (0..4usize, prop_oneof![0..3000usize, 0..110_000usize]).prop_map(|(way, after)| Fault::Cut(way, after)),
        3 => (0..2usize, 0..20usize).prop_map(|(side, after)| Fault::Kill(side, after)),
        2 => (0..60usize).prop_map(Fault::Stop),
    ]
}

fn history() -> impl Strategy<Value = Vec<Happens>> {
    let happens = prop_oneof![
        4 => (0..SIZE / CHUNK, 0..4u8).prop_map(|(chunk, byte)| Happens::Write(chunk, byte)),
        1 => (0..SIZE / CHUNK, 100..104u8).prop_map(|(chunk, byte)| Happens::WriteCopy(chunk, byte)),
        6 => fault().prop_map(Happens::Run),
        1 => Just(Happens::ClockBack),
    ];
    proptest::collection::vec(happens, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    /// Whatever happens, the copy is one of the source's states, or what somebody wrote to it; and a run that nothing
    /// happens to makes it the present one.
    #[test]
    fn never_between(history in history()) {
        let (source, destination) = machines();
        let mut states = vec![content(&source, "data").unwrap()];
        let mut written: Option<Vec<u8>> = None;
        for happens in history {
            match happens {
                Happens::Write(chunk, byte) => {
                    write(&source, "data", chunk, byte);
                    states.push(content(&source, "data").unwrap());
                }
                Happens::WriteCopy(chunk, byte) => {
                    if content(&destination, "copy").is_some() {
                        write(&destination, "copy", chunk, byte);
                        written = content(&destination, "copy");
                    }
                }
                Happens::ClockBack => destination.lock().unwrap().now -= 50,
                Happens::Run(fault) => {
                    let before = content(&destination, "copy");
                    let (result, told) = run(&want(), &source, &destination, fault);
                    let state = content(&destination, "copy");
                    let log = told.log.lock().unwrap();
                    if let Ok(summary) = &result {
                        prop_assert_eq!(&state, &content(&source, "data"), "{:?} {:?}", summary, log);
                        written = None;
                    }
                    if let Some(state) = state {
                        let is_known = states.contains(&state) || written.as_ref() == Some(&state);
                        prop_assert!(is_known, "between: {:?} {:?} {:?}", fault, result, log);
                    } else {
                        let left = names(&destination);
                        // It had none yet, or its names are being changed, and both are there.
                        let swapping = left.contains(&"new-copy".to_owned()) && left.contains(&"old-copy".to_owned());
                        prop_assert!(swapping || !left.contains(&"old-copy".to_owned()), "{:?}", left);
                    }
                    if let Err(error) = result {
                        prop_assert!((1..=5).contains(&error.exit()), "{}", error);
                        // What became visible is not passed over.
                        let is_told = matches!(error, SyncError::Settling { .. } | SyncError::After { .. });
                        prop_assert!(is_told || content(&destination, "copy") == before, "{:?} {}", fault, error);
                    }
                }
            }
        }
        let last = run(&Sync { rollback: true, ..want() }, &source, &destination, Fault::None).0;
        prop_assert!(last.is_ok(), "{:?}", last);
        prop_assert_eq!(content(&source, "data"), content(&destination, "copy"));
        let (here, there) = (names(&source), names(&destination));
        let written = there.iter().filter(|name| name.starts_with("written")).count();
        prop_assert!(here.len() <= 3 && there.len() - written <= 4, "{:?} {:?}", here, there);
    }
}

/// What a liar does in the place of an honest host: to the source's side, or to the destination's.
mod liars {
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::thread;
    use std::time::Duration;

    use extents::Bytes;
    use hyperlayer::Digest;
    use replicate::{
        Access, Begin, Data, Done, End, FrameReader, FrameWriter, Hello, Layer, Layers, Live, Message, Patience, Plan,
        Reached, Ready, SyncError, sync,
    };

    use crate::kit::{id, plan};
    use crate::model::{Told, want};

    /// What it does wrong.
    #[derive(Clone, Copy, PartialEq, Debug)]
    enum Lie {
        Nothing,
        Size,
        Endless,
        Offset,
        Digest,
        AckBeyond,
        DoneAtOnce,
        OtherLayer,
        Silent,
    }

    fn layer() -> Layer {
        Layer {
            name: "data-sync-1".parse().unwrap(),
            ids: vec![id("tuesday")],
            parent: None,
            created_seconds: None,
            size: Bytes::new(1 << 20),
            ours: true,
        }
    }

    fn stream_plan() -> Plan {
        Plan { parent: None, ..plan() }
    }

    /// Both servers, which keep to no session's rules: whatever is asked, they answer what the script has.
    fn server(stream: UnixStream, is_source: bool, lie: Lie) {
        let mut reader = FrameReader::new(stream.try_clone().unwrap());
        let mut writer = FrameWriter::new(stream);
        let content = Some(Digest([if is_source && lie == Lie::Digest { 8 } else { 7 }; 32]));
        let mut came = 0;
        let mut say = |message: &Message<'_>| writer.write(message).is_ok();
        say(&Message::Hello(Hello::new(Access::Both.abilities(), "liar", "h")));
        while let Ok(Some(message)) = reader.next_message() {
            let goes_on = match message {
                Message::List(list) => {
                    let live = (list.role == replicate::Role::Destination).then_some(Live::Missing);
                    let (layers, partial) = (Vec::new(), None);
                    lie == Lie::Silent && !is_source
                        || say(&Message::Layers(Layers { live, in_use: false, layers, complete: true, partial }))
                }
                Message::Snapshot(_) => say(&Message::Made(layer())),
                Message::Plan(_) => say(&Message::Planned(match lie {
                    Lie::OtherLayer => Plan { layer: id("wednesday"), ..stream_plan() },
                    _ => stream_plan(),
                })),
                Message::Receive(_) => say(&Message::Ready(Ready { resume: None })),
                Message::Send(send) => {
                    let mut plan = stream_plan();
                    if lie == Lie::Size {
                        plan.volume_size = Bytes::new(1 << 30);
                    }
                    let total = plan.stream.get();
                    say(&Message::Begin(Begin { plan, resumes_at: Bytes::ZERO, verify: send.verify }));
                    let mut at = 0;
                    while at < total || (lie == Lie::Endless && at < 100 << 20) {
                        let len = if lie == Lie::Endless { 1000 } else { (total - at).min(1000) };
                        let bytes = vec![5; usize::try_from(len).unwrap()];
                        let skip = u64::from(lie == Lie::Offset && at > 5000);
                        if !say(&Message::Data(Data { at: Bytes::new(at + skip), bytes: &bytes })) {
                            return;
                        }
                        at += len;
                    }
                    say(&Message::End(End { content }))
                }
                Message::Begin(_) if lie == Lie::DoneAtOnce => {
                    say(&Message::Done(Done { layer: id("tuesday"), content }))
                }
                Message::Data(data) => {
                    came += data.bytes.len() as u64;
                    lie != Lie::AckBeyond || say(&Message::Durable(Bytes::new(came + 1)))
                }
                Message::End(_) => {
                    say(&Message::Durable(Bytes::new(came)))
                        && say(&Message::Done(Done { layer: id("tuesday"), content }))
                }
                Message::Settle(settle) => {
                    say(&Message::Settled(replicate::Settled { layer: settle.layer, kept: None }))
                }
                Message::Prune(_) => say(&Message::Pruned(replicate::Pruned { removed: Vec::new(), kept: 1 })),
                Message::Ping(number) => lie == Lie::Silent || say(&Message::Pong(number)),
                Message::Bye | Message::Refusal(_) => return,
                _ => true,
            };
            if !goes_on {
                return;
            }
        }
    }

    fn run(lie: Lie) -> Result<(), SyncError> {
        let told = Told::default();
        let patience = Patience { ping_after_waits: 10, gone_after_waits: 300 };
        thread::scope(|scope| {
            let mut reached = [true, false].map(|is_source| {
                let (near, far) = UnixStream::pair().unwrap();
                near.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
                scope.spawn(move || server(far, is_source, lie));
                let input: Box<dyn Read + Send> = Box::new(near.try_clone().unwrap());
                Some(Reached { input, output: Box::new(near), zstd_level: None, patience, hang_up: &|| {} })
            });
            let (source, destination) = (reached[0].take().unwrap(), reached[1].take().unwrap());
            sync(&want(), source, destination, "test", &told).map(drop)
        })
    }

    #[test]
    fn nobody_believes_them() {
        run(Lie::Nothing).unwrap();
        for (lie, says) in [
            (Lie::Size, "volume_size_bytes"),
            (Lie::Endless, "of a stream of 70000 bytes"),
            (Lie::Offset, "expected 6000"),
            (Lie::Digest, "is not what was sent"),
            (Lie::AckBeyond, "were acknowledged, and only"),
            (Lie::DoneAtOnce, "out of turn"),
            (Lie::OtherLayer, "another layer"),
            (Lie::Silent, "is silent"),
        ] {
            let error = run(lie).expect_err("a lie");
            let text = lvm_cmd::with_causes(&error);
            assert!(text.contains(says), "{lie:?}: {text}");
        }
    }
}
