//! How a destination's own name gets another layer: in steps, each of which is one command or can be done again, and after each
//! of which [`next`] knows from what is there how to go on. So whoever is killed between two of them, or in one, is followed by a run that
//! finishes.
//!
//! Three names: the volume's own; `hyperlayer-live-KEY`, what is to get it; `hyperlayer-old-KEY`, what had it.

/// What is under the volume's own name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Own {
    /// Nothing.
    Missing,
    /// The pair's, made of another layer than the one that is wanted.
    Other,
    /// The pair's, made of the layer that is wanted.
    Wanted {
        /// Whether it still is what the layer is.
        content: Content,
        /// Whether it is active, and may be written or not, as it should be.
        ready: bool,
    },
}

/// Whether somebody wrote to a volume since it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Content {
    /// Nobody looked.
    Unknown,
    /// Nobody did.
    Same,
    /// Somebody did.
    Written,
}

/// What is to get the name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum New {
    /// Nothing yet.
    Missing,
    /// Made of the layer that is wanted.
    Wanted,
    /// Made of another layer, by a run that was interrupted.
    Other,
}

/// What had the name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Old {
    /// Nothing.
    Missing,
    /// A live volume.
    Whole,
    /// One that stays, and is no longer the pair's.
    GivenBack,
}

/// All that is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Facts {
    pub(super) own: Own,
    pub(super) new: New,
    pub(super) old: Old,
}

/// What is to be done next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Find out whether somebody wrote to the volume.
    Look,
    /// Make the new one.
    MakeNew,
    /// Remove the new one: it is not what is wanted.
    RemoveNew,
    /// Give the old one, that nobody has open and nobody wrote to, or that is to stay, its other name.
    MoveAway,
    /// Give the new one the volume's own name.
    TakeName,
    /// Give the old one its name again: the new one is not there any more.
    PutBack,
    /// Activate it, and make it writable or not.
    Ready,
    /// Remove the old one, or give it back under a name of its own.
    DisposeOld,
    /// Nothing.
    Done,
}

/// What is to be done next, whatever was done before.
pub(super) const fn next(facts: Facts) -> Step {
    match (facts.own, facts.new, facts.old) {
        (Own::Missing, New::Wanted, _) => Step::TakeName,
        // First of all the name has something again.
        (Own::Missing, New::Missing | New::Other, Old::Whole) => Step::PutBack,
        (Own::Missing, New::Other, _) => Step::RemoveNew,
        (Own::Missing, New::Missing, Old::GivenBack) => Step::DisposeOld,
        (Own::Missing, New::Missing, Old::Missing) => Step::MakeNew,
        (Own::Wanted { content: Content::Unknown, .. }, _, _) => Step::Look,
        (Own::Wanted { content: Content::Same, ready: false }, _, _) => Step::Ready,
        // The old one is not needed as soon as the volume is whole under its name.
        (Own::Wanted { .. } | Own::Other, _, Old::Whole | Old::GivenBack) => Step::DisposeOld,
        (Own::Wanted { content: Content::Same, .. }, New::Missing, Old::Missing) => Step::Done,
        (Own::Wanted { content: Content::Same, .. }, _, Old::Missing) | (Own::Other, New::Other, _) => Step::RemoveNew,
        (Own::Wanted { .. }, New::Other, _) => Step::RemoveNew,
        (Own::Wanted { .. } | Own::Other, New::Missing, _) => Step::MakeNew,
        (Own::Wanted { .. } | Own::Other, New::Wanted, _) => Step::MoveAway,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A live volume: of which layer, and whether somebody wrote to it.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    struct Volume {
        layer: u8,
        written: bool,
        /// Read-only as long as it is looked at and replaced.
        closed: bool,
    }

    impl Volume {
        fn opened(self) -> Self {
            Self { closed: false, ..self }
        }
    }

    /// What one command changes.
    type Command = Box<dyn FnOnce(&mut Machine)>;

    /// A machine with the three names, and those that were given back.
    #[derive(Clone, Default, Debug)]
    struct Machine {
        own: Option<Volume>,
        active: bool,
        new: Option<Volume>,
        old: Option<Volume>,
        keep: bool,
        given_back: bool,
        kept: Vec<Volume>,
        removed: Vec<Volume>,
    }

    impl Machine {
        fn facts(&self, wanted: u8, looked: bool) -> Facts {
            let own = match self.own {
                None => Own::Missing,
                Some(volume) if volume.layer != wanted => Own::Other,
                Some(volume) => {
                    let content = match (looked, volume.written) {
                        (false, _) => Content::Unknown,
                        (true, false) => Content::Same,
                        (true, true) => Content::Written,
                    };
                    Own::Wanted { content, ready: self.active && !volume.closed }
                }
            };
            let new = match self.new {
                None => New::Missing,
                Some(volume) if volume.layer == wanted => New::Wanted,
                Some(_) => New::Other,
            };
            let old = match (self.old, self.given_back) {
                (None, _) => Old::Missing,
                (Some(_), false) => Old::Whole,
                (Some(_), true) => Old::GivenBack,
            };
            Facts { own, new, old }
        }

        /// The commands of one step; it is killed after `most` of them. Gives how many there were, and whether it was refused.
        fn run(&mut self, step: Step, wanted: u8, rollback: bool, most: usize) -> Result<usize, ()> {
            let mut commands: Vec<Command> = Vec::new();
            match step {
                Step::Look | Step::Done => {}
                Step::MakeNew => {
                    commands
                        .push(Box::new(move |m| m.new = Some(Volume { layer: wanted, written: false, closed: false })));
                }
                Step::RemoveNew => commands.push(Box::new(|m| m.new = None)),
                Step::MoveAway => {
                    let written = self.own.unwrap().written;
                    commands.push(Box::new(|m| m.active = false));
                    commands.push(Box::new(|m| m.own = m.own.map(|own| Volume { closed: true, ..own })));
                    if written && !rollback {
                        commands.push(Box::new(|m| m.own = m.own.map(Volume::opened)));
                        commands.push(Box::new(|m| m.active = true));
                    } else {
                        if written {
                            commands.push(Box::new(|m| m.keep = true));
                        }
                        commands.push(Box::new(|m| m.old = m.own.take()));
                    }
                }
                Step::TakeName => commands.push(Box::new(|m| (m.own, m.active) = (m.new.take(), false))),
                Step::PutBack => commands.push(Box::new(|m| (m.own, m.active) = (m.old.take(), false))),
                Step::Ready => {
                    commands.push(Box::new(|m| m.own = m.own.map(Volume::opened)));
                    commands.push(Box::new(|m| m.active = true));
                }
                Step::DisposeOld if self.keep => {
                    commands.push(Box::new(|m| (m.old, m.given_back) = (m.old.map(Volume::opened), true)));
                    commands.push(Box::new(|m| {
                        m.kept.extend(m.old.take());
                        (m.keep, m.given_back) = (false, false);
                    }));
                }
                Step::DisposeOld => commands.push(Box::new(|m| m.removed.extend(m.old.take()))),
            }
            let count = commands.len();
            let refused = step == Step::MoveAway && self.own.is_some_and(|own| own.written) && !rollback;
            commands.into_iter().take(most).for_each(|command| command(self));
            if refused && count <= most { Err(()) } else { Ok(count) }
        }

        /// One run; it is killed after so many commands.
        fn settle(&mut self, wanted: u8, rollback: bool, mut commands: usize) -> Result<bool, ()> {
            let mut looked = false;
            for _ in 0..32 {
                let step = next(self.facts(wanted, looked));
                if step == Step::Done {
                    return Ok(true);
                }
                looked = matches!(step, Step::Look | Step::TakeName) || (looked && step != Step::PutBack);
                let count = self.run(step, wanted, rollback, commands)?;
                if count > commands {
                    return Ok(false);
                }
                commands -= count;
            }
            panic!("it never ends: {self:?}");
        }
    }

    proptest! {
        /// Whatever was killed wherever, and whoever wrote in between: the name has one whole state or, between two renames,
        /// none, of which both still are there; what was written is never removed; and a run that is not killed finishes.
        #[test]
        fn killed_anywhere(
            runs in prop::collection::vec((1u8..4, any::<bool>(), 0usize..9, any::<bool>()), 1..12),
            wanted in 1u8..4,
        ) {
            let mut machine = Machine::default();
            let mut written = 0;
            for (layer, rollback, commands, write) in runs {
                let _ = machine.settle(layer, rollback, commands);
                prop_assert!(machine.own.is_some() || machine.old.is_none() || machine.new.is_some(), "{:?}", machine);
                if write && let Some(own) = machine.own.as_mut().filter(|own| !own.closed) {
                    written += usize::from(!own.written);
                    own.written = true;
                }
            }
            prop_assert_eq!(machine.settle(wanted, true, usize::MAX), Ok(true));
            prop_assert_eq!(machine.own, Some(Volume { layer: wanted, written: false, closed: false }));
            prop_assert!(machine.kept.iter().all(|volume| !volume.closed), "{:?}", machine);
            prop_assert!(machine.active && machine.new.is_none() && machine.old.is_none());
            prop_assert!(machine.removed.iter().all(|volume| !volume.written), "{:?}", machine);
            prop_assert_eq!(machine.kept.iter().filter(|volume| volume.written).count(), written);
        }

        /// Without a rollback what was written stays under its name.
        #[test]
        fn written_is_refused(layer in 1u8..4, wanted in 1u8..4) {
            let own = Some(Volume { layer, written: true, closed: false });
            let mut machine = Machine { own, active: true, ..Machine::default() };
            prop_assert_eq!(machine.settle(wanted, false, usize::MAX), Err(()));
            prop_assert_eq!(machine.own, own);
            prop_assert!(machine.kept.is_empty() && machine.removed.is_empty());
        }
    }
}
