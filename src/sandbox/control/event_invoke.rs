//! Put, Update, Get, List and DeleteFunctionEventInvokeConfig.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiError, Qualifier, epoch_seconds, function_alone, read_members};
use crate::sandbox::account::Account;
use crate::sandbox::asynchronous::UNQUALIFIED;
use crate::sandbox::event_invoke::{Dated, Destinations, EventInvoke};
use crate::sandbox::function::Function;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Body {
    maximum_retry_attempts: Option<u32>,
    maximum_event_age_in_seconds: Option<u64>,
    destination_config: Option<DestinationConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct DestinationConfig {
    on_success: Option<Destination>,
    on_failure: Option<Destination>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Destination {
    destination: Option<String>,
}

fn read(body: &[u8]) -> Result<EventInvoke, ApiError> {
    let body: Body = read_members(body)?;
    // An empty destination is none.
    let arn = |to: Option<Destination>| to.and_then(|to| to.destination).filter(|arn| !arn.is_empty());
    let event_invoke = EventInvoke {
        retries_max: body.maximum_retry_attempts,
        age_seconds_max: body.maximum_event_age_in_seconds,
        destinations: body
            .destination_config
            .map(|both| Destinations { on_success: arn(both.on_success), on_failure: arn(both.on_failure) }),
    };
    if event_invoke == EventInvoke::default() {
        let text = "You must specify at least one of error handling or destination setting.";
        return Err(ApiError::InvalidParameter(text.to_owned()));
    }
    match event_invoke.problem() {
        Some(problem) => Err(ApiError::InvalidParameter(problem)),
        None => Ok(event_invoke),
    }
}

/// The function and the qualifier that a request means.
fn find(account: &Account, name: &str, qualifier: Option<&str>) -> Result<(Arc<Function>, String), ApiError> {
    let target = account.find(name, qualifier)?;
    Ok((target.function, target.qualifier.unwrap_or_else(|| UNQUALIFIED.to_owned())))
}

fn missing(function: &Function, qualifier: &str) -> ApiError {
    ApiError::NotFound(format!("The function {}:{qualifier} doesn't have an EventInvokeConfig", function.arn()))
}

pub(super) async fn put(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    Query(Qualifier { qualifier }): Query<Qualifier>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let event_invoke = read(&body)?;
    let (function, qualifier) = find(&account, &name, qualifier.as_deref())?;
    let dated = function.event_invokes.put(&qualifier, event_invoke, account.context.clock.now());
    Ok(Json(document(&function, &qualifier, &dated)))
}

pub(super) async fn update(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    Query(Qualifier { qualifier }): Query<Qualifier>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let change = read(&body)?;
    let (function, qualifier) = find(&account, &name, qualifier.as_deref())?;
    let dated = function.event_invokes.update(&qualifier, change, account.context.clock.now());
    let dated = dated.ok_or_else(|| missing(&function, &qualifier))?;
    Ok(Json(document(&function, &qualifier, &dated)))
}

pub(super) async fn get(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    Query(Qualifier { qualifier }): Query<Qualifier>,
) -> Result<Json<Value>, ApiError> {
    let (function, qualifier) = find(&account, &name, qualifier.as_deref())?;
    let dated = function.event_invokes.get(&qualifier).ok_or_else(|| missing(&function, &qualifier))?;
    Ok(Json(document(&function, &qualifier, &dated)))
}

/// All of a function; there is one page.
pub(super) async fn list(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let function = function_alone(&account, &name)?;
    let all = function.event_invokes.all();
    let documents: Vec<Value> = all.iter().map(|(qualifier, dated)| document(&function, qualifier, dated)).collect();
    Ok(Json(json!({"FunctionEventInvokeConfigs": documents})))
}

pub(super) async fn delete(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    Query(Qualifier { qualifier }): Query<Qualifier>,
) -> Result<StatusCode, ApiError> {
    let (function, qualifier) = find(&account, &name, qualifier.as_deref())?;
    if function.event_invokes.delete(&qualifier) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(missing(&function, &qualifier))
    }
}

/// A `FunctionEventInvokeConfig`.
fn document(function: &Function, qualifier: &str, dated: &Dated) -> Value {
    let Dated { event_invoke, modified } = dated;
    let destination = |arn: &Option<String>| arn.as_ref().map_or_else(|| json!({}), |arn| json!({"Destination": arn}));
    let destinations = event_invoke.destinations.clone().unwrap_or_default();
    let mut document = json!({
        "LastModified": epoch_seconds(*modified),
        "FunctionArn": format!("{}:{qualifier}", function.arn()),
        "DestinationConfig": {
            "OnSuccess": destination(&destinations.on_success),
            "OnFailure": destination(&destinations.on_failure),
        },
    });
    // Lambda leaves out what was not said.
    if let Some(retries) = event_invoke.retries_max {
        document["MaximumRetryAttempts"] = retries.into();
    }
    if let Some(seconds) = event_invoke.age_seconds_max {
        document["MaximumEventAgeInSeconds"] = seconds.into();
    }
    document
}
