//! GetFunctionUrlConfig: every function of a sandbox has a URL, and so has each of its aliases.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};

use super::{ApiError, Qualifier};
use crate::sandbox::account::Account;

/// How Lambda writes `CreationTime` and `LastModifiedTime` of a URL.
const TIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.9fZ";

pub(super) async fn get_url(
    State(account): State<Arc<Account>>,
    Path(name): Path<String>,
    Query(Qualifier { qualifier }): Query<Qualifier>,
) -> Result<Json<Value>, ApiError> {
    let target = account.find(&name, qualifier.as_deref())?;
    let function = &target.function;
    let public_name = match target.qualifier.as_deref() {
        None => function.name.clone(),
        Some(alias) if function.alias(alias).is_some() => format!("{}:{alias}", function.name),
        Some(other) => {
            let text =
                format!("Value '{other}' at 'qualifier' failed to satisfy constraint: a URL belongs to an alias");
            return Err(ApiError::InvalidParameter(text));
        }
    };
    // Nobody can change a sandbox's URLs: they are as old as the sandbox.
    let created = account.context.clock.origin().format(TIME_FORMAT).to_string();
    Ok(Json(json!({
        "FunctionUrl": format!("{}/", account.context.function_url(&public_name)),
        "FunctionArn": target.arn,
        "AuthType": "NONE",
        "CreationTime": created,
        "LastModifiedTime": created,
        "InvokeMode": "BUFFERED",
    })))
}
