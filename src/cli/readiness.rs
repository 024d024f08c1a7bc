//! `gameday readiness`: what can be known before a run, by looking and without changing anything.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::{Exit, Failure, notify, out, plan, readiness_facts, readiness_page, readiness_permissions, workspace};
use crate::plan::Plan;
use crate::readiness::{
    self, Asked, Depth, Facts, Look, Readiness, Scope, Severity, Shift, keep, read_kept, shifts, snippets,
};
use crate::run::{Barrier, Survey};
use crate::scenario::Mode;
use crate::unit::{CheckId, Clock, FileError, error_chain};
use crate::workspace::{Environment, EnvironmentKind};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The scenario file.
    #[arg(required_unless_present = "list")]
    scenario: Option<PathBuf>,
    /// The environment of gameday.yaml to look at.
    #[arg(long, value_name = "NAME", default_value = "sandbox")]
    env: String,
    /// Ask IAM alone whether the caller may do all that the run needs (`plan --iam` lists it), and tell each action.
    #[arg(long, conflicts_with_all = ["only", "severity", "junit", "sarif", "nightly", "snippets"])]
    permissions: bool,
    /// Print every check with its id, and ask nobody.
    #[arg(long, conflicts_with_all = ["scenario", "permissions"])]
    list: bool,
    /// These checks alone: `R-30,R-41`.
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    only: Vec<CheckId>,
    /// Those alone that weigh as much, or more: `must`, `should`, `info`; default all.
    #[arg(long, value_name = "WEIGHT")]
    severity: Option<Severity>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
    /// Write the result as JUnit XML, too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the result as SARIF 2.1.0, too.
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
    /// Keep the result in the folder of runs, and tell what became worse or better since the last one; exit code 7 also where something
    /// became worse.
    #[arg(long, conflicts_with_all = ["only", "severity"])]
    nightly: bool,
    /// Write CloudFormation for what is missing (alarms, log groups, tracing) into a folder, or print it, and nothing else.
    #[arg(long, value_name = "DIR", num_args = 0..=1, conflicts_with = "json")]
    snippets: Option<Option<PathBuf>>,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
}

/// What was found, and what it was found by.
struct Found {
    readiness: Readiness,
    facts: Facts,
    look: Look,
    scope: Scope,
}

pub(super) async fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let Some(scenario) = arguments.scenario.as_deref().filter(|_| !arguments.list) else {
        readiness_page::print_table();
        return Ok(Exit::Success);
    };
    let workspace = workspace::discover(scenario)?;
    let environment = workspace::environment(&workspace, &arguments.env)?;
    let checked = plan::load(scenario, &workspace, environment)?;
    let table = Environment::table();
    let environment = plan::place(&checked, environment, &table);
    let plan = plan::compile(&checked, &workspace, environment)?;
    if arguments.permissions {
        return readiness_permissions::look(&plan, &workspace, environment, arguments.json).await;
    }
    let reports = workspace::reports_of(&workspace, arguments.reports.as_deref());
    let now = Clock::start().now();
    let facts = readiness_facts::all(&plan, &checked, (&workspace, environment), &reports, now)?;
    let scope = Scope::of(&plan, facts.workload.as_ref());
    let look = take((&plan, environment), &scope, &workspace.root, Depth::All).await?;
    let asked =
        Asked { only: arguments.only.iter().copied().collect(), severity: arguments.severity, leaves_runs_own: false };
    let readiness = readiness::judge((&plan, environment), &facts, (&look, &scope), &asked);
    let found = Found { readiness, facts, look, scope };
    write_files(arguments, scenario, &plan, &found.readiness)?;
    let since = if arguments.nightly { nightly(&reports, &plan, &found.readiness)? } else { None };
    tell(arguments, (&plan, environment), &found, since.as_ref())?;
    let is_worse = since.iter().flat_map(|(_, shifts)| shifts).any(|shift| shift.is_worse);
    Ok(if found.readiness.is_ready() && !is_worse { Exit::Success } else { Exit::NotReady })
}

/// What keeps a run in an account from beginning and that the run does not see to by itself. Elsewhere nobody is hurt, and nothing is asked.
pub(super) async fn before_run(asked: &plan::Asked<'_>) -> Result<Vec<Barrier>, Failure> {
    let &plan::Asked { plan, environment, workspace, .. } = asked;
    match (environment.kind(), plan.scenario.mode) {
        (EnvironmentKind::Account(_), Mode::Drill | Mode::Regression) => {}
        (EnvironmentKind::Sandbox(_) | EnvironmentKind::Endpoint(_), _) | (_, Mode::Tabletop) => return Ok(Vec::new()),
    }
    let facts = readiness_facts::before_run(workspace);
    let scope = Scope::of(plan, facts.workload.as_ref());
    let look = take((plan, environment), &scope, &workspace.root, Depth::Musts).await?;
    if let Some(why) = look.not_asked() {
        return Err(Failure::new(Exit::NotReady, why));
    }
    let readiness = readiness::judge((plan, environment), &facts, (&look, &scope), &Asked::before_run());
    Ok(readiness.barriers())
}

/// Asks the environment; at a table there is nobody to ask.
async fn take(
    (plan, environment): (&Plan, &Environment),
    scope: &Scope,
    root: &Path,
    depth: Depth,
) -> Result<Look, Failure> {
    let now = Clock::start().now();
    if plan.scenario.mode == Mode::Tabletop {
        return Ok(Look::at_a_table(now));
    }
    let gameday = crate::unit::process::own_program().map_err(|error| Failure::from_error(&error))?;
    let root = root.join(".").canonicalize().map_err(|error| Failure::from_error(&error))?;
    let survey = Survey::begin(plan, environment, &gameday, &root).await;
    let survey = survey.map_err(|error| Failure { exit: Exit::NotReady, ..Failure::from_error(&error) })?;
    let look = Look::take(&survey, plan, environment, scope, (depth, now)).await;
    survey.end().await;
    Ok(look)
}

fn write_files(arguments: &Arguments, scenario: &Path, plan: &Plan, readiness: &Readiness) -> Result<(), Failure> {
    let name = format!("{}.{}", plan.scenario.id, plan.environment.name);
    if let Some(path) = &arguments.junit {
        let text = readiness::junit(&name, readiness).map_err(|error| Failure::from_error(&error))?;
        write(path, &text)?;
    }
    if let Some(path) = &arguments.sarif {
        let log = readiness::sarif(&super::sarif::uri(&scenario.display().to_string()), readiness);
        write(path, &format!("{log:#}\n"))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(FileError::on("write", path)).map_err(|error| Failure::from_error(&error))
}

/// Keeps the result, and tells what became of the last one, where there is one.
fn nightly(reports: &Path, plan: &Plan, now: &Readiness) -> Result<Option<(String, Vec<Shift>)>, Failure> {
    let failed = |error| Failure::new(Exit::Failure, error_chain(&error));
    let before = read_kept(reports, plan).map_err(failed)?;
    keep(reports, plan, now).map_err(failed)?;
    Ok(before.map(|before| (before.at.format("%Y-%m-%d %H:%M UTC").to_string(), shifts(&before, now))))
}

fn tell(
    arguments: &Arguments,
    (plan, environment): (&Plan, &Environment),
    found: &Found,
    since: Option<&(String, Vec<Shift>)>,
) -> Result<(), Failure> {
    let Found { readiness, facts, look, scope } = found;
    let notices = notify::problems(plan);
    if arguments.json {
        out::json(&json!({
            "format": 1,
            "scenario": plan.scenario.id,
            "environment": environment.name,
            "at": readiness.at,
            "ready": readiness.is_ready(),
            "checks": readiness.checks,
            "not_applicable": readiness.not_applicable,
            "waivers": readiness.waivers,
            "since": since.map(|(at, shifts)| json!({"at": at, "shifts": shifts})),
            "notices": notices,
        }));
        return Ok(());
    }
    let place = format!("{} in {}{}", plan.scenario.title, plan.environment.name, plan.environment.kind.in_words());
    let place = crate::unit::printable_line(&place, crate::unit::TEXT_CHARS_MAX);
    match &arguments.snippets {
        None => readiness_page::print(readiness, &place),
        Some(folder) => {
            let files = snippets((plan, environment), facts, (look, scope));
            let Some(folder) = folder else {
                let texts: Vec<String> = files.into_values().collect();
                out::text(&texts.join("---\n"));
                return Ok(());
            };
            std::fs::create_dir_all(folder)
                .map_err(FileError::on("create", folder))
                .map_err(|error| Failure::from_error(&error))?;
            for (name, text) in &files {
                write(&folder.join(name), text)?;
                out::line(folder.join(name).display());
            }
            if files.is_empty() {
                out::line("nothing is missing for certain that a template could make");
            }
        }
    }
    if let Some((at, shifts)) = since {
        readiness_page::print_shifts(shifts, at);
    }
    readiness_page::print_end(readiness);
    readiness.waivers.iter().chain(&notices).for_each(|line| out::progress(format_args!("warning: {line}")));
    Ok(())
}
