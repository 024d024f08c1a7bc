//! HTTP/1 as the proxy understands it: where messages begin and end, and what rules do to single requests.
//!
//! Owns: the framing of messages, the rules and their actions, and the AWS protocols' errors. An [`engine`](self) is a state
//! machine without I/O; `HttpStream` is a server's connection with one in front. Bytes that no rule picks pass verbatim.
//! What is not HTTP/1 (TLS, HTTP/2, upgraded connections) passes as it comes.
//!
//! Must not know: toxics, the registry, runs.

mod action;
mod aws;
mod body;
mod engine;
mod exchange;
mod head;
mod message;
mod progress;
mod response;
mod rule;
mod signer;
mod signing;
mod stream;
#[cfg(test)]
mod tests;
mod tunnel;

pub use action::{
    Action, AwsError, Corrupt, Headers, HttpError, Latency, Reset, ResetAfter, SlowBody, Stage, Timeout, Truncate,
};
pub(crate) use rule::{ActiveRule, RuleSet};
pub use rule::{AwsMatch, Match, Pattern, Problem, RuleSpec, RuleStats, When};
pub(crate) use signer::Signer;
pub(crate) use stream::{HttpStream, Resigning};
pub(crate) use tunnel::Tunnel;
