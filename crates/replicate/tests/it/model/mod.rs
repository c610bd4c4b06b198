//! Two machines in memory, and sessions between them that are cut and killed anywhere.

mod host;
mod machine;

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use extents::Bytes;
use replicate::{
    Access, Allow, Events, Hello, Host, Patience, Plan, Reached, Serving, Summary, Sync, SyncError, Verify, Volumes,
    serve, sync,
};

pub(crate) use host::ModelHost;
pub(crate) use machine::{CHUNK, Machine, SIZE};

/// A machine that several sessions work on.
pub(crate) type Shared = Arc<Mutex<Machine>>;

/// What goes wrong in a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    None,
    /// One of the four ways (to the source's server, from it, to the destination's, from it) ends after so many bytes.
    Cut(usize, usize),
    /// The source's or the destination's program dies before its so-manyeth change.
    Kill(usize, usize),
    /// Somebody asks to stop once so many pieces were relayed.
    Stop(usize),
}

/// A way that ends.
pub(crate) struct Way<S> {
    pub(crate) stream: S,
    pub(crate) left: Option<usize>,
    pub(crate) count: Arc<AtomicUsize>,
}

impl<S: Read> Read for Way<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.left.unwrap_or(buffer.len()).min(buffer.len());
        let count = self.stream.read(&mut buffer[..most])?;
        self.left = self.left.map(|left| left - count);
        self.count.fetch_add(count, Relaxed);
        Ok(count)
    }
}

/// What was told, and when to stop.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) log: Mutex<Vec<String>>,
    pub(crate) begun: Mutex<Vec<Plan>>,
    pieces: AtomicUsize,
    stop_after: Option<usize>,
    pub(crate) ways: [Arc<AtomicUsize>; 4],
}

impl Events for Told {
    fn log(&self, text: &str) {
        self.log.lock().unwrap().push(text.to_owned());
    }
    fn begins(&self, plan: &Plan) {
        self.begun.lock().unwrap().push(plan.clone());
    }
    fn relays(&self, _: usize) {
        self.pieces.fetch_add(1, Relaxed);
    }
    fn durable(&self, _: Bytes) {}
    fn verified(&self, _: Bytes) {}
    fn compared(&self, _: Bytes, _: Bytes) {}
    fn stop_requested(&self) -> bool {
        self.stop_after.is_some_and(|after| self.pieces.load(Relaxed) >= after)
    }
}

pub(crate) fn want() -> Sync {
    Sync {
        source: "vg0/data".parse().unwrap(),
        destination: "vg1/copy".parse().unwrap(),
        pair: None,
        pool: None,
        read_only_live: false,
        verify: Verify::Full,
        keep_source: "last=1".parse().unwrap(),
        keep_destination: "last=2".parse().unwrap(),
        rollback: false,
        use_existing: false,
        adopt: None,
        snapshot: true,
        dry_run: false,
    }
}

const PATIENCE: Patience = Patience { ping_after_waits: 20, gone_after_waits: 200 };

fn ends() -> (UnixStream, UnixStream) {
    let ends = UnixStream::pair().unwrap();
    for end in [&ends.0, &ends.1] {
        end.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    }
    ends
}

/// One run between two machines.
pub(crate) fn run(
    want: &Sync,
    source: &Shared,
    destination: &Shared,
    fault: Fault,
) -> (Result<Summary, SyncError>, Told) {
    let kill = |which| match fault {
        Fault::Kill(side, after) if side == which => Some(after),
        _ => None,
    };
    let hosts = [ModelHost::new(source, kill(0)), ModelHost::new(destination, kill(1))];
    run_on(want, [&hosts[0], &hosts[1]], fault)
}

/// The same between any two hosts, the source's and the destination's.
pub(crate) fn run_on(want: &Sync, hosts: [&dyn Host; 2], fault: Fault) -> (Result<Summary, SyncError>, Told) {
    let mut told = Told { stop_after: None, ..Told::default() };
    if let Fault::Stop(after) = fault {
        told.stop_after = Some(after);
    }
    let allow = Allow { volumes: Volumes::Any, access: Access::Both };
    let result = thread::scope(|scope| {
        let mut reached = Vec::new();
        for (n, host) in hosts.into_iter().enumerate() {
            let (near, far) = ends();
            let left = |way| match fault {
                Fault::Cut(cut, after) if cut == way => Some(after),
                _ => None,
            };
            let way = |stream, way: usize| Way { stream, left: left(way), count: Arc::clone(&told.ways[way]) };
            let to_server = way(far.try_clone().unwrap(), 2 * n);
            let to_client = way(near.try_clone().unwrap(), 2 * n + 1);
            let (allow, name) = (&allow, ["web1", "backup1"][n]);
            scope.spawn(move || {
                let hello = Hello::new(allow.access.abilities(), "model", name);
                let dead = AtomicBool::new(false);
                let hang_up = || {
                    dead.store(true, Relaxed);
                    let _ = far.shutdown(std::net::Shutdown::Both);
                };
                let how = Serving {
                    allow,
                    hello: &hello,
                    zstd_level: 1,
                    patience: PATIENCE,
                    pace: &|_| {},
                    hang_up: &hang_up,
                };
                let _ = serve(to_server, far.try_clone().unwrap(), host, &how);
                hang_up();
            });
            let zstd_level = (n == 1).then_some(1);
            let output: Box<dyn Write + Send> = Box::new(near);
            reached.push(Reached {
                input: Box::new(to_client),
                output,
                zstd_level,
                patience: PATIENCE,
                hang_up: &|| {},
            });
        }
        let destination = reached.pop().unwrap();
        sync(want, reached.pop().unwrap(), destination, "model", &told)
    });
    (result, told)
}
