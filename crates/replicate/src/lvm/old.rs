//! What becomes of the volume that a destination's own name had.

use hyperlayer::LayerId;
use lvm_cmd::{Change, Kind, Lv, LvName, Permission, VolumeError, activate, change, deactivate, remove, rename};

use super::list::can_be_replaced;
use super::names;
use super::refuse::destination;
use super::settle::Swap;
use super::tags::{self, Keep};
use crate::Refusal;

impl Swap<'_, '_> {
    /// From here on nobody can write to the volume, so what is found out stays true: it is read-only, whoever activates it
    /// again, as renaming it does. The tag tells a run after this one that it was writable.
    fn close(&self, own: &Lv) -> Result<(), Refusal> {
        let exec = self.host.lvm.exec;
        if own.attr.is_active() {
            let busy = |error: &VolumeError| error.kind() == Kind::Busy;
            self.host.moment().retry(|| deactivate(exec, &own.name), busy).map_err(|error| match busy(&error) {
                true => destination(
                    &format!("`{}` is in use: it is mounted, or a program has it open; unmount it", own.name),
                    4,
                ),
                false => error.into(),
            })?;
        }
        if own.attr.permission() == Permission::ReadWrite {
            let tags = [tags::closed()?];
            let closed = Change { add_tags: &tags, permission: Some(Permission::ReadOnly), ..Change::default() };
            change(exec, &own.name, &closed)?;
        }
        Ok(())
    }

    /// Gives back what [`close`](Self::close) took, also in a run that was killed. `group` is what is there now, `was_active` whether
    /// it was active when this run began.
    pub(super) fn reopen(&self, group: &[Lv], own: &Lv, was_active: bool) -> Result<(), Refusal> {
        let exec = self.host.lvm.exec;
        let Some(now) = group.iter().find(|lv| lv.uuid == own.uuid) else { return Ok(()) };
        let closed = tags::is_closed(now);
        if closed {
            let tags = [tags::closed()?];
            let open = Change { remove_tags: &tags, permission: Some(Permission::ReadWrite), ..Change::default() };
            change(exec, &now.name, &open)?;
        }
        if was_active || (closed && !now.attr.skips_activation()) {
            activate(exec, &now.name)?;
        }
        Ok(())
    }

    pub(super) fn move_away(&self, own: &Lv, made_of: &LayerId) -> Result<(), Refusal> {
        self.close(own)?;
        let group = self.host.group(&self.end.volume)?;
        let found = group.iter().find(|lv| lv.uuid == own.uuid && lv.name == own.name);
        // Somebody may have activated it, and opened it to write, between both commands.
        let Some(own) = found.filter(|lv| lv.attr.permission() == Permission::ReadOnly && !lv.attr.is_open()) else {
            let text = format!("`{}` was changed or opened just now by somebody else", self.end.volume);
            return Err(destination(&text, 4));
        };
        can_be_replaced(own, &group)?;
        let same = self.host.is_unwritten(self.end, &group, own, made_of)?;
        if !same {
            self.refuse_written(made_of)?;
        }
        let keep = match (same, tags::is_adopted(own)) {
            (false, _) => Some(Keep::Written),
            (true, true) => Some(Keep::Before),
            (true, false) => None,
        };
        if let Some(keep) = keep {
            self.host.retag(&own.name, &[keep.tag()?], &[])?;
        }
        Ok(rename(self.host.lvm.exec, &own.name, &own.uuid, self.old.lv())?)
    }

    pub(super) fn refuse_written(&self, since: &LayerId) -> Result<(), Refusal> {
        if self.ask.rollback {
            return Ok(());
        }
        let text = format!(
            "`{}` was written to since it received layer {since}; `--rollback` keeps what was written as a snapshot and goes on",
            self.end.volume
        );
        Err(destination(&text, 3))
    }

    /// Nothing visible shall have changed.
    pub(super) fn back(&self, own: &Lv, refusal: Refusal) -> Refusal {
        match self.take_back(own) {
            Ok(()) => refusal,
            Err(left) => {
                let text = format!("{}; and then: {}; the next sync puts that right", refusal.text, left.text);
                refusal.unfinished(&text)
            }
        }
    }

    fn take_back(&self, own: &Lv) -> Result<(), Refusal> {
        let group = self.host.look(&self.end.volume)?;
        // LVM may have been killed when it had renamed it already. Then the new one gets the name.
        if !group.iter().any(|lv| lv.uuid == own.uuid && lv.name == own.name) {
            return Err(destination(&format!("`{}` has lost its name", own.name), 5));
        }
        let open = self.reopen(&group, own, own.attr.is_active());
        let removed = remove(self.host.lvm.exec, &self.new, self.end.pair.tag()).map_err(Refusal::from);
        open.and(removed)
    }

    /// What was written or adopted is given back, under a name that is free; anything else is removed. The tag that says why
    /// goes last, so that this can be done again.
    pub(super) fn dispose_old(&mut self, group: &[Lv]) -> Result<(), Refusal> {
        let Some(old) = group.iter().find(|lv| lv.name == self.old) else { return Ok(()) };
        let exec = self.host.lvm.exec;
        let left = |error: VolumeError| {
            let refusal = Refusal::from(error);
            let text = format!("`{}` is left, which the next sync removes: {}", self.old, refusal.text);
            refusal.unfinished(&text)
        };
        let busy = |error: &VolumeError| error.kind() == Kind::Busy;
        let remove_old = || {
            let remove = || remove(exec, &old.name, self.end.pair.tag());
            self.host.moment().retry(remove, busy).map_err(left)
        };
        if self.moved && Keep::of(old).is_none() && old.attr.permission() == Permission::ReadOnly {
            return remove_old();
        }
        // Of another run: renamed, it may have become active again, and somebody may have found it, and made it writable.
        if old.attr.is_active() {
            self.host.moment().retry(|| deactivate(exec, &old.name), busy).map_err(left)?;
        }
        let made_of = tags::live_of(old);
        let unwritten = match (&made_of, Keep::of(old)) {
            (Some((layer, _)), None) => self.host.is_unwritten(self.end, group, old, layer)?,
            _ => false,
        };
        if unwritten {
            return remove_old();
        }
        let keep = Keep::of(old).unwrap_or(Keep::Written);
        if Keep::of(old).is_none() {
            self.host.retag(&old.name, &[keep.tag()?], &[])?;
        }
        let mut tags = vec![self.end.pair.tag().clone(), tags::adopted()?];
        tags.extend(made_of.map(|(_, tag)| tag.clone()));
        let closed = tags::is_closed(old);
        tags.extend(closed.then(tags::closed).transpose()?);
        let permission = closed.then_some(Permission::ReadWrite);
        let given = Change { remove_tags: &tags, permission, skip_activation: Some(true), ..Change::default() };
        change(exec, &old.name, &given).map_err(left)?;
        let taken = |name: &LvName| group.iter().any(|lv| lv.name.lv() == name);
        let name = names::free(&self.end.volume, keep.word(), self.host.now(), taken)?;
        rename(exec, &old.name, &old.uuid, &name).map_err(left)?;
        self.host.retag(&old.name.sibling(name.clone()), &[], &[keep.tag()?])?;
        tracing::info!("what was in `{}` is kept as `{name}`", self.end.volume);
        self.kept = Some(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use testkit::{lv_row, lvs_step, pool_row};

    use super::super::members::End;
    use super::super::testing::{Machine, pair};
    use super::*;
    use crate::{RefusalKind, Role, Settle, Settled};

    const OWN: &str = "ownown-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K";
    const LIVE_ONE: &str = "hyperlayer.sync=web1:vg0/data,hyperlayer.live=one";
    const LIVE_TWO: &str = "hyperlayer.sync=web1:vg0/data,hyperlayer.live=two";
    const CLOSED: &str = "hyperlayer.sync=web1:vg0/data,hyperlayer.live=one,hyperlayer.closed";

    fn own(name: &str, tags: &str, attr: &str) -> String {
        lv_row(&[("lv_name", name), ("lv_tags", tags), ("lv_attr", attr), ("lv_uuid", OWN), ("thin_id", "5")])
    }

    fn new(name: &str, attr: &str) -> String {
        let uuid = "newnew-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K";
        lv_row(&[("lv_name", name), ("lv_tags", LIVE_TWO), ("lv_attr", attr), ("lv_uuid", uuid), ("thin_id", "6")])
    }

    /// What LVM lists: the layers `one` and, on it, `two`, and these.
    fn group(rows: &[String]) -> String {
        let layer = |id: &str, thin: &str, more: &str| {
            let uuid = format!("{id:y<6}-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K");
            let tags = format!("hyperlayer.sync=web1:vg0/data,hyperlayer.layer={id}{more}");
            let name = format!("data-sync-{id}");
            let said = [("lv_name", &*name), ("lv_tags", &tags), ("lv_uuid", &uuid), ("thin_id", thin)];
            lv_row(&[&said[..], &[("lv_attr", "Vri---tz-k")]].concat())
        };
        let two = layer("two", "4", ",hyperlayer.parent=one,hyperlayer.hold=web1:vg0/data");
        lvs_step(&[&[pool_row(), layer("one", "3", ""), two], rows].concat())
    }

    fn ok(command: &str) -> String {
        format!("$ {command}\n= 0\n")
    }

    /// `thin_delta` says of the layer `one` and the live volume whether they are the same.
    fn looked(machine: &Machine, same: bool) -> String {
        let right = "| <same begin=\"0\" length=\"5\"/>\n| <different begin=\"5\" length=\"1\"/>\n\
                     | <same begin=\"6\" length=\"4\"/>\n";
        let status = |root: &str| {
            format!(
                "$ dmsetup status --target thin-pool vg0-pool-tpool\n\
                 | 0 204800 thin-pool 3 114/102400 18/1600 {root} rw discard_passdown queue_if_no_space - 256\n= 0\n"
            )
        };
        let what = if same { "same" } else { "different" };
        [
            format!(
                "$ thin_delta --snap1 1 --snap2 2 {}\n{right}= 0\n",
                machine.scratch().join("thin_delta-self-test.img").display()
            ),
            status("-"),
            ok("dmsetup message vg0-pool-tpool 0 reserve_metadata_snap"),
            status("77"),
            format!(
                "$ thin_delta -m --snap1 3 --snap2 5 /dev/mapper/vg0-pool_tmeta\n\
                 | <superblock uuid=\"\" time=\"1\" transaction=\"3\" data_block_size=\"128\" nr_data_blocks=\"0\">\n\
                 | <diff left=\"3\" right=\"5\"><{what} begin=\"0\" length=\"2\"/></diff>\n| </superblock>\n= 0\n"
            ),
            status("77"),
            ok("dmsetup message vg0-pool-tpool 0 release_metadata_snap"),
        ]
        .concat()
    }

    fn settle(machine: &Machine, rollback: bool, steps: &[String]) -> Result<Settled, Refusal> {
        machine.host(&steps.concat(), |host| {
            let volume: lvm_cmd::LvRef = "vg0/data".parse().unwrap();
            let end = End::new(&volume, &pair(), Role::Destination);
            let layer = LayerId::new("two").unwrap();
            let ask = Settle { volume, pair: pair(), layer, rollback, read_only_live: false };
            host.settle_layer(&end, &ask)
        })
    }

    fn other_names() -> (String, String) {
        let volume = "vg0/data".parse().unwrap();
        (names::new_live(&volume).unwrap().lv().to_string(), names::old_live(&volume).unwrap().lv().to_string())
    }

    fn closing() -> String {
        [ok("lvchange --activate n vg0/data"), ok("lvchange --addtag hyperlayer.closed --permission r vg0/data")]
            .concat()
    }

    fn removed(name: &str) -> String {
        let select = format!("'lv_uuid=\"{OWN}\" && lv_tags={{\"hyperlayer.sync=web1:vg0/data\"}}'");
        format!(
            "$ lvremove -f --select {select} vg0/{name}\n|   Logical volume \"{name}\" successfully removed.\n= 0\n"
        )
    }

    /// One look, when nobody can write any more: then both names change at once, and the old one goes.
    #[test]
    fn looked_at_once_and_replaced() {
        let (machine, (name, old)) = (Machine::new(), other_names());
        let settled = settle(
            &machine,
            false,
            &[
                group(&[own("data", LIVE_ONE, "Vwi-a-tz--"), new(&name, "Vwi---tz--")]),
                closing(),
                group(&[own("data", CLOSED, "Vri---tz--"), new(&name, "Vwi---tz--")]),
                looked(&machine, true),
                ok(&format!("lvrename vg0 data {old}")),
                ok(&format!("lvrename vg0 {name} data")),
                group(&[own(&old, CLOSED, "Vri-a-tz--"), new("data", "Vwi-a-tz--")]),
                removed(&old),
                group(&[new("data", "Vwi-a-tz--")]),
            ],
        );
        assert_eq!(settled.unwrap().kept, None);
    }

    /// Somebody wrote to it, or has it open: it is as it was, and the new one is gone.
    #[test]
    fn what_is_refused_is_as_before() {
        let (name, _) = other_names();
        let gone = removed(&name).replace(OWN, "newnew-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K");
        let new = || new(&name, "Vwi---tz--");
        for (attr, is_written) in [("Vri---tz--", true), ("Vri-aotz--", false), ("Vwi---tz--", false)] {
            let machine = Machine::new();
            let found = group(&[own("data", CLOSED, attr), new()]);
            let looked = if is_written { looked(&machine, false) } else { String::new() };
            let refusal = settle(
                &machine,
                false,
                &[
                    group(&[own("data", LIVE_ONE, "Vwi-a-tz--"), new()]),
                    closing(),
                    found.clone(),
                    looked,
                    found,
                    ok("lvchange --deltag hyperlayer.closed --permission rw vg0/data"),
                    ok("lvchange --activate y --ignoreactivationskip vg0/data"),
                    group(&[own("data", LIVE_ONE, "Vwi-a-tz--"), new()]),
                    gone.clone(),
                    group(&[own("data", LIVE_ONE, "Vwi-a-tz--")]),
                ],
            )
            .unwrap_err();
            assert_eq!((refusal.kind, refusal.exit), (RefusalKind::Destination, if is_written { 3 } else { 4 }));
        }
    }

    /// LVM says that it could not, and it has: the swap goes on.
    #[test]
    fn a_rename_that_failed_and_was_done() {
        let (machine, (name, old)) = (Machine::new(), other_names());
        let settled = settle(
            &machine,
            false,
            &[
                group(&[own("data", LIVE_ONE, "Vwi-a-tz--"), new(&name, "Vwi---tz--")]),
                closing(),
                group(&[own("data", CLOSED, "Vri---tz--"), new(&name, "Vwi---tz--")]),
                looked(&machine, true),
                format!("$ lvrename vg0 data {old}\n! killed\n= 5\n"),
                group(&[own(&old, CLOSED, "Vri---tz--"), new(&name, "Vwi---tz--")]),
                ok(&format!("lvrename vg0 {name} data")),
                group(&[own(&old, CLOSED, "Vri-a-tz--"), new("data", "Vwi-a-tz--")]),
                removed(&old),
                group(&[new("data", "Vwi-a-tz--")]),
            ],
        );
        assert_eq!(settled.unwrap().kept, None);
    }

    /// A run that was killed had closed it. What it found is not known, so it is looked at; then it stays, and is writable.
    #[test]
    fn what_a_killed_run_closed_is_given_back_writable() {
        let (machine, (name, old)) = (Machine::new(), other_names());
        let kept = "data-written-20261121T181000Z";
        let keep = format!("{CLOSED},hyperlayer.keep=written");
        let tags = "--deltag hyperlayer.sync=web1:vg0/data --deltag hyperlayer.adopted --deltag hyperlayer.live=one \
                    --deltag hyperlayer.closed --permission rw --setactivationskip y";
        let settled = settle(
            &machine,
            true,
            &[
                group(&[own("data", CLOSED, "Vri---tz--"), new(&name, "Vwi---tz--")]),
                looked(&machine, false),
                ok("lvchange --addtag hyperlayer.keep=written vg0/data"),
                ok(&format!("lvrename vg0 data {old}")),
                ok(&format!("lvrename vg0 {name} data")),
                group(&[own(&old, &keep, "Vri---tz--"), new("data", "Vwi-a-tz--")]),
                ok(&format!("lvchange {tags} vg0/{old}")),
                ok(&format!("lvrename vg0 {old} {kept}")),
                ok(&format!("lvchange --deltag hyperlayer.keep=written vg0/{kept}")),
                group(&[own(kept, "", "Vwi---tz-k"), new("data", "Vwi-a-tz--")]),
            ],
        );
        assert_eq!(settled.unwrap().kept.unwrap().as_str(), kept);
    }

    /// Another run gave both names: that nobody wrote since is found out once more.
    #[test]
    fn what_another_run_moved_is_looked_at_again() {
        let (machine, (_, old)) = (Machine::new(), other_names());
        let settled = settle(
            &machine,
            false,
            &[
                group(&[own(&old, CLOSED, "Vri---tz--"), new("data", "Vwi-a-tz--")]),
                // The new one first.
                looked(&machine, true)
                    .replace("--snap1 3 --snap2 5", "--snap1 4 --snap2 6")
                    .replace("left=\"3\" right=\"5\"", "left=\"4\" right=\"6\""),
                group(&[own(&old, CLOSED, "Vri---tz--"), new("data", "Vwi-a-tz--")]),
                looked(&machine, true),
                removed(&old),
                group(&[new("data", "Vwi-a-tz--")]),
            ],
        );
        assert_eq!(settled.unwrap().kept, None);
    }
}
