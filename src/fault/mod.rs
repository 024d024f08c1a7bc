//! Faults: what each changes, how it is undone, and with which calls. One file a kind.
//!
//! Owns: the specs, [`Undo`] data, inject and revert. Must not know: phases, the timeline, hypotheses.

mod change;
mod configuration;
mod lambda_concurrency;
mod lambda_environment;
mod lambda_timeout;
#[cfg(test)]
mod owed;
#[cfg(test)]
mod property;
mod proxy_latency;
mod proxy_timeout;
mod settings;
mod spec;
#[cfg(test)]
pub(crate) mod testing;
mod toxic;

pub use change::{ChangeText, FaultEnvironment, FaultError, FaultTarget, Reverted};
pub use configuration::obstacle;
pub use lambda_concurrency::LambdaConcurrency;
pub use lambda_environment::LambdaEnvironment;
pub use lambda_timeout::LambdaTimeout;
pub use proxy_latency::ProxyLatency;
pub use proxy_timeout::ProxyTimeout;
pub use spec::{FaultKind, FaultSpec, Undo, Variables};
