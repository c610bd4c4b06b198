//! `lvsnap check`.

use std::path::Path;

use cli::Outcome;
use lvm_cmd::{Host, Kind, Stack};
use serde_json::json;
use snapshot::Record;
use snapshot::check::{Asked, Conclusion, Finding, Look, Seen, findings, look};

use crate::context::{Context, is_root, of_site, volume};
use crate::refusal::{exit, refuse};
use crate::{create, lost, table};

/// Show what `lvsnap create` would find, and change nothing
///
/// Everything is looked at that making the snapshot needs, and later its removal, and a table says what was found and what that
/// means. `lvsnap create` with the same arguments looks at the same, and fails with the first refusal.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// The volume, live or not
    #[arg(value_name = "VG/LV")]
    origin: String,

    /// The snapshot's name [default: `LV_snapshot`, the one that a dump takes]
    #[arg(value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    options: create::Options,

    /// As one JSON object a line
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Examples:
  lvsnap check vg0/data --size 4g
  lvsnap check vg0/data nightly --size 4g --tmp-file /backup/space.img --mount /mnt/nightly

CONCLUSION is one of: ok; warning (nothing stands in the way now); refused; not needed; not looked at (something before it is
refused); when it is made (only the step that is named can tell, and undoes all others where it fails); when it is removed. Of a
snapshot that lvsnap has made under this name already, what its removal looks at is shown as it is now.

The commands of --pre and --post are not run, and nothing is frozen.

Keys of --json: check, describes, looked_at, found, conclusion, step (that tells, null), exit (the exit status of a refusal,
null), hint (null). Names of checks and conclusions never change; texts may.

Exit status: 0 where nothing is refused; else that of `lvsnap create`, which is that of the first refusal.";

/// Shows it.
///
/// # Errors
/// The first refusal, as `lvsnap create` has it.
pub(crate) fn run(args: &Args) -> Outcome {
    let origin = volume(&args.origin, None)?;
    let name = args.name.clone().unwrap_or_else(|| format!("{}_snapshot", origin.lv()));
    let asked = args.options.wanted(&args.origin, &name)?.asked();
    let context = Context::for_anybody()?;
    // Held to the end, so that no other run changes the snapshot meanwhile.
    let (_lock, other_run) = match is_root().then(|| context.lock_to_look(&asked.snapshot)) {
        None => (None, None),
        Some(Ok(lock)) => (lock, None),
        Some(Err(error)) if error.kind() == Kind::Busy => (None, Some(error.to_string())),
        Some(Err(error)) => return Err(transfer::Error::from(error).into()),
    };
    let record = if is_root() && other_run.is_none() { known(&context, &asked)? } else { None };
    let all = findings(&asked, &seen(&context, &asked, record, other_run)?);
    let text = if args.json { all.iter().map(json).collect() } else { shown(&all) };
    cli::print(&text)?;
    refuse(&all)
}

/// What is recorded of the snapshot, or what its tags say.
fn known(context: &Context, asked: &Asked) -> Outcome<Option<Result<Record, String>>> {
    match context.journal.read(&asked.snapshot) {
        Ok(Some(record)) => Ok(Some(Ok(record))),
        Err(error) => Ok(Some(Err(of_site(error.into()).to_string()))),
        Ok(None) if !missing(&context.exec, asked).is_empty() => Ok(None),
        Ok(None) => Ok(lost::find(context)?.into_iter().find(|record| record.snapshot == asked.snapshot).map(Ok)),
    }
}

fn missing(host: &Host, asked: &Asked) -> Vec<lvm_cmd::Program> {
    asked.programs().into_iter().filter(|program| host.locate(*program).is_err()).collect()
}

/// What there is on this host for what is asked; `record` is what is recorded under the snapshot's name.
///
/// # Errors
/// LVM does not answer.
pub(crate) fn seen(
    context: &Context,
    asked: &Asked,
    record: Option<Result<Record, String>>,
    other_run: Option<String>,
) -> Outcome<Seen> {
    let at = Look {
        exec: &context.exec,
        is_root: is_root(),
        missing: missing(&context.exec, asked),
        other_run,
        record,
        nodes: Path::new("/dev/mapper"),
        stack: Stack::default(),
    };
    look(asked, at).map_err(of_site)
}

fn shown(all: &[Finding]) -> String {
    let head = ["CHECK", "LOOKED AT", "CONCLUSION", "FOUND"].map(str::to_owned);
    let lines = all.iter().map(|finding| {
        [
            finding.check.name().to_owned(),
            finding.looked_at.clone(),
            finding.conclusion.name().to_owned(),
            finding.found.clone(),
        ]
    });
    table::table(&std::iter::once(head).chain(lines).collect::<Vec<_>>())
}

fn json(finding: &Finding) -> String {
    let exit = match finding.conclusion {
        Conclusion::Refused(refusal) => Some(exit(refusal).code()),
        _ => None,
    };
    let value = json!({
        "check": finding.check.name(),
        "describes": finding.check.describes(),
        "looked_at": finding.looked_at,
        "found": finding.found,
        "conclusion": finding.conclusion.name(),
        "step": finding.conclusion.step(),
        "exit": exit,
        "hint": finding.hint,
    });
    format!("{value}\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Parser;
    use cli::Exit;
    use snapshot::check::{Check, Stage};

    use super::*;
    use crate::args::{Args, Command};

    /// Whether a command line is refused before anything is looked at.
    fn is_refused(line: &str) -> bool {
        match Args::try_parse_from(std::iter::once("lvsnap").chain(line.split(' ').filter(|word| !word.is_empty()))) {
            Err(error) => error.exit_code() == i32::from(Exit::Usage.code()),
            Ok(Args { command: Command::Create(args), .. }) => {
                args.wanted().is_err_and(|failure| failure.exit() == Exit::Usage)
            }
            Ok(_) => false,
        }
    }

    #[test]
    fn what_the_table_takes_for_given_the_command_line_refuses() {
        let cases = [
            (Check::GroupGiven, "create data snap"),
            (Check::GroupGiven, "create /data snap"),
            (Check::OriginGiven, "create vg0/ snap"),
            (Check::NameGiven, "create vg0/data"),
            (Check::NameGiven, "create vg0/data snapshot1"),
            (Check::MountPointGiven, "create vg0/data snap --mount"),
            (Check::CommandGiven, ""),
            (Check::SizeIsSize, "create vg0/data snap --size much"),
            (Check::LoopDeviceForFile, "create vg0/data snap --size 4m --loop-device /dev/loop7"),
            (Check::CreateRemovesNothing, "create vg0/data snap --remove-mountpoint"),
            (Check::RemoveMakesNothing, "remove vg0/snap --allocate write"),
            (Check::CommandKnown, "destroy vg0/data snap"),
        ];
        for (check, line) in cases {
            assert!(is_refused(line), "{check:?}: {line}");
        }
        let tried: BTreeSet<_> = cases.map(|(check, _)| check).into();
        let all = Check::ALL.iter().copied().filter(|check| check.stage() == Stage::CommandLine);
        assert_eq!(tried, all.collect());
        assert!(!is_refused("create vg0/data snap --size 4m --tmp-file /a --loop-device /dev/loop7 --mount /mnt"));
        assert!(!is_refused("remove vg0/snap") && !is_refused("check vg0/data"));
    }

    #[test]
    fn a_refusal_ends_with_its_exit_code_and_names_all_others() {
        let asked = Asked {
            origin: "vg0/data".parse().unwrap(),
            snapshot: "vg0/data".parse().unwrap(),
            size: None,
            file: None,
            mount: Some("mnt".into()),
            freeze: false,
        };
        let all = findings(&asked, &Seen { other_run: Some("held".to_owned()), ..Seen::default() });
        let failure = refuse(&all).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        let text = failure.render("lvsnap");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert_eq!(lines[0], "lvsnap: `mnt` is no absolute path");
        assert!(lines[3].ends_with("another run works on `vg0/data`: held"), "{text}");
        assert_eq!(all.iter().map(json).filter(|line| line.contains("\"exit\":4")).count(), 2);
    }
}
