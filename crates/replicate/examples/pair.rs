//! Brings one thin volume in step with another on this machine, without a session between both hosts, and dies where it is told
//! to: for trying [`replicate::lvm`] on real LVM.
//!
//! `pair SRC DST [rollback] [existing] [read-only] [die=N] [cut=BYTES] [keep=RULES]`. With `die=N` the process aborts instead of
//! running its N-th program that changes anything; with `cut=BYTES` the stream breaks off. The last line is how many there were.

use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{SystemTime, UNIX_EPOCH};

use extents::Bytes;
use hyperlayer::LayerId;
use lvm_cmd::{Command, DEFAULT_STATE_DIR, ExecError, Executor, LvRef, Output, Running, StateDir};
use replicate::lvm::{LvmHost, Setup, ThisRun};
use replicate::{
    Acknowledge, Begin, Bits, Compare, Destination, Differ, End, Host, Inflow, List, Live, Offer, Outflow, Pair, Prune,
    Refusal, Role, Selected, Send, Settle, Snapshot, Step, Verify, next,
};
use retention::UnixSeconds;
use transfer::lvm::Lvm;
use transfer::receive::DEFAULT_PARTIAL_DIR;

/// Dies instead of running one of the programs.
#[derive(Debug)]
struct Dying {
    host: lvm_cmd::Host,
    count: AtomicUsize,
    at: Option<usize>,
}

impl Dying {
    fn count(&self, command: &Command) {
        let text = command.to_string();
        let changes = ["lvcreate", "lvchange", "lvrename", "lvremove", "lvresize", "dmsetup message"];
        if changes.iter().any(|name| text.starts_with(name)) {
            let count = self.count.fetch_add(1, Ordering::SeqCst) + 1;
            if self.at == Some(count) {
                eprintln!("dies before `{text}`");
                std::process::abort();
            }
        }
    }
}

impl Executor for Dying {
    fn run(&self, command: &Command) -> Result<Output, ExecError> {
        self.count(command);
        self.host.run(command)
    }

    fn spawn(&self, command: &Command) -> Result<Box<dyn Running>, ExecError> {
        self.host.spawn(command)
    }
}

enum Said {
    Begin(Box<Begin>),
    Data(Vec<u8>),
}

struct Out {
    to: SyncSender<Said>,
    /// How much may still pass.
    left: usize,
}

impl Outflow for Out {
    fn begin(&mut self, begin: &Begin) -> io::Result<()> {
        self.to.send(Said::Begin(Box::new(begin.clone()))).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::ConnectionReset)?;
        self.to.send(Said::Data(bytes.to_vec())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

struct In {
    from: Receiver<Said>,
    last: Receiver<End>,
    rest: Vec<u8>,
    missing: usize,
}

impl Read for In {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() && self.missing > 0 {
            let Ok(Said::Data(data)) = self.from.recv() else { return Err(io::ErrorKind::ConnectionReset.into()) };
            self.missing -= data.len();
            self.rest = data;
        }
        let len = self.rest.len().min(buf.len());
        buf[..len].copy_from_slice(&self.rest[..len]);
        self.rest.drain(..len);
        Ok(len)
    }
}

impl Inflow for In {
    fn end(&mut self) -> io::Result<End> {
        self.last.recv().map_err(|_| io::ErrorKind::ConnectionReset.into())
    }
}

struct Told;

impl Acknowledge for Told {
    fn durable(&self, stream: Bytes) {
        eprintln!("durable: {stream}");
    }

    fn verified(&self, _: Bytes) {}
}

struct Job<'j> {
    source: &'j dyn Host,
    destination: &'j (dyn Host + Sync),
    from: LvRef,
    to: LvRef,
    pair: Pair,
    words: Vec<String>,
}

impl Job<'_> {
    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|given| given == word)
    }

    fn run(&self) -> Result<(), Refusal> {
        let list = |host: &dyn Host, volume: &LvRef, role| {
            host.list(&List { volume: volume.clone(), pair: self.pair.clone(), role })
        };
        let there = list(self.destination, &self.to, Role::Destination)?;
        eprintln!("{there:?}");
        let mut here = list(self.source, &self.from, Role::Source)?;
        let part =
            there.partial.as_ref().and_then(|token| here.layers.iter().find(|layer| layer.ids.contains(&token.layer)));
        let newest = match part {
            Some(layer) => layer.clone(),
            None => {
                let (volume, pair) = (self.from.clone(), self.pair.clone());
                self.source.snapshot(&Snapshot { volume, pair, temporary: false })?
            }
        };
        here.layers.retain(|layer| layer.name != newest.name);
        let mut state =
            Destination { live: there.live.unwrap_or(Live::Missing), in_use: there.in_use, layers: there.layers };
        if self.has("rollback") && matches!(state.live, Live::Written { .. }) {
            state.live = Live::Missing;
        }
        let mut parent = None;
        if self.has("existing") && state.live == Live::Unknown {
            let (volume, pair) = (self.to.clone(), self.pair.clone());
            let base = self.destination.snapshot(&Snapshot { volume, pair, temporary: false })?;
            self.compare(&newest.ids[0], newest.size, &base.ids[0])?;
            parent = Some(base.ids[0].clone());
        } else {
            match next(&newest, &here.layers, &state) {
                Ok(Step::Delta { from, .. }) => parent = Some(from.ids[0].clone()),
                Ok(Step::Initial) => {}
                Ok(step) => {
                    eprintln!("{step:?}");
                    return self.settle(&newest.ids[0]);
                }
                Err(error) => return Err(Refusal::new(replicate::RefusalKind::Destination, &error.to_string(), 3)),
            }
        }
        self.send(&newest.ids[0], parent)?;
        self.settle(&newest.ids[0])
    }

    fn compare(&self, layer: &LayerId, size: Bytes, base: &LayerId) -> Result<(), Refusal> {
        let (block, mut start) = (Bytes::new(65536), Bytes::ZERO);
        while start < size {
            let len = Bytes::new((size.get() - start.get()).min(4096 * block.get()));
            let ask = |volume: &LvRef, role, layer: &LayerId| {
                let (volume, pair, layer) = (volume.clone(), self.pair.clone(), layer.clone());
                Compare { volume, pair, role, layer, start, len, block }
            };
            let here = self.source.compare(&ask(&self.from, Role::Source, layer))?;
            let there = self.destination.compare(&ask(&self.to, Role::Destination, base))?;
            let bits = here.iter().zip(&there).map(|(a, b)| a != b).collect();
            let bits = Bits::new(bits).unwrap_or_else(|error| panic!("{error}"));
            let (volume, pair) = (self.from.clone(), self.pair.clone());
            let said = Differ { volume, pair, layer: layer.clone(), parent: base.clone(), start, block, bits };
            eprintln!("{:?}", self.source.differ(&said)?);
            start = start.saturating_add(len);
        }
        Ok(())
    }

    fn send(&self, layer: &LayerId, parent: Option<LayerId>) -> Result<(), Refusal> {
        let selected = Selected { volume: self.from.clone(), pair: self.pair.clone(), layer: layer.clone(), parent };
        let plan = self.source.plan(&selected)?;
        eprintln!("{plan:?}");
        let offer = Offer { volume: self.to.clone(), pair: self.pair.clone(), pool: None, plan };
        assert_eq!(self.destination.would_receive(&offer)?.resume.is_some(), {
            let (ready, receive) = self.destination.receive(&offer)?;
            drop(receive);
            ready.resume.is_some()
        });
        let (ready, receive) = self.destination.receive(&offer)?;
        let resume = ready.resume;
        eprintln!("goes on at {:?}", resume.as_ref().map(|token| token.at));
        let ask = Send { selected, resume, verify: Verify::Full };
        let cut = self.words.iter().find_map(|word| word.strip_prefix("cut=")?.parse().ok());
        let (to, from) = sync_channel(4);
        let (say_last, last) = sync_channel(1);
        let mut out = Out { to, left: cut.unwrap_or(usize::MAX) };
        let done = std::thread::scope(|scope| {
            let sending = scope.spawn(|| {
                let ended = self.source.send(&ask, &mut out);
                drop(out);
                ended.map(|end| drop(say_last.send(end)))
            });
            let done = match from.recv() {
                Ok(Said::Begin(begin)) => {
                    let missing = begin.plan.stream.to_usize().unwrap_or(usize::MAX);
                    let mut inflow = In { from, last, rest: Vec::new(), missing };
                    receive.receive(&begin, &mut inflow, &Told)
                }
                _ => Err(Refusal::new(replicate::RefusalKind::Failed, "nothing was sent", 1)),
            };
            match sending.join() {
                Ok(sent) => done.and_then(|done| sent.map(|()| done)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })?;
        self.source.sent(&ask, &done)
    }

    fn settle(&self, layer: &LayerId) -> Result<(), Refusal> {
        let settle = Settle {
            volume: self.to.clone(),
            pair: self.pair.clone(),
            layer: layer.clone(),
            rollback: self.has("rollback"),
            read_only_live: self.has("read-only"),
        };
        eprintln!("{:?}", self.destination.settle(&settle)?);
        let rules = self.words.iter().find_map(|word| word.strip_prefix("keep=")).unwrap_or("last=1");
        for (host, volume, role) in
            [(self.source, &self.from, Role::Source), (self.destination as &dyn Host, &self.to, Role::Destination)]
        {
            let policy = rules.parse().unwrap_or_else(|error| panic!("{error}"));
            let (volume, pair, common) = (volume.clone(), self.pair.clone(), layer.clone());
            eprintln!("{:?}", host.prune(&Prune { volume, pair, role, policy, common, dry_run: false })?);
        }
        Ok(())
    }
}

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let [from, to]: [LvRef; 2] =
        std::array::from_fn(|_| words.remove(0).parse().unwrap_or_else(|error| panic!("{error}")));
    let at = words.iter().find_map(|word| word.strip_prefix("die=")?.parse().ok());
    let exec = Dying { host: lvm_cmd::Host::new(), count: AtomicUsize::new(0), at };
    let (state, stop) =
        (StateDir::new(DEFAULT_STATE_DIR).unwrap_or_else(|error| panic!("{error}")), AtomicBool::new(false));
    let lvm = Lvm::new(&exec, &state, &stop);
    let now = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        UnixSeconds::new(since.cast_signed()).unwrap_or_else(|| panic!("no such time"))
    };
    let setup = Setup { now: &now, ledgers: Path::new(DEFAULT_PARTIAL_DIR), tool: "pair 0" };
    let run = ThisRun::start(&lvm).unwrap_or_else(|error| panic!("{error}"));
    let (source, destination) = (LvmHost::new(lvm, &run, setup), LvmHost::new(lvm, &run, setup));
    let pair = format!("here:{from}").parse().unwrap_or_else(|error| panic!("{error}"));
    let job = Job { source: &source, destination: &destination, from, to, pair, words };
    let ended = job.run();
    println!("{}", exec.count.load(Ordering::SeqCst));
    if let Err(refusal) = ended {
        eprintln!("{:?} {}: {}", refusal.kind, refusal.exit, refusal.text);
        drop((source, destination));
        drop(run);
        std::process::exit(refusal.exit.into());
    }
}
