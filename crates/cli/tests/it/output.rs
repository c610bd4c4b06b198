use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use cli::{Encoding, Output, Stop, Written};
use extents::Bytes;
use testkit::within_limit;

/// Sends `parts` to memory.
fn send(parts: &[Vec<u8>], encoding: Encoding) -> (Vec<u8>, Written) {
    let mut output = Output::start(Vec::new(), encoding, Stop::default()).unwrap();
    for part in parts {
        output.put(Box::new(part.clone())).unwrap();
    }
    output.finish().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn plain() {
    let (sink, written) = send(&[b"a".to_vec(), Vec::new(), b"bc".to_vec()], Encoding::default());
    assert_eq!(sink, b"abc");
    assert_eq!(written.len, Bytes::new(3));
    // FIPS 180-1, appendix A.
    assert_eq!(hex(&written.sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(written.blake3, None);
    let (sink, written) = send(&[], Encoding::default());
    assert_eq!((sink.len(), written.len), (0, Bytes::ZERO));
}

#[test]
fn in_order_whatever_the_sizes() {
    let parts: Vec<_> = (0..500).map(|n| testkit::stamped(n, 0, n as usize * 7)).collect();
    assert!(send(&parts, Encoding::default()).0 == parts.concat());
}

#[test]
fn compressed() {
    let parts: Vec<_> = (0..50).map(|n| testkit::stamped(n, 0, 100_000)).collect();
    for level in [1, 3, 19] {
        let encoding = Encoding { zstd_level: Some(level), ..Encoding::default() };
        let (sink, written) = send(&parts, encoding);
        assert!(sink.len() < 5_000_000 / 2);
        assert!(zstd::decode_all(&sink[..]).unwrap() == parts.concat());
        assert_eq!((written.len, written.blake3), (sink.len().into(), Some(blake3::hash(&sink))));
    }
}

/// What cannot be compressed lies in the frame as it is; only the frame's checksum notices when that is altered.
#[test]
fn an_altered_frame_is_none() {
    let mut random = vec![0; 100_000];
    blake3::Hasher::new().finalize_xof().fill(&mut random);
    let encoding = Encoding { zstd_level: Some(3), ..Encoding::default() };
    let mut frame = send(&[random], encoding).0;
    frame[50_000] ^= 1;
    assert!(zstd::decode_all(&frame[..]).is_err());
}

#[test]
fn no_faster_than_the_limit() {
    let started = Instant::now();
    let encoding = Encoding { limit_per_second: Some(Bytes::new(1_000_000)), ..Encoding::default() };
    let (sink, _) = send(&[testkit::stamped(1, 0, 300_000)], encoding);
    assert_eq!(sink.len(), 300_000);
    assert!(started.elapsed() >= Duration::from_millis(300), "{:?}", started.elapsed());
}

/// Takes so many bytes, then fails.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let len = bytes.len().min(self.0);
        self.0 -= len;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_fails() {
    within_limit(|| {
        for (parts, zstd_level) in [(1, None), (200, None), (200, Some(1))] {
            let encoding = Encoding { zstd_level, ..Encoding::default() };
            let mut output = Output::start(Full(10), encoding, Stop::default()).unwrap();
            // Noticed at a later part or at the end, never lost.
            let put = (0..parts).try_for_each(|n| output.put(Box::new(testkit::stamped(n, 0, 10_000))));
            let error = put.and_then(|()| output.finish().map(drop)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    });
}

/// Takes nothing, ever, like a pipe whose reader does not read.
struct Blocked(mpsc::Receiver<()>);

impl Write for Blocked {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        let _ = self.0.recv();
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_request_to_stop_is_heard_while_the_sink_blocks() {
    within_limit(|| {
        for parts in [1, 1000] {
            let (_hold, held) = mpsc::channel();
            let stop = Stop::default();
            let mut output = Output::start(Blocked(held), Encoding::default(), stop.clone()).unwrap();
            let asking = std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(20));
                stop.flag().store(true, Ordering::Relaxed);
            });
            let put = (0..parts).try_for_each(|_| output.put(Box::new([0; 1000])));
            let error = put.and_then(|()| output.finish().map(drop)).unwrap_err();
            assert!(transfer::is_stop(&error), "{error:?}");
            asking.join().unwrap();
        }
    });
}
