//! A proxy fault that works on whole connections, or on the requests that it matches: what it changes is a toxic or a rule.
//!
//! Owns: the choice between the two. Must not know: what the fault does to either.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::about::{Calls, Objection};
use super::change::{ChangeText, FaultEnvironment, FaultError, Renewed, Reverted, Revertible};
use super::rule::{self, RuleChange, Scope};
use super::switch::Switch;
use super::toxic::{self, Reach, ToxicChange};
use crate::proxy::http::Action;
use crate::proxy::{PartStats, Toxic};
use crate::unit::{ProxyName, TargetId};

/// The admin calls of a fault that may be either.
pub(super) const CALLS: Calls = Calls {
    inject: &[
        "proxy:DeleteRule",
        "proxy:DeleteToxic",
        "proxy:GetProxy",
        "proxy:GetRule",
        "proxy:GetToxic",
        "proxy:PostRule",
        "proxy:PostToxic",
    ],
    undo: &["proxy:DeleteRule", "proxy:DeleteToxic", "proxy:GetRule", "proxy:GetToxic"],
};

/// How a fault that may be either is undone.
pub(super) const UNDO: &str = "the toxic or the rule is taken away; the proxy drops it by itself when the run dies";

/// What a fault that may be either touches.
pub(super) const BLAST_RADIUS: &str =
    "what goes through the proxy, old and new connections; with `match` the requests that it is about";

/// Where a fault that may be either works, as all of them say it.
pub(super) trait Aim {
    fn target(&self) -> &TargetId;

    /// What is said of single requests.
    fn scope(&self) -> Scope;

    /// What is said of whole connections.
    fn reach(&self) -> Reach;
}

/// A fault on whole connections, which is one on single requests where something is said of those.
pub(super) trait Either: Aim {
    /// Whether a key of its own is about single requests.
    fn says_of_requests(&self) -> bool {
        false
    }

    /// The keys of its own that are given and are about whole connections.
    fn said_of_connections(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// What is wrong with its own values, whatever it works on.
    fn own_objections(&self) -> Vec<Objection> {
        Vec::new()
    }

    /// What it does to whole connections.
    fn toxic(&self) -> Toxic;

    /// What it does to single requests.
    fn action(&self) -> Action;

    /// What it does to whole connections, in words.
    fn toxic_words(&self) -> ChangeText;

    /// What it does to `requests`, in words.
    fn rule_words(&self, requests: &str) -> String;
}

pub(super) fn is_on_requests(fault: &impl Either) -> bool {
    fault.says_of_requests() || !fault.scope().is_everything()
}

/// All that is wrong with a fault that may be either, each key once.
pub(super) fn objections(fault: &impl Either) -> Vec<Objection> {
    let reach = fault.reach();
    let mut objections = reach.objections();
    objections.extend(fault.own_objections());
    if !is_on_requests(fault) {
        return objections;
    }
    let shared = [("direction", reach.direction.is_some()), ("toxicity", reach.toxicity.is_some())];
    let shared = shared.into_iter().filter(|(_, is_given)| *is_given).map(|(key, _)| key);
    objections.extend(fault.said_of_connections().into_iter().chain(shared).map(of_connections));
    for objection in rule::objections(&fault.scope(), fault.action()) {
        if objections.iter().all(|told| told.path != objection.path) {
            objections.push(objection);
        }
    }
    objections
}

/// A key that is about whole connections, in a fault on single requests.
fn of_connections(key: &str) -> Objection {
    let help = "leave it out, or all that says of requests: `match`, `percentage`, `when`, `max_affected`, and keys of the fault's own";
    toxic::out_of_range(key, "it is about whole connections, and the fault is on single requests", help)
}

/// Reads whether the proxy is free for the toxic or the rule.
pub(super) async fn prepare(fault: &impl Either, environment: &FaultEnvironment) -> Result<ProxyChange, FaultError> {
    let target = fault.target();
    if is_on_requests(fault) {
        let change = rule::prepare(environment, target, &fault.scope(), fault.action()).await?;
        return Ok(ProxyChange::Rule(Box::new(change)));
    }
    toxic::prepare(environment, target, fault.reach(), fault.toxic()).await.map(ProxyChange::Toxic)
}

/// The change in words.
pub(super) fn text(fault: &impl Either) -> ChangeText {
    if is_on_requests(fault) {
        let change = fault.rule_words(&fault.scope().text(fault.target()));
        return ChangeText { change, undo: "take the rule away".to_owned() };
    }
    fault.toxic_words()
}

/// The settings of the proxy that it changes, of which `what` is the one.
pub(super) fn settings(fault: &impl Either, what: &str) -> Vec<String> {
    if is_on_requests(fault) { vec![fault.scope().setting(what)] } else { fault.reach().settings(what) }
}

/// Declares a fault that may be either: its own parameters, and those that all of them have.
macro_rules! either_fault {
    ($(#[$meta:meta])* pub struct $name:ident { $($fields:tt)* }) => {
        super::rule::rule_fault! {
            $(#[$meta])*
            pub struct $name {
                $($fields)*
                /// On whole connections, which way it works: `downstream`, from the dependency, is the default; `upstream` is
                /// towards it.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub direction: Option<crate::proxy::Direction>,
                /// On whole connections, the share of them that it works on; default all.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub toxicity: Option<crate::unit::Percent>,
            }
        }

        impl super::proxy_change::Aim for $name {
            fn target(&self) -> &crate::unit::TargetId {
                &self.target
            }

            fn scope(&self) -> super::rule::Scope {
                self.scope()
            }

            fn reach(&self) -> super::toxic::Reach {
                super::toxic::Reach { direction: self.direction, toxicity: self.toxicity }
            }
        }
    };
}

/// What a fault that may be either does as all of them do, given its effect and its setting.
macro_rules! as_either {
    ($effect:literal, $setting:literal) => {
        type Change = super::proxy_change::ProxyChange;
        const ABOUT: super::about::About = super::about::About {
            effect: $effect,
            undo: super::proxy_change::UNDO,
            blast_radius: super::proxy_change::BLAST_RADIUS,
        };
        const TARGET: super::target::TargetNeed = super::target::TargetNeed::Proxy;
        const IS_COUNTED: bool = true;
        const CALLS: super::about::Calls = super::proxy_change::CALLS;

        fn objections(&self) -> Vec<super::about::Objection> {
            super::proxy_change::objections(self)
        }

        async fn prepare(
            &self,
            environment: &super::change::FaultEnvironment,
        ) -> Result<Self::Change, super::change::FaultError> {
            super::proxy_change::prepare(self, environment).await
        }

        fn text(&self) -> super::change::ChangeText {
            super::proxy_change::text(self)
        }

        fn is_on_requests(&self) -> bool {
            super::proxy_change::is_on_requests(self)
        }

        fn settings(&self) -> Vec<String> {
            super::proxy_change::settings(self, $setting)
        }

        fn cover(&self) -> super::switch::Cover {
            super::toxic::COVER
        }
    };
}

pub(super) use {as_either, either_fault};

/// A toxic or a rule that is put on a proxy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyChange {
    /// On whole connections.
    Toxic(ToxicChange),
    /// On single requests.
    Rule(Box<RuleChange>),
}

impl Revertible for ProxyChange {
    async fn try_inject(&self, environment: &FaultEnvironment) -> Result<(), FaultError> {
        match self {
            Self::Toxic(change) => change.try_inject(environment).await,
            Self::Rule(change) => change.try_inject(environment).await,
        }
    }

    async fn try_revert(&self, environment: &FaultEnvironment, restoring: &mut bool) -> Result<Reverted, FaultError> {
        match self {
            Self::Toxic(change) => change.try_revert(environment, restoring).await,
            Self::Rule(change) => change.try_revert(environment, restoring).await,
        }
    }

    async fn try_renew(&self, environment: &FaultEnvironment) -> Result<Renewed, FaultError> {
        match self {
            Self::Toxic(change) => change.try_renew(environment).await,
            Self::Rule(change) => change.try_renew(environment).await,
        }
    }

    fn expires(&self) -> bool {
        match self {
            Self::Toxic(change) => change.expires(),
            Self::Rule(change) => change.expires(),
        }
    }

    fn has_put(&self, proxy: &ProxyName, part: &PartStats<'_>) -> bool {
        match self {
            Self::Toxic(change) => change.has_put(proxy, part),
            Self::Rule(change) => change.has_put(proxy, part),
        }
    }

    fn text(&self) -> ChangeText {
        match self {
            Self::Toxic(change) => change.text(),
            Self::Rule(change) => change.text(),
        }
    }

    fn by_hand(&self, undo: &Path) -> Vec<String> {
        match self {
            Self::Toxic(change) => change.by_hand(undo),
            Self::Rule(change) => change.by_hand(undo),
        }
    }

    fn switch(&self) -> Switch {
        match self {
            Self::Toxic(change) => change.switch(),
            Self::Rule(change) => change.switch(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::fault::{FaultKind, FaultSpec};

    fn fault(kind: &str, mut parameters: serde_json::Value) -> FaultKind {
        parameters.as_object_mut().unwrap().insert("target".to_owned(), json!("p"));
        serde_json::from_value::<FaultSpec>(json!({kind: parameters})).unwrap().kind().unwrap()
    }

    #[test]
    fn a_fault_is_on_requests_as_soon_as_something_is_said_of_them() {
        for (kind, parameters, is_on_requests) in [
            ("proxy_latency", json!({"latency": "1s"}), false),
            ("proxy_latency", json!({"latency": "1s", "when": {"first": 1}}), true),
            ("proxy_reset", json!({"delay": "1s", "toxicity": "5%"}), false),
            ("proxy_reset", json!({"after": "headers"}), true),
            ("proxy_timeout", json!({"direction": "upstream"}), false),
            ("proxy_timeout", json!({"stage": "request"}), true),
            ("proxy_timeout", json!({"match": {"path": "/a"}}), true),
        ] {
            let fault = fault(kind, parameters);
            assert_eq!(fault.text().undo == "take the rule away", is_on_requests, "{fault:?}");
            assert_eq!(fault.objections(), [], "{fault:?}");
        }
    }

    #[test]
    fn what_is_said_of_connections_is_refused_on_requests_and_each_key_is_told_once() {
        for (kind, parameters, keys) in [
            ("proxy_latency", json!({"latency": "1s", "distribution": "normal", "jitter": "1s"}), vec!["distribution"]),
            ("proxy_latency", json!({"latency": "1s", "jitter": "2s"}), vec!["jitter"]),
            ("proxy_reset", json!({"delay": "1s", "direction": "upstream"}), vec!["delay", "direction"]),
            ("proxy_timeout", json!({"toxicity": "10%"}), vec!["toxicity"]),
        ] {
            let mut parameters = parameters;
            parameters.as_object_mut().unwrap().insert("max_affected".to_owned(), json!(1));
            let told = fault(kind, parameters).objections();
            let told: Vec<String> = told.iter().map(|objection| format!("{:?}", objection.path)).collect();
            let keys: Vec<String> = keys.into_iter().map(|key| format!("[Key({key:?})]")).collect();
            assert_eq!(told, keys, "{kind}");
        }
    }
}
