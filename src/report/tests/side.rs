//! Both sides of every condition in the templates: each is rendered by something, so that neither is dead and neither fails.

mod corpus;

use std::collections::BTreeSet;

use serde_json::Value;

use self::corpus::{comparisons, reports};
use crate::report::compare::page;
use crate::report::template::{Embedded, fill_each};
use crate::report::{html, markdown};

/// Lists that are never empty in a report that was made of events: a plan without questions asks ours, a ledger's entry begins with
/// its intent, and steps have a playbook or the checklists. A group has insights, each of them questions, and a gap rules.
const NEVER_EMPTY: [&str; 8] = [
    "report.summary",
    "report.practices",
    "report.debrief.questions",
    "report.playbooks",
    "states",
    "insights",
    "rules",
    "this.questions",
];
const MARK_START: char = '\u{e000}';
const MARK_END: char = '\u{e001}';

/// One side of a condition.
#[derive(Debug)]
struct Side {
    line: usize,
    text: String,
}

/// A block that is open while a template is read.
struct Block<'t> {
    helper: &'t str,
    /// What stands behind the helper.
    about: &'t str,
    line: usize,
    /// Whether its sides are looked at.
    is_condition: bool,
    has_else: bool,
}

impl Block<'_> {
    fn side(&self, is_else: bool) -> Side {
        let Self { helper, about, .. } = self;
        let text = match (*helper, is_else) {
            ("each", false) => format!("`{about}` has an item"),
            ("each", true) => format!("`{about}` is empty"),
            (helper, is_else) if (helper == "if") != is_else => format!("`{about}` is there"),
            _ => format!("`{about}` is not there"),
        };
        Side { line: self.line, text }
    }
}

/// Whether the empty side of a loop cannot be reached: it stands in a condition that asks for the same list.
fn is_never_empty(list: &str, open: &[Block<'_>]) -> bool {
    let in_scope = open.iter().rev().take_while(|block| !matches!(block.helper, "each" | "with"));
    NEVER_EMPTY.contains(&list)
        || in_scope.into_iter().any(|block| block.helper == "if" && block.about == list && !block.has_else)
}

/// A template with a mark at the start of every side of every condition, and what the marks stand for.
fn marked(template: &str) -> (String, Vec<Side>) {
    let (mut text, mut sides): (String, Vec<Side>) = (String::new(), Vec::new());
    let mut open: Vec<Block<'_>> = Vec::new();
    let mut rest = template;
    let mut line = 1;
    let mut mark = |text: &mut String, side: Side| {
        text.push_str(&format!("{MARK_START}{}{MARK_END}", sides.len()));
        sides.push(side);
    };
    while let Some((before, tail)) = rest.split_once("{{") {
        let (tag, tail) = tail.split_once("}}").unwrap();
        line += before.matches('\n').count();
        text.push_str(before);
        let tag_text = format!("{{{{{tag}}}}}");
        if let Some(opening) = tag.strip_prefix('#') {
            let (helper, about) = opening.split_once(' ').unwrap();
            let about = about.strip_suffix(" includeZero=true").unwrap_or(about);
            let is_condition = matches!(helper, "if" | "unless" | "each");
            // Without an empty side of its own, a list that is asked for before is never empty.
            let has_else = helper == "each" && is_never_empty(about, &open);
            let block = Block { helper, about, line, is_condition, has_else };
            text.push_str(&tag_text);
            if is_condition {
                mark(&mut text, block.side(false));
            }
            open.push(block);
        } else if tag == "else" {
            let block = open.last_mut().unwrap();
            block.has_else = true;
            text.push_str(&tag_text);
            if block.is_condition {
                mark(&mut text, block.side(true));
            }
        } else if let Some(helper) = tag.strip_prefix('/') {
            let block = open.pop().unwrap();
            assert_eq!(block.helper, helper, "line {line}");
            if block.is_condition && !block.has_else {
                text.push_str("{{else}}");
                mark(&mut text, block.side(true));
            }
            text.push_str(&tag_text);
        } else {
            text.push_str(&tag_text);
        }
        rest = tail;
    }
    assert!(open.is_empty());
    text.push_str(rest);
    (text, sides)
}

/// The sides of a template that no context renders, by line.
fn unrendered(template: Embedded, contexts: &[Value]) -> Vec<String> {
    let (text, sides) = marked(template.text);
    let rendered: BTreeSet<usize> = fill_each(template, text, contexts.iter())
        .unwrap()
        .iter()
        .flat_map(|page| page.split(MARK_START).skip(1))
        .map(|rest| rest.split(MARK_END).next().unwrap().parse().unwrap())
        .collect();
    let missed = sides.iter().enumerate().filter(|(index, _)| !rendered.contains(index));
    missed.map(|(_, side)| format!("{}:{}: where {}", template.name, side.line, side.text)).collect()
}

#[track_caller]
fn assert_all_rendered(missed: &[String]) {
    assert!(missed.is_empty(), "nothing renders these sides of conditions:\n{}", missed.join("\n"));
}

#[test]
fn every_side_of_every_condition_of_the_report_is_rendered() {
    let reports = reports();
    for report in &reports {
        assert!(!report.summary.is_empty() && !report.practices.is_empty() && !report.debrief.questions.is_empty());
        assert_eq!(report.steps.is_empty(), report.playbooks.is_empty());
        assert!(report.insights.groups.iter().all(|group| !group.insights.is_empty()));
        assert!(report.insights.groups.iter().flat_map(|group| &group.insights).all(|it| !it.questions.is_empty()));
        assert!(report.insights.unknown.iter().all(|gap| !gap.rules.is_empty()));
        assert!(report.safety.ledger.iter().all(|ledger| !ledger.states.is_empty()));
    }
    let pages: Vec<Value> = reports.iter().map(html::context).collect();
    let texts: Vec<Value> = reports.iter().map(markdown::context).collect();
    assert_all_rendered(&[unrendered(html::TEMPLATE, &pages), unrendered(markdown::TEMPLATE, &texts)].concat());
}

#[test]
fn every_side_of_every_condition_of_a_comparison_is_rendered() {
    let contexts: Vec<Value> = comparisons().iter().map(page::context).collect();
    assert_all_rendered(&unrendered(page::TEMPLATE, &contexts));
}

#[test]
fn a_side_that_nothing_renders_is_named_by_its_line() {
    let text = "{{#each report.faults}}\n{{#if state}}x{{else}}y{{/if}}\n{{/each}}\n{{#unless report.why}}z{{/unless}}\n\
        {{#if report.loads}}{{#each report.loads}}w{{/each}}{{/if}}";
    let missed = unrendered(Embedded { text, ..markdown::TEMPLATE }, &[markdown::context(&super::sample_report())]);
    let told = [
        "report.md.hbs:2: where `state` is not there",
        "report.md.hbs:1: where `report.faults` is empty",
        "report.md.hbs:4: where `report.why` is not there",
        "report.md.hbs:5: where `report.loads` is not there",
    ];
    assert_eq!(missed, told);
}
