//! What IAM must allow: two policies with the least that a run needs, one to inject and one to roll back; and one to look.
//!
//! Owns: the one table from an API call to the resources that it is asked for. Must not know: who asks, and what IAM says.

mod grant;
mod needs;
mod policy;
mod read;
mod table;
#[cfg(test)]
mod tests;

pub use grant::{Condition, Grant, Place};
pub use needs::lock_calls;
pub use policy::{MANAGED_POLICY_CHARACTERS_MAX, Policies, Policy, Statement};
pub use read::READINESS_CALLS;
pub use table::{Permission, TABLE};
