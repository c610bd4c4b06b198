//! Snapshots whose records are gone: what the tags of volumes and physical volumes say.

use std::collections::BTreeSet;

use cli::{Outcome, say};
use extents::Bytes;
use lvm_cmd::{Executor, Lv, LvRef, ReportError, VgName, groups, loop_devices, physical_volumes, volumes, with_causes};
use snapshot::{FileId, Phase, Progress, Record, Step, TmpFile, tagged_id};

use crate::context::{Context, of_site};

/// The records of those, as far as can be known: all but where they were to be mounted. A volume group that LVM cannot read, as
/// one that is exported or has the name of another one, is reported on standard error and left out.
///
/// # Errors
/// LVM does not list the volume groups, or a record cannot be read.
pub(crate) fn find(context: &Context) -> Outcome<Vec<Record>> {
    let known: Vec<String> = context
        .journal
        .all()
        .map_err(|error| of_site(error.into()))?
        .into_iter()
        .filter_map(|record| Some(record.ok()?.id))
        .collect();
    let groups = groups(&context.exec).map_err(transfer::Error::from)?;
    let (volumes, unreadable) = readable(&context.exec, groups.into_iter().map(|group| group.name).collect());
    for (group, error) in unreadable {
        say(&format!("lvsnap: warning: cannot read the volume group `{group}`: {}", with_causes(&error)));
    }
    let mut found = Vec::new();
    for lv in volumes {
        let Some(id) = lv.tags.iter().find_map(tagged_id).filter(|id| !known.contains(id)) else { continue };
        found.push(record(context, &lv, id)?);
    }
    Ok(found)
}

/// The volumes of all groups that can be read, and the groups that cannot.
fn readable(exec: &dyn Executor, groups: BTreeSet<VgName>) -> (Vec<Lv>, Vec<(VgName, ReportError)>) {
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    for group in groups {
        match volumes(exec, &group) {
            Ok(volumes) => found.extend(volumes),
            Err(error) => unreadable.push((group, error)),
        }
    }
    (found, unreadable)
}

fn record(context: &Context, lv: &Lv, id: String) -> Outcome<Record> {
    let origin = lv.origin.as_ref().map_or_else(|| lv.name.clone(), |origin| lv.name.sibling(origin.clone()));
    let is_classic = lv.attr.is_classic_snapshot();
    let file = tmp_file(context, &lv.name, &id)?;
    // That its file was made is known by its physical volume. Where it lies may not be: then it is not lost, but unknown.
    let made = file.is_some().then_some((Step::File, Progress::Done));
    Ok(Record {
        file,
        id,
        snapshot: lv.name.clone(),
        origin,
        origin_uuid: lv.uuid.clone(),
        since: "an unknown time".to_owned(),
        cow_size: is_classic.then_some(lv.size),
        writable: lv.attr.permission() == lvm_cmd::Permission::ReadWrite,
        mount: None,
        phase: Phase::Made,
        steps: made.into_iter().chain([(Step::Volume, Progress::Done)]).collect(),
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
        block_size: None,
        pv: ours.uuid,
        made,
        lies_on: None,
        abandoned: false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lvm_cmd::Scripted;

    #[test]
    fn a_group_that_cannot_be_read_hides_no_other() {
        let groups: BTreeSet<VgName> = ["foreign", "vg0"].map(|name| name.parse().unwrap()).into();
        let good = testkit::lvs_step(&[testkit::lv_row(&[])]);
        // What the same command says of an exported group.
        let head = good.lines().next().unwrap().replace(" vg0", " foreign");
        // The group is there: that is asked where its volumes cannot be listed.
        let vgs = "$ vgs --reportformat json --units b --nosuffix -o vg_name,vg_uuid,vg_size,vg_free,vg_extent_size\n";
        let row = format!(
            r#"{{"vg_name":"foreign","vg_uuid":"{}","vg_size":"4","vg_free":"4","vg_extent_size":"4"}}"#,
            testkit::POOL_UUID
        );
        let vgs = format!("{vgs}| {{\"report\":[{{\"vg\":[{row}]}}]}}\n= 0\n");
        let script = format!("{head}\n!   Volume group \"foreign\" is exported\n= 5\n{vgs}{good}");
        let exec = Scripted::from_transcript(&script).unwrap();
        let (found, unreadable) = readable(&exec, groups);
        assert_eq!(found.iter().map(|lv| lv.name.to_string()).collect::<Vec<_>>(), ["vg0/data"]);
        assert_eq!(unreadable.iter().map(|(group, _)| group.as_str()).collect::<Vec<_>>(), ["foreign"]);
    }
}
