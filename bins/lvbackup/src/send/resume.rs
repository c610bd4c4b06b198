//! The rest of a layer, for a receiver that was interrupted.

use cli::{Exit, Failure, OrFail, Outcome};
use hyperlayer::{Header, LayerId};
use lvm_cmd::{Lv, LvType, volumes_by_group};
use transfer::Plan;
use transfer::lvm::{Lvm, layer_of};
use transfer::receive::ResumeToken;

use super::Names;

/// The volumes that the token is about, wherever they are. Runs a command, and one for each group.
///
/// # Errors
/// One is not here any more, or LVM fails.
pub(super) fn find(lvm: &Lvm<'_>, token: &ResumeToken) -> Outcome<Names> {
    let mut all = Vec::new();
    for found in volumes_by_group(lvm.exec).map_err(transfer::Error::from)?.into_values() {
        match found {
            Ok(group) => all.extend(group),
            Err(error) => cli::warn("lvbackup", &transfer::Error::from(error).into()),
        }
    }
    all.retain(|lv| lv.attr.lv_type() == LvType::ThinVolume);
    let holds = |lv: &Lv, layer: &LayerId| layer_of(lv).is_ok_and(|found| found == *layer);
    let gone = |layer: &LayerId| {
        Failure::msg(Exit::Refused, format!("no thin volume here is layer {layer}, of which the rest is asked for"))
            .hint("it was removed, or made writable: discard the partial receive and send the layer anew")
    };
    let mut missing = gone(&token.layer);
    // A copy on the same machine is the same layer; what is compared must be in one pool.
    for new in all.iter().filter(|lv| holds(lv, &token.layer)) {
        let Some(parent) = &token.parent else { return Ok((new.name.clone(), None)) };
        let of_pool = |lv: &&Lv| lv.pool_ref() == new.pool_ref() && holds(lv, parent);
        match all.iter().find(of_pool) {
            Some(base) => return Ok((new.name.clone(), Some(base.name.clone()))),
            None => missing = gone(parent),
        }
    }
    Err(missing)
}

/// What is left of a layer.
///
/// # Errors
/// The token is about another one.
pub(super) fn rest(token: &ResumeToken, header: Header, plan: &Plan) -> Outcome<(Header, Plan)> {
    token.rest(header, plan).or_fail(Exit::Refused).map_err(|failure| {
        failure.hint("discard the partial receive (`lvbackup recv --discard-partial`) and send the layer anew")
    })
}
