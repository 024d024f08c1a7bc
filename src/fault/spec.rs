//! What a scenario says of a fault: its kind and that kind's parameters.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LambdaConcurrency, LambdaEnvironment, LambdaTimeout, ProxyLatency, ProxyTimeout};
use crate::unit::{DurationText, TargetId};

/// Declares the kinds of fault once: the enum, the one-key-a-kind fields that a file is read into, and the names.
macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $key:ident: $kind:ident),+ $(,)?) => {
        /// A fault of one kind with its parameters.
        #[derive(Debug, Clone, PartialEq)]
        pub enum FaultKind {
            $($(#[$doc])* $kind($kind),)+
        }

        /// A fault as a file has it: exactly one of the kinds, and what all kinds share.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct FaultSpec {
            $($(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $key: Option<$kind>,)+
            /// The longest that the fault may last; it ends sooner by an `undo` or at the end of the timeline.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub ttl: Option<DurationText>,
            /// An expectation that proves that the fault is real, looked at from the injection on.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub effect_if: Option<String>,
        }

        impl FaultSpec {
            /// The keys that name a kind, as files write them.
            pub const KINDS: &[&str] = &[$(stringify!($key)),+];

            /// The one kind.
            ///
            /// # Errors
            /// The kinds that were given, where there is not exactly one.
            pub fn kind(&self) -> Result<FaultKind, Vec<&'static str>> {
                let mut given = Vec::new();
                let mut kind = None;
                $(if let Some(parameters) = &self.$key {
                    given.push(stringify!($key));
                    kind = Some(FaultKind::$kind(parameters.clone()));
                })+
                match (kind, given.len()) {
                    (Some(kind), 1) => Ok(kind),
                    _ => Err(given),
                }
            }
        }

        impl FaultKind {
            /// The key that names the kind in a file: `lambda_concurrency`.
            #[must_use]
            pub fn key(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => stringify!($key),)+
                }
            }

            /// The target that the fault works on.
            #[must_use]
            pub fn target(&self) -> &TargetId {
                match self {
                    $(Self::$kind(parameters) => &parameters.target,)+
                }
            }
        }
    };
}

fault_kinds! {
    /// Reserved concurrency of a function: 0 throttles every invocation.
    lambda_concurrency: LambdaConcurrency,
    /// The time after which Lambda kills an invocation.
    lambda_timeout: LambdaTimeout,
    /// Environment variables of a function, set or taken away.
    lambda_environment: LambdaEnvironment,
    /// Answers of a proxied dependency come late.
    proxy_latency: ProxyLatency,
    /// A proxied dependency goes silent: a black hole.
    proxy_timeout: ProxyTimeout,
}

/// Environment variables by name.
pub type Variables = BTreeMap<String, String>;
