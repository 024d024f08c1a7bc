//! An alarm's settings, from the SDK's types to ours.

use aws_sdk_cloudwatch::types::{CompositeAlarm, Dimension, Metric, MetricAlarm, MetricDataQuery};

use super::time;
use crate::unit::{AlarmRule, AlarmSettings, AlarmSubject, MetricName, MissingData};

/// The function of metric math that makes a band. Source: AWS, "Using CloudWatch anomaly detection".
const ANOMALY_FUNCTION: &str = "ANOMALY_DETECTION_BAND";

pub(super) fn of_metric(alarm: &MetricAlarm) -> AlarmSettings {
    AlarmSettings {
        description: alarm.alarm_description().map(str::to_owned),
        // AWS: the default of `PutMetricAlarm` is true.
        actions_enabled: alarm.actions_enabled().unwrap_or(true),
        actions: alarm.alarm_actions().to_vec(),
        configured_at: alarm.alarm_configuration_updated_timestamp().and_then(time),
        subject: subject(alarm).unwrap_or(AlarmSubject::Other),
    }
}

pub(super) fn of_composite(alarm: &CompositeAlarm) -> AlarmSettings {
    let rule = alarm.alarm_rule().map(str::to_owned);
    AlarmSettings {
        description: alarm.alarm_description().map(str::to_owned),
        actions_enabled: alarm.actions_enabled().unwrap_or(true),
        actions: alarm.alarm_actions().to_vec(),
        configured_at: alarm.alarm_configuration_updated_timestamp().and_then(time),
        subject: rule.map_or(AlarmSubject::Other, |rule| AlarmSubject::Composite {
            rule,
            suppressor: alarm.actions_suppressor().map(str::to_owned),
        }),
    }
}

/// What a metric alarm watches; none where it is of a kind that is not read here, or lacks what decides.
fn subject(alarm: &MetricAlarm) -> Option<AlarmSubject> {
    let rule = rule(alarm)?;
    if alarm.metrics().is_empty() {
        let metric = MetricName {
            namespace: alarm.namespace()?.to_owned(),
            name: alarm.metric_name()?.to_owned(),
            dimensions: dimensions(alarm.dimensions()),
        };
        let statistic = alarm.statistic().map(|statistic| statistic.as_str().to_owned());
        let statistic = statistic.or_else(|| alarm.extended_statistic().map(str::to_owned))?;
        return Some(AlarmSubject::Metric { metric, statistic, period_seconds: positive(alarm.period()?)?, rule });
    }
    let period =
        |query: &MetricDataQuery| query.metric_stat().and_then(|stat| stat.period()).or_else(|| query.period());
    let period_seconds = alarm.metrics().iter().filter_map(period).filter_map(positive).max()?;
    let expressions = alarm.metrics().iter().filter_map(MetricDataQuery::expression);
    let is_anomaly =
        alarm.threshold_metric_id().is_some() || expressions.into_iter().any(|text| text.contains(ANOMALY_FUNCTION));
    let metrics = alarm.metrics().iter().filter_map(|query| metric_name(query.metric_stat()?.metric()?)).collect();
    Some(AlarmSubject::Math { metrics, period_seconds, is_anomaly, rule })
}

fn rule(alarm: &MetricAlarm) -> Option<AlarmRule> {
    let evaluation_periods = positive(alarm.evaluation_periods()?)?;
    let missing = match alarm.treat_missing_data() {
        None => MissingData::Missing,
        Some(word) => MissingData::read(word)?,
    };
    Some(AlarmRule {
        evaluation_periods,
        // AWS: without one, all of them.
        datapoints_to_alarm: alarm.datapoints_to_alarm().map_or(Some(evaluation_periods), positive)?,
        threshold: alarm.threshold(),
        comparison: alarm.comparison_operator()?.as_str().to_owned(),
        missing,
    })
}

fn metric_name(metric: &Metric) -> Option<MetricName> {
    Some(MetricName {
        namespace: metric.namespace()?.to_owned(),
        name: metric.metric_name()?.to_owned(),
        dimensions: dimensions(metric.dimensions()),
    })
}

fn dimensions(dimensions: &[Dimension]) -> std::collections::BTreeMap<String, String> {
    dimensions.iter().filter_map(|it| Some((it.name()?.to_owned(), it.value()?.to_owned()))).collect()
}

fn positive(value: i32) -> Option<u32> {
    u32::try_from(value).ok().filter(|value| *value > 0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_sdk_cloudwatch::types::{ComparisonOperator, MetricStat, Statistic};

    use super::*;

    fn errors() -> aws_sdk_cloudwatch::types::builders::MetricAlarmBuilder {
        MetricAlarm::builder()
            .evaluation_periods(3)
            .comparison_operator(ComparisonOperator::GreaterThanThreshold)
            .threshold(1.0)
    }

    fn of_one_metric() -> aws_sdk_cloudwatch::types::builders::MetricAlarmBuilder {
        let dimension = Dimension::builder().name("FunctionName").value("pay").build();
        let metric = errors().namespace("AWS/Lambda").metric_name("Errors").dimensions(dimension);
        metric.period(60).statistic(Statistic::Sum)
    }

    #[test]
    fn an_alarm_on_one_metric_is_read_with_awss_defaults() {
        let settings = of_metric(&of_one_metric().build());
        let AlarmSubject::Metric { metric, statistic, period_seconds, rule } = &settings.subject else {
            panic!("{settings:?}")
        };
        assert_eq!(metric.to_string(), "AWS/Lambda Errors FunctionName=pay");
        assert_eq!((statistic.as_str(), *period_seconds), ("Sum", 60));
        assert_eq!((rule.datapoints_to_alarm, rule.missing), (3, MissingData::Missing));
        assert!(settings.actions_enabled);
        assert_eq!(settings.looks_back(), Some(Duration::from_secs(180)));
    }

    #[test]
    fn metric_math_has_the_longest_period_of_its_parts_and_tells_of_a_band() {
        let metric = Metric::builder().namespace("Shop").metric_name("Orders").build();
        let stat = MetricStat::builder().metric(metric).period(300).stat("Sum").build();
        let part = MetricDataQuery::builder().id("m1").metric_stat(stat).build();
        let band = MetricDataQuery::builder().id("ad1").expression("ANOMALY_DETECTION_BAND(m1, 2)").build();
        let settings = of_metric(&errors().metrics(part.clone()).metrics(band).build());
        let AlarmSubject::Math { metrics, period_seconds, is_anomaly, .. } = &settings.subject else {
            panic!("{settings:?}")
        };
        assert_eq!((metrics.len(), *period_seconds, *is_anomaly), (1, 300, true));
        let plain = of_metric(&errors().metrics(part).build());
        assert!(matches!(plain.subject, AlarmSubject::Math { is_anomaly: false, .. }));
    }

    #[test]
    fn what_lacks_something_or_is_not_known_is_not_guessed() {
        for alarm in [
            MetricAlarm::builder(),
            of_one_metric().treat_missing_data("perhaps"),
            of_one_metric().period(0),
            of_one_metric().datapoints_to_alarm(-1),
            errors().namespace("AWS/Lambda").period(60).statistic(Statistic::Sum),
            errors().metrics(MetricDataQuery::builder().id("q").expression("SELECT 1").build()),
        ] {
            assert_eq!(of_metric(&alarm.build()).subject, AlarmSubject::Other);
        }
    }

    #[test]
    fn a_composite_alarm_has_its_rule_and_its_suppressor() {
        let alarm =
            CompositeAlarm::builder().alarm_rule("ALARM(a)").actions_suppressor("quiet").alarm_actions("arn:sns");
        let settings = of_composite(&alarm.build());
        assert_eq!((settings.children(), settings.actions.len()), (vec!["a".to_owned()], 1));
        assert!(matches!(settings.subject, AlarmSubject::Composite { suppressor: Some(_), .. }));
    }
}
