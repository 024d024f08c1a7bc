//! Signals: one source each, which exists and can be asked as the file says.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Checker, exactly_one, unknown_name};
use crate::document::Place;
use crate::observe::{
    CloudwatchSignal, CloudwatchStatistic, HttpSignal, LoadSignal, MathMetric, MetricMathSignal, SignalSource,
    SignalSpec, names_of,
};
use crate::scenario::schema::TargetKind;
use crate::unit::{DurationText, TargetId, nearest};

/// The shortest interval of a probe.
const PROBE_INTERVAL_MIN: Duration = Duration::from_millis(100);

pub(super) fn check(checker: &mut Checker<'_>) {
    for (name, signal) in &checker.scenario.signals {
        let place = checker.root.key("signals").key(name.as_str());
        match signal.source() {
            Err(given) => checker.problems.extend(exactly_one(place, "a signal", &given, SignalSpec::SOURCES)),
            Ok(SignalSource::Load(load)) => check_load(checker, place.key("load"), load),
            Ok(SignalSource::Http(http)) => check_http(checker, place.key("http"), http),
            Ok(SignalSource::Cloudwatch(metric)) => check_cloudwatch(checker, place.key("cloudwatch"), metric),
            Ok(SignalSource::MetricMath(math)) => check_math(checker, place.key("metric_math"), math),
        }
    }
}

fn check_load(checker: &mut Checker<'_>, place: Place<'_>, signal: &LoadSignal) {
    let declared = checker.declared;
    checker.refer(place.key("of"), "load", signal.of.as_str(), &declared.loads);
    let (Some(step), Some(load)) = (&signal.step, checker.scenario.load.get(&signal.of)) else { return };
    let labels: BTreeSet<String> = load.step_names().into_iter().collect();
    let could_be_read = !checker.root.key("load").key(signal.of.as_str()).key("journeys").has_problems();
    if !labels.contains(step) && could_be_read {
        let what = format!("step of the load `{}`", signal.of);
        checker.tell(unknown_name(place.key("step"), &what, step, labels.iter().map(String::as_str)));
    }
}

fn check_http(checker: &mut Checker<'_>, place: Place<'_>, signal: &HttpSignal) {
    let url = &signal.get;
    if !["http://", "https://", "${"].iter().any(|start| url.starts_with(start)) {
        let problem = place.key("get").error("invalid-value", format!("`{url}` is not a URL"));
        checker.tell(problem.with_help("start it with `http://`, `https://` or a target's `${name.url}`"));
    }
    checker.target_urls(place.key("get"), url);
    if let Some(every) = signal.every.filter(|every| every.0 < PROBE_INTERVAL_MIN) {
        let problem = place.key("every").error("out-of-range", format!("a probe every `{every}` would be a load"));
        checker.tell(problem.with_help("write `100ms` or more; for more requests declare a `load`"));
    }
    if signal.timeout.is_some_and(|timeout| timeout.is_zero()) {
        checker.tell(place.key("timeout").error("out-of-range", "no answer comes in no time"));
    }
}

/// What names a metric, whether it stands alone or in metric math.
struct NamedMetric<'a> {
    namespace: Option<&'a str>,
    lambda: Option<&'a TargetId>,
    statistic: &'a CloudwatchStatistic,
}

fn check_cloudwatch(checker: &mut Checker<'_>, place: Place<'_>, signal: &CloudwatchSignal) {
    let CloudwatchSignal { namespace, lambda, stat, period, fill, .. } = signal;
    let metric = NamedMetric { namespace: namespace.as_deref(), lambda: lambda.as_ref(), statistic: stat };
    check_metric(checker, place, &metric);
    check_period_and_fill(checker, place, *period, *fill);
}

fn check_math(checker: &mut Checker<'_>, place: Place<'_>, signal: &MetricMathSignal) {
    let MetricMathSignal { expression, metrics, period, fill, .. } = signal;
    for (name, metric) in metrics {
        let at = place.key("metrics").key(name);
        if !is_math_name(name) {
            let problem = at.name_error("invalid-value", format!("`{name}` is no name that metric math can have"));
            checker.tell(problem.with_help("begin it with a small letter, then letters, digits and `_`"));
        } else if !names_of(expression).contains(name) {
            checker.tell(at.name_error("unused-metric", format!("the expression does not speak of `{name}`")));
        }
        let MathMetric { namespace, lambda, stat, .. } = metric;
        let metric = NamedMetric { namespace: namespace.as_deref(), lambda: lambda.as_ref(), statistic: stat };
        check_metric(checker, at, &metric);
    }
    if metrics.is_empty() {
        let problem = place.key("metrics").error("missing-key", "the expression has no metric to work with");
        checker.tell(problem.with_help("name at least one, as in `{errors: {lambda: …, metric: Errors, stat: Sum}}`"));
    }
    let known: Vec<&str> = metrics.keys().map(String::as_str).collect();
    for name in names_of(expression).into_iter().filter(|name| !known.contains(&name.as_str())) {
        checker.tell(unknown_name(place.key("expression"), "metric of this signal", &name, known.iter().copied()));
    }
    check_period_and_fill(checker, place, *period, *fill);
}

/// Source: AWS, GetMetricData, `Id`.
fn is_math_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn check_metric(checker: &mut Checker<'_>, place: Place<'_>, metric: &NamedMetric<'_>) {
    match (metric.namespace, metric.lambda) {
        (None, None) => {
            let problem = place.name_error("missing-key", "the metric's namespace is not known");
            checker.tell(problem.with_help("add `namespace: …`, or `lambda: …` for a function's metric"));
        }
        (Some(namespace), Some(_)) if namespace != "AWS/Lambda" => {
            let problem = place.key("namespace").error("contradiction", "`lambda` means the namespace `AWS/Lambda`");
            checker.tell(problem.with_help("keep `namespace` or `lambda`"));
        }
        _ => {}
    }
    if let Some(target) = metric.lambda
        && let Some(TargetKind::Proxy(_)) = checker.scenario.targets.get(target).and_then(|spec| spec.kind().ok())
    {
        let message = format!("`{target}` is a proxy, and has no metrics in CloudWatch");
        checker
            .tell(place.key("lambda").error("wrong-target", message).with_help("name a `lambda` target or a function"));
    }
    let statistic = metric.statistic;
    if !statistic.is_known() {
        let problem =
            place.key("stat").error("unknown-value", format!("CloudWatch has no statistic `{}`", statistic.0));
        let help = match nearest(&statistic.0, CloudwatchStatistic::NAMES.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                "write `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount`, or a percentile such as `p99`".to_owned()
            }
        };
        checker.tell(problem.with_help(help));
    }
}

fn check_period_and_fill(checker: &mut Checker<'_>, place: Place<'_>, period: Option<DurationText>, fill: Option<f64>) {
    if let Some(period) = period {
        let seconds = period.as_secs();
        let is_short = matches!(seconds, 1 | 5 | 10 | 20 | 30);
        if period.subsec_nanos() != 0 || !(is_short || (seconds > 0 && seconds % 60 == 0)) {
            let problem = place.key("period").error("out-of-range", format!("CloudWatch has no period of `{period}`"));
            checker.tell(problem.with_help("write `1s`, `5s`, `10s`, `20s`, `30s`, or a multiple of `60s`"));
        }
    }
    if fill.is_some_and(|fill| !fill.is_finite()) {
        let problem = place.key("fill").error("out-of-range", "a period without data can not count as no number");
        checker.tell(problem.with_help("write a number, as a rule `0`"));
    }
}
