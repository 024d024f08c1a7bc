//! The part of Amazon SQS that fills a queue and looks at it, in its JSON protocol (`sqs` 2012-11-05, awsJson1.0).
//!
//! No message attributes, FIFO queues or redrive policies.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::sandbox::account::Account;
use crate::sandbox::queue::{Full, Queue, Received, is_queue_name, md5_hex, number_of};

/// What `X-Amz-Target` starts with.
pub(super) const TARGET_PREFIX: &str = "AmazonSQS.";

/// The error in the words of SQS's older protocol, which SDKs that are compatible with it tell.
const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");

/// How long a message that was received is invisible where the request does not say. Source: SQS's default.
const VISIBILITY_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// The longest visibility timeout, in seconds. Source: Amazon SQS quotas.
const VISIBILITY_TIMEOUT_SECONDS_MAX: u64 = 43_200;
/// The longest delay of a message, in seconds. Source: Amazon SQS quotas.
const DELAY_SECONDS_MAX: u64 = 900;
/// The longest wait for messages, in seconds. Source: Amazon SQS quotas.
const WAIT_SECONDS_MAX: u64 = 20;
/// The most messages of one request. Source: Amazon SQS quotas.
const BATCH_MAX: usize = 10;

/// A refused request; the names are those of the service model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum SqsError {
    #[error("The specified queue does not exist.")]
    QueueDoesNotExist,
    #[error("The input receipt handle is invalid.")]
    ReceiptHandleIsInvalid,
    #[error("Unknown Attribute {0}.")]
    InvalidAttributeName(String),
    #[error("The request must contain the parameter MessageBody.")]
    InvalidMessageContents,
    #[error("There should be at least one SendMessageBatchRequestEntry in the request.")]
    EmptyBatchRequest,
    #[error("Maximum number of entries per request are 10. You have sent {0}.")]
    TooManyEntriesInBatchRequest(usize),
    #[error("Id {0} repeated.")]
    BatchEntryIdsNotDistinct(String),
    #[error("{0}")]
    RequestThrottled(#[from] Full),
    #[error("{0}")]
    InvalidParameterValue(String),
    #[error("the sandbox does not implement the operation `{0}`")]
    UnsupportedOperation(String),
}

impl SqsError {
    /// The name in the model, and the one in the older protocol where that is another.
    fn names(&self) -> (&'static str, &'static str) {
        match self {
            Self::QueueDoesNotExist => ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
            Self::ReceiptHandleIsInvalid => ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
            Self::InvalidAttributeName(_) => ("InvalidAttributeName", "InvalidAttributeName"),
            Self::InvalidMessageContents => ("InvalidMessageContents", "InvalidMessageContents"),
            Self::EmptyBatchRequest => ("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest"),
            Self::TooManyEntriesInBatchRequest(_) => {
                ("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
            }
            Self::BatchEntryIdsNotDistinct(_) => {
                ("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
            }
            Self::RequestThrottled(_) => ("RequestThrottled", "RequestThrottled"),
            Self::InvalidParameterValue(_) => ("InvalidParameterValueException", "InvalidParameterValue"),
            Self::UnsupportedOperation(_) => ("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation"),
        }
    }
}

impl IntoResponse for SqsError {
    fn into_response(self) -> Response {
        let (name, query_name) = self.names();
        let body = json!({"__type": format!("com.amazonaws.sqs#{name}"), "message": self.to_string()});
        let query_error = HeaderValue::from_str(&format!("{query_name};Sender"))
            .expect("invariant: the names of errors are header values");
        (StatusCode::BAD_REQUEST, [(QUERY_ERROR, query_error)], Json(body)).into_response()
    }
}

/// One operation; `operation` is the target without its prefix.
pub(super) async fn call(account: &Account, operation: &str, body: &Bytes) -> Response {
    let answer = match operation {
        "CreateQueue" => read(body).and_then(|create| create_queue(account, &create)),
        "GetQueueUrl" => read(body).and_then(|named| get_queue_url(account, &named)),
        "ListQueues" => read(body).map(|prefixed| list_queues(account, &prefixed)),
        "GetQueueAttributes" => read(body).and_then(|asked| get_attributes(account, &asked)),
        "SendMessage" => read(body).and_then(|message| send(account, message)),
        "SendMessageBatch" => read(body).and_then(|batch| send_batch(account, batch)),
        "ReceiveMessage" => match read(body) {
            Ok(receive) => receive_messages(account, &receive).await,
            Err(error) => Err(error),
        },
        "DeleteMessage" => read(body).and_then(|delete| delete_message(account, &delete)),
        "PurgeQueue" => read(body).and_then(|named| purge(account, &named)),
        other => Err(SqsError::UnsupportedOperation(other.to_owned())),
    };
    match answer {
        // These two have no output in the model.
        Ok(Value::Null) => StatusCode::OK.into_response(),
        Ok(answer) => Json(answer).into_response(),
        Err(error) => error.into_response(),
    }
}

/// A member that the sandbox does not know is refused by name.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, SqsError> {
    serde_json::from_slice(body).map_err(|error| SqsError::InvalidParameterValue(error.to_string()))
}

fn find(account: &Account, url: &str) -> Result<Arc<Queue>, SqsError> {
    let name = url.rsplit('/').next().unwrap_or(url);
    account.queues.find(name).ok_or(SqsError::QueueDoesNotExist)
}

fn in_range(name: &str, value: u64, most: u64) -> Result<Duration, SqsError> {
    if value > most {
        let text = format!("Value {value} for parameter {name} is invalid. Reason: Must be between 0 and {most}.");
        return Err(SqsError::InvalidParameterValue(text));
    }
    Ok(Duration::from_secs(value))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct CreateQueue {
    queue_name: String,
}

fn create_queue(account: &Account, create: &CreateQueue) -> Result<Value, SqsError> {
    if !is_queue_name(&create.queue_name) {
        let text = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
        return Err(SqsError::InvalidParameterValue(text.to_owned()));
    }
    let queue = account.queues.make(&create.queue_name)?;
    Ok(json!({"QueueUrl": account.context.queue_url(&queue.name)}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct NamedQueue {
    queue_name: String,
}

fn get_queue_url(account: &Account, named: &NamedQueue) -> Result<Value, SqsError> {
    let queue = account.queues.find(&named.queue_name).ok_or(SqsError::QueueDoesNotExist)?;
    Ok(json!({"QueueUrl": account.context.queue_url(&queue.name)}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Prefixed {
    #[serde(default)]
    queue_name_prefix: String,
}

fn list_queues(account: &Account, prefixed: &Prefixed) -> Value {
    let names = account.queues.names();
    let matching = names.iter().filter(|name| name.starts_with(&prefixed.queue_name_prefix));
    let urls: Vec<String> = matching.map(|name| account.context.queue_url(name)).collect();
    json!({"QueueUrls": urls})
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct AskedAttributes {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

fn get_attributes(account: &Account, asked: &AskedAttributes) -> Result<Value, SqsError> {
    let queue = find(account, &asked.queue_url)?;
    let counts = queue.counts();
    let all = [
        ("ApproximateNumberOfMessages", counts.visible.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
        ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
        ("CreatedTimestamp", queue.created.timestamp().to_string()),
        ("VisibilityTimeout", VISIBILITY_TIMEOUT_DEFAULT.as_secs().to_string()),
        ("QueueArn", queue.arn()),
    ];
    let is_known = |asked: &str| asked == "All" || all.iter().any(|(name, _)| *name == asked);
    if let Some(unknown) = asked.attribute_names.iter().find(|name| !is_known(name)) {
        return Err(SqsError::InvalidAttributeName(unknown.clone()));
    }
    let is_asked = |name: &str| asked.attribute_names.iter().any(|asked| asked == "All" || asked == name);
    let attributes: Map<String, Value> = all
        .iter()
        .filter(|(name, _)| is_asked(name))
        .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
        .collect();
    Ok(if attributes.is_empty() { json!({}) } else { json!({"Attributes": attributes}) })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Send {
    queue_url: String,
    message_body: String,
    #[serde(default)]
    delay_seconds: u64,
}

fn put(queue: &Queue, body: String, delay_seconds: u64) -> Result<String, SqsError> {
    if body.is_empty() {
        return Err(SqsError::InvalidMessageContents);
    }
    let delay = in_range("DelaySeconds", delay_seconds, DELAY_SECONDS_MAX)?;
    Ok(queue.send(body, delay)?)
}

fn send(account: &Account, send: Send) -> Result<Value, SqsError> {
    let queue = find(account, &send.queue_url)?;
    let digest = md5_hex(&send.message_body);
    let id = put(&queue, send.message_body, send.delay_seconds)?;
    Ok(json!({"MessageId": id, "MD5OfMessageBody": digest}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct SendBatch {
    queue_url: String,
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Entry {
    id: String,
    message_body: String,
    #[serde(default)]
    delay_seconds: u64,
}

fn send_batch(account: &Account, batch: SendBatch) -> Result<Value, SqsError> {
    let queue = find(account, &batch.queue_url)?;
    if batch.entries.is_empty() {
        return Err(SqsError::EmptyBatchRequest);
    }
    if batch.entries.len() > BATCH_MAX {
        return Err(SqsError::TooManyEntriesInBatchRequest(batch.entries.len()));
    }
    let mut ids = std::collections::BTreeSet::new();
    if let Some(twice) = batch.entries.iter().find(|entry| !ids.insert(entry.id.as_str())) {
        return Err(SqsError::BatchEntryIdsNotDistinct(twice.id.clone()));
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for Entry { id, message_body, delay_seconds } in batch.entries {
        let digest = md5_hex(&message_body);
        match put(&queue, message_body, delay_seconds) {
            Ok(message_id) => {
                successful.push(json!({"Id": id, "MessageId": message_id, "MD5OfMessageBody": digest}));
            }
            Err(error) => failed.push(json!({
                "Id": id, "SenderFault": true, "Code": error.names().1, "Message": error.to_string(),
            })),
        }
    }
    Ok(json!({"Successful": successful, "Failed": failed}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Receive {
    queue_url: String,
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<u64>,
    #[serde(default)]
    wait_time_seconds: u64,
    /// All attributes are answered whatever is asked for, as far as the sandbox has them.
    #[serde(rename = "AttributeNames")]
    _attribute_names: Option<Vec<String>>,
    #[serde(rename = "MessageSystemAttributeNames")]
    _message_system_attribute_names: Option<Vec<String>>,
    #[serde(rename = "MessageAttributeNames")]
    _message_attribute_names: Option<Vec<String>>,
}

async fn receive_messages(account: &Account, receive: &Receive) -> Result<Value, SqsError> {
    let queue = find(account, &receive.queue_url)?;
    let count = receive.max_number_of_messages.unwrap_or(1);
    if !(1..=BATCH_MAX).contains(&count) {
        let text =
            format!("Value {count} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10.");
        return Err(SqsError::InvalidParameterValue(text));
    }
    let invisible = match receive.visibility_timeout {
        Some(seconds) => in_range("VisibilityTimeout", seconds, VISIBILITY_TIMEOUT_SECONDS_MAX)?,
        None => VISIBILITY_TIMEOUT_DEFAULT,
    };
    let wait = in_range("WaitTimeSeconds", receive.wait_time_seconds, WAIT_SECONDS_MAX)?;
    let taken = take(account, &queue, count, invisible, wait).await;
    if taken.is_empty() {
        return Ok(json!({}));
    }
    Ok(json!({"Messages": taken.iter().map(message).collect::<Vec<_>>()}))
}

/// Takes what is there, or waits until something is, or until the wait or the sandbox ends.
async fn take(account: &Account, queue: &Queue, count: usize, invisible: Duration, wait: Duration) -> Vec<Received> {
    let late = tokio::time::Instant::now() + wait;
    let mut changes = queue.changes();
    loop {
        changes.mark_unchanged();
        let taken = queue.receive(count, usize::MAX, invisible);
        if !taken.is_empty() || tokio::time::Instant::now() >= late {
            return taken;
        }
        let due = queue.next_visible().map_or(late, |visible| visible.min(late));
        tokio::select! {
            () = account.context.stopping.cancelled() => return Vec::new(),
            _ = changes.changed() => {}
            () = tokio::time::sleep_until(due) => {}
        }
    }
}

fn message(received: &Received) -> Value {
    json!({
        "MessageId": received.id,
        "ReceiptHandle": received.receipt,
        "Body": received.body,
        "MD5OfBody": md5_hex(&received.body),
        "Attributes": {
            "ApproximateReceiveCount": received.receives.to_string(),
            "SentTimestamp": received.sent.timestamp_millis().to_string(),
            "ApproximateFirstReceiveTimestamp": received.first_received.timestamp_millis().to_string(),
        },
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Delete {
    queue_url: String,
    receipt_handle: String,
}

fn delete_message(account: &Account, delete: &Delete) -> Result<Value, SqsError> {
    let queue = find(account, &delete.queue_url)?;
    if number_of(&delete.receipt_handle).is_none() {
        return Err(SqsError::ReceiptHandleIsInvalid);
    }
    queue.delete(&delete.receipt_handle);
    Ok(Value::Null)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct ByUrl {
    queue_url: String,
}

fn purge(account: &Account, named: &ByUrl) -> Result<Value, SqsError> {
    find(account, &named.queue_url)?.purge();
    Ok(Value::Null)
}
