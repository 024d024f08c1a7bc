//! `proxy_bandwidth`: a proxied dependency's bytes come slowly.

use super::about::Objection;
use super::change::Fault;
use super::toxic::{as_toxic, toxic_fault};
use crate::proxy::{Bandwidth, Toxic};
use crate::unit::ByteRate;

toxic_fault! {
    /// Lets no more than `rate` pass in each connection.
    pub struct ProxyBandwidth {
        /// How much passes in a second: `100KB/s`. Nothing at all is `proxy_timeout`.
        pub rate: ByteRate,
    }
}

impl ProxyBandwidth {
    fn toxic(&self) -> Toxic {
        Toxic::Bandwidth(Bandwidth { rate: self.rate.kilobytes() })
    }

    fn objection(&self) -> Option<Objection> {
        None
    }

    fn words(&self) -> String {
        format!("let {} of `{}` pass in each connection", self.rate, self.target)
    }
}

impl Fault for ProxyBandwidth {
    as_toxic!("bytes of the dependency come no faster than a rate", "bandwidth");
}
