//! `ssm_parameter`: gives a Systems Manager parameter another value, such as a wrong address or a feature turned off.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::settings::{Found, Resource, SettingChange, Settings, SettingsChange};
use super::shell::quoted;
use super::switch::{Cover, Switch};
use super::target::{AwsResource, TargetNeed};
use crate::aws::{Parameter, ParameterKind};
use crate::unit::{Secret, TargetId};

const VALUE: &str = "value";
/// AWS: the longest value of a parameter of the standard tier, in bytes (PutParameter).
const VALUE_BYTES_MAX: usize = 4_096;

/// Overwrites a parameter's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SsmParameter {
    /// The parameter, a `parameter` target of the kind `String` or `StringList`.
    #[schemars(example = &"mode-parameter")]
    pub target: TargetId,
    /// The value while the fault lasts, 1 to 4096 bytes; it is shown nowhere.
    pub value: String,
}

impl Fault for SsmParameter {
    type Change = SettingsChange<ParameterValue>;
    const ABOUT: About = About {
        effect: "what reads the parameter finds another value: at the next cold start, or when its cache is over",
        undo: "PutParameter with the former value, as a new version",
        blast_radius: "everything that reads the parameter, deployments too",
    };
    const TARGET: TargetNeed = TargetNeed::Parameter;
    const CALLS: Calls =
        Calls { inject: &["ssm:GetParameter", "ssm:PutParameter"], undo: &["ssm:GetParameter", "ssm:PutParameter"] };

    fn objections(&self) -> Vec<Objection> {
        let bytes = self.value.len();
        let (message, help) = match bytes {
            0 => ("Systems Manager takes no empty value".to_owned(), "write at least one character"),
            1..=VALUE_BYTES_MAX => return Vec::new(),
            _ => (
                format!("the value has {bytes} bytes, more than the {VALUE_BYTES_MAX} that a standard parameter takes"),
                "write a shorter one: a parameter that became an advanced one would stay it",
            ),
        };
        vec![Objection::value(VALUE, "out-of-range", message, help)]
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<ParameterValue>, FaultError> {
        let AwsResource::Parameter(name) = environment.resource(&self.target)? else {
            return Err(FaultError::Target(self.target.clone()));
        };
        if !self.objections().is_empty() {
            return Err(FaultError::not_safe(name, "the value of the fault is not one of 1 to 4096 bytes"));
        }
        let found = environment.aws.ssm.existing_parameter(name).await?;
        let kind = kind_of(&found).map_err(|why| FaultError::not_safe(name, why))?;
        let resource = ParameterValue { parameter: name.clone(), kind };
        let injected = BTreeMap::from([(VALUE.to_owned(), Some(self.value.clone().into()))]);
        let settings = resource.settings(&found);
        Ok(SettingsChange::new(resource, &settings, injected))
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("change the value of the parameter `{}`", self.target),
            undo: "put the former value back".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec![VALUE.to_owned()]
    }

    fn cover(&self) -> Cover {
        Cover::None(UNCOVERED)
    }
}

/// Why no schedule puts the value back.
const UNCOVERED: &str = "the former value would stand in the schedule, and may be a secret";

/// The kinds of parameters whose value can be put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PlainKind {
    String,
    StringList,
}

impl PlainKind {
    fn kind(self) -> ParameterKind {
        match self {
            Self::String => ParameterKind::String,
            Self::StringList => ParameterKind::StringList,
        }
    }
}

/// The kind of a parameter, or why its value could not be put back for certain.
fn kind_of(parameter: &Parameter) -> Result<PlainKind, &'static str> {
    match parameter.kind {
        ParameterKind::String => Ok(PlainKind::String),
        ParameterKind::StringList => Ok(PlainKind::StringList),
        ParameterKind::SecureString => {
            Err("it is a `SecureString`, which a new value could encrypt with another KMS key than its own")
        }
    }
}

/// The value of a parameter. AWS has no lock for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterValue {
    parameter: String,
    kind: PlainKind,
}

impl ParameterValue {
    /// The value; one of another kind is another value, whatever stands in it, and is never written over.
    fn settings(&self, found: &Parameter) -> Settings {
        let is_ours = found.kind == self.kind.kind();
        let value = if is_ours { found.value.reveal().into() } else { Value::Null };
        Settings::from([(VALUE.to_owned(), value)])
    }
}

impl Resource for ParameterValue {
    fn name(&self) -> &str {
        &self.parameter
    }

    async fn read(&self, environment: &FaultEnvironment, _names: &[&str]) -> Result<Found, FaultError> {
        let found = environment.aws.ssm.existing_parameter(&self.parameter).await?;
        Ok(Found { settings: self.settings(&found), revision: None, is_failed: false })
    }

    async fn write(&self, environment: &FaultEnvironment, _found: &Found, wanted: &Settings) -> Result<(), FaultError> {
        // A parameter is never taken away: prepare found one, and it always has a value.
        let Some(value) = wanted.get(VALUE).and_then(Value::as_str) else { return Ok(()) };
        let (ssm, kind) = (&environment.aws.ssm, self.kind.kind());
        ssm.put_parameter(&self.parameter, &Secret::new(value), kind, true).await?;
        Ok(())
    }

    fn is_secret(&self, _name: &str) -> bool {
        true
    }

    /// The former value may be a secret: it goes from the private undo file to AWS without being shown.
    fn by_hand(&self, _changes: &[SettingChange], undo: &Path) -> Vec<String> {
        let (name, kind) = (&self.parameter, self.kind.kind().as_str());
        let (name, undo) = (quoted(name), quoted(&undo.display().to_string()));
        vec![format!(
            "(f=$(mktemp) && trap 'rm -f \"$f\"' EXIT \
             && jq --arg name {name} '.undo[].settings[] | select(.name == \"{VALUE}\") \
             | {{Name: $name, Type: \"{kind}\", Value: .before, Overwrite: true}}' {undo} > \"$f\" \
             && aws ssm put-parameter --cli-input-json \"file://$f\")"
        )]
    }

    fn switch(&self, _changes: &[SettingChange]) -> Switch {
        Switch::None(UNCOVERED)
    }
}

#[cfg(test)]
mod tests {
    use super::super::change::Revertible as _;
    use super::*;

    fn parameter(value: &str, kind: ParameterKind) -> Parameter {
        Parameter { value: Secret::new(value), kind, version: 7 }
    }

    fn change(found: &Parameter) -> SettingsChange<ParameterValue> {
        let resource = ParameterValue { parameter: "/shop/mode".to_owned(), kind: PlainKind::String };
        let injected = BTreeMap::from([(VALUE.to_owned(), Some("injected-1".into()))]);
        let settings = resource.settings(found);
        SettingsChange::new(resource, &settings, injected)
    }

    #[test]
    fn a_value_is_one_that_a_standard_parameter_takes() {
        for (bytes, problems) in [(0, 1), (1, 0), (4_096, 0), (4_097, 1)] {
            let fault = SsmParameter { target: "mode".parse().unwrap(), value: "x".repeat(bytes) };
            assert_eq!(fault.objections().len(), problems, "{bytes}");
            assert!(fault.objections().iter().all(|objection| !objection.message.contains("xx")));
        }
    }

    #[test]
    fn an_encrypted_parameter_is_refused_and_one_of_another_kind_is_never_ours() {
        let [plain, list, secure] = [ParameterKind::String, ParameterKind::StringList, ParameterKind::SecureString]
            .map(|kind| parameter("calm", kind));
        assert_eq!((kind_of(&plain), kind_of(&list)), (Ok(PlainKind::String), Ok(PlainKind::StringList)));
        assert!(kind_of(&secure).is_err());
        let resource = ParameterValue { parameter: "/shop/mode".to_owned(), kind: PlainKind::String };
        assert_ne!(resource.settings(&plain), resource.settings(&list));
    }

    #[test]
    fn no_value_is_told_and_by_hand_it_comes_from_the_private_file() {
        let change = change(&parameter("secret-1", ParameterKind::String));
        let undo = Path::new("reports/it's/undo.json");
        let told = format!("{change:?} {:?} {:?}", change.text(), change.by_hand(undo));
        for value in ["secret-1", "injected-1"] {
            assert!(!told.contains(value), "{told}");
        }
        assert_eq!(change.text().change, "value of `/shop/mode`: changed");
        assert!(change.by_hand(undo)[0].contains(r"'reports/it'\''s/undo.json'"), "{told}");
    }
}
