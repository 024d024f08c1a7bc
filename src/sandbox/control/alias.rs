//! Aliases: Get, List, Create, Update and DeleteAlias.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ApiError, function_alone, read_members};
use crate::sandbox::account::Account;
use crate::sandbox::alias::{Alias, AliasChange, AliasError};
use crate::sandbox::function::Function;
use crate::sandbox::provisioned::release;

#[derive(Debug, Deserialize)]
pub(super) struct OfVersion {
    #[serde(rename = "FunctionVersion")]
    version: Option<String>,
}

/// The body of `CreateAlias` and `UpdateAlias`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Body {
    name: Option<String>,
    function_version: Option<String>,
    description: Option<String>,
    routing_config: Option<RoutingConfig>,
    revision_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct RoutingConfig {
    additional_version_weights: Option<BTreeMap<String, f64>>,
}

impl Body {
    fn change(self) -> AliasChange {
        AliasChange {
            version: self.function_version,
            description: self.description,
            weights: self.routing_config.map(|routing| routing.additional_version_weights.unwrap_or_default()),
            revision: self.revision_id,
        }
    }
}

/// Aliases; there is one page.
pub(super) async fn list_aliases(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    Query(OfVersion { version }): Query<OfVersion>,
) -> Result<Json<Value>, ApiError> {
    let function = account.find(&name, None)?.function;
    let aliases: Vec<Value> = function
        .aliases()
        .iter()
        .filter(|(_, alias)| version.as_ref().is_none_or(|version| alias.version.to_string() == *version))
        .map(|(name, alias)| document(&function, name, alias))
        .collect();
    Ok(Json(json!({"Aliases": aliases})))
}

pub(super) async fn get_alias(
    State(account): State<Arc<Account>>,
    Path((name, alias)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let function = account.find(&name, None)?.function;
    let found = function.alias(&alias).ok_or_else(|| AliasError::Missing(format!("{}:{alias}", function.arn())))?;
    Ok(Json(document(&function, &alias, &found)))
}

pub(super) async fn create_alias(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let body: Body = read_members(&body)?;
    let alias = body.name.clone().ok_or_else(|| ApiError::InvalidParameter("`Name` is required".to_owned()))?;
    let function = function_alone(&account, &name)?;
    let created = function.create_alias(&alias, body.change())?;
    Ok((StatusCode::CREATED, Json(document(&function, &alias, &created))))
}

pub(super) async fn update_alias(
    State(account): State<Arc<Account>>,
    Path((name, alias)): Path<(String, String)>,
    body: Bytes,
) -> Result<Json<Value>, ApiError> {
    let body: Body = read_members(&body)?;
    let function = function_alone(&account, &name)?;
    let updated = function.update_alias(&alias, body.change())?;
    Ok(Json(document(&function, &alias, &updated)))
}

pub(super) async fn delete_alias(
    State(account): State<Arc<Account>>,
    Path((name, alias)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let function = function_alone(&account, &name)?;
    release(&account, &function, &alias);
    function.delete_alias(&alias);
    Ok(StatusCode::NO_CONTENT)
}

/// An `AliasConfiguration`.
fn document(function: &Function, name: &str, alias: &Alias) -> Value {
    let mut document = json!({
        "AliasArn": format!("{}:{name}", function.arn()),
        "Name": name,
        "FunctionVersion": alias.version.to_string(),
        "Description": alias.description,
        "RevisionId": alias.revision,
    });
    // Lambda leaves the member out when there is one version.
    if let Some(additional) = alias.additional {
        let weights = BTreeMap::from([(additional.version.to_string(), additional.weight)]);
        document["RoutingConfig"] = json!({"AdditionalVersionWeights": weights});
    }
    document
}
