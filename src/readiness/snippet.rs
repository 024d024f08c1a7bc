//! What is missing, as CloudFormation writes it: ready to be put into a template.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Facts;
use super::alarm::TIMEOUT_SHARE;
use super::ground::Ground;
use super::look::{Look, Scope, queue_name};
use super::resilience::sources;
use crate::observe::{alarm_template, logical_id, mended, resource_yaml};
use crate::plan::Plan;
use crate::scenario::expect::{Condition, Measure, Value as Bound};
use crate::unit::{AlarmRule, AlarmSettings, AlarmSubject, MetricName, MissingData};
use crate::workspace::Environment;

/// For how many days a log is kept.
const RETENTION_DAYS: u32 = 30;
/// How old a message or a record may get before somebody hears of it, in seconds and in milliseconds.
const AGE_SECONDS: f64 = 300.0;
const AGE_MS: f64 = 60_000.0;

/// Templates by the name of their file: each a whole template with `Resources`. Only what is missing for certain is in it: what is not known is
/// not written down as missing.
#[must_use]
pub fn snippets(
    (plan, environment): (&Plan, &Environment),
    facts: &Facts,
    (look, scope): (&Look, &Scope),
) -> BTreeMap<String, String> {
    let ground = Ground { plan, environment, facts, look, scope };
    let mut files = BTreeMap::new();
    let mut put = |name: &str, resources: Vec<String>| {
        if !resources.is_empty() {
            files.insert(name.to_owned(), template(&resources));
        }
    };
    put("alarms.yaml", missing_alarms(&ground));
    put("alarms-mended.yaml", mended_alarms(&ground));
    put("log-groups.yaml", log_groups(&ground));
    let untraced = untraced(&ground);
    if !untraced.is_empty() {
        files.insert("tracing.yaml".to_owned(), untraced);
    }
    files
}

/// A whole template. Resources are given under their logical ids, each a YAML map of one key.
fn template(resources: &[String]) -> String {
    let indented = |text: &String| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
    let resources: String = resources.iter().map(indented).collect();
    format!("AWSTemplateFormatVersion: '2010-09-09'\nResources:\n{resources}")
}

/// An alarm that is missing.
struct Missing<'a> {
    namespace: &'a str,
    metric: &'a str,
    dimension: (&'a str, &'a str),
    statistic: &'a str,
    threshold: f64,
    missing: MissingData,
}

impl Missing<'_> {
    /// Tells those whom other alarms of the scenario tell, where there are any.
    fn resource(&self, actions: &[String]) -> Option<String> {
        let dimensions = BTreeMap::from([(self.dimension.0.to_owned(), self.dimension.1.to_owned())]);
        let metric = MetricName { namespace: self.namespace.to_owned(), name: self.metric.to_owned(), dimensions };
        let rule = AlarmRule {
            evaluation_periods: 1,
            datapoints_to_alarm: 1,
            threshold: Some(self.threshold),
            comparison: "GreaterThanThreshold".to_owned(),
            missing: self.missing,
        };
        let statistic = self.statistic.to_owned();
        let settings = AlarmSettings {
            description: Some(format!("{} of {}", self.metric, self.dimension.1)),
            actions_enabled: true,
            actions: actions.to_vec(),
            configured_at: None,
            subject: AlarmSubject::Metric { metric, statistic, period_seconds: 60, rule },
        };
        alarm_template(&format!("{}-{}", self.dimension.1, self.metric), &settings)
    }
}

fn missing_alarms(ground: &Ground<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for name in ground.scope.functions.keys() {
        let of = |metric, statistic, threshold, missing| Missing {
            namespace: "AWS/Lambda",
            metric,
            dimension: ("FunctionName", name),
            statistic,
            threshold,
            missing,
        };
        found.push(of("Errors", "Sum", 0.0, MissingData::NotBreaching));
        found.push(of("Throttles", "Sum", 0.0, MissingData::NotBreaching));
        let timeout = ground.function(name).ok().and_then(|listed| listed.timeout_seconds);
        if let Some(timeout) = timeout {
            let most = f64::from(timeout) * 1_000.0 * TIMEOUT_SHARE;
            found.push(of("Duration", "p99", most, MissingData::NotBreaching));
        }
        let is_fed = sources(ground).iter().flatten().any(|(source, function)| {
            function == name && matches!(source.source_arn.split(':').nth(2), Some("kinesis" | "dynamodb"))
        });
        if is_fed {
            found.push(of("IteratorAge", "Maximum", AGE_MS, MissingData::Missing));
        }
    }
    let dead: Vec<String> =
        ground.look.queues.values().flatten().filter_map(|it| queue_name(it.dead_letter.as_deref()?)).collect();
    let queue = |name, metric, threshold| Missing {
        namespace: "AWS/SQS",
        metric,
        dimension: ("QueueName", name),
        statistic: "Maximum",
        threshold,
        missing: MissingData::NotBreaching,
    };
    let queues = ground.scope.queues.iter().chain(ground.look.queues.keys());
    let queues: std::collections::BTreeSet<&String> = queues.collect();
    found.extend(queues.into_iter().map(|name| queue(name, "ApproximateAgeOfOldestMessage", AGE_SECONDS)));
    found.extend(dead.iter().map(|name| queue(name, "ApproximateNumberOfMessagesVisible", 0.0)));
    let actions = actions(ground);
    let is_missing = |alarm: &Missing<'_>| {
        let found = ground.alarms_on(alarm.namespace, &[alarm.metric], &[alarm.dimension]);
        found.is_ok_and(|found| found.is_empty())
    };
    found.iter().filter(|alarm| is_missing(alarm)).filter_map(|alarm| alarm.resource(&actions)).collect()
}

/// Whom the alarms of the scenario tell.
fn actions(ground: &Ground<'_>) -> Vec<String> {
    let alarms = ground.own_alarms().unwrap_or_default();
    let arns = alarms.iter().flat_map(|alarm| alarm.settings.actions.clone());
    arns.collect::<std::collections::BTreeSet<String>>().into_iter().collect()
}

/// Alarms that can not fire as soon as a hypothesis says, mended.
fn mended_alarms(ground: &Ground<'_>) -> Vec<String> {
    let is_local = ground.plan.environment.kind.is_local();
    let terms = ground.plan.hypotheses.iter().flat_map(|hypothesis| &hypothesis.expect.terms);
    let bounds = terms.filter_map(|term| match &term.condition {
        Condition::Compare { measure: Measure::Detect(alarm), value: Bound::Duration(bound), .. } => {
            Some((alarm, *bound))
        }
        Condition::Compare { .. } | Condition::Alarm { .. } | Condition::Mark(_) => None,
    });
    let alarms = ground.look.alarms.as_ref().ok();
    bounds
        .filter_map(|(name, bound)| {
            let alarm = alarms?.alarms.get(name.as_str())?;
            alarm_template(&alarm.name, &mended(&alarm.settings, bound, is_local)?)
        })
        .collect()
}

fn log_groups(ground: &Ground<'_>) -> Vec<String> {
    let Ok(groups) = &ground.look.log_groups else { return Vec::new() };
    let functions = ground.scope.functions.keys().filter_map(|name| ground.function(name).ok());
    let names: std::collections::BTreeSet<&String> = functions.map(|listed| &listed.log_group).collect();
    let is_short = |name: &&&String| match groups.groups.iter().find(|group| group.name == ***name) {
        Some(group) => group.retention_days.is_none_or(|days| days < RETENTION_DAYS),
        None => !groups.is_cut,
    };
    let resource = |name: &&String| {
        let properties = json!({"LogGroupName": name, "RetentionInDays": RETENTION_DAYS});
        let resource = json!({"Type": "AWS::Logs::LogGroup", "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain", "Properties": properties});
        resource_yaml(&logical_id(name, "LogGroup"), resource)
    };
    names.iter().filter(is_short).map(resource).collect()
}

/// What to add to functions that are there: a template can not change one that it does not make, so this is a note that is YAML.
fn untraced(ground: &Ground<'_>) -> String {
    let functions = ground.scope.functions.keys().filter_map(|name| ground.function(name).ok());
    let names: Vec<&str> =
        functions.filter(|listed| listed.is_traced == Some(false)).map(|listed| listed.name.as_str()).collect();
    if names.is_empty() {
        return String::new();
    }
    let lines: String = names.iter().map(|name| format!("#   {name}\n")).collect();
    let patch: Value = json!({"TracingConfig": {"Mode": "Active"}});
    let patch = serde_yaml::to_string(&patch).expect("invariant: JSON is YAML");
    format!(
        "# Add this to the Properties of the AWS::Lambda::Function of each of these, and AWSXRayDaemonWriteAccess to its role:\n{lines}{patch}"
    )
}
