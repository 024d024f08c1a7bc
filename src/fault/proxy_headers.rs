//! `proxy_headers`: the headers of a proxied dependency's answers are others.

use std::collections::BTreeMap;

use super::change::Fault;
use super::rule::{as_rule, rule_fault};
use crate::proxy::http::{Action, Headers};

rule_fault! {
    /// Sets headers of answers, in place of all of the same name, and takes others away.
    pub struct ProxyHeaders {
        /// Headers that the answers have.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub set: BTreeMap<String, String>,
        /// Headers that they do not have.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub remove: Vec<String>,
    }
}

impl ProxyHeaders {
    fn action(&self) -> Action {
        Action::Headers(Headers { set: self.set.clone(), remove: self.remove.clone() })
    }

    fn words(&self, requests: &str) -> String {
        format!("change {} headers of the answers to {requests}", self.set.len() + self.remove.len())
    }
}

impl Fault for ProxyHeaders {
    as_rule!("answers of the dependency have other headers", "headers of its answers");
}
