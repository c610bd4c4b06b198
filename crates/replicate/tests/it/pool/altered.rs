//! Streams that are altered between the hosts, or cut: the copy stays what it was, and the next run makes it right.

use std::cell::RefCell;

use proptest::prelude::*;
use replicate::{
    Adopt, Begin, Compare, Differ, Done, End, Host, Layer, Layers, List, Noted, Offer, Outflow, Plan, Prune, Pruned,
    Ready, Receive, Refusal, RefusalKind, Selected, Send, Settle, Settled, Snapshot, Sync, Verify,
};
use testkit::{Damage, Totals, adversary, damage};

use super::{World, want};
use crate::model;

/// A source whose stream is altered on its way.
pub(super) struct Altering<'a> {
    pub(super) host: &'a dyn Host,
    pub(super) damage: &'a Damage,
}

#[derive(Default)]
struct Collected {
    begin: Option<Begin>,
    stream: Vec<u8>,
}

impl Outflow for Collected {
    fn begin(&mut self, begin: &Begin) -> std::io::Result<()> {
        self.begin = Some(begin.clone());
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.extend_from_slice(bytes);
        Ok(())
    }
}

impl Host for Altering<'_> {
    fn send(&self, ask: &Send, to: &mut dyn Outflow) -> Result<End, Refusal> {
        let mut collected = Collected::default();
        let end = self.host.send(ask, &mut collected)?;
        let (mut begin, mut stream) = (collected.begin.unwrap(), collected.stream);
        let other = stream.clone();
        self.damage.apply(&mut stream, &other);
        begin.plan.stream = stream.len().into();
        let sent = to.begin(&begin).and_then(|()| stream.chunks(10_000).try_for_each(|piece| to.data(piece)));
        sent.map_err(|error| Refusal::new(RefusalKind::Failed, &error.to_string(), 1))?;
        Ok(end)
    }

    fn list(&self, ask: &List) -> Result<Layers, Refusal> {
        self.host.list(ask)
    }
    fn snapshot(&self, ask: &Snapshot) -> Result<Layer, Refusal> {
        self.host.snapshot(ask)
    }
    fn plan(&self, ask: &Selected) -> Result<Plan, Refusal> {
        self.host.plan(ask)
    }
    fn would_receive(&self, offer: &Offer) -> Result<Ready, Refusal> {
        self.host.would_receive(offer)
    }
    fn receive(&self, offer: &Offer) -> Result<(Ready, Box<dyn Receive + '_>), Refusal> {
        self.host.receive(offer)
    }
    fn sent(&self, ask: &Send, done: &Done) -> Result<(), Refusal> {
        self.host.sent(ask, done)
    }
    fn compare(&self, ask: &Compare) -> Result<Vec<[u8; 32]>, Refusal> {
        self.host.compare(ask)
    }
    fn differ(&self, ask: &Differ) -> Result<Noted, Refusal> {
        self.host.differ(ask)
    }
    fn settle(&self, ask: &Settle) -> Result<Settled, Refusal> {
        self.host.settle(ask)
    }
    fn adopt(&self, ask: &Adopt) -> Result<Layer, Refusal> {
        self.host.adopt(ask)
    }
    fn prune(&self, ask: &Prune) -> Result<Pruned, Refusal> {
        self.host.prune(ask)
    }
}

#[test]
fn adversary_streams_are_altered_or_cut() {
    let cut = prop::option::weighted(0.3, 0..400_000_usize);
    let attempts = prop::collection::vec((damage(), cut), 1..4);
    let totals = RefCell::new(Totals::default());
    let verify = prop::sample::select(vec![Verify::Full, Verify::None]);
    let found = adversary(12).run(&(any::<bool>(), verify, attempts), |(is_delta, verify, attempts)| {
        let (world, ask) = (World::with_source(), Sync { verify, ..want(1) });
        if is_delta {
            world.sync(&ask).unwrap();
            (0..5).for_each(|chunk| world.write("vg0/data", chunk, 50 + u8::try_from(chunk).unwrap()));
        }
        let before = world.content("vg1/copy");
        for (damage, cut) in &attempts {
            let cut = cut.map_or(model::Fault::None, |after| model::Fault::Cut(1, after));
            let result = world.sync_altered(&ask, damage, cut).0;
            totals.borrow_mut().count(if result.is_ok() { "done" } else { "refused" });
            if result.is_ok() {
                world.is_mirrored("vg0/data", "vg1/copy");
                return Ok(());
            }
            prop_assert!(world.content("vg1/copy") == before, "refused, and the copy changed");
        }
        let last = world.sync(&ask);
        prop_assert!(last.is_ok(), "the right stream is refused: {last:?}");
        world.is_mirrored("vg0/data", "vg1/copy");
        Ok(())
    });
    println!("altered between hosts:\n{}", totals.borrow());
    if let Err(found) = found {
        panic!("{found}");
    }
    assert!(totals.borrow().of("refused") > 0);
}
