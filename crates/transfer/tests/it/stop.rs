//! Requests to stop, whenever they come: the work ends promptly, says that it was stopped, and no thread waits for ever.

use std::io::{self, BufReader, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use block_copy::{Memory, Progress, Queue, Silent};
use testkit::within_limit;
use transfer::scan::scan;
use transfer::{Apply, Error, ErrorKind, Incoming, Interruptible, diff, stopped};

use crate::{chunk, example, send};

/// Asks to stop from the n-th time on that it is asked.
#[derive(Debug)]
pub(crate) struct StopAt(AtomicU64);

impl StopAt {
    pub(crate) fn after(asked: u64) -> Self {
        Self(AtomicU64::new(asked))
    }
}

impl Progress for StopAt {
    fn stop_requested(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }
}

/// Runs `work` with a request to stop at every moment at which it looks for one; all but the last few must stop it.
#[track_caller]
fn at_every_moment(work: impl Fn(&StopAt) -> Result<(), Error> + Send + 'static) {
    within_limit(move || {
        for asked in 0.. {
            match work(&StopAt::after(asked)) {
                Ok(()) if asked > 3 => break,
                Ok(()) => panic!("it does not look whether to stop"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Stopped, "{error:?}"),
            }
        }
    });
}

#[test]
fn sending() {
    let layer = example();
    let (new, base) = (Memory::new(layer.new.clone()), Memory::new(layer.base.clone().unwrap()));
    at_every_moment(move |stop| send(&layer.header, &layer.plan, &new, Some(&base), stop).map(drop));
}

#[test]
fn applying() {
    let layer = example();
    let (stream, base) = (layer.stream(), layer.base.clone().unwrap());
    at_every_moment(move |stop| {
        let target = Memory::new(layer.prepared(&base));
        let queue = Queue { depth: 1, ..Queue::default() };
        let how = Apply { chunk: chunk(4096), base_size: base.len().into(), check_base: true, queue };
        Incoming::open(&stream[..])?.apply(&target, how, stop).map(drop)
    });
}

#[test]
fn scanning() {
    let layer = example();
    let (new, base) = (Memory::new(layer.new.clone()), Memory::new(layer.base.clone().unwrap()));
    at_every_moment(move |stop| {
        scan(&new, Some(&base), chunk(4096), Queue { piece: extents::Bytes::new(512), ..Queue::default() }, stop)
            .map(drop)
    });
}

/// A pipe's other end may be closed by a request to stop as well.
#[test]
fn while_the_stream_is_handed_on() {
    let layer = example();
    let (new, base) = (Memory::new(layer.new.clone()), Memory::new(layer.base.clone().unwrap()));
    let mut put = |_| Err(stopped());
    let error = diff(&layer.header, &layer.plan, &new, Some(&base), Queue::default(), &Silent, &mut put).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stopped, "{error:?}");
}

/// A pipe that somebody holds open and says nothing on, after these bytes.
struct SilentPipe {
    bytes: io::Cursor<Vec<u8>>,
    held_open: mpsc::Receiver<()>,
}

impl Read for SilentPipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.bytes.read(buf)? {
            0 => {
                let _ = self.held_open.recv();
                Ok(0)
            }
            len => Ok(len),
        }
    }
}

#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Progress for Flag {
    fn stop_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whatever part of the stream has come when the sender falls silent.
#[test]
fn while_nothing_comes() {
    let layer = example();
    let (stream, base) = (layer.stream(), layer.base.clone().unwrap());
    for len in [0, 3, 200, stream.len() - 100, stream.len()] {
        let (stream, base, layer) = (stream[..len].to_vec(), base.clone(), layer.clone());
        within_limit(move || {
            let (hold, held_open) = mpsc::channel();
            let flag = Flag::default();
            std::thread::scope(|scope| {
                let pipe = SilentPipe { bytes: io::Cursor::new(stream), held_open };
                let reading = scope.spawn(|| {
                    let target = Memory::new(layer.prepared(&base));
                    let queue = Queue::default();
                    let how = Apply { chunk: chunk(4096), base_size: base.len().into(), check_base: true, queue };
                    Incoming::open(BufReader::new(Interruptible::new(pipe, &flag)))?.apply(&target, how, &flag)
                });
                flag.0.store(true, Ordering::Relaxed);
                let error = reading.join().unwrap().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Stopped, "{error:?}");
            });
            drop(hold);
        });
    }
}

/// Without a request to stop, nothing is lost, doubled or turned round.
#[test]
fn everything_comes_through() {
    let bytes = testkit::stamped(1, 0, 5_000_000);
    let mut read = Vec::new();
    Interruptible::new(io::Cursor::new(bytes.clone()), &Silent).read_to_end(&mut read).unwrap();
    assert!(read == bytes);
}

/// What a read fails with arrives as it was, after what came before.
#[test]
fn a_failure_comes_through() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(5))
        }
    }
    let mut read = Vec::new();
    let source = io::Cursor::new(b"abc").chain(Failing);
    let error = Interruptible::new(source, &Silent).read_to_end(&mut read).unwrap_err();
    assert_eq!((error.raw_os_error(), &read[..]), (Some(5), &b"abc"[..]));
}
