//! `gameday plan`: what a run would do, when, with which calls, and how each change is undone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::{Exit, Failure, actions, detection, lessons, notify, out, preview, schedules, workspace};
use crate::load::LoadSpec;
use crate::plan::{
    self, ALARM_CALLS, Action, AlarmPlan, ChangePlan, Dashboard, Plan, Policies, Refusal, TargetPlan, lock_calls,
};
use crate::playbook::{self, Playbook};
use crate::run::{self, Permission, PermitRequest, PredictedDetection};
use crate::scenario::{self, Checked, Mode};
use crate::schedule::Guard;
use crate::unit::{Clock, FaultId, PlaybookId, format_duration, printable_line};
use crate::workspace::{Environment, EnvironmentKind, Workspace};

/// How long a line of a plan may be, in characters: it may name all alarms that are watched.
const LINE_CHARS_MAX: usize = 10_000;

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
    /// Print what IAM must allow, as JSON: `inject` is the policy for a run, `rollback` the one for `gameday recover`, `readiness` the
    /// one for `gameday readiness`, of which a run in an account needs a part as well.
    #[arg(long)]
    iam: bool,
    /// Print a CloudWatch dashboard for the scenario, as JSON: its alarms, its targets' metrics, and its signals with their bounds.
    #[arg(long, conflicts_with_all = ["iam", "preview", "json"])]
    dashboard: bool,
    /// Ask the environment what the FIS experiments would work on: each is started with all its actions skipped.
    #[arg(long)]
    preview: bool,
    /// Ask no account and no endpoint: how soon their alarms can tell of a fault is then not known.
    #[arg(long, conflicts_with = "preview")]
    offline: bool,
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
        out::json(&json!({"inject": policies.inject, "rollback": policies.rollback, "readiness": policies.readiness}));
        policies.notes.iter().for_each(|note| out::progress(format_args!("note: {note}")));
        return Ok(Exit::Success);
    }
    if arguments.dashboard {
        return print_dashboard(&plan);
    }
    let previews = match arguments.preview {
        true => Some(preview::look(&plan, &workspace, environment).await?),
        false => None,
    };
    let detections = run::detections(&plan, environment, !arguments.offline).await;
    if arguments.json {
        let mut answer = serde_json::to_value(&plan).map_err(|error| Failure::from_error(&error))?;
        if let (Some(previews), Some(answer)) = (&previews, answer.as_object_mut()) {
            answer.insert("preview".to_owned(), preview::json(previews));
        }
        if let (false, Some(answer)) = (detections.is_empty(), answer.as_object_mut()) {
            answer.insert("detections".to_owned(), detection::json(&detections));
        }
        out::json(&answer);
    } else {
        print(&plan, &detections);
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

fn print_dashboard(plan: &Plan) -> Result<Exit, Failure> {
    let Some(dashboard) = Dashboard::of(plan) else {
        let text = "a dashboard shows the metrics of an account: name an environment that is bound to one, `--env NAME`, and no tabletop";
        return Err(Failure::new(Exit::Failure, text));
    };
    out::json(&dashboard.body);
    dashboard.notes.iter().for_each(|note| out::progress(format_args!("note: {}", shown(note))));
    out::progress(format_args!(
        "put it there by: aws cloudwatch put-dashboard --dashboard-name gameday-{} --dashboard-body file://FILE",
        plan.scenario.id
    ));
    Ok(Exit::Success)
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
        // They have colours, and are fit for a terminal but for line ends.
        let line = |row: &String| row.replace(['\n', '\u{2028}', '\u{2029}'], " ");
        rows.iter().for_each(|row| out::line(format_args!("  {}", line(row))));
    }
}

fn print_permission(permission: &Permission) {
    let Permission { given, missing, notes, .. } = permission;
    if given.is_empty() && missing.is_empty() && notes.is_empty() {
        return;
    }
    out::line("\nbefore a run");
    given.iter().for_each(|line| out::line(format_args!("  ✓ {}", shown(line))));
    missing.iter().for_each(|line| out::line(format_args!("  ✗ {}", shown(line))));
    notes.iter().for_each(|line| out::line(format_args!("  - {}", shown(line))));
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
    let lines: Vec<String> = refusals.iter().map(|refusal| format!("\n  - {}", shown(&refusal.to_string()))).collect();
    Failure::new(Exit::NotReady, format_args!("this can not be run as it is meant:{}", lines.concat()))
}

fn print(plan: &Plan, detections: &[PredictedDetection]) {
    let print = |page: Page| page.0.iter().for_each(out::line);
    let mut page = Page::default();
    add_timeline(&mut page, plan);
    add_end(&mut page, plan, detections);
    print(page);
    notify::print(plan);
    let mut page = Page::default();
    if !plan.not_carried_out.is_empty() {
        page.section("checked, but not carried out by this version");
        plan.not_carried_out.iter().for_each(|line| page.line(format_args!("  - {line}")));
    }
    print(page);
}

/// Lines of a plan, each fit for a terminal: what a scenario says is text, and makes no line of its own.
#[derive(Debug, Default)]
struct Page(Vec<String>);

impl Page {
    fn line(&mut self, text: impl Display) {
        self.0.push(shown(&text.to_string()));
    }

    /// A title, with an empty line before it.
    fn section(&mut self, title: impl Display) {
        self.line("");
        self.line(title);
    }
}

fn shown(text: &str) -> String {
    printable_line(text, LINE_CHARS_MAX)
}

fn add_timeline(page: &mut Page, plan: &Plan) {
    page.line(format_args!("{} ({})", plan.scenario.title, plan.scenario.id));
    let (environment, length) = (&plan.environment, format_duration(plan.length()));
    page.line(format_args!("in {}{}, {length} of timeline", environment.name, environment.kind.in_words()));
    if let Some(lock) = &environment.lock {
        page.line(format_args!("locked for other machines by the parameter {lock}"));
        page.line(format_args!("           calls: {}", lock_calls().collect::<Vec<_>>().join(", ")));
    }
    for (target, spec) in &plan.targets {
        if let TargetPlan::RemoteProxy { at, .. } = spec {
            let token = at.token.as_ref().map(|token| format!(", with the token of {}", token.variable()));
            let (name, admin, token) = (&at.name, &at.admin, token.unwrap_or_default());
            page.line(format_args!("{target} is the fault proxy {name} at {admin}{token}"));
        }
    }
    if !plan.routes.is_empty() {
        page.section("before the first phase");
        for route in &plan.routes {
            add_change(page, route, None);
        }
    }
    for (index, phase) in plan.phases.iter().enumerate() {
        page.section(format_args!("{:>7}  phase {} for {}", format_duration(phase.start.0), phase.phase, phase.length));
        if let Some(until) = &phase.until {
            page.line(format_args!("         ends early when {until}"));
        }
        for step in &phase.checklist {
            let within = step.within.as_ref().map(|within| format!(" within {within}")).unwrap_or_default();
            let owner = step.owner.as_ref().map(|owner| format!("{owner}: ")).unwrap_or_default();
            let must = if step.must { ", must" } else { "" };
            page.line(format_args!("         ☐ {}: {owner}{}{within}{must}", step.step, step.text));
        }
        for step in plan.steps.iter().filter(|step| step.phase == index) {
            add_step(page, plan, step);
        }
        if !phase.gate.is_empty() {
            let names: Vec<String> = phase.gate.iter().map(ToString::to_string).collect();
            page.line(format_args!("         gate: {} must hold, or nothing is injected", names.join(", ")));
        }
    }
}

fn add_step(page: &mut Page, plan: &Plan, step: &plan::Step) {
    let at = format_duration(step.start.0);
    let stop = step.stop.map(|stop| format!(" until {stop}")).unwrap_or_default();
    match &step.action {
        Action::StartLoad(load) => {
            page.line(format_args!("{at:>7}  load {load}{stop}"));
            plan.loads.get(load).into_iter().for_each(|spec| add_load(page, spec));
        }
        Action::StopLoad(load) => page.line(format_args!("{at:>7}  stop load {load}")),
        Action::InjectFault { fault, .. } => {
            page.line(format_args!("{at:>7}  fault {fault}{stop}"));
            add_inner(page, plan.changes.get(fault));
        }
        Action::UndoFault(fault) => page.line(format_args!("{at:>7}  undo {fault}")),
        Action::DealCard(fault) => {
            let text = plan.changes.get(fault).map(crate::plan::ChangePlan::card).unwrap_or_default();
            page.line(format_args!("{at:>7}  card {fault}: {text}"));
        }
        Action::TakeCard(fault) => page.line(format_args!("{at:>7}  take card {fault} away")),
        Action::DeliverInject { to, text, .. } => page.line(format_args!("{at:>7}  to {to}: {text}")),
    }
    if let Some(unless) = &step.unless {
        page.line(format_args!("         unless {unless}"));
    }
}

/// How much of a load there is at most, who comes, and where it goes.
fn add_load(page: &mut Page, load: &LoadSpec) {
    let shape = load.shape();
    let journeys: Vec<&str> = load.journeys.iter().map(|journey| journey.name.as_str()).collect();
    if let Some(level) = shape.highest() {
        let (lasting, journeys) = (format_duration(shape.end()), journeys.join(", "));
        page.line(format_args!("         up to {level}, {lasting} in all: {journeys}"));
    }
    // What a placeholder decides has no host yet.
    let undecided = load.base_url.iter().filter(|base| base.contains("${")).cloned();
    let places: BTreeSet<String> = undecided.chain(load.hosts(|_| None)).collect();
    let called: BTreeSet<String> =
        load.calls().iter().filter_map(|(_, step)| step.callee()).map(ToString::to_string).collect();
    for (what, names) in [("goes to", places), ("calls", called)] {
        if !names.is_empty() {
            page.line(format_args!("         {what} {}", names.into_iter().collect::<Vec<_>>().join(", ")));
        }
    }
}

fn add_inner(page: &mut Page, change: Option<&ChangePlan>) {
    if let Some(change) = change {
        add_change(page, change, change.effect_if.as_ref());
    }
}

fn add_change(page: &mut Page, change: &ChangePlan, effect_if: Option<&crate::scenario::expect::Expectation>) {
    let name: &FaultId = &change.fault;
    page.line(format_args!("         {name}: {}", change.change));
    page.line(format_args!("           undo:  {}", change.undo));
    if !change.calls.is_empty() {
        page.line(format_args!("           calls: {}", change.calls.join(", ")));
    }
    if let Some(cover) = &change.cover {
        page.line(format_args!("           dead man's switch: {cover}"));
    }
    if let Some(effect_if) = effect_if {
        page.line(format_args!("           proof: {effect_if}"));
    }
}

fn add_end(page: &mut Page, plan: &Plan, detections: &[PredictedDetection]) {
    page.section(format_args!(
        "{:>7}  end: every change is undone, last first, and read back",
        format_duration(plan.length())
    ));
    if let Some(settle) = &plan.settle {
        let names: Vec<String> = settle.steady.iter().map(ToString::to_string).collect();
        page.line(format_args!("         settle: {} must hold again within {}", names.join(", "), settle.within));
    }
    page.section("hypotheses");
    for hypothesis in &plan.hypotheses {
        let gap = hypothesis.known_gap.as_ref().map(|gap| format!(" (known gap {gap})")).unwrap_or_default();
        page.line(format_args!("  {}: {}{gap}", hypothesis.id, hypothesis.text));
        page.line(format_args!("      {}", hypothesis.expect));
        let known = detection::lines(detections, &hypothesis.id);
        known.iter().for_each(|line| page.line(format_args!("      {line}")));
    }
    if !plan.guardrails.is_empty() {
        page.section("guardrails");
        for guardrail in &plan.guardrails {
            page.line(format_args!("  {}: abort if {}", guardrail.id, guardrail.rule));
        }
    }
    if let Some(alarms) = &plan.alarms {
        add_alarms(page, alarms);
    }
}

fn add_alarms(page: &mut Page, alarms: &AlarmPlan) {
    page.section("alarms");
    let expected: Vec<String> = alarms.expected.iter().map(ToString::to_string).collect();
    let tolerated: Vec<String> = alarms.tolerated.iter().map(ToString::to_string).collect();
    let listed = |name: &&str| expected.iter().chain(&tolerated).all(|other| other != name);
    let watched: Vec<String> = alarms.names().filter(listed).chain(alarms.globs()).map(str::to_owned).collect();
    for (what, names) in [("must fire", expected.clone()), ("may fire", tolerated.clone()), ("watched", watched)] {
        if !names.is_empty() {
            page.line(format_args!("  {what}: {}", names.join(", ")));
        }
    }
    page.line(format_args!("  read by {} while the run lasts; nothing is changed", ALARM_CALLS.join(", ")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{Sketch, variable};

    const HOSTILE: &str = "odd\u{1b}[2J\n  ✓ owner agreed: maria\r\u{9b}1A\u{2028}\u{202e}";
    const SHOWN: &str = "odd\\u{1b}[2J   ✓ owner agreed: maria \\u{9b}1A \\u{202e}";

    #[test]
    fn no_text_of_a_scenario_moves_the_cursor_or_makes_a_line_of_a_plan() {
        let mut plan = Sketch::new(Mode::Drill)
            .load("users", "1h", "abort")
            .fault(variable("lag", "shop", "LAG"), None, None)
            .message("ticket", "responder")
            .phase("only", 10)
            .start_load(0, "users")
            .inject(0, "lag")
            .person_step("claim", None, true, false)
            .hypothesis("H1", "min(ok) >= 90%", &[])
            .plan();
        let tame = pages(&plan).0.len();
        HOSTILE.clone_into(&mut plan.scenario.title);
        HOSTILE.clone_into(&mut plan.hypotheses[0].text);
        HOSTILE.clone_into(&mut plan.phases[0].checklist[0].text);
        plan.not_carried_out.push(HOSTILE.to_owned());
        let change = plan.changes.values_mut().next().unwrap();
        for text in [&mut change.change, &mut change.undo] {
            HOSTILE.clone_into(text);
        }
        change.calls.push(HOSTILE.to_owned());
        plan.loads.values_mut().for_each(|load| HOSTILE.clone_into(&mut load.journeys[0].name));
        let (to, inject) = ("responder".parse().unwrap(), "ticket".parse().unwrap());
        plan.steps[0].action = Action::DeliverInject { inject, to, text: HOSTILE.to_owned() };
        let lines = pages(&plan).0;
        let shown = lines.iter().filter(|line| line.contains(SHOWN)).count();
        assert_eq!(shown, 7, "{lines:#?}");
        assert!(lines.iter().all(|line| !line.chars().any(|c| c.is_control() || c == '\u{2028}' || c == '\u{202e}')));
        assert!(lines.len() <= tame + 1, "only the calls have a line more: {lines:#?}");
    }

    fn pages(plan: &Plan) -> Page {
        let mut page = Page::default();
        add_timeline(&mut page, plan);
        add_end(&mut page, plan, &[]);
        page
    }
}
