//! The routes: Toxiproxy's, and ours under `/gameday/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::metrics;
use super::rules;
use super::tls;
use super::wire::{self, LeaseRequest, WireError};
use crate::proxy::counters::Stats;
use crate::proxy::lease::{LEASE_MS_MAX, checked_wait};
use crate::proxy::registry::Registry;
use crate::proxy::running::ProxyView;
use crate::proxy::state::RegistryError;
use crate::proxy::toxic::ToxicSpec;
use crate::unit::PROMETHEUS_CONTENT_TYPE;

/// The longest request body.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// What the routes work on.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    pub(crate) registry: Arc<Registry>,
    /// Ends the process.
    pub(crate) stop: CancellationToken,
}

impl Admin {
    /// The routes of the admin API.
    pub(crate) fn routes(self) -> Router {
        Router::new()
            .route("/version", get(version))
            .route("/proxies", get(list_proxies).post(create_proxy))
            .route("/proxies/{proxy}", get(show_proxy).post(change_proxy).patch(change_proxy).delete(delete_proxy))
            .route("/proxies/{proxy}/toxics", get(list_toxics).post(add_toxic))
            .route(
                "/proxies/{proxy}/toxics/{toxic}",
                get(show_toxic).post(change_toxic).patch(change_toxic).delete(remove_toxic),
            )
            .merge(rules::routes())
            .merge(tls::routes())
            .route("/populate", post(populate))
            .route("/reset", post(reset))
            .route("/metrics", get(show_metrics))
            .route("/gameday/lease", post(lease))
            .route("/gameday/stats", get(stats))
            .route("/gameday/shutdown", post(shutdown))
            .fallback(async || ApiError::new(StatusCode::NOT_FOUND, "there is no such path"))
            .method_not_allowed_fallback(async || {
                ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "the path does not take this method")
            })
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(self)
    }
}

/// A refusal: `{"error": "proxy `x` not found", "status": 404}`.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    text: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    fn from_error(status: StatusCode, error: &dyn std::error::Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        Self { status, text }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(json!({"error": self.text, "status": self.status.as_u16()}));
        (self.status, body).into_response()
    }
}

impl From<WireError> for ApiError {
    fn from(error: WireError) -> Self {
        Self::from_error(StatusCode::BAD_REQUEST, &error)
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> Self {
        Self::new(rejection.status(), rejection.body_text())
    }
}

impl From<RegistryError> for ApiError {
    fn from(error: RegistryError) -> Self {
        Self::from_error(status_of(&error), &error)
    }
}

/// The status that tells a client what it can do about an error.
fn status_of(error: &RegistryError) -> StatusCode {
    match error {
        RegistryError::NoProxy(_)
        | RegistryError::NoToxic { .. }
        | RegistryError::NoRule { .. }
        | RegistryError::NoTlsFault(_)
        | RegistryError::NoAuthority(_) => StatusCode::NOT_FOUND,
        RegistryError::ProxyExists(_)
        | RegistryError::ToxicExists { .. }
        | RegistryError::RuleExists { .. }
        | RegistryError::Reopened(_)
        | RegistryError::OtherOutage(_)
        | RegistryError::OtherTlsFault(_)
        | RegistryError::LeaseLapsed => StatusCode::CONFLICT,
        RegistryError::Toxic(_)
        | RegistryError::Tls { .. }
        | RegistryError::NoClientTls(_)
        | RegistryError::Reachable(_)
        | RegistryError::Unfit(_)
        | RegistryError::NoResigner => StatusCode::BAD_REQUEST,
        // As Toxiproxy does: the request is good, this machine can not do it.
        RegistryError::Listen { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        RegistryError::Entry { source, .. } => status_of(source),
    }
}

pub(super) type Body = Result<Bytes, BytesRejection>;
pub(super) type Answer<T> = Result<T, ApiError>;

async fn version() -> Json<serde_json::Value> {
    Json(json!({"version": env!("CARGO_PKG_VERSION"), "program": env!("CARGO_PKG_NAME")}))
}

async fn show_metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let views = admin.registry.views().await;
    let text = metrics::render(&admin.registry.stats().await, &views);
    ([(header::CONTENT_TYPE, PROMETHEUS_CONTENT_TYPE)], text)
}

async fn list_proxies(State(admin): State<Admin>) -> Json<BTreeMap<String, ProxyView>> {
    let views = admin.registry.views().await;
    Json(views.into_iter().map(|view| (view.name.to_string(), view)).collect())
}

async fn create_proxy(State(admin): State<Admin>, body: Body) -> Answer<(StatusCode, Json<ProxyView>)> {
    let view = admin.registry.create(wire::parse_proxy(&body?)?).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

async fn show_proxy(State(admin): State<Admin>, Path(proxy): Path<String>) -> Answer<Json<ProxyView>> {
    Ok(Json(admin.registry.view(&proxy).await?))
}

async fn change_proxy(State(admin): State<Admin>, Path(proxy): Path<String>, body: Body) -> Answer<Json<ProxyView>> {
    let change = wire::parse_change(&proxy, &body?)?;
    Ok(Json(admin.registry.update(&proxy, change).await?))
}

async fn delete_proxy(State(admin): State<Admin>, Path(proxy): Path<String>) -> Answer<StatusCode> {
    admin.registry.delete(&proxy).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn populate(State(admin): State<Admin>, body: Body) -> Answer<(StatusCode, Json<serde_json::Value>)> {
    let views = admin.registry.populate(wire::parse_proxies(&body?)?).await?;
    Ok((StatusCode::CREATED, Json(json!({"proxies": views}))))
}

async fn reset(State(admin): State<Admin>) -> Answer<StatusCode> {
    admin.registry.reset().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_toxics(State(admin): State<Admin>, Path(proxy): Path<String>) -> Answer<Json<Vec<ToxicSpec>>> {
    Ok(Json(admin.registry.toxics(&proxy).await?))
}

async fn add_toxic(State(admin): State<Admin>, Path(proxy): Path<String>, body: Body) -> Answer<Json<ToxicSpec>> {
    let spec = wire::parse_toxic(&body?)?;
    admin.registry.add_toxic(&proxy, spec.clone()).await?;
    Ok(Json(spec))
}

async fn show_toxic(
    State(admin): State<Admin>,
    Path((proxy, toxic)): Path<(String, String)>,
) -> Answer<Json<ToxicSpec>> {
    Ok(Json(admin.registry.toxic(&proxy, &toxic).await?))
}

async fn change_toxic(
    State(admin): State<Admin>,
    Path((proxy, toxic)): Path<(String, String)>,
    body: Body,
) -> Answer<Json<ToxicSpec>> {
    let patch = wire::parse(&body?)?;
    Ok(Json(admin.registry.change_toxic(&proxy, &toxic, patch).await?))
}

async fn remove_toxic(State(admin): State<Admin>, Path((proxy, toxic)): Path<(String, String)>) -> Answer<StatusCode> {
    admin.registry.remove_toxic(&proxy, &toxic).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn lease(State(admin): State<Admin>, body: Body) -> Answer<Json<Stats>> {
    let request: LeaseRequest = wire::parse(&body?)?;
    let ttl = wire::parse_ttl(request.ttl_ms)?;
    let limit = |millis| checked_wait(millis).ok_or(WireError::Wait { field: "time_limit_ms", most: LEASE_MS_MAX });
    let time_limit = request.time_limit_ms.map(limit).transpose()?;
    admin.registry.renew(ttl, time_limit).await;
    Ok(Json(admin.registry.stats().await))
}

async fn stats(State(admin): State<Admin>) -> Json<Stats> {
    Json(admin.registry.stats().await)
}

async fn shutdown(State(admin): State<Admin>) -> StatusCode {
    // The answer means that the ports are free. It is still sent: the process ends when its requests are done.
    admin.registry.close().await;
    admin.stop.cancel();
    StatusCode::ACCEPTED
}
