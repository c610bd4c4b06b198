//! What LVM says about groups and volumes.

use extents::{Bytes, ChunkSize};
use serde::Deserialize;

use crate::similar::{hint, similar};
use crate::{Command, ExecError, Executor, Kind, LvName, LvRef, NameError, Program, Tag, ThinId, Uuid, VgName};

/// Settings of lvm.conf that would change a report under our feet: `lv_time` as seconds since 1970, tags split by
/// commas (which no tag can contain).
const CONFIG: &str = r#"report{time_format="%s" list_item_separator=","}"#;

const LV_FIELDS: &str = "lv_name,vg_name,lv_uuid,lv_attr,lv_size,pool_lv,origin,thin_id,transaction_id,chunk_size,\
                         data_percent,metadata_percent,lv_tags,lv_time,metadata_lv,discards";
const VG_FIELDS: &str = "vg_name,vg_uuid,vg_size,vg_free,vg_extent_size";

/// One logical volume, as LVM reports it.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Lv {
    /// Group and name.
    pub name: LvRef,
    /// LVM's own id of it, which survives a rename.
    pub uuid: Uuid,
    /// Type, permission, activity and more.
    pub attr: LvAttr,
    /// Its size as a device.
    pub size: Bytes,
    /// The pool of a thin volume.
    pub pool: Option<LvName>,
    /// What it is a snapshot of, while that exists; also a thin volume's external origin.
    pub origin: Option<LvName>,
    /// A thin volume's number in its pool.
    pub thin_id: Option<ThinId>,
    /// A pool's transaction id; for a thin volume that of its creation.
    pub transaction_id: Option<u64>,
    /// A pool's chunk.
    pub chunk_size: Option<ChunkSize>,
    /// How much of a pool's data, or of a thin volume, is mapped, in percent. Only where it is active.
    pub data_percent: Option<f64>,
    /// How much of a pool's metadata is used, in percent. Only where it is active.
    pub metadata_percent: Option<f64>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// When it was made, in seconds since 1970, UTC.
    pub created_seconds: Option<i64>,
    /// A pool's metadata volume, a hidden one.
    pub metadata_lv: Option<LvName>,
    /// What a pool does with discards.
    pub discards: Option<Discards>,
}

impl Lv {
    /// Whether it carries this tag.
    #[must_use]
    pub fn has_tag(&self, tag: &Tag) -> bool {
        self.tags.contains(tag)
    }

    /// The pool of a thin volume, with its group.
    #[must_use]
    pub fn pool_ref(&self) -> Option<LvRef> {
        self.pool.as_ref().map(|pool| self.name.sibling(pool.clone()))
    }

    /// The external origin of a thin volume: an origin that is no thin volume of the same pool. What the volume has
    /// not mapped reads as that origin's data there, not as zeros. `siblings` are all volumes of the group.
    #[must_use]
    pub fn external_origin<'a>(&'a self, siblings: &[Self]) -> Option<&'a LvName> {
        let origin = self.origin.as_ref().filter(|_| self.attr.lv_type() == LvType::ThinVolume)?;
        let inside = siblings.iter().any(|lv| lv.name.lv() == origin && lv.pool.is_some() && lv.pool == self.pool);
        (!inside).then_some(origin)
    }
}

/// What a pool does with a discard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discards {
    /// Unmaps, and passes it down to the pool's own device.
    Passdown,
    /// Unmaps only.
    NoPassdown,
    /// Nothing: discarding does not unmap.
    Ignore,
}

/// What a volume is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LvType {
    /// A thin volume; a thin snapshot is one too.
    ThinVolume,
    /// A thin pool.
    ThinPool,
    /// Anything else: LVM's letter for it, `-` for a linear or striped one.
    Other(char),
}

/// Whether a volume may be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// Yes.
    ReadWrite,
    /// No.
    ReadOnly,
}

/// The ten letters of `lv_attr` (lvs(8), "NOTES").
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LvAttr([u8; 10]);

impl LvAttr {
    fn parse(text: &str) -> Option<Self> {
        // Later letters, where a newer LVM adds some, say nothing that is asked for here.
        let letters = text.as_bytes().first_chunk()?;
        letters.is_ascii().then_some(Self(*letters))
    }

    /// What it is.
    #[must_use]
    pub fn lv_type(self) -> LvType {
        match self.0[0] {
            b'V' => LvType::ThinVolume,
            b't' => LvType::ThinPool,
            other => LvType::Other(char::from(other)),
        }
    }

    /// Whether it is read-only by its metadata (`r`). See [`is_read_only_now`](Self::is_read_only_now).
    #[must_use]
    pub fn permission(self) -> Permission {
        if self.0[1] == b'r' { Permission::ReadOnly } else { Permission::ReadWrite }
    }

    /// Whether the volume cannot be written at this moment: by its metadata (`r`), or because it was activated
    /// read-only (`R`).
    #[must_use]
    pub fn is_read_only_now(self) -> bool {
        matches!(self.0[1], b'r' | b'R')
    }

    /// Whether the device mapper has it, suspended or not.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self.0[4], b'a' | b's' | b'I' | b'S' | b'm' | b'M' | b'd' | b'i' | b'c' | b'C')
    }

    /// Whether somebody has the device open: mounted, or a program.
    #[must_use]
    pub fn is_open(self) -> bool {
        self.0[5] == b'o'
    }

    /// A pool that zeroes each chunk before it is first mapped (`lvcreate -Zy`). Otherwise what is not written in a new
    /// chunk is somebody's old data.
    #[must_use]
    pub fn zeroes_new_chunks(self) -> bool {
        self.0[7] == b'z'
    }

    /// Whether a plain `lvchange -ay` leaves it inactive, as is the default for thin snapshots.
    #[must_use]
    pub fn skips_activation(self) -> bool {
        self.0[9] == b'k'
    }

    /// LVM's letter for what is wrong with it; `None` for nothing. `F` failed, `D` a pool out of data space, `M` its
    /// metadata read-only, `p` a physical volume is missing.
    #[must_use]
    pub fn trouble(self) -> Option<char> {
        Some(char::from(self.0[8])).filter(|letter| *letter != '-')
    }
}

impl std::fmt::Display for LvAttr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|letter| std::fmt::Write::write_char(f, char::from(*letter)))
    }
}

impl std::fmt::Debug for LvAttr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LvAttr({self})")
    }
}

/// One volume group.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Vg {
    /// Its name.
    pub name: VgName,
    /// LVM's id of it.
    pub uuid: Uuid,
    /// Space in all.
    pub size: Bytes,
    /// Space that no volume has.
    pub free: Bytes,
    /// The unit in which volumes are sized.
    pub extent_size: Bytes,
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

/// All volumes of a group but LVM's hidden ones. Runs one command, and a second to find similar names where the group
/// does not exist.
///
/// # Errors
/// [`ReportError::UnknownVg`], or LVM fails, or its answer is not understood.
pub fn volumes(exec: &dyn Executor, vg: &VgName) -> Result<Vec<Lv>, ReportError> {
    let what = || format!("the volumes of group `{vg}`");
    let rows: Vec<LvRow> = match exec.run(&report(Program::Lvs, LV_FIELDS).arg(vg.as_str())) {
        Ok(output) => rows(&output.stdout, |section| section.lv, what)?,
        Err(source) if source.stderr().contains("not found") => {
            let groups = groups(exec)?;
            if groups.iter().any(|known| known.name == *vg) {
                return Err(ReportError::List { what: what(), source });
            }
            let similar = similar(vg.as_str(), groups.iter().map(|known| known.name.as_str()));
            return Err(ReportError::UnknownVg { name: vg.clone(), similar });
        }
        Err(source) => return Err(ReportError::List { what: what(), source }),
    };
    rows.into_iter().map(LvRow::typed).collect()
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

fn report(program: Program, fields: &str) -> Command {
    Command::new(program)
        .args(["--reportformat", "json", "--units", "b", "--nosuffix", "--config", CONFIG, "-o"])
        .arg(fields)
}

#[derive(Deserialize)]
struct Report {
    report: Vec<Section>,
}

#[derive(Deserialize)]
struct Section {
    #[serde(default)]
    lv: Vec<LvRow>,
    #[serde(default)]
    vg: Vec<VgRow>,
}

fn rows<R>(json: &[u8], pick: fn(Section) -> Vec<R>, what: impl Fn() -> String) -> Result<Vec<R>, ReportError> {
    let report: Report = serde_json::from_slice(json).map_err(|source| ReportError::Json { what: what(), source })?;
    Ok(report.report.into_iter().flat_map(pick).collect())
}

/// As it comes: every value is a string, empty where there is none.
#[derive(Deserialize)]
struct LvRow {
    lv_name: String,
    vg_name: String,
    lv_uuid: String,
    lv_attr: String,
    lv_size: String,
    pool_lv: String,
    origin: String,
    thin_id: String,
    transaction_id: String,
    chunk_size: String,
    data_percent: String,
    metadata_percent: String,
    lv_tags: String,
    lv_time: String,
    metadata_lv: String,
    discards: String,
}

#[derive(Deserialize)]
struct VgRow {
    vg_name: String,
    vg_uuid: String,
    vg_size: String,
    vg_free: String,
    vg_extent_size: String,
}

/// Reads the values of one row, and says whose value it was that could not be read.
struct Reader(String);

impl Reader {
    fn value<T>(
        &self,
        field: &'static str,
        text: &str,
        expected: &'static str,
        value: Option<T>,
    ) -> Result<T, ReportError> {
        value.ok_or_else(|| ReportError::Value { object: self.0.clone(), field, found: text.to_owned(), expected })
    }

    fn name<T>(&self, field: &'static str, text: &str, name: Result<T, NameError>) -> Result<T, ReportError> {
        self.value(field, text, "a valid name", name.ok())
    }

    fn number<T: std::str::FromStr>(&self, field: &'static str, text: &str) -> Result<T, ReportError> {
        self.value(field, text, "a number", text.parse().ok())
    }

    /// Where there may be none.
    fn maybe<T>(
        &self,
        text: &str,
        read: impl FnOnce(&Self, &str) -> Result<T, ReportError>,
    ) -> Result<Option<T>, ReportError> {
        if text.is_empty() { Ok(None) } else { read(self, text).map(Some) }
    }
}

impl LvRow {
    fn typed(self) -> Result<Lv, ReportError> {
        let r = Reader(format!("{}/{}", self.vg_name, self.lv_name));
        let lv_name = |field| move |r: &Reader, text: &str| r.name(field, text, LvName::reported(text));
        let vg = r.name("vg_name", &self.vg_name, self.vg_name.parse())?;
        let lv = lv_name("lv_name")(&r, &self.lv_name)?;
        Ok(Lv {
            name: LvRef::new(vg, lv),
            uuid: r.name("lv_uuid", &self.lv_uuid, self.lv_uuid.parse())?,
            attr: r.value("lv_attr", &self.lv_attr, "ten letters", LvAttr::parse(&self.lv_attr))?,
            size: Bytes::new(r.number("lv_size", &self.lv_size)?),
            pool: r.maybe(&self.pool_lv, lv_name("pool_lv"))?,
            origin: r.maybe(&self.origin, lv_name("origin"))?,
            thin_id: r.maybe(&self.thin_id, |r, text| {
                r.value("thin_id", text, "a number of 24 bits", text.parse().ok().and_then(ThinId::new))
            })?,
            transaction_id: r.maybe(&self.transaction_id, |r, text| r.number("transaction_id", text))?,
            // LVM reports zero for what has no chunks.
            chunk_size: ChunkSize::from_bytes(Bytes::new(r.number("chunk_size", &self.chunk_size)?)),
            data_percent: r.maybe(&self.data_percent, |r, text| r.number("data_percent", text))?,
            metadata_percent: r.maybe(&self.metadata_percent, |r, text| r.number("metadata_percent", text))?,
            tags: self
                .lv_tags
                .split(',')
                .filter(|tag| !tag.is_empty())
                .map(|tag| r.name("lv_tags", tag, tag.parse()))
                .collect::<Result<_, _>>()?,
            created_seconds: r.maybe(&self.lv_time, |r, text| r.number("lv_time", text))?,
            metadata_lv: r.maybe(&self.metadata_lv, lv_name("metadata_lv"))?,
            discards: r.maybe(&self.discards, |r, text| {
                let discards = match text {
                    "passdown" => Some(Discards::Passdown),
                    "nopassdown" => Some(Discards::NoPassdown),
                    "ignore" => Some(Discards::Ignore),
                    _ => None,
                };
                r.value("discards", text, "passdown, nopassdown or ignore", discards)
            })?,
        })
    }
}

impl VgRow {
    fn typed(self) -> Result<Vg, ReportError> {
        let r = Reader(self.vg_name.clone());
        Ok(Vg {
            name: r.name("vg_name", &self.vg_name, self.vg_name.parse())?,
            uuid: r.name("vg_uuid", &self.vg_uuid, self.vg_uuid.parse())?,
            size: Bytes::new(r.number("vg_size", &self.vg_size)?),
            free: Bytes::new(r.number("vg_free", &self.vg_free)?),
            extent_size: Bytes::new(r.number("vg_extent_size", &self.vg_extent_size)?),
        })
    }
}
