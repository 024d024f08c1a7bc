//! What the names in an action must be names of, and what is wrong where they are not.

use std::collections::{BTreeMap, BTreeSet};

use super::Action;
use crate::document::{Diagnostic, Tree};
use crate::unit::nearest;

/// The names that there are in a workspace.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The components of the workload; none where it names none.
    pub components: Option<BTreeSet<String>>,
    /// The teams of the workload; none where it names none.
    pub teams: Option<BTreeSet<String>>,
    /// The lessons.
    pub lessons: BTreeSet<String>,
    /// The hypotheses of each scenario.
    pub hypotheses: BTreeMap<String, BTreeSet<String>>,
}

impl Known {
    /// What of an action's names is the name of nothing.
    #[must_use]
    pub fn check(&self, action: &Action) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let Some(tree) = Tree::parse(&action.source, &mut Vec::new()) else { return problems };
        let mut tell = |key: &str, code: &'static str, what: &str, name: &str, known: &BTreeSet<String>| {
            let Some(node) = tree.entry(tree.root(), key) else { return };
            let near = nearest(name, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
            let message = format!("there is no {what} `{name}`");
            problems.push(Diagnostic::warning(&action.source, tree.span(node), code, message).with_help_if(near));
        };
        let record = &action.record;
        let names = [
            ("owner", "unknown-team", "team in workload.yaml called", Some(record.owner.as_str()), self.teams.as_ref()),
            (
                "component",
                "unknown-component",
                "component in workload.yaml called",
                record.component.as_ref().map(|component| component.as_str()),
                self.components.as_ref(),
            ),
            (
                "lesson",
                "unknown-lesson",
                "lesson called",
                record.lesson.as_ref().map(|lesson| lesson.as_str()),
                Some(&self.lessons),
            ),
        ];
        for (key, code, what, name, known) in names {
            if let (Some(name), Some(known)) = (name, known)
                && !known.contains(name)
            {
                tell(key, code, what, name, known);
            }
        }
        if let Some(unknown) = record.retest.as_ref().and_then(|test| test.unknown(&self.hypotheses)) {
            tell("retest", unknown.code, &unknown.what, unknown.name, &unknown.known);
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::action::{Draft, check, draft};
    use crate::document::SourceFile;

    #[test]
    fn names_of_nothing_are_told_with_the_nearest() {
        let set = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<String>>();
        let known = Known {
            components: Some(set(&["payment"])),
            teams: Some(set(&["shops"])),
            lessons: set(&["L-2026-005"]),
            hypotheses: [("slow".to_owned(), set(&["H1", "H3"]))].into(),
        };
        let text = Draft(draft::tests::record("t")).text();
        let action = check(&Arc::new(SourceFile::new("a.yaml", text)), Path::new("A-2026-001.yaml")).unwrap();
        let told: Vec<_> = known.check(&action).iter().map(|problem| (problem.code, problem.help.clone())).collect();
        let near = |name: &str| Some(format!("did you mean `{name}`?"));
        assert_eq!(
            told,
            [
                ("unknown-team", near("shops")),
                ("unknown-component", near("payment")),
                ("unknown-lesson", near("L-2026-005")),
                ("unknown-hypothesis", near("H1")),
            ]
        );
        let silent = Known {
            lessons: set(&["L-2026-004"]),
            hypotheses: [("slow".to_owned(), set(&["H2"]))].into(),
            ..Known::default()
        };
        assert!(silent.check(&action).is_empty(), "a workload that names nothing is no list");
    }
}
