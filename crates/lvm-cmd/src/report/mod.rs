//! What LVM says about groups and volumes.

mod lv;
mod rows;

pub use lv::{Discards, Lv, LvAttr, LvType, Permission, Pv, Vg};
use rows::{LvRow, PvRow, SegmentRow, VgRow, rows};
use std::collections::{BTreeMap, BTreeSet};

use crate::similar::{hint, similar};
use crate::{Command, ExecError, Executor, Kind, LvRef, Program, Uuid, VgName};

const LV_FIELDS: &str = "lv_name,vg_name,lv_uuid,lv_attr,lv_size,pool_lv,origin,thin_id,transaction_id,chunk_size,\
                         data_percent,metadata_percent,lv_tags,lv_time,metadata_lv,discards,segtype,vg_extent_size";
const PV_FIELDS: &str = "pv_name,pv_uuid,vg_name,pv_size,pv_free,pv_missing,pv_tags";
const VG_FIELDS: &str = "vg_name,vg_uuid,vg_size,vg_free,vg_extent_size";

/// All volumes of a group but LVM's hidden ones. Runs one command, and a second to find similar names where the group
/// does not exist.
///
/// # Errors
/// [`ReportError::UnknownVg`], or LVM fails, or its answer is not understood.
pub fn volumes(exec: &dyn Executor, vg: &VgName) -> Result<Vec<Lv>, ReportError> {
    let what = || format!("the volumes of group `{vg}`");
    let rows: Vec<LvRow> = match exec.run(&report(Program::Lvs, LV_FIELDS).arg(vg.as_str())) {
        Ok(output) => rows(&output.stdout, |section| section.lv, what)?,
        Err(source) => {
            // Whether there is such a group, only a list of all of them tells.
            let known = if source.was_run() { groups(exec).ok() } else { None };
            return Err(match known.filter(|known| known.iter().all(|group| group.name != *vg)) {
                Some(known) => {
                    let similar = similar(vg.as_str(), known.iter().map(|group| group.name.as_str()));
                    ReportError::UnknownVg { name: vg.clone(), similar }
                }
                None => ReportError::List { what: what(), source },
            });
        }
    };
    let mut volumes = rows.into_iter().map(LvRow::typed).collect::<Result<Vec<_>, _>>()?;
    // One of several segments has as many rows.
    volumes.dedup_by(|next, first| next.name == first.name);
    Ok(volumes)
}

/// One volume. Lists its whole group, since that costs one command too and knows the similar names; where more than
/// one volume of a group is looked for, use [`volumes`] and [`find`].
///
/// # Errors
/// As [`volumes`], or [`ReportError::UnknownLv`].
pub fn volume(exec: &dyn Executor, name: &LvRef) -> Result<Lv, ReportError> {
    find(&volumes(exec, name.vg())?, name).cloned()
}

/// The volume of this name among those of a group. Runs no command.
///
/// # Errors
/// [`ReportError::UnknownLv`] with up to three similar names.
pub fn find<'a>(volumes: &'a [Lv], name: &LvRef) -> Result<&'a Lv, ReportError> {
    volumes.iter().find(|lv| lv.name == *name).ok_or_else(|| {
        let names = volumes.iter().filter(|lv| lv.name.vg() == name.vg()).map(|lv| lv.name.lv().as_str());
        ReportError::UnknownLv { name: name.clone(), similar: similar(name.lv().as_str(), names) }
    })
}

/// All volume groups. Runs one command.
///
/// # Errors
/// LVM fails, or its answer is not understood.
pub fn groups(exec: &dyn Executor) -> Result<Vec<Vg>, ReportError> {
    let what = || "the volume groups".to_owned();
    let output =
        exec.run(&report(Program::Vgs, VG_FIELDS)).map_err(|source| ReportError::List { what: what(), source })?;
    rows(&output.stdout, |section| section.vg, what)?.into_iter().map(VgRow::typed).collect()
}

/// The volumes of every group, or why LVM does not list those of one: it is exported, say, or another group has its name. Runs
/// one command, one for each group, and one more for each that is not listed.
///
/// # Errors
/// LVM does not list the groups.
pub fn volumes_by_group(exec: &dyn Executor) -> Result<VolumesByGroup, ReportError> {
    let names: BTreeSet<VgName> = groups(exec)?.into_iter().map(|group| group.name).collect();
    Ok(names.into_iter().map(|name| (name.clone(), volumes(exec, &name))).collect())
}

/// The answer of [`volumes_by_group`].
pub type VolumesByGroup = BTreeMap<VgName, Result<Vec<Lv>, ReportError>>;

/// All physical volumes, those of which a group says that they are missing included. Runs one command.
///
/// # Errors
/// LVM fails, or its answer is not understood.
pub fn physical_volumes(exec: &dyn Executor) -> Result<Vec<Pv>, ReportError> {
    let what = || "the physical volumes".to_owned();
    let output =
        exec.run(&report(Program::Pvs, PV_FIELDS)).map_err(|source| ReportError::List { what: what(), source })?;
    rows(&output.stdout, |section| section.pv, what)?.into_iter().map(PvRow::typed).collect()
}

/// The names of the volumes that have a part of themselves on a physical volume, LVM's hidden ones included. Runs one
/// command.
///
/// # Errors
/// LVM fails, or its answer is not understood.
pub fn names_on(exec: &dyn Executor, pv: &Uuid) -> Result<BTreeSet<String>, ReportError> {
    let what = || format!("the volumes on the physical volume {pv}");
    let selection = format!(r#"pv_uuid="{pv}""#);
    let command = report(Program::Pvs, "lv_name").args(["--all", "--segments", "--select", &selection]);
    let output = exec.run(&command).map_err(|source| ReportError::List { what: what(), source })?;
    let names = rows(&output.stdout, |section| section.pvseg, what)?;
    Ok(names.into_iter().map(SegmentRow::name).filter(|name| !name.is_empty()).collect())
}

fn report(program: Program, fields: &str) -> Command {
    Command::new(program).args(["--reportformat", "json", "--units", "b", "--nosuffix", "-o"]).arg(fields)
}

/// Why a report could not be had, or has not what was looked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// LVM did not report.
    #[error("cannot list {what}")]
    List {
        /// What was to be listed.
        what: String,
        /// Why not.
        source: ExecError,
    },
    /// The report is no JSON of the expected form.
    #[error("cannot understand LVM's report of {what}")]
    Json {
        /// What was to be listed.
        what: String,
        /// What is wrong, and in which line.
        source: serde_json::Error,
    },
    /// A value in a report is not what it should be.
    #[error("LVM reports {field} `{}` of `{object}`: expected {expected}", found.escape_debug())]
    Value {
        /// The volume or group.
        object: String,
        /// LVM's name of the field.
        field: &'static str,
        /// The value.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// There is no such group.
    #[error("volume group `{name}` not found{}", hint(similar))]
    UnknownVg {
        /// The group that was asked for.
        name: VgName,
        /// Groups with names close to it.
        similar: Vec<String>,
    },
    /// There is no such volume.
    #[error("logical volume `{name}` not found{}", hint(similar))]
    UnknownLv {
        /// The volume that was asked for.
        name: LvRef,
        /// Volumes of the group with names close to it.
        similar: Vec<String>,
    },
}

impl ReportError {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::List { source, .. } => source.kind(),
            Self::Json { .. } | Self::Value { .. } => Kind::Failed,
            Self::UnknownVg { .. } | Self::UnknownLv { .. } => Kind::NotFound,
        }
    }
}
