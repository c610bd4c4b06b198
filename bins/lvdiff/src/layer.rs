//! What the stream says, from what was asked for and what was found.

use cli::{Exit, Failure, OrFail, Outcome};
use extents::{Bytes, ChunkSize, SECTOR_BYTES};
use hyperlayer::limits::RECOMMENDED_DATA_RECORD;
use hyperlayer::{Encoder, Header, LayerId, Totals, delta_blocks};
use jiff::Timestamp;
use transfer::{Delta, Geometry, Plan, checks};

use crate::args::{Args, Format};

/// The layer to send, before anything of it is read.
#[derive(Debug)]
pub(crate) struct Layer {
    /// What the stream calls the volume, and so what the receiver will.
    pub name: Option<String>,
    /// Where it is read from.
    pub source: String,
    /// Its id.
    pub id: Option<LayerId>,
    /// Its parent's id.
    pub parent: Option<LayerId>,
    /// Its sizes.
    pub geometry: Geometry,
    /// What it holds.
    pub delta: Delta,
}

impl Layer {
    /// The header and the records.
    ///
    /// # Errors
    /// The format that was asked for cannot say this.
    pub(crate) fn plan(self, args: &Args) -> Outcome<(Header, Plan)> {
        let Geometry { size, base_size, chunk } = self.geometry;
        let full = args.base.is_none();
        // The same volumes give the same samples.
        let seed = format!("{:?} {:?} {size} {base_size}", self.id, self.parent);
        let checks = checks(args.detect, &self.delta, self.geometry, &seed);
        let level = if checks.is_empty() { 0 } else { args.detect.number() };
        let plan = Plan { checks, delta: self.delta, step: RECOMMENDED_DATA_RECORD };
        let totals = plan.totals();
        let header = match args.format {
            Format::V1_1 if full => Header::full(size, chunk, totals),
            Format::V1_1 => Header::delta(size, base_size, chunk, totals),
            Format::V1_0 if full => return Err(not_in_1_0("has no full layers", "leave out `--full`")),
            Format::V1_0 if size != base_size => {
                return Err(not_in_1_0(
                    "cannot say that a volume grew or shrank",
                    "use 1.1, or give both volumes one size first",
                ));
            }
            Format::V1_0 => {
                let blocks = delta_blocks(plan.records().map(transfer::Record::extent), chunk);
                Header { detect_level: Some(i32::from(level)), ..Header::v1_0(size, chunk, totals, blocks) }
            }
        };
        let header = Header { name: self.name, layer: self.id, parent: self.parent, meta: meta(args), ..header };
        let header = match header.format {
            hyperlayer::Format::V1_0 => header,
            hyperlayer::Format::V1_1 => Header {
                source: Some(self.source),
                created: Some(Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
                tool: Some(concat!("lvdiff ", env!("CARGO_PKG_VERSION")).to_owned()),
                ..header
            },
        };
        Ok((header, plan))
    }
}

/// Refuses what the user wants in the header and no header can hold, before any volume is looked at.
///
/// # Errors
/// A key or value is not possible, or is one of the format's own.
pub(crate) fn check_meta(args: &Args) -> Outcome {
    let (size, chunk) = (Bytes::new(SECTOR_BYTES), ChunkSize::SECTOR);
    let header = match args.format {
        Format::V1_1 => Header::full(size, chunk, Totals::default()),
        Format::V1_0 => Header::v1_0(size, chunk, Totals::default(), 0),
    };
    Encoder::start(&Header { meta: meta(args), ..header }).or_fail(Exit::Usage).map(drop)
}

fn meta(args: &Args) -> Vec<(String, String)> {
    args.meta.iter().map(|meta| (meta.0.clone(), meta.1.clone())).collect()
}

fn not_in_1_0(why: &str, hint: &str) -> Failure {
    Failure::msg(Exit::Usage, format!("HYPERLAYER 1.0 {why}")).hint(hint)
}

/// How much is read and written for the plan, for the progress bar.
pub(crate) fn work(plan: &Plan) -> Bytes {
    plan.checks.iter().map(|check| check.len()).fold(plan.delta.data.total(), Bytes::saturating_add)
}
