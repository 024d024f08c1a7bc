//! A proxy fault that works on whole connections, or on the requests that it matches: what it changes is a toxic or a rule.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::about::{Calls, Objection};
use super::change::{ChangeText, FaultEnvironment, FaultError, Reverted, Revertible};
use super::rule::RuleChange;
use super::switch::Switch;
use super::toxic::{self, Reach, ToxicChange};
use crate::proxy::Stats;

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

/// A key that is about whole connections, in a fault on single requests.
pub(super) fn of_connections(key: &str) -> Objection {
    let help = "leave it out, or `match`, `percentage`, `when` and `max_affected` (and `after` or `stage`)";
    toxic::out_of_range(key, "it is about whole connections, and the fault is on single requests", help)
}

/// What is said of connections in a fault on single requests.
pub(super) fn both(reach: Reach) -> Vec<Objection> {
    let direction = reach.direction.map(|_| of_connections("direction"));
    let toxicity = reach.toxicity.map(|_| of_connections("toxicity"));
    direction.into_iter().chain(toxicity).collect()
}

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

    fn proof(&self, stats: &Stats) -> Option<String> {
        match self {
            Self::Toxic(change) => change.proof(stats),
            Self::Rule(change) => change.proof(stats),
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
