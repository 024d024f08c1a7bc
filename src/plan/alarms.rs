//! Which alarms a run reads: those that the scenario lists, and those that its expectations speak of.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Plan;
use crate::observe::SignalSpec;
use crate::scenario::Checked;
use crate::scenario::expect::{Condition, Expectation, Measure, Operator, Value};
use crate::unit::{AlarmName, HypothesisId};

/// The API calls that reading alarms needs.
pub const ALARM_CALLS: &[&str] = &["cloudwatch:DescribeAlarms"];

/// The API calls that reading what AWS has kept of alarms needs, when a run is over.
pub const ALARM_HISTORY_CALLS: &[&str] =
    &["cloudwatch:DescribeAlarmHistory", "cloudwatch:GetAlarmMuteRule", "cloudwatch:ListAlarmMuteRules"];

/// The API calls that reading metrics needs.
pub const METRIC_CALLS: &[&str] = &["cloudwatch:GetMetricData"];

/// The alarms of a run. None are read where a scenario has no key `alarms` and no expectation speaks of one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmPlan {
    /// They must fire.
    pub expected: Vec<AlarmName>,
    /// They may fire.
    pub tolerated: Vec<AlarmName>,
    /// Those whose detection is judged: `detect(NAME)`.
    pub detected: BTreeSet<AlarmName>,
    /// Those whose state is judged: `alarm(PATTERN) is STATE`. `*` stands for any text.
    pub patterns: BTreeSet<String>,
}

impl AlarmPlan {
    /// The alarms of a scenario.
    pub(super) fn of(checked: &Checked) -> Option<Self> {
        let listed = checked.scenario.alarms.as_ref();
        let mut plan = Self {
            expected: listed.map(|alarms| alarms.expected.clone()).unwrap_or_default(),
            tolerated: listed.map(|alarms| alarms.tolerated.clone()).unwrap_or_default(),
            ..Self::default()
        };
        super::refusal::all_expectations(checked).for_each(|expectation| plan.read(expectation));
        let is_asked = listed.is_some() || !plan.detected.is_empty() || !plan.patterns.is_empty();
        is_asked.then_some(plan)
    }

    fn read(&mut self, expectation: &Expectation) {
        for term in &expectation.terms {
            match &term.condition {
                Condition::Compare { measure: Measure::Detect(alarm), .. } => {
                    self.detected.insert(alarm.clone());
                }
                Condition::Alarm { pattern, .. } => {
                    self.patterns.insert(pattern.clone());
                }
                Condition::Compare {
                    measure: Measure::Signal { .. } | Measure::Ack | Measure::Steps { .. }, ..
                }
                | Condition::Mark(_) => {}
            }
        }
    }

    /// The names, without those that only fit a pattern.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names: BTreeSet<&str> =
            self.expected.iter().chain(&self.tolerated).chain(&self.detected).map(AlarmName::as_str).collect();
        let exact = self.patterns.iter().map(String::as_str).filter(|pattern| !pattern.contains('*'));
        names.into_iter().chain(exact).collect::<BTreeSet<&str>>().into_iter()
    }

    /// The patterns that may name several.
    pub fn globs(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().map(String::as_str).filter(|pattern| pattern.contains('*'))
    }

    /// Whether something is judged or expected of an alarm, so that a run without it could not tell.
    #[must_use]
    pub fn needs(&self, name: &str) -> bool {
        let listed = self.expected.iter().chain(&self.detected).any(|alarm| alarm.as_str() == name);
        listed || self.patterns.contains(name)
    }
}

/// How soon an alarm has to tell of a fault, as a hypothesis says: `detect(ALARM) <= D`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectionBound {
    /// The hypothesis.
    pub hypothesis: HypothesisId,
    /// The alarm.
    pub alarm: AlarmName,
    /// The most that it may take from the effect on.
    pub bound: Duration,
}

impl Plan {
    /// Whether a run reads metrics of CloudWatch: as signals, or as evidence.
    #[must_use]
    pub fn reads_metrics(&self) -> bool {
        let is_metric = |signal: &SignalSpec| signal.source().is_ok_and(|source| source.metric_period().is_some());
        self.signals.values().any(is_metric) || !self.evidence.metrics.is_empty()
    }

    /// What the hypotheses say of how soon alarms have to tell, in the file's order.
    #[must_use]
    pub fn detection_bounds(&self) -> Vec<DetectionBound> {
        let mut bounds = Vec::new();
        for hypothesis in &self.hypotheses {
            for term in &hypothesis.expect.terms {
                if let Condition::Compare {
                    measure: Measure::Detect(alarm),
                    operator: Operator::AtMost | Operator::Less,
                    value: Value::Duration(bound),
                } = &term.condition
                {
                    let (hypothesis, alarm) = (hypothesis.id.clone(), alarm.clone());
                    bounds.push(DetectionBound { hypothesis, alarm, bound: *bound });
                }
            }
        }
        bounds
    }
}
