//! What the volumes of a pair are called.

use lvm_cmd::{LvName, LvRef, NameError};
use retention::UnixSeconds;

/// How the name of a new live volume begins before it has its own.
const NEW: &str = "hyperlayer-live-";
/// How the name of a live volume begins that was replaced.
const OLD: &str = "hyperlayer-old-";

/// A moment as it stands in a name, in UTC: `20261121T181000Z`.
pub(super) fn stamp(moment: UnixSeconds) -> String {
    moment.to_string().replace(['-', ':'], "")
}

/// The first of `LV-WHAT-STAMP`, `LV-WHAT-STAMP-2`, `LV-WHAT-STAMP-3`, ... that is not taken.
///
/// # Errors
/// The volume's name leaves no room for that.
pub(super) fn free(
    volume: &LvRef,
    what: &str,
    moment: UnixSeconds,
    taken: impl Fn(&LvName) -> bool,
) -> Result<LvName, NameError> {
    let first = format!("{}-{what}-{}", volume.lv(), stamp(moment));
    let mut name = first.parse::<LvName>()?;
    let mut count = 1;
    while taken(&name) {
        count += 1;
        name = format!("{first}-{count}").parse::<LvName>()?;
    }
    Ok(name)
}

/// What a new live volume is called before it has its own name. The name itself may be as long as a name can be.
pub(super) fn new_live(volume: &LvRef) -> Result<LvRef, NameError> {
    keyed(NEW, volume)
}

/// What a live volume is called that was replaced.
pub(super) fn old_live(volume: &LvRef) -> Result<LvRef, NameError> {
    keyed(OLD, volume)
}

fn keyed(prefix: &str, volume: &LvRef) -> Result<LvRef, NameError> {
    let key = blake3::hash(volume.lv().as_str().as_bytes()).to_hex();
    Ok(volume.sibling(format!("{prefix}{}", &key[..12]).parse::<LvName>()?))
}

/// What the volumes of a layer that is being received are to become, as `lvbackup recv --list-partial` shows them; the layer
/// gets its own name when it is whole.
pub(super) fn partial(volume: &LvRef) -> Result<LvRef, NameError> {
    Ok(volume.sibling(format!("{}-sync", volume.lv()).parse::<LvName>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume() -> LvRef {
        "vg0/data".parse().unwrap()
    }

    #[test]
    fn names_carry_the_moment_and_never_collide() {
        let moment = UnixSeconds::new(1_795_284_600).unwrap();
        assert_eq!(stamp(moment), "20261121T181000Z");
        let mut taken: Vec<LvName> = Vec::new();
        for expected in ["data-sync-20261121T181000Z", "data-sync-20261121T181000Z-2", "data-sync-20261121T181000Z-3"] {
            let name = free(&volume(), "sync", moment, |name| taken.contains(name)).unwrap();
            assert_eq!(name.as_str(), expected);
            taken.push(name);
        }
        let long: LvRef = format!("vg0/{}", "x".repeat(120)).parse().unwrap();
        assert!(free(&long, "sync", moment, |_| false).is_err());
        assert!(new_live(&long).is_ok(), "the swap needs no room in the name");
    }
}
