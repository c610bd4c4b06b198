//! Chains: what is merged and restored is what applying gives, layer by layer.

mod broken;
mod merge;
mod restore;
mod unchecked;

use std::io::{self, BufReader, Cursor};

use extents::Bytes;
use hyperlayer::{Header, LayerId};
use testkit::{Pair, ThinVolume, chunk_runs};
use transfer::{Delta, DetectLevel, Geometry, LayerInput, Opened};

use crate::Layer;

/// A chain of layers and the volumes that they stand for.
pub(crate) struct Chain {
    /// The state before the first layer; nothing where that is full.
    pub base: Vec<u8>,
    /// The state after each.
    pub states: Vec<Vec<u8>>,
    pub streams: Vec<Vec<u8>>,
}

impl Chain {
    /// A full layer, then deltas.
    pub(crate) fn full(history: &[ThinVolume]) -> Self {
        let first = &history[0];
        let geometry = Geometry { size: first.size(), base_size: Bytes::ZERO, chunk: first.chunk() };
        let mapped = chunk_runs(first.mapped()).into_iter().map(Ok::<_, thin_delta::Error>);
        let delta = Delta::full(mapped, geometry).unwrap();
        let layer = Layer::new(delta, geometry, first.content(), None, DetectLevel::None);
        let mut chain = Self::deltas(history);
        chain.states.insert(0, std::mem::take(&mut chain.base));
        chain.streams.insert(0, named(layer, 0).stream());
        chain
    }

    /// Deltas only, each with checks of all of its base.
    pub(crate) fn deltas(history: &[ThinVolume]) -> Self {
        let pairs = history.windows(2).map(|w| Pair { old: w[0].clone(), new: w[1].clone() });
        let layers = pairs.zip(1..).map(|(pair, number)| named(Layer::of(&pair, DetectLevel::Every), number));
        let streams = layers.map(|layer| layer.stream()).collect();
        let states = history[1..].iter().map(ThinVolume::content).collect();
        Self { base: history[0].content(), states, streams }
    }
}

fn id(number: usize) -> LayerId {
    LayerId::new(format!("state:{number}")).unwrap()
}

fn named(layer: Layer, number: usize) -> Layer {
    let parent = layer.base.is_some().then(|| id(number - 1));
    let header = Header { layer: Some(id(number)), parent, name: Some(format!("n{number}")), ..layer.header.clone() };
    Layer { header, ..layer }
}

fn input<'a>(name: &str, stream: &'a [u8]) -> LayerInput<'a> {
    let stream: &'a [u8] = stream;
    LayerInput::new(name, move || Ok::<Opened<'a>, io::Error>(Box::new(BufReader::with_capacity(5000, stream))))
}

/// Inputs of which the data can be stepped over.
fn seekable(streams: &[Vec<u8>]) -> Vec<LayerInput<'_>> {
    let mut seekable = Vec::new();
    for (input, stream) in inputs(streams).into_iter().zip(streams) {
        seekable.push(input.or_seekable(move || Ok(Some(Box::new(Cursor::new(stream))))));
    }
    seekable
}

fn inputs(streams: &[Vec<u8>]) -> Vec<LayerInput<'_>> {
    (0..).zip(streams).map(|(number, stream)| input(&format!("{number}.hl"), stream)).collect()
}

/// Four states; in the second the volume is small, in the third it has grown again without data.
fn example() -> Vec<testkit::ThinVolume> {
    let mut now = testkit::ThinVolume::new(crate::chunk(4096), 64 * 1024);
    now.write(0, &testkit::stamped(1, 0, 64 * 1024));
    let mut states = vec![now.clone()];
    now.discard(32 * 1024, 32 * 1024);
    now.resize(32 * 1024);
    states.push(now.clone());
    now.resize(60 * 1024);
    now.write(1024, &testkit::stamped(2, 2, 4096));
    states.push(now.clone());
    now.write(56 * 1024, &testkit::stamped(3, 112, 1024));
    states.push(now);
    states
}
