//! Random walks: whatever the rules let pass, what counts holds; and who keeps to them always comes to an end.

use extents::Bytes;
use proptest::prelude::*;
use replicate::limits::MAX_DATA_BYTES;
use replicate::{Begin, Message, Plan, Ready, Role, Session, Side, Verify};

use crate::kit::{
    any_message, begin, bytes, data, digest, done, end, hello, list, offer, one_of_each, plan, send, server_hello,
};

/// What the walk says next, out of what mostly fits.
fn step() -> impl Strategy<Value = (Side, Message<'static>)> {
    let side = prop_oneof![Just(Side::Client), Just(Side::Server)];
    let message = prop_oneof![
        4 => any::<proptest::sample::Index>().prop_map(|n| n.get(&one_of_each()).clone()),
        4 => (0..4_u64, 1..4_usize).prop_map(|(at, len)| data(at * 17_500, len * 17_500)),
        4 => (0..5_u64).prop_map(|count| Message::Durable(bytes(count * 17_500))),
        2 => Just(end(digest(1))),
        2 => Just(done(digest(1))),
        1 => Just(send(None)),
        1 => Just(Message::Receive(offer())),
        1 => Just(Message::Ready(Ready { resume: None })),
        2 => Just(Message::Begin(begin())),
        1 => any_message(),
    ];
    (side, message)
}

/// What was said of one transfer, counted without the session's help.
#[derive(Default)]
struct Told {
    sender: Option<(Side, Begin)>,
    sent: u64,
    durable: u64,
    end: Option<Option<hyperlayer::Digest>>,
}

impl Told {
    fn hear(&mut self, from: Side, message: &Message<'_>) {
        match message {
            Message::Begin(begin) => *self = Self { sender: Some((from, begin.clone())), ..Self::default() },
            Message::Data(data) => {
                assert_eq!(data.at, bytes(self.sent));
                self.sent += data.bytes.len() as u64;
            }
            Message::Durable(count) => {
                assert!(count.get() <= self.sent && count.get() > self.durable);
                self.durable = count.get();
            }
            Message::End(end) => assert!(self.end.replace(end.content).is_none(), "two ends"),
            Message::Done(done) => {
                let (sender, begin) = self.sender.take().expect("a beginning before");
                assert_eq!(from, sender.other());
                assert_eq!(begin.plan.layer, done.layer);
                assert_eq!(begin.plan.stream, bytes(self.sent));
                assert_eq!(begin.plan.stream, bytes(self.durable));
                assert_eq!(self.end.take(), Some(done.content));
                assert_eq!(done.content.is_some(), begin.verify != Verify::None);
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn whatever_passes_is_right(steps in proptest::collection::vec(step(), 0..200)) {
        let mut session = Session::default();
        let mut told = Told::default();
        session.step(Side::Client, &Message::Hello(hello(&[]))).unwrap();
        session.step(Side::Server, &server_hello()).unwrap();
        for (from, message) in steps {
            // Only what passes counts: what does not would end the session.
            let mut next = session.clone();
            if matches!(message, Message::Bye | Message::Refusal(_)) || next.step(from, &message).is_err() {
                continue;
            }
            session = next;
            told.hear(from, &message);
            if let Some((durable, sent)) = session.progress() {
                prop_assert_eq!((durable, sent), (bytes(told.durable), bytes(told.sent)));
            }
        }
    }

    #[test]
    fn who_keeps_to_the_rules_comes_to_an_end(len in 1..2_000_000_u64, piece in 1..=MAX_DATA_BYTES, push in any::<bool>()) {
        let plan = Plan { stream: bytes(65536 + len), ..plan() };
        let begin = Message::Begin(Begin { plan: plan.clone(), ..begin() });
        let (mut session, mut steps) = (Session::default(), 0_u64);
        let mut say = |from, message: &Message<'_>| {
            steps += 1;
            session.step(from, message).unwrap();
            session.clone()
        };
        say(Side::Client, &Message::Hello(hello(&[])));
        say(Side::Server, &server_hello());
        let sender = if push {
            say(Side::Client, &Message::Receive(replicate::Offer { plan: plan.clone(), ..offer() }));
            say(Side::Server, &Message::Ready(Ready { resume: None }));
            Side::Client
        } else {
            say(Side::Client, &send(None));
            Side::Server
        };
        say(sender, &begin);
        let mut at = 0;
        while at < plan.stream.get() {
            let len = (plan.stream.get() - at).min(piece.max(5000) as u64);
            let bytes_of = vec![0; usize::try_from(len).unwrap()];
            say(sender, &Message::Data(replicate::Data { at: bytes(at), bytes: &bytes_of }));
            at += len;
        }
        say(sender, &end(digest(3)));
        say(sender.other(), &Message::Durable(plan.stream));
        say(sender.other(), &done(digest(3)));
        say(Side::Client, &list(Role::Source));
        let session = say(Side::Server, &Message::Layers(replicate::Layers {
            live: None, in_use: false, layers: Vec::new(), complete: true, partial: None,
        }));
        prop_assert_eq!(session.progress(), None::<(Bytes, Bytes)>);
    }
}
