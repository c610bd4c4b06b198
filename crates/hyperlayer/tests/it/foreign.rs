//! The formats of other tools: what their golden streams say, and what is refused.

mod ddxml;
mod lvbackup_v1;
mod lvmsync;
mod thin_send;

use extents::Bytes;
use hyperlayer::fuzzing::Owned;
use hyperlayer::{Format, Header, Kind};

use crate::golden::data;
use crate::streams::text;

/// A header in which nothing stands.
fn header(format: Format, kind: Kind) -> Header {
    Header { format, kind, volume_size: None, ..Header::thin_send(Bytes::ZERO) }
}

/// The records of the golden delta, one for each chunk of 512 bytes, zeros as data.
fn sector_chunks(order: impl IntoIterator<Item = usize>) -> Vec<Owned> {
    let content = |i| if i == 6 { vec![0; 512] } else { text('A', i)[..512].to_vec() };
    order.into_iter().map(|i| data(i as u64, content(i))).collect()
}
