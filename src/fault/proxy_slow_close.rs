//! `proxy_slow_close`: connections to a proxied dependency close late.

use super::about::Objection;
use super::change::Fault;
use super::toxic::{self, as_toxic, toxic_fault};
use crate::proxy::{SlowClose, Toxic};
use crate::unit::DurationText;

toxic_fault! {
    /// Delays the end of each connection; data passes untouched.
    pub struct ProxySlowClose {
        /// How much later the end comes.
        pub delay: DurationText,
    }
}

impl ProxySlowClose {
    fn toxic(&self) -> Toxic {
        Toxic::SlowClose(SlowClose { delay: self.delay.0 })
    }

    fn objection(&self) -> Option<Objection> {
        self.delay.is_zero().then(|| toxic::nothing("delay", "a delay of nothing is no fault"))
    }

    fn words(&self) -> String {
        format!("delay the end of each connection to `{}` by {}", self.target, self.delay)
    }
}

impl Fault for ProxySlowClose {
    as_toxic!("connections to the dependency close late", "end of its connections");
}
