//! Invoke: synchronous, asynchronous, and dry.

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::{ApiError, Qualifier};
use crate::sandbox::account::{Account, REQUEST_BYTES_MAX};
use crate::sandbox::asynchronous;
use crate::sandbox::function::Outcome;
use crate::sandbox::server::{BodyError, read_body};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const LOG_RESULT: HeaderName = HeaderName::from_static("x-amz-log-result");

pub(super) async fn invoke(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    Query(Qualifier { qualifier }): Query<Qualifier>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    // The body is read even where there is no such function: a connection with an unread body is closed under the next request on it.
    let payload = read_body(request.into_body(), REQUEST_BYTES_MAX).await.map_err(|error| match error {
        BodyError::TooLarge => ApiError::RequestTooLarge(REQUEST_BYTES_MAX),
        BodyError::Broken => ApiError::BrokenBody,
    })?;
    let target = account.find(&name, qualifier.as_deref())?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match header("x-amz-invocation-type") {
        None | Some("RequestResponse") => {
            let outcome = account.invoke(&target, payload).await?;
            Ok(answer(outcome, header("x-amz-log-type") == Some("Tail")))
        }
        Some("Event") => {
            let request_id = asynchronous::invoke_later(&account, &target, payload)?;
            Ok((StatusCode::ACCEPTED, [(REQUEST_ID, request_id)]).into_response())
        }
        Some("DryRun") => {
            account.would_invoke(&payload)?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Some(other) => Err(ApiError::InvalidParameter(format!(
            "Value '{other}' at 'invocationType' failed to satisfy constraint: one of RequestResponse, Event, DryRun"
        ))),
    }
}

/// A function that failed is a success of Lambda's: status 200 and a header.
fn answer(outcome: Outcome, with_log: bool) -> Response {
    let mut headers = vec![
        (axum::http::header::CONTENT_TYPE, "application/json".to_owned()),
        (REQUEST_ID, outcome.request_id),
        (EXECUTED_VERSION, outcome.version.to_string()),
    ];
    if outcome.failed {
        headers.push((FUNCTION_ERROR, "Unhandled".to_owned()));
    }
    if with_log {
        headers.push((LOG_RESULT, BASE64_STANDARD.encode(&outcome.log)));
    }
    let mut response = outcome.payload.into_response();
    for (name, text) in headers {
        let value = text.parse().expect("invariant: ids, versions and Base64 are header values");
        response.headers_mut().insert(name, value);
    }
    response
}
