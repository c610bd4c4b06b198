//! `[alerts]`.

use super::{
    AlertConfig, job,
    reader::{Field, Table},
};
use crate::Pace;

/// The longest address, in bytes.
const MAX_ADDRESS_BYTES: usize = 2000;

pub(super) fn read(mut table: Table<'_>) -> AlertConfig {
    let usual = Pace::default();
    let alerts = AlertConfig {
        exec: table.read("exec", job::program),
        webhook: table.read("webhook", |field| {
            field.text("an address that begins with `https://` or `http://`", |text| {
                let begins =
                    ["https://", "http://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
                (begins && is_plain(text)).then(|| text.to_owned())
            })
        }),
        sendmail: table.read("sendmail", |field| {
            // Not more than one, no option, no header.
            let is_one = |text: &str| !text.starts_with('-') && !text.contains([',', '<', '>', '"']) && is_plain(text);
            field.text("one mail address such as `root@example.org`", |text| is_one(text).then(|| text.to_owned()))
        }),
        sendmail_program: table.read("sendmail_program", |field| {
            let is_absolute = |text: &str| text.starts_with('/') && !text.contains('\0');
            field.text("an absolute path such as `/usr/sbin/sendmail`", |text| {
                is_absolute(text).then(|| text.to_owned())
            })
        }),
        pace: Pace {
            remind_after: table.read("remind_after", Field::duration).unwrap_or(usual.remind_after),
            quiet: table.read("quiet", Field::duration).unwrap_or(usual.quiet),
        },
    };
    table.done();
    alerts
}

fn is_plain(text: &str) -> bool {
    (1..=MAX_ADDRESS_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
