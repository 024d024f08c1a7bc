//! Finds the workspace around a file or folder, and reads it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Environment, Notify, ReportSpec, Workload, index, settings, workload};
use crate::document::{Diagnostic, Severity, SourceFile};
use crate::unit::{LessonId, PlaybookId};

/// The file that makes a folder a workspace.
pub const SETTINGS_FILE: &str = "gameday.yaml";

/// The file that describes the workload.
pub const WORKLOAD_FILE: &str = "workload.yaml";

/// What stands for `gameday.yaml` where there is none.
const SETTINGS_DEFAULT: &str = include_str!("default.yaml");

/// A workspace that was read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Workspace {
    /// The folder, relative to the current one where it lies below it.
    pub root: PathBuf,
    /// Whether there is a `gameday.yaml`; otherwise the only environment is a sandbox with the demo shop.
    pub has_settings: bool,
    /// Where scenarios may run, by name.
    pub environments: BTreeMap<String, Environment>,
    /// Which reports are made where a scenario does not say otherwise.
    pub report: Option<ReportSpec>,
    /// Who is told of every run.
    pub notify: Option<Notify>,
    /// `workload.yaml`, if there is one.
    pub workload: Option<Workload>,
    /// The playbooks, by the id of their front matter.
    pub playbooks: BTreeMap<PlaybookId, PathBuf>,
    /// The lessons, by the id of their front matter; none where there is no folder for them.
    pub lessons: Option<BTreeMap<LessonId, PathBuf>>,
    /// What is doubtful in `gameday.yaml` and `workload.yaml`.
    pub warnings: Vec<Diagnostic>,
}

impl Workspace {
    /// Finds the workspace around `start`, a folder or a file: the nearest folder upwards with a `gameday.yaml`. Without
    /// one, the folder itself (or the one above `scenarios/`) is taken, with a sandbox that runs the demo shop.
    ///
    /// # Errors
    /// Every problem of `gameday.yaml` and `workload.yaml`.
    pub fn discover(start: &Path) -> Result<Self, Vec<Diagnostic>> {
        Self::read(&Self::root_of(start))
    }

    /// The folder of the workspace around `start`, as [`Workspace::discover`] finds it.
    #[must_use]
    pub fn root_of(start: &Path) -> PathBuf {
        let absolute = std::path::absolute(start).unwrap_or_else(|_| start.to_owned());
        let folder = if absolute.is_dir() { absolute.as_path() } else { absolute.parent().unwrap_or(&absolute) };
        let found = folder.ancestors().find(|folder| folder.join(SETTINGS_FILE).is_file());
        let fallback = match folder.parent() {
            Some(parent) if folder.ends_with("scenarios") => parent,
            Some(_) | None => folder,
        };
        shown(found.unwrap_or(fallback))
    }

    /// Reads the workspace whose folder is `root`.
    ///
    /// # Errors
    /// Every problem of `gameday.yaml` and `workload.yaml`.
    pub fn read(root: &Path) -> Result<Self, Vec<Diagnostic>> {
        let mut problems = Vec::new();
        let settings_path = root.join(SETTINGS_FILE);
        let has_settings = settings_path.is_file();
        let settings_source = if has_settings {
            SourceFile::read(&settings_path)
        } else {
            Ok(Arc::new(SourceFile::new(SETTINGS_FILE, SETTINGS_DEFAULT)))
        };
        let settings = match settings_source {
            Ok(source) => settings::read(&source, Some(root), &mut problems),
            Err(problem) => {
                problems.push(*problem);
                None
            }
        };
        problems.sort_by_key(|problem| problem.span.start);
        let own = problems.len();
        let workload_path = root.join(WORKLOAD_FILE);
        let workload = match workload_path.is_file().then(|| SourceFile::read(&workload_path)) {
            Some(Ok(source)) => workload::read(&source, &mut problems),
            Some(Err(problem)) => {
                problems.push(*problem);
                None
            }
            None => None,
        };
        if let Some(of_workload) = problems.get_mut(own..) {
            of_workload.sort_by_key(|problem| problem.span.start);
        }
        let (warnings, errors): (Vec<Diagnostic>, Vec<Diagnostic>) =
            problems.into_iter().partition(|problem| problem.severity == Severity::Warning);
        let (Some((settings, environments)), true) = (settings, errors.is_empty()) else { return Err(errors) };
        Ok(Self {
            has_settings,
            environments,
            report: settings.defaults.and_then(|defaults| defaults.report),
            notify: settings.notify,
            workload,
            warnings,
            ..Self::without_settings(root)
        })
    }

    /// The workspace whose own files could not be read: with its playbooks and lessons, and nothing known of its
    /// environments, so that scenarios in it can still be checked.
    #[must_use]
    pub fn without_settings(root: &Path) -> Self {
        let lessons = root.join("lessons");
        Self {
            root: root.to_owned(),
            has_settings: false,
            environments: BTreeMap::new(),
            report: None,
            notify: None,
            workload: None,
            playbooks: index::by_id(&root.join("playbooks")),
            lessons: lessons.is_dir().then(|| index::by_id(&lessons)),
            warnings: Vec::new(),
        }
    }

    /// The environment of that name.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments.get(name)
    }

    /// The scenario files, by name.
    #[must_use]
    pub fn scenario_files(&self) -> Vec<PathBuf> {
        index::files(&self.root.join("scenarios"), "yaml")
    }

    /// The playbook files, by name; also those without an id.
    #[must_use]
    pub fn playbook_files(&self) -> Vec<PathBuf> {
        index::files(&self.root.join("playbooks"), "md")
    }

    /// The files of the workspace itself that are there: `gameday.yaml`, `workload.yaml`.
    #[must_use]
    pub fn own_files(&self) -> Vec<PathBuf> {
        [SETTINGS_FILE, WORKLOAD_FILE].iter().map(|name| self.root.join(name)).filter(|path| path.is_file()).collect()
    }
}

/// A path as people want to read it: relative to the current folder where it lies below it.
fn shown(path: &Path) -> PathBuf {
    let current = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&current).map_or_else(|_| path.to_owned(), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::EnvironmentKind;

    #[test]
    fn without_a_workspace_there_is_a_sandbox_with_the_demo_shop() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::read(folder.path()).unwrap();
        assert!(!workspace.has_settings && workspace.lessons.is_none());
        let kinds: Vec<_> = workspace.environments.iter().map(|(name, found)| (name.as_str(), found.kind())).collect();
        assert!(matches!(kinds.as_slice(), [("sandbox", EnvironmentKind::Sandbox(spec))] if spec.functions.len() == 2));
    }

    #[test]
    fn the_workspace_is_found_from_below_and_lists_lessons_and_playbooks() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("gameday.yaml", "gameday: 1\nenvironments: {sandbox: {}}\n");
        write("scenarios/deep/a.yaml", "");
        write("lessons/a.md", "---\nid: L-1\n---\ntext\n");
        write("lessons/b.md", "no front matter\n");
        write("playbooks/p.md", "---\nid: pb\nowner: [\n---\n");
        let workspace = Workspace::discover(&folder.path().join("scenarios/deep/a.yaml")).unwrap();
        assert_eq!(workspace.root, folder.path());
        assert_eq!(workspace.lessons.map(|lessons| lessons.len()), Some(1));
        assert_eq!(workspace.playbooks.len(), 0, "its front matter is no YAML");
    }

    #[test]
    fn every_problem_of_both_files_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let text = "gameday: 1\nenvironments:\n  a: {account: 111122223333}\n  b: {endpoint: x, classs: production}\n";
        std::fs::write(folder.path().join("gameday.yaml"), text).unwrap();
        let text = "gameday: 2\npurpose: x\ncomponents: {c: {owner: nobody, risks: [R]}}\n";
        std::fs::write(folder.path().join("workload.yaml"), text).unwrap();
        let problems = Workspace::read(folder.path()).unwrap_err();
        let codes: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
        assert_eq!(
            codes,
            ["wrong-type", "environment-binding", "unknown-key", "unknown-format", "unknown-name", "unknown-name"]
        );
    }
}
