use proptest::prelude::{any, proptest};

use super::*;

fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap()
}

fn row(ms: i64, stream: &str, message: &str) -> LogRow {
    LogRow { at: at(ms), stream: stream.to_owned(), message: message.to_owned() }
}

fn id(number: u32) -> String {
    format!("3604209a-e9a3-11e6-939a-{number:012}")
}

fn report(ms: i64, stream: &str, number: u32, more: &str) -> LogRow {
    let id = id(number);
    row(ms, stream, &format!("REPORT RequestId: {id}\tBilled Duration: 1 ms\tMemory Size: 128 MB\t{more}"))
}

fn span() -> LogSpan {
    LogSpan { from: at(0), until: at(600_000) }
}

fn subject() -> LogSubject {
    let (function, group) = ("orders".to_owned(), "/aws/lambda/orders".to_owned());
    LogSubject { function, group, timeout_ms: Some(3_000.0) }
}

fn evidence(rows: &[LogRow]) -> LogEvidence {
    let mut fold = LogFold::new(subject());
    rows.iter().for_each(|row| fold.take(row, None));
    fold.finish(span(), LogWay::Events, None)
}

#[test]
fn every_preset_is_read_from_the_lines() {
    let found = evidence(&[
        row(1_000, "a", "START RequestId: x Version: $LATEST"),
        report(1_100, "a", 1, "Duration: 100.0 ms\tMax Memory Used: 64 MB\tInit Duration: 250 ms"),
        report(1_200, "a", 2, "Duration: 2500 ms\tMax Memory Used: 120 MB"),
        row(61_000, "a", &format!("1970-01-01T00:01:01.000Z {} Task timed out after 3.00 seconds", id(3))),
        row(61_001, "a", &format!("END RequestId: {}", id(3))),
        report(61_002, "a", 3, "Duration: 3000 ms\tMax Memory Used: 120 MB\tStatus: timeout"),
        row(62_000, "b", &format!("RequestId: {} Error: Runtime exited with error: signal: killed", id(4))),
        report(62_001, "b", 4, "Duration: 10 ms\tStatus: error\tError Type: Runtime.ExitError"),
        report(63_000, "c", 4, "Duration: 10 ms"),
    ]);
    assert_eq!((found.invocation_count, found.cold_starts.count), (5, 1));
    assert_eq!(found.cold_starts.durations.map(|init| init.max_ms), Some(250.0));
    assert_eq!(found.durations, Some(Durations { p50_ms: 100.0, p99_ms: 3_000.0, max_ms: 3_000.0 }));
    assert_eq!(found.near_timeout, Some(NearLimit { limit: 3_000.0, count: 2, percent_max: 100.0 }));
    assert_eq!(found.near_memory, Some(NearLimit { limit: 128.0, count: 2, percent_max: 93.75 }));
    assert_eq!((found.timeout_count, found.out_of_memory_count), (1, 1));
    let retries = Retries { request_count: 1, attempts_max: 2, request_ids: vec![id(4)] };
    assert_eq!(found.retries, retries);
    let minutes: Vec<_> = found.minutes.iter().map(|minute| (minute.begins_ms, minute.invocation_count)).collect();
    assert_eq!(minutes, [(0, 2), (60_000, 3)]);
    let second = found.minutes[1];
    assert_eq!((second.timeout_count, second.out_of_memory_count, second.error_count), (1, 1, 2));
    assert_eq!(found.slowest[0].request_id, id(3));
    let failed: Vec<_> = found.failed.iter().map(|it| (it.request_id.clone(), it.attempts)).collect();
    assert_eq!(failed, [(id(3), 1), (id(4), 2)]);
    assert_eq!(
        found.failed[1].error.as_deref(),
        Some("RequestId: <id> Error: Runtime exited with error: signal: killed")
    );
}

#[test]
fn an_error_belongs_to_the_invocation_that_ends_next_in_its_stream() {
    let found = evidence(&[
        report(100, "a", 1, "Duration: 1 ms"),
        row(150, "a", "[ERROR] ValueError: no card 17"),
        row(151, "b", "all is well"),
        report(160, "b", 2, "Duration: 1 ms"),
        report(170, "a", 3, "Duration: 1 ms"),
        row(180, "a", "[ERROR] after the last one"),
    ]);
    let failed: Vec<_> = found.failed.iter().map(|it| it.request_id.clone()).collect();
    assert_eq!(failed, [id(3)]);
    assert_eq!((found.error_count, found.error_groups.len()), (2, 2));
    let group = found.error_groups.iter().find(|group| group.signature.contains("no card")).unwrap();
    assert_eq!((group.signature.as_str(), group.request_id.clone()), ("[ERROR] ValueError: no card #", Some(id(3))));
}

#[test]
fn errors_of_one_kind_are_one_group_and_the_rest_is_counted() {
    let kinds = "abcdefghijklmnopqrstuvwxy";
    let mut rows: Vec<LogRow> = kinds
        .chars()
        .enumerate()
        .map(|(n, kind)| row(i64::try_from(n).unwrap(), "s", &format!("error {kind}")))
        .collect();
    rows.extend((0..5).map(|number| row(100 + number, "s", &format!("error of order {number}"))));
    let found = evidence(&rows);
    assert_eq!(found.error_groups.len(), GROUPS_MAX);
    let first = &found.error_groups[0];
    assert_eq!((first.signature.as_str(), first.count), ("error of order #", 5));
    assert_eq!((first.first_at, first.last_at), (at(100), at(104)));
    assert_eq!((found.error_count, found.other_error_count), (30, 6));
}

#[test]
fn structured_lines_are_judged_by_their_level_and_looked_at_for_a_trace() {
    let found = evidence(&[
        row(1, "s", r#"{"level": "INFO", "message": "0 errors", "correlation_id": "c"}"#),
        row(2, "s", r#"{"level": "INFO", "message": "no id"}"#),
        row(3, "s", r#"{"level": "error", "message": "no card", "xray_trace_id": "1-5"}"#),
        row(4, "s", r#"{"type": "platform.start", "record": {"requestId": "r"}}"#),
        row(
            5,
            "s",
            r#"{"time": "t", "type": "platform.report", "record": {"requestId": "r", "metrics": {"durationMs": 5}}}"#,
        ),
        row(6, "s", "plain text"),
    ]);
    assert_eq!(found.untraced, Untraced { structured_count: 3, untraced_count: 1 });
    assert_eq!((found.error_count, found.invocation_count), (1, 1));
    assert_eq!(found.near_memory, None, "no line tells of memory");
}

#[test]
fn lines_that_were_not_asked_for_do_not_count_twice() {
    let rows = [report(1, "s", 1, "Duration: 1 ms"), row(2, "s", "error"), row(3, "s", r#"{"level": "INFO"}"#)];
    let mut fold = LogFold::new(subject());
    for query in super::super::QUERIES {
        rows.iter().for_each(|row| fold.take(row, Some(query)));
    }
    let found = fold.finish(span(), LogWay::Insights, None);
    let untraced = Untraced { structured_count: 1, untraced_count: 1 };
    assert_eq!((found.invocation_count, found.error_count, found.untraced), (1, 1, untraced));
}

#[test]
fn lines_that_the_sandbox_dropped_cut_the_evidence() {
    let lost = row(1, "sandbox", &format!("{LOG_LOSS_PREFIX}7 older events of this group are not kept any more"));
    let found = evidence(&[lost, report(2, "s", 1, "Duration: 1 ms")]);
    assert_eq!(found.cut.as_deref(), Some("7 older events of this group are not kept any more"));
}

#[test]
fn nothing_read_is_nothing_known() {
    let found = evidence(&[]);
    assert_eq!((found.invocation_count, found.durations, found.near_timeout, found.near_memory), (0, None, None, None));
    assert_eq!(found.retries, Retries::default());
}

proptest! {
    #[test]
    fn whatever_is_logged_is_folded_and_no_message_stands_in_the_evidence(
        lines in proptest::collection::vec((0_i64..600_000, "[ab]", any::<String>()), 0..30),
    ) {
        let secret = "sk_live_4eC39HqLyjWDarjtT1zdp7dc";
        let mut rows: Vec<LogRow> = lines.iter().map(|(ms, stream, text)| row(*ms, stream, text)).collect();
        rows.push(row(5, "a", &format!("error with {secret}")));
        let found = evidence(&rows);
        let text = serde_json::to_string(&found).unwrap();
        assert!(!text.contains(secret));
        assert_eq!(found.row_count, u64::try_from(rows.len()).unwrap());
    }
}
