//! Right streams, in each format that a receiver takes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use block_copy::{Memory, Queue, Silent};
use extents::{Bytes, ChunkSize, Extent};
use hyperlayer::{Decoder, Event, Format, ReadOptions};
use md5::{Digest, Md5};
use proptest::prelude::*;
use testkit::ThinVolume;
use transfer::receive::ResumeToken;
use transfer::{Apply, Incoming, Record};

use super::super::{History, Machine, Reading};
use super::receivers::Receives;
use crate::Layer;

/// The format of a chain's last layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    V1_1,
    V1_0,
    /// Without the line at the end that this project writes: only the chunks are counted.
    Original,
    LvbackupV1,
    ThinSend1_1,
    ThinSend1_0,
    Lvmsync,
    Ddxml,
}

impl Form {
    pub(super) fn any() -> impl Strategy<Value = Self> {
        let foreign = vec![
            Self::V1_0,
            Self::Original,
            Self::LvbackupV1,
            Self::ThinSend1_1,
            Self::ThinSend1_0,
            Self::Lvmsync,
            Self::Ddxml,
        ];
        prop_oneof![Just(Self::V1_1), prop::sample::select(foreign)]
    }

    /// Whether every change of a stream is found.
    fn is_proven(self) -> bool {
        matches!(self, Self::V1_1 | Self::V1_0)
    }

    /// Whether the stream says how large the volume is, also where that grew or shrank.
    fn is_sized(self) -> bool {
        matches!(self, Self::V1_1 | Self::LvbackupV1)
    }

    /// Whether it can be a layer without a parent.
    pub(super) fn has_full(self) -> bool {
        matches!(self, Self::V1_1 | Self::LvbackupV1 | Self::ThinSend1_1 | Self::ThinSend1_0)
    }

    fn encode(self, layer: &Layer) -> Vec<u8> {
        match self {
            Self::V1_1 => layer.stream(),
            Self::V1_0 => layer.clone().in_format(Format::V1_0).stream(),
            Self::Original => {
                let mut stream = Self::V1_0.encode(layer);
                let end = stream.windows(5).rposition(|part| part == b"\nEND ").unwrap();
                stream.truncate(end + 1);
                stream
            }
            Self::ThinSend1_1 => layer.clone().in_format(Format::ThinSend1_1).stream(),
            Self::ThinSend1_0 => records(layer, |record, data| {
                let extent = record.extent();
                let data = if matches!(record, Record::Zero(_)) { &[] } else { data };
                let numbers = [0xCA7F_00D5_DE7E_C7ED, extent.start().get(), extent.len().get()].map(u64::to_be_bytes);
                let command = u32::from(data.is_empty()).to_be_bytes();
                [&numbers.concat(), &command[..], data].concat()
            })
            .concat(),
            Self::Lvmsync => {
                let mut records = records(layer, |record, data| {
                    let len = u32::try_from(data.len()).unwrap().to_be_bytes();
                    [&record.extent().start().get().to_be_bytes(), &len[..], data].concat()
                });
                // Its order is that of a hash table.
                records.reverse();
                [b"lvmsync PROTO[3]\n".to_vec(), records.concat()].concat()
            }
            Self::Ddxml => {
                let block = |(number, data): (u64, Vec<u8>)| {
                    format!("<block offset='{number}'>{}</block>\n", STANDARD.encode(data))
                };
                format!("<dd>\n{}</dd>\n", sectors(layer).into_iter().map(block).collect::<String>()).into_bytes()
            }
            Self::LvbackupV1 => {
                let blocks = sectors(layer);
                let kind = 1 + u8::from(layer.base.is_some());
                let mut header = vec![1, kind];
                header.extend((layer.new.len() as u64).to_be_bytes());
                header.extend(512_u32.to_be_bytes());
                header.extend((blocks.len() as u64).to_be_bytes());
                header.extend(b"new000-0000-0000-0000-0000-0000-0000");
                header.extend([0; 36]);
                let summed = |bytes: Vec<u8>| [bytes.clone(), Md5::digest(&bytes).to_vec()].concat();
                let block = |(number, data): (u64, Vec<u8>)| summed([number.to_be_bytes().to_vec(), data].concat());
                [summed(header), blocks.into_iter().flat_map(block).collect()].concat()
            }
        }
    }
}

/// Each record, with what the volume holds there.
fn records(layer: &Layer, encode: impl Fn(Record, &[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    let index = |at: Bytes| at.to_usize().unwrap();
    let data = |extent: Extent<Bytes>| &layer.new[index(extent.start())..index(extent.end())];
    layer.plan.records().map(|record| encode(record, data(record.extent()))).collect()
}

/// The sectors of all records.
fn sectors(layer: &Layer) -> Vec<(u64, Vec<u8>)> {
    let extents = layer.plan.records().map(Record::extent).flat_map(|extent| extent.pieces(Bytes::new(512)));
    let content = |extent: Extent<Bytes>| {
        let start = extent.start().to_usize().unwrap();
        (extent.start().get() / 512, layer.new[start..start + 512].to_vec())
    };
    extents.map(content).collect()
}

/// The first stream of an input: what is behind it is refused, and it may stay all the same.
fn first_of(input: &[u8], options: ReadOptions) -> &[u8] {
    let mut decoder = Decoder::with_options(options);
    let mut taken = 0;
    loop {
        match decoder.decode(&input[taken..]) {
            Ok((_, Some(Event::End(_)))) => return &input[..usize::try_from(decoder.position()).unwrap()],
            Ok((consumed, Some(_))) => taken += consumed,
            Ok((_, None)) | Err(_) => return input,
        }
    }
}

/// A chain that is sent, and what a receiver must make of it.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) history: History,
    pub(super) form: Form,
}

impl Sending {
    pub(super) fn new(states: &[ThinVolume], full: bool, form: Form) -> Self {
        let mut states = states.to_vec();
        if !form.is_sized() {
            // Such a layer does not say that the volume grew or shrank.
            let size = states[0].size().to_usize().unwrap();
            states.iter_mut().for_each(|state| state.resize(size));
        }
        Self { history: if full { History::full(&states) } else { History::on_base(&states) }, form }
    }

    /// What is said on the receiver's command line.
    pub(super) fn reading(&self) -> Reading {
        let is_sized = self.form.is_sized();
        Reading {
            options: ReadOptions { block_size: (self.form == Form::Ddxml).then_some(ChunkSize::SECTOR) },
            open_end: matches!(self.form, Form::ThinSend1_0 | Form::Lvmsync),
            size: (!is_sized).then(|| self.last().len().into()),
        }
    }

    pub(super) fn last(&self) -> &[u8] {
        self.history.last()
    }

    pub(super) fn len(&self) -> u64 {
        self.history.layers.len() as u64
    }

    pub(super) fn streams(&self) -> Vec<Vec<u8>> {
        let (last, before) = self.history.layers.split_last().unwrap();
        before.iter().map(Layer::stream).chain([self.form.encode(last)]).collect()
    }

    /// The streams that a sender gives: all of them, or only what the receiver waits for.
    pub(super) fn to(&self, receiver: &dyn Receives, is_rest: bool) -> Vec<Vec<u8>> {
        let partial = receiver.partial();
        let mut streams = self.streams();
        // Only a layer that names its parent is known for the one that is waited for.
        let is_named = self.form == Form::V1_1 || partial.layers + 1 < self.len();
        if !is_rest || !is_named || partial.is_empty() || partial.layers == self.len() {
            return streams;
        }
        let layers = usize::try_from(partial.layers).unwrap();
        let mut rest = streams.split_off(layers);
        if let (Some(token), Some(layer)) = (partial.token(), self.history.layers.get(layers)) {
            let token: ResumeToken = token.to_string().parse().unwrap();
            // One that does not fit is refused by the sender, which then sends all of the layer.
            if let Ok((header, plan)) = token.rest(layer.header.clone(), &layer.plan) {
                rest[0] = Layer { header, plan, ..layer.clone() }.stream();
            }
        }
        rest
    }

    /// What the volume holds where this is accepted as the last stream: what was sent, or, in a format that cannot tell, what
    /// the stream says when it is read alone.
    pub(super) fn meant(&self, last: &[u8]) -> Vec<u8> {
        let (right, layer) = (self.last().to_vec(), self.history.layers.last().unwrap());
        if self.form.is_proven() {
            return right;
        }
        let base = layer.base.clone().unwrap_or_default();
        let reading = self.reading();
        let last = first_of(last, reading.options);
        let said = Incoming::open_with(last, reading.options).and_then(|incoming| {
            let incoming = incoming.accept_open_end(reading.open_end).with_size(reading.size);
            let (base_size, chunk) = (Bytes::from(base.len()), ChunkSize::SECTOR);
            let size = incoming.size(base_size)?;
            let len = size.max(base_size).to_usize().unwrap();
            let mut content = base.clone();
            content.resize(len.min(Machine::SIZE_MAX), 0);
            let target = Memory::new(content);
            incoming.apply(&target, Apply { chunk, base_size, check_base: true, queue: Queue::default() }, &Silent)?;
            let mut content = target.into_vec();
            content.truncate(size.to_usize().unwrap());
            Ok(content)
        });
        said.unwrap_or(right)
    }
}
