//! The default metrics of each kind of target. Their names and dimensions are AWS's ("Types of metrics for Lambda functions", "Available
//! CloudWatch metrics for Amazon SQS", "DynamoDB Metrics and dimensions", "Monitoring Amazon EventBridge", "Monitoring Amazon SNS topics
//! using CloudWatch", "Monitoring the Amazon Kinesis Data Streams Service").

use serde_json::{Value, json};

use super::{Line, Widget};
use crate::fault::{AwsResource, FaultKind};
use crate::plan::types::{Plan, TargetPlan};
use crate::unit::TargetId;

/// A metric of a graph: its name, and how its values become one.
type Shown = (&'static str, &'static str);

/// The graphs of a target; none of what has no metrics of its own.
pub(super) fn target(plan: &Plan, id: &TargetId, target: &TargetPlan, region: &str) -> Vec<Widget> {
    let resource = match target {
        TargetPlan::Lambda { function, alias, .. } => {
            return function_graphs(plan, id, (function, alias.as_deref()), region);
        }
        TargetPlan::Proxy(_) | TargetPlan::RemoteProxy { .. } => return Vec::new(),
        TargetPlan::Resource(resource) => resource,
    };
    let graphs = |thing: &str, namespace: &str, dimensions: &[(&str, &str)], groups: &[(&str, &[Shown])]| {
        let graph = |(title, shown): &(&str, &[Shown])| {
            let metrics: Vec<Value> = shown.iter().map(|metric| row(namespace, dimensions, *metric)).collect();
            Widget::graph(&format!("{thing}: {title}"), region, &metrics, &[])
        };
        groups.iter().map(graph).collect::<Vec<Widget>>()
    };
    match resource {
        AwsResource::Queue(name) => graphs(name, "AWS/SQS", &[("QueueName", name)], QUEUE),
        AwsResource::Table(name) => {
            let mut widgets = graphs(name, "AWS/DynamoDB", &[("TableName", name)], TABLE);
            widgets.extend(table_by_operation(name, region));
            widgets
        }
        AwsResource::Rule { name, bus: None } => graphs(name, "AWS/Events", &[("RuleName", name)], RULE),
        AwsResource::Rule { name, bus: Some(bus) } => {
            graphs(name, "AWS/Events", &[("EventBusName", bus), ("RuleName", name)], RULE)
        }
        AwsResource::Topic(name) => graphs(name, "AWS/SNS", &[("TopicName", name)], TOPIC),
        AwsResource::Stream(name) => graphs(name, "AWS/Kinesis", &[("StreamName", name)], STREAM),
        AwsResource::Role(_) | AwsResource::Parameter(_) | AwsResource::Bus(_) | AwsResource::Other(_) => Vec::new(),
    }
}

const QUEUE: &[(&str, &[Shown])] = &[
    ("age of the oldest message (s)", &[("ApproximateAgeOfOldestMessage", "Maximum")]),
    (
        "messages",
        &[("ApproximateNumberOfMessagesVisible", "Maximum"), ("ApproximateNumberOfMessagesNotVisible", "Maximum")],
    ),
    ("traffic", &[("NumberOfMessagesSent", "Sum"), ("NumberOfMessagesDeleted", "Sum")]),
];

const TABLE: &[(&str, &[Shown])] =
    &[("throttle events", &[("ReadThrottleEvents", "Sum"), ("WriteThrottleEvents", "Sum")])];

const RULE: &[(&str, &[Shown])] = &[
    ("invocations", &[("TriggeredRules", "Sum"), ("Invocations", "Sum")]),
    (
        "failures",
        &[
            ("FailedInvocations", "Sum"),
            ("ThrottledRules", "Sum"),
            ("InvocationsSentToDlq", "Sum"),
            ("InvocationsFailedToBeSentToDlq", "Sum"),
        ],
    ),
];

const TOPIC: &[(&str, &[Shown])] = &[
    ("traffic", &[("NumberOfMessagesPublished", "Sum"), ("NumberOfNotificationsDelivered", "Sum")]),
    ("failures", &[("NumberOfNotificationsFailed", "Sum")]),
];

const STREAM: &[(&str, &[Shown])] = &[
    ("iterator age (ms)", &[("GetRecords.IteratorAgeMilliseconds", "Maximum")]),
    ("throttling", &[("ReadProvisionedThroughputExceeded", "Sum"), ("WriteProvisionedThroughputExceeded", "Sum")]),
];

/// Invocations, duration and concurrency; of an alias its own, which a fault on `$LATEST` does not touch.
fn function_graphs(plan: &Plan, id: &TargetId, (function, alias): (&str, Option<&str>), region: &str) -> Vec<Widget> {
    let resource = alias.map(|alias| format!("{function}:{alias}"));
    let mut dimensions = vec![("FunctionName", function)];
    dimensions.extend(resource.as_deref().map(|resource| ("Resource", resource)));
    let name = resource.as_deref().unwrap_or(function);
    let graph = |title: &str, shown: &[Shown], lines: &[Line]| {
        let metrics: Vec<Value> = shown.iter().map(|metric| row("AWS/Lambda", &dimensions, *metric)).collect();
        Widget::graph(&format!("{name}: {title}"), region, &metrics, lines)
    };
    vec![
        graph("invocations", &[("Invocations", "Sum"), ("Errors", "Sum"), ("Throttles", "Sum")], &[]),
        graph("duration (ms)", &[("Duration", "p50"), ("Duration", "p99")], &timeouts(plan, id)),
        graph("concurrency", &[("ConcurrentExecutions", "Maximum")], &[]),
    ]
}

/// The timeouts that faults set; a function's own is known to the account alone.
fn timeouts(plan: &Plan, id: &TargetId) -> Vec<Line> {
    // A line would tell what is going to happen.
    let changes = plan.changes.values().filter(|change| !plan.is_blind() && change.target == *id);
    let line = |change: &super::super::types::ChangePlan| match change.spec.kind() {
        Ok(FaultKind::LambdaTimeout(fault)) => Some(Line {
            label: format!("timeout while {} is in", change.fault),
            value: fault.timeout.as_secs_f64() * 1_000.0,
            forbids: None,
        }),
        Ok(_) | Err(_) => None,
    };
    changes.filter_map(line).collect()
}

/// What DynamoDB tells by operation, whichever there are.
fn table_by_operation(table: &str, region: &str) -> Vec<Widget> {
    // DynamoDB: the characters of a table's name. No other name ends the search's text.
    if !table.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')) {
        return Vec::new();
    }
    let search = |metric: &str, statistic: &str| {
        let expression = format!(
            "SEARCH('{{AWS/DynamoDB,TableName,Operation}} TableName=\"{table}\" MetricName=\"{metric}\"', '{statistic}', 60)"
        );
        json!([{"expression": expression, "id": metric.to_lowercase(), "label": metric}])
    };
    let graph = |title: &str, metrics: &[Value]| Widget::graph(&format!("{table}: {title}"), region, metrics, &[]);
    vec![
        graph("throttled requests and errors", &[search("ThrottledRequests", "Sum"), search("SystemErrors", "Sum")]),
        graph("latency (ms)", &[search("SuccessfulRequestLatency", "p99")]),
    ]
}

/// A metric as a graph names it: namespace, name, dimensions, and how it is drawn.
pub(super) fn row(namespace: &str, dimensions: &[(&str, &str)], (metric, statistic): (&str, &str)) -> Value {
    let mut row = vec![json!(namespace), json!(metric)];
    row.extend(dimensions.iter().flat_map(|(name, value)| [json!(name), json!(value)]));
    let label = if statistic.starts_with('p') { format!("{metric} {statistic}") } else { metric.to_owned() };
    row.push(json!({"stat": statistic, "label": label}));
    Value::Array(row)
}
