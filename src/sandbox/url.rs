//! Function URLs: plain HTTP in, an event of payload format 2.0 to the function, and its answer back as HTTP.
//!
//! Owns: both translations. Must not know: processes. Source: AWS Lambda, "Invoking Lambda function URLs".

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, SET_COOKIE, TRANSFER_ENCODING, USER_AGENT,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::account::{Account, InvokeError, REQUEST_BYTES_MAX};
use super::control::{ApiError, names_this_machine};
use super::server::read_body;
use super::url_config::AuthType;

/// How `requestContext.time` is written.
const TIME_FORMAT: &str = "%d/%b/%Y:%H:%M:%S %z";

/// The front door: `/NAME/…`, where `NAME` may carry a version or an alias.
pub(super) fn router(account: Arc<Account>) -> Router {
    Router::new().fallback(serve).with_state(account)
}

async fn serve(State(account): State<Arc<Account>>, request: Request) -> Response {
    if !names_this_machine(request.headers()) {
        return ApiError::NotFromHere.into_response();
    }
    let (parts, body) = request.into_parts();
    let (name, path) = split_path(parts.uri.path());
    let target = match account.find(name, None) {
        Ok(target) => target,
        Err(error) => return ApiError::from(error).into_response(),
    };
    let (auth_type, _) = target.function.urls.get(target.qualifier.as_deref());
    if auth_type == AuthType::Iam && !is_signed(&parts) {
        return forbidden();
    }
    let Ok(body) = read_body(body, REQUEST_BYTES_MAX).await else {
        return ApiError::RequestTooLarge(REQUEST_BYTES_MAX).into_response();
    };
    let caller = Caller { account_id: &account.context.account_id, name, at: account.context.clock.now() };
    let event = event(&parts, path, &body, &caller);
    match account.invoke(&target, event.to_string().into()).await {
        Ok(outcome) if outcome.failed => bad_gateway(),
        Ok(outcome) => response(&outcome.payload).unwrap_or_else(bad_gateway),
        Err(InvokeError::Throttled(throttle)) => ApiError::Throttled(throttle).into_response(),
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// `/shop/items/1` → `shop` and `/items/1`.
fn split_path(path: &str) -> (&str, &str) {
    let path = path.trim_start_matches('/');
    path.find('/').map_or((path, "/"), |slash| path.split_at(slash))
}

fn bad_gateway() -> Response {
    (StatusCode::BAD_GATEWAY, Json(json!({"message": "Internal Server Error"}))).into_response()
}

/// What AWS answers to a request that is not signed.
fn forbidden() -> Response {
    (StatusCode::FORBIDDEN, Json(json!({"Message": "Forbidden"}))).into_response()
}

/// Whether there is a signature, in the headers or in the query. It is not checked.
fn is_signed(parts: &Parts) -> bool {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut query = parts.uri.query().unwrap_or_default().split('&');
    header.starts_with("AWS4-HMAC-SHA256") || query.any(|pair| pair.starts_with("X-Amz-Signature="))
}

struct Caller<'a> {
    account_id: &'a str,
    name: &'a str,
    at: DateTime<Utc>,
}

/// The event of payload format 2.0.
fn event(parts: &Parts, path: &str, body: &Bytes, caller: &Caller<'_>) -> Value {
    let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": parts.uri.query().unwrap_or_default(),
        "headers": joined_headers(&parts.headers),
        "requestContext": {
            "accountId": caller.account_id,
            "apiId": caller.name,
            "domainName": format!("{}.lambda-url.sandbox", caller.name),
            "domainPrefix": caller.name,
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": user_agent,
            },
            "requestId": Uuid::new_v4().to_string(),
            "routeKey": "$default",
            "stage": "$default",
            "time": caller.at.format(TIME_FORMAT).to_string(),
            "timeEpoch": caller.at.timestamp_millis(),
        },
        "isBase64Encoded": false,
    });
    let cookies: Vec<&str> = parts
        .headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';').map(str::trim))
        .collect();
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    if let Some(parameters) = query_parameters(parts) {
        event["queryStringParameters"] = json!(parameters);
    }
    if !body.is_empty() {
        match std::str::from_utf8(body).ok().filter(|_| is_text(&parts.headers)) {
            Some(text) => event["body"] = text.into(),
            None => {
                event["body"] = BASE64_STANDARD.encode(body).into();
                event["isBase64Encoded"] = true.into();
            }
        }
    }
    event
}

/// Several headers of a name become one with commas; cookies have a member of their own.
fn joined_headers(headers: &HeaderMap) -> BTreeMap<&str, String> {
    let mut joined: BTreeMap<&str, String> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != COOKIE) {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined.entry(name.as_str()).and_modify(|text| text.extend([",", &value])).or_insert_with(|| value.into_owned());
    }
    joined
}

fn query_parameters(parts: &Parts) -> Option<BTreeMap<String, String>> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).ok()?;
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs {
        parameters.entry(name).and_modify(|text| text.extend([",", &value])).or_insert(value);
    }
    (!parameters.is_empty()).then_some(parameters)
}

/// Whether Lambda passes a body of this type as text; every other is Base64.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || matches!(kind, "application/json" | "application/javascript" | "application/xml")
}

/// A function's answer in payload format 2.0.
#[derive(Debug, Default, Deserialize)]
struct Answer {
    #[serde(rename = "statusCode")]
    status: u16,
    #[serde(default)]
    headers: Option<Map<String, Value>>,
    #[serde(default)]
    cookies: Option<Vec<String>>,
    #[serde(default)]
    body: Option<Value>,
    #[serde(default, rename = "isBase64Encoded")]
    is_base64: bool,
}

/// The HTTP answer; `None` when the function's answer is malformed, which AWS answers with 502.
///
/// With no `statusCode` the whole answer is the body of a 200 of JSON; a JSON string is its text.
fn response(payload: &[u8]) -> Option<Response> {
    let value: Value = serde_json::from_slice(payload).ok()?;
    if value.get("statusCode").is_none() {
        return Some(([(CONTENT_TYPE, "application/json")], text_of(value)).into_response());
    }
    let answer: Answer = serde_json::from_value(value).ok()?;
    let body = text_of(answer.body.unwrap_or_default());
    let body = if answer.is_base64 { Body::from(BASE64_STANDARD.decode(body).ok()?) } else { Body::from(body) };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).ok().filter(|status| status.as_u16() >= 200)?;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in answer.headers.unwrap_or_default() {
        let name: HeaderName = name.parse().ok()?;
        // The server frames the body itself.
        if name != CONTENT_LENGTH && name != TRANSFER_ENCODING {
            headers.insert(name, text_of(value).parse().ok()?);
        }
    }
    for cookie in answer.cookies.unwrap_or_default() {
        headers.append(SET_COOKIE, cookie.parse().ok()?);
    }
    Some(response)
}

/// A string's text, nothing for `null`, and any other value as JSON.
fn text_of(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event_of(request: axum::http::request::Builder, body: &'static [u8]) -> Value {
        let (parts, ()) = request.body(()).expect("a good request").into_parts();
        let caller = Caller { account_id: "000000000000", name: "shop", at: DateTime::UNIX_EPOCH };
        let path = split_path(parts.uri.path()).1.to_owned();
        event(&parts, &path, &Bytes::from_static(body), &caller)
    }

    async fn answer_of(payload: &str) -> Option<(u16, HeaderMap, Bytes)> {
        let (parts, body) = response(payload.as_bytes())?.into_parts();
        Some((parts.status.as_u16(), parts.headers, read_body(body, 1_000).await.ok()?))
    }

    #[test]
    fn the_functions_name_is_not_part_of_its_path() {
        assert_eq!(split_path("/shop/items/1"), ("shop", "/items/1"));
        assert_eq!(split_path("/shop"), ("shop", "/"));
        assert_eq!(split_path("/shop:live/"), ("shop:live", "/"));
        assert_eq!(split_path("/"), ("", "/"));
    }

    #[test]
    fn a_request_becomes_an_event_of_format_2() {
        let request = axum::http::Request::builder()
            .method("POST")
            .uri("/shop/items/1?a=1&b=x%20y&a=2")
            .header("Content-Type", "application/json")
            .header("X-Two", "1")
            .header("X-Two", "2")
            .header("Cookie", "s=1; t=2");
        let event = event_of(request, b"{\"n\":1}");
        assert_eq!(event["rawPath"], "/items/1");
        assert_eq!(event["rawQueryString"], "a=1&b=x%20y&a=2");
        assert_eq!(event["queryStringParameters"], json!({"a": "1,2", "b": "x y"}));
        assert_eq!(event["headers"]["x-two"], "1,2");
        assert_eq!(event["cookies"], json!(["s=1", "t=2"]));
        assert_eq!(event["headers"].get("cookie"), None);
        assert_eq!(event["body"], "{\"n\":1}");
        assert_eq!(event["isBase64Encoded"], false);
        assert_eq!(event["requestContext"]["http"]["method"], "POST");
        assert_eq!(event["requestContext"]["time"], "01/Jan/1970:00:00:00 +0000");
    }

    #[test]
    fn a_body_that_is_not_text_is_base64() {
        let request = axum::http::Request::builder().method("PUT").uri("/shop/x").header("Content-Type", "image/png");
        let event = event_of(request, &[0xff, 0x00]);
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/wA="), &json!(true)));
        let event = event_of(axum::http::Request::builder().uri("/shop/x"), b"");
        assert_eq!((event.get("body"), event.get("cookies"), event.get("queryStringParameters")), (None, None, None));
    }

    #[tokio::test]
    async fn an_answer_with_a_status_is_mapped() {
        let (status, headers, body) = answer_of(
            r#"{"statusCode": 201, "headers": {"X-One": 1, "Content-Length": "99"}, "cookies": ["a=1", "b=2"], "body": "hi"}"#,
        )
        .await
        .expect("a good answer");
        assert_eq!((status, body), (201, Bytes::from("hi")));
        assert_eq!(headers.get("x-one").map(HeaderValue::as_bytes), Some(&b"1"[..]));
        assert_eq!(headers.get_all(SET_COOKIE).iter().count(), 2);
        assert_eq!(headers.get(CONTENT_LENGTH), None);
        let encoded = answer_of(r#"{"statusCode": 200, "body": "/wA=", "isBase64Encoded": true}"#).await;
        assert_eq!(encoded.map(|(_, _, body)| body), Some(Bytes::from_static(&[0xff, 0x00])));
    }

    #[tokio::test]
    async fn an_answer_without_a_status_is_the_body_of_a_200() {
        for (payload, body) in [(r#"{"a":1}"#, r#"{"a":1}"#), (r#""hello""#, "hello"), ("[1,2]", "[1,2]"), ("null", "")]
        {
            let (status, headers, read) = answer_of(payload).await.expect(payload);
            assert_eq!((status, read), (200, Bytes::from(body)), "{payload}");
            assert_eq!(headers.get(CONTENT_TYPE), Some(&HeaderValue::from_static("application/json")));
        }
    }

    #[tokio::test]
    async fn a_malformed_answer_is_none() {
        for payload in [
            "not json",
            r#"{"statusCode": "x"}"#,
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": 101}"#,
            r#"{"statusCode": 200, "body": "?", "isBase64Encoded": true}"#,
            r#"{"statusCode": 200, "headers": {"a b": "c"}}"#,
        ] {
            assert!(answer_of(payload).await.is_none(), "{payload}");
        }
    }
}
