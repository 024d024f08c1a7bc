//! `proxy_slicer`: a proxied dependency's bytes come in small pieces.

use std::num::NonZero;
use std::time::Duration;

use super::about::Objection;
use super::change::Fault;
use super::toxic::{self, as_toxic, toxic_fault};
use crate::proxy::{Slicer, Toxic};
use crate::unit::DurationText;

toxic_fault! {
    /// Cuts what passes into pieces of `average_bytes` ± `variation_bytes`.
    pub struct ProxySlicer {
        /// The mean size of a piece, at least 1.
        pub average_bytes: NonZero<usize>,
        /// How far a size may lie from the mean, at most the mean; default none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub variation_bytes: Option<usize>,
        /// The wait between two pieces; default none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub delay: Option<DurationText>,
    }
}

impl ProxySlicer {
    fn variation(&self) -> usize {
        self.variation_bytes.unwrap_or_default()
    }

    fn toxic(&self) -> Toxic {
        let delay = self.delay.map_or(Duration::ZERO, |delay| delay.0);
        Toxic::Slicer(Slicer { average_size: self.average_bytes.get(), size_variation: self.variation(), delay })
    }

    fn objection(&self) -> Option<Objection> {
        let help = "no piece has less than no bytes: lower it";
        let is_larger = self.variation() > self.average_bytes.get();
        is_larger.then(|| toxic::out_of_range("variation_bytes", "the variation is larger than the mean size", help))
    }

    fn words(&self) -> String {
        let delay = self.delay.map(|delay| format!(", {delay} apart")).unwrap_or_default();
        let size = format!("{} ± {} bytes", self.average_bytes, self.variation());
        format!("cut what `{}` sends into pieces of {size}{delay}", self.target)
    }
}

impl Fault for ProxySlicer {
    as_toxic!("bytes of the dependency come in small pieces", "pieces of its bytes");
}
