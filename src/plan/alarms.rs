//! Which alarms a run reads: those that the scenario lists, and those that its expectations speak of.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::scenario::Checked;
use crate::scenario::expect::{Condition, Expectation, Measure};
use crate::unit::AlarmName;

/// The API calls that reading alarms needs.
pub const ALARM_CALLS: &[&str] = &["cloudwatch:DescribeAlarms"];

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
