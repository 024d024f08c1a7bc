//! Environments: a sandbox, an endpoint on this machine, or an AWS account. Owns: the binding to an account.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::role::{self, AssumedRole};
use super::safety::{self, Deadman, DeadmanSwitch};
use super::{HostPattern, ProgramPattern, Waiver, Window, is_public};
use crate::proxy::AdminUrl;
use crate::sandbox::{AlarmSpec, FisSpec, FunctionSpec, SandboxSpec};
use crate::unit::{PersonId, Rate};

/// An environment as `gameday.yaml` has it. Which keys it has decides its kind: `functions` a sandbox, `endpoint` an
/// emulator on this machine (with `account`, one whose caller must be in that account), `account` alone AWS.
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
    /// A profile of the AWS configuration; default the default chain of credentials. Beside an `endpoint`, whose credentials
    /// are made up otherwise, it is for an emulator that checks who calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// A role of the account that is assumed for everything: `arn:aws:iam::111122223333:role/gameday`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// What the role's owner asks to be told when it is assumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
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
    /// The programs that `exec` faults may run, as scenarios write them: `./chaos/*`, where `*` stands for a part of a path.
    /// A lone `"*"` permits any. Default none: a scenario alone must not decide what runs on this machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<ProgramPattern>,
    /// The admin APIs of fault proxies that runs may drive, besides those on this machine: `http://10.0.1.7:8474`. Default none:
    /// a scenario alone must not decide who is sent a token.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proxies: Vec<AdminUrl>,
    /// The hosts on the public internet that loads may go to: `shop.example.com`, or `*.staging.example.com`. Default none: a
    /// scenario alone must not decide who is put under load. This machine, private networks and
    /// the function URLs that AWS tells of targets are permitted in any case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<HostPattern>,
    /// How many control calls a run sends at most, from 1/s to 1000/s; what undoes goes past it. Default 5/s in an account,
    /// and as many as there are on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// The ARN of a role that EventBridge Scheduler takes on to undo faults when nobody of ours is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler_role: Option<String>,
    /// The group of schedules in which that is kept, which must exist; default `default`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler_group: Option<String>,
    /// Whether faults must be undone in AWS itself when nobody of ours is left; default `auto`: where they can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadman: Option<Deadman>,
    /// A Systems Manager parameter by which machines keep out of each other's runs: `/gameday/staging`; default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// Checks of `gameday readiness` that the environment does without; default none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<Waiver>,
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

impl Approvals {
    /// How many different roles may agree.
    fn roles(&self) -> usize {
        self.from.iter().collect::<BTreeSet<_>>().len()
    }
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
    /// A role of the account that is assumed.
    pub role: Option<AssumedRole>,
}

/// An emulator on this machine, or a sandbox that runs apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointBinding {
    /// A URL such as `http://127.0.0.1:4566`.
    pub url: String,
    /// The account in which the caller must be; none is not asked for.
    pub account: Option<String>,
    /// A profile of the AWS configuration, for an emulator that checks who calls; none is made-up credentials.
    pub profile: Option<String>,
    /// A role of that account that is assumed.
    pub role: Option<AssumedRole>,
}

/// Where an environment's functions run.
#[derive(Debug, Clone, PartialEq)]
pub enum EnvironmentKind {
    /// In the embedded sandbox.
    Sandbox(SandboxSpec),
    /// Behind an endpoint on this machine.
    Endpoint(EndpointBinding),
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
    /// The programs that `exec` faults may run.
    pub exec: Vec<ProgramPattern>,
    /// The admin APIs of fault proxies that runs may drive, besides those on this machine.
    pub proxies: Vec<AdminUrl>,
    /// The hosts on the public internet that loads may go to.
    pub hosts: Vec<HostPattern>,
    /// How many control calls a run sends at most; none is no limit.
    pub rate: Option<Rate>,
    /// How faults are undone in AWS itself when nobody of ours is left; none where they are not.
    pub deadman: Option<DeadmanSwitch>,
    /// The Systems Manager parameter by which machines keep out of each other's runs.
    pub lock: Option<String>,
    /// Checks of readiness that it does without.
    pub waivers: Vec<Waiver>,
}

/// The name of the environment in which a table stands.
pub const TABLE: &str = "table";

impl Environment {
    /// Where people walk through a scenario at a table: nothing is there, and nothing can be changed.
    #[must_use]
    pub fn table() -> Self {
        Self {
            name: TABLE.to_owned(),
            kind: EnvironmentKind::Sandbox(SandboxSpec::default()),
            class: Class::Nonproduction,
            require_tags: BTreeMap::new(),
            approvals: None,
            window: None,
            exec: Vec::new(),
            proxies: Vec::new(),
            hosts: Vec::new(),
            rate: None,
            deadman: None,
            lock: None,
            waivers: Vec::new(),
        }
    }

    /// Whether `exec` faults may run a program, by the name that a scenario gives it.
    #[must_use]
    pub fn permits_program(&self, program: &str) -> bool {
        self.exec.iter().any(|pattern| pattern.matches(program))
    }

    /// Whether runs may drive the fault proxies behind an admin API. Those on this machine are their user's own.
    #[must_use]
    pub fn permits_proxy(&self, admin: &AdminUrl) -> bool {
        admin.is_loopback() || self.proxies.contains(admin)
    }

    /// Whether loads may go to a host. What is not public is its user's own.
    #[must_use]
    pub fn permits_host(&self, host: &str) -> bool {
        !is_public(host) || self.hosts.iter().any(|pattern| pattern.matches(host))
    }

    /// Where its functions run.
    #[must_use]
    pub fn kind(&self) -> &EnvironmentKind {
        &self.kind
    }

    /// The role that is assumed.
    #[must_use]
    pub fn role(&self) -> Option<&AssumedRole> {
        match &self.kind {
            EnvironmentKind::Sandbox(_) => None,
            EnvironmentKind::Endpoint(binding) => binding.role.as_ref(),
            EnvironmentKind::Account(binding) => binding.role.as_ref(),
        }
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
        let (deadman, lock) = safety::resolve(self, kind.as_ref(), &mut problems);
        if let Some(approvals) = &self.approvals
            && (approvals.need == 0 || approvals.roles() < approvals.need as usize)
        {
            problems.push(EnvironmentProblem {
                key: "approvals",
                message: format!("{} of {} roles can not agree", approvals.need, approvals.roles()),
                help: "let `need` lie between 1 and the number of roles in `from`".to_owned(),
                is_missing: false,
            });
        }
        let is_account = matches!(kind, Some(EnvironmentKind::Account(_)));
        problems.extend(self.rate_problem(&kind));
        match kind {
            Some(kind) if problems.is_empty() => Ok(Environment {
                name: name.to_owned(),
                kind,
                class: self.class.unwrap_or(Class::Nonproduction),
                require_tags: self.require_tags.clone(),
                approvals: self.approvals.clone(),
                window: self.window.clone(),
                exec: self.exec.clone(),
                proxies: self.proxies.clone(),
                hosts: self.hosts.clone(),
                rate: self.rate.or_else(|| is_account.then(rate_default)),
                deadman,
                lock,
                waivers: self.waivers.clone(),
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
        // An emulator may be bound to an account and check who calls, and has no Region of its own.
        let aws = [("region", self.region.is_some()), ("profile", self.profile.is_some() && self.endpoint.is_none())];
        let account = [
            ("account", self.account.is_some()),
            ("role_arn", self.role_arn.is_some()),
            ("external_id", self.external_id.is_some()),
        ];
        let first = |keys: &[(&'static str, bool)]| keys.iter().find(|(_, given)| *given).map(|(key, _)| *key);
        let endpoint = [("endpoint", self.endpoint.is_some())];
        let account = if self.endpoint.is_some() { first(&aws) } else { first(&account).or(first(&aws)) };
        let given: Vec<&'static str> = [account, first(&endpoint), first(&sandbox)].into_iter().flatten().collect();
        if let [one, other, ..] = given.as_slice() {
            problems.push(EnvironmentProblem {
                key: other,
                message: format!("`{one}` and `{other}` belong to different kinds of environment"),
                help: "keep one: `functions` for a sandbox, `endpoint` for an emulator (with `account`, if it is bound to one), `account` and `region` for AWS"
                    .to_owned(),
                is_missing: false,
            });
            return None;
        }
        match (&self.endpoint, account) {
            (Some(endpoint), _) => self.resolve_endpoint(endpoint, problems),
            (None, Some(key)) => self.resolve_account(key, problems),
            (None, None) => Some(EnvironmentKind::Sandbox(self.sandbox())),
        }
    }

    fn rate_problem(&self, kind: &Option<EnvironmentKind>) -> Option<EnvironmentProblem> {
        let rate = self.rate?;
        let tell = |message, help: &str| {
            Some(EnvironmentProblem { key: "rate", message, help: help.to_owned(), is_missing: false })
        };
        if matches!(kind, Some(EnvironmentKind::Sandbox(_))) {
            return tell("a sandbox has no `rate`".to_owned(), "leave it out: nobody else calls an embedded sandbox");
        }
        let is_right = RATE_PER_SECOND.contains(&rate.per_second());
        if is_right { None } else { tell("that is not a rate of control calls".to_owned(), "write `1/s` to `1000/s`") }
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
            let url = endpoint.trim_end_matches('/').to_owned();
            problems.extend(self.account.as_deref().and_then(account_problem));
            let role = self.resolve_role(problems);
            let (account, profile) = (self.account.clone(), self.profile.clone());
            return Some(EnvironmentKind::Endpoint(EndpointBinding { url, account, profile, role }));
        }
        problems.push(EnvironmentProblem {
            key: "endpoint",
            message: format!("`{endpoint}` is not an endpoint on this machine"),
            help: "write `http://127.0.0.1:PORT`; for AWS itself bind an `account`".to_owned(),
            is_missing: false,
        });
        None
    }

    /// The role that is assumed; it belongs to the account, which is told by its ARN.
    fn resolve_role(&self, problems: &mut Vec<EnvironmentProblem>) -> Option<AssumedRole> {
        match role::resolve(self.account.as_deref(), self.role_arn.as_deref(), self.external_id.as_deref()) {
            Ok(role) => role,
            Err(found) => {
                problems.extend(found);
                None
            }
        }
    }

    fn resolve_account(&self, given: &'static str, problems: &mut Vec<EnvironmentProblem>) -> Option<EnvironmentKind> {
        problems.extend(self.account.as_deref().and_then(account_problem));
        // What is missing is told once.
        let role = self.account.as_ref().and_then(|_| self.resolve_role(problems));
        let mut tell = |key, message: String, help: &str, is_missing| {
            problems.push(EnvironmentProblem { key, message, help: help.to_owned(), is_missing });
        };
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
        Some(EnvironmentKind::Account(AccountBinding { account, region, profile: self.profile.clone(), role }))
    }
}

fn account_problem(account: &str) -> Option<EnvironmentProblem> {
    let is_account = account.len() == 12 && account.chars().all(|c| c.is_ascii_digit());
    (!is_account).then(|| EnvironmentProblem {
        key: "account",
        message: format!("`{account}` is not an AWS account"),
        help: "write its twelve digits in quotes".to_owned(),
        is_missing: false,
    })
}

/// How many control calls a second may be asked for. With fewer than one, an attempt could end before its turn comes.
const RATE_PER_SECOND: std::ops::RangeInclusive<f64> = 1.0..=1_000.0;

/// How many control calls a run sends to an account at most.
fn rate_default() -> Rate {
    "5/s".parse().expect("invariant: a number and a unit")
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
        let url = "http://localhost:4566".to_owned();
        let bare = EndpointBinding { url, account: None, profile: None, role: None };
        assert_eq!(endpoint, Ok(EnvironmentKind::Endpoint(bare)));
        let role_arn = "arn:aws:iam::111122223333:role/gameday";
        let bound = resolve(serde_json::json!({
            "endpoint": "http://127.0.0.1:1", "account": "111122223333", "profile": "it", "role_arn": role_arn,
            "external_id": "x-1",
        }));
        let Ok(EnvironmentKind::Endpoint(bound)) = bound else { panic!("{bound:?}") };
        assert_eq!((bound.account.as_deref(), bound.profile.as_deref()), (Some("111122223333"), Some("it")));
        assert_eq!(bound.role.map(|role| role.arn).as_deref(), Some(role_arn));
        let account = serde_json::json!({"account": "111122223333", "region": "eu-west-1", "class": "production"});
        assert!(matches!(resolve(account), Ok(EnvironmentKind::Account(_))));
    }

    #[test]
    fn calls_to_an_account_have_a_rate_and_those_on_this_machine_only_where_it_is_asked_for() {
        let rate = |json: serde_json::Value| {
            let spec: EnvironmentSpec = serde_json::from_value(json).unwrap();
            spec.resolve("x").map(|found| found.rate.map(|rate| rate.to_string())).map_err(|_| "a problem")
        };
        let account = |rate: Option<&str>| serde_json::json!({"account": "111122223333", "region": "eu-west-1", "class": "production", "rate": rate});
        assert_eq!(rate(account(None)), Ok(Some("5/s".to_owned())));
        assert_eq!(rate(account(Some("20/s"))), Ok(Some("20/s".to_owned())));
        assert_eq!(rate(serde_json::json!({"endpoint": "http://127.0.0.1:1"})), Ok(None));
        assert_eq!(
            rate(serde_json::json!({"endpoint": "http://127.0.0.1:1", "rate": "2/s"})),
            Ok(Some("2/s".to_owned()))
        );
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
            (serde_json::json!({"region": "eu-west-1", "endpoint": "http://127.0.0.1:1"}), "endpoint"),
            (serde_json::json!({"account": "1111", "endpoint": "http://127.0.0.1:1"}), "account"),
            (serde_json::json!({"role_arn": "arn:aws:iam::111122223333:role/g"}), "role_arn"),
            (
                serde_json::json!({
                    "account": "111122223333", "region": "eu-west-1", "class": "production",
                    "role_arn": "arn:aws:iam::999999999999:role/gameday",
                }),
                "role_arn",
            ),
            (
                serde_json::json!({
                    "account": "111122223333", "region": "eu-west-1", "class": "production", "external_id": "x-1",
                }),
                "external_id",
            ),
            (serde_json::json!({"endpoint": "http://127.0.0.1:1", "card_provider": "127.0.0.1:2"}), "card_provider"),
            (serde_json::json!({"rate": "5/s"}), "rate"),
            (serde_json::json!({"endpoint": "http://127.0.0.1:1", "rate": "30/m"}), "rate"),
            (serde_json::json!({"approvals": {"need": 2, "from": ["owner"]}}), "approvals"),
        ] {
            let problems = resolve(json.clone()).expect_err(&json.to_string());
            assert_eq!(problems.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [key], "{json}");
        }
    }
}
