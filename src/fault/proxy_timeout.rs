//! `proxy_timeout`: a proxied dependency goes silent, for whole connections or for single requests.

use std::time::Duration;

use super::change::{ChangeText, Fault};
use super::proxy_change::{Aim as _, Either, as_either, either_fault};
use crate::proxy::http::{self, Action, Stage};
use crate::proxy::{Timeout, Toxic};
use crate::unit::DurationText;

either_fault! {
    /// Swallows all data of the dependency's connections: a black hole. With `stage`, `match`, `percentage`, `when` or
    /// `max_affected` single requests are left without an answer, for which the proxy must speak `http`.
    pub struct ProxyTimeout {
        /// After this the connection is closed; default never, while the fault lasts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(example = &"30s")]
        pub timeout: Option<DurationText>,
        /// What of a request comes through before nothing does any more; for single requests `response` where nothing is said:
        /// the dependency does its work, and its answer is lost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub stage: Option<Stage>,
    }
}

impl Either for ProxyTimeout {
    fn says_of_requests(&self) -> bool {
        self.stage.is_some()
    }

    fn toxic(&self) -> Toxic {
        Toxic::Timeout(Timeout { timeout: self.timeout.map_or(Duration::ZERO, |timeout| timeout.0) })
    }

    fn action(&self) -> Action {
        Action::Timeout(http::Timeout { stage: self.stage.unwrap_or_default(), timeout: self.timeout })
    }

    fn toxic_words(&self) -> ChangeText {
        let close = self.timeout.map(|timeout| format!(", and close them after {timeout}")).unwrap_or_default();
        self.reach().text(format!("swallow all data of connections to `{}`{close}", self.target))
    }

    fn rule_words(&self, requests: &str) -> String {
        format!("leave {requests} without an answer")
    }
}

impl Fault for ProxyTimeout {
    as_either!("connections to the dependency stay open, and nothing comes back", "whether it answers");
}
