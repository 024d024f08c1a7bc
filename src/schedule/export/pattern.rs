//! A cron pattern taken apart, for languages that say the same in other words.

use croner::Cron;

/// Bits of croner's fields: `#1` to `#5` are the next five, then `L`, then `W`.
const NTH_BITS: [(u8, u8); 5] = [(1, 1 << 1), (2, 1 << 2), (3, 1 << 3), (4, 1 << 4), (5, 1 << 5)];
const LAST_BIT: u8 = 1 << 6;
const NEAREST_BIT: u8 = 1 << 7;

/// The fields of a pattern as values; weekdays count from Sunday, which is 0.
pub(super) struct Fields {
    pub(super) minutes: Vec<u16>,
    pub(super) hours: Vec<u16>,
    pub(super) months: Vec<u16>,
    pub(super) days: Days,
    pub(super) weekdays: Weekdays,
    /// `+`: a day must match both.
    pub(super) is_both: bool,
}

/// The day of the month.
pub(super) struct Days {
    pub(super) is_any: bool,
    pub(super) values: Vec<u16>,
    pub(super) has_last: bool,
    pub(super) has_nearest: bool,
}

/// The day of the week.
pub(super) struct Weekdays {
    pub(super) is_any: bool,
    pub(super) values: Vec<u16>,
    /// The weekday and which of the month.
    pub(super) nth: Vec<(u16, u8)>,
    /// The last of the month.
    pub(super) last: Vec<u16>,
}

impl Fields {
    pub(super) fn of(cron: &Cron) -> Self {
        let pattern = &cron.pattern;
        let (days, weekdays) = (&pattern.days, &pattern.days_of_week);
        let nth =
            NTH_BITS.iter().flat_map(|(nth, bit)| weekdays.get_set_values(*bit).into_iter().map(|day| (day, *nth)));
        let has_nearest = days.is_feature_enabled(NEAREST_BIT) || days.count_set_values(NEAREST_BIT) > 0;
        Self {
            minutes: pattern.minutes.values(),
            hours: pattern.hours.values(),
            months: pattern.months.values(),
            days: Days {
                is_any: pattern.is_dom_wildcard(),
                values: days.values(),
                has_last: days.is_feature_enabled(LAST_BIT) && !has_nearest,
                has_nearest,
            },
            weekdays: Weekdays {
                is_any: pattern.is_dow_wildcard(),
                values: weekdays.values(),
                nth: nth.collect(),
                last: weekdays.get_set_values(LAST_BIT),
            },
            is_both: pattern.matches_dom_and_dow(),
        }
    }
}

/// Values as a list, or `*` where they are all that there are.
pub(super) fn list(values: &[u16], count: usize) -> String {
    if values.len() == count { "*".to_owned() } else { plain(values) }
}

/// Values as a list.
pub(super) fn plain(values: &[u16]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
