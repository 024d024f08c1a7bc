//! The run as a Chaos Toolkit journal (chaoslib 1.x), so that what reads one reads this: its status, whether the steady state deviated, each
//! injection and each undo. A journal has no people, no alarms and no load: these stand in an extension.

use serde_json::{Value, json};

use super::model::{Fault, Gate, Hypothesis, Report};

/// The report as a Chaos Toolkit journal.
#[must_use]
pub fn journal(report: &Report) -> String {
    let header = &report.header;
    let deviated = report.hypotheses.iter().any(|hypothesis| hypothesis.verdict.holds() == Some(false));
    let value = json!({
        "chaoslib-version": "1.0.0",
        "platform": "gameday",
        "node": header.environment.name,
        "experiment": experiment(report),
        "start": moment(header.started_at),
        "end": moment(header.ended_at),
        "duration": seconds(header.duration_ms),
        "status": status(report),
        "deviated": deviated,
        "steady_states": {
            "before": report.gates.first().map(|gate| before(gate, report)),
            "after": after(report),
            "during": [],
        },
        "run": report.faults.iter().map(|fault| injection(fault, report)).collect::<Vec<_>>(),
        "rollbacks": report.faults.iter().filter_map(|fault| rollback(fault, report)).collect::<Vec<_>>(),
    });
    let mut text = serde_json::to_string_pretty(&value).expect("invariant: our own values serialise to JSON");
    text.push('\n');
    text
}

/// chaoslib's words: a run that came to its end is `completed`, whatever it found (that is `deviated`); an end by a person or a
/// guardrail is `interrupted`.
fn status(report: &Report) -> &'static str {
    match report.header.outcome.result.as_str() {
        "passed" | "refuted" | "inconclusive" => "completed",
        "aborted" => "interrupted",
        "not_ready" => "aborted",
        _ => "failed",
    }
}

fn experiment(report: &Report) -> Value {
    let header = &report.header;
    let probes: Vec<Value> = report.hypotheses.iter().map(probe).collect();
    let why = report.why.as_ref().and_then(|why| why.text.clone());
    json!({
        "title": header.title,
        "description": why.unwrap_or_else(|| header.title.clone()),
        "tags": report.why.as_ref().map(|why| why.tags.clone()).unwrap_or_default(),
        "steady-state-hypothesis": {"title": header.title, "probes": probes},
        "method": report.faults.iter().map(|fault| activity("action", &fault.fault, fault)).collect::<Vec<_>>(),
        "rollbacks": report.faults.iter().map(|fault| activity("action", &format!("undo {}", fault.fault), fault)).collect::<Vec<_>>(),
        "extensions": [{"name": "gameday", "run": header.run, "scenario": header.scenario, "environment": header.environment.name}],
    })
}

fn probe(hypothesis: &Hypothesis) -> Value {
    json!({
        "type": "probe",
        "name": format!("{}: {}", hypothesis.id, hypothesis.text),
        "tolerance": true,
        "provider": {"type": "process", "path": "gameday", "arguments": hypothesis.expected},
    })
}

fn activity(kind: &str, name: &str, fault: &Fault) -> Value {
    json!({
        "type": kind,
        "name": name,
        "provider": {"type": "process", "path": "gameday", "arguments": format!("{} on {}", fault.kind, fault.target)},
    })
}

fn seconds(millis: u64) -> f64 {
    super::number::float(millis) / 1_000.0
}

fn moment(at: chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

fn at_ms(report: &Report, millis: u64) -> String {
    moment(report.header.started_at + std::time::Duration::from_millis(millis))
}

fn before(gate: &Gate, report: &Report) -> Value {
    let probes = gate.results.iter().map(|result| {
        json!({
            "activity": {"type": "probe", "name": result.id},
            "output": result.terms.iter().map(|term| term.observed.clone()).collect::<Vec<_>>(),
            "status": "succeeded",
            "tolerance_met": result.verdict.name == "upheld",
            "start": at_ms(report, gate.at_ms),
            "end": at_ms(report, gate.at_ms),
            "duration": 0.0,
        })
    });
    json!({"steady_state_met": gate.open, "probes": probes.collect::<Vec<_>>()})
}

/// None where nothing was asked: what nobody looked at was not met.
fn after(report: &Report) -> Option<Value> {
    if report.hypotheses.is_empty() {
        return None;
    }
    let end = moment(report.header.ended_at);
    let probes = report.hypotheses.iter().map(|hypothesis| {
        let holds = hypothesis.verdict.holds();
        json!({
            "activity": probe(hypothesis),
            "output": hypothesis.terms.iter().map(|term| term.observed.clone()).collect::<Vec<_>>(),
            // Unknown is never a pass.
            "status": if holds.is_some() { "succeeded" } else { "failed" },
            "tolerance_met": holds == Some(true),
            "start": end,
            "end": end,
            "duration": 0.0,
        })
    });
    let met = report.hypotheses.iter().all(|hypothesis| hypothesis.verdict.holds() == Some(true));
    Some(json!({"steady_state_met": met, "probes": probes.collect::<Vec<_>>()}))
}

fn injection(fault: &Fault, report: &Report) -> Value {
    let end_ms = fault.applied_ms.unwrap_or(fault.requested_ms);
    json!({
        "activity": activity("action", &fault.fault, fault),
        "output": fault.change,
        "status": if fault.applied_ms.is_some() { "succeeded" } else { "failed" },
        "exception": fault.error,
        "start": at_ms(report, fault.requested_ms),
        "end": at_ms(report, end_ms),
        "duration": seconds(end_ms.saturating_sub(fault.requested_ms)),
    })
}

fn rollback(fault: &Fault, report: &Report) -> Option<Value> {
    let start_ms = fault.reverting_ms?;
    let end_ms = fault.ended_ms.unwrap_or(start_ms);
    Some(json!({
        "activity": activity("action", &format!("undo {}", fault.fault), fault),
        "output": fault.undo,
        "status": if fault.state == "restored" { "succeeded" } else { "failed" },
        "start": at_ms(report, start_ms),
        "end": at_ms(report, end_ms),
        "duration": seconds(end_ms.saturating_sub(start_ms)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_journal_tells_what_was_injected_what_was_undone_and_that_the_steady_state_deviated() {
        let report = Report::from_facts(&sample::script().events(), &sample::facts(), &sample::evidence());
        let value: Value = serde_json::from_str(&journal(&report)).unwrap();
        assert_eq!((value["status"].as_str(), value["deviated"].as_bool()), (Some("completed"), Some(true)));
        assert_eq!(value["run"].as_array().unwrap().len(), report.faults.len());
        assert_eq!(value["rollbacks"].as_array().unwrap().len(), report.faults.len());
        assert_eq!(value["steady_states"]["after"]["steady_state_met"], false);
        let unknown = value["steady_states"]["after"]["probes"].as_array().unwrap();
        let unknown =
            unknown.iter().find(|probe| probe["activity"]["name"].as_str().unwrap().starts_with("H4")).unwrap();
        assert_eq!((&unknown["status"], &unknown["tolerance_met"]), (&json!("failed"), &json!(false)));
    }
}
