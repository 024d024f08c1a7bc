//! Changing a function's configuration so that two writers cannot lose each other's changes.
//!
//! AWS: an update while another is under way answers 409; a stale `RevisionId` answers 412, and the id changes again
//! when an update is done, so it is always read after the update has settled.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::about::Calls;
use super::change::{FaultEnvironment, FaultError};
use super::settings::{Found, Resource, SettingChange, Settings, SettingsChange, Settling, number};
use super::shell::quoted;
use super::switch::{Cover, Switch, SwitchCall};
use crate::aws::{EnvironmentVariables, FunctionConfiguration, FunctionState, FunctionUpdate, UpdateProgress};
use crate::unit::TargetId;

/// Why variables that AWS does not show are never written. AWS: `Environment.Error`.
const UNREADABLE: &str = "its environment variables cannot be read (is the KMS key denied?)";

/// How long an update may be under way.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads a function's configuration once no update of it is under way.
async fn settled(environment: &FaultEnvironment, function: &str) -> Result<FunctionConfiguration, FaultError> {
    let settling = Settling::within(function, SETTLE_TIMEOUT);
    loop {
        let configuration = environment.aws.functions.configuration(function).await?;
        if configuration.progress != UpdateProgress::InProgress {
            return Ok(configuration);
        }
        settling.wait().await?;
    }
}

/// Reads a function's configuration where a fault on it could be undone for certain, and refuses where not.
pub(super) async fn ready(environment: &FaultEnvironment, function: &str) -> Result<FunctionConfiguration, FaultError> {
    let configuration = settled(environment, function).await?;
    match obstacle(&configuration) {
        None => Ok(configuration),
        Some(why) => Err(FaultError::not_safe(function, why)),
    }
}

/// What of a function's state keeps a fault on it from being undone for certain.
#[must_use]
pub fn obstacle(configuration: &FunctionConfiguration) -> Option<&'static str> {
    if configuration.environment.is_none() {
        // AWS: `Environment.Error`. Whatever is written back would wipe what cannot be read.
        return Some(UNREADABLE);
    }
    match (configuration.state, configuration.progress) {
        (FunctionState::Pending, _) => Some("it is being made (`State` is `Pending`)"),
        (FunctionState::Inactive, _) => Some("it is idle (`State` is `Inactive`): invoke it once"),
        (FunctionState::Failed, _) => Some("it could not be made (`State` is `Failed`)"),
        (FunctionState::Active, UpdateProgress::InProgress) => Some("an update of it is under way"),
        (FunctionState::Active, UpdateProgress::Failed) => {
            Some("its last update failed (`LastUpdateStatus` is `Failed`): update it until it succeeds")
        }
        (FunctionState::Active, UpdateProgress::Successful) => None,
    }
}

/// What the name of an environment variable's setting starts with.
const VARIABLE: &str = "variable ";
/// The calls of every fault in a function's configuration.
pub(super) const CALLS: Calls = Calls {
    inject: &["lambda:GetFunctionConfiguration", "lambda:UpdateFunctionConfiguration"],
    undo: &["lambda:GetFunctionConfiguration", "lambda:UpdateFunctionConfiguration"],
};
/// How every fault in a function's configuration is undone in AWS itself, except for variables.
pub(super) const COVER: Cover = Cover::Switch(&["lambda:UpdateFunctionConfiguration"]);
/// Why variables are not covered. AWS: UpdateFunctionConfiguration replaces the whole map.
pub(super) const VARIABLES_UNCOVERED: &str =
    "all variables of the function would stand in the schedule, and may be secrets";
pub(super) const TIMEOUT: &str = "timeout";
pub(super) const MEMORY: &str = "memory";
pub(super) const LAYERS: &str = "layers";

/// The name of an environment variable's setting.
pub(super) fn variable(name: &str) -> String {
    format!("{VARIABLE}{name}")
}

/// The configuration of a function's `$LATEST`. AWS: UpdateFunctionConfiguration replaces lists and maps as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    function: String,
}

impl Configuration {
    pub(super) fn of(function: &str) -> Self {
        Self { function: function.to_owned() }
    }

    /// A change to `injected`, from what a function that could be restored for certain is now.
    pub(super) async fn prepare(
        environment: &FaultEnvironment,
        target: &TargetId,
        injected: BTreeMap<String, Option<Value>>,
    ) -> Result<SettingsChange<Self>, FaultError> {
        let function = environment.function(target)?;
        let found = settings(&ready(environment, function).await?);
        Ok(SettingsChange::new(Self::of(function), &found, injected))
    }
}

/// A configuration as settings.
pub(super) fn settings(configuration: &FunctionConfiguration) -> Settings {
    let mut settings = Settings::from([
        (TIMEOUT.to_owned(), configuration.timeout_seconds.into()),
        (MEMORY.to_owned(), configuration.memory_mb.into()),
    ]);
    if !configuration.layers.is_empty() {
        settings.insert(LAYERS.to_owned(), configuration.layers.clone().into());
    }
    for (name, value) in configuration.environment.iter().flat_map(|EnvironmentVariables(variables)| variables) {
        settings.insert(variable(name), value.clone().into());
    }
    settings
}

/// What of a configuration differs from what is wanted.
pub(super) fn update(found: &Settings, wanted: &Settings) -> FunctionUpdate {
    let changed = |name: &str| found.get(name) != wanted.get(name);
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let layers = wanted.get(LAYERS).and_then(Value::as_array);
    let variables = |settings: &Settings| -> BTreeMap<String, String> {
        let of = |(name, value): (&String, &Value)| Some((name.strip_prefix(VARIABLE)?.to_owned(), text(value)?));
        settings.iter().filter_map(of).collect()
    };
    FunctionUpdate {
        timeout_seconds: number(wanted, TIMEOUT).filter(|_| changed(TIMEOUT)),
        memory_mb: number(wanted, MEMORY).filter(|_| changed(MEMORY)),
        layers: changed(LAYERS).then(|| layers.into_iter().flatten().filter_map(text).collect()),
        environment: Some(variables(wanted)).filter(|wanted| *wanted != variables(found)).map(EnvironmentVariables),
    }
}

impl Resource for Configuration {
    fn name(&self) -> &str {
        &self.function
    }

    async fn read(&self, environment: &FaultEnvironment, names: &[&str]) -> Result<Found, FaultError> {
        let found = settled(environment, &self.function).await?;
        // Writing back a map that cannot be read would wipe it.
        if found.environment.is_none() && names.iter().any(|name| name.starts_with(VARIABLE)) {
            return Err(FaultError::not_safe(&self.function, UNREADABLE));
        }
        let is_failed = found.progress == UpdateProgress::Failed;
        Ok(Found { settings: settings(&found), revision: found.revision, is_failed })
    }

    async fn write(&self, environment: &FaultEnvironment, found: &Found, wanted: &Settings) -> Result<(), FaultError> {
        let update = update(&found.settings, wanted);
        let functions = &environment.aws.functions;
        Ok(functions.update_configuration(&self.function, &update, found.revision.as_deref()).await?)
    }

    fn is_secret(&self, name: &str) -> bool {
        name.starts_with(VARIABLE)
    }

    fn show(&self, name: &str, value: &Value) -> String {
        match (name, value) {
            (TIMEOUT, value) => format!("{value} s"),
            (MEMORY, value) => format!("{value} MB"),
            (_, Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            (_, value) => value.to_string(),
        }
    }

    fn by_hand(&self, changes: &[SettingChange], undo: &Path) -> Vec<String> {
        let function = &self.function;
        let option = |change: &SettingChange| match (change.name.as_str(), &change.before) {
            (TIMEOUT, Some(before)) => Some(format!("--timeout {before}")),
            (MEMORY, Some(before)) => Some(format!("--memory-size {before}")),
            (LAYERS, None) => Some("--layers '[]'".to_owned()),
            (LAYERS, Some(before)) => {
                let layers: Vec<&str> = before.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                Some(format!("--layers {}", layers.join(" ")))
            }
            _ => None,
        };
        let options: Vec<String> = changes.iter().filter_map(option).collect();
        let has_variables = changes.iter().any(|change| change.name.starts_with(VARIABLE));
        let update = (!options.is_empty()).then(|| {
            format!("aws lambda update-function-configuration --function-name {function} {}", options.join(" "))
        });
        // AWS refuses an update while another is under way.
        let wait = (update.is_some() && has_variables).then(|| wait_by_hand(function));
        let variables = has_variables.then(|| variables_by_hand(function, undo));
        update.into_iter().chain(wait).chain(variables).collect()
    }

    fn switch(&self, changes: &[SettingChange]) -> Switch {
        if changes.iter().any(|change| change.name.starts_with(VARIABLE)) {
            return Switch::None(VARIABLES_UNCOVERED);
        }
        let before = |name: &str| changes.iter().find(|change| change.name == name).map(|change| change.before.clone());
        let no_layers = || Value::Array(Vec::new());
        Switch::Call(SwitchCall::lambda(
            "updateFunctionConfiguration",
            [
                ("FunctionName", Some(self.function.as_str().into())),
                ("Timeout", before(TIMEOUT).flatten()),
                ("MemorySize", before(MEMORY).flatten()),
                ("Layers", before(LAYERS).map(|layers| layers.unwrap_or_else(no_layers))),
            ],
        ))
    }
}

/// Waits until no update of a function is under way.
pub(super) fn wait_by_hand(function: &str) -> String {
    format!("aws lambda wait function-updated-v2 --function-name {function}")
}

/// The former values may be secrets: they go from the private undo file to AWS without being shown.
fn variables_by_hand(function: &str, undo: &Path) -> String {
    let undo = quoted(&undo.display().to_string());
    let is_ours = r#"select(.name | startswith("variable "))"#;
    let restore = r#"($it.name | ltrimstr("variable ")) as $name | if $it.before == null then del(.[$name]) else .[$name] = $it.before end"#;
    format!(
        "(f=$(mktemp) && trap 'rm -f \"$f\"' EXIT && aws lambda get-function-configuration --function-name {function} \
         --query Environment.Variables --output json \
         | jq --slurpfile file {undo} '. as $now | reduce ($file[0].undo[] | (.latest // .) | .settings[] | {is_ours}) as $it \
         ($now; {restore}) | {{Variables: .}}' > \"$f\" \
         && aws lambda update-function-configuration --function-name {function} --environment \"file://$f\")"
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::change::REVERT_BUDGET;
    use super::super::owed;
    use super::*;
    use crate::aws::FunctionControl as _;

    #[tokio::test(start_paused = true)]
    async fn an_update_that_does_not_end_is_an_error_after_its_time() {
        let fake = owed::checkout();
        fake.updates_take(Duration::from_secs(3_600));
        let update = FunctionUpdate { timeout_seconds: Some(3), ..FunctionUpdate::default() };
        fake.update_configuration("checkout", &update, None).await.unwrap();
        let start = tokio::time::Instant::now();
        let outcome = settled(&fake.environment(), "checkout").await;
        assert!(matches!(outcome, Err(FaultError::StillUpdating { waited: SETTLE_TIMEOUT, .. })), "{outcome:?}");
        assert!(start.elapsed() <= REVERT_BUDGET + Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_goes_under_the_revision_from_after_the_last_update() {
        let fake = owed::checkout();
        let update = FunctionUpdate { timeout_seconds: Some(3), ..FunctionUpdate::default() };
        let first = Arc::clone(&fake);
        first.update_configuration("checkout", &update, None).await.unwrap();
        // The update of somebody else is under way: it is waited for, so that neither 409 nor 412 comes of it.
        let calls = fake.changing_calls();
        let resource = Configuration::of("checkout");
        let found = resource.read(&fake.environment(), &[TIMEOUT]).await.unwrap();
        let wanted = [(TIMEOUT.to_owned(), 4.into())].into();
        resource.write(&fake.environment(), &found, &wanted).await.unwrap();
        assert_eq!((fake.changing_calls() - calls, fake.state().timeout_seconds), (1, 4));
    }

    fn change(name: &str, before: Option<Value>) -> SettingChange {
        SettingChange { name: name.to_owned(), before, injected: None }
    }

    #[test]
    fn several_settings_go_back_by_one_command_and_variables_by_a_second_once_that_is_done() {
        let changes = [
            change(TIMEOUT, Some(30.into())),
            change(MEMORY, Some(512.into())),
            change(LAYERS, None),
            change(&variable("KEY"), Some("secret-1".into())),
        ];
        let commands = Configuration::of("checkout").by_hand(&changes, Path::new("undo.json"));
        let update = "aws lambda update-function-configuration --function-name checkout --timeout 30 --memory-size 512 \
                      --layers '[]'";
        assert_eq!(commands[..2], [update, "aws lambda wait function-updated-v2 --function-name checkout"]);
        assert_eq!(commands.len(), 3);
        assert!(commands[2].contains("undo.json") && !commands[2].contains("secret-1"), "{}", commands[2]);
    }

    /// The path to the variables in an undo file, played by jq; a machine without it leaves that out.
    #[test]
    fn the_command_by_hand_finds_the_variables_of_every_fault_that_has_some() {
        use serde_json::json;
        let setting = json!({"name": "variable KEY", "before": "old", "injected": "new"});
        for undo in [json!({"settings": [setting]}), json!({"latest": {"settings": [setting]}})] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("undo.json");
            std::fs::write(&file, json!({"undo": {"kind": undo}}).to_string()).unwrap();
            let command = variables_by_hand("checkout", &file);
            let (_, after) = command.split_once("| jq").unwrap();
            let (filter, _) = after.split_once(" > \"$f\"").unwrap();
            let shell = format!("echo '{{\"KEY\": \"new\", \"OWNER\": \"theirs\"}}' | jq -c {filter}");
            let output = std::process::Command::new("sh").args(["-c", &shell]).output().unwrap();
            if String::from_utf8_lossy(&output.stderr).contains("not found") {
                continue;
            }
            let found: Option<Value> = serde_json::from_slice(&output.stdout).ok();
            let wanted = Some(json!({"Variables": {"KEY": "old", "OWNER": "theirs"}}));
            assert_eq!(found, wanted, "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
