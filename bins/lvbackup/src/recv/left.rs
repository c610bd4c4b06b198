//! What an interrupted receive leaves, and what to do with it.

use cli::{Exit, Failure};
use extents::human;
use transfer::receive::Partial;

/// A target, as the commands name it.
pub(super) struct Target {
    /// For people: `VG/LV`, or a path.
    pub(super) name: String,
    /// On a command line.
    pub(super) options: String,
}

impl Target {
    pub(super) fn resume(&self) -> String {
        format!("`lvbackup recv --resume {}`", self.options)
    }

    pub(super) fn discard(&self) -> String {
        format!("`lvbackup recv --discard-partial {}`", self.options)
    }

    /// A receive ended because of `cause`, and can be continued.
    pub(super) fn interrupted(&self, partial: &Partial, cause: Failure) -> Failure {
        let input = if cause.is_of_content() { "an input that is right" } else { "the same input" };
        let left = cause.leaving(format!("`{}` is not there yet; {}", self.name, kept(partial)));
        self.ways(partial, input, left)
    }

    /// There is something of an interrupted receive, and nothing was said about it.
    pub(super) fn in_the_way(&self, partial: &Partial) -> Failure {
        let text = format!("a receive of `{}` was interrupted, begun {}; {}", self.name, partial.since, kept(partial));
        self.ways(partial, "the same input", Failure::msg(Exit::Unfinished, text))
    }

    /// There is something of an interrupted receive, and nobody knows how far it was.
    pub(super) fn lost(&self, cause: Failure) -> Failure {
        cause.leaving(format!("`{}` was being received", self.name)).hint(format!("remove it: {}", self.discard()))
    }

    /// A receive ended because of `cause`, and what it left could not be removed because of `left`.
    pub(super) fn not_removed(&self, cause: Failure, left: &Failure) -> Failure {
        cause
            .leaving(format!("`{}` was being received, and what is left of it cannot be removed ({left})", self.name))
            .hint(format!("remove it: {}", self.discard()))
    }

    pub(super) fn nothing(&self) -> Failure {
        Failure::msg(Exit::Failed, format!("nothing of `{}` is left by an interrupted receive", self.name))
            .hint("`lvbackup recv --list-partial` shows what is")
    }

    fn ways(&self, partial: &Partial, input: &str, failure: Failure) -> Failure {
        let failure = match partial.complete {
            true => failure.hint(format!("finish it: {}", self.resume())),
            false => failure.hint(format!("continue with {input}: {} < INPUT", self.resume())),
        };
        let failure = match partial.token() {
            Some(token) => failure.hint(format!(
                "or send only the rest: `lvbackup send --resume {token} | lvbackup recv --resume {}`",
                self.options
            )),
            None => failure,
        };
        failure.hint(format!("or remove it: {}", self.discard()))
    }
}

fn kept(partial: &Partial) -> String {
    let several = !partial.complete && partial.layers + u64::from(partial.begun.is_some()) > 1;
    format!("{} {} kept", so_far(partial), if several { "are" } else { "is" })
}

/// How far it is.
pub(super) fn so_far(partial: &Partial) -> String {
    if partial.complete {
        return "the whole chain".to_owned();
    }
    let layers = match partial.layers {
        0 => None,
        1 => Some("1 layer".to_owned()),
        count => Some(format!("{count} layers")),
    };
    let begun = partial
        .begun
        .as_ref()
        .map(|begun| format!("layer {} up to {} of {}", begun.layer, human(begun.mark.at), human(begun.size)));
    match (layers, begun) {
        (Some(layers), Some(begun)) => format!("{layers}, and {begun},"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "nothing".to_owned(),
    }
}
