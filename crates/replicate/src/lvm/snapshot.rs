//! Snapshots that this host makes, and those that it takes over.

use extents::Chunks;
use hyperlayer::LayerId;
use lvm_cmd::{
    Change, Executor, Lv, LvRef, LvType, NewVolume, Permission, Tag, create_snapshot, find, remove, with_causes,
};
use transfer::lvm::{LvmError, Space, TemporarySnapshot, layer_tag};

use super::members::{End, id_of, is};
use super::refuse::destination;
use super::{LvmHost, lock, names, tags};
use crate::{Adopt, Layer, Refusal, Role};

/// A source's new snapshot, which nobody needs unless it is sent: it goes with the session that made it.
pub(super) struct Unsent<'a> {
    exec: &'a dyn Executor,
    /// Until it is sent.
    name: Option<LvRef>,
    pair: Tag,
}

impl Unsent<'_> {
    pub(super) fn is_sent(&mut self, name: &LvRef) {
        self.name.take_if(|unsent| unsent == name);
    }
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        let Some(name) = self.name.take() else { return };
        self.exec.forget();
        // Somebody may have removed it, or want it.
        let wanted = |lv: &Lv| tags::is_held(lv) || tags::is_adopted(lv);
        if lvm_cmd::volume(self.exec, &name).is_ok_and(|lv| !wanted(&lv))
            && let Err(error) = remove(self.exec, &name, &self.pair)
        {
            tracing::warn!("`{name}`, which was not sent, is left to the rules of later runs: {}", with_causes(&error));
        }
    }
}

impl std::fmt::Debug for Unsent<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Unsent").field(&self.name).finish()
    }
}

impl LvmHost<'_> {
    /// Makes a read-only snapshot. What is on an active volume is consistent: the device mapper freezes its file system.
    pub(super) fn make_snapshot(&self, end: &End, temporary: bool) -> Result<Layer, Refusal> {
        let group = self.group(&end.volume)?;
        let origin = end.own(&group)?;
        self.run.clean(&self.lvm, &group)?;
        self.check_pool(origin, &group)?;
        let name = if temporary {
            let snapshot = TemporarySnapshot::create(self.lvm, &mut lock(&self.run.run), &end.volume)?;
            let name = snapshot.name().clone();
            lock(&self.temporary).push((end.volume.clone(), snapshot));
            name
        } else {
            let taken = |name: &_| group.iter().any(|lv| lv.name.lv() == name);
            let name = names::free(&end.volume, "sync", self.now(), taken)?;
            let mut tags = vec![end.pair.tag().clone()];
            match end.role {
                Role::Source => tags.push(tags::source(&end.pair)?),
                // The next thing is a delta on it.
                Role::Destination => tags.push(tags::hold(&end.pair)?),
            }
            let new = NewVolume { tags: &tags, permission: Permission::ReadOnly, active: false, skip_activation: true };
            let made = end.volume.sibling(name.clone());
            if end.role == Role::Source {
                // Before it is made: LVM may say that it could not, and have done it.
                let pair = end.pair.tag().clone();
                lock(&self.unsent).push(Unsent { exec: self.lvm.exec, name: Some(made.clone()), pair });
            }
            create_snapshot(self.lvm.exec, &end.volume, &name, &new)?;
            made
        };
        self.layer_named(end, &name)
    }

    /// Whether the pool works, and has room for one more volume. Runs one command.
    fn check_pool(&self, origin: &Lv, group: &[Lv]) -> Result<(), Refusal> {
        let not_thin = || transfer::Error::from(LvmError::NotThin { name: origin.name.clone() });
        let pool = find(group, &origin.pool_ref().ok_or_else(not_thin)?)?;
        let chunk = pool.chunk_size.ok_or_else(not_thin)?;
        let nothing = Space { chunk, chunks: Some(Chunks::ZERO), records: Some(0), size: origin.size };
        Ok(nothing.check(&self.lvm, pool)?)
    }

    fn layer_named(&self, end: &End, name: &lvm_cmd::LvRef) -> Result<Layer, Refusal> {
        let made = lvm_cmd::volume(self.lvm.exec, name)?;
        Layer::of(&made, &end.pair)?
            .ok_or_else(|| destination(&format!("`{name}` was made writable just now: it is no layer any more"), 1))
    }

    /// Takes a snapshot that somebody else made for a layer; at a destination also the volume itself.
    pub(super) fn adopt_snapshot(&self, end: &End, ask: &Adopt) -> Result<Layer, Refusal> {
        let group = self.group(&end.volume)?;
        let own = end.own(&group)?;
        let snapshot = find(&group, &end.volume.sibling(ask.snapshot.clone()))?;
        check_adoptable(end, own, snapshot)?;
        let adopted = tags::adopted()?;
        let mut tags = vec![end.pair.tag().clone(), tags::hold(&end.pair)?];
        // What this tool made is removed one day, what it did not make never.
        if !snapshot.has_tag(end.pair.tag()) {
            tags.push(adopted.clone());
        }
        match (end.role, &ask.layer) {
            (Role::Source, _) => tags.push(tags::source(&end.pair)?),
            (Role::Destination, Some(layer)) => tags.push(layer_tag(layer)?),
            (Role::Destination, None) => {}
        }
        let change = Change {
            add_tags: &tags,
            permission: Some(Permission::ReadOnly),
            skip_activation: Some(true),
            ..Change::default()
        };
        lvm_cmd::change(self.lvm.exec, &snapshot.name, &change)?;
        // What a volume is said to hold already is believed as long as that layer is there.
        let made_of = tags::live_of(own);
        let known = made_of.as_ref().is_some_and(|(layer, _)| end.layers(&group).into_iter().any(|lv| is(lv, layer)));
        if end.role == Role::Destination && !known {
            let layer = ask.layer.clone().map_or_else(|| own_id(snapshot), Ok)?;
            let stale: Vec<_> = made_of.map(|(_, tag)| tag.clone()).into_iter().collect();
            let mut tags = vec![end.pair.tag().clone(), tags::live(&layer)?];
            tags.extend(stale.is_empty().then_some(adopted));
            self.retag(&own.name, &tags, &stale)?;
        }
        self.layer_named(end, &snapshot.name)
    }
}

fn own_id(volume: &Lv) -> Result<LayerId, Refusal> {
    LayerId::new(volume.uuid.as_str()).map_or_else(|_| id_of(volume), Ok)
}

fn check_adoptable(end: &End, own: &Lv, snapshot: &Lv) -> Result<(), Refusal> {
    let refuse = |why: &str| Err(destination(&format!("`{}` is not taken over: {why}", snapshot.name), 2));
    for volume in [own, snapshot] {
        if volume.attr.lv_type() != LvType::ThinVolume {
            return Err(transfer::Error::from(LvmError::NotThin { name: volume.name.clone() }).into());
        }
        if let Some(other) = tags::other_pair(volume, &end.pair) {
            return refuse(&format!("`{}` belongs to the pair `{other}`", volume.name));
        }
    }
    if snapshot.uuid == own.uuid {
        return refuse("it is the volume itself; make a snapshot of it, and name that");
    }
    if snapshot.pool != own.pool {
        return refuse("it is in another pool");
    }
    if tags::live_of(snapshot).is_some() || snapshot.name.lv().as_str().starts_with("hyperlayer-") {
        return refuse("a run of this tool works with it");
    }
    if snapshot.attr.permission() == Permission::ReadWrite && snapshot.attr.is_open() {
        return refuse("it is in use, and would become read-only");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{lv, pair};
    use super::*;

    /// What is otherwise than of the usual volume.
    type Changes<'a> = &'a [(&'a str, &'a str)];

    #[test]
    fn what_may_be_taken_over() {
        let end = End::new(&"vg0/data".parse().unwrap(), &pair(), Role::Destination);
        let own = lv(&[]);
        let other_uuid = ("lv_uuid", "W3Xq3c-8bJr-aA1r-iX0T-2c8m-kYyR-x0v5Qe");
        let table: [(Changes<'_>, Option<&str>); 7] = [
            (&[("lv_name", "monday")], None),
            (&[("lv_name", "monday"), ("lv_attr", "Vri---tz-k")], None),
            (&[("lv_name", "monday"), ("lv_attr", "Vwi-aotz--")], Some("in use")),
            (&[("lv_name", "monday"), ("pool_lv", "other")], Some("another pool")),
            (&[("lv_name", "monday"), ("lv_tags", "hyperlayer.sync=b")], Some("pair `b`")),
            (&[("lv_name", "hyperlayer-7-1")], Some("works with it")),
            (&[("lv_name", "monday"), ("lv_attr", "-wi-a-----")], Some("no thin volume")),
        ];
        for (changes, expected) in table {
            let snapshot = lv(&[changes, &[other_uuid]].concat());
            let found = check_adoptable(&end, &own, &snapshot).err().map(|refusal| refusal.text.to_string());
            match expected {
                None => assert_eq!(found, None, "{changes:?}"),
                Some(text) => assert!(found.as_deref().is_some_and(|found| found.contains(text)), "{found:?}"),
            }
        }
        assert!(check_adoptable(&end, &own, &own).is_err());
    }
}
