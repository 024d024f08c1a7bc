//! Get and UpdateFunctionUrlConfig: every function of a sandbox has a URL, and so has each of its aliases.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiError, Qualifier, read_members};
use crate::sandbox::account::{Account, Target};
use crate::sandbox::url_config::AuthType;

/// How Lambda writes `CreationTime` and `LastModifiedTime` of a URL.
const TIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.9fZ";

pub(super) async fn get_url(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    Query(Qualifier { qualifier }): Query<Qualifier>,
) -> Result<Json<Value>, ApiError> {
    let target = find(&account, &name, qualifier.as_deref())?;
    Ok(Json(document(&account, &target)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Update {
    auth_type: Option<AuthType>,
    invoke_mode: Option<InvokeMode>,
}

/// The sandbox has no response streaming.
#[derive(Debug, Clone, Copy, Deserialize)]
enum InvokeMode {
    #[serde(rename = "BUFFERED")]
    Buffered,
}

pub(super) async fn update_url(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    Query(Qualifier { qualifier }): Query<Qualifier>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let update: Update = read_members(&body)?;
    let target = find(&account, &name, qualifier.as_deref())?;
    let (urls, alias) = (&target.function.urls, target.qualifier.as_deref());
    // The only mode is the one that is there.
    let Update { auth_type, invoke_mode: Some(InvokeMode::Buffered) | None } = update;
    let auth_type = auth_type.unwrap_or(urls.get(alias).0);
    urls.set(alias, auth_type, account.context.clock.now());
    Ok(Json(document(&account, &target)))
}

/// The function or alias that a URL belongs to.
fn find(account: &Account, name: &str, qualifier: Option<&str>) -> Result<Target, ApiError> {
    let target = account.find(name, qualifier)?;
    match target.qualifier.as_deref() {
        Some(other) if target.function.alias(other).is_none() => Err(ApiError::InvalidParameter(format!(
            "Value '{other}' at 'qualifier' failed to satisfy constraint: a URL belongs to an alias"
        ))),
        Some(_) | None => Ok(target),
    }
}

fn document(account: &Account, target: &Target) -> Value {
    let function = &target.function;
    let public_name = match &target.qualifier {
        None => function.name.clone(),
        Some(alias) => format!("{}:{alias}", function.name),
    };
    let (auth_type, changed) = function.urls.get(target.qualifier.as_deref());
    // A URL is as old as the sandbox.
    let created = account.context.clock.origin();
    json!({
        "FunctionUrl": format!("{}/", account.context.function_url(&public_name)),
        "FunctionArn": target.arn,
        "AuthType": auth_type,
        "CreationTime": created.format(TIME_FORMAT).to_string(),
        "LastModifiedTime": changed.unwrap_or(created).format(TIME_FORMAT).to_string(),
        "InvokeMode": "BUFFERED",
    })
}
