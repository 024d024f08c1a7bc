//! The routes of rules: `/proxies/{proxy}/rules` and `/proxies/{proxy}/rules/{rule}`. Toxiproxy has none.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use super::routes::{Admin, Answer, ApiError, Body};
use super::wire::{self, TtlPatch};
use crate::proxy::http::{RuleSpec, RuleStats};

/// A rule with what it has done: the answer to `GET`.
#[derive(Debug, Serialize)]
struct RuleView {
    rule: RuleSpec,
    stats: RuleStats,
}

impl From<(RuleSpec, RuleStats)> for RuleView {
    fn from((rule, stats): (RuleSpec, RuleStats)) -> Self {
        Self { rule, stats }
    }
}

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/proxies/{proxy}/rules", get(list).post(add))
        .route("/proxies/{proxy}/rules/{rule}", get(show).patch(put_off).delete(remove))
}

async fn list(State(admin): State<Admin>, Path(proxy): Path<String>) -> Answer<Json<Vec<RuleView>>> {
    Ok(Json(admin.registry.rules(&proxy).await?.into_iter().map(RuleView::from).collect()))
}

async fn add(
    State(admin): State<Admin>,
    Path(proxy): Path<String>,
    body: Body,
) -> Answer<(StatusCode, Json<RuleSpec>)> {
    let spec: RuleSpec = wire::parse(&body?)?;
    let problems: Vec<String> =
        spec.problems().into_iter().map(|problem| format!("`{}`: {}", problem.key, problem.message)).collect();
    if !problems.is_empty() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, format!("the rule is not valid: {}", problems.join("; "))));
    }
    admin.registry.add_rule(&proxy, spec.clone()).await?;
    Ok((StatusCode::CREATED, Json(spec)))
}

async fn show(State(admin): State<Admin>, Path((proxy, rule)): Path<(String, String)>) -> Answer<Json<RuleView>> {
    Ok(Json(admin.registry.rule(&proxy, &rule).await?.into()))
}

async fn put_off(
    State(admin): State<Admin>,
    Path((proxy, rule)): Path<(String, String)>,
    body: Body,
) -> Answer<Json<RuleSpec>> {
    let TtlPatch { ttl_ms } = wire::parse(&body?)?;
    Ok(Json(admin.registry.put_rule_off(&proxy, &rule, wire::parse_ttl(ttl_ms)?).await?))
}

async fn remove(State(admin): State<Admin>, Path((proxy, rule)): Path<(String, String)>) -> Answer<StatusCode> {
    admin.registry.remove_rule(&proxy, &rule).await?;
    Ok(StatusCode::NO_CONTENT)
}
