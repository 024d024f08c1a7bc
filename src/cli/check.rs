//! `gameday check`: everything that can be known of files before a run.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, Failure, actions, lessons, out, sarif, schedule, workspace};
use crate::document::{Diagnostic, Severity};
use crate::unit::nearest;
use crate::workspace::{SETTINGS_FILE, WORKLOAD_FILE, Workspace};
use crate::{playbook, scenario};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Scenarios, playbooks and lessons (`.md`), actions, `gameday.yaml` or `workload.yaml`; default all files of the workspace here.
    files: Vec<PathBuf>,
    /// Check the values of this environment; default those of all environments that a scenario allows.
    #[arg(long = "env", value_name = "NAME")]
    environment: Option<String>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Print SARIF 2.1.0 instead of text, for code hosts that show it beside the lines.
    #[arg(long, conflicts_with = "json")]
    sarif: bool,
}

/// What was found, file by file.
struct Checking {
    environment: Option<String>,
    workspaces: BTreeMap<PathBuf, Workspace>,
    /// Files of workspaces that were read on the way; each is counted and told once.
    files: Vec<PathBuf>,
    diagnostics: Vec<Diagnostic>,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let mut checking = Checking {
        environment: arguments.environment,
        workspaces: BTreeMap::new(),
        files: Vec::new(),
        diagnostics: Vec::new(),
    };
    let files = if arguments.files.is_empty() { checking.whole_workspace()? } else { arguments.files };
    for file in &files {
        checking.file(file)?;
    }
    if arguments.sarif {
        out::json(&sarif::log(&checking.diagnostics));
        return Ok(exit(&checking.diagnostics));
    }
    Ok(tell(&checking.files, &checking.diagnostics, arguments.json))
}

/// Errors make an exit code of their own.
fn exit(diagnostics: &[Diagnostic]) -> Exit {
    let has_errors = diagnostics.iter().any(|found| found.severity == Severity::Error);
    if has_errors { Exit::Invalid } else { Exit::Success }
}

/// Tells what was found in files; errors make an exit code of their own.
pub(super) fn tell(files: &[PathBuf], diagnostics: &[Diagnostic], json: bool) -> Exit {
    let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    if json {
        let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
        let found: Vec<_> = diagnostics.iter().map(Diagnostic::to_json).collect();
        out::json(&serde_json::json!({
            "files": names, "problems": errors, "warnings": warnings, "diagnostics": found,
        }));
    } else {
        print_diagnostics(diagnostics);
        out::line(summary(files.len(), errors, warnings));
    }
    exit(diagnostics)
}

/// Shows diagnostics to a person, on standard error.
pub(super) fn print_diagnostics(diagnostics: &[Diagnostic]) {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let coloured = std::io::stderr().is_terminal() && !no_color;
    for diagnostic in diagnostics {
        out::progress(format_args!("{}\n", diagnostic.render(coloured)));
    }
}

fn summary(files: usize, errors: usize, warnings: usize) -> String {
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let mut text = format!("{} checked, {}", counted(files, "file"), counted(errors, "problem"));
    if warnings > 0 {
        text = format!("{text}, {}", counted(warnings, "warning"));
    }
    text
}

impl Checking {
    /// All files of the workspace around the current folder.
    fn whole_workspace(&mut self) -> Result<Vec<PathBuf>, Failure> {
        let root = Workspace::root_of(Path::new("."));
        let bare = Workspace::without_settings(&root);
        self.learnt(&root)?;
        let files = [bare.own_files(), bare.scenario_files(), bare.playbook_files()].concat();
        if files.is_empty() && self.files.is_empty() {
            let text = "there is nothing to check here: no `gameday.yaml` and no `scenarios/*.yaml`; \
                        `gameday init DIR` makes a workspace";
            return Err(Failure::new(Exit::Failure, text));
        }
        Ok(files)
    }

    /// All lessons and actions of a workspace.
    fn learnt(&mut self, root: &Path) -> Result<(), Failure> {
        for (files, found) in [lessons::check_all(root)?, actions::check_all(root)?] {
            self.files.extend(files);
            self.diagnostics.extend(found);
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), Failure> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name == SETTINGS_FILE || name == WORKLOAD_FILE {
            let folder = path.parent().unwrap_or(Path::new(""));
            self.workspace(folder)?;
            if path.is_file() {
                self.count(path)
            } else {
                self.missing(path)
            }
            return Ok(());
        }
        if lessons::is_one(path) {
            self.count(path);
            let found = match crate::lesson::load(path) {
                Ok(lesson) => {
                    [lesson.warnings.clone(), lessons::known(&Workspace::root_of(path))?.check(&lesson)].concat()
                }
                Err(problems) => problems,
            };
            self.diagnostics.extend(found);
            return Ok(());
        }
        if actions::is_one(path) {
            self.count(path);
            let found = match crate::action::load(path) {
                Ok(action) => {
                    [action.warnings.clone(), actions::known(&Workspace::root_of(path)).check(&action)].concat()
                }
                Err(problems) => problems,
            };
            self.diagnostics.extend(found);
            return Ok(());
        }
        if path.extension().is_some_and(|extension| extension == "md") {
            self.count(path);
            match playbook::load(path) {
                Ok(playbook) => self.diagnostics.extend(playbook.warnings),
                Err(problems) => self.diagnostics.extend(problems),
            }
            return Ok(());
        }
        let environment = self.environment.clone();
        let workspace = self.workspace(&Workspace::root_of(path))?;
        let found = match scenario::load(path, workspace, environment.as_deref()) {
            Ok(checked) => {
                let never = schedule::never_met(&checked, path, workspace);
                checked.warnings.into_iter().chain(never).collect()
            }
            Err(problems) => workspace::with_nearest_scenario(problems, path, &workspace.root),
        };
        self.diagnostics.extend(found);
        self.count(path);
        Ok(())
    }

    fn count(&mut self, path: &Path) {
        if !self.files.iter().any(|counted| counted == path) {
            self.files.push(path.to_owned());
        }
    }

    fn missing(&mut self, path: &Path) {
        self.diagnostics.extend(crate::document::SourceFile::read(path).err().map(|problem| *problem));
    }

    /// The workspace in `root`; its own problems are told the first time.
    fn workspace(&mut self, root: &Path) -> Result<&Workspace, Failure> {
        if !self.workspaces.contains_key(root) {
            let before = self.diagnostics.len();
            let workspace = match Workspace::read(root) {
                Ok(workspace) => {
                    workspace::tell_no_settings(&workspace);
                    self.diagnostics.extend(workspace.warnings.iter().cloned());
                    self.check_environment(&workspace)?;
                    workspace
                }
                Err(problems) => {
                    self.diagnostics.extend(problems);
                    Workspace::without_settings(root)
                }
            };
            // Files that were not asked for are named where something of them is told.
            if self.diagnostics.len() > before {
                for file in workspace.own_files() {
                    self.count(&file);
                }
            }
            self.workspaces.insert(root.to_owned(), workspace);
        }
        Ok(self.workspaces.get(root).expect("invariant: it was put there just now"))
    }

    fn check_environment(&self, workspace: &Workspace) -> Result<(), Failure> {
        let Some(name) = &self.environment else { return Ok(()) };
        if workspace.environment(name).is_some() {
            return Ok(());
        }
        let known: Vec<&str> = workspace.environments.keys().map(String::as_str).collect();
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                format!("known are {}", known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
            }
        };
        Err(Failure::new(Exit::Failure, format_args!("no environment is called `{name}`; {help}")))
    }
}
