//! Whether a metric's recent data points make an alarm. Pure.
//!
//! Source: AWS, "Configuring how CloudWatch alarms treat missing data" and "Evaluating an alarm": the most recent real data
//! points count, found in a range somewhat longer than the evaluation periods; missing ones stand in only where there are
//! too few real ones; and an alarm is not put off when everything since a breach is missing.

/// How many periods more than the evaluation periods are looked at for real data points. AWS names no number; its tables
/// have 5 for 3.
pub(super) const EXTRA_PERIODS: usize = 2;

/// How a data point is compared with the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    GreaterOrEqual,
    Greater,
    Less,
    LessOrEqual,
}

impl Comparison {
    /// Reads the API's name. `None`: an anomaly detector's, or nothing at all.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "GreaterThanOrEqualToThreshold" => Self::GreaterOrEqual,
            "GreaterThanThreshold" => Self::Greater,
            "LessThanThreshold" => Self::Less,
            "LessThanOrEqualToThreshold" => Self::LessOrEqual,
            _ => return None,
        })
    }

    /// The API's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::GreaterOrEqual => "GreaterThanOrEqualToThreshold",
            Self::Greater => "GreaterThanThreshold",
            Self::Less => "LessThanThreshold",
            Self::LessOrEqual => "LessThanOrEqualToThreshold",
        }
    }

    /// In words, as in a state's reason.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::GreaterOrEqual => "greater than or equal to",
            Self::Greater => "greater than",
            Self::Less => "less than",
            Self::LessOrEqual => "less than or equal to",
        }
    }

    fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::GreaterOrEqual => value >= threshold,
            Self::Greater => value > threshold,
            Self::Less => value < threshold,
            Self::LessOrEqual => value <= threshold,
        }
    }
}

/// What a period without data stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Nothing; an alarm without any data has insufficient data. The default.
    Absent,
    /// The alarm keeps its state.
    Ignore,
    Breaching,
    NotBreaching,
}

impl Missing {
    /// Reads the API's name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "missing" => Self::Absent,
            "ignore" => Self::Ignore,
            "breaching" => Self::Breaching,
            "notBreaching" => Self::NotBreaching,
            _ => return None,
        })
    }

    /// The API's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Absent => "missing",
            Self::Ignore => "ignore",
            Self::Breaching => "breaching",
            Self::NotBreaching => "notBreaching",
        }
    }
}

/// The part of an alarm that decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rule {
    pub comparison: Comparison,
    pub threshold: f64,
    /// N: how many data points are looked at; at least 1.
    pub evaluation_periods: usize,
    /// M: how many of them must breach; 1 to N.
    pub datapoints_to_alarm: usize,
    pub missing: Missing,
}

/// What the data points make of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judgement {
    Alarm,
    Ok,
    InsufficientData,
    /// It stays as it is.
    Keep,
}

impl Rule {
    /// Judges the data points of [`Rule::range`] periods, oldest first, `None` where a period had none.
    pub(super) fn judge(&self, points: &[Option<f64>]) -> Judgement {
        let breaches = |value: &f64| self.comparison.breaches(*value, self.threshold);
        let decide = |is_alarm: bool| if is_alarm { Judgement::Alarm } else { Judgement::Ok };
        let real: Vec<f64> = points.iter().rev().filter_map(|point| *point).take(self.evaluation_periods).collect();
        let breaching = real.iter().filter(|value| breaches(value)).count();
        let lacking = self.evaluation_periods - real.len();
        if lacking == 0 || breaching >= self.datapoints_to_alarm {
            return decide(breaching >= self.datapoints_to_alarm);
        }
        match self.missing {
            Missing::Breaching => decide(breaching + lacking >= self.datapoints_to_alarm),
            Missing::NotBreaching => Judgement::Ok,
            Missing::Absent | Missing::Ignore if breaching < real.len() => Judgement::Ok,
            Missing::Ignore => Judgement::Keep,
            Missing::Absent if real.is_empty() => Judgement::InsufficientData,
            // Every real data point breaches. That is an alarm once the oldest is as old as the data points that it takes.
            Missing::Absent => {
                let age = points.iter().position(Option::is_some).map_or(0, |index| points.len() - index);
                if age >= self.datapoints_to_alarm { Judgement::Alarm } else { Judgement::Keep }
            }
        }
    }

    /// How many periods are looked at.
    pub(super) fn range(&self) -> usize {
        self.evaluation_periods + EXTRA_PERIODS
    }

    /// Whether a value breaches the threshold.
    pub(super) fn is_breached_by(&self, value: f64) -> bool {
        self.comparison.breaches(value, self.threshold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `0` does not breach, `X` does, `-` is missing; as in AWS's tables.
    fn points(text: &str) -> Vec<Option<f64>> {
        text.chars()
            .map(|c| match c {
                '0' => Some(0.0),
                'X' => Some(2.0),
                _ => None,
            })
            .collect()
    }

    fn judged(text: &str, evaluation_periods: usize, datapoints_to_alarm: usize) -> [Judgement; 4] {
        [Missing::Absent, Missing::Ignore, Missing::Breaching, Missing::NotBreaching].map(|missing| {
            let rule = Rule {
                comparison: Comparison::Greater,
                threshold: 1.0,
                evaluation_periods,
                datapoints_to_alarm,
                missing,
            };
            rule.judge(&points(text))
        })
    }

    #[test]
    fn three_of_three_is_judged_as_in_awss_table() {
        use Judgement::{Alarm, InsufficientData, Keep, Ok};
        for (text, expected) in [
            ("0-X-X", [Ok, Ok, Ok, Ok]),
            ("----0", [Ok, Ok, Ok, Ok]),
            ("-----", [InsufficientData, Keep, Alarm, Ok]),
            ("0XX-X", [Alarm, Alarm, Alarm, Alarm]),
            ("--X--", [Alarm, Keep, Alarm, Ok]),
        ] {
            assert_eq!(judged(text, 3, 3), expected, "{text}");
        }
    }

    #[test]
    fn two_of_three_is_judged_as_in_awss_table() {
        use Judgement::{Alarm, Keep, Ok};
        for (text, expected) in [
            ("0-X-X", [Alarm, Alarm, Alarm, Alarm]),
            ("00X0X", [Alarm, Alarm, Alarm, Alarm]),
            ("0-X--", [Ok, Ok, Alarm, Ok]),
            ("----0", [Ok, Ok, Alarm, Ok]),
            ("---X-", [Alarm, Keep, Alarm, Ok]),
        ] {
            assert_eq!(judged(text, 3, 2), expected, "{text}");
        }
    }

    #[test]
    fn a_single_fresh_breach_is_no_alarm_before_its_time() {
        assert_eq!(judged("----X", 3, 3)[0], Judgement::Keep);
        assert_eq!(judged("---X-", 3, 3)[0], Judgement::Keep);
        assert_eq!(judged("--X--", 3, 3)[0], Judgement::Alarm);
    }

    #[test]
    fn old_data_points_beyond_the_periods_do_not_count_when_there_are_enough_newer_ones() {
        assert_eq!(judged("XX000", 3, 1), [Judgement::Ok; 4]);
        assert_eq!(judged("XX0", 1, 1), [Judgement::Ok; 4]);
        assert_eq!(judged("00X", 1, 1), [Judgement::Alarm; 4]);
        assert_eq!(judged("X--", 1, 1), [Judgement::Alarm; 4], "one real data point is enough for one period");
    }

    #[test]
    fn each_comparison_treats_the_threshold_itself_as_it_says() {
        for (name, below, at, above) in [
            ("GreaterThanThreshold", false, false, true),
            ("GreaterThanOrEqualToThreshold", false, true, true),
            ("LessThanThreshold", true, false, false),
            ("LessThanOrEqualToThreshold", true, true, false),
        ] {
            let comparison = Comparison::parse(name).expect(name);
            assert_eq!([0.0, 1.0, 2.0].map(|value| comparison.breaches(value, 1.0)), [below, at, above], "{name}");
            assert_eq!(comparison.name(), name);
        }
        assert_eq!(Comparison::parse("LessThanLowerThreshold"), None);
    }
}
