//! GetFunctionConfiguration and UpdateFunctionConfiguration.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ApiError, Qualifier};
use crate::sandbox::account::Account;
use crate::sandbox::configuration::Change;
use crate::sandbox::function::{Function, Shown};
use crate::sandbox::logs::LogFormat;

/// How Lambda writes `LastModified`.
const MODIFIED_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.3f+0000";

pub(super) async fn get_configuration(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    Query(Qualifier { qualifier }): Query<Qualifier>,
) -> Result<Json<Value>, ApiError> {
    let target = account.find(&name, qualifier.as_deref())?;
    let shown = target.function.shown(target.version).ok_or(ApiError::NotFound(target.arn.clone()))?;
    Ok(Json(document(&account, &target.function, &shown, &target.arn)))
}

pub(super) async fn update_configuration(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let change = read_change(&body)?;
    let target = account.find(&name, None)?;
    if target.qualifier.as_deref().is_some_and(|qualifier| qualifier != "$LATEST") {
        let text = "UpdateFunctionConfiguration changes $LATEST only; published versions are immutable";
        return Err(ApiError::InvalidParameter(text.to_owned()));
    }
    if let Some(problem) = change.problem() {
        return Err(ApiError::InvalidParameter(problem));
    }
    let shown = target.function.update(change)?;
    Ok(Json(document(&account, &target.function, &shown, &target.function.arn())))
}

/// Reads the members that the sandbox can change. Another one is refused by name: to accept and ignore it would have a
/// fault believe that it took hold.
fn read_change(body: &[u8]) -> Result<Change, ApiError> {
    let members: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| ApiError::InvalidContent(error.to_string()))?;
    let mut change = Change::default();
    for (name, value) in members.into_iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "Timeout" => change.timeout_seconds = Some(member(&name, value)?),
            "MemorySize" => change.memory_mb = Some(member(&name, value)?),
            "Description" => change.description = Some(member(&name, value)?),
            "Handler" => change.handler = Some(member(&name, value)?),
            "Layers" => change.layers = Some(member(&name, value)?),
            "RevisionId" => change.revision = Some(member(&name, value)?),
            "Environment" => {
                let environment: Environment = member(&name, value)?;
                change.environment = Some(environment.variables);
            }
            // The function's name, which some clients repeat in the body.
            "FunctionName" => {}
            other => {
                return Err(ApiError::InvalidParameter(format!("the sandbox can not change `{other}` of a function")));
            }
        }
    }
    Ok(change)
}

#[derive(Debug, Deserialize)]
struct Environment {
    #[serde(default, rename = "Variables")]
    variables: std::collections::BTreeMap<String, String>,
}

fn member<T: serde::de::DeserializeOwned>(name: &str, value: Value) -> Result<T, ApiError> {
    serde_json::from_value(value).map_err(|error| ApiError::InvalidParameter(format!("`{name}`: {error}")))
}

/// A `FunctionConfiguration`.
pub(super) fn document(account: &Account, function: &Function, shown: &Shown, arn: &str) -> Value {
    let Shown { version, configuration, revision, is_updating } = shown;
    let mut document = json!({
        "FunctionName": function.name,
        "FunctionArn": arn,
        "Runtime": function.program.runtime,
        "Role": format!("arn:aws:iam::{}:role/gameday-sandbox", account.context.account_id),
        "Handler": configuration.handler,
        "CodeSize": 0,
        "Description": configuration.description,
        "Timeout": configuration.timeout_seconds,
        "MemorySize": configuration.memory_mb,
        "LastModified": configuration.modified.format(MODIFIED_FORMAT).to_string(),
        "CodeSha256": function.program.code_sha256(),
        "Version": version.to_string(),
        "TracingConfig": {"Mode": "PassThrough"},
        "RevisionId": revision,
        "State": "Active",
        "LastUpdateStatus": if *is_updating { "InProgress" } else { "Successful" },
        "PackageType": "Zip",
        "Architectures": [if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": function.log.format.as_aws(), "LogGroup": function.log_group()},
    });
    if function.log.format == LogFormat::Json {
        document["LoggingConfig"]["ApplicationLogLevel"] = "INFO".into();
        document["LoggingConfig"]["SystemLogLevel"] = function.log.level.as_aws().into();
    }
    // Lambda leaves these members out when they would be empty.
    if !configuration.layers.is_empty() {
        let layers: Vec<Value> = configuration.layers.iter().map(|arn| json!({"Arn": arn, "CodeSize": 0})).collect();
        document["Layers"] = layers.into();
    }
    if !configuration.environment.is_empty() {
        document["Environment"] = json!({"Variables": configuration.environment});
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_sandbox_can_change_is_accepted() {
        let change =
            read_change(br#"{"Timeout": 9, "Environment": {"Variables": {"A1": "b"}}, "Layers": null, "Role": null}"#);
        let change = change.expect("a good change");
        assert_eq!(change.timeout_seconds, Some(9));
        assert_eq!(change.environment.map(|environment| environment.len()), Some(1));
        assert!(matches!(read_change(br#"{"Role": "x"}"#), Err(ApiError::InvalidParameter(_))));
        assert!(matches!(read_change(br#"{"Timeout": "9"}"#), Err(ApiError::InvalidParameter(_))));
        assert!(matches!(read_change(b"Timeout=9"), Err(ApiError::InvalidContent(_))));
    }
}
