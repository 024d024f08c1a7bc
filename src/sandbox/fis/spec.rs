//! How the sandbox's FIS differs from AWS's, as files say it under `fis`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest `propagation_ms`: a minute, which AWS's extension takes at worst.
const PROPAGATION_MS_MAX: u64 = 60_000;
const PROPAGATION_MS_DEFAULT: u64 = 500;

/// How experiments of the sandbox's Fault Injection Service go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FisSpec {
    /// Whether an action may last less than a minute, from one second (`PT1S`); AWS refuses that. Default: false.
    #[serde(default)]
    pub allow_short: bool,
    /// How long after its start an action takes effect, and after its end loses it, in milliseconds, 0 to 60000. In AWS a
    /// function learns of both by polling, within a minute. Default: 500.
    #[serde(default = "default_propagation_ms")]
    pub propagation_ms: u64,
    /// What decides which invocations a percentage hits and which functions a selection takes. Default: 0.
    #[serde(default)]
    pub seed: u64,
}

fn default_propagation_ms() -> u64 {
    PROPAGATION_MS_DEFAULT
}

impl Default for FisSpec {
    fn default() -> Self {
        Self { allow_short: false, propagation_ms: PROPAGATION_MS_DEFAULT, seed: 0 }
    }
}

impl FisSpec {
    /// Whether nothing of it was written.
    pub(in crate::sandbox) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The key that is out of its range, and a text for a person.
    pub(in crate::sandbox) fn problem(&self) -> Option<(&'static str, String)> {
        let millis = self.propagation_ms;
        (millis > PROPAGATION_MS_MAX)
            .then(|| ("propagation_ms", format!("`propagation_ms: {millis}` is more than {PROPAGATION_MS_MAX}")))
    }
}
