//! The outside card provider: no function, but a server that the shop depends on and does not own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::sandbox::SandboxError;
use crate::sandbox::server::{Bound, Server};

/// The shortest time that a charge takes.
const CHARGE_MS_MIN: u64 = 17;
/// Charges take this many different times in turn, each a millisecond longer: 17 to 23 ms, and the same in every run.
const CHARGE_MS_STEPS: u64 = 7;

/// A card provider on 127.0.0.1: `POST /charge` answers 200 `{"approved": true}` after about 20 ms, `GET /health` 200.
#[derive(Debug)]
pub struct CardProvider {
    server: Server,
}

impl CardProvider {
    /// Starts it on `port` of 127.0.0.1; 0 stands for any free one.
    ///
    /// # Errors
    /// [`SandboxError::Listen`], most often because the port is taken.
    pub async fn start(port: u16) -> Result<Self, SandboxError> {
        let charges = Arc::new(AtomicU64::new(0));
        let router = Router::new()
            .route("/charge", post(charge))
            .route("/health", get(async || Json(json!({"status": "ok"}))))
            .with_state(charges);
        Ok(Self { server: Bound::bind(port).await?.serve(router) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Closes its port, and waits for charges under way.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

async fn charge(State(charges): State<Arc<AtomicU64>>) -> Json<Value> {
    let step = charges.fetch_add(1, Ordering::Relaxed) % CHARGE_MS_STEPS;
    tokio::time::sleep(Duration::from_millis(CHARGE_MS_MIN + step)).await;
    Json(json!({"approved": true}))
}
