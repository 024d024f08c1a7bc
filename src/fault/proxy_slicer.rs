//! `proxy_slicer`: a proxied dependency's bytes come in small pieces.

use std::num::NonZero;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::switch::Cover;
use super::target::TargetNeed;
use super::toxic::{self, Reach, ToxicChange};
use crate::proxy::{Direction, Slicer, Toxic};
use crate::unit::{DurationText, Percent, TargetId};

/// Cuts what passes into pieces of `average_bytes` ± `variation_bytes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxySlicer {
    /// The dependency, a `proxy` target.
    #[schemars(example = &"card-provider")]
    pub target: TargetId,
    /// The mean size of a piece, at least 1.
    pub average_bytes: NonZero<usize>,
    /// How far a size may lie from the mean, at most the mean; default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variation_bytes: Option<usize>,
    /// The wait between two pieces; default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<DurationText>,
    /// Which way it works: `downstream`, from the dependency, is the default; `upstream` is towards it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The share of connections that it works on; default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toxicity: Option<Percent>,
}

impl ProxySlicer {
    fn variation(&self) -> usize {
        self.variation_bytes.unwrap_or_default()
    }

    fn reach(&self) -> Reach {
        Reach { direction: self.direction, toxicity: self.toxicity }
    }
}

impl Fault for ProxySlicer {
    type Change = ToxicChange;
    const ABOUT: About = About {
        effect: "bytes of the dependency come in small pieces",
        undo: toxic::UNDO,
        blast_radius: toxic::BLAST_RADIUS,
    };
    const TARGET: TargetNeed = TargetNeed::Proxy;
    const CALLS: Calls = toxic::CALLS;

    fn objections(&self) -> Vec<Objection> {
        let mut objections = self.reach().objections();
        if self.variation() > self.average_bytes.get() {
            let message = "the variation is larger than the mean size";
            objections.push(toxic::out_of_range(
                "variation_bytes",
                message,
                "no piece has less than no bytes: lower it",
            ));
        }
        objections
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<ToxicChange, FaultError> {
        let delay = self.delay.map_or(Duration::ZERO, |delay| delay.0);
        let (average_size, size_variation) = (self.average_bytes.get(), self.variation());
        let toxic = Toxic::Slicer(Slicer { average_size, size_variation, delay });
        toxic::prepare(environment, &self.target, self.reach(), toxic).await
    }

    fn text(&self) -> ChangeText {
        let delay = self.delay.map(|delay| format!(", {delay} apart")).unwrap_or_default();
        let size = format!("{} ± {} bytes", self.average_bytes, self.variation());
        self.reach().text(format!("cut what `{}` sends into pieces of {size}{delay}", self.target))
    }

    fn settings(&self) -> Vec<String> {
        self.reach().settings("pieces of its bytes")
    }

    fn cover(&self) -> Cover {
        toxic::COVER
    }
}
