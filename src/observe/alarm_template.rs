//! An alarm as CloudFormation writes it: ready to be put into a template.

use serde_json::{Map, Value, json};

use crate::unit::{AlarmRule, AlarmSettings, AlarmSubject, MetricName};

/// The resource of an alarm in YAML, under a logical id made of its name. None for a kind that is not written here: metric math
/// and composite alarms, whose parts are not all known.
#[must_use]
pub fn alarm_template(name: &str, settings: &AlarmSettings) -> Option<String> {
    let AlarmSubject::Metric { metric, statistic, period_seconds, rule } = &settings.subject else { return None };
    let mut properties = Map::new();
    properties.insert("AlarmName".to_owned(), json!(name));
    if let Some(description) = &settings.description {
        properties.insert("AlarmDescription".to_owned(), json!(description));
    }
    add_metric(&mut properties, metric, statistic);
    properties.insert("Period".to_owned(), json!(period_seconds));
    add_rule(&mut properties, rule);
    if !settings.actions_enabled {
        properties.insert("ActionsEnabled".to_owned(), json!(false));
    }
    if !settings.actions.is_empty() {
        properties.insert("AlarmActions".to_owned(), json!(settings.actions));
    }
    let resource = json!({"Type": "AWS::CloudWatch::Alarm", "Properties": properties});
    Some(resource_yaml(&logical_id(name, "Alarm"), resource))
}

fn add_metric(properties: &mut Map<String, Value>, metric: &MetricName, statistic: &str) {
    properties.insert("Namespace".to_owned(), json!(metric.namespace));
    properties.insert("MetricName".to_owned(), json!(metric.name));
    let dimension = |(name, value)| json!({"Name": name, "Value": value});
    let dimensions: Vec<Value> = metric.dimensions.iter().map(dimension).collect();
    if !dimensions.is_empty() {
        properties.insert("Dimensions".to_owned(), json!(dimensions));
    }
    let key = if statistic.starts_with(|c: char| c.is_ascii_lowercase()) { "ExtendedStatistic" } else { "Statistic" };
    properties.insert(key.to_owned(), json!(statistic));
}

fn add_rule(properties: &mut Map<String, Value>, rule: &AlarmRule) {
    properties.insert("EvaluationPeriods".to_owned(), json!(rule.evaluation_periods));
    properties.insert("DatapointsToAlarm".to_owned(), json!(rule.datapoints_to_alarm));
    if let Some(threshold) = rule.threshold {
        properties.insert("Threshold".to_owned(), json!(threshold));
    }
    properties.insert("ComparisonOperator".to_owned(), json!(rule.comparison));
    properties.insert("TreatMissingData".to_owned(), json!(rule.missing.as_str()));
}

/// A resource under its logical id, in YAML.
#[must_use]
pub fn resource_yaml(logical_id: &str, resource: Value) -> String {
    let mut resources = Map::new();
    resources.insert(logical_id.to_owned(), resource);
    serde_yaml::to_string(&resources).expect("invariant: JSON is YAML")
}

/// A logical id of letters and digits: `payments-throttled` and `Alarm` make `PaymentsThrottledAlarm`. Source: AWS CloudFormation,
/// "Resources": alphanumeric.
#[must_use]
pub fn logical_id(name: &str, kind: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let capital = |word: &str| {
        let mut characters = word.chars();
        characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect::<String>()
    };
    let id: String = words.map(capital).collect();
    let id = id.strip_suffix(kind).unwrap_or(&id);
    format!("{id}{kind}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::unit::MissingData;

    fn settings(statistic: &str) -> AlarmSettings {
        let dimensions = BTreeMap::from([("FunctionName".to_owned(), "pay".to_owned())]);
        AlarmSettings {
            description: Some("see: playbooks/pay.md".to_owned()),
            actions_enabled: true,
            actions: vec!["arn:aws:sns:eu-west-1:111122223333:pager".to_owned()],
            configured_at: None,
            subject: AlarmSubject::Metric {
                metric: MetricName { namespace: "AWS/Lambda".to_owned(), name: "Duration".to_owned(), dimensions },
                statistic: statistic.to_owned(),
                period_seconds: 60,
                rule: AlarmRule {
                    evaluation_periods: 2,
                    datapoints_to_alarm: 2,
                    threshold: Some(800.5),
                    comparison: "GreaterThanThreshold".to_owned(),
                    missing: MissingData::NotBreaching,
                },
            },
        }
    }

    #[test]
    fn an_alarm_is_a_resource_that_has_all_its_settings() {
        let text = alarm_template("pay slow/p99 (prod)", &settings("p99")).unwrap();
        let value: Value = serde_yaml::from_str(&text).unwrap();
        let properties = &value["PaySlowP99ProdAlarm"]["Properties"];
        assert_eq!(properties["ExtendedStatistic"], "p99");
        assert_eq!(properties["Dimensions"][0]["Value"], "pay");
        assert_eq!((&properties["Threshold"], &properties["Period"]), (&json!(800.5), &json!(60)));
        assert_eq!(properties["TreatMissingData"], "notBreaching");
        assert_eq!(properties["AlarmActions"][0], "arn:aws:sns:eu-west-1:111122223333:pager");
        let text = alarm_template("x", &settings("Sum")).unwrap();
        assert!(text.contains("Statistic: Sum") && !text.contains("Extended"), "{text}");
    }

    #[test]
    fn an_id_has_letters_and_digits_and_its_kind_once() {
        assert_eq!(logical_id("payments-throttled", "Alarm"), "PaymentsThrottledAlarm");
        assert_eq!(logical_id("slow-alarm", "Alarm"), "SlowAlarm");
        assert_eq!(logical_id("…", "Alarm"), "Alarm");
    }
}
