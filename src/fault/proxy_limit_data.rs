//! `proxy_limit_data`: connections to a proxied dependency close after a number of bytes.

use super::about::Objection;
use super::change::Fault;
use super::toxic::{as_toxic, toxic_fault};
use crate::proxy::{LimitData, Toxic};

toxic_fault! {
    /// Lets `bytes` pass in each connection, then closes it.
    pub struct ProxyLimitData {
        /// How many bytes pass.
        pub bytes: u64,
    }
}

impl ProxyLimitData {
    fn toxic(&self) -> Toxic {
        Toxic::LimitData(LimitData { bytes: self.bytes })
    }

    fn objection(&self) -> Option<Objection> {
        None
    }

    fn words(&self) -> String {
        format!("close each connection to `{}` after {} bytes", self.target, self.bytes)
    }
}

impl Fault for ProxyLimitData {
    as_toxic!("connections to the dependency close after a number of bytes", "limit of its bytes");
}
