//! The routes of TLS: `/proxies/{proxy}/tls/fault` and `/proxies/{proxy}/tls/ca.pem`. Toxiproxy has none.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use super::routes::{Admin, Answer, Body};
use super::wire::{self, TlsFaultPatch};
use crate::proxy::TlsFaultSpec;

/// The media type of PEM (RFC 8555, 9.1).
const PEM_TYPE: &str = "application/pem-certificate-chain";

/// A fault with how many handshakes have met it: the answer to `GET`.
#[derive(Debug, Serialize)]
struct TlsFaultView {
    fault: TlsFaultSpec,
    hits: u64,
}

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/proxies/{proxy}/tls/fault", get(show).put(put).patch(put_off).delete(remove))
        .route("/proxies/{proxy}/tls/ca.pem", get(authority))
}

async fn show(State(admin): State<Admin>, Path(proxy): Path<String>) -> Answer<Json<TlsFaultView>> {
    let (fault, hits) = admin.registry.tls_fault(&proxy).await?;
    Ok(Json(TlsFaultView { fault, hits }))
}

async fn put(State(admin): State<Admin>, Path(proxy): Path<String>, body: Body) -> Answer<Json<TlsFaultSpec>> {
    let spec = wire::parse_tls_fault(&body?)?;
    admin.registry.put_tls_fault(&proxy, spec.clone()).await?;
    Ok(Json(spec))
}

async fn put_off(State(admin): State<Admin>, Path(proxy): Path<String>, body: Body) -> Answer<Json<TlsFaultSpec>> {
    let TlsFaultPatch { ttl_ms, token } = wire::parse(&body?)?;
    let ttl = wire::parse_ttl(ttl_ms)?;
    Ok(Json(admin.registry.put_tls_fault_off(&proxy, ttl, token.as_deref()).await?))
}

async fn remove(State(admin): State<Admin>, Path(proxy): Path<String>) -> Answer<StatusCode> {
    admin.registry.remove_tls_fault(&proxy).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn authority(State(admin): State<Admin>, Path(proxy): Path<String>) -> Answer<impl IntoResponse> {
    let pem = admin.registry.authority(&proxy).await?;
    Ok(([(header::CONTENT_TYPE, PEM_TYPE)], pem))
}
