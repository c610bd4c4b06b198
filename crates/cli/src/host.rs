//! The machine that a command works on.

use lvm_cmd::{DEFAULT_STATE_DIR, Host, StateDir};

use crate::{Outcome, Stop};

/// The host's programs, and the directory of locks that other runs see. While `stop` is requested, the command that is waited
/// for is reported.
///
/// # Errors
/// `/proc` is not there.
pub fn host(stop: &Stop) -> Outcome<(Host, StateDir)> {
    let state = StateDir::new(DEFAULT_STATE_DIR).map_err(transfer::Error::from)?;
    Ok((Host::new().stopped_by(stop.shared()), state))
}
