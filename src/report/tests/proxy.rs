//! What is said of faults on a proxy: what it told, what nobody knows, and what could not be read back.

use super::report_of;
use crate::event::{EventKind, FaultEnd, FaultIdentity};
use crate::report::sample::{self, Script};
use crate::report::{Facts, Report};

fn slow() -> FaultIdentity {
    sample::identity("001", "slow-provider")
}

/// The sample with another story of its slow provider: each event, or what stands in its place.
fn retold(tell: impl Fn(EventKind) -> Option<EventKind>) -> Script {
    let mut script = Script::default();
    for event in sample::script().events() {
        if let Some(kind) = tell(event.kind) {
            script.at(event.elapsed_ms, kind);
        }
    }
    script
}

/// The slow provider has no `effect_if`.
fn without_proof() -> Facts {
    let mut facts = sample::facts();
    facts.proof_periods_ms.remove("slow-provider");
    facts
}

fn is_proof(kind: &EventKind) -> bool {
    matches!(kind, EventKind::FaultEffective { identity, .. } if *identity == slow())
}

#[track_caller]
fn said(report: &Report, kind: &str) -> String {
    let mut found = report.findings.iter().filter(|finding| finding.kind == kind);
    found.find(|finding| finding.text.contains("slow-provider")).expect(kind).text.clone()
}

#[test]
fn what_a_proxy_told_of_is_known_to_have_done_nothing_and_of_another_nothing_is_known() {
    let told = report_of(&retold(|kind| (!is_proof(&kind)).then_some(kind)), &without_proof());
    assert!(said(&told, "unproven").contains("never did it to a caller"), "{}", said(&told, "unproven"));
    let is_silent = |kind: &EventKind| is_proof(kind) || matches!(kind, EventKind::ProxyRecorded(_));
    let untold = report_of(&retold(|kind| (!is_silent(&kind)).then_some(kind)), &without_proof());
    assert!(said(&untold, "unproven").contains("told of no traffic"), "{}", said(&untold, "unproven"));
}

#[test]
fn an_undo_that_nobody_could_read_back_is_not_said_to_have_been() {
    let expired = |kind: EventKind| match kind {
        EventKind::FaultRestored { identity, .. } if identity == slow() => {
            Some(EventKind::FaultRestored { identity, how: FaultEnd::Expired })
        }
        other => Some(other),
    };
    let report = report_of(&retold(expired), &sample::facts());
    assert!(report.summary.join(" ").contains("not all of it could be read back"), "{:?}", report.summary);
    assert!(report.safety.text.contains("1 of them was not read back"), "{}", report.safety.text);
}

#[test]
fn a_fault_that_was_lost_is_told_with_when_and_why() {
    let mut script = sample::script();
    let why = "somebody took it away".to_owned();
    script.at(33_000, EventKind::FaultLost { identity: slow(), why });
    let report = report_of(&script, &sample::facts());
    let text = said(&report, "lost");
    assert!(text.starts_with("`slow-provider` was lost ") && text.ends_with(": somebody took it away."), "{text}");
    crate::report::html(&report, None).unwrap();
    crate::report::markdown(&report, None).unwrap();
}
