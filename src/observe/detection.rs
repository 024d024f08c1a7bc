//! When an alarm can fire at all: what its settings say before a run of how soon it can tell of a fault.
//!
//! Owns: the prediction, and settings that keep a bound. Must not know: runs, what was measured.
//!
//! Source: AWS, "Evaluating an alarm" (a period counts once it is over; M of the last N data points) and "Lambda metrics" (metrics
//! are sent every minute). How long a metric takes to arrive is not promised by AWS: see [`Ingestion`].

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::unit::{AlarmSettings, AlarmSubject, DurationText, MetricName, MissingData, format_duration};

/// How long it takes from what happens to a data point that an alarm sees: at least and, as a rule, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ingestion {
    least: Duration,
    most: Duration,
}

impl Ingestion {
    /// The sandbox's own CloudWatch: a period is looked at within the second in which it ends.
    const LOCAL: Self = Self { least: Duration::ZERO, most: Duration::from_secs(1) };
    /// Metrics that AWS makes arrive one to two minutes late. Measured by many; AWS promises nothing.
    const VENDED: Self = Self { least: Duration::from_secs(60), most: Duration::from_secs(120) };
    /// Metrics that a program sends are there at once, unless it keeps them back.
    const CUSTOM: Self = Self { least: Duration::ZERO, most: Duration::from_secs(60) };

    /// Of metrics behind an endpoint on this machine, or in an account; the slowest of them counts.
    #[must_use]
    pub fn of(metrics: &[MetricName], is_local: bool) -> Self {
        match is_local {
            true => Self::LOCAL,
            false if metrics.iter().any(MetricName::is_vended) => Self::VENDED,
            false => Self::CUSTOM,
        }
    }

    /// The slowest that there is.
    #[must_use]
    pub fn slowest() -> Self {
        Self::VENDED
    }

    /// How late a data point is at most, as a rule.
    #[must_use]
    pub fn most(&self) -> Duration {
        self.most
    }
}

/// When an alarm can fire, counted from the moment at which a fault takes effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detection {
    /// It can not fire before that, wherever in a period the fault begins.
    pub earliest: DurationText,
    /// By then it has fired, if every data point from the fault on breaches.
    pub latest: DurationText,
    /// How both come about.
    pub because: String,
    /// What may keep it silent all the same.
    pub doubts: Vec<String>,
}

/// Why it can not be said when an alarm can fire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unpredicted {
    /// A band that AWS learns is its threshold.
    Anomaly,
    /// It watches something that is not read here.
    Unread,
    /// An alarm that its rule names is not known, or can itself not be predicted.
    Child(String),
}

impl fmt::Display for Unpredicted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anomaly => formatter.write_str("its threshold is a band that AWS learns"),
            Self::Unread => formatter.write_str("it watches something that is not read here"),
            Self::Child(name) => write!(formatter, "nothing is known of when `{name}`, which its rule names, can fire"),
        }
    }
}

/// What a bound on the detection is to an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It fires in time, if the data breach.
    Keeps,
    /// It depends on when in a period the fault begins.
    May,
    /// It can not fire in time.
    Misses,
}

impl Fit {
    /// As JSON names it: `keeps`, `may` or `misses`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keeps => "keeps",
            Self::May => "may",
            Self::Misses => "misses",
        }
    }
}

impl Detection {
    /// Whether an alarm fires within a bound.
    #[must_use]
    pub fn fits(&self, bound: Duration) -> Fit {
        if self.earliest.0 > bound {
            Fit::Misses
        } else if self.latest.0 > bound {
            Fit::May
        } else {
            Fit::Keeps
        }
    }
}

impl fmt::Display for Detection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not before {}, by {} ({})", self.earliest, self.latest, self.because)
    }
}

/// When an alarm can fire. `known` has the settings of alarms by name, those of a composite alarm's children among them.
///
/// # Errors
/// It can not be said, and why.
pub fn predict(
    settings: &AlarmSettings,
    known: &BTreeMap<String, AlarmSettings>,
    is_local: bool,
) -> Result<Detection, Unpredicted> {
    match &settings.subject {
        AlarmSubject::Math { is_anomaly: true, .. } => Err(Unpredicted::Anomaly),
        AlarmSubject::Other => Err(Unpredicted::Unread),
        AlarmSubject::Metric { .. } | AlarmSubject::Math { .. } => of_data_points(settings, is_local),
        AlarmSubject::Composite { .. } => of_children(settings, known, is_local),
    }
}

fn of_data_points(settings: &AlarmSettings, is_local: bool) -> Result<Detection, Unpredicted> {
    let (period, rule) = settings.rule().ok_or(Unpredicted::Unread)?;
    let Ingestion { least, most } = Ingestion::of(settings.metrics(), is_local);
    let count = rule.datapoints_to_alarm;
    // At best the fault spoils a period that is about to end; at worst it begins too late in one to spoil it.
    let earliest = period.saturating_mul(count.saturating_sub(1)) + least;
    let latest = period.saturating_mul(count.saturating_add(1)) + most;
    let (periods, late) = (format_duration(period), format_duration(most));
    let because = format!("{count} of {} periods of {periods}, data up to {late} late", rule.evaluation_periods);
    let mut doubts = Vec::new();
    if let Some(doubt) = missing_doubt(rule.missing) {
        doubts.push(doubt.to_owned());
    }
    if !settings.actions_enabled {
        doubts.push("its actions are disabled: nobody is told".to_owned());
    }
    Ok(Detection { earliest: DurationText(earliest), latest: DurationText(latest), because, doubts })
}

/// What a fault that stops all traffic does to an alarm.
fn missing_doubt(missing: MissingData) -> Option<&'static str> {
    match missing {
        MissingData::NotBreaching => Some("a fault that stops the traffic leaves no data, which it takes for good"),
        MissingData::Ignore => Some("a fault that stops the traffic leaves no data, which it ignores"),
        MissingData::Missing => {
            Some("a fault that stops the traffic leaves no data, and then it has insufficient data")
        }
        MissingData::Breaching => None,
    }
}

/// A composite alarm is no earlier than the earliest of what its rule names, and no later than the latest.
fn of_children(
    settings: &AlarmSettings,
    known: &BTreeMap<String, AlarmSettings>,
    is_local: bool,
) -> Result<Detection, Unpredicted> {
    let names = settings.children();
    let mut span: Option<(Duration, Duration)> = None;
    for name in &names {
        let unknown = || Unpredicted::Child(name.clone());
        let child = known.get(name).ok_or_else(unknown)?;
        // A rule may name composite alarms; one level is followed, which also ends a circle.
        let Detection { earliest, latest, .. } = of_data_points(child, is_local).map_err(|_| unknown())?;
        let (least, most) = span.unwrap_or((earliest.0, latest.0));
        span = Some((least.min(earliest.0), most.max(latest.0)));
    }
    let (earliest, latest) = span.ok_or(Unpredicted::Unread)?;
    let because = format!("as soon as the alarms of its rule: {}", names.join(", "));
    let mut doubts = vec!["its rule decides which of them it takes".to_owned()];
    if let AlarmSubject::Composite { suppressor: Some(suppressor), .. } = &settings.subject {
        doubts.push(format!("`{suppressor}` keeps its actions back while it is in ALARM"));
    }
    if !settings.actions_enabled {
        doubts.push("its actions are disabled: nobody is told".to_owned());
    }
    Ok(Detection { earliest: DurationText(earliest), latest: DurationText(latest), because, doubts })
}

/// Periods that CloudWatch takes, in seconds, longest first: a longer one is steadier. Those below a minute are for metrics of
/// high resolution, which those that AWS makes are not. Source: AWS, `PutMetricAlarm`, `Period`.
const PERIODS_SECONDS: [u32; 6] = [300, 120, 60, 30, 20, 10];
/// The shortest period of a metric that AWS makes.
const VENDED_PERIOD_SECONDS_MIN: u32 = 60;
/// The shortest period of an alarm. Source: AWS, `PutMetricAlarm`.
const ALARM_PERIOD_SECONDS_MIN: u32 = 10;

/// The settings nearest to those of an alarm that fire within `bound` wherever in a period a fault begins: fewer data points
/// first, and then shorter periods. None where no settings do, or where they do already.
#[must_use]
pub fn mended(settings: &AlarmSettings, bound: Duration, is_local: bool) -> Option<AlarmSettings> {
    let keeps = |settings: &AlarmSettings| {
        of_data_points(settings, is_local).is_ok_and(|detection| detection.fits(bound) == Fit::Keeps)
    };
    if keeps(settings) {
        return None;
    }
    let (_, rule) = settings.rule()?;
    let (wanted, most) = (rule.datapoints_to_alarm, settings.looks_back()?.as_secs());
    let is_vended = !is_local && settings.metrics().iter().any(MetricName::is_vended);
    let least = if is_vended { VENDED_PERIOD_SECONDS_MIN } else { ALARM_PERIOD_SECONDS_MIN };
    let period_now = period_seconds(settings)?;
    let periods = std::iter::once(period_now).chain(PERIODS_SECONDS.into_iter().filter(|it| *it < period_now));
    periods
        .filter(|period| *period >= least && u64::from(*period) <= most)
        .find_map(|period| (1..=wanted).rev().map(|count| with(settings, period, count)).find(keeps))
}

fn period_seconds(settings: &AlarmSettings) -> Option<u32> {
    match &settings.subject {
        AlarmSubject::Metric { period_seconds, .. } => Some(*period_seconds),
        // The periods of math are those of its parts, which are not all kept.
        AlarmSubject::Math { .. } | AlarmSubject::Composite { .. } | AlarmSubject::Other => None,
    }
}

fn with(settings: &AlarmSettings, period: u32, count: u32) -> AlarmSettings {
    let mut settings = settings.clone();
    if let AlarmSubject::Metric { period_seconds, rule, .. } = &mut settings.subject {
        *period_seconds = period;
        rule.datapoints_to_alarm = count;
        rule.evaluation_periods = count;
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::AlarmRule;

    fn alarm(namespace: &str, period_seconds: u32, of: (u32, u32)) -> AlarmSettings {
        let metric =
            MetricName { namespace: namespace.to_owned(), name: "Errors".to_owned(), dimensions: BTreeMap::new() };
        let rule = AlarmRule {
            evaluation_periods: of.1,
            datapoints_to_alarm: of.0,
            threshold: Some(1.0),
            comparison: "GreaterThanThreshold".to_owned(),
            missing: MissingData::Breaching,
        };
        AlarmSettings {
            description: None,
            actions_enabled: true,
            actions: Vec::new(),
            configured_at: None,
            subject: AlarmSubject::Metric { metric, statistic: "Sum".to_owned(), period_seconds, rule },
        }
    }

    fn composite(rule: &str) -> AlarmSettings {
        let subject = AlarmSubject::Composite { rule: rule.to_owned(), suppressor: None };
        AlarmSettings { subject, ..alarm("AWS/Lambda", 60, (1, 1)) }
    }

    fn seconds(settings: &AlarmSettings, is_local: bool) -> (u64, u64) {
        let detection = predict(settings, &BTreeMap::new(), is_local).unwrap();
        (detection.earliest.0.as_secs(), detection.latest.0.as_secs())
    }

    #[test]
    fn an_alarm_needs_its_data_points_and_they_need_their_time() {
        assert_eq!(seconds(&alarm("AWS/Lambda", 60, (3, 5)), false), (180, 360));
        assert_eq!(seconds(&alarm("AWS/Lambda", 60, (1, 1)), false), (60, 240));
        assert_eq!(seconds(&alarm("Shop", 10, (2, 3)), false), (10, 90));
        assert_eq!(seconds(&alarm("AWS/Lambda", 10, (4, 4)), true), (30, 51));
    }

    #[test]
    fn a_composite_alarm_lies_between_its_children_and_one_that_is_not_known_is_told() {
        let known = BTreeMap::from([
            ("quick".to_owned(), alarm("AWS/Lambda", 60, (1, 1))),
            ("slow".to_owned(), alarm("AWS/Lambda", 300, (2, 2))),
            ("both".to_owned(), composite("ALARM(both)")),
        ]);
        let detection = predict(&composite("ALARM(quick) OR ALARM(slow)"), &known, false).unwrap();
        assert_eq!((detection.earliest.0.as_secs(), detection.latest.0.as_secs()), (60, 1_020));
        for (rule, name) in [("ALARM(other)", "other"), ("ALARM(both)", "both")] {
            assert_eq!(predict(&composite(rule), &known, false), Err(Unpredicted::Child(name.to_owned())));
        }
        assert_eq!(predict(&composite("FALSE"), &known, false), Err(Unpredicted::Unread));
    }

    #[test]
    fn what_cannot_be_predicted_says_why() {
        let mut band = alarm("AWS/Lambda", 60, (1, 1));
        let AlarmSubject::Metric { metric, rule, .. } = band.subject.clone() else { panic!("a metric") };
        band.subject = AlarmSubject::Math { metrics: vec![metric], period_seconds: 60, is_anomaly: true, rule };
        assert_eq!(predict(&band, &BTreeMap::new(), false), Err(Unpredicted::Anomaly));
        let other = AlarmSettings { subject: AlarmSubject::Other, ..band };
        assert_eq!(predict(&other, &BTreeMap::new(), false), Err(Unpredicted::Unread));
    }

    #[test]
    fn a_bound_is_kept_missed_or_a_matter_of_luck() {
        let detection = predict(&alarm("AWS/Lambda", 60, (3, 3)), &BTreeMap::new(), false).unwrap();
        let fits = [179, 180, 359, 360].map(|bound| detection.fits(Duration::from_secs(bound)));
        assert_eq!(fits, [Fit::Misses, Fit::May, Fit::May, Fit::Keeps]);
    }

    #[test]
    fn silence_and_disabled_actions_are_doubts() {
        let mut settings = alarm("AWS/Lambda", 60, (1, 1));
        assert_eq!(predict(&settings, &BTreeMap::new(), false).unwrap().doubts, Vec::<String>::new());
        settings.actions_enabled = false;
        if let AlarmSubject::Metric { rule, .. } = &mut settings.subject {
            rule.missing = MissingData::NotBreaching;
        }
        assert_eq!(predict(&settings, &BTreeMap::new(), false).unwrap().doubts.len(), 2);
    }

    #[test]
    fn settings_are_mended_as_little_as_the_bound_asks_for() {
        let mend = |settings: &AlarmSettings, bound, is_local| {
            let settings = mended(settings, Duration::from_secs(bound), is_local)?;
            let (period, rule) = settings.rule()?;
            Some((period.as_secs(), rule.datapoints_to_alarm, rule.evaluation_periods))
        };
        let slow = alarm("AWS/Lambda", 60, (5, 5));
        assert_eq!(mend(&slow, 600, false), None, "it keeps that bound as it is");
        assert_eq!(mend(&slow, 300, false), Some((60, 2, 2)));
        assert_eq!(mend(&alarm("AWS/Lambda", 300, (2, 2)), 300, false), Some((60, 2, 2)));
        assert_eq!(mend(&slow, 200, false), None, "no alarm on a metric that AWS makes is that quick");
        assert_eq!(mend(&alarm("AWS/Lambda", 10, (4, 4)), 25, true), Some((10, 1, 1)));
        assert_eq!(mend(&composite("ALARM(a)"), 25, true), None);
    }
}
