//! The vocabulary under everything: ids, durations, rates, percentages, histograms and the one clock.
//!
//! Owns: how a quantity is written, parsed and kept. Must not know: scenarios, runs, AWS, processes of ours.

mod alarm;
mod alarm_settings;
mod aws_access;
mod aws_code;
mod blame;
mod byte_rate;
mod check_id;
mod clock;
mod connect;
mod date;
mod digest;
mod duration;
mod error_chain;
mod evidence;
mod exact_timer;
mod failpoint;
mod file_below;
mod file_error;
mod formula;
mod histogram;
mod id;
mod interval_log;
mod lambda;
mod level;
mod mark;
mod nearest;
mod new_file;
mod percent;
mod plural;
mod printable;
pub(crate) mod process;
mod prometheus;
mod question;
mod redact;
mod redaction;
mod regression;
mod resign;
mod rest;
mod runtime_dir;
mod severity;
mod sign;
mod uri;
mod whole_file;
mod within;

pub use alarm::{AlarmName, AlarmState, alarm_matches};
pub use alarm_settings::{AlarmRule, AlarmSettings, AlarmSubject, MetricName, MissingData};
pub use aws_access::{AwsAccess, RoleAccess};
pub use aws_code::{SNS_API_VERSION, bare_aws_code, is_expired_code, is_throttling_code};
pub use blame::{Blame, blame};
pub use byte_rate::ByteRate;
pub use check_id::CheckId;
pub use clock::{Clock, cpu_time, elapsed_ms};
pub(crate) use connect::connect_to_any;
pub use date::Date;
pub use digest::{hex, sha256_hex};
pub use duration::{DurationRange, DurationText, format_duration, parse_duration};
pub use error_chain::error_chain;
pub use evidence::Evidence;
pub(crate) use exact_timer::ExactTimer;
pub use failpoint::Failpoints;
pub use file_below::{FileBelowError, read_below, stays_below};
pub use file_error::FileError;
pub use formula::no_formula;
pub use histogram::{Histogram, HistogramError, LATENCY_MICROS_MAX, SparseHistogram};
pub use id::{
    ActionId, ComponentId, FaultId, GuardrailId, HintId, HypothesisId, IdError, InjectId, LessonId, LoadId, PersonId,
    PhaseId, PlaybookId, ProxyName, RuleName, RunId, ScenarioId, SignalId, StepId, TargetId, ToxicName,
};
pub use interval_log::{IntervalEncoder, IntervalLog};
pub use lambda::{LAMBDA_RESERVED_VARIABLES, LOG_LOSS_PREFIX};
pub use level::{Level, Rate, Users};
pub use mark::{MARKS, mark_name, meant_mark};
pub use nearest::nearest;
pub use new_file::{NewFileError, write_new};
pub use percent::Percent;
pub use plural::{plural, users};
pub use printable::{TEXT_CHARS_MAX, printable, printable_line};
pub use prometheus::{Exposition, MetricKind, PROMETHEUS_CONTENT_TYPE};
pub use question::{QUESTIONS, Question};
pub use redact::Secret;
pub use redaction::{Redaction, redact_text, redact_value};
pub use regression::Regression;
pub use resign::{NotResigned, Resign};
pub use rest::Rest;
pub(crate) use runtime_dir::make_private;
pub use runtime_dir::{RuntimeDirectoryError, SOCKET_PATH_BYTES_MAX, runtime_directory};
pub use severity::Severity;
pub use sign::{NotSigned, RequestToSign, SignRequest};
pub use uri::URI_SEGMENT;
pub(crate) use whole_file::PARTIAL;
pub use whole_file::WholeFile;
pub use within::{Anchor, Within};

/// Why a quantity's text could not be read: what was wrong, and how it should be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {remedy}")]
pub struct UnitError {
    /// What is wrong, a lowercase fragment with the offending text in backticks.
    pub problem: String,
    /// How to write it, a lowercase fragment.
    pub remedy: &'static str,
}

/// What stands in the remedy of a text that may be a secret itself: it is repeated nowhere, its line in a file included.
pub(crate) const IS_A_SECRET: &str = "is a secret";

impl UnitError {
    pub(crate) fn new(problem: impl Into<String>, remedy: &'static str) -> Self {
        Self { problem: problem.into(), remedy }
    }
}

/// Implements text-only serde and a JSON Schema string pattern for a type with `FromStr` and `Display`.
macro_rules! text_type {
    ($type:ty, $name:expr, $description:literal, $pattern:literal, $example:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        formatter.write_str(concat!($description, " such as `", $example, "`"))
                    }

                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "description": $description,
                    "pattern": $pattern,
                    "examples": [$example],
                })
            }
        }
    };
}
pub(crate) use text_type;
