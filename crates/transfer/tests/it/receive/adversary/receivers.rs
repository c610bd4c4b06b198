//! What applies streams: of each what a run leaves behind, and what the next one finds.

use std::io::{BufReader, Cursor};
use std::mem;

use block_copy::testing::{Faults, ThinModel, Volatile};
use block_copy::{Memory, Queue, ReadAt, WriteAt};
use extents::{Bytes, ChunkSize};
use transfer::receive::Partial;
use transfer::{Apply, Base, Error, Incoming, LayerInput, Restore, identify, needs_no_base, restore};

use super::super::{Fate, History, Machine, Reading, id};
use crate::stop::StopAt;

pub(super) trait Receives {
    /// What the next run goes on with.
    fn partial(&self) -> Partial;

    /// One run on these streams. Where it is killed, the power fails too.
    fn run(&mut self, streams: &[Vec<u8>], fate: Fate, survives: &mut dyn FnMut() -> bool) -> Result<(), Error>;

    /// The newest state that is complete.
    fn result(&self) -> Vec<u8>;
}

impl Receives for Machine {
    fn partial(&self) -> Partial {
        self.partial()
    }

    fn run(&mut self, streams: &[Vec<u8>], fate: Fate, survives: &mut dyn FnMut() -> bool) -> Result<(), Error> {
        self.run(streams, fate, survives)
    }

    fn result(&self) -> Vec<u8> {
        self.result()
    }
}

/// Nothing is kept of a run that fails.
pub(super) fn without_ledger(result: Option<&Vec<u8>>) -> Partial {
    Partial { complete: result.is_some(), ..Partial::new("target", "2026-11-21T03:00:00Z", None) }
}

pub(super) const QUEUE: Queue = Queue { piece: Bytes::new(4096), depth: 2, readers: 1 };

pub(super) fn open<'a>(
    stream: &'a [u8],
    base: Option<Bytes>,
    reading: &Reading,
) -> Result<Incoming<BufReader<&'a [u8]>>, Error> {
    let incoming = Incoming::open_with(BufReader::with_capacity(1500, stream), reading.options)?;
    match base {
        None => needs_no_base(incoming.header())?,
        Some(size) => drop(identify(incoming.header(), &Base { name: "base".into(), size, ids: vec![id(0)] }, false)?),
    }
    let incoming = incoming.accept_open_end(reading.open_end).with_size(reading.size);
    match incoming.size(base.unwrap_or_default())? {
        size if size > Machine::SIZE_MAX.into() => {
            Err(Error::TargetTooSmall { size: Machine::SIZE_MAX.into(), needed: size })
        }
        _ => Ok(incoming),
    }
}

/// `lvpatch` on a volume: each run makes a new one.
pub(super) struct Patch {
    base: Option<Vec<u8>>,
    chunk: ChunkSize,
    reading: Reading,
    result: Option<Vec<u8>>,
}

impl Patch {
    pub(super) fn new(history: &History, chunk: ChunkSize, reading: Reading) -> Self {
        Self { base: history.base.clone(), chunk, reading, result: None }
    }
}

impl Receives for Patch {
    fn partial(&self) -> Partial {
        without_ledger(self.result.as_ref())
    }

    fn run(&mut self, streams: &[Vec<u8>], fate: Fate, _: &mut dyn FnMut() -> bool) -> Result<(), Error> {
        let input = streams.concat();
        let base = self.base.as_ref().map(Vec::len);
        let incoming = open(&input[..fate.input.min(input.len())], base.map(Bytes::from), &self.reading)?;
        let base_size = base.unwrap_or(0).into();
        let size = incoming.size(base_size)?;
        let model = ThinModel::new(base.unwrap_or(0), self.chunk);
        model.write_at(Bytes::ZERO, self.base.as_deref().unwrap_or_default())?;
        let model = Volatile::new(model.snapshot(size.max(base_size).to_usize().unwrap()));
        let target = Faults::new(fate.fails.0, fate.fails.1).over(model);
        let how = Apply { chunk: self.chunk, base_size, check_base: true, queue: QUEUE };
        incoming.apply(&target, how, &StopAt::after(fate.stop))?;
        let mut result = target.inner().after_power_cut(|| false)?.to_vec();
        result.truncate(size.to_usize().unwrap());
        self.result = Some(result);
        Ok(())
    }

    fn result(&self) -> Vec<u8> {
        self.result.clone().unwrap()
    }
}

/// The restore of a store's chain, newest layer first; each run on what the one before has left.
pub(super) struct Restoring {
    target: Memory,
    reading: Reading,
    result: Option<Vec<u8>>,
}

impl Restoring {
    pub(super) fn new(reading: Reading) -> Self {
        Self { target: Memory::new(vec![0xDB; Machine::SIZE_MAX]), reading, result: None }
    }
}

impl Receives for Restoring {
    fn partial(&self) -> Partial {
        without_ledger(self.result.as_ref())
    }

    fn run(&mut self, streams: &[Vec<u8>], fate: Fate, _: &mut dyn FnMut() -> bool) -> Result<(), Error> {
        let inputs = streams.iter().enumerate().rev().map(|(number, stream)| {
            let left = fate.input.min(stream.len());
            LayerInput::new(format!("layer {number}"), move || Ok(Box::new(Cursor::new(&stream[..left]))))
                .with_options(self.reading.options)
                .accept_open_end(self.reading.open_end)
        });
        let how = Restore { size: self.reading.size, chunk: ChunkSize::SECTOR, fresh: false, queue: QUEUE };
        let content = mem::replace(&mut self.target, Memory::new(Vec::new()));
        let target = Faults::new(fate.fails.0, fate.fails.1).over(content);
        let restored = restore(inputs, &target, how, &StopAt::after(fate.stop));
        self.target = target.into_inner();
        let size = restored?.last().unwrap().link.header.volume_size.or(self.reading.size).unwrap();
        let mut result = vec![0; size.to_usize().unwrap()];
        self.target.read_at(Bytes::ZERO, &mut result)?;
        self.result = Some(result);
        Ok(())
    }

    fn result(&self) -> Vec<u8> {
        self.result.clone().unwrap()
    }
}
