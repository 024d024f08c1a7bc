//! Event source mappings: List, Get and UpdateEventSourceMapping. They come from the file; none is made or deleted.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiError, epoch_seconds, read_members};
use crate::sandbox::account::Account;
use crate::sandbox::event_source::{EventSource, ShownSource, SourceChange};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Of {
    function_name: Option<String>,
    event_source_arn: Option<String>,
}

/// Mappings of a function, of a queue, or all; there is one page.
pub(super) async fn list(State(account): State<Arc<Account>>, Query(of): Query<Of>) -> Result<Json<Value>, ApiError> {
    let function = match &of.function_name {
        Some(name) => Some(account.find(name, None)?),
        None => None,
    };
    // A mapping of the file leads to the function as a whole, not to one of its aliases.
    let is_asked = |source: &EventSource| {
        let is_function = function
            .as_ref()
            .is_none_or(|target| target.function.name == source.function && target.qualifier.is_none());
        is_function && of.event_source_arn.as_ref().is_none_or(|arn| *arn == source.queue.arn())
    };
    let mappings: Vec<Value> = account
        .event_sources
        .iter()
        .filter(|source| is_asked(source))
        .map(|source| document(&account, source, &source.shown()))
        .collect();
    Ok(Json(json!({"EventSourceMappings": mappings})))
}

fn find<'a>(account: &'a Account, uuid: &str) -> Result<&'a EventSource, ApiError> {
    let found = account.event_sources.iter().find(|source| source.uuid == uuid);
    found.map(AsRef::as_ref).ok_or_else(|| ApiError::NotFound("The resource you requested does not exist.".to_owned()))
}

pub(super) async fn get(
    State(account): State<Arc<Account>>,
    Path(uuid): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let source = find(&account, &uuid)?;
    Ok(Json(document(&account, source, &source.shown())))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Update {
    function_name: Option<String>,
    enabled: Option<bool>,
    batch_size: Option<u32>,
    scaling_config: Option<ScalingConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct ScalingConfig {
    maximum_concurrency: Option<u32>,
}

pub(super) async fn update(
    State(account): State<Arc<Account>>,
    Path(uuid): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let update: Update = read_members(&body)?;
    let source = find(&account, &uuid)?;
    if let Some(name) = &update.function_name {
        let target = account.find(name, None)?;
        if target.function.name != source.function || target.qualifier.is_some() {
            let text = "the sandbox can not lead an event source to another function or to an alias";
            return Err(ApiError::InvalidParameter(text.to_owned()));
        }
    }
    let change = SourceChange {
        batch_size: update.batch_size,
        enabled: update.enabled,
        maximum_concurrency: update.scaling_config.map(|scaling| scaling.maximum_concurrency),
    };
    let shown = source.update(change, account.context.clock.now())?;
    Ok((StatusCode::ACCEPTED, Json(document(&account, source, &shown))))
}

/// An `EventSourceMappingConfiguration`.
fn document(account: &Account, source: &EventSource, shown: &ShownSource) -> Value {
    let (region, account_id) = (&account.context.region, &account.context.account_id);
    let mut document = json!({
        "UUID": source.uuid,
        "BatchSize": shown.settings.batch_size,
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": source.queue.arn(),
        "FunctionArn": account.context.function_arn(&source.function),
        "LastModified": epoch_seconds(shown.modified),
        "LastProcessingResult": shown.last_result,
        "State": shown.state,
        "StateTransitionReason": "USER_INITIATED",
        "FunctionResponseTypes": [],
        "EventSourceMappingArn": format!("arn:aws:lambda:{region}:{account_id}:event-source-mapping:{}", source.uuid),
    });
    if let Some(concurrency) = shown.settings.maximum_concurrency {
        document["ScalingConfig"] = json!({"MaximumConcurrency": concurrency});
    }
    document
}
