//! Who takes part, and what they are told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::{HintId, HypothesisId, PersonId};

/// Someone who takes part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// A person or a rota.
    pub who: String,
    /// Whether the run waits for them.
    #[serde(default)]
    pub required: bool,
    /// Whether they see no faults until these are revealed.
    #[serde(default)]
    pub blind: bool,
}

/// A message to a person, as the world would send it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inject {
    /// A role of `people`.
    pub to: PersonId,
    /// The message.
    pub text: String,
}

/// Help for people who are stuck.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hint {
    /// Its name.
    pub id: HintId,
    /// The hypothesis that it belongs to.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub hypothesis: Option<HypothesisId>,
    /// The help.
    pub text: String,
}
