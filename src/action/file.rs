//! From a file to an action and back. Must not know: other actions.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Action, Filed, Status};
use crate::document::{Decoder, Diagnostic, Place, ReplaceError, Severity, SourceFile, Tree, replace_file, with_keys};
use crate::unit::{Date, blame_in};

/// Why an action was not written.
#[derive(Debug, thiserror::Error)]
pub enum ActionError {
    /// There is one of that name.
    #[error("`{}` is there already, and stays as it is", .0.display())]
    Exists(PathBuf),
    /// The file system said no.
    #[error("failed to write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file is not written in the usual way.
    #[error("`{}` is not written a key a line, and is left as it is: set its `status` by hand", .0.display())]
    Form(PathBuf),
    /// The file could not be replaced.
    #[error(transparent)]
    Replace(#[from] ReplaceError),
}

/// Reads and checks an action.
///
/// # Errors
/// Every problem of the file; warnings are among them.
pub fn load(path: &Path) -> Result<Filed, Vec<Diagnostic>> {
    let source = SourceFile::read(path).map_err(|problem| vec![*problem])?;
    check(&source, path)
}

/// Checks the text of an action, as [`load`] does; `path` is where it stands.
///
/// # Errors
/// Every problem of the text; warnings are among them.
pub fn check(source: &Arc<SourceFile>, path: &Path) -> Result<Filed, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut read = None;
    if let Some(tree) = Tree::parse(source, &mut problems) {
        let (action, document, found) = Decoder::new(tree).finish::<Action>();
        problems.extend(found);
        if let Some(action) = &action {
            check_action(action, document.root(), path, &mut problems);
        }
        read = action;
    }
    problems.sort_by_key(|problem| problem.span.start);
    let has_errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    match read {
        Some(action) if !has_errors => {
            Ok(Filed { action, path: path.to_owned(), warnings: problems, source: Arc::clone(source) })
        }
        Some(_) | None => Err(problems),
    }
}

fn check_action(action: &Action, root: Place<'_>, path: &Path, problems: &mut Vec<Diagnostic>) {
    if path.file_stem().is_some_and(|stem| stem != action.id.as_str()) {
        let message = format!("the action `{}` stands in a file of another name", action.id);
        let help = format!("call the file `{}.yaml`, or give the action its name as id", action.id);
        problems.push(root.key("id").warning("action-file", message).with_help(help));
    }
    for (key, text) in [("text", &action.text), ("owner", &action.owner)] {
        if text.trim().is_empty() {
            problems
                .push(root.key(key).error("empty-item", format!("`{key}` is empty")).with_help("write it in one line"));
        } else if text.contains(char::is_control) {
            let message = format!("`{key}` is longer than a line, or has characters that do not show");
            problems.push(root.key(key).error("action-line", message).with_help("write it in one line"));
        }
    }
    for blame in blame_in(&action.text) {
        let message = format!("`{}` ends the search for what contributed", blame.words);
        problems.push(root.key("text").warning("blame", message).with_help(blame.remedy));
    }
    if let Some(tracker) = &action.tracker
        && !(tracker.starts_with("https://") || tracker.starts_with("http://"))
    {
        let message = format!("`{tracker}` is not an address of the web");
        problems.push(root.key("tracker").error("action-tracker", message).with_help("write it as `https://…`"));
    }
    if action.status == Status::Dropped && action.why.as_ref().is_none_or(|why| why.trim().is_empty()) {
        let message = "it was dropped, and nothing says why";
        problems.push(root.key("status").error("action-dropped", message).with_help("add a line `why: …`"));
    }
    if action.status == Status::Open && action.closed.is_some() {
        let message = "it is open, and says when it was closed";
        problems.push(
            root.key("closed").error("action-dates", message).with_help("take `closed` away, or set `status: done`"),
        );
    }
}

/// Writes an action into a folder, under its id; the file.
///
/// # Errors
/// See [`ActionError`]; what is there is never written over.
///
/// # Panics
/// Never: an action has no map with keys that are no texts.
pub fn write(folder: &Path, action: &Action) -> Result<PathBuf, ActionError> {
    let path = folder.join(format!("{}.yaml", action.id));
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => ActionError::Exists(path.clone()),
        _ => ActionError::Write { path: path.clone(), source },
    };
    let text = serde_yaml::to_string(action).expect("invariant: actions serialise to YAML");
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut file = File::create_new(&path).map_err(failed)?;
    match file.write_all(text.as_bytes()) {
        Ok(()) => Ok(path),
        Err(error) => {
            // A half of it would be in the way of the next try.
            std::fs::remove_file(&path).ok();
            Err(failed(error))
        }
    }
}

/// Closes an action: `done`, or, with a reason, `dropped`. Nothing else of its file is touched.
///
/// # Errors
/// See [`ActionError`]; the file is then as it was.
///
/// # Panics
/// Never: texts are YAML.
pub fn close(filed: &Filed, today: Date, dropped: Option<&str>) -> Result<Action, ActionError> {
    let status = if dropped.is_some() { Status::Dropped } else { Status::Done };
    let expected = Action {
        status,
        closed: Some(today),
        why: dropped.map(ToOwned::to_owned).or_else(|| filed.action.why.clone()),
        ..filed.action.clone()
    };
    let day = today.to_string();
    let why = dropped.map(|why| serde_json::to_string(why).expect("invariant: texts serialise to JSON"));
    let mut keys = vec![("status", status.as_str()), ("closed", day.as_str())];
    // A text of JSON is one of YAML.
    keys.extend(why.as_deref().map(|why| ("why", why)));
    let text = with_keys(&filed.source, &keys);
    let rewritten = check(&Arc::new(SourceFile::new(filed.source.name(), text.as_str())), &filed.path);
    if rewritten.map_or(true, |rewritten| rewritten.action != expected) {
        return Err(ActionError::Form(filed.path.clone()));
    }
    replace_file(&filed.path, &filed.source, &text)?;
    Ok(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "id: A-2026-031   # ours\ntext: Shorten the alarm's period to 60 seconds\ntype: detect\n\
                        owner: team-payments\ndue: 2026-12-15\nstatus: open # for now\n";

    fn read(text: &str) -> Result<Filed, Vec<Diagnostic>> {
        check(&Arc::new(SourceFile::new("actions/A-2026-031.yaml", text)), Path::new("actions/A-2026-031.yaml"))
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        assert_eq!(read(GOOD).unwrap().warnings.len(), 0);
        for (from, to, code, place) in [
            ("type: detect", "type: fix", "", "fix"),
            ("due: 2026-12-15", "due: soon", "", "soon"),
            ("due: 2026-12-15\n", "", "", ""),
            ("status: open", "status: dropped", "action-dropped", "dropped"),
            ("status: open", "closed: 2026-12-01\nstatus: open", "action-dates", "2026-12-01"),
            ("status: open", "tracker: JIRA-1\nstatus: open", "action-tracker", "JIRA-1"),
            ("status: open", "tracker: 'javascript:alert(1)'\nstatus: open", "action-tracker", "'javascript:alert(1)'"),
            ("owner: team-payments", "owner: ''", "empty-item", "''"),
            ("text: Shorten", "text: Fix the root cause of human error, shorten", "blame", ""),
            ("id: A-2026-031", "id: A-2026-032", "action-file", "A-2026-032"),
            ("status: open", "state: open", "", "state"),
        ] {
            let text = GOOD.replace(from, to);
            let problems = read(&text).map_or_else(|problems| problems, |filed| filed.warnings);
            let found = problems.iter().find(|problem| code.is_empty() || problem.code == code);
            let found = found.unwrap_or_else(|| panic!("{to}: {problems:#?}"));
            assert!(place.is_empty() || found.source.slice(&found.span) == place, "{to}: {found:#?}");
        }
    }

    #[test]
    fn one_is_written_once_and_closed_without_touching_anything_else() {
        let folder = tempfile::tempdir().unwrap();
        let mut action = read(GOOD).unwrap().action;
        action.text = "- \"quotes\": #1 <b> | 'x'".to_owned();
        let path = write(folder.path(), &action).unwrap();
        assert!(matches!(write(folder.path(), &action), Err(ActionError::Exists(_))));
        assert_eq!(load(&path).unwrap().action, action);
        std::fs::write(&path, GOOD).unwrap();
        let day = "2026-11-28".parse().unwrap();
        let closed = close(&load(&path).unwrap(), day, None).unwrap();
        assert_eq!((closed.status, closed.closed), (Status::Done, Some(day)));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}closed: 2026-11-28\n", GOOD.replace("status: open", "status: done")));
        let dropped = close(&load(&path).unwrap(), day, Some("we buy: \"another\" # one")).unwrap();
        assert_eq!((dropped.status, dropped.why.as_deref()), (Status::Dropped, Some("we buy: \"another\" # one")));
        assert_eq!(load(&path).unwrap().action, dropped);
        let flow = "{id: A-2026-031, text: t, type: detect, owner: o, due: 2026-12-15}\n";
        std::fs::write(&path, flow).unwrap();
        assert!(matches!(close(&load(&path).unwrap(), day, None), Err(ActionError::Form(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), flow);
    }
}
