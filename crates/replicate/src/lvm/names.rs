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

/// The first of `LV-WHAT-STAMP`, `LV-WHAT-STAMP-2`, `LV-WHAT-STAMP-3`, ... that is not taken, shorter where that is too long.
///
/// # Errors
/// The group's name leaves no room for that.
pub(super) fn free(
    volume: &LvRef,
    what: &str,
    moment: UnixSeconds,
    taken: impl Fn(&LvName) -> bool,
) -> Result<LvName, NameError> {
    Ok(volume.with_suffix(&format!("{what}-{}", stamp(moment)), taken)?.lv().clone())
}

/// Checks that names can be changed by way of both of these: before that is begun. What was begun already is finished all the
/// same.
///
/// # Errors
/// The group's name leaves no room for them.
pub(super) fn check_swap(volume: &LvRef) -> Result<(), NameError> {
    [new_live(volume)?, old_live(volume)?].iter().try_for_each(LvRef::check_length)
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
        let long: LvRef = format!("vg0/{}", "x".repeat(117)).parse().unwrap();
        let name = free(&long, "sync", moment, |_| false).unwrap();
        assert!(name.as_str().ends_with("x-sync-20261121T181000Z") && long.sibling(name).check_length().is_ok());
        assert!(check_swap(&long).is_ok(), "the swap needs no room in the name");
        let long_group: LvRef = format!("{}/data", "x".repeat(100)).parse().unwrap();
        assert!(check_swap(&long_group).is_err(), "what could not be renamed is not made");
    }
}
