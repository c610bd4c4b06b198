//! One stream after its magic line.

use extents::{Bytes, Extent};

use super::Advance;
use crate::chain::{CHECK_HEX_BYTES, Chain};
use crate::coverage::Coverage;
use crate::error::{DecodeError, ErrorKind, RuleError, excerpt};
use crate::format::Version;
use crate::record::{DIGEST_HEX_BYTES, Line, Unexpected, line_1_0, line_1_1};
use crate::rules::{Rules, past_end};
use crate::{Check, Completeness, Digest, End, Event, Header, Totals};

/// What came of a record line.
pub(super) enum Next {
    /// It only separates.
    Nothing,
    Event(Event<'static>),
    End(End),
}

#[derive(Debug)]
pub(super) struct Stream {
    version: Version,
    /// Where in the input it starts.
    start: u64,
    hasher: blake3::Hasher,
    /// CRC-32 of the header as far as it was seen.
    header: crc32fast::Hasher,
    /// Under 1.1: what the next record's check covers first.
    chain: Chain,
    rules: Option<RulesOf>,
    payload: Payload,
    /// Whether data was left out, so that no digest can be compared.
    skipped: bool,
}

#[derive(Debug)]
enum RulesOf {
    V1_0(Box<Loose>),
    V1_1(Rules),
}

/// What a 1.0 stream must keep.
#[derive(Debug)]
struct Loose {
    volume_size: Option<Bytes>,
    delta_blocks: Option<u64>,
    section: Section,
    coverage: Coverage,
    seen: Totals,
    /// Whether a newline follows the data, once it is known.
    newline: Option<bool>,
}

/// Where in a 1.0 stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    /// Right after the header.
    Header,
    /// After a `D` line.
    Checks,
    /// After the empty line that ends the `D` lines, or after a data record.
    Records,
}

#[derive(Debug)]
enum Payload {
    /// A line comes next.
    None,
    /// This much of a record is still to come.
    Data { extent: Extent<Bytes>, at: Bytes, check: Option<RecordCheck> },
    /// The newline after the data.
    Newline,
}

/// The check of a record of 1.1, while it is computed.
#[derive(Debug)]
struct RecordCheck {
    record: &'static str,
    extent: Extent<Bytes>,
    /// Where in the input the record's line starts.
    position: u64,
    stated: u32,
    hasher: crc32fast::Hasher,
}

impl RecordCheck {
    /// Compares it, now that all of the record was added.
    fn finish(self) -> Result<Chain, DecodeError> {
        let Self { record, extent, position, stated, hasher } = self;
        let found = hasher.finalize();
        if found == stated {
            return Ok(Chain::new(stated));
        }
        Err(DecodeError { position, kind: ErrorKind::RecordAltered { record, extent, stated, found } })
    }
}

impl Stream {
    pub(super) fn new(version: Version, start: u64) -> Self {
        Self {
            version,
            start,
            hasher: blake3::Hasher::new(),
            header: crc32fast::Hasher::new(),
            chain: Chain::default(),
            rules: None,
            payload: Payload::None,
            skipped: false,
        }
    }

    /// Takes a line of the header, the magic line and the empty line included.
    pub(super) fn header_line(&mut self, line: &[u8]) {
        self.hasher.update(line);
        self.header.update(line);
    }

    /// Takes the header, which was found right.
    pub(super) fn begin(&mut self, header: &Header) {
        self.chain = Chain::new(std::mem::take(&mut self.header).finalize());
        self.rules = Some(match self.version {
            Version::V1_0 => RulesOf::V1_0(Box::new(Loose {
                volume_size: header.volume_size,
                delta_blocks: header.delta_blocks,
                section: Section::Header,
                coverage: Coverage::new(header.chunk_size),
                seen: Totals::default(),
                newline: None,
            })),
            Version::V1_1 => RulesOf::V1_1(Rules::new(header)),
        });
    }

    /// Whether the stream may end before the next line without saying so.
    pub(super) fn may_end(&self) -> bool {
        matches!(&self.rules, Some(RulesOf::V1_0(loose)) if loose.section != Section::Checks)
    }

    /// Takes data, or what follows it, from the input that starts at `position`; `None` where a line comes next.
    pub(super) fn payload(&mut self, position: u64, input: &[u8]) -> Result<Option<(usize, Advance)>, DecodeError> {
        let Some(first) = input.first() else {
            return Ok(None);
        };
        match &mut self.payload {
            Payload::None => Ok(None),
            Payload::Data { extent, at, check } => {
                let left = extent.end().saturating_sub(*at);
                let taken = left.to_usize().map_or(input.len(), |left| left.min(input.len()));
                let piece = &input[..taken];
                self.hasher.update(piece);
                let here = *at;
                *at = at.saturating_add(Bytes::from(taken));
                let done = *at == extent.end();
                if let Some(check) = check {
                    check.hasher.update(piece);
                }
                if done {
                    if let Some(check) = check.take() {
                        self.chain = check.finish()?;
                    }
                    self.payload = Payload::Newline;
                }
                Ok(Some((taken, Advance::Data(here))))
            }
            Payload::Newline => {
                self.payload = Payload::None;
                let expected = match &mut self.rules {
                    Some(RulesOf::V1_0(loose)) => *loose.newline.get_or_insert(*first == b'\n'),
                    _ => true,
                };
                if !expected {
                    return Ok(None);
                }
                if *first != b'\n' {
                    let kind = ErrorKind::Line { expected: "a newline after the data", found: excerpt(&input[..1]) };
                    return Err(DecodeError { position, kind });
                }
                self.hasher.update(b"\n");
                Ok(Some((1, Advance::Further)))
            }
        }
    }

    /// Goes on as if the rest of the record's data had been taken, and its check had been right; gives how much that is.
    pub(super) fn skip_payload(&mut self) -> Bytes {
        let Payload::Data { extent, at, check } = &self.payload else { return Bytes::ZERO };
        let skipped = extent.end().saturating_sub(*at);
        self.chain = check.as_ref().map_or(self.chain, |check| Chain::new(check.stated));
        self.payload = Payload::Newline;
        self.skipped = true;
        skipped
    }

    /// Works on a record line, which ends with its newline and starts at `position`.
    pub(super) fn record(&mut self, position: u64, line: &[u8]) -> Result<Next, DecodeError> {
        let refuse = |kind| DecodeError { position, kind };
        let bare = line.strip_suffix(b"\n").unwrap_or(line);
        let parsed = match &mut self.rules {
            Some(RulesOf::V1_0(loose)) => {
                if bare.is_empty() && loose.section != Section::Records {
                    loose.section = Section::Records;
                    self.hasher.update(line);
                    return Ok(Next::Nothing);
                }
                line_1_0(bare).map(|line| (line, None))
            }
            _ => line_1_1(bare),
        };
        let (parsed, stated) = parsed.map_err(|Unexpected { offset_bytes, expected }| DecodeError {
            position: position + offset_bytes as u64,
            kind: ErrorKind::Line { expected, found: excerpt(bare) },
        })?;
        if let Line::End { digest, .. } | Line::End10 { digest, .. } = &parsed {
            self.hasher.update(&bare[..bare.len() - DIGEST_HEX_BYTES]);
            let (stated, found) = (*digest, self.hasher.finalize().into());
            let totals = self.totals(&parsed).map_err(|rule| refuse(rule.into()))?;
            if stated != found && !self.skipped {
                return Err(refuse(ErrorKind::StreamAltered { stated, found }));
            }
            let completeness = if self.skipped { Completeness::Counted } else { Completeness::Proven };
            self.hasher.update(&line[bare.len() - DIGEST_HEX_BYTES..]);
            return Ok(Next::End(self.end(position + line.len() as u64, completeness, totals)));
        }
        self.hasher.update(line);
        let check = stated.zip(parsed.what()).map(|(stated, (record, extent))| {
            let hasher = self.chain.record(&bare[..bare.len() - CHECK_HEX_BYTES]);
            RecordCheck { record, extent, position, stated, hasher }
        });
        let check = match (check, &parsed) {
            // Its data is still to come.
            (check, Line::Data(_)) => check,
            (Some(check), _) => {
                self.chain = check.finish()?;
                None
            }
            (None, _) => None,
        };
        self.rule(&parsed).map_err(|rule| match rule {
            Some(rule) => refuse(rule.into()),
            None => {
                let expected = "an empty line after the base checks, and none of them after it";
                refuse(ErrorKind::Line { expected, found: excerpt(bare) })
            }
        })?;
        Ok(Next::Event(match parsed {
            Line::Check(check) => Event::Check(check),
            Line::Zero(extent) => Event::Zero(extent),
            Line::Data(extent) => {
                self.payload = Payload::Data { extent, at: extent.start(), check };
                Event::DataStart(extent)
            }
            Line::End { .. } | Line::End10 { .. } => return Ok(Next::Nothing),
        }))
    }

    /// Whether the record may stand here; `Err(None)` where a 1.0 record stands in the wrong section.
    fn rule(&mut self, line: &Line) -> Result<(), Option<RuleError>> {
        match (&mut self.rules, line) {
            (Some(RulesOf::V1_0(loose)), Line::Check(check)) => loose.check(check),
            (Some(RulesOf::V1_0(loose)), Line::Data(extent)) => loose.data(*extent),
            (Some(RulesOf::V1_1(rules)), Line::Check(check)) => rules.check(check.extent).map_err(Some),
            (Some(RulesOf::V1_1(rules)), Line::Data(extent)) => rules.data(*extent).map_err(Some),
            (Some(RulesOf::V1_1(rules)), Line::Zero(extent)) => rules.zero(*extent).map_err(Some),
            _ => Ok(()),
        }
    }

    /// What the stream holds, which must be what its end line and its header state.
    fn totals(&self, end: &Line) -> Result<Totals, RuleError> {
        match (&self.rules, end) {
            (Some(RulesOf::V1_0(loose)), Line::End10 { records, .. }) => loose.finish_with(*records),
            (Some(RulesOf::V1_1(rules)), Line::End { counts, .. }) => rules.finish_with(*counts),
            _ => Ok(Totals::default()),
        }
    }

    /// The input ends at `position`, with this part of a line.
    pub(super) fn end_of_input(&mut self, position: u64, line: &[u8]) -> Result<End, DecodeError> {
        let cut = |inside| Err(DecodeError { position, kind: ErrorKind::Cut { inside } });
        let first_newline = matches!(&self.rules, Some(RulesOf::V1_0(loose)) if loose.newline != Some(true));
        match self.payload {
            Payload::Data { .. } => cut("within the data of a record"),
            Payload::Newline if !first_newline => cut("before the newline after the data of a record"),
            _ if !line.is_empty() => cut("within a record line"),
            _ if self.version == Version::V1_1 => cut("before its end record"),
            _ if !self.may_end() => cut("within the base checks"),
            _ => self.end_without_mark(position),
        }
    }

    /// The end of a 1.0 stream at `position`, where the input or the next stream says that it ends.
    pub(super) fn end_without_mark(&mut self, position: u64) -> Result<End, DecodeError> {
        let Some(RulesOf::V1_0(loose)) = &self.rules else {
            return Err(DecodeError { position, kind: ErrorKind::Cut { inside: "before its end record" } });
        };
        let (stated, found) = (loose.delta_blocks, loose.blocks());
        match stated {
            Some(stated) if found < stated => {
                Err(DecodeError { position, kind: ErrorKind::Cut { inside: "before all of its `Delta blocks`" } })
            }
            Some(_) => {
                let totals = loose.finish().map_err(|rule| DecodeError { position, kind: rule.into() })?;
                Ok(self.end(position, Completeness::Counted, totals))
            }
            None => Ok(self.end(position, Completeness::Unknown, loose.seen)),
        }
    }

    fn end(&self, position: u64, completeness: Completeness, totals: Totals) -> End {
        let blake3: Digest = self.hasher.finalize().into();
        End { format: self.version.into(), completeness, totals, len: Bytes::new(position - self.start), blake3 }
    }
}

impl Loose {
    fn check(&mut self, check: &Check) -> Result<(), Option<RuleError>> {
        if self.section == Section::Records {
            return Err(None);
        }
        self.section = Section::Checks;
        self.seen.checks += 1;
        Ok(past_end("a base check", check.extent, None)?)
    }

    fn data(&mut self, extent: Extent<Bytes>) -> Result<(), Option<RuleError>> {
        if self.section == Section::Checks {
            return Err(None);
        }
        self.section = Section::Records;
        past_end("a data record", extent, self.volume_size)?;
        self.coverage.insert(extent)?;
        self.seen.data_records += 1;
        self.seen.data = self.seen.data.saturating_add(extent.len());
        Ok(())
    }

    /// How many blocks were seen: chunks touched, or records where the chunk's size is not known.
    fn blocks(&self) -> u64 {
        self.coverage.chunks().unwrap_or(self.seen.data_records)
    }

    fn finish(&self) -> Result<Totals, RuleError> {
        let (by, what, found) = ("the header", "delta blocks", self.blocks());
        match self.delta_blocks {
            Some(stated) if stated != found => Err(RuleError::WrongTotal { by, what, stated, found }),
            _ => Ok(self.seen),
        }
    }

    fn finish_with(&self, stated: u64) -> Result<Totals, RuleError> {
        let (by, what, found) = ("the end line", "data records", self.seen.data_records);
        if stated != found {
            return Err(RuleError::WrongTotal { by, what, stated, found });
        }
        self.finish()
    }
}
