//! What came of a check, and how answers about several things become one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many things a reason names before it only counts them.
const NAMED_MAX: usize = 12;

/// Why something is not known, in words that fit behind "unknown:".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Why(pub(crate) String);

impl Why {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Something that was asked for, or why it could not be had.
pub(crate) type Known<T> = Result<T, Why>;

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is as it should be.
    Pass,
    /// It is worth a thought: what.
    Warn(String),
    /// It is not as it should be: what.
    Fail(String),
    /// Somebody lets the environment do without it.
    Waived {
        /// Why.
        reason: String,
        /// Who.
        by: String,
        /// What it is without the waiver.
        was: String,
    },
    /// It could not be told: why. Never a pass.
    Unknown(String),
}

impl Outcome {
    /// Its name in JSON, and in a sentence.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn(_) => "warn",
            Self::Fail(_) => "fail",
            Self::Waived { .. } => "waived",
            Self::Unknown(_) => "unknown",
        }
    }

    /// What there is to say of it.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        match self {
            Self::Pass => None,
            Self::Warn(why) | Self::Fail(why) | Self::Unknown(why) => Some(why.clone()),
            Self::Waived { reason, by, was } => Some(format!("{reason} ({by}); without that: {was}")),
        }
    }

    /// From good to bad, to tell whether something became worse.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Waived { .. } => 1,
            Self::Warn(_) => 2,
            Self::Unknown(_) => 3,
            Self::Fail(_) => 4,
        }
    }
}

/// Answers about several things, which become one. A tally of nothing is a check that does not apply.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: usize,
    warns: Vec<String>,
    unknown: Vec<String>,
    fails: Vec<String>,
}

impl Tally {
    /// About one thing that is as it should be, or not.
    pub(crate) fn one(is_right: bool, otherwise: impl Into<String>) -> Self {
        let mut tally = Self::default();
        tally.expect(is_right, otherwise);
        tally
    }

    pub(crate) fn not_known(why: &Why) -> Self {
        let mut tally = Self::default();
        tally.unknown(&why.0);
        tally
    }

    /// Whether nothing was looked at yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.passed == 0 && [&self.warns, &self.unknown, &self.fails].iter().all(|lines| lines.is_empty())
    }

    pub(crate) fn pass(&mut self) {
        self.passed += 1;
    }

    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        self.warns.push(text.into());
    }

    pub(crate) fn fail(&mut self, text: impl Into<String>) {
        self.fails.push(text.into());
    }

    pub(crate) fn unknown(&mut self, text: &str) {
        // One reason may stand for many things.
        if !self.unknown.iter().any(|known| known == text) {
            self.unknown.push(text.to_owned());
        }
    }

    pub(crate) fn expect(&mut self, is_right: bool, otherwise: impl Into<String>) {
        if is_right { self.pass() } else { self.fail(otherwise) }
    }

    /// The one outcome: the worst, with all that there is to say. None where there was nothing to look at. What is missing is worth a
    /// thought where the check is one for information.
    pub(crate) fn outcome(self, is_for_information: bool) -> Option<Outcome> {
        let Self { passed, warns, unknown, fails } = self;
        let all = [("", &fails), ("unknown: ", &unknown), ("", &warns)];
        let words = || {
            let parts = all.into_iter().filter(|(_, lines)| !lines.is_empty());
            parts.map(|(mark, lines)| format!("{mark}{}", listed(lines))).collect::<Vec<_>>().join("; ")
        };
        if !fails.is_empty() {
            return Some(if is_for_information { Outcome::Warn(words()) } else { Outcome::Fail(words()) });
        }
        if !unknown.is_empty() {
            let warns = if warns.is_empty() { String::new() } else { format!("; {}", listed(&warns)) };
            return Some(Outcome::Unknown(format!("{}{warns}", listed(&unknown))));
        }
        if !warns.is_empty() {
            return Some(Outcome::Warn(words()));
        }
        (passed > 0).then_some(Outcome::Pass)
    }
}

fn listed(lines: &[String]) -> String {
    let more = lines.len().saturating_sub(NAMED_MAX);
    let shown: Vec<&str> = lines.iter().take(NAMED_MAX).map(String::as_str).collect();
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("{}{more}", shown.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_answer_counts_and_nothing_unknown_is_a_pass() {
        let of = |fill: &dyn Fn(&mut Tally)| {
            let mut tally = Tally::default();
            fill(&mut tally);
            tally.outcome(false)
        };
        assert_eq!(of(&|_| {}), None, "a check without a thing to look at does not apply");
        assert_eq!(of(&Tally::pass), Some(Outcome::Pass));
        let mixed = of(&|tally| {
            tally.pass();
            tally.unknown("no answer");
            tally.unknown("no answer");
        });
        assert_eq!(mixed, Some(Outcome::Unknown("no answer".to_owned())));
        let worst = of(&|tally| {
            tally.warn("old");
            tally.unknown("no answer");
            tally.fail("none");
        });
        assert_eq!(worst, Some(Outcome::Fail("none; unknown: no answer; old".to_owned())));
        assert_eq!(Tally::one(false, "none").outcome(true), Some(Outcome::Warn("none".to_owned())));
    }

    #[test]
    fn a_long_list_is_counted_at_its_end() {
        let mut tally = Tally::default();
        (0..20).for_each(|number| tally.fail(number.to_string()));
        let Some(Outcome::Fail(why)) = tally.outcome(false) else { panic!("a failure") };
        assert!(why.ends_with("11; and 8 more"), "{why}");
    }
}
