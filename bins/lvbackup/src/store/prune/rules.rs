//! Which layers stay, as a person says it.

use std::num::NonZeroUsize;

use clap::ValueEnum;
use cli::{Exit, Failure, OrFail, Outcome};
use retention::{Merging, Per, Period, Policy, Rule, Zone};
use store::Tag;

/// The options that keep layers. Without any, all stay.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "What stays")]
pub(crate) struct Rules {
    /// The newest N layers
    #[arg(long, value_name = "N")]
    keep_last: Option<NonZeroUsize>,

    /// The newest layer of each of the last N hours that have one
    #[arg(long, value_name = "N")]
    keep_hourly: Option<NonZeroUsize>,

    /// The newest layer of each of the last N days that have one
    #[arg(long, value_name = "N")]
    keep_daily: Option<NonZeroUsize>,

    /// The newest layer of each of the last N weeks (Monday to Sunday) that have one
    #[arg(long, value_name = "N")]
    keep_weekly: Option<NonZeroUsize>,

    /// The newest layer of each of the last N months that have one
    #[arg(long, value_name = "N")]
    keep_monthly: Option<NonZeroUsize>,

    /// The newest layer of each of the last N years that have one
    #[arg(long, value_name = "N")]
    keep_yearly: Option<NonZeroUsize>,

    /// Every layer less than so much older than the newest, such as 2y5m7d3h or 90d (m is a month)
    #[arg(long, value_name = "DURATION")]
    keep_within: Option<Period>,

    /// Every layer with this tag; repeatable
    #[arg(long, value_name = "TAG", value_parser = tag)]
    keep_tag: Vec<Tag>,

    /// A preset; `original`: a layer of a Sunday is a weekly one, any other a daily one, the newest of each class stay
    #[arg(long, value_enum, requires = "daily_max", requires = "weekly_max")]
    policy: Option<Preset>,

    /// With --policy original: how many daily layers stay
    #[arg(long, value_name = "N", requires = "policy")]
    daily_max: Option<usize>,

    /// With --policy original: how many weekly layers stay
    #[arg(long, value_name = "N", requires = "policy")]
    weekly_max: Option<usize>,

    /// Whose hours, days and Sundays are meant, and in which dates are shown, such as Europe/Berlin or +02:00
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub zone: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Preset {
    /// Weekly on Sundays, daily on other days
    Original,
}

/// A tag of a rule. One that no layer can have would keep nothing.
fn tag(text: &str) -> Result<Tag, String> {
    if text.contains(',') {
        return Err("one tag is expected; repeat the option for several".into());
    }
    Tag::new(text).map_err(|error| error.to_string())
}

impl Rules {
    /// As a policy.
    ///
    /// # Errors
    /// The zone is none.
    pub(super) fn policy(&self, merging: Merging) -> Outcome<Policy> {
        let zone: Zone = self.zone.parse().or_fail(Exit::Usage)?;
        let calendar = [
            (Per::Hour, self.keep_hourly),
            (Per::Day, self.keep_daily),
            (Per::Week, self.keep_weekly),
            (Per::Month, self.keep_monthly),
            (Per::Year, self.keep_yearly),
        ];
        let mut rules: Vec<_> = self.keep_last.map(Rule::Last).into_iter().collect();
        rules.extend(calendar.into_iter().filter_map(|(per, count)| Some(Rule::Calendar(per, count?))));
        rules.extend(self.keep_within.map(Rule::Within));
        rules.extend(self.keep_tag.iter().map(|tag| Rule::Tag(tag.as_str().to_owned())));
        if let (Some(Preset::Original), Some(daily_max), Some(weekly_max)) =
            (self.policy, self.daily_max, self.weekly_max)
        {
            rules.push(Rule::Original { daily_max, weekly_max });
        }
        if rules.is_empty() && merging == Merging::Allowed {
            return Err(Failure::msg(Exit::Usage, "`--merge` is for layers that rules let go, and none is given")
                .hint("say what stays, for instance `--keep-daily 7`"));
        }
        Ok(Policy { rules, zone, merging })
    }
}
