//! A layer on its way.

use extents::Bytes;

use crate::wire::parts::{Begin, Data, End, Plan, Send};
use crate::wire::session::same_layer;
use crate::{Message, Side, Verify, Violation};

/// A stream between its beginning and the receiver's last word.
#[derive(Clone, Debug)]
pub(crate) struct Transferring {
    sender: Side,
    begin: Begin,
    pub(crate) sent: Bytes,
    pub(crate) durable: Bytes,
    verified: Bytes,
    end: Option<End>,
}

impl Transferring {
    pub(crate) const fn new(sender: Side, begin: Begin) -> Self {
        Self { sender, begin, sent: Bytes::ZERO, durable: Bytes::ZERO, verified: Bytes::ZERO, end: None }
    }

    pub(crate) const fn awaits(&self) -> &'static str {
        match self.end {
            None => "data, its end, or how much of it is durable",
            Some(_) => "how much is durable or verified, or that the layer is done",
        }
    }

    /// Whether that was the last word.
    pub(crate) fn step(
        &mut self,
        from: Side,
        message: &Message<'_>,
        out_of_turn: Violation,
    ) -> Result<bool, Violation> {
        let is_sender = from == self.sender;
        match message {
            Message::Data(data) if is_sender && self.end.is_none() => self.data(*data)?,
            Message::End(end) if is_sender && self.end.is_none() => self.ended(end)?,
            Message::Durable(found) if !is_sender => {
                let (last, sent, found) = (self.durable, self.sent, *found);
                self.durable = more(last, found)?;
                if found > sent {
                    return Err(Violation::AckBeyond { sent, found });
                }
            }
            Message::Verified(found) if !is_sender && self.is_verified() => {
                let (last, sent, found) = (self.verified, self.begin.plan.data, *found);
                self.verified = more(last, found)?;
                if found > sent {
                    return Err(Violation::AckBeyond { sent, found });
                }
            }
            Message::Done(done) if !is_sender => {
                let Some(end) = &self.end else { return Err(out_of_turn) };
                let Plan { layer, parent, stream, .. } = &self.begin.plan;
                same_layer((layer, parent), (&done.layer, parent))?;
                if self.durable != *stream {
                    return Err(Violation::NotDurable { stream: *stream, durable: self.durable });
                }
                if end.content != done.content {
                    return Err(Violation::ReadBack { expected: end.content, found: done.content });
                }
                return Ok(true);
            }
            _ => return Err(out_of_turn),
        }
        Ok(false)
    }

    /// Whether reading back is what the receiver does now.
    fn is_verified(&self) -> bool {
        self.end.is_some() && self.begin.verify != Verify::None
    }

    fn data(&mut self, data: Data<'_>) -> Result<(), Violation> {
        if data.at != self.sent {
            return Err(Violation::Offset { expected: self.sent, found: data.at });
        }
        let (stream, found) = (self.begin.plan.stream, self.sent.saturating_add(Bytes::from(data.bytes.len())));
        if found > stream {
            return Err(Violation::TooMuch { stream, found });
        }
        self.sent = found;
        Ok(())
    }

    fn ended(&mut self, end: &End) -> Result<(), Violation> {
        let (stream, found) = (self.begin.plan.stream, self.sent);
        if found != stream {
            return Err(Violation::TooLittle { stream, found });
        }
        let expected = self.begin.verify != Verify::None;
        if end.content.is_some() != expected {
            return Err(Violation::EndDigest { expected, found: end.content });
        }
        self.end = Some(end.clone());
        Ok(())
    }
}

fn more(last: Bytes, found: Bytes) -> Result<Bytes, Violation> {
    if found > last { Ok(found) } else { Err(Violation::AckAgain { last, found }) }
}

/// Whether a stream is the one that was offered, or the rest of it.
pub(crate) fn begin_of_offer(offered: &Plan, resumes_at: Option<Bytes>, begin: &Begin) -> Result<(), Violation> {
    let plan = &begin.plan;
    same_layer((&offered.layer, &offered.parent), (&plan.layer, &plan.parent))?;
    begins_at(resumes_at, begin)?;
    let equal = |field, expected: u64, found: u64| {
        if expected == found { Ok(()) } else { Err(Violation::Plan { field, expected, found }) }
    };
    equal("volume_size_bytes", offered.volume_size.get(), plan.volume_size.get())?;
    equal("chunk_size_bytes", offered.chunk_size.bytes().get(), plan.chunk_size.bytes().get())?;
    if begin.resumes_at.is_zero() {
        equal("stream_bytes", offered.stream.get(), plan.stream.get())?;
        equal("data_bytes", offered.data.get(), plan.data.get())?;
        equal("zero_bytes", offered.zero.get(), plan.zero.get())?;
        return equal("chunks", offered.chunks.get(), plan.chunks.get());
    }
    let at_most = |field, offered: u64, found: u64| equal(field, offered.min(found), found);
    at_most("data_bytes", offered.data.get(), plan.data.get())?;
    at_most("zero_bytes", offered.zero.get(), plan.zero.get())?;
    at_most("chunks", offered.chunks.get(), plan.chunks.get())
}

/// Whether a stream is what was asked for.
pub(crate) fn begin_of_send(send: &Send, begin: &Begin) -> Result<(), Violation> {
    let (asked, plan) = (&send.selected, &begin.plan);
    same_layer((&asked.layer, &asked.parent), (&plan.layer, &plan.parent))?;
    begins_at(send.resume.as_ref().map(|token| token.at), begin)?;
    if begin.verify == send.verify { Ok(()) } else { Err(Violation::Verify) }
}

fn begins_at(expected: Option<Bytes>, begin: &Begin) -> Result<(), Violation> {
    let found = begin.resumes_at;
    if found.is_zero() || Some(found) == expected { Ok(()) } else { Err(Violation::Resume { expected, found }) }
}
