//! Feeds functions from queues: takes batches, invokes, deletes what went well, gives back what did not.
//!
//! Owns: the work of a mapping. Must not know: HTTP. Source: AWS, "Using Lambda with Amazon SQS".

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::account::{Account, InvokeError};
use super::event_source::{EventSource, Settings};
use super::queue::{Received, md5_hex};

/// The bodies of a batch together, so that it stays below the limit of an invocation when it is written as JSON.
const BATCH_BYTES_MAX: usize = 3_000_000;

/// How long a batch under way is invisible: longer than any invocation. Its end decides what becomes of it.
const BATCH_INVISIBLE: Duration = Duration::from_secs(24 * 60 * 60);

/// Works for one mapping until the sandbox stops.
pub(super) async fn poll(account: Arc<Account>, source: Arc<EventSource>) {
    let busy = Arc::new(AtomicU32::new(0));
    let (mut queue_changes, mut source_changes) = (source.queue.changes(), source.changes());
    loop {
        // What happens from here on is not missed below.
        queue_changes.mark_unchanged();
        source_changes.mark_unchanged();
        let (settings, settled) = source.serving();
        take_batches(&account, &source, settings, &busy);
        let is_hungry = settings.enabled && busy.load(Ordering::Relaxed) < settings.concurrency();
        let visible = source.queue.next_visible().filter(|_| is_hungry);
        let due = [settled, visible].into_iter().flatten().min();
        tokio::select! {
            () = account.context.stopping.cancelled() => return,
            _ = queue_changes.changed() => {}
            _ = source_changes.changed() => {}
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
        }
    }
}

/// Starts as many batches as there are messages for and room.
fn take_batches(account: &Arc<Account>, source: &Arc<EventSource>, settings: Settings, busy: &Arc<AtomicU32>) {
    let count = usize::try_from(settings.batch_size).unwrap_or(usize::MAX);
    while settings.enabled && busy.load(Ordering::Relaxed) < settings.concurrency() {
        let batch = source.queue.receive(count, BATCH_BYTES_MAX, BATCH_INVISIBLE);
        if batch.is_empty() {
            return;
        }
        busy.fetch_add(1, Ordering::Relaxed);
        let (deliverer, source, busy) = (Arc::clone(account), Arc::clone(source), Arc::clone(busy));
        account.spawn(async move {
            deliver(&deliverer, &source, &batch).await;
            busy.fetch_sub(1, Ordering::Relaxed);
            source.tell_change();
        });
    }
}

async fn deliver(account: &Account, source: &EventSource, batch: &[Received]) {
    let records: Vec<Value> = batch.iter().map(|message| record(account, source, message)).collect();
    let payload = json!({"Records": records}).to_string();
    let outcome = match account.find(&source.function, None) {
        Ok(target) => account.invoke(&target, payload.into()).await,
        // A function of the file is there as long as the sandbox.
        Err(_) => Err(InvokeError::Stopping),
    };
    match outcome {
        Ok(outcome) if !outcome.failed => {
            source.note_result("OK");
            batch.iter().for_each(|message| source.queue.delete(&message.receipt));
        }
        Ok(_) | Err(_) => {
            source.note_result("PROBLEM: Function call failed");
            batch.iter().for_each(|message| source.queue.give_back(&message.receipt, source.visibility_timeout));
        }
    }
}

/// A message as a function sees it.
fn record(account: &Account, source: &EventSource, message: &Received) -> Value {
    json!({
        "messageId": message.id,
        "receiptHandle": message.receipt,
        "body": message.body,
        "attributes": {
            "ApproximateReceiveCount": message.receives.to_string(),
            "SentTimestamp": message.sent.timestamp_millis().to_string(),
            "SenderId": account.context.account_id,
            "ApproximateFirstReceiveTimestamp": message.first_received.timestamp_millis().to_string(),
        },
        "messageAttributes": {},
        "md5OfBody": md5_hex(&message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": source.queue.arn(),
        "awsRegion": account.context.region,
    })
}
