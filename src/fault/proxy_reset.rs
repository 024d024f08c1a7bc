//! `proxy_reset`: connections to a proxied dependency are reset, on their next data or at a stage of a request.

use std::time::Duration;

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::proxy_change::{self, ProxyChange};
use super::rule::{self, rule_fault};
use super::switch::Cover;
use super::target::TargetNeed;
use super::toxic::{self, Reach};
use crate::proxy::http::{self, Action, ResetAfter};
use crate::proxy::{Direction, ResetPeer, Toxic};
use crate::unit::{DurationText, Percent};

rule_fault! {
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
        /// On whole connections, which way it works: `downstream`, from the dependency, is the default; `upstream` is towards it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub direction: Option<Direction>,
        /// On whole connections, the share of them that it works on; default all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub toxicity: Option<Percent>,
    }
}

impl ProxyReset {
    fn is_on_requests(&self) -> bool {
        self.after.is_some() || self.bytes.is_some() || !self.scope().is_everything()
    }

    fn reach(&self) -> Reach {
        Reach { direction: self.direction, toxicity: self.toxicity }
    }

    fn action(&self) -> Action {
        Action::Reset(http::Reset { after: self.after.unwrap_or_default(), bytes: self.bytes })
    }
}

impl Fault for ProxyReset {
    type Change = ProxyChange;
    const ABOUT: About = About {
        effect: "connections to the dependency are reset",
        undo: proxy_change::UNDO,
        blast_radius: proxy_change::BLAST_RADIUS,
    };
    const TARGET: TargetNeed = TargetNeed::Proxy;
    const CALLS: Calls = proxy_change::CALLS;

    fn objections(&self) -> Vec<Objection> {
        if !self.is_on_requests() {
            return self.reach().objections();
        }
        let mut objections = rule::objections(&self.scope(), self.action());
        if self.delay.is_some() {
            objections.push(proxy_change::of_connections("delay"));
        }
        objections.extend(proxy_change::both(self.reach()));
        objections
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<ProxyChange, FaultError> {
        if self.is_on_requests() {
            let prepared = rule::prepare(environment, &self.target, &self.scope(), self.action()).await;
            return prepared.map(|change| ProxyChange::Rule(Box::new(change)));
        }
        let timeout = self.delay.map_or(Duration::ZERO, |delay| delay.0);
        let toxic = Toxic::ResetPeer(ResetPeer { timeout });
        toxic::prepare(environment, &self.target, self.reach(), toxic).await.map(ProxyChange::Toxic)
    }

    fn text(&self) -> ChangeText {
        if self.is_on_requests() {
            let after = match self.after.unwrap_or_default() {
                ResetAfter::Request => "they were passed on".to_owned(),
                ResetAfter::Headers => "the head of the answer".to_owned(),
                ResetAfter::Bytes => format!("{} bytes of the answer", self.bytes.unwrap_or_default()),
            };
            let requests = self.scope().text(&self.target);
            let change = format!("reset the connection of {requests} after {after}");
            return ChangeText { change, undo: "take the rule away".to_owned() };
        }
        let after = self.delay.map(|delay| format!(" {delay} after its next data")).unwrap_or_default();
        self.reach().text(format!("reset each connection to `{}`{after}", self.target))
    }

    fn settings(&self) -> Vec<String> {
        match self.is_on_requests() {
            true => vec![self.scope().setting("reset of its connections")],
            false => self.reach().settings("reset of its connections"),
        }
    }

    fn cover(&self) -> Cover {
        toxic::COVER
    }
}
