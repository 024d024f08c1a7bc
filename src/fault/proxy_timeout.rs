use std::time::Duration;

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::proxy_change::{self, ProxyChange};
use super::rule::{self, rule_fault};
use super::switch::Cover;
use super::target::TargetNeed;
use super::toxic::{self, Reach};
use crate::proxy::http::{self, Action, Stage};
use crate::proxy::{Direction, Timeout, Toxic};
use crate::unit::{DurationText, Percent};

rule_fault! {
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
        /// On whole connections, which way it works: `downstream`, from the dependency, is the default; `upstream` is towards it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub direction: Option<Direction>,
        /// On whole connections, the share of them that it works on; default all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub toxicity: Option<Percent>,
    }
}

impl ProxyTimeout {
    fn is_on_requests(&self) -> bool {
        self.stage.is_some() || !self.scope().is_everything()
    }

    fn reach(&self) -> Reach {
        Reach { direction: self.direction, toxicity: self.toxicity }
    }

    fn action(&self) -> Action {
        Action::Timeout(http::Timeout { stage: self.stage.unwrap_or_default(), timeout: self.timeout })
    }
}

impl Fault for ProxyTimeout {
    type Change = ProxyChange;
    const ABOUT: About = About {
        effect: "connections to the dependency stay open, and nothing comes back",
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
        objections.extend(proxy_change::both(self.reach()));
        objections
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<ProxyChange, FaultError> {
        if self.is_on_requests() {
            let prepared = rule::prepare(environment, &self.target, &self.scope(), self.action()).await;
            return prepared.map(|change| ProxyChange::Rule(Box::new(change)));
        }
        let toxic = Toxic::Timeout(Timeout { timeout: self.timeout.map_or(Duration::ZERO, |timeout| timeout.0) });
        toxic::prepare(environment, &self.target, self.reach(), toxic).await.map(ProxyChange::Toxic)
    }

    fn text(&self) -> ChangeText {
        if self.is_on_requests() {
            let change = format!("leave {} without an answer", self.scope().text(&self.target));
            return ChangeText { change, undo: "take the rule away".to_owned() };
        }
        let close = self.timeout.map(|timeout| format!(", and close them after {timeout}")).unwrap_or_default();
        self.reach().text(format!("swallow all data of connections to `{}`{close}", self.target))
    }

    fn settings(&self) -> Vec<String> {
        match self.is_on_requests() {
            true => vec![self.scope().setting("whether it answers")],
            false => self.reach().settings("whether it answers"),
        }
    }

    fn cover(&self) -> Cover {
        toxic::COVER
    }
}
