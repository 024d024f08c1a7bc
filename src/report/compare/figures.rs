//! What of a run is held against another one.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::metric::Metric;
use crate::report::model::{Fault, Hypothesis, LoadWindow, Report};
use crate::report::window::numbered;

/// The times of detection and response that runs are held against each other by, by key and in words.
pub const RESPONSES: [(&str, &str); 7] = [
    ("injection_lag", "injection lag"),
    ("time_to_detect", "time to detect"),
    ("time_to_acknowledge", "time to acknowledge"),
    ("time_to_identify", "time to identify"),
    ("time_to_mitigate", "time to mitigate"),
    ("time_to_recover", "time to recover"),
    ("clear_lag", "clear lag"),
];

/// What of a run is held against another one; also the form of `previous.json` in a run's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// The run.
    pub run: String,
    /// Its scenario.
    pub scenario: String,
    /// SHA-256 of the scenario's file.
    pub scenario_sha256: String,
    /// The environment's name.
    pub environment: String,
    /// Its first event.
    pub started_at: DateTime<Utc>,
    /// The program's version.
    pub version: String,
    /// How it ended: `passed`, `refuted`, `aborted`, …
    pub result: String,
    /// Whether steps were answered by `--yes`.
    pub is_rehearsal: bool,
    /// What was believed.
    pub hypotheses: Vec<HypothesisFigure>,
    /// What was injected.
    pub faults: Vec<FaultFigure>,
    /// What the alarms did.
    pub alarms: Vec<AlarmFigure>,
    /// What the loads met.
    pub loads: Vec<LoadFigure>,
}

/// A hypothesis of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HypothesisFigure {
    /// Its id.
    pub id: String,
    /// In words.
    pub text: String,
    /// The verdict.
    pub verdict: String,
    /// What was seen of each term.
    pub terms: Vec<TermFigure>,
}

/// A term of a hypothesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TermFigure {
    /// As it was written.
    pub term: String,
    /// What was observed; none where nothing was.
    pub observed: Option<String>,
}

/// A fault of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FaultFigure {
    /// Its name; `NAME (2)` where it was injected for the second time.
    pub fault: String,
    /// Its times, in the order of [`RESPONSES`].
    pub responses: Vec<ResponseFigure>,
}

/// A time of detection or response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResponseFigure {
    /// Its key: `time_to_detect`.
    pub response: String,
    /// The time.
    pub time: Metric,
}

/// An alarm of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlarmFigure {
    /// Its name.
    pub alarm: String,
    /// `fired`, `silent`, `unexpected`, `quiet` or `unknown`.
    pub outcome: String,
}

/// A load of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadFigure {
    /// Its name.
    pub load: String,
    /// Its windows.
    pub windows: Vec<LoadWindow>,
}

impl Figures {
    /// The figures of a run, from its report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let header = &report.header;
        Self {
            run: header.run.clone(),
            scenario: header.scenario.clone(),
            scenario_sha256: header.scenario_sha256.clone(),
            environment: header.environment.name.clone(),
            started_at: header.started_at,
            version: header.version.clone(),
            result: header.outcome.result.clone(),
            is_rehearsal: report.playbooks.iter().any(|playbook| playbook.rehearsed_count > 0),
            hypotheses: report.hypotheses.iter().map(hypothesis).collect(),
            faults: faults(&report.faults),
            alarms: report
                .alarms
                .iter()
                .map(|alarm| AlarmFigure { alarm: alarm.alarm.clone(), outcome: alarm.outcome.clone() })
                .collect(),
            loads: report
                .loads
                .iter()
                .map(|load| LoadFigure { load: load.load.clone(), windows: load.windows.clone() })
                .collect(),
        }
    }

    /// Whether it came to its end, and was not cut short.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.result.as_str(), "passed" | "refuted" | "inconclusive")
    }

    /// A time of a fault; none where the run did not have that fault.
    #[must_use]
    pub fn response(&self, fault: &str, response: &str) -> Option<&Metric> {
        let fault = self.faults.iter().find(|figure| figure.fault == fault)?;
        fault.responses.iter().find(|figure| figure.response == response).map(|figure| &figure.time)
    }
}

/// Those that were injected; of a fault that was injected more than once, the second is `NAME (2)`.
fn faults(faults: &[Fault]) -> Vec<FaultFigure> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let injected = faults.iter().filter(|fault| fault.applied_ms.is_some());
    let numbered = injected.map(|known| {
        let count = counts.entry(&known.fault).or_default();
        *count += 1;
        FaultFigure { fault: numbered(&known.fault, *count), ..fault(known) }
    });
    numbered.collect()
}

fn hypothesis(hypothesis: &Hypothesis) -> HypothesisFigure {
    let terms = hypothesis.terms.iter();
    HypothesisFigure {
        id: hypothesis.id.clone(),
        text: hypothesis.text.clone(),
        verdict: hypothesis.verdict.name.clone(),
        terms: terms.map(|term| TermFigure { term: term.term.clone(), observed: term.observed.clone() }).collect(),
    }
}

fn fault(fault: &Fault) -> FaultFigure {
    let times = &fault.response;
    let responses = [
        &times.injection_lag,
        &times.time_to_detect,
        &times.time_to_acknowledge,
        &times.time_to_identify,
        &times.time_to_mitigate,
        &times.time_to_recover,
        &times.clear_lag,
    ];
    FaultFigure {
        fault: fault.fault.clone(),
        responses: RESPONSES
            .iter()
            .zip(responses)
            .map(|((key, _), time)| ResponseFigure { response: (*key).to_owned(), time: time.clone() })
            .collect(),
    }
}
