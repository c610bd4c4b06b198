//! Names of groups, volumes and tags, and what the device mapper makes of them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// LVM's `NAME_LEN` less its final zero: the longest name of a group or a volume, in bytes.
const MAX_NAME: usize = 127;
/// The kernel's `DM_NAME_LEN` less its final zero (`include/uapi/linux/dm-ioctl.h`): the longest name that an active volume can
/// have in the device mapper, in bytes.
const MAX_DM_NAME: usize = 127;
/// The longest that the names of a group and of a volume in it may be together, in bytes: `lvrename` wants room for `/dev/`
/// and three bytes more in `NAME_LEN` (lvm2 `tools/lvrename.c`).
const MAX_BOTH_NAMES: usize = 120;
/// lvm(8), "TAGS": the longest tag, in bytes.
const MAX_TAG: usize = 1024;
/// Thin device ids have 24 bits (`MAX_DEV_ID` in the kernel's dm-thin.c).
const MAX_THIN_ID: u32 = (1 << 24) - 1;

/// lvm2 `lib/misc/lvm-string.c`, `apply_lvname_restrictions`, up to 2.03.30.
const RESERVED_PREFIXES: [&str; 2] = ["pvmove", "snapshot"];
const RESERVED_PARTS: [&str; 17] = [
    "_cdata", "_cmeta", "_corig", "_cpool", "_cvol", "_imeta", "_iorig", "_mimage", "_mlog", "_pmspare", "_rimage",
    "_rmeta", "_tdata", "_tmeta", "_vdata", "_vorigin", "_wcorig",
];

/// A name that LVM would not take.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("invalid {what} `{}`: {why}", text.escape_debug())]
pub struct NameError {
    what: &'static str,
    text: String,
    why: String,
}

impl NameError {
    fn new(what: &'static str, text: &str, why: impl Into<String>) -> Self {
        Self { what, text: text.to_owned(), why: why.into() }
    }

    /// What kind of failure this is: always [`Kind::Invalid`](crate::Kind::Invalid).
    #[must_use]
    pub const fn kind(&self) -> crate::Kind {
        crate::Kind::Invalid
    }
}

/// The rules that groups and volumes share (lvm(8), "VALID NAMES").
fn check_name(what: &'static str, text: &str) -> Result<(), NameError> {
    let refused = |why: String| Err(NameError::new(what, text, why));
    if text.is_empty() {
        return refused("it is empty".to_owned());
    }
    if text.len() > MAX_NAME {
        return refused(format!("it has {} bytes, at most {MAX_NAME} are allowed", text.len()));
    }
    if let Some(c) = text.chars().find(|&c| !c.is_ascii_alphanumeric() && !"+_.-".contains(c)) {
        return refused(format!("`{}` is not among a-z A-Z 0-9 + _ . -", c.escape_debug()));
    }
    if text.starts_with('-') {
        return refused("it starts with a hyphen".to_owned());
    }
    if text == "." || text == ".." {
        return refused("it is a folder's name".to_owned());
    }
    Ok(())
}

macro_rules! text_type {
    ($name:ident, $what:literal, $parse:expr) => {
        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                let check: fn(&'static str, &str) -> Result<(), NameError> = $parse;
                check($what, text).map(|()| Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

/// The name of a volume group. No hyphen first, none of the reserved ones.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VgName(Box<str>);

text_type!(VgName, "volume group name", check_name);

/// The name of a logical volume that a user may have given: no hyphen first, none of the names and parts of names that
/// LVM keeps for its own hidden volumes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LvName(Box<str>);

text_type!(LvName, "logical volume name", |what, text| {
    check_name(what, text)?;
    if let Some(prefix) = RESERVED_PREFIXES.iter().find(|prefix| text.starts_with(*prefix)) {
        return Err(NameError::new(what, text, format!("names that start with `{prefix}` are reserved")));
    }
    if let Some(part) = RESERVED_PARTS.iter().find(|part| text.contains(*part)) {
        return Err(NameError::new(what, text, format!("names that contain `{part}` are reserved")));
    }
    Ok(())
});

impl LvName {
    /// A name from one of LVM's reports, where hidden volumes have reserved names, in square brackets.
    pub(crate) fn reported(text: &str) -> Result<Self, NameError> {
        let text = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        check_name("logical volume name", text).map(|()| Self(text.into()))
    }
}

/// A tag of a volume: at most 1024 of `a-z A-Z 0-9 _ + . - / = ! : & #`, no hyphen first (lvm(8), "TAGS").
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Box<str>);

text_type!(Tag, "tag", |what, text| {
    let refused = |why: String| Err(NameError::new(what, text, why));
    if text.is_empty() {
        return refused("it is empty".to_owned());
    }
    if text.len() > MAX_TAG {
        return refused(format!("it has {} bytes, at most {MAX_TAG} are allowed", text.len()));
    }
    if let Some(c) = text.chars().find(|&c| !c.is_ascii_alphanumeric() && !"_+.-/=!:&#".contains(c)) {
        return refused(format!("`{}` is not among a-z A-Z 0-9 _ + . - / = ! : & #", c.escape_debug()));
    }
    if text.starts_with('-') {
        return refused("it starts with a hyphen".to_owned());
    }
    Ok(())
});

/// The UUID that LVM gave a volume: 32 letters and digits in groups, `jeQKMH-O6R5-y0Qz-wjUO-mBqa-Ye7u-UXe37K`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(Box<str>);

text_type!(Uuid, "LVM uuid", |what, text| {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if groups == [6, 4, 4, 4, 4, 4, 6] && plain {
        return Ok(());
    }
    Err(NameError::new(what, text, "expected 32 letters and digits in groups of 6-4-4-4-4-4-6"))
});

/// The number under which a pool knows one of its volumes: 0 to 16 777 215.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThinId(u32);

impl ThinId {
    /// `None` above 24 bits.
    #[must_use]
    pub const fn new(id: u32) -> Option<Self> {
        if id <= MAX_THIN_ID { Some(Self(id)) } else { None }
    }

    /// The plain number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ThinId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ThinId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ThinId({})", self.0)
    }
}

/// Which logical volume: a group and a name in it. Displayed as `VG/LV`.
///
/// ```
/// use lvm_cmd::{LvRef, VgName};
///
/// let home: LvRef = "/dev/mapper/my--vg-home".parse()?;
/// assert_eq!(home.to_string(), "my-vg/home");
/// let vg: VgName = "vg0".parse()?;
/// assert_eq!(LvRef::parse("home", Some(&vg))?.to_string(), "vg0/home");
/// # Ok::<(), lvm_cmd::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LvRef {
    vg: VgName,
    lv: LvName,
}

impl LvRef {
    /// The volume `lv` of the group `vg`.
    #[must_use]
    pub const fn new(vg: VgName, lv: LvName) -> Self {
        Self { vg, lv }
    }

    /// From what a user may type: `VG/LV`, `/dev/VG/LV`, `/dev/mapper/VG-LV` (hyphens doubled), or, where
    /// `default_vg` is given, a bare `LV`.
    ///
    /// # Errors
    /// None of these forms, or an invalid name in one.
    pub fn parse(text: &str, default_vg: Option<&VgName>) -> Result<Self, NameError> {
        let refused = |why: &str| NameError::new("volume", text, why);
        let forms = "expected VG/LV, /dev/VG/LV or /dev/mapper/VG-LV";
        if let Some(dm_name) = text.strip_prefix("/dev/mapper/") {
            return Self::from_dm_name(dm_name);
        }
        match text.strip_prefix("/dev/").unwrap_or(text).split_once('/') {
            Some((vg, lv)) if !vg.is_empty() && !lv.contains('/') => Ok(Self::new(vg.parse()?, lv.parse()?)),
            Some(_) => Err(refused(forms)),
            None if text.starts_with("/dev/") => Err(refused(forms)),
            None => match default_vg {
                Some(vg) => Ok(Self::new(vg.clone(), text.parse()?)),
                None => Err(refused("its volume group is not given: expected VG/LV")),
            },
        }
    }

    /// From the device mapper's name for it: `VG-LV`, with every hyphen within a name doubled.
    ///
    /// # Errors
    /// Not two parts, or one that is no valid name: such a node is no volume of LVM's that a user may name.
    pub fn from_dm_name(dm_name: &str) -> Result<Self, NameError> {
        let refused = |why| NameError::new("device-mapper name", dm_name, why);
        // libdm's dm_split_lvm_name: from the left, two hyphens are one of the name's, a single one separates.
        let mut parts = vec![String::new()];
        let mut rest = dm_name.chars().peekable();
        while let Some(c) = rest.next() {
            if c == '-' && rest.next_if_eq(&'-').is_none() {
                parts.push(String::new());
            } else if let Some(part) = parts.last_mut() {
                part.push(c);
            }
        }
        match parts.as_slice() {
            [vg, lv] => Ok(Self::new(vg.parse()?, lv.parse()?)),
            [_] => Err(refused("no single hyphen between group and volume (those within a name are doubled)")),
            _ => Err(refused("a layer of a volume, or hyphens within a name that are not doubled")),
        }
    }

    /// The group.
    #[must_use]
    pub const fn vg(&self) -> &VgName {
        &self.vg
    }

    /// The name within the group.
    #[must_use]
    pub const fn lv(&self) -> &LvName {
        &self.lv
    }

    /// Another volume of the same group.
    #[must_use]
    pub fn sibling(&self, lv: LvName) -> Self {
        Self::new(self.vg.clone(), lv)
    }

    /// Checks that a volume can be renamed to this name and be active under it. LVM itself checks neither when it makes a
    /// volume that stays inactive.
    ///
    /// # Errors
    /// The names of group and volume are too long together: 120 bytes at most, and 127 in the device mapper, where every
    /// hyphen counts twice and one more stands between them.
    pub fn check_length(&self) -> Result<(), NameError> {
        self.check_length_with("")
    }

    /// Checks that this volume can be a classic snapshot: LVM then makes the device `SNAPSHOT-cow` as well.
    ///
    /// # Errors
    /// As [`check_length`](Self::check_length), with what LVM adds.
    pub fn check_length_as_classic(&self) -> Result<(), NameError> {
        self.check_length_with("-cow")
    }

    /// Checks that this volume can have a classic snapshot: LVM then makes the device `ORIGIN-real` as well.
    ///
    /// # Errors
    /// As [`check_length`](Self::check_length), with what LVM adds.
    pub fn check_length_as_classic_origin(&self) -> Result<(), NameError> {
        self.check_length_with("-real")
    }

    fn check_length_with(&self, added: &str) -> Result<(), NameError> {
        let refused = |len, most, what| {
            Err(NameError::new("volume", &self.to_string(), format!("{what} {len} bytes, at most {most} are allowed")))
        };
        match (self.vg.0.len() + self.lv.0.len(), self.dm_name().len() + added.len()) {
            (both, _) if both > MAX_BOTH_NAMES => {
                refused(both, MAX_BOTH_NAMES, "group and name have together".to_owned())
            }
            (_, dm) if dm > MAX_DM_NAME && added.is_empty() => {
                refused(dm, MAX_DM_NAME, "its name in the device mapper has".to_owned())
            }
            (_, dm) if dm > MAX_DM_NAME => {
                refused(dm, MAX_DM_NAME, format!("its name in the device mapper has, with LVM's `{added}`,"))
            }
            _ => Ok(()),
        }
    }

    /// The first of `LV-SUFFIX`, `LV-SUFFIX-2`, `LV-SUFFIX-3`, ... that is not taken: a name for a volume that belongs to this
    /// one. Where that is [too long](Self::check_length), it begins with less of this volume's name.
    ///
    /// # Errors
    /// Not even the first byte of this volume's name leaves room for the suffix, or no volume may have the suffix in its name.
    pub fn with_suffix(&self, suffix: &str, taken: impl Fn(&LvName) -> bool) -> Result<Self, NameError> {
        let mut end = format!("-{suffix}");
        let mut count = 1;
        loop {
            let fitting = |len| {
                let named = self.sibling(format!("{}{end}", &self.lv.0[..len]).parse()?);
                named.check_length().map(|()| named)
            };
            // The shortest one says why none fits.
            let found = (2..=self.lv.0.len()).rev().find_map(|len| fitting(len).ok()).map_or_else(|| fitting(1), Ok)?;
            if !taken(&found.lv) {
                return Ok(found);
            }
            count += 1;
            end = format!("-{suffix}-{count}");
        }
    }

    /// The device mapper's name: `VG-LV`, every hyphen within a name doubled.
    #[must_use]
    pub fn dm_name(&self) -> String {
        format!("{}-{}", self.vg.0.replace('-', "--"), self.lv.0.replace('-', "--"))
    }

    /// The device mapper's name of a pool's own target (`-tpool`), which takes messages and reports the pool's status.
    #[must_use]
    pub fn dm_pool_name(&self) -> String {
        format!("{}-tpool", self.dm_name())
    }

    /// The device node: `/dev/mapper/VG-LV`. Unlike `/dev/VG/LV` it is there as soon as the device mapper has it.
    #[must_use]
    pub fn dm_path(&self) -> PathBuf {
        Path::new("/dev/mapper").join(self.dm_name())
    }
}

/// `VG/LV`, `/dev/VG/LV` or `/dev/mapper/VG-LV`.
impl FromStr for LvRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text, None)
    }
}

impl fmt::Display for LvRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.vg, self.lv)
    }
}

impl fmt::Debug for LvRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LvRef({self})")
    }
}
