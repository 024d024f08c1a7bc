//! What the names in a lesson must be names of, and what is wrong where they are not.

use std::collections::{BTreeMap, BTreeSet};

use super::Lesson;
use crate::document::{Diagnostic, NodeId, Tree};
use crate::unit::{QUESTIONS, nearest};

/// The names that there are in a workspace.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The components of the workload; none where it names none.
    pub components: Option<BTreeSet<String>>,
    /// The teams of the workload and who is in them; none where it names none.
    pub teams: Option<BTreeSet<String>>,
    /// The kinds of faults.
    pub faults: BTreeSet<String>,
    /// The hypotheses of each scenario.
    pub hypotheses: BTreeMap<String, BTreeSet<String>>,
    /// The actions.
    pub actions: BTreeSet<String>,
    /// The runs that are here; none where there is no run at all, as in a fresh checkout.
    pub runs: Option<BTreeSet<String>>,
}

impl Known {
    /// What of a lesson's names is the name of nothing.
    #[must_use]
    pub fn check(&self, lesson: &Lesson) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let Some((tree, _)) = Tree::front_matter(&lesson.source, &mut Vec::new()) else { return problems };
        let entry = |key: &str| tree.entry(tree.root(), key);
        let items = |key: &str| entry(key).map(|list| tree.children(list).to_vec()).unwrap_or_default();
        let mut tell = |node: NodeId, code: &'static str, what: &str, name: &str, known: &BTreeSet<String>| {
            let near = nearest(name, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
            let message = format!("there is no {what} `{name}`");
            problems.push(Diagnostic::warning(&lesson.source, tree.span(node), code, message).with_help_if(near));
        };
        if let Some(known) = &self.components {
            for (node, component) in items("components").into_iter().zip(&lesson.front.components) {
                if !known.contains(component.as_str()) {
                    tell(node, "unknown-component", "component in workload.yaml called", component.as_str(), known);
                }
            }
        }
        for (node, fault) in items("faults").into_iter().zip(&lesson.front.faults) {
            if !self.faults.contains(fault) {
                tell(node, "unknown-fault", "kind of fault called", fault, &self.faults);
            }
        }
        for (node, action) in items("actions").into_iter().zip(&lesson.front.actions) {
            if !self.actions.contains(action.as_str()) {
                tell(node, "unknown-action", "action called", action.as_str(), &self.actions);
            }
        }
        if let (Some(node), Some(owner), Some(known)) = (entry("owner"), &lesson.front.owner, &self.teams)
            && !known.contains(owner)
        {
            tell(node, "unknown-team", "team in workload.yaml called", owner, known);
        }
        let questions: BTreeSet<String> = QUESTIONS.iter().map(|question| question.id.to_owned()).collect();
        for (node, name) in items("ops").into_iter().zip(&lesson.front.ops) {
            if !questions.contains(name) {
                tell(node, "unknown-question", "question of the Well-Architected Framework called", name, &questions);
            }
        }
        if let (Some(node), Some(run), Some(known)) = (entry("tested_in"), &lesson.front.tested_in, &self.runs)
            && !known.contains(run.as_str())
        {
            tell(node, "unknown-run", "run here called", run.as_str(), known);
        }
        let unknown = lesson.front.regression.as_ref().and_then(|test| test.unknown(&self.hypotheses));
        if let (Some(node), Some(unknown)) = (entry("regression"), unknown) {
            tell(node, unknown.code, &unknown.what, unknown.name, &unknown.known);
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::document::SourceFile;
    use crate::lesson::check;

    #[test]
    fn names_of_nothing_are_told_with_the_nearest() {
        let set = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<String>>();
        let known = Known {
            components: Some(set(&["payments", "checkout"])),
            teams: Some(set(&["shop"])),
            faults: set(&["proxy_latency"]),
            hypotheses: [("slow".to_owned(), set(&["H1", "H2"]))].into(),
            actions: set(&["A-2026-031"]),
            runs: Some(set(&["2026-03-10-100000-slow"])),
        };
        let with = |known: &Known, keys: &str| {
            let text = format!("---\nid: a\ntitle: t\nregression: slow#H1\ncreated: 2026-03-10\n{keys}\n---\nText.\n");
            let lesson = check(&Arc::new(SourceFile::new("a.md", text)), Path::new("a.md")).unwrap();
            known.check(&lesson).iter().map(|problem| problem.message.clone()).collect::<Vec<_>>()
        };
        let tested = |run: &str| format!("status: verified\ntested_in: {run}");
        assert_eq!(with(&known, "ops: [OPS8, SL-OPS1]"), [""; 0]);
        assert_eq!(
            with(&known, "ops: [OPS99]"),
            ["there is no question of the Well-Architected Framework called `OPS99`"]
        );
        assert_eq!(with(&known, &tested("2026-03-10-100000-slow")), [""; 0]);
        assert_eq!(with(&known, &tested("made-up")), ["there is no run here called `made-up`"]);
        assert_eq!(with(&Known { runs: None, ..known.clone() }, &tested("made-up")), [""; 0], "no run is here");
        let of = |owner: &str, components: &str, faults: &str, regression: &str| {
            let text = format!(
                "---\nid: a\ntitle: t\ncomponents: [{components}]\nfaults: [{faults}]\nregression: {regression}\n\
                 owner: {owner}\ncreated: 2026-03-10\nactions: [A-2026-031]\n---\nText.\n"
            );
            let lesson = check(&Arc::new(SourceFile::new("a.md", text)), Path::new("a.md")).unwrap();
            let shown = |problem: &Diagnostic| format!("{}: {}", problem.source.slice(&problem.span), problem.message);
            known.check(&lesson).iter().map(shown).collect::<Vec<_>>()
        };
        let told = |components: &str, faults: &str, regression: &str| of("shop", components, faults, regression);
        assert_eq!(
            of("shp", "payments", "proxy_latency", "slow#H2"),
            ["shp: there is no team in workload.yaml called `shp`"]
        );
        assert_eq!(told("payments, checkout", "proxy_latency", "slow#H2"), [""; 0]);
        assert_eq!(
            told("paiments", "proxy_latency", "slow#H1"),
            ["paiments: there is no component in workload.yaml called `paiments`"]
        );
        assert_eq!(
            told("", "latency", "slow#H3"),
            [
                "latency: there is no kind of fault called `latency`",
                "slow#H3: there is no hypothesis of `slow` called `H3`"
            ]
        );
        assert_eq!(told("", "", "fast#H1"), ["fast#H1: there is no scenario called `fast`"]);
    }
}
