//! The wire form: JSON 1.1.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use uuid::Uuid;

use super::operation;
use crate::sandbox::account::Account;

/// What `X-Amz-Target` begins with when a request is for CloudWatch Logs.
pub(in crate::sandbox) const TARGET_PREFIX: &str = "Logs_20140328.";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// A request for `operation`.
pub(in crate::sandbox) fn json(account: &Account, operation: &str, body: &[u8]) -> Response {
    let (status, answer) = match operation::call(&account.context.logs, operation, body) {
        Ok(answer) => (StatusCode::OK, answer),
        Err(error) => {
            let (status, shape) = error.kind();
            (status, Some(json!({"__type": shape, "message": error.to_string()})))
        }
    };
    let body = answer.map(|answer| answer.to_string()).unwrap_or_default();
    let headers = [(CONTENT_TYPE, "application/x-amz-json-1.1".to_owned()), (REQUEST_ID, Uuid::new_v4().to_string())];
    (status, headers, body).into_response()
}
