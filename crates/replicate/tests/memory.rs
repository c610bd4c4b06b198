//! Whatever the other side says, its reader holds little. A binary of its own, since it counts what is allocated.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use replicate::limits::{MAX_FRAME_BYTES, MAX_LISTING_BYTES, MAX_MEMORY_BYTES, PREAMBLE};
use replicate::{FrameReader, Kind};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands everything to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(NOW.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How many bytes the reader of an input held at most, and what ended it.
fn peak(input: impl Read) -> (usize, String) {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let mut reader = FrameReader::new(input);
    let end = loop {
        match reader.next_message() {
            Ok(Some(_)) => {}
            Ok(None) => break "the end".to_owned(),
            Err(error) => break format!("{error:?}"),
        }
    };
    (PEAK.load(Relaxed) - before, end)
}

fn frame(kind: Kind, number: u32, len: usize, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![kind as u8];
    frame.extend(&u32::try_from(len).unwrap().to_be_bytes()[1..]);
    frame.extend(number.to_be_bytes());
    frame.extend(crc32fast::hash(body).to_be_bytes());
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    [&frame[..], body].concat()
}

fn listing(layers: &str) -> Vec<u8> {
    let body = format!(r#"{{"live":null,"in_use":false,"complete":true,"partial":null,"layers":[{layers}]}}"#);
    assert!(body.len() <= MAX_LISTING_BYTES, "{}", body.len());
    [&PREAMBLE[..], &frame(Kind::Layers, 0, body.len(), body.as_bytes())].concat()
}

/// One test, since the allocator counts for the whole process.
#[test]
fn nothing_said_makes_it_hold_more_than_is_said() {
    let long = "x".repeat(128);
    let largest = format!(
        r#"{{"name":"{0}","ids":["{long}","{long}","{long}","{long}"],"parent":"p{1}","created_seconds":1,"size_bytes":0,"ours":true}}"#,
        &long[1..],
        &long[1..]
    );
    let smallest = r#"{"name":"a","ids":["b"],"parent":null,"created_seconds":null,"size_bytes":0,"ours":true}"#;
    let many = |layer: &str| vec![layer; (MAX_LISTING_BYTES - 100) / (layer.len() + 1)].join(",");
    let right = vec![&largest[..]; 1024].join(",");
    let claims = frame(Kind::Data, 0, 0xff_ffff, &[]);
    let nested = "[".repeat(MAX_LISTING_BYTES - 100);
    let texts = format!("\"{}\"", "\\u0000".repeat((MAX_LISTING_BYTES - 200) / 6));
    // Text that the error might quote, in a place where a name belongs.
    let name = format!(r#"{{"name":{texts}}}"#);
    for (what, input, expected) in [
        ("a whole listing", listing(&right), "the end"),
        ("too many layers", listing(&many(smallest)), "more than 1024"),
        ("too many ids", listing(&format!(r#"{{"ids":[{}]}}"#, vec!["\"a\""; 200_000].join(","))), "more than 4"),
        ("lists in lists", listing(&nested), "invalid type"),
        ("a long text", listing(&texts), "invalid type"),
        ("a long name", listing(&name), "invalid"),
        ("a length that is not allowed", [&PREAMBLE[..], &claims].concat(), "TooLong"),
    ] {
        let (held, end) = peak(&input[..]);
        assert!(end.contains(expected), "{what}: {end:.300}");
        assert!(end.len() < 5000, "{what}: an error of {} bytes", end.len());
        assert!(held <= MAX_MEMORY_BYTES, "{what}: {held} bytes held");
    }

    // A length that is allowed, and then nothing: no more than one frame.
    let promise = frame(Kind::Layers, 0, MAX_LISTING_BYTES, &[]);
    let (held, end) = peak([&PREAMBLE[..], &promise].concat().as_slice());
    assert!(end.contains("Cut"), "{end}");
    assert!(held <= MAX_FRAME_BYTES + 4096, "{held} bytes held");

    // Frames without end.
    let mut number = 0;
    let mut rest: Vec<u8> = PREAMBLE.to_vec();
    let endless = std::iter::from_fn(|| {
        (number < 20_000).then(|| {
            number += 1;
            frame(Kind::Data, number - 1, 9 + 1000, &[0; 9 + 1000])
        })
    });
    let mut frames = endless.into_iter();
    let input = ReadFn(|buffer: &mut [u8]| {
        if rest.is_empty() {
            rest = frames.next().unwrap_or_default();
        }
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        rest.drain(..count);
        count
    });
    let (held, end) = peak(input);
    assert_eq!(end, "the end");
    assert!(held <= 64 * 1024, "{held} bytes held");
}

struct ReadFn<F>(F);

impl<F: FnMut(&mut [u8]) -> usize> Read for ReadFn<F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        Ok(self.0(buffer))
    }
}
