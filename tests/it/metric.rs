//! Metrics of CloudWatch as signals: gates, proofs, hypotheses and guardrails read them, on the sandbox and on an emulator of others.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use gameday::aws::{Aws, Connection, MetricQuery, MetricSource};
use gameday::event::EventKind;
use gameday::unit::MetricName;
use serde_json::Value;

use crate::peers::{python, script, start_ministack, stop};
use crate::support::{Workspace, free_port};

const SCENARIO: &str = r#"
gameday: 1
id: metrics
title: CloudWatch tells of a throttled function
owner: team-shop
environments: {allow: [sandbox]}
targets: {probe: {lambda: {function: probe}}}
signals:
  throttles:  {cloudwatch: {lambda: probe, metric: Throttles, stat: Sum, period: 5s, fill: 0}}
  took:       {cloudwatch: {lambda: probe, metric: Duration, stat: p99, period: 5s}}
  error_rate:
    metric_math:
      expression: "errors / invocations"
      metrics:
        errors: {lambda: probe, metric: Errors, stat: Sum}
        invocations: {lambda: probe, metric: Invocations, stat: Sum}
      period: 5s
      unit: ratio
hypotheses:
  - {id: H0, text: "Nothing is throttled", expect: "max(throttles) == 0 during baseline"}
  - {id: H1, text: "Throttling is seen", expect: "sum(throttles) >= 5 during throttled"}
  - {id: H2, text: "It answers fast", expect: "max(took) <= 5s during baseline"}
  - {id: H3, text: "It does not fail", expect: "max(error_rate) <= 0% during baseline"}
  - {id: H4, text: "It is over soon", expect: "sum(throttles) == 0 within 1m after throttled"}
guardrails: [{id: G1, abort_if: "sum(throttles) > 100000"}]
load:
  callers:
    journeys: [{name: call, steps: [{invoke: probe, json: {do: echo}, expect: {status: [200, 429]}}]}]
    shape: [{hold: 3m, at: 5/s}]
faults:
  throttle: {lambda_concurrency: {target: probe, reserved: 0}, ttl: 1m, effect_if: "sum(throttles) > 0"}
timeline:
  - {phase: baseline, for: 12s, do: [{at: 0s, load: callers}], steady: [H0]}
  - {phase: throttled, for: 15s, do: [{at: 0s, fault: throttle}]}
report: {formats: [json]}
"#;

#[test]
fn metrics_of_the_sandbox_are_gates_proofs_and_judged() {
    let workspace = Workspace::empty();
    workspace.write(
        "gameday.yaml",
        "gameday: 1\nenvironments: {sandbox: {functions: {probe: {demo: probe, timeout: 20s}}}}\n",
    );
    workspace.write("scenarios/metrics.yaml", SCENARIO);
    let output = workspace.gameday(&["run", "scenarios/metrics.yaml"]);
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    let events = workspace.events();
    let mut points: BTreeMap<String, BTreeMap<u64, f64>> = BTreeMap::new();
    for event in &events {
        if let EventKind::MetricRead { signal, points: told } = &event.kind {
            // No data point is told before its period is over.
            assert!(told.iter().all(|(begin, _)| begin + 5_000 <= event.elapsed_ms), "{event:?}");
            points.entry(signal.to_string()).or_default().extend(told.iter().copied());
        }
    }
    assert_eq!(points.keys().collect::<Vec<_>>(), ["error_rate", "throttles", "took"]);
    // CloudWatch counts the calls that were refused, and no others.
    let called: u64 = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::LoadRecorded(second) => Some(second.ok_count + second.failed_count),
            _ => None,
        })
        .sum();
    let throttled: f64 = points["throttles"].values().sum();
    let called = f64::from(u32::try_from(called).expect("a few"));
    assert!((5.0..called).contains(&throttled), "{throttled} of {called}");
    let report: Value = serde_json::from_str(
        &std::fs::read_to_string(workspace.run_folder().unwrap().join("report.json")).expect("a report"),
    )
    .expect("JSON");
    for hypothesis in report["hypotheses"].as_array().expect("a list") {
        assert_eq!(hypothesis["verdict"]["name"], "upheld", "{hypothesis:#}");
    }
    assert_eq!(report["not_carried_out"], Value::Array(Vec::new()));
    assert!(report["faults"][0]["effective_ms"].as_u64().is_some(), "the metric proved it");
}

/// What somebody else's CloudWatch says to the same call.
#[test]
fn metrics_are_read_from_ministack_in_aligned_periods_and_nothing_is_no_zero() {
    let Some(mut server) = python("metrics on MiniStack") else { return };
    let workspace = Workspace::empty();
    let port = free_port();
    let ministack = start_ministack(&mut server, &workspace, port, "cloudwatch,monitoring,sts");
    let endpoint = format!("http://127.0.0.1:{port}");
    let mut put = python("metrics").expect("there is one");
    let output = workspace.start_command(put.arg(script("metrics.py")).arg(&endpoint)).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let aws = runtime.block_on(Aws::connect(&Connection::Endpoint(endpoint)));
    let dimensions = BTreeMap::from([("Shop".to_owned(), "main".to_owned())]);
    let query = |id: &str, name: &str| {
        let metric = MetricName { namespace: "Shop".to_owned(), name: name.to_owned(), dimensions: dimensions.clone() };
        let source = MetricSource::Statistic { metric, statistic: "Sum".to_owned() };
        MetricQuery { id: id.to_owned(), source, period_seconds: 60, is_returned: true }
    };
    let queries = [query("s0", "Orders"), query("s1", "Nothing")];
    let now = gameday::unit::Clock::start().now();
    let range = (now - TimeDelta::minutes(5), now + TimeDelta::minutes(1));
    let answer = runtime.block_on(aws.cloudwatch.metric_data(&queries, range)).expect("an answer");
    assert!((answer["s0"].points.values().sum::<f64>() - 7.0).abs() < f64::EPSILON, "{answer:?}");
    assert!(answer["s0"].points.keys().all(|at| at.timestamp() % 60 == 0), "{answer:?}");
    assert!(answer["s1"].points.is_empty() && answer["s1"].trouble.is_none(), "{answer:?}");
    stop(ministack);
}
