//! Image files and plain block devices.

use std::fs::{self, File, Metadata};
use std::io::BufReader;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use block_copy::{Access, Queue, ReadAt, Volume};
use cli::{Exit, Failure, OrFail, Outcome, Progress, Stop};
use extents::{Bytes, ChunkSize};
use hyperlayer::LayerId;
use lvm_cmd::LvRef;
use thin_delta::DeltaReader;
use transfer::scan::{check, scan};
use transfer::{Delta, Geometry, Layer};

use crate::args::Args;
use crate::send;

/// Whether files or plain devices are meant: that was said, or the whole of something is asked for that is a file, or
/// a device that is no logical volume.
pub(crate) fn is_meant(args: &Args) -> bool {
    args.scan || args.delta.is_some() || (args.full && is_image(&args.new))
}

fn is_image(path: &str) -> bool {
    let kind = path.contains('/').then(|| fs::metadata(path).ok()).flatten().map(|found| found.file_type());
    kind.is_some_and(|kind| kind.is_file() || (kind.is_block_device() && LvRef::parse(path, None).is_err()))
}

/// Says how to name a file as an image, where what is no volume's name is one.
pub(crate) fn hint(failure: Failure, name: &str) -> Failure {
    match fs::metadata(name) {
        Ok(found) if found.is_file() && !name.contains('/') => {
            failure.hint(format!("`{name}` is a file: `--scan A B` compares two, `--full ./{name}` sends all of one"))
        }
        Ok(found) if found.is_file() => failure.hint(format!("`{name}` is a file: `--scan A B` compares two")),
        _ => failure,
    }
}

/// Sends the difference of two images, or all of one.
///
/// # Errors
/// See the exit status in the help.
pub(crate) fn run(args: &Args, stop: &Stop) -> Outcome {
    send::check_output(args)?;
    if args.snapshot {
        return Err(Failure::msg(Exit::Usage, "`--snapshot` is for thin volumes, and these are images"));
    }
    let new = Image::open(&args.new)?;
    let base = args.base.as_deref().map(Image::open).transpose()?;
    if let Some(output) = &args.stream.output {
        check_no_input(output, std::iter::once(&new).chain(&base))?;
    }
    let found = compare(args, &new, base.as_ref(), stop)?;
    let layer = Layer {
        name: file_name(&args.new),
        source: args.new.clone(),
        id: args.layer_id.clone().or(found.id),
        parent: args.parent_id.clone().or(found.parent).filter(|_| base.is_some()),
        full: base.is_none(),
        // A device does not say when it was written to.
        created: Some(&new.opened).filter(|file| file.is_file()).and_then(|file| cli::utc(file.mtime())),
        geometry: Geometry {
            size: new.volume.size(),
            base_size: base.as_ref().map_or(Bytes::ZERO, |base| base.volume.size()),
            chunk: found.chunk,
        },
        delta: found.delta,
    };
    let (header, plan) = layer.plan(&args.style())?;
    if args.dry_run {
        return cli::show_plan(&header, &plan, args.json);
    }
    send::send(args, &header, &plan, &new.volume, base.as_ref().map(|base| &base.volume as &dyn ReadAt), stop)
}

/// The stream would take the place of an image.
fn check_no_input<'a>(output: &Path, images: impl IntoIterator<Item = &'a Image>) -> Outcome {
    let Ok(found) = fs::metadata(output) else { return Ok(()) };
    match images.into_iter().find(|image| (image.opened.dev(), image.opened.ino()) == (found.dev(), found.ino())) {
        None => Ok(()),
        Some(image) => Err(Failure::msg(
            Exit::Usage,
            format!("the stream cannot be written to `{}`, which is the image `{}`", output.display(), image.path),
        )),
    }
}

/// What is known of the images before their data is sent.
struct Found {
    delta: Delta,
    chunk: ChunkSize,
    id: Option<LayerId>,
    parent: Option<LayerId>,
}

fn compare(args: &Args, new: &Image, base: Option<&Image>, stop: &Stop) -> Outcome<Found> {
    let base = base.map(|base| &base.volume);
    if let Some(path) = &args.delta {
        let base_size = base.map_or(Bytes::ZERO, ReadAt::size);
        let found = from_xml(path, new.volume.size(), base_size)?;
        if let Some(base) = base {
            let progress = Progress::new("comparing", None, args.common, stop.clone());
            let checked = check(&found.delta, (&new.volume, base), found.chunk, Queue::default(), &progress);
            checked.map_err(|error| {
                Failure::from(error)
                    .context(format!("cannot use `{}`", path.display()))
                    .hint("give what `thin_delta --snap1 B --snap2 A` printed of the volumes that these are images of")
            })?;
        }
        return Ok(found);
    }
    let total = new.volume.size();
    let progress = Progress::new("comparing", Some(total), args.common, stop.clone());
    let chunk = args.chunk_size;
    let base = base.map(|base| base as &dyn ReadAt);
    let scan = scan(&new.volume, base, chunk, Queue::default(), &progress)?;
    let id = |hash: blake3::Hash| LayerId::new(format!("blake3:{hash}")).or_fail(Exit::Failed);
    Ok(Found { delta: scan.delta, chunk, id: Some(id(scan.content)?), parent: scan.base_content.map(id).transpose()? })
}

fn from_xml(path: &Path, size: Bytes, base_size: Bytes) -> Outcome<Found> {
    let doing = || format!("cannot use `{}`", path.display());
    let file = File::open(path).or_fail(Exit::Failed).map_err(|failure| failure.context(doing()))?;
    let refused = |error: thin_delta::Error| Failure::from(transfer::Error::from(error)).context(doing());
    let mut runs = DeltaReader::new(BufReader::with_capacity(1 << 18, file)).map_err(refused)?;
    let chunk = runs.superblock().chunk_size;
    if runs.superblock().needs_check() {
        return Err(Failure::msg(Exit::Refused, "it comes from a pool that must be repaired").context(doing()));
    }
    if runs.left() == runs.right() {
        let text = "it compares a volume with itself";
        return Err(Failure::msg(Exit::Refused, text).context(doing()));
    }
    let geometry = Geometry { size, base_size, chunk };
    let delta = Delta::between(runs.by_ref(), geometry).map_err(|error| Failure::from(error).context(doing()))?;
    Ok(Found { delta, chunk, id: None, parent: None })
}

/// An image and what its file was when it was opened.
struct Image {
    volume: Volume,
    path: String,
    opened: Metadata,
}

impl Image {
    fn open(path: &str) -> Outcome<Self> {
        let volume = Volume::open(path, Access::ReadExclusive).map_err(transfer::Error::from)?;
        if volume.size().to_sectors().is_none() {
            let size = volume.size();
            return Err(Failure::msg(
                Exit::Usage,
                format!("`{path}` has {size} bytes, no whole number of 512-byte sectors"),
            )
            .hint(format!("fill it up: `truncate --size %512 {path}`")));
        }
        let opened = fs::metadata(path).or_fail(Exit::Failed)?;
        Ok(Self { volume, path: path.to_owned(), opened })
    }
}

fn file_name(path: &str) -> Option<String> {
    Path::new(path).file_stem().and_then(|name| name.to_str()).map(str::to_owned)
}
