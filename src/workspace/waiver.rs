//! Waivers: checks of readiness that somebody lets an environment do without, why, and until when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::{CheckId, Date};

/// A check that somebody lets an environment do without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The check: `R-41`.
    pub check: CheckId,
    /// Why it can be done without.
    pub reason: String,
    /// Who says so.
    pub by: String,
    /// The last day on which it holds: `2027-03-01`. Default for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
}

impl Waiver {
    /// Whether it holds on that day.
    #[must_use]
    pub fn holds(&self, today: Date) -> bool {
        self.until.is_none_or(|until| today <= until)
    }

    /// What is wrong with it: the key, and the problem with what to do.
    pub(super) fn problem(&self) -> Option<(&'static str, &'static str)> {
        let texts = [("reason", &self.reason), ("by", &self.by)];
        let empty = texts.into_iter().find(|(_, text)| text.trim().is_empty());
        empty.map(|(key, _)| (key, "a waiver without it waives nothing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiver_holds_up_to_its_last_day() {
        let of = |until: Option<&str>| Waiver {
            check: "R-41".parse().unwrap(),
            reason: "the pager is tested by hand".to_owned(),
            by: "maria".to_owned(),
            until: until.map(|day| day.parse().unwrap()),
        };
        let today = "2027-03-01".parse().unwrap();
        assert!(of(None).holds(today) && of(Some("2027-03-01")).holds(today));
        assert!(!of(Some("2027-02-28")).holds(today));
    }
}
