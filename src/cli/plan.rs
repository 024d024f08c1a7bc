//! `gameday plan`: what a run would do, when, with which calls, and how each change is undone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::{Exit, Failure, actions, lessons, notify, out, preview, schedules, workspace};
use crate::load::LoadSpec;
use crate::plan::{self, ALARM_CALLS, Action, AlarmPlan, ChangePlan, Plan, Policies, Refusal, TargetPlan, lock_calls};
use crate::playbook::{self, Playbook};
use crate::run::{Permission, PermitRequest};
use crate::scenario::{self, Checked, Mode};
use crate::schedule::Guard;
use crate::unit::{Clock, FaultId, PlaybookId, format_duration};
use crate::workspace::{Environment, EnvironmentKind, Workspace};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The scenario file.
    scenario: PathBuf,
    /// The environment of gameday.yaml to plan for.
    #[arg(long, value_name = "NAME", default_value = "sandbox")]
    env: String,
    /// Print the plan as JSON, as a run would keep it.
    #[arg(long)]
    json: bool,
    /// Print what IAM must allow, as JSON: `inject` is the policy for a run, `rollback` the one for `gameday recover`.
    #[arg(long)]
    iam: bool,
    /// Ask the environment what the FIS experiments would work on: each is started with all its actions skipped.
    #[arg(long)]
    preview: bool,
}

pub(super) async fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let workspace = workspace::discover(&arguments.scenario)?;
    let environment = workspace::environment(&workspace, &arguments.env)?;
    let checked = load(&arguments.scenario, &workspace, environment)?;
    let table = Environment::table();
    let environment = place(&checked, environment, &table);
    let plan = compile(&checked, &workspace, environment)?;
    if arguments.iam {
        let policies = Policies::of(&plan, environment, None);
        out::json(&json!({"inject": policies.inject, "rollback": policies.rollback}));
        policies.notes.iter().for_each(|note| out::progress(format_args!("note: {note}")));
        return Ok(Exit::Success);
    }
    let previews = match arguments.preview {
        true => Some(preview::look(&plan, &workspace, environment).await?),
        false => None,
    };
    if arguments.json {
        let mut answer = serde_json::to_value(&plan).map_err(|error| Failure::from_error(&error))?;
        if let (Some(previews), Some(answer)) = (&previews, answer.as_object_mut()) {
            answer.insert("preview".to_owned(), preview::json(previews));
        }
        out::json(&answer);
    } else {
        print(&plan);
        print_rows(
            "lessons that nobody has settled, about what it touches",
            &lessons::touched_by(&plan, &workspace.root),
        );
        print_rows("actions that are overdue, on what it touches", &actions::overdue_of(&plan, &workspace.root));
        previews.iter().for_each(|previews| preview::print(previews));
        let reports = workspace::reports_of(&workspace, None);
        print_permission(&permission(&Asked {
            plan: &plan,
            checked: &checked,
            environment,
            workspace: &workspace,
            reports: &reports,
            production: None,
            overridden: None,
            scenario: &arguments.scenario,
        })?);
    }
    Ok(previews.map_or(Exit::Success, |previews| preview::exit(&previews)))
}

/// What is asked before a run.
pub(super) struct Asked<'a> {
    pub(super) plan: &'a Plan,
    pub(super) checked: &'a Checked,
    pub(super) environment: &'a Environment,
    pub(super) workspace: &'a Workspace,
    pub(super) reports: &'a Path,
    pub(super) production: Option<&'a str>,
    pub(super) overridden: Option<&'a str>,
    pub(super) scenario: &'a Path,
}

/// What lets a run begin, and what does not. A calendar of the schedule that is not understood is a failure with exit code 2.
pub(super) fn permission(asked: &Asked<'_>) -> Result<Permission, Failure> {
    let &Asked { plan, checked, environment, workspace, reports, production, overridden, scenario } = asked;
    let rules = checked.scenario.environments.as_ref();
    let pass_first = rules.and_then(|rules| rules.pass_first.get(&environment.name)).map(String::as_str);
    let (root, now) = (workspace.root.as_path(), Clock::start().now());
    let guard = match environment.kind() {
        // Nothing outside this machine can be hurt.
        EnvironmentKind::Sandbox(_) => None,
        EnvironmentKind::Endpoint(_) | EnvironmentKind::Account(_) => {
            Guard::of(&checked.scenario, root, now, now).map_err(schedules::not_guarded)?
        }
    };
    let schedule = guard.as_ref();
    let planned = match schedule {
        Some(guard) => schedules::planned_near(workspace, guard, now)?,
        None => Vec::new(),
    };
    Ok(Permission::look(&PermitRequest {
        plan,
        environment,
        pass_first,
        production,
        schedule,
        planned: &planned,
        barriers: &lessons::barriers(plan, root),
        overridden,
        root,
        reports,
        own_reports: &workspace::reports_of(workspace, None),
        scenario,
        now,
    }))
}

fn print_rows(title: &str, rows: &[String]) {
    if !rows.is_empty() {
        out::line(format_args!("\n{title}"));
        rows.iter().for_each(|line| out::line(format_args!("  {line}")));
    }
}

fn print_permission(permission: &Permission) {
    let Permission { given, missing, notes, .. } = permission;
    if given.is_empty() && missing.is_empty() && notes.is_empty() {
        return;
    }
    out::line("\nbefore a run");
    given.iter().for_each(|line| out::line(format_args!("  ✓ {line}")));
    missing.iter().for_each(|line| out::line(format_args!("  ✗ {line}")));
    notes.iter().for_each(|line| out::line(format_args!("  - {line}")));
}

/// Where a scenario is run: in the environment that was named, or at a table, where there is none.
pub(super) fn place<'a>(checked: &Checked, named: &'a Environment, table: &'a Environment) -> &'a Environment {
    match checked.scenario.mode {
        Mode::Tabletop => table,
        Mode::Drill | Mode::Regression => named,
    }
}

/// Reads and checks a scenario; warnings go to standard error.
pub(super) fn load(path: &Path, workspace: &Workspace, environment: &Environment) -> Result<Checked, Failure> {
    let checked = scenario::load(path, workspace, Some(&environment.name))
        .map_err(|problems| workspace::invalid(&workspace::with_nearest_scenario(problems, path, &workspace.root)))?;
    workspace::tell_no_settings(workspace);
    workspace::warn(&workspace.warnings);
    workspace::warn(&checked.warnings);
    Ok(checked)
}

/// Compiles a scenario; what cannot be done is a failure with exit code 7.
pub(super) fn compile(checked: &Checked, workspace: &Workspace, environment: &Environment) -> Result<Plan, Failure> {
    let playbooks = playbooks(checked, workspace)?;
    plan::compile(checked, workspace, environment, &playbooks).map_err(|refusals| refused(&refusals))
}

fn playbooks(checked: &Checked, workspace: &Workspace) -> Result<BTreeMap<PlaybookId, Playbook>, Failure> {
    let mut playbooks = BTreeMap::new();
    for id in checked.scenario.timeline.iter().filter_map(|phase| phase.playbook.as_ref()) {
        if let Some(path) = workspace.playbooks.get(id) {
            let playbook = playbook::load(path).map_err(|problems| workspace::invalid(&problems))?;
            playbooks.insert(id.clone(), playbook);
        }
    }
    Ok(playbooks)
}

fn refused(refusals: &[Refusal]) -> Failure {
    let lines: Vec<String> = refusals.iter().map(|refusal| format!("\n  - {refusal}")).collect();
    Failure::new(Exit::NotReady, format_args!("this can not be run as it is meant:{}", lines.concat()))
}

fn print(plan: &Plan) {
    out::line(format_args!("{} ({})", plan.scenario.title, plan.scenario.id));
    let (environment, length) = (&plan.environment, format_duration(plan.length()));
    out::line(format_args!("in {}{}, {length} of timeline", environment.name, environment.kind.in_words()));
    if let Some(lock) = &environment.lock {
        out::line(format_args!("locked for other machines by the parameter {lock}"));
        out::line(format_args!("           calls: {}", lock_calls().collect::<Vec<_>>().join(", ")));
    }
    for (target, spec) in &plan.targets {
        if let TargetPlan::RemoteProxy { at, .. } = spec {
            let token = at.token.as_ref().map(|token| format!(", with the token of {}", token.variable()));
            let (name, admin, token) = (&at.name, &at.admin, token.unwrap_or_default());
            out::line(format_args!("{target} is the fault proxy {name} at {admin}{token}"));
        }
    }
    if !plan.routes.is_empty() {
        out::line("\nbefore the first phase");
        for route in &plan.routes {
            print_change(route, None);
        }
    }
    for (index, phase) in plan.phases.iter().enumerate() {
        out::line(format_args!("\n{:>7}  phase {} for {}", format_duration(phase.start.0), phase.phase, phase.length));
        if let Some(until) = &phase.until {
            out::line(format_args!("         ends early when {until}"));
        }
        for step in &phase.checklist {
            let within = step.within.as_ref().map(|within| format!(" within {within}")).unwrap_or_default();
            let owner = step.owner.as_ref().map(|owner| format!("{owner}: ")).unwrap_or_default();
            let must = if step.must { ", must" } else { "" };
            out::line(format_args!("         ☐ {}: {owner}{}{within}{must}", step.step, step.text));
        }
        for step in plan.steps.iter().filter(|step| step.phase == index) {
            print_step(plan, step);
        }
        if !phase.gate.is_empty() {
            let names: Vec<String> = phase.gate.iter().map(ToString::to_string).collect();
            out::line(format_args!("         gate: {} must hold, or nothing is injected", names.join(", ")));
        }
    }
    print_end(plan);
}

fn print_step(plan: &Plan, step: &plan::Step) {
    let at = format_duration(step.start.0);
    let stop = step.stop.map(|stop| format!(" until {stop}")).unwrap_or_default();
    match &step.action {
        Action::StartLoad(load) => {
            out::line(format_args!("{at:>7}  load {load}{stop}"));
            plan.loads.get(load).into_iter().for_each(print_load);
        }
        Action::StopLoad(load) => out::line(format_args!("{at:>7}  stop load {load}")),
        Action::InjectFault { fault, .. } => {
            out::line(format_args!("{at:>7}  fault {fault}{stop}"));
            print_inner(plan.changes.get(fault));
        }
        Action::UndoFault(fault) => out::line(format_args!("{at:>7}  undo {fault}")),
        Action::DealCard(fault) => {
            let text = plan.changes.get(fault).map(crate::plan::ChangePlan::card).unwrap_or_default();
            out::line(format_args!("{at:>7}  card {fault}: {text}"));
        }
        Action::TakeCard(fault) => out::line(format_args!("{at:>7}  take card {fault} away")),
        Action::DeliverInject { to, text, .. } => out::line(format_args!("{at:>7}  to {to}: {text}")),
    }
    if let Some(unless) = &step.unless {
        out::line(format_args!("         unless {unless}"));
    }
}

/// How much of a load there is at most, who comes, and where it goes.
fn print_load(load: &LoadSpec) {
    let shape = load.shape();
    let journeys: Vec<&str> = load.journeys.iter().map(|journey| journey.name.as_str()).collect();
    if let Some(level) = shape.highest() {
        let (lasting, journeys) = (format_duration(shape.end()), journeys.join(", "));
        out::line(format_args!("         up to {level}, {lasting} in all: {journeys}"));
    }
    // What a placeholder decides has no host yet.
    let undecided = load.base_url.iter().filter(|base| base.contains("${")).cloned();
    let places: BTreeSet<String> = undecided.chain(load.hosts(|_| None)).collect();
    let called: BTreeSet<String> =
        load.calls().iter().filter_map(|(_, step)| step.callee()).map(ToString::to_string).collect();
    for (what, names) in [("goes to", places), ("calls", called)] {
        if !names.is_empty() {
            out::line(format_args!("         {what} {}", names.into_iter().collect::<Vec<_>>().join(", ")));
        }
    }
}

fn print_inner(change: Option<&ChangePlan>) {
    if let Some(change) = change {
        print_change(change, change.effect_if.as_ref());
    }
}

fn print_change(change: &ChangePlan, effect_if: Option<&crate::scenario::expect::Expectation>) {
    let name: &FaultId = &change.fault;
    out::line(format_args!("         {name}: {}", change.change));
    out::line(format_args!("           undo:  {}", change.undo));
    if !change.calls.is_empty() {
        out::line(format_args!("           calls: {}", change.calls.join(", ")));
    }
    if let Some(cover) = &change.cover {
        out::line(format_args!("           dead man's switch: {cover}"));
    }
    if let Some(effect_if) = effect_if {
        out::line(format_args!("           proof: {effect_if}"));
    }
}

fn print_end(plan: &Plan) {
    out::line(format_args!(
        "\n{:>7}  end: every change is undone, last first, and read back",
        format_duration(plan.length())
    ));
    if let Some(settle) = &plan.settle {
        let names: Vec<String> = settle.steady.iter().map(ToString::to_string).collect();
        out::line(format_args!("         settle: {} must hold again within {}", names.join(", "), settle.within));
    }
    out::line("\nhypotheses");
    for hypothesis in &plan.hypotheses {
        let gap = hypothesis.known_gap.as_ref().map(|gap| format!(" (known gap {gap})")).unwrap_or_default();
        out::line(format_args!("  {}: {}{gap}\n      {}", hypothesis.id, hypothesis.text, hypothesis.expect));
    }
    if !plan.guardrails.is_empty() {
        out::line("\nguardrails");
        for guardrail in &plan.guardrails {
            out::line(format_args!("  {}: abort if {}", guardrail.id, guardrail.rule));
        }
    }
    if let Some(alarms) = &plan.alarms {
        print_alarms(alarms);
    }
    notify::print(plan);
    if !plan.not_carried_out.is_empty() {
        out::line("\nchecked, but not carried out by this version");
        plan.not_carried_out.iter().for_each(|line| out::line(format_args!("  - {line}")));
    }
}

fn print_alarms(alarms: &AlarmPlan) {
    out::line("\nalarms");
    let expected: Vec<String> = alarms.expected.iter().map(ToString::to_string).collect();
    let tolerated: Vec<String> = alarms.tolerated.iter().map(ToString::to_string).collect();
    let listed = |name: &&str| expected.iter().chain(&tolerated).all(|other| other != name);
    let watched: Vec<String> = alarms.names().filter(listed).chain(alarms.globs()).map(str::to_owned).collect();
    for (what, names) in [("must fire", expected.clone()), ("may fire", tolerated.clone()), ("watched", watched)] {
        if !names.is_empty() {
            out::line(format_args!("  {what}: {}", names.join(", ")));
        }
    }
    out::line(format_args!("  read by {} while the run lasts; nothing is changed", ALARM_CALLS.join(", ")));
}
