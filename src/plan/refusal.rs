//! What a scenario asks for and can not have in an environment: refused before anything is changed.

use std::collections::BTreeSet;

use crate::load::host_of;
use crate::proxy::RemoteProxy;
use crate::scenario::expect::Expectation;
use crate::scenario::{Checked, Mode, ProxyKind, Scenario};
use crate::unit::TargetId;
use crate::workspace::Environment;

/// Why a scenario is not run: what it asks for, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error, serde::Serialize)]
#[error("{what}; {remedy}")]
pub struct Refusal {
    /// What it asks for.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Refusal {
    pub(super) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

/// Everything that keeps a scenario from being run in an environment, each once.
pub(super) fn refusals(checked: &Checked, environment: &Environment) -> Vec<Refusal> {
    let mut found = BTreeSet::new();
    let scenario = &checked.scenario;
    if scenario.mode == Mode::Tabletop {
        // Nothing is read, sent or changed at a table.
        return Vec::new();
    }
    refuse_environment(checked, environment, &mut found);
    found.into_iter().collect()
}

pub(super) fn all_expectations(checked: &Checked) -> impl Iterator<Item = &Expectation> {
    let all = &checked.expectations;
    all.hypotheses
        .values()
        .chain(all.guardrails.values())
        .chain(all.effects.values())
        .chain(all.until.values())
        .chain(all.unless.values())
}

fn refuse_environment(checked: &Checked, environment: &Environment, found: &mut BTreeSet<Refusal>) {
    let name = &environment.name;
    let rules = checked.scenario.environments.clone().unwrap_or_default();
    if !rules.allow.is_empty() && !rules.allow.contains(name) {
        found.insert(Refusal::new(
            format!("the scenario does not allow environment `{name}`"),
            format!("choose one of {}, or add it to `environments.allow`", rules.allow.join(", ")),
        ));
    }
    let role = environment.role();
    for (fault, spec) in &checked.scenario.faults {
        let Ok(kind) = spec.kind() else { continue };
        if let (Some(role), Some((_, program))) = (role, kind.programs().first()) {
            found.insert(Refusal::new(
                format!(
                    "fault `{fault}` runs `{program}`, which would not be `{}`, the role of environment `{name}`",
                    role.arn
                ),
                "let a `profile` assume the role instead of `role_arn`: programs are given the profile",
            ));
        }
        for (_, program) in kind.programs() {
            if !environment.permits_program(program) {
                found.insert(Refusal::new(
                    format!("fault `{fault}` runs `{program}`, which environment `{name}` does not permit"),
                    format!("if you trust it, add `\"{program}\"` to the list `exec` of `{name}` in `gameday.yaml`"),
                ));
            }
        }
    }
    for (load, host) in public_hosts(&checked.scenario) {
        if !environment.permits_host(&host) {
            found.insert(Refusal::new(
                format!("load `{load}` goes to `{host}`, which environment `{name}` does not permit"),
                format!("if it is yours, add `{host}` to the list `hosts` of `{name}` in `gameday.yaml`"),
            ));
        }
    }
    for (target, remote) in remote_proxies(&checked.scenario) {
        if !environment.permits_proxy(&remote.admin) {
            let admin = &remote.admin;
            found.insert(Refusal::new(
                format!("target `{target}` is a proxy at {admin}, which environment `{name}` does not permit"),
                format!("if it is yours, add `\"{admin}\"` to the list `proxies` of `{name}` in `gameday.yaml`"),
            ));
        }
    }
}

/// The public hosts that loads go to, with who names them: a load itself, or a target of a URL in so many words.
fn public_hosts(scenario: &Scenario) -> BTreeSet<(String, String)> {
    let mut hosts = BTreeSet::new();
    for (name, load) in &scenario.load {
        let named = load.target_placeholders().into_iter().filter_map(|placeholder| {
            let (target, _) = placeholder.name.split_once('.')?;
            let target = scenario.targets.iter().find(|(id, _)| id.as_str() == target)?.1;
            host_of(target.lambda.as_ref()?.url.as_deref()?)
        });
        // What a variable says now is what the load's process will read.
        let variable = |name: &str| std::env::var(name).ok();
        hosts.extend(load.hosts(variable).into_iter().chain(named).map(|host| (name.to_string(), host)));
    }
    hosts
}

fn remote_proxies(scenario: &Scenario) -> impl Iterator<Item = (&TargetId, RemoteProxy)> {
    scenario.targets.iter().filter_map(|(name, target)| match target.proxy.as_ref()?.kind(name)? {
        ProxyKind::Remote(remote) => Some((name, remote)),
        ProxyKind::Own(_) => None,
    })
}
