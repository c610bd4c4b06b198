//! A [`Host`] over a machine in memory, which does what one on LVM does, step by step, and can die before each.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Mutex;

use extents::{Bytes, ChunkSize, Chunks, Extent};
use replicate::{
    Acknowledge, Adopt, Begin, Compare, Differ, Done, End, Host, Inflow, Layer, Layers, List, Live, Noted, Offer,
    Outflow, Plan, Prune, Pruned, ReadBack, Ready, Receive, Refusal, RefusalKind, Removed, Role, Selected, Send,
    Settle, Settled, Snapshot, Verify,
};
use transfer::receive::ResumeToken;

use super::Shared;
use super::machine::{CHUNK, Machine, Part, Volume};
use crate::kit::id;

pub(crate) struct ModelHost {
    machine: Shared,
    /// After so many changes it is dead.
    left: Mutex<Option<usize>>,
    noted: Mutex<Option<(String, String, BTreeSet<usize>)>>,
    temporary: Mutex<Vec<String>>,
    /// What nobody needs unless it is sent.
    unsent: Mutex<Vec<String>>,
}

fn no(kind: RefusalKind, text: &str) -> Refusal {
    Refusal::new(kind, text, 1)
}

fn gone(error: &io::Error) -> Refusal {
    no(RefusalKind::Failed, &error.to_string())
}

/// A record of the model's stream: where, and a chunk of content; a chunk of zeros has none.
const HEAD: usize = 9;
const TAIL: usize = 16;

fn bytes(count: usize) -> Bytes {
    Bytes::new(count as u64)
}

impl ModelHost {
    pub(crate) fn new(machine: &Shared, dies_after: Option<usize>) -> Self {
        let (left, noted) = (Mutex::new(dies_after), Mutex::default());
        Self { machine: machine.clone(), left, noted, temporary: Mutex::default(), unsent: Mutex::default() }
    }

    /// Changes something, unless it is dead.
    fn change<T>(&self, change: impl FnOnce(&mut Machine) -> T) -> Result<T, Refusal> {
        if let Some(left) = self.left.lock().unwrap().as_mut() {
            *left = left.checked_sub(1).ok_or_else(|| no(RefusalKind::Failed, "dead"))?;
        }
        Ok(change(&mut self.machine.lock().unwrap()))
    }

    /// `begun`: whether the volume's own name may have become another's.
    fn settle_steps(&self, ask: &Settle, begun: &mut bool) -> Result<Settled, Refusal> {
        let (name, pair) = (ask.volume.lv().to_string(), ask.pair.to_string());
        let (new, old) = (format!("new-{name}"), format!("old-{name}"));
        // What a change of names that was interrupted has left.
        let has = |name: &str| self.look(|machine| machine.volumes.contains_key(name));
        if !has(&name) && has(&old) {
            *begun = true;
            self.change(|machine| rename(machine, &old, &name))?;
        }
        for leftover in [&new, &old] {
            if has(leftover) {
                self.change(|machine| machine.volumes.remove(leftover))?;
            }
        }
        let mut kept: Option<String> = None;
        let layer = self.layer_volume(ask.layer.as_str())?;
        match self.look(|machine| Self::live(machine, &name, &pair)) {
            Live::Holds { layer, ours: true } if layer == ask.layer => {
                return Ok(Settled { layer: ask.layer.clone(), kept: None });
            }
            Live::Missing | Live::Holds { ours: true, .. } => {}
            Live::Written { .. } if ask.rollback => {
                kept = Some(self.change(|machine| {
                    let content = machine.volumes[&name].content.clone();
                    let kept = machine.free_name("written");
                    machine.add(&kept, content, true, &[]);
                    kept
                })?);
            }
            _ => return Err(no(RefusalKind::Destination, "written to")),
        }
        let tags = [format!("sync={pair}"), format!("live={}", ask.layer)];
        self.change(|machine| {
            machine.add(&new, layer.content.clone(), false, &tags);
        })?;
        if has(&name) {
            self.change(|machine| rename(machine, &name, &old))?;
        }
        *begun = true;
        self.change(|machine| rename(machine, &new, &name))?;
        if has(&old) {
            self.change(|machine| machine.volumes.remove(&old))?;
        }
        Ok(Settled { layer: ask.layer.clone(), kept: kept.map(|kept| kept.parse().unwrap()) })
    }

    fn look<T>(&self, look: impl FnOnce(&Machine) -> T) -> T {
        look(&self.machine.lock().unwrap())
    }

    fn layer_volume(&self, id: &str) -> Result<Volume, Refusal> {
        let found = self.look(|machine| machine.by_id(id).map(|(_, volume)| volume.clone()));
        found.ok_or_else(|| no(RefusalKind::NotFound, &format!("no layer {id}")))
    }

    /// The chunks of a layer that are sent.
    fn chunks(&self, selected: &Selected) -> Result<(Volume, Vec<usize>), Refusal> {
        let new = self.layer_volume(selected.layer.as_str())?;
        let all = || 0..new.content.len() / CHUNK;
        let chunk = |volume: &Volume, n: usize| volume.content.get(n * CHUNK..(n + 1) * CHUNK).map(<[u8]>::to_vec);
        let picked = match &selected.parent {
            None => all().filter(|n| chunk(&new, *n).unwrap().iter().any(|byte| *byte != 0)).collect(),
            Some(parent) => match self.layer_volume(parent.as_str()) {
                Ok(old) => all().filter(|n| chunk(&new, *n) != chunk(&old, *n)).collect(),
                Err(refusal) => match &*self.noted.lock().unwrap() {
                    Some((layer, of, noted))
                        if (layer.as_str(), of.as_str()) == (selected.layer.as_str(), parent.as_str()) =>
                    {
                        noted.iter().copied().filter(|n| *n < new.content.len() / CHUNK).collect()
                    }
                    _ => return Err(refusal),
                },
            },
        };
        Ok((new, picked))
    }

    fn plan_of(selected: &Selected, new: &Volume, picked: &[usize]) -> Plan {
        let is_zero = |n: &&usize| new.content[**n * CHUNK..(**n + 1) * CHUNK].iter().all(|byte| *byte == 0);
        let zeros = picked.iter().filter(is_zero).count();
        let data = picked.len() - zeros;
        Plan {
            layer: selected.layer.clone(),
            parent: selected.parent.clone(),
            volume_size: bytes(new.content.len()),
            chunk_size: ChunkSize::from_bytes(bytes(CHUNK)).unwrap(),
            stream: bytes(picked.len() * HEAD + data * CHUNK + TAIL),
            data: bytes(data * CHUNK),
            zero: bytes(zeros * CHUNK),
            chunks: Chunks::new(data as u64),
        }
    }

    fn described(name: &str, volume: &Volume, pair: &str) -> Layer {
        let mut ids = vec![id(&volume.uuid)];
        ids.extend(volume.tag("layer=").map(id));
        Layer {
            name: name.parse().unwrap(),
            ids,
            parent: volume.tag("parent=").map(id),
            created_seconds: Some(volume.created),
            size: bytes(volume.content.len()),
            ours: volume.tag("sync=") == Some(pair),
        }
    }

    fn live(machine: &Machine, name: &str, pair: &str) -> Live {
        let Some(live) = machine.volumes.get(name) else { return Live::Missing };
        let Some(layer) = live.tag("live=") else { return Live::Unknown };
        match machine.by_id(layer) {
            Some((_, volume)) if volume.content == live.content => {
                Live::Holds { layer: id(layer), ours: live.tag("sync=") == Some(pair) }
            }
            _ => Live::Written { since: id(layer) },
        }
    }

    fn token(part: &Part) -> ResumeToken {
        ResumeToken {
            layer: id(&part.layer),
            parent: part.parent.as_deref().map(id),
            size: bytes(part.content.len()),
            at: bytes(part.at),
            outline: part.outline.clone(),
        }
    }

    fn ready(&self, offer: &Offer) -> Result<Ready, Refusal> {
        let plan = &offer.plan;
        if self.look(|machine| machine.is_full) {
            return Err(no(RefusalKind::Space, "full"));
        }
        if let Some(parent) = &plan.parent {
            self.layer_volume(parent.as_str())?;
        }
        let part = self.look(|machine| machine.part.clone());
        let fits = |part: &Part| {
            part.layer == plan.layer.as_str()
                && part.parent.as_deref() == plan.parent.as_ref().map(hyperlayer::LayerId::as_str)
        };
        Ok(Ready { resume: part.filter(fits).map(|part| Self::token(&part)) })
    }
}

impl Drop for ModelHost {
    fn drop(&mut self) {
        for name in self.temporary.lock().unwrap().drain(..) {
            self.machine.lock().unwrap().volumes.remove(&name);
        }
        for name in std::mem::take(&mut *self.unsent.lock().unwrap()) {
            // Who is dead removes nothing.
            let _ = self.change(|machine| machine.volumes.remove(&name));
        }
    }
}

impl Host for ModelHost {
    fn list(&self, ask: &List) -> Result<Layers, Refusal> {
        let (name, pair) = (ask.volume.lv().as_str(), ask.pair.to_string());
        self.look(|machine| {
            let is_layer = |volume: &Volume| volume.read_only && volume.tag("live=").is_none();
            let layers = machine.volumes.iter().filter(|(_, volume)| is_layer(volume));
            let is_destination = ask.role == Role::Destination;
            if !is_destination && !machine.volumes.contains_key(name) {
                return Err(no(RefusalKind::NotFound, "no source"));
            }
            let mut layers: Vec<_> = layers.collect();
            layers.sort_by_key(|(_, volume)| std::cmp::Reverse(volume.transaction));
            Ok(Layers {
                live: is_destination.then(|| Self::live(machine, name, &pair)),
                in_use: machine.in_use,
                layers: layers.into_iter().map(|(name, volume)| Self::described(name, volume, &pair)).collect(),
                complete: true,
                partial: machine.part.as_ref().filter(|_| is_destination).map(Self::token),
            })
        })
    }

    fn snapshot(&self, ask: &Snapshot) -> Result<Layer, Refusal> {
        let pair = ask.pair.to_string();
        let (name, volume) = self.change(|machine| {
            let content = machine.volumes[ask.volume.lv().as_str()].content.clone();
            let name = machine.free_name(&format!("{}-sync", ask.volume.lv()));
            let tags = if ask.temporary { vec![] } else { vec![format!("sync={pair}")] };
            let volume = machine.add(&name, content, true, &tags).clone();
            (name, volume)
        })?;
        if ask.temporary {
            self.temporary.lock().unwrap().push(name.clone());
        } else if ask.role == Role::Source {
            self.unsent.lock().unwrap().push(name.clone());
        }
        Ok(Self::described(&name, &volume, &pair))
    }

    fn plan(&self, ask: &Selected) -> Result<Plan, Refusal> {
        let (new, picked) = self.chunks(ask)?;
        Ok(Self::plan_of(ask, &new, &picked))
    }

    fn would_receive(&self, offer: &Offer) -> Result<Ready, Refusal> {
        self.ready(offer)
    }

    fn receive(&self, offer: &Offer) -> Result<(Ready, Box<dyn Receive + '_>), Refusal> {
        let ready = self.ready(offer)?;
        if ready.resume.is_none() {
            self.change(|machine| machine.part = None)?;
        }
        let receiving = Receiving { host: self, offer: offer.clone() };
        Ok((ready, Box::new(receiving)))
    }

    fn send(&self, ask: &Send, to: &mut dyn Outflow) -> Result<End, Refusal> {
        let (new, mut picked) = self.chunks(&ask.selected)?;
        let sent = self.look(|machine| machine.by_id(ask.selected.layer.as_str()).map(|(name, _)| name.clone()));
        self.unsent.lock().unwrap().retain(|name| Some(name) != sent.as_ref());
        let mut resumes_at = Bytes::ZERO;
        if let Some(token) = &ask.resume {
            let mut outline = hyperlayer::Outline::default();
            let at = usize::try_from(token.at.get()).unwrap();
            for n in picked.iter().take_while(|n| **n * CHUNK < at) {
                outline.add(content_of(&new, *n), extent(*n)).unwrap();
            }
            if outline.digest() == token.outline.digest() {
                resumes_at = token.at;
                picked.retain(|n| n * CHUNK >= at);
            }
        }
        let plan = Self::plan_of(&ask.selected, &new, &picked);
        to.begin(&Begin { plan, resumes_at, verify: ask.verify }).map_err(|error| gone(&error))?;
        let mut read = ReadBack::new(ask.verify);
        for n in picked {
            let chunk = &new.content[n * CHUNK..(n + 1) * CHUNK];
            let is_data = chunk.iter().any(|byte| *byte != 0);
            let head = [&(n as u64).to_be_bytes()[..], &[u8::from(is_data)]].concat();
            to.data(&head).map_err(|error| gone(&error))?;
            if is_data {
                if read.begin(extent(n)) {
                    read.update(chunk);
                }
                to.data(chunk).map_err(|error| gone(&error))?;
            }
        }
        to.data(&[0xee; TAIL]).map_err(|error| gone(&error))?;
        Ok(End { content: read.finish() })
    }

    fn sent(&self, _: &Send, _: &Done) -> Result<(), Refusal> {
        Ok(())
    }

    fn compare(&self, ask: &Compare) -> Result<Vec<[u8; 32]>, Refusal> {
        let volume = self.layer_volume(ask.layer.as_str())?;
        let [start, len, block] = [ask.start, ask.len, ask.block].map(|n| usize::try_from(n.get()).unwrap());
        let Some(part) = volume.content.get(start..start + len) else { return Err(no(RefusalKind::Failed, "smaller")) };
        Ok(part.chunks(block).map(|block| *blake3::hash(block).as_bytes()).collect())
    }

    fn differ(&self, ask: &Differ) -> Result<Noted, Refusal> {
        let mut noted = self.noted.lock().unwrap();
        let names = (ask.layer.to_string(), ask.parent.to_string());
        if ask.start.is_zero() {
            *noted = Some((names.0, names.1, BTreeSet::new()));
        }
        let Some((_, _, chunks)) = noted.as_mut() else { return Err(no(RefusalKind::Failed, "nothing noted")) };
        for extent in ask.extents() {
            let [start, end] = [extent.start(), extent.end()].map(|n| usize::try_from(n.get()).unwrap());
            chunks.extend(start / CHUNK..end / CHUNK);
        }
        Ok(Noted { bytes: bytes(chunks.len() * CHUNK) })
    }

    fn settle(&self, ask: &Settle) -> Result<Settled, Refusal> {
        let mut begun = false;
        let settled = self.settle_steps(ask, &mut begun);
        settled.map_err(|refusal| if begun { Refusal { exit: 5, ..refusal } } else { refusal })
    }

    fn adopt(&self, ask: &Adopt) -> Result<Layer, Refusal> {
        let pair = ask.pair.to_string();
        let (name, snapshot) = (ask.volume.lv().as_str(), ask.snapshot.as_str());
        let found = self.change(|machine| {
            let volume = machine.volumes.get_mut(snapshot)?;
            volume.read_only = true;
            volume.tags.insert(format!("sync={pair}"));
            volume.tags.extend(ask.layer.as_ref().map(|layer| format!("layer={layer}")));
            let volume = volume.clone();
            if ask.role == Role::Destination {
                let live = machine.volumes.get_mut(name)?;
                live.tags.retain(|tag| !tag.starts_with("live="));
                live.tags.extend([format!("sync={pair}"), format!("live={}", volume.uuid)]);
            }
            Some(volume)
        })?;
        let volume = found.ok_or_else(|| no(RefusalKind::NotFound, "no such snapshot"))?;
        Ok(Self::described(snapshot, &volume, &pair))
    }

    fn prune(&self, ask: &Prune) -> Result<Pruned, Refusal> {
        let pair = ask.pair.to_string();
        let is_ours = |volume: &Volume| volume.tag("sync=") == Some(&*pair) && volume.tag("live=").is_none();
        let mut ours: Vec<_> = self.look(|machine| {
            let ours = machine.volumes.iter().filter(|(_, volume)| is_ours(volume));
            ours.map(|(name, volume)| {
                (volume.created, name.clone(), volume.uuid.clone(), volume.tag("layer=").map(str::to_owned))
            })
            .collect()
        });
        ours.sort();
        ours.reverse();
        // Of all policies the model knows only `last=N`.
        let last: usize = ask.policy.to_string().strip_prefix("last=").unwrap().parse().unwrap();
        let held = self.look(|machine| machine.part.as_ref().map(|part| part.parent.clone()));
        let mut removed = Vec::new();
        for (_, name, uuid, layer) in ours.iter().skip(last) {
            let ids = [Some(uuid.as_str()), layer.as_deref()];
            if ids.contains(&Some(ask.common.as_str())) || held.iter().flatten().any(|held| ids.contains(&Some(held))) {
                continue;
            }
            if !ask.dry_run {
                self.change(|machine| machine.volumes.remove(name))?;
            }
            removed.push(Removed::new(name.parse().unwrap(), "not among the newest"));
        }
        Ok(Pruned { kept: u32::try_from(ours.len() - removed.len()).unwrap(), removed })
    }
}

fn rename(machine: &mut Machine, from: &str, to: &str) {
    let volume = machine.volumes.remove(from).unwrap();
    assert!(machine.volumes.insert(to.to_owned(), volume).is_none(), "`{to}` is there already");
}

fn extent(n: usize) -> Extent<Bytes> {
    Extent::new(bytes(n * CHUNK), bytes(CHUNK)).unwrap()
}

fn content_of(volume: &Volume, n: usize) -> hyperlayer::Content {
    let is_zero = volume.content[n * CHUNK..(n + 1) * CHUNK].iter().all(|byte| *byte == 0);
    if is_zero { hyperlayer::Content::Zero } else { hyperlayer::Content::Data }
}

struct Receiving<'a> {
    host: &'a ModelHost,
    offer: Offer,
}

impl Receive for Receiving<'_> {
    fn receive(
        self: Box<Self>,
        begin: &Begin,
        from: &mut dyn Inflow,
        acknowledge: &dyn Acknowledge,
    ) -> Result<Done, Refusal> {
        let (host, plan) = (self.host, &begin.plan);
        let size = usize::try_from(plan.volume_size.get()).unwrap();
        let part = host.look(|machine| machine.part.clone()).filter(|_| !begin.resumes_at.is_zero());
        let mut part = match part {
            Some(part) => part,
            None => {
                let base = plan.parent.as_ref().map(|parent| host.layer_volume(parent.as_str())).transpose()?;
                let mut content = base.map_or_else(Vec::new, |base| base.content);
                content.resize(size, 0);
                let outline = hyperlayer::Outline::default();
                let parent = plan.parent.as_ref().map(ToString::to_string);
                Part { layer: plan.layer.to_string(), parent, at: 0, content, outline }
            }
        };
        let (mut records, mut came, mut kept) = (Vec::new(), 0, Cell::new(0));
        let end = plan.stream.get() - TAIL as u64;
        while came < end {
            let mut head = [0; HEAD];
            from.read_exact(&mut head).map_err(|error| gone(&error))?;
            let n = usize::try_from(u64::from_be_bytes(head[..8].try_into().unwrap())).unwrap();
            let Some(chunk) = part.content.get_mut(n * CHUNK..(n + 1) * CHUNK) else {
                return Err(no(RefusalKind::Data, "a record past the end"));
            };
            chunk.fill(0);
            came += HEAD as u64;
            if head[8] == 1 {
                from.read_exact(chunk).map_err(|error| gone(&error))?;
                came += CHUNK as u64;
                records.push(n);
            }
            let content = if head[8] == 1 { hyperlayer::Content::Data } else { hyperlayer::Content::Zero };
            part.outline.add(content, extent(n)).unwrap();
            part.at = (n + 1) * CHUNK;
            *kept.get_mut() += 1;
            if kept.get() % 3 == 0 {
                host.change(|machine| machine.part = Some(part.clone()))?;
                acknowledge.durable(Bytes::new(came));
            }
        }
        io::copy(&mut from.take(TAIL as u64), &mut io::sink()).map_err(|error| gone(&error))?;
        let sent = from.end().map_err(|error| gone(&error))?;
        host.change(|machine| machine.part = Some(part.clone()))?;
        acknowledge.durable(plan.stream);
        let mut read = ReadBack::new(begin.verify);
        for n in records {
            if read.begin(extent(n)) {
                read.update(&part.content[n * CHUNK..(n + 1) * CHUNK]);
            }
        }
        if begin.verify != Verify::None {
            acknowledge.verified(plan.data);
        }
        if sent.content != read.finish() {
            return Err(Refusal::new(RefusalKind::Data, "what was read back is not what was sent", 3));
        }
        host.change(|machine| {
            let name = machine.free_name(&format!("{}-sync", self.offer.volume.lv()));
            let mut tags = vec![format!("sync={}", self.offer.pair), format!("layer={}", plan.layer)];
            tags.extend(plan.parent.as_ref().map(|parent| format!("parent={parent}")));
            let mut content = part.content;
            content.resize(size + machine.extra, 0);
            machine.add(&name, content, true, &tags);
            machine.part = None;
        })?;
        Ok(Done { layer: plan.layer.clone(), content: read.finish() })
    }
}
