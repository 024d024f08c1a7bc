//! A gateway before an AWS that a test plays, which writes down every call as IAM names it: `lambda:GetAlias`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use tokio::task::JoinHandle;

/// More than any call of a fault sends.
const BODY_BYTES_MAX: usize = 4 << 20;

/// The gateway. It ends with its handle.
pub(crate) struct Recorder {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    upstream: String,
    client: reqwest::Client,
    calls: Mutex<BTreeSet<String>>,
}

impl Recorder {
    /// A gateway to `upstream` on a port of its own.
    pub(crate) async fn before(upstream: &str) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let shared = Arc::new(Shared { upstream: upstream.to_owned(), client, calls: Mutex::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new().fallback(forward).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { address, shared, server }
    }

    /// Where clients find it.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The calls since it was last asked. Who we are needs no permission, and is left out.
    pub(crate) fn take(&self) -> BTreeSet<String> {
        let mut calls = std::mem::take(&mut *self.shared.calls.lock().expect("no panic"));
        calls.remove("sts:GetCallerIdentity");
        calls
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn forward(State(shared): State<Arc<Shared>>, request: Request) -> Result<Response, StatusCode> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    let call = call_of(&parts.method, parts.uri.path(), &parts.headers, &body);
    shared.calls.lock().expect("no panic").insert(call);
    let url = format!("{}{}", shared.upstream, parts.uri.path_and_query().map_or("/", |path| path.as_str()));
    let request = shared.client.request(parts.method, url).headers(parts.headers).body(body);
    let answer = request.send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let mut response = Response::builder().status(answer.status());
    // How it came is between us and the upstream.
    let own = ["connection", "content-length", "transfer-encoding"];
    for (name, value) in answer.headers().iter().filter(|(name, _)| !own.contains(&name.as_str())) {
        response = response.header(name, value);
    }
    let body = answer.bytes().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    response.body(Body::from(body)).map_err(|_| StatusCode::BAD_GATEWAY)
}

/// The call as IAM names it. What is not known stands as it came, so that a test which looks at it fails.
fn call_of(method: &Method, path: &str, headers: &HeaderMap, body: &[u8]) -> String {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // `Credential=ID/DATE/REGION/SERVICE/aws4_request`
    let service = header("authorization").split('/').nth(3).unwrap_or_default().to_owned();
    let operation = header("x-amz-target").rsplit_once('.').map(|(_, operation)| operation.to_owned());
    let by_query = || {
        let text = String::from_utf8_lossy(body).into_owned();
        let action = text.split('&').find_map(|pair| pair.strip_prefix("Action=").map(str::to_owned));
        action.filter(|_| path == "/")
    };
    let operation = operation.or_else(by_query).or_else(|| by_path(method, path).map(str::to_owned));
    format!("{service}:{}", operation.unwrap_or_else(|| format!("{method} {path}")))
}

fn by_path(method: &Method, path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    Some(match (method.as_str(), parts.as_slice()) {
        ("DELETE", [_, "functions", _]) => "DeleteFunction",
        ("GET", [_, "functions", _, "configuration"]) => "GetFunctionConfiguration",
        ("PUT", [_, "functions", _, "configuration"]) => "UpdateFunctionConfiguration",
        ("GET", [_, "functions", _, "versions"]) => "ListVersionsByFunction",
        ("POST", [_, "functions", _, "versions"]) => "PublishVersion",
        ("GET", [_, "functions", _, "aliases", _]) => "GetAlias",
        ("PUT", [_, "functions", _, "aliases", _]) => "UpdateAlias",
        ("GET", [_, "functions", _, "concurrency"]) => "GetFunctionConcurrency",
        ("PUT", [_, "functions", _, "concurrency"]) => "PutFunctionConcurrency",
        ("DELETE", [_, "functions", _, "concurrency"]) => "DeleteFunctionConcurrency",
        ("GET", [_, "functions", _, "event-invoke-config"]) => "GetFunctionEventInvokeConfig",
        ("PUT", [_, "functions", _, "event-invoke-config"]) => "PutFunctionEventInvokeConfig",
        ("DELETE", [_, "functions", _, "event-invoke-config"]) => "DeleteFunctionEventInvokeConfig",
        ("GET", [_, "functions", _, "provisioned-concurrency"]) => "GetProvisionedConcurrencyConfig",
        ("PUT", [_, "functions", _, "provisioned-concurrency"]) => "PutProvisionedConcurrencyConfig",
        ("DELETE", [_, "functions", _, "provisioned-concurrency"]) => "DeleteProvisionedConcurrencyConfig",
        ("GET", [_, "functions", _, "url"]) => "GetFunctionUrlConfig",
        ("PUT", [_, "functions", _, "url"]) => "UpdateFunctionUrlConfig",
        ("GET", [_, "event-source-mappings"]) => "ListEventSourceMappings",
        ("GET", [_, "event-source-mappings", _]) => "GetEventSourceMapping",
        ("PUT", [_, "event-source-mappings", _]) => "UpdateEventSourceMapping",
        ("POST", ["experimentTemplates"]) => "CreateExperimentTemplate",
        ("GET", ["experimentTemplates"]) => "ListExperimentTemplates",
        ("GET", ["experimentTemplates", _]) => "GetExperimentTemplate",
        ("DELETE", ["experimentTemplates", _]) => "DeleteExperimentTemplate",
        ("POST", ["experiments"]) => "StartExperiment",
        ("GET", ["experiments"]) => "ListExperiments",
        ("GET", ["experiments", _]) => "GetExperiment",
        ("DELETE", ["experiments", _]) => "StopExperiment",
        ("GET", ["safetyLevers", _]) => "GetSafetyLever",
        _ => return None,
    })
}
