//! A plan's facts. The one place of this room that reads the types of scenarios, loads and signals.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{AlarmFacts, CoverFacts, DetectionFacts, Facts, GuardrailFacts, HypothesisFacts, LoadUnit, SANDBOX_CAVEAT};
use crate::debrief::all_questions;
use crate::load::{LoadStatistic, Model};
use crate::observe::{SignalSource, SignalSpec, alarm_interval};
use crate::plan::{AlarmPlan, ChangePlan, CoverPlan, EnvironmentKind, HypothesisPlan, Plan, ScenarioFacts, TargetPlan};
use crate::report::build::{named_component, named_lesson, named_risk};
use crate::report::folder::Format;
use crate::report::model::{Bound, BoundLane, Debrief, Environment, Participant, Why};
use crate::report::number::nine_decimals;
use crate::report::redact::Redaction;
use crate::scenario::expect::{Aggregate, Condition, Expectation, Measure, Operator, Term, Value};
use crate::scenario::{self, Mode, ReportFormat, Review};
use crate::unit::{DurationText, elapsed_ms};

const ENDPOINT_CAVEAT: &str = "This ran against an endpoint that stands in for AWS. Its numbers tell how the code \
    behaves under a fault; they say nothing about capacity or latency in AWS.";

const TABLE_CAVEAT: &str = "This was talked through at a table: nothing was injected, sent or measured. Times run from the moment at \
    which a card lay there.";

/// The lane of latency shows the p99 of each second: a bound on less than this percentile would be read wrongly there.
const PERCENTILE_MIN: f64 = 0.95;
/// How often load is looked at.
const LOAD_PERIOD: Duration = Duration::from_secs(1);
/// How often a probe looks, where it does not say.
const PROBE_PERIOD_DEFAULT: Duration = Duration::from_secs(1);

impl Facts {
    /// What a report takes from `plan`.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let proof = |change: &ChangePlan| {
            let proof = change.effect_if.as_ref()?;
            Some((change.fault.to_string(), elapsed_ms(longest_period(plan, proof))))
        };
        Self {
            scenario_sha256: plan.scenario.sha256.clone(),
            owner: plan.scenario.owner.clone(),
            mode: key(&plan.scenario.mode),
            why: why(&plan.scenario),
            people: plan
                .scenario
                .people
                .iter()
                .map(|(role, person)| Participant {
                    role: role.to_string(),
                    who: person.who.clone(),
                    blind: person.blind,
                })
                .collect(),
            environment: environment(plan),
            functions: functions(plan),
            components: components(plan),
            hypotheses: plan.hypotheses.iter().map(|hypothesis| hypothesis_facts(plan, hypothesis)).collect(),
            guardrails: plan
                .guardrails
                .iter()
                .map(|guardrail| GuardrailFacts {
                    id: guardrail.id.to_string(),
                    rule: guardrail.rule.to_string(),
                    on_missing: key(&guardrail.on_missing),
                })
                .collect(),
            alarms: plan.alarms.as_ref().map(|alarms| alarm_facts(plan, alarms)),
            baseline: plan.baseline().map(ToString::to_string),
            phases: plan.phases.iter().map(|phase| (phase.phase.to_string(), elapsed_ms(phase.length.0))).collect(),
            load_units: plan
                .loads
                .iter()
                .filter_map(|(load, spec)| {
                    let unit = match spec.model()? {
                        Model::Open => LoadUnit::PerSecond,
                        Model::Closed => LoadUnit::Users,
                    };
                    Some((load.to_string(), unit))
                })
                .collect(),
            steps: steps(plan),
            proof_periods_ms: plan.changes.values().filter_map(proof).collect(),
            covers: covers(plan),
            formats: formats(&plan.formats),
            redactions: plan.redact.iter().map(redaction).collect(),
            debrief: debrief(plan),
            not_carried_out: plan.not_carried_out.clone(),
        }
    }
}

/// The plan's components, turned around.
fn components(plan: &Plan) -> BTreeMap<String, BTreeSet<String>> {
    let mut components: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (component, targets) in &plan.components {
        for target in targets {
            components.entry(target.to_string()).or_default().insert(component.to_string());
        }
    }
    components
}

fn covers(plan: &Plan) -> BTreeMap<String, CoverFacts> {
    let changes = plan.routes.iter().chain(plan.changes.values());
    let of = |change: &ChangePlan| {
        let cover = change.cover.as_ref()?;
        let is_switch = matches!(cover, CoverPlan::Switch(_));
        Some((change.fault.to_string(), CoverFacts { is_switch, text: cover.to_string() }))
    };
    changes.filter_map(of).collect()
}

fn alarm_facts(plan: &Plan, alarms: &AlarmPlan) -> AlarmFacts {
    let texts = |names: &[crate::unit::AlarmName]| names.iter().map(ToString::to_string).collect::<Vec<String>>();
    let (expected, tolerated) = (texts(&alarms.expected), texts(&alarms.tolerated));
    let is_listed = |name: &&str| expected.iter().chain(&tolerated).any(|listed| listed == *name);
    let watched = alarms.names().filter(|name| !is_listed(name)).map(str::to_owned).collect();
    let patterns = alarms.globs().map(str::to_owned).collect();
    let bounds = plan.detection_bounds().into_iter().map(|bound| DetectionFacts {
        hypothesis: bound.hypothesis.to_string(),
        alarm: bound.alarm.to_string(),
        bound_ms: elapsed_ms(bound.bound),
    });
    let (bounds, is_local) = (bounds.collect(), plan.environment.kind.is_local());
    AlarmFacts { expected, tolerated, watched, patterns, bounds, is_local }
}

/// A unit variant's name, as files write it.
fn key(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(key)) => key,
        _ => String::new(),
    }
}

fn formats(formats: &[ReportFormat]) -> Vec<Format> {
    if formats.is_empty() {
        return Format::DEFAULT.to_vec();
    }
    let format = |format: &ReportFormat| match format {
        ReportFormat::Html => Format::Html,
        ReportFormat::Md => Format::Markdown,
        ReportFormat::Json => Format::Json,
        ReportFormat::Junit => Format::Junit,
        ReportFormat::Csv => Format::Csv,
        ReportFormat::Journal => Format::Journal,
    };
    formats.iter().map(format).collect()
}

fn redaction(redaction: &scenario::Redaction) -> Redaction {
    match redaction {
        scenario::Redaction::AccountIds => Redaction::AccountIds,
        scenario::Redaction::Emails => Redaction::Emails,
    }
}

fn why(scenario: &ScenarioFacts) -> Option<Why> {
    let covers = scenario.covers.clone().unwrap_or_default();
    let why = Why {
        text: scenario.why.as_ref().map(|text| text.trim().to_owned()),
        tags: scenario.tags.clone(),
        components: covers.components.iter().map(|name| named_component(name.as_str())).collect(),
        ops: covers.ops,
        risks: covers.risks.iter().map(|id| named_risk(id)).collect(),
        retests: covers.retests.iter().map(|id| named_lesson(id.as_str())).collect(),
        ..Why::default()
    };
    (why != Why::default()).then_some(why)
}

fn functions(plan: &Plan) -> BTreeMap<String, String> {
    let function = |target: &TargetPlan| match target {
        TargetPlan::Lambda { function, .. } => Some(function.clone()),
        TargetPlan::Proxy(_) | TargetPlan::RemoteProxy { .. } | TargetPlan::Resource(_) => None,
    };
    plan.targets.iter().filter_map(|(id, target)| Some((id.to_string(), function(target)?))).collect()
}

fn environment(plan: &Plan) -> Environment {
    let name = plan.environment.name.clone();
    let mut endpoint = None;
    let (kind, account, region, caveat) = match &plan.environment.kind {
        EnvironmentKind::Sandbox if plan.scenario.mode == Mode::Tabletop => ("table", None, None, Some(TABLE_CAVEAT)),
        EnvironmentKind::Sandbox => ("sandbox", None, None, Some(SANDBOX_CAVEAT)),
        // The URL names no machine but this one: an environment takes no other.
        EnvironmentKind::Endpoint { url, account, .. } => {
            endpoint = Some(url.clone());
            ("endpoint", account.clone(), None, Some(ENDPOINT_CAVEAT))
        }
        EnvironmentKind::Account { account, region, .. } => {
            ("account", Some(account.clone()), Some(region.clone()), None)
        }
    };
    Environment { name, kind: kind.to_owned(), endpoint, account, region, caveat: caveat.map(ToOwned::to_owned) }
}

fn debrief(plan: &Plan) -> Debrief {
    let debrief = plan.debrief.clone().unwrap_or_default();
    let questions = all_questions(&debrief.questions);
    let millis = |duration: DurationText| elapsed_ms(duration.0);
    Debrief {
        hot_wash_ms: debrief.hot_wash.map(millis),
        review_after_ms: debrief.review.as_ref().map(|review: &Review| millis(review.after)),
        review_length_ms: debrief.review.as_ref().map(|review| millis(review.length)),
        questions,
        held_ms: None,
        record: None,
        unread: None,
    }
}

fn hypothesis_facts(plan: &Plan, hypothesis: &HypothesisPlan) -> HypothesisFacts {
    let loads: BTreeSet<String> = signals(plan, &hypothesis.expect)
        .filter_map(|signal| match signal.source() {
            Ok(SignalSource::Load(load)) => Some(load.of.to_string()),
            _ => None,
        })
        .collect();
    HypothesisFacts {
        id: hypothesis.id.to_string(),
        text: hypothesis.text.clone(),
        expected: hypothesis.expect.to_string(),
        severity: key(&hypothesis.severity),
        known_gap: hypothesis.known_gap.as_ref().map(ToString::to_string),
        faults: hypothesis.faults.iter().map(ToString::to_string).collect(),
        bounds: hypothesis.expect.terms.iter().map(|term| bound(plan, term)).collect(),
        loads: loads.into_iter().collect(),
    }
}

/// The steps of each load that a hypothesis looks at.
fn steps(plan: &Plan) -> BTreeMap<String, BTreeSet<String>> {
    let mut steps: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for signal in plan.hypotheses.iter().flat_map(|hypothesis| signals(plan, &hypothesis.expect)) {
        if let Ok(SignalSource::Load(load)) = signal.source()
            && let Some(step) = &load.step
        {
            steps.entry(load.of.to_string()).or_default().insert(step.clone());
        }
    }
    steps
}

/// The signals that an expectation looks at.
fn signals<'a>(plan: &'a Plan, expectation: &'a Expectation) -> impl Iterator<Item = &'a SignalSpec> {
    expectation.terms.iter().filter_map(|term| match &term.condition {
        Condition::Compare { measure: Measure::Signal { signal, .. }, .. } => plan.signals.get(signal),
        _ => None,
    })
}

/// The longest period of what an expectation looks at: as far off a moment may be that it tells.
fn longest_period(plan: &Plan, expectation: &Expectation) -> Duration {
    let period = |signal: &SignalSpec| match signal.source() {
        Ok(SignalSource::Http(http)) => http.every.map_or(PROBE_PERIOD_DEFAULT, |every| every.0),
        Ok(source @ (SignalSource::Cloudwatch(_) | SignalSource::MetricMath(_))) => {
            source.metric_period().unwrap_or(LOAD_PERIOD)
        }
        Ok(SignalSource::Load(_)) | Err(_) => LOAD_PERIOD,
    };
    let is_alarm = |term: &Term| matches!(term.condition, Condition::Alarm { .. });
    let alarms = expectation.terms.iter().any(is_alarm).then(|| alarm_interval(plan.environment.kind.is_local()));
    signals(plan, expectation).map(period).chain(alarms).max().unwrap_or(LOAD_PERIOD)
}

/// A term's bound, where a lane of the chart shows what it bounds: a high percentile of latency, or a share of requests.
fn bound(plan: &Plan, term: &Term) -> Option<Bound> {
    let Condition::Compare { measure: Measure::Signal { aggregate, signal }, operator, value } = &term.condition else {
        return None;
    };
    let Ok(SignalSource::Load(load)) = plan.signals.get(signal)?.source() else { return None };
    let keeps_below = match operator {
        Operator::Less | Operator::AtMost => true,
        Operator::More | Operator::AtLeast => false,
        Operator::Equal => return None,
    };
    let condition = term.condition.to_string();
    match (load.stat, aggregate) {
        (LoadStatistic::Latency, Aggregate::Percentile(percentile)) if *percentile >= PERCENTILE_MIN => {
            Some(Bound { condition, lane: BoundLane::Latency, value: millis(value)?, forbids_above: keeps_below })
        }
        (LoadStatistic::Latency, Aggregate::Max) => {
            Some(Bound { condition, lane: BoundLane::Latency, value: millis(value)?, forbids_above: keeps_below })
        }
        (LoadStatistic::ErrorRatio, _) => {
            Some(Bound { condition, lane: BoundLane::Failures, value: share(value)?, forbids_above: keeps_below })
        }
        // At least 99 % successes are at most 1 % failures.
        (LoadStatistic::SuccessRatio, _) => Some(Bound {
            condition,
            lane: BoundLane::Failures,
            value: nine_decimals(1.0 - share(value)?),
            forbids_above: !keeps_below,
        }),
        (LoadStatistic::Latency | LoadStatistic::Rate | LoadStatistic::InFlight, _) => None,
    }
}

/// A bound of latency in milliseconds; a plain number is in seconds, the signal's unit.
fn millis(value: &Value) -> Option<f64> {
    match value {
        Value::Duration(duration) => Some(duration.as_secs_f64() * 1_000.0),
        Value::Number(seconds) => Some(seconds * 1_000.0),
        Value::Ratio(_) | Value::Rate(_) | Value::OfBaseline(_) => None,
    }
}

fn share(value: &Value) -> Option<f64> {
    match value {
        Value::Ratio(ratio) | Value::Number(ratio) => Some(*ratio),
        Value::Duration(_) | Value::Rate(_) | Value::OfBaseline(_) => None,
    }
}
