//! Each rule: where it fires, where it does not, and where it is not known.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::rule::InsightRule;
use super::{Evidence, Facts, Insight, InsightGap, Insights, Report, Seen, insights};
use crate::observe::{LogEvidence, MetricEvidence, TraceEvidence};
use crate::report::model::{InsightLevel, InsightSeverity, LoadDifference, Phase};
use crate::report::sample;

/// The sample's report without anything that rules look at, and without loads.
fn bare() -> Report {
    let mut report = Report::from_facts(&sample::script().events(), &sample::facts(), &Evidence::default());
    report.loads.clear();
    report.evidence_gaps.clear();
    report
}

fn facts() -> Facts {
    let functions = BTreeMap::from([("fn".to_owned(), "shop".to_owned())]);
    Facts { functions, baseline: Some("baseline".to_owned()), ..sample::facts() }
}

fn look(report: &Report, seen: Seen) -> Insights {
    insights(report, &facts(), &Evidence { seen, ..Evidence::default() })
}

/// What the rules make of a function's logs that are changed in some members.
fn of_logs(changes: &Value) -> Insights {
    let mut value = serde_json::to_value(sample::logs("shop")).unwrap();
    for (name, change) in changes.as_object().unwrap() {
        value[name] = change.clone();
    }
    let logs: LogEvidence = serde_json::from_value(value).unwrap();
    let mut seen = Seen::default();
    seen.logs.insert("evidence/logs/shop.json".to_owned(), Ok(logs));
    look(&bare(), seen)
}

fn found<'i>(insights: &'i Insights, rule: &str) -> Vec<&'i Insight> {
    insights.groups.iter().flat_map(|group| &group.insights).filter(|insight| insight.rule == rule).collect()
}

fn why_unknown<'i>(insights: &'i Insights, rule: &str, about: Option<&str>) -> Option<&'i str> {
    let is_it = |gap: &&InsightGap| {
        let is_about = about.map_or(gap.about.is_empty(), |about| gap.about.iter().any(|it| it == about));
        is_about && gap.rules.iter().any(|name| name.starts_with(rule))
    };
    insights.unknown.iter().find(is_it).map(|gap| gap.why.as_str())
}

/// A rule over logs: what fires it, and what does not although it is near.
fn log_cases() -> Vec<(&'static str, Value, Value)> {
    let execution = |id: &str| {
        json!({"request_id": id, "trace_id": null, "at": "2026-11-10T10:00:40Z", "duration_ms": 90.0, "is_cold": true,
            "init_ms": 100.0, "max_memory_mb": 80.0, "status": "error", "attempts": 1, "error": null})
    };
    let failed = |number: usize| (0..number).map(|index| execution(&format!("r-{index}"))).collect::<Vec<_>>();
    let group = |count: u64| {
        json!([{"signature": "no card #", "count": count, "first_at": "2026-11-10T10:00:40Z",
            "last_at": "2026-11-10T10:00:41Z", "request_id": "r-1"}])
    };
    let durations = json!({"p50_ms": 10.0, "p99_ms": 4_100.0, "max_ms": 4_900.0});
    let timeout = |count: u64| json!({"limit": 5_000.0, "count": count, "percent_max": 98.0});
    vec![
        ("I-01", json!({"failed": failed(4)}), json!({"failed": failed(3)})),
        (
            "I-01",
            json!({"failed": failed(2), "invocation_count": 20}),
            json!({"failed": failed(2), "invocation_count": 19}),
        ),
        (
            "I-03",
            json!({"cold_starts": {"count": 21, "durations": null}}),
            json!({"cold_starts": {"count": 20, "durations": null}}),
        ),
        (
            "I-04",
            json!({"retries": {"request_count": 2, "attempts_max": 3, "request_ids": ["r-1", "r-2"]}}),
            json!({"retries": {"request_count": 1, "attempts_max": 3, "request_ids": ["r-1"]}}),
        ),
        (
            "I-05",
            json!({"near_timeout": timeout(2), "durations": durations}),
            json!({"near_timeout": timeout(1), "durations": durations}),
        ),
        (
            "I-06",
            json!({"near_memory": {"limit": 128.0, "count": 2, "percent_max": 90.0}}),
            json!({"near_memory": {"limit": 128.0, "count": 1, "percent_max": 99.0}}),
        ),
        (
            "I-07",
            json!({"near_memory": {"limit": 1_024.0, "count": 0, "percent_max": 25.0}}),
            json!({"near_memory": {"limit": 128.0, "count": 0, "percent_max": 12.0}}),
        ),
        (
            "I-07",
            json!({"near_memory": {"limit": 256.0, "count": 0, "percent_max": 20.0}}),
            json!({"near_memory": {"limit": 256.0, "count": 0, "percent_max": 20.0}, "cut": "there is more"}),
        ),
        ("I-08", json!({"timeout_count": 2}), json!({"timeout_count": 1})),
        ("I-09", json!({"out_of_memory_count": 2}), json!({"out_of_memory_count": 1})),
        (
            "I-10",
            json!({"error_groups": group(2), "error_count": 3}),
            json!({"error_groups": group(1), "error_count": 1}),
        ),
        (
            "I-11",
            json!({"untraced": {"structured_count": 20, "untraced_count": 2}}),
            json!({"untraced": {"structured_count": 19, "untraced_count": 19}}),
        ),
        ("I-16", json!({"slowest": failed(1)}), json!({"slowest": failed(1), "invocation_count": 19})),
        ("I-17", json!({"failed": failed(2)}), json!({"failed": failed(1)})),
    ]
}

#[test]
fn a_rule_over_logs_fires_from_its_threshold_on_and_not_before() {
    for (rule, fires, does_not) in log_cases() {
        let with = of_logs(&fires);
        let [insight] = found(&with, rule).try_into().unwrap_or_else(|found| panic!("{rule}: {found:#?}"));
        assert_eq!((insight.about.as_deref(), insight.evidence.as_str()), (Some("shop"), "evidence/logs/shop.json"));
        assert!(insight.text.contains("`shop`") && insight.text.ends_with('.'), "{}", insight.text);
        assert!(insight.owner.is_some() && !insight.suggestion.is_empty());
        let without = of_logs(&does_not);
        assert!(found(&without, rule).is_empty(), "{rule}: {:#?}", found(&without, rule));
        assert_eq!(why_unknown(&without, rule, Some("shop")), None, "{rule} could look");
    }
}

#[test]
fn a_healthy_function_gives_no_insight_of_its_logs_and_no_rule_over_them_is_unknown() {
    let insights = of_logs(&json!({}));
    assert!(insights.groups.is_empty(), "{:#?}", insights.groups);
    let rules: BTreeSet<&str> =
        insights.unknown.iter().flat_map(|gap| &gap.rules).filter_map(|rule| rule.get(..4)).collect();
    assert_eq!(rules, BTreeSet::from(["I-02", "I-12", "I-13", "I-14", "I-15", "I-18", "I-19"]));
}

#[test]
fn what_logs_do_not_tell_is_unknown_with_its_reason() {
    let failed: Vec<Value> = (0..10)
        .map(|index| {
            json!({"request_id": format!("r-{index}"), "trace_id": null, "at": "2026-11-10T10:00:40Z", "duration_ms": 9.0,
                "is_cold": false, "init_ms": null, "max_memory_mb": null, "status": null, "attempts": 1, "error": "x"})
        })
        .collect();
    for (rule, changes, why) in [
        ("I-01", json!({"failed": failed, "invocation_count": 100_000}), "first failures alone"),
        ("I-01", json!({"cut": "there is more"}), "not all lines"),
        ("I-05", json!({"near_timeout": null}), "its timeout is not known"),
        ("I-06", json!({"near_memory": null}), "tells of memory"),
        ("I-07", json!({"near_memory": null}), "tells of memory"),
        ("I-11", json!({"untraced": {"structured_count": 0, "untraced_count": 0}}), "no structured line"),
    ] {
        let insights = of_logs(&changes);
        assert!(found(&insights, rule).is_empty());
        let told = why_unknown(&insights, rule, Some("shop"));
        assert!(told.is_some_and(|told| told.contains(why)), "{rule}: {told:?}");
    }
}

#[test]
fn counts_of_logs_that_were_cut_are_told_as_at_least() {
    let insights = of_logs(&json!({"cut": "there is more", "timeout_count": 7}));
    assert_eq!(found(&insights, "I-08")[0].text, "At least 7 invocations of `shop` were ended by its timeout.");
}

#[test]
fn executions_are_five_at_the_most_and_have_what_leads_to_them() {
    let execution = |index: usize| {
        json!({"request_id": format!("r-{index}"), "trace_id": format!("1-{index}"), "at": "2026-11-10T10:00:40Z",
            "duration_ms": 9.0, "is_cold": index == 0, "init_ms": null, "max_memory_mb": 80.0, "status": "timeout", "attempts": 2,
            "error": "x"})
    };
    let insights = of_logs(&json!({"failed": (0..9).map(execution).collect::<Vec<_>>()}));
    let failed = found(&insights, "I-17")[0];
    assert_eq!((failed.level, failed.executions.len()), (InsightLevel::Execution, 5));
    let first = &failed.executions[0];
    assert_eq!((first.request_id.as_deref(), first.trace_id.as_deref()), (Some("r-0"), Some("1-0")));
    assert_eq!((first.is_cold, first.max_memory_mb, first.duration_ms), (Some(true), Some(80.0), Some(9.0)));
    assert_eq!((first.status.as_deref(), first.attempts), (Some("timeout"), Some(2)));
}

#[test]
fn logs_that_are_missing_or_can_not_be_read_leave_every_rule_over_them_unknown() {
    let mut report = bare();
    let none = look(&report, Seen::default());
    assert!(none.groups.is_empty());
    assert_eq!(why_unknown(&none, "I-08", Some("shop")), Some("the run kept no logs of it"));
    assert_eq!(why_unknown(&none, "I-01", Some("shop")), Some("the run kept no logs of it"));
    report.evidence_gaps.push(crate::report::model::EvidenceGap {
        source: "logs".to_owned(),
        about: "shop".to_owned(),
        query: String::new(),
        unknown: Some("there was no answer in time".to_owned()),
    });
    let told = look(&report, Seen::default());
    assert_eq!(why_unknown(&told, "I-16", Some("shop")), Some("there was no answer in time"));
    let mut seen = Seen::default();
    seen.logs.insert("evidence/logs/shop.json".to_owned(), Err("its file is not understood".to_owned()));
    seen.metrics.insert("evidence/metrics/metrics.json".to_owned(), Err("its file is cut".to_owned()));
    seen.traces.insert("evidence/traces/traces.json".to_owned(), Err("its file is none".to_owned()));
    let broken = look(&report, seen);
    assert_eq!(why_unknown(&broken, "I-03", Some("shop")), Some("its file is not understood"));
    assert_eq!(why_unknown(&broken, "I-02", Some("shop")), Some("its file is cut"));
    assert_eq!(why_unknown(&broken, "I-18", None), Some("its file is none"));
}

/// Metrics of the function, a data point a minute from the run's start on.
fn metrics(series: &[(&str, &str, &[f64])]) -> Seen {
    let one = |(name, statistic, values): &(&str, &str, &[f64])| {
        let (namespace, dimension, of) = if name.starts_with("Approximate") {
            ("AWS/SQS", "QueueName", "orders-dlq")
        } else {
            ("AWS/Lambda", "FunctionName", "shop")
        };
        let points: Vec<(u64, f64)> = (0..).map(|minute| minute * 60_000).zip(values.iter().copied()).collect();
        json!({"metric": {"namespace": namespace, "name": name, "dimensions": {dimension: of}}, "statistic": statistic,
            "period_seconds": 60, "points": points})
    };
    let series: Vec<Value> = series.iter().map(one).collect();
    let value = json!({"from_ms": 0, "to_ms": 3_600_000, "known_ms": 600_000, "series": series});
    let metrics: MetricEvidence = serde_json::from_value(value).unwrap();
    let mut seen = Seen::default();
    seen.metrics.insert("evidence/metrics/metrics.json".to_owned(), Ok(metrics));
    seen
}

#[test]
fn a_rule_over_metrics_fires_from_its_threshold_on_and_not_before() {
    type Metric<'m> = (&'m str, &'m str, &'m [f64]);
    let cases: [(&str, &[Metric<'_>], &[Metric<'_>]); 6] = [
        (
            "I-01",
            &[("Invocations", "Sum", &[100.0, 100.0]), ("Errors", "Sum", &[0.0, 2.0])],
            &[("Invocations", "Sum", &[100.0, 101.0]), ("Errors", "Sum", &[0.0, 2.0])],
        ),
        ("I-02", &[("Throttles", "Sum", &[1.0, 1.0])], &[("Throttles", "Sum", &[1.0, 0.0])]),
        ("I-12", &[("DeadLetterErrors", "Sum", &[2.0])], &[("DeadLetterErrors", "Sum", &[1.0])]),
        (
            "I-12",
            &[("ApproximateNumberOfMessagesVisible", "Maximum", &[3.0, 5.0]), ("DeadLetterErrors", "Sum", &[])],
            &[("ApproximateNumberOfMessagesVisible", "Maximum", &[5.0, 3.0]), ("DeadLetterErrors", "Sum", &[])],
        ),
        (
            "I-13",
            &[("IteratorAge", "Maximum", &[5_000.0, 7_000.0, 10_000.0])],
            &[("IteratorAge", "Maximum", &[9_000.0, 9_500.0, 10_000.0])],
        ),
        (
            "I-14",
            &[("ProvisionedConcurrencyUtilization", "Maximum", &[0.9, 1.0])],
            &[("ProvisionedConcurrencyUtilization", "Maximum", &[0.5, 1.0])],
        ),
    ];
    for (rule, fires, does_not) in cases {
        let with = look(&bare(), metrics(fires));
        let [insight] = found(&with, rule).try_into().unwrap_or_else(|found| panic!("{rule}: {found:#?}"));
        assert_eq!(insight.evidence, "evidence/metrics/metrics.json");
        let without = look(&bare(), metrics(does_not));
        assert!(found(&without, rule).is_empty(), "{rule}: {:#?}", found(&without, rule));
        assert_eq!(
            why_unknown(&without, rule, Some("shop")).filter(|why| !why.contains("logs")),
            None,
            "{rule} could look"
        );
        let none = look(&bare(), metrics(&[]));
        assert!(
            found(&none, rule).is_empty() && why_unknown(&none, rule, Some("shop")).is_some(),
            "{rule} has no metric"
        );
    }
}

#[test]
fn a_metric_that_was_not_told_whole_or_not_yet_is_no_number() {
    let mut seen = metrics(&[("Throttles", "Sum", &[9.0])]);
    let of = |seen: &mut Seen, change: fn(&mut MetricEvidence)| {
        change(seen.metrics.values_mut().next().unwrap().as_mut().unwrap());
    };
    of(&mut seen, |metrics| metrics.series[0].trouble = Some("InternalError".to_owned()));
    let troubled = look(&bare(), seen);
    assert!(found(&troubled, "I-02").is_empty());
    assert!(why_unknown(&troubled, "I-02", Some("shop")).is_some_and(|why| why.contains("InternalError")));
    let mut late = metrics(&[("Throttles", "Sum", &[9.0])]);
    of(&mut late, |metrics| metrics.known_ms = 30_000);
    assert!(found(&look(&bare(), late), "I-02").is_empty(), "its only period may be a part");
}

#[test]
fn metrics_are_held_against_those_of_the_baseline_phase() {
    let mut report = bare();
    let phase = |name: &str, start_ms, end_ms| Phase {
        phase: name.to_owned(),
        start_ms,
        end_ms: Some(end_ms),
        planned_ms: None,
        ended_by: None,
    };
    report.phases = vec![phase("baseline", 0, 240_000), phase("slow", 240_000, 480_000)];
    let of = |errors: &[f64], durations: &[f64], invocations: &[f64]| {
        let series = [("Invocations", "Sum", invocations), ("Errors", "Sum", errors), ("Duration", "p99", durations)];
        look(&report, metrics(&series))
    };
    let texts = |insights: &Insights| found(insights, "I-15").iter().map(|it| it.text.clone()).collect::<Vec<_>>();
    let flat = [50.0; 8];
    let anomalous = of(
        &[0.0, 0.0, 0.0, 0.0, 10.0, 10.0, 10.0, 10.0],
        &[100.0, 110.0, 90.0, 100.0, 400.0, 420.0, 380.0, 400.0],
        &[50.0, 52.0, 48.0, 50.0, 20.0, 20.0, 20.0, 20.0],
    );
    let told = texts(&anomalous);
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(
        told.iter().any(|text| text.starts_with("The p99 duration of `shop` was 400 ms on the mean of phase `slow`")),
        "{told:#?}"
    );
    let quiet = of(&[0.0; 8], &[100.0, 180.0, 90.0, 30.0, 150.0, 150.0, 150.0, 150.0], &flat);
    assert!(texts(&quiet).is_empty(), "it is spread as widely without a fault");
    assert_eq!(why_unknown(&quiet, "I-15", Some("shop")), None);
    let few = of(&[0.0; 2], &[100.0, 900.0], &[50.0; 2]);
    assert!(why_unknown(&few, "I-15", Some("shop")).is_some_and(|why| why.contains("fewer than 3 data points")));
}

fn difference(figure: &str, baseline: f64, value: f64, half: f64) -> LoadDifference {
    LoadDifference {
        kind: "phase".to_owned(),
        name: Some("slow".to_owned()),
        figure: figure.to_owned(),
        baseline,
        value,
        low: value - baseline - half,
        high: value - baseline + half,
        baseline_seconds: 12,
        seconds: 30,
        is_clear: (value - baseline).abs() > half,
    }
}

#[test]
fn a_load_tells_of_failures_throttles_and_what_is_not_as_in_the_baseline() {
    let mut report = Report::from_facts(&sample::script().events(), &sample::facts(), &sample::evidence());
    report.loads.truncate(1);
    let mut of = |failed: u64, throttled: u64, differences: Vec<LoadDifference>| {
        let load = &mut report.loads[0];
        load.request_count = 1_000;
        load.failed_count = failed;
        load.failed_ratio = crate::report::number::ratio(failed, 1_000);
        load.failures = vec![crate::report::model::FailureCount { kind: "throttled".to_owned(), count: throttled }];
        load.differences = differences;
        look(&report, Seen::default())
    };
    let rules = |insights: &Insights| {
        let all = insights.groups.iter().flat_map(|group| &group.insights);
        all.map(|insight| insight.rule.clone()).collect::<BTreeSet<_>>()
    };
    let bad = of(60, 2, vec![difference("p99_ms", 100.0, 900.0, 200.0)]);
    assert_eq!(rules(&bad), BTreeSet::from(["I-01", "I-02", "I-15"].map(ToOwned::to_owned)));
    assert_eq!(found(&bad, "I-01")[0].severity, InsightSeverity::High);
    let text = "In phase `slow`, the 99th percentile of a second of load `shoppers` was 900 ms on the mean of 30 seconds, against \
        100 ms in the 12 of `baseline`, 7.8 standard errors away.";
    assert_eq!(found(&bad, "I-15")[0].text, text);
    let calm = [
        difference("p99_ms", 100.0, 190.0, 10.0),
        difference("failed_ratio", 0.0, 0.005, 0.001),
        difference("failed_ratio", 0.01, 0.03, 0.05),
        difference("p50_ms", 10.0, 90.0, 1.0),
    ];
    let good = of(9, 1, calm.to_vec());
    assert!(rules(&good).is_empty(), "{good:#?}");
    assert_eq!(why_unknown(&good, "I-15", Some("shoppers")), None);
    let short = of(0, 0, Vec::new());
    assert!(why_unknown(&short, "I-15", Some("shoppers")).is_some_and(|why| why.contains("fewer than ten seconds")));
}

#[test]
fn traces_tell_of_the_slowest_and_of_those_that_failed() {
    let of = |trace_count: u64, fault_count: u64| {
        let example = json!({"id": "1-a", "began_at": null, "response_ms": 900.0, "http_status": 502, "services": ["shop"],
            "causes": ["shop → payments: TimeoutError"]});
        let mut value = serde_json::to_value(sample::traces()).unwrap();
        value["slowest"] = json!([example]);
        value["failed"] = json!([example]);
        value["trace_count"] = json!(trace_count);
        value["fault_count"] = json!(fault_count);
        let traces: TraceEvidence = serde_json::from_value(value).unwrap();
        let mut seen = Seen::default();
        seen.traces.insert("evidence/traces/traces.json".to_owned(), Ok(traces));
        look(&bare(), seen)
    };
    let (many, few) = (of(20, 2), of(19, 1));
    for rule in ["I-18", "I-19"] {
        assert_eq!(found(&many, rule)[0].executions[0].trace_id.as_deref(), Some("1-a"), "{rule}");
        assert!(found(&few, rule).is_empty() && why_unknown(&few, rule, None).is_none(), "{rule}");
    }
    assert_eq!(why_unknown(&look(&bare(), Seen::default()), "I-18", None), Some("the run kept no traces"));
}

#[test]
fn a_function_belongs_to_its_component_and_its_owner() {
    let mut evidence = sample::evidence();
    let mut logs = sample::logs("payments-fn");
    logs.timeout_count = 3;
    evidence.seen = Seen::default();
    evidence.seen.logs.insert("evidence/logs/payments-fn.json".to_owned(), Ok(logs));
    let insights = insights(&bare(), &facts(), &evidence);
    let [group] = insights.groups.as_slice() else { panic!("{insights:#?}") };
    assert_eq!((group.component.as_str(), group.owner.as_deref()), ("payments", Some("team-payments")));
    assert_eq!(group.insights[0].component.as_deref(), Some("payments"));
}

#[test]
fn every_rule_has_an_id_and_a_name_of_its_own_and_a_question() {
    let ids: BTreeSet<&str> = InsightRule::ALL.iter().map(|rule| rule.describe().id).collect();
    let kinds: BTreeSet<&str> = InsightRule::ALL.iter().map(|rule| rule.describe().kind).collect();
    assert_eq!((ids.len(), kinds.len()), (InsightRule::ALL.len(), InsightRule::ALL.len()));
    assert!(InsightRule::ALL.iter().all(|rule| !rule.describe().questions.is_empty()));
}

#[test]
fn a_file_is_believed_where_it_is_understood_and_is_what_the_manifest_says() {
    use crate::report::manifest::FileState;
    use crate::report::model::{EvidenceFile, Provenance};
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("evidence/logs")).unwrap();
    let mut later = sample::logs("later");
    later.format = 2;
    let texts = [
        ("good", serde_json::to_string(&sample::logs("good")).unwrap()),
        ("changed", serde_json::to_string(&sample::logs("changed")).unwrap()),
        ("cut", "{\"format\": 1".to_owned()),
        ("page", "<html>502 Bad Gateway</html>".to_owned()),
        ("later", serde_json::to_string(&later).unwrap()),
    ];
    let file = |name: &str| format!("evidence/logs/{name}.json");
    for (name, text) in &texts {
        std::fs::write(folder.path().join(file(name)), text).unwrap();
    }
    let names = texts.iter().map(|(name, _)| *name).chain(["missing"]);
    let kept =
        |name| EvidenceFile { file: file(name), bytes: 0, sha256: String::new(), provenance: Provenance::default() };
    let files: Vec<EvidenceFile> = names.map(kept).collect();
    let seen = Seen::read(folder.path(), &files, &[(file("changed"), FileState::Changed)]);
    let why = |name: &str| seen.logs[&file(name)].as_ref().err().cloned().unwrap_or_default();
    assert_eq!(why("good"), "");
    assert_eq!(why("changed"), "its file is not what the manifest says");
    assert!(why("cut").contains("not understood") && why("page").contains("not understood"));
    assert!(why("later").contains("format 2") && why("missing").contains("failed to read"));
}
