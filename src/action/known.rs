//! What the names in an action must be names of.

use std::collections::{BTreeMap, BTreeSet};

use super::Filed;
use crate::document::{Decoder, Diagnostic, Document, Tree};
use crate::unit::nearest;

/// The names that there are in a workspace; none of a kind that it does not name at all.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The teams of the workload, and their members.
    pub owners: Option<BTreeSet<String>>,
    /// The components of the workload.
    pub components: Option<BTreeSet<String>>,
    /// The lessons.
    pub lessons: BTreeSet<String>,
    /// The hypotheses of each scenario.
    pub hypotheses: BTreeMap<String, BTreeSet<String>>,
}

impl Known {
    /// What of an action's names is the name of nothing.
    #[must_use]
    pub fn check(&self, filed: &Filed) -> Vec<Diagnostic> {
        let Some(tree) = Tree::parse(&filed.source, &mut Vec::new()) else { return Vec::new() };
        let (_, document, _) = Decoder::new(tree).finish::<super::Action>();
        let action = &filed.action;
        let mut problems = Vec::new();
        let mut refer = |document: &Document, key: &str, what: &str, name: &str, known: &BTreeSet<String>| {
            if known.contains(name) {
                return;
            }
            let near = nearest(name, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
            let problem = document.root().key(key).warning("unknown-name", format!("there is no {what} `{name}`"));
            problems.push(problem.with_help_if(near));
        };
        if let Some(owners) = &self.owners {
            refer(&document, "owner", "team or person in workload.yaml called", &action.owner, owners);
        }
        if let Some(components) = &self.components {
            for component in &action.components {
                refer(&document, "components", "component in workload.yaml called", component.as_str(), components);
            }
        }
        if let Some(lesson) = &action.lesson {
            refer(&document, "lesson", "lesson called", lesson.as_str(), &self.lessons);
        }
        if let Some(retest) = &action.retest {
            let scenario = retest.scenario.as_str();
            match self.hypotheses.get(scenario) {
                None => {
                    refer(&document, "retest", "scenario called", scenario, &self.hypotheses.keys().cloned().collect())
                }
                Some(known) => {
                    let what = format!("hypothesis of `{scenario}` called");
                    refer(&document, "retest", &what, retest.hypothesis.as_str(), known);
                }
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::action::check;
    use crate::document::SourceFile;

    #[test]
    fn names_of_nothing_are_told_with_the_nearest() {
        let set = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<String>>();
        let known = Known {
            owners: Some(set(&["team-payments"])),
            components: Some(set(&["payments"])),
            lessons: set(&["L-2026-004"]),
            hypotheses: [("slow".to_owned(), set(&["H1"]))].into(),
        };
        let text = "id: A-1\ntext: t\ntype: detect\nowner: team-paiments\ndue: 2026-12-15\ncomponents: [paiments]\n\
                    lesson: L-2026-005\nretest: slow#H2\n";
        let told = |text: &str| {
            let filed = check(&Arc::new(SourceFile::new("A-1.yaml", text)), Path::new("A-1.yaml")).unwrap();
            known.check(&filed).iter().map(|problem| problem.message.clone()).collect::<Vec<_>>()
        };
        assert_eq!(
            told(text),
            [
                "there is no team or person in workload.yaml called `team-paiments`",
                "there is no component in workload.yaml called `paiments`",
                "there is no lesson called `L-2026-005`",
                "there is no hypothesis of `slow` called `H2`"
            ]
        );
        let good = text.replace("paiments", "payments").replace("005", "004").replace("H2", "H1");
        assert_eq!(told(&good), [""; 0]);
    }
}
