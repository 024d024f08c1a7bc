//! Evidence from logs and traces: on the sandbox's own CloudWatch Logs, and on emulators that somebody else wrote.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use gameday::aws::{Aws, Connection};
use gameday::event::{EventKind, EvidenceKept, EvidenceSource};
use gameday::observe::{
    EvidenceSeries, InvocationStatus, LogEvidence, LogFold, LogReader, LogSpan, LogSubject, LogWay, MetricEvidence,
    TraceWay, read_traces,
};
use tokio::time::Instant;

use crate::peers::{python, script, start_ministack, start_moto, stop};
use crate::support::{Output, Workspace, free_port};

const SETTINGS: &str = r"
gameday: 1
environments:
  sandbox:
    functions:
      probe: {demo: probe}
      in-json: {demo: probe, log_format: json}
      breaks: {demo: probe}
      idle: {demo: probe}
";

const SCENARIO: &str = r#"
gameday: 1
id: seen
title: Logs are read when it is over
owner: team-shop
mode: drill
targets:
  probe:   {lambda: {function: probe}}
  in-json: {lambda: {function: in-json}}
  breaks:  {lambda: {function: breaks}}
  idle:    {lambda: {function: idle}}
signals:
  ok: {load: {of: callers, stat: success_ratio}}
hypotheses:
  - {id: H1, severity: low, text: "Some calls are answered", expect: "mean(ok) > 1% during calls"}
load:
  callers:
    journeys: [{name: call, steps: [{invoke: probe, json: {do: print, text: "error of order 4711"}}]}]
    shape: [{hold: 5s, at: 10/s}]
  others:
    journeys: [{name: call, steps: [{invoke: in-json, json: {do: pid}}]}]
    shape: [{hold: 5s, at: 5/s}]
  breakers:
    journeys: [{name: call, steps: [{invoke: breaks, json: {do: crash, code: 3}}]}]
    shape: [{hold: 5s, at: 2/s}]
faults:
  throttled: {lambda_concurrency: {target: probe, reserved: 0}, ttl: 1s}
EVIDENCE
timeline:
  - phase: calls
    for: 6s
    do: [{at: 0s, load: callers}, {at: 0s, load: others}, {at: 0s, load: breakers}, {at: 2s, fault: throttled}]
"#;

fn scenario(evidence: &str) -> String {
    SCENARIO.replace("EVIDENCE", evidence)
}

fn kept(workspace: &Workspace) -> Vec<EvidenceKept> {
    let of = |event: gameday::event::Event| match event.kind {
        EventKind::EvidenceKept(kept) => Some(kept),
        _ => None,
    };
    workspace.events().into_iter().filter_map(of).collect()
}

fn logs(workspace: &Workspace, function: &str) -> LogEvidence {
    let path = workspace.run_folder().expect("a run").join(format!("evidence/logs/{function}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("evidence")).expect("its form")
}

/// The data points of a default metric of a target.
fn metric(workspace: &Workspace, target: &str, name: &str) -> Vec<(u64, f64)> {
    let path = workspace.run_folder().expect("a run").join("evidence/metrics/metrics.json");
    let evidence: MetricEvidence =
        serde_json::from_str(&std::fs::read_to_string(path).expect("evidence")).expect("its form");
    let is_it = |series: &EvidenceSeries| {
        let metric = series.metric.as_ref().is_some_and(|metric| metric.name == name);
        metric && series.target.as_ref().is_some_and(|of| of.as_str() == target)
    };
    evidence.series.into_iter().find(is_it).expect("a series").points
}

/// How many calls of a load were answered well, and how many were not.
fn counts(workspace: &Workspace, load: &str) -> (u64, u64) {
    workspace.events().iter().fold((0, 0), |(ok, failed), event| match &event.kind {
        EventKind::LoadRecorded(second) if second.load.as_str() == load => {
            (ok + second.ok_count, failed + second.failed_count)
        }
        _ => (ok, failed),
    })
}

/// A slow machine leaves the load in doubt, and the verdict inconclusive; what the logs say is no less true for that.
fn assert_ran(output: &Output) {
    assert!([0, 6].contains(&output.code()), "{output:#?}");
}

#[test]
fn a_run_keeps_what_the_logs_of_its_functions_say_and_it_is_what_the_load_saw() {
    let workspace = Workspace::empty();
    workspace.write("gameday.yaml", SETTINGS);
    workspace.write("scenarios/seen.yaml", &scenario(""));
    let output = workspace.gameday(&["run", "scenarios/seen.yaml"]);
    assert_ran(&output);

    let probe = logs(&workspace, "probe");
    let (ok, failed) = counts(&workspace, "callers");
    assert!(ok > 0 && failed > 0, "{ok} went well, {failed} were throttled");
    assert_eq!(probe.invocation_count, ok, "throttled calls reach no function");
    assert_eq!((probe.way, probe.cut.as_deref()), (LogWay::Events, None));
    assert_eq!(probe.minutes.iter().map(|minute| minute.invocation_count).sum::<u64>(), ok);
    assert!(probe.cold_starts.count >= 1 && probe.near_memory.is_some());
    assert_eq!((probe.error_count, probe.error_groups.len()), (ok, 1));
    assert_eq!(probe.error_groups[0].signature, "error of order #");
    assert!(probe.slowest.iter().all(|it| it.trace_id.is_some() && it.max_memory_mb.is_some()));

    let in_json = logs(&workspace, "in-json");
    assert_eq!((in_json.invocation_count, 0), counts(&workspace, "others"));
    assert_eq!(in_json.slowest[0].status, Some(InvocationStatus::Success));

    let breaks = logs(&workspace, "breaks");
    assert_eq!((0, breaks.invocation_count), counts(&workspace, "breakers"));
    assert_eq!(breaks.failed[0].status, Some(InvocationStatus::Error));
    let exit = "RequestId: <id> Error: Runtime exited with error: exit status #";
    assert_eq!(breaks.error_groups[0].signature, exit);
    assert_eq!(breaks.failed[0].error.as_deref(), Some(exit));

    let kept = kept(&workspace);
    let about: Vec<&str> = kept.iter().map(|kept| kept.about.as_str()).collect();
    assert_eq!(about, ["breaks", "idle", "in-json", "probe", "breaks, idle, in-json, probe"]);
    assert_eq!((kept[4].source, kept[4].unknown.as_deref()), (EvidenceSource::Metrics, None));
    // Both ways of AWS to count them say the same.
    let sum = |name: &str| metric(&workspace, "probe", name).iter().map(|(_, value)| value).sum::<f64>();
    let number = |count: u64| f64::from(u32::try_from(count).expect("a few"));
    assert!((sum("Invocations") - number(ok)).abs() < f64::EPSILON, "{} {ok}", sum("Invocations"));
    assert!((sum("Throttles") - number(failed)).abs() < f64::EPSILON, "{} {failed}", sum("Throttles"));
    let idle = &kept[1];
    assert!(idle.file.is_none() && idle.unknown.as_ref().is_some_and(|why| why.contains("ResourceNotFoundException")));
    assert!(output.stderr.contains("the logs of idle are not known"), "{}", output.stderr);
    assert_told(&workspace, &kept[3]);
}

/// The report's manifest names the file, where it comes from, and what is not known.
fn assert_told(workspace: &Workspace, probe: &EvidenceKept) {
    assert_eq!((probe.source, probe.is_cut), (EvidenceSource::Logs, false));
    let folder = workspace.run_folder().expect("a run");
    let report: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("report.json")).expect("a report")).expect("JSON");
    let files = report["evidence"].as_array().expect("a list");
    let file = files.iter().find(|file| file["file"] == "evidence/logs/probe.json").expect("the file");
    assert_eq!(file["sha256"].as_str(), probe.sha256.as_deref());
    assert_eq!(file["provenance"]["query"], "logs:FilterLogEvents of /aws/lambda/probe");
    assert!(file["provenance"]["from"].is_string() && file["provenance"]["to"].is_string());
    assert_eq!(report["evidence_gaps"][0]["about"], "idle");
    let page = std::fs::read_to_string(folder.join("report.html")).expect("a page");
    assert!(page.contains("evidence/logs/probe.json") && page.contains("The specified log group does not exist"));
    // No message of a function stands in any file that the report is made of.
    let text = std::fs::read_to_string(folder.join("evidence/logs/probe.json")).expect("evidence");
    assert!(!text.contains("4711"));
}

#[test]
fn logs_are_not_read_where_nobody_wants_them_and_traces_that_can_not_be_had_are_told() {
    let workspace = Workspace::empty();
    workspace.write("gameday.yaml", SETTINGS);
    workspace.write("scenarios/seen.yaml", &scenario("evidence: {logs: false, traces: true, metrics: false}"));
    let output = workspace.gameday(&["run", "scenarios/seen.yaml"]);
    assert_ran(&output);
    assert!(!workspace.run_folder().expect("a run").join("evidence/logs").exists());
    let [traces] = kept(&workspace).try_into().expect("one");
    assert_eq!((traces.source, traces.about.as_str()), (EvidenceSource::Traces, "breaks, idle, in-json, probe"));
    assert!(traces.unknown.is_some(), "the sandbox has no X-Ray");
}

fn span() -> LogSpan {
    #[expect(clippy::disallowed_methods, reason = "the wall clock is what an emulator stamps by")]
    let now = Utc::now();
    LogSpan { from: now - TimeDelta::minutes(10), until: now + TimeDelta::minutes(1) }
}

#[test]
fn lines_of_real_invocations_on_ministack_are_read() {
    let Some(mut ministack) = python("logs on MiniStack") else { return };
    let workspace = Workspace::empty();
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let ministack = start_ministack(&mut ministack, &workspace, port, "lambda,iam,logs,sts");
    let mut python = python("calling functions").expect("there is one");
    let called = workspace.start_command(python.arg(script("call_functions.py")).arg(&endpoint)).wait();
    assert_eq!(called.code(), 0, "{}{}", called.stdout, called.stderr);
    let found = on_runtime(async move {
        let aws = Aws::connect(&Connection::Endpoint(endpoint)).await;
        let groups = aws.logs.groups("/aws/lambda/").await.expect("groups");
        assert!(groups.groups.iter().any(|group| group.name == "/aws/lambda/logger"), "{groups:?}");
        let subject = LogSubject {
            function: "logger".to_owned(),
            group: "/aws/lambda/logger".to_owned(),
            timeout_ms: Some(7_000.0),
        };
        let mut fold = LogFold::new(subject);
        let reader = LogReader::new(aws.logs.clone(), false, Instant::now() + Duration::from_secs(60));
        let read = reader.read("/aws/lambda/logger", span(), &mut fold).await.expect("lines");
        fold.finish(span(), read.way, read.cut)
    });
    assert_eq!((found.way, found.cut.as_deref(), found.invocation_count), (LogWay::Events, None, 4), "{found:#?}");
    let groups: Vec<&str> = found.error_groups.iter().map(|group| group.signature.as_str()).collect();
    assert!(groups.iter().any(|group| group.contains("no card #")), "{groups:?}");
    assert_eq!(found.failed.len(), 1, "{found:#?}");
    stop(ministack);
}

#[test]
fn traces_that_somebody_else_sent_to_moto_are_read() {
    let Some(mut moto) = python("traces on moto") else { return };
    let workspace = Workspace::empty();
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let moto = start_moto(&mut moto, &workspace, port);
    let mut python = python("sending traces").expect("there is one");
    let sent = workspace.start_command(python.arg(script("put_traces.py")).arg(&endpoint)).wait();
    assert_eq!(sent.code(), 0, "{}{}", sent.stdout, sent.stderr);
    let trace = sent.stdout.trim().to_owned();
    let found = on_runtime(async move {
        let aws = Aws::connect(&Connection::Endpoint(endpoint)).await;
        // moto reads no filter expressions, so that all traces are asked for.
        let deadline = Instant::now() + Duration::from_secs(60);
        read_traces(&aws.xray, &aws.logs, &[], span(), deadline).await.expect("traces")
    });
    assert_eq!((found.way, found.trace_count), (TraceWay::XRay, 1), "{found:#?}");
    assert_eq!(found.slowest[0].id, trace);
    assert_eq!(found.unknown.len(), 1, "moto does not say where segments go: {found:#?}");
    assert_eq!((found.edges[0].from.as_str(), found.edges[0].to.as_str()), ("checkout", "payments"));
    stop(moto);
}

fn on_runtime<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async { tokio::spawn(work).await.expect("no panic") })
}
