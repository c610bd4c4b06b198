//! `lvsnap list`.

use cli::{Exit, Failure, Outcome, Stop, say};
use extents::human;
use lvm_cmd::{Lv, find, volumes};
use serde_json::{Value, json};
use snapshot::{Facts, HostSite, Phase, Record, Site, is_lost, recovery};

use crate::context::{Context, of_site};
use crate::{lost, table};

/// Show the snapshots that lvsnap made: how full and how old they are, where they are mounted
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// As one JSON object a line
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
STATE is one of: made; inactive (`lvsnap recover` brings it back); unfinished (a dump is being made of it, or a
run died; `lvsnap recover` removes it); lost (its space or itself is gone; `lvsnap recover` removes the rest); overflowed (its
space was full: what it held is lost).

Keys of --json: snapshot, origin, kind (thin or classic), state, since, size_bytes (the space of a classic one, null), full_percent
(of that space; null where it is not known), file (null), mounts, recorded (false: only tags know of it).";

/// Shows them.
///
/// # Errors
/// LVM does not answer, or a record cannot be read; all others are shown all the same.
pub(crate) fn run(args: &Args, stop: &Stop) -> Outcome {
    let context = Context::new(stop)?;
    let mut failed = None;
    let mut records = Vec::new();
    for record in context.journal.all().map_err(|error| of_site(error.into()))? {
        match record {
            Ok(record) => records.push((record, true)),
            Err(error) => {
                say(&of_site(error.into()).render("lvsnap"));
                failed = Some(Failure::msg(Exit::Failed, "not all records could be read"));
            }
        }
    }
    records.extend(lost::find(&context)?.into_iter().map(|record| (record, false)));
    let site = HostSite::new(&context.exec, &|_| true);
    let mut rows = Vec::new();
    for (record, recorded) in &records {
        let looked = site.look(record).map_err(of_site).and_then(|facts| {
            let group = volumes(&context.exec, record.snapshot.vg()).map_err(transfer::Error::from)?;
            Ok((facts, group))
        });
        let (facts, group) = match looked {
            Ok(looked) => looked,
            Err(failure) => {
                say(&failure.context(format!("cannot look at `{}`", record.snapshot)).render("lvsnap"));
                failed = Some(Failure::msg(Exit::Failed, "not all snapshots could be looked at"));
                continue;
            }
        };
        let lv = find(&group, &record.snapshot).ok();
        rows.push(Row { record, recorded: *recorded, state: state(record, &facts, lv), facts, lv: lv.cloned() });
    }
    let text = if args.json { rows.iter().map(Row::json).collect() } else { table(&rows) };
    cli::print(&text)?;
    failed.map_or(Ok(()), Err)
}

struct Row<'r> {
    record: &'r Record,
    recorded: bool,
    facts: Facts,
    lv: Option<Lv>,
    state: &'static str,
}

fn state(record: &Record, facts: &Facts, lv: Option<&Lv>) -> &'static str {
    if lv.is_some_and(|lv| lv.attr.is_invalid_snapshot()) {
        return "overflowed";
    }
    match record.phase {
        Phase::Making | Phase::Removing => "unfinished",
        Phase::Made if is_lost(record, facts) => "lost",
        Phase::Made if recovery(record, facts).is_ok_and(|actions| actions.is_empty()) => "made",
        Phase::Made => "inactive",
    }
}

impl Row<'_> {
    fn kind(&self) -> &'static str {
        if self.record.cow_size.is_some() { "classic" } else { "thin" }
    }

    fn json(&self) -> String {
        let mounts: Vec<_> = self.facts.mounts.iter().map(|at| at.display().to_string()).collect();
        let value: Value = json!({
            "snapshot": self.record.snapshot.to_string(),
            "origin": self.record.origin.to_string(),
            "kind": self.kind(),
            "state": self.state,
            "since": self.record.since,
            "size_bytes": self.record.cow_size.map(extents::Bytes::get),
            "full_percent": self.lv.as_ref().and_then(|lv| lv.data_percent),
            "file": self.record.file.as_ref().map(|file| file.path.display().to_string()),
            "mounts": mounts,
            "recorded": self.recorded,
        });
        format!("{value}\n")
    }
}

fn table(rows: &[Row<'_>]) -> String {
    let head = ["SNAPSHOT", "ORIGIN", "KIND", "SPACE", "FULL", "SINCE", "STATE", "MOUNTED"].map(str::to_owned);
    let lines = std::iter::once(head).chain(rows.iter().map(|row| {
        let none = || "-".to_owned();
        [
            row.record.snapshot.to_string(),
            row.record.origin.lv().to_string(),
            row.kind().to_owned(),
            row.record.cow_size.map_or_else(none, |size| human(size).to_string()),
            row.lv.as_ref().and_then(|lv| lv.data_percent).map_or_else(none, |full| format!("{full:.0}%")),
            row.record.since.clone(),
            row.state.to_owned(),
            row.facts.mounts.first().map_or_else(none, |at| at.display().to_string()),
        ]
    }));
    table::table(&lines.collect::<Vec<_>>())
}
