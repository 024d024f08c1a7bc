//! Versions: PublishVersion, ListVersionsByFunction, and DeleteFunction with a qualifier.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::configuration::document;
use super::{ApiError, Qualifier, function_alone, read_members};
use crate::sandbox::account::Account;
use crate::sandbox::configuration::DESCRIPTION_BYTES_MAX;
use crate::sandbox::name::FunctionReference;
use crate::sandbox::provisioned::release;

/// Versions, `$LATEST` first; there is one page.
pub(super) async fn list_versions(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let function = account.find(&name, None)?.function;
    let versions: Vec<Value> = function
        .versions()
        .into_iter()
        .filter_map(|version| {
            let shown = function.shown(version)?;
            Some(document(&account, &function, &shown, &format!("{}:{version}", function.arn())))
        })
        .collect();
    Ok(Json(json!({"Versions": versions})))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Publish {
    description: Option<String>,
    #[serde(rename = "CodeSha256")]
    code_sha256: Option<String>,
    revision_id: Option<String>,
}

pub(super) async fn publish_version(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let publish: Publish = if body.is_empty() { Publish::default() } else { read_members(&body)? };
    if publish.description.as_ref().is_some_and(|text| text.len() > DESCRIPTION_BYTES_MAX) {
        return Err(ApiError::InvalidParameter("Value at 'description' is longer than 256 characters".to_owned()));
    }
    let function = function_alone(&account, &name)?;
    let code_sha256 = function.program.code_sha256();
    if let Some(given) = publish.code_sha256.filter(|given| *given != code_sha256) {
        return Err(ApiError::InvalidParameter(format!(
            "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({code_sha256}). Please try again with \
             the CodeSHA256 in $LATEST."
        )));
    }
    let shown = function.publish(publish.description, publish.revision_id.as_deref())?;
    let arn = format!("{}:{}", function.arn(), shown.version);
    Ok((StatusCode::CREATED, Json(document(&account, &function, &shown, &arn))))
}

/// Deletes a version. A sandbox's functions come from a file: none is deleted as a whole.
pub(super) async fn delete_version(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    Query(Qualifier { qualifier }): Query<Qualifier>,
) -> Result<StatusCode, ApiError> {
    let qualifier = FunctionReference::parse(&name, qualifier.as_deref())?.qualifier;
    let problem = match qualifier.as_deref() {
        None => "the sandbox does not delete functions; name a version",
        Some("$LATEST") => "$LATEST version cannot be deleted without deleting the function.",
        Some(text) => match text.parse() {
            Ok(number) => {
                // An ARN of another account names nothing here, with or without the version.
                let plain = name.strip_suffix(&format!(":{text}")).unwrap_or(&name);
                let function = account.find(plain, None)?.function;
                function.delete_version(number)?;
                release(&account, &function, text);
                return Ok(StatusCode::NO_CONTENT);
            }
            Err(_) => "an alias is deleted with DeleteAlias; name a version",
        },
    };
    Err(ApiError::InvalidParameter(problem.to_owned()))
}
