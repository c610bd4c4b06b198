//! What is said on standard error beside errors.

use cli::say;
use extents::human;
use hyperlayer::{Completeness, End, Format, Header, Kind};
use transfer::Identity;

use crate::args::Args;

/// Says what this stream cannot promise.
pub(crate) fn warn(args: &Args, header: &Header, identity: Option<Identity>, end: &End) {
    if args.common.quiet {
        return;
    }
    let checks = match (args.no_base_check, end.totals.checks) {
        (true, _) | (_, 0) => "nothing held it against its base".to_owned(),
        (false, checks) => format!("only its {checks} checks of the base's content were held against it"),
    };
    match identity {
        Some(Identity::Unnamed) => say(&format!("lvpatch: warning: the stream does not name its base; {checks}")),
        Some(Identity::Forced) => say(&format!("lvpatch: warning: forced on a base of another layer; {checks}")),
        _ => {}
    }
    if header.kind == Kind::Unknown {
        let taken = if identity.is_some() { "what changed since its base" } else { "a whole volume" };
        say(&format!("lvpatch: warning: the stream does not say what it is; it was taken for {taken}"));
    }
    if !header.format.is_hyperlayer() {
        say(&format!("lvpatch: warning: {}", unchecked(end)));
    }
    if header.layer.is_none() && header.format == Format::V1_1 {
        say("lvpatch: warning: the stream does not name its layer; a later delta cannot be checked against it");
    }
}

/// What nobody can know of a stream in another tool's format.
fn unchecked(end: &End) -> String {
    let format = end.format;
    match end.completeness {
        Completeness::Unknown => format!("a stream in the format {format} has no end: it may have been cut"),
        _ if format == Format::LvbackupV1 => format!("only MD5 checks the content of a stream in the format {format}"),
        _ => format!("nothing checks the content of a stream in the format {format}"),
    }
}

/// One line: what was done.
pub(crate) fn done(args: &Args, end: &End, what: &str) {
    if !args.common.quiet {
        let (data, zero) = (human(end.totals.data), human(end.totals.zero));
        say(&format!("lvpatch: {what}: {data} of data, {zero} of zeros, {} base checks", end.totals.checks));
    }
}
