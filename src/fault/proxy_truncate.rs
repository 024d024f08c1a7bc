//! `proxy_truncate`: the bodies of a proxied dependency's answers break off.

use super::change::Fault;
use super::rule::{as_rule, rule_fault};
use crate::proxy::http::{Action, Truncate};

rule_fault! {
    /// Closes the connection after so many bytes of an answer's body, whose head promises all of it.
    pub struct ProxyTruncate {
        /// Bytes of the body, as they go over the wire, that still come; a shorter body comes whole.
        pub bytes: u64,
    }
}

impl ProxyTruncate {
    fn action(&self) -> Action {
        Action::Truncate(Truncate { bytes: self.bytes })
    }

    fn words(&self, requests: &str) -> String {
        format!("cut the answers to {requests} after {} bytes", self.bytes)
    }
}

impl Fault for ProxyTruncate {
    as_rule!("answers of the dependency break off", "length of its answers");
}
