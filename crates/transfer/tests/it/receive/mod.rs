//! Receiving a chain that is interrupted anywhere, on volumes behind a cache that a power cut empties.

mod adversary;
mod chain;
mod ledger;
mod refused;
mod token;

use std::collections::BTreeMap;
use std::io::BufReader;
use std::sync::Mutex;

use block_copy::testing::{Failure, Faulted, Faults, Faulty, ThinModel, Volatile};
use block_copy::{Op, Queue, ReadAt, WriteAt};
use extents::{Bytes, ChunkSize};
use hyperlayer::{Header, LayerId, ReadOptions};
use testkit::{Pair, ThinVolume, chunk_runs};
use transfer::receive::{Ledger, Partial, PartialBase, Reach, Receiver, Site, Want};
use transfer::{Base, Delta, DetectLevel, Error, Geometry, Identity, LayerReader, identify, needs_no_base};

use crate::Layer;
use crate::stop::StopAt;

/// A chain's layers; the volume before the first one, where that is a delta.
#[derive(Debug)]
struct History {
    base: Option<Vec<u8>>,
    layers: Vec<Layer>,
}

impl History {
    fn full(states: &[ThinVolume]) -> Self {
        let first = &states[0];
        let geometry = Geometry { size: first.size(), base_size: Bytes::ZERO, chunk: first.chunk() };
        let mapped = chunk_runs(first.mapped()).into_iter().map(Ok::<_, thin_delta::Error>);
        let delta = Delta::full(mapped, geometry).unwrap();
        let full = named(Layer::new(delta, geometry, first.content(), None, DetectLevel::None), 0);
        Self { base: None, layers: std::iter::once(full).chain(deltas(states)).collect() }
    }

    fn on_base(states: &[ThinVolume]) -> Self {
        Self { base: Some(states[0].content()), layers: deltas(states).collect() }
    }

    fn streams(&self) -> Vec<Vec<u8>> {
        self.layers.iter().map(Layer::stream).collect()
    }

    fn last(&self) -> &[u8] {
        &self.layers.last().unwrap().new
    }
}

fn deltas(states: &[ThinVolume]) -> impl Iterator<Item = Layer> + '_ {
    let pairs = states.windows(2).map(|pair| Pair { old: pair[0].clone(), new: pair[1].clone() });
    pairs.zip(1..).map(|(pair, number)| named(Layer::of(&pair, DetectLevel::Every), number))
}

fn id(number: usize) -> LayerId {
    LayerId::new(format!("state:{number}")).unwrap()
}

fn named(layer: Layer, number: usize) -> Layer {
    let parent = layer.base.is_some().then(|| id(number - 1));
    Layer { header: Header { layer: Some(id(number)), parent, ..layer.header.clone() }, ..layer }
}

/// What outlives a power cut.
struct Machine {
    chunk: ChunkSize,
    /// Whether all layers go into one file, which cannot be had anew.
    file: bool,
    base: Option<ThinModel>,
    volumes: BTreeMap<u64, ThinModel>,
    ledger: LedgerInMemory,
    reading: Reading,
}

/// What a user says of streams that do not say it.
#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    options: ReadOptions,
    /// Whether a stream is taken that has no end.
    open_end: bool,
    size: Option<Bytes>,
}

#[derive(Default)]
struct LedgerInMemory(Mutex<Option<Partial>>);

impl Ledger for LedgerInMemory {
    fn keep(&self, partial: &Partial) -> Result<(), block_copy::Error> {
        *self.0.lock().unwrap() = Some(partial.clone());
        Ok(())
    }
}

/// A ledger whose writing is one of the operations that may fail.
struct FaultyLedger<L> {
    inner: L,
    faults: Faults,
    /// Whether the one that fails is kept all the same, as where the directory's sync fails.
    is_kept: bool,
}

impl<L: Ledger> Ledger for FaultyLedger<L> {
    fn keep(&self, partial: &Partial) -> Result<(), block_copy::Error> {
        let passed = self.faults.pass(Op::Rename);
        if passed.is_ok() || self.is_kept && self.faults.has_just_failed() {
            self.inner.keep(partial)?;
        }
        passed
    }
}

/// How one run goes.
#[derive(Clone, Copy, Debug)]
struct Fate {
    /// How many writes each target takes before it fails.
    writes: u64,
    /// How many bytes of the input come.
    input: usize,
    /// After how much data a mark is due.
    due: u64,
    /// How far past a mark is written, in bytes.
    reach: u64,
    /// How many operations of all kinds pass, and what happens then.
    fails: (u64, Failure),
    /// Whether the ledger has what failed to be written to it.
    is_kept: bool,
    /// How often it is asked whether to stop before that is so.
    stop: u64,
}

const UNHARMED: Fate = Fate {
    writes: u64::MAX,
    input: usize::MAX,
    due: 4096,
    reach: 20_000,
    fails: (u64::MAX, Failure::Kill),
    is_kept: false,
    stop: u64::MAX,
};

impl Fate {
    fn want<'a>(&self, due: &'a (dyn Fn(Bytes) -> bool + Sync), reading: &Reading) -> Want<'a> {
        let queue = Queue { piece: Bytes::new(4096), depth: 2, readers: 1 };
        Want { check_base: true, size: reading.size, due, reach: Reach(Bytes::new(self.reach)), seen: None, queue }
    }
}

impl Machine {
    /// The room that it has for a volume, in bytes.
    const SIZE_MAX: usize = 1 << 20;

    fn new(history: &History, chunk: ChunkSize, file: bool) -> Self {
        let chunk = if file { ChunkSize::SECTOR } else { chunk };
        let base = history.base.as_ref().map(|base| {
            let volume = ThinModel::new(base.len(), chunk);
            volume.write_at(Bytes::ZERO, base).unwrap();
            volume
        });
        let (volumes, ledger, reading) = (BTreeMap::new(), LedgerInMemory::default(), Reading::default());
        Self { chunk, file, base, volumes, ledger, reading }
    }

    fn partial(&self) -> Partial {
        let base = self.base.as_ref().map(|base| PartialBase { name: "base".into(), uuid: None, size: base.size() });
        self.ledger.0.lock().unwrap().clone().unwrap_or_else(|| Partial::new("target", "2026-11-21T03:00:00Z", base))
    }

    /// One run on these streams, one behind the other. Where it fails the power is cut, and of what was not synced that
    /// remains which `survives`.
    fn run(&mut self, streams: &[Vec<u8>], fate: Fate, survives: &mut dyn FnMut() -> bool) -> Result<(), Error> {
        let partial = self.partial();
        let faults = Faults::new(fate.fails.0, fate.fails.1);
        let inner = std::mem::take(&mut self.ledger);
        let ledger = FaultyLedger { inner, faults: faults.clone(), is_kept: fate.is_kept };
        let due = move |since: Bytes| since.get() >= fate.due;
        let reading = self.reading;
        let want = fate.want(&due, &reading);
        let mut receiver =
            Receiver::new(Volumes { machine: self, fate, faults, open: None, parent: None }, &ledger, partial, want);
        let ended = hand_over(&mut receiver, streams, &fate, &reading);
        let ended = match ended {
            Ok(()) => receiver.complete().map(drop),
            Err(error) => {
                let (site, _) = receiver.interrupt();
                site.power_cut(survives);
                Err(error)
            }
        };
        self.ledger = ledger.inner;
        ended
    }

    /// The newest target.
    fn result(&self) -> Vec<u8> {
        self.volumes.last_key_value().unwrap().1.to_vec()
    }
}

fn hand_over<S: Site>(
    receiver: &mut Receiver<'_, S>,
    streams: &[Vec<u8>],
    fate: &Fate,
    reading: &Reading,
) -> Result<(), Error> {
    let (input, progress) = (streams.concat(), StopAt::after(fate.stop));
    let input = BufReader::with_capacity(1500, &input[..fate.input.min(input.len())]);
    let layer = LayerReader::open_rest("in", input, reading.options)?;
    let mut next = Some(layer.accept_open_end(reading.open_end));
    while let Some(mut layer) = next {
        receiver.receive(&mut layer, &progress)?;
        next = layer.next_layer()?;
    }
    Ok(())
}

struct Volumes<'m> {
    machine: &'m mut Machine,
    fate: Fate,
    faults: Faults,
    open: Option<(u64, Faulted<Faulty<Volatile>>)>,
    parent: Option<ThinModel>,
}

impl Volumes<'_> {
    fn open(&mut self, number: u64, volume: &ThinModel, len: usize) {
        let volume = Volatile::new(volume.snapshot(len));
        let volume = Faulty::new(volume, 5).after_writes(self.fate.writes);
        self.open = Some((self.key(number), self.faults.over(volume)));
        self.parent = self.parent_of(number);
    }

    fn key(&self, number: u64) -> u64 {
        if self.machine.file { 0 } else { number }
    }

    fn parent_of(&self, number: u64) -> Option<ThinModel> {
        let parent = match number.checked_sub(1) {
            None => self.machine.base.as_ref(),
            Some(_) if self.machine.file => None,
            Some(before) => self.machine.volumes.get(&before),
        };
        parent.map(|parent| parent.snapshot(parent.size().to_usize().unwrap()))
    }

    fn identify(&self, number: u64, header: &Header) -> Result<Option<Identity>, Error> {
        match &self.machine.base {
            _ if number > 0 => Ok(None),
            None => needs_no_base(header).map(|()| None),
            Some(base) => {
                identify(header, &Base { name: "base".into(), size: base.size(), ids: vec![id(0)] }, false).map(Some)
            }
        }
    }

    fn power_cut(self, survives: &mut dyn FnMut() -> bool) {
        if let Some((key, volume)) = self.open {
            self.machine.volumes.insert(key, volume.inner().inner().after_power_cut(survives).unwrap());
        }
    }
}

impl Site for Volumes<'_> {
    fn chunk(&self) -> ChunkSize {
        self.machine.chunk
    }

    fn begin(&mut self, number: u64, header: &Header, size: Bytes) -> Result<Option<Identity>, Error> {
        let identity = self.identify(number, header)?;
        if size > Machine::SIZE_MAX.into() {
            // Of a header that was altered.
            return Err(Error::TargetTooSmall { size: Machine::SIZE_MAX.into(), needed: size });
        }
        let parent = match self.parent_of(number) {
            Some(parent) => parent,
            None if number > 0 => self.machine.volumes.remove(&0).unwrap(),
            None => ThinModel::new(0, self.machine.chunk),
        };
        let len = size.max(parent.size()).to_usize().unwrap();
        self.open(number, &parent, len);
        Ok(identity)
    }

    fn reopen(&mut self, number: u64, header: &Header, size: Bytes) -> Result<Option<Identity>, Error> {
        let identity = self.identify(number, header)?;
        let volume = self.machine.volumes.remove(&self.key(number)).unwrap();
        let len = size.max(header.parent_size.unwrap_or_default()).to_usize().unwrap();
        self.open(number, &volume, len);
        Ok(identity)
    }

    fn read_whole(&self, number: u64, read: &mut dyn FnMut(&dyn ReadAt)) -> Result<(), Error> {
        read(&self.machine.volumes[&self.key(number)]);
        Ok(())
    }

    fn target(&self) -> Result<(&dyn WriteAt, Option<&dyn ReadAt>), Error> {
        let (_, volume) = self.open.as_ref().unwrap();
        Ok((volume, self.parent.as_ref().map(|parent| parent as &dyn ReadAt)))
    }

    fn end(&mut self, _: u64, size: Bytes) -> Result<(), Error> {
        let (key, volume) = self.open.take().unwrap();
        // Only what was synced counts.
        let durable = volume.inner().inner().after_power_cut(|| false).unwrap();
        self.machine.volumes.insert(key, durable.snapshot(size.to_usize().unwrap()));
        Ok(())
    }

    fn forget_parent(&mut self, number: u64) -> Result<(), Error> {
        if let Some(before) = number.checked_sub(1).filter(|_| !self.machine.file) {
            self.machine.volumes.remove(&before).unwrap();
        }
        Ok(())
    }

    fn can_begin_again(&self, number: u64) -> bool {
        !self.machine.file || number == 0
    }
}

/// Four states; in the second the volume is small, in the third it has grown again without data.
fn example() -> Vec<ThinVolume> {
    let mut now = ThinVolume::new(crate::chunk(4096), 64 * 1024);
    now.write(0, &testkit::stamped(1, 0, 64 * 1024));
    let mut states = vec![now.clone()];
    now.discard(32 * 1024, 32 * 1024);
    now.resize(32 * 1024);
    now.write(512, &testkit::stamped(4, 1, 20 * 1024));
    states.push(now.clone());
    now.resize(60 * 1024);
    now.write(1024, &testkit::stamped(2, 2, 14 * 1024));
    states.push(now.clone());
    now.write(36 * 1024, &testkit::stamped(3, 112, 21 * 1024));
    states.push(now);
    states
}
