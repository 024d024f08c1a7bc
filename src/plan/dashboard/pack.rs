//! The default metrics of each kind of target. Their names and dimensions are AWS's ("Types of metrics for Lambda functions", "Available
//! CloudWatch metrics for Amazon SQS", "DynamoDB Metrics and dimensions", "Monitoring Amazon EventBridge", "Monitoring Amazon SNS topics
//! using CloudWatch", "Monitoring the Amazon Kinesis Data Streams Service").

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Line, Widget};
use crate::fault::{AwsResource, FaultKind};
use crate::plan::types::{Plan, TargetPlan};
use crate::unit::{MetricName, TargetId};

/// A metric of a graph: its name, and how its values become one.
type Shown = (&'static str, &'static str);

/// Graphs of one thing: each with its title and its metrics.
type Groups = &'static [(&'static str, &'static [Shown])];

/// What has metrics of its own.
struct Subject {
    thing: String,
    namespace: &'static str,
    dimensions: Vec<(&'static str, String)>,
    groups: Groups,
}

impl Subject {
    /// A target's; none of what has no metrics of its own.
    fn of(target: &TargetPlan) -> Option<Self> {
        let resource = match target {
            TargetPlan::Lambda { function, alias, .. } => return Some(Self::function(function, alias.as_deref())),
            TargetPlan::Proxy(_) | TargetPlan::RemoteProxy { .. } => return None,
            TargetPlan::Resource(resource) => resource,
        };
        let of = |name: &str, namespace, dimensions: &[(&'static str, &str)], groups| {
            let dimensions = dimensions.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            Some(Self { thing: name.to_owned(), namespace, dimensions, groups })
        };
        match resource {
            AwsResource::Queue(name) => of(name, "AWS/SQS", &[("QueueName", name)], QUEUE),
            AwsResource::Table(name) => of(name, "AWS/DynamoDB", &[("TableName", name)], TABLE),
            AwsResource::Rule { name, bus: None } => of(name, "AWS/Events", &[("RuleName", name)], RULE),
            AwsResource::Rule { name, bus: Some(bus) } => {
                of(name, "AWS/Events", &[("EventBusName", bus), ("RuleName", name)], RULE)
            }
            AwsResource::Topic(name) => of(name, "AWS/SNS", &[("TopicName", name)], TOPIC),
            AwsResource::Stream(name) => of(name, "AWS/Kinesis", &[("StreamName", name)], STREAM),
            AwsResource::Role(_) | AwsResource::Parameter(_) | AwsResource::Bus(_) | AwsResource::Other(_) => None,
        }
    }

    /// A function's; of an alias its own, which a fault on `$LATEST` does not touch.
    fn function(function: &str, alias: Option<&str>) -> Self {
        let resource = alias.map(|alias| format!("{function}:{alias}"));
        let thing = resource.clone().unwrap_or_else(|| function.to_owned());
        let dimensions = std::iter::once(("FunctionName", function.to_owned()));
        let dimensions = dimensions.chain(resource.map(|resource| ("Resource", resource))).collect();
        Self { thing, namespace: "AWS/Lambda", dimensions, groups: FUNCTION }
    }

    /// Its metrics, each with its statistic.
    fn metrics(&self) -> impl Iterator<Item = (MetricName, &'static str)> {
        let dimensions: BTreeMap<String, String> =
            self.dimensions.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let namespace = self.namespace;
        self.groups.iter().flat_map(|(_, shown)| *shown).map(move |(name, statistic)| {
            let (name, dimensions) = ((*name).to_owned(), dimensions.clone());
            (MetricName { namespace: namespace.to_owned(), name, dimensions }, *statistic)
        })
    }
}

/// A default metric of a target or of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedMetric {
    /// The target; none for the function of a component that is no target.
    pub target: Option<TargetId>,
    /// The metric.
    pub metric: MetricName,
    /// `Sum`, `Maximum`, `p99`.
    pub statistic: &'static str,
}

/// The default metrics of all targets, and of functions besides them.
#[must_use]
pub fn metric_pack(plan: &Plan, functions: &BTreeSet<String>) -> Vec<PackedMetric> {
    let mut pack = Vec::new();
    let mut add = |target: Option<&TargetId>, subject: &Subject| {
        let of = |(metric, statistic)| PackedMetric { target: target.cloned(), metric, statistic };
        pack.extend(subject.metrics().map(of));
    };
    let mut known = BTreeSet::new();
    for (id, target) in &plan.targets {
        if let TargetPlan::Lambda { function, .. } = target {
            known.insert(function);
        }
        Subject::of(target).iter().for_each(|subject| add(Some(id), subject));
    }
    let others = functions.iter().filter(|function| !known.contains(function));
    others.for_each(|function| add(None, &Subject::function(function, None)));
    pack
}

/// The graphs of a target; none of what has no metrics of its own.
pub(super) fn target(plan: &Plan, id: &TargetId, target: &TargetPlan, region: &str) -> Vec<Widget> {
    let Some(subject) = Subject::of(target) else { return Vec::new() };
    let dimensions: Vec<(&str, &str)> =
        subject.dimensions.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let graph = |(title, shown): &(&str, &[Shown])| {
        let metrics: Vec<Value> = shown.iter().map(|metric| row(subject.namespace, &dimensions, *metric)).collect();
        let lines = if *title == DURATION { timeouts(plan, id) } else { Vec::new() };
        Widget::graph(&format!("{}: {title}", subject.thing), region, &metrics, &lines)
    };
    let mut widgets: Vec<Widget> = subject.groups.iter().map(graph).collect();
    if let TargetPlan::Resource(AwsResource::Table(name)) = target {
        widgets.extend(table_by_operation(name, region));
    }
    widgets
}

/// The title of the graph in which timeouts are drawn.
const DURATION: &str = "duration (ms)";

const FUNCTION: Groups = &[
    ("invocations", &[("Invocations", "Sum"), ("Errors", "Sum"), ("Throttles", "Sum")]),
    (DURATION, &[("Duration", "p50"), ("Duration", "p99")]),
    ("concurrency", &[("ConcurrentExecutions", "Maximum")]),
    ("events and streams", &[("AsyncEventsDropped", "Sum"), ("DeadLetterErrors", "Sum"), ("IteratorAge", "Maximum")]),
];

const QUEUE: Groups = &[
    ("age of the oldest message (s)", &[("ApproximateAgeOfOldestMessage", "Maximum")]),
    (
        "messages",
        &[("ApproximateNumberOfMessagesVisible", "Maximum"), ("ApproximateNumberOfMessagesNotVisible", "Maximum")],
    ),
    ("traffic", &[("NumberOfMessagesSent", "Sum"), ("NumberOfMessagesDeleted", "Sum")]),
];

const TABLE: Groups = &[("throttle events", &[("ReadThrottleEvents", "Sum"), ("WriteThrottleEvents", "Sum")])];

const RULE: Groups = &[
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

const TOPIC: Groups = &[
    ("traffic", &[("NumberOfMessagesPublished", "Sum"), ("NumberOfNotificationsDelivered", "Sum")]),
    ("failures", &[("NumberOfNotificationsFailed", "Sum")]),
];

const STREAM: Groups = &[
    ("iterator age (ms)", &[("GetRecords.IteratorAgeMilliseconds", "Maximum")]),
    ("throttling", &[("ReadProvisionedThroughputExceeded", "Sum"), ("WriteProvisionedThroughputExceeded", "Sum")]),
];

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
