//! What there is: functions, tags, the account's settings.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};

use super::configuration::document;
use super::{ApiError, Qualifier};
use crate::sandbox::account::Account;
use crate::sandbox::concurrency::ACCOUNT_LIMIT;
use crate::sandbox::name::Version;

/// The code quota that `GetAccountSettings` answers: 75 GB.
const CODE_BYTES_MAX: u64 = 80_530_636_800;

/// All functions; the file that names them bounds their number, so there is one page.
pub(super) async fn list_functions(State(account): State<Arc<Account>>) -> Json<Value> {
    let functions: Vec<Value> = account
        .functions
        .values()
        .filter_map(|function| {
            let shown = function.shown(Version::Latest)?;
            Some(document(&account, function, &shown, &function.arn()))
        })
        .collect();
    Json(json!({"Functions": functions}))
}

pub(super) async fn get_function(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    Query(Qualifier { qualifier }): Query<Qualifier>,
) -> Result<Json<Value>, ApiError> {
    let target = account.find(&name, qualifier.as_deref())?;
    let function = &target.function;
    let shown = function.shown(target.version).ok_or(ApiError::NotFound(target.arn.clone()))?;
    let mut answer = json!({
        "Configuration": document(&account, function, &shown, &target.arn),
        "Code": {"RepositoryType": "Sandbox", "Location": function.program.directory.display().to_string()},
        "Tags": function.tags,
    });
    if let Some(reserved) = account.concurrency.reserved(&function.name) {
        answer["Concurrency"] = json!({"ReservedConcurrentExecutions": reserved});
    }
    Ok(Json(answer))
}

pub(super) async fn list_tags(
    State(account): State<Arc<Account>>,
    Path(arn): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let function = account.find(&arn, None)?.function;
    Ok(Json(json!({"Tags": function.tags})))
}

pub(super) async fn get_account_settings(State(account): State<Arc<Account>>) -> Json<Value> {
    Json(json!({
        "AccountLimit": {
            "TotalCodeSize": CODE_BYTES_MAX,
            "CodeSizeUnzipped": 262_144_000,
            "CodeSizeZipped": 52_428_800,
            "ConcurrentExecutions": ACCOUNT_LIMIT,
            "UnreservedConcurrentExecutions": account.concurrency.unreserved(),
        },
        "AccountUsage": {"TotalCodeSize": 0, "FunctionCount": account.functions.len()},
    }))
}
