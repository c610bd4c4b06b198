//! Image files.

use std::fs;
use std::path::Path;

use block_copy::{Access, BesideFile, Existing, Queue, ReadAt, Volume, copy_sparse};
use cli::{Exit, Failure, OrFail, Outcome, Progress, Stop};
use extents::{Bytes, ChunkSize};
use hyperlayer::{Header, Kind, LayerId};
use transfer::scan::content;
use transfer::{Apply, Base, Identity, check_base_size, identify, needs_no_base};

use crate::args::Args;
use crate::{input, report};

/// Applies the stream on a copy of the base image, or on nothing.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, stop: &Stop) -> Outcome {
    // A dry run needs none.
    let output = match &args.output {
        None if args.dry_run => Path::new(""),
        None => {
            return Err(Failure::msg(Exit::Usage, "it is not said which image to make").hint("give `--output FILE`"));
        }
        Some(output) => output,
    };
    cli::check_image_name(output)?;
    let progress = Progress::new("receiving", None, args.common, stop.clone());
    if fs::symlink_metadata(output).is_ok() {
        // Said early; what comes in the meantime, the file's last step refuses.
        return Err(cli::image_exists(output));
    }
    let incoming = input::open(args, &progress)?;
    let header = incoming.header().clone();
    let base =
        args.base.as_deref().map(|path| Volume::open(path, Access::Read)).transpose().map_err(transfer::Error::from)?;

    let Some(base) = base else {
        needs_no_base(&header)?;
        let size = incoming.size(Bytes::ZERO)?;
        if args.dry_run {
            let end = incoming.verify(None, Queue::default(), &progress)?;
            report::warn(args, &header, None, &end);
            report::done(args, &end, "whole and unaltered; nothing was written");
            return Ok(());
        }
        let file = BesideFile::create(output, Existing::Refuse).map_err(transfer::Error::from)?;
        let target = file.volume(size).map_err(transfer::Error::from)?;
        let end = incoming.apply(&target, how(args, Bytes::ZERO), &progress)?;
        return commit(args, file, output, &end, &header, None);
    };

    if let Err(size) = check_base_size(&header, &base_name(args), base.size()) {
        // Before anything is made; where it is another layer, that says more than its size.
        return identify_content(args, &header, &base, base.size(), &progress).and(Err(size.into()));
    }
    let size = incoming.size(base.size())?;
    if args.dry_run {
        let identity = identify_content(args, &header, &base, base.size(), &progress)?;
        let checked = if args.no_base_check { None } else { Some(&base as &dyn ReadAt) };
        let end = incoming.verify(checked, Queue::default(), &progress)?;
        report::warn(args, &header, Some(identity), &end);
        report::done(args, &end, "whole, unaltered and made for this base; nothing was written");
        return Ok(());
    }
    let file = BesideFile::create(output, Existing::Refuse).map_err(transfer::Error::from)?;
    let target = file.volume(size.max(base.size())).map_err(transfer::Error::from)?;
    copy_sparse(&base, &target, &progress).map_err(transfer::Error::from)?;
    // The copy is what the stream is applied on, so the copy is what must be the right layer.
    let identity = identify_content(args, &header, &target, base.size(), &progress)?;
    let end = incoming.apply(&target, how(args, base.size()), &progress)?;
    if size < target.size() {
        let shortened = file.file().set_len(size.get()).or_fail(Exit::Failed);
        shortened.map_err(|failure| failure.context(format!("cannot shorten `{}`", output.display())))?;
    }
    commit(args, file, output, &end, &header, Some(identity))
}

fn how(args: &Args, base_size: Bytes) -> Apply {
    // A file has no chunks to complete: the smallest costs nothing.
    let chunk = ChunkSize::SECTOR;
    Apply { chunk, base_size, check_base: !args.no_base_check, queue: Queue::default() }
}

fn commit(
    args: &Args,
    file: BesideFile,
    output: &Path,
    end: &hyperlayer::End,
    header: &Header,
    identity: Option<Identity>,
) -> Outcome {
    file.commit().map_err(transfer::Error::from)?;
    report::warn(args, header, identity, end);
    report::done(args, end, &format!("`{}` is whole", output.display()));
    Ok(())
}

/// Compares the stream's parent with what the image is: what its user says, and, where the stream names a content, the
/// content of its first `size` bytes.
fn identify_content(
    args: &Args,
    header: &Header,
    image: &dyn ReadAt,
    size: Bytes,
    progress: &Progress,
) -> Outcome<Identity> {
    let mut ids: Vec<LayerId> = args.base_id.iter().cloned().collect();
    let by_content = header.parent.as_ref().is_some_and(|parent| parent.as_str().starts_with("blake3:"));
    if by_content && header.kind == Kind::Delta {
        let hash = content(image, size, Queue::default(), progress)?;
        ids.push(LayerId::new(format!("blake3:{hash}")).or_fail(Exit::Failed)?);
    }
    Ok(identify(header, &Base { name: base_name(args), size, ids }, args.force_base)?)
}

fn base_name(args: &Args) -> String {
    args.base.as_deref().map_or_else(String::new, |path| path.display().to_string())
}
