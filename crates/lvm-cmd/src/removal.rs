//! Removing volumes.

use crate::volume::VolumeError;
use crate::{Command, ExecError, Executor, Lv, LvRef, Output, Program, Tag, Uuid, find, volumes};

/// How many volumes one command removes at most: a request to stop waits for the command.
const MOST_AT_ONCE: usize = 32;

/// Removes a volume that carries the tag `proof`, which only who made it gave it. Nothing without that tag is ever
/// removed, whatever its name; nor a volume that LVM removes [others](Lv::removed_along) along with. Runs three commands: the
/// second leaves it to LVM, under its own lock, to find that it is still the volume that was looked at, and that it still has
/// the tag; the third is a new report. The volume is gone when that report does not have its UUID, however the removal ended.
///
/// # Errors
/// [`VolumeError::NotOurs`] without the tag, [`VolumeError::Needed`] with a volume that depends on it, [`VolumeError::Report`]
/// where it does not exist, or where nobody knows whether it is gone; or LVM refuses, as it does after some seconds for a
/// volume that is in use ([`Kind::Busy`](crate::Kind::Busy)).
pub fn remove(exec: &dyn Executor, name: &LvRef, proof: &Tag) -> Result<(), VolumeError> {
    let report = |source| VolumeError::Report { source };
    let before = volumes(exec, name.vg()).map_err(report)?;
    let found = find(&before, name).map_err(report)?;
    if !found.has_tag(proof) {
        return Err(VolumeError::NotOurs { name: name.clone(), uuid: found.uuid.clone(), tag: proof.clone() });
    }
    if let Some(by) = found.removed_along(&before).next() {
        return Err(VolumeError::Needed { name: name.clone(), by: by.name.clone() });
    }
    let ended = match lvremove(exec, &[found], proof) {
        Err(source) if !source.was_run() => return Err(VolumeError::refused("remove", name, source, None)),
        ended => ended,
    };
    exec.forget();
    let group = volumes(exec, name.vg()).map_err(report)?;
    match (group.iter().find(|lv| lv.uuid == found.uuid), ended) {
        (None, Err(source)) => {
            tracing::warn!(%name, %source, "is removed, although LVM's command failed");
            Ok(())
        }
        (None, Ok(_)) => Ok(()),
        (Some(left), Err(source)) => Err(VolumeError::refused("remove", name, source, Some(left))),
        // Where nothing fits the selection, lvremove exits 0 without a word.
        (Some(left), Ok(_)) if !left.has_tag(proof) || left.name != *name => {
            Err(VolumeError::Replaced { name: name.clone(), uuid: found.uuid.clone() })
        }
        (Some(_), Ok(_)) => Err(VolumeError::Stays { name: name.clone() }),
    }
}

/// Removes several volumes as [`remove`] does, and gives the result of each in order. Up to 32 removable volumes of one group
/// take three commands; each that stays takes those of [`remove`] as well.
#[must_use = "some may be left"]
pub fn remove_all(exec: &dyn Executor, names: &[LvRef], proof: &Tag) -> Vec<Result<(), VolumeError>> {
    let groups = names.chunk_by(|one, next| one.vg() == next.vg());
    groups.flat_map(|group| group.chunks(MOST_AT_ONCE)).flat_map(|some| remove_some(exec, some, proof)).collect()
}

fn remove_some(exec: &dyn Executor, names: &[LvRef], proof: &Tag) -> Vec<Result<(), VolumeError>> {
    let tried = if names.len() > 1 { remove_at_once(exec, names, proof) } else { Vec::new() };
    let of_each = names.iter().map(|name| match tried.iter().find(|tried| tried.name == *name) {
        Some(Tried { is_gone: true, .. }) => Ok(()),
        Some(Tried { uuid, .. }) => match remove(exec, name, proof) {
            Err(error) if error.is_gone() => check_gone(exec, name, uuid),
            ended => ended,
        },
        None => remove(exec, name, proof),
    });
    of_each.collect()
}

/// A volume that was tried to be removed with others.
struct Tried {
    name: LvRef,
    uuid: Uuid,
    /// Whether a new report says so.
    is_gone: bool,
}

/// Tries to remove those that nothing stands against; why one is not gone, is found out by itself. One that is open would
/// make LVM wait for seconds, with the group locked.
fn remove_at_once(exec: &dyn Executor, names: &[LvRef], proof: &Tag) -> Vec<Tried> {
    let Some(first) = names.first() else { return Vec::new() };
    let Ok(before) = volumes(exec, first.vg()) else { return Vec::new() };
    let removable = |lv: &&Lv| lv.has_tag(proof) && !lv.attr.is_open() && lv.removed_along(&before).next().is_none();
    let found: Vec<_> = names.iter().filter_map(|name| find(&before, name).ok()).filter(removable).collect();
    if found.len() < 2 {
        return Vec::new();
    }
    match lvremove(exec, &found, proof) {
        Err(error) if !error.was_run() => return Vec::new(),
        Err(error) => tracing::debug!(%error, "several volumes at once"),
        Ok(_) => {}
    }
    exec.forget();
    let after = volumes(exec, first.vg());
    let is_gone = |uuid: &Uuid| after.as_ref().is_ok_and(|after| after.iter().all(|lv| lv.uuid != *uuid));
    let tried =
        found.into_iter().map(|lv| Tried { name: lv.name.clone(), uuid: lv.uuid.clone(), is_gone: is_gone(&lv.uuid) });
    tried.collect()
}

/// No volume has this name any more; it may have another one.
fn check_gone(exec: &dyn Executor, name: &LvRef, uuid: &Uuid) -> Result<(), VolumeError> {
    exec.forget();
    let now = volumes(exec, name.vg()).map_err(|source| VolumeError::Report { source })?;
    match now.iter().any(|lv| lv.uuid == *uuid) {
        true => Err(VolumeError::Replaced { name: name.clone(), uuid: uuid.clone() }),
        false => Ok(()),
    }
}

/// Only what still has its UUID and the tag is removed: LVM looks at both under its own lock.
fn lvremove(exec: &dyn Executor, found: &[&Lv], proof: &Tag) -> Result<Output, ExecError> {
    let uuids: Vec<_> = found.iter().map(|lv| format!(r#"lv_uuid="{}""#, lv.uuid)).collect();
    let uuids = if let [one] = &uuids[..] { one.clone() } else { format!("({})", uuids.join(" || ")) };
    let selection = format!(r#"{uuids} && lv_tags={{"{proof}"}}"#);
    let command = Command::new(Program::Lvremove).args(["-f", "--select", &selection]);
    exec.run(&command.args(found.iter().map(|lv| lv.name.to_string())))
}
