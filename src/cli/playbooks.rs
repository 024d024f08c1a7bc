//! What commands ask of a workspace's playbooks: which there are, what they may name, and when each was last exercised.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use regex::Regex;
use serde::Serialize;

use super::{Exit, Failure, workspace};
use crate::document::{Diagnostic, NodeId, SourceFile, Tree};
use crate::event::{Event, EventKind, StepOutcome, read_log};
use crate::playbook::{self, AlarmPlace, Known, Playbook, exercised_in};
use crate::run::find_runs;
use crate::unit::{Clock, PlaybookId, StepId, nearest};
use crate::workspace::{SETTINGS_FILE, Workload, Workspace};

/// Where a workspace keeps its playbooks, and below its reports the records of walks through them.
pub(super) const PLAYBOOKS: &str = "playbooks";

/// The last time that a playbook was exercised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Exercise {
    /// When.
    pub(super) at: DateTime<Utc>,
    /// In which run, or which record of a walk without one.
    pub(super) run: String,
}

/// Last exercises, by playbook.
pub(super) type Exercises = BTreeMap<PlaybookId, Exercise>;

/// The playbook of that id.
pub(super) fn find(workspace: &Workspace, id: &PlaybookId) -> Result<Playbook, Failure> {
    let Some(path) = workspace.playbooks.get(id) else {
        let known: Vec<&str> = workspace.playbooks.keys().map(PlaybookId::as_str).collect();
        let help = match nearest(id.as_str(), known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("there is none in `{}`", workspace.root.join(PLAYBOOKS).display()),
            None => format!("there are {}", known.join(", ")),
        };
        // One that can not be read has no id that is known.
        let broken = all(workspace).into_iter().filter_map(|(path, read)| read.is_err().then_some(path));
        let broken: Vec<String> = broken.map(|path| format!("`{}`", path.display())).collect();
        let note = match broken.as_slice() {
            [] => String::new(),
            _ => format!("\n{} can not be read: `gameday playbook check` tells why", broken.join(", ")),
        };
        return Err(Failure::new(Exit::Failure, format_args!("there is no playbook `{id}`; {help}{note}")));
    };
    playbook::load(path).map_err(|problems| workspace::invalid(&problems))
}

/// All playbooks of a workspace, by file, or what is wrong with each.
pub(super) fn all(workspace: &Workspace) -> Vec<(PathBuf, Result<Playbook, Vec<Diagnostic>>)> {
    let load = |path: PathBuf| {
        let loaded = playbook::load(&path);
        (path, loaded)
    };
    workspace.playbook_files().into_iter().map(load).collect()
}

/// When each of some playbooks was last exercised: by a run in which a person did one of its steps, or by a walk without one. Runs are
/// looked at from the latest on, until nothing more can be learnt; what can not be read is passed over.
pub(super) fn exercises(reports: &Path, wanted: &BTreeSet<PlaybookId>) -> Exercises {
    let mut found = Exercises::new();
    for (playbook, at, run) in exercised_in(&reports.join(PLAYBOOKS)) {
        keep_latest(&mut found, playbook, Exercise { at, run });
    }
    let mut missing: BTreeSet<&PlaybookId> = wanted.iter().collect();
    for folder in find_runs(reports).unwrap_or_default().iter().rev() {
        if missing.is_empty() {
            break;
        }
        let Ok(log) = read_log(folder) else { continue };
        let run = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for (playbook, at) in exercised_by(&log.events) {
            missing.remove(&playbook);
            keep_latest(&mut found, playbook, Exercise { at, run: run.clone() });
        }
    }
    found.retain(|playbook, _| wanted.contains(playbook));
    found
}

fn keep_latest(found: &mut Exercises, playbook: PlaybookId, exercise: Exercise) {
    match found.get(&playbook) {
        Some(known) if known.at >= exercise.at => {}
        Some(_) | None => {
            found.insert(playbook, exercise);
        }
    }
}

/// The playbooks of which a person did a step in a run, and when the last was done. What `--yes` answered is nobody's exercise.
fn exercised_by(events: &[Event]) -> BTreeMap<PlaybookId, DateTime<Utc>> {
    let mut open: BTreeMap<&StepId, &PlaybookId> = BTreeMap::new();
    let mut exercised = BTreeMap::new();
    for event in events {
        match &event.kind {
            EventKind::StepOpened { step, playbook: Some(playbook), .. } => {
                open.insert(step, playbook);
            }
            EventKind::StepOpened { step, playbook: None, .. } => {
                open.remove(step);
            }
            EventKind::StepClosed { step, outcome: StepOutcome::Done, .. } => {
                if let Some(playbook) = open.remove(step) {
                    exercised.insert(playbook.clone(), event.at);
                }
            }
            _ => {}
        }
    }
    exercised
}

/// What there is around the playbooks of a workspace, whatever is wrong with its files.
pub(super) fn known(root: &Path, reports: &Path) -> Known {
    let workspace = Workspace::read(root).unwrap_or_else(|_| Workspace::without_settings(root));
    let workload = workspace.workload.as_ref();
    let components = workload.map(|workload| workload.components.keys().map(ToString::to_string).collect());
    let mut known = Known {
        root: workspace.root.clone(),
        teams: workload.and_then(Workload::owners),
        components: components.filter(|names: &BTreeSet<String>| !names.is_empty()),
        now: Clock::start().now(),
        ..Known::default()
    };
    let wanted = workspace.playbooks.keys().cloned().collect();
    let exercises = exercises(reports, &wanted).into_iter();
    known.exercised = exercises.map(|(playbook, exercise)| (playbook.to_string(), exercise.at)).collect();
    known
        .alarms
        .extend(tree(&workspace.root.join(SETTINGS_FILE)).map(|tree| alarms_of_settings(&tree)).unwrap_or_default());
    for file in workspace.scenario_files() {
        if let Some(tree) = tree(&file) {
            scenario(&tree, &mut known);
        }
    }
    known
}

fn tree(path: &Path) -> Option<Tree> {
    Tree::parse(&SourceFile::read(path).ok()?, &mut Vec::new())
}

/// The alarms that environments have in the sandbox's own CloudWatch.
fn alarms_of_settings(tree: &Tree) -> Vec<AlarmPlace> {
    let environments = tree.entry(tree.root(), "environments").map(|map| tree.children(map)).unwrap_or_default();
    let alarms = environments.iter().filter_map(|environment| tree.entry(*environment, "alarms"));
    let entries = alarms.flat_map(|alarms| tree.children(alarms));
    entries.filter_map(|alarm| Some(place(tree, tree.key(*alarm)?, tree.name_span(*alarm), true))).collect()
}

fn place(tree: &Tree, name: &str, span: std::ops::Range<usize>, calls: bool) -> AlarmPlace {
    AlarmPlace { name: name.to_owned(), source: Arc::clone(tree.source()), span, calls }
}

/// The roles of a scenario, the playbooks of its phases, and the alarms that it names.
fn scenario(tree: &Tree, known: &mut Known) {
    let children = |id: Option<NodeId>| id.map(|id| tree.children(id)).unwrap_or_default();
    let of = |key: &str| tree.entry(tree.root(), key);
    let people = children(of("people")).iter().filter_map(|person| tree.key(*person));
    let people: BTreeSet<String> = people.map(str::to_owned).collect();
    for phase in children(of("timeline")) {
        if let Some((_, playbook)) = tree.entry(*phase, "playbook").and_then(|id| tree.scalar(id)) {
            known.roles.entry(playbook.to_owned()).or_default().extend(people.iter().cloned());
        }
    }
    known.all_roles.extend(people);
    for (key, calls) in [("expected", true), ("tolerated", false)] {
        for alarm in children(of("alarms").and_then(|alarms| tree.entry(alarms, key))) {
            if let Some((_, name)) = tree.scalar(*alarm) {
                known.alarms.push(place(tree, name, tree.span(*alarm), calls));
            }
        }
    }
    // What expectations speak of is known too.
    let term = Regex::new(r"\b(?:alarm|detect)\(\s*([^)\s]+)\s*\)").ok();
    for found in term.iter().flat_map(|term| term.captures_iter(tree.source().text())) {
        if let Some(name) = found.get(1) {
            known.alarms.push(place(tree, name.as_str(), name.range(), false));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: i64, kind: EventKind) -> Event {
        let at = DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(seq);
        Event { seq: u64::try_from(seq).unwrap(), at, elapsed_ms: 0, kind }
    }

    fn opened(step: &str, playbook: Option<&str>) -> EventKind {
        let json = serde_json::json!({"step_opened": {"step": step, "text": "x", "owner": null, "due_ms": null, "must": false, "playbook": playbook}});
        serde_json::from_value(json).unwrap()
    }

    fn closed(step: &str, outcome: &serde_json::Value) -> EventKind {
        let json = serde_json::json!({"step_closed": {"step": step, "outcome": outcome, "by": "maria"}});
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn only_a_step_that_a_person_did_is_an_exercise() {
        let events = [
            event(1, opened("a", Some("pb-done"))),
            event(2, opened("b", Some("pb-skipped"))),
            event(3, opened("c", Some("pb-rehearsed"))),
            event(4, opened("d", None)),
            event(5, closed("a", &serde_json::json!("done"))),
            event(6, closed("b", &serde_json::json!({"skipped": {"why": "no time"}}))),
            event(7, closed("c", &serde_json::json!("rehearsed"))),
            event(8, closed("d", &serde_json::json!("done"))),
        ];
        let found: Vec<(String, i64)> =
            exercised_by(&events).into_iter().map(|(playbook, at)| (playbook.to_string(), at.timestamp())).collect();
        assert_eq!(found, [("pb-done".to_owned(), 5)]);
    }

    #[test]
    fn what_playbooks_may_name_is_read_from_all_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "gameday.yaml",
            "gameday: 1\nenvironments:\n  sandbox:\n    functions: {f: {demo: payments}}\n    alarms:\n      f-slow: {function: f, metric_name: Errors, threshold: 1}\n",
        );
        write("workload.yaml", "gameday: 1\npurpose: x\nteams: {shop: {}}\ncomponents: {pay: {owner: shop}}\n");
        write(
            "scenarios/a.yaml",
            "people: {lead: {who: me}}\nalarms: {expected: [f-*], tolerated: [f-odd]}\nhypotheses:\n  - expect: \"alarm(g-slow) is OK\"\n\
             timeline:\n  - {phase: x, playbook: pb-a}\n",
        );
        write("scenarios/b.yaml", "people: {owner: {who: me}}\n");
        let known = known(folder.path(), &folder.path().join("reports"));
        let alarms: Vec<(&str, bool)> = known.alarms.iter().map(|alarm| (alarm.name.as_str(), alarm.calls)).collect();
        assert_eq!(alarms, [("f-slow", true), ("f-*", true), ("f-odd", false), ("g-slow", false)]);
        let first = known.alarms.first().unwrap();
        assert_eq!((first.source.position(first.span.start).line, first.source.slice(&first.span)), (6, "f-slow"));
        assert_eq!(known.roles.get("pb-a").map(|roles| roles.len()), Some(1));
        assert_eq!(known.all_roles.len(), 2);
        let sets =
            [known.teams, known.components].map(|set| set.map(|set| set.into_iter().collect::<Vec<_>>().join(",")));
        assert_eq!(sets, [Some("shop".to_owned()), Some("pay".to_owned())]);
    }
}
