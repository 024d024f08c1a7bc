//! What other commands ask of a workspace's lessons: whether they are right, which touch a plan, and what a run has shown of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Failure, actions, out, workspace};
use crate::document::{self, Diagnostic, SourceFile, Tree};
use crate::event::{RunState, Verdict, read_log};
use crate::fault::FaultSpec;
use crate::lesson::{Known, Lesson, Retest, Retested, Shelf, Status, retest};
use crate::plan::{EnvironmentKind, Plan};
use crate::report::{keep_retests, read_run};
use crate::run::{Barrier, Outcome, find_runs};
use crate::unit::{Clock, ComponentId, Date, RunId, Severity, error_chain, plural, printable};
use crate::workspace::{Workload, Workspace};
use console::style;

/// Where a workspace keeps its lessons.
pub(super) const LESSONS: &str = "lessons";

/// The files of a workspace's lessons, and what is wrong with them.
pub(super) fn check_all(root: &Path) -> Result<(Vec<PathBuf>, Vec<Diagnostic>), Failure> {
    let shelf = Shelf::read(&root.join(LESSONS));
    let known = known(root)?;
    let mut diagnostics = shelf.diagnostics.clone();
    diagnostics.extend(shelf.entries().flat_map(|lesson| known.check(lesson)));
    Ok((shelf.files, diagnostics))
}

/// Whether a file is a lesson, by the folder that it stands in.
pub(super) fn is_one(path: &Path) -> bool {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().and_then(Path::file_name);
    folder.is_some_and(|folder| folder == LESSONS) && path.extension().is_some_and(|extension| extension == "md")
}

/// What there is in a workspace that lessons may name.
pub(super) fn known(root: &Path) -> Result<Known, Failure> {
    let workspace = Workspace::read(root).unwrap_or_else(|_| Workspace::without_settings(root));
    let components = workspace.workload.as_ref().map(|workload| &workload.components);
    Ok(Known {
        components: components
            .filter(|components| !components.is_empty())
            .map(|components| components.keys().map(ToString::to_string).collect()),
        teams: workspace.workload.as_ref().and_then(Workload::owners),
        faults: FaultSpec::catalogue().iter().map(|entry| entry.key.to_owned()).collect(),
        hypotheses: hypotheses_of(&workspace),
        actions: actions::ids(root),
        runs: Some(runs_of(root)).filter(|runs| !runs.is_empty()),
    })
}

/// The runs that are in a workspace's own folder.
fn runs_of(root: &Path) -> BTreeSet<String> {
    let name = |folder: &PathBuf| Some(folder.file_name()?.to_str()?.to_owned());
    find_runs(&root.join(workspace::REPORTS)).unwrap_or_default().iter().filter_map(name).collect()
}

/// The scenarios of a workspace and the hypotheses of each.
pub(super) fn hypotheses_of(workspace: &Workspace) -> BTreeMap<String, BTreeSet<String>> {
    workspace.scenario_files().iter().filter_map(|path| hypotheses(path.as_path())).collect()
}

/// The id of a scenario and those of its hypotheses, whatever else is wrong with its file.
fn hypotheses(path: &Path) -> Option<(String, BTreeSet<String>)> {
    let source = SourceFile::read(path).ok()?;
    let tree = Tree::parse(&source, &mut Vec::new())?;
    let text = |map, key| Some(tree.scalar(tree.entry(map, key)?)?.1.to_owned());
    let hypotheses = tree.entry(tree.root(), "hypotheses").map(|list| tree.children(list)).unwrap_or_default();
    Some((text(tree.root(), "id")?, hypotheses.iter().filter_map(|hypothesis| text(*hypothesis, "id")).collect()))
}

/// The id of a scenario, whatever else is wrong with its file.
pub(super) fn id_of(path: &Path) -> Option<String> {
    hypotheses(path).map(|(id, _)| id)
}

/// The components that a plan's scenario is about.
pub(super) fn components(plan: &Plan) -> &[ComponentId] {
    plan.scenario.covers.as_ref().map_or(&[], |covers| &covers.components)
}

pub(super) fn today() -> Date {
    Date(Clock::start().now().date_naive())
}

/// The lessons; what is wrong with files is told, and keeps nobody from reading the others.
pub(super) fn shelf(folder: &Path) -> Shelf {
    let shelf = Shelf::read(folder);
    let errors = shelf.diagnostics.iter().filter(|found| found.severity == document::Severity::Error).count();
    if errors > 0 {
        let problems = plural(errors, "problem", "problems");
        out::progress(format_args!("note: {problems} in `{}`; `gameday lesson check` tells which", folder.display()));
    }
    shelf
}

/// A lesson in one line.
pub(super) fn row(lesson: &Lesson, today: Date) -> String {
    let front = &lesson.front;
    let status = format!("{:<9}", front.status.as_str());
    let status = match front.status {
        Status::Regressed => style(status).red(),
        Status::Open => style(status).yellow(),
        Status::Verified => style(status).green(),
        Status::Mitigated | Status::Retired => style(status),
    };
    let late = match front.retest_by.filter(|_| lesson.is_overdue(today)) {
        Some(by) => style(format!("  to be tested again by {by}")).red().to_string(),
        None => String::new(),
    };
    let title = printable(&front.title);
    format!("{:<12} {status} {:<8} {title}{late}", front.id.as_str(), front.severity.as_str())
}

/// The kinds of the faults that a plan injects, each once.
pub(super) fn fault_kinds(plan: &Plan) -> BTreeSet<&str> {
    plan.changes.values().map(|change| change.kind.as_str()).collect()
}

/// How many lessons a run keeps.
const KEPT_MAX: usize = 200;

/// How many lessons a plan names.
const TOUCHED_MAX: usize = 10;

/// Lessons that nobody has settled and that are about what a plan touches, or are tested by it; the most pressing first.
pub(super) fn touched_by(plan: &Plan, root: &Path) -> Vec<String> {
    let shelf = shelf(&root.join(LESSONS));
    let mut lessons: Vec<&Lesson> = shelf
        .entries()
        .filter(|lesson| lesson.front.status.is_unsettled())
        .filter(|lesson| is_tested_by(lesson, plan) || touches(lesson, plan))
        .collect();
    lessons.sort_by(|one, other| one.urgency().cmp(&other.urgency()));
    let note = |lesson: &Lesson| if is_tested_by(lesson, plan) { " (tested by this scenario)" } else { "" };
    let more = lessons.len().saturating_sub(TOUCHED_MAX);
    let shown = lessons.into_iter().take(TOUCHED_MAX);
    let rows = shown.map(|lesson| format!("{}{}", row(lesson, today()), note(lesson)));
    rows.chain((more > 0).then(|| format!("and {more} more: `gameday lesson list`"))).collect()
}

fn is_tested_by(lesson: &Lesson, plan: &Plan) -> bool {
    lesson.front.regression.as_ref().is_some_and(|test| test.scenario == plan.scenario.id)
}

fn touches(lesson: &Lesson, plan: &Plan) -> bool {
    lesson.touches(components(plan).iter().map(ComponentId::as_str), fault_kinds(plan))
}

/// The lessons that stand in the way of a run in an account: critical, open or regressed, about what it touches, and past the day by
/// which they were to be tested again. The scenario that tests one again may run: it is what lifts it.
pub(super) fn barriers(plan: &Plan, root: &Path) -> Vec<Barrier> {
    match plan.environment.kind {
        EnvironmentKind::Sandbox | EnvironmentKind::Endpoint { .. } => return Vec::new(),
        EnvironmentKind::Account { .. } => {}
    }
    let (folder, today) = (root.join(LESSONS), today());
    let shelf = Shelf::read(&folder);
    let is_tested_here = |lesson: &Lesson| {
        let test = lesson.front.regression.as_ref().filter(|_| is_tested_by(lesson, plan));
        test.is_some_and(|test| plan.hypotheses.iter().any(|hypothesis| hypothesis.id == test.hypothesis))
    };
    let is_one = |lesson: &&Lesson| {
        let front = &lesson.front;
        front.severity == Severity::Critical
            && matches!(front.status, Status::Open | Status::Regressed)
            && front.retest_by.is_some_and(|by| by < today)
            && !is_tested_here(lesson)
            && touches(lesson, plan)
    };
    let mut lessons: Vec<&Lesson> = shelf.entries().filter(is_one).collect();
    lessons.sort_by(|one, other| one.urgency().cmp(&other.urgency()));
    unread(&folder, &shelf).into_iter().chain(lessons.into_iter().map(barrier)).collect()
}

/// What can not be read may be a lesson that stands in the way: it is never a pass.
fn unread(folder: &Path, shelf: &Shelf) -> Option<Barrier> {
    let is_error = |found: &&Diagnostic| found.severity == document::Severity::Error;
    let problems = shelf.diagnostics.iter().filter(is_error).count();
    let is_closed = std::fs::read_dir(folder).is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound);
    (problems > 0 || is_closed).then(|| Barrier {
        objection: format!("`{LESSONS}` can not be read in full, and may hold a lesson that is critical and late"),
        remedy: "`gameday lesson check` tells what is wrong".to_owned(),
    })
}

fn barrier(lesson: &Lesson) -> Barrier {
    let front = &lesson.front;
    let (id, status, title) = (&front.id, front.status.as_str(), printable(&front.title));
    let by = front.retest_by.map(|by| format!(", and its `retest_by` ({by}) is over")).unwrap_or_default();
    // Nothing that a run shows moves a lesson that is open.
    let test = front.regression.as_ref().filter(|_| front.status == Status::Regressed);
    let test = test.map(|test| format!("let `{test}` test it again, or ")).unwrap_or_default();
    let then = front.regression.as_ref().filter(|_| front.status == Status::Open);
    let then = then.map(|test| format!(" (`{test}` tests it then)")).unwrap_or_default();
    Barrier {
        objection: format!("lesson {id} “{title}” is critical and {status}{by}"),
        remedy: format!("{test}set it to `mitigated`{then} or `retired` where it is so"),
    }
}

/// The files of lessons that a run keeps, with their texts: those that nobody has settled and that are about what it touches, and all that
/// it tests or says that it tests.
pub(super) fn kept(plan: &Plan, root: &Path) -> BTreeMap<String, String> {
    let shelf = Shelf::read(&root.join(LESSONS));
    let retests = plan.scenario.covers.as_ref().map(|covers| covers.retests.as_slice()).unwrap_or_default();
    let is_kept = |lesson: &&Lesson| {
        let front = &lesson.front;
        is_tested_by(lesson, plan)
            || retests.contains(&front.id)
            || (front.status.is_unsettled() && touches(lesson, plan))
    };
    let kept = shelf.entries().filter(is_kept).take(KEPT_MAX);
    kept.map(|lesson| (format!("{LESSONS}/{}.md", lesson.front.id), lesson.source.text().to_owned())).collect()
}

/// Tells the lessons that a run has tested again what it has shown of them, and keeps in the run's folder what came of it. A run that
/// did not come to its end shows nothing, nor does one in another environment than that in which the lesson was found, where it says by
/// which run.
pub(super) fn heed(plan: &Plan, outcome: Outcome, run: &Path, root: &Path) -> Vec<Retested> {
    let (Outcome::Passed | Outcome::Refuted) = outcome else { return Vec::new() };
    let Some(id) = run.file_name().and_then(|name| name.to_str()?.parse::<RunId>().ok()) else { return Vec::new() };
    let read = match read_log(run) {
        Ok(read) => read,
        Err(error) => {
            out::progress(format_args!("lessons stay as they are: {}", error_chain(&error)));
            return Vec::new();
        }
    };
    let shelf = shelf(&root.join(LESSONS));
    let mut told = Vec::new();
    for result in &RunState::fold(&read.events).results {
        let is_upheld = match result.verdict {
            Verdict::Upheld | Verdict::GapClosed => true,
            Verdict::Refuted => false,
            // What the scenario itself says of a gap that is known is no news of a lesson.
            Verdict::GapHolds | Verdict::Inconclusive(_) | Verdict::NotTested(_) => continue,
        };
        let tests = |lesson: &&Lesson| {
            let test = lesson.front.regression.as_ref();
            test.is_some_and(|test| test.scenario == plan.scenario.id && test.hypothesis == result.hypothesis)
        };
        told.extend(
            shelf.entries().filter(tests).filter_map(|lesson| heed_one(lesson, plan, is_upheld, (run, &id), root)),
        );
    }
    if let Err(error) = keep_retests(run, &told) {
        out::progress(format_args!("note: the report does not tell of lessons: {}", error_chain(&error)));
    }
    told
}

/// Why a run shows nothing of a lesson: it was found in another environment, or it can not be told in which.
fn found_elsewhere(lesson: &Lesson, plan: &Plan, run: &Path, root: &Path) -> Option<String> {
    let found_in = lesson.front.found_in.as_ref()?;
    let here = plan.environment.name.as_str();
    let read = read_run(&run.with_file_name(found_in.as_str()))
        .or_else(|_| read_run(&root.join(workspace::REPORTS).join(found_in.as_str())));
    match read {
        Ok((_, found)) if found.environment.name == here => None,
        Ok((_, found)) => Some(format!("it was found in `{}`, and this is `{here}`", found.environment.name)),
        Err(_) => Some(format!(
            "in which environment it was found can not be told, since run `{found_in}` is not here; bring its folder back, or take \
             `found_in` out of the lesson"
        )),
    }
}

fn heed_one(
    lesson: &Lesson,
    plan: &Plan,
    is_upheld: bool,
    (run, id): (&Path, &RunId),
    root: &Path,
) -> Option<Retested> {
    let (lesson_id, before) = (&lesson.front.id, lesson.front.status);
    let retested = |after, note| Some(Retested { lesson: lesson_id.clone(), before, after, note });
    if let (Some(why), true) = (found_elsewhere(lesson, plan, run, root), before != Status::Retired) {
        return retested(before, format!("lesson {lesson_id} stays {}: {why}", before.as_str()));
    }
    match retest(lesson, Retest { run: id, is_upheld }) {
        Ok(Status::Open) if is_upheld => {
            let note = "where something was done about it, set it to `mitigated`";
            retested(before, format!("lesson {lesson_id} held, and is open: {note}"))
        }
        Ok(after) if after == before => None,
        Ok(after) => {
            retested(after, format!("lesson {lesson_id} was {} and is {} now", before.as_str(), after.as_str()))
        }
        Err(error) => {
            retested(before, format!("lesson {lesson_id} stays {}: {}", before.as_str(), error_chain(&error)))
        }
    }
}
