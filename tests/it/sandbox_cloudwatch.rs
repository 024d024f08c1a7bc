//! The sandbox's CloudWatch with real function processes, driven by the AWS SDK.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::error::ProvideErrorMetadata as _;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    ComparisonOperator, Dimension, HistoryItemType, Metric, MetricDataQuery, MetricDatum, MetricStat, ScanBy,
    StandardUnit, StateValue, Statistic, StatusCode,
};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{AliasRoutingConfiguration, InvocationType};
use gameday::sandbox::Sandbox;
use serde_json::json;

use crate::sandbox::{aws_config, client, eventually, invoke, start, try_invoke};
use crate::sandbox_event_source::{queue_url, sqs};

async fn cloudwatch(sandbox: &Sandbox) -> Client {
    Client::new(&aws_config(&sandbox.endpoint()).await)
}

fn dimension(name: &str, value: &str) -> Dimension {
    Dimension::builder().name(name).value(value).build()
}

fn metric(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> Metric {
    let dimensions = dimensions.iter().map(|(name, value)| dimension(name, value)).collect();
    Metric::builder().namespace(namespace).metric_name(name).set_dimensions(Some(dimensions)).build()
}

#[expect(clippy::disallowed_methods, reason = "the wall clock is what a caller asks by")]
fn minutes_from_now(minutes: i64) -> DateTime {
    DateTime::from_secs(DateTime::from(SystemTime::now()).secs() + 60 * minutes)
}

/// A metric's value over everything from ten minutes ago until a minute from now, summed up over periods of an hour.
async fn value(cloudwatch: &Client, metric: Metric, stat: &str) -> f64 {
    let stat_of = MetricStat::builder().metric(metric).period(3_600).stat(stat).build();
    let answer = cloudwatch
        .get_metric_data()
        .metric_data_queries(MetricDataQuery::builder().id("m1").metric_stat(stat_of).build())
        .start_time(minutes_from_now(-10))
        .end_time(minutes_from_now(1))
        .send()
        .await
        .expect("data");
    let values = answer.metric_data_results()[0].values();
    // At the turn of an hour there are two periods.
    if stat == "Sum" { values.iter().sum() } else { values.iter().copied().fold(0.0, f64::max) }
}

async fn state(cloudwatch: &Client, alarm: &str) -> Option<StateValue> {
    let answer = cloudwatch.describe_alarms().alarm_names(alarm).send().await.expect("alarms");
    answer.metric_alarms().first().and_then(|alarm| alarm.state_value().cloned())
}

#[tokio::test]
async fn invocations_errors_throttles_and_durations_are_counted() {
    let sandbox = start("functions: {probe: {demo: probe, aliases: {live: 1}}}").await;
    let (lambda, cloudwatch) = (client(&sandbox).await, cloudwatch(&sandbox).await);
    for _ in 0..3 {
        invoke(&lambda, "probe", json!({"do": "sleep", "ms": 50})).await;
    }
    try_invoke(&lambda, "probe:live", json!({"do": "fail"})).await.expect("an answer");
    lambda.put_function_concurrency().function_name("probe").reserved_concurrent_executions(0).send().await.expect("0");
    try_invoke(&lambda, "probe", json!({"do": "pid"})).await.expect_err("a throttle");

    let of = |name, dimensions: &[(&str, &str)]| metric("AWS/Lambda", name, dimensions);
    let function = [("FunctionName", "probe")];
    let live = [("FunctionName", "probe"), ("Resource", "probe:live")];
    let version = [("FunctionName", "probe"), ("Resource", "probe:live"), ("ExecutedVersion", "1")];
    for (name, dimensions, stat, expected) in [
        ("Invocations", &function[..], "Sum", 4.0),
        ("Invocations", &[][..], "Sum", 4.0),
        ("Invocations", &live[..], "Sum", 1.0),
        ("Invocations", &version[..], "Sum", 1.0),
        ("Errors", &function[..], "Sum", 1.0),
        ("Errors", &live[..], "Average", 1.0),
        ("Throttles", &function[..], "Sum", 1.0),
        ("Throttles", &live[..], "Sum", 0.0),
        ("Duration", &function[..], "SampleCount", 4.0),
        ("ConcurrentExecutions", &function[..], "Maximum", 1.0),
    ] {
        assert_eq!(value(&cloudwatch, of(name, dimensions), stat).await, expected, "{name} {stat} of {dimensions:?}");
    }
    let slowest = value(&cloudwatch, of("Duration", &function), "p100").await;
    assert!((49.0..3_000.0).contains(&slowest), "{slowest} ms");

    let listed = cloudwatch.list_metrics().namespace("AWS/Lambda").metric_name("Errors").send().await.expect("metrics");
    assert_eq!(listed.metrics().len(), 5, "account, function, its two resources, the alias's version");
    sandbox.stop().await;
}

#[tokio::test]
async fn what_a_queue_feeds_and_what_comes_asynchronously_is_counted_too() {
    let functions = "functions: {fed: {demo: probe, event_sources: [{queue: orders}]}, \
                     told: {demo: probe, aliases: {live: 1}, event_invoke: {retries: 0}}}";
    let sandbox = start(functions).await;
    let (lambda, cloudwatch) = (client(&sandbox).await, cloudwatch(&sandbox).await);
    let message =
        json!({"QueueUrl": queue_url(&sandbox, "orders").await, "MessageBody": json!({"do": "pid"}).to_string()});
    sqs(&sandbox, "SendMessage", message).await;
    let tell = async |function: &str, event: serde_json::Value| {
        let call = lambda.invoke().function_name(function).invocation_type(InvocationType::Event);
        call.payload(Blob::new(event.to_string())).send().await.expect("an event is taken");
    };
    tell("told:live", json!({"do": "fail"})).await;

    let live = [("FunctionName", "told"), ("Resource", "told:live")];
    let version = [("FunctionName", "told"), ("Resource", "told:live"), ("ExecutedVersion", "1")];
    for (name, dimensions) in [
        ("Invocations", &[("FunctionName", "fed")][..]),
        ("Invocations", &live[..]),
        ("Errors", &live[..]),
        ("Errors", &version[..]),
    ] {
        let is_counted = async || value(&cloudwatch, metric("AWS/Lambda", name, dimensions), "Sum").await == 1.0;
        eventually(&format!("{name} of {dimensions:?}"), is_counted).await;
    }

    lambda.put_function_concurrency().function_name("told").reserved_concurrent_executions(0).send().await.expect("0");
    tell("told:live", json!({"do": "pid"})).await;
    let throttles = || metric("AWS/Lambda", "Throttles", &live);
    eventually("the throttle", async || value(&cloudwatch, throttles(), "Sum").await == 1.0).await;
    assert_eq!(value(&cloudwatch, metric("AWS/Lambda", "Invocations", &live), "Sum").await, 1.0);
    sandbox.stop().await;
}

#[tokio::test]
async fn an_alias_with_weights_counts_by_the_version_that_ran() {
    let sandbox = start("functions: {probe: {demo: probe, aliases: {live: 1, next: 2}}}").await;
    let (lambda, cloudwatch) = (client(&sandbox).await, cloudwatch(&sandbox).await);
    invoke(&lambda, "probe:live", json!({"do": "pid"})).await;
    let weights = AliasRoutingConfiguration::builder().additional_version_weights("2", 1.0).build();
    let shift = lambda.update_alias().function_name("probe").name("live").routing_config(weights);
    shift.send().await.expect("all of it goes to version 2");
    for _ in 0..2 {
        invoke(&lambda, "probe:live", json!({"do": "pid"})).await;
    }
    let live = [("FunctionName", "probe"), ("Resource", "probe:live")];
    for (version, expected) in [(None, 3.0), (Some("1"), 1.0), (Some("2"), 2.0)] {
        let dimensions: Vec<_> = live.into_iter().chain(version.map(|version| ("ExecutedVersion", version))).collect();
        let found = value(&cloudwatch, metric("AWS/Lambda", "Invocations", &dimensions), "Sum").await;
        assert_eq!(found, expected, "{dimensions:?}");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn custom_metrics_are_kept_and_come_back_in_aligned_periods_and_pages() {
    let sandbox = start("functions: {}").await;
    let cloudwatch = cloudwatch(&sandbox).await;
    let minute = minutes_from_now(0).secs().div_euclid(60) * 60;
    let datum = |second: i64, value: f64| {
        MetricDatum::builder()
            .metric_name("orders")
            .dimensions(dimension("Shop", "a"))
            .timestamp(DateTime::from_secs(minute - 120 + second))
            .unit(StandardUnit::Count)
            .storage_resolution(1)
            .value(value)
            .build()
    };
    let put = cloudwatch.put_metric_data().namespace("Shop").metric_data(datum(1, 1.0)).metric_data(datum(12, 2.0));
    put.metric_data(datum(19, 4.5)).metric_data(datum(61, 8.0)).send().await.expect("it is taken");

    let query = |period, stat: &str| {
        let stat = MetricStat::builder().metric(metric("Shop", "orders", &[("Shop", "a")])).period(period).stat(stat);
        cloudwatch
            .get_metric_data()
            .metric_data_queries(MetricDataQuery::builder().id("orders").metric_stat(stat.build()).build())
            .start_time(DateTime::from_secs(minute - 120))
            .end_time(DateTime::from_secs(minute))
            .scan_by(ScanBy::TimestampAscending)
    };
    let points = async |period, stat: &str| {
        let answer = query(period, stat).send().await.expect("data");
        let result = &answer.metric_data_results()[0];
        assert_eq!(result.status_code(), Some(&StatusCode::Complete));
        let seconds = result.timestamps().iter().map(|at| at.secs() - (minute - 120));
        seconds.zip(result.values().iter().copied()).collect::<Vec<(i64, f64)>>()
    };
    assert_eq!(points(60, "Sum").await, [(0, 7.5), (60, 8.0)]);
    assert_eq!(points(10, "Sum").await, [(0, 1.0), (10, 6.5), (60, 8.0)]);
    assert_eq!(points(60, "p50").await, [(0, 2.0), (60, 8.0)]);

    let page = query(10, "Sum").max_datapoints(2).send().await.expect("a page");
    assert_eq!(page.metric_data_results()[0].status_code(), Some(&StatusCode::PartialData));
    let rest =
        query(10, "Sum").max_datapoints(2).next_token(page.next_token().expect("more")).send().await.expect("it");
    assert_eq!((rest.metric_data_results()[0].values(), rest.next_token()), (&[8.0][..], None));

    let math = MetricDataQuery::builder().id("rate").expression("m1/m2").build();
    let math = cloudwatch.get_metric_data().metric_data_queries(math);
    let error = math.start_time(minutes_from_now(-1)).end_time(minutes_from_now(0)).send().await.expect_err("math");
    assert_eq!(error.code(), Some("ValidationError"));
    assert!(error.message().is_some_and(|text| text.contains("m1/m2")), "{error:?}");
    let ours = cloudwatch.put_metric_data().namespace("AWS/Lambda").metric_data(datum(0, 1.0)).send().await;
    assert!(ours.expect_err("AWS's own").into_service_error().is_invalid_parameter_value_exception());
    sandbox.stop().await;
}

#[tokio::test]
async fn an_alarm_on_errors_follows_the_function() {
    let sandbox = start("functions: {probe: {demo: probe}}").await;
    let (lambda, cloudwatch) = (client(&sandbox).await, cloudwatch(&sandbox).await);
    cloudwatch
        .put_metric_alarm()
        .alarm_name("probe-errors")
        .namespace("AWS/Lambda")
        .metric_name("Errors")
        .dimensions(dimension("FunctionName", "probe"))
        .statistic(Statistic::Sum)
        .period(1)
        .evaluation_periods(1)
        .threshold(1.0)
        .comparison_operator(ComparisonOperator::GreaterThanOrEqualToThreshold)
        .treat_missing_data("notBreaching")
        .send()
        .await
        .expect("an alarm");
    eventually("no data do not breach", async || state(&cloudwatch, "probe-errors").await == Some(StateValue::Ok))
        .await;
    try_invoke(&lambda, "probe", json!({"do": "fail"})).await.expect("an answer");
    eventually("it goes off", async || state(&cloudwatch, "probe-errors").await == Some(StateValue::Alarm)).await;
    let answer = cloudwatch.describe_alarms().alarm_name_prefix("probe-").send().await.expect("alarms");
    let alarm = &answer.metric_alarms()[0];
    assert!(alarm.state_reason().is_some_and(|reason| reason.contains("greater than or equal to the threshold (1.0)")));
    assert_eq!(alarm.alarm_arn(), Some("arn:aws:cloudwatch:us-east-1:000000000000:alarm:probe-errors"));
    eventually("it ends", async || state(&cloudwatch, "probe-errors").await == Some(StateValue::Ok)).await;

    let history = cloudwatch.describe_alarm_history().alarm_name("probe-errors");
    let history = history.history_item_type(HistoryItemType::StateUpdate).scan_by(ScanBy::TimestampAscending);
    let history = history.send().await.expect("a history");
    let states: Vec<&str> = history.alarm_history_items().iter().filter_map(|item| item.history_summary()).collect();
    let expected = [
        "Alarm updated from INSUFFICIENT_DATA to OK",
        "Alarm updated from OK to ALARM",
        "Alarm updated from ALARM to OK",
    ];
    assert_eq!(states, expected);

    cloudwatch.delete_alarms().alarm_names("probe-errors").send().await.expect("it is deleted");
    assert_eq!(state(&cloudwatch, "probe-errors").await, None);
    let again = cloudwatch.delete_alarms().alarm_names("probe-errors").send().await.expect_err("it is gone");
    assert_eq!(again.code(), Some("ResourceNotFound"));
    sandbox.stop().await;
}

#[tokio::test]
async fn a_long_invocation_is_concurrent_in_every_second() {
    let sandbox = start("functions: {probe: {demo: probe, timeout: 30s}}").await;
    let (lambda, cloudwatch) = (client(&sandbox).await, cloudwatch(&sandbox).await);
    invoke(&lambda, "probe", json!({"do": "pid"})).await;
    let sleep = async || invoke(&lambda, "probe", json!({"do": "sleep", "ms": 2_500})).await;
    tokio::join!(sleep(), sleep());
    let concurrent = || metric("AWS/Lambda", "ConcurrentExecutions", &[("FunctionName", "probe")]);
    assert_eq!(value(&cloudwatch, concurrent(), "Maximum").await, 2.0);
    let stat = MetricStat::builder().metric(concurrent()).period(1).stat("Maximum").build();
    let seconds = cloudwatch
        .get_metric_data()
        .metric_data_queries(MetricDataQuery::builder().id("m").metric_stat(stat).build())
        .start_time(minutes_from_now(-2))
        .end_time(minutes_from_now(1))
        .send()
        .await
        .expect("data");
    let busy = seconds.metric_data_results()[0].values().iter().filter(|value| **value == 2.0).count();
    assert!(busy >= 2, "{seconds:?}");
    tokio::time::timeout(Duration::from_secs(30), sandbox.stop()).await.expect("it ends");
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_harms_nothing() {
    let sandbox = start("functions: {}").await;
    let http = reqwest::Client::new();
    let cbor = format!("{}/service/GraniteServiceVersion20100801/operation/PutMetricData", sandbox.endpoint());
    // The last nests a thousand lists.
    for body in [b"{}".to_vec(), vec![0xff], vec![0xa1, 0x61], vec![0x9b; 9], vec![0x81; 1_000]] {
        let answer = http.post(&cbor).header("smithy-protocol", "rpc-v2-cbor").body(body.clone()).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), 400, "{body:?}");
        let error = answer.headers().get("x-amzn-query-error").expect("an error's code").clone();
        assert_eq!(error, "ValidationError;Sender");
    }
    let json = async |target: &str, body: &'static str| {
        let answer = http.post(sandbox.endpoint()).header("x-amz-target", target).body(body).send().await;
        answer.expect("an answer").status()
    };
    assert_eq!(json("GraniteServiceVersion20100801.DescribeAlarms", "[").await, 400);
    assert_eq!(json("GraniteServiceVersion20100801.DescribeAlarms", "{}").await, 200);
    assert_eq!(json("GraniteServiceVersion20100801.Sing", "{}").await, 501);
    assert_eq!(json("AmazonSomething.Sing", "{}").await, 501);
    let compressed = http.post(&cbor).header("content-encoding", "gzip").body("x").send().await.expect("an answer");
    assert_eq!(compressed.status(), 400);
    let page = http.post(&cbor).header("origin", "http://evil.example").send().await.expect("an answer");
    assert_eq!(page.status(), 403, "a web page can reach no service of the sandbox");
    sandbox.stop().await;
}
