//! Messages to test with.

use std::fmt::Debug;

use extents::{Bytes, ChunkSize, Chunks};
use hyperlayer::{Digest, LayerId};
use lvm_cmd::{LvName, LvRef};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use replicate::limits::{MAX_LAYER_IDS, PREAMBLE};
use replicate::{
    Ability, Adopt, Begin, Bits, Compare, Data, Differ, Done, End, FrameReader, FrameWriter, Hashes, Hello, Keep,
    Layer, Layers, List, Live, Message, Noted, Offer, Packed, Pair, Plan, Prune, Pruned, ReadError, Ready, Refusal,
    RefusalKind, Removed, Role, Selected, Send, Settle, Settled, Snapshot, Text, Verify,
};
use transfer::receive::ResumeToken;

pub(crate) fn id(text: &str) -> LayerId {
    text.parse().unwrap()
}

pub(crate) fn bytes(count: u64) -> Bytes {
    Bytes::new(count)
}

pub(crate) fn hello(abilities: &[Ability]) -> Hello {
    Hello::new(abilities.iter().copied(), "test 1.0", "web1")
}

pub(crate) fn server_hello() -> Message<'static> {
    Message::Hello(hello(&replicate::Access::Both.abilities()))
}

/// A delta `tuesday` on `monday` of 64 KiB of data, in a stream of 70 000 bytes.
pub(crate) fn plan() -> Plan {
    Plan {
        layer: id("tuesday"),
        parent: Some(id("monday")),
        volume_size: bytes(1 << 20),
        chunk_size: ChunkSize::from_bytes(bytes(65536)).unwrap(),
        stream: bytes(70_000),
        data: bytes(65536),
        zero: bytes(65536),
        chunks: Chunks::new(2),
    }
}

pub(crate) fn offer() -> Offer {
    let (volume, pair) = ("vg0/copy".parse().unwrap(), "web1:vg0/data".parse().unwrap());
    Offer { volume, pair, pool: None, plan: plan() }
}

pub(crate) fn begin() -> Begin {
    Begin { plan: plan(), resumes_at: Bytes::ZERO, verify: Verify::Full }
}

pub(crate) fn token(at: u64) -> ResumeToken {
    ResumeToken {
        layer: id("tuesday"),
        parent: Some(id("monday")),
        size: bytes(1 << 20),
        at: bytes(at),
        outline: hyperlayer::Outline::default(),
    }
}

pub(crate) fn selected() -> Selected {
    let (volume, pair) = ("vg0/data".parse().unwrap(), "p".parse().unwrap());
    Selected { volume, pair, layer: id("tuesday"), parent: Some(id("monday")) }
}

pub(crate) fn send(resume: Option<ResumeToken>) -> Message<'static> {
    Message::Send(Send { selected: selected(), resume, verify: Verify::Full })
}

pub(crate) fn list(role: Role) -> Message<'static> {
    Message::List(List { volume: "vg0/data".parse().unwrap(), pair: "p".parse().unwrap(), role })
}

pub(crate) fn refusal() -> Message<'static> {
    Message::Refusal(Refusal::new(RefusalKind::Failed, "no", 1))
}

pub(crate) fn digest(byte: u8) -> Option<Digest> {
    Some(Digest([byte; 32]))
}

pub(crate) fn end(content: Option<Digest>) -> Message<'static> {
    Message::End(End { content })
}

pub(crate) fn done(content: Option<Digest>) -> Message<'static> {
    Message::Done(Done { layer: id("tuesday"), content })
}

pub(crate) fn data(at: u64, len: usize) -> Message<'static> {
    Message::Data(Data { at: bytes(at), bytes: vec![0xa5; len].leak() })
}

pub(crate) fn made(name: &str, ours: bool) -> Layer {
    let ids = vec![id("wednesday")];
    Layer { name: name.parse().unwrap(), ids, parent: None, created_seconds: None, size: bytes(1 << 20), ours }
}

/// The bytes of a conversation of one side.
pub(crate) fn written(messages: &[Message<'_>]) -> Vec<u8> {
    let mut writer = FrameWriter::new(Vec::new());
    for message in messages {
        writer.write(message).unwrap();
    }
    writer.into_inner()
}

/// Where each frame of it begins; last, where all end.
pub(crate) fn borders(messages: &[Message<'_>]) -> Vec<usize> {
    let ends = (1..=messages.len()).map(|count| written(&messages[..count]).len());
    std::iter::once(PREAMBLE.len()).chain(ends).collect()
}

/// All messages of an input, and what ended them.
pub(crate) fn read(input: &[u8]) -> (Vec<String>, Result<(), ReadError>) {
    let mut reader = FrameReader::new(input);
    let mut all = Vec::new();
    loop {
        match reader.next_message() {
            Ok(Some(message)) => all.push(shown(&message)),
            Ok(None) => return (all, Ok(())),
            Err(error) => return (all, Err(error)),
        }
    }
}

pub(crate) fn shown(message: &impl Debug) -> String {
    format!("{message:?}")
}

fn layer_id() -> impl Strategy<Value = LayerId> {
    "[A-Za-z0-9_+./=!:#&-]{1,128}".prop_map(|text| id(&text))
}

fn lv() -> impl Strategy<Value = LvName> {
    "[a-zA-Z0-9+_.][a-zA-Z0-9+_.-]{0,40}".prop_filter_map("reserved", |text| text.parse().ok())
}

fn volume() -> impl Strategy<Value = LvRef> {
    ("[a-zA-Z0-9+_][a-zA-Z0-9+_.-]{0,40}", lv()).prop_map(|(vg, lv)| LvRef::new(vg.parse().unwrap(), lv))
}

fn pair() -> impl Strategy<Value = Pair> {
    "[A-Za-z0-9_+./=!:#&-]{1,256}".prop_map(|text| text.parse().unwrap())
}

fn some_text() -> impl Strategy<Value = Text> {
    any::<String>().prop_map(|text| Text::new(&text))
}

fn sectors(max: u64) -> impl Strategy<Value = Bytes> {
    (0..=max / 512).prop_map(|count| bytes(count * 512))
}

fn any_digest() -> impl Strategy<Value = Option<Digest>> {
    option::of(any::<[u8; 32]>().prop_map(Digest))
}

fn verify() -> impl Strategy<Value = Verify> {
    prop_oneof![Just(Verify::Full), Just(Verify::None), any::<u64>().prop_map(|seed| Verify::Sampled { seed })]
}

fn any_token() -> impl Strategy<Value = Option<ResumeToken>> {
    option::of((layer_id(), option::of(layer_id()), any::<u64>(), any::<u64>()).prop_map(
        |(layer, parent, size, at)| ResumeToken {
            layer,
            parent,
            size: bytes(size),
            at: bytes(at),
            outline: hyperlayer::Outline::default(),
        },
    ))
}

fn not_own(layer: &LayerId, parent: Option<LayerId>) -> Option<LayerId> {
    parent.filter(|parent| parent != layer)
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let sizes = (1..=1u64 << 40, 1..=2048u64).prop_flat_map(|(sectors_of_volume, sectors_of_chunk)| {
        let (volume, chunk) = (sectors_of_volume * 512, sectors_of_chunk * 512);
        (Just((volume, chunk)), sectors(volume)).prop_flat_map(|((volume, chunk), data)| {
            let chunks = |data: u64| data.div_ceil(chunk);
            let most = if data.is_zero() { 0 } else { chunks(volume) };
            (
                Just((volume, chunk, data)),
                sectors(volume - data.get()),
                chunks(data.get())..=most,
                data.get() + 1..=u64::MAX,
            )
        })
    });
    (layer_id(), option::of(layer_id()), sizes).prop_map(
        |(layer, parent, ((volume, chunk, data), zero, chunks, stream))| Plan {
            parent: not_own(&layer, parent),
            layer,
            volume_size: bytes(volume),
            chunk_size: ChunkSize::from_bytes(bytes(chunk)).unwrap(),
            stream: bytes(stream),
            data,
            zero,
            chunks: Chunks::new(chunks),
        },
    )
}

fn any_offer() -> impl Strategy<Value = Offer> {
    (volume(), pair(), option::of(lv()), any_plan()).prop_map(|(volume, pair, pool, plan)| Offer {
        volume,
        pair,
        pool,
        plan,
    })
}

fn any_selected() -> impl Strategy<Value = Selected> {
    (volume(), pair(), layer_id(), option::of(layer_id())).prop_map(|(volume, pair, layer, parent)| Selected {
        volume,
        pair,
        parent: not_own(&layer, parent),
        layer,
    })
}

fn any_layer() -> impl Strategy<Value = Layer> {
    let ids = vec(layer_id(), 1..=MAX_LAYER_IDS);
    (lv(), ids, option::of(layer_id()), any::<Option<i64>>(), sectors(1 << 50), any::<bool>()).prop_map(
        |(name, ids, parent, created_seconds, size, ours)| Layer {
            name,
            parent: parent.filter(|parent| !ids.contains(parent)),
            ids,
            created_seconds,
            size,
            ours,
        },
    )
}

fn live() -> impl Strategy<Value = Live> {
    prop_oneof![
        Just(Live::Missing),
        Just(Live::Unknown),
        layer_id().prop_map(|since| Live::Written { since }),
        (layer_id(), any::<bool>()).prop_map(|(layer, ours)| Live::Holds { layer, ours }),
    ]
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Source), Just(Role::Destination)]
}

fn keep() -> impl Strategy<Value = Keep> {
    prop_oneof![
        Just(""),
        Just("last=3"),
        Just("last=1,hourly=24,daily=7,weekly=5,monthly=12,yearly=2,within=2y6m,tag=release"),
        Just("original=6:4,original-by-tag=0:1"),
    ]
    .prop_map(|text| text.parse().unwrap())
}

/// The requests that make and remove layers, and their answers.
fn managing() -> impl Strategy<Value = Message<'static>> {
    let of = || (volume(), pair(), layer_id());
    let differ = (of(), layer_id(), 12..=24u32, 0..1u64 << 20, vec(any::<bool>(), 1..100)).prop_filter_map(
        "its own parent",
        |((volume, pair, layer), parent, power, start, bits)| {
            let (start, block) = (bytes(start << power), bytes(1 << power));
            let differ = Differ { volume, pair, layer, parent, start, block, bits: Bits::new(bits).unwrap() };
            (differ.layer != differ.parent).then_some(Message::Differ(differ))
        },
    );
    let removed = (lv(), some_text()).prop_map(|(name, why)| Removed::new(name, why.as_str()));
    prop_oneof![
        (volume(), pair(), role(), any::<bool>())
            .prop_map(|(volume, pair, role, temporary)| Message::Snapshot(Snapshot { volume, pair, role, temporary })),
        any_layer().prop_map(Message::Made),
        differ,
        sectors(1 << 50).prop_map(|bytes| Message::Noted(Noted { bytes })),
        (of(), any::<bool>(), any::<bool>()).prop_map(|((volume, pair, layer), rollback, read_only_live)| {
            Message::Settle(Settle { volume, pair, layer, rollback, read_only_live })
        }),
        (layer_id(), option::of(lv())).prop_map(|(layer, kept)| Message::Settled(Settled { layer, kept })),
        (of(), role(), lv(), any::<bool>()).prop_map(|((volume, pair, layer), role, snapshot, known)| {
            Message::Adopt(Adopt { volume, pair, role, snapshot, layer: known.then_some(layer) })
        }),
        (of(), role(), keep(), any::<bool>()).prop_map(|((volume, pair, common), role, policy, dry_run)| {
            Message::Prune(Prune { volume, pair, role, policy, common, dry_run })
        }),
        (vec(removed, 0..5), any::<u32>()).prop_map(|(removed, kept)| Message::Pruned(Pruned { removed, kept })),
    ]
}

/// Any message that may stand in a frame.
pub(crate) fn any_message() -> impl Strategy<Value = Message<'static>> {
    let kinds = prop_oneof![Just(RefusalKind::Protocol), Just(RefusalKind::NotAllowed), Just(RefusalKind::Space)];
    let compare = (volume(), pair(), role(), layer_id(), 12..=24u32, 0..1u64 << 30, 1..=4096 * 8u64).prop_map(
        |(volume, pair, role, layer, power, start, len)| {
            let block = 1 << power;
            // Of eighths of a block, so that the last one may be short.
            let (start, len, block) = (bytes(start * block), bytes(len * block / 8), bytes(block));
            Compare { volume, pair, role, layer, start, len, block }
        },
    );
    prop_oneof![
        (1..=9u32, 0..9u32, btree_set("[a-z0-9-]{1,32}", 0..=32), some_text(), "[a-z0-9.-]{0,255}").prop_map(
            |(oldest, more, abilities, tool, host)| {
                let abilities = abilities.iter().map(|word| word.parse().unwrap()).collect();
                Message::Hello(Hello { oldest, newest: oldest + more, abilities, tool, host: Text::new(&host) })
            }
        ),
        any::<u64>().prop_map(Message::Ping),
        any::<u64>().prop_map(Message::Pong),
        (kinds, some_text(), some_text(), 1..=5u8).prop_map(|(kind, text, hint, exit)| Message::Refusal(Refusal {
            kind,
            text,
            hint,
            exit
        })),
        Just(Message::Bye),
        (volume(), pair(), prop_oneof![Just(Role::Source), Just(Role::Destination)])
            .prop_map(|(volume, pair, role)| Message::List(List { volume, pair, role })),
        (option::of(live()), any::<bool>(), vec(any_layer(), 0..5), any::<bool>(), any_token()).prop_map(
            |(live, in_use, layers, complete, partial)| {
                Message::Layers(Layers { live, in_use, layers, complete, partial })
            }
        ),
        any_selected().prop_map(Message::Plan),
        any_plan().prop_map(Message::Planned),
        any_offer().prop_map(Message::Try),
        any_offer().prop_map(Message::Receive),
        any_token().prop_map(|resume| Message::Ready(Ready { resume })),
        (any_selected(), any_token(), verify()).prop_map(|(selected, resume, verify)| Message::Send(Send {
            selected,
            resume,
            verify
        })),
        compare.prop_map(Message::Compare),
        (any::<u64>(), vec(any::<[u8; 32]>(), 0..9))
            .prop_map(|(at, hashes)| Message::Hashes(Hashes { at: bytes(at), hashes: hashes.leak() })),
        (any_plan(), verify(), any::<bool>()).prop_map(|(plan, verify, rest)| {
            let resumes_at = if rest { plan.volume_size } else { Bytes::ZERO };
            Message::Begin(Begin { plan, resumes_at, verify })
        }),
        (any::<u64>(), vec(any::<u8>(), 1..300))
            .prop_map(|(at, piece)| Message::Data(Data { at: bytes(at), bytes: piece.leak() })),
        (any::<u64>(), vec(any::<u8>(), 1..300))
            .prop_map(|(at, piece)| Message::Packed(Packed { at: bytes(at), bytes: piece.leak() })),
        managing(),
        any::<u64>().prop_map(|count| Message::Durable(bytes(count))),
        any_digest().prop_map(|content| Message::End(End { content })),
        any::<u64>().prop_map(|count| Message::Verified(bytes(count))),
        (layer_id(), any_digest()).prop_map(|(layer, content)| Message::Done(Done { layer, content })),
    ]
}

/// One message of each type.
pub(crate) fn one_of_each() -> Vec<Message<'static>> {
    let (volume, pair): (LvRef, Pair) = ("vg0/data".parse().unwrap(), "p".parse().unwrap());
    let copy: LvRef = "vg0/copy".parse().unwrap();
    let compare = Compare {
        volume: volume.clone(),
        pair: pair.clone(),
        role: Role::Source,
        layer: id("tuesday"),
        start: Bytes::ZERO,
        len: bytes(8192),
        block: bytes(4096),
    };
    let layers = Layers { live: None, in_use: false, layers: Vec::new(), complete: true, partial: None };
    let differ = Differ {
        volume: volume.clone(),
        pair: pair.clone(),
        layer: id("tuesday"),
        parent: id("found"),
        start: Bytes::ZERO,
        block: bytes(65536),
        bits: "0110".parse().unwrap(),
    };
    let settle = Settle {
        volume: copy.clone(),
        pair: pair.clone(),
        layer: id("tuesday"),
        rollback: false,
        read_only_live: false,
    };
    let adopt = Adopt {
        volume: copy.clone(),
        pair: pair.clone(),
        role: Role::Destination,
        snapshot: "copy-old".parse().unwrap(),
        layer: Some(id("monday")),
    };
    let prune = Prune {
        volume: copy,
        pair: pair.clone(),
        role: Role::Destination,
        policy: "last=1".parse().unwrap(),
        common: id("tuesday"),
        dry_run: false,
    };
    let why = "not the newest";
    vec![
        server_hello(),
        Message::Ping(7),
        Message::Pong(7),
        refusal(),
        Message::Bye,
        list(Role::Source),
        Message::Layers(layers),
        Message::Plan(selected()),
        Message::Planned(plan()),
        Message::Try(offer()),
        Message::Receive(offer()),
        Message::Ready(Ready { resume: Some(token(65536)) }),
        send(None),
        Message::Compare(compare),
        Message::Hashes(Hashes { at: Bytes::ZERO, hashes: &[[1; 32], [2; 32]] }),
        Message::Snapshot(Snapshot { volume, pair, role: Role::Destination, temporary: false }),
        Message::Made(made("data-sync-1", true)),
        Message::Differ(differ),
        Message::Noted(Noted { bytes: bytes(131_072) }),
        Message::Settle(settle),
        Message::Settled(Settled { layer: id("tuesday"), kept: None }),
        Message::Begin(begin()),
        data(0, 100),
        Message::Durable(bytes(100)),
        end(digest(1)),
        Message::Verified(bytes(100)),
        done(digest(1)),
        Message::Packed(Packed { at: Bytes::ZERO, bytes: &[1; 10] }),
        Message::Adopt(adopt),
        Message::Prune(prune),
        Message::Pruned(Pruned { removed: vec![Removed::new("copy-sync-1".parse().unwrap(), why)], kept: 2 }),
    ]
}
