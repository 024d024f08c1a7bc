//! A change of single settings of one thing: what faults on AWS have in common. Each setting is compared on its own, in
//! three ways: as injected, as before, or changed by somebody else.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::change::{ChangeText, FaultEnvironment, FaultError, Reverted, Revertible};
use super::switch::{NO_CALL, Switch};

/// The settings of a thing by their names in words. One that is not there is not the same as an empty one, or 0.
pub(super) type Settings = BTreeMap<String, Value>;

/// One setting before and during the fault; none means that it is not there. The values may be secrets.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingChange {
    pub(super) name: String,
    pub(super) before: Option<Value>,
    pub(super) injected: Option<Value>,
}

/// A thing as it was read.
pub(super) struct Found {
    pub(super) settings: Settings,
    /// What a write must name, so that it cannot overwrite what somebody else wrote meanwhile; none where AWS has no lock.
    pub(super) revision: Option<String>,
    /// Whether AWS took the last change and could not carry it out: what is read is not what serves then.
    pub(super) is_failed: bool,
}

/// How often a change that is under way is looked at.
const SETTLE_POLL: Duration = Duration::from_millis(200);

/// A setting as a whole number; none where it is not there.
pub(super) fn number(settings: &Settings, name: &str) -> Option<u32> {
    settings.get(name).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok())
}

/// The pauses between looks at a change that is under way, until its time is over.
pub(super) struct Settling<'n> {
    name: &'n str,
    timeout: Duration,
    deadline: Instant,
}

impl<'n> Settling<'n> {
    /// A change of the thing `name`, from now on.
    pub(super) fn within(name: &'n str, timeout: Duration) -> Self {
        Self { name, timeout, deadline: Instant::now() + timeout }
    }

    /// Waits for the next look.
    ///
    /// # Errors
    /// The time is over.
    pub(super) async fn wait(&self) -> Result<(), FaultError> {
        if Instant::now() >= self.deadline {
            return Err(FaultError::StillUpdating { target: self.name.to_owned(), waited: self.timeout });
        }
        tokio::time::sleep(SETTLE_POLL).await;
        Ok(())
    }
}

/// A thing whose settings can be read and written.
pub(super) trait Resource: Sync {
    /// What a shell and a person call it.
    fn name(&self) -> &str;

    /// Reads the settings, once no change of it is under way. `names` are those that the fault is about.
    async fn read(&self, environment: &FaultEnvironment, names: &[&str]) -> Result<Found, FaultError>;

    /// Writes those of `wanted` that differ from what was found; an absent one is taken away.
    async fn write(&self, environment: &FaultEnvironment, found: &Found, wanted: &Settings) -> Result<(), FaultError>;

    /// Whether the values of a setting may be secrets, which are never shown.
    fn is_secret(&self, _name: &str) -> bool {
        false
    }

    /// A value for people, with its unit.
    fn show(&self, _name: &str, value: &Value) -> String {
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    }

    /// Commands that put the settings back by hand, without secrets; those stand in the private file at `undo` alone.
    fn by_hand(&self, changes: &[SettingChange], undo: &Path) -> Vec<String>;

    /// What puts the settings back when nobody of ours is left, and leaves all others as they are. It never carries a
    /// secret.
    fn switch(&self, _changes: &[SettingChange]) -> Switch {
        Switch::None(NO_CALL)
    }
}

/// Single settings of a thing before and during a fault; all others are left as they are found.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange<R> {
    resource: R,
    settings: Vec<SettingChange>,
}

impl<R: fmt::Debug> fmt::Debug for SettingsChange<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.settings.iter().map(|setting| setting.name.as_str()).collect();
        formatter.debug_struct("SettingsChange").field("resource", &self.resource).field("settings", &names).finish()
    }
}

#[expect(private_bounds, reason = "only this room knows what can be read and written")]
impl<R: Resource> SettingsChange<R> {
    /// A change from what is found to `injected`, by setting; none takes one away.
    pub(super) fn new(resource: R, found: &Settings, injected: BTreeMap<String, Option<Value>>) -> Self {
        let of = |(name, injected): (String, Option<Value>)| {
            let before = found.get(&name).cloned();
            SettingChange { name, before, injected }
        };
        Self { resource, settings: injected.into_iter().map(of).collect() }
    }

    fn names(&self) -> Vec<&str> {
        self.settings.iter().map(|setting| setting.name.as_str()).collect()
    }

    fn show(&self, name: &str, value: Option<&Value>) -> String {
        value.map_or_else(|| "none".to_owned(), |value| self.resource.show(name, value))
    }

    /// Settings that are neither as before nor as injected, one line each, without secrets.
    fn drift(&self, found: &Settings) -> Vec<String> {
        let is_drifted = |setting: &&SettingChange| {
            let value = found.get(&setting.name);
            value != setting.before.as_ref() && value != setting.injected.as_ref()
        };
        self.settings.iter().filter(is_drifted).map(|setting| self.drift_line(setting, found)).collect()
    }

    fn drift_line(&self, setting: &SettingChange, found: &Settings) -> String {
        let SettingChange { name, before, injected } = setting;
        let (of, value) = (self.resource.name(), found.get(name));
        if self.resource.is_secret(name) {
            let what = if value.is_some() { "was changed" } else { "was taken away" };
            return format!("{name} of `{of}` {what} by somebody else");
        }
        let [value, before, injected] = [value, before.as_ref(), injected.as_ref()].map(|value| self.show(name, value));
        format!("{name} of `{of}` is {value}; it was {before} before and {injected} as injected")
    }

    /// Every setting with its change, without secrets: `timeout 3 s → 1 s, variable KEY added`.
    pub(super) fn list(&self) -> String {
        let text = |setting: &SettingChange| format!("{} {}", setting.name, self.change_text(setting));
        self.settings.iter().map(text).collect::<Vec<_>>().join(", ")
    }

    fn change_text(&self, setting: &SettingChange) -> String {
        let SettingChange { name, before, injected } = setting;
        if !self.resource.is_secret(name) {
            return format!("{} → {}", self.show(name, before.as_ref()), self.show(name, injected.as_ref()));
        }
        match (before, injected) {
            (None, Some(_)) => "added".to_owned(),
            (Some(_), None) => "taken away".to_owned(),
            (Some(_), Some(_)) | (None, None) => "changed".to_owned(),
        }
    }

    /// What was found, with single settings as wanted.
    fn wanted<'s>(found: &Settings, changes: impl Iterator<Item = (&'s str, &'s Option<Value>)>) -> Settings {
        let mut wanted = found.clone();
        for (name, value) in changes {
            match value {
                Some(value) => wanted.insert(name.to_owned(), value.clone()),
                None => wanted.remove(name),
            };
        }
        wanted
    }

    /// AWS: `LastUpdateStatus` of `Failed`. What serves is something else than what is read.
    fn carried_out(&self, found: &Found) -> Result<(), FaultError> {
        if !found.is_failed {
            return Ok(());
        }
        let found = "AWS could not carry out its last update (`LastUpdateStatus` is `Failed`)".to_owned();
        Err(FaultError::NotApplied { target: self.resource.name().to_owned(), found })
    }

    /// Writes, reads back, and answers what was read.
    async fn settle(
        &self,
        environment: &FaultEnvironment,
        found: &Found,
        wanted: &Settings,
        is_done: impl Fn(&SettingChange, Option<&Value>) -> bool,
    ) -> Result<Settings, FaultError> {
        self.resource.write(environment, found, wanted).await?;
        let found = self.resource.read(environment, &self.names()).await?;
        self.carried_out(&found)?;
        match self.settings.iter().find(|setting| !is_done(setting, found.settings.get(&setting.name))) {
            None => Ok(found.settings),
            Some(setting) => Err(FaultError::NotApplied {
                target: self.resource.name().to_owned(),
                found: format!("reading back shows another {} than the one written", setting.name),
            }),
        }
    }
}

impl<R: Resource> Revertible for SettingsChange<R> {
    async fn try_inject(&self, environment: &FaultEnvironment) -> Result<(), FaultError> {
        // Not every setting has a lock, so it is read right before: what others set meanwhile is not overwritten.
        let found = self.resource.read(environment, &self.names()).await?;
        if !self.drift(&found.settings).is_empty() {
            return Err(FaultError::changed_meanwhile(self.resource.name()));
        }
        let changes = self.settings.iter().map(|setting| (setting.name.as_str(), &setting.injected));
        let wanted = Self::wanted(&found.settings, changes);
        if wanted == found.settings {
            return self.carried_out(&found);
        }
        self.settle(environment, &found, &wanted, |setting, value| value == setting.injected.as_ref()).await?;
        Ok(())
    }

    async fn try_revert(&self, environment: &FaultEnvironment, restoring: &mut bool) -> Result<Reverted, FaultError> {
        let found = self.resource.read(environment, &self.names()).await?;
        // A setting that somebody else changed is left alone; the others go back.
        let is_ours = |setting: &&SettingChange| found.settings.get(&setting.name) == setting.injected.as_ref();
        let changes = self.settings.iter().filter(is_ours).map(|setting| (setting.name.as_str(), &setting.before));
        let wanted = Self::wanted(&found.settings, changes);
        let mut drift = self.drift(&found.settings);
        if wanted != found.settings {
            *restoring = true;
            let is_back = |setting: &SettingChange, value: Option<&Value>| {
                value != setting.injected.as_ref() || setting.before == setting.injected
            };
            // What somebody wrote while we did is told as well.
            drift = self.drift(&self.settle(environment, &found, &wanted, is_back).await?);
        } else if drift.is_empty() {
            self.carried_out(&found)?;
        }
        Ok(match (drift.is_empty(), *restoring) {
            (false, _) => Reverted::Drift(drift),
            (true, true) => Reverted::Restored,
            (true, false) => Reverted::AsBefore,
        })
    }

    fn text(&self) -> ChangeText {
        let of = self.resource.name();
        match self.settings.as_slice() {
            [setting] => ChangeText {
                change: format!("{} of `{of}`: {}", setting.name, self.change_text(setting)),
                undo: match &setting.before {
                    None => format!("take the {} away: there was none", setting.name),
                    Some(_) if self.resource.is_secret(&setting.name) => "put the former value back".to_owned(),
                    Some(before) => format!("put {} back", self.resource.show(&setting.name, before)),
                },
            },
            _ => ChangeText {
                change: format!("`{of}`: {}", self.list()),
                undo: "put the former values back, and take away what was not there".to_owned(),
            },
        }
    }

    fn by_hand(&self, undo: &Path) -> Vec<String> {
        self.resource.by_hand(&self.settings, undo)
    }

    fn switch(&self) -> Switch {
        if self.settings.iter().all(|setting| setting.before == setting.injected) {
            return Switch::Needless;
        }
        self.resource.switch(&self.settings)
    }
}
