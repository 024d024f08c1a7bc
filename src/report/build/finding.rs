//! What is worth a talk, drafted from what was recorded. It names what happened, never who is to blame.

mod alarm;
mod learnt;
mod seen;

use super::Run;
use super::rule::Rule;
use super::summary::requested;
use crate::event::{AbortCause, EventKind};
use crate::report::folder::Evidence;
use crate::report::metric::Metric;
use crate::report::model::{DoubtCount, Fault, Finding, Hypothesis, Load, Report, Step, Term};
use crate::report::number::{duration, percent};
use crate::unit::plural;

/// Below this share of the arrivals asked for, the load that was made is not the load that was planned.
const ACHIEVED_RATIO_MIN: f64 = 0.95;

/// The order of severities, worst first.
const SEVERITIES: [&str; 4] = ["critical", "high", "medium", "low"];

pub(super) fn findings(run: &Run<'_>, report: &Report, evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    of_the_run(run, report, &mut findings);
    findings.extend(report.hypotheses.iter().filter_map(of_a_hypothesis));
    report.faults.iter().for_each(|fault| of_a_fault(run, fault, &mut findings));
    findings.extend(alarm::findings(run, report));
    findings.extend(of_absence(run, report));
    findings.extend(report.steps.iter().filter_map(of_a_step));
    of_rehearsal(report, &mut findings);
    report.loads.iter().for_each(|load| of_a_load(load, &mut findings));
    of_guardrails(report, &mut findings);
    findings.extend(run.events.iter().filter_map(|event| match &event.kind {
        EventKind::ScheduleOverridden { reason, objections } => {
            let text = format!("The run was let begin although {}: “{reason}”.", objections.join("; and "));
            Some(finding("low", Rule::Overridden, None, text, Some("Ask whether the calendar or the habit is right.")))
        }
        EventKind::ActionSkipped { action, why } => {
            Some(finding("low", Rule::LeftOut, Some(action), format!("`{action}` was left out: {why}."), None))
        }
        _ => None,
    }));
    findings.extend(seen::findings(run, report));
    findings.extend(learnt::findings(report, evidence));
    for finding in &mut findings {
        finding.owner = owner(run, report, finding.about.as_deref());
        finding.evidence = behind(report, finding.about.as_deref());
    }
    let rank = |finding: &Finding| SEVERITIES.iter().position(|severity| *severity == finding.severity);
    findings.sort_by_key(rank);
    findings
}

fn finding(severity: &str, rule: Rule, about: Option<&str>, text: String, next: Option<&str>) -> Finding {
    let (id, kind, questions) = rule.describe();
    Finding {
        severity: severity.to_owned(),
        kind: kind.to_owned(),
        about: about.map(ToOwned::to_owned),
        text,
        next: next.map(ToOwned::to_owned),
        rule: id.to_owned(),
        questions: questions.iter().map(ToString::to_string).collect(),
        owner: None,
        evidence: Vec::new(),
        snippet: None,
    }
}

/// Who owns what a finding is about: the owner of the component whose function a fault is on, or of the only component that the
/// scenario is about; else the scenario's own.
fn owner(run: &Run<'_>, report: &Report, about: Option<&str>) -> Option<String> {
    let components = report.why.as_ref().map(|why| why.components.as_slice()).unwrap_or_default();
    let target =
        about.and_then(|about| report.faults.iter().find(|fault| fault.fault == about)).map(|fault| &fault.target);
    let by_function = target.and_then(|target| run.owners.get(target).cloned());
    let only = match components {
        [only] => only.owner.clone(),
        _ => None,
    };
    by_function.or(only).or_else(|| Some(report.header.owner.clone()).filter(|owner| !owner.is_empty()))
}

/// The files with the data behind a finding: the log, and what a hypothesis or a load rests on.
fn behind(report: &Report, about: Option<&str>) -> Vec<String> {
    let is_kept = |file: &String| report.evidence.iter().any(|known| known.file == *file);
    let of_hypothesis = report.hypotheses.iter().filter(|hypothesis| about == Some(hypothesis.id.as_str()));
    let of_load = report.loads.iter().filter(|load| about == Some(load.load.as_str()));
    let files = std::iter::once("run.ndjson".to_owned())
        .chain(of_hypothesis.flat_map(|hypothesis| hypothesis.evidence.clone()))
        .chain(of_load.map(|load| format!("evidence/load-{}.ndjson", load.load)));
    files.filter(is_kept).collect()
}

fn of_the_run(run: &Run<'_>, report: &Report, findings: &mut Vec<Finding>) {
    for left in &report.safety.residual {
        let text = format!("A change was left behind. {left}.");
        findings.push(finding(
            "critical",
            Rule::Dirty,
            None,
            text,
            Some("Finish the undo before anything else is run."),
        ));
    }
    if run.is_crashed() {
        let then = match (&run.recovered_at, report.safety.state.as_str()) {
            (Some(_), "clean") => "A recovery afterwards undid every change.",
            (Some(_), _) => "A recovery afterwards could not undo every change.",
            (None, "dirty") => "No recovery has run since.",
            (None, _) => "Nothing was in place at that moment.",
        };
        let text = format!("The run ended without its last event, {} after its start. {then}", duration(run.end_ms));
        findings.push(finding("critical", Rule::Crashed, None, text, Some("Find out what ended the process.")));
    }
    for gate in report.gates.iter().filter(|gate| !gate.open) {
        let about = Some(gate.phase.as_str());
        let text =
            format!("The gate of phase `{}` stayed shut: the system was not steady before any fault.", gate.phase);
        findings.push(finding("high", Rule::GateShut, about, text, Some("Mend the steady state before testing it.")));
    }
    let settle_failed =
        run.events.iter().any(|event| matches!(event.kind, EventKind::SettleJudged { held: false, .. }));
    if settle_failed {
        let text = "The system was not back in its bounds in the time given, although every fault was over.".to_owned();
        findings.push(finding("high", Rule::NotSettled, None, text, Some("Look at what kept it from coming back.")));
    }
}

fn of_absence(run: &Run<'_>, report: &Report) -> Option<Finding> {
    let effective = report.faults.iter().any(|fault| fault.effective_ms.is_some());
    let text = "No person left a mark, a note or an acknowledgement: how long people take to notice was not measured.";
    let next = "Run it with people, who tell what they see: `gameday mark detected`.";
    let meant_for_people = run.facts.mode != "regression";
    (effective && meant_for_people && !run.has_people())
        .then(|| finding("low", Rule::Unattended, None, text.to_owned(), Some(next)))
}

fn of_a_hypothesis(hypothesis: &Hypothesis) -> Option<Finding> {
    let about = Some(hypothesis.id.as_str());
    let (id, severity) = (&hypothesis.id, hypothesis.severity.as_str());
    let why = hypothesis.verdict.why.as_deref().unwrap_or("no reason was recorded");
    match hypothesis.verdict.name.as_str() {
        "refuted" => {
            let seen = hypothesis.terms.iter().filter(|term| term.held == Some(false)).map(observed);
            let seen = seen.collect::<Vec<String>>().join("; ");
            let text = format!("{id} is refuted — “{}”. {seen}.", hypothesis.text);
            let next = "Mend it, or write a lesson (`gameday lesson new`) and name it as the hypothesis's `known_gap`.";
            Some(finding(severity, Rule::Refuted, about, text, Some(next)))
        }
        "gap_closed" => {
            let lesson = hypothesis.known_gap.as_deref().unwrap_or("a lesson");
            let text = format!("{id} holds, although {lesson} says that it would not: the gap is closed.");
            let next =
                "Remove `known_gap` from the hypothesis; a lesson that was `mitigated` is verified by the run itself.";
            Some(finding("medium", Rule::GapClosed, about, text, Some(next)))
        }
        "inconclusive" => {
            let text = format!("{id} could not be judged: {why}.");
            Some(finding(
                "medium",
                Rule::Inconclusive,
                about,
                text,
                Some("Make the missing data available, then run again."),
            ))
        }
        "not_tested" => Some(finding("medium", Rule::NotTested, about, format!("{id} was not tested: {why}."), None)),
        _ => None,
    }
}

fn observed(term: &Term) -> String {
    match &term.observed {
        Some(observed) => format!("Expected `{}`, observed {observed}", term.term),
        None => format!("Expected `{}`", term.term),
    }
}

/// Whether the fault proxy counts how often it does such a fault: a connection that nobody takes is counted by nobody.
fn is_counted_by_the_proxy(kind: &str) -> bool {
    kind.starts_with("proxy_") && !matches!(kind, "proxy_down" | "proxy_refuse")
}

/// Whether the proxy of a fault told of traffic while the fault was in: only then is it known that it did nothing.
fn was_told_of(run: &Run<'_>, fault: &Fault) -> bool {
    let (Some(from_ms), to_ms) = (fault.applied_ms, fault.reverting_ms.unwrap_or(u64::MAX)) else { return false };
    run.events.iter().any(|event| match &event.kind {
        EventKind::ProxyRecorded(second) => {
            second.proxy.as_str() == fault.target && (from_ms..=to_ms).contains(&event.elapsed_ms)
        }
        _ => false,
    })
}

fn of_a_fault(run: &Run<'_>, fault: &Fault, findings: &mut Vec<Finding>) {
    let about = Some(fault.fault.as_str());
    let name = &fault.fault;
    if let Some(error) = fault.error.as_ref().filter(|_| fault.applied_ms.is_none()) {
        let text = format!("`{name}` could not be injected: {error}.");
        findings.push(finding("high", Rule::NotInjected, about, text, None));
    } else if fault.applied_ms.is_some() && fault.effective_ms.is_none() {
        let (kind, text, next) = if run.facts.proof_periods_ms.contains_key(name) {
            (
                Rule::NotEffective,
                format!("`{name}` was in place, but its effect was never proven: what was seen says nothing about it."),
                "Check that traffic reaches the target, and that `effect_if` asks for the right thing.",
            )
        } else if is_counted_by_the_proxy(&fault.kind) && was_told_of(run, fault) {
            let text = format!("`{name}` was in place, but the fault proxy never did it to a caller.");
            (Rule::Unproven, text, "Check that the traffic is what the fault's `match` is about.")
        } else if is_counted_by_the_proxy(&fault.kind) {
            let text =
                format!("Nothing shows that `{name}` did anything: its proxy told of no traffic while it was in.");
            (
                Rule::Unproven,
                text,
                "Check that traffic goes through the proxy; a Toxiproxy tells nothing: give it an `effect_if`.",
            )
        } else {
            let text = format!("`{name}` has no `effect_if`: nothing shows that it did anything.");
            (Rule::Unproven, text, "Give it an `effect_if`.")
        };
        findings.push(finding("medium", kind, about, text, Some(next)));
    }
    let lost = run.events.iter().find_map(|event| match &event.kind {
        EventKind::FaultLost { identity, why } if identity.step == fault.step => Some((event.elapsed_ms, why)),
        _ => None,
    });
    if let Some((lost_ms, why)) = lost {
        let since = duration(lost_ms.saturating_sub(fault.applied_ms.unwrap_or(lost_ms)));
        let text = format!("`{name}` was lost {since} after it was put in place: {why}.");
        let next = "Agree with those who share the proxy, and run again.";
        findings.push(finding("medium", Rule::Lost, about, text, Some(next)));
    }
    let response = &fault.response;
    match (response.detected_by.as_deref(), &response.time_to_detect) {
        (Some("nobody"), Metric::Censored { after_ms, .. }) => {
            let text = format!("Nobody noticed `{name}` in {}.", duration(*after_ms));
            let next = "Ask which signal could have told, and whether an alarm looks at it.";
            // Who ends a run before its time leaves nobody the time to notice.
            let ended_by_guardrail = matches!(run.state.abort, Some(AbortCause::Guardrail { .. }));
            let severity = if run.state.was_cut_short() && !ended_by_guardrail { "low" } else { "high" };
            findings.push(finding(severity, Rule::Unnoticed, about, text, Some(next)));
        }
        (Some("inject" | "hint"), metric) => {
            let text = format!("`{name}` was noticed only after somebody was told ({}).", metric.detail());
            findings.push(finding("medium", Rule::NoticedLate, about, text, Some("Ask what would have told earlier.")));
        }
        _ => {}
    }
}

fn of_a_step(step: &Step) -> Option<Finding> {
    let must = if step.must { "a step that must be done" } else { "a step" };
    let severity = if step.must { "medium" } else { "low" };
    let about = Some(step.step.as_str());
    let left_open = step.outcome == "left_open";
    if step.overdue {
        let late = step.late_ms.map(|late_ms| format!(" by {}", duration(late_ms))).unwrap_or_default();
        let end = if left_open { ", and was still open at the end" } else { "" };
        let text = format!("`{}`, {must}, was overdue{late}{end}: “{}”.", step.step, step.text);
        Some(finding(
            severity,
            Rule::Overdue,
            about,
            text,
            Some("Ask what stood in the way, and whether its time is right."),
        ))
    } else if step.must && step.outcome == "skipped" {
        let why = step.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let text = format!("`{}`, {must}, was skipped{why}.", step.step);
        Some(finding(severity, Rule::Skipped, about, text, Some("Ask whether it belongs into the playbook.")))
    } else if left_open && step.must {
        let text = format!("`{}`, {must}, was still open at the end: “{}”.", step.step, step.text);
        Some(finding(severity, Rule::LeftOpen, about, text, None))
    } else {
        None
    }
}

fn of_rehearsal(report: &Report, findings: &mut Vec<Finding>) {
    let rehearsed: usize = report.playbooks.iter().map(|playbook| playbook.rehearsed_count).sum();
    if rehearsed > 0 {
        let text =
            format!("{} answered by `--yes`: this was a rehearsal.", plural(rehearsed, "step was", "steps were"));
        findings.push(finding("low", Rule::Rehearsed, None, text, None));
    }
}

fn of_a_load(load: &Load, findings: &mut Vec<Finding>) {
    let (name, about) = (&load.load, Some(load.load.as_str()));
    if let Some(why) = &load.lost {
        let text = format!("Load `{name}` was lost: {why}. What came after it was seen without this load.");
        findings.push(finding("high", Rule::LoadLost, about, text, None));
    }
    if let Some(achieved) = load.achieved_ratio.filter(|achieved| *achieved < ACHIEVED_RATIO_MIN) {
        let text = format!(
            "Load `{name}` sent {} of the arrivals that it was asked for ({} in all).",
            percent(achieved),
            requested(load.request_count)
        );
        findings.push(finding(
            "low",
            Rule::LoadShort,
            about,
            text,
            Some("Answers took so long that as many users as may be were under way; raise `in_flight_max` if more should be."),
        ));
    }
    if load.doubtful_seconds > 0 {
        let reasons: Vec<String> = load.doubts.iter().map(doubt_text).collect();
        let seconds = usize::try_from(load.doubtful_seconds).unwrap_or(usize::MAX);
        let text = format!(
            "{} of load `{name}` may tell of the machine that made it, not of the server: {}. Verdicts that rest on them are \
             inconclusive.",
            plural(seconds, "second", "seconds"),
            reasons.join(", ")
        );
        findings.push(finding(
            "medium",
            Rule::LoadDoubtful,
            about,
            text,
            Some("Give the load a machine with more CPU, or less to do."),
        ));
    }
    if load.missing_seconds > 0 {
        let seconds = usize::try_from(load.missing_seconds).unwrap_or(usize::MAX);
        let text = format!("Load `{name}` has no record of {}.", plural(seconds, "second", "seconds"));
        findings.push(finding("low", Rule::LoadGap, about, text, None));
    }
}

fn doubt_text(doubt: &DoubtCount) -> String {
    let what = match doubt.doubt.as_str() {
        "late" => "requests were sent too late",
        "not_sent" => "requests were not sent",
        "cpu" => "it had hardly any CPU left",
        "exhausted" => "it had no port or descriptor left",
        other => other,
    };
    format!("{what} (in {})", doubt.seconds)
}

fn of_guardrails(report: &Report, findings: &mut Vec<Finding>) {
    for guardrail in &report.guardrails {
        let about = Some(guardrail.id.as_str());
        let observed = guardrail.observed.as_deref().unwrap_or("nothing was recorded");
        match guardrail.state.as_str() {
            "tripped" => {
                let text = format!("Guardrail {} ended the run: {observed}.", guardrail.id);
                findings.push(finding("high", Rule::GuardrailTripped, about, text, None));
            }
            "warned" => {
                let times = plural(guardrail.warning_count, "time", "times");
                let text = format!("Guardrail {} warned {times}: {observed}.", guardrail.id);
                findings.push(finding("low", Rule::GuardrailWarned, about, text, None));
            }
            _ => {}
        }
    }
}
