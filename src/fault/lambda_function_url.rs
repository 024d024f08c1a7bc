//! `lambda_function_url`: a function URL that turns unsigned callers away.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::about::{About, Calls};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::configuration::ready;
use super::settings::{Found, Resource, SettingChange, Settings, SettingsChange};
use super::switch::{Cover, NO_CALL, Switch, SwitchCall};
use super::target::TargetNeed;
use crate::unit::TargetId;

const AUTH: &str = "authorization of the function URL";
const IAM: &str = "AWS_IAM";
const NONE: &str = "NONE";

/// Changes who may call a function URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaFunctionUrl {
    /// The function, a `lambda` target; with an `alias`, the URL of that alias.
    pub target: TargetId,
    /// `iam`: callers must sign, and others see 403.
    pub auth: UrlAuth,
}

/// Who may call a function URL while the fault lasts. To open one up is no fault, and not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UrlAuth {
    /// Callers who sign their requests and are allowed to.
    Iam,
}

impl Fault for LambdaFunctionUrl {
    type Change = SettingsChange<FunctionUrl>;
    const ABOUT: About = About {
        effect: "callers that do not sign their requests see 403",
        undo: "UpdateFunctionUrlConfig with the former `AuthType`",
        blast_radius: "everybody who calls the function URL; other ways to the function stay open",
    };
    const TARGET: TargetNeed = TargetNeed::Function;
    const CALLS: Calls = Calls {
        inject: &["lambda:GetFunctionConfiguration", "lambda:GetFunctionUrlConfig", "lambda:UpdateFunctionUrlConfig"],
        undo: &["lambda:GetFunctionConfiguration", "lambda:GetFunctionUrlConfig", "lambda:UpdateFunctionUrlConfig"],
    };

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<FunctionUrl>, FaultError> {
        let (function, alias) = environment.qualified(&self.target)?;
        ready(environment, function).await?;
        let resource = FunctionUrl { function: function.to_owned(), qualifier: alias.map(str::to_owned) };
        let found = resource.read(environment, &[]).await?;
        if found.settings.is_empty() {
            return Err(FaultError::not_safe(function, "it has no function URL"));
        }
        let UrlAuth::Iam = self.auth;
        let injected = BTreeMap::from([(AUTH.to_owned(), Some(IAM.into()))]);
        Ok(SettingsChange::new(resource, &found.settings, injected))
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("let the function URL of `{}` take signed requests only", self.target),
            undo: "put the former authorization back".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec![AUTH.to_owned()]
    }

    fn cover(&self) -> Cover {
        Cover::Switch(&["lambda:UpdateFunctionUrlConfig"])
    }
}

/// Who may call a function URL. AWS has no lock for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionUrl {
    function: String,
    qualifier: Option<String>,
}

impl Resource for FunctionUrl {
    fn name(&self) -> &str {
        &self.function
    }

    async fn read(&self, environment: &FaultEnvironment, _names: &[&str]) -> Result<Found, FaultError> {
        let lambda = &environment.aws.lambda;
        let found = lambda.url_needs_signature(&self.function, self.qualifier.as_deref()).await?;
        if found.is_none() {
            environment.exists(&self.function, self.qualifier.as_deref()).await?;
        }
        let setting = found.map(|is_needed| (AUTH.to_owned(), if is_needed { IAM.into() } else { NONE.into() }));
        Ok(Found { settings: setting.into_iter().collect(), revision: None, is_failed: false })
    }

    async fn write(&self, environment: &FaultEnvironment, _found: &Found, wanted: &Settings) -> Result<(), FaultError> {
        let is_needed = wanted.get(AUTH).and_then(Value::as_str) == Some(IAM);
        let lambda = &environment.aws.lambda;
        Ok(lambda.set_url_needs_signature(&self.function, self.qualifier.as_deref(), is_needed).await?)
    }

    fn by_hand(&self, changes: &[SettingChange], _undo: &Path) -> Vec<String> {
        let qualifier = self.qualifier.as_ref().map(|it| format!(" --qualifier {it}")).unwrap_or_default();
        let before = changes.iter().filter_map(|change| change.before.as_ref().and_then(Value::as_str));
        let command = |auth: &str| {
            let function = &self.function;
            format!("aws lambda update-function-url-config --function-name {function}{qualifier} --auth-type {auth}")
        };
        before.map(command).collect()
    }

    fn switch(&self, changes: &[SettingChange]) -> Switch {
        let Some(before) = changes.first().and_then(|change| change.before.clone()) else {
            return Switch::None(NO_CALL);
        };
        Switch::Call(SwitchCall::lambda(
            "updateFunctionUrlConfig",
            [
                ("FunctionName", Some(self.function.as_str().into())),
                ("Qualifier", self.qualifier.as_deref().map(Value::from)),
                ("AuthType", Some(before)),
            ],
        ))
    }
}
