//! A file that is no scenario of this format as a whole: one problem that says what it is, in the place of all keys that are missing.

use std::sync::Arc;

use super::schema::FORMAT;
use crate::document::{Diagnostic, Scalar, SourceFile, Tree};

/// Keys by which a file of another kind is known, and what it is.
const KINDS: [(&[&str], &str); 5] = [
    (&["functions"], "a list of functions for a sandbox"),
    (&["environments", "gameday"], "the settings of a workspace (`gameday.yaml`)"),
    (&["purpose", "gameday"], "the description of a workload (`workload.yaml`)"),
    (&["text", "due"], "an action (`actions/*.yaml`)"),
    (&["run", "gameday"], "the debrief of a run (`debrief.yaml`)"),
];

const GIVE: &str = "give a scenario, such as a file of `scenarios/`";

/// What only scenarios have.
const OF_SCENARIOS: [&str; 5] = ["timeline", "hypotheses", "load", "faults", "title"];

/// That a text is Markdown, by its name: read as YAML it would be two documents.
pub(super) fn markdown(source: &Arc<SourceFile>) -> Option<Diagnostic> {
    if !source.name().ends_with(".md") {
        return None;
    }
    let tree = Tree::front_matter(source, &mut Vec::new());
    let has = |key: &str| tree.as_ref().is_some_and(|(tree, _)| tree.entry(tree.root(), key).is_some());
    let what = match (has("created") || has("severity"), has("kind") || has("alarms")) {
        (true, _) => "a lesson",
        (false, true) => "a playbook",
        (false, false) => "Markdown",
    };
    let message = format!("this is {what}, and no scenario");
    Some(Diagnostic::error(source, source.line(1), "other-kind", message).with_help(GIVE))
}

/// That a document is of another version or another kind.
pub(super) fn other(tree: &Tree) -> Option<Diagnostic> {
    let (source, root) = (tree.source(), tree.root());
    let has = |key: &str| tree.entry(root, key).is_some();
    if !OF_SCENARIOS.iter().any(|key| has(key)) {
        let known = KINDS.iter().find(|(keys, _)| keys.iter().all(|key| has(key)));
        if let Some((_, what)) = known {
            let message = format!("this is {what}, and no scenario");
            return Some(Diagnostic::error(source, source.line(1), "other-kind", message).with_help(GIVE));
        }
    }
    let version = tree.entry(root, "gameday")?;
    match tree.scalar(version)? {
        (Scalar::Integer(number), text) if number != i128::from(FORMAT) => {
            let message = format!("this program reads version {FORMAT} of the format, not {text}");
            let problem = Diagnostic::error(source, tree.span(version), "unknown-format", message);
            Some(problem.with_help(format!("write `gameday: {FORMAT}`, or take a newer version of the program")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::workspace::Workspace;

    #[test]
    fn a_file_of_another_kind_or_version_gets_one_problem_that_says_what_it_is() {
        let workspace = Workspace::without_settings(Path::new("/nowhere"));
        for (name, text, code, told) in [
            ("a.yaml", "gameday: 2\nid: a\n", "unknown-format", "version 1"),
            ("gameday.yaml", "gameday: 1\nenvironments: {sandbox: {}}\n", "other-kind", "gameday.yaml"),
            ("w.yaml", "gameday: 1\npurpose: Sell\nteams: {}\n", "other-kind", "workload.yaml"),
            ("A-1.yaml", "id: A-1\ntext: t\ndue: 2026-12-01\n", "other-kind", "an action"),
            ("L-1.md", "---\nid: L-1\ntitle: t\ncreated: 2026-12-01\n---\ntext\n", "other-kind", "a lesson"),
            ("p.md", "---\nid: p\nkind: playbook\n---\n- [ ] a\n", "other-kind", "a playbook"),
            ("x.md", "text\n", "other-kind", "Markdown"),
        ] {
            let source = Arc::new(SourceFile::new(name, text));
            let problems = crate::scenario::check(&source, &workspace, None).unwrap_err();
            let [problem] = problems.as_slice() else { panic!("{name}: {problems:#?}") };
            assert!(problem.code == code && problem.message.contains(told), "{name}: {problem:#?}");
        }
    }
}
