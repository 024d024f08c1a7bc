//! `checkout`: the shop's HTTP front.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /health` | 200 |
//! | `GET /items`, `GET /orders` | 200, a list |
//! | `POST /basket` `{"item": 17}` | 201 `{"id": "…"}` |
//! | `POST /basket/{id}/checkout` | 201 `{"order": "…", "payment": "paid"}`; see below when the payment does not come |
//!
//! It keeps nothing: a basket's id *is* the item. Environment: `PAYMENTS` (the function that takes the money),
//! `PAYMENT_TIMEOUT_MS` (1000), `CHECKOUT_DELAY_MS` (0), and `QUEUE_PAYMENTS`: when `on`, a payment that is throttled, late
//! or failed is answered with 201 `queued`; otherwise the customer gets 503.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};
use uuid::Uuid;

use super::http::{HttpEvent, answer};
use super::settings::{DemoError, millis, switch, text};

const PAYMENT_TIMEOUT_MS_DEFAULT: u64 = 1_000;

/// The price of everything, in cents.
const AMOUNT: u64 = 1_990;

/// The longest text of an item that a basket takes.
const ITEM_BYTES_MAX: usize = 200;

#[derive(Debug)]
struct Shop {
    /// The Invoke URL of the payments function; without one the shop can show its items and no more.
    payments_url: Option<String>,
    delay: Duration,
    queue_payments: bool,
    client: reqwest::Client,
}

pub(super) async fn run() -> Result<(), DemoError> {
    let shop = Shop::from_environment()?;
    let shop = &shop;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<HttpEvent>| async move {
        Ok::<Value, lambda_runtime::Error>(shop.handle(&event.payload).await)
    }))
    .await
    .map_err(DemoError::Runtime)
}

/// Why the money did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PaymentProblem {
    Throttled,
    Timeout,
    Failed,
}

impl PaymentProblem {
    fn name(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
        }
    }
}

impl Shop {
    fn from_environment() -> Result<Self, DemoError> {
        let endpoint = text("AWS_ENDPOINT_URL")?;
        let payments_url =
            text("PAYMENTS").ok().map(|name| format!("{endpoint}/2015-03-31/functions/{name}/invocations"));
        let timeout = millis("PAYMENT_TIMEOUT_MS", PAYMENT_TIMEOUT_MS_DEFAULT)?;
        Ok(Self {
            payments_url,
            delay: millis("CHECKOUT_DELAY_MS", 0)?,
            queue_payments: switch("QUEUE_PAYMENTS")?,
            client: reqwest::Client::builder().timeout(timeout).build()?,
        })
    }

    async fn handle(&self, event: &HttpEvent) -> Value {
        tokio::time::sleep(self.delay).await;
        let path: Vec<&str> = event.path.split('/').filter(|part| !part.is_empty()).collect();
        match (event.method(), path.as_slice()) {
            ("GET", ["health"]) => answer(200, &json!({"status": "ok"})),
            ("GET", ["items"]) => answer(200, &json!([{"item": 17, "name": "lamp"}, {"item": 18, "name": "shade"}])),
            ("GET", ["orders"]) => answer(200, &json!([])),
            ("POST", ["basket"]) => basket(event.json()),
            ("POST", ["basket", id, "checkout"]) => match item(id) {
                Some(item) => self.check_out(&item).await,
                None => answer(404, &json!({"error": "no such basket"})),
            },
            _ => answer(404, &json!({"error": "no such page"})),
        }
    }

    async fn check_out(&self, item: &Value) -> Value {
        let order = Uuid::new_v4().to_string();
        let payment = match self.pay(&order).await {
            Ok(()) => "paid",
            Err(_) if self.queue_payments => "queued",
            Err(problem) => return answer(503, &json!({"error": format!("payment {}", problem.name())})),
        };
        answer(201, &json!({"order": order, "item": item, "payment": payment}))
    }

    /// One try: a retry here would hide the throttle that a game day is about.
    async fn pay(&self, order: &str) -> Result<(), PaymentProblem> {
        let url = self.payments_url.as_ref().ok_or(PaymentProblem::Failed)?;
        let problem =
            |error: reqwest::Error| if error.is_timeout() { PaymentProblem::Timeout } else { PaymentProblem::Failed };
        let response =
            self.client.post(url).json(&json!({"order": order, "amount": AMOUNT})).send().await.map_err(problem)?;
        if response.status() == reqwest::StatusCode::TOO_MANY_REQUESTS {
            return Err(PaymentProblem::Throttled);
        }
        if response.status() != reqwest::StatusCode::OK || response.headers().contains_key("x-amz-function-error") {
            return Err(PaymentProblem::Failed);
        }
        let receipt: Value = response.json().await.map_err(problem)?;
        if receipt["paid"] == true { Ok(()) } else { Err(PaymentProblem::Failed) }
    }
}

fn basket(body: Option<Value>) -> Value {
    match body.as_ref().and_then(|body| body.get("item")).map(Value::to_string) {
        Some(item) if item.len() <= ITEM_BYTES_MAX => answer(201, &json!({"id": BASE64_URL_SAFE_NO_PAD.encode(item)})),
        _ => answer(400, &json!({"error": "write {\"item\": …}"})),
    }
}

/// The item that a basket's id stands for.
fn item(id: &str) -> Option<Value> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(id).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baskets_id_is_its_item() {
        let answer = basket(Some(json!({"item": 17})));
        assert_eq!(answer["statusCode"], 201);
        let body: Value = serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON");
        assert_eq!(item(body["id"].as_str().expect("an id")), Some(json!(17)));
        assert_eq!(item("no-such-basket"), None);
    }

    #[test]
    fn a_basket_needs_an_item_of_modest_size() {
        for body in [None, Some(json!({})), Some(json!({"item": "x".repeat(200)}))] {
            assert_eq!(basket(body)["statusCode"], 400);
        }
    }
}
