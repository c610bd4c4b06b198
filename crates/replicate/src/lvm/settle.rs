//! A layer becomes what is under the destination's own name.

use hyperlayer::LayerId;
use lvm_cmd::{
    Change, Lv, LvName, LvRef, NewVolume, Permission, activate, change, create_snapshot, find, remove, rename,
};

use super::members::{End, is, newest};
use super::refuse::destination;
use super::standing::Standing;
use super::swap::{Content, Facts, New, Old, Own, Step, next};
use super::tags::Keep;
use super::{LvmHost, names, tags};
use crate::{Refusal, Settle, Settled};

/// No swap has more steps, whatever was interrupted before.
const MAX_STEPS: usize = 32;

/// A swap, between two steps.
pub(super) struct Swap<'h, 'a> {
    pub(super) host: &'h LvmHost<'a>,
    pub(super) end: &'h End,
    pub(super) ask: &'h Settle,
    pub(super) new: LvRef,
    pub(super) old: LvRef,
    /// What is known of the volume under its own name.
    content: Content,
    /// Whether this very run looked at the old one, when nobody could write to it any more, and gave it its other name.
    pub(super) moved: bool,
    pub(super) kept: Option<LvName>,
    /// Whether the volume's own name has become another's, or nobody's, or may have, or what has it is not ready: from here on a
    /// failure leaves something.
    begun: bool,
}

impl LvmHost<'_> {
    pub(super) fn settle_layer(&self, end: &End, ask: &Settle) -> Result<Settled, Refusal> {
        self.finish_received(end)?;
        let (new, old) = (names::new_live(&end.volume)?, names::old_live(&end.volume)?);
        let (moved, begun) = (false, false);
        let mut swap = Swap { host: self, end, ask, new, old, content: Content::Unknown, moved, kept: None, begun };
        match swap.all_steps() {
            Err(refusal) if swap.begun => Err(Refusal { exit: 5, ..refusal }),
            Err(refusal) => Err(refusal),
            Ok(()) => Ok(Settled { layer: ask.layer.clone(), kept: swap.kept }),
        }
    }
}

impl Swap<'_, '_> {
    fn all_steps(&mut self) -> Result<(), Refusal> {
        let (host, end) = (self.host, self.end);
        for _ in 0..MAX_STEPS {
            let group = host.group(&end.volume)?;
            match self.step(&group)? {
                // In a large pool that takes a while.
                Step::Look => host.lvm.exec.forget(),
                Step::Done => {
                    let layer = end.layer(&group, &self.ask.layer)?;
                    if newest(&end.layers(&group)).is_some_and(|newest| newest.name == layer.name) {
                        host.hold_only(end, &group, &[&layer.name])?;
                    }
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(destination(&format!("`{}` is being changed by somebody else all the time", end.volume), 1))
    }

    /// Does what is to be done next.
    fn step(&mut self, group: &[Lv]) -> Result<Step, Refusal> {
        let layer = self.end.layer(group, &self.ask.layer)?;
        let own = group.iter().find(|lv| lv.name == self.end.volume);
        let own = match own.map(|own| (own, Standing::of(own, self.end))) {
            None => None,
            Some((own, Standing::Ours(made_of))) => Some((own, made_of)),
            Some((own, standing)) => {
                self.claim(own, &standing, group)?;
                // Its tags are other ones now.
                return Ok(Step::Look);
            }
        };
        let step = next(self.facts(own.as_ref(), layer, group)?);
        if matches!(step, Step::MakeNew | Step::MoveAway) {
            names::check_swap(&self.end.volume)?;
        }
        self.begun |= matches!(step, Step::TakeName | Step::PutBack | Step::Ready);
        let exec = self.host.lvm.exec;
        match (step, &own) {
            (Step::Look, Some((own, made_of))) => {
                let same = self.host.is_unwritten(self.end, group, own, made_of)?;
                self.content = if same { Content::Same } else { Content::Written };
                if !same && let Err(refusal) = self.refuse_written(made_of) {
                    self.reopen(&self.host.look(&self.end.volume)?, own, false)?;
                    return Err(refusal);
                }
            }
            (Step::MakeNew, _) => self.make_new(layer, own.as_ref().map(|(own, _)| *own))?,
            (Step::RemoveNew, _) => remove(exec, &self.new, self.end.pair.tag())?,
            (Step::MoveAway, Some((own, made_of))) => {
                if let Err(refusal) = self.move_away(own, made_of) {
                    return Err(self.back(own, refusal));
                }
                (self.moved, self.begun) = (true, true);
                // At once, so that the name is missing as short as can be.
                self.take_name(group)?;
            }
            (Step::TakeName, _) => self.take_name(group)?,
            (Step::PutBack, _) => {
                // With the tag that says why it is to stay: that is as true as before.
                let old = find(group, &self.old)?;
                rename(exec, &old.name, &old.uuid, self.end.volume.lv())?;
                self.content = Content::Unknown;
            }
            (Step::Ready, Some((own, _))) => self.make_ready(own)?,
            (Step::DisposeOld, _) => self.dispose_old(group)?,
            (Step::Done | Step::Look | Step::MoveAway | Step::Ready, _) => {}
        }
        Ok(step)
    }

    fn facts(&self, own: Option<&(&Lv, LayerId)>, layer: &Lv, group: &[Lv]) -> Result<Facts, Refusal> {
        let named = |name: &LvRef| group.iter().find(|lv| lv.name == *name);
        let own = match own {
            None => Own::Missing,
            Some((_, made_of)) if !is(layer, made_of) => Own::Other,
            Some((own, _)) => Own::Wanted { content: self.content, ready: self.is_ready(own) },
        };
        let new = match named(&self.new) {
            None => New::Missing,
            Some(new) => match tags::live_of(new).filter(|_| new.has_tag(self.end.pair.tag())) {
                None => return Err(taken(new)),
                Some((made_of, _)) if is(layer, &made_of) => New::Wanted,
                Some(_) => New::Other,
            },
        };
        let old = match named(&self.old) {
            None => Old::Missing,
            Some(old) if old.has_tag(self.end.pair.tag()) && tags::live_of(old).is_some() => Old::Whole,
            Some(old) if Keep::of(old).is_some() => Old::GivenBack,
            Some(old) => return Err(taken(old)),
        };
        Ok(Facts { own, new, old })
    }

    /// A volume that was there before the pair, and of which the pair's first layer here is a snapshot, becomes the pair's; it
    /// is kept when it is replaced. Any other is not touched.
    fn claim(&self, own: &Lv, standing: &Standing, group: &[Lv]) -> Result<(), Refusal> {
        if let Standing::Others(layer) = standing {
            let text = format!(
                "`{}` holds layer {layer}, which another pair, or somebody by hand, received there; name another destination",
                own.name
            );
            return Err(destination(&text, 3));
        }
        let base = self.end.layers(group).into_iter().find(|lv| {
            lv.origin.as_ref() == Some(own.name.lv())
                && lv.pool == own.pool
                && crate::wire::layers::parent_of(lv).is_none()
        });
        let Some(base) = base else {
            let text = format!(
                "`{}` exists, and nothing says what it holds; `--use-existing` takes it over, another name leaves it alone",
                own.name
            );
            return Err(destination(&text, 3));
        };
        let made_of = LayerId::new(base.uuid.as_str()).map_err(transfer::Error::from)?;
        self.host.retag(&own.name, &[self.end.pair.tag().clone(), tags::live(&made_of)?, tags::adopted()?], &[])
    }

    /// Active, unless its user wants it inactive after a boot; and read-only where that is asked for.
    fn is_ready(&self, own: &Lv) -> bool {
        let active = own.attr.is_active() || own.attr.skips_activation();
        let permitted = own.attr.permission() == self.permission() && !tags::is_closed(own);
        active && (permitted || own.attr.is_open())
    }

    fn take_name(&mut self, group: &[Lv]) -> Result<(), Refusal> {
        let new = find(group, &self.new)?;
        rename(self.host.lvm.exec, &new.name, &new.uuid, self.end.volume.lv())?;
        self.content = Content::Same;
        Ok(())
    }

    fn permission(&self) -> Permission {
        if self.ask.read_only_live { Permission::ReadOnly } else { Permission::ReadWrite }
    }

    fn make_ready(&self, own: &Lv) -> Result<(), Refusal> {
        let exec = self.host.lvm.exec;
        let differs = own.attr.permission() != self.permission() || tags::is_closed(own);
        if differs && !own.attr.is_open() {
            let open =
                Change { remove_tags: &[tags::closed()?], permission: Some(self.permission()), ..Change::default() };
            change(exec, &own.name, &open)?;
        }
        if !own.attr.is_active() && !own.attr.skips_activation() {
            activate(exec, &own.name)?;
        }
        Ok(())
    }

    /// As the one that it replaces: what its user left inactive at a boot, stays so.
    fn make_new(&self, layer: &Lv, own: Option<&Lv>) -> Result<(), Refusal> {
        let tags = [self.end.pair.tag().clone(), tags::live(&super::members::id_of(layer)?)?];
        let new = NewVolume {
            tags: &tags,
            permission: self.permission(),
            active: false,
            skip_activation: own.is_some_and(|own| own.attr.skips_activation()),
        };
        Ok(create_snapshot(self.host.lvm.exec, &layer.name, self.new.lv(), &new)?)
    }
}

/// A name of ours that somebody else's volume has.
fn taken(volume: &Lv) -> Refusal {
    destination(
        &format!("`{}` is in the way: it has a name of this tool's, but not its tags; rename it", volume.name),
        4,
    )
}

#[cfg(test)]
mod tests {
    use testkit::{LISTS_STEP, lv_row, lvs_step, pool_row};

    use super::super::testing::{Machine, pair};
    use super::*;

    const LAYER: &str = "hyperlayer.sync=web1:vg0/data,hyperlayer.layer=two,hyperlayer.hold=web1:vg0/data";
    const LIVE: &str = "hyperlayer.sync=web1:vg0/data,hyperlayer.live=two";

    fn row(name: &str, tags: &str, attr: &str) -> String {
        let uuid = format!("{:x<6}-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K", &name.replace('-', "")[..name.len().min(6)]);
        lv_row(&[("lv_name", name), ("lv_tags", tags), ("lv_attr", attr), ("lv_uuid", &uuid)])
    }

    fn new_name() -> String {
        names::new_live(&"vg0/data".parse().unwrap()).unwrap().lv().to_string()
    }

    fn old_name() -> String {
        names::old_live(&"vg0/data".parse().unwrap()).unwrap().lv().to_string()
    }

    /// What LVM lists: the layer `two`, and these.
    fn group(rows: &[String]) -> String {
        lvs_step(&[&[pool_row(), row("data-sync-2", LAYER, "Vri---tz-k")], rows].concat())
    }

    fn ok(command: &str) -> String {
        format!("$ {command}\n= 0\n")
    }

    fn settle(steps: &[String]) -> Result<Settled, Refusal> {
        let machine = Machine::new();
        machine.host(&steps.concat(), |host| {
            let volume: LvRef = "vg0/data".parse().unwrap();
            let end = End::new(&volume, &pair(), crate::Role::Destination);
            let layer = LayerId::new("two").unwrap();
            let ask = Settle { volume, pair: pair(), layer, rollback: true, read_only_live: false };
            host.settle_layer(&end, &ask)
        })
    }

    /// The first layer: a snapshot of it, active and writable, beside which nothing is left.
    #[test]
    fn a_name_that_is_free() {
        let new = new_name();
        let settled = settle(&[
            group(&[]),
            ok(&format!(
                "lvcreate --snapshot --name {new} --addtag hyperlayer.sync=web1:vg0/data --addtag hyperlayer.live=two \
                 --permission rw --setactivationskip n --activate n vg0/data-sync-2"
            )),
            group(&[row(&new, LIVE, "Vwi---tz--")]),
            ok(&format!("lvrename vg0 {new} data")),
            group(&[row("data", LIVE, "Vwi---tz--")]),
            ok("lvchange --activate y --ignoreactivationskip vg0/data"),
        ]
        .into_iter()
        .chain([group(&[row("data", LIVE, "Vwi-a-tz--")])])
        .collect::<Vec<_>>());
        assert_eq!(settled.unwrap().kept, None);
    }

    /// What the client tells its user hangs on it: up to the first rename the copy is what it was, from then on it may not be.
    #[test]
    fn a_command_that_fails_before_the_rename_and_in_it() {
        let (new, old) = (new_name(), old_name());
        let failed = |command: &str| format!("$ {command}\n! it does not work\n= 5\n");
        let make = format!(
            "lvcreate --snapshot --name {new} --addtag hyperlayer.sync=web1:vg0/data --addtag hyperlayer.live=two \
             --permission rw --setactivationskip n --activate n vg0/data-sync-2"
        );
        let before = settle(&[group(&[]), failed(&make), LISTS_STEP.to_owned()]).unwrap_err();
        assert_eq!(before.exit, 1, "{}", before.text);
        let written = "hyperlayer.sync=web1:vg0/data,hyperlayer.live=one,hyperlayer.keep=written";
        let between = group(&[row(&old, written, "Vwi---tz--"), row(&new, LIVE, "Vwi---tz--")]);
        let failing = failed(&format!("lvrename vg0 {new} data"));
        let within = settle(&[between.clone(), failing, between]).unwrap_err();
        assert_eq!(within.exit, 5, "{}", within.text);
    }

    /// Killed between both renames, of which the old one was to be kept.
    #[test]
    fn what_was_written_is_given_back() {
        let (new, old) = (new_name(), old_name());
        let written = "hyperlayer.sync=web1:vg0/data,hyperlayer.live=one,hyperlayer.keep=written";
        let before = row(&old, written, "Vwi---tz--");
        let kept = "data-written-20261121T181000Z";
        let settled = settle(&[
            group(&[before.clone(), row(&new, LIVE, "Vwi---tz--")]),
            ok(&format!("lvrename vg0 {new} data")),
            group(&[before.clone(), row("data", LIVE, "Vwi-a-tz--")]),
            ok(&format!(
                "lvchange --deltag hyperlayer.sync=web1:vg0/data --deltag hyperlayer.adopted --deltag hyperlayer.live=one \
                 --setactivationskip y vg0/{old}"
            )),
            ok(&format!("lvrename vg0 {old} {kept}")),
            ok(&format!("lvchange --deltag hyperlayer.keep=written vg0/{kept}")),
            group(&[row(kept, "", "Vwi---tz-k"), row("data", LIVE, "Vwi-a-tz--")]),
        ]);
        assert_eq!(settled.unwrap().kept.unwrap().as_str(), kept);
    }

    /// An older version began to change names in a group whose name leaves no room for both that it needs: that is finished, and
    /// none is begun.
    #[test]
    fn a_group_with_a_long_name() {
        let long = "g".repeat(100);
        let (new, old) = (new_name(), old_name());
        let written = "hyperlayer.sync=web1:vg0/data,hyperlayer.live=one,hyperlayer.keep=written";
        let between = [row(&old, written, "Vwi---tz--"), row(&new, LIVE, "Vwi---tz--")];
        let failing = format!("$ lvrename {long} {new} data\n! it does not work\n= 5\n");
        let in_group = |rows: &[String]| {
            group(rows).replace("\"vg0\"", &format!("\"{long}\"")).replace(" vg0\n", &format!(" {long}\n"))
        };
        let steps = |script: String| {
            Machine::new().host(&script, |host| {
                let volume: LvRef = format!("{long}/data").parse().unwrap();
                let end = End::new(&volume, &pair(), crate::Role::Destination);
                let layer = LayerId::new("two").unwrap();
                let ask = Settle { volume, pair: pair(), layer, rollback: true, read_only_live: false };
                host.settle_layer(&end, &ask).unwrap_err()
            })
        };
        let refused = steps(in_group(&[]));
        assert!(refused.exit != 5 && refused.text.to_string().contains("at most 120 are allowed"), "{refused:?}");
        let tried = steps([in_group(&between), failing, in_group(&between)].concat());
        assert!(tried.exit == 5 && tried.text.to_string().contains("it does not work"), "{tried:?}");
    }

    /// Whatever has one of the names and not the tags is somebody else's.
    #[test]
    fn what_is_not_ours_is_left_alone() {
        let others = "hyperlayer.sync=other,hyperlayer.live=two";
        for (name, tags) in [
            (new_name(), ""),
            (new_name(), others),
            (old_name(), ""),
            (old_name(), others),
            ("data".to_owned(), ""),
            ("data".to_owned(), others),
        ] {
            let rows = [row(&name, tags, "Vwi-a-tz--")];
            let refusal = settle(&[group(&rows)]).unwrap_err();
            assert_eq!(refusal.kind, crate::RefusalKind::Destination, "{name} {tags}: {}", refusal.text);
        }
    }

    /// What is wanted must be there, and read-only.
    #[test]
    fn a_layer_that_is_gone() {
        for rows in [vec![pool_row()], vec![pool_row(), row("data-sync-2", LAYER, "Vwi---tz-k")]] {
            let refusal = settle(&[lvs_step(&rows)]).unwrap_err();
            assert_eq!(refusal.kind, crate::RefusalKind::NotFound, "{}", refusal.text);
        }
    }
}
