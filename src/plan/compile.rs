//! From a checked scenario to a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::alarms::AlarmPlan;
use super::cover::{self, cover};
use super::environment::{EnvironmentFacts, EnvironmentKind as PlannedEnvironment, EnvironmentRules};
use super::evidence::EvidencePlan;
use super::interval::{faults_of, set_stops};
use super::notice::NotifyPlan;
use super::refusal::{Refusal, refusals};
use super::types::{
    Action, ChangePlan, GuardrailPlan, GuardrailRule, HintPlan, HypothesisPlan, InjectPlan, PLAN_FORMAT, PersonStep,
    PhasePlan, Plan, ScenarioFacts, SettlePlan, Step, TargetPlan,
};
use crate::fault::{FaultSpec, LambdaEnvironment};
use crate::playbook::Playbook;
use crate::scenario::expect::Expectation;
use crate::scenario::{
    ActionKind, ActionSpec, Checked, Mode, PhaseSpec, ProxyKind, Redaction, ReportFormat, Scenario, TargetKind,
};
use crate::unit::{ComponentId, FaultId, InjectId, PhaseId, PlaybookId, TargetId};
use crate::workspace::{
    AccountBinding, Class, DeadmanSwitch, EndpointBinding, Environment, EnvironmentKind, Workspace,
};

/// The formats of a report when neither the scenario nor the workspace names any.
const FORMATS_DEFAULT: [ReportFormat; 4] =
    [ReportFormat::Html, ReportFormat::Md, ReportFormat::Json, ReportFormat::Junit];

/// Resolves a scenario for one environment.
///
/// # Errors
/// Everything that the scenario asks for and this version cannot do, where leaving it out would change what the run
/// means.
pub fn compile(
    checked: &Checked,
    workspace: &Workspace,
    environment: &Environment,
    playbooks: &BTreeMap<PlaybookId, Playbook>,
) -> Result<Plan, Vec<Refusal>> {
    let refused = refusals(checked, environment);
    if !refused.is_empty() {
        return Err(refused);
    }
    let scenario = &checked.scenario;
    let deadman = environment.deadman.as_ref();
    let (routes, changes) = (routes(scenario, deadman), changes(checked, deadman));
    if deadman.is_some_and(|it| it.is_required) {
        let refused = cover::refusals(&environment.name, routes.iter().chain(changes.values()));
        if !refused.is_empty() {
            return Err(refused);
        }
    }
    let phases = phases(checked, playbooks);
    let steps = steps(checked, &phases, routes.len());
    let hypotheses = hypotheses(checked, &phases, &steps);
    let plan = Plan {
        format: PLAN_FORMAT,
        scenario: facts(checked),
        environment: environment_facts(environment),
        targets: scenario
            .targets
            .iter()
            .filter_map(|(id, target)| Some((id.clone(), plan_target(id, target)?)))
            .collect(),
        routes,
        phases,
        steps,
        loads: scenario.load.clone(),
        changes,
        injects: injects(scenario),
        hints: hints(scenario),
        components: components(scenario, workspace),
        signals: scenario.signals.clone(),
        hypotheses,
        guardrails: guardrails(checked),
        alarms: AlarmPlan::of(checked),
        evidence: EvidencePlan::of(scenario, workspace),
        programs: checked.programs.clone(),
        settle: scenario
            .settle
            .as_ref()
            .map(|settle| SettlePlan { steady: settle.steady.clone(), within: settle.within }),
        formats: formats(scenario, workspace),
        redact: redact(scenario, workspace),
        debrief: scenario.debrief.clone(),
        notify: NotifyPlan::of(Some(scenario), workspace),
        not_carried_out: Vec::new(),
    };
    Ok(if scenario.mode == Mode::Tabletop { plan.at_table() } else { plan })
}

fn injects(scenario: &Scenario) -> BTreeMap<InjectId, InjectPlan> {
    let of = |(id, inject): (&InjectId, &crate::scenario::Inject)| {
        (id.clone(), InjectPlan { to: inject.to.clone(), text: inject.text.clone() })
    };
    scenario.injects.iter().map(of).collect()
}

fn hints(scenario: &Scenario) -> Vec<HintPlan> {
    let of = |hint: &crate::scenario::Hint| HintPlan {
        id: hint.id.clone(),
        hypothesis: hint.hypothesis.clone(),
        text: hint.text.clone(),
    };
    scenario.hints.iter().map(of).collect()
}

/// The workload's components, each with the targets that are its function.
fn components(scenario: &Scenario, workspace: &Workspace) -> BTreeMap<ComponentId, BTreeSet<TargetId>> {
    let components = workspace.workload.iter().flat_map(|workload| &workload.components);
    let of = |(id, component): (&ComponentId, &crate::workspace::Component)| {
        let function = component.lambda.as_ref().map(|lambda| lambda.function.as_str());
        let is_it = |target: &crate::scenario::TargetSpec| {
            target.lambda.as_ref().is_some_and(|lambda| Some(lambda.function.as_str()) == function)
        };
        let targets = scenario.targets.iter().filter(|(_, target)| is_it(target)).map(|(name, _)| name.clone());
        (id.clone(), targets.collect())
    };
    components.map(of).collect()
}

fn facts(checked: &Checked) -> ScenarioFacts {
    let scenario = &checked.scenario;
    ScenarioFacts {
        id: scenario.id.clone(),
        title: scenario.title.clone(),
        owner: scenario.owner.clone(),
        why: scenario.why.clone(),
        mode: scenario.mode,
        tags: scenario.tags.clone(),
        covers: scenario.covers.clone(),
        people: scenario.people.clone(),
        sha256: checked.digest.clone(),
    }
}

/// An environment as a plan keeps it.
pub(crate) fn environment_facts(environment: &Environment) -> EnvironmentFacts {
    let kind = match environment.kind() {
        EnvironmentKind::Sandbox(_) => PlannedEnvironment::Sandbox,
        EnvironmentKind::Endpoint(EndpointBinding { url, account, profile, role }) => PlannedEnvironment::Endpoint {
            url: url.clone(),
            account: account.clone(),
            profile: profile.clone(),
            role: role.clone(),
        },
        EnvironmentKind::Account(AccountBinding { account, region, profile, role }) => PlannedEnvironment::Account {
            account: account.clone(),
            region: region.clone(),
            profile: profile.clone(),
            role: role.clone(),
        },
    };
    let (deadman, lock) = (environment.deadman.clone(), environment.lock.clone());
    let rules = EnvironmentRules {
        is_production: environment.class == Class::Production,
        require_tags: environment.require_tags.clone(),
        exec: environment.exec.iter().map(ToString::to_string).collect(),
        proxies: environment.proxies.clone(),
        hosts: environment.hosts.iter().map(ToString::to_string).collect(),
        rate: environment.rate.map(|rate| rate.to_string()),
    };
    EnvironmentFacts { name: environment.name.clone(), kind, deadman, lock, rules }
}

fn plan_target(id: &TargetId, target: &crate::scenario::TargetSpec) -> Option<TargetPlan> {
    // A target of no or of two kinds does not get past `check`.
    Some(match target.kind().ok()? {
        TargetKind::Lambda(lambda) => TargetPlan::Lambda {
            function: lambda.function.clone(),
            alias: lambda.alias.clone(),
            url: lambda.url.clone(),
        },
        TargetKind::Proxy(proxy) => match proxy.kind(id)? {
            ProxyKind::Own(spec) => TargetPlan::Proxy(spec),
            ProxyKind::Remote(at) => TargetPlan::RemoteProxy { at, url: proxy.url.clone() },
        },
        other => TargetPlan::Resource(other.resource()?),
    })
}

fn formats(scenario: &Scenario, workspace: &Workspace) -> Vec<ReportFormat> {
    let asked = [scenario.report.as_ref(), workspace.report.as_ref()];
    let mut formats = asked
        .into_iter()
        .flatten()
        .map(|report| report.formats.clone())
        .find(|formats| !formats.is_empty())
        .unwrap_or_else(|| FORMATS_DEFAULT.to_vec());
    formats.sort();
    formats.dedup();
    formats
}

/// What the scenario or the workspace wants blacked out: one that asks for more never takes away what the other asked for.
fn redact(scenario: &Scenario, workspace: &Workspace) -> Vec<Redaction> {
    let asked = [scenario.report.as_ref(), workspace.report.as_ref()];
    let mut redact: Vec<Redaction> = asked.into_iter().flatten().flat_map(|report| report.redact.clone()).collect();
    redact.sort_by_key(|redaction| *redaction as u8);
    redact.dedup();
    redact
}

/// Leads functions through the fault proxy, and lets them trust it: environment variables that are set before the first phase.
fn routes(scenario: &Scenario, deadman: Option<&DeadmanSwitch>) -> Vec<ChangePlan> {
    let mut routes = Vec::new();
    for (target, spec) in &scenario.targets {
        let Some(proxy) = &spec.proxy else { continue };
        let functions: BTreeSet<&TargetId> = proxy.route.keys().chain(proxy.trust.keys()).collect();
        for (number, function) in functions.into_iter().enumerate() {
            // Without an address there is no route, which `check` has told.
            let route = proxy.route.get(function).and_then(|variable| Some((variable.clone(), proxy.address()?)));
            // Where the file is, only the run knows.
            let trust = proxy.trust.get(function).map(|variable| (variable.clone(), format!("${{{target}.ca}}")));
            let spec = FaultSpec {
                lambda_environment: Some(LambdaEnvironment {
                    target: function.clone(),
                    set: route.into_iter().chain(trust).collect(),
                    unset: BTreeSet::new(),
                }),
                ..FaultSpec::default()
            };
            routes.extend(change(scenario, route_name(target, number), &spec, None, deadman));
        }
    }
    routes
}

fn route_name(target: &TargetId, number: usize) -> FaultId {
    let suffix = if number == 0 { String::new() } else { format!("-{}", number + 1) };
    let room = 64 - FaultId::ROUTE_PREFIX.len() - suffix.len();
    let short: String = target.as_str().chars().take(room).collect();
    format!("{}{short}{suffix}", FaultId::ROUTE_PREFIX)
        .parse()
        .expect("invariant: a prefix, a target's name and a number make a name")
}

fn change(
    scenario: &Scenario,
    fault: FaultId,
    spec: &FaultSpec,
    effect_if: Option<Expectation>,
    deadman: Option<&DeadmanSwitch>,
) -> Option<ChangePlan> {
    // A fault of no or of two kinds does not get past `check`.
    let kind = spec.kind().ok()?;
    let text = kind.text();
    let mut change = ChangePlan {
        fault,
        spec: spec.clone(),
        kind: kind.key().to_owned(),
        target: kind.target().clone(),
        change: text.change,
        undo: text.undo,
        calls: kind.calls().inject.iter().map(|call| (*call).to_owned()).collect(),
        effect_if,
        cover: None,
    };
    let proxy = scenario.targets.get(&change.target).and_then(|target| target.proxy.as_ref());
    cover(&mut change, &kind, proxy.is_some_and(|proxy| proxy.admin.is_some()), deadman);
    Some(change)
}

fn changes(checked: &Checked, deadman: Option<&DeadmanSwitch>) -> BTreeMap<FaultId, ChangePlan> {
    let of = |(id, spec): (&FaultId, &FaultSpec)| {
        let effect_if = checked.expectations.effects.get(id).cloned();
        Some((id.clone(), change(&checked.scenario, id.clone(), spec, effect_if, deadman)?))
    };
    checked.scenario.faults.iter().filter_map(of).collect()
}

fn phases(checked: &Checked, playbooks: &BTreeMap<PlaybookId, Playbook>) -> Vec<PhasePlan> {
    let mut start = Duration::ZERO;
    let mut phases = Vec::new();
    for phase in &checked.scenario.timeline {
        phases.push(PhasePlan {
            phase: phase.phase.clone(),
            start: start.into(),
            length: phase.length,
            until: checked.expectations.until.get(&phase.phase).cloned(),
            gate: phase.steady.clone(),
            checklist: person_steps(phase, playbooks),
        });
        start += phase.length.0;
    }
    phases
}

/// The phase's own checklist, then its playbook's steps; no id stands in both.
fn person_steps(phase: &PhaseSpec, playbooks: &BTreeMap<PlaybookId, Playbook>) -> Vec<PersonStep> {
    let mut steps: Vec<PersonStep> = phase
        .checklist
        .iter()
        .map(|step| PersonStep {
            step: step.id.clone(),
            text: step.text.clone(),
            owner: step.owner.clone(),
            within: step.within.clone(),
            must: step.must,
            poll: step.poll.clone(),
            needs: None,
            evidence: None,
            playbook: None,
        })
        .collect();
    let playbook = phase.playbook.as_ref().and_then(|id| playbooks.get(id));
    for step in playbook.iter().flat_map(|playbook| &playbook.steps) {
        if steps.iter().all(|other| other.step != step.id) {
            steps.push(PersonStep {
                step: step.id.clone(),
                text: step.text.clone(),
                owner: step.owner.clone(),
                within: step.within.clone(),
                must: step.must,
                poll: Vec::new(),
                needs: step.needs.clone(),
                evidence: step.evidence,
                playbook: phase.playbook.clone(),
            });
        }
    }
    steps
}

fn steps(checked: &Checked, phases: &[PhasePlan], routes: usize) -> Vec<Step> {
    let scenario = &checked.scenario;
    let mut steps = Vec::new();
    for (index, (phase, plan)) in scenario.timeline.iter().zip(phases).enumerate() {
        let mut of_phase: Vec<Step> = phase
            .actions
            .iter()
            .enumerate()
            .filter_map(|(number, action)| {
                let unless = checked.expectations.unless.get(&(phase.phase.clone(), number)).cloned();
                let start = (plan.start.0 + action.at.0).into();
                let action_plan = plan_action(scenario, action)?;
                Some(Step { phase: index, at: action.at, start, stop: None, action: action_plan, unless })
            })
            .collect();
        // Actions of the same moment happen in the file's order.
        of_phase.sort_by_key(|step| step.at);
        steps.extend(of_phase);
    }
    number_injections(&mut steps, routes);
    let end = phases.last().map_or(Duration::ZERO, |last| last.start.0 + last.length.0);
    set_stops(&mut steps, end, |action| match action {
        Action::InjectFault { ttl, .. } => ttl.map(|ttl| ttl.0),
        Action::StartLoad(load) => scenario.load.get(load).map(|load| load.shape().end()),
        Action::StopLoad(_)
        | Action::UndoFault(_)
        | Action::DealCard(_)
        | Action::TakeCard(_)
        | Action::DeliverInject { .. } => None,
    });
    steps
}

fn plan_action(scenario: &Scenario, action: &ActionSpec) -> Option<Action> {
    Some(match action.kind().ok()? {
        ActionKind::Load(load) => Action::StartLoad(load.clone()),
        ActionKind::Fault(fault) => Action::InjectFault {
            id: String::new(),
            fault: fault.clone(),
            ttl: scenario.faults.get(fault).and_then(|spec| spec.ttl),
        },
        ActionKind::Undo(name) => match scenario.faults.get_key_value(name) {
            Some((fault, _)) => Action::UndoFault(fault.clone()),
            None => Action::StopLoad(scenario.load.get_key_value(name)?.0.clone()),
        },
        ActionKind::Inject(inject) => {
            let spec = scenario.injects.get(inject)?;
            Action::DeliverInject { inject: inject.clone(), to: spec.to.clone(), text: spec.text.clone() }
        }
    })
}

/// Gives each injection its id, after those of the routes.
fn number_injections(steps: &mut [Step], routes: usize) {
    let mut number = routes;
    for step in steps {
        if let Action::InjectFault { id, fault, .. } = &mut step.action {
            number += 1;
            *id = change_id(number, fault);
        }
    }
}

/// The id of a change: its number in the run, and its fault's name.
#[must_use]
pub fn change_id(number: usize, fault: &FaultId) -> String {
    format!("{number:03}-{fault}")
}

fn hypotheses(checked: &Checked, phases: &[PhasePlan], steps: &[Step]) -> Vec<HypothesisPlan> {
    let of = |hypothesis: &crate::scenario::Hypothesis| {
        let expect = checked.expectations.hypotheses.get(&hypothesis.id)?.clone();
        Some(HypothesisPlan {
            id: hypothesis.id.clone(),
            text: hypothesis.text.clone(),
            faults: faults_of(&expect, phases, steps),
            expect,
            severity: hypothesis.severity,
            known_gap: hypothesis.known_gap.clone(),
        })
    };
    checked.scenario.hypotheses.iter().filter_map(of).collect()
}

fn guardrails(checked: &Checked) -> Vec<GuardrailPlan> {
    let of = |guardrail: &crate::scenario::Guardrail| {
        let rule = checked
            .expectations
            .guardrails
            .get(&guardrail.id)
            .cloned()
            .map(GuardrailRule::AbortIf)
            .or_else(|| guardrail.max_duration.map(GuardrailRule::MaxDuration))
            .or_else(|| guardrail.max_targets.map(GuardrailRule::MaxTargets))
            .or_else(|| guardrail.max_failed_requests.map(GuardrailRule::MaxFailedRequests))?;
        let on_missing = guardrail.on_missing.unwrap_or_default();
        Some(GuardrailPlan { id: guardrail.id.clone(), rule, on_missing })
    };
    checked.scenario.guardrails.iter().filter_map(of).collect()
}

impl Plan {
    /// The phase that `of baseline` means: the one of that name, or the first with a gate.
    #[must_use]
    pub fn baseline(&self) -> Option<&PhaseId> {
        let named = self.phases.iter().find(|phase| phase.phase.as_str() == "baseline");
        named.or_else(|| self.phases.iter().find(|phase| !phase.gate.is_empty())).map(|phase| &phase.phase)
    }

    /// How long the timeline nominally lasts.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.phases.last().map_or(Duration::ZERO, |last| last.start.0 + last.length.0)
    }
}
