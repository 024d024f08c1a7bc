//! What undoes a change where nobody of ours is left to do it: one call of EventBridge Scheduler, as data.
//!
//! Owns: which faults can be undone by a call in AWS itself, and that call. Must not know: when it is made, and by whom.

use serde_json::{Map, Value};

/// Whether a fault ends by itself in AWS, as far as its parameters tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// One of these calls undoes it, as IAM names them; which one is known once its target was read.
    Switch(&'static [&'static str]),
    /// It is over without any call: how.
    Expires(&'static str),
    /// Neither: why.
    None(&'static str),
}

/// What undoes a change that was prepared.
#[derive(Debug, Clone, PartialEq)]
pub enum Switch {
    /// One call.
    Call(SwitchCall),
    /// No call is needed: it expires by itself, or there is nothing to undo.
    Needless,
    /// No single call undoes it: why.
    None(&'static str),
}

/// A call that EventBridge Scheduler can make by itself. It never carries a secret.
#[derive(Debug, Clone, PartialEq)]
pub struct SwitchCall {
    /// The service, as the ARN of a universal target names it: `lambda`, `eventbridge`.
    pub service: &'static str,
    /// The operation: `putFunctionConcurrency`.
    pub action: &'static str,
    /// Its input. AWS: members are named as the SDK for Java has them, with a capital letter (`Uuid`, and not `UUID`).
    pub input: Value,
}

impl SwitchCall {
    /// A call of Lambda; members that are none are left out.
    pub(super) fn lambda<const N: usize>(action: &'static str, input: [(&str, Option<Value>); N]) -> Self {
        Self::of("lambda", action, input)
    }

    /// A call of a service; members that are none are left out.
    pub(super) fn of<const N: usize>(
        service: &'static str,
        action: &'static str,
        input: [(&str, Option<Value>); N],
    ) -> Self {
        let members = input.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Self { service, action, input: Value::Object(members.collect::<Map<_, _>>()) }
    }

    /// The ARN of the universal target, in the partition `aws`, `aws-cn` or `aws-us-gov`.
    #[must_use]
    pub fn target_arn(&self, partition: &str) -> String {
        format!("arn:{partition}:scheduler:::aws-sdk:{}:{}", self.service, self.action)
    }

    /// The call as IAM names it: `lambda:PutFunctionConcurrency`.
    #[must_use]
    pub fn permission(&self) -> String {
        let service = if self.service == "eventbridge" { "events" } else { self.service };
        let mut letters = self.action.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        format!("{service}:{}{}", first.map(String::from).unwrap_or_default(), letters.as_str())
    }
}

/// Why a fault that undoes by more than a call is not covered.
pub(super) const NO_CALL: &str = "what undoes it is not one call of AWS";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_has_a_target_and_a_permission_and_only_members_that_are_there() {
        let call =
            SwitchCall::of("eventbridge", "enableRule", [("Name", Some("nightly".into())), ("EventBusName", None)]);
        assert_eq!(call.target_arn("aws-cn"), "arn:aws-cn:scheduler:::aws-sdk:eventbridge:enableRule");
        assert_eq!(call.permission(), "events:EnableRule");
        assert_eq!(call.input, json!({"Name": "nightly"}));
        assert_eq!(SwitchCall::lambda("updateAlias", []).permission(), "lambda:UpdateAlias");
    }
}
