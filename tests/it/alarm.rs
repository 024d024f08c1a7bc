//! Alarms end to end: detected, silent, missing, unread, and the end of a run; on the sandbox's CloudWatch, and on others'.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use gameday::aws::{AlarmQuery, Aws, Connection};
use gameday::event::{AbortCause, EventKind, FaultState};
use gameday::observe::{AlarmChange, AlarmWatch};
use gameday::unit::AlarmState;
use serde_json::Value;

use crate::peers::{python, script, start_ministack, start_moto, stop};
use crate::support::{Workspace, free_port, repository};

fn report(workspace: &Workspace) -> Value {
    let path = workspace.run_folder().expect("a run").join("report.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("a report")).expect("JSON")
}

fn alarm<'r>(report: &'r Value, name: &str) -> &'r Value {
    let alarms = report["alarms"].as_array().expect("a list");
    alarms.iter().find(|alarm| alarm["alarm"] == name).unwrap_or_else(|| panic!("{name} in {alarms:#?}"))
}

fn findings(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().expect("a list");
    findings.iter().filter_map(|finding| finding["kind"].as_str()).collect()
}

fn assert_all_undone(workspace: &Workspace) {
    let state = workspace.state();
    assert!(state.faults.iter().all(|fault| fault.state == FaultState::Restored), "{:#?}", state.faults);
}

/// The example's text, with some of it replaced.
fn write_scenario(workspace: &Workspace, changes: &[(&str, &str)]) {
    let mut text = std::fs::read_to_string(repository().join("scenarios/alarm.yaml")).unwrap();
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    workspace.write("scenarios/alarm.yaml", &text);
}

#[test]
fn an_alarm_detects_a_fault_and_is_over_after_it() {
    let workspace = Workspace::new();
    let output = workspace.gameday(&["run", "scenarios/alarm.yaml"]);
    assert_eq!(output.code(), 0, "{output:#?}");
    assert!(output.stderr.contains("alarm payments-throttled is ALARM since"), "{}", output.stderr);
    assert_all_undone(&workspace);
    let report = report(&workspace);
    let fault = &report["faults"][0];
    assert_eq!(
        (&fault["response"]["detected_by"], &fault["response"]["alarm"]),
        (&"alarm".into(), &"payments-throttled".into())
    );
    assert!(fault["response"]["time_to_detect"]["measured"]["ms"].as_u64().is_some(), "{fault:#}");
    let throttled = alarm(&report, "payments-throttled");
    assert_eq!((&throttled["role"], &throttled["outcome"]), (&"expected".into(), &"fired".into()), "{throttled:#}");
    assert_eq!(throttled["fault"], "throttle");
    let clear_lag = throttled["clear_lag"]["measured"]["ms"].as_u64().expect("a time");
    assert!(clear_lag < 60_000, "{throttled:#}");
    assert_eq!(alarm(&report, "checkout-errors")["outcome"], "quiet");
    // The time of the transition is AWS's: no later than the poll that saw it.
    for event in workspace.events() {
        if let EventKind::AlarmTransitioned { at_ms, is_exact, .. } = event.kind {
            assert!(is_exact && at_ms <= event.elapsed_ms, "{at_ms} {}", event.elapsed_ms);
        }
    }
    let page = std::fs::read_to_string(workspace.run_folder().unwrap().join("report.html")).unwrap();
    assert!(page.contains("id=\"alarms\"") && page.contains("gd-alarm"), "the page has the alarms and their lane");
}

#[test]
fn a_guardrail_on_an_alarm_ends_the_run_and_everything_is_undone() {
    let workspace = Workspace::new();
    write_scenario(
        &workspace,
        &[("alarm(checkout-errors) is ALARM\", on_missing: warn", "alarm(payments-*) is ALARM\"")],
    );
    let output = workspace.gameday(&["run", "scenarios/alarm.yaml"]);
    assert_eq!(output.code(), 4, "{output:#?}");
    assert_all_undone(&workspace);
    let aborted = workspace.state().abort;
    assert!(matches!(&aborted, Some(AbortCause::Guardrail { guardrail }) if guardrail.as_str() == "G1"), "{aborted:?}");
    let report = report(&workspace);
    let guardrail = &report["guardrails"][0];
    assert_eq!(guardrail["state"], "tripped");
    let observed = guardrail["observed"].as_str().expect("what it saw");
    assert!(observed.contains("payments-throttled ALARM since"), "{observed}");
    assert!(findings(&report).contains(&"guardrail_tripped"), "{:?}", findings(&report));
}

#[test]
fn an_expected_alarm_that_keeps_silent_is_a_finding_and_its_detection_is_refuted() {
    let workspace = Workspace::new();
    let settings = std::fs::read_to_string(workspace.path().join("gameday.yaml")).unwrap();
    let deaf = settings.replace("metric_name: Throttles, threshold: 1,", "metric_name: Throttles, threshold: 1000000,");
    assert_ne!(deaf, settings);
    workspace.write("gameday.yaml", &deaf);
    write_scenario(
        &workspace,
        &[
            ("<= 20s", "<= 8s"),
            // The front door's alarm is not spoken of, and nobody named it: only `alarms` asks for it to be seen.
            ("alarm(checkout-*) is OK during throttled", "mean(order_ok) >= 50% during throttled"),
            ("alarm(payments-throttled) is OK within 40s after throttled", "mean(order_ok) >= 50%"),
        ],
    );
    let output = workspace.gameday(&["run", "scenarios/alarm.yaml"]);
    assert_eq!(output.code(), 3, "{output:#?}");
    assert_all_undone(&workspace);
    let report = report(&workspace);
    assert_eq!(alarm(&report, "payments-throttled")["outcome"], "silent");
    assert_eq!(report["faults"][0]["response"]["detected_by"], "nobody");
    assert!(findings(&report).contains(&"silent_alarm"), "{:?}", findings(&report));
    let refuted = report["hypotheses"].as_array().expect("a list").iter().find(|it| it["id"] == "H2").expect("H2");
    assert_eq!(refuted["verdict"]["name"], "refuted", "{refuted:#}");
    let junit = std::fs::read_to_string(workspace.run_folder().unwrap().join("junit.xml")).unwrap();
    assert!(junit.contains("alarm payments-throttled") && junit.contains("<skipped message=\"silent"), "{junit}");
}

#[test]
fn alarms_that_are_not_there_are_named_before_anything_is_changed() {
    let workspace = Workspace::new();
    write_scenario(
        &workspace,
        &[
            ("expected: [payments-throttled]", "expected: [payments-throttled, payments-slow]"),
            ("alarm(checkout-*)", "alarm(cart-*)"),
        ],
    );
    let output = workspace.gameday(&["run", "scenarios/alarm.yaml"]);
    assert_eq!(output.code(), 7, "{output:#?}");
    for word in ["environment `sandbox` has no alarm `cart-*`, `payments-slow`", "gameday.yaml"] {
        assert!(output.stderr.contains(word), "`{word}` is not in: {}", output.stderr);
    }
    assert!(workspace.state().faults.is_empty());
}

/// A relay before the sandbox that can be told not to answer the next calls to CloudWatch.
struct Relay {
    endpoint: String,
    client: reqwest::Client,
    /// How many calls to CloudWatch are still to fail.
    failing_count: AtomicU32,
}

async fn relay(State(relay): State<Arc<Relay>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let fails =
        || relay.failing_count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    if path.contains("GraniteServiceVersion20100801") && fails() {
        return (StatusCode::SERVICE_UNAVAILABLE, "out of order").into_response();
    }
    let body = to_bytes(body, usize::MAX).await.expect("a body");
    let mut headers = parts.headers;
    headers.remove("host");
    let url = format!("{}{path}", relay.endpoint);
    let answer = relay.client.request(parts.method, url).headers(headers).body(body).send().await.expect("an answer");
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = Response::new(Body::from(answer.bytes().await.expect("a body")));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().remove("transfer-encoding");
    response
}

#[test]
fn polls_that_fail_for_a_while_do_not_end_a_run_and_are_told_once() {
    let workspace = Workspace::new();
    workspace.write("functions.yaml", &std::fs::read_to_string(repository().join("functions.yaml")).unwrap());
    let mut sandbox = workspace.start(&["sandbox", "up", "--functions", "functions.yaml", "--json"]);
    let endpoint = sandbox.read_json()["endpoint"].as_str().expect("an endpoint").to_owned();
    let state = Arc::new(Relay {
        endpoint,
        client: reqwest::Client::builder().no_proxy().build().expect("a client"),
        failing_count: AtomicU32::new(0),
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let router = axum::Router::new().fallback(relay).with_state(Arc::clone(&state));
    runtime.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
    workspace.write(
        "gameday.yaml",
        &format!("gameday: 1\nenvironments: {{local: {{endpoint: \"http://127.0.0.1:{port}\"}}}}\n"),
    );
    write_scenario(
        &workspace,
        &[
            ("[sandbox, local]", "[local]"),
            (", on_missing: warn", ", on_missing: abort"),
            // Nothing is judged of the time in which alarms can not be read.
            ("detect(payments-throttled) <= 20s", "mean(order_ok) >= 50%"),
            ("alarm(payments-throttled) is OK within 40s after throttled", "mean(order_ok) >= 50%"),
        ],
    );
    let run = workspace.start(&["run", "scenarios/alarm.yaml", "--env", "local"]);
    workspace.wait_for_event("the first phase", |kind| matches!(kind, EventKind::PhaseStarted { .. }));
    // The first call of a poll that fails ends it: three calls are three polls.
    state.failing_count.store(3, Ordering::SeqCst);
    workspace.wait_for_event("a failed poll", |kind| matches!(kind, EventKind::AlarmsUnread { .. }));
    workspace.wait_for_event("a poll that goes through", |kind| matches!(kind, EventKind::AlarmsReread));
    assert_eq!(state.failing_count.load(Ordering::SeqCst), 0, "three polls failed before the one that went through");
    let output = run.wait();
    assert_eq!(output.code(), 0, "{output:#?}");
    let events = workspace.events();
    let of_reading = events.iter().filter_map(|event| match event.kind {
        EventKind::AlarmsUnread { .. } => Some("unread"),
        EventKind::AlarmsReread => Some("reread"),
        _ => None,
    });
    assert_eq!(of_reading.take(2).collect::<Vec<&str>>(), ["unread", "reread"], "three polls are told once");
    assert!(output.stderr.contains("alarms can not be read: cloudwatch:DescribeAlarms failed"), "{}", output.stderr);
    let report = report(&workspace);
    assert!(findings(&report).contains(&"alarms_unread"), "{:?}", findings(&report));
    let throttled = alarm(&report, "payments-throttled");
    assert_ne!(throttled["outcome"], "unknown", "when it came into its state was told: {throttled:#}");
    stop(sandbox);
}

fn put_alarms(workspace: &Workspace, endpoint: &str, state: &[&str]) {
    let mut python = python("alarms").expect("there is one");
    let output = workspace.start_command(python.arg(script("alarms.py")).arg(endpoint).args(state)).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
}

/// Alarms that boto3 puts are read by name, by prefix and by state, and a change of one is seen as that and no more.
fn exercise(workspace: &Workspace, endpoint: &str) {
    put_alarms(workspace, endpoint, &[]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let began_at = chrono::DateTime::UNIX_EPOCH;
    let aws = runtime.block_on(Aws::connect(&Connection::Endpoint(endpoint.to_owned())));
    let ask = |query: &AlarmQuery<'_>| runtime.block_on(aws.cloudwatch.alarms(query)).expect("an answer");
    let odd = "Payments / 5xx (prod)".to_owned();
    let names = ["orders-errors".to_owned(), odd.clone(), "nobody".to_owned()];
    let found = ask(&AlarmQuery::Names(&names)).alarms;
    assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), [odd.as_str(), "orders-errors"]);
    assert_eq!(found["orders-errors"].state, AlarmState::Ok, "{found:#?}");
    assert_eq!(found["orders-errors"].settings.looks_back(), Some(std::time::Duration::from_secs(120)));
    assert_eq!(ask(&AlarmQuery::Prefix("orders-")).alarms.len(), 2);
    assert_eq!(ask(&AlarmQuery::InAlarm).alarms.len(), 0);
    let poll = |names: &[String]| {
        let cloudwatch = aws.alarm_poll();
        runtime.block_on(AlarmWatch::poll(&cloudwatch, names)).expect("a poll")
    };
    let named = vec!["orders-errors".to_owned()];
    let mut watch = AlarmWatch::new(BTreeSet::from_iter(named.clone()), poll(&named), began_at);
    assert_eq!(watch.take(poll(&watch.names())), []);
    put_alarms(workspace, endpoint, &["orders-errors", "ALARM"]);
    put_alarms(workspace, endpoint, &[&odd, "ALARM"]);
    let changes = watch.take(poll(&watch.names()));
    let told: Vec<(&str, Option<AlarmState>, AlarmState)> = changes
        .iter()
        .filter_map(|change| match change {
            AlarmChange::Transitioned { alarm, from, .. } => Some((alarm.name.as_str(), *from, alarm.state)),
            AlarmChange::Found(_) | AlarmChange::Unseen(_) | AlarmChange::Lost(_) => None,
        })
        .collect();
    let expected =
        [("orders-errors", Some(AlarmState::Ok), AlarmState::Alarm), (odd.as_str(), None, AlarmState::Alarm)];
    assert_eq!(told, expected, "{changes:#?}");
}

#[test]
fn alarms_are_read_on_ministack() {
    let Some(mut python) = python("alarms on MiniStack") else { return };
    let workspace = Workspace::empty();
    let port = free_port();
    let ministack = start_ministack(&mut python, &workspace, port, "cloudwatch,monitoring,sts");
    exercise(&workspace, &format!("http://127.0.0.1:{port}"));
    stop(ministack);
}

/// moto 5.2.5 answers CloudWatch's CBOR in XML: that is an error, and never "there is no alarm".
#[test]
fn an_emulator_that_does_not_speak_cloudwatchs_protocol_is_an_error_and_no_empty_list() {
    let Some(mut python) = python("alarms on moto") else { return };
    let workspace = Workspace::empty();
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let moto = start_moto(&mut python, &workspace, port);
    put_alarms(&workspace, &endpoint, &[]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let aws = runtime.block_on(Aws::connect(&Connection::Endpoint(endpoint)));
    let error = runtime.block_on(aws.cloudwatch.alarms(&AlarmQuery::InAlarm)).expect_err("no CBOR");
    assert_eq!(error.code, "BadAnswer", "{error}");
    stop(moto);
}
