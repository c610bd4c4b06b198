//! Which layer of a store is meant.

use std::time::{Duration, SystemTime};

use cli::{Exit, Failure, OrFail, Outcome, say};
use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, ToSpan};
use store::{Layer, Listing, Series, Stored};

use super::table::printable;
use super::{open, when};

/// How far the clocks of two machines may differ without a doubt about the order of their layers.
const CLOCK_SKEW: Duration = Duration::from_secs(5 * 60);

/// The options that name a layer.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Pick {
    /// The volume's layers, as `lvbackup list` shows them; needed where the store holds several volumes
    #[arg(long, value_name = "VG/LV")]
    pub series: Option<String>,

    /// The layer with this id, or the only one whose id begins so [default: the newest]
    ///
    /// Required if a layer is dated more than 5 minutes after this machine's time, and neither dates nor parents show whether
    /// that layer is the newest.
    #[arg(long, value_name = "ID", conflicts_with = "at")]
    pub layer: Option<String>,

    /// The newest layer that is not newer than this: `2026-11-21` (its last second), `2026-11-21 07:30`, or with a zone,
    /// `2026-11-21T07:30:00+01:00`
    #[arg(long, value_name = "WHEN")]
    pub at: Option<String>,

    /// The time zone of WHEN where that does not say one, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub zone: String,
}

impl Pick {
    /// The layer that is meant.
    ///
    /// # Errors
    /// There is none, or several could be meant.
    pub(crate) fn layer<'l>(&self, listing: &'l Listing) -> Outcome<&'l Stored> {
        let series = self.series.as_deref().map(Series::new).transpose()?;
        let of_series = |stored: &&Stored| series.as_ref().is_none_or(|series| stored.layer.series == *series);
        let found: Vec<_> = listing.layers().into_iter().filter(of_series).collect();
        if found.is_empty() {
            let of = series.map_or_else(String::new, |series| format!(" of {series}"));
            return Err(Failure::msg(Exit::Refused, format!("the store has no layers{of}"))
                .hint("`lvbackup list STORE` shows all that it has; `lvbackup backup VG/LV STORE` adds one"));
        }
        if let Some(start) = &self.layer {
            return by_id(&found, start);
        }
        let limit = self.at.as_deref().map(|text| moment(text, &self.zone)).transpose()?;
        let mut names: Vec<_> = found.iter().map(|stored| stored.layer.series.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() > 1 {
            return Err(Failure::msg(Exit::Usage, format!("the store holds several volumes: {}", names.join(", ")))
                .hint("name one: `--series VG/LV`"));
        }
        let newest = found.last().and_then(|stored| match limit {
            Some(limit) => listing.at(&stored.layer.series, limit),
            None => listing.newest(&stored.layer.series),
        });
        let newest = newest.ok_or_else(|| {
            let when = self.at.as_ref().map_or_else(String::new, |at| format!(" that is not newer than {at}"));
            Failure::msg(Exit::Refused, format!("the store has no such layer{when}"))
                .hint("`lvbackup list STORE` shows all")
        })?;
        match listing.rival(newest, SystemTime::now() + CLOCK_SKEW) {
            Some(rival) => Err(undecided(newest, rival)),
            None => Ok(newest),
        }
    }
}

/// A layer is dated after the present time, and neither times nor parents tell whether it is the newest.
fn undecided(future: &Stored, rival: &Stored) -> Failure {
    let (future, rival) = (&future.layer, &rival.layer);
    let date = |layer: &Layer| when::utc(layer.created).unwrap_or_else(|| "a time beyond the year 9999".into());
    let text = format!(
        "cannot choose the newest layer of {}: {} is dated {}, after this machine's time, and {} is dated {}",
        future.series,
        future.layer,
        date(future),
        rival.layer,
        date(rival)
    );
    Failure::msg(Exit::Refused, text)
        .hint("set this machine's clock, if it is behind")
        .hint(format!("name the layer: `--layer {}` or `--layer {}`", rival.layer, future.layer))
}

impl Pick {
    /// Warns where the layer was chosen by times that cannot be right.
    pub(crate) fn warn_of_times(&self, listing: &Listing, chosen: &Stored) {
        let of_series = |stored: &&Stored| stored.layer.series == chosen.layer.series && self.layer.is_none();
        for stored in listing.doubtful_times(SystemTime::now()).into_iter().filter(of_series) {
            say(&format!("lvbackup: warning: {}", printable(&open::doubtful(stored))));
        }
    }
}

fn by_id<'l>(found: &[&'l Stored], start: &str) -> Outcome<&'l Stored> {
    let all = |fits: &dyn Fn(&str) -> bool| -> Vec<&'l Stored> {
        found.iter().copied().filter(|stored| fits(stored.layer.layer.as_str())).collect()
    };
    let exact = all(&|id| id == start);
    let fitting = if exact.is_empty() { all(&|id| id.starts_with(start)) } else { exact };
    match fitting[..] {
        [one] => Ok(one),
        [one, other, ..] if one.layer.layer == other.layer.layer => {
            let (one, other) = (&one.layer.series, &other.layer.series);
            Err(Failure::msg(Exit::Usage, format!("`{one}` and `{other}` both have the layer `{start}`"))
                .hint("name one: `--series VG/LV`"))
        }
        [] => Err(Failure::msg(Exit::Refused, format!("the store has no layer `{start}`"))
            .hint("`lvbackup list STORE` shows all")),
        _ => Err(Failure::msg(Exit::Usage, format!("{} layers begin with `{start}`", fitting.len()))
            .hint("give more of the id")),
    }
}

/// The last second that is meant.
fn moment(text: &str, zone: &str) -> Outcome<SystemTime> {
    if let Ok(exact) = text.parse::<Timestamp>() {
        return Ok(exact.into());
    }
    let zone = when::zone(zone)?;
    let civil = match text.parse::<Date>() {
        // All of the day.
        Ok(day) if text.len() <= 10 => {
            day.tomorrow().map(|next| next.at(0, 0, 0, 0)).and_then(|t| t.checked_sub(1.second()))
        }
        _ => text.parse::<DateTime>(),
    };
    let civil = civil.or_fail(Exit::Usage).map_err(|failure| {
        failure.context(format!("cannot read `{text}` as a date, such as 2026-11-21 or `2026-11-21 07:30`"))
    })?;
    let zoned = civil.to_zoned(zone).or_fail(Exit::Usage)?;
    Ok(zoned.timestamp().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        for (text, zone, expected) in [
            ("2026-11-21", "UTC", "2026-11-21T23:59:59Z"),
            ("2026-11-21", "Europe/Berlin", "2026-11-21T22:59:59Z"),
            ("2026-11-21 07:30", "Europe/Berlin", "2026-11-21T06:30:00Z"),
            ("2026-11-21T07:30:05", "UTC", "2026-11-21T07:30:05Z"),
            ("2026-11-21T07:30:00+01:00", "UTC", "2026-11-21T06:30:00Z"),
            ("2026-11-21T07:30:00Z", "Europe/Berlin", "2026-11-21T07:30:00Z"),
        ] {
            let expected: Timestamp = expected.parse().unwrap();
            assert_eq!(moment(text, zone).unwrap(), SystemTime::from(expected), "{text} {zone}");
        }
        for (text, zone) in [("yesterday", "UTC"), ("2026-13-01", "UTC"), ("2026-11-21", "Middle/Earth")] {
            assert_eq!(moment(text, zone).unwrap_err().exit(), Exit::Usage, "{text}");
        }
    }
}
