//! Asynchronous events of the sandbox: retries and destinations, with real processes and the AWS SDK.

use std::path::Path;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{DestinationConfig, InvocationType, OnFailure, OnSuccess};
use gameday::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::sandbox::{client, start};
use crate::sandbox_event_source::{queue_url, sqs};

pub(crate) async fn send_event(client: &Client, function: &str, event: &Value) {
    let call = client.invoke().function_name(function).invocation_type(InvocationType::Event);
    let answer = call.payload(Blob::new(event.to_string())).send().await.expect("an event is taken");
    assert_eq!(answer.status_code(), 202);
}

/// The next record of a queue, which is taken away; waits for it.
pub(crate) async fn record(sandbox: &Sandbox, queue: &str) -> Value {
    let url = queue_url(sandbox, queue).await;
    for _ in 0..3 {
        let answer = sqs(sandbox, "ReceiveMessage", json!({"QueueUrl": url, "WaitTimeSeconds": 20})).await;
        if let Some(message) = answer["Messages"].get(0) {
            let receipt = &message["ReceiptHandle"];
            sqs(sandbox, "DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": receipt})).await;
            return serde_json::from_str(message["Body"].as_str().expect("a body")).expect("JSON");
        }
    }
    panic!("no record came")
}

pub(crate) fn failing(file: &Path) -> Value {
    json!({"do": "append", "file": file, "text": "tried", "then": {"do": "fail"}})
}

pub(crate) fn tries(file: &Path) -> usize {
    std::fs::read_to_string(file).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn an_event_is_tried_as_often_as_it_is_said_and_its_record_goes_to_the_queue() {
    let folder = tempfile::tempdir().expect("a folder");
    let functions =
        "functions: {probe: {demo: probe, aliases: {live: 1}, event_invoke: {retries: 0, on_failure: failed}}}";
    let sandbox = start(functions).await;
    let client = client(&sandbox).await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:probe";

    let once = failing(&folder.path().join("once"));
    send_event(&client, "probe", &once).await;
    let told = record(&sandbox, "failed").await;
    assert_eq!(tries(&folder.path().join("once")), 1, "no retry, and none comes: the record ends the event");
    assert_eq!((&told["version"], &told["requestPayload"]), (&json!("1.0"), &once));
    let context = &told["requestContext"];
    assert_eq!(
        (&context["functionArn"], &context["condition"], &context["approximateInvokeCount"]),
        (&json!(format!("{arn}:$LATEST")), &json!("RetriesExhausted"), &json!(1))
    );
    let response = json!({"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"});
    assert_eq!((&told["responseContext"], &told["responsePayload"]["errorType"]), (&response, &json!("Probe.Failed")));

    // Each qualifier has a configuration of its own: that of `live` says one retry.
    let destinations = DestinationConfig::builder()
        .on_failure(OnFailure::builder().destination("arn:aws:sqs:us-east-1:000000000000:failed").build())
        .on_success(OnSuccess::builder().destination("arn:aws:sqs:us-east-1:000000000000:failed").build())
        .build();
    let put = client.put_function_event_invoke_config().function_name("probe").qualifier("live");
    let put = put.maximum_retry_attempts(1).destination_config(destinations).send().await.expect("a configuration");
    assert_eq!((put.maximum_retry_attempts(), put.function_arn()), (Some(1), Some(format!("{arn}:live").as_str())));
    let twice = folder.path().join("twice");
    send_event(&client, "probe:live", &failing(&twice)).await;
    let told = record(&sandbox, "failed").await;
    assert_eq!((tries(&twice), &told["requestContext"]["approximateInvokeCount"]), (2, &json!(2)));
    assert_eq!(told["responseContext"]["executedVersion"], "1");
    send_event(&client, "probe:live", &json!({"do": "echo", "n": 1})).await;
    let told = record(&sandbox, "failed").await;
    assert_eq!((&told["requestContext"]["condition"], &told["responsePayload"]["n"]), (&json!("Success"), &json!(1)));
    assert_eq!(told["responseContext"].get("functionError"), None);
    sandbox.stop().await;
}

#[tokio::test]
async fn an_event_of_a_function_with_a_reservation_of_0_is_given_up_at_once() {
    let functions = "functions: {probe: {demo: probe, reserved: 0, event_invoke: {on_failure: failed}}}";
    let sandbox = start(functions).await;
    send_event(&client(&sandbox).await, "probe", &json!({"do": "echo"})).await;
    let told = record(&sandbox, "failed").await;
    let context = &told["requestContext"];
    assert_eq!(
        (&context["condition"], &context["approximateInvokeCount"]),
        (&json!("ZeroReservedConcurrency"), &json!(0))
    );
    assert_eq!((told.get("responseContext"), told.get("responsePayload")), (None, None));
    sandbox.stop().await;
}

#[tokio::test]
async fn what_was_said_about_events_can_be_changed_and_taken_away() {
    let sandbox = start("functions: {probe: {demo: probe, aliases: {live: 1}}}").await;
    let client = client(&sandbox).await;
    let get = || client.get_function_event_invoke_config().function_name("probe").send();
    assert!(get().await.expect_err("nothing yet").into_service_error().is_resource_not_found_exception());
    let update = || client.update_function_event_invoke_config().function_name("probe");
    let missing = update().maximum_retry_attempts(0).send().await.expect_err("nothing yet").into_service_error();
    assert!(missing.is_resource_not_found_exception(), "{missing:?}");
    let put = client.put_function_event_invoke_config().function_name("probe").maximum_event_age_in_seconds(60);
    put.send().await.expect("a configuration");
    let updated = update().maximum_retry_attempts(0).send().await.expect("an update");
    assert_eq!((updated.maximum_retry_attempts(), updated.maximum_event_age_in_seconds()), (Some(0), Some(60)));
    assert_eq!(get().await.expect("it").maximum_retry_attempts(), Some(0));
    for refused in [update().maximum_retry_attempts(3), update().maximum_event_age_in_seconds(59), update()] {
        let error = refused.send().await.expect_err("out of range").into_service_error();
        assert!(error.is_invalid_parameter_value_exception(), "{error:?}");
    }
    let list = client.list_function_event_invoke_configs().function_name("probe").send().await.expect("all");
    assert_eq!(list.function_event_invoke_configs().len(), 1);
    let delete = || client.delete_function_event_invoke_config().function_name("probe").send();
    delete().await.expect("it is gone");
    assert!(delete().await.expect_err("it is gone").into_service_error().is_resource_not_found_exception());
    sandbox.stop().await;
}
