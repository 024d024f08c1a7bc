//! What the templates are tried on: the golden logs, the sample, and runs that are told otherwise.

use crate::action::Record as Action;
use crate::debrief::Record as Debrief;
use crate::event::{
    Event, EventKind, HypothesisResult, Observation, Prediction, Recoverer, StepAsks, StepOutcome, SwitchStep, Verdict,
};
use crate::observe::TraceEvidence;
use crate::report::compare::{AlarmFigure, Comparison, Figures, HypothesisFigure};
use crate::report::facts::AlarmFacts;
use crate::report::model::{Environment, Why, WhyComponent, WhyLesson, WhyRisk};
use crate::report::sample::{self, Script, found, identity, intended, transitioned};
use crate::report::tests::{golden, sample_report};
use crate::report::{Evidence, Facts, Report};
use crate::unit::AlarmState;

/// A golden log, to be told otherwise.
struct Told {
    events: Vec<Event>,
    facts: Facts,
    evidence: Evidence,
}

impl Told {
    fn of(name: &str) -> Self {
        let (events, facts, evidence) = golden::read(name);
        Self { events, facts, evidence }
    }

    /// The events that `is_kept` keeps, and others.
    fn retold(mut self, is_kept: impl Fn(&Event) -> bool, others: impl IntoIterator<Item = (u64, EventKind)>) -> Self {
        let mut script = Script::default();
        let kept = self.events.into_iter().filter(is_kept).map(|event| (event.elapsed_ms, event.kind));
        for (elapsed_ms, kind) in kept.chain(others) {
            script.at(elapsed_ms, kind);
        }
        self.events = script.events();
        self
    }

    fn report(&self) -> Report {
        Report::from_facts(&self.events, &self.facts, &self.evidence)
    }
}

pub(super) fn reports() -> Vec<Report> {
    let mut reports = golden::reports();
    reports.push(sample_report());
    let others = [
        nothing(),
        bare(),
        unknown_workload(),
        crashed(),
        not_injected(),
        alarmed(),
        by_people(),
        switched(),
        before(),
        nothing_twice(),
        all_known(),
    ];
    reports.extend(others.iter().map(Told::report));
    reports
}

/// Not even a start, in an account.
fn nothing() -> Told {
    let environment = Environment {
        kind: "account".to_owned(),
        account: Some("111122223333".to_owned()),
        region: Some("eu-west-1".to_owned()),
        caveat: None,
        ..sample::facts().environment
    };
    let facts = Facts {
        why: None,
        people: Vec::new(),
        guardrails: Vec::new(),
        hypotheses: Vec::new(),
        alarms: None,
        environment,
        ..sample::facts()
    };
    Told { events: Vec::new(), facts, evidence: Evidence::default() }
}

fn nothing_twice() -> Told {
    let mut told = nothing();
    told.evidence.kept.previous = Some(Figures::of(&told.report()));
    told
}

/// Nothing that a rule would have to know, and something that nobody owns.
fn all_known() -> Told {
    let mut told = nothing();
    told.facts.functions.clear();
    told.facts.owner.clear();
    let traces = TraceEvidence { trace_count: 2, fault_count: 2, ..sample::traces() };
    told.evidence.seen.traces.insert("evidence/traces/traces.json".to_owned(), Ok(traces));
    told
}

/// A scenario that says next to nothing, and an emulator in an account's name.
fn bare() -> Told {
    let mut told = Told::of("upheld");
    told.facts.environment.endpoint = Some("http://127.0.0.1:4566".to_owned());
    told.facts.environment.account = Some("000000000000".to_owned());
    told.facts.why = Some(Why { tags: vec!["one".to_owned(), "two".to_owned()], ..Why::default() });
    told.facts.owner.clear();
    told.facts.load_units.clear();
    told.facts.debrief.hot_wash_ms = None;
    told.facts.debrief.review_after_ms = None;
    told.evidence.kept.workload = None;
    told.evidence.loads = [("shoppers".parse().unwrap(), Err("line 1 is no frame".to_owned()))].into();
    let load = "shoppers".parse().unwrap();
    let lost = [
        (14_050, EventKind::LoadStarted { load: "idle".parse().unwrap(), pid: 7 }),
        (14_200, EventKind::LoadLost { load, why: "the worker died".to_owned() }),
    ];
    told.retold(|event| !matches!(event.kind, EventKind::LoadEnded { .. }), lost)
}

/// The workload's file can not be read, so that names are all that is known.
fn unknown_workload() -> Told {
    let mut told = Told::of("upheld");
    told.facts.why = Some(Why {
        text: Some("We want to know.".to_owned()),
        components: vec![WhyComponent { name: "payments".to_owned(), ..WhyComponent::default() }],
        risks: vec![WhyRisk { id: "RISK-001".to_owned(), ..WhyRisk::default() }],
        retests: ["L-2026-001", "L-2026-099"].map(|id| WhyLesson { id: id.to_owned(), title: None }).to_vec(),
        ..Why::default()
    });
    told.evidence.kept.workload = Some(Err("`workload.yaml` is no file of ours".to_owned()));
    told.evidence.kept.debrief = Some(Err("`debrief.yaml`: unknown key".to_owned()));
    for lesson in &mut told.evidence.kept.lessons {
        lesson.front.regression = None;
    }
    told.evidence.kept.retests.clear();
    told
}

/// The log ends in the middle, before the fault is known to do anything; another process recovers.
fn crashed() -> Told {
    let mut told = Told::of("refuted");
    let workload = told.evidence.kept.workload.as_mut().unwrap().as_mut().unwrap();
    workload.teams.values_mut().for_each(|team| team.contact = None);
    let later = [
        (60_000, EventKind::RecoveryStarted { process: 5, by: Recoverer::Person }),
        (60_100, EventKind::FaultReverting { identity: identity("001", "throttle") }),
    ];
    told.retold(|event| event.elapsed_ms < 7_000, later)
}

/// A fault that was not even armed, and one about which two hypotheses are; a gate that saw nothing.
fn not_injected() -> Told {
    let mut told = Told::of("refuted");
    told.facts.hypotheses[0].faults.push("slow".to_owned());
    told.facts.hypotheses[0].loads.push("others".to_owned());
    let mut file = told.evidence.files.iter().find(|file| file.file.starts_with("evidence/load-")).unwrap().clone();
    "evidence/load-others.ndjson".clone_into(&mut file.file);
    told.evidence.files.push(file);
    let judged = |hypothesis: &str, verdict, observations| HypothesisResult {
        hypothesis: hypothesis.parse().unwrap(),
        verdict,
        observations,
    };
    let unknown = Observation {
        term: "mean(ok) >= 99%".to_owned(),
        held: None,
        observed: None,
        window_ms: None,
        sample_count: 0,
        held_ms: None,
        spread: None,
        missing: Some("there is no sample".to_owned()),
    };
    let held = Observation { held: Some(true), held_ms: Some(13_000), missing: None, ..unknown.clone() };
    let results = vec![
        judged("H1", Verdict::Inconclusive("there is no sample".to_owned()), vec![unknown]),
        judged("H2", Verdict::NotTested("it was not asked".to_owned()), Vec::new()),
    ];
    let others = [
        (6_005, EventKind::GateJudged { phase: "baseline".parse().unwrap(), open: true, results }),
        (6_006, EventKind::GateJudged { phase: "throttled".parse().unwrap(), open: true, results: Vec::new() }),
        (6_500, intended("002", "slow", "lambda_timeout", "payments-fn", "timeout: 5 s → 1 s", "timeout: 5 s")),
        (6_600, EventKind::FaultFailed { identity: identity("002", "slow"), error: "denied".to_owned() }),
        (14_350, EventKind::HypothesisJudged(judged("H1", Verdict::Upheld, Vec::new()))),
        (14_360, EventKind::HypothesisJudged(judged("H2", Verdict::Upheld, vec![held]))),
    ];
    told.retold(|_| true, others)
}

/// An alarm that fires three times, and goes on for long after its fault.
fn alarmed() -> Told {
    let mut told = Told::of("upheld");
    told.facts.alarms =
        Some(AlarmFacts { expected: ["throttles", "errors"].map(ToOwned::to_owned).to_vec(), ..AlarmFacts::default() });
    let turned = |from, to, at_ms| (at_ms, transitioned("throttles", Some(from), to, at_ms));
    use AlarmState::{Alarm, Ok};
    let others = [
        (900, found("throttles", Ok)),
        turned(Ok, Alarm, 9_000),
        turned(Alarm, Ok, 10_000),
        turned(Ok, Alarm, 11_000),
        turned(Alarm, Ok, 12_000),
        turned(Ok, Alarm, 13_000),
        turned(Alarm, Ok, 400_000),
        (410_000, EventKind::RunSettled),
    ];
    told.retold(|_| true, others)
}

/// People who leave things out, and what they wrote down afterwards.
fn by_people() -> Told {
    let mut told = Told::of("upheld");
    let look = || "look".parse().unwrap();
    let text = "Look at the board".to_owned();
    let opened = |due_ms, step: &str| EventKind::StepOpened {
        step: step.parse().unwrap(),
        text: text.clone(),
        owner: None,
        due_ms,
        must: true,
        playbook: None,
        asks: StepAsks::default(),
    };
    let is_other = |event: &Event| !matches!(event.kind, EventKind::StepOpened { .. } | EventKind::StepClosed { .. });
    let others = [
        (6_020, opened(Some(10_010), "look")),
        (6_020, opened(None, "think")),
        (10_010, EventKind::StepOverdue { step: look() }),
        (10_010, EventKind::StepClosed { step: look(), outcome: StepOutcome::Done, by: None, evidence: None }),
        (10_020, EventKind::Noted { text: "hm".to_owned(), by: None }),
        sealed("a", Some("maria")),
        sealed("b", None),
        sealed("c", None),
    ];
    let mut record = Debrief::of("2026-11-10-100000-upheld".parse().unwrap(), &[]);
    let said = |note: Option<&str>| Prediction {
        hypothesis: "H1".parse().unwrap(),
        holds: true,
        note: note.map(str::to_owned),
        by: None,
    };
    record.predictions_revealed = true;
    told.evidence.kept.predictions.insert("a".to_owned(), Ok(said(Some("easily"))));
    told.evidence.kept.predictions.insert("b".to_owned(), Ok(said(None)));
    record.summary = Some("It held.".to_owned());
    told.evidence.kept.debrief = Some(Ok(record));
    told.evidence.kept.actions = vec![action()];
    told.retold(is_other, others)
}

/// A prediction about the first hypothesis.
fn sealed(sha256: &str, by: Option<&str>) -> (u64, EventKind) {
    let (hypothesis, sha256, by) = ("H1".parse().unwrap(), sha256.to_owned(), by.map(str::to_owned));
    (100, EventKind::PredictionSealed { hypothesis, sha256, by })
}

fn action() -> Action {
    let text = "id: A-2026-001\ntext: Look again\ntype: detect\nowner: team-shop\ndue: 2026-12-15\n";
    serde_yaml::from_str(text).unwrap()
}

/// A lock and a dead man's switch.
fn switched() -> Told {
    let mut told = Told::of("refuted");
    let mut record = Debrief::of("2026-11-10-100000-refuted".parse().unwrap(), &["Why?".to_owned()]);
    record.held_on = Some("2026-11-13".parse().unwrap());
    record.factors.push("a retry without an end".to_owned());
    told.evidence.kept.debrief = Some(Ok(record));
    let fires_at = "2026-11-10T10:06:00Z".parse().unwrap();
    let throttle = || identity("001", "throttle");
    let intent = EventKind::SwitchIntended {
        identity: throttle(),
        schedule: "gameday-1".to_owned(),
        group: "default".to_owned(),
        call: "lambda:DeleteFunctionConcurrency".to_owned(),
        fires_at,
    };
    let lock = EventKind::LockIntended {
        parameter: "/gameday/x".to_owned(),
        ticket: "t".to_owned(),
        holder: "maria".to_owned(),
        folder: String::new(),
    };
    let (step, error) = (SwitchStep::Delete, "denied".to_owned());
    let others = [
        (500, lock),
        sealed("a", None),
        (6_130, intent),
        (6_140, EventKind::SwitchSet { identity: throttle() }),
        (14_250, EventKind::SwitchFailed { identity: throttle(), step, error, by_hand: Vec::new() }),
    ];
    told.retold(|_| true, others)
}

/// Two runs of which the later one has less.
fn before() -> Told {
    let mut told = Told::of("refuted");
    let mut figures = Figures::of(&Told::of("upheld").report());
    let hypothesis = HypothesisFigure {
        id: "H7".to_owned(),
        text: "It was".to_owned(),
        verdict: "upheld".to_owned(),
        terms: Vec::new(),
    };
    figures.hypotheses.push(hypothesis);
    let mut fault = figures.faults[0].clone();
    "other".clone_into(&mut fault.fault);
    figures.faults.push(fault);
    figures.alarms.push(AlarmFigure { alarm: "throttles".to_owned(), outcome: "fired".to_owned() });
    let mut load = figures.loads[0].clone();
    "others".clone_into(&mut load.load);
    figures.loads.push(load);
    figures.scenario_sha256.clone_from(&told.facts.scenario_sha256);
    told.evidence.kept.previous = Some(figures);
    told
}

/// Runs beside each other, with and without each of the things that a page shows.
pub(super) fn comparisons() -> Vec<Comparison> {
    let empty = Figures::of(&nothing().report());
    let small = Figures::of(&Told::of("upheld").report());
    let mut without_quantiles = small.clone();
    without_quantiles.loads.iter_mut().flat_map(|load| &mut load.windows).for_each(|window| window.quantiles.clear());
    let mut whole = Figures::of(&sample_report());
    whole.loads.iter_mut().for_each(|load| load.windows.truncate(1));
    let all = [
        empty,
        small,
        without_quantiles,
        whole,
        Figures::of(&sample_report()),
        Figures::of(&alarmed().report()),
        Figures::of(&not_injected().report()),
    ];
    all.iter().flat_map(|before| all.iter().map(move |after| Comparison::of(before, after))).collect()
}
