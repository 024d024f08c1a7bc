//! What commands share about the workspace: finding it, telling its problems, choosing an environment and a run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Exit, Failure, out};
use crate::document::{Diagnostic, Severity, SourceFile};
use crate::run::{LiveRun, find_runs, live_runs};
use crate::unit::nearest;
use crate::workspace::{Environment, SETTINGS_FILE, WORKLOAD_FILE, Workspace};

/// The folder of runs in a workspace.
pub(super) const REPORTS: &str = "reports";

/// The workspace around `start`; its problems are a failure with exit code 2.
pub(super) fn discover(start: &Path) -> Result<Workspace, Failure> {
    Workspace::discover(start).map_err(|problems| invalid(&problems))
}

/// Says that the embedded sandbox stands in where there is no `gameday.yaml`.
pub(super) fn tell_no_settings(workspace: &Workspace) {
    if !workspace.has_settings {
        out::progress(format_args!(
            "warning: there is no `{SETTINGS_FILE}` in this folder or above it: the built-in sandbox with its demo shop is taken; \
             `gameday init` makes a workspace"
        ));
    }
}

/// Refuses to write into a folder that is no workspace.
pub(super) fn needed(root: &Path) -> Result<(), Failure> {
    let marks = [SETTINGS_FILE, WORKLOAD_FILE, "scenarios", "lessons", "actions"];
    if marks.iter().any(|name| root.join(name).exists()) {
        return Ok(());
    }
    let text = format!(
        "there is no workspace here: no `{SETTINGS_FILE}`, in this folder or above; `gameday init DIR` makes one"
    );
    Err(Failure::new(Exit::Failure, text))
}

/// Problems of a text that was to be a file, as a failure that says that it is none.
pub(super) fn unwritten(problems: Vec<Diagnostic>) -> Failure {
    let renamed = |problem: Diagnostic| {
        let name = format!("{} (as it would have been written)", problem.source.name());
        Diagnostic { source: Arc::new(SourceFile::new(name, problem.source.text())), ..problem }
    };
    let failure = invalid(&problems.into_iter().map(renamed).collect::<Vec<_>>());
    Failure::new(failure.exit, format_args!("{}; nothing was written", failure.text))
}

/// Adds to the problem that a file is not there which scenario was meant, where one has that id or one much like it.
pub(super) fn with_nearest_scenario(problems: Vec<Diagnostic>, path: &Path, root: &Path) -> Vec<Diagnostic> {
    if path.exists() {
        return problems;
    }
    let stem = |path: &Path| path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    let files = Workspace::without_settings(root).scenario_files();
    let names: Vec<String> = files.iter().map(|file| stem(file)).collect();
    let asked = stem(path);
    let near = nearest(&asked, names.iter().map(String::as_str));
    let file = files.iter().zip(&names).find(|(_, name)| near == Some(name)).map(|(file, _)| file);
    let help = file.map(|file| format!("did you mean `{}`?", file.display()));
    problems.into_iter().map(|problem| problem.with_help_if(help.clone())).collect()
}

/// The workspace around the present folder's run reports.
pub(super) fn reports_here(given: Option<&Path>) -> PathBuf {
    match given {
        Some(reports) => reports.to_owned(),
        None => Workspace::root_of(Path::new(".")).join(REPORTS),
    }
}

/// Where a workspace keeps its runs.
pub(super) fn reports_of(workspace: &Workspace, given: Option<&Path>) -> PathBuf {
    given.map_or_else(|| workspace.root.join(REPORTS), Path::to_owned)
}

/// Problems as a failure: each with its source line, and how many there are.
pub(super) fn invalid(problems: &[Diagnostic]) -> Failure {
    for problem in problems {
        out::progress(problem.render(console::colors_enabled_stderr()));
        out::progress("");
    }
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    Failure::new(Exit::Invalid, format_args!("{errors} problem{}", if errors == 1 { "" } else { "s" }))
}

/// Warnings, to standard error.
pub(super) fn warn(warnings: &[Diagnostic]) {
    for warning in warnings {
        out::progress(warning.render(console::colors_enabled_stderr()));
        out::progress("");
    }
}

/// The environment of that name, or a failure that names the nearest.
pub(super) fn environment<'a>(workspace: &'a Workspace, name: &str) -> Result<&'a Environment, Failure> {
    workspace.environment(name).ok_or_else(|| {
        let known: Vec<&str> = workspace.environments.keys().map(String::as_str).collect();
        let near = nearest(name, known.iter().copied())
            .map_or_else(|| format!("there is {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
        Failure::new(Exit::Failure, format_args!("there is no environment `{name}` in gameday.yaml; {near}"))
    })
}

/// The folder of the run of that id or path; without one, the latest.
pub(super) fn run_folder(reports: &Path, run: Option<&str>) -> Result<PathBuf, Failure> {
    let runs = find_runs(reports).map_err(|error| Failure::from_error(&error))?;
    let Some(run) = run else {
        return runs.last().cloned().ok_or_else(|| {
            Failure::new(Exit::Failure, format_args!("there is no run in `{}` yet", reports.display()))
        });
    };
    let as_path = Path::new(run);
    let name_of = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(found) = runs.iter().find(|path| name_of(path) == run) {
        return Ok(found.clone());
    }
    if as_path.is_dir() {
        return Ok(as_path.to_owned());
    }
    let names: Vec<String> = runs.iter().map(|path| name_of(path)).collect();
    let near = nearest(run, names.iter().map(String::as_str))
        .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    Err(Failure::new(Exit::Failure, format_args!("there is no run `{run}` in `{}`{near}", reports.display())))
}

/// The run that is alive: the one that is named, or the only one.
pub(super) fn live_run(reports: &Path, run: Option<&str>) -> Result<LiveRun, Failure> {
    let mut alive: Vec<LiveRun> = live_runs(reports)
        .map_err(|error| Failure::from_error(&error))?
        .into_iter()
        .filter(|live| live.is_alive && run.is_none_or(|run| live.state.run == run))
        .collect();
    match (alive.pop(), alive.len()) {
        (Some(live), 0) => Ok(live),
        (Some(_), _) => {
            let text = "more than one run is alive; choose one with `--run ID` (see `gameday status --all`)";
            Err(Failure::new(Exit::Failure, text))
        }
        (None, _) => {
            let what = run.map_or_else(|| "no run is".to_owned(), |run| format!("run `{run}` is not"));
            Err(Failure::new(Exit::Failure, format_args!("{what} alive in `{}`", reports.display())))
        }
    }
}
