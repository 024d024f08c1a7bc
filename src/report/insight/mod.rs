//! Insights: what the evidence of a run says by fixed rules, at the level of the account, of a resource, and of an execution.
//!
//! Pure: the report's loads and what was read of logs, traces and metrics become [`Insights`]; `seen.rs` alone reads files. A rule whose
//! evidence is missing says nothing and is listed as not known: it has not passed. Must not know: AWS, living runs, formats.

mod load;
mod log;
mod metric;
mod note;
mod rule;
mod seen;
mod trace;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use self::note::{Draft, Notes, Place};
pub use self::seen::Seen;
use super::facts::Facts;
use super::folder::Evidence;
use super::model::{Insight, InsightGap, InsightGroup, Insights, Report};
use crate::workspace::{Component, Workload};

/// Fewer invocations, requests or lines than this say nothing of a share or of a percentile.
const SHARE_COUNT_MIN: u64 = 20;
/// How often something has to be seen that should not be at all: once may be chance.
const SEEN_COUNT_MIN: u64 = 2;
/// How many executions an insight names.
const EXECUTIONS_MAX: usize = 5;

/// What the evidence of a run says.
pub(super) fn insights(report: &Report, facts: &Facts, evidence: &Evidence) -> Insights {
    let mut notes = Notes::default();
    let seen = &evidence.seen;
    let by_name = log::by_function(seen);
    let mut functions: BTreeSet<&str> = facts.functions.values().map(String::as_str).collect();
    functions.extend(by_name.keys().copied());
    functions.extend(metric::functions(seen));
    let metrics = metric::Metrics::of(report, facts, seen);
    for function in functions {
        let has_rate = metrics.note_function(function, &mut notes);
        match by_name.get(function) {
            Some((file, Ok(logs))) => log::note(file, logs, has_rate, &mut notes),
            Some((_, Err(why))) => log::unknown(function, why, has_rate, &mut notes),
            None => log::unknown(function, &not_kept(report, "logs", Some(function)), has_rate, &mut notes),
        }
    }
    metrics.note_queues(&mut notes);
    load::note(report, facts, &mut notes);
    trace::note(report, seen, &mut notes);
    let owners = Owners { report, workload: evidence.kept.workload.as_ref().and_then(|read| read.as_ref().ok()) };
    Insights { groups: owners.groups(notes.drafts), unknown: gaps(notes.unknown) }
}

/// Why there is no evidence of a source about something.
fn not_kept(report: &Report, source: &str, about: Option<&str>) -> String {
    let is_about = |text: &str| about.is_none_or(|about| text.split(", ").any(|name| name == about));
    let mut gaps = report.evidence_gaps.iter().filter(|gap| gap.source == source && is_about(&gap.about));
    let told = gaps.find_map(|gap| gap.unknown.clone());
    told.unwrap_or_else(|| format!("the run kept no {source}{}", about.map(|_| " of it").unwrap_or_default()))
}

/// Who owns what.
struct Owners<'a> {
    report: &'a Report,
    workload: Option<&'a Workload>,
}

impl Owners<'_> {
    /// The component that a function is, and its owner.
    fn of_function(&self, function: &str) -> Option<(String, String)> {
        let is_it = |component: &Component| component.lambda.as_ref().is_some_and(|it| it.function == function);
        let (name, component) = self.workload?.components.iter().find(|(_, component)| is_it(component))?;
        Some((name.to_string(), component.owner.clone()))
    }

    /// The owner of the only component that the scenario is about; else the scenario's own.
    fn of_the_rest(&self) -> Option<String> {
        let components = self.report.why.as_ref().map(|why| why.components.as_slice()).unwrap_or_default();
        let only = match components {
            [only] => only.owner.clone(),
            _ => None,
        };
        only.or_else(|| Some(self.report.header.owner.clone()).filter(|owner| !owner.is_empty()))
    }

    fn groups(&self, drafts: Vec<Draft>) -> Vec<InsightGroup> {
        let mut groups: BTreeMap<String, InsightGroup> = BTreeMap::new();
        for draft in drafts {
            let component = match &draft.place {
                Place::Function(function) => self.of_function(function),
                Place::Queue(_) | Place::Load(_) | Place::Account => None,
            };
            let (component, owner) = component.unzip();
            let owner = owner.or_else(|| self.of_the_rest());
            let name = component.clone().unwrap_or_else(|| draft.place.title());
            let insight = insight(draft, component, owner.clone());
            let empty = || InsightGroup { component: name.clone(), owner, insights: Vec::new() };
            groups.entry(name.clone()).or_insert_with(empty).insights.push(insight);
        }
        let mut groups: Vec<InsightGroup> = groups.into_values().collect();
        for group in &mut groups {
            group.insights.sort_by(|one, other| {
                other
                    .severity
                    .cmp(&one.severity)
                    .then_with(|| (&one.rule, &one.about).cmp(&(&other.rule, &other.about)))
            });
        }
        // A stable sort: groups that are as bad as each other stay in the order of their names.
        groups.sort_by_key(|group| std::cmp::Reverse(group.insights.first().map(|insight| insight.severity)));
        groups
    }
}

fn insight(draft: Draft, component: Option<String>, owner: Option<String>) -> Insight {
    let description = draft.rule.describe();
    Insight {
        rule: description.id.to_owned(),
        kind: description.kind.to_owned(),
        severity: draft.severity,
        level: draft.level,
        component,
        about: draft.place.about(),
        text: draft.text,
        evidence: draft.evidence,
        questions: description.questions.iter().map(ToString::to_string).collect(),
        suggestion: description.suggestion.to_owned(),
        owner,
        executions: draft.executions,
    }
}

/// Rules that could not look for one reason, once for all that they are about.
fn gaps(unknown: Vec<note::Unknown>) -> Vec<InsightGap> {
    let mut by_place: BTreeMap<(Place, String), BTreeSet<String>> = BTreeMap::new();
    for note::Unknown { rule, place, why } in unknown {
        by_place.entry((place, why)).or_default().insert(rule.name());
    }
    let mut merged: BTreeMap<(BTreeSet<String>, String), BTreeSet<String>> = BTreeMap::new();
    for ((place, why), rules) in by_place {
        merged.entry((rules, why)).or_default().extend(place.about());
    }
    let gap = |((rules, why), about): ((BTreeSet<String>, String), BTreeSet<String>)| InsightGap {
        rules: rules.into_iter().collect(),
        about: about.into_iter().collect(),
        why,
    };
    merged.into_iter().map(gap).collect()
}
