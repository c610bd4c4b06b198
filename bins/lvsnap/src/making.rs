//! The way of a snapshot from what is wanted to what is made, or to nothing.

use std::cell::Cell;

use block_copy::Progress as _;
use cli::{Common, Exit, Failure, Outcome, Progress, Stop};
use extents::Bytes;
use snapshot::{HostSite, Record, Site, Step, begin, begin_step, finish, finish_step, make_step, remove};
use transfer::lvm::{Lvm, Run};

use crate::context::{Context, left, of_site};
use crate::mount_point::how_to_mount;
use crate::wanted::Wanted;

/// Makes it, or leaves nothing. Who calls this has the snapshot's lock.
///
/// # Errors
/// It is not made; where something is left of it, the text says how that goes.
pub(crate) fn make(context: &Context, wanted: &Wanted, common: Common, stop: &Stop) -> Outcome<Record> {
    let lvm = Lvm::new(&context.exec, &context.state, stop.flag());
    let run = Run::start(&lvm)?;
    let mut record = wanted.record(context)?;
    if let Err(cause) = begin(&mut record, &context.journal) {
        // Nothing is made yet, and no record is needed.
        let cause = of_site(cause.into());
        return Err(match context.journal.forget(&record.snapshot) {
            Ok(()) => cause,
            Err(_) => left(&record, cause),
        });
    }
    let made = {
        let len = record.file.as_ref().filter(|file| file.write).map(|file| file.len);
        let progress = len.map(|len| Progress::new("writing the temporary file", Some(len), common, stop.clone()));
        let last = Cell::new(Bytes::ZERO);
        let written = |at: Bytes| {
            let more = Bytes::new(at.get().saturating_sub(last.replace(at).get()));
            progress.iter().for_each(|progress| progress.advance(more));
            !stop.requested()
        };
        let site = HostSite::new(&context.exec, &written);
        Making { context, site: &site, lvm: &lvm, run: &run, stop }.steps(wanted, &mut record)
    };
    let site = HostSite::new(&context.exec, &|_| true);
    match made {
        Ok(()) => Ok(record),
        Err(cause) => Err(match remove(&site, &mut record, &context.journal) {
            Ok(()) => cause,
            Err(undoing) => left(&record, cause).hint(format!("besides: {}", of_site(undoing))),
        }),
    }
}

/// The volume is there only now; before, its origin may not have been active.
fn look_at_file_system(context: &Context, record: &mut Record) -> Outcome {
    let (file_system, options) = how_to_mount(context, &record.snapshot.dm_path())?;
    if let Some(at) = &mut record.mount {
        (at.file_system, at.options) = (file_system, options);
    }
    Ok(())
}

/// What the steps are done with.
struct Making<'m> {
    context: &'m Context,
    site: &'m HostSite<'m>,
    lvm: &'m Lvm<'m>,
    run: &'m Run,
    stop: &'m Stop,
}

impl Making<'_> {
    fn steps(&self, wanted: &Wanted, record: &mut Record) -> Outcome {
        let journal = &self.context.journal;
        let make = |step, record: &mut Record| make_step(self.site, step, record, journal).map_err(of_site);
        for step in record.to_make() {
            if self.stop.requested() {
                return Err(Failure::msg(Exit::Failed, "stopped"));
            }
            match step {
                // The journal is written before the freeze and after the thaw: it may lie on what is frozen.
                Step::Volume => {
                    begin_step(step, record, journal).map_err(|error| of_site(error.into()))?;
                    wanted.hooks.around(&record.origin.to_string(), || {
                        let origin = record.origin.clone();
                        let freeze = || self.run.freeze_above(self.lvm, [&origin], &cli::written_to());
                        let frozen = wanted.freeze.then(freeze).transpose()?;
                        let made = self.site.make(step, record, journal).map_err(of_site);
                        let thawed = frozen.map_or(Ok(()), |frozen| frozen.thaw().map_err(transfer::Error::from));
                        cli::undone(made, thawed)
                    })?;
                    finish_step(step, record, journal).map_err(|error| of_site(error.into()))?;
                }
                Step::Mount => {
                    look_at_file_system(self.context, record)?;
                    make(step, record)?;
                }
                _ => make(step, record)?,
            }
        }
        finish(record, journal).map_err(|error| of_site(error.into()))
    }
}
