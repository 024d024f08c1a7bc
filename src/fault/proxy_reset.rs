//! `proxy_reset`: connections to a proxied dependency are reset, on their next data or at a stage of a request.

use std::time::Duration;

use super::change::{ChangeText, Fault};
use super::proxy_change::{Aim as _, Either, as_either, either_fault};
use crate::proxy::http::{self, Action, ResetAfter};
use crate::proxy::{ResetPeer, Toxic};
use crate::unit::DurationText;

either_fault! {
    /// Answers the next data of each connection with a reset (RST), which both sides see. With `after`, `match`, `percentage`, `when`
    /// or `max_affected` the connections of single requests are reset, for which the proxy must speak `http`.
    pub struct ProxyReset {
        /// When the connection of a request is reset: after the `request` was passed on whole, after the `headers` of its answer,
        /// or after some `bytes` of its body; for single requests `request` where nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub after: Option<ResetAfter>,
        /// With `after: bytes`, how many bytes of the answer's body still come; a body that is shorter comes whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub bytes: Option<u64>,
        /// On whole connections, how long after the data the reset comes; default at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(example = &"200ms")]
        pub delay: Option<DurationText>,
    }
}

impl Either for ProxyReset {
    fn says_of_requests(&self) -> bool {
        self.after.is_some() || self.bytes.is_some()
    }

    fn said_of_connections(&self) -> Vec<&'static str> {
        self.delay.map(|_| "delay").into_iter().collect()
    }

    fn toxic(&self) -> Toxic {
        Toxic::ResetPeer(ResetPeer { timeout: self.delay.map_or(Duration::ZERO, |delay| delay.0) })
    }

    fn action(&self) -> Action {
        Action::Reset(http::Reset { after: self.after.unwrap_or_default(), bytes: self.bytes })
    }

    fn toxic_words(&self) -> ChangeText {
        let after = self.delay.map(|delay| format!(" {delay} after its next data")).unwrap_or_default();
        self.reach().text(format!("reset each connection to `{}`{after}", self.target))
    }

    fn rule_words(&self, requests: &str) -> String {
        let after = match self.after.unwrap_or_default() {
            ResetAfter::Request => "they were passed on".to_owned(),
            ResetAfter::Headers => "the head of the answer".to_owned(),
            ResetAfter::Bytes => format!("{} bytes of the answer", self.bytes.unwrap_or_default()),
        };
        format!("reset the connection of {requests} after {after}")
    }
}

impl Fault for ProxyReset {
    as_either!("connections to the dependency are reset", "reset of its connections");
}
