//! `proxy_slow_body`: the bodies of a proxied dependency's answers trickle.

use super::change::Fault;
use super::rule::{as_rule, rule_fault};
use crate::proxy::http::{Action, SlowBody};
use crate::unit::DurationText;

rule_fault! {
    /// Sends an answer's body in pieces of `bytes` with a pause of `interval` before each.
    pub struct ProxySlowBody {
        /// The length of a piece, from 1; the last one may be shorter.
        pub bytes: u64,
        /// The pause before each piece, at most a day.
        #[schemars(example = &"200ms")]
        pub interval: DurationText,
    }
}

impl ProxySlowBody {
    fn action(&self) -> Action {
        Action::SlowBody(SlowBody { bytes: self.bytes, interval: self.interval })
    }

    fn words(&self, requests: &str) -> String {
        format!("send the answers to {requests} by {} bytes each {}", self.bytes, self.interval)
    }
}

impl Fault for ProxySlowBody {
    as_rule!("answers of the dependency trickle", "speed of its answers");
}
