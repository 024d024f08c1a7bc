//! The effect of faults, not their calls: what callers and queues of the sandbox see while a fault is in, and after its undo.
//! Real processes, and everything goes through the fault itself.

use std::collections::BTreeMap;
use std::path::Path;

use gameday::aws::{Aws, Connection};
use gameday::fault::{FaultEnvironment, FaultTarget, Reverted, Undo};
use gameday::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::contract;
use crate::sandbox::{client, eventually, invoke, is_gone, process_id, start, try_invoke};
use crate::sandbox_asynchronous::{failing, record, send_event, tries};
use crate::sandbox_event_source::{backlog, lines, read_lines, send};
use crate::support::processes_with;

/// The kinds of fault whose effect a test shows, with what is seen and the test that shows it; `docs/faults.md` lists them.
pub(crate) const EFFECTS: &[(&str, &str, &str)] = &[
    ("lambda_concurrency", "callers see 429", "throttled_callers_see_429"),
    ("lambda_timeout", "a real process is killed", "a_timeout_of_a_second_kills_a_real_handler"),
    ("lambda_environment", "new processes see the variables", "a_handler_sees_the_changed_variables"),
    ("lambda_canary", "30 ± 3 % of 2,000 invocations meet it", "a_canary_hits_its_share_of_the_traffic"),
    ("lambda_memory", "the handler is told its memory", "a_handler_is_told_its_memory"),
    ("lambda_event_source", "a backlog builds, and drains after", "a_paused_event_source_builds_a_backlog"),
    ("lambda_async", "a failed event is not tried again", "a_failed_event_is_given_up_at_once"),
    ("lambda_provisioned_concurrency", "warm processes end", "warm_processes_end_and_come_back"),
    ("lambda_function_url", "unsigned callers see 403", "unsigned_callers_of_a_url_are_turned_away"),
    ("iam_deny", "a session of the role is refused", DENIALS),
    ("sqs_deny", "a sender is refused", DENIALS),
    (
        "fis_experiment",
        "the share of invocations fails",
        "an_experiment_fails_its_share_until_another_process_undoes_it",
    ),
    ("proxy_latency", "answers come late", "the_quickstart_passes_with_a_known_gap_and_leaves_nothing"),
    ("proxy_timeout", "no answer comes", "the_quickstart_passes_with_a_known_gap_and_leaves_nothing"),
    ("proxy_bandwidth", "bytes come at the rate", PROXIED),
    ("proxy_reset", "clients see a reset (RST)", PROXIED),
    ("proxy_down", "open connections close, new ones are refused", PROXIED),
    ("proxy_refuse", "new connections are refused", PROXIED),
    ("proxy_slow_close", "the end comes late", PROXIED),
    ("proxy_slicer", "bytes come one piece after another", PROXIED),
    ("proxy_limit_data", "the answer breaks off at the byte", PROXIED),
    ("proxy_http_error", "callers get the status", RULES),
    ("proxy_aws_error", "boto3 raises the modelled exception", SDK_ERRORS),
    ("proxy_tls", "callers refuse the certificate", CERTIFICATES),
    ("proxy_truncate", "the answer ends early", RULES),
    ("proxy_slow_body", "the answer comes in pieces", RULES),
    ("proxy_corrupt", "the body is another one", RULES),
    ("proxy_headers", "the headers are others", RULES),
];

/// The test that injects each into a proxy process and undoes it.
const PROXIED: &str = "every_fault_of_the_proxy_is_seen_by_its_clients_and_is_gone_after_its_undo";

/// The test with bad certificates.
const CERTIFICATES: &str = "a_bad_certificate_is_seen_by_callers_and_is_gone_after_the_undo_of_its_fault";

/// The tests of faults on single requests.
const RULES: &str = "every_fault_on_single_requests_is_seen_by_callers_and_undone";
const SDK_ERRORS: &str = "boto3_raises_what_the_services_model_and_tries_as_often_as_against_aws";

/// The test on MiniStack with `AUTH=true`, which evaluates policies.
const DENIALS: &str = "a_run_needs_exactly_what_plan_prints_and_readiness_names_what_is_missing";

/// A fault that is in, on a function of a sandbox.
struct Injected {
    environment: FaultEnvironment,
    undo: Undo,
}

impl Injected {
    async fn into(sandbox: &Sandbox, alias: Option<&str>, kind: &str, fault: Value) -> Self {
        let aws = Aws::connect(&Connection::Endpoint(sandbox.endpoint())).await;
        let target = FaultTarget::Function { name: "probe".to_owned(), alias: alias.map(str::to_owned) };
        let environment = contract::environment(&aws, &target);
        let undo = contract::fault(kind, fault).prepare(&environment).await.expect(kind);
        undo.inject(&environment, &contract::armed(&undo)).await.expect(kind);
        Self { environment, undo }
    }

    async fn revert(self) {
        assert_eq!(self.undo.revert(&self.environment).await.expect("undone"), Reverted::Restored);
    }
}

#[tokio::test]
async fn throttled_callers_see_429() {
    let sandbox = start("functions: {probe: {demo: probe}}").await;
    let client = client(&sandbox).await;
    process_id(&client, "probe").await;
    let fault = Injected::into(&sandbox, None, "lambda_concurrency", json!({"reserved": 0})).await;
    for _ in 0..3 {
        let error = try_invoke(&client, "probe", json!({"do": "pid"})).await.expect_err("a throttle");
        assert_eq!(error.raw_response().map(|raw| raw.status().as_u16()), Some(429));
        assert!(error.into_service_error().is_too_many_requests_exception());
    }
    fault.revert().await;
    process_id(&client, "probe").await;
    sandbox.stop().await;
}

#[tokio::test]
async fn a_timeout_of_a_second_kills_a_real_handler() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pids");
    let sandbox = start("functions: {probe: {demo: probe, timeout: 1m}}").await;
    let client = client(&sandbox).await;
    let fault = Injected::into(&sandbox, None, "lambda_timeout", json!({"timeout": "1s"})).await;
    let hung = try_invoke(&client, "probe", json!({"do": "hang", "file": file})).await.expect("an answer");
    assert_eq!((hung.error.as_deref(), &hung.payload["errorType"]), (Some("Unhandled"), &json!("Sandbox.Timedout")));
    let message = hung.payload["errorMessage"].as_str().expect("a message");
    assert!(message.ends_with("Task timed out after 1.00 seconds"), "{message}");
    let pids = std::fs::read_to_string(&file).expect("the probe's file");
    let pids: Vec<u32> = pids.split_whitespace().map(|pid| pid.parse().expect("a process id")).collect();
    assert_eq!(pids.len(), 2, "the handler and its child");
    eventually("both are gone", async || pids.iter().all(|pid| is_gone(*pid))).await;
    fault.revert().await;
    invoke(&client, "probe", json!({"do": "sleep", "ms": 1_500})).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn a_handler_sees_the_changed_variables() {
    let sandbox = start("functions: {probe: {demo: probe, environment: {COLOUR: red, OTHER: x}}}").await;
    let client = client(&sandbox).await;
    let value = async |name: &str| invoke(&client, "probe", json!({"do": "env", "name": name})).await["value"].clone();
    let seen = async || [value("COLOUR").await, value("OTHER").await];
    assert_eq!(seen().await, [json!("red"), json!("x")]);
    let changed = json!({"set": {"COLOUR": "blue"}, "unset": ["OTHER"]});
    let fault = Injected::into(&sandbox, None, "lambda_environment", changed).await;
    assert_eq!(seen().await, [json!("blue"), Value::Null]);
    fault.revert().await;
    assert_eq!(seen().await, [json!("red"), json!("x")]);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_handler_is_told_its_memory() {
    let sandbox = start("functions: {probe: {demo: probe, memory: 512}}").await;
    let client = client(&sandbox).await;
    let event = || json!({"do": "env", "name": "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"});
    let fault = Injected::into(&sandbox, None, "lambda_memory", json!({"mb": 128})).await;
    assert_eq!(invoke(&client, "probe", event()).await["value"], "128");
    fault.revert().await;
    assert_eq!(invoke(&client, "probe", event()).await["value"], "512");
    sandbox.stop().await;
}

/// How many of `count` invocations of the alias meet the version in which `COLOUR` is blue.
async fn hits(client: &aws_sdk_lambda::Client, count: usize) -> usize {
    const AT_ONCE: usize = 8;
    let mut workers = Vec::new();
    for _ in 0..AT_ONCE {
        let client = client.clone();
        workers.push(tokio::spawn(async move {
            let mut hits = 0;
            for _ in 0..count / AT_ONCE {
                let answer = invoke(&client, "probe:live", json!({"do": "env", "name": "COLOUR"})).await;
                hits += usize::from(answer["value"] == "blue");
            }
            hits
        }));
    }
    let mut hits = 0;
    for worker in workers {
        hits += worker.await.expect("no panic");
    }
    hits
}

#[tokio::test]
async fn a_canary_hits_its_share_of_the_traffic() {
    let sandbox = start("functions: {probe: {demo: probe, environment: {COLOUR: red}, aliases: {live: 1}}}").await;
    let client = client(&sandbox).await;
    let fault = json!({"weight": "30%", "with": {"set": {"COLOUR": "blue"}}});
    let fault = Injected::into(&sandbox, Some("live"), "lambda_canary", fault).await;
    let hit = hits(&client, 2_000).await;
    assert!((540..=660).contains(&hit), "{hit} of 2,000 were hit");
    let latest = invoke(&client, "probe", json!({"do": "env", "name": "COLOUR"})).await;
    assert_eq!(latest["value"], "red", "`$LATEST` is as it was");
    fault.revert().await;
    assert_eq!(hits(&client, 200).await, 0);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_paused_event_source_builds_a_backlog() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lines");
    let sandbox = start("functions: {probe: {demo: probe, update_ms: 200, event_sources: [{queue: orders}]}}").await;
    let served = |count: usize| {
        let file: &Path = &file;
        async move { eventually("they are served", async || read_lines(file).len() == count).await }
    };
    send(&sandbox, "orders", lines(&file, 3)).await;
    served(3).await;
    eventually("the queue is empty", async || backlog(&sandbox, "orders").await == (0, 0)).await;
    let fault = Injected::into(&sandbox, None, "lambda_event_source", json!({"enabled": false})).await;
    send(&sandbox, "orders", lines(&file, 40)).await;
    assert_eq!(backlog(&sandbox, "orders").await, (40, 0), "nobody takes them");
    assert_eq!(read_lines(&file).len(), 3);
    fault.revert().await;
    served(43).await;
    eventually("the queue is empty", async || backlog(&sandbox, "orders").await == (0, 0)).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn a_failed_event_is_given_up_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = start("functions: {probe: {demo: probe, event_invoke: {retries: 1, on_failure: failed}}}").await;
    let client = client(&sandbox).await;
    let tries_of = async |name: &str| {
        let file = folder.path().join(name);
        send_event(&client, "probe", &failing(&file)).await;
        // The record is the end of the event.
        record(&sandbox, "failed").await;
        tries(&file)
    };
    let fault = Injected::into(&sandbox, None, "lambda_async", json!({"retries": 0})).await;
    assert_eq!(tries_of("during").await, 1);
    fault.revert().await;
    assert_eq!(tries_of("after").await, 2);
    sandbox.stop().await;
}

#[tokio::test]
async fn warm_processes_end_and_come_back() {
    let sandbox = start("functions: {probe: {demo: probe, aliases: {live: 1}}}").await;
    let client = client(&sandbox).await;
    let warm = || processes_with(&format!("AWS_ENDPOINT_URL={}", sandbox.endpoint()));
    let put = client.put_provisioned_concurrency_config().function_name("probe").qualifier("live");
    put.provisioned_concurrent_executions(2).send().await.expect("a configuration");
    eventually("two are warm", async || warm().len() == 2).await;
    let before = warm();
    let fault = json!({"provisioned": 0});
    let fault = Injected::into(&sandbox, Some("live"), "lambda_provisioned_concurrency", fault).await;
    eventually("they are gone", async || before.iter().all(|process| is_gone(*process))).await;
    let cold = process_id(&client, "probe:live").await;
    assert!(!before.contains(&cold), "the next invocation is a cold start");
    fault.revert().await;
    eventually("two are warm again", async || warm().len() == 2).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn unsigned_callers_of_a_url_are_turned_away() {
    // `probe` here is the shop's front, which answers HTTP.
    let sandbox = start("functions: {probe: {demo: checkout}}").await;
    let url = format!("{}/health", sandbox.function_url("probe").expect("a URL"));
    let status = async || reqwest::get(&url).await.expect("an answer").status().as_u16();
    assert_eq!(status().await, 200);
    let fault = Injected::into(&sandbox, None, "lambda_function_url", json!({"auth": "iam"})).await;
    assert_eq!(status().await, 403);
    fault.revert().await;
    assert_eq!(status().await, 200);
    sandbox.stop().await;
}

#[test]
fn the_tests_that_are_named_exist() {
    let names: BTreeMap<&str, ()> = EFFECTS.iter().map(|(_, _, test)| (*test, ())).collect();
    let mut sources = String::new();
    for entry in std::fs::read_dir(crate::support::repository().join("tests/it")).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            sources.push_str(&std::fs::read_to_string(path).expect("a source"));
        }
    }
    for test in names.keys() {
        assert!(sources.contains(&format!("fn {test}(")), "there is no test `{test}`");
    }
}
