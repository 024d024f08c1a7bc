//! `proxy_http_error`: requests to a proxied dependency are answered with another status.

use std::collections::BTreeMap;

use super::change::Fault;
use super::rule::{as_rule, rule_fault};
use crate::proxy::http::{Action, HttpError};

rule_fault! {
    /// Answers requests with a status, headers and a body of one's choice.
    pub struct ProxyHttpError {
        /// The status, 200 to 599.
        pub status: u16,
        /// Headers of the answer.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        pub headers: BTreeMap<String, String>,
        /// The body, at most 256 KiB; default none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub body: Option<String>,
        /// Whether the dependency is called all the same and its answer lost; default no.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        pub call_upstream: bool,
    }
}

impl ProxyHttpError {
    fn action(&self) -> Action {
        Action::HttpError(HttpError {
            status: self.status,
            headers: self.headers.clone(),
            body: self.body.clone(),
            call_upstream: self.call_upstream,
        })
    }

    fn words(&self, requests: &str) -> String {
        let called = if self.call_upstream { ", after they were served" } else { "" };
        format!("answer {requests} with status {}{called}", self.status)
    }
}

impl Fault for ProxyHttpError {
    as_rule!("callers of the dependency get another status", "status of its answers");
}
