//! The two wire forms: Smithy RPC v2 in CBOR, and JSON 1.0.
//!
//! Owns: paths, headers, encoding. Must not know: what an operation does. Requests become JSON before an operation sees them;
//! answers are CBOR values, of which a JSON client gets the untagged form.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use ciborium::Value;
use uuid::Uuid;

use super::document::{Members, to_json};
use super::error::CloudWatchError;
use super::operation;
use crate::sandbox::account::Account;

/// What `X-Amz-Target` begins with when a JSON request is CloudWatch's.
pub(in crate::sandbox) const TARGET_PREFIX: &str = "GraniteServiceVersion20100801.";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// `CODE;Sender` or `CODE;Receiver`: the code of the older query protocol, which clients go by where it is given.
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");
const SMITHY_PROTOCOL: HeaderName = HeaderName::from_static("smithy-protocol");
const RPC_V2_CBOR: &str = "rpc-v2-cbor";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Cbor,
    Json,
}

/// The paths of the CBOR protocol.
pub(in crate::sandbox) fn router() -> Router<Arc<Account>> {
    Router::new().route("/service/GraniteServiceVersion20100801/operation/{operation}", post(cbor))
}

async fn cbor(
    State(account): State<Arc<Account>>,
    Path(operation): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(Protocol::Cbor, &account, &operation, &headers, &body)
}

/// A request of the JSON protocol for `operation`.
pub(in crate::sandbox) fn json(account: &Account, operation: &str, headers: &HeaderMap, body: &[u8]) -> Response {
    answer(Protocol::Json, account, operation, headers, body)
}

fn answer(protocol: Protocol, account: &Account, operation: &str, headers: &HeaderMap, body: &[u8]) -> Response {
    let request = read(protocol, headers, body);
    let outcome = request.and_then(|request| operation::call(&account.context.cloudwatch, operation, request));
    let mut response = match outcome {
        Ok(Some(value)) => encoded(protocol, StatusCode::OK, &value),
        // An operation without an output has an empty body.
        Ok(None) => StatusCode::OK.into_response(),
        Err(error) => refusal(protocol, &error),
    };
    let headers = response.headers_mut();
    let request_id = Uuid::new_v4().to_string();
    headers.insert(REQUEST_ID, request_id.parse().expect("invariant: an id is a header value"));
    if protocol == Protocol::Cbor {
        headers.insert(SMITHY_PROTOCOL, HeaderValue::from_static(RPC_V2_CBOR));
    }
    response
}

fn read(protocol: Protocol, headers: &HeaderMap, body: &[u8]) -> Result<serde_json::Value, CloudWatchError> {
    if headers.contains_key(CONTENT_ENCODING) {
        let text = "the sandbox reads no compressed request; set AWS_DISABLE_REQUEST_COMPRESSION=true";
        return Err(CloudWatchError::Validation(text.to_owned()));
    }
    let unreadable = |problem: String| CloudWatchError::Validation(format!("the body could not be read: {problem}"));
    if body.is_empty() {
        return Ok(serde_json::json!({}));
    }
    match protocol {
        Protocol::Json => serde_json::from_slice(body).map_err(|error| unreadable(error.to_string())),
        Protocol::Cbor => ciborium::from_reader::<Value, _>(body)
            .map(|value| to_json(&value))
            .map_err(|error| unreadable(error.to_string())),
    }
}

fn encoded(protocol: Protocol, status: StatusCode, value: &Value) -> Response {
    let (kind, bytes) = match protocol {
        Protocol::Json => ("application/x-amz-json-1.0", to_json(value).to_string().into_bytes()),
        Protocol::Cbor => {
            let mut bytes = Vec::new();
            ciborium::into_writer(value, &mut bytes).expect("invariant: a vector takes every byte");
            ("application/cbor", bytes)
        }
    };
    (status, [(CONTENT_TYPE, kind)], bytes).into_response()
}

fn refusal(protocol: Protocol, error: &CloudWatchError) -> Response {
    let kind = error.kind();
    let body = Members::default().with("__type", kind.shape).with("message", error.to_string()).into();
    let mut response = encoded(protocol, kind.status, &body);
    let side = if kind.status.is_server_error() { "Receiver" } else { "Sender" };
    let value = format!("{};{side}", kind.code).parse().expect("invariant: a code is a header value");
    response.headers_mut().insert(QUERY_ERROR, value);
    response
}
