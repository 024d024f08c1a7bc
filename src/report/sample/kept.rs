//! What the folder of the sample run keeps of its workspace.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::action::Record as Action;
use crate::debrief::Record;
use crate::document::SourceFile;
use crate::event::Prediction;
use crate::lesson::{Retested, Status, check};
use crate::report::compare::{
    AlarmFigure, FaultFigure, Figures, HypothesisFigure, LoadFigure, ResponseFigure, TermFigure,
};
use crate::report::kept::Kept;
use crate::report::metric::Metric;
use crate::report::model::{LoadWindow, Numbers, Provenance, Quantile, Why};

const WORKLOAD: &str = r##"
gameday: 1
purpose: Sell things; take the money; ship them.
stakeholders:
  - {name: Shoppers, wants: "an order that is never lost"}
  - {name: Finance, internal: true}
teams:
  team-payments: {contact: "#payments", members: [maria]}
components:
  checkout: {owner: team-payments, value: "all revenue passes here", priority: 1, risks: [RISK-012]}
  payments: {owner: team-payments, lambda: {function: payments-fn}, change: {how: pipeline, approver: maria}}
risks:
  RISK-012: {component: checkout, text: "provider slow at campaign peak", likelihood: 3, impact: 5}
kpis:
  system: [{name: orders a minute, target: ">= 40"}]
  team: [{name: time to detect, target: "<= 1s"}, {name: time to recover, target: "<= 15m"}]
"##;

const LESSON: &str = "---\nid: L-2026-004\ntitle: The alarm is slower than the customer\nstatus: mitigated\nseverity: high\n\
    components: [payments]\nregression: checkout-payment-slow#H1\nowner: team-payments\ncreated: 2026-03-10\n\
    retest_by: 2026-12-31\n---\nIt was.\n";
const OTHER_LESSON: &str = "---\nid: L-2026-005\ntitle: Nobody knew the provider's page\ncomponents: [checkout]\n\
    regression: checkout-payment-slow#H2\ncreated: 2026-03-11\n---\nIt was so.\n";

pub(super) fn kept() -> Kept {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("workload.yaml");
    std::fs::write(&path, WORKLOAD).unwrap();
    let lesson = |name: &str, text: &str| check(&Arc::new(SourceFile::new(name, text)), Path::new(name)).unwrap();
    Kept {
        predictions: predictions(),
        workload: Some(crate::workspace::read_workload(&path)),
        lessons: vec![lesson("L-2026-004.md", LESSON), lesson("L-2026-005.md", OTHER_LESSON)],
        actions: vec![action()],
        retests: vec![Retested {
            lesson: "L-2026-004".parse().unwrap(),
            before: Status::Mitigated,
            after: Status::Regressed,
            note: "lesson L-2026-004 was mitigated and is regressed now".to_owned(),
        }],
        previous: Some(previous()),
        debrief: Some(Ok(record())),
        unread: Vec::new(),
    }
}

/// One that can be read, and one that somebody changed.
fn predictions() -> BTreeMap<String, Result<Prediction, String>> {
    let said = Prediction {
        hypothesis: "H1".parse().unwrap(),
        holds: false,
        note: Some("the queue is too short".to_owned()),
        by: Some("maria".to_owned()),
    };
    let changed = "the prediction `bbbb` was changed after it was sealed: its digest is another one now".to_owned();
    BTreeMap::from([("aaaa".to_owned(), Ok(said)), ("bbbb".to_owned(), Err(changed))])
}

fn action() -> Action {
    let text = "id: A-2026-031\ntext: Shorten the period of the payment alarm to 60 seconds\ntype: detect\nowner: team-payments\n\
        due: 2026-12-15\nfound_in: 2026-11-10-100000-checkout-payment-slow\ntracker: https://example.com/issues/31\n\
        retest: checkout-payment-slow#H1\n";
    serde_yaml::from_str(text).unwrap()
}

fn record() -> Record {
    let questions = ["What did you see first?", "How did you know?"].map(ToOwned::to_owned);
    let mut record = Record::of("2026-11-10-100000-checkout-payment-slow".parse().unwrap(), &questions);
    record.held_on = Some("2026-11-13".parse().unwrap());
    record.minutes = Some(45);
    record.present = ["maria", "joonas"].map(ToOwned::to_owned).to_vec();
    record.summary = Some("Orders were lost again, and the board told before the alarm did.".to_owned());
    record.answers[0].answers.push("The share of failures on the board.".to_owned());
    for (key, text) in [
        ("surprises", "The alarm looks at five minutes."),
        ("went_well", "The playbook's first step was right."),
        ("lucky", "It was not a campaign day."),
        ("confused", "Two boards show different percentiles."),
        ("factors", "The alarm's window is longer than a customer waits."),
        ("open_questions", "What does the provider promise?"),
    ] {
        record.list_mut(key).unwrap().push(text.to_owned());
    }
    record.lessons.push("L-2026-005".parse().unwrap());
    record.actions.push("A-2026-031".parse().unwrap());
    record.predictions_revealed = true;
    record
}

/// The run a week before: it upheld what this one refutes, and detected the fault later.
fn previous() -> Figures {
    let hypothesis = |id: &str, verdict: &str| HypothesisFigure {
        id: id.to_owned(),
        text: "Customers can still order; slow payments are queued, not lost".to_owned(),
        verdict: verdict.to_owned(),
        terms: vec![TermFigure {
            term: "mean(checkout_ok) >= 99% during slow".to_owned(),
            observed: Some("99.4 %".to_owned()),
        }],
    };
    let detect = Metric::Measured { ms: 60_000, uncertainty_ms: 1_000, source: "mark detected".to_owned() };
    let window = LoadWindow {
        kind: "phase".to_owned(),
        name: Some("slow".to_owned()),
        start_ms: Some(27_000),
        end_ms: Some(57_000),
        seconds: 30,
        missing_seconds: 0,
        doubtful_seconds: 0,
        note: None,
        asked: Some(40.0),
        begun_per_second: Some(40.0),
        numbers: Numbers { count: Some(1_200), p50_ms: Some(24.0), p99_ms: Some(120.0), ..Numbers::default() },
        quantiles: vec![Quantile { share: 0.5, ms: 24.0 }, Quantile { share: 0.99, ms: 120.0 }],
    };
    Figures {
        run: "2026-11-03-100000-checkout-payment-slow".to_owned(),
        scenario: "checkout-payment-slow".to_owned(),
        scenario_sha256: "ef".repeat(32),
        environment: "sandbox".to_owned(),
        started_at: "2026-11-03T10:00:00.250Z".parse().unwrap(),
        version: "0.1.0".to_owned(),
        result: "passed".to_owned(),
        is_rehearsal: false,
        hypotheses: vec![hypothesis("H1", "upheld"), hypothesis("H9", "upheld")],
        faults: vec![FaultFigure {
            fault: "slow-provider".to_owned(),
            responses: vec![ResponseFigure { response: "time_to_detect".to_owned(), time: detect }],
        }],
        alarms: vec![AlarmFigure { alarm: "payments-p99-high".to_owned(), outcome: "silent".to_owned() }],
        loads: vec![LoadFigure { load: "shoppers".to_owned(), windows: vec![window] }],
    }
}

pub(super) fn why() -> Why {
    let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<String>>();
    Why {
        text: Some("The December campaign triples traffic. In March the provider answered in 4 s for 20 minutes and 312 orders were lost. We believe that the new queue fixed it. Nobody has seen it work.".to_owned()),
        tags: texts(&["lambda", "latency", "campaign"]),
        components: ["checkout", "payments"].map(crate::report::build::named_component).to_vec(),
        ops: texts(&["OPS4", "OPS7", "OPS8"]),
        risks: vec![crate::report::build::named_risk("RISK-012")],
        retests: vec![crate::report::build::named_lesson("L-2026-004")],
        ..Why::default()
    }
}

/// As of an account in which alarms were read.
pub(super) fn provenance_of(file: &str) -> Provenance {
    let moment = |text: &str| Some(text.parse().unwrap());
    match file {
        "run.ndjson" => Provenance {
            source: "the run's own record of events".to_owned(),
            query: Some("cloudwatch:DescribeAlarms of payments-p99-high".to_owned()),
            from: moment("2026-11-10T10:00:00.250Z"),
            to: moment("2026-11-10T10:01:34.250Z"),
            resolution_ms: None,
            expires_on: Some("2026-11-24".parse().unwrap()),
        },
        "evidence/load-shoppers.ndjson" => Provenance {
            source: "the load worker of `shoppers`: a frame a second".to_owned(),
            from: moment("2026-11-10T10:00:07.250Z"),
            to: moment("2026-11-10T10:01:31.250Z"),
            resolution_ms: Some(1_000),
            ..Provenance::default()
        },
        _ => Provenance::default(),
    }
}
