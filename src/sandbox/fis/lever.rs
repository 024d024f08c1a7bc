//! The safety lever: one an account, which stops every experiment and lets none begin.

use serde_json::{Value, json};

/// The lever's only id.
pub(super) const LEVER_ID: &str = "default";

/// Whether experiments may run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lever {
    pub is_engaged: bool,
    /// Why, as the last change said.
    pub reason: Option<String>,
}

impl Lever {
    /// Whether it is engaged and some experiment has not stopped yet.
    pub(super) fn is_engaging(&self, is_any_under_way: bool) -> bool {
        self.is_engaged && is_any_under_way
    }

    /// The lever as the API answers it.
    pub(super) fn document(&self, arn_prefix: &str, is_any_under_way: bool) -> Value {
        let status = match (self.is_engaged, self.is_engaging(is_any_under_way)) {
            (false, _) => "disengaged",
            (true, true) => "engaging",
            (true, false) => "engaged",
        };
        let mut state = json!({"status": status});
        if let Some(reason) = &self.reason {
            state["reason"] = reason.as_str().into();
        }
        json!({"id": LEVER_ID, "arn": format!("{arn_prefix}safety-lever/{LEVER_ID}"), "state": state})
    }
}
