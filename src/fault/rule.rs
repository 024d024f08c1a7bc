//! A rule on a fault proxy as a change: what the proxy faults on single requests share.

use serde::{Deserialize, Serialize};

use super::about::{Calls, Objection};
use super::change::{FaultEnvironment, FaultError};
use super::proxy_part::{self, ProxyPart};
use super::proxy_site::{self, Driver, REMOTE_TTL, RemoteSite, Site};
use crate::proxy::http::{Action, Match, RuleSpec, When};
use crate::proxy::{AdminError, PartKind, Protocol};
use crate::unit::{Percent, ProxyName, RuleName, TargetId, elapsed_ms};

/// The admin calls of every fault on single requests.
pub(super) const CALLS: Calls = Calls {
    inject: &["proxy:DeleteRule", "proxy:GetProxy", "proxy:GetRule", "proxy:PostRule"],
    undo: &["proxy:DeleteRule", "proxy:GetRule"],
};

/// How every fault on single requests is undone.
pub(super) const UNDO: &str = "the rule is taken away; the proxy drops it by itself when the run dies";

/// What every fault on single requests touches.
pub(super) const BLAST_RADIUS: &str = "the requests through the proxy that it matches, on old and new connections";

/// Which requests a fault is about, and how many of them it hits.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Scope {
    pub(super) matches: Match,
    pub(super) percentage: Option<Percent>,
    pub(super) when: Option<When>,
    pub(super) max_affected: Option<u64>,
}

impl Scope {
    /// Whether nothing is said of single requests.
    pub(super) fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    fn rule(&self, name: RuleName, action: Action, ttl_ms: Option<u64>) -> RuleSpec {
        RuleSpec {
            name,
            matches: self.matches.clone(),
            percentage: self.percentage,
            when: self.when,
            max_affected: self.max_affected,
            action,
            ttl_ms,
        }
    }

    /// The requests in words: `30% of the matching requests to `orders``.
    pub(super) fn text(&self, target: &TargetId) -> String {
        let share = self.percentage.map(|share| format!("{share} of ")).unwrap_or_default();
        let matching = if self.matches.is_empty() { "requests" } else { "matching requests" };
        let most = self.max_affected.map(|most| format!(", at most {most},")).unwrap_or_default();
        format!("{share}the {matching}{most} to `{target}`")
    }

    /// The setting of the proxy that a fault of this scope changes: two kinds of fault, or two scopes, may meet.
    pub(super) fn setting(&self, what: &str) -> String {
        let matches = serde_json::to_string(&self.matches).expect("invariant: texts are JSON");
        if self.matches.is_empty() { what.to_owned() } else { format!("{what} for {matches}") }
    }
}

/// All that is wrong with a fault, by its keys.
pub(super) fn objections(scope: &Scope, action: Action) -> Vec<Objection> {
    let name = "checked".parse().expect("invariant: a word is a name");
    let problems = scope.rule(name, action, None).problems();
    let objection = |problem: crate::proxy::http::Problem| Objection {
        help: None,
        ..Objection::value(problem.key, "out-of-range", problem.message, "")
    };
    problems.into_iter().map(objection).collect()
}

/// Reads whether the proxy is free for a rule of ours.
pub(super) async fn prepare(
    environment: &FaultEnvironment,
    target: &TargetId,
    scope: &Scope,
    action: Action,
) -> Result<RuleChange, FaultError> {
    let site = Site::look(environment, target).await?;
    site.refuse_toxiproxy(
        "knows no faults on single requests: run `gameday proxy` there, or leave out what says of requests",
    )?;
    let name = proxy_site::own_name(environment).parse().expect("invariant: it is made of what names are made of");
    let rule = scope.rule(name, action, site.ttl().map(elapsed_ms));
    if site.spec().await?.protocol == Protocol::Tcp {
        let why = "its protocol is `tcp`, so that it knows no requests".to_owned();
        return Err(FaultError::unfit(&site.proxy, why));
    }
    let Site { proxy, remote, driver } = site;
    let change = RuleChange { proxy, remote, rule };
    proxy_part::check_free(&change, &driver).await?;
    Ok(change)
}

/// A rule that is put on a proxy; before the fault there was none of its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleChange {
    proxy: ProxyName,
    /// Where it is driven; none is the run's own process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote: Option<Box<RemoteSite>>,
    rule: RuleSpec,
}

impl ProxyPart for RuleChange {
    type Spec = RuleSpec;
    const WHAT: &str = "rule";
    const KIND: PartKind = PartKind::Rule;

    fn proxy(&self) -> &ProxyName {
        &self.proxy
    }

    fn remote(&self) -> Option<&RemoteSite> {
        self.remote.as_deref()
    }

    fn name(&self) -> &str {
        self.rule.name.as_str()
    }

    fn spec(&self) -> &RuleSpec {
        &self.rule
    }

    fn effect(&self) -> Option<String> {
        // The action's values may be long, or a secret of somebody's answer.
        Some(self.rule.action.name().to_owned())
    }

    fn route(&self) -> String {
        format!("/rules/{}", self.rule.name)
    }

    fn is_put_off(&self) -> bool {
        self.rule.ttl_ms.is_some()
    }

    async fn find(&self, driver: &Driver) -> Result<Option<RuleSpec>, AdminError> {
        Ok(driver.client.get_rule(&driver.proxy, &self.rule.name).await?.map(|(rule, _)| rule))
    }

    async fn add(&self, driver: &Driver) -> Result<(), AdminError> {
        driver.client.add_rule(&driver.proxy, &self.rule).await
    }

    async fn put_off(&self, driver: &Driver) -> Result<bool, AdminError> {
        driver.client.put_rule_off(&driver.proxy, &self.rule.name, REMOTE_TTL).await
    }

    async fn remove(&self, driver: &Driver) -> Result<(), AdminError> {
        driver.client.remove_rule(&driver.proxy, &self.rule.name).await.map(drop)
    }
}

/// Declares a fault on single requests: its own parameters, and those that all of them have.
macro_rules! rule_fault {
    ($(#[$meta:meta])* pub struct $name:ident { $($fields:tt)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The dependency, a `proxy` target; what is about single requests needs one whose protocol is `http`.
            #[schemars(example = &"card-provider")]
            pub target: crate::unit::TargetId,
            $($fields)*
            /// Which requests it is about; default all.
            #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
            pub matches: Option<crate::proxy::http::Match>,
            /// The share of the matching requests that is hit, above 0% and at most 100%; default all.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub percentage: Option<crate::unit::Percent>,
            /// Which of the matching requests may be hit, in their order; default all.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub when: Option<crate::proxy::http::When>,
            /// How many requests are hit at most; default no limit.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub max_affected: Option<u64>,
        }

        impl $name {
            fn scope(&self) -> super::rule::Scope {
                super::rule::Scope {
                    matches: self.matches.clone().unwrap_or_default(),
                    percentage: self.percentage,
                    when: self.when,
                    max_affected: self.max_affected,
                }
            }
        }
    };
}

/// What a fault on single requests does as all of them do, given its action, its words and its setting.
macro_rules! as_rule {
    ($effect:literal, $setting:literal) => {
        type Change = super::rule::RuleChange;
        const ABOUT: super::about::About =
            super::about::About { effect: $effect, undo: super::rule::UNDO, blast_radius: super::rule::BLAST_RADIUS };
        const TARGET: super::target::TargetNeed = super::target::TargetNeed::Proxy;
        const IS_COUNTED: bool = true;
        const CALLS: super::about::Calls = super::rule::CALLS;

        fn objections(&self) -> Vec<super::about::Objection> {
            super::rule::objections(&self.scope(), self.action())
        }

        async fn prepare(
            &self,
            environment: &super::change::FaultEnvironment,
        ) -> Result<Self::Change, super::change::FaultError> {
            super::rule::prepare(environment, &self.target, &self.scope(), self.action()).await
        }

        fn text(&self) -> super::change::ChangeText {
            super::change::ChangeText {
                change: self.words(&self.scope().text(&self.target)),
                undo: "take the rule away".to_owned(),
            }
        }

        fn is_on_requests(&self) -> bool {
            true
        }

        fn settings(&self) -> Vec<String> {
            vec![self.scope().setting($setting)]
        }

        fn cover(&self) -> super::switch::Cover {
            super::toxic::COVER
        }
    };
}

pub(super) use {as_rule, rule_fault};
