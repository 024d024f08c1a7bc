//! What can be known of an expectation before a run: that its names exist, its units fit, and that it can become true.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use super::{
    Aggregate, Condition, Expectation, Measure, Operator, ParseError, Parsed, PhaseWindow, Quantity, Series, Term,
    TermSpans, Unit, Value,
};
use crate::unit::{PhaseId, SignalId, format_duration, meant_mark, nearest};

/// The names that an expectation may use.
#[derive(Debug, Default)]
pub(in crate::scenario) struct Names<'a> {
    /// None as a quantity: the signal is there but could not be read.
    pub(in crate::scenario) signals: BTreeMap<&'a str, Option<Quantity>>,
    /// With their length; none where the phase could not be read.
    pub(in crate::scenario) phases: BTreeMap<&'a str, Option<Duration>>,
    pub(in crate::scenario) alarms: BTreeSet<&'a str>,
    pub(in crate::scenario) playbooks: BTreeSet<&'a str>,
    /// Whether a phase is the baseline.
    pub(in crate::scenario) has_baseline: bool,
}

impl Names<'_> {
    /// Everything that is wrong with an expectation.
    pub(in crate::scenario) fn check(&self, parsed: &Parsed) -> Vec<ParseError> {
        let mut problems = Vec::new();
        for (term, spans) in parsed.expectation.terms.iter().zip(&parsed.spans) {
            self.check_condition(term, spans, &mut problems);
            self.check_window(term, spans, &mut problems);
        }
        problems
    }

    fn check_condition(&self, term: &Term, spans: &TermSpans, problems: &mut Vec<ParseError>) {
        if let Condition::Mark(name) = &term.condition {
            problems.extend(
                meant_mark(name).map(|near| {
                    problem(&spans.name, format!("the mark `{name}` is nearly `{near}`"), Some(meant(near)))
                }),
            );
        }
        let Condition::Compare { measure, operator, value } = &term.condition else { return };
        match measure {
            Measure::Signal { aggregate, signal } => {
                let quantity = self.signal(signal, spans, problems);
                if let Some(quantity) = quantity {
                    problems.extend(check_aggregate(*aggregate, quantity, signal, spans));
                    let unit = unit_of(*aggregate, quantity.unit);
                    problems.extend(check_value(&measure.to_string(), unit, *operator, *value, spans));
                }
            }
            Measure::Detect(alarm) => {
                if !self.alarms.contains(alarm.as_str()) {
                    let near = nearest(alarm.as_str(), self.alarms.iter().copied());
                    let help = near.map_or_else(
                        || "list it under `alarms.expected`".to_owned(),
                        |name| format!("did you mean `{name}`?"),
                    );
                    problems.push(problem(&spans.name, format!("no alarm is called `{alarm}`"), Some(help)));
                }
                problems.extend(check_value("detect()", Unit::Duration, *operator, *value, spans));
            }
            Measure::Ack => problems.extend(check_value("ack()", Unit::Duration, *operator, *value, spans)),
            Measure::Steps { playbook, .. } => {
                if !self.playbooks.contains(playbook.as_str()) {
                    let near = nearest(playbook.as_str(), self.playbooks.iter().copied());
                    let help = near.map_or_else(
                        || "playbooks are Markdown files in `playbooks/` with an `id` in their front matter".to_owned(),
                        |name| format!("did you mean `{name}`?"),
                    );
                    problems.push(problem(&spans.name, format!("no playbook has the id `{playbook}`"), Some(help)));
                }
                problems.extend(check_value("steps()", Unit::Ratio, *operator, *value, spans));
            }
        }
        if matches!(value, Value::OfBaseline(_)) {
            self.check_baseline(measure, spans, problems);
        }
        if term.hold.is_some() && !matches!(measure, Measure::Signal { .. }) {
            let message = "`for` asks for a stretch of time, which only a signal or an alarm's state has".to_owned();
            problems.push(problem(&spans.hold, message, Some("remove the `for`".to_owned())));
        }
    }

    fn signal(&self, signal: &SignalId, spans: &TermSpans, problems: &mut Vec<ParseError>) -> Option<Quantity> {
        let known = self.signals.get(signal.as_str());
        if known.is_none() {
            let near = nearest(signal.as_str(), self.signals.keys().copied());
            let help = near.map_or_else(|| listed("known signals", self.signals.keys()), |n| Some(meant(n)));
            problems.push(problem(&spans.name, format!("no signal is called `{signal}`"), help));
        }
        known.copied().flatten()
    }

    fn check_baseline(&self, measure: &Measure, spans: &TermSpans, problems: &mut Vec<ParseError>) {
        if !matches!(measure, Measure::Signal { .. }) {
            let message = format!("`{measure}` has no baseline: only signals are measured before the faults");
            problems.push(problem(&spans.value, message, None));
        } else if !self.has_baseline {
            let help = "call a phase `baseline`, or give an early phase a `steady` gate";
            let message = "`of baseline` needs a phase to compare with".to_owned();
            problems.push(problem(&spans.value, message, Some(help.to_owned())));
        }
    }

    fn check_window(&self, term: &Term, spans: &TermSpans, problems: &mut Vec<ParseError>) {
        if let Some(PhaseWindow::Within { limit, .. }) = &term.window
            && limit.is_zero()
        {
            problems.push(problem(&spans.limit, "nothing can become true within no time".to_owned(), None));
        }
        if term.hold.is_some_and(|hold| hold.is_zero()) {
            problems.push(problem(&spans.hold, "`for` needs a time longer than none".to_owned(), None));
        }
        let Some(name) = term.window.as_ref().map(PhaseWindow::phase) else { return };
        let Some(length) = self.phases.get(name.as_str()) else {
            let names = self.phases.keys().copied();
            let help = nearest(name.as_str(), names.clone()).map(meant).or_else(|| listed("known phases", names));
            problems.push(problem(&spans.phase, format!("no phase is called `{name}`"), help));
            return;
        };
        let (Some(PhaseWindow::During(_)), Some(hold), Some(length)) = (&term.window, term.hold, *length) else {
            return;
        };
        if hold > length {
            let (hold, length) = (format_duration(hold), format_duration(length));
            let message = format!("`for {hold}` can never be full: the phase `{name}` lasts {length}");
            problems.push(problem(&spans.hold, message, Some("shorten it, or let the phase last longer".to_owned())));
        }
    }
}

impl PhaseWindow {
    /// The phase that the window hangs on.
    #[must_use]
    pub fn phase(&self) -> &PhaseId {
        match self {
            Self::During(phase) | Self::After(phase) | Self::Within { after: phase, .. } => phase,
        }
    }
}

/// Why an expectation can not be a gate: it asks for what happens only once a fault is in.
pub(in crate::scenario) fn cannot_gate(expectation: &Expectation) -> Option<&'static str> {
    expectation.terms.iter().find_map(|term| match &term.condition {
        Condition::Compare { measure: Measure::Detect(_), .. } => Some("detect()"),
        Condition::Compare { measure: Measure::Ack, .. } => Some("ack()"),
        Condition::Compare { measure: Measure::Steps { .. }, .. } => Some("steps()"),
        Condition::Compare { measure: Measure::Signal { .. }, .. } | Condition::Alarm { .. } | Condition::Mark(_) => {
            None
        }
    })
}

fn problem(span: &Range<usize>, message: String, help: Option<String>) -> ParseError {
    ParseError { span: span.clone(), message, help }
}

fn meant(name: &str) -> String {
    format!("did you mean `{name}`?")
}

fn listed<T: std::fmt::Display>(what: &str, names: impl IntoIterator<Item = T>) -> Option<String> {
    /// More names than these are no help.
    const NAMES_MAX: usize = 20;
    let names: Vec<String> = names.into_iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
}

/// The unit of an aggregate over values with a unit.
fn unit_of(aggregate: Aggregate, unit: Unit) -> Unit {
    match aggregate {
        Aggregate::Count => Unit::Number,
        // One value a second of arrivals a second adds up to arrivals.
        Aggregate::Sum if unit == Unit::Rate => Unit::Number,
        Aggregate::Sum
        | Aggregate::Min
        | Aggregate::Max
        | Aggregate::Mean
        | Aggregate::Percentile(_)
        | Aggregate::Last => unit,
    }
}

fn check_aggregate(
    aggregate: Aggregate,
    quantity: Quantity,
    signal: &SignalId,
    spans: &TermSpans,
) -> Option<ParseError> {
    match (aggregate, quantity.series, quantity.unit) {
        (Aggregate::Percentile(_), Series::Percentile, _) => Some(problem(
            &spans.measure,
            format!("`{signal}` is itself a percentile of each period; a percentile of percentiles means nothing"),
            Some(format!("write `max({signal})` for the worst period, or use a signal with a plain statistic")),
        )),
        (Aggregate::Sum, Series::Percentile, _) => Some(problem(
            &spans.measure,
            format!("`{signal}` is a percentile of each period; percentiles can not be added"),
            Some(format!("write `max({signal})` for the worst period")),
        )),
        (Aggregate::Sum, _, Unit::Ratio) => Some(problem(
            &spans.measure,
            format!("`{signal}` is a ratio; a sum of ratios means nothing"),
            Some(format!("write `mean({signal})`, which is all successes over all requests")),
        )),
        _ => None,
    }
}

/// Whether a bound has the unit of what is measured, and lies where the measure can be.
fn check_value(measure: &str, unit: Unit, operator: Operator, value: Value, spans: &TermSpans) -> Option<ParseError> {
    let told = |message: String, help: String| Some(problem(&spans.value, message, Some(help)));
    match (unit, value) {
        (Unit::Ratio, Value::Ratio(ratio)) => {
            if ratio > 1.0 {
                return told(
                    format!("`{value}` is more than all of it"),
                    "a ratio lies between `0%` and `100%`".to_owned(),
                );
            }
            let impossible = match operator {
                Operator::Less => ratio <= 0.0,
                Operator::More => ratio >= 1.0,
                Operator::AtMost | Operator::Equal | Operator::AtLeast => false,
            };
            let message = format!("`{measure} {operator} {value}` can never be true");
            if impossible { told(message, "a ratio lies between `0%` and `100%`".to_owned()) } else { None }
        }
        (Unit::Duration, Value::Duration(_)) | (Unit::Rate, Value::Rate(_)) | (Unit::Number, Value::Number(_)) => None,
        (_, Value::OfBaseline(_)) => None,
        (Unit::Ratio, _) => told(
            format!("`{measure}` is a ratio, and `{value}` is none"),
            "write a percentage such as `99%`".to_owned(),
        ),
        (Unit::Duration, _) => told(
            format!("`{measure}` is a duration, and `{value}` is none"),
            "write a duration such as `800ms`".to_owned(),
        ),
        (Unit::Rate, _) => {
            told(format!("`{measure}` is a rate, and `{value}` is none"), "write a rate such as `40/s`".to_owned())
        }
        (Unit::Number, _) => told(
            format!("`{measure}` is a plain number, and `{value}` is none"),
            "write a number such as `12`".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names<'static> {
        let quantity = |unit, series| Some(Quantity { unit, series });
        Names {
            signals: BTreeMap::from([
                ("latency", quantity(Unit::Duration, Series::Distribution)),
                ("ok", quantity(Unit::Ratio, Series::Plain)),
                ("orders", quantity(Unit::Number, Series::Plain)),
                ("rate", quantity(Unit::Rate, Series::Plain)),
                ("pay_p99", quantity(Unit::Duration, Series::Percentile)),
                ("broken", None),
            ]),
            phases: BTreeMap::from([("slow", Some(Duration::from_secs(60)))]),
            alarms: BTreeSet::from(["p99-high"]),
            playbooks: BTreeSet::from(["pb"]),
            has_baseline: true,
        }
    }

    #[test]
    fn what_fits_is_not_told() {
        for text in [
            "p99(latency) <= 800ms during slow for 30s and mean(ok) >= 99% after slow",
            "detect(p99-high) <= 3m and ack() <= 1m and steps(pb, must) == 100%",
            "sum(orders) >= 120% of baseline within 1m after slow",
            "max(pay_p99) < 1s and count(latency) > 3 and sum(rate) > 100 and mean(rate) >= 1/s",
            "p50(broken) > 1 and alarm(*) is OK for 1m and mark(x)",
        ] {
            assert_eq!(names().check(&super::super::parse(text).expect(text)), [], "{text}");
        }
    }

    #[test]
    fn what_can_not_be_is_told_with_its_place() {
        for (text, at, message) in [
            ("mean(lateny) > 1s", 5..11, "no signal is called `lateny`"),
            ("p99(latency) < 5%", 15..17, "`p99(latency)` is a duration, and `5%` is none"),
            ("mean(ok) > 3s", 11..13, "`mean(ok)` is a ratio, and `3s` is none"),
            ("mean(ok) >= 0.99", 12..16, "`mean(ok)` is a ratio, and `0.99` is none"),
            ("mean(rate) >= 4", 14..15, "`mean(rate)` is a rate, and `4` is none"),
            ("sum(orders) > 1s", 14..16, "`sum(orders)` is a plain number, and `1s` is none"),
            ("mean(ok) <= 101%", 12..16, "`101%` is more than all of it"),
            ("mean(ok) > 100%", 11..15, "`mean(ok) > 100%` can never be true"),
            ("sum(ok) > 1%", 0..3, "`ok` is a ratio; a sum of ratios means nothing"),
            (
                "p99(pay_p99) > 1s",
                0..3,
                "`pay_p99` is itself a percentile of each period; a percentile of percentiles means nothing",
            ),
            ("mean(ok) > 1% during slwo", 21..25, "no phase is called `slwo`"),
            ("mean(ok) > 1% during slow for 2m", 30..32, "`for 2m` can never be full: the phase `slow` lasts 1m"),
            ("detect(p99-hgih) < 1m", 7..15, "no alarm is called `p99-hgih`"),
            ("detect(p99-high) < 5", 19..20, "`detect()` is a duration, and `5` is none"),
            ("steps(bp) == 100%", 6..8, "no playbook has the id `bp`"),
            ("ack() < 50% of baseline", 8..11, "`ack()` has no baseline: only signals are measured before the faults"),
        ] {
            let problems = names().check(&super::super::parse(text).expect(text));
            let told: Vec<_> = problems.iter().map(|p| (p.span.clone(), p.message.as_str())).collect();
            assert_eq!(told, [(at, message)], "{text}");
        }
    }
}
