//! What ought to be exercised, by which scenarios, and when each last was: a question of the Well-Architected Framework, a component.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::QUESTIONS;

/// What is exercised, and what is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Each question, then each component.
    pub subjects: Vec<Subject>,
}

/// What a subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A question of the Well-Architected Framework.
    Question,
    /// A component of the workload.
    Component,
}

/// Something that ought to be exercised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// What it is.
    pub kind: SubjectKind,
    /// Its id.
    pub id: String,
    /// What it is about.
    pub about: String,
    /// The scenarios that cover it, the one that ran last first.
    pub scenarios: Vec<CoveredBy>,
}

/// A scenario that covers a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CoveredBy {
    /// The scenario.
    pub scenario: String,
    /// Its last run that came far enough to show something; none where there is none.
    pub last: Option<CoveredRun>,
}

/// A run, as far as coverage looks at it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CoveredRun {
    /// Its id.
    pub run: String,
    /// Its scenario.
    pub scenario: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Where.
    pub environment: String,
    /// How it ended.
    pub result: String,
    /// Whether it came to a verdict on something.
    pub has_shown: bool,
    /// The questions that it covered, by its own plan.
    pub questions: Vec<String>,
    /// The components that it covered.
    pub components: Vec<String>,
}

/// A scenario, as far as coverage looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoveredScenario {
    /// Its id.
    pub id: String,
    /// The questions that it covers.
    pub questions: Vec<String>,
    /// The components that it covers.
    pub components: Vec<String>,
}

impl Subject {
    /// When it was last exercised.
    #[must_use]
    pub fn last(&self) -> Option<&CoveredRun> {
        self.scenarios.iter().filter_map(|covered| covered.last.as_ref()).max_by_key(|run| run.started_at)
    }
}

impl Coverage {
    /// The coverage of scenarios and runs; `components` are those of the workload, each with what it is worth.
    #[must_use]
    pub fn of(scenarios: &[CoveredScenario], runs: &[CoveredRun], components: &[(String, String)]) -> Self {
        let questions = QUESTIONS.iter().map(|question| Subject {
            kind: SubjectKind::Question,
            id: question.id.to_owned(),
            about: question.about.to_owned(),
            scenarios: covered_by(scenarios, runs, |questions, _| questions.iter().any(|id| id == question.id)),
        });
        let known: BTreeSet<&str> = components.iter().map(|(id, _)| id.as_str()).collect();
        let unknown: BTreeSet<&str> =
            scenarios.iter().flat_map(|scenario| &scenario.components).map(String::as_str).collect();
        let named = components.iter().map(|(id, about)| (id.as_str(), about.as_str()));
        let named = named.chain(unknown.difference(&known).map(|id| (*id, "")));
        let components = named.map(|(id, about)| Subject {
            kind: SubjectKind::Component,
            id: id.to_owned(),
            about: about.to_owned(),
            scenarios: covered_by(scenarios, runs, |_, components| components.iter().any(|known| known == id)),
        });
        Self { subjects: questions.chain(components).collect() }
    }
}

fn covered_by(
    scenarios: &[CoveredScenario],
    runs: &[CoveredRun],
    covers: impl Fn(&[String], &[String]) -> bool,
) -> Vec<CoveredBy> {
    // What a scenario covers by now says nothing of what its runs covered.
    let last = |scenario: &CoveredScenario| {
        let shown = runs.iter().filter(|run| run.has_shown && run.scenario == scenario.id);
        let shown = shown.filter(|run| covers(&run.questions, &run.components));
        shown.max_by_key(|run| (run.started_at, run.run.clone())).cloned()
    };
    let covered = scenarios.iter().filter(|scenario| covers(&scenario.questions, &scenario.components));
    let mut rows: Vec<CoveredBy> =
        covered.map(|scenario| CoveredBy { scenario: scenario.id.clone(), last: last(scenario) }).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.last.as_ref().map(|run| run.started_at)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_was_exercised_by_the_last_run_that_showed_something() {
        let scenario = |id: &str, questions: &[&str], components: &[&str]| CoveredScenario {
            id: id.to_owned(),
            questions: questions.iter().map(ToString::to_string).collect(),
            components: components.iter().map(ToString::to_string).collect(),
        };
        let run = |scenario: &str, day: u32, has_shown: bool| CoveredRun {
            run: format!("{scenario}-{day}"),
            scenario: scenario.to_owned(),
            started_at: format!("2026-11-{day:02}T10:00:00Z").parse().unwrap(),
            environment: "sandbox".to_owned(),
            result: "passed".to_owned(),
            has_shown,
            questions: ["OPS8", "OPS10"].map(str::to_owned).to_vec(),
            components: ["payments", "ghost"].map(str::to_owned).to_vec(),
        };
        let scenarios =
            [scenario("slow", &["OPS8", "OPS10", "OPS3"], &["payments"]), scenario("gone", &["OPS8"], &["ghost"])];
        let runs = [run("slow", 3, true), run("slow", 9, false), run("gone", 5, true), run("other", 30, true)];
        let workload = [("payments".to_owned(), "money".to_owned()), ("checkout".to_owned(), "orders".to_owned())];
        let coverage = Coverage::of(&scenarios, &runs, &workload);
        let subject = |id: &str| coverage.subjects.iter().find(|subject| subject.id == id).unwrap();
        assert_eq!(subject("OPS8").last().unwrap().run, "gone-5");
        assert_eq!(subject("OPS8").scenarios[0].scenario, "gone", "the one that ran last comes first");
        assert_eq!(subject("OPS10").last().unwrap().run, "slow-3", "a run that showed nothing does not count");
        assert!(subject("OPS3").last().is_none(), "its runs did not cover that yet");
        assert!(subject("OPS1").scenarios.is_empty() && subject("checkout").scenarios.is_empty());
        assert_eq!(subject("ghost").last().unwrap().run, "gone-5");
        assert_eq!(coverage.subjects.len(), 13 + 3);
    }
}
