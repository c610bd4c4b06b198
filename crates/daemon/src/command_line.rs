//! What `lvbackup sync` is told for a job.

use retention::Policy;

use crate::Job;

impl Job {
    /// The arguments after the program's name. Nothing in them is taken for an option that is none.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut line = vec!["sync".to_owned(), self.source.to_string(), self.destination.to_string()];
        let mut say = |option: &str, value: Option<String>| {
            // In one word: a value may begin with a dash.
            line.extend(value.map(|value| format!("--{option}={value}")));
        };
        let sync = &self.sync;
        say("pair", sync.pair.clone());
        say("pool", sync.pool.as_ref().map(ToString::to_string));
        say("verify", sync.verify.map(|verify| verify.name().to_owned()));
        say("compress", sync.compress.clone());
        say("bwlimit", sync.bwlimit.map(|rate| rate.to_string()));
        say("ssh", sync.ssh.clone());
        say("remote-command", sync.remote_command.clone());
        say("keep-source", Some(rules(&self.keep_source)));
        say("keep-destination", Some(rules(&self.keep_destination)));
        say("zone", Some(self.keep_source.zone.to_string()));
        say("pre", self.hooks.before.as_deref().map(quoted));
        say("post", self.hooks.after.as_deref().map(quoted));
        say("progress", Some("json".to_owned()));
        line.extend(sync.recv_read_only.filter(|is| *is).map(|_| "--recv-read-only".to_owned()));
        line.push("--json".to_owned());
        line
    }
}

/// `last=3,hourly=24,within=90d,tag=x`.
fn rules(policy: &Policy) -> String {
    policy.rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// A program and its arguments as one command of a POSIX shell, in which nothing has a meaning of its own.
fn quoted(words: &[String]) -> String {
    let quote = |word: &String| format!("'{}'", word.replace('\'', r"'\''"));
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}
