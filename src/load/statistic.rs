//! The statistics of a load that a signal may name. How they are computed over a window is the observer's business.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What of a load a signal observes; over all steps, or one step's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadStatistic {
    /// A distribution: time to the last byte of every request that ended, failed ones included.
    Latency,
    /// The share of requests that met their expectations, 0 to 1.
    SuccessRatio,
    /// The share of requests that did not, 0 to 1.
    ErrorRatio,
    /// Requests that ended, a second.
    Rate,
    /// Requests that were sent and have no answer yet. It is the load's as a whole: a step's name does not narrow it.
    InFlight,
}

impl LoadStatistic {
    /// Whether it is a distribution, of which percentiles are exact over any window.
    #[must_use]
    pub fn is_distribution(self) -> bool {
        match self {
            Self::Latency => true,
            Self::SuccessRatio | Self::ErrorRatio | Self::Rate | Self::InFlight => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statistic_is_named_as_scenario_files_name_it() {
        let names = ["latency", "success_ratio", "error_ratio", "rate", "in_flight"];
        let read: Vec<LoadStatistic> =
            names.iter().map(|name| serde_json::from_value(serde_json::json!(name)).unwrap()).collect();
        assert!(read[0].is_distribution());
        assert!(!read[1..].iter().any(|statistic| statistic.is_distribution()));
        assert!(serde_json::from_str::<LoadStatistic>("\"median\"").is_err());
    }
}
