//! CloudWatch's metrics as signals: what is asked for, how far the answers are complete, and what they say that is new.
//!
//! Owns: queries of all metric signals of a run, in one call a poll. Must not know: expectations, phases.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::detection::Ingestion;
use super::{CloudwatchSignal, MathMetric, MetricMathSignal, SignalSource, SignalSpec};
use crate::aws::{ALARM_POLL_TIMEOUT, METRICS_MAX, MetricQuery, MetricSeries, MetricSource};
use crate::unit::{MetricName, SignalId, TargetId};

/// How often metrics of an account are read: AWS makes a data point a minute, and takes money for each that is asked for.
const ACCOUNT_INTERVAL: Duration = Duration::from_secs(15);
/// How often metrics are read behind an endpoint on this machine.
const LOCAL_INTERVAL: Duration = Duration::from_secs(1);
/// Lambda's namespace. Source: AWS, "Types of metrics for Lambda functions".
const LAMBDA_NAMESPACE: &str = "AWS/Lambda";
/// How many characters are told of the trouble with metrics.
const TROUBLE_CHARACTERS_MAX: usize = 2_000;
/// How many data points of one signal are told at once: they fit into a line of the log.
const POINTS_MAX: usize = 1_000;

/// How often metrics are read.
#[must_use]
pub fn metric_interval(is_local: bool) -> Duration {
    if is_local { LOCAL_INTERVAL } else { ACCOUNT_INTERVAL }
}

/// How long a poll that tells all of a moment may take to come back: the data arrive, the poll that is under way then ends, and
/// the next one does.
#[must_use]
pub fn metric_wait(is_local: bool) -> Duration {
    let late = if is_local { Ingestion::of(&[], true) } else { Ingestion::slowest() }.most();
    late + (metric_interval(is_local) + ALARM_POLL_TIMEOUT) * 2
}

/// One signal's part in the polls.
#[derive(Debug, Clone, PartialEq)]
struct Watched {
    signal: SignalId,
    /// The id of the query that answers it.
    id: String,
    period: Duration,
    fill: Option<f64>,
    /// The data points that were told, by when their period begins.
    told: BTreeMap<DateTime<Utc>, f64>,
}

/// Data points of a signal that are new, or have other values than before.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricNews {
    /// The signal.
    pub signal: SignalId,
    /// When each period began, in milliseconds since the run's start, and its value.
    pub points: Vec<(u64, f64)>,
}

/// Why the metrics of a scenario can not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetricPlanError {
    /// More than one call asks for.
    #[error("the signals have {0} metrics, and one call asks for {METRICS_MAX} at most")]
    TooMany(usize),
}

/// The metrics of a run, as they were last read.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricWatch {
    queries: Vec<MetricQuery>,
    watched: Vec<Watched>,
    origin: DateTime<Utc>,
    late: Duration,
    /// Until when all data points are known.
    known: DateTime<Utc>,
}

impl MetricWatch {
    /// Watches every metric among `signals`; none where there is none. `function` gives the function's name for a target, `origin`
    /// is when the run began.
    ///
    /// # Errors
    /// There are more than one call asks for.
    pub fn new(
        signals: &BTreeMap<SignalId, SignalSpec>,
        function: impl Fn(&TargetId) -> String,
        origin: DateTime<Utc>,
        is_local: bool,
    ) -> Result<Option<Self>, MetricPlanError> {
        let (mut queries, mut watched, mut metrics) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (signal, spec)) in signals.iter().enumerate() {
            let Ok(source) = spec.source() else { continue };
            let Some(period) = source.metric_period() else { continue };
            let id = format!("s{index}");
            let made = match source {
                SignalSource::Cloudwatch(signal) => vec![of_metric(&id, signal, period, &function)],
                SignalSource::MetricMath(signal) => of_math(&id, signal, period, &function),
                SignalSource::Load(_) | SignalSource::Http(_) => Vec::new(),
            };
            let fill = match source {
                SignalSource::Cloudwatch(signal) => signal.fill,
                SignalSource::MetricMath(signal) => signal.fill,
                SignalSource::Load(_) | SignalSource::Http(_) => None,
            };
            metrics.extend(made.iter().filter_map(|query| match &query.source {
                MetricSource::Statistic { metric, .. } => Some(metric.clone()),
                MetricSource::Expression(_) => None,
            }));
            queries.extend(made);
            watched.push(Watched { signal: signal.clone(), id, period, fill, told: BTreeMap::new() });
        }
        if watched.is_empty() {
            return Ok(None);
        }
        if queries.len() > METRICS_MAX {
            return Err(MetricPlanError::TooMany(queries.len()));
        }
        let late = Ingestion::of(&metrics, is_local).most();
        Ok(Some(Self { queries, watched, origin, late, known: origin }))
    }

    /// What is asked of CloudWatch, each time anew.
    #[must_use]
    pub fn queries(&self) -> &[MetricQuery] {
        &self.queries
    }

    /// The signal that a query answers; none for the parts of metric math.
    #[must_use]
    pub fn signal_of(&self, id: &str) -> Option<&SignalId> {
        self.watched.iter().find(|watched| watched.id == id).map(|watched| &watched.signal)
    }

    /// From when to when the next poll asks: what is known for certain is not asked for again.
    #[must_use]
    pub fn range(&self, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
        let longest = self.watched.iter().map(|watched| watched.period).max().unwrap_or_default();
        let begin = floor(self.known, longest) - delta(longest);
        (begin, floor(now, longest) + delta(longest))
    }

    /// Takes in a poll that began at `asked`, and says what is new.
    pub fn take(&mut self, answer: &BTreeMap<String, MetricSeries>, asked: DateTime<Utc>) -> Vec<MetricNews> {
        self.known = self.known.max(asked - delta(self.late));
        let (origin, known) = (self.origin, self.known);
        let mut news = Vec::new();
        for watched in &mut self.watched {
            let Some(series) = answer.get(&watched.id) else { continue };
            let points = watched.take(series, (origin, known, asked));
            let told = points.chunks(POINTS_MAX);
            news.extend(told.map(|points| MetricNews { signal: watched.signal.clone(), points: points.to_vec() }));
        }
        news
    }

    /// Until when all data points are known, in milliseconds since the run's start.
    #[must_use]
    pub fn known_ms(&self) -> u64 {
        since(self.origin, self.known).unwrap_or(0)
    }

    /// The trouble that CloudWatch tells of single metrics, by signal.
    #[must_use]
    pub fn trouble(&self, answer: &BTreeMap<String, MetricSeries>) -> Option<String> {
        let told: BTreeSet<String> = self
            .watched
            .iter()
            .filter_map(|watched| {
                let trouble = answer.get(&watched.id)?.trouble.as_ref()?;
                Some(format!("`{}`: {trouble}", watched.signal))
            })
            .collect();
        let text = told.into_iter().collect::<Vec<_>>().join("; ");
        // It goes into one line of the log.
        (!text.is_empty()).then(|| text.chars().take(TROUBLE_CHARACTERS_MAX).collect())
    }
}

impl Watched {
    /// The data points of whole periods that were not told so: those that came, and those that are filled in once it is known that
    /// none will come.
    fn take(
        &mut self,
        series: &MetricSeries,
        (origin, known, asked): (DateTime<Utc>, DateTime<Utc>, DateTime<Utc>),
    ) -> Vec<(u64, f64)> {
        let period = delta(self.period);
        let mut found: BTreeMap<DateTime<Utc>, f64> = BTreeMap::new();
        // CloudWatch also answers the period that is not over yet.
        found.extend(series.points.iter().filter(|(at, _)| **at + period <= asked).map(|(at, value)| (*at, *value)));
        if let Some(fill) = self.fill {
            let mut at = ceil(origin, self.period);
            while at + period <= known {
                if !found.contains_key(&at) && !self.told.contains_key(&at) {
                    found.insert(at, fill);
                }
                at += period;
            }
        }
        found.retain(|at, value| self.told.get(at).is_none_or(|told| told.to_bits() != value.to_bits()));
        self.told.extend(found.iter().map(|(at, value)| (*at, *value)));
        found.into_iter().filter_map(|(at, value)| Some((since(origin, at)?, value))).collect()
    }
}

fn of_metric(
    id: &str,
    signal: &CloudwatchSignal,
    period: Duration,
    function: &impl Fn(&TargetId) -> String,
) -> MetricQuery {
    MetricQuery {
        id: id.to_owned(),
        source: MetricSource::Statistic { metric: signal.metric_name(function), statistic: signal.stat.0.clone() },
        period_seconds: seconds(period),
        is_returned: true,
    }
}

/// The names of an expression are its own: those of other signals stay out of the way by a prefix.
fn of_math(
    id: &str,
    signal: &MetricMathSignal,
    period: Duration,
    function: &impl Fn(&TargetId) -> String,
) -> Vec<MetricQuery> {
    let own = |name: &str| format!("{id}_{name}");
    let part = |(name, metric): (&String, &MathMetric)| {
        let source = MetricSource::Statistic { metric: metric.metric_name(function), statistic: metric.stat.0.clone() };
        MetricQuery { id: own(name), source, period_seconds: seconds(period), is_returned: false }
    };
    let expression = renamed(&signal.expression, |name| signal.metrics.contains_key(name).then(|| own(name)));
    let math = MetricQuery {
        id: id.to_owned(),
        source: MetricSource::Expression(expression),
        period_seconds: seconds(period),
        is_returned: true,
    };
    signal.metrics.iter().map(part).chain([math]).collect()
}

/// An expression with some of its names replaced; what stands in quotes is no name.
fn renamed(expression: &str, name_of: impl Fn(&str) -> Option<String>) -> String {
    let (mut text, mut word, mut quote) = (String::new(), String::new(), None);
    let end_word = |word: &mut String, text: &mut String| {
        let name = std::mem::take(word);
        text.push_str(&name_of(&name).unwrap_or(name));
    };
    for character in expression.chars() {
        let is_word = character.is_ascii_alphanumeric() || character == '_';
        if quote.is_none() && is_word {
            word.push(character);
            continue;
        }
        end_word(&mut word, &mut text);
        text.push(character);
        quote = match (quote, character) {
            (None, '\'' | '"') => Some(character),
            (Some(open), _) if open == character => None,
            (quote, _) => quote,
        };
    }
    end_word(&mut word, &mut text);
    text
}

/// The names that an expression may refer to: its words outside of quotes that begin with a small letter. Source: AWS, GetMetricData, `Id`.
pub(crate) fn names_of(expression: &str) -> BTreeSet<String> {
    let names = std::cell::RefCell::new(BTreeSet::new());
    drop(renamed(expression, |word| {
        if word.starts_with(|c: char| c.is_ascii_lowercase()) {
            names.borrow_mut().insert(word.to_owned());
        }
        None
    }));
    names.into_inner()
}

impl CloudwatchSignal {
    /// Its metric; `function` gives the function's name for a target.
    pub(crate) fn metric_name(&self, function: &impl Fn(&TargetId) -> String) -> MetricName {
        metric_name((self.namespace.as_deref(), self.lambda.as_ref(), &self.metric), &self.dimensions, function)
    }
}

impl MathMetric {
    /// Its metric; `function` gives the function's name for a target.
    pub(crate) fn metric_name(&self, function: &impl Fn(&TargetId) -> String) -> MetricName {
        metric_name((self.namespace.as_deref(), self.lambda.as_ref(), &self.metric), &self.dimensions, function)
    }
}

fn metric_name(
    (namespace, lambda, metric): (Option<&str>, Option<&TargetId>, &str),
    dimensions: &BTreeMap<String, String>,
    function: &impl Fn(&TargetId) -> String,
) -> MetricName {
    let mut dimensions = dimensions.clone();
    if let Some(target) = lambda {
        dimensions.entry("FunctionName".to_owned()).or_insert_with(|| function(target));
    }
    let namespace = namespace.unwrap_or(LAMBDA_NAMESPACE).to_owned();
    MetricName { namespace, name: metric.to_owned(), dimensions }
}

fn seconds(period: Duration) -> u32 {
    u32::try_from(period.as_secs()).unwrap_or(u32::MAX)
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

/// The beginning of the period in which a moment lies: CloudWatch counts them from the epoch.
fn floor(at: DateTime<Utc>, period: Duration) -> DateTime<Utc> {
    let period = i64::from(seconds(period)).max(1);
    let second = at.timestamp();
    DateTime::from_timestamp(second - second.rem_euclid(period), 0).unwrap_or(at)
}

/// The beginning of the first period that is not before a moment.
fn ceil(at: DateTime<Utc>, period: Duration) -> DateTime<Utc> {
    let begin = floor(at, period);
    if begin == at { begin } else { begin + delta(period) }
}

/// Milliseconds from the run's start to a moment; none for one before it.
fn since(origin: DateTime<Utc>, at: DateTime<Utc>) -> Option<u64> {
    u64::try_from(at.signed_duration_since(origin).num_milliseconds()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 12 s into a minute.
    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_040 + 12 + second, 0).unwrap()
    }

    fn signals(text: &str) -> BTreeMap<SignalId, SignalSpec> {
        serde_yaml::from_str(text).unwrap()
    }

    fn watch(text: &str, is_local: bool) -> MetricWatch {
        let function = |target: &TargetId| format!("{target}-function");
        MetricWatch::new(&signals(text), function, at(0), is_local).unwrap().unwrap()
    }

    fn answer(id: &str, points: &[(i64, f64)]) -> BTreeMap<String, MetricSeries> {
        let points = points.iter().map(|(second, value)| (at(*second), *value)).collect();
        BTreeMap::from([(id.to_owned(), MetricSeries { points, trouble: None })])
    }

    const ERRORS: &str = "errors: {cloudwatch: {lambda: pay, metric: Errors, stat: Sum}}";

    #[test]
    fn a_metric_of_a_target_is_asked_for_by_the_functions_name_and_in_whole_periods() {
        let watch = watch(ERRORS, false);
        let [query] = watch.queries() else { panic!("one query") };
        let MetricSource::Statistic { metric, statistic } = &query.source else { panic!("a metric") };
        assert_eq!(
            (metric.to_string(), statistic.as_str()),
            ("AWS/Lambda Errors FunctionName=pay-function".to_owned(), "Sum")
        );
        assert_eq!((query.period_seconds, query.is_returned), (60, true));
        assert_eq!(
            watch.range(at(100)),
            (at(-72), at(108)),
            "from the period before the run's start to the end of this one"
        );
    }

    #[test]
    fn the_names_of_an_expression_are_kept_apart_from_those_of_others() {
        let text = "rate: {metric_math: {expression: \"100 * errors / FILL(all, 0) + MAX('all')\", period: 10s, metrics: \
                    {errors: {lambda: pay, metric: Errors, stat: Sum}, all: {namespace: Shop, metric: Orders, stat: Sum}}}}";
        let watch = watch(text, false);
        let ids: Vec<&str> = watch.queries().iter().map(|query| query.id.as_str()).collect();
        assert_eq!(ids, ["s0_all", "s0_errors", "s0"]);
        assert_eq!(
            watch.queries()[2].source,
            MetricSource::Expression("100 * s0_errors / FILL(s0_all, 0) + MAX('all')".to_owned())
        );
        assert_eq!(names_of("a / b + FILL(c1, 0) + \"d\"").into_iter().collect::<Vec<_>>(), ["a", "b", "c1"]);
    }

    #[test]
    fn only_whole_periods_of_the_run_are_told_and_each_value_once() {
        let mut watch = watch(ERRORS, false);
        // One that began before the run, one whole one, and one that is not over.
        let told = watch.take(&answer("s0", &[(-12, 9.0), (48, 1.0), (108, 5.0)]), at(130));
        assert_eq!(told, [MetricNews { signal: "errors".parse().unwrap(), points: vec![(48_000, 1.0)] }]);
        assert_eq!(watch.take(&answer("s0", &[(48, 1.0)]), at(140)), []);
        // It is corrected.
        let told = watch.take(&answer("s0", &[(48, 3.0), (108, 5.0)]), at(170));
        assert_eq!(told[0].points, [(48_000, 3.0), (108_000, 5.0)]);
    }

    #[test]
    fn what_is_known_lags_by_what_metrics_are_late() {
        let mut account = watch(ERRORS, false);
        account.take(&answer("s0", &[]), at(100));
        assert_eq!(account.known_ms(), 0);
        account.take(&answer("s0", &[]), at(300));
        assert_eq!(account.known_ms(), 180_000);
        assert_eq!(account.range(at(310)).0, at(108), "what is known is not asked for again");
        let mut local = watch(ERRORS, true);
        local.take(&answer("s0", &[]), at(100));
        assert_eq!(local.known_ms(), 99_000);
    }

    #[test]
    fn a_period_without_data_is_filled_in_once_it_is_known_that_none_comes() {
        let mut watch = watch("e: {cloudwatch: {lambda: pay, metric: Errors, stat: Sum, period: 10s, fill: 0}}", true);
        let told = watch.take(&answer("s0", &[(18, 2.0)]), at(30));
        assert_eq!(told[0].points, [(8_000, 0.0), (18_000, 2.0)]);
        assert_eq!(watch.take(&answer("s0", &[]), at(38)), [], "the period that ends at 38 s is not known yet");
        assert_eq!(watch.take(&answer("s0", &[]), at(39))[0].points, [(28_000, 0.0)]);
        // It came after all.
        assert_eq!(watch.take(&answer("s0", &[(28, 1.0)]), at(41))[0].points, [(28_000, 1.0)]);
    }

    #[test]
    fn an_error_of_one_metric_is_told_with_its_signal() {
        let watch = watch(ERRORS, true);
        let series = MetricSeries { points: BTreeMap::new(), trouble: Some("Forbidden".to_owned()) };
        let answer = BTreeMap::from([("s0".to_owned(), series)]);
        assert_eq!(watch.trouble(&answer).as_deref(), Some("`errors`: Forbidden"));
        assert_eq!(watch.trouble(&BTreeMap::new()), None);
    }

    #[test]
    fn a_scenario_without_metrics_watches_none_and_one_with_too_many_is_refused() {
        let none = MetricWatch::new(&signals("{}"), ToString::to_string, at(0), true);
        assert_eq!(none, Ok(None));
        let many: String = (0..501)
            .map(|number| format!("s{number}: {{cloudwatch: {{lambda: pay, metric: Errors, stat: Sum}}}}\n"))
            .collect();
        let error = MetricWatch::new(&signals(&many), ToString::to_string, at(0), true).unwrap_err();
        assert_eq!(error, MetricPlanError::TooMany(501));
    }
}
