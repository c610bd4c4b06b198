//! What a pool's metadata says of its volumes, read from a metadata snapshot that is held as short as possible.

use std::collections::HashMap;
use std::io::BufReader;
use std::iter;
use std::time::Duration;

use block_copy::Progress;
use lvm_cmd::{
    ExecError, Exit, Lv, MetadataSnapshot, MetadataTool, Patience, Running, ThinId, self_test, spawn_delta, spawn_dump,
    volumes,
};
use thin_delta::{DeltaReader, DumpReader, Side, Superblock};

use super::{Lvm, LvmError, Selection};
use crate::error::chunks_differ;
use crate::input::Interruptible;
use crate::{Delta, Error, undone};

/// How much of the XML is parsed at once, in bytes.
const XML_BUFFER_BYTES: usize = 256 * 1024;
/// The signal that ends a program whose output nobody reads (`signal(7)`).
const SIGPIPE: i32 = 13;

/// What each new volume has that its base has not; without a base, what it has mapped. All of one pool, so that they
/// are compared in one metadata snapshot: that of the moment in which it is reserved.
///
/// Tests `thin_delta`, or `thin_dump` for those without a base, first. The metadata snapshot is released before this returns.
///
/// # Errors
/// They are of several pools, the program is missing or faulty, the metadata snapshot cannot be had, an answer is not
/// about these volumes, or `progress` asks to stop.
pub fn deltas(lvm: &Lvm<'_>, selections: &[Selection], progress: &dyn Progress) -> Result<Vec<Delta>, Error> {
    let Some(first) = selections.first() else { return Ok(Vec::new()) };
    if let Some(other) = selections.iter().find(|other| other.pool.uuid != first.pool.uuid) {
        return Err(LvmError::TwoPools { new: first.new.name.clone(), base: other.new.name.clone() }.into());
    }
    let tools = [(MetadataTool::ThinDelta, true), (MetadataTool::ThinDump, false)];
    for (tool, has_base) in tools {
        if selections.iter().any(|selection| selection.base.is_some() == has_base) {
            self_test(lvm.exec, lvm.scratch, tool)?;
        }
    }
    // Another run of ours ends, however long its pool takes to be compared.
    let patience = Patience::new(Duration::MAX).cancelled_by(lvm.stop);
    let snapshot = MetadataSnapshot::reserve(lvm.exec, &first.pool, lvm.state, patience)?;
    let found = check_unchanged(lvm, &snapshot, selections).and_then(|()| {
        selections.iter().map(|selection| selection.delta_in(lvm, &snapshot, progress)).collect::<Result<_, _>>()
    });
    undone(found, snapshot.release().map_err(Error::from))
}

/// Thin ids are used again. Where the pool has changed since the volumes were looked up, they must still be the same ones.
fn check_unchanged(lvm: &Lvm<'_>, snapshot: &MetadataSnapshot<'_>, selections: &[Selection]) -> Result<(), Error> {
    let reserved = snapshot.transaction_ids();
    let is_of_then = |selection: &&Selection| selection.pool.transaction_id.is_none_or(|id| reserved != (id..=id));
    let mut changed = selections.iter().filter(is_of_then).peekable();
    let Some(first) = changed.peek() else { return Ok(()) };
    lvm.exec.forget();
    let now = volumes(lvm.exec, first.pool.name.vg())?;
    let now: HashMap<_, _> = now.iter().map(|lv| (&lv.name, (&lv.uuid, lv.thin_id))).collect();
    for volume in changed.flat_map(|selection| iter::once(&selection.new).chain(&selection.base)) {
        match now.get(&volume.name) {
            Some(found) if *found == (&volume.uuid, volume.thin_id) => {}
            _ => return Err(LvmError::Replaced { name: volume.name.clone() }.into()),
        }
    }
    Ok(())
}

impl Selection {
    /// As [`deltas`], of this one alone.
    ///
    /// # Errors
    /// As [`deltas`].
    pub fn delta(&self, lvm: &Lvm<'_>, progress: &dyn Progress) -> Result<Delta, Error> {
        Ok(deltas(lvm, std::slice::from_ref(self), progress)?.pop().unwrap_or_default())
    }

    fn delta_in(
        &self,
        lvm: &Lvm<'_>,
        snapshot: &MetadataSnapshot<'_>,
        progress: &dyn Progress,
    ) -> Result<Delta, Error> {
        let origin = self.external_origin()?;
        let delta = match &self.base {
            Some(base) => self.between(lvm, base, snapshot, progress),
            None => self.mapped(lvm, snapshot, progress),
        }?;
        Ok(match origin {
            Some(origin) => delta.through_origin(origin.size, self.geometry()?),
            None => delta,
        })
    }

    fn between(
        &self,
        lvm: &Lvm<'_>,
        base: &Lv,
        snapshot: &MetadataSnapshot<'_>,
        progress: &dyn Progress,
    ) -> Result<Delta, Error> {
        let geometry = self.geometry()?;
        let (old, new) = (thin_id(base)?, thin_id(&self.new)?);
        let running = spawn_delta(lvm.exec, &self.pool, old, new)?;
        read(running, progress, |xml| {
            let mut runs = DeltaReader::new(xml)?;
            self.check(runs.superblock(), snapshot)?;
            let side = |id: ThinId| thin_delta::ThinId::new(id.get()).map(Side::Device);
            if (Some(runs.left()), Some(runs.right())) != (side(old), side(new)) {
                return Err(LvmError::OtherDevices { pool: self.pool.name.clone() }.into());
            }
            Delta::between(runs.by_ref(), geometry)
        })
    }

    fn mapped(&self, lvm: &Lvm<'_>, snapshot: &MetadataSnapshot<'_>, progress: &dyn Progress) -> Result<Delta, Error> {
        let geometry = self.geometry()?;
        let id = thin_id(&self.new)?;
        let running = spawn_dump(lvm.exec, &self.pool, id)?;
        read(running, progress, |xml| {
            let mut mapped = DumpReader::new(xml)?;
            self.check(mapped.superblock(), snapshot)?;
            if mapped.device().id.get() != id.get() {
                return Err(LvmError::OtherDevices { pool: self.pool.name.clone() }.into());
            }
            Delta::full(mapped.by_ref(), geometry)
        })
    }

    fn check(&self, superblock: &Superblock, snapshot: &MetadataSnapshot<'_>) -> Result<(), Error> {
        if !snapshot.transaction_ids().contains(&superblock.transaction) {
            return Err(LvmError::StaleMetadata {
                pool: self.pool.name.clone(),
                expected: *snapshot.transaction_ids().end(),
                found: superblock.transaction,
            }
            .into());
        }
        if superblock.needs_check() {
            return Err(LvmError::NeedsCheck { pool: self.pool.name.clone() }.into());
        }
        let expected = self.chunk()?;
        if superblock.chunk_size != expected {
            return Err(LvmError::OtherChunk {
                pool: self.pool.name.clone(),
                what: chunks_differ(expected, superblock.chunk_size),
            }
            .into());
        }
        Ok(())
    }
}

/// Parses a program's output to its end and waits for the program. What it says itself explains more than a document
/// that breaks off.
fn read<T>(
    mut running: Box<dyn Running>,
    progress: &dyn Progress,
    parse: impl FnOnce(BufReader<Interruptible<'_>>) -> Result<T, Error>,
) -> Result<T, Error> {
    let stdout = running.stdout().ok_or_else(|| Error::from(LvmError::NoOutput))?;
    let xml = BufReader::with_capacity(XML_BUFFER_BYTES, Interruptible::new(stdout, progress));
    let parsed = parse(xml);
    if progress.stop_requested() {
        // Dropping it kills the program.
        return Err(block_copy::Error::Stopped.into());
    }
    match (running.wait(), parsed) {
        (Ok(()), parsed) => parsed,
        // We stopped reading, and that is what ended it.
        (Err(ExecError::Failed { exit: Exit::Signal(SIGPIPE), .. }), Err(parse)) => Err(parse),
        (Err(failed), _) => Err(failed.into()),
    }
}

fn thin_id(volume: &Lv) -> Result<ThinId, Error> {
    volume.thin_id.ok_or_else(|| LvmError::NotThin { name: volume.name.clone() }.into())
}
