//! The Lambda Runtime API (2018-06-01) of one execution environment: what a function's runtime asks and answers.
//!
//! Owns: its HTTP. Must not know: processes, timeouts, who invoked. One listener an environment is what tells the
//! environments apart, so a runtime needs nothing but `AWS_LAMBDA_RUNTIME_API`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, body::Bytes};
use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::sync::mpsc;

use super::fis::{Fault, ResponseFault};
use super::server::{BodyError, read_body};
use crate::unit::Clock;

/// The largest answer of a function, in bytes. Source: AWS Lambda quotas (6 MB) and the text of its error.
pub(super) const RESPONSE_BYTES_MAX: usize = 6_291_556;

/// Events that wait for their environment; a runtime that asks faster waits itself.
const EVENTS_WAITING_MAX: usize = 16;

/// One invocation on its way to a runtime.
#[derive(Debug)]
pub(super) struct Delivery {
    pub request_id: String,
    /// The id that the trace of the invocation has.
    pub trace_id: String,
    pub invoked_arn: String,
    pub timeout: Duration,
    pub payload: Bytes,
    /// What an experiment does to it.
    pub fault: Fault,
}

/// What a runtime did.
#[derive(Debug)]
pub(super) enum RuntimeEvent {
    /// It asked for the next invocation: its init has ended.
    Waiting,
    /// It was given the invocation: the timeout starts here.
    Delivered,
    /// Its init failed; the error as JSON.
    InitFailed(Bytes),
    /// It answered the invocation.
    Answered(Bytes),
    /// It answered that the handler failed; the error as JSON.
    Failed(Bytes),
    /// Its answer was larger than [`RESPONSE_BYTES_MAX`].
    TooLarge,
}

/// The environment's ends of the API.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    pub router: Router,
    pub events: mpsc::Receiver<RuntimeEvent>,
    pub work: mpsc::Sender<Delivery>,
}

#[derive(Debug)]
struct Runtime {
    clock: Clock,
    events: mpsc::Sender<RuntimeEvent>,
    work: tokio::sync::Mutex<mpsc::Receiver<Delivery>>,
    /// The invocation that may be answered now, and the answer that replaces the runtime's.
    current: std::sync::Mutex<Option<(String, Option<ResponseFault>)>>,
}

impl RuntimeApi {
    /// The API of one environment, which must be served on a listener of its own.
    pub(super) fn new(clock: Clock) -> Self {
        let (event_sender, events) = mpsc::channel(EVENTS_WAITING_MAX);
        let (work, deliveries) = mpsc::channel(1);
        let runtime = Runtime {
            clock,
            events: event_sender,
            work: tokio::sync::Mutex::new(deliveries),
            current: std::sync::Mutex::new(None),
        };
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .with_state(Arc::new(runtime));
        Self { router, events, work }
    }
}

impl Runtime {
    /// Tells the environment; it has gone only when its process is being ended.
    async fn tell(&self, event: RuntimeEvent) -> Response {
        match self.events.send(event).await {
            Ok(()) => (StatusCode::ACCEPTED, Json(json!({"status": "OK"}))).into_response(),
            Err(_) => ended(),
        }
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<(String, Option<ResponseFault>)>> {
        self.current.lock().expect("invariant: nobody panics while holding the current request")
    }

    /// What replaces the answer to the invocation `id`; `None` when it is not under way. It can be answered once.
    fn close(&self, id: &str) -> Option<Option<ResponseFault>> {
        self.current().take_if(|(current, _)| current == id).map(|(_, fault)| fault)
    }

    /// Waits for the next invocation that the runtime is to have. Those that an experiment keeps from it are answered here.
    ///
    /// `None`: the environment has gone. A delay is part of the function's time: it was told of the delivery before.
    async fn take(&self) -> Option<(Delivery, DateTime<Utc>)> {
        loop {
            self.events.send(RuntimeEvent::Waiting).await.ok()?;
            let delivery = self.work.lock().await.recv().await?;
            *self.current() = Some((delivery.request_id.clone(), delivery.fault.response.clone()));
            self.events.send(RuntimeEvent::Delivered).await.ok()?;
            let deadline = self.clock.now() + delivery.timeout;
            if !delivery.fault.delay.is_zero() {
                tokio::time::sleep(delivery.fault.delay).await;
            }
            match delivery.fault.response.as_ref().filter(|response| response.is_prevented) {
                None => return Some((delivery, deadline)),
                Some(response) => {
                    self.close(&delivery.request_id);
                    self.events.send(replaced(response)).await.ok()?;
                }
            }
        }
    }
}

/// What an experiment has a runtime say.
fn replaced(response: &ResponseFault) -> RuntimeEvent {
    let payload = response.payload.clone();
    if response.is_error { RuntimeEvent::Failed(payload) } else { RuntimeEvent::Answered(payload) }
}

fn ended() -> Response {
    problem(StatusCode::FORBIDDEN, "the execution environment has ended", "Sandbox.Ended")
}

fn problem(status: StatusCode, message: &str, kind: &str) -> Response {
    (status, Json(json!({"errorMessage": message, "errorType": kind}))).into_response()
}

async fn next(State(runtime): State<Arc<Runtime>>) -> Response {
    let Some((delivery, deadline)) = runtime.take().await else { return ended() };
    let headers = [
        (HeaderName::from_static("lambda-runtime-aws-request-id"), delivery.request_id),
        (HeaderName::from_static("lambda-runtime-deadline-ms"), deadline.timestamp_millis().to_string()),
        (HeaderName::from_static("lambda-runtime-invoked-function-arn"), delivery.invoked_arn),
        (HeaderName::from_static("lambda-runtime-trace-id"), format!("Root={}", delivery.trace_id)),
        (axum::http::header::CONTENT_TYPE, "application/json".to_owned()),
    ];
    (headers, delivery.payload).into_response()
}

/// The trace id of an invocation that begins now: X-Ray's has the moment and 24 hexadecimal digits.
pub(super) fn trace_id(request_id: &str, now: DateTime<Utc>) -> String {
    let digits: String = request_id.chars().filter(char::is_ascii_hexdigit).take(24).collect();
    format!("1-{:08x}-{digits}", now.timestamp())
}

async fn response(State(runtime): State<Arc<Runtime>>, Path(id): Path<String>, request: Request) -> Response {
    answer(&runtime, &id, request.into_body(), RuntimeEvent::Answered).await
}

async fn error(
    State(runtime): State<Arc<Runtime>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let event = |body| RuntimeEvent::Failed(error_payload(body, &headers));
    answer(&runtime, &id, request.into_body(), event).await
}

async fn answer(runtime: &Runtime, id: &str, body: Body, event: impl FnOnce(Bytes) -> RuntimeEvent) -> Response {
    let body = match read_body(body, RESPONSE_BYTES_MAX).await {
        Ok(body) => Some(body),
        Err(BodyError::TooLarge) => None,
        // The runtime went away in mid answer; its process's end, or the timeout, will tell.
        Err(BodyError::Broken) => return StatusCode::BAD_REQUEST.into_response(),
    };
    let Some(fault) = runtime.close(id) else {
        return problem(StatusCode::BAD_REQUEST, "no such invocation is under way", "InvalidRequestID");
    };
    let Some(body) = body else {
        runtime.tell(RuntimeEvent::TooLarge).await;
        let message = format!("Exceeded maximum allowed payload size ({RESPONSE_BYTES_MAX} bytes).");
        return problem(StatusCode::PAYLOAD_TOO_LARGE, &message, "RequestEntityTooLarge");
    };
    runtime.tell(fault.as_ref().map_or_else(|| event(body), replaced)).await
}

async fn init_error(State(runtime): State<Arc<Runtime>>, headers: HeaderMap, request: Request) -> Response {
    match read_body(request.into_body(), RESPONSE_BYTES_MAX).await {
        Ok(body) => runtime.tell(RuntimeEvent::InitFailed(error_payload(body, &headers))).await,
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// The error as the caller gets it: the runtime's JSON, or what its header says where there is none.
fn error_payload(body: Bytes, headers: &HeaderMap) -> Bytes {
    if !body.is_empty() {
        return body;
    }
    let kind = headers.get("lambda-runtime-function-error-type").and_then(|value| value.to_str().ok());
    json!({"errorType": kind.unwrap_or("Runtime.Unknown"), "errorMessage": ""}).to_string().into()
}
