//! What the plan of the sample run says.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::facts::{AlarmFacts, DetectionFacts, Facts, GuardrailFacts, HypothesisFacts, LoadUnit};
use crate::report::model::{Bound, BoundLane, Debrief, Environment, Participant};

pub(in crate::report) fn hypothesis(
    id: &str,
    severity: &str,
    text: &str,
    expected: &str,
    bound: Option<Bound>,
) -> HypothesisFacts {
    HypothesisFacts {
        id: id.to_owned(),
        text: text.to_owned(),
        expected: expected.to_owned(),
        severity: severity.to_owned(),
        known_gap: None,
        faults: Vec::new(),
        bounds: vec![bound],
        loads: vec!["shoppers".to_owned()],
    }
}

fn alarm_facts() -> AlarmFacts {
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<String>>();
    AlarmFacts {
        expected: texts(&["payments-p99-high", "orders-drop"]),
        tolerated: texts(&["checkout-5xx"]),
        watched: texts(&["payments-throttles"]),
        patterns: Vec::new(),
        bounds: vec![DetectionFacts {
            hypothesis: "H3".to_owned(),
            alarm: "payments-p99-high".to_owned(),
            bound_ms: 60_000,
        }],
        is_local: false,
    }
}

fn guardrail_facts() -> Vec<GuardrailFacts> {
    [
        ("G1", "mean(checkout_ok) < 50% for 20s", "abort"),
        ("G2", "mean(checkout_ok) < 92% for 10s", "warn"),
        ("G3", "the run lasts longer than 10m", "abort"),
    ]
    .map(|(id, rule, on_missing)| GuardrailFacts {
        id: id.to_owned(),
        rule: rule.to_owned(),
        on_missing: on_missing.to_owned(),
    })
    .to_vec()
}

pub(in crate::report) fn facts() -> Facts {
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<String>>();
    let latency = |value| {
        Some(Bound {
            condition: format!("p99(checkout_latency) <= {value}ms"),
            lane: BoundLane::Latency,
            value,
            forbids_above: true,
        })
    };
    let failures = Some(Bound {
        condition: "mean(checkout_ok) >= 99%".to_owned(),
        lane: BoundLane::Failures,
        value: 0.01,
        forbids_above: true,
    });
    let order = "Customers can still order; slow payments are queued, not lost";
    let h1 = hypothesis("H1", "high", order, "mean(checkout_ok) >= 99% during slow", failures);
    let h2 = "p99(checkout_latency) <= 1500ms during throttle";
    let h2 = hypothesis("H2", "medium", "A throttled payment function is not felt", h2, latency(1_500.0));
    let h3 = hypothesis(
        "H3",
        "high",
        "Nobody waits longer than usual",
        "p99(checkout_latency) <= 800ms during slow",
        latency(800.0),
    );
    let h4 = "sum(orders) >= 95% of baseline within 10m after slow";
    let h4 = hypothesis("H4", "high", "Orders come back after the fault", h4, None);
    Facts {
        scenario_sha256: "cd".repeat(32),
        owner: "team-payments".to_owned(),
        mode: "drill".to_owned(),
        why: Some(super::kept::why()),
        people: [("facilitator", "joonas", false), ("responder", "oncall-payments", true), ("scribe", "aiko", false)]
            .map(|(role, who, blind)| Participant { role: role.to_owned(), who: who.to_owned(), blind })
            .to_vec(),
        environment: Environment {
            name: "sandbox".to_owned(),
            kind: "sandbox".to_owned(),
            endpoint: None,
            account: None,
            region: None,
            caveat: Some(crate::report::facts::SANDBOX_CAVEAT.to_owned()),
        },
        functions: BTreeMap::from([("payments-fn".to_owned(), "payments-fn".to_owned())]),
        components: BTreeMap::new(),
        hypotheses: vec![
            HypothesisFacts { faults: texts(&["slow-provider"]), ..h1 },
            HypothesisFacts { faults: texts(&["throttle-payments"]), ..h2 },
            HypothesisFacts { faults: texts(&["slow-provider"]), known_gap: Some("L-2026-004".to_owned()), ..h3 },
            HypothesisFacts { loads: Vec::new(), ..h4 },
        ],
        guardrails: guardrail_facts(),
        alarms: Some(alarm_facts()),
        baseline: Some("baseline".to_owned()),
        phases: [("brief", 7_000), ("baseline", 20_000), ("slow", 30_000), ("observe", 8_000), ("throttle", 18_000)]
            .map(|(phase, planned_ms)| (phase.to_owned(), planned_ms))
            .into(),
        load_units: BTreeMap::from([
            ("shoppers".to_owned(), LoadUnit::PerSecond),
            ("support-staff".to_owned(), LoadUnit::Users),
        ]),
        steps: BTreeMap::from([("shoppers".to_owned(), BTreeSet::from(["checkout".to_owned()]))]),
        proof_periods_ms: ["slow-provider", "throttle-payments"].map(|fault| (fault.to_owned(), 1_000)).into(),
        covers: BTreeMap::new(),
        formats: crate::report::Format::ALL.to_vec(),
        redactions: Vec::new(),
        debrief: Debrief {
            hot_wash_ms: Some(900_000),
            review_after_ms: Some(259_200_000),
            review_length_ms: Some(3_600_000),
            questions: texts(&["What did you see first?", "How did you know?", "What surprised you?"]),
            held_ms: None,
            record: None,
            unread: None,
        },
        not_carried_out: texts(&["CloudWatch metrics are not read"]),
    }
}
