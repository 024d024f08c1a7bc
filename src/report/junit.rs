//! JUnit XML, which every CI shows: two test cases for the run itself, and one for each hypothesis, gate and guardrail.
//!
//! | what | test case |
//! | --- | --- |
//! | the run's outcome: passed, or refuted (which hypotheses tell by themselves) | passed |
//! | any other outcome, a crash included | error |
//! | everything is undone; nothing was changed | passed |
//! | something was left behind | failure |
//! | upheld; gap holds (the lesson stands in `system-out`); gate open; guardrail quiet or warned | passed |
//! | refuted; gap closed; gate shut; guardrail tripped | failure |
//! | an expected alarm that fired | passed |
//! | inconclusive | error: the data does not tell, which is no pass |
//! | not tested, not judged; an expected alarm that kept silent, or of which that is not known | skipped |
//!
//! What is expected of alarms decides no exit code, so a silent one fails no test case either: a hypothesis with `detect()` does.

use quick_junit::{NonSuccessKind, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::model::{Alarm, Gate, Guardrail, Hypothesis, Report, Term};
use super::text::printable;

/// The report as JUnit XML.
///
/// # Errors
/// The XML writer failed.
pub fn junit(report: &Report) -> Result<String, SerializeError> {
    let mut xml = quick_junit::Report::new(report.header.run.as_str());
    xml.set_timestamp(report.header.started_at).set_time(std::time::Duration::from_millis(report.header.duration_ms));
    let suites = [
        ("run", vec![outcome(report), undone(report)]),
        ("hypotheses", report.hypotheses.iter().map(hypothesis).collect::<Vec<TestCase>>()),
        ("gates", report.gates.iter().map(gate).collect()),
        ("guardrails", report.guardrails.iter().map(guardrail).collect()),
        ("alarms", report.alarms.iter().filter(|alarm| alarm.role == "expected").map(alarm).collect()),
    ];
    for (name, mut cases) in suites {
        if cases.is_empty() {
            continue;
        }
        let mut suite = TestSuite::new(name);
        suite.set_timestamp(report.header.started_at);
        for case in &mut cases {
            case.set_classname(format!("{}.{name}", report.header.scenario));
        }
        suite.add_test_cases(cases);
        xml.add_test_suite(suite);
    }
    // The writer drops control characters, but lets through others that are no XML, such as U+FFFE.
    Ok(xml.to_string()?.chars().map(printable).collect())
}

fn failed(kind: NonSuccessKind, name: &str, message: &str, description: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(name).set_message(message);
    if !description.is_empty() {
        status.set_description(description);
    }
    status
}

/// A run that was cut off or aborted has mostly skipped test cases, and must not look like one that passed.
fn outcome(report: &Report) -> TestCase {
    let outcome = &report.header.outcome;
    let status = match outcome.result.as_str() {
        "passed" | "refuted" => TestCaseStatus::success(),
        result => {
            let message = outcome.exit_meaning.as_ref().unwrap_or(&outcome.text);
            failed(NonSuccessKind::Error, result, message, &outcome.text)
        }
    };
    TestCase::new("outcome", status)
}

fn undone(report: &Report) -> TestCase {
    let safety = &report.safety;
    let left: Vec<String> =
        safety.residual.iter().cloned().chain(safety.by_hand.iter().map(ToString::to_string)).collect();
    let status = if safety.state == "dirty" || !safety.by_hand.is_empty() {
        failed(NonSuccessKind::Failure, "dirty", &safety.text, &left.join("\n"))
    } else {
        TestCaseStatus::success()
    };
    TestCase::new("everything is undone", status)
}

fn hypothesis(hypothesis: &Hypothesis) -> TestCase {
    let seen = seen(&hypothesis.terms);
    let verdict = hypothesis.verdict.name.as_str();
    let why = hypothesis.verdict.why.as_deref().unwrap_or_default();
    let lesson = hypothesis.known_gap.as_deref().unwrap_or("a lesson");
    let status = match verdict {
        "upheld" | "gap_holds" => TestCaseStatus::success(),
        "refuted" => failed(NonSuccessKind::Failure, verdict, &format!("refuted: {}", hypothesis.expected), &seen),
        "gap_closed" => {
            let message = format!("it holds, although {lesson} says that it would not: remove `known_gap`");
            failed(NonSuccessKind::Failure, verdict, &message, &seen)
        }
        "inconclusive" => failed(NonSuccessKind::Error, verdict, &format!("inconclusive: {why}"), &seen),
        _ => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("{}: {why}", verdict.replace('_', " ")));
            status
        }
    };
    let mut case = TestCase::new(format!("{}: {}", hypothesis.id, hypothesis.text), status);
    if verdict == "gap_holds" {
        case.set_system_out(format!("refuted as {lesson} says it would be: the gap holds\n{seen}"));
    } else if verdict == "upheld" && !seen.is_empty() {
        case.set_system_out(seen);
    }
    case
}

fn seen(terms: &[Term]) -> String {
    let lines = terms.iter().map(|term| {
        let held = match term.held {
            Some(true) => "held",
            Some(false) => "did not hold",
            None => "unknown",
        };
        let observed = term.observed.as_deref().or(term.missing.as_deref()).unwrap_or("nothing");
        format!("{}: {held}, observed {observed} (n = {})", term.term, term.sample_count)
    });
    lines.collect::<Vec<String>>().join("\n")
}

fn gate(gate: &Gate) -> TestCase {
    let lines =
        gate.results.iter().map(|result| format!("{} {}\n{}", result.id, result.verdict.name, seen(&result.terms)));
    let seen = lines.collect::<Vec<String>>().join("\n");
    let status = if gate.open {
        TestCaseStatus::success()
    } else {
        failed(NonSuccessKind::Failure, "gate_shut", "the gate stayed shut: nothing was injected after it", &seen)
    };
    TestCase::new(format!("gate of {}", gate.phase), status)
}

fn guardrail(guardrail: &Guardrail) -> TestCase {
    let observed = guardrail.observed.as_deref().unwrap_or_default();
    let tripped = guardrail.state == "tripped";
    let status = if tripped {
        failed(NonSuccessKind::Failure, "guardrail_tripped", &format!("tripped: {observed}"), &guardrail.rule)
    } else {
        TestCaseStatus::success()
    };
    let mut case = TestCase::new(format!("{}: {}", guardrail.id, guardrail.rule), status);
    if guardrail.state == "warned" {
        case.set_system_out(format!("warned {} times: {observed}", guardrail.warning_count));
    }
    case
}

fn alarm(alarm: &Alarm) -> TestCase {
    let why = alarm.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let status = if alarm.outcome == "fired" {
        TestCaseStatus::success()
    } else {
        let mut status = TestCaseStatus::skipped();
        status.set_message(format!("{}{why}", alarm.outcome));
        status
    };
    let mut case = TestCase::new(format!("alarm {}", alarm.alarm), status);
    if let Some(reason) = &alarm.reason {
        case.set_system_out(reason.as_str());
    }
    case
}
