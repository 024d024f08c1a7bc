//! What is believed, which alarms should fire, and what ends a run at once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::{AlarmName, DurationText, GuardrailId, HypothesisId, LessonId, Severity};

/// What is believed, and is now tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hypothesis {
    /// Its name in reports and gates.
    pub id: HypothesisId,
    /// The belief in plain words.
    pub text: String,
    /// The belief as an expectation: `agg(signal) op value [during PHASE | after PHASE | within D after PHASE] [for D]`,
    /// several joined by `and`.
    ///
    /// - `agg` is `min`, `max`, `mean`, `p50` to `p99.9`, `sum`, `last` or `count`; `mean` of a ratio is all successes over
    ///   all requests; a percentile of a load's latency is exact.
    /// - `op` is `<`, `<=`, `==`, `>=` or `>`.
    /// - A value has the unit of what is measured: `99%`, `800ms`, `40/s`, `12`; `95% of baseline` compares with the baseline.
    /// - `for D` looks at the trailing D, which must be full before it can be true.
    /// - `detect(alarm) <= 3m` is the time from the first effect to the alarm, `ack() <= 5m` from the notice to the
    ///   acknowledgement, `steps(playbook, must) == 100%` the share of steps done in time.
    /// - `alarm(name-*) is ALARM` (or `OK`, `INSUFFICIENT_DATA`) and `mark(name)` stand alone. Of several alarms any may be in
    ///   `ALARM`, and all must be `OK`; over a window `ALARM` may be at any moment, and `OK` must be at every one. An alarm with
    ///   insufficient data is neither: that is not known.
    /// - The name of an alarm, and a pattern, may have blanks: `detect(Payments / errors) <= 3m`. With any of `(),<>=!` in it,
    ///   it stands in quotes, of which one that is doubled is a quote of the name: `alarm('Errors (*)') is OK`.
    ///
    /// `abort_if`, `effect_if`, `until` and `unless` use the same grammar.
    pub expect: String,
    /// How bad it is if it is wrong; default `medium`.
    #[serde(default)]
    pub severity: Severity,
    /// A lesson that says why this is known to fail: the verdict is then *gap holds*.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_gap: Option<LessonId>,
}

/// Which CloudWatch alarms should fire, and which may. Alarms are read where a scenario has this key or speaks of an alarm in an
/// expectation: by `cloudwatch:DescribeAlarms`, every 5 s in an account. Those that are expected, or judged, must be there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alarms {
    /// They must fire. One that keeps silent is a finding; `detect(alarm)` makes a hypothesis of it.
    pub expected: Vec<AlarmName>,
    /// They may fire. Every other alarm of the account that goes to `ALARM` in the run is told as unexpected.
    pub tolerated: Vec<AlarmName>,
}

/// What ends the run at once: exactly one of `abort_if`, `max_duration`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guardrail {
    /// Its name.
    pub id: GuardrailId,
    /// An expectation that aborts the run when it becomes true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_if: Option<String>,
    /// The longest that the run may last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<DurationText>,
    /// How many targets may be changed at the same time, routes through the proxy not counted: one more is not injected,
    /// and the run is aborted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_targets: Option<u32>,
    /// How many requests of all loads together may fail; one more aborts the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_failed_requests: Option<u64>,
    /// What missing data means; default `abort`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_missing: Option<OnMissing>,
}

/// What missing data means to a guardrail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// Not knowing is as bad as knowing the worst.
    #[default]
    Abort,
    /// A warning in the log and in the report.
    Warn,
    /// Nothing.
    Ignore,
}
