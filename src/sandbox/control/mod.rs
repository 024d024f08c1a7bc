//! The control API: the part of AWS Lambda's, SQS's and STS's HTTP that game days use, for any AWS SDK.
//!
//! Owns: paths, status codes, error shapes. Must not know: processes. Shapes are those of the AWS service models
//! (`lambda` 2015-03-31, rest-json; `sqs` 2012-11-05, JSON; `sts` 2011-06-15, query). Signatures are accepted and not checked.

mod alias;
mod catalog;
mod concurrency;
mod configuration;
mod error;
mod event_invoke;
mod event_source;
mod invoke;
mod provisioned;
mod root;
mod sqs;
mod sts;
mod url;
mod version;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post, put};

pub(super) use self::error::ApiError;
use super::account::Account;
use super::function::Function;

/// The `Qualifier` of a request.
#[derive(Debug, serde::Deserialize)]
struct Qualifier {
    #[serde(rename = "Qualifier")]
    qualifier: Option<String>,
}

/// All operations.
pub(super) fn router(account: Arc<Account>) -> Router {
    Router::new()
        .route("/", post(root::dispatch))
        .route("/2015-03-31/functions", get(catalog::list_functions))
        .route("/2015-03-31/functions/", get(catalog::list_functions))
        .route("/2015-03-31/functions/{name}", get(catalog::get_function).delete(version::delete_version))
        .route("/2015-03-31/functions/{name}/invocations", post(invoke::invoke))
        .route(
            "/2015-03-31/functions/{name}/configuration",
            get(configuration::get_configuration).put(configuration::update_configuration),
        )
        .route("/2015-03-31/functions/{name}/versions", get(version::list_versions).post(version::publish_version))
        .route("/2015-03-31/functions/{name}/aliases", get(alias::list_aliases).post(alias::create_alias))
        .route(
            "/2015-03-31/functions/{name}/aliases/{alias}",
            get(alias::get_alias).put(alias::update_alias).delete(alias::delete_alias),
        )
        .route(
            "/2017-10-31/functions/{name}/concurrency",
            put(concurrency::put_concurrency).delete(concurrency::delete_concurrency),
        )
        .route("/2019-09-30/functions/{name}/concurrency", get(concurrency::get_concurrency))
        .route(
            "/2019-09-25/functions/{name}/event-invoke-config",
            get(event_invoke::get).put(event_invoke::put).post(event_invoke::update).delete(event_invoke::delete),
        )
        .route("/2019-09-25/functions/{name}/event-invoke-config/list", get(event_invoke::list))
        .route("/2015-03-31/event-source-mappings", get(event_source::list))
        .route("/2015-03-31/event-source-mappings/", get(event_source::list))
        .route("/2015-03-31/event-source-mappings/{uuid}", get(event_source::get).put(event_source::update))
        .route(
            "/2019-09-30/functions/{name}/provisioned-concurrency",
            get(provisioned::get_or_list).put(provisioned::put).delete(provisioned::delete),
        )
        .route("/2021-10-31/functions/{name}/url", get(url::get_url).put(url::update_url))
        .route("/2017-03-31/tags/{arn}", get(catalog::list_tags))
        .route("/2016-08-19/account-settings", get(catalog::get_account_settings))
        .route("/2016-08-19/account-settings/", get(catalog::get_account_settings))
        .merge(super::cloudwatch::router())
        .merge(super::fis::router())
        .fallback(unknown_operation)
        .method_not_allowed_fallback(unknown_operation)
        // The one large body is the payload of an invocation, which reads it with limits of its own.
        .layer(DefaultBodyLimit::max(super::asynchronous::EVENT_BYTES_MAX))
        .layer(from_fn(only_from_here))
        .with_state(account)
}

/// Reads a body whose members are all known. Another member is refused by name: to accept and ignore it would have a
/// fault believe that it took hold.
fn read_members<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        if error.is_data() {
            ApiError::InvalidParameter(error.to_string())
        } else {
            ApiError::InvalidContent(error.to_string())
        }
    })
}

/// A function that is named without a qualifier, because what is asked belongs to the function as a whole.
fn function_alone(account: &Account, name: &str) -> Result<Arc<Function>, ApiError> {
    let target = account.find(name, None)?;
    if target.qualifier.is_some() {
        let text = "this belongs to the function as a whole; name it without a qualifier";
        return Err(ApiError::InvalidParameter(text.to_owned()));
    }
    Ok(target.function)
}

/// How Lambda's JSON writes a timestamp: seconds since 1970, with a fraction.
fn epoch_seconds(time: chrono::DateTime<chrono::Utc>) -> serde_json::Value {
    let text = format!("{}.{:03}", time.timestamp(), time.timestamp_subsec_millis());
    text.parse::<f64>().unwrap_or_default().into()
}

/// The body is read, though nobody wants it: a connection with an unread body is closed under the next request on it.
async fn unknown_operation(method: Method, uri: Uri, _body: Bytes) -> ApiError {
    ApiError::UnknownOperation(format!("{method} {}", uri.path()))
}

/// Refuses what a web page could send: a name that was made to point here (DNS rebinding), or a request across origins.
async fn only_from_here(request: Request, next: Next) -> Response {
    if request.headers().contains_key(ORIGIN) || !names_this_machine(request.headers()) {
        return ApiError::NotFromHere.into_response();
    }
    next.run(request).await
}

/// Whether the request's `Host` is 127.0.0.1 or localhost, with any port.
pub(super) fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "127.0.0.1" | "localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_host_of_this_machine_is_served() {
        let host = |text: &str| HeaderMap::from_iter([(HOST, text.parse().expect(text))]);
        for ours in ["127.0.0.1:4000", "localhost:4000", "localhost"] {
            assert!(names_this_machine(&host(ours)), "{ours}");
        }
        for foreign in ["evil.example:4000", "127.0.0.1.evil.example", "0.0.0.0:4000", ""] {
            assert!(!names_this_machine(&host(foreign)), "{foreign}");
        }
        assert!(!names_this_machine(&HeaderMap::new()));
    }
}
