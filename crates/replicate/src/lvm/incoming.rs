//! A layer is received: on a new volume, as a snapshot of the layer before it, with a ledger, so that it can be interrupted
//! anywhere; read back; and only then a layer.

use std::collections::VecDeque;
use std::io::BufReader;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use block_copy::Queue;
use extents::{Bytes, Extent};
use hyperlayer::{Header, ReadOptions};
use lvm_cmd::{Activation, Lv, LvName, LvRef, LvType, find};
use transfer::lvm::{
    Destination, LvmError, PartialVolumes, Sizes, Source, Space, VolumeSite, keeps_its_layer, layer_tag, partial_target,
};
use transfer::receive::{Ledger, LedgerFile, Partial, PartialBase, Reach, Receiver, Want};
use transfer::{Error, LayerReader, undone};

use super::list::is_of_group;
use super::members::{End, is};
use super::read_back::read_back;
use super::records::Records;
use super::space::chunks_here;
use super::{LvmHost, lock, names, tags};
use crate::{Acknowledge, Begin, Done, Inflow, Offer, Plan, Ready, Receive, Refusal, RefusalKind, Verify, parent_tag};

/// How much data an interruption may cost.
const KEEP_EVERY: Bytes = Bytes::new(256 << 20);
/// How much time an interruption may cost.
const KEEP_EVERY_SECONDS: u64 = 2;
/// How much of the stream is read at once.
const READ_BYTES: usize = 256 * 1024;

/// Where a layer of a destination comes to be.
struct Place<'a> {
    volumes: PartialVolumes<'a>,
    ledger: LedgerFile,
}

impl Place<'_> {
    /// Removes what there is of a layer that is not whole.
    fn discard(&self, group: &[Lv]) -> Result<(), Refusal> {
        self.volumes.discard(group)?;
        Ok(self.ledger.remove()?)
    }
}

impl<'a> LvmHost<'a> {
    fn place(&self, end: &End) -> Result<Place<'a>, Refusal> {
        let target = names::partial(&end.volume)?;
        Ok(Place { volumes: PartialVolumes::lock(self.lvm, self.setup.locks, &target)?, ledger: self.ledger(&target) })
    }

    pub(super) fn try_offer(&self, end: &End, offer: &Offer) -> Result<Ready, Refusal> {
        let group = self.group(&end.volume)?;
        let target = names::partial(&end.volume)?;
        let destination = self.destination(end, group, offer)?;
        let volume = destination.group.iter().find(|lv| partial_target(lv).as_ref() == Some(&target));
        let partial = volume.and_then(|_| self.ledger(&target).read().ok().flatten());
        let partial = partial.filter(|partial| goes_on(partial, &destination, &offer.plan));
        if partial.is_none() {
            PartialVolumes::check_length(&target)?;
            self.check_space(&destination, &offer.plan)?;
        }
        Ok(Ready { resume: partial.and_then(|partial| partial.token()) })
    }

    pub(super) fn take_offer(&self, end: End, offer: &Offer) -> Result<(Ready, Box<dyn Receive + '_>), Refusal> {
        self.run.clean(&self.lvm, &self.group(&end.volume)?)?;
        self.finish_received(&end)?;
        let group = self.group(&end.volume)?;
        let place = self.place(&end)?;
        if let Some(there) = end.layers(&group).into_iter().find(|lv| is(lv, &offer.plan.layer)) {
            let text = format!("layer {} is here already, as `{}`", offer.plan.layer, there.name);
            return Err(Refusal::new(RefusalKind::Failed, &text, 1));
        }
        let destination = self.destination(&end, group, offer)?;
        let partial = self.partial(&place, &destination, &offer.plan)?;
        if partial.is_none() {
            PartialVolumes::check_length(place.volumes.target())?;
            self.check_space(&destination, &offer.plan)?;
        }
        let ready = Ready { resume: partial.as_ref().and_then(Partial::token) };
        Ok((ready, Box::new(Incoming { host: self, end, plan: offer.plan.clone(), place, destination, partial })))
    }

    /// What an interrupted receive has left of this layer. What it has left of anything else is removed.
    fn partial(&self, place: &Place<'_>, destination: &Destination, plan: &Plan) -> Result<Option<Partial>, Refusal> {
        let group = &destination.group;
        let why = match place.ledger.read() {
            Ok(Some(partial)) if place.volumes.first(group).is_some() && goes_on(&partial, destination, plan) => {
                return Ok(Some(partial));
            }
            Ok(None) if place.volumes.among(group).next().is_none() => return Ok(None),
            Ok(Some(partial)) => partial.begun.map_or_else(
                || "nothing of it was durable".to_owned(),
                |begun| format!("it is of layer {}, and layer {} is received now", begun.layer, plan.layer),
            ),
            Ok(None) => "nobody knows how far it was".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::info!("what was received of `{}` before is removed: {why}", place.volumes.target());
        place.discard(group)?;
        Ok(None)
    }

    /// What the layer is applied on.
    fn destination(&self, end: &End, group: Vec<Lv>, offer: &Offer) -> Result<Destination, Refusal> {
        let (base, pool) = match &offer.plan.parent {
            Some(parent) => {
                let base = self.layer_or_temporary(end, &group, parent)?;
                (Some(base.name.clone()), base.name.clone())
            }
            None => (None, pool(end, &group, offer.pool.as_ref())?),
        };
        Ok(Destination::among(group, base.as_ref(), &pool)?)
    }

    fn check_space(&self, destination: &Destination, plan: &Plan) -> Result<(), Refusal> {
        let (chunk, base) = (destination.chunk()?, destination.base.as_ref().map_or(Bytes::ZERO, |base| base.size));
        let chunks = chunks_here(plan, chunk, base, destination.unmaps());
        let space = Space { chunk, chunks: Some(chunks), records: None, size: plan.volume_size };
        Ok(space.check(&self.lvm, &destination.pool)?)
    }

    /// A run that was killed in its last steps left a layer that is whole, but for its name, or for a tag.
    pub(super) fn finish_received(&self, end: &End) -> Result<(), Refusal> {
        let group = self.group(&end.volume)?;
        let target = names::partial(&end.volume)?;
        let whole = |lv: &&Lv| keeps_its_layer(lv) && lv.has_tag(end.pair.tag());
        if group.iter().filter(whole).any(|lv| partial_target(lv).as_ref() == Some(&target)) {
            let place = self.place(end)?;
            let name = self.layer_name(end, &group)?;
            place.volumes.finish_as(&name, &[])?;
            place.ledger.remove()?;
            return Ok(());
        }
        let proof = format!("hyperlayer.partial={}", target.lv()).parse()?;
        for named in group.iter().filter(whole).filter(|lv| lv.has_tag(&proof) && lv.name != target) {
            self.retag(&named.name, &[], std::slice::from_ref(&proof))?;
            self.ledger(&target).remove()?;
        }
        Ok(())
    }

    fn layer_name(&self, end: &End, group: &[Lv]) -> Result<LvName, Refusal> {
        let taken = |name: &LvName| group.iter().any(|lv| lv.name.lv() == name);
        Ok(names::free(&end.volume, "sync", self.now(), taken)?)
    }
}

/// The pool for a full layer: the one that is asked for; else where the destination is; else the group's only one.
fn pool(end: &End, group: &[Lv], asked: Option<&LvName>) -> Result<LvRef, Refusal> {
    if let Some(asked) = asked {
        return Ok(find(group, &end.volume.sibling(asked.clone()))?.name.clone());
    }
    let own = group.iter().find(|lv| lv.name == end.volume);
    if let Some(pool) = own.into_iter().chain(end.layers(group)).find_map(Lv::pool_ref) {
        return Ok(pool);
    }
    let pools: Vec<_> = group.iter().filter(|lv| lv.attr.lv_type() == LvType::ThinPool).map(|lv| &lv.name).collect();
    match pools.as_slice() {
        [pool] => Ok((*pool).clone()),
        [] => {
            let text = format!("group `{}` has no thin pool; make one: `lvcreate --type thin-pool`", end.volume.vg());
            Err(Refusal::new(RefusalKind::NotFound, &text, 1))
        }
        several => {
            let names: Vec<_> = several.iter().map(ToString::to_string).collect();
            let text = format!(
                "group `{}` has several thin pools: {}; name one: `--pool POOL`",
                end.volume.vg(),
                names.join(", ")
            );
            Err(Refusal::new(RefusalKind::NotFound, &text, 2))
        }
    }
}

/// Whether what was received is a part of this layer, and can be gone on with.
fn goes_on(partial: &Partial, destination: &Destination, plan: &Plan) -> bool {
    let base = |of: Option<&Lv>| of.map(|lv| lv.uuid.to_string());
    let same_base = partial.base.as_ref().and_then(|base| base.uuid.clone()) == base(destination.base.as_ref());
    let same_layer = partial.begun.as_ref().is_some_and(|begun| {
        (&begun.layer, &begun.parent, begun.size) == (&plan.layer, &plan.parent, plan.volume_size)
    });
    same_base && same_layer && is_of_group(partial, &destination.group)
}

/// A layer that is about to be received.
struct Incoming<'h, 'a> {
    host: &'h LvmHost<'a>,
    end: End,
    plan: Plan,
    place: Place<'a>,
    destination: Destination,
    partial: Option<Partial>,
}

impl Receive for Incoming<'_, '_> {
    fn receive(
        self: Box<Self>,
        begin: &Begin,
        from: &mut dyn Inflow,
        acknowledge: &dyn Acknowledge,
    ) -> Result<Done, Refusal> {
        let Self { host, end, plan, place: Place { volumes, ledger }, destination, partial } = *self;
        let group = destination.group.clone();
        let wanted = partial.filter(|partial| {
            let at = partial.begun.as_ref().map(|begun| begun.mark.at);
            at.is_some_and(|at| at == begin.resumes_at)
        });
        if wanted.is_none() && !begin.resumes_at.is_zero() {
            let text = format!("nothing of layer {} up to byte {} is here", plan.layer, begin.resumes_at);
            return Err(Refusal::new(RefusalKind::Data, &text, 3));
        }
        let partial = match wanted {
            Some(partial) => partial,
            None => {
                if volumes.among(&group).next().is_some() {
                    tracing::info!("layer {} is received from its beginning: its source does not go on", plan.layer);
                }
                let new = begun(volumes.target(), &destination, host.now().to_string());
                volumes.discard(&group)?;
                ledger.keep(&new)?;
                new
            }
        };
        let course = Course::new(&ledger, acknowledge, host, begin)?;
        // What has an id of its own alone was compared by the client, as if zeros came behind it.
        let compared = |base: &Lv| !base.tags.iter().any(|tag| tag.as_str().starts_with("hyperlayer.layer="));
        let sizes = if destination.base.as_ref().is_some_and(compared) { Sizes::Compared } else { Sizes::Rounded };
        let site = VolumeSite::new(volumes, destination, false)?.with_sizes(sizes).staying_active();
        let (due, seen) = (|since| course.is_due(since), |record| course.record(record));
        let (reach, queue) = (Reach::default(), Queue::default());
        let want = Want { check_base: true, size: None, due: &due, reach, seen: Some(&seen), queue };
        let mut receiver = Receiver::new(site, &course, partial, want);
        let received = stream(&mut receiver, from, &plan, begin, host);
        let (site, partial) = match received {
            Ok(()) => receiver.complete()?,
            Err(error) => {
                let (site, partial) = receiver.interrupt();
                let place = Place { volumes: site.close(), ledger: ledger.clone() };
                return Err(interrupted(host, &end, &place, &partial, error));
            }
        };
        drop(partial);
        let (volumes, active) = site.close_active();
        let place = Place { volumes, ledger: ledger.clone() };
        acknowledge.durable(begin.plan.stream);
        let last = from.end().map_err(Error::input)?;
        // What was written is on the device, and is read from there: it need not go away in between.
        let content = course.read_back(host, &place, acknowledge)?;
        active.map_or(Ok(()), Activation::release).map_err(Error::from)?;
        if content != last.content {
            place.discard(&host.look(&end.volume)?)?;
            let text = format!(
                "what was read back of layer {} is not what its source read; what was received is removed",
                plan.layer
            );
            return Err(Refusal::new(RefusalKind::Data, &text, 3));
        }
        finish(host, &end, &place, &plan)?;
        Ok(Done { layer: plan.layer, content })
    }
}

/// A layer of which nothing is in yet.
fn begun(target: &LvRef, destination: &Destination, since: String) -> Partial {
    let made_of = destination.base.as_ref().map(|base| PartialBase {
        name: base.name.to_string(),
        uuid: Some(base.uuid.to_string()),
        size: base.size,
    });
    let pool = Some(destination.pool.name.to_string());
    Partial { pool, ..Partial::new(target.to_string(), since, made_of) }
}

/// Receives the stream, which is that of the plan and nothing behind it.
fn stream(
    receiver: &mut Receiver<'_, VolumeSite<'_>>,
    from: &mut dyn Inflow,
    plan: &Plan,
    begin: &Begin,
    host: &LvmHost<'_>,
) -> Result<(), Error> {
    let input = BufReader::with_capacity(READ_BYTES, from);
    let mut layer = LayerReader::open_rest("the stream", input, ReadOptions::default())?;
    check_header(layer.header(), plan, begin)?;
    receiver.receive(&mut layer, &host.stopping())?;
    match layer.next_layer()? {
        None => Ok(()),
        Some(_) => Err(Error::SecondLayer),
    }
}

/// The stream must be the one that was offered.
fn check_header(header: &Header, plan: &Plan, begin: &Begin) -> Result<(), Error> {
    let totals = header.totals.unwrap_or_default();
    let resumes = header.resumes.map_or(Bytes::ZERO, |resumes| resumes.at);
    let same = header.layer.as_ref() == Some(&plan.layer)
        && header.parent == plan.parent
        && header.volume_size == Some(plan.volume_size)
        && (totals.data, totals.zero) == (begin.plan.data, begin.plan.zero)
        && resumes == begin.resumes_at;
    let expected = plan.layer.clone();
    if same {
        Ok(())
    } else {
        Err(Error::OtherLayer { input: "the stream".to_owned(), expected, found: header.layer.clone() })
    }
}

/// What is durable stays for the next session, which asks for the rest; what can never be gone on with is removed.
fn interrupted(host: &LvmHost<'_>, end: &End, place: &Place<'_>, partial: &Partial, error: Error) -> Refusal {
    let hopeless = matches!(
        error,
        Error::OtherBeginning { .. }
            | Error::RolledBack { .. }
            | Error::OtherRest { .. }
            | Error::OtherLayer { .. }
            | Error::Rest { .. }
    );
    let refusal = Refusal::from(error);
    if !partial.is_empty() && !hopeless {
        return refusal;
    }
    let removed = host.look(&end.volume).and_then(|group| place.discard(&group));
    match removed {
        Ok(()) => refusal,
        Err(left) => {
            let text = format!("{}; and then: {}; the next sync removes what is left", refusal.text, left.text);
            refusal.unfinished(&text)
        }
    }
}

/// The layer gets its tags and, in the same step, becomes read-only; then its name; then the hold moves to it.
fn finish(host: &LvmHost<'_>, end: &End, place: &Place<'_>, plan: &Plan) -> Result<(), Refusal> {
    let mut tags = vec![end.pair.tag().clone(), layer_tag(&plan.layer)?, tags::hold(&end.pair)?];
    tags.extend(plan.parent.as_ref().map(parent_tag).transpose()?);
    let group = host.look(&end.volume)?;
    let name = host.layer_name(end, &group)?;
    let name = place.volumes.finish_as(&name, &tags)?;
    place.ledger.remove()?;
    // The new one has its hold already. What is under the destination's own name was made of another one, and stays until that is settled.
    let live = end.live_layer(&group).map(|lv| &lv.name);
    let held: Vec<_> = std::iter::once(&name).chain(live).collect();
    host.hold_only(end, &group, &held)
}

/// A stream on its way into a volume: what of it is durable, and where its records lie.
struct Course<'c> {
    ledger: &'c LedgerFile,
    acknowledge: &'c dyn Acknowledge,
    now: &'c (dyn Fn() -> retention::UnixSeconds + Sync),
    verify: Verify,
    /// When the last mark was kept.
    kept_seconds: AtomicI64,
    way: Mutex<Way>,
}

struct Way {
    /// Where the data records of the stream end on the volume, and how much data there is up to there; those that no mark
    /// has passed.
    ends: VecDeque<(Bytes, Bytes)>,
    /// Data so far.
    data: Bytes,
    /// Of all records, for reading back.
    records: Option<Records>,
}

impl<'c> Course<'c> {
    fn new(
        ledger: &'c LedgerFile,
        acknowledge: &'c dyn Acknowledge,
        host: &'c LvmHost<'_>,
        begin: &Begin,
    ) -> Result<Self, Refusal> {
        let path = ledger.path().with_extension("records");
        let records = (begin.verify != Verify::None).then(|| Records::new(&path)).transpose().map_err(Error::Output)?;
        let way = Mutex::new(Way { ends: VecDeque::new(), data: Bytes::ZERO, records });
        let kept_seconds = AtomicI64::new(host.now().get());
        Ok(Self { ledger, acknowledge, now: host.setup.now, verify: begin.verify, kept_seconds, way })
    }

    fn is_due(&self, since: Bytes) -> bool {
        let now = (self.now)().get();
        // However the clock is set meanwhile.
        since >= KEEP_EVERY || now.abs_diff(self.kept_seconds.load(Ordering::Relaxed)) >= KEEP_EVERY_SECONDS
    }

    fn record(&self, record: Extent<Bytes>) {
        let mut way = lock(&self.way);
        way.data = way.data.saturating_add(record.len());
        let data = way.data;
        way.ends.push_back((record.end(), data));
        if let Some(records) = &mut way.records {
            records.add(record);
        }
    }

    fn read_back(
        &self,
        host: &LvmHost<'_>,
        place: &Place<'_>,
        acknowledge: &dyn Acknowledge,
    ) -> Result<Option<hyperlayer::Digest>, Refusal> {
        let Some(records) = lock(&self.way).records.take() else { return Ok(None) };
        let group = host.group(place.volumes.target())?;
        let gone = || Error::from(LvmError::PartialGone { name: place.volumes.target().clone() });
        let volume = place.volumes.first(&group).ok_or_else(gone)?;
        let source = Source::open_one(&host.lvm, &group, volume)?;
        let told = |read| acknowledge.verified(read);
        let found = read_back(source.new_volume(), records, self.verify, &host.stopping(), told);
        Ok(undone(found, source.close())?)
    }
}

/// The ledger, and who is told what it says.
impl Ledger for Course<'_> {
    fn keep(&self, partial: &Partial) -> Result<(), block_copy::Error> {
        // That all of it is in, it does not say before that was read back: so it is gone on with, whatever happens.
        if partial.layers > 0 {
            return Ok(());
        }
        self.ledger.keep(partial)?;
        self.kept_seconds.store((self.now)().get(), Ordering::Relaxed);
        let at = partial.begun.as_ref().map_or(Bytes::ZERO, |begun| begun.mark.at);
        let mut durable = Bytes::ZERO;
        let mut way = lock(&self.way);
        while let Some((_, data)) = way.ends.front().copied().filter(|(end, _)| *end <= at) {
            way.ends.pop_front();
            durable = data;
        }
        drop(way);
        // The stream is longer than its data, so that much of it is in at least.
        if !durable.is_zero() {
            self.acknowledge.durable(durable);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lvm_cmd::{Patience, ProcessLock};

    use super::super::testing::{Machine, lv, pair};
    use super::*;
    use crate::Role;

    fn group(pools: &[&str]) -> Vec<Lv> {
        let pool =
            |name: &&str| lv(&[("lv_name", name), ("lv_attr", "twi-aotz--"), ("pool_lv", ""), ("chunk_size", "65536")]);
        pools.iter().map(pool).collect()
    }

    #[test]
    fn the_pool_of_a_full_layer() {
        let end = End::new(&"vg0/data".parse().unwrap(), &pair(), Role::Destination);
        let name = |text: &str| text.parse::<LvName>().unwrap();
        let found = |group: &[Lv], asked: Option<&str>| {
            let asked = asked.map(name);
            pool(&end, group, asked.as_ref()).map(|pool| pool.to_string()).map_err(|refusal| refusal.kind)
        };
        let two = group(&["fast", "slow"]);
        assert_eq!(found(&group(&["pool"]), None), Ok("vg0/pool".to_owned()));
        assert_eq!(found(&two, Some("slow")), Ok("vg0/slow".to_owned()));
        assert_eq!(found(&two, Some("other")), Err(RefusalKind::NotFound));
        assert_eq!(found(&two, None), Err(RefusalKind::NotFound));
        assert_eq!(found(&[], None), Err(RefusalKind::NotFound));
        let there = [two, vec![lv(&[("pool_lv", "slow")])]].concat();
        assert_eq!(found(&there, None), Ok("vg0/slow".to_owned()), "where the volume is");
    }

    /// A run in a container has a `/run` of its own, and sees the ledgers and their locks all the same.
    #[test]
    fn a_destination_is_locked_beside_the_ledgers() {
        let machine = Machine::new();
        let volume = "vg0/copy".parse().unwrap();
        for name in ["sync-to-vg0-copy", "receive-vg0-copy--sync"] {
            let held = ProcessLock::acquire(&machine.locks, name, Patience::new(Duration::ZERO)).unwrap();
            let place = |host: &LvmHost<'_>| {
                let end = host.end(&volume, &pair(), Role::Destination)?;
                host.place(&end).map(drop)
            };
            assert_eq!(machine.host("", place).unwrap_err().kind, RefusalKind::Busy, "{name}");
            drop(held);
            machine.host("", place).unwrap();
        }
    }
}
