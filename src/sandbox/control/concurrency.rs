//! Reserved concurrency: Put, Get and DeleteFunctionConcurrency.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiError, function_alone};
use crate::sandbox::account::Account;

#[derive(Debug, Deserialize)]
struct Put {
    #[serde(rename = "ReservedConcurrentExecutions")]
    reserved: u32,
}

pub(super) async fn put_concurrency(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let put: Put = serde_json::from_slice(&body).map_err(|error| ApiError::InvalidParameter(error.to_string()))?;
    account.concurrency.reserve(&function_alone(&account, &name)?.name, Some(put.reserved))?;
    Ok(Json(json!({"ReservedConcurrentExecutions": put.reserved})))
}

pub(super) async fn get_concurrency(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let reserved = account.concurrency.reserved(&function_alone(&account, &name)?.name);
    // Lambda leaves the member out when nothing is reserved, which is not the same as 0.
    Ok(Json(reserved.map_or_else(|| json!({}), |reserved| json!({"ReservedConcurrentExecutions": reserved}))))
}

pub(super) async fn delete_concurrency(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    account.concurrency.reserve(&function_alone(&account, &name)?.name, None)?;
    Ok(StatusCode::NO_CONTENT)
}
