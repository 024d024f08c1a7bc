//! Findings about alarms: those that kept silent, came too late, told nobody, or could not be read.

use super::{Rule, finding};
use crate::observe::alarm_template;
use crate::report::build::Run;
use crate::report::build::alarm::unread;
use crate::report::build::detection::{is_at_risk, mended_settings};
use crate::report::model::{Alarm, AlarmBound, Finding, Report};
use crate::report::number::duration;

pub(super) fn findings(run: &Run<'_>, report: &Report) -> Vec<Finding> {
    let mut findings = Vec::new();
    for alarm in &report.alarms {
        of_an_alarm(alarm, &mut findings);
        of_its_settings(run, report, alarm, &mut findings);
        of_its_history(alarm, &mut findings);
    }
    findings.extend(of_blindness(run));
    findings
}

/// An alarm that does not keep a bound for certain, with settings that do.
fn of_its_settings(run: &Run<'_>, report: &Report, alarm: &Alarm, findings: &mut Vec<Finding>) {
    let (name, about) = (&alarm.alarm, Some(alarm.alarm.as_str()));
    let Some(prediction) = &alarm.prediction else { return };
    for AlarmBound { hypothesis, bound_ms, fit, .. } in alarm.bounds.iter().filter(|bound| is_at_risk(bound)) {
        let verdict = report.hypotheses.iter().find(|it| it.id == *hypothesis).map(|it| it.verdict.name.as_str());
        let (severity, word) = match (fit.as_str(), verdict) {
            (_, Some("refuted")) => ("high", "and was not"),
            ("misses", _) => ("medium", "which it can not be"),
            (_, Some("upheld")) => ("low", "and was, by the moment at which the fault began"),
            _ => ("low", "which is a matter of luck"),
        };
        let within = duration(*bound_ms);
        let text =
            format!("{hypothesis} asks for `{name}` within {within}, {word}: by its settings {}.", prediction.text);
        let mended = mended_settings(run, name, *bound_ms).and_then(|settings| alarm_template(name, &settings));
        let next = match &mended {
            Some(_) => "Put the settings below into its template, and run again.",
            None => {
                "No settings of this alarm are that quick: give it a metric of high resolution, or allow it more time."
            }
        };
        findings.push(Finding { snippet: mended, ..finding(severity, Rule::SlowAlarm, about, text, Some(next)) });
    }
}

/// What AWS keeps of an alarm: that it told nobody, and that somebody changed it meanwhile.
fn of_its_history(alarm: &Alarm, findings: &mut Vec<Finding>) {
    let (name, about) = (&alarm.alarm, Some(alarm.alarm.as_str()));
    if let Some(why) = alarm.muted_by.as_ref().filter(|_| alarm.fired_ms.is_some()) {
        let text = format!("Alarm `{name}` went to ALARM and was muted: {why}.");
        let next = "Ask who would have known of a real fault in that time.";
        findings.push(finding("medium", Rule::MutedAlarm, about, text, Some(next)));
    }
    let edits = alarm.history.iter().filter(|entry| entry.kind == "edit");
    let edits: Vec<String> = edits.map(|entry| format!("{} ({})", entry.summary, duration(entry.at_ms))).collect();
    if !edits.is_empty() {
        let text = format!("Alarm `{name}` was changed while the run lasted: {}.", edits.join("; "));
        let next = "What it did before and after says nothing of the same alarm.";
        findings.push(finding("medium", Rule::EditedAlarm, about, text, Some(next)));
    }
}

fn of_an_alarm(alarm: &Alarm, findings: &mut Vec<Finding>) {
    let (name, about) = (&alarm.alarm, Some(alarm.alarm.as_str()));
    let reason = alarm.reason.as_ref().map(|reason| format!(" AWS says: {reason}")).unwrap_or_default();
    match alarm.outcome.as_str() {
        "silent" => {
            let why = alarm.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            let text = format!("Alarm `{name}` was expected and kept silent{why}.");
            let next = "Look at its threshold, its period, and how it treats missing data.";
            findings.push(finding("high", Rule::SilentAlarm, about, text, Some(next)));
        }
        "unexpected" => {
            let text = format!("Alarm `{name}` went to ALARM, and nobody had named it.{reason}");
            let next =
                "Find out whether the faults reach further than was thought; name it as expected or as tolerated.";
            findings.push(finding("medium", Rule::UnexpectedAlarm, about, text, Some(next)));
        }
        "unknown" if alarm.role == "expected" => {
            let why = alarm.why.as_deref().unwrap_or("the record does not tell");
            let text = format!("It is not known whether the expected alarm `{name}` came: {why}.");
            findings.push(finding("medium", Rule::UnknownAlarm, about, text, None));
        }
        _ => {}
    }
    if alarm.is_noisy {
        let text = format!("Alarm `{name}` went to ALARM {} times.", alarm.fired_count);
        let next = "Let it look at more data points before it changes its state.";
        findings.push(finding("low", Rule::NoisyAlarm, about, text, Some(next)));
    }
    if alarm.is_late_to_clear {
        let text = format!("Alarm `{name}` was late to clear: {}.", alarm.clear_lag.value());
        findings.push(finding("low", Rule::LateToClear, about, text, Some("See what kept it on after the undo.")));
    }
}

/// Times in which alarms could not be read, as one.
fn of_blindness(run: &Run<'_>) -> Option<Finding> {
    let times: Vec<(u64, u64, &str)> = unread(run).collect();
    let (_, _, why) = times.first()?;
    let length: u64 = times.iter().map(|(from, to, _)| to.saturating_sub(*from)).sum();
    let text = format!("Alarms could not be read for {} in all: {why}.", duration(length));
    Some(finding("medium", Rule::AlarmsUnread, None, text, Some("What an alarm did in that time is not known.")))
}
