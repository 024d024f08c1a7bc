//! What tests a lesson or an action again: a scenario and one of its hypotheses.

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
