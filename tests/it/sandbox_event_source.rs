//! Queues that feed functions of the sandbox: real processes, the AWS SDK for Lambda, SQS's JSON protocol for the queue.

use std::path::Path;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::ScalingConfig;
use gameday::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::sandbox::{client, eventually, start};

/// Calls an operation of SQS; the answer and its status.
pub(crate) async fn try_sqs(sandbox: &Sandbox, operation: &str, body: Value) -> (u16, Value) {
    let request = reqwest::Client::new()
        .post(sandbox.endpoint())
        .header("X-Amz-Target", format!("AmazonSQS.{operation}"))
        .header("Content-Type", "application/x-amz-json-1.0")
        .body(body.to_string());
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let bytes = response.bytes().await.expect("a body");
    (status, if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") })
}

/// Calls an operation of SQS that must go well.
pub(crate) async fn sqs(sandbox: &Sandbox, operation: &str, body: Value) -> Value {
    let (status, answer) = try_sqs(sandbox, operation, body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

pub(crate) async fn queue_url(sandbox: &Sandbox, queue: &str) -> String {
    let answer = sqs(sandbox, "GetQueueUrl", json!({"QueueName": queue})).await;
    answer["QueueUrl"].as_str().expect("a URL").to_owned()
}

/// How many messages are visible, and how many are in flight.
pub(crate) async fn backlog(sandbox: &Sandbox, queue: &str) -> (usize, usize) {
    let url = queue_url(sandbox, queue).await;
    let answer = sqs(sandbox, "GetQueueAttributes", json!({"QueueUrl": url, "AttributeNames": ["All"]})).await;
    let number = |name: &str| answer["Attributes"][name].as_str().expect(name).parse().expect(name);
    (number("ApproximateNumberOfMessages"), number("ApproximateNumberOfMessagesNotVisible"))
}

pub(crate) async fn send(sandbox: &Sandbox, queue: &str, bodies: impl IntoIterator<Item = Value>) {
    let url = queue_url(sandbox, queue).await;
    for body in bodies {
        sqs(sandbox, "SendMessage", json!({"QueueUrl": url, "MessageBody": body.to_string()})).await;
    }
}

/// Events that each leave a line in a file.
pub(crate) fn lines(file: &Path, count: usize) -> impl Iterator<Item = Value> {
    (0..count).map(move |number| json!({"do": "append", "file": file, "text": number.to_string()}))
}

pub(crate) fn read_lines(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

async fn mapping(client: &Client) -> (String, String) {
    let mappings = client.list_event_source_mappings().function_name("probe").send().await.expect("the mappings");
    let [mapping] = mappings.event_source_mappings() else { panic!("one mapping: {mappings:?}") };
    (mapping.uuid().expect("an id").to_owned(), mapping.state().expect("a state").to_owned())
}

async fn is_in_state(client: &Client, state: &str) -> bool {
    mapping(client).await.1 == state
}

#[tokio::test]
async fn a_paused_event_source_builds_a_backlog_that_drains_after() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("lines");
    let sandbox = start("functions: {probe: {demo: probe, update_ms: 500, event_sources: [{queue: orders}]}}").await;
    let client = client(&sandbox).await;
    send(&sandbox, "orders", lines(&file, 3)).await;
    eventually("the messages are served", async || read_lines(&file).len() == 3).await;
    eventually("the queue is empty", async || backlog(&sandbox, "orders").await == (0, 0)).await;

    let (uuid, state) = mapping(&client).await;
    assert_eq!(state, "Enabled");
    let enable = |enabled| client.update_event_source_mapping().uuid(&uuid).enabled(enabled).send();
    assert_eq!(enable(false).await.expect("a pause").state(), Some("Disabling"));
    let busy = enable(true).await.expect_err("an update is under way").into_service_error();
    assert!(busy.is_resource_in_use_exception(), "{busy:?}");
    eventually("it is disabled", async || is_in_state(&client, "Disabled").await).await;

    send(&sandbox, "orders", lines(&file, 40)).await;
    assert_eq!(backlog(&sandbox, "orders").await, (40, 0), "nobody takes them");
    assert_eq!(enable(true).await.expect("an end of the pause").state(), Some("Enabling"));
    eventually("the backlog is served", async || read_lines(&file).len() == 43).await;
    eventually("the queue is empty", async || backlog(&sandbox, "orders").await == (0, 0)).await;
    assert!(is_in_state(&client, "Enabled").await);
    sandbox.stop().await;
}

#[tokio::test]
async fn messages_come_back_after_a_failure_and_after_a_throttle() {
    let folder = tempfile::tempdir().expect("a folder");
    let (failures, file) = (folder.path().join("failures"), folder.path().join("lines"));
    let functions = "functions: {probe: {demo: probe, event_sources: [{queue: orders, visibility_timeout: 50ms}]}}";
    let sandbox = start(functions).await;
    let client = client(&sandbox).await;
    let poison = json!({"do": "append", "file": failures, "text": "x", "then": {"do": "fail"}});
    send(&sandbox, "orders", [poison]).await;
    eventually("it is tried again and again", async || read_lines(&failures).len() >= 3).await;
    sqs(&sandbox, "PurgeQueue", json!({"QueueUrl": queue_url(&sandbox, "orders").await})).await;

    let reserve =
        |count| client.put_function_concurrency().function_name("probe").reserved_concurrent_executions(count);
    reserve(0).send().await.expect("a reservation of 0");
    send(&sandbox, "orders", lines(&file, 5)).await;
    eventually("the batch is throttled", async || {
        let mappings = client.list_event_source_mappings().send().await.expect("the mappings");
        let result =
            mappings.event_source_mappings().iter().next().and_then(|mapping| mapping.last_processing_result());
        result == Some("PROBLEM: Function call failed")
    })
    .await;
    assert_eq!(read_lines(&file), Vec::<String>::new());
    reserve(5).send().await.expect("a reservation of 5");
    eventually("the messages are served", async || read_lines(&file).len() == 5).await;
    eventually("the queue is empty", async || backlog(&sandbox, "orders").await == (0, 0)).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn batches_and_their_number_at_once_are_bounded() {
    let functions = "
functions:
  probe:
    demo: probe
    timeout: 60s
    event_sources: [{queue: orders, batch_size: 2, enabled: false, maximum_concurrency: 2}]
";
    let sandbox = start(functions).await;
    let client = client(&sandbox).await;
    let (uuid, state) = mapping(&client).await;
    assert_eq!(state, "Disabled");
    send(&sandbox, "orders", (0..9).map(|_| json!({"do": "sleep", "ms": 2_000}))).await;
    let update = || client.update_event_source_mapping().uuid(&uuid);
    update().enabled(true).send().await.expect("a start");
    eventually("two batches of two are in flight", async || backlog(&sandbox, "orders").await == (5, 4)).await;
    let shown = client.get_event_source_mapping().uuid(&uuid).send().await.expect("the mapping");
    assert_eq!(
        (shown.batch_size(), shown.scaling_config().and_then(ScalingConfig::maximum_concurrency)),
        (Some(2), Some(2))
    );
    assert_eq!(shown.event_source_arn(), Some("arn:aws:sqs:us-east-1:000000000000:orders"));

    let larger = update().batch_size(5).scaling_config(ScalingConfig::builder().build());
    let larger = larger.send().await.expect("a larger batch");
    assert_eq!((larger.batch_size(), larger.scaling_config()), (Some(5), None));
    eventually("one batch of all the others is in flight", async || backlog(&sandbox, "orders").await.0 == 0).await;
    for refused in
        [update().batch_size(11), update().scaling_config(ScalingConfig::builder().maximum_concurrency(1).build())]
    {
        let error = refused.send().await.expect_err("out of range").into_service_error();
        assert!(error.is_invalid_parameter_value_exception(), "{error:?}");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn a_queue_is_filled_read_and_emptied_by_hand() {
    let sandbox = start("functions: {probe: {demo: probe}}").await;
    sqs(&sandbox, "CreateQueue", json!({"QueueName": "failed"})).await;
    let url = queue_url(&sandbox, "failed").await;
    let entries = json!([{"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": "2", "DelaySeconds": 900}]);
    sqs(&sandbox, "SendMessageBatch", json!({"QueueUrl": url, "Entries": entries})).await;
    assert_eq!(backlog(&sandbox, "failed").await, (1, 0));
    let receive = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 600});
    let received = sqs(&sandbox, "ReceiveMessage", receive.clone()).await;
    assert_eq!(
        (&received["Messages"][0]["Body"], received["Messages"].as_array().map(Vec::len)),
        (&json!("1"), Some(1))
    );
    assert_eq!(sqs(&sandbox, "ReceiveMessage", receive).await, json!({}));
    assert_eq!(backlog(&sandbox, "failed").await, (0, 1));
    let receipt = &received["Messages"][0]["ReceiptHandle"];
    sqs(&sandbox, "DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": receipt})).await;
    assert_eq!(backlog(&sandbox, "failed").await, (0, 0));

    let waiting = sqs(&sandbox, "ReceiveMessage", json!({"QueueUrl": url, "WaitTimeSeconds": 20}));
    let (received, ()) = tokio::join!(waiting, async {
        sqs(&sandbox, "SendMessage", json!({"QueueUrl": url, "MessageBody": "3"})).await;
    });
    assert_eq!(received["Messages"][0]["Body"], "3", "a receive waits for a message");

    for (operation, body, kind) in [
        ("GetQueueUrl", json!({"QueueName": "nobody"}), "QueueDoesNotExist"),
        ("GetQueueAttributes", json!({"QueueUrl": url, "AttributeNames": ["Colour"]}), "InvalidAttributeName"),
        ("DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": "x"}), "ReceiptHandleIsInvalid"),
        (
            "SendMessage",
            json!({"QueueUrl": url, "MessageBody": "x", "DelaySeconds": 901}),
            "InvalidParameterValueException",
        ),
        (
            "SendMessage",
            json!({"QueueUrl": url, "MessageBody": "x", "MessageGroupId": "g"}),
            "InvalidParameterValueException",
        ),
        ("TagQueue", json!({"QueueUrl": url}), "UnsupportedOperation"),
    ] {
        let (status, answer) = try_sqs(&sandbox, operation, body).await;
        assert_eq!((status, &answer["__type"]), (400, &json!(format!("com.amazonaws.sqs#{kind}"))), "{answer}");
    }
    sandbox.stop().await;
}
