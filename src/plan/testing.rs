//! Small plans for tests, without a scenario file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::environment::{EnvironmentFacts, EnvironmentKind, EnvironmentRules};
use super::evidence::EvidencePlan;
use super::types::{
    Action, ChangePlan, GuardrailPlan, GuardrailRule, HintPlan, HypothesisPlan, InjectPlan, PLAN_FORMAT, PersonStep,
    PhasePlan, Plan, ScenarioFacts, SettlePlan, Step, TargetPlan,
};
use crate::fault::{FaultSpec, LambdaEnvironment, Variables};
use crate::load::LoadSpec;
use crate::observe::SignalSpec;
use crate::scenario::expect::{Expectation, parse};
use crate::scenario::{Mode, OnMissing, Person};
use crate::unit::Severity;
use crate::unit::{DurationText, FaultId, LoadId, SignalId};

/// Reads an expectation that is known to be right.
pub(crate) fn expectation(text: &str) -> Expectation {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).expectation
}

/// The usual signals of a load `users`: `ok`, `latency`, `rate`.
pub(crate) fn load_signals() -> BTreeMap<SignalId, SignalSpec> {
    serde_yaml::from_str(
        "ok: {load: {of: users, stat: success_ratio}}\n\
         latency: {load: {of: users, stat: latency}}\n\
         rate: {load: {of: users, stat: rate}}\n",
    )
    .unwrap()
}

/// A load that lasts for so long.
pub(crate) fn load_spec(length: &str, on_lost: &str) -> LoadSpec {
    serde_yaml::from_str(&format!(
        "{{base_url: 'http://a', on_lost: {on_lost}, journeys: [{{name: j, steps: [{{get: /}}]}}], \
         shape: [{{hold: {length}, at: 2 users}}]}}"
    ))
    .unwrap()
}

/// A change of one variable of a function: `variable("lag", "shop", "LAG")`.
pub(crate) fn variable(fault: &str, target: &str, name: &str) -> ChangePlan {
    let lambda_environment = Some(LambdaEnvironment {
        target: target.parse().unwrap(),
        set: Variables::from([(name.to_owned(), fault.to_owned())]),
        unset: BTreeSet::new(),
    });
    let spec = FaultSpec { lambda_environment, ..FaultSpec::default() };
    let kind = spec.kind().unwrap();
    ChangePlan {
        fault: fault.parse().unwrap(),
        kind: kind.key().to_owned(),
        target: kind.target().clone(),
        change: kind.text().change,
        undo: kind.text().undo,
        calls: Vec::new(),
        effect_if: None,
        cover: None,
        spec,
    }
}

/// A plan under construction: phases in order, and what happens in the latest of them.
pub(crate) struct Sketch(pub(crate) Plan);

impl Sketch {
    pub(crate) fn new(mode: Mode) -> Self {
        Self(Plan {
            format: PLAN_FORMAT,
            scenario: ScenarioFacts {
                id: "drill".parse().unwrap(),
                title: "A drill".to_owned(),
                owner: "team".to_owned(),
                why: None,
                mode,
                tags: Vec::new(),
                covers: None,
                people: BTreeMap::new(),
                sha256: String::new(),
            },
            environment: EnvironmentFacts {
                name: "sandbox".to_owned(),
                kind: EnvironmentKind::Sandbox,
                deadman: None,
                lock: None,
                rules: EnvironmentRules::default(),
            },
            targets: BTreeMap::new(),
            routes: Vec::new(),
            phases: Vec::new(),
            steps: Vec::new(),
            loads: BTreeMap::new(),
            changes: BTreeMap::new(),
            injects: BTreeMap::new(),
            hints: Vec::new(),
            components: BTreeMap::new(),
            signals: load_signals(),
            hypotheses: Vec::new(),
            guardrails: Vec::new(),
            alarms: None,
            evidence: EvidencePlan::default(),
            programs: BTreeMap::new(),
            settle: None,
            formats: Vec::new(),
            redact: Vec::new(),
            debrief: None,
            notify: None,
            not_carried_out: Vec::new(),
        })
    }

    pub(crate) fn plan(self) -> Plan {
        self.0
    }

    pub(crate) fn load(mut self, load: &str, length: &str, on_lost: &str) -> Self {
        self.0.loads.insert(load.parse().unwrap(), load_spec(length, on_lost));
        self
    }

    pub(crate) fn fault(mut self, change: ChangePlan, ttl: Option<u64>, effect_if: Option<&str>) -> Self {
        let spec = FaultSpec { ttl: ttl.map(seconds), ..change.spec };
        let change = ChangePlan { spec, effect_if: effect_if.map(expectation), ..change };
        self.target(change.target.as_str());
        self.0.changes.insert(change.fault.clone(), change);
        self
    }

    pub(crate) fn route(mut self, proxy: &str, target: &str, name: &str) -> Self {
        self.target(target);
        let fault = format!("{}{proxy}", FaultId::ROUTE_PREFIX);
        self.0.routes.push(variable(&fault, target, name));
        self
    }

    fn target(&mut self, target: &str) {
        let lambda = TargetPlan::Lambda { function: format!("{target}-fn"), alias: None, url: None };
        self.0.targets.insert(target.parse().unwrap(), lambda);
    }

    pub(crate) fn phase(mut self, phase: &str, length_seconds: u64) -> Self {
        self.0.phases.push(PhasePlan {
            phase: phase.parse().unwrap(),
            start: self.0.length().into(),
            length: seconds(length_seconds),
            until: None,
            gate: Vec::new(),
            checklist: Vec::new(),
        });
        self
    }

    /// Changes the step that was written last.
    pub(crate) fn and_step(mut self, change: impl FnOnce(&mut PersonStep)) -> Self {
        change(self.latest().checklist.last_mut().unwrap());
        self
    }

    /// Somebody who takes part.
    pub(crate) fn person(mut self, role: &str, required: bool, blind: bool) -> Self {
        self.0.scenario.people.insert(role.parse().unwrap(), Person { who: role.to_owned(), required, blind });
        self
    }

    /// A message that can be delivered.
    pub(crate) fn message(mut self, inject: &str, to: &str) -> Self {
        let plan = InjectPlan { to: to.parse().unwrap(), text: format!("text of {inject}") };
        self.0.injects.insert(inject.parse().unwrap(), plan);
        self
    }

    /// A hint that can be given.
    pub(crate) fn hint(mut self, hint: &str, hypothesis: Option<&str>) -> Self {
        let hypothesis = hypothesis.map(|it| it.parse().unwrap());
        self.0.hints.push(HintPlan { id: hint.parse().unwrap(), hypothesis, text: format!("text of {hint}") });
        self
    }

    fn latest(&mut self) -> &mut PhasePlan {
        self.0.phases.last_mut().unwrap()
    }

    pub(crate) fn until(mut self, text: &str) -> Self {
        self.latest().until = Some(expectation(text));
        self
    }

    pub(crate) fn gate(mut self, hypothesis: &str) -> Self {
        self.latest().gate.push(hypothesis.parse().unwrap());
        self
    }

    pub(crate) fn person_step(mut self, step: &str, within_seconds: Option<u64>, must: bool, playbook: bool) -> Self {
        self.latest().checklist.push(PersonStep {
            step: step.parse().unwrap(),
            text: format!("do {step}"),
            owner: None,
            within: within_seconds.map(seconds).map(Into::into),
            must,
            poll: Vec::new(),
            needs: None,
            evidence: None,
            playbook: playbook.then(|| "pb".parse().unwrap()),
        });
        self
    }

    /// Something that happens in the latest phase, `at` after its start; later than what was said before.
    pub(crate) fn at(self, at_seconds: u64, action: Action) -> Self {
        self.at_unless(at_seconds, action, None)
    }

    pub(crate) fn at_unless(mut self, at_seconds: u64, action: Action, unless: Option<&str>) -> Self {
        let phase = self.0.phases.len() - 1;
        let start = (self.latest().start.0 + Duration::from_secs(at_seconds)).into();
        let unless = unless.map(expectation);
        self.0.steps.push(Step { phase, at: seconds(at_seconds), start, stop: None, action, unless });
        self
    }

    pub(crate) fn inject(self, at_seconds: u64, fault: &str) -> Self {
        let number = self.0.routes.len() + self.0.steps.len() + 1;
        let fault: FaultId = fault.parse().unwrap();
        let id = super::change_id(number, &fault);
        self.at(at_seconds, Action::InjectFault { id, fault, ttl: None })
    }

    pub(crate) fn undo(self, at_seconds: u64, fault: &str) -> Self {
        self.at(at_seconds, Action::UndoFault(fault.parse().unwrap()))
    }

    pub(crate) fn start_load(self, at_seconds: u64, load: &str) -> Self {
        self.at(at_seconds, Action::StartLoad(id(load)))
    }

    pub(crate) fn stop_load(self, at_seconds: u64, load: &str) -> Self {
        self.at(at_seconds, Action::StopLoad(id(load)))
    }

    pub(crate) fn hypothesis(mut self, hypothesis: &str, expect: &str, faults: &[&str]) -> Self {
        self.0.hypotheses.push(HypothesisPlan {
            id: hypothesis.parse().unwrap(),
            text: expect.to_owned(),
            expect: expectation(expect),
            severity: Severity::Medium,
            known_gap: None,
            faults: faults.iter().map(|fault| fault.parse().unwrap()).collect(),
        });
        self
    }

    pub(crate) fn guardrail(mut self, guardrail: &str, rule: GuardrailRule, on_missing: OnMissing) -> Self {
        self.0.guardrails.push(GuardrailPlan { id: guardrail.parse().unwrap(), rule, on_missing });
        self
    }

    pub(crate) fn settle(mut self, hypothesis: &str, within_seconds: u64) -> Self {
        let steady = vec![hypothesis.parse().unwrap()];
        self.0.settle = Some(SettlePlan { steady, within: seconds(within_seconds) });
        self
    }
}

fn id(load: &str) -> LoadId {
    load.parse().unwrap()
}

fn seconds(seconds: u64) -> DurationText {
    Duration::from_secs(seconds).into()
}
