//! Two programs, two threads, two pipes; and a connection that is cut, altered or held up anywhere.

use std::io::{PipeReader, PipeWriter, Read, pipe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{sync, thread};

use extents::Bytes;
use hyperlayer::Digest;
use proptest::prelude::*;
use replicate::limits::MAX_DATA_BYTES;
use replicate::{
    Ability, Data, Done, End, FrameReader, FrameWriter, Incoming, LinkError, Message, Offer, Outgoing, Packed, Plan,
    ReadBack, Ready, Refusal, RefusalKind, Side, Verify, Violation, connect,
};

use crate::kit::{begin, bytes, hello, offer, plan, server_hello};

/// A connection's way to the receiver or the sender, with at most one fault.
struct Faulty<R> {
    input: R,
    at: usize,
    fault: Fault,
    count: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Fault {
    None,
    /// Ends after so many bytes.
    Cut(usize),
    /// One bit of that byte is wrong.
    Flip(usize, u8),
    /// So many bytes at a time.
    Trickle(usize),
}

impl<R: Read> Read for Faulty<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = match self.fault {
            Fault::Cut(len) => len.saturating_sub(self.at),
            Fault::Trickle(len) => len,
            _ => buffer.len(),
        };
        let most = most.min(buffer.len());
        let count = self.input.read(&mut buffer[..most])?;
        if let Fault::Flip(at, bit) = self.fault
            && let Some(byte) = at.checked_sub(self.at).and_then(|at| buffer[..count].get_mut(at))
        {
            *byte ^= 1 << (bit % 8);
        }
        self.at += count;
        self.count.store(self.at, Relaxed);
        Ok(count)
    }
}

type Way = (Incoming<Faulty<PipeReader>>, Outgoing<PipeWriter>);

/// The stream: 70 000 bytes that differ.
fn stream() -> Vec<u8> {
    (0..70_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect()
}

fn digest_of(stream: &[u8]) -> Option<Digest> {
    let mut read = ReadBack::new(Verify::Full);
    let _ = read.begin(extents::Extent::whole(bytes(stream.len() as u64)).unwrap());
    read.update(stream);
    read.finish()
}

/// Pushes the stream; whether the server says that it is done.
fn client((mut incoming, mut outgoing): Way) -> Result<bool, LinkError> {
    outgoing.send(&Message::Hello(hello(&[])))?;
    let offer = Offer { plan: plan(), ..offer() };
    // The server's hello first: only then is it known what it can.
    if !matches!(incoming.receive()?, Some(Message::Hello(_))) {
        return Ok(false);
    }
    outgoing.send(&Message::Receive(offer))?;
    if !matches!(incoming.receive()?, Some(Message::Ready(_))) {
        return Ok(false);
    }
    thread::scope(|scope| {
        let writer = scope.spawn(move || {
            outgoing.send(&Message::Begin(begin()))?;
            let stream = stream();
            for (n, piece) in stream.chunks(9999).enumerate() {
                outgoing.send(&Message::Data(replicate::Data { at: bytes(n as u64 * 9999), bytes: piece }))?;
            }
            outgoing.send(&Message::End(End { content: digest_of(&stream) }))?;
            Ok::<_, LinkError>(outgoing)
        });
        let mut result = Ok(false);
        loop {
            match incoming.receive() {
                Ok(Some(Message::Done(_))) => result = Ok(true),
                Ok(Some(_)) => continue,
                Ok(None) => {}
                Err(error) => result = Err(error),
            }
            break;
        }
        // Nobody reads any more: whoever writes is told.
        drop(incoming);
        let mut outgoing = writer.join().unwrap()?;
        if matches!(result, Ok(true)) {
            outgoing.send(&Message::Bye)?;
        }
        result
    })
}

/// What the server kept of a layer that it called done; `None` where it did not.
fn server((mut incoming, mut outgoing): Way) -> Result<Option<Vec<u8>>, LinkError> {
    outgoing.send(&server_hello())?;
    let (mut kept, mut is_done) = (Vec::new(), false);
    while let Some(message) = incoming.receive()? {
        match message {
            Message::Receive(_) => outgoing.send(&Message::Ready(Ready { resume: None }))?,
            Message::Data(data) => {
                kept.extend(data.bytes);
                outgoing.send(&Message::Durable(bytes(kept.len() as u64)))?;
            }
            Message::End(end) => {
                if digest_of(&kept) != end.content {
                    return Ok(None);
                }
                outgoing.send(&Message::Verified(bytes(65536)))?;
                let Plan { layer, .. } = plan();
                outgoing.send(&Message::Done(Done { layer, content: digest_of(&kept) }))?;
                is_done = true;
            }
            _ => {}
        }
    }
    Ok(is_done.then_some(kept))
}

/// How both ended.
struct Ended {
    near: Result<bool, LinkError>,
    far: Result<Option<Vec<u8>>, LinkError>,
    /// How many bytes each of them read: the server, the client.
    read: (usize, usize),
}

fn session(to_server: Fault, to_client: Fault) -> Ended {
    let ((from_client, into_server), (from_server, into_client)) = (pipe().unwrap(), pipe().unwrap());
    let counts = (Arc::default(), Arc::default());
    let faulty = |input, fault, count: &Arc<_>| Faulty { input, at: 0, fault, count: Arc::clone(count) };
    let near = connect(Side::Client, faulty(from_server, to_client, &counts.1), into_server);
    let far = connect(Side::Server, faulty(from_client, to_server, &counts.0), into_client);
    thread::scope(|scope| {
        let far = scope.spawn(move || server(far));
        let near = client(near);
        let far = far.join().unwrap();
        Ended { near, far, read: (counts.0.load(Relaxed), counts.1.load(Relaxed)) }
    })
}

/// How much comes to the server and to the client where nothing happens.
fn whole() -> (usize, usize) {
    static WHOLE: sync::OnceLock<(usize, usize)> = sync::OnceLock::new();
    *WHOLE.get_or_init(|| session(Fault::None, Fault::None).read)
}

fn check(to_server: Fault, to_client: Fault) {
    let Ended { near, far, .. } = session(to_server, to_client);
    let told = format!("{to_server:?} {to_client:?}: {near:?} {:?}", far.as_ref().map(Option::is_some));
    let is_harmless = |fault, len| match fault {
        Fault::None | Fault::Trickle(_) => true,
        Fault::Cut(at) | Fault::Flip(at, _) => at >= len,
    };
    let (server_len, client_len) = whole();
    assert!(server_len > 70_000 && client_len > 300, "{server_len} {client_len}");
    match (is_harmless(to_server, server_len), is_harmless(to_client, client_len)) {
        (true, true) => assert!(matches!((&near, &far), (Ok(true), Ok(Some(kept))) if *kept == stream()), "{told}"),
        // What is damaged on its way leaves whoever reads it in doubt, and it says so.
        (true, false) => assert!(near.is_err(), "{told}"),
        // Only the client's good-bye, the last 16 bytes, changes nothing for the client.
        (false, _) => {
            assert!(far.is_err(), "{told}");
            assert!(near.is_err() || is_harmless(to_server, server_len - 16), "{told}");
        }
    }
}

/// What a liar that keeps to the session's rules up to here says next, heard by an honest reader.
fn heard(abilities: &[Ability], last: &Message<'_>) -> Result<(Bytes, Vec<u8>), LinkError> {
    let begin = [Message::Hello(hello(abilities)), Message::Receive(offer()), Message::Begin(begin())];
    let mut liar = FrameWriter::new(Vec::new());
    begin.iter().chain([last]).for_each(|message| liar.write(message).unwrap());
    let said = liar.into_inner();
    let (mut incoming, mut outgoing) = connect(Side::Server, said.as_slice(), Vec::new());
    outgoing.send(&server_hello()).unwrap();
    incoming.receive()?;
    incoming.receive()?;
    outgoing.send(&Message::Ready(Ready { resume: None })).unwrap();
    incoming.receive()?;
    let heard = incoming.receive().map(|message| match message {
        Some(Message::Data(data)) => (data.at, data.bytes.to_vec()),
        other => panic!("{other:?}"),
    });
    let refused = heard.is_err();
    assert_eq!(outgoing.send(&Message::Durable(bytes(1))).is_err(), refused, "nothing goes on after a lie");
    heard
}

#[test]
fn what_is_packed_is_heard_as_data() {
    let packed = |content: &[u8]| zstd::bulk::compress(content, 3).unwrap();
    let say = |bytes: &[u8]| heard(&[Ability::Zstd], &Message::Packed(Packed { at: Bytes::ZERO, bytes }));
    assert_eq!(say(&packed(&[7; 70_000])).unwrap(), (Bytes::ZERO, vec![7; 70_000]));
    let mut damaged = packed(&stream()[..5000]);
    let last = damaged.len() - 1;
    damaged.truncate(last);
    // A few bytes that unpack to more than any piece has; to nothing; to what is no zstd.
    for (what, bytes) in [
        ("a bomb", packed(&vec![0; MAX_DATA_BYTES + 1])),
        ("a greater bomb", packed(&vec![0; 100 << 20])),
        ("nothing", packed(&[])),
        ("noise", vec![0xa5; 300]),
        ("a cut", damaged),
    ] {
        let Err(LinkError::Received(violation)) = say(&bytes) else { panic!("{what}: went through") };
        assert!(matches!(violation, Violation::Packed { .. }), "{what}: {violation}");
    }
    // More than the stream has.
    let Err(LinkError::Received(Violation::TooMuch { .. })) = say(&packed(&[7; 70_001])) else { panic!("too much") };
    let bytes = packed(&[7; 70_000]);
    let unasked = heard(&[], &Message::Packed(Packed { at: Bytes::ZERO, bytes: &bytes }));
    assert!(matches!(unasked, Err(LinkError::Received(Violation::NotPacked))), "{unasked:?}");
}

#[test]
fn data_is_packed_where_both_can_and_it_is_shorter() {
    let written = |abilities: &[Ability], piece: &[u8]| {
        let hello = Message::Hello(hello(abilities));
        let mut said = FrameWriter::new(Vec::new());
        [server_hello(), Message::Ready(Ready { resume: None })]
            .iter()
            .for_each(|message| said.write(message).unwrap());
        let said = said.into_inner();
        let (mut incoming, mut outgoing) = connect(Side::Client, said.as_slice(), Vec::new());
        outgoing.pack(3).unwrap();
        outgoing.send(&hello).unwrap();
        incoming.receive().unwrap();
        outgoing.send(&Message::Receive(offer())).unwrap();
        incoming.receive().unwrap();
        outgoing.send(&Message::Begin(begin())).unwrap();
        outgoing.send(&Message::Data(Data { at: Bytes::ZERO, bytes: piece })).unwrap();
        outgoing.into_inner().len()
    };
    let mut noise = vec![0; 60_000];
    blake3::Hasher::new().finalize_xof().fill(&mut noise);
    let zeros = vec![0; 60_000];
    assert!(written(&[Ability::Zstd], &zeros) < 2_000);
    assert!(written(&[], &zeros) > 60_000);
    assert!(written(&[Ability::Zstd], &noise) < 62_000);
}

#[test]
fn undisturbed() {
    check(Fault::None, Fault::None);
    check(Fault::Trickle(1000), Fault::Trickle(1));
}

/// A liar keeps no rules; whoever hears it says so, and the liar can read it.
#[test]
fn who_is_lied_to_says_why_it_goes() {
    let ((from_client, into_server), (from_server, into_client)) = (pipe().unwrap(), pipe().unwrap());
    let (mut incoming, mut outgoing) = connect(Side::Server, from_client, into_client);
    let mut liar = FrameWriter::new(into_server);
    outgoing.send(&server_hello()).unwrap();
    for message in [Message::Hello(hello(&[])), Message::Durable(bytes(1))] {
        liar.write(&message).unwrap();
    }
    incoming.receive().unwrap();
    let Err(LinkError::Received(violation)) = incoming.receive() else { panic!("the lie went through") };
    // Nothing else can be said any more.
    assert!(matches!(outgoing.send(&Message::Ping(1)), Err(LinkError::Sending(_))));
    let refusal = Refusal::new(RefusalKind::Protocol, &violation.to_string(), 1);
    drop(outgoing.give_up(refusal.clone()).unwrap());
    let mut reader = FrameReader::new(from_server);
    reader.next_message().unwrap();
    assert_eq!(reader.next_message().unwrap(), Some(Message::Refusal(refusal)));
    assert_eq!(reader.next_message().unwrap(), None);
}

/// A frame of this side's that would break a rule does not go out.
#[test]
fn nothing_is_written_that_may_not_be_said() {
    let (_, mut outgoing) = connect(Side::Client, std::io::empty(), Vec::new());
    outgoing.send(&Message::Hello(hello(&[]))).unwrap();
    let mut before = FrameWriter::new(Vec::new());
    before.write(&Message::Hello(hello(&[]))).unwrap();
    assert!(matches!(outgoing.send(&Message::Bye), Err(LinkError::Sending(_))));
    assert_eq!(outgoing.into_inner(), before.into_inner());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn cut_or_altered_anywhere(
        cut in any::<bool>(),
        to_server in any::<bool>(),
        // Half of them in what is said before the data.
        at in prop_oneof![0..1500_usize, 0..72_000_usize],
        bit in 0..8_u8,
    ) {
        let fault = |at| if cut { Fault::Cut(at) } else { Fault::Flip(at, bit) };
        if to_server {
            check(fault(at), Fault::None);
        } else {
            check(Fault::None, fault(at % (whole().1 + 50)));
        }
    }
}
