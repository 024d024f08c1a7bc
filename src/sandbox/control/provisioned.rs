//! Put, Get, List and DeleteProvisionedConcurrencyConfig.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiError, Qualifier, function_alone, read_members};
use crate::sandbox::account::{Account, Target};
use crate::sandbox::name::Version;
use crate::sandbox::provisioned::{Progress, Provisioned, provision, release};

/// How Lambda writes `LastModified` here.
const TIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%S+0000";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Put {
    provisioned_concurrent_executions: u32,
}

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    #[serde(rename = "Qualifier")]
    qualifier: Option<String>,
    #[serde(rename = "List")]
    list: Option<String>,
}

/// The version or alias that a request means, with its qualifier.
fn find(account: &Account, name: &str, qualifier: Option<&str>) -> Result<(Target, String), ApiError> {
    let target = account.find(name, qualifier)?;
    match target.qualifier.clone() {
        Some(qualifier) if target.version != Version::Latest => Ok((target, qualifier)),
        Some(_) | None => {
            let text = "Provisioned Concurrency Configs cannot be applied to unpublished function versions.";
            Err(ApiError::InvalidParameter(text.to_owned()))
        }
    }
}

pub(super) async fn put(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    Query(Qualifier { qualifier }): Query<Qualifier>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let put: Put = read_members(&body)?;
    let count = put.provisioned_concurrent_executions;
    if count == 0 {
        let text = "Value '0' at 'provisionedConcurrentExecutions' failed to satisfy constraint: at least 1";
        return Err(ApiError::InvalidParameter(text.to_owned()));
    }
    let (target, qualifier) = find(&account, &name, qualifier.as_deref())?;
    let provisioned = provision(&account, &target.function, &qualifier, target.version, count)?;
    Ok((StatusCode::ACCEPTED, Json(document(&provisioned))))
}

/// One of a qualifier, or all of a function; there is one page.
pub(super) async fn get_or_list(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    Query(Asked { qualifier, list }): Query<Asked>,
) -> Result<Json<Value>, ApiError> {
    if list.as_deref() == Some("ALL") {
        let function = function_alone(&account, &name)?;
        let documents: Vec<Value> = function
            .provisioned
            .all()
            .iter()
            .map(|(qualifier, provisioned)| {
                let mut document = document(provisioned);
                document["FunctionArn"] = format!("{}:{qualifier}", function.arn()).into();
                document
            })
            .collect();
        return Ok(Json(json!({"ProvisionedConcurrencyConfigs": documents})));
    }
    let (target, qualifier) = find(&account, &name, qualifier.as_deref())?;
    let provisioned = target.function.provisioned.get(&qualifier).ok_or(ApiError::NotProvisioned)?;
    Ok(Json(document(&provisioned)))
}

pub(super) async fn delete(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    Query(Qualifier { qualifier }): Query<Qualifier>,
) -> Result<StatusCode, ApiError> {
    let (target, qualifier) = find(&account, &name, qualifier.as_deref())?;
    release(&account, &target.function, &qualifier);
    Ok(StatusCode::NO_CONTENT)
}

fn document(provisioned: &Provisioned) -> Value {
    let Provisioned { requested, progress, modified, .. } = provisioned;
    let (status, allocated) = match progress {
        Progress::Pending => ("IN_PROGRESS", 0),
        Progress::Ready => ("READY", *requested),
        Progress::Failed(_) => ("FAILED", 0),
    };
    let mut document = json!({
        "RequestedProvisionedConcurrentExecutions": requested,
        "AvailableProvisionedConcurrentExecutions": allocated,
        "AllocatedProvisionedConcurrentExecutions": allocated,
        "Status": status,
        "LastModified": modified.format(TIME_FORMAT).to_string(),
    });
    if let Progress::Failed(reason) = progress {
        document["StatusReason"] = reason.as_str().into();
    }
    document
}
