//! What each rule of the session is for: one side lies, and the lie has a name.

use extents::{Bytes, Chunks};
use replicate::{
    Ability, Begin, Compare, Hashes, Hello, Kind, Layer, Layers, Live, Message, Offer, Plan, Ready, Role, Selected,
    Send, Session, Settled, Side, Snapshot, Verify, Violation, agreed,
};

use crate::kit::{
    begin, bytes, data, digest, done, end, hello, id, list, made, offer, one_of_each, plan, refusal, selected, send,
    server_hello, token,
};

use Side::{Client, Server};

type Script = Vec<(Side, Message<'static>)>;

fn greeting() -> Script {
    vec![(Client, Message::Hello(hello(&[]))), (Server, server_hello())]
}

fn ready(at: Option<u64>) -> Message<'static> {
    Message::Ready(Ready { resume: at.map(token) })
}

/// A push up to its stream's beginning.
fn pushed() -> Script {
    let steps = [(Client, Message::Receive(offer())), (Server, ready(None)), (Client, Message::Begin(begin()))];
    [greeting(), steps.to_vec()].concat()
}

/// A pull likewise.
fn pulled() -> Script {
    [greeting(), vec![(Client, send(None)), (Server, Message::Begin(begin()))]].concat()
}

/// Then all of the stream, durable in two steps.
fn sent(mut script: Script, sender: Side) -> Script {
    let receiver = sender.other();
    script.extend([
        (sender, data(0, 40_000)),
        (receiver, Message::Durable(bytes(30_000))),
        (sender, data(40_000, 30_000)),
        (sender, end(digest(1))),
        (receiver, Message::Durable(bytes(70_000))),
    ]);
    script
}

fn run(script: &Script) -> Result<Session, Violation> {
    let mut session = Session::default();
    for (from, message) in script {
        session.step(*from, message)?;
    }
    Ok(session)
}

/// The script is right up to its last step, which breaks this rule; and after it nothing goes.
#[expect(clippy::needless_pass_by_value, reason = "a script is made where it is used")]
fn refused(script: Script, lie: (Side, Message<'static>)) -> Violation {
    let mut session = run(&script).unwrap_or_else(|error| panic!("{script:?}: {error}"));
    let violation = session.step(lie.0, &lie.1).expect_err("a lie");
    for (from, message) in [(Client, refusal()), (Client, Message::Bye), (Server, Message::Ping(1)), lie] {
        assert!(
            matches!(session.step(from, &message), Err(Violation::OutOfTurn { .. })),
            "{message:?} after {violation}"
        );
    }
    assert!(matches!(session.end(), Err(Violation::Ended { .. })));
    violation
}

#[test]
fn honest_sessions() {
    let again = || vec![(Client, list(Role::Source)), (Server, layers(None)), (Client, Message::Bye)];
    for (script, sender) in [(pushed(), Client), (pulled(), Server)] {
        let receiver = sender.other();
        let last = vec![(receiver, Message::Verified(bytes(65536))), (receiver, done(digest(1)))];
        let session = run(&[sent(script.clone(), sender), last, again()].concat()).unwrap();
        assert_eq!(session.end(), Ok(()));
        // Pings go at any time, both ways at once.
        let mut pinged = Script::new();
        for (n, step) in sent(script, sender).into_iter().enumerate() {
            pinged.push(step);
            if n > 0 {
                let n = n as u64;
                pinged.extend([(Client, Message::Ping(n)), (Server, Message::Ping(n + 1))]);
                pinged.extend([(Client, Message::Pong(n + 1)), (Server, Message::Pong(n))]);
            }
        }
        run(&pinged).unwrap();
    }
    // A refusal in answer to a request ends that only.
    let refused = [greeting(), vec![(Client, Message::Receive(offer())), (Server, refusal())], again()].concat();
    assert_eq!(run(&refused).unwrap().end(), Ok(()));
    // A hello may cross the other, and a refusal may come instead of it.
    let crossed: Script = greeting().into_iter().rev().collect();
    run(&[crossed, again()].concat()).unwrap();
    assert_eq!(run(&vec![(Server, refusal())]).unwrap().end(), Ok(()));
}

#[test]
fn a_rest_is_sent_where_it_was_asked_for() {
    let rest = || {
        let plan = Plan { data: bytes(512), zero: Bytes::ZERO, chunks: Chunks::new(1), stream: bytes(900), ..plan() };
        Begin { plan, resumes_at: bytes(65536), ..begin() }
    };
    let push = || [greeting(), vec![(Client, Message::Receive(offer())), (Server, ready(Some(65536)))]].concat();
    let pull = || [greeting(), vec![(Client, send(Some(token(65536))))]].concat();
    for (script, sender) in [(push(), Client), (pull(), Server)] {
        // The rest, or anew: the sender knows whether the token still fits.
        for begin in [rest(), begin()] {
            run(&[script.clone(), vec![(sender, Message::Begin(begin))]].concat()).unwrap();
        }
        let elsewhere = Begin { resumes_at: bytes(131_072), ..rest() };
        let expected = Some(bytes(65536));
        let violation = refused(script, (sender, Message::Begin(elsewhere)));
        assert_eq!(violation, Violation::Resume { expected, found: bytes(131_072) });
    }
    let more = Begin { plan: Plan { zero: bytes(131_072), ..rest().plan }, ..rest() };
    let violation = refused(push(), (Client, Message::Begin(more)));
    assert_eq!(violation, Violation::Plan { field: "zero_bytes", expected: 65536, found: 131_072 });
    // Nobody asked for a rest.
    let violation = refused(pulled()[..3].to_vec(), (Server, Message::Begin(rest())));
    assert_eq!(violation, Violation::Resume { expected: None, found: bytes(65536) });
}

#[test]
fn tokens_for_something_else() {
    let asked = || [greeting(), vec![(Client, Message::Receive(offer()))]].concat();
    let tried = || [greeting(), vec![(Client, Message::Try(offer()))]].concat();
    let answer = |token| Message::Ready(Ready { resume: Some(token) });
    for script in [asked, tried] {
        let mut other = token(512);
        other.layer = id("wednesday");
        assert!(matches!(refused(script(), (Server, answer(other))), Violation::OtherLayer(_)));
        let mut other = token(512);
        other.parent = None;
        assert!(matches!(refused(script(), (Server, answer(other))), Violation::OtherLayer(_)));
        let mut other = token(512);
        other.size = bytes(1 << 21);
        assert!(matches!(refused(script(), (Server, answer(other))), Violation::Resume { .. }));
        for at in [511, (1 << 20) + 512] {
            assert!(matches!(refused(script(), (Server, answer(token(at)))), Violation::Resume { .. }), "{at}");
        }
        run(&[script(), vec![(Server, answer(token(1 << 20)))]].concat()).unwrap();
    }
}

fn layers(live: Option<Live>) -> Message<'static> {
    Message::Layers(Layers { live, in_use: false, layers: Vec::new(), complete: true, partial: None })
}

#[test]
fn answers_to_other_questions() {
    let asked = |request| [greeting(), vec![(Client, request)]].concat();
    let other = Plan { layer: id("wednesday"), ..plan() };
    let on_other = Plan { parent: None, ..plan() };
    let is_other = |violation| matches!(violation, Violation::OtherLayer(_));
    for wrong in [other, on_other] {
        assert!(is_other(refused(asked(Message::Plan(selected())), (Server, Message::Planned(wrong.clone())))));
        let begin = || Message::Begin(Begin { plan: wrong.clone(), ..begin() });
        assert!(is_other(refused(asked(send(None)), (Server, begin()))));
        assert!(is_other(refused(pushed()[..4].to_vec(), (Client, begin()))));
    }
    run(&[asked(Message::Plan(selected())), vec![(Server, Message::Planned(plan()))]].concat()).unwrap();
    for (role, live) in [(Role::Source, Some(Live::Missing)), (Role::Destination, None)] {
        assert_eq!(refused(asked(list(role)), (Server, layers(live))), Violation::Live { role });
    }
    run(&[asked(list(Role::Destination)), vec![(Server, layers(Some(Live::Missing)))]].concat()).unwrap();
    let verify = Message::Begin(Begin { verify: Verify::None, ..begin() });
    assert_eq!(refused(asked(send(None)), (Server, verify)), Violation::Verify);

    let volume = || "vg0/data".parse().unwrap();
    let compare = || Compare {
        volume: volume(),
        pair: "p".parse().unwrap(),
        role: Role::Source,
        layer: id("tuesday"),
        start: bytes(4096),
        len: bytes(4608),
        block: bytes(4096),
    };
    let hashes = |at, count| Message::Hashes(Hashes { at: bytes(at), hashes: vec![[0; 32]; count].leak() });
    for (at, count) in [(4096, 1), (4096, 3), (0, 2)] {
        let violation = refused(asked(Message::Compare(compare())), (Server, hashes(at, count)));
        assert!(matches!(violation, Violation::Hashes { expected_count: 2, .. }), "{violation}");
    }
    run(&[asked(Message::Compare(compare())), vec![(Server, hashes(4096, 2))]].concat()).unwrap();
}

#[test]
fn layers_that_were_not_asked_for() {
    let of_kind = |kind| one_of_each().into_iter().find(|message| message.kind() == kind).unwrap();
    let asked = |request| [greeting(), vec![(Client, request)]].concat();
    let answered = |request, answer| run(&[asked(request), vec![(Server, answer)]].concat()).map(drop);
    let Message::Snapshot(snapshot) = of_kind(Kind::Snapshot) else { panic!("a snapshot") };
    for temporary in [false, true] {
        let request = || Message::Snapshot(Snapshot { temporary, ..snapshot.clone() });
        // Whether it stays, its tag says.
        answered(request(), Message::Made(made("a", !temporary))).unwrap();
        let violation = refused(asked(request()), (Server, Message::Made(made("a", temporary))));
        assert!(matches!(violation, Violation::Made { .. }), "{violation}");
    }
    let adopted = || Layer { ids: vec![id("own"), id("monday")], ..made("copy-old", true) };
    let adopt = || of_kind(Kind::Adopt);
    answered(adopt(), Message::Made(adopted())).unwrap();
    for wrong in [
        Layer { name: "copy-new".parse().unwrap(), ..adopted() },
        Layer { ids: vec![id("own")], ..adopted() },
        Layer { ours: false, ..adopted() },
    ] {
        let violation = refused(asked(adopt()), (Server, Message::Made(wrong)));
        assert!(matches!(violation, Violation::Made { .. }), "{violation}");
    }
    let settled = |layer| Message::Settled(Settled { layer: id(layer), kept: None });
    answered(of_kind(Kind::Settle), settled("tuesday")).unwrap();
    let violation = refused(asked(of_kind(Kind::Settle)), (Server, settled("monday")));
    assert!(matches!(violation, Violation::OtherLayer(_)), "{violation}");
    for (request, answer) in [(Kind::Differ, Kind::Noted), (Kind::Prune, Kind::Pruned)] {
        answered(of_kind(request), of_kind(answer)).unwrap();
        let violation = refused(asked(of_kind(request)), (Server, settled("tuesday")));
        assert!(matches!(violation, Violation::OutOfTurn { .. }), "{violation}");
    }
    // A source has nothing half received.
    let partial = Layers { live: None, in_use: false, layers: Vec::new(), complete: true, partial: Some(token(512)) };
    let violation = refused(asked(list(Role::Source)), (Server, Message::Layers(partial)));
    assert_eq!(violation, Violation::Live { role: Role::Source });
}

#[test]
fn another_stream_than_was_offered() {
    let begins = |change: &dyn Fn(&mut Plan)| {
        let mut begin = begin();
        change(&mut begin.plan);
        refused(pushed()[..4].to_vec(), (Client, Message::Begin(begin)))
    };
    let chunk = extents::ChunkSize::from_bytes(bytes(131_072)).unwrap();
    for (field, violation) in [
        ("volume_size_bytes", begins(&|plan| plan.volume_size = bytes(1 << 21))),
        ("chunk_size_bytes", begins(&|plan| plan.chunk_size = chunk)),
        ("stream_bytes", begins(&|plan| plan.stream = bytes(70_001))),
        ("data_bytes", begins(&|plan| plan.data = bytes(65024))),
        ("zero_bytes", begins(&|plan| plan.zero = bytes(0))),
        ("chunks", begins(&|plan| plan.chunks = Chunks::new(3))),
    ] {
        assert!(matches!(violation, Violation::Plan { field: found, .. } if found == field), "{field}: {violation}");
    }
}

/// All of these both ways: whoever sends may be the client or the server.
#[test]
fn wrong_streams_and_acknowledgements() {
    for (script, sender) in [(pushed(), Client), (pulled(), Server)] {
        let receiver = sender.other();
        let half = || [script.clone(), vec![(sender, data(0, 40_000))]].concat();
        let whole = || sent(script.clone(), sender);
        let durable = |count| (receiver, Message::Durable(bytes(count)));
        let verified = |count| (receiver, Message::Verified(bytes(count)));
        let is_over = |violation: &Violation, kind: Kind, side: Side| matches!(violation, Violation::OutOfTurn { kind: k, from, .. } if (*k, *from) == (kind, side));

        for at in [0, 39_999, 40_001, u64::MAX] {
            let violation = refused(half(), (sender, data(at, 1)));
            assert_eq!(violation, Violation::Offset { expected: bytes(40_000), found: bytes(at) });
        }
        let violation = refused(half(), (sender, data(40_000, 30_001)));
        assert_eq!(violation, Violation::TooMuch { stream: bytes(70_000), found: bytes(70_001) });
        let violation = refused(half(), (sender, end(digest(1))));
        assert_eq!(violation, Violation::TooLittle { stream: bytes(70_000), found: bytes(40_000) });
        let unended = whole()[..whole().len() - 2].to_vec();
        let violation = refused(unended, (sender, end(None)));
        assert_eq!(violation, Violation::EndDigest { expected: true, found: None });
        assert!(is_over(&refused(whole(), (sender, data(70_000, 1))), Kind::Data, sender));
        assert!(is_over(&refused(whole(), (sender, end(digest(1)))), Kind::End, sender));

        for found in [40_001, u64::MAX] {
            let violation = refused(half(), durable(found));
            assert_eq!(violation, Violation::AckBeyond { sent: bytes(40_000), found: bytes(found) });
        }
        let some = || [half(), vec![durable(30_000)]].concat();
        for found in [0, 29_999, 30_000] {
            let violation = refused(some(), durable(found));
            assert_eq!(violation, Violation::AckAgain { last: bytes(30_000), found: bytes(found) });
        }
        assert!(is_over(&refused(half(), verified(1)), Kind::Verified, receiver));
        assert!(matches!(refused(whole(), verified(65537)), Violation::AckBeyond { .. }));
        assert!(matches!(refused(whole(), verified(0)), Violation::AckAgain { .. }));

        assert!(is_over(&refused(half(), (receiver, done(digest(1)))), Kind::Done, receiver));
        let undurable = whole()[..whole().len() - 1].to_vec();
        let violation = refused(undurable, (receiver, done(digest(1))));
        assert_eq!(violation, Violation::NotDurable { stream: bytes(70_000), durable: bytes(30_000) });
        for found in [digest(2), None] {
            let violation = refused(whole(), (receiver, done(found)));
            assert_eq!(violation, Violation::ReadBack { expected: digest(1), found });
        }
        let other = Message::Done(replicate::Done { layer: id("monday"), content: digest(1) });
        assert!(matches!(refused(whole(), (receiver, other)), Violation::OtherLayer(_)));

        // Each says only what is its own to say.
        assert!(is_over(&refused(half(), (receiver, data(40_000, 1))), Kind::Data, receiver));
        assert!(is_over(&refused(half(), (sender, Message::Durable(bytes(1)))), Kind::Durable, sender));
        assert!(is_over(&refused(whole(), (sender, done(digest(1)))), Kind::Done, sender));
        assert!(is_over(&refused(half(), (Client, list(Role::Source))), Kind::List, Client));
        assert!(is_over(&refused(half(), (sender, Message::Begin(begin()))), Kind::Begin, sender));
    }
}

#[test]
fn nothing_is_verified_that_was_not_to_be() {
    let unverified = || Begin { verify: Verify::None, ..begin() };
    let mut script = pushed();
    script.pop();
    script.extend([(Client, Message::Begin(unverified())), (Client, data(0, 70_000))]);
    let violation = refused(script.clone(), (Client, end(digest(1))));
    assert_eq!(violation, Violation::EndDigest { expected: false, found: digest(1) });
    script.extend([(Client, end(None)), (Server, Message::Durable(bytes(70_000)))]);
    assert!(matches!(refused(script.clone(), (Server, Message::Verified(bytes(1)))), Violation::OutOfTurn { .. }));
    let violation = refused(script.clone(), (Server, done(digest(1))));
    assert_eq!(violation, Violation::ReadBack { expected: None, found: digest(1) });
    script.push((Server, done(None)));
    run(&script).unwrap();
}

#[test]
fn pings() {
    let ping = |from| (from, Message::Ping(5));
    for from in [Client, Server] {
        let pinged = [greeting(), vec![ping(from)]].concat();
        assert_eq!(refused(pinged.clone(), ping(from)), Violation::PingTwice { from });
        let other = from.other();
        let violation = refused(pinged.clone(), (other, Message::Pong(6)));
        assert_eq!(violation, Violation::Pong { from: other, expected: Some(5), found: 6 });
        // Nobody answers himself.
        let violation = refused(pinged.clone(), (from, Message::Pong(5)));
        assert_eq!(violation, Violation::Pong { from, expected: None, found: 5 });
        let violation = refused(greeting(), (from, Message::Pong(5)));
        assert_eq!(violation, Violation::Pong { from, expected: None, found: 5 });
        let answered = [pinged, vec![(other, Message::Pong(5))]].concat();
        assert!(matches!(refused(answered, (other, Message::Pong(5))), Violation::Pong { expected: None, .. }));
    }
}

#[test]
fn a_session_begins_with_two_hellos_that_agree() {
    let once = || greeting()[..1].to_vec();
    assert!(matches!(refused(once(), (Client, Message::Hello(hello(&[])))), Violation::OutOfTurn { .. }));
    assert!(matches!(refused(once(), (Client, list(Role::Source))), Violation::OutOfTurn { .. }));
    assert!(matches!(refused(once(), (Client, Message::Ping(1))), Violation::OutOfTurn { .. }));
    assert!(matches!(refused(greeting(), (Server, server_hello())), Violation::OutOfTurn { .. }));
    let of = |oldest, newest| Hello { oldest, newest, ..hello(&[]) };
    for (client, server, version) in [
        ((1, 1), (1, 1), Some(1)),
        ((1, 3), (2, 5), Some(3)),
        ((2, 5), (1, 3), Some(3)),
        ((1, 9), (4, 5), Some(5)),
        ((1, 1), (2, 3), None),
        ((4, 4), (2, 3), None),
    ] {
        let (client, server) = (of(client.0, client.1), of(server.0, server.1));
        assert_eq!(agreed(&client, &server).ok(), version, "{client:?} {server:?}");
        if version.is_none() {
            let script = vec![(Client, Message::Hello(client))];
            assert!(matches!(refused(script, (Server, Message::Hello(server))), Violation::Versions { .. }));
        }
    }
}

#[test]
fn a_server_is_asked_for_what_it_can() {
    let of_kind = |kind| one_of_each().into_iter().find(|message| message.kind() == kind).unwrap();
    let requests = [
        (Message::Plan(selected()), Ability::Send),
        (send(None), Ability::Send),
        (of_kind(Kind::Differ), Ability::Send),
        (Message::Try(offer()), Ability::Receive),
        (Message::Receive(offer()), Ability::Receive),
        (of_kind(Kind::Settle), Ability::Receive),
        (of_kind(Kind::Compare), Ability::Compare),
        (of_kind(Kind::Snapshot), Ability::Snapshot),
        (of_kind(Kind::Adopt), Ability::Adopt),
        (of_kind(Kind::Prune), Ability::Prune),
    ];
    for (request, needs) in requests {
        for can in replicate::Access::Both.abilities() {
            let greeting = vec![(Client, Message::Hello(hello(&[]))), (Server, Message::Hello(hello(&[can])))];
            if can == needs {
                run(&[greeting, vec![(Client, request.clone())]].concat()).unwrap();
            } else {
                let violation = refused(greeting, (Client, request.clone()));
                assert_eq!(violation, Violation::NotAble { kind: request.kind(), ability: needs.name() });
            }
        }
    }
}

#[test]
fn requests_and_answers_take_turns() {
    let asked = || [greeting(), vec![(Client, list(Role::Source))]].concat();
    for lie in [
        (Client, list(Role::Source)),
        (Client, layers(None)),
        (Client, Message::Bye),
        (Server, Message::Planned(plan())),
        (Server, ready(None)),
        (Server, data(0, 1)),
        (Server, Message::Bye),
    ] {
        assert!(matches!(refused(asked(), lie), Violation::OutOfTurn { .. }));
    }
    for lie in
        [(Server, layers(None)), (Client, data(0, 1)), (Server, list(Role::Source)), (Client, Message::Begin(begin()))]
    {
        assert!(matches!(refused(greeting(), lie), Violation::OutOfTurn { .. }));
    }
    // Only the server's refusal is an answer.
    let session = run(&[asked(), vec![(Client, refusal())]].concat()).unwrap();
    assert_eq!(session.end(), Ok(()));
    assert!(
        session.clone().step(Server, &layers(None)).is_err() && session.clone().step(Client, &Message::Bye).is_err()
    );
    // Who offered must begin; a server does not begin in its place.
    let awaited = pushed()[..4].to_vec();
    for lie in [(Server, Message::Begin(begin())), (Client, list(Role::Source)), (Server, ready(None))] {
        assert!(matches!(refused(awaited.clone(), lie), Violation::OutOfTurn { .. }));
    }
}

/// A connection that ends between two frames is whole to the reader of frames.
#[test]
fn an_end_too_early_is_seen() {
    let script = [sent(pushed(), Client), vec![(Server, done(digest(1))), (Client, Message::Bye)]].concat();
    for len in 0..script.len() {
        let session = run(&script[..len].to_vec()).unwrap();
        assert!(matches!(session.end(), Err(Violation::Ended { .. })), "after {len} messages");
    }
    assert_eq!(run(&script).unwrap().end(), Ok(()));
    // A refusal within a transfer is the last word.
    let mut session = run(&[pushed(), vec![(Client, data(0, 9)), (Server, refusal())]].concat()).unwrap();
    assert_eq!(session.end(), Ok(()));
    assert!(matches!(session.step(Client, &data(9, 1)), Err(Violation::OutOfTurn { .. })));
}

#[test]
fn progress_is_what_is_durable_and_what_was_sent() {
    assert_eq!(run(&greeting()).unwrap().progress(), None);
    let session =
        run(&[pulled(), vec![(Server, data(0, 900)), (Client, Message::Durable(bytes(512)))]].concat()).unwrap();
    assert_eq!(session.progress(), Some((bytes(512), bytes(900))));
}

#[test]
fn what_is_asked_for_names_its_layer() {
    // A full layer has no parent, and says so.
    let full = Selected { parent: None, ..selected() };
    let script =
        [greeting(), vec![(Client, Message::Send(Send { selected: full, resume: None, verify: Verify::Full }))]];
    assert!(matches!(refused(script.concat(), (Server, Message::Begin(begin()))), Violation::OtherLayer(_)));
    let offer = Offer { plan: Plan { parent: None, ..plan() }, ..offer() };
    let script = [greeting(), vec![(Client, Message::Receive(offer)), (Server, ready(None))]];
    assert!(matches!(refused(script.concat(), (Client, Message::Begin(begin()))), Violation::OtherLayer(_)));
}
