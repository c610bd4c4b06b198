//! `check --repair`: manifests that are missing, from the streams themselves.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::time::SystemTime;

use cli::{Common, Exit, Failure, Outcome, Progress, Stop};
use jiff::Timestamp;
use store::{Draft, Error, ErrorKind, Facts, Identities, SharedLock, Store, Unlisted};
use transfer::LayerInput;

/// What became of the objects without manifests.
#[derive(Debug, Default)]
pub(super) struct Repaired {
    /// How many have one now.
    pub count: usize,
    /// Why others have none, by the object's key.
    pub failed: BTreeMap<String, String>,
}

/// Rebuilds the manifests of the objects whose streams are whole.
///
/// # Errors
/// The store fails, the lock was lost, or the user stopped it.
pub(super) fn run(
    store: &Store,
    lock: &SharedLock,
    unlisted: &[Unlisted],
    identities: &Identities,
    common: Common,
    stop: &Stop,
) -> Outcome<Repaired> {
    let progress = Progress::new("rebuilding", None, common, stop.clone());
    let mut repaired = Repaired::default();
    for one in unlisted {
        match draft(store, one, identities, &progress) {
            Ok((stream, draft)) => {
                match store.list_again(lock, one, stream, draft) {
                    Ok(_) => repaired.count += 1,
                    // Of two objects of one layer the first got the manifest, or there is one that names a damaged object.
                    Err(error) if error.kind() == ErrorKind::Exists => {
                        repaired.failed.insert(one.key.clone(), error.to_string());
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            Err(failure) if failure.exit() == Exit::Refused && !stop.requested() => {
                repaired.failed.insert(one.key.clone(), failure.to_string());
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(repaired)
}

/// What the stream says of its layer, once all of it was read and checked.
fn draft(store: &Store, one: &Unlisted, identities: &Identities, progress: &Progress) -> Outcome<(Facts, Draft)> {
    let refuse = |says: &str| Failure::msg(Exit::Refused, says);
    let name = format!("layer {} of {}", one.layer, one.series);
    let open = move || -> std::io::Result<transfer::Opened<'_>> {
        let reader = store.read_unlisted(one, identities).map_err(Error::into_io)?;
        Ok(Box::new(BufReader::new(reader)))
    };
    let input = LayerInput::new(name, open);
    let mut layer = input.expecting(one.layer.clone()).open()?;
    let header = layer.header().clone();
    let totals = layer.read_through(progress)?.totals;
    if layer.next_layer()?.is_some() {
        return Err(refuse("it holds more than one layer"));
    }
    let (Some(volume_size), Some(chunk_size)) = (header.volume_size, header.chunk_size) else {
        return Err(refuse("its stream does not say its size"));
    };
    let created = header.created.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
    let created = created.ok_or_else(|| refuse("its stream does not say its time"))?;
    let draft = Draft::full(SystemTime::from(created), volume_size, chunk_size, totals);
    let tool = header.tool.unwrap_or_else(|| draft.tool.clone());
    Ok((facts(store, one, identities)?, Draft { parent: header.parent, tool, ..draft }))
}

/// The length and digest of the stream.
fn facts(store: &Store, one: &Unlisted, identities: &Identities) -> Outcome<Facts> {
    let mut reader = store.read_unlisted(one, identities)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(reader.facts()),
            Ok(_) => {}
            Err(error) => {
                return Err(Error::from_io(error).map_or_else(|e| transfer::Error::Output(e).into(), Into::into));
            }
        }
    }
}
