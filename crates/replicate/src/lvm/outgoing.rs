//! A layer is sent: planned, read, framed, hashed.

use std::io;

use block_copy::Queue;
use extents::{Bytes, Chunks, ExtentSet};
use hyperlayer::{Format, Header, LayerId, stream_len};
use lvm_cmd::{Lv, LvRef, find};
use transfer::lvm::{Selection, Source};
use transfer::{Delta, DetectLevel, Geometry, Layer, Part, Sink, Style, diff_into, undone};

use super::members::End;
use super::refuse::no_layer;
use super::{LvmHost, lock, tags};
use crate::limits::MAX_DATA_BYTES;
use crate::{
    Begin, Differ, Done, End as Last, Noted, Outflow, Plan, ReadBack, Refusal, RefusalKind, Role, Selected, Send,
    parent_tag,
};

/// A layer that can be sent at once.
#[derive(Debug)]
pub(super) struct Planned {
    selected: Selected,
    selection: Selection,
    header: Header,
    plan: transfer::Plan,
}

impl Planned {
    /// What is said of it.
    fn said(&self) -> Result<Plan, Refusal> {
        said(&self.selected, &self.header, &self.plan)
    }
}

/// What is said of a stream.
fn said(selected: &Selected, header: &Header, plan: &transfer::Plan) -> Result<Plan, Refusal> {
    let failed = |what: &str| Refusal::new(RefusalKind::Failed, what, 1);
    let (Some(volume_size), Some(chunk_size)) = (header.volume_size, header.chunk_size) else {
        return Err(failed("the stream would not say its sizes"));
    };
    let len = stream_len(header, plan.checks.iter().copied(), plan.reads(), &plan.delta.zero);
    let stream = len.map_err(|error| Refusal::from(transfer::Error::from(error)))?;
    let chunks: ExtentSet<Chunks> = plan.delta.data.iter().map(|range| chunk_size.touched(range)).collect();
    Ok(Plan {
        layer: selected.layer.clone(),
        parent: selected.parent.clone(),
        volume_size,
        chunk_size,
        stream: stream.ok_or_else(|| failed("the stream would not say its length"))?,
        data: plan.delta.data.total(),
        zero: plan.delta.zero.total(),
        chunks: chunks.total(),
    })
}

impl LvmHost<'_> {
    pub(super) fn plan_layer(&self, ask: &Selected) -> Result<Plan, Refusal> {
        let planned = self.planned(ask)?;
        let said = planned.said();
        *lock(&self.planned) = Some(planned);
        said
    }

    /// The layer as it would be sent; as it was planned, if it was. Both volumes are read-only, so it is the same each time.
    fn planned(&self, ask: &Selected) -> Result<Planned, Refusal> {
        if let Some(planned) = lock(&self.planned).take_if(|planned| planned.selected == *ask) {
            return Ok(planned);
        }
        let group = self.group(&ask.volume)?;
        let end = End::new(&ask.volume, &ask.pair, Role::Source);
        let new = self.layer_or_temporary(&end, &group, &ask.layer)?.name.clone();
        let found = |id| end.layer(&group, id).map(|lv| lv.name.clone());
        let (base, noted) = match &ask.parent {
            None => (None, None),
            Some(parent) => match (found(parent), self.noted_ranges(ask, parent, &group, &new)?) {
                (Ok(base), _) => (Some(base), None),
                (Err(_), Some(noted)) => (None, Some(noted)),
                (Err(refusal), None) => return Err(refusal),
            },
        };
        let selection = Selection::find(&self.lvm, &new, base.as_ref(), None)?;
        selection.check_kept()?;
        let delta = selection.delta(&self.lvm, &self.stopping())?;
        let geometry = selection.geometry()?;
        let (geometry, delta) = match &noted {
            None => (geometry, delta),
            Some(noted) => {
                let geometry = Geometry { base_size: geometry.size, ..geometry };
                (geometry, only(noted, &delta))
            }
        };
        let style = Style {
            format: Format::V1_1,
            // What is not here cannot be hashed.
            detect: if noted.is_some() { DetectLevel::None } else { DetectLevel::Sampled },
            meta: Vec::new(),
            tool: self.setup.tool.to_owned(),
        };
        let layer = Layer {
            name: Some(ask.volume.lv().to_string()),
            source: ask.volume.to_string(),
            id: Some(ask.layer.clone()),
            parent: ask.parent.clone(),
            full: ask.parent.is_none(),
            created: selection.new.created_seconds.and_then(retention::UnixSeconds::new).map(|time| time.to_string()),
            geometry,
            delta,
        };
        let (header, plan) = layer.plan(&style)?;
        Ok(Planned { selected: ask.clone(), selection, header, plan })
    }

    /// What was said to differ from a layer that is not here; all of the volume must have been compared.
    fn noted_ranges(
        &self,
        ask: &Selected,
        parent: &LayerId,
        group: &[Lv],
        new: &LvRef,
    ) -> Result<Option<ExtentSet<Bytes>>, Refusal> {
        let noted = lock(&self.noted);
        let Some(noted) = noted.as_ref().filter(|noted| noted.is_of(&ask.layer, parent)) else { return Ok(None) };
        if noted.is_whole(find(group, new)?.size) {
            return Ok(Some(noted.ranges.clone()));
        }
        let text = format!("what differs between layer {} and {parent} was not said to its end", ask.layer);
        Err(Refusal::new(RefusalKind::Protocol, &text, 1))
    }

    pub(super) fn note(&self, end: &End, ask: &Differ) -> Result<Noted, Refusal> {
        let group = self.group(&end.volume)?;
        let size = end.layer(&group, &ask.layer)?.size;
        let mut noted = lock(&self.noted);
        if ask.start.is_zero() {
            *noted = Some(super::noted::Differences::new(&ask.layer, &ask.parent));
            *lock(&self.planned) = None;
        }
        let Some(noted) = noted.as_mut().filter(|noted| noted.is_of(&ask.layer, &ask.parent)) else {
            let text = format!("nothing was said of the beginning of layer {} against {}", ask.layer, ask.parent);
            return Err(Refusal::new(RefusalKind::Protocol, &text, 1));
        };
        noted.add(ask, size)?;
        Ok(Noted { bytes: noted.ranges.total() })
    }

    pub(super) fn send_layer(&self, end: &End, ask: &Send, to: &mut dyn Outflow) -> Result<Last, Refusal> {
        let Planned { selected, selection, header, plan } = self.planned(&ask.selected)?;
        lock(&self.unsent).iter_mut().for_each(|unsent| unsent.is_sent(&selection.new.name));
        self.hold_what_is_sent(end, &selection)?;
        let fits = ask.resume.as_ref().map(|token| (token, token.rest(header.clone(), &plan)));
        let (header, plan, resumes_at) = match fits {
            Some((token, Ok((header, plan)))) => (header, plan, token.at),
            Some((_, Err(why))) => {
                tracing::warn!("layer {} is sent from its beginning: {why}", selected.layer);
                (header, plan, Bytes::ZERO)
            }
            None => (header, plan, Bytes::ZERO),
        };
        let begin = Begin { plan: said(&selected, &header, &plan)?, resumes_at, verify: ask.verify };
        let source = Source::open(&self.lvm, &selection)?;
        let mut out = Out { to, buffer: Vec::with_capacity(MAX_DATA_BYTES), content: ReadBack::new(ask.verify) };
        let sent = out.to.begin(&begin).map_err(transfer::Error::output).and_then(|()| {
            let (new, base) = (source.new_volume(), source.base());
            diff_into(&header, &plan, new, base, Queue::default(), &self.stopping(), &mut out)?;
            out.flush().map_err(transfer::Error::output)
        });
        let content = out.content.finish();
        undone(sent, source.close())?;
        Ok(Last { content })
    }

    /// What is sent, and what it is made against, must be there until it has arrived, however often it is interrupted.
    fn hold_what_is_sent(&self, end: &End, selection: &Selection) -> Result<(), Refusal> {
        let hold = tags::hold(&end.pair)?;
        for volume in std::iter::once(&selection.new).chain(&selection.base) {
            if volume.has_tag(end.pair.tag()) && !volume.has_tag(&hold) {
                self.retag(&volume.name, std::slice::from_ref(&hold), &[])?;
            }
        }
        Ok(())
    }

    /// The receiver has it: the next delta needs this one alone.
    pub(super) fn layer_is_sent(&self, end: &End, ask: &Send, done: &Done) -> Result<(), Refusal> {
        let group = self.group(&end.volume)?;
        if done.layer != ask.selected.layer {
            return Err(no_layer(&done.layer, &end.volume));
        }
        let layer = end.layer(&group, &done.layer)?;
        if let Some(parent) = ask.selected.parent.as_ref().filter(|_| crate::wire::layers::parent_of(layer).is_none()) {
            self.retag(&layer.name, &[parent_tag(parent)?], &[])?;
        }
        self.hold_only(end, &group, &[&layer.name])
    }
}

/// What of a full layer differs from what somebody else has: data where something is mapped here, else zeros.
fn only(noted: &ExtentSet<Bytes>, full: &Delta) -> Delta {
    Delta { data: noted.intersection(&full.data), zero: noted.difference(&full.data), same: ExtentSet::new() }
}

/// The stream on its way, in pieces of the length of a frame, and the digest of what is read back.
struct Out<'o> {
    to: &'o mut dyn Outflow,
    buffer: Vec<u8>,
    content: ReadBack,
}

impl Out<'_> {
    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            self.to.data(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

impl Sink for Out<'_> {
    fn put(&mut self, part: Part) -> io::Result<()> {
        let mut bytes = (*part).as_ref();
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(MAX_DATA_BYTES - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            if self.buffer.len() == MAX_DATA_BYTES {
                self.flush()?;
            }
            bytes = later;
        }
        Ok(())
    }

    fn record(&mut self, extent: extents::Extent<Bytes>, content: &[u8]) {
        if self.content.begin(extent) {
            self.content.update(content);
        }
    }
}
