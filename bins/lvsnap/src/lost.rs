//! Snapshots whose records are gone: what the tags of volumes and physical volumes say.

use std::collections::BTreeMap;

use cli::Outcome;
use extents::Bytes;
use lvm_cmd::{Lv, LvRef, groups, loop_devices, physical_volumes, volumes};
use snapshot::{FileId, Phase, Progress, Record, Step, TmpFile, tagged_id};

use crate::context::{Context, of_site};

/// The records of those, as far as can be known: all but where they were to be mounted.
///
/// # Errors
/// LVM does not answer.
pub(crate) fn find(context: &Context) -> Outcome<Vec<Record>> {
    let known: Vec<String> = context
        .journal
        .all()
        .map_err(|error| of_site(error.into()))?
        .into_iter()
        .filter_map(|record| Some(record.ok()?.id))
        .collect();
    let mut found = Vec::new();
    for group in groups(&context.exec).map_err(transfer::Error::from)? {
        for lv in volumes(&context.exec, &group.name).map_err(transfer::Error::from)? {
            let Some(id) = lv.tags.iter().find_map(tagged_id).filter(|id| !known.contains(id)) else { continue };
            found.push(record(context, &lv, id)?);
        }
    }
    Ok(found)
}

fn record(context: &Context, lv: &Lv, id: String) -> Outcome<Record> {
    let origin = lv.origin.as_ref().map_or_else(|| lv.name.clone(), |origin| lv.name.sibling(origin.clone()));
    let is_classic = lv.attr.is_classic_snapshot();
    Ok(Record {
        file: tmp_file(context, &lv.name, &id)?,
        id,
        snapshot: lv.name.clone(),
        origin,
        origin_uuid: lv.uuid.clone(),
        since: "an unknown time".to_owned(),
        cow_size: is_classic.then_some(lv.size),
        writable: lv.attr.permission() == lvm_cmd::Permission::ReadWrite,
        mount: None,
        phase: Phase::Made,
        steps: BTreeMap::from([(Step::Volume, Progress::Done)]),
    })
}

/// The file in which its space lies, where a physical volume has the tag.
fn tmp_file(context: &Context, snapshot: &LvRef, id: &str) -> Outcome<Option<TmpFile>> {
    let all = physical_volumes(&context.exec).map_err(transfer::Error::from)?;
    let is_ours = |tags: &[lvm_cmd::Tag]| tags.iter().any(|tag| tagged_id(tag).as_deref() == Some(id));
    let Some(ours) = all.into_iter().find(|pv| pv.group.as_ref() == Some(snapshot.vg()) && is_ours(&pv.tags)) else {
        return Ok(None);
    };
    let loops = loop_devices(&context.exec).map_err(|error| of_site(error.into()))?;
    let file = loops.into_iter().find(|device| Some(&device.device) == ours.device.as_ref());
    let made = file
        .as_ref()
        .and_then(|file| FileId::of(&file.file).ok())
        .filter(|made| file.as_ref().is_some_and(|file| file.inode == made.inode));
    Ok(Some(TmpFile {
        path: file.map(|file| file.file).unwrap_or_default(),
        len: Bytes::ZERO,
        write: false,
        loop_device: None,
        pv: ours.uuid,
        made,
        lies_on: None,
        abandoned: false,
    }))
}
