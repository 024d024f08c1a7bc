//! The sandbox's Fault Injection Service with real function processes, driven by the AWS SDK.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, Statistic};
use aws_sdk_fis::Client;
use aws_sdk_fis::error::ProvideErrorMetadata as _;
use aws_sdk_fis::types::{
    ActionsMode, CreateExperimentTemplateActionInput, CreateExperimentTemplateExperimentOptionsInput,
    CreateExperimentTemplateStopConditionInput, CreateExperimentTemplateTargetInput, EmptyTargetResolutionMode,
    Experiment, ExperimentActionStatus, ExperimentStatus, SafetyLeverStatus, SafetyLeverStatusInput,
    StartExperimentExperimentOptionsInput, UpdateSafetyLeverStateInput,
};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use gameday::sandbox::Sandbox;
use serde_json::json;
use tokio::time::Instant;

use crate::sandbox::{Invoked, aws_config, client, eventually, invoke, start, try_invoke};
use crate::sandbox_event_source::{queue_url, sqs};

const ROLE: &str = "arn:aws:iam::000000000000:role/fis";
const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:probe";

/// A probe, and an FIS that takes short actions and lets them act at once.
const PROBE: &str = "{functions: {probe: {demo: probe, timeout: 2s}}, fis: {allow_short: true, propagation_ms: 0}}";

async fn fis(sandbox: &Sandbox) -> Client {
    Client::new(&aws_config(&sandbox.endpoint()).await)
}

/// A template with one action on the probe; its id.
async fn template(fis: &Client, action: &str, parameters: &[(&str, &str)], alarm: Option<&str>) -> String {
    let parameters: HashMap<String, String> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let target = CreateExperimentTemplateTargetInput::builder().resource_type("aws:lambda:function");
    let condition = match alarm {
        None => CreateExperimentTemplateStopConditionInput::builder().source("none"),
        Some(alarm) => {
            CreateExperimentTemplateStopConditionInput::builder().source("aws:cloudwatch:alarm").value(alarm)
        }
    };
    let action = CreateExperimentTemplateActionInput::builder()
        .action_id(action)
        .set_parameters(Some(parameters))
        .targets("Functions", "probes")
        .build()
        .expect("an action");
    let answer = fis
        .create_experiment_template()
        .client_token(uuid::Uuid::new_v4().to_string())
        .description("a test")
        .role_arn(ROLE)
        .stop_conditions(condition.build().expect("a condition"))
        .targets("probes", target.resource_arns(FUNCTION).selection_mode("ALL").build().expect("a target"))
        .actions("act", action)
        .send()
        .await
        .expect("a template");
    answer.experiment_template.and_then(|template| template.id).expect("an id")
}

async fn begin(fis: &Client, template: &str) -> String {
    let token = uuid::Uuid::new_v4().to_string();
    let answer = fis.start_experiment().client_token(token).experiment_template_id(template).send().await;
    answer.expect("an experiment").experiment.and_then(|experiment| experiment.id).expect("an id")
}

async fn experiment(fis: &Client, id: &str) -> Experiment {
    fis.get_experiment().id(id).send().await.expect("the experiment").experiment.expect("the experiment")
}

async fn wait_for(fis: &Client, id: &str, status: ExperimentStatus) -> Experiment {
    let now = async || experiment(fis, id).await.state.and_then(|state| state.status);
    eventually(&format!("{id} is {status}"), async || now().await == Some(status.clone())).await;
    experiment(fis, id).await
}

/// Waits until the action itself runs, which is when its fault is in force.
async fn wait_until_it_acts(fis: &Client, id: &str) {
    let status = async || experiment(fis, id).await.actions?.get("act")?.state.as_ref()?.status.clone();
    eventually("the action runs", async || status().await == Some(ExperimentActionStatus::Running)).await;
}

async fn echo(lambda: &aws_sdk_lambda::Client) -> Invoked {
    try_invoke(lambda, "probe", json!({"do": "echo", "n": 1})).await.expect("an answer")
}

#[tokio::test]
async fn an_error_hits_the_share_that_it_says_and_ends_with_the_experiment() {
    let sandbox = start(PROBE).await;
    let (lambda, fis) = (client(&sandbox).await, fis(&sandbox).await);
    let parameters = [("duration", "PT10M"), ("invocationPercentage", "30"), ("preventExecution", "true")];
    let template = template(&fis, "aws:lambda:invocation-error", &parameters, None).await;
    let id = begin(&fis, &template).await;
    wait_until_it_acts(&fis, &id).await;
    let mut hits = 0_u32;
    for _ in 0..600 {
        let invoked = echo(&lambda).await;
        match invoked.error {
            None => assert_eq!(invoked.payload, json!({"do": "echo", "n": 1})),
            Some(_) => {
                assert_eq!(invoked.payload["errorType"], "FisInjectedError", "{}", invoked.payload);
                hits += 1;
            }
        }
    }
    assert!((150..=210).contains(&hits), "{hits} of 600 were hit");

    fis.stop_experiment().id(&id).send().await.expect("it stops");
    let stopped = wait_for(&fis, &id, ExperimentStatus::Stopped).await;
    let action = stopped.actions.as_ref().and_then(|actions| actions.get("act")).expect("the action");
    assert_eq!(action.state().and_then(|state| state.status()), Some(&ExperimentActionStatus::Stopped));
    assert!(stopped.end_time().is_some() && stopped.start_time().is_some());
    for _ in 0..100 {
        assert_eq!(echo(&lambda).await.error, None);
    }
    let again = fis.stop_experiment().id(&id).send().await.expect_err("it has stopped").into_service_error();
    assert!(again.is_validation_exception(), "{again:?}");
    sandbox.stop().await;
}

#[tokio::test]
async fn an_error_without_prevention_replaces_what_the_function_did() {
    let sandbox = start(PROBE).await;
    let (lambda, fis) = (client(&sandbox).await, fis(&sandbox).await);
    let parameters = [("duration", "PT10M"), ("preventExecution", "false")];
    let id = begin(&fis, &template(&fis, "aws:lambda:invocation-error", &parameters, None).await).await;
    wait_until_it_acts(&fis, &id).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("seen");
    // A hanging probe writes its file first: that it ran shows in the file, and that it hung in the timeout.
    let hung = try_invoke(&lambda, "probe", json!({"do": "hang", "file": file})).await.expect("an answer");
    assert!(file.exists());
    assert_eq!(hung.payload["errorType"], "Sandbox.Timedout");
    let replaced = echo(&lambda).await;
    assert_eq!(
        (replaced.error.as_deref(), &replaced.payload["errorType"]),
        (Some("Unhandled"), &json!("FisInjectedError"))
    );
    sandbox.stop().await;
}

#[tokio::test]
async fn a_delay_counts_against_the_timeout() {
    let sandbox = start(PROBE).await;
    let (lambda, fis) = (client(&sandbox).await, fis(&sandbox).await);
    invoke(&lambda, "probe", json!({"do": "pid"})).await;
    let delayed = |millis: &'static str| [("duration", "PT10M"), ("startupDelayMilliseconds", millis)];
    let short = template(&fis, "aws:lambda:invocation-add-delay", &delayed("700"), None).await;
    let id = begin(&fis, &short).await;
    wait_until_it_acts(&fis, &id).await;
    let before = Instant::now();
    assert_eq!(echo(&lambda).await.error, None);
    assert!(before.elapsed() >= Duration::from_millis(700));
    fis.stop_experiment().id(&id).send().await.expect("it stops");
    wait_for(&fis, &id, ExperimentStatus::Stopped).await;

    let long = template(&fis, "aws:lambda:invocation-add-delay", &delayed("60000"), None).await;
    let id = begin(&fis, &long).await;
    wait_until_it_acts(&fis, &id).await;
    let late = echo(&lambda).await;
    assert_eq!((late.error.as_deref(), &late.payload["errorType"]), (Some("Unhandled"), &json!("Sandbox.Timedout")));
    fis.stop_experiment().id(&id).send().await.expect("it stops");
    wait_for(&fis, &id, ExperimentStatus::Stopped).await;
    assert_eq!(echo(&lambda).await.error, None, "the next call recovers");
    sandbox.stop().await;
}

#[tokio::test]
async fn an_http_response_is_what_a_function_url_answers() {
    let sandbox = start(PROBE).await;
    let fis = fis(&sandbox).await;
    let parameters =
        [("duration", "PT5S"), ("preventExecution", "true"), ("statusCode", "503"), ("contentTypeHeader", "text/html")];
    let action = "aws:lambda:invocation-http-integration-response";
    let id = begin(&fis, &template(&fis, action, &parameters, None).await).await;
    wait_until_it_acts(&fis, &id).await;
    let url = sandbox.function_url("probe").expect("a URL");
    let get = async || reqwest::get(&url).await.expect("an answer");
    let answer = get().await;
    assert_eq!(answer.status(), 503);
    assert_eq!(
        answer.headers().get("content-type").map(reqwest::header::HeaderValue::as_bytes),
        Some(&b"text/html"[..])
    );
    let completed = wait_for(&fis, &id, ExperimentStatus::Completed).await;
    let action = completed.actions.as_ref().and_then(|actions| actions.get("act")).expect("the action");
    let lasted = action.end_time().expect("an end").secs() - action.start_time().expect("a start").secs();
    assert!(lasted >= 4, "the action lasted its 5 s, not {lasted}");
    assert_ne!(get().await.status(), 503, "the probe can do nothing with an event of HTTP, but it has it again");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_fault_hits_what_a_queue_feeds_and_what_comes_asynchronously() {
    let functions = "{functions: {probe: {demo: probe, event_sources: [{queue: orders, visibility_timeout: 50ms}], \
                     event_invoke: {retries: 0, on_failure: failed}}}, fis: {allow_short: true, propagation_ms: 0}}";
    let sandbox = start(functions).await;
    let (lambda, fis) = (client(&sandbox).await, fis(&sandbox).await);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lines");
    let append = json!({"do": "append", "file": file, "text": "ran"}).to_string();
    let parameters = [("duration", "PT10M"), ("invocationPercentage", "100"), ("preventExecution", "true")];
    let template = template(&fis, "aws:lambda:invocation-error", &parameters, None).await;
    let id = begin(&fis, &template).await;
    wait_until_it_acts(&fis, &id).await;

    let call = lambda.invoke().function_name("probe").invocation_type(InvocationType::Event);
    call.payload(Blob::new(append.clone())).send().await.expect("an event is taken");
    let failed = json!({"QueueUrl": queue_url(&sandbox, "failed").await, "WaitTimeSeconds": 20});
    let told = sqs(&sandbox, "ReceiveMessage", failed).await;
    let body = told["Messages"][0]["Body"].as_str().expect("a record");
    let record: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(record["responsePayload"]["errorType"], "FisInjectedError", "{record}");

    let orders = json!({"QueueUrl": queue_url(&sandbox, "orders").await, "MessageBody": append});
    sqs(&sandbox, "SendMessage", orders).await;
    let result = async || {
        let mappings = lambda.list_event_source_mappings().send().await.expect("the mappings");
        mappings.event_source_mappings().first().and_then(|mapping| mapping.last_processing_result().map(str::to_owned))
    };
    eventually("the batch fails", async || result().await.as_deref() == Some("PROBLEM: Function call failed")).await;
    assert!(!file.exists(), "neither ran");

    fis.stop_experiment().id(&id).send().await.expect("it stops");
    eventually("the batch is served", async || file.exists()).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn an_effect_comes_and_goes_with_the_propagation_delay() {
    let file = "{functions: {probe: {demo: probe}}, fis: {allow_short: true, propagation_ms: 2000}}";
    let sandbox = start(file).await;
    let (lambda, fis) = (client(&sandbox).await, fis(&sandbox).await);
    invoke(&lambda, "probe", json!({"do": "pid"})).await;
    let parameters = [("duration", "PT10M"), ("preventExecution", "true")];
    let id = begin(&fis, &template(&fis, "aws:lambda:invocation-error", &parameters, None).await).await;
    let began = Instant::now();
    eventually("the effect is there", async || echo(&lambda).await.error.is_some()).await;
    assert!(began.elapsed() >= Duration::from_secs(2));
    let stopped = Instant::now();
    fis.stop_experiment().id(&id).send().await.expect("it stops");
    wait_for(&fis, &id, ExperimentStatus::Stopped).await;
    eventually("the effect is gone", async || echo(&lambda).await.error.is_none()).await;
    assert!(stopped.elapsed() >= Duration::from_secs(2));
    sandbox.stop().await;
}

#[tokio::test]
async fn skip_all_resolves_targets_and_injects_nothing() {
    let sandbox = start(PROBE).await;
    let (lambda, fis) = (client(&sandbox).await, fis(&sandbox).await);
    let parameters = [("duration", "PT10M"), ("preventExecution", "true")];
    let template = template(&fis, "aws:lambda:invocation-error", &parameters, None).await;
    let skip = StartExperimentExperimentOptionsInput::builder().actions_mode(ActionsMode::SkipAll).build();
    let start = fis.start_experiment().client_token("once").experiment_template_id(&template).experiment_options(skip);
    let id = start.clone().send().await.expect("it").experiment.and_then(|experiment| experiment.id).expect("an id");
    let again = start.clone().send().await.expect("it").experiment.and_then(|experiment| experiment.id);
    assert_eq!(again.as_ref(), Some(&id), "a client token makes one experiment");
    let other = start.tags("a", "b").send().await.expect_err("the token was used").into_service_error();
    assert!(other.is_conflict_exception(), "{other:?}");

    let completed = wait_for(&fis, &id, ExperimentStatus::Completed).await;
    let action = completed.actions.as_ref().and_then(|actions| actions.get("act")).expect("the action");
    assert_eq!(action.state().and_then(|state| state.status()), Some(&ExperimentActionStatus::Skipped));
    let resolved = fis.list_experiment_resolved_targets().experiment_id(&id).send().await.expect("targets");
    let arns: Vec<&str> = resolved
        .resolved_targets()
        .iter()
        .filter_map(|target| target.target_information()?.get("arn").map(String::as_str))
        .collect();
    assert_eq!(arns, [FUNCTION]);
    for _ in 0..20 {
        assert_eq!(echo(&lambda).await.error, None);
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn an_alarm_on_errors_stops_the_experiment_that_names_it() {
    let sandbox = start(PROBE).await;
    let (lambda, fis) = (client(&sandbox).await, fis(&sandbox).await);
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&aws_config(&sandbox.endpoint()).await);
    cloudwatch
        .put_metric_alarm()
        .alarm_name("probe-errors")
        .namespace("AWS/Lambda")
        .metric_name("Errors")
        .dimensions(Dimension::builder().name("FunctionName").value("probe").build())
        .statistic(Statistic::Sum)
        .period(1)
        .evaluation_periods(1)
        .threshold(1.0)
        .comparison_operator(ComparisonOperator::GreaterThanOrEqualToThreshold)
        .treat_missing_data("notBreaching")
        .send()
        .await
        .expect("an alarm");
    let alarm = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:probe-errors";
    let parameters = [("duration", "PT10M"), ("preventExecution", "true")];
    let template = template(&fis, "aws:lambda:invocation-error", &parameters, Some(alarm)).await;
    let id = begin(&fis, &template).await;
    wait_until_it_acts(&fis, &id).await;
    assert!(echo(&lambda).await.error.is_some());
    let stopped = wait_for(&fis, &id, ExperimentStatus::Stopped).await;
    let reason = stopped.state().and_then(|state| state.reason());
    assert_eq!(reason, Some("Experiment halted by stop condition."));
    assert_eq!(echo(&lambda).await.error, None, "the injected errors end with the experiment");
    sandbox.stop().await;
}

#[tokio::test]
async fn the_safety_lever_stops_what_runs_and_cancels_what_is_started() {
    let sandbox = start(PROBE).await;
    let (lambda, fis) = (client(&sandbox).await, fis(&sandbox).await);
    let parameters = [("duration", "PT10M"), ("preventExecution", "true")];
    let template = template(&fis, "aws:lambda:invocation-error", &parameters, None).await;
    let running = begin(&fis, &template).await;
    wait_until_it_acts(&fis, &running).await;
    let pull = |status| {
        let state = UpdateSafetyLeverStateInput::builder().status(status).reason("a drill").build().expect("a state");
        fis.update_safety_lever_state().id("default").state(state)
    };
    pull(SafetyLeverStatusInput::Engaged).send().await.expect("it is engaged");
    wait_for(&fis, &running, ExperimentStatus::Stopped).await;
    let late = begin(&fis, &template).await;
    wait_for(&fis, &late, ExperimentStatus::Cancelled).await;
    assert_eq!(echo(&lambda).await.error, None);
    let lever = fis.get_safety_lever().id("default").send().await.expect("it").safety_lever.expect("it");
    assert_eq!(lever.state().and_then(|state| state.status()), Some(&SafetyLeverStatus::Engaged));
    pull(SafetyLeverStatusInput::Disengaged).send().await.expect("it is disengaged");
    let next = begin(&fis, &template).await;
    wait_until_it_acts(&fis, &next).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn functions_are_found_by_tags_and_an_empty_target_fails_or_is_skipped() {
    let file = "
functions:
  a: {demo: probe, tags: {team: shop}}
  b: {demo: probe, tags: {team: shop}}
  c: {demo: probe}
fis: {allow_short: true, propagation_ms: 0}
";
    let sandbox = start(file).await;
    let fis = fis(&sandbox).await;
    let create = |value: &'static str, mode: &'static str, empty: EmptyTargetResolutionMode| {
        let target = CreateExperimentTemplateTargetInput::builder().resource_type("aws:lambda:function");
        let target = target.resource_tags("team", value).selection_mode(mode).build().expect("a target");
        let action = CreateExperimentTemplateActionInput::builder().action_id("aws:lambda:invocation-add-delay");
        let action = action.parameters("duration", "PT1S").targets("Functions", "tagged").build().expect("an action");
        let condition = CreateExperimentTemplateStopConditionInput::builder().source("none").build().expect("it");
        let options =
            CreateExperimentTemplateExperimentOptionsInput::builder().empty_target_resolution_mode(empty).build();
        fis.create_experiment_template()
            .client_token(format!("{value}{mode}{:?}", options.empty_target_resolution_mode()))
            .description("tags")
            .role_arn(ROLE)
            .stop_conditions(condition)
            .targets("tagged", target)
            .actions("act", action)
            .experiment_options(options)
    };
    for (value, mode, empty, status, count) in [
        ("shop", "ALL", EmptyTargetResolutionMode::Fail, ExperimentStatus::Completed, 2),
        ("shop", "COUNT(1)", EmptyTargetResolutionMode::Fail, ExperimentStatus::Completed, 1),
        ("nobody", "ALL", EmptyTargetResolutionMode::Fail, ExperimentStatus::Failed, 0),
        ("nobody", "ALL", EmptyTargetResolutionMode::Skip, ExperimentStatus::Completed, 0),
    ] {
        let template = create(value, mode, empty).send().await.expect("a template").experiment_template;
        let id = begin(&fis, &template.and_then(|template| template.id).expect("an id")).await;
        wait_for(&fis, &id, status).await;
        let resolved = fis.list_experiment_resolved_targets().experiment_id(&id).send().await.expect("targets");
        assert_eq!(resolved.resolved_targets().len(), count, "{value} {mode}");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn a_short_action_is_refused_where_the_file_does_not_allow_it() {
    let sandbox = start("functions: {probe: {demo: probe}}").await;
    let fis = fis(&sandbox).await;
    let condition = CreateExperimentTemplateStopConditionInput::builder().source("none").build().expect("a condition");
    let wait = |duration| {
        let action = CreateExperimentTemplateActionInput::builder().action_id("aws:fis:wait");
        let action = action.parameters("duration", duration).build().expect("an action");
        let create = fis.create_experiment_template().client_token("t").description("waits").role_arn(ROLE);
        create.stop_conditions(condition.clone()).actions("wait", action)
    };
    let error = wait("PT5S").send().await.expect_err("a minute is the least");
    assert!(error.message().is_some_and(|text| text.contains("PT1M")), "{error:?}");
    assert!(error.into_service_error().is_validation_exception());
    wait("PT1M").send().await.expect("a template");
    sandbox.stop().await;
}
