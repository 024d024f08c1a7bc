//! A plan without its faults and people: its loads alone, with whatever of its hypotheses and guardrails is about them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::refusal::Refusal;
use super::types::{Action, GuardrailRule, PhasePlan, Plan, Step};
use crate::load::{LoadSpec, Spacing, StageSpec};
use crate::observe::SignalSource;
use crate::scenario::expect::{Condition, Expectation, Measure, Value};
use crate::unit::{DurationText, Level, LoadId, SignalId};

/// The name of the only phase.
const PHASE: &str = "load";

/// Which loads, and how much of them for how long where that is not what their shapes say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadAlone {
    /// The loads; none means all.
    pub only: BTreeSet<LoadId>,
    /// What every load holds, from its start to its end.
    pub level: Option<Level>,
    /// How long; with no level the highest of the load's shape is held for so long.
    pub lasting: Option<Duration>,
}

impl LoadAlone {
    /// Whether the loads are others than the scenario's.
    #[must_use]
    pub fn is_as_written(&self) -> bool {
        self.level.is_none() && self.lasting.is_none()
    }

    fn shape(&self, load: &LoadSpec) -> Vec<StageSpec> {
        if self.is_as_written() {
            return load.shape.clone();
        }
        let shape = load.shape();
        let lasting = DurationText(self.lasting.unwrap_or(shape.end()));
        let at = self.level.or_else(|| shape.highest());
        vec![StageSpec { hold: Some(lasting), at, ..StageSpec::default() }]
    }
}

impl Plan {
    /// The loads of the plan alone, all from the start; and one line for each hypothesis and guardrail that can not be judged
    /// without the rest.
    ///
    /// # Errors
    /// There is no such load, or none at all.
    pub fn loads_alone(mut self, alone: &LoadAlone) -> Result<(Self, Vec<String>), Refusal> {
        if let Some(unknown) = alone.only.iter().find(|load| !self.loads.contains_key(*load)) {
            let known: Vec<String> = self.loads.keys().map(|load| format!("`{load}`")).collect();
            let remedy =
                if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
            return Err(Refusal::new(format!("the scenario has no load `{unknown}`"), remedy));
        }
        self.loads.retain(|load, _| alone.only.is_empty() || alone.only.contains(load));
        if self.loads.is_empty() {
            return Err(Refusal::new("the scenario has no load", "give it one under `load`"));
        }
        for load in self.loads.values_mut() {
            load.shape = alone.shape(load);
            if !load.is_open() {
                // What only arrivals have.
                (load.arrivals, load.in_flight_max) = (Spacing::default(), None);
            }
        }
        let left_out = self.keep_what_is_about_loads();
        let length = self.loads.values().map(|load| load.shape().end()).max().unwrap_or_default();
        let phase = PHASE.parse().expect("invariant: it is a name");
        self.phases = vec![PhasePlan {
            phase,
            start: Duration::ZERO.into(),
            length: length.into(),
            until: None,
            gate: Vec::new(),
            checklist: Vec::new(),
        }];
        // A load test is no game day that people wait to hear of.
        self.notify = None;
        self.steps = self.loads.iter().map(|(load, spec)| start(load, spec)).collect();
        (self.routes, self.changes) = (Vec::new(), std::collections::BTreeMap::new());
        (self.settle, self.debrief) = (None, None);
        self.programs.clear();
        self.scenario.title.push_str(" (load alone)");
        Ok((self, left_out))
    }

    /// Drops hypotheses and guardrails about what will not be, and names the hypotheses.
    fn keep_what_is_about_loads(&mut self) -> Vec<String> {
        let judged: BTreeSet<SignalId> = self
            .signals
            .iter()
            .filter(|(_, spec)| match spec.source() {
                Ok(SignalSource::Load(load)) => self.loads.contains_key(&load.of),
                Ok(SignalSource::Http(_)) => true,
                Ok(SignalSource::Cloudwatch(_) | SignalSource::MetricMath(_)) | Err(_) => false,
            })
            .map(|(signal, _)| signal.clone())
            .collect();
        self.signals.retain(|signal, _| judged.contains(signal));
        let mut left_out = Vec::new();
        self.hypotheses.retain_mut(|hypothesis| {
            let kept = is_about(&hypothesis.expect, &judged, true);
            if !kept {
                left_out.push(format!("{} ({}) is about more than these loads", hypothesis.id, hypothesis.expect));
            }
            hypothesis.faults.clear();
            hypothesis.known_gap = None;
            kept
        });
        self.guardrails.retain(|guardrail| match &guardrail.rule {
            GuardrailRule::AbortIf(expectation) => is_about(expectation, &judged, false),
            GuardrailRule::MaxDuration(_) | GuardrailRule::MaxTargets(_) | GuardrailRule::MaxFailedRequests(_) => true,
        });
        let reads_alarms = self.guardrails.iter().any(|guardrail| match &guardrail.rule {
            GuardrailRule::AbortIf(expectation) => expectation.reads_alarms(),
            GuardrailRule::MaxDuration(_) | GuardrailRule::MaxTargets(_) | GuardrailRule::MaxFailedRequests(_) => false,
        });
        if !reads_alarms {
            self.alarms = None;
        }
        left_out
    }
}

/// Whether an expectation can be judged from these signals alone. A hypothesis may not name phases, of which none is left; a
/// guardrail may look at alarms.
fn is_about(expectation: &Expectation, signals: &BTreeSet<SignalId>, is_hypothesis: bool) -> bool {
    expectation.terms.iter().all(|term| {
        term.window.is_none()
            && match &term.condition {
                Condition::Compare { measure: Measure::Signal { signal, .. }, value, .. } => {
                    signals.contains(signal) && !matches!(value, Value::OfBaseline(_))
                }
                Condition::Alarm { .. } => !is_hypothesis,
                Condition::Compare { .. } | Condition::Mark(_) => false,
            }
    })
}

fn start(load: &LoadId, spec: &LoadSpec) -> Step {
    Step {
        phase: 0,
        at: Duration::ZERO.into(),
        start: Duration::ZERO.into(),
        stop: Some(spec.shape().end().into()),
        action: Action::StartLoad(load.clone()),
        unless: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{Sketch, expectation};
    use crate::scenario::{Mode, OnMissing};

    fn plan() -> Plan {
        Sketch::new(Mode::Drill)
            .load("users", "5m", "abort")
            .phase("calm", 60)
            .phase("faulty", 60)
            .hypothesis("H1", "p99(latency) < 200ms", &[])
            .hypothesis("H2", "p99(latency) < 200ms during faulty", &[])
            .hypothesis("H3", "sum(rate) >= 90% of baseline", &[])
            .guardrail("G1", GuardrailRule::AbortIf(expectation("p99(latency) > 2s for 10s")), OnMissing::Abort)
            .plan()
    }

    #[test]
    fn only_what_is_about_the_load_is_left() {
        let (alone, left_out) = plan().loads_alone(&LoadAlone::default()).unwrap();
        assert_eq!(alone.hypotheses.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["H1"]);
        assert_eq!(left_out.len(), 2, "{left_out:?}");
        assert_eq!(alone.guardrails.len(), 1);
        let [phase] = alone.phases.as_slice() else { panic!("one phase") };
        assert_eq!(phase.length.0, Duration::from_secs(300));
        let [step] = alone.steps.as_slice() else { panic!("one step") };
        assert_eq!(step.action, Action::StartLoad("users".parse().unwrap()));
        assert!(alone.changes.is_empty() && alone.routes.is_empty());
    }

    #[test]
    fn a_level_and_a_time_take_the_place_of_the_shape() {
        let shape = |level: Option<&str>, lasting: Option<u64>| {
            let alone = LoadAlone {
                level: level.map(|level| level.parse().unwrap()),
                lasting: lasting.map(Duration::from_secs),
                ..LoadAlone::default()
            };
            let (plan, _) = plan().loads_alone(&alone).unwrap();
            serde_json::to_string(&plan.loads.values().next().unwrap().shape).unwrap()
        };
        assert_eq!(shape(Some("200/s"), Some(60)), r#"[{"hold":"1m","at":"200/s"}]"#);
        assert_eq!(shape(Some("3 users"), None), r#"[{"hold":"5m","at":"3 users"}]"#);
        assert_eq!(shape(None, Some(10)), r#"[{"hold":"10s","at":"2 users"}]"#);
    }

    #[test]
    fn what_only_arrivals_have_goes_where_users_take_their_place() {
        let mut plan = plan();
        let load = plan.loads.values_mut().next().unwrap();
        (load.arrivals, load.in_flight_max) = (Spacing::Poisson, Some(50));
        let of = |level: &str| {
            let alone = LoadAlone { level: Some(level.parse().unwrap()), ..LoadAlone::default() };
            let (plan, _) = plan.clone().loads_alone(&alone).unwrap();
            let load = plan.loads.into_values().next().unwrap();
            (load.arrivals, load.in_flight_max)
        };
        assert_eq!(of("3 users"), (Spacing::default(), None));
        assert_eq!(of("3/s"), (Spacing::Poisson, Some(50)));
    }

    #[test]
    fn a_load_that_is_not_there_is_named_with_those_that_are() {
        let alone = LoadAlone { only: BTreeSet::from(["robots".parse().unwrap()]), ..LoadAlone::default() };
        let refusal = plan().loads_alone(&alone).unwrap_err();
        assert_eq!(refusal.to_string(), "the scenario has no load `robots`; it has `users`");
    }
}
