//! What to do after a failure.

use super::Error;
use super::kind::is_about_content;
use crate::receive::LedgerError;

impl Error {
    /// What to do next, where that is known: one sentence, with the command in backticks.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Copy(block_copy::Error::Changed { name }) => {
                format!("find what writes to `{}`, or make a snapshot and read that", name.display())
            }
            Self::Copy(block_copy::Error::NotDurable { folder, .. }) => {
                format!("look at the disk, then make the name durable: `sync {}`", folder.display())
            }
            Self::Copy(block_copy::Error::Uncounted { name }) => {
                let name = name.display();
                format!("make it read-only, or let the kernel count: `echo 1` into `queue/iostats` of `{name}` in /sys/block")
            }
            Self::NoStream => "look at what the sender says on standard error".into(),
            Self::Stream { source } if source.is_cut() => {
                "something ended the stream early: look at the sender's exit status and send it again".into()
            }
            Self::Stream { source } if source.kind == hyperlayer::ErrorKind::NoBlockSize => {
                "say what the sender used: `--block-size SIZE`".into()
            }
            Self::Stream { source } if self.is_no_stream() => match compressed_by(&source.kind) {
                Some(program) => format!("decompress it first, with `{program} -dc`"),
                None => "name what `lvdiff` or `lvbackup send` wrote, as it is or compressed with zstd".into(),
            },
            Self::Stream {
                source: hyperlayer::DecodeError { position, kind: hyperlayer::ErrorKind::TrailingBytes { .. } },
            } => format!("the input is complete before byte {position}: hand it over without what follows"),
            Self::Stream { .. } => "send the stream again".into(),
            Self::Input { source, .. } if is_about_content(source) => {
                "it was cut or altered on its way: look at the sender's exit status and send it again".into()
            }
            Self::OpenEnd => "if you know that it is whole: `--accept-open-end`".into(),
            Self::NoIdentity { .. } => {
                "make sure yourself that it is meant for this base, and leave out `--require-identity`".into()
            }
            Self::SizeUnknown | Self::NoSize { .. } => "say it: `--size SIZE`".into(),
            Self::PastSize { .. } => {
                "is it meant for this volume? If that grew, a receiver and `lvbackup merge` take its new size: `--size SIZE`"
                    .into()
            }
            Self::NotInOld { .. } => "use 1.1, which says it".into(),
            Self::SecondLayer => "`lvbackup recv` takes a chain of layers; here one is taken".into(),
            Self::FullLayer { .. } => {
                "give no base, but the pool for a new volume: `-p POOL`; or only the file for an image".into()
            }
            Self::NeedsBase { .. } => {
                "name what it was made against: `lvpatch -l BASE`, `lvbackup recv --base BASE`, `--base FILE` for an image".into()
            }
            Self::WrongBase { expected, .. } => format!(
                "if you know that it holds that layer, tag it: `lvchange -pr --addtag hyperlayer.layer={expected} VG/LV`, \
                 or say so of an image: `--base-id {expected}`; or use `--force-base`, which leaves only the stream's checks"
            ),
            Self::BaseWritable { base, .. } => format!(
                "if you know that nobody wrote to it: `lvchange -pr {base}`; or use `--force-base`, which leaves only the \
                 stream's checks (`lvdiff -d 3` checks every block)"
            ),
            Self::BaseInUse { .. } => "unmount it, or apply on a snapshot that has not changed".into(),
            Self::BaseChanged { .. } => "apply it on an unchanged copy of the base, or send a full layer".into(),
            Self::UnknownHash(_) => "`--no-base-check` applies the stream without these checks".into(),
            Self::Lvm(error) => return error.hint(),
            Self::AndLeft { left, .. } => return left.hint(),
            Self::In { source, .. } => return source.hint(),
            Self::BrokenChain { .. } | Self::ChainSize { .. } | Self::FullInChain { .. } => {
                "give every layer of the chain once, from the oldest to the newest".into()
            }
            Self::NoRoot { .. } => "begin with the full layer that everything was made against".into(),
            Self::Unsorted { .. } => {
                "receive the chain as an image, `lvbackup recv --to-file IMAGE`, and send that: `lvdiff --full ./IMAGE`".into()
            }
            Self::OtherLayer { expected, .. } => format!("give layer {expected} there"),
            Self::Rest { .. } => "`lvbackup recv --resume` takes it where the receive was interrupted".into(),
            Self::OtherRest { .. } => {
                "`lvbackup recv --list-partial` shows the token for `lvbackup send --resume TOKEN`".into()
            }
            Self::Overwritten { .. } | Self::RolledBack { layers: 0, .. } => "receive the whole chain again, from its first layer on".into(),
            Self::RolledBack { .. } => "send the whole layer: `lvbackup recv --resume` begins it again".into(),
            Self::OtherBeginning { .. } => {
                "send the whole layer: `lvbackup recv --resume` then begins it again where it must".into()
            }
            Self::OtherHeader { .. } => {
                "hand over the first stream of this layer, or remove what was received with `--discard-partial`".into()
            }
            Self::OtherContent { .. } => {
                "if their content is the same, hand over only the layers that are not received yet; otherwise hand over the \
                 same streams as before, or remove what was received with `--discard-partial`"
                    .into()
            }
            Self::OtherChain { .. } | Self::ShortChain { .. } => {
                "hand over the same layers as before, or remove what was received with `--discard-partial`".into()
            }
            Self::Ledger(LedgerError::Damaged { .. } | LedgerError::Older { .. }) => {
                "what was received can only be removed: `lvbackup recv --discard-partial`".into()
            }
            Self::InputChanged { .. } => "run the same command again when no process writes to it".into(),
            _ => return None,
        })
    }
}

/// The program that compressed what is not a stream, by its first bytes, which the error has in printable form.
fn compressed_by(kind: &hyperlayer::ErrorKind) -> Option<&'static str> {
    let hyperlayer::ErrorKind::NoMagic { found } = kind else { return None };
    let magics = [(r"\x1f\x8b", "gzip"), (r"\xfd7zXZ", "xz"), ("BZh", "bzip2")];
    magics.into_iter().find(|(magic, _)| found.starts_with(magic)).map(|(_, program)| program)
}
