//! The sandbox with real processes and real sockets, driven by plain HTTP and by the AWS SDK.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_sdk_lambda::config::{Credentials, Region};
use aws_sdk_lambda::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionUrlAuthType, InvokeMode, LastUpdateStatus, LogType, ThrottleReason};
use gameday::sandbox::demo::CardProvider;
use gameday::sandbox::{Sandbox, SandboxError, SandboxOptions, SandboxSpec};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::Instant;

const GAMEDAY: &str = env!("CARGO_BIN_EXE_gameday");

/// Long enough for a slow machine that does other things; a wait ends as soon as its condition holds.
const PATIENCE: Duration = Duration::from_secs(60);

fn options(directory: impl Into<PathBuf>) -> SandboxOptions {
    SandboxOptions::new(GAMEDAY, directory)
}

pub(crate) async fn start(functions: &str) -> Sandbox {
    let spec = serde_yaml::from_str::<SandboxSpec>(functions).expect("a good file");
    Sandbox::start(spec, options(std::env::temp_dir())).await.expect("a sandbox")
}

pub(crate) async fn aws_config(endpoint: &str) -> aws_config::SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("sandbox", "sandbox", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .load()
        .await
}

pub(crate) async fn client(sandbox: &Sandbox) -> aws_sdk_lambda::Client {
    aws_sdk_lambda::Client::new(&aws_config(&sandbox.endpoint()).await)
}

/// What an invocation came to: the payload, and the function error where there is one.
#[derive(Debug, PartialEq)]
pub(crate) struct Invoked {
    pub(crate) payload: Value,
    pub(crate) error: Option<String>,
}

pub(crate) async fn try_invoke(
    client: &aws_sdk_lambda::Client,
    function: &str,
    event: Value,
) -> Result<Invoked, SdkError<InvokeError>> {
    let output = client.invoke().function_name(function).payload(Blob::new(event.to_string())).send().await?;
    let payload = output.payload.map(Blob::into_inner).unwrap_or_default();
    Ok(Invoked { payload: serde_json::from_slice(&payload).expect("a payload of JSON"), error: output.function_error })
}

/// The payload of an invocation that must go well.
pub(crate) async fn invoke(client: &aws_sdk_lambda::Client, function: &str, event: Value) -> Value {
    let invoked = try_invoke(client, function, event).await.expect("an invocation");
    assert_eq!(invoked.error, None, "{}", invoked.payload);
    invoked.payload
}

pub(crate) async fn process_id(client: &aws_sdk_lambda::Client, function: &str) -> u32 {
    let payload = invoke(client, function, json!({"do": "pid"})).await;
    u32::try_from(payload["pid"].as_u64().expect("a process id")).expect("a process id")
}

/// A process is gone when it does not exist, or is dead with all its threads and only waits for its parent to notice.
pub(crate) fn is_gone(process: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else { return true };
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).map_or(0, Iterator::count);
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z')) && threads <= 1
}

pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "still not so: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn throttle_reason(result: Result<Invoked, SdkError<InvokeError>>) -> Option<ThrottleReason> {
    match result.expect_err("a throttle").into_service_error() {
        InvokeError::TooManyRequestsException(error) => {
            assert_eq!(error.retry_after_seconds(), Some("1"));
            error.reason().cloned()
        }
        other => panic!("not a throttle: {other:?}"),
    }
}

pub(crate) fn variables(pairs: &[(&str, &str)]) -> Environment {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Environment::builder().set_variables(Some(pairs)).build()
}

#[tokio::test]
async fn a_warm_process_serves_the_next_invocation() {
    let sandbox = start("functions: {probe: {demo: probe, cold_start_ms: 400}}").await;
    let client = client(&sandbox).await;
    let before = Instant::now();
    let first = process_id(&client, "probe").await;
    assert!(before.elapsed() >= Duration::from_millis(400), "the cold start takes its time");
    assert_eq!(process_id(&client, "probe").await, first);
    assert_eq!(invoke(&client, "probe", json!({"do": "echo", "n": 1})).await, json!({"do": "echo", "n": 1}));
    sandbox.stop().await;
    assert!(is_gone(first), "stop waits until the process is gone");
}

#[tokio::test]
async fn a_function_sees_lambdas_variables_and_not_ours() {
    let sandbox = start("functions: {probe: {demo: probe, memory: 256, environment: {COLOUR: red}}}").await;
    let client = client(&sandbox).await;
    let endpoint = sandbox.endpoint();
    let is_ours = |name: &String| !["AWS_", "LAMBDA_", "PATH", "LANG", "TZ"].iter().any(|part| name.starts_with(part));
    let ours = std::env::vars().map(|(name, _)| name).find(is_ours).expect("the test itself has some variable");
    for (name, value) in [
        ("COLOUR", Some("red")),
        ("AWS_LAMBDA_FUNCTION_NAME", Some("probe")),
        ("AWS_LAMBDA_FUNCTION_VERSION", Some("$LATEST")),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", Some("256")),
        ("AWS_REGION", Some("us-east-1")),
        ("AWS_DEFAULT_REGION", Some("us-east-1")),
        ("AWS_ACCESS_KEY_ID", Some("sandbox")),
        ("AWS_ENDPOINT_URL", Some(endpoint.as_str())),
        (ours.as_str(), None),
    ] {
        let payload = invoke(&client, "probe", json!({"do": "env", "name": name})).await;
        assert_eq!(payload["value"].as_str(), value, "{name}");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn reserved_concurrency_throttles_with_its_reason() {
    let sandbox = start("functions: {probe: {demo: probe, timeout: 30s}, other: {demo: probe}}").await;
    let client = client(&sandbox).await;
    let reserve =
        |count| client.put_function_concurrency().function_name("probe").reserved_concurrent_executions(count);
    let reserved = Some(ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded);

    reserve(0).send().await.expect("a reservation of 0");
    assert_eq!(throttle_reason(try_invoke(&client, "probe", json!({"do": "pid"})).await), reserved);
    process_id(&client, "other").await;

    reserve(1).send().await.expect("a reservation of 1");
    // The slot is taken before there is a process, so one of two that come together is throttled at once.
    let sleep = async || try_invoke(&client, "probe", json!({"do": "sleep", "ms": 2_000})).await;
    let (one, other) = tokio::join!(sleep(), sleep());
    let (served, throttled) = if one.is_ok() { (one, other) } else { (other, one) };
    assert!(served.is_ok_and(|served| served.error.is_none()));
    assert_eq!(throttle_reason(throttled), reserved);
    process_id(&client, "probe").await;

    let current = client.get_function_concurrency().function_name("probe").send().await.expect("the reservation");
    assert_eq!(current.reserved_concurrent_executions(), Some(1));
    client.delete_function_concurrency().function_name("probe").send().await.expect("no reservation");
    let current = client.get_function_concurrency().function_name("probe").send().await.expect("no reservation");
    assert_eq!(current.reserved_concurrent_executions(), None);

    let error = reserve(901).send().await.expect_err("100 must stay unreserved").into_service_error();
    assert!(error.is_invalid_parameter_value_exception(), "{error:?}");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_caller_that_hangs_up_frees_no_slot_early() {
    let sandbox = start("functions: {probe: {demo: probe, timeout: 30s, reserved: 1}}").await;
    let client = client(&sandbox).await;
    process_id(&client, "probe").await;
    let url = format!("{}/2015-03-31/functions/probe/invocations", sandbox.endpoint());
    let impatient = reqwest::Client::builder().timeout(Duration::from_secs(1)).build().expect("a client");
    let hung_up = impatient.post(url).body(r#"{"do": "sleep", "ms": 6000}"#).send().await;
    assert!(hung_up.expect_err("no answer within 1 s").is_timeout());
    let reason = throttle_reason(try_invoke(&client, "probe", json!({"do": "pid"})).await);
    assert_eq!(reason, Some(ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded));
    eventually("the slot is free", async || try_invoke(&client, "probe", json!({"do": "pid"})).await.is_ok()).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn a_timeout_kills_the_process_group_and_the_next_call_is_cold_and_good() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pids");
    let sandbox = start("functions: {probe: {demo: probe, timeout: 2s, reserved: 1}}").await;
    let client = client(&sandbox).await;
    let before = process_id(&client, "probe").await;
    for _ in 0..3 {
        let hung = try_invoke(&client, "probe", json!({"do": "hang", "file": file})).await.expect("an answer");
        assert_eq!(hung.error.as_deref(), Some("Unhandled"));
        assert_eq!(hung.payload["errorType"], "Sandbox.Timedout");
        let message = hung.payload["errorMessage"].as_str().expect("a message");
        assert!(message.ends_with(" Error: Task timed out after 2.00 seconds"), "{message}");
        let after = process_id(&client, "probe").await;
        assert_ne!(after, before);
        let processes: Vec<u32> = std::fs::read_to_string(&file)
            .expect("the probe's file")
            .split_whitespace()
            .map(|text| text.parse().expect("a process id"))
            .collect();
        assert_eq!(processes.len(), 2, "the function and its child");
        eventually("both are gone", async || processes.iter().all(|process| is_gone(*process))).await;
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn a_crash_is_an_exit_error_and_the_next_call_is_good() {
    let sandbox = start("functions: {probe: {demo: probe}}").await;
    let client = client(&sandbox).await;
    let crashed = try_invoke(&client, "probe", json!({"do": "crash", "code": 3})).await.expect("an answer");
    assert_eq!(crashed.error.as_deref(), Some("Unhandled"));
    assert_eq!(crashed.payload["errorType"], "Runtime.ExitError");
    let message = crashed.payload["errorMessage"].as_str().expect("a message");
    assert!(message.starts_with("RequestId: "), "{message}");
    assert!(message.ends_with(" Error: Runtime exited with error: exit status 3"), "{message}");
    process_id(&client, "probe").await;

    let failed = try_invoke(&client, "probe", json!({"do": "fail"})).await.expect("an answer");
    assert_eq!(failed.error.as_deref(), Some("Unhandled"));
    assert_eq!(failed.payload, json!({"errorType": "Probe.Failed", "errorMessage": "the probe was told to fail"}));
    sandbox.stop().await;
}

#[tokio::test]
async fn a_warm_process_that_was_killed_is_replaced_unnoticed() {
    let sandbox = start("functions: {probe: {demo: probe}}").await;
    let client = client(&sandbox).await;
    let first = process_id(&client, "probe").await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(first).expect("a process id")).expect("a process id");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("a signal");
    eventually("it is dead", async || is_gone(first)).await;
    assert_ne!(process_id(&client, "probe").await, first);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_process_that_exits_in_its_init_is_an_exit_error() {
    let sandbox = start("functions: {probe: {demo: probe, environment: {PROBE_INIT: exit}}, no: {command: ['false']}}");
    let sandbox = sandbox.await;
    let client = client(&sandbox).await;
    for (function, status) in [("probe", 7), ("no", 1)] {
        let failed = try_invoke(&client, function, json!({})).await.expect("an answer");
        assert_eq!(failed.error.as_deref(), Some("Unhandled"));
        assert_eq!(failed.payload["errorType"], "Runtime.ExitError");
        let message = failed.payload["errorMessage"].as_str().expect("a message");
        assert!(message.ends_with(&format!("exit status {status}")), "{message}");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn a_configuration_change_starts_a_process_that_sees_it() {
    let sandbox = start("functions: {probe: {demo: probe, environment: {COLOUR: red}}}").await;
    let client = client(&sandbox).await;
    let first = process_id(&client, "probe").await;
    let configuration = client.get_function_configuration().function_name("probe").send().await.expect("it");
    let updated = client
        .update_function_configuration()
        .function_name("probe")
        .environment(variables(&[("COLOUR", "blue")]))
        .timeout(9)
        .revision_id(configuration.revision_id().expect("a revision"))
        .send()
        .await
        .expect("an update");
    assert_eq!(updated.last_update_status(), Some(&LastUpdateStatus::InProgress));
    let payload = invoke(&client, "probe", json!({"do": "env", "name": "COLOUR"})).await;
    assert_eq!(payload["value"], "blue");
    assert_ne!(process_id(&client, "probe").await, first);
    eventually("the old process is gone", async || is_gone(first)).await;

    let now = client.get_function_configuration().function_name("probe").send().await.expect("it");
    assert_eq!((now.timeout(), now.memory_size()), (Some(9), Some(128)));
    assert_eq!(now.last_update_status(), Some(&LastUpdateStatus::Successful));
    let revisions = [configuration.revision_id(), updated.revision_id(), now.revision_id()];
    assert!(revisions[0] != revisions[1] && revisions[1] != revisions[2], "it changes at the update and at its end");

    let stale = client.update_function_configuration().function_name("probe").timeout(3);
    let stale = stale.revision_id(updated.revision_id().expect("a revision")).send().await;
    let stale = stale.expect_err("a stale revision").into_service_error();
    assert!(stale.is_precondition_failed_exception(), "{stale:?}");

    let reserved = client.update_function_configuration().function_name("probe");
    let reserved = reserved.environment(variables(&[("AWS_REGION", "eu-west-1")])).send().await;
    assert!(reserved.expect_err("a reserved key").into_service_error().is_invalid_parameter_value_exception());
    let long = client.update_function_configuration().function_name("probe").timeout(901).send().await;
    assert!(long.expect_err("too long").into_service_error().is_invalid_parameter_value_exception());
    sandbox.stop().await;
}

#[tokio::test]
async fn the_old_configuration_serves_while_the_update_is_in_progress() {
    let sandbox = start("functions: {probe: {demo: probe, update_ms: 4000, environment: {COLOUR: red}}}").await;
    let client = client(&sandbox).await;
    let colour = async || invoke(&client, "probe", json!({"do": "env", "name": "COLOUR"})).await["value"].clone();
    let update = |colour| {
        client.update_function_configuration().function_name("probe").environment(variables(&[("COLOUR", colour)]))
    };
    let status = async || {
        let configuration = client.get_function_configuration().function_name("probe").send().await.expect("it");
        configuration.last_update_status().cloned()
    };
    assert_eq!(colour().await, "red");
    let before = Instant::now();
    update("blue").send().await.expect("an update");
    assert_eq!(colour().await, "red");
    assert_eq!(status().await, Some(LastUpdateStatus::InProgress));
    let second = update("green").send().await.expect_err("an update is in progress").into_service_error();
    assert!(second.is_resource_conflict_exception(), "{second:?}");
    eventually("the update has ended", async || status().await == Some(LastUpdateStatus::Successful)).await;
    assert!(before.elapsed() >= Duration::from_millis(4_000));
    assert_eq!(colour().await, "blue");
    sandbox.stop().await;
}

#[tokio::test]
async fn an_alias_keeps_serving_its_version_whatever_happens_to_latest() {
    let sandbox = start("functions: {probe: {demo: probe, aliases: {live: 2}, environment: {COLOUR: red}}}").await;
    let client = client(&sandbox).await;
    let update = client.update_function_configuration().function_name("probe");
    update.environment(variables(&[("COLOUR", "blue")])).send().await.expect("an update");
    let event = json!({"do": "env", "name": "COLOUR"});
    for (name, colour) in [
        ("probe", "blue"),
        ("probe:live", "red"),
        ("probe:2", "red"),
        ("000000000000:function:probe:live", "red"),
        ("arn:aws:lambda:us-east-1:000000000000:function:probe", "blue"),
    ] {
        assert_eq!(invoke(&client, name, event.clone()).await["value"], colour, "{name}");
    }
    let output = client.invoke().function_name("probe").qualifier("live").payload(Blob::new("{}")).send().await;
    assert_eq!(output.expect("an answer").executed_version(), Some("2"));
    for missing in ["nobody", "probe:test", "probe:1", "arn:aws:lambda:eu-west-1:000000000000:function:probe"] {
        let error = try_invoke(&client, missing, json!({})).await.expect_err(missing).into_service_error();
        assert!(error.is_resource_not_found_exception(), "{missing}: {error:?}");
    }
    let alias = client.get_alias().function_name("probe").name("live").send().await.expect("the alias");
    assert_eq!(alias.function_version(), Some("2"));
    let aliases = client.list_aliases().function_name("probe").send().await.expect("the aliases");
    assert_eq!(aliases.aliases().len(), 1);
    let versions = client.list_versions_by_function().function_name("probe").send().await.expect("the versions");
    let numbers: Vec<Option<&str>> = versions.versions().iter().map(|version| version.version()).collect();
    assert_eq!(numbers, [Some("$LATEST"), Some("2")]);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_functions_url_can_be_asked_for_and_called() {
    let functions = "functions: {checkout-fn: {demo: checkout, aliases: {live: 1}}}";
    let sandbox = start(functions).await;
    let client = client(&sandbox).await;
    let ask = |qualifier: Option<&str>| {
        let call = client.get_function_url_config().function_name("checkout-fn");
        call.set_qualifier(qualifier.map(str::to_owned)).send()
    };
    let answer = ask(None).await.expect("a URL");
    assert_eq!(answer.function_url().strip_suffix('/'), sandbox.function_url("checkout-fn").as_deref());
    assert_eq!(answer.function_arn(), "arn:aws:lambda:us-east-1:000000000000:function:checkout-fn");
    assert_eq!((answer.auth_type(), answer.invoke_mode()), (&FunctionUrlAuthType::None, Some(&InvokeMode::Buffered)));
    for time in [answer.creation_time(), answer.last_modified_time()] {
        assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{time}");
    }

    let live = ask(Some("live")).await.expect("a URL of the alias");
    assert_eq!(live.function_arn(), "arn:aws:lambda:us-east-1:000000000000:function:checkout-fn:live");
    assert_ne!(live.function_url(), answer.function_url());
    for url in [answer.function_url(), live.function_url()] {
        assert_eq!(reqwest::get(format!("{url}health")).await.expect("an answer").status(), 200, "{url}");
    }

    let missing = client.get_function_url_config().function_name("nobody").send().await;
    let missing = missing.expect_err("no such function").into_service_error();
    assert!(missing.is_resource_not_found_exception(), "{missing:?}");
    let version = ask(Some("1")).await.expect_err("a version has no URL").into_service_error();
    assert!(version.is_invalid_parameter_value_exception(), "{version:?}");
    sandbox.stop().await;
}

#[tokio::test]
async fn the_sdk_reads_what_there_is() {
    let sandbox = start("functions: {a: {demo: probe, tags: {gameday: allowed}, reserved: 5}, b: {demo: probe}}").await;
    let client = client(&sandbox).await;
    let functions = client.list_functions().send().await.expect("the functions");
    let names: Vec<Option<&str>> = functions.functions().iter().map(|function| function.function_name()).collect();
    assert_eq!(names, [Some("a"), Some("b")]);
    let function = client.get_function().function_name("a").send().await.expect("the function");
    assert_eq!(function.concurrency().and_then(|concurrency| concurrency.reserved_concurrent_executions()), Some(5));
    let arn = function.configuration().and_then(|configuration| configuration.function_arn()).expect("an ARN");
    assert_eq!(arn, "arn:aws:lambda:us-east-1:000000000000:function:a");
    let tags = client.list_tags().resource(arn).send().await.expect("the tags");
    assert_eq!(tags.tags().and_then(|tags| tags.get("gameday")).map(String::as_str), Some("allowed"));
    let limit = client.get_account_settings().send().await.expect("the settings").account_limit.expect("a limit");
    assert_eq!((limit.concurrent_executions, limit.unreserved_concurrent_executions), (1_000, Some(995)));
    let identity = aws_sdk_sts::Client::new(&aws_config(&sandbox.endpoint()).await).get_caller_identity().send().await;
    assert_eq!(identity.expect("an identity").account(), Some("000000000000"));
    let unknown = client.list_layers().send().await.expect_err("not implemented").into_service_error();
    let message = unknown.message().expect("a message");
    assert!(message.contains("GET /2018-10-31/layers"), "{message}");
    sandbox.stop().await;
}

#[tokio::test]
async fn events_dry_runs_logs_and_limits_are_as_in_lambda() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pids");
    let sandbox = start("functions: {probe: {demo: probe, timeout: 1s}, patient: {demo: probe, timeout: 60s}}").await;
    let client = client(&sandbox).await;
    let http = reqwest::Client::new();
    let url = format!("{}/2015-03-31/functions/probe/invocations", sandbox.endpoint());
    let send = |kind, body: String| http.post(&url).header("X-Amz-Invocation-Type", kind).body(body).send();

    let dry = send("DryRun", "{}".to_owned()).await.expect("an answer");
    assert_eq!(dry.status(), 204);
    let broken = send("RequestResponse", "{".to_owned()).await.expect("an answer");
    assert_eq!(broken.headers()["x-amzn-errortype"], "InvalidRequestContentException");
    let large = send("RequestResponse", format!("\"{}\"", "x".repeat(6_291_456))).await.expect("an answer");
    assert_eq!(
        (large.status().as_u16(), &large.headers()["x-amzn-errortype"]),
        (413, &"RequestTooLargeException".parse().expect("a value"))
    );

    // Each try of the event hangs in a process of its own, is ended by the timeout, and is tried again, twice.
    let event = send("Event", json!({"do": "hang", "file": file}).to_string()).await.expect("an answer");
    assert_eq!(event.status(), 202);
    let mut tries = std::collections::BTreeSet::new();
    eventually("the event was tried three times", async || {
        tries.extend(std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n')));
        tries.len() == 3
    })
    .await;

    let output = client.invoke().function_name("patient").log_type(LogType::Tail);
    let output = output.payload(Blob::new(r#"{"do": "print", "text": "hello, log"}"#)).send().await.expect("an answer");
    let log = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, output.log_result().expect("a log"));
    let log = String::from_utf8(log.expect("Base64")).expect("text");
    for part in ["START RequestId: ", "hello, log\n", "END RequestId: ", "REPORT RequestId: "] {
        assert!(log.contains(part), "{part}: {log}");
    }
    assert!(sandbox.output("patient").is_some_and(|output| output.contains("hello, log")));

    let large = try_invoke(&client, "patient", json!({"do": "large", "bytes": 6_300_000})).await.expect("an answer");
    assert_eq!(large.payload["errorType"], "Function.ResponseSizeTooLarge");
    assert_eq!(large.error.as_deref(), Some("Unhandled"));
    sandbox.stop().await;
}

const SHOP: &str = "
functions:
  checkout-fn: {demo: checkout, environment: {PAYMENTS: payments-fn, PAYMENT_TIMEOUT_MS: '10000'}}
  payments-fn: {demo: payments, environment: {PROVIDER_URL: \"http://ADDRESS\"}}
  probe: {demo: probe}
";

async fn buy(http: &reqwest::Client, shop: &str) -> (u16, Value) {
    let basket = http.post(format!("{shop}/basket")).json(&json!({"item": 17})).send().await.expect("an answer");
    assert_eq!(basket.status(), 201);
    let basket: Value = basket.json().await.expect("a basket");
    let id = basket["id"].as_str().expect("an id");
    let order = http.post(format!("{shop}/basket/{id}/checkout")).send().await.expect("an answer");
    (order.status().as_u16(), order.json().await.expect("an order"))
}

#[tokio::test]
async fn the_shop_sells_through_its_function_url_and_copes_when_payments_are_throttled() {
    let provider = CardProvider::start(0).await.expect("a card provider");
    let sandbox = start(&SHOP.replace("ADDRESS", &provider.address().to_string())).await;
    let client = client(&sandbox).await;
    let http = reqwest::Client::new();
    let shop = sandbox.function_url("checkout-fn").expect("a URL");
    let items: Value = http.get(format!("{shop}/items")).send().await.expect("items").json().await.expect("JSON");
    assert_eq!(items[0]["item"], 17);
    let (status, order) = buy(&http, &shop).await;
    assert_eq!((status, &order["payment"]), (201, &json!("paid")), "{order}");
    assert_eq!(http.get(format!("{shop}/nowhere")).send().await.expect("an answer").status(), 404);

    let reserve = client.put_function_concurrency().function_name("payments-fn").reserved_concurrent_executions(0);
    reserve.send().await.expect("a reservation of 0");
    assert_eq!(buy(&http, &shop).await, (503, json!({"error": "payment throttled"})));
    let environment = variables(&[("PAYMENTS", "payments-fn"), ("QUEUE_PAYMENTS", "on")]);
    let update = client.update_function_configuration().function_name("checkout-fn").environment(environment);
    update.send().await.expect("an update");
    let (status, order) = buy(&http, &shop).await;
    assert_eq!((status, &order["payment"]), (201, &json!("queued")), "{order}");

    let reserve = client.put_function_concurrency().function_name("checkout-fn").reserved_concurrent_executions(0);
    reserve.send().await.expect("a reservation of 0");
    assert_eq!(http.get(format!("{shop}/items")).send().await.expect("an answer").status(), 429);
    let probe = sandbox.function_url("probe").expect("a URL");
    // The probe does not know the event that a URL makes, and fails.
    assert_eq!(http.get(&probe).send().await.expect("an answer").status(), 502);
    assert_eq!(sandbox.function_url("nobody"), None);
    sandbox.stop().await;
    provider.stop().await;
}

fn port(url: &str) -> u16 {
    reqwest::Url::parse(url).expect("a URL").port().expect("a port")
}

#[tokio::test]
async fn nothing_is_left_after_a_stop_or_a_drop() {
    for in_order in [true, false] {
        let text = "functions: {probe: {demo: probe, timeout: 60s}}\ncard_provider: 127.0.0.1:0";
        let sandbox = start(text).await;
        let provider = format!("http://{}", sandbox.card_provider().expect("a card provider"));
        assert_eq!(reqwest::get(format!("{provider}/health")).await.expect("an answer").status(), 200);
        let ports = [sandbox.endpoint(), sandbox.function_url("probe").expect("a URL"), provider].map(|url| port(&url));
        let client = client(&sandbox).await;
        let idle = process_id(&client, "probe").await;
        let file = tempfile::NamedTempFile::new().expect("a file");
        let event = json!({"do": "hang", "file": file.path()});
        let hanging = tokio::spawn(async move { try_invoke(&client, "probe", event).await.map(|_| ()) });
        let busy = || std::fs::read_to_string(file.path()).unwrap_or_default();
        eventually("the second invocation runs", async || busy().ends_with('\n')).await;
        if in_order {
            sandbox.stop().await;
        } else {
            drop(sandbox);
        }
        assert!(hanging.await.expect("a task").is_err());
        let busy: Vec<u32> = busy().split_whitespace().map(|text| text.parse().expect("a process id")).collect();
        eventually("all are gone", async || is_gone(idle) && busy.iter().all(|process| is_gone(*process))).await;
        for port in ports {
            eventually("the port is free", async || TcpListener::bind(("127.0.0.1", port)).is_ok()).await;
        }
    }
}

async fn up(functions: &Path) -> (tokio::process::Child, Value) {
    let mut child = tokio::process::Command::new(GAMEDAY)
        .args(["sandbox", "up", "--json", "--functions"])
        .arg(functions)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("gameday");
    let mut lines = BufReader::new(child.stdout.take().expect("standard output")).lines();
    let mut text = String::new();
    while !text.ends_with("\n}") {
        let line = lines.next_line().await.expect("a line").expect("the whole object");
        text = if text.is_empty() { line } else { format!("{text}\n{line}") };
    }
    (child, serde_json::from_str(&text).expect("JSON"))
}

#[tokio::test]
async fn functions_die_with_a_sandbox_that_is_killed_and_one_that_is_interrupted_ends_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("functions.yaml");
    std::fs::write(&file, "functions: {probe: {demo: probe}}\n").expect("a file");
    for signal in [rustix::process::Signal::KILL, rustix::process::Signal::TERM, rustix::process::Signal::INT] {
        let (mut child, started) = up(&file).await;
        let endpoint = started["endpoint"].as_str().expect("an endpoint");
        assert_eq!(started["environment"]["AWS_ENDPOINT_URL"], endpoint);
        let client = aws_sdk_lambda::Client::new(&aws_config(endpoint).await);
        let function = process_id(&client, "probe").await;
        let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?)).expect("an id");
        rustix::process::kill_process(pid, signal).expect("a signal");
        let status = child.wait().await.expect("a status");
        assert_eq!(status.code(), if signal == rustix::process::Signal::KILL { None } else { Some(0) });
        eventually("the function is gone", async || is_gone(function)).await;
    }
}

#[tokio::test]
async fn a_bad_file_or_a_taken_port_is_told_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("functions.yaml");
    let run = async |text: &str, more: &[&str]| {
        std::fs::write(&file, text).expect("a file");
        let output = tokio::process::Command::new(GAMEDAY)
            .args(["sandbox", "up", "--functions"])
            .arg(&file)
            .args(more)
            .output()
            .await
            .expect("gameday");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, text) = run("functions:\n  a: {demo: probe, timeout: 3}\n  b: {demo: probe, memory: 1}\n", &[]).await;
    assert_eq!(code, Some(2));
    assert!(text.contains("functions.yaml:2:29") && text.contains("functions.yaml:3:28"), "{text}");
    let (code, text) = run("functions:\n  a: {command: [./bootstrap]}\n", &[]).await;
    assert_eq!(code, Some(1));
    assert!(text.contains("function `a` can not start") && text.contains("bootstrap` does not exist"), "{text}");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let (code, text) = run("functions: {a: {demo: probe}}\n", &["--port", &port]).await;
    assert_eq!(code, Some(1));
    assert!(text.contains(&format!("failed to listen on 127.0.0.1:{port}")), "{text}");
}

#[tokio::test]
async fn a_web_page_can_not_reach_the_control_api() {
    let sandbox = start("functions: {probe: {demo: probe}}").await;
    let http = reqwest::Client::new();
    let settings = format!("{}/2016-08-19/account-settings", sandbox.endpoint());
    let shop = sandbox.function_url("probe").expect("a URL");
    let status = async |request: reqwest::RequestBuilder| request.send().await.expect("an answer").status().as_u16();
    assert_eq!(status(http.get(&settings)).await, 200);
    assert_eq!(status(http.get(&settings).header("Host", "evil.example")).await, 403);
    assert_eq!(status(http.get(&settings).header("Origin", "https://evil.example")).await, 403);
    assert_eq!(status(http.get(&shop).header("Host", "evil.example")).await, 403);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_python_function_runs_under_lambdas_own_runtime_client() {
    let Some(python) = std::env::var_os("GAMEDAY_TEST_PYTHON") else {
        crate::support::tell_skipped("a Python function in the sandbox");
        return;
    };
    let code = "
functions:
  orders-fn: {runtime: python3.11, code: functions/orders, handler: app.handler}
  broken-fn: {runtime: python3.11, code: functions/orders, handler: missing.handler}
";
    let spec = serde_yaml::from_str::<SandboxSpec>(code).expect("a good file");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let options = SandboxOptions { python: python.into(), ..options(fixtures) };
    let sandbox = Sandbox::start(spec, options).await.expect("a sandbox");
    let client = client(&sandbox).await;
    let orders = format!("{}/orders", sandbox.function_url("orders-fn").expect("a URL"));
    let response = reqwest::get(&orders).await.expect("an answer");
    assert_eq!(response.status(), 200);
    assert_eq!(response.json::<Value>().await.expect("JSON")[0]["order"], 1);

    let update = client.update_function_configuration().function_name("orders-fn");
    update.environment(variables(&[("ORDERS_DELAY_MS", "1000")])).send().await.expect("an update");
    let before = Instant::now();
    assert_eq!(reqwest::get(&orders).await.expect("an answer").status(), 200);
    assert!(before.elapsed() >= Duration::from_secs(1), "the delay is seen");

    let broken = try_invoke(&client, "broken-fn", json!({})).await.expect("an answer");
    assert_eq!(broken.error.as_deref(), Some("Unhandled"));
    assert_eq!(broken.payload["errorType"], "Runtime.ImportModuleError");
    sandbox.stop().await;
}

#[tokio::test]
async fn python_without_the_runtime_client_is_told_what_to_install() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "functions: {f: {runtime: python3.11, code: '.', handler: a.b}}";
    let spec: SandboxSpec = serde_yaml::from_str(text).expect("a good file");
    // A program that knows no module at all.
    let options = SandboxOptions { python: "false".into(), ..options(folder.path()) };
    let error = Sandbox::start(spec.clone(), options).await.expect_err("no runtime client");
    assert!(error.to_string().contains("`false -m pip install awslambdaric==4.2.2`"), "{error}");
    let missing = SandboxOptions { python: "/nowhere/python3".into(), ..self::options(folder.path()) };
    let error = Sandbox::start(spec, missing).await.expect_err("no interpreter");
    assert!(matches!(error, SandboxError::Python { .. }), "{error}");
}

#[tokio::test]
async fn the_accounts_limit_is_shared_by_functions_without_a_reservation() {
    let text = "functions: {big: {demo: probe, reserved: 900}, probe: {demo: probe}}";
    let sandbox = start(text).await;
    let client = client(&sandbox).await;
    let limit = client.get_account_settings().send().await.expect("the settings").account_limit.expect("a limit");
    assert_eq!(limit.unreserved_concurrent_executions, Some(100));
    let error = client.put_function_concurrency().function_name("probe").reserved_concurrent_executions(1).send().await;
    assert!(error.expect_err("too much").into_service_error().is_invalid_parameter_value_exception());
    // Functions of one account run side by side.
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(
                async move { invoke(&client, "probe", json!({"do": "sleep", "ms": 1_000})).await["pid"].clone() },
            )
        })
        .collect();
    let mut processes = BTreeMap::new();
    for call in calls {
        processes.insert(call.await.expect("a call").to_string(), ());
    }
    assert!(processes.len() >= 2, "parallel calls have processes of their own: {processes:?}");
    sandbox.stop().await;
}
