//! The functions of a sandbox as files have them: those of an environment in `gameday.yaml`, and the file for
//! `gameday sandbox up --functions`. Owns: where a problem of them stands. Must not know: how a function is run.

use std::path::Path;
use std::sync::Arc;

use crate::document::{Decoder, Diagnostic, Place, SourceFile, Tree};
use crate::sandbox::{AlarmSpec, FunctionKind, FunctionSpec, SandboxSpec, SpecProblem};

/// Reads and checks a file for `gameday sandbox up --functions`. Code folders are looked for beside it.
///
/// # Errors
/// Every problem of the file, in the order of its text.
pub fn read_functions(path: &Path) -> Result<SandboxSpec, Vec<Diagnostic>> {
    let source = SourceFile::read(path).map_err(|problem| vec![*problem])?;
    let mut problems = Vec::new();
    let spec = read(&source, path.parent().unwrap_or(Path::new("")), &mut problems);
    problems.sort_by_key(|problem| problem.span.start);
    spec.filter(|_| problems.is_empty()).ok_or(problems)
}

fn read(source: &Arc<SourceFile>, folder: &Path, problems: &mut Vec<Diagnostic>) -> Option<SandboxSpec> {
    let mut decoder = Decoder::new(Tree::parse(source, problems)?);
    decoder.map::<FunctionSpec>(&["functions"]);
    decoder.map::<AlarmSpec>(&["alarms"]);
    let (spec, document, found) = decoder.finish::<SandboxSpec>();
    problems.extend(found);
    let spec = spec?;
    problems.extend(check(document.root(), &spec));
    problems.extend(check_folders(document.root(), &spec, folder, "this file"));
    Some(spec)
}

/// The values of the functions that are out of range; `place` is what has the key `functions`.
pub(super) fn check(place: Place<'_>, spec: &SandboxSpec) -> Vec<Diagnostic> {
    spec.problems().into_iter().filter_map(|problem| locate(place, problem)).collect()
}

fn locate(place: Place<'_>, problem: SpecProblem) -> Option<Diagnostic> {
    let at = problem.path.iter().fold(place, |place, key| place.key(key));
    let is_alarm = problem.path.first().is_some_and(|key| key == "alarms");
    // A function that could not be read is there all the same.
    if is_alarm && matches!(problem.path.last().map(String::as_str), Some("function" | "alias")) {
        let functions = place.key("functions");
        if functions.has_problems() {
            return None;
        }
    }
    // What a function lacks may be what of it could not be read, and that is told already.
    if problem.path.len() == 2 && at.has_problems() {
        return None;
    }
    let (message, help) = match problem.text.split_once("; ") {
        Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
        None => (problem.text, None),
    };
    let is_value = at.is_found() && at.text().is_some();
    let code = if is_alarm { "invalid-alarm" } else { "invalid-function" };
    let found = if is_value { at.error(code, message) } else { at.name_error(code, message) };
    Some(found.with_help_if(help))
}

/// The folders of code that are not there; `beside` names the file beside which they are looked for.
pub(super) fn check_folders(place: Place<'_>, spec: &SandboxSpec, folder: &Path, beside: &str) -> Vec<Diagnostic> {
    let missing = spec.functions.iter().filter_map(|(name, function)| match function.kind() {
        Ok(FunctionKind::Python { code, .. }) if !folder.join(code).is_dir() => Some((name, code)),
        Ok(_) | Err(_) => None,
    });
    missing
        .map(|(name, code)| {
            let place = place.key("functions").key(name).key("code");
            let message = format!("there is no folder `{}`", code.display());
            place.error("missing-folder", message).with_help(format!("it is looked for beside {beside}"))
        })
        .collect()
}
