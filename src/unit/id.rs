//! Names of things, each with a type of its own so that one cannot stand where another belongs.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use super::text_type;

/// The longest name, in bytes.
const ID_BYTES_MAX: usize = 64;

/// Why a name cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing at all.
    #[error("a name must not be empty")]
    Empty,
    /// Over 64 bytes.
    #[error("`{0}` is longer than 64 characters")]
    TooLong(String),
    /// A character that would break a file name, a URL or an expectation.
    #[error("`{0}` is not a name: use letters, digits, `-`, `_` and `.`, and start with a letter or a digit")]
    Character(String),
    /// An alarm's name over 255 characters.
    #[error("`{0}` is longer than 255 characters, the most that an alarm's name has")]
    AlarmTooLong(String),
    /// A character that no alarm's name has, or the star of a pattern.
    #[error("`{0}` is not the name of an alarm: it may have no `*` and no control characters")]
    AlarmCharacter(String),
}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong(text.to_owned()));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.chars().all(allowed) && text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err(IdError::Character(text.to_owned()))
    }
}

macro_rules! id {
    ($name:ident, $doc:literal, $example:literal) => {
        #[doc = $doc]
        ///
        /// Letters, digits, `-`, `_` and `.`; at most 64; starts with a letter or a digit.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        text_type!($name, stringify!($name), $doc, r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", $example);
    };
}

id!(ActionId, "the id of an action", "A-2026-031");
id!(ComponentId, "the name of a component of the workload", "payments");
id!(FaultId, "the name of a fault", "slow-provider");
id!(GuardrailId, "the name of a guardrail", "G1");
id!(HintId, "the name of a hint", "h1");
id!(HypothesisId, "the name of a hypothesis", "H1");
id!(InjectId, "the name of an inject", "ticket");
id!(LessonId, "the id of a lesson", "L-2026-004");
id!(LoadId, "the name of a load", "shoppers");
id!(PersonId, "the name of a role or a person", "facilitator");
id!(PhaseId, "the name of a phase", "baseline");
id!(PlaybookId, "the id of a playbook", "pb-payment-latency");
id!(ProxyName, "the name of a fault proxy", "provider");
id!(RuleName, "the name of a rule on a proxy", "throttled-orders");
id!(RunId, "the id of a run", "2026-03-10-100000-checkout-payment-slow");
id!(ScenarioId, "the id of a scenario", "checkout-payment-slow");
id!(SignalId, "the name of a signal", "checkout_ok");
id!(StepId, "the id of a step", "tell-support");
id!(TargetId, "the name of a target", "payments-fn");
id!(ToxicName, "the name of a toxic on a proxy", "slow-provider");

impl FaultId {
    /// What a route's name starts with: a route leads a function's calls through the fault proxy. It is kept in the log
    /// as faults are and is none of the timeline, so no fault of a scenario may have such a name.
    pub const ROUTE_PREFIX: &str = "route-";

    /// Whether it names a route through the proxy.
    #[must_use]
    pub fn is_route(&self) -> bool {
        self.0.starts_with(Self::ROUTE_PREFIX)
    }
}

impl From<&TargetId> for ProxyName {
    /// The proxy that serves a target has the target's name.
    fn from(target: &TargetId) -> Self {
        Self(target.0.clone())
    }
}

impl From<&FaultId> for RuleName {
    /// The rule that a fault adds has the fault's name.
    fn from(fault: &FaultId) -> Self {
        Self(fault.0.clone())
    }
}

impl From<&FaultId> for ToxicName {
    /// The toxic that a fault adds has the fault's name.
    fn from(fault: &FaultId) -> Self {
        Self(fault.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_told_by_the_start_of_its_name() {
        let is_route = |text: &str| text.parse::<FaultId>().unwrap().is_route();
        assert!(is_route("route-provider"));
        assert!(!is_route("slow-route-provider"));
    }

    #[test]
    fn a_name_is_safe_in_a_path_and_in_an_expectation() {
        assert!("checkout-fn".parse::<TargetId>().is_ok());
        for text in ["", "../x", "a b", "a/b", "-a", ".", "ä", &"x".repeat(65)] {
            assert!(text.parse::<TargetId>().is_err(), "{text}");
        }
    }
}
