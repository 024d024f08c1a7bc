//! Environments: a sandbox, an endpoint on this machine, or an AWS account. Owns: the binding to an account.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Window;
use crate::sandbox::{AlarmSpec, FisSpec, FunctionSpec, SandboxSpec};
use crate::unit::PersonId;

/// An environment as `gameday.yaml` has it. Which keys it has decides its kind: `functions` a sandbox, `endpoint` an
/// emulator on this machine, `account` AWS.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnvironmentSpec {
    /// What the embedded sandbox runs, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub functions: BTreeMap<String, FunctionSpec>,
    /// Where the demo shop's outside card provider listens: `127.0.0.1:18080`. Only in a sandbox; default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub card_provider: Option<SocketAddrV4>,
    /// Alarms that the sandbox's CloudWatch has from the start, by name. Only in a sandbox; default none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub alarms: BTreeMap<String, AlarmSpec>,
    /// How experiments of the sandbox's Fault Injection Service go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fis: Option<FisSpec>,
    /// A sandbox or an emulator that runs apart, on this machine: `http://127.0.0.1:4566`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The AWS account, twelve digits in quotes. The caller's account must be this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The AWS Region: `eu-west-1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// A profile of the AWS configuration; default the default chain of credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Whether customers depend on it. Needed where there is an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// Tags that every target must carry, or nothing is injected.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub require_tags: BTreeMap<String, String>,
    /// Who must agree before a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Approvals>,
    /// When runs may start; default always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

/// Whether customers depend on an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// They do not.
    Nonproduction,
    /// They do.
    Production,
}

/// Who must agree before a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// How many of them.
    pub need: u32,
    /// The roles that may agree.
    pub from: Vec<PersonId>,
}

/// The AWS account to which an environment is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountBinding {
    /// Twelve digits.
    pub account: String,
    /// The Region.
    pub region: String,
    /// A profile of the AWS configuration; none is the default chain of credentials.
    pub profile: Option<String>,
}

/// Where an environment's functions run.
#[derive(Debug, Clone, PartialEq)]
pub enum EnvironmentKind {
    /// In the embedded sandbox.
    Sandbox(SandboxSpec),
    /// Behind an endpoint on this machine, a URL such as `http://127.0.0.1:4566`.
    Endpoint(String),
    /// In AWS.
    Account(AccountBinding),
}

/// An environment that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Where its functions run.
    pub kind: EnvironmentKind,
    /// Whether customers depend on it.
    pub class: Class,
    /// Tags that every target must carry.
    pub require_tags: BTreeMap<String, String>,
    /// Who must agree before a run.
    pub approvals: Option<Approvals>,
    /// When runs may start.
    pub window: Option<Window>,
}

impl Environment {
    /// Where its functions run.
    #[must_use]
    pub fn kind(&self) -> &EnvironmentKind {
        &self.kind
    }

    /// Whether it never leaves this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self.kind {
            EnvironmentKind::Sandbox(_) | EnvironmentKind::Endpoint(_) => true,
            EnvironmentKind::Account(_) => false,
        }
    }
}

/// What is wrong with an environment: the key, the problem, and what to write.
pub(super) struct EnvironmentProblem {
    pub(super) key: &'static str,
    pub(super) message: String,
    pub(super) help: String,
    /// Whether it is that a key is missing; where one could not be read, it may be that one.
    pub(super) is_missing: bool,
}

impl EnvironmentSpec {
    /// The environment that the keys describe.
    pub(super) fn resolve(&self, name: &str) -> Result<Environment, Vec<EnvironmentProblem>> {
        let mut problems = Vec::new();
        let kind = self.resolve_kind(&mut problems);
        if let Some(approvals) = &self.approvals
            && (approvals.need == 0 || approvals.from.len() < approvals.need as usize)
        {
            problems.push(EnvironmentProblem {
                key: "approvals",
                message: format!("{} of {} roles can not agree", approvals.need, approvals.from.len()),
                help: "let `need` lie between 1 and the number of roles in `from`".to_owned(),
                is_missing: false,
            });
        }
        match kind {
            Some(kind) if problems.is_empty() => Ok(Environment {
                name: name.to_owned(),
                kind,
                class: self.class.unwrap_or(Class::Nonproduction),
                require_tags: self.require_tags.clone(),
                approvals: self.approvals.clone(),
                window: self.window.clone(),
            }),
            Some(_) | None => Err(problems),
        }
    }

    fn resolve_kind(&self, problems: &mut Vec<EnvironmentProblem>) -> Option<EnvironmentKind> {
        let sandbox = [
            ("functions", !self.functions.is_empty()),
            ("card_provider", self.card_provider.is_some()),
            ("alarms", !self.alarms.is_empty()),
            ("fis", self.fis.is_some()),
        ];
        let account = [
            ("account", self.account.is_some()),
            ("region", self.region.is_some()),
            ("profile", self.profile.is_some()),
        ];
        let first = |keys: &[(&'static str, bool)]| keys.iter().find(|(_, given)| *given).map(|(key, _)| *key);
        let endpoint = [("endpoint", self.endpoint.is_some())];
        let given: Vec<&'static str> =
            [first(&account), first(&endpoint), first(&sandbox)].into_iter().flatten().collect();
        if let [one, other, ..] = given.as_slice() {
            problems.push(EnvironmentProblem {
                key: other,
                message: format!("`{one}` and `{other}` belong to different kinds of environment"),
                help: "keep one: `functions` for a sandbox, `endpoint` for an emulator, `account` for AWS".to_owned(),
                is_missing: false,
            });
            return None;
        }
        match (&self.endpoint, first(&account)) {
            (Some(endpoint), _) => self.resolve_endpoint(endpoint, problems),
            (None, Some(key)) => self.resolve_account(key, problems),
            (None, None) => Some(EnvironmentKind::Sandbox(self.sandbox())),
        }
    }

    /// What the embedded sandbox runs.
    pub(super) fn sandbox(&self) -> SandboxSpec {
        // Elsewhere they are refused as a whole, and nothing more is to be said of each.
        let is_elsewhere = self.endpoint.is_some() || self.account.is_some();
        SandboxSpec {
            functions: self.functions.clone(),
            card_provider: self.card_provider,
            alarms: if is_elsewhere { BTreeMap::new() } else { self.alarms.clone() },
            fis: self.fis.unwrap_or_default(),
        }
    }

    fn resolve_endpoint(&self, endpoint: &str, problems: &mut Vec<EnvironmentProblem>) -> Option<EnvironmentKind> {
        let address = endpoint.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
        let (host, port) = address.and_then(|address| address.rsplit_once(':')).unwrap_or_default();
        let is_loopback = host == "localhost"
            || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        if is_loopback && port.parse::<u16>().is_ok_and(|port| port > 0) {
            return Some(EnvironmentKind::Endpoint(endpoint.trim_end_matches('/').to_owned()));
        }
        problems.push(EnvironmentProblem {
            key: "endpoint",
            message: format!("`{endpoint}` is not an endpoint on this machine"),
            help: "write `http://127.0.0.1:PORT`; for AWS itself bind an `account`".to_owned(),
            is_missing: false,
        });
        None
    }

    fn resolve_account(&self, given: &'static str, problems: &mut Vec<EnvironmentProblem>) -> Option<EnvironmentKind> {
        let mut tell = |key, message: String, help: &str, is_missing| {
            problems.push(EnvironmentProblem { key, message, help: help.to_owned(), is_missing });
        };
        if let Some(account) = &self.account
            && (account.len() != 12 || !account.chars().all(|c| c.is_ascii_digit()))
        {
            tell("account", format!("`{account}` is not an AWS account"), "write its twelve digits in quotes", false);
        }
        if let Some(region) = &self.region
            && !is_region(region)
        {
            tell("region", format!("`{region}` is not an AWS Region"), "write it as `eu-west-1`", false);
        }
        let (Some(account), Some(region)) = (&self.account, &self.region) else {
            let missing = if self.account.is_none() { "account" } else { "region" };
            tell(
                given,
                format!("`{given}` needs the key `{missing}` beside it"),
                "an account is bound with its Region",
                true,
            );
            return None;
        };
        if self.class.is_none() {
            tell("account", "it is not said whether customers depend on this account".to_owned(), CLASS_HELP, true);
        }
        let (account, region) = (account.clone(), region.clone());
        Some(EnvironmentKind::Account(AccountBinding { account, region, profile: self.profile.clone() }))
    }
}

const CLASS_HELP: &str = "add `class: nonproduction` or `class: production`";

/// Whether a text has the form of a Region's name: `eu-west-1`, `us-gov-east-1`.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    words.len() >= 2
        && words.iter().all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()))
        && !number.is_empty()
        && number.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(json: serde_json::Value) -> Result<EnvironmentKind, Vec<(&'static str, String)>> {
        let spec: EnvironmentSpec = serde_json::from_value(json).unwrap();
        let told = |problems: Vec<EnvironmentProblem>| problems.into_iter().map(|p| (p.key, p.message)).collect();
        spec.resolve("x").map(|environment| environment.kind).map_err(told)
    }

    #[test]
    fn the_keys_decide_the_kind() {
        assert!(matches!(resolve(serde_json::json!({})), Ok(EnvironmentKind::Sandbox(_))));
        let endpoint = resolve(serde_json::json!({"endpoint": "http://localhost:4566/"}));
        assert_eq!(endpoint, Ok(EnvironmentKind::Endpoint("http://localhost:4566".to_owned())));
        let account = serde_json::json!({"account": "111122223333", "region": "eu-west-1", "class": "production"});
        assert!(matches!(resolve(account), Ok(EnvironmentKind::Account(_))));
    }

    #[test]
    fn a_binding_that_is_not_exact_is_refused() {
        for (json, key) in [
            (serde_json::json!({"endpoint": "http://10.0.0.1:80"}), "endpoint"),
            (serde_json::json!({"endpoint": "https://127.0.0.1:80"}), "endpoint"),
            (serde_json::json!({"endpoint": "http://127.0.0.1.evil.com:80"}), "endpoint"),
            (serde_json::json!({"endpoint": "http://user@127.0.0.1:80"}), "endpoint"),
            (serde_json::json!({"account": "1111", "region": "eu-west-1", "class": "production"}), "account"),
            (serde_json::json!({"account": "111122223333", "class": "production"}), "account"),
            (serde_json::json!({"account": "111122223333", "region": "eu-west-1"}), "account"),
            (serde_json::json!({"region": "eu-west-1", "class": "production"}), "region"),
            (serde_json::json!({"account": "111122223333", "endpoint": "http://127.0.0.1:1"}), "endpoint"),
            (serde_json::json!({"endpoint": "http://127.0.0.1:1", "card_provider": "127.0.0.1:2"}), "card_provider"),
            (serde_json::json!({"approvals": {"need": 2, "from": ["owner"]}}), "approvals"),
        ] {
            let problems = resolve(json.clone()).expect_err(&json.to_string());
            assert_eq!(problems.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [key], "{json}");
        }
    }
}
