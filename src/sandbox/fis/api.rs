//! FIS's HTTP: paths, queries, pages, the envelope of each answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::routing::{get, patch};
use serde::Deserialize;
use serde_json::{Value, json};

use super::action::{ACTIONS, ActionInfo, FUNCTION_TYPE};
use super::error::FisError;
use super::template::check_tags;
use crate::sandbox::account::Account;

/// How many items a page has at most, and when nothing is asked for. Source: the service model.
const PAGE_MAX: usize = 100;

type Answer = Result<Json<Value>, FisError>;
type Sandbox = State<Arc<Account>>;

/// All operations.
pub(in crate::sandbox) fn router() -> Router<Arc<Account>> {
    Router::new()
        .route("/experimentTemplates", get(list_templates).post(create_template))
        .route("/experimentTemplates/{id}", get(get_template).patch(update_template).delete(delete_template))
        .route("/experiments", get(list_experiments).post(start_experiment))
        .route("/experiments/{id}", get(get_experiment).delete(stop_experiment))
        .route("/experiments/{id}/resolvedTargets", get(list_resolved_targets))
        .route("/actions", get(list_actions))
        .route("/actions/{id}", get(get_action))
        .route("/targetResourceTypes", get(list_resource_types))
        .route("/targetResourceTypes/{id}", get(get_resource_type))
        .route("/safetyLevers/{id}", get(get_lever))
        .route("/safetyLevers/{id}/state", patch(set_lever))
        .route("/tags/{arn}", get(list_tags).post(tag).delete(untag))
}

fn body(bytes: &Bytes) -> Result<Value, FisError> {
    let body: Value = serde_json::from_slice(bytes).map_err(|error| FisError::invalid(error.to_string()))?;
    body.is_object().then_some(body).ok_or_else(|| FisError::invalid("the body is not a JSON object"))
}

/// The query of an operation that answers in pages.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Paging {
    max_results: Option<usize>,
    next_token: Option<String>,
    experiment_template_id: Option<String>,
    target_name: Option<String>,
}

impl Paging {
    /// The page under a name, with the token for the next where there is one: how many items were answered already.
    fn answer(&self, name: &str, items: Vec<Value>) -> Answer {
        let size = self.max_results.unwrap_or(PAGE_MAX);
        if !(1..=PAGE_MAX).contains(&size) {
            return Err(FisError::invalid(format!("`maxResults` must be 1 to {PAGE_MAX}, not {size}")));
        }
        let skipped: usize = match &self.next_token {
            None => 0,
            Some(token) => token.parse().map_err(|_| FisError::invalid("`nextToken` is not one that an answer had"))?,
        };
        let total = items.len();
        let page: Vec<Value> = items.into_iter().skip(skipped).take(size).collect();
        let end = skipped.saturating_add(page.len());
        let mut answer = json!({name: page});
        if end < total {
            answer["nextToken"] = end.to_string().into();
        }
        Ok(Json(answer))
    }
}

async fn create_template(State(account): Sandbox, bytes: Bytes) -> Answer {
    let template = account.context.fis.create_template(&body(&bytes)?)?;
    Ok(Json(json!({"experimentTemplate": template})))
}

async fn get_template(State(account): Sandbox, Path(id): Path<String>) -> Answer {
    let fis = &account.context.fis;
    let template = fis.state().template(&id)?.document(&fis.arn_prefix);
    Ok(Json(json!({"experimentTemplate": template})))
}

async fn update_template(State(account): Sandbox, Path(id): Path<String>, bytes: Bytes) -> Answer {
    let template = account.context.fis.update_template(&id, &body(&bytes)?)?;
    Ok(Json(json!({"experimentTemplate": template})))
}

async fn delete_template(State(account): Sandbox, Path(id): Path<String>) -> Answer {
    Ok(Json(json!({"experimentTemplate": account.context.fis.delete_template(&id)?})))
}

async fn list_templates(State(account): Sandbox, Query(paging): Query<Paging>) -> Answer {
    let fis = &account.context.fis;
    let items = fis.state().templates.iter().map(|template| template.summary(&fis.arn_prefix)).collect();
    paging.answer("experimentTemplates", items)
}

async fn start_experiment(State(account): Sandbox, bytes: Bytes) -> Answer {
    Ok(Json(json!({"experiment": account.context.fis.start_experiment(&body(&bytes)?)?})))
}

async fn get_experiment(State(account): Sandbox, Path(id): Path<String>) -> Answer {
    let fis = &account.context.fis;
    let experiment = fis.state().experiment(&id)?.document(&fis.arn_prefix);
    Ok(Json(json!({"experiment": experiment})))
}

async fn stop_experiment(State(account): Sandbox, Path(id): Path<String>) -> Answer {
    Ok(Json(json!({"experiment": account.context.fis.stop_experiment(&id)?})))
}

async fn list_experiments(State(account): Sandbox, Query(paging): Query<Paging>) -> Answer {
    let fis = &account.context.fis;
    let wanted = paging.experiment_template_id.as_deref();
    let state = fis.state();
    let found = state.experiments.iter().filter(|found| wanted.is_none_or(|wanted| wanted == found.template_id));
    paging.answer("experiments", found.map(|experiment| experiment.summary(&fis.arn_prefix)).collect())
}

async fn list_resolved_targets(
    State(account): Sandbox,
    Path(id): Path<String>,
    Query(paging): Query<Paging>,
) -> Answer {
    let state = account.context.fis.state();
    let experiment = state.experiment(&id)?;
    if let Some(name) = paging.target_name.as_deref().filter(|name| !experiment.has_target(name)) {
        return Err(FisError::NotFound(format!("Target {name}")));
    }
    paging.answer("resolvedTargets", experiment.resolved_targets(paging.target_name.as_deref()))
}

async fn list_actions(State(account): Sandbox, Query(paging): Query<Paging>) -> Answer {
    let prefix = &account.context.fis.arn_prefix;
    paging.answer("actions", ACTIONS.iter().map(|action| action.document(prefix, false)).collect())
}

async fn get_action(State(account): Sandbox, Path(id): Path<String>) -> Answer {
    let action = ActionInfo::find(&id).ok_or_else(|| FisError::NotFound(format!("Action {id}")))?;
    Ok(Json(json!({"action": action.document(&account.context.fis.arn_prefix, true)})))
}

fn resource_type(with_parameters: bool) -> Value {
    let mut document = json!({"resourceType": FUNCTION_TYPE, "description": "An AWS Lambda function."});
    if with_parameters {
        let description = "The version or alias whose invocations are meant. The default is all.";
        document["parameters"] = json!({"functionQualifier": {"description": description, "required": false}});
    }
    document
}

async fn list_resource_types(Query(paging): Query<Paging>) -> Answer {
    paging.answer("targetResourceTypes", vec![resource_type(false)])
}

async fn get_resource_type(Path(id): Path<String>) -> Answer {
    if id != FUNCTION_TYPE {
        return Err(FisError::NotFound(format!("Target resource type {id}")));
    }
    Ok(Json(json!({"targetResourceType": resource_type(true)})))
}

async fn get_lever(State(account): Sandbox, Path(id): Path<String>) -> Answer {
    Ok(Json(json!({"safetyLever": account.context.fis.lever(&id)?})))
}

async fn set_lever(State(account): Sandbox, Path(id): Path<String>, bytes: Bytes) -> Answer {
    let body = body(&bytes)?;
    let text = |name: &str| body["state"][name].as_str();
    let is_engaged = match text("status") {
        Some("engaged") => true,
        Some("disengaged") => false,
        _ => return Err(FisError::invalid("`state.status` must be engaged or disengaged")),
    };
    let reason = text("reason").ok_or_else(|| FisError::invalid("`state.reason` is required"))?;
    Ok(Json(json!({"safetyLever": account.context.fis.set_lever(&id, is_engaged, reason.to_owned())?})))
}

async fn list_tags(State(account): Sandbox, Path(arn): Path<String>) -> Answer {
    let tags = account.context.fis.with_tags(&arn, |tags| Ok(tags.clone()))?;
    Ok(Json(json!({"tags": tags})))
}

async fn tag(State(account): Sandbox, Path(arn): Path<String>, bytes: Bytes) -> Answer {
    let body = body(&bytes)?;
    let added = BTreeMap::<String, String>::deserialize(&body["tags"])
        .map_err(|error| FisError::invalid(format!("`tags`: {error}")))?;
    account.context.fis.with_tags(&arn, |tags| {
        let mut all = tags.clone();
        all.extend(added);
        check_tags(&all)?;
        *tags = all;
        Ok(())
    })?;
    Ok(Json(json!({})))
}

/// Takes tags away; none when no key is named.
async fn untag(State(account): Sandbox, Path(arn): Path<String>, Query(query): Query<Vec<(String, String)>>) -> Answer {
    account.context.fis.with_tags(&arn, |tags| {
        tags.retain(|key, _| !query.iter().any(|(name, value)| name == "tagKeys" && value == key));
        Ok(())
    })?;
    Ok(Json(json!({})))
}
