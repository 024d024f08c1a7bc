//! `payments`: charges a card at the outside provider.
//!
//! Invoked with `{"order": "…", "amount": 1990}`; answers `{"paid": true, "provider_ms": 21}`, or fails. Environment:
//! `PROVIDER_URL` (needed to pay), `PROVIDER_TIMEOUT_MS` (2000), `PAYMENTS_DELAY_MS` (0).

use std::time::Duration;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::settings::{DemoError, millis, text};
use crate::unit::elapsed_ms;

const PROVIDER_TIMEOUT_MS_DEFAULT: u64 = 2_000;

#[derive(Debug, Deserialize)]
struct Payment {
    order: String,
    amount: u64,
}

/// Why a card was not charged.
#[derive(Debug, thiserror::Error)]
enum PaymentError {
    #[error("the environment variable `PROVIDER_URL` is not set")]
    NoProvider,
    #[error("the card provider did not answer in time")]
    Late,
    #[error("the card provider could not be reached: {0}")]
    Unreachable(String),
    #[error("the card provider answered {0}")]
    Refused(u16),
}

impl From<PaymentError> for Diagnostic {
    fn from(error: PaymentError) -> Self {
        let error_type = match error {
            PaymentError::NoProvider => "NoProvider",
            PaymentError::Late => "ProviderTimeout",
            PaymentError::Unreachable(_) => "ProviderUnreachable",
            PaymentError::Refused(_) => "ProviderRefused",
        };
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

pub(super) async fn run() -> Result<(), DemoError> {
    let provider = text("PROVIDER_URL").ok();
    let delay = millis("PAYMENTS_DELAY_MS", 0)?;
    let timeout = millis("PROVIDER_TIMEOUT_MS", PROVIDER_TIMEOUT_MS_DEFAULT)?;
    let client = reqwest::Client::builder().timeout(timeout).build()?;
    let (provider, client) = (provider.as_deref(), &client);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Payment>| async move {
        charge(client, provider, delay, &event.payload).await
    }))
    .await
    .map_err(DemoError::Runtime)
}

async fn charge(
    client: &reqwest::Client,
    provider: Option<&str>,
    delay: Duration,
    payment: &Payment,
) -> Result<Value, PaymentError> {
    tokio::time::sleep(delay).await;
    let provider = provider.ok_or(PaymentError::NoProvider)?;
    let started = Instant::now();
    let response = client
        .post(format!("{}/charge", provider.trim_end_matches('/')))
        .json(&json!({"order": payment.order, "amount": payment.amount}))
        .send()
        .await
        .map_err(|error| match error.is_timeout() {
            true => PaymentError::Late,
            false => PaymentError::Unreachable(error.to_string()),
        })?;
    if !response.status().is_success() {
        return Err(PaymentError::Refused(response.status().as_u16()));
    }
    Ok(json!({"paid": true, "provider_ms": elapsed_ms(started.elapsed())}))
}
