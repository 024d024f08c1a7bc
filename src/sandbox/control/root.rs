//! `POST /`, which several services share: what a request is for is said by its `X-Amz-Target`, or else by its form.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};

use super::{ApiError, sqs, sts};
use crate::sandbox::account::Account;
use crate::sandbox::{cloudwatch, logs};

/// A request of a JSON protocol goes to the service that its target begins with; one without a target is STS's.
pub(super) async fn dispatch(State(account): State<Arc<Account>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(target) = headers.get("x-amz-target").map(|target| String::from_utf8_lossy(target.as_bytes())) else {
        return sts::query(&account, &body);
    };
    if let Some(operation) = target.strip_prefix(cloudwatch::TARGET_PREFIX) {
        return cloudwatch::json(&account, operation, &headers, &body);
    }
    if let Some(operation) = target.strip_prefix(logs::TARGET_PREFIX) {
        return logs::json(&account, operation, &body);
    }
    if let Some(operation) = target.strip_prefix(sqs::TARGET_PREFIX) {
        return sqs::call(&account, operation, &body).await;
    }
    ApiError::UnknownOperation(format!("POST / {target}")).into_response()
}
