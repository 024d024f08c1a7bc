//! What rules write down while they look: what they found, and what they could not know.

use super::rule::InsightRule;
use crate::report::model::{InsightExecution, InsightLevel, InsightSeverity};

/// What something is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// All of the account that was looked at.
    Account,
    /// A function, by name.
    Function(String),
    /// A queue, by name.
    Queue(String),
    /// A load, by name.
    Load(String),
}

impl Place {
    /// The name of what it is about; none of the account.
    pub(super) fn about(&self) -> Option<String> {
        match self {
            Self::Account => None,
            Self::Function(name) | Self::Queue(name) | Self::Load(name) => Some(name.clone()),
        }
    }

    /// As a group without a component is called.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Account => "account".to_owned(),
            Self::Function(name) => name.clone(),
            Self::Queue(name) => format!("queue {name}"),
            Self::Load(name) => format!("load {name}"),
        }
    }
}

/// An insight before it has a component and an owner.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) rule: InsightRule,
    pub(super) severity: InsightSeverity,
    pub(super) level: InsightLevel,
    pub(super) place: Place,
    pub(super) text: String,
    pub(super) evidence: String,
    pub(super) executions: Vec<InsightExecution>,
}

/// What a rule could not know.
#[derive(Debug)]
pub(super) struct Unknown {
    pub(super) rule: InsightRule,
    pub(super) place: Place,
    pub(super) why: String,
}

/// All that rules wrote down.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub(super) drafts: Vec<Draft>,
    pub(super) unknown: Vec<Unknown>,
}

impl Notes {
    pub(super) fn unknown(&mut self, rule: InsightRule, place: &Place, why: impl Into<String>) {
        self.unknown.push(Unknown { rule, place: place.clone(), why: why.into() });
    }

    /// Where rules write about one thing, by the data of one file.
    pub(super) fn about<'n>(&'n mut self, place: &'n Place, evidence: &'n str) -> Notebook<'n> {
        Notebook { notes: self, place, evidence }
    }
}

/// Where rules write about one thing.
pub(super) struct Notebook<'n> {
    notes: &'n mut Notes,
    place: &'n Place,
    evidence: &'n str,
}

impl Notebook<'_> {
    /// Something was found about it as a whole.
    pub(super) fn found(&mut self, rule: InsightRule, severity: InsightSeverity, text: String) {
        let level = match self.place {
            Place::Account => InsightLevel::Account,
            Place::Function(_) | Place::Queue(_) | Place::Load(_) => InsightLevel::Resource,
        };
        self.push(rule, severity, level, text, Vec::new());
    }

    /// Single executions were found.
    pub(super) fn executions(
        &mut self,
        rule: InsightRule,
        severity: InsightSeverity,
        text: String,
        executions: Vec<InsightExecution>,
    ) {
        self.push(rule, severity, InsightLevel::Execution, text, executions);
    }

    pub(super) fn unknown(&mut self, rule: InsightRule, why: impl Into<String>) {
        self.notes.unknown(rule, self.place, why);
    }

    fn push(
        &mut self,
        rule: InsightRule,
        severity: InsightSeverity,
        level: InsightLevel,
        text: String,
        executions: Vec<InsightExecution>,
    ) {
        let (place, evidence) = (self.place.clone(), self.evidence.to_owned());
        self.notes.drafts.push(Draft { rule, severity, level, place, text, evidence, executions });
    }
}
