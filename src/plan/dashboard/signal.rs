//! The signals that CloudWatch has, each with the bounds that hypotheses and guardrails set.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::pack::row;
use super::{Line, Side, Widget};
use crate::observe::{CloudwatchSignal, MathMetric, MetricMathSignal, MetricUnit, SignalSource};
use crate::plan::types::{GuardrailRule, Plan};
use crate::scenario::expect::{
    Aggregate, Condition, Expectation, Measure, Operator, Quantity, Term, Unit, Value as BoundValue,
};
use crate::unit::{SignalId, TargetId};

/// The namespace of a signal that names a function.
const LAMBDA: &str = "AWS/Lambda";

/// A graph for each of them; those of the load and of probes are measured by us, and stand in the report.
pub(super) fn signals(plan: &Plan, region: &str) -> Vec<Widget> {
    let graph = |(id, spec): (&SignalId, &crate::observe::SignalSpec)| match spec.source() {
        Ok(SignalSource::Cloudwatch(signal)) => Some(graph(plan, id, signal, region)),
        Ok(SignalSource::MetricMath(signal)) => Some(math_graph(plan, id, signal, region)),
        Ok(SignalSource::Load(_) | SignalSource::Http(_)) | Err(_) => None,
    };
    plan.signals.iter().filter_map(graph).collect()
}

fn graph(plan: &Plan, id: &SignalId, signal: &CloudwatchSignal, region: &str) -> Widget {
    let CloudwatchSignal { namespace, lambda, metric, stat, dimensions, .. } = signal;
    let named = metric_row(plan, (namespace.as_deref(), lambda.as_ref()), dimensions, (metric, &stat.0));
    let unit = Quantity::of(SignalSource::Cloudwatch(signal)).unit;
    let title = format!("{id}: {metric} {}", stat.0);
    let widget = Widget::graph(&title, region, &[named], &lines(plan, id, unit));
    with_period(widget, SignalSource::Cloudwatch(signal))
}

/// The expression alone is drawn; the metrics that it is made of stand there unseen, under the names that it has for them.
fn math_graph(plan: &Plan, id: &SignalId, signal: &MetricMathSignal, region: &str) -> Widget {
    let part = |(name, metric): (&String, &MathMetric)| {
        let MathMetric { namespace, lambda, metric, stat, dimensions } = metric;
        let mut named = metric_row(plan, (namespace.as_deref(), lambda.as_ref()), dimensions, (metric, &stat.0));
        if let Some(options) = named.as_array_mut().and_then(|named| named.last_mut()) {
            options["id"] = json!(name);
            options["visible"] = json!(false);
        }
        named
    };
    let expression = json!([{"expression": signal.expression, "label": id.as_str(), "id": "expression"}]);
    let rows: Vec<Value> = std::iter::once(expression).chain(signal.metrics.iter().map(part)).collect();
    let unit = Quantity::of(SignalSource::MetricMath(signal)).unit;
    let mut lines = lines(plan, id, unit);
    if signal.unit == Some(MetricUnit::Seconds) {
        lines.iter_mut().for_each(|line| line.value /= 1_000.0);
    }
    let widget = Widget::graph(&format!("{id}: {}", signal.expression), region, &rows, &lines);
    with_period(widget, SignalSource::MetricMath(signal))
}

fn metric_row(
    plan: &Plan,
    (namespace, lambda): (Option<&str>, Option<&TargetId>),
    dimensions: &BTreeMap<String, String>,
    metric: (&str, &str),
) -> Value {
    let function = lambda.map(|lambda| plan.function_of(lambda));
    let mut named: Vec<(&str, &str)> = function.into_iter().map(|function| ("FunctionName", function)).collect();
    named.extend(dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    row(namespace.unwrap_or(LAMBDA), &named, metric)
}

fn with_period(mut widget: Widget, source: SignalSource<'_>) -> Widget {
    if let Some(period) = source.metric_period() {
        widget.properties["period"] = json!(period.as_secs().max(1));
    }
    widget
}

fn lines(plan: &Plan, signal: &SignalId, unit: Unit) -> Vec<Line> {
    if plan.is_blind() {
        return Vec::new();
    }
    let believed = plan.hypotheses.iter().map(|hypothesis| (hypothesis.id.to_string(), &hypothesis.expect, true));
    let guarded = plan.guardrails.iter().filter_map(|guardrail| match &guardrail.rule {
        GuardrailRule::AbortIf(expectation) => Some((format!("guardrail {}", guardrail.id), expectation, false)),
        GuardrailRule::MaxDuration(_) | GuardrailRule::MaxTargets(_) | GuardrailRule::MaxFailedRequests(_) => None,
    });
    let of = |(name, expectation, holds): (String, &Expectation, bool)| {
        let terms = expectation.terms.iter();
        terms.filter_map(|term| line(&name, term, (signal, unit), holds)).collect::<Vec<Line>>()
    };
    believed.chain(guarded).flat_map(of).collect()
}

/// A term as a line, where it bounds each point of the signal: a sum over a window would be read wrongly there. A guardrail forbids what
/// it says, a hypothesis what it does not.
fn line(name: &str, term: &Term, (id, unit): (&SignalId, Unit), holds: bool) -> Option<Line> {
    let Condition::Compare { measure: Measure::Signal { aggregate, signal }, operator, value } = &term.condition else {
        return None;
    };
    let is_of_points = match aggregate {
        Aggregate::Min | Aggregate::Max | Aggregate::Mean | Aggregate::Percentile(_) | Aggregate::Last => true,
        Aggregate::Sum | Aggregate::Count => false,
    };
    if signal != id || !is_of_points {
        return None;
    }
    let is_upper = match operator {
        Operator::Less | Operator::AtMost => Some(holds),
        Operator::More | Operator::AtLeast => Some(!holds),
        Operator::Equal => None,
    };
    let forbids = is_upper.map(|is_upper| if is_upper { Side::Above } else { Side::Below });
    Some(Line { label: format!("{name}: {}", term.condition), value: in_metric(value, unit)?, forbids })
}

/// A bound in the metric's own unit: CloudWatch has times of Lambda in milliseconds, and a plain number of ours is in seconds there.
fn in_metric(value: &BoundValue, unit: Unit) -> Option<f64> {
    let millis = |seconds: f64| seconds * 1_000.0;
    match (value, unit) {
        (BoundValue::Duration(duration), Unit::Duration) => Some(millis(duration.as_secs_f64())),
        (BoundValue::Number(seconds), Unit::Duration) => Some(millis(*seconds)),
        (BoundValue::Number(number) | BoundValue::Ratio(number) | BoundValue::Rate(number), Unit::Number) => {
            Some(*number)
        }
        (BoundValue::Number(number) | BoundValue::Ratio(number), Unit::Ratio) => Some(*number),
        (BoundValue::Number(number) | BoundValue::Rate(number), Unit::Rate) => Some(*number),
        // What a baseline was is known after the run alone.
        (BoundValue::OfBaseline(_) | BoundValue::Duration(_) | BoundValue::Ratio(_) | BoundValue::Rate(_), _) => None,
    }
}
