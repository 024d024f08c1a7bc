//! `POST /`: where the services whose requests name their operation elsewhere than in the path are told apart.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::{sqs, sts};
use crate::sandbox::account::Account;

/// AWS's JSON protocols name service and operation in `X-Amz-Target`, the query protocol in the form.
pub(super) async fn call(State(account): State<Arc<Account>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    match target.and_then(|target| target.strip_prefix(sqs::TARGET_PREFIX)) {
        Some(operation) => sqs::call(&account, operation, &body).await,
        None => sts::query(&account, &body),
    }
}
