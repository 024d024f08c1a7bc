//! What serde can not say of a scenario: that names exist, that kinds fit, that the timeline is possible.
//!
//! One file a topic. Each adds all that it finds to the [`Checker`]; none stops another.

mod evidence;
mod faults;
mod header;
mod hypotheses;
mod loads;
mod overlap;
mod people;
mod proxies;
mod reach;
mod schedule;
mod signals;
mod targets;
mod timeline;
mod unused;

pub(super) use unused::UNUSED;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::expect::{self, Expectation, Names, ParseError, Quantity};
use super::load::{Expectations, Values};
use super::schema::Scenario;
use super::vars::{Part, parts};
use crate::document::{Diagnostic, Document, PROBLEMS_MAX, Place};
use crate::unit::nearest;
use crate::workspace::Workspace;

/// Checks everything that can be known without asking the environment; `values` says whose values the scenario has.
pub(super) fn check_all(
    scenario: &Scenario,
    document: &Document,
    workspace: &Workspace,
    values: &Values,
) -> (Expectations, Vec<Diagnostic>) {
    let declared = Declared::of(document.root());
    let mut checker = Checker::new(scenario, document, workspace, &declared);
    header::check(&mut checker, values.environment.as_deref());
    people::check(&mut checker);
    targets::check(&mut checker);
    signals::check(&mut checker);
    loads::check(&mut checker);
    hypotheses::check(&mut checker);
    faults::check(&mut checker);
    timeline::check(&mut checker);
    schedule::check(&mut checker);
    evidence::check(&mut checker);
    reach::check(&mut checker, &values.shared_by);
    unused::check(&mut checker);
    (checker.expectations, checker.problems)
}

/// A scenario with what is known of it, and what was found.
struct Checker<'c> {
    scenario: &'c Scenario,
    root: Place<'c>,
    workspace: &'c Workspace,
    declared: &'c Declared<'c>,
    names: Names<'c>,
    expectations: Expectations,
    /// Targets that a text such as `${orders.url}` names.
    placeholder_targets: BTreeSet<String>,
    problems: Vec<Diagnostic>,
}

/// The names that stand in the file, also of what could not be read: it is not missing, only wrong.
struct Declared<'c> {
    faults: BTreeSet<&'c str>,
    hypotheses: BTreeSet<&'c str>,
    injects: BTreeSet<&'c str>,
    loads: BTreeSet<&'c str>,
    people: BTreeSet<&'c str>,
    targets: BTreeSet<&'c str>,
}

impl<'c> Declared<'c> {
    fn of(root: Place<'c>) -> Self {
        Self {
            faults: keys(root, "faults"),
            hypotheses: texts(root, "hypotheses", "id").into_iter().collect(),
            injects: keys(root, "injects"),
            loads: keys(root, "load"),
            people: keys(root, "people"),
            targets: keys(root, "targets"),
        }
    }
}

fn keys<'c>(root: Place<'c>, key: &str) -> BTreeSet<&'c str> {
    root.key(key).all_items().filter_map(Place::name).collect()
}

fn texts<'c>(root: Place<'c>, list: &str, key: &str) -> Vec<&'c str> {
    root.key(list).all_items().filter_map(|item| item.key(key).text()).collect()
}

impl<'c> Checker<'c> {
    fn new(
        scenario: &'c Scenario,
        document: &'c Document,
        workspace: &'c Workspace,
        declared: &'c Declared<'c>,
    ) -> Self {
        let root = document.root();
        let alarms = scenario.alarms.iter().flat_map(|alarms| alarms.expected.iter().chain(&alarms.tolerated));
        // By name, because a scan for each of ten thousand phases would take too long; the first of that name counts.
        let lengths: BTreeMap<&str, Duration> =
            scenario.timeline.iter().rev().map(|phase| (phase.phase.as_str(), phase.length.0)).collect();
        let names = Names {
            signals: keys(root, "signals")
                .into_iter()
                .map(|name| {
                    let source = scenario.signals.get(name).and_then(|signal| signal.source().ok());
                    (name, source.map(Quantity::of))
                })
                .collect(),
            phases: texts(root, "timeline", "phase")
                .into_iter()
                .map(|name| (name, lengths.get(name).copied()))
                .collect(),
            alarms: alarms.map(crate::unit::AlarmName::as_str).collect(),
            playbooks: workspace.playbooks.keys().map(crate::unit::PlaybookId::as_str).collect(),
            has_baseline: scenario
                .timeline
                .iter()
                .any(|phase| phase.phase.as_str() == "baseline" || !phase.steady.is_empty()),
        };
        Self {
            scenario,
            root,
            workspace,
            declared,
            names,
            expectations: Expectations::default(),
            placeholder_targets: BTreeSet::new(),
            problems: Vec::new(),
        }
    }

    fn tell(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Tells that a name is none of the known ones.
    fn refer(&mut self, place: Place<'_>, what: &str, name: &str, known: &BTreeSet<&str>) {
        // The search for the nearest name is dear, and nobody reads more problems than these.
        if !known.contains(name) && self.problems.len() < PROBLEMS_MAX {
            self.tell(unknown_name(place, what, name, known.iter().copied()));
        }
    }

    /// Reads an expectation and tells everything that is wrong with it.
    fn expectation(&mut self, place: Place<'_>, text: &str) -> Option<Expectation> {
        let tell = |problem: ParseError, code: &'static str| {
            Diagnostic { span: place.span_within(&problem.span), ..place.error(code, problem.message) }
                .with_help_if(problem.help)
        };
        match expect::parse(text) {
            Err(problem) => {
                self.tell(tell(problem, "expectation-syntax"));
                None
            }
            Ok(parsed) => {
                let problems = self.names.check(&parsed);
                self.problems.extend(problems.into_iter().map(|problem| tell(problem, "expectation")));
                Some(parsed.expectation)
            }
        }
    }

    /// Checks what `${target.url}` a text names; it is the whole text that may hold several.
    fn target_urls(&mut self, place: Place<'_>, text: &str) {
        for part in parts(text) {
            if let Part::Name(name, at) = part
                && name.contains('.')
            {
                self.target_url(place, at, name);
            }
        }
    }

    /// Checks one dotted name, `target.url`, whose `$` is the byte `at` of the text at `place`.
    fn target_url(&mut self, place: Place<'_>, at: usize, name: &str) {
        let target = name.strip_suffix(".url");
        let is_known = target.is_some_and(|target| self.declared.targets.contains(target));
        if let Some(target) = target {
            self.placeholder_targets.insert(target.to_owned());
        }
        if is_known || self.problems.len() >= PROBLEMS_MAX {
            return;
        }
        let (message, help) = match target {
            None => {
                (format!("`${{{name}}}` stands for nothing"), "only a target's URL is known: `${name.url}`".to_owned())
            }
            Some(target) => {
                let near = nearest(target, self.declared.targets.iter().copied());
                let help = near.map_or_else(
                    || "declare it under `targets`".to_owned(),
                    |near| format!("did you mean `${{{near}.url}}`?"),
                );
                (format!("no target is called `{target}`"), help)
            }
        };
        let span = place.span_within(&(at..at + name.len() + "${}".len()));
        self.tell(Diagnostic { span, ..place.error("unknown-name", message) }.with_help(help));
    }
}

/// The problem that a name is none of the known ones, with the nearest of them.
fn unknown_name<'n>(place: Place<'_>, what: &str, name: &str, known: impl IntoIterator<Item = &'n str>) -> Diagnostic {
    /// More names than these are no help.
    const NAMES_MAX: usize = 20;
    let known: Vec<&str> = known.into_iter().collect();
    let problem = place.error("unknown-name", format!("no {what} is called `{name}`"));
    match nearest(name, known.iter().copied()) {
        Some(near) => problem.with_help(format!("did you mean `{near}`?")),
        None if known.is_empty() => problem.with_help(format!("this scenario knows no {what} at all")),
        None => {
            let names: Vec<String> = known.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect();
            problem.with_help(format!("known are {}", names.join(", ")))
        }
    }
}

/// The problem that not exactly one of some keys is given. None where some entry could not be read, since that may be it.
fn exactly_one(place: Place<'_>, what: &str, given: &[&str], keys: &[&str]) -> Option<Diagnostic> {
    let list = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    match given {
        [] if place.has_problems() => None,
        [] => Some(place.name_error("missing-kind", format!("{what} needs one of {list}"))),
        [first, ..] => {
            let given = given.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" and ");
            let problem =
                place.name_error("several-kinds", format!("{what} has {given}, but may have only one of {list}"));
            Some(problem.with_help(format!("keep `{first}`, or write a second entry")))
        }
    }
}

/// The ids of a list that stand there twice.
fn duplicates(place: Place<'_>, key: &str, what: &str) -> Vec<Diagnostic> {
    let mut seen: BTreeMap<&str, Place<'_>> = BTreeMap::new();
    let mut problems = Vec::new();
    for item in place.all_items() {
        let id = item.key(key);
        let Some(text) = id.text() else { continue };
        match seen.get(text) {
            Some(first) => {
                problems.push(id.error("duplicate-id", format!("two of the {what} are called `{text}`")).with_related(
                    id.source(),
                    first.span(),
                    "the first is here",
                ))
            }
            None => {
                seen.insert(text, id);
            }
        }
    }
    problems
}
