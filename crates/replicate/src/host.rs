//! What a server needs from the machine that it runs on.

use std::io::{self, Read};

use extents::Bytes;

use crate::Layer;
use crate::wire::blocks::Compare;
use crate::wire::manage::{Adopt, Differ, Noted, Prune, Pruned, Settle, Settled, Snapshot};
use crate::wire::parts::{Begin, Done, End, Layers, List, Offer, Plan, Ready, Refusal, Selected, Send};

/// What a server can do, for the time of one session. [`serve`](crate::serve) calls it with one request after the other, each of
/// which its rule allowed, and every value of which keeps to PROTOCOL.md.
///
/// **What a host must keep to.** The rule knows only the volume that a request names: a layer that is asked for is one of *that*
/// volume's and pair's, or is not found. The first request about a volume takes its lock for the whole session; where another
/// session has it, the answer is [`RefusalKind::Busy`](crate::RefusalKind::Busy). Whatever ends a call early leaves the
/// destination's own name as it was, or as it was to become.
pub trait Host: Sync {
    /// What there is of a volume. Changes nothing.
    ///
    /// # Errors
    /// There is no such source, or it cannot be found out.
    fn list(&self, ask: &List) -> Result<Layers, Refusal>;

    /// Makes a read-only snapshot of a volume. One of a source that is not sent in this session goes with it.
    ///
    /// # Errors
    /// There is no such volume, or no room in its pool.
    fn snapshot(&self, ask: &Snapshot) -> Result<Layer, Refusal>;

    /// Exactly what a stream would hold.
    ///
    /// # Errors
    /// There is no such layer; or no such parent, and nothing was noted of what differs from it.
    fn plan(&self, ask: &Selected) -> Result<Plan, Refusal>;

    /// Whether a layer would be received. Changes nothing.
    ///
    /// # Errors
    /// As [`Host::receive`].
    fn would_receive(&self, offer: &Offer) -> Result<Ready, Refusal>;

    /// Gets ready to receive a layer. What was received of another layer is discarded.
    ///
    /// # Errors
    /// The parent is not there, the pool has no room or is unhealthy.
    fn receive(&self, offer: &Offer) -> Result<(Ready, Box<dyn Receive + '_>), Refusal>;

    /// Sends a layer: its beginning, then all of the stream; the end is what this returns, with the digest of the records that
    /// are read back.
    ///
    /// # Errors
    /// As [`Host::plan`]; it cannot be read, or the way out is gone.
    fn send(&self, ask: &Send, to: &mut dyn Outflow) -> Result<End, Refusal>;

    /// The receiver has the layer for good: now that is what the next delta needs.
    ///
    /// # Errors
    /// The hold cannot be moved.
    fn sent(&self, ask: &Send, done: &Done) -> Result<(), Refusal>;

    /// Hashes of a layer's blocks, as many as [`Compare::hashes`] says.
    ///
    /// # Errors
    /// There is no such layer, it is smaller, or it cannot be read.
    fn compare(&self, ask: &Compare) -> Result<Vec<[u8; 32]>, Refusal>;

    /// Notes which blocks of a layer differ from one that is not here, in bounded memory.
    ///
    /// # Errors
    /// There is no such layer; or this does not follow on what was noted before.
    fn differ(&self, ask: &Differ) -> Result<Noted, Refusal>;

    /// Puts a layer under the destination's own name. Done where it is there already.
    ///
    /// # Errors
    /// The volume is in use, or was written to and that is not to be rolled back; there is no such layer. With
    /// [`exit`](Refusal::exit) 5 where the volume may be another one now, or between its names; else it is what it was.
    fn settle(&self, ask: &Settle) -> Result<Settled, Refusal>;

    /// Takes a snapshot that somebody made for a layer of the pair. Done where it is one already.
    ///
    /// # Errors
    /// There is no such snapshot, or it is another pair's.
    fn adopt(&self, ask: &Adopt) -> Result<Layer, Refusal>;

    /// Removes the pair's layers that no rule keeps, or says which those are.
    ///
    /// # Errors
    /// One cannot be removed: which, and what else went.
    fn prune(&self, ask: &Prune) -> Result<Pruned, Refusal>;
}

/// A layer that is about to be received, up to its last tag. Dropping it leaves what was received so far, for another time.
pub trait Receive {
    /// Receives the stream, reads back what `begin` says, compares it with the sender's digest, and finishes the layer. It does
    /// not change what is under the destination's own name.
    ///
    /// # Errors
    /// The stream is cut or refused, or differs when it is read back; what is durable stays, to be resumed.
    fn receive(
        self: Box<Self>,
        begin: &Begin,
        from: &mut dyn Inflow,
        acknowledge: &dyn Acknowledge,
    ) -> Result<Done, Refusal>;
}

/// The stream that comes in: read to its end, which comes after exactly as many bytes as its plan says. A connection that is
/// gone is an error of the read, never an end.
pub trait Inflow: Read + std::marker::Send {
    /// The sender's last word; only after the stream was read to its end.
    ///
    /// # Errors
    /// The connection is gone, or there is more of the stream.
    fn end(&mut self) -> io::Result<End>;
}

/// What the sender is told meanwhile, from any thread. Numbers that do not grow are not said; nor is anything where the
/// connection is gone, which the next read says.
pub trait Acknowledge: Sync {
    /// Everything of the stream below this many bytes is on disk for good, and the ledger says so.
    fn durable(&self, stream: Bytes);

    /// This many bytes of content were read back.
    fn verified(&self, content: Bytes);
}

/// The stream that goes out.
pub trait Outflow {
    /// What the stream is; once, first.
    ///
    /// # Errors
    /// The connection is gone, or this is not what was asked for.
    fn begin(&mut self, begin: &Begin) -> io::Result<()>;

    /// The next piece, of any length.
    ///
    /// # Errors
    /// The connection is gone, or the receiver refused.
    fn data(&mut self, bytes: &[u8]) -> io::Result<()>;
}
