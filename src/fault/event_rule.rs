//! `event_rule`: disables an EventBridge rule, so that events and schedules do not reach their targets.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::settings::{Found, Resource, SettingChange, Settings, SettingsChange};
use super::shell::word;
use super::switch::{Cover, Switch, SwitchCall};
use super::target::{AwsResource, TargetNeed};
use crate::aws::Rule;
use crate::unit::TargetId;

const STATE: &str = "state";
const ENABLED: &str = "enabled";
const DISABLED: &str = "disabled";
/// What EnableRule does not bring back (AWS: `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`).
const ENABLED_WITH_ALL: &str = "enabled with all management events";

/// Disables a rule. AWS: what would have matched meanwhile is lost to it (DisableRule).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventRule {
    /// The rule, a `rule` target.
    #[schemars(example = &"nightly-rule")]
    pub target: TargetId,
    /// Whether the rule is on while the fault lasts: `false`.
    pub enabled: bool,
}

impl Fault for EventRule {
    type Change = SettingsChange<RuleState>;
    const ABOUT: About = About {
        effect: "after some seconds the rule matches nothing; events of that time are lost to it, and a schedule skips them",
        undo: "EnableRule; what was missed does not come later",
        blast_radius: "all targets of the rule",
    };
    const TARGET: TargetNeed = TargetNeed::Rule;
    const CALLS: Calls = Calls {
        inject: &["events:DescribeRule", "events:DisableRule", "events:EnableRule"],
        undo: &["events:DescribeRule", "events:EnableRule"],
    };

    fn objections(&self) -> Vec<Objection> {
        let message = "a rule that is on is no fault".to_owned();
        let on = Objection::value("enabled", "invalid-value", message, "write `enabled: false`");
        self.enabled.then_some(on).into_iter().collect()
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<RuleState>, FaultError> {
        let AwsResource::Rule { name, bus } = environment.resource(&self.target)? else {
            return Err(FaultError::Target(self.target.clone()));
        };
        if self.enabled {
            return Err(FaultError::not_safe(name, "the fault would have it enabled, which is none"));
        }
        let rule = environment.aws.events.rule(name, bus.as_deref()).await?;
        if let Some(why) = obstacle(&rule) {
            return Err(FaultError::not_safe(name, why));
        }
        let resource = RuleState { rule: name.clone(), bus: bus.clone() };
        let injected = BTreeMap::from([(STATE.to_owned(), Some(DISABLED.into()))]);
        Ok(SettingsChange::new(resource, &settings(&rule), injected))
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("disable the rule `{}`; events of that time are lost to it", self.target),
            undo: "enable it again, if it was".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec![STATE.to_owned()]
    }

    fn cover(&self) -> Cover {
        Cover::Switch(&["events:EnableRule"])
    }
}

/// What of a rule keeps this fault from being undone for certain.
fn obstacle(rule: &Rule) -> Option<&'static str> {
    if rule.managed_by.is_some() {
        return Some("an AWS service made it, and may change it at any time (`ManagedBy`)");
    }
    let why = "its state is `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`, which EnableRule does not bring back";
    rule.matches_all_management_events.then_some(why)
}

fn settings(rule: &Rule) -> Settings {
    let state = match (rule.is_enabled, rule.matches_all_management_events) {
        (_, true) => ENABLED_WITH_ALL,
        (true, false) => ENABLED,
        (false, false) => DISABLED,
    };
    Settings::from([(STATE.to_owned(), state.into())])
}

/// Whether a rule is on. AWS has no lock for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleState {
    rule: String,
    bus: Option<String>,
}

impl Resource for RuleState {
    fn name(&self) -> &str {
        &self.rule
    }

    async fn read(&self, environment: &FaultEnvironment, _names: &[&str]) -> Result<Found, FaultError> {
        let rule = environment.aws.events.rule(&self.rule, self.bus.as_deref()).await?;
        Ok(Found { settings: settings(&rule), revision: None, is_failed: false })
    }

    async fn write(&self, environment: &FaultEnvironment, _found: &Found, wanted: &Settings) -> Result<(), FaultError> {
        let (events, bus) = (&environment.aws.events, self.bus.as_deref());
        match wanted.get(STATE).and_then(Value::as_str) {
            Some(DISABLED) => events.disable_rule(&self.rule, bus).await?,
            Some(ENABLED) => events.enable_rule(&self.rule, bus).await?,
            // Neither was ever prepared: there is nothing to write.
            Some(_) | None => {}
        }
        Ok(())
    }

    fn by_hand(&self, changes: &[SettingChange], _undo: &Path) -> Vec<String> {
        let rule = word(&self.rule);
        let bus = self.bus.as_ref().map(|bus| format!(" --event-bus-name {}", word(bus))).unwrap_or_default();
        let was_enabled = |change: &&SettingChange| change.before.as_ref().and_then(Value::as_str) == Some(ENABLED);
        changes.iter().filter(was_enabled).map(|_| format!("aws events enable-rule --name {rule}{bus}")).collect()
    }

    fn switch(&self, _changes: &[SettingChange]) -> Switch {
        let (rule, bus) = (Some(self.rule.as_str().into()), self.bus.as_deref().map(Value::from));
        Switch::Call(SwitchCall::of("eventbridge", "enableRule", [("Name", rule), ("EventBusName", bus)]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::change::Revertible as _;
    use super::*;

    fn rule(is_enabled: bool, matches_all_management_events: bool, managed_by: Option<&str>) -> Rule {
        let managed_by = managed_by.map(str::to_owned);
        Rule { arn: "arn".to_owned(), is_enabled, matches_all_management_events, managed_by }
    }

    #[test]
    fn a_rule_is_only_ever_turned_off() {
        let fault = |enabled| EventRule { target: "nightly".parse().unwrap(), enabled };
        assert_eq!(fault(false).objections(), []);
        assert_eq!(fault(true).objections().len(), 1);
    }

    #[test]
    fn a_rule_that_could_not_be_restored_is_refused() {
        assert_eq!(obstacle(&rule(true, false, None)), None);
        assert!(obstacle(&rule(true, true, None)).is_some());
        assert!(obstacle(&rule(true, false, Some("autoscaling.amazonaws.com"))).is_some());
        assert_ne!(settings(&rule(true, true, None)), settings(&rule(true, false, None)), "the one is not the other");
    }

    #[test]
    fn by_hand_a_rule_is_enabled_on_its_bus_if_it_was() {
        let by_hand = |is_enabled, bus: Option<&str>| {
            let resource = RuleState { rule: "nightly".to_owned(), bus: bus.map(str::to_owned) };
            let injected = BTreeMap::from([(STATE.to_owned(), Some(DISABLED.into()))]);
            SettingsChange::new(resource, &settings(&rule(is_enabled, false, None)), injected)
                .by_hand(Path::new("undo"))
        };
        assert_eq!(by_hand(true, None), ["aws events enable-rule --name nightly"]);
        assert_eq!(by_hand(true, Some("shop")), ["aws events enable-rule --name nightly --event-bus-name shop"]);
        assert_eq!(by_hand(false, None), Vec::<String>::new());
    }
}
