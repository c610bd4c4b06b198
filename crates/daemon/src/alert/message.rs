//! Notices as a mail, as JSON and as a program's arguments.

use jiff::Timestamp;
use serde::Serialize;

use super::{News, Notice, Subject};
use crate::text::one_line;

/// So many notices are written out in a message; of the others, the number.
const MAX_NOTICES: usize = 50;

/// What is sent at one time: all that is new, in one message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// Who says it.
    pub host: String,
    /// When.
    pub at: Timestamp,
    /// What.
    notices: Vec<Notice>,
}

/// The version of the JSON.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Json<'a> {
    version: u32,
    host: &'a str,
    at: Timestamp,
    subject: String,
    notices: Vec<JsonNotice<'a>>,
    more: usize,
}

#[derive(Serialize)]
struct JsonNotice<'a> {
    #[serde(flatten)]
    subject: &'a Subject,
    news: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

impl<'a> JsonNotice<'a> {
    fn of(Notice { subject, news }: &'a Notice) -> Self {
        let (news, since, text) = match news {
            News::Wrong { text } => ("wrong", None, Some(text.as_str())),
            News::StillWrong { text, since } => ("still_wrong", Some(*since), Some(text.as_str())),
            News::Recovered { since } => ("recovered", Some(*since), None),
        };
        Self { subject, news, since, text }
    }
}

impl Message {
    /// `None` where there is nothing to tell.
    #[must_use]
    pub fn new(host: &str, at: Timestamp, notices: Vec<Notice>) -> Option<Self> {
        (!notices.is_empty()).then(|| Self { host: one_line(host), at, notices })
    }

    /// One line without control characters.
    #[must_use]
    pub fn subject(&self) -> String {
        let recovered = self.notices.iter().filter(|notice| matches!(notice.news, News::Recovered { .. })).count();
        let summary = match (&self.notices[..], recovered) {
            ([Notice { subject, news: News::Recovered { .. } }], _) => format!("{subject}: right again"),
            ([Notice { subject, .. }], _) => format!("{subject}: wrong"),
            (all, 0) => format!("{} things wrong", all.len()),
            (all, recovered) if recovered == all.len() => format!("{recovered} things right again"),
            (all, recovered) => format!("{} things wrong, {recovered} right again", all.len() - recovered),
        };
        format!("lvbackup on {}: {summary}", self.host)
    }

    /// One line for each notice, without control characters.
    #[must_use]
    pub fn body(&self) -> String {
        let lines = self.notices.iter().take(MAX_NOTICES).map(|notice| one_line(&notice.to_string()) + "\n");
        let more = Some(self.more()).filter(|more| *more > 0).map(|more| format!("and {more} more\n"));
        lines.chain(more).collect()
    }

    /// The whole mail, as `sendmail -oi -- ADDRESS` takes it on its standard input; `to` is an address without control
    /// characters.
    #[must_use]
    pub fn mail(&self, to: &str) -> String {
        let headers = [
            format!("To: {}", one_line(to)),
            format!("Subject: {}", ascii(&self.subject())),
            // RFC 3834: nobody's answering machine answers.
            "Auto-Submitted: auto-generated".to_owned(),
            "MIME-Version: 1.0".to_owned(),
            "Content-Type: text/plain; charset=utf-8".to_owned(),
        ];
        format!("{}\n\n{}", headers.join("\n"), self.body())
    }

    /// What a webhook is sent.
    #[must_use]
    pub fn json(&self) -> String {
        let json = Json {
            version: VERSION,
            host: &self.host,
            at: self.at,
            subject: self.subject(),
            notices: self.notices.iter().take(MAX_NOTICES).map(JsonNotice::of).collect(),
            more: self.more(),
        };
        // Nothing in it can fail to be written.
        serde_json::to_string(&json).unwrap_or_default()
    }

    fn more(&self) -> usize {
        self.notices.len().saturating_sub(MAX_NOTICES)
    }
}

fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
}
