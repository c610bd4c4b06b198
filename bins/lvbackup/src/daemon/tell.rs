//! What people were told, by each way for itself: who has it is not told again because another way is broken.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use daemon::{Backoff, Condition, Message, Notice, Pace, Told};
use jiff::Timestamp;

use super::channel::Channel;

/// What was told, by the names of the ways; as JSON it survives a restart.
pub(super) type Kept = BTreeMap<String, Told>;

/// The way that is always there: the log.
const LOG: &str = "log";

/// All ways, and how far they are.
#[derive(Debug)]
pub(super) struct Teller {
    kept: Kept,
    ways: BTreeMap<&'static str, Way>,
}

/// One message on its way, or the wait after one that nobody took.
#[derive(Debug, Default)]
struct Way {
    /// What will have been told when it is taken.
    sending: Option<Told>,
    failures: u32,
    again_at: Option<Instant>,
}

/// A message to be sent by somebody who has time.
#[derive(Debug)]
pub(super) struct Errand {
    /// By this way.
    pub channel: Channel,
    /// This.
    pub message: Message,
}

impl Teller {
    pub(super) fn new(kept: Kept) -> Self {
        Self { kept, ways: BTreeMap::new() }
    }

    /// What was told so far, to be kept.
    pub(super) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// What is new for the log.
    pub(super) fn log(&mut self, conditions: &[Condition], pace: &Pace, now: Timestamp) -> Vec<Notice> {
        let told = self.kept.entry(LOG.to_owned()).or_default();
        let (notices, after) = told.news(conditions, pace, now);
        *told = after;
        notices
    }

    /// What is to be sent now. Each way has one message at a time, and waits after one that was not taken.
    pub(super) fn errands(
        &mut self,
        channels: Vec<Channel>,
        host: &str,
        conditions: &[Condition],
        pace: &Pace,
        now: Timestamp,
    ) -> Vec<Errand> {
        // A way that is not in the configuration any more begins anew when it comes back.
        self.kept.retain(|name, _| name == LOG || channels.iter().any(|channel| channel.name() == name));
        let mut errands = Vec::new();
        for channel in channels {
            let way = self.ways.entry(channel.name()).or_default();
            if way.sending.is_some() || way.again_at.is_some_and(|at| at > Instant::now()) {
                continue;
            }
            let told = self.kept.entry(channel.name().to_owned()).or_default();
            let (notices, after) = told.news(conditions, pace, now);
            match Message::new(host, now, notices) {
                Some(message) => {
                    way.sending = Some(after);
                    errands.push(Errand { channel, message });
                }
                None => {
                    *told = after;
                    *way = Way::default();
                }
            }
        }
        errands
    }

    /// Somebody took it, or not; then it is tried again after a minute, and after longer and longer up to an hour.
    pub(super) fn sent(&mut self, name: &'static str, taken: bool) {
        let way = self.ways.entry(name).or_default();
        let Some(after) = way.sending.take() else { return };
        if taken {
            self.kept.insert(name.to_owned(), after);
            (way.failures, way.again_at) = (0, None);
        } else {
            way.failures = way.failures.saturating_add(1);
            way.again_at = Some(Instant::now() + Backoff::default().after(way.failures));
        }
    }

    /// Whether a message is on its way.
    pub(super) fn is_sending(&self) -> bool {
        self.ways.values().any(|way| way.sending.is_some())
    }

    /// So long nothing is to be tried again; `None` where nothing is.
    pub(super) fn wait(&self) -> Option<Duration> {
        let waiting = self.ways.values().filter(|way| way.sending.is_none()).filter_map(|way| way.again_at);
        waiting.min().map(|at| at.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use daemon::Subject;

    #[test]
    fn each_way_is_told_once_whatever_becomes_of_the_others() {
        let wrong = |text: Option<&str>| {
            let subject = Subject::Runs("a".parse().unwrap());
            [Condition { subject, wrong: text.map(str::to_owned) }]
        };
        let (exec, hook) = (Channel::Exec(vec!["/x".to_owned()]), Channel::Webhook("http://x".to_owned()));
        let (pace, now) = (Pace::default(), Timestamp::now());
        let mut teller = Teller::new(Kept::new());
        let told = |teller: &mut Teller, text| {
            let channels = vec![exec.clone(), hook.clone()];
            let errands = teller.errands(channels, "host", &wrong(text), &pace, now);
            errands.iter().map(|errand| errand.channel.name()).collect::<Vec<_>>()
        };
        assert_eq!(told(&mut teller, Some("x")), ["exec", "webhook"]);
        // While they are on their way, nothing.
        assert_eq!(told(&mut teller, Some("x")), [""; 0]);
        teller.sent("exec", true);
        teller.sent("webhook", false);
        // The one knows, the other waits.
        assert_eq!(told(&mut teller, Some("x")), [""; 0]);
        assert!(teller.wait().unwrap() > Duration::from_secs(50));
        assert_eq!(told(&mut teller, None), ["exec"]);
        // What it was to be told is over before it could be: there is nothing to wait for.
        teller.ways.get_mut("webhook").unwrap().again_at = Some(Instant::now());
        assert_eq!(teller.wait(), Some(Duration::ZERO));
        assert_eq!((told(&mut teller, None), teller.wait()), (vec![], None));
        // After a restart, the one that does not know is told.
        let json = serde_json::to_string(teller.kept()).unwrap();
        let mut teller = Teller::new(serde_json::from_str(&json).unwrap());
        assert_eq!(told(&mut teller, Some("x")), ["webhook"]);
        assert_eq!(teller.log(&wrong(Some("x")), &pace, now).len(), 1);
        assert_eq!(teller.log(&wrong(Some("x")), &pace, now).len(), 0);
    }
}
