//! The results for other programs: JUnit XML, a test case a check; and SARIF 2.1.0 (OASIS), a finding for each that is not as it should be.
//!
//! | result | JUnit | SARIF |
//! | --- | --- | --- |
//! | pass | passed | none |
//! | fail | failure | a must is an `error`, any other a `warning` |
//! | unknown | error: it is no pass | a must is an `error`, any other a `note` |
//! | warn | passed, with the reason in `system-out` | `note` |
//! | waived | skipped, with the reason | `note`, suppressed with the reason |

use quick_junit::{NonSuccessKind, SerializeError, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use super::check::{QUESTIONS, Severity};
use super::judge::{CheckResult, Readiness};
use super::outcome::Outcome;
use crate::unit::printable;

/// The results as JUnit XML: a test suite for each question.
///
/// # Errors
/// The XML writer failed.
pub fn junit(name: &str, readiness: &Readiness) -> Result<String, SerializeError> {
    let mut xml = quick_junit::Report::new(name);
    xml.set_timestamp(readiness.at);
    for question in QUESTIONS {
        let checks = readiness.checks.iter().filter(|check| check.question == question);
        let cases: Vec<TestCase> = checks.map(|check| case(name, check)).collect();
        if !cases.is_empty() {
            let mut suite = TestSuite::new(question);
            suite.add_test_cases(cases);
            xml.add_test_suite(suite);
        }
    }
    xml.to_string()
}

fn case(name: &str, check: &CheckResult) -> TestCase {
    let why = printable(&check.why.clone().unwrap_or_default());
    let failed = |kind| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(check.result).set_message(why.clone()).set_description(check.remedy.unwrap_or_default());
        status
    };
    let status = match &check.outcome {
        Outcome::Pass | Outcome::Warn(_) => TestCaseStatus::success(),
        Outcome::Fail(_) => failed(NonSuccessKind::Failure),
        Outcome::Unknown(_) => failed(NonSuccessKind::Error),
        Outcome::Waived { .. } => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(why.clone());
            status
        }
    };
    let mut case = TestCase::new(format!("{} {}", check.id, check.title), status);
    case.set_classname(format!("{name}.{}", check.question));
    if let Outcome::Warn(_) = check.outcome {
        case.set_system_out(why);
    }
    case
}

/// The results as a SARIF log; each is about the scenario's file, `uri` from where the look was started.
#[must_use]
pub fn sarif(uri: &str, readiness: &Readiness) -> Value {
    let told: Vec<&CheckResult> =
        readiness.checks.iter().filter(|check| !matches!(check.outcome, Outcome::Pass)).collect();
    let rule = |check: &&CheckResult| {
        json!({
            "id": check.id,
            "shortDescription": {"text": check.title},
            "help": {"text": super::check::Check::of(check.id).map(|it| it.remedy)},
            "properties": {"severity": check.severity, "question": check.question},
        })
    };
    let finding = |(index, check): (usize, &&CheckResult)| {
        let mut finding = json!({
            "ruleId": check.id,
            "ruleIndex": index,
            "level": level(check),
            "message": {"text": format!("{}: {}", check.result, check.why.as_deref().unwrap_or(check.title))},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}}}],
            "properties": {"result": check.result},
        });
        if let Outcome::Waived { reason, by, .. } = &check.outcome {
            finding["suppressions"] = json!([{"kind": "external", "justification": format!("{reason} ({by})")}]);
        }
        finding
    };
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "gameday readiness",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": told.iter().map(rule).collect::<Vec<_>>(),
            }},
            "results": told.iter().enumerate().map(finding).collect::<Vec<_>>(),
        }],
    })
}

fn level(check: &CheckResult) -> &'static str {
    match (&check.outcome, check.severity) {
        (Outcome::Fail(_) | Outcome::Unknown(_), Severity::Must) => "error",
        (Outcome::Fail(_), Severity::Should | Severity::Info) => "warning",
        (Outcome::Unknown(_), Severity::Should | Severity::Info)
        | (Outcome::Warn(_) | Outcome::Waived { .. } | Outcome::Pass, _) => "note",
    }
}
