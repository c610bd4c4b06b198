//! Who may say what, and when (PROTOCOL.md, "The course of a session").

use std::fmt;

use extents::Bytes;
use hyperlayer::LayerId;

use crate::wire::blocks::Compare;
use crate::wire::manage::Adopt;
use crate::wire::parts::{Ability, Begin, Hello, Offer, Role, Send};
use crate::wire::transferring::{Transferring, begin_of_offer, begin_of_send};
use crate::wire::violation::{OtherLayer, Violation};
use crate::{Layer, Message};

/// Who started the session, and who was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Asks.
    Client,
    /// Answers.
    Server,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// The course of a session, as one side sees it: fed with every message that it sends, before it does, and with every
/// one that it receives. The same rules hold either way, so nothing is ever sent that the other side would refuse.
#[derive(Clone, Debug)]
pub struct Session {
    state: State,
    /// The number of the ping that each side sent last, until the other one has answered.
    client_ping: Option<u64>,
    server_ping: Option<u64>,
    client: Option<Hello>,
    server: Option<Hello>,
}

#[derive(Clone, Debug)]
pub(crate) enum State {
    /// Each side says hello once, at any time.
    Greeting,
    /// The client may ask.
    Idle,
    /// The server must answer.
    Asked(Box<Asked>),
    /// The client must begin to send.
    Awaited { offer: Box<Offer>, resumes_at: Option<Bytes> },
    /// A layer is on its way.
    Transferring(Box<Transferring>),
    /// Nothing may follow.
    Over { clean: bool },
}

/// What was asked, as far as the answer depends on it.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    List(Role),
    Plan(LayerId, Option<LayerId>),
    Try(Offer),
    Receive(Offer),
    Send(Send),
    Compare(Compare),
    Snapshot { temporary: bool },
    Differ,
    Settle(LayerId),
    Adopt(Adopt),
    Prune,
}

impl State {
    /// What it waits for, for people.
    const fn awaits(&self) -> &'static str {
        match self {
            Self::Greeting => "a hello from each side",
            Self::Idle => "a request of the client's",
            Self::Asked(_) => "the server's answer",
            Self::Awaited { .. } => "the client's beginning of the stream",
            Self::Transferring(transferring) => transferring.awaits(),
            Self::Over { .. } => "nothing more",
        }
    }
}

impl Default for Session {
    fn default() -> Self {
        Self { state: State::Greeting, client_ping: None, server_ping: None, client: None, server: None }
    }
}

impl Session {
    /// Takes the next message that `from` says. Each side calls this with what it is about to send, and with what it received.
    ///
    /// # Errors
    /// [`Violation`]. The session is over then, and what was to be sent must not be. What may still be sent is one refusal that
    /// says so, past these rules: [`Outgoing::give_up`](crate::Outgoing::give_up).
    pub fn step(&mut self, from: Side, message: &Message<'_>) -> Result<(), Violation> {
        let stepped = self.try_step(from, message);
        if stepped.is_err() {
            self.state = State::Over { clean: false };
        }
        stepped
    }

    /// The connection ended: whether it may here.
    ///
    /// # Errors
    /// [`Violation::Ended`]: something was still to be said.
    pub const fn end(&self) -> Result<(), Violation> {
        match self.state {
            State::Over { clean: true } => Ok(()),
            _ => Err(Violation::Ended { awaited: self.state.awaits() }),
        }
    }

    /// How much of a stream the receiver has for good, and how much was sent, in bytes; `None` where none is under way. What
    /// watches for a transfer that is stuck looks at the first.
    #[must_use]
    pub fn progress(&self) -> Option<(Bytes, Bytes)> {
        match &self.state {
            State::Transferring(transferring) => Some((transferring.durable, transferring.sent)),
            _ => None,
        }
    }

    /// Whether both sides said that they can do this.
    #[must_use]
    pub fn both_can(&self, ability: Ability) -> bool {
        [&self.client, &self.server].iter().all(|hello| hello.as_ref().is_some_and(|hello| hello.can(ability)))
    }

    /// Whether that side may ping now: both have said hello, its last ping was answered, nobody said good-bye.
    #[must_use]
    pub fn may_ping(&self, side: Side) -> bool {
        let unanswered = match side {
            Side::Client => self.client_ping,
            Side::Server => self.server_ping,
        };
        !matches!(self.state, State::Greeting | State::Over { .. }) && unanswered.is_none()
    }

    /// Ends the session for a rule that `message`s do not tell of.
    pub(crate) fn refuse(&mut self, violation: Violation) -> Violation {
        self.state = State::Over { clean: false };
        violation
    }

    fn try_step(&mut self, from: Side, message: &Message<'_>) -> Result<(), Violation> {
        let out_of_turn = Violation::OutOfTurn { kind: message.kind(), from, awaited: self.state.awaits() };
        if matches!(self.state, State::Over { .. }) || message.only_of().is_some_and(|only| only != from) {
            return Err(out_of_turn);
        }
        match message {
            Message::Refusal(_) => {
                // In answer to a request it ends that alone: nothing else is under way.
                let answers = matches!(self.state, State::Asked(_)) && from == Side::Server;
                self.state = if answers { State::Idle } else { State::Over { clean: true } };
                return Ok(());
            }
            Message::Ping(number) if !matches!(self.state, State::Greeting) => return self.ping(from, *number),
            Message::Pong(number) => return self.pong(from, *number),
            _ => {}
        }
        // Taken out, since it is another one afterwards in most cases; an error leaves the session over.
        let state = std::mem::replace(&mut self.state, State::Idle);
        self.state = match (state, message) {
            (State::Greeting, Message::Hello(hello)) => self.greeted(from, hello, out_of_turn)?,
            (State::Idle, Message::Bye) => State::Over { clean: true },
            (State::Idle, request) => State::Asked(Box::new(self.asked(request).ok_or(out_of_turn)??)),
            (State::Asked(asked), answer) => answered(*asked, from, answer, out_of_turn)?,
            (State::Awaited { offer, resumes_at }, Message::Begin(begin)) if from == Side::Client => {
                begin_of_offer(&offer.plan, resumes_at, begin)?;
                sending(from, begin)
            }
            (State::Transferring(mut transferring), message) => {
                if transferring.step(from, message, out_of_turn)? {
                    State::Idle
                } else {
                    State::Transferring(transferring)
                }
            }
            _ => return Err(out_of_turn),
        };
        Ok(())
    }

    fn ping(&mut self, from: Side, number: u64) -> Result<(), Violation> {
        let last = self.ping_of(from);
        match last {
            // One at a time, so that nobody must remember more.
            Some(_) => Err(Violation::PingTwice { from }),
            None => {
                *last = Some(number);
                Ok(())
            }
        }
    }

    fn pong(&mut self, from: Side, found: u64) -> Result<(), Violation> {
        let expected = self.ping_of(from.other()).take();
        if expected == Some(found) { Ok(()) } else { Err(Violation::Pong { from, expected, found }) }
    }

    fn ping_of(&mut self, side: Side) -> &mut Option<u64> {
        match side {
            Side::Client => &mut self.client_ping,
            Side::Server => &mut self.server_ping,
        }
    }

    fn greeted(&mut self, from: Side, hello: &Hello, twice: Violation) -> Result<State, Violation> {
        let said = if from == Side::Client { &mut self.client } else { &mut self.server };
        if said.replace(hello.clone()).is_some() {
            return Err(twice);
        }
        let (Some(ours), Some(theirs)) = (&self.client, &self.server) else { return Ok(State::Greeting) };
        agreed(ours, theirs)?;
        Ok(State::Idle)
    }

    /// What a request asks; `None` where it is none.
    fn asked(&self, request: &Message<'_>) -> Option<Result<Asked, Violation>> {
        let (needs, asked) = match request {
            Message::List(list) => (None, Asked::List(list.role)),
            Message::Plan(selected) => {
                (Some(Ability::Send), Asked::Plan(selected.layer.clone(), selected.parent.clone()))
            }
            Message::Send(send) => (Some(Ability::Send), Asked::Send(send.clone())),
            Message::Try(offer) => (Some(Ability::Receive), Asked::Try(offer.clone())),
            Message::Receive(offer) => (Some(Ability::Receive), Asked::Receive(offer.clone())),
            Message::Compare(compare) => (Some(Ability::Compare), Asked::Compare(compare.clone())),
            Message::Snapshot(snapshot) => (Some(Ability::Snapshot), Asked::Snapshot { temporary: snapshot.temporary }),
            Message::Differ(_) => (Some(Ability::Send), Asked::Differ),
            Message::Settle(settle) => (Some(Ability::Receive), Asked::Settle(settle.layer.clone())),
            Message::Adopt(adopt) => (Some(Ability::Adopt), Asked::Adopt(adopt.clone())),
            Message::Prune(_) => (Some(Ability::Prune), Asked::Prune),
            _ => return None,
        };
        let can = |ability| self.server.as_ref().is_some_and(|server| server.can(ability));
        match needs.filter(|ability| !can(*ability)) {
            Some(ability) => Some(Err(Violation::NotAble { kind: request.kind(), ability: ability.name() })),
            None => Some(Ok(asked)),
        }
    }
}

/// The version that both speak: the newest.
///
/// # Errors
/// There is none.
pub fn agreed(client: &Hello, server: &Hello) -> Result<u32, Violation> {
    let newest = client.newest.min(server.newest);
    if newest >= client.oldest.max(server.oldest) {
        return Ok(newest);
    }
    Err(Violation::Versions { client: (client.oldest, client.newest), server: (server.oldest, server.newest) })
}

fn sending(sender: Side, begin: &Begin) -> State {
    State::Transferring(Box::new(Transferring::new(sender, begin.clone())))
}

fn answered(asked: Asked, from: Side, answer: &Message<'_>, out_of_turn: Violation) -> Result<State, Violation> {
    if from != Side::Server {
        return Err(out_of_turn);
    }
    match (asked, answer) {
        (Asked::List(role), Message::Layers(layers)) => {
            let is_destination = role == Role::Destination;
            if layers.live.is_some() != is_destination || (layers.partial.is_some() && !is_destination) {
                return Err(Violation::Live { role });
            }
        }
        (Asked::Plan(layer, parent), Message::Planned(plan)) => {
            same_layer((&layer, &parent), (&plan.layer, &plan.parent))?;
        }
        (Asked::Try(offer), Message::Ready(ready)) => {
            token_fits(&offer, ready.resume.as_ref())?;
        }
        (Asked::Receive(offer), Message::Ready(ready)) => {
            token_fits(&offer, ready.resume.as_ref())?;
            let resumes_at = ready.resume.as_ref().map(|token| token.at);
            return Ok(State::Awaited { offer: Box::new(offer), resumes_at });
        }
        (Asked::Send(send), Message::Begin(begin)) => {
            begin_of_send(&send, begin)?;
            return Ok(sending(from, begin));
        }
        (Asked::Compare(compare), Message::Hashes(hashes)) => {
            let (expected, found) = ((compare.start, compare.hashes()), (hashes.at, hashes.hashes.len() as u64));
            if expected != found {
                return Err(Violation::Hashes {
                    expected_at: expected.0,
                    expected_count: expected.1,
                    found_at: found.0,
                    found_count: found.1,
                });
            }
        }
        (Asked::Snapshot { temporary }, Message::Made(layer)) if layer.ours == temporary => return Err(made(layer)),
        (Asked::Adopt(adopt), Message::Made(layer)) => {
            let has_id = adopt.layer.is_none_or(|id| layer.ids.contains(&id));
            if layer.name != adopt.snapshot || !layer.ours || !has_id {
                return Err(made(layer));
            }
        }
        (Asked::Settle(layer), Message::Settled(settled)) => same_layer((&layer, &None), (&settled.layer, &None))?,
        (Asked::Snapshot { .. }, Message::Made(_))
        | (Asked::Differ, Message::Noted(_))
        | (Asked::Prune, Message::Pruned(_)) => {}
        _ => return Err(out_of_turn),
    }
    Ok(State::Idle)
}

fn made(layer: &Layer) -> Violation {
    Violation::Made { name: layer.name.clone() }
}

/// A receiver may only go on with what was offered.
fn token_fits(offer: &Offer, token: Option<&transfer::receive::ResumeToken>) -> Result<(), Violation> {
    let Some(token) = token else { return Ok(()) };
    same_layer((&offer.plan.layer, &offer.plan.parent), (&token.layer, &token.parent))?;
    let (size, at) = (offer.plan.volume_size, token.at);
    if token.size != size || at > size || at.to_sectors().is_none() {
        return Err(Violation::Resume { expected: Some(size), found: at });
    }
    Ok(())
}

pub(crate) fn same_layer(
    expected: (&LayerId, &Option<LayerId>),
    found: (&LayerId, &Option<LayerId>),
) -> Result<(), Violation> {
    if expected == found {
        return Ok(());
    }
    let pair = |(layer, parent): (&LayerId, &Option<LayerId>)| (layer.clone(), parent.clone());
    Err(Violation::OtherLayer(Box::new(OtherLayer { expected: pair(expected), found: pair(found) })))
}
