//! `prune --merge`: a layer that stays is written anew, with what it had from those that go.

use cli::{Common, Encoding, Exit, Failure, OrFail, Outcome, Output, Progress, Stop};
use hyperlayer::{Format, Header, LayerId, stream_len};
use store::{Draft, ExclusiveLock, Identities, Listing, ReadBack, Recipients, Store, Stored};
use transfer::Merge;

use crate::store::{chain, open};

/// The level of what is compressed again.
const ZSTD_LEVEL: i32 = 3;

/// How layers are written anew.
pub(super) struct Rewriting<'r> {
    pub store: &'r Store,
    /// Read under the lock.
    pub listing: &'r Listing,
    pub identities: Option<&'r Identities>,
    pub recipients: &'r Recipients,
    pub common: Common,
    pub stop: &'r Stop,
}

impl Rewriting<'_> {
    /// Refuses what would end in the middle, or would write in the clear what was encrypted.
    ///
    /// # Errors
    /// A key is missing.
    pub(super) fn check(&self, stored: &Stored, onto: Option<&LayerId>) -> Outcome {
        let encrypted = self.parts(stored, onto)?.iter().any(|part| part.layer.wrapping.age);
        let missing = match (encrypted, self.identities.is_none(), self.recipients.is_empty()) {
            (true, true, _) => "reading it takes `--identity FILE`",
            (true, false, true) => "writing it takes `--encrypt-to RECIPIENT`",
            _ => return Ok(()),
        };
        let layer = &stored.layer.layer;
        Err(Failure::msg(Exit::Usage, format!("layer {layer} is to be merged with what is encrypted: {missing}")))
    }

    /// Writes `stored` on `onto`, or in full. Until that is done, the old one is there.
    ///
    /// # Errors
    /// A layer is damaged, a key is missing, or the store fails.
    pub(super) fn run(&self, lock: &ExclusiveLock, stored: &Stored, onto: Option<&LayerId>) -> Outcome<Stored> {
        let mut parts = self.parts(stored, onto)?;
        parts.reverse();
        let none = Identities::none();
        let identities = self.identities.unwrap_or(&none);
        let reading = Progress::new("reading", None, self.common, self.stop.clone());
        let merge = Merge::plan(chain::inputs(self.store, &parts, identities), None, &reading)?;
        drop(reading);
        let header = merge.header(Format::V1_1)?;
        let plan = merge.records();
        let (Some(volume_size), Some(chunk_size)) = (header.volume_size, header.chunk_size) else {
            return Err(Failure::msg(Exit::Refused, "the merged layer does not say its size"));
        };
        if (header.layer.as_ref(), header.parent.as_ref()) != (Some(&stored.layer.layer), onto) {
            return Err(Failure::msg(Exit::Refused, "the layers say another parent than their manifests"));
        }
        let tool = concat!("lvbackup ", env!("CARGO_PKG_VERSION")).to_owned();
        let header = Header { tool: Some(tool.clone()), ..header };
        let draft = Draft {
            parent: header.parent.clone(),
            created: stored.layer.created,
            volume_size,
            chunk_size,
            totals: plan.totals(),
            tool,
            host: stored.layer.host.clone(),
            machine: stored.layer.machine.clone(),
            tags: stored.tags.clone(),
        };
        let len =
            stream_len(&header, plan.checks.iter().copied(), plan.reads(), &plan.delta.zero).or_fail(Exit::Failed)?;
        let len = len.unwrap_or(plan.delta.data.total());
        let encoding = store::Encoding {
            zstd_level: stored.layer.wrapping.zstd.then_some(ZSTD_LEVEL),
            recipients: self.recipients.clone(),
        };
        let writer = self.store.begin_replacing(lock, stored, &encoding, len)?;
        let plain = Encoding { zstd_level: None, limit_per_second: None };
        let mut output = Output::start(writer, plain, self.stop.clone()).or_fail(Exit::Failed)?;
        let progress = Progress::new("merging", Some(plan.work()), self.common, self.stop.clone());
        merge.write(&header, &progress, &mut |part| output.put(part))?;
        let (mut writer, _) = output.finish().map_err(transfer::Error::output)?;
        drop(progress);
        writer.watch(open::watch(self.common, self.stop));
        Ok(writer.finish(draft, ReadBack::Data)?)
    }

    /// What is merged, newest first.
    fn parts(&self, stored: &Stored, onto: Option<&LayerId>) -> Outcome<Vec<&Stored>> {
        let chain = self.listing.chain(&stored.layer.series, &stored.layer.layer).map_err(store::Error::from)?;
        Ok(chain.into_iter().take_while(|part| Some(&part.layer.layer) != onto).collect())
    }
}
