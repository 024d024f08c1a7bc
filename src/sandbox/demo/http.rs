//! The little of payload format 2.0 that the shop needs.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

/// An HTTP request as a function URL hands it over; other members are of no interest here.
#[derive(Debug, Deserialize)]
pub(super) struct HttpEvent {
    #[serde(rename = "rawPath")]
    pub path: String,
    #[serde(rename = "requestContext")]
    context: RequestContext,
    body: Option<String>,
    #[serde(default, rename = "isBase64Encoded")]
    is_base64: bool,
}

#[derive(Debug, Deserialize)]
struct RequestContext {
    http: Http,
}

#[derive(Debug, Deserialize)]
struct Http {
    method: String,
}

impl HttpEvent {
    pub(super) fn method(&self) -> &str {
        &self.context.http.method
    }

    /// The body as JSON; `None` when it is something else.
    pub(super) fn json(&self) -> Option<Value> {
        let body = self.body.as_ref()?;
        if self.is_base64 {
            serde_json::from_slice(&BASE64_STANDARD.decode(body).ok()?).ok()
        } else {
            serde_json::from_str(body).ok()
        }
    }
}

/// An HTTP answer in payload format 2.0.
pub(super) fn answer(status: u16, body: &Value) -> Value {
    json!({"statusCode": status, "headers": {"content-type": "application/json"}, "body": body.to_string()})
}
