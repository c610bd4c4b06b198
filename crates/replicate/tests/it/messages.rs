use extents::Chunks;
use hyperlayer::LayerId;
use replicate::limits::{
    HEADER_BYTES, MAX_ABILITIES, MAX_LAYER_IDS, MAX_LAYERS, MAX_TEXT_BYTES, MAX_WORD_BYTES, PREAMBLE,
};
use replicate::{Hello, Kind, Layer, Layers, Live, Message, MessageError, ReadError, Text, Word};
use serde_json::{Value, json};

use crate::kit::{bytes, one_of_each, read, written};

/// The JSON of a message, as it is sent.
fn sent(message: &Message<'_>) -> Value {
    serde_json::from_slice(&written(std::slice::from_ref(message))[PREAMBLE.len() + HEADER_BYTES..]).unwrap()
}

/// Why a message of this type is not taken with that JSON; an empty text where it is.
fn refused(kind: Kind, body: &str) -> String {
    let mut frame = vec![kind as u8];
    frame.extend(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
    frame.extend([0; 4]);
    frame.extend(crc32fast::hash(body.as_bytes()).to_be_bytes());
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    match read(&[PREAMBLE, &frame[..], body.as_bytes()].concat()).1 {
        Ok(()) => String::new(),
        Err(ReadError::Message { source, .. }) => source.to_string(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn values_that_no_message_may_have() {
    let long = "x".repeat(129);
    let table: &[(Kind, &str, Value, &str)] = &[
        (Kind::List, "/volume", json!("/dev/vg0/data"), "is spelt `vg0/data`"),
        (Kind::List, "/volume", json!("/dev/mapper/vg0-data"), "is spelt `vg0/data`"),
        (Kind::List, "/volume", json!("vg0/../data"), "expected VG/LV"),
        (Kind::List, "/volume", json!("../data"), "a folder's name"),
        (Kind::List, "/volume", json!("vg0/.."), "a folder's name"),
        (Kind::List, "/volume", json!("vg0/-rf"), "starts with a hyphen"),
        (Kind::List, "/volume", json!("vg0/pool_tdata"), "reserved"),
        (Kind::List, "/volume", json!("vg0/da ta"), "is not among"),
        (Kind::List, "/volume", json!("data"), "its volume group is not given"),
        (Kind::List, "/volume", json!(7), "invalid type"),
        (Kind::List, "/pair", json!(""), "names no pair"),
        (Kind::List, "/pair", json!("a,b"), "names no pair"),
        (Kind::List, "/pair", json!("x".repeat(257)), "names no pair"),
        (Kind::List, "/role", json!("both"), "unknown variant"),
        (Kind::Layers, "/live", json!({"holds": {"layer": "", "ours": true}}), "a layer id is empty"),
        (Kind::Plan, "/layer", json!(long), "at most 128"),
        (Kind::Plan, "/parent", json!("tuesday"), "its own parent"),
        (Kind::Planned, "/volume_size_bytes", json!(1_048_577), "a multiple of 512"),
        (Kind::Planned, "/volume_size_bytes", json!(u64::MAX - 511), "at most"),
        (Kind::Planned, "/volume_size_bytes", json!(-1), "invalid value"),
        (Kind::Planned, "/chunk_size_bytes", json!(0), "expected a multiple of 512"),
        (Kind::Planned, "/chunk_size_bytes", json!(1_u64 << 31), "expected a multiple of 512"),
        (Kind::Planned, "/data_bytes", json!(1_048_576), "at most 1048576"),
        (Kind::Planned, "/zero_bytes", json!(u64::MAX - 511), "at most 1048576"),
        (Kind::Planned, "/stream_bytes", json!(65536), "more than data_bytes"),
        (Kind::Planned, "/chunks", json!(17), "at most 16"),
        (Kind::Planned, "/chunks", json!(0), "as many as the data needs"),
        (Kind::Begin, "/resumes_at_bytes", json!(100), "a multiple of 512"),
        (Kind::Begin, "/resumes_at_bytes", json!(2_097_152), "at most 1048576"),
        (Kind::Begin, "/verify", json!("half"), "unknown variant"),
        (Kind::Receive, "/pool", json!("pool_tmeta"), "reserved"),
        (Kind::Ready, "/resume", json!("hl1-AAAA"), "damaged"),
        (Kind::Ready, "/resume", json!("hl1-".to_owned() + &"A".repeat(5000)), "damaged"),
        (Kind::Compare, "/block_bytes", json!(0), "a power of two"),
        (Kind::Compare, "/block_bytes", json!(512), "a power of two"),
        (Kind::Compare, "/start_bytes", json!(512), "a multiple of block_bytes"),
        (Kind::Compare, "/len_bytes", json!(0), "more than 0"),
        (Kind::Compare, "/len_bytes", json!(4096 * 4097), "at most 4096"),
        (Kind::Compare, "/start_bytes", json!(1_u64 << 63), "at most 9223372036854775296"),
        (Kind::Hello, "/host", json!("h".repeat(256)), "at most 255"),
        (Kind::Hello, "/host", json!("a\u{7}b"), "control characters"),
        (Kind::Made, "/ids", json!([]), "at least one"),
        (Kind::Made, "/size_bytes", json!(511), "a multiple of 512"),
        (Kind::Differ, "/bits", json!(""), "expected 1 to 4096"),
        (Kind::Differ, "/bits", json!("012"), "expected 1 to 4096"),
        (Kind::Differ, "/bits", json!("0".repeat(4097)), "expected 1 to 4096"),
        (Kind::Differ, "/block_bytes", json!(65537), "a power of two"),
        (Kind::Differ, "/start_bytes", json!(4096), "a multiple of block_bytes"),
        (Kind::Differ, "/start_bytes", json!(1_u64 << 63), "at most"),
        (Kind::Differ, "/parent", json!("tuesday"), "its own parent"),
        (Kind::Noted, "/bytes", json!(511), "a multiple of 512"),
        (Kind::Noted, "/bytes", json!(u64::MAX - 511), "at most"),
        (Kind::Settled, "/kept", json!("../x"), "is not among"),
        (Kind::Adopt, "/snapshot", json!("vg1/secret"), "is not among"),
        (Kind::Prune, "/policy/rules", json!(["last=0"]), "a whole number from 1"),
        (Kind::Prune, "/policy/rules", json!(["newest=3"]), "one of last"),
        (Kind::Prune, "/policy/rules", json!(vec!["last=1"; 33]), "more than 32"),
        (Kind::Prune, "/policy/rules", json!([format!("tag={long}{long}")]), "at most 256"),
        (Kind::Prune, "/policy/zone", json!("Europe/Atlantis"), "expected a time zone"),
        (Kind::Pruned, "/removed/0/why", json!("x".repeat(257)), "at most 256"),
        (Kind::Refusal, "/exit", json!(0), "1 to 5"),
        (Kind::Refusal, "/exit", json!(130), "1 to 5"),
        (Kind::Refusal, "/text", json!("\u{1b}[2J"), "control characters"),
        (Kind::Refusal, "/text", json!("x".repeat(MAX_TEXT_BYTES + 1)), "more than 2048 bytes"),
        (Kind::End, "/content", json!("AB"), "64 lowercase hex digits"),
        (Kind::Hello, "/oldest", json!(0), "its versions are 0 to 1"),
        (Kind::Hello, "/oldest", json!(2), "its versions are 2 to 1"),
        (Kind::Hello, "/abilities", json!(["Send"]), "is no word"),
        (Kind::Hello, "/abilities", json!(vec!["a"; MAX_ABILITIES + 1]), "more than 32"),
    ];
    for (kind, at, value, why) in table {
        let message = one_of_each().into_iter().find(|message| message.kind() == *kind).unwrap();
        let mut body = sent(&message);
        assert_eq!(refused(*kind, &body.to_string()), "", "{kind:?} as it is");
        *body.pointer_mut(at).unwrap() = value.clone();
        let found = refused(*kind, &body.to_string());
        assert!(found.contains(why), "{kind:?} {at} {value}: {found}");
        assert!(found.len() < MAX_TEXT_BYTES + 100, "{kind:?} {at}: an error of {} bytes", found.len());
    }
}

#[test]
fn keys_that_are_unknown_missing_or_doubled() {
    for message in one_of_each().iter().filter(|message| has_json(message.kind())) {
        let kind = message.kind();
        let body = sent(message).to_string();
        let more = format!("{{\"colour\":1,{}", &body[1..]);
        // A later version may add to what every version reads, and to nothing else.
        assert_eq!(refused(kind, &more).contains("unknown field"), kind != Kind::Hello, "{kind:?}");
        assert!(refused(kind, "{}").contains("missing field"), "{kind:?}");
        let value = sent(message);
        let (key, first) = value.as_object().unwrap().iter().next().unwrap();
        assert!(refused(kind, &format!("{{\"{key}\":{first},{}", &body[1..])).contains("duplicate field"), "{kind:?}");
        assert!(refused(kind, &format!("{body} 1")).contains("trailing characters"), "{kind:?}");
        assert!(refused(kind, &body[..body.len() - 1]).contains("EOF"), "{kind:?}");
    }
}

fn has_json(kind: Kind) -> bool {
    use Kind::{Bye, Data, Durable, Hashes, Packed, Ping, Pong, Verified};
    ![Ping, Pong, Bye, Hashes, Data, Durable, Verified, Packed].contains(&kind)
}

#[test]
fn binary_bodies_of_a_wrong_length() {
    for (kind, len) in [
        (Kind::Ping, 7),
        (Kind::Pong, 0),
        (Kind::Durable, 7),
        (Kind::Verified, 1),
        (Kind::Hashes, 7),
        (Kind::Hashes, 39),
        (Kind::Data, 7),
        (Kind::Data, 8),
        (Kind::Packed, 7),
        (Kind::Packed, 8),
    ] {
        let found = refused(kind, &"x".repeat(len));
        assert!(found.contains("expected"), "{kind:?} of {len}: {found}");
    }
    assert_eq!(refused(Kind::Data, &"x".repeat(9)), "");
    assert_eq!(refused(Kind::Hashes, &"x".repeat(40)), "");
}

fn longest_layer(n: usize) -> Layer {
    let id = |c: char| c.to_string().repeat(128).parse::<LayerId>().unwrap();
    Layer {
        name: format!("{n:0>127}").parse().unwrap(),
        ids: vec![id('a'); MAX_LAYER_IDS],
        parent: Some(id('b')),
        created_seconds: Some(i64::MIN),
        size: hyperlayer::limits::MAX_VOLUME_SIZE,
        ours: false,
    }
}

#[test]
fn the_longest_listing_fits() {
    let layers = |count| Layers {
        live: Some(Live::Holds { layer: "c".repeat(128).parse().unwrap(), ours: false }),
        in_use: false,
        layers: (0..count).map(longest_layer).collect(),
        complete: false,
        partial: None,
    };
    let (found, end) = read(&written(&[Message::Layers(layers(MAX_LAYERS))]));
    assert!(end.is_ok() && found.len() == 1, "{end:?}");
    let mut writer = replicate::FrameWriter::new(Vec::new());
    assert!(writer.write(&Message::Layers(layers(MAX_LAYERS + 1))).is_err());
    // And one that is not written by us.
    let mut small = longest_layer(0);
    small.ids.truncate(1);
    let body = sent(&Message::Layers(Layers { layers: vec![small], ..layers(0) }));
    let layer = body["layers"][0].to_string();
    let body = format!(
        r#"{{"live":null,"in_use":false,"layers":[{}],"complete":true,"partial":null}}"#,
        vec![&layer[..]; 1025].join(",")
    );
    assert!(refused(Kind::Layers, &body).contains("more than 1024"));
}

#[test]
fn the_longest_of_every_other_message_fits() {
    let long = Text::new(&"\"".repeat(MAX_TEXT_BYTES));
    assert_eq!(long.as_str().len(), MAX_TEXT_BYTES);
    let words = (0..MAX_ABILITIES).map(|n| format!("{n:0>MAX_WORD_BYTES$}").parse::<Word>().unwrap());
    let hello =
        Hello { oldest: 1, newest: u32::MAX, abilities: words.collect(), tool: long.clone(), host: Text::new("h") };
    let longest = Text::new(&"\n".repeat(3000));
    let refusal =
        replicate::Refusal { kind: replicate::RefusalKind::Destination, text: longest.clone(), hint: longest, exit: 5 };
    for message in [Message::Hello(hello), Message::Refusal(refusal)] {
        let (found, end) = read(&written(&[message]));
        assert!(end.is_ok() && found.len() == 1, "{end:?}");
    }
}

#[test]
fn what_is_shown_of_the_other_side_is_plain() {
    let text = Text::new("a\tb\u{1b}[31m\u{7f}\u{9b}\nc");
    assert_eq!(text.as_str(), "a b [31m  \nc");
    assert_eq!(Text::new(&"ä".repeat(MAX_TEXT_BYTES)).as_str().len(), MAX_TEXT_BYTES);
    for ability in replicate::Access::Both.abilities() {
        ability.name().parse::<Word>().unwrap();
    }
}

#[test]
fn a_plan_counts_chunks() {
    let plan = crate::kit::plan();
    let empty = replicate::Plan { data: bytes(0), chunks: Chunks::ZERO, ..plan.clone() };
    written(&[Message::Planned(empty.clone())]);
    let mut writer = replicate::FrameWriter::new(Vec::new());
    for wrong in [replicate::Plan { chunks: Chunks::new(1), ..empty }, replicate::Plan { chunks: Chunks::ZERO, ..plan }]
    {
        let refused = writer.write(&Message::Planned(wrong));
        assert!(matches!(
            refused,
            Err(replicate::WriteError::Message { source: MessageError::Rule { kind: Kind::Planned, .. } })
        ));
    }
}
