//! Findings that hold two things against each other: what a load or a hypothesis met, and whether an alarm told.

use super::{Rule, finding};
use crate::report::build::Run;
use crate::report::metric::Metric;
use crate::report::model::{BoundLane, Finding, Hypothesis, Load, Report};
use crate::report::number::{count, duration, latency, percent};

/// How long the system may take to be well again after the undo before that is worth a word.
const RECOVERY_AFTER_UNDO_MS_MAX: u64 = 60_000;
/// The share of invocations that may have to wait for a cold start.
const COLD_START_RATIO_MAX: f64 = 0.05;
/// Fewer invocations than this say nothing of a share.
const COLD_START_COUNT_MIN: u64 = 20;

/// How long after the end of what it should tell an alarm may still come: three periods of a minute, and what CloudWatch takes.
const ALARM_LAG_MS: u64 = 300_000;

pub(super) fn findings(run: &Run<'_>, report: &Report) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        report.hypotheses.iter().filter_map(|hypothesis| refuted_without_alarm(run, report, hypothesis)).collect();
    findings.extend(report.faults.iter().filter_map(slow_recovery));
    findings.extend(report.loads.iter().filter_map(|load| throttled_without_alarm(report, load)));
    findings.extend(report.loads.iter().filter_map(cold_starts));
    findings
}

/// Why nobody was told of what happened between two moments, in words; none where an alarm went to `ALARM` in that time or soon after,
/// or where it is not known what an alarm did.
fn untold(report: &Report, from_ms: u64, to_ms: u64) -> Option<&'static str> {
    if report.alarms.is_empty() {
        return Some("no alarm is watched that could have told of it");
    }
    if report.alarms.iter().any(|alarm| alarm.outcome == "unknown") {
        return None;
    }
    let to_ms = to_ms.saturating_add(ALARM_LAG_MS);
    let mut stretches = report.alarms.iter().flat_map(|alarm| &alarm.stretches);
    // An alarm that was in `ALARM` all along tells of something else.
    let has_told = stretches
        .any(|stretch| stretch.state == "ALARM" && stretch.from_ms > 0 && (from_ms..=to_ms).contains(&stretch.from_ms));
    let is_cut = report.header.duration_ms < to_ms;
    (!has_told).then_some(if is_cut {
        "no alarm that was watched told of it until the run ended"
    } else {
        "no alarm that was watched told of it"
    })
}

fn refuted_without_alarm(run: &Run<'_>, report: &Report, hypothesis: &Hypothesis) -> Option<Finding> {
    if hypothesis.verdict.name != "refuted" {
        return None;
    }
    // What an alarm could have told: a bound on latency or failures that did not hold.
    let term = hypothesis.terms.iter().find(|term| term.held == Some(false) && term.bound.is_some())?;
    let (bound, window_ms) = (term.bound.as_ref()?, term.from_ms?);
    let faults = || hypothesis.faults.iter().filter_map(|name| report.faults.iter().find(|fault| fault.fault == *name));
    // An alarm may tell of the fault before the bound's window begins, or after it has ended.
    let from_ms = faults().filter_map(|fault| fault.applied_ms).min().unwrap_or(window_ms).min(window_ms);
    let ended_ms = faults().filter_map(|fault| fault.ended_ms).max();
    let to_ms = term.to_ms.unwrap_or(report.header.duration_ms).max(ended_ms.unwrap_or_default());
    let untold = untold(report, from_ms, to_ms)?;
    let about = Some(hypothesis.id.as_str());
    let text = format!("{} was refuted, and {untold}.", hypothesis.id);
    let next = "Add an alarm to the template, and name it under `alarms.expected`.";
    let function = faults().find_map(|fault| run.facts.functions.get(&fault.target));
    let snippet = snippet(bound.lane, bound.value, function.map(String::as_str));
    Some(Finding { snippet: Some(snippet), ..finding("medium", Rule::RefutedUnalarmed, about, text, Some(next)) })
}

/// An alarm for a CloudFormation template. Lambda's `Duration` is what the function took, not what its caller waited for: it is the
/// next best to a bound of a caller (AWS: Lambda metrics).
fn snippet(lane: BoundLane, value: f64, function: Option<&str>) -> String {
    let function = function.unwrap_or("YOUR-FUNCTION");
    let words = function.split(|character: char| !character.is_ascii_alphanumeric());
    let name: String = words.map(capitalised).collect();
    let dimensions = format!("      Dimensions:\n        - {{Name: FunctionName, Value: {function}}}\n");
    let common = "      Namespace: AWS/Lambda\n      Period: 60\n      EvaluationPeriods: 3\n      DatapointsToAlarm: 2\n      \
        TreatMissingData: notBreaching\n      AlarmActions: [!Ref AlarmTopic]\n";
    match lane {
        BoundLane::Latency => format!(
            "  {name}SlowAlarm:\n    Type: AWS::CloudWatch::Alarm\n    Properties:\n      AlarmDescription: p99 above {}; \
             add the link to its playbook\n{common}{dimensions}      MetricName: Duration\n      ExtendedStatistic: p99\n      \
             ComparisonOperator: GreaterThanThreshold\n      Threshold: {value}\n",
            latency(value)
        ),
        BoundLane::Failures => format!(
            "  {name}ErrorAlarm:\n    Type: AWS::CloudWatch::Alarm\n    Properties:\n      AlarmDescription: errors; add the link to \
             its playbook\n{common}{dimensions}      MetricName: Errors\n      Statistic: Sum\n      ComparisonOperator: \
             GreaterThanThreshold\n      Threshold: 0\n"
        ),
    }
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

fn slow_recovery(fault: &crate::report::model::Fault) -> Option<Finding> {
    let (effective_ms, ended_ms) = (fault.effective_ms?, fault.ended_ms?);
    let Metric::Measured { ms, .. } = &fault.response.time_to_recover else { return None };
    let after_undo_ms = effective_ms.saturating_add(*ms).checked_sub(ended_ms)?;
    (after_undo_ms > RECOVERY_AFTER_UNDO_MS_MAX).then(|| {
        let text = format!(
            "After `{}` was undone it took {} until the system was well again.",
            fault.fault,
            duration(after_undo_ms)
        );
        let next = "Look for what goes on behind it: retries, queues that drain, connections that are kept.";
        finding("medium", Rule::SlowRecovery, Some(&fault.fault), text, Some(next))
    })
}

fn throttled_without_alarm(report: &Report, load: &Load) -> Option<Finding> {
    let throttled = load.failures.iter().find(|failure| failure.kind == "throttled" && failure.count > 0)?;
    let end_ms = load.end_ms.unwrap_or(report.header.duration_ms);
    let untold = untold(report, load.start_ms, end_ms)?;
    let text = format!("{} requests of load `{}` were throttled, and {untold}.", count(throttled.count), load.load);
    let next = "Throttles are neither errors nor invocations: they need an alarm of their own, on `Throttles`.";
    Some(finding("medium", Rule::ThrottledUnalarmed, Some(&load.load), text, Some(next)))
}

fn cold_starts(load: &Load) -> Option<Finding> {
    let part = load.parts.iter().find(|part| part.kind == "stage" && part.name == "cold_start")?;
    let (started, told) = (part.numbers.count?, part.told_count?);
    let ratio = crate::report::number::ratio(started, told)?;
    (told >= COLD_START_COUNT_MIN && ratio > COLD_START_RATIO_MAX).then(|| {
        let p99 = part.numbers.p99_ms.map(|ms| format!("; 99 of 100 took at most {}", latency(ms))).unwrap_or_default();
        let text =
            format!("{} of the invocations of load `{}` had to wait for a cold start{p99}.", percent(ratio), load.load);
        let next = "Look at provisioned concurrency, at what is loaded at the start, and at how the load comes.";
        finding("low", Rule::ColdStarts, Some(&load.load), text, Some(next))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_tells_until_some_minutes_after_and_one_that_was_on_all_along_tells_of_something_else() {
        use crate::report::sample;
        let mut report = Report::from_facts(&sample::script().events(), &sample::facts(), &sample::evidence());
        report.alarms.truncate(1);
        report.header.duration_ms = 1_000_000;
        "fired".clone_into(&mut report.alarms[0].outcome);
        report.alarms[0].stretches.truncate(1);
        let mut of = |from_ms: u64, state: &str| {
            report.alarms[0].stretches[0].from_ms = from_ms;
            state.clone_into(&mut report.alarms[0].stretches[0].state);
            untold(&report, 10_000, 20_000)
        };
        assert_eq!(of(9_000, "ALARM"), Some("no alarm that was watched told of it"), "it was on before");
        assert_eq!(of(12_000, "OK"), Some("no alarm that was watched told of it"));
        assert_eq!((of(12_000, "ALARM"), of(90_000, "ALARM")), (None, None), "and CloudWatch takes its time");
        assert!(of(400_000, "ALARM").is_some());
        report.header.duration_ms = 100_000;
        assert_eq!(untold(&report, 10_000, 20_000), Some("no alarm that was watched told of it until the run ended"));
        "unknown".clone_into(&mut report.alarms[0].outcome);
        assert_eq!(untold(&report, 10_000, 20_000), None, "what it did is not known");
        report.alarms.clear();
        assert_eq!(untold(&report, 10_000, 20_000), Some("no alarm is watched that could have told of it"));
    }

    #[test]
    fn a_snippet_is_a_resource_of_a_template_and_names_the_function() {
        for lane in [BoundLane::Latency, BoundLane::Failures] {
            let text = format!("Resources:\n{}", snippet(lane, 1_500.0, Some("checkout-fn")));
            let template: serde_json::Value = serde_yaml::from_str(&text.replace("!Ref ", "")).unwrap();
            let (name, alarm) = template["Resources"].as_object().unwrap().iter().next().unwrap();
            assert!(name.starts_with("CheckoutFn"), "{name}");
            assert_eq!(alarm["Properties"]["Dimensions"][0]["Value"], "checkout-fn");
            assert_eq!(alarm["Properties"]["EvaluationPeriods"], 3);
        }
        assert!(snippet(BoundLane::Failures, 0.01, None).contains("YOUR-FUNCTION"));
    }
}
