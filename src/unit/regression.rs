//! What tests a lesson or an action again: a scenario and one of its hypotheses.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::{HypothesisId, ScenarioId, UnitError, text_type};

/// A hypothesis of a scenario; written `checkout-payment-slow#H2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Regression {
    /// The scenario.
    pub scenario: ScenarioId,
    /// Its hypothesis.
    pub hypothesis: HypothesisId,
}

/// What of a regression is the name of nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown<'r> {
    /// The code of the problem.
    pub code: &'static str,
    /// What it should be the name of: `scenario called`.
    pub what: String,
    /// The name.
    pub name: &'r str,
    /// The names that there are.
    pub known: BTreeSet<String>,
}

impl Regression {
    /// What of it is the name of nothing, where these are the hypotheses of each scenario.
    #[must_use]
    pub fn unknown(&self, hypotheses: &BTreeMap<String, BTreeSet<String>>) -> Option<Unknown<'_>> {
        let (scenario, hypothesis) = (self.scenario.as_str(), self.hypothesis.as_str());
        match hypotheses.get(scenario) {
            None => Some(Unknown {
                code: "unknown-scenario",
                what: "scenario called".to_owned(),
                name: scenario,
                known: hypotheses.keys().cloned().collect(),
            }),
            Some(known) if !known.contains(hypothesis) => Some(Unknown {
                code: "unknown-hypothesis",
                what: format!("hypothesis of `{scenario}` called"),
                name: hypothesis,
                known: known.clone(),
            }),
            Some(_) => None,
        }
    }
}

impl FromStr for Regression {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let parts = text.split_once('#').and_then(|(scenario, hypothesis)| {
            Some(Self { scenario: scenario.parse().ok()?, hypothesis: hypothesis.parse().ok()? })
        });
        parts.ok_or_else(|| {
            let problem = format!("`{text}` is not a scenario with its hypothesis");
            UnitError::new(problem, "write both, as in `checkout-payment-slow#H2`")
        })
    }
}

impl fmt::Display for Regression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}#{}", self.scenario, self.hypothesis)
    }
}

text_type!(
    Regression,
    "Regression",
    "a hypothesis of a scenario",
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}#[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    "checkout-payment-slow#H2"
);
