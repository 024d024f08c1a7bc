//! What rules do to exchanges that pass a stream.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::rig::Rig;
use super::{GET, OK, rule, rule_of};
use crate::proxy::http::engine::HEAD_WAIT;

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn latency_holds_each_answer_and_lets_go_when_the_rule_is_removed() {
    let mut rig = Rig::with(json!({"latency": {"latency": "100ms"}}));
    for _ in 0..3 {
        let began = Instant::now();
        rig.exchange().await;
        let took = began.elapsed();
        assert!(took >= 100 * MILLISECOND && took <= 102 * MILLISECOND, "{took:?}");
    }
    assert_eq!((rig.applied(), rig.counters.requests.get()), (3, 3));
    let delays = rig.stats().added_delay.expect("three delays");
    assert_eq!((delays.count, delays.asked.map(|asked| (asked.delay_us, asked.jitter_us))), (3, Some((100_000, 0))));
    assert!((100_000..=102_000).contains(&delays.p50_us), "{delays:?}");
    rig.remove();
    rig.add(rule(json!({"latency": {"latency": "1h"}})));
    let removed = Arc::clone(rig.rules.borrow().get("r").expect("it was added"));
    rig.ask().await;
    rig.asked().await;
    rig.say(OK).await;
    while rig.applied() == 0 {
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    rig.remove();
    rig.hears(OK).await;
    assert!(began.elapsed() <= 2 * MILLISECOND);
    let delays = removed.stats(Instant::now()).added_delay.expect("one delay");
    assert!(delays.count == 1 && delays.max_us < 1_000_000, "it was let go long before its hour: {delays:?}");
}

#[tokio::test(start_paused = true)]
async fn two_latencies_share_what_was_added() {
    let mut rig = Rig::with(json!({"latency": {"latency": "300ms"}}));
    rig.add(rule_of(json!({"name": "s", "action": {"latency": {"latency": "100ms"}}})));
    rig.exchange().await;
    let other = rig.rules.borrow().get("s").map(|rule| rule.stats(Instant::now())).expect("it was added");
    for (stats, millis) in [(rig.stats(), 300), (other, 100)] {
        let delays = stats.added_delay.expect("a delay");
        assert!((millis..=millis + 2).contains(&(delays.max_us / 1_000)), "{millis} ms: {delays:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_answers_instead_of_the_upstream_and_the_connection_goes_on() {
    let action = json!({"http_error": {"status": 503, "headers": {"Retry-After": "1"}, "body": "busy"}});
    let mut rig = Rig::with(action);
    let answer = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nbusy";
    for _ in 0..2 {
        rig.ask().await;
        rig.hears(answer).await;
    }
    assert_eq!(rig.applied(), 2);
    rig.remove();
    rig.exchange().await;
}

#[tokio::test(start_paused = true)]
async fn an_error_keeps_its_place_among_pipelined_answers() {
    let mut rig = Rig::new();
    rig.add(rule_of(json!({"name": "r", "when": {"every": 2}, "action": {"http_error": {"status": 500}}})));
    let error = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    rig.client.write_all(&GET.repeat(4)).await.expect("written");
    for _ in 0..2 {
        rig.asked().await;
        rig.say(OK).await;
        rig.hears(OK).await;
        rig.hears(error).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_is_called_all_the_same_has_its_answer_lost() {
    let mut rig = Rig::with(json!({"http_error": {"status": 502, "call_upstream": true}}));
    for _ in 0..2 {
        rig.ask().await;
        rig.asked().await;
        rig.say(OK).await;
        rig.hears(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_truncated_body_ends_early_and_a_shorter_one_is_no_effect() {
    let mut rig = Rig::with(json!({"truncate": {"bytes": 10}}));
    rig.exchange().await;
    assert_eq!(rig.applied(), 0, "the body is not longer than that");
    rig.remove();
    rig.add(rule(json!({"truncate": {"bytes": 3}})));
    rig.ask().await;
    rig.asked().await;
    rig.say(OK).await;
    assert!(rig.hears_to_the_end().await.ends_with("\r\n\r\n012"));
    assert_eq!(rig.applied(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_comes_in_pieces_with_pauses() {
    let mut rig = Rig::with(json!({"slow_body": {"bytes": 4, "interval": "1s"}}));
    let began = Instant::now();
    rig.exchange().await;
    let took = began.elapsed();
    assert!(took >= 3_000 * MILLISECOND && took <= 3_006 * MILLISECOND, "{took:?}");
    assert_eq!(rig.applied(), 1);
    let delays = rig.stats().added_delay.expect("three pieces were held");
    assert_eq!(delays.count, 3);
    assert!((3_000_000..=3_006_000).contains(&delays.sum_us), "{delays:?}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_slower_than_its_pace_is_not_delayed() {
    let mut rig = Rig::with(json!({"slow_body": {"bytes": 4, "interval": "1ms"}}));
    rig.ask().await;
    rig.asked().await;
    let (first, last) = OK.split_at(OK.len() - 2);
    let (head, first) = first.split_at(first.len() - 8);
    for part in [head, first, last] {
        tokio::time::sleep(Duration::from_secs(60)).await;
        rig.say(part).await;
        rig.hears(part).await;
    }
    let delays = rig.stats().added_delay.expect("one piece came before its time");
    assert!(delays.count == 1 && delays.max_us <= 2_000, "{delays:?}");
}

#[tokio::test(start_paused = true)]
async fn a_corrupted_body_has_its_own_length_and_was_asked_for_plain() {
    let mut rig = Rig::with(json!({"corrupt": {"json_merge": {"state": "lost"}}}));
    rig.ask().await;
    assert_eq!(rig.asked().await, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    rig.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n3\r\n:1}\r\n0\r\n\r\n").await;
    rig.hears(b"HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{\"id\":1,\"state\":\"lost\"}").await;
    assert_eq!(rig.applied(), 1);
    rig.ask().await;
    rig.asked().await;
    rig.say(OK).await;
    rig.hears(OK).await;
    assert_eq!(rig.applied(), 1, "what is no JSON object passes");
}

#[tokio::test(start_paused = true)]
async fn headers_of_an_answer_are_set_and_removed() {
    let mut rig = Rig::with(json!({"headers": {"set": {"Retry-After": "9"}, "remove": ["x-kind"]}}));
    rig.ask().await;
    rig.asked().await;
    rig.say(OK).await;
    rig.hears(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nRetry-After: 9\r\n\r\n0123456789").await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_leaves_the_connection_silent_until_its_rule_is_removed() {
    for stage in ["request", "response", "body"] {
        let mut rig = Rig::with(json!({"timeout": {"stage": stage}}));
        rig.ask().await;
        if stage != "request" {
            rig.asked().await;
            rig.say(OK).await;
        }
        if stage == "body" {
            rig.hears(&OK[..OK.len() - 10]).await;
        }
        let silent = tokio::time::timeout(HOUR, rig.client.read_u8()).await;
        assert!(silent.is_err(), "{stage}: {silent:?}");
        assert_eq!(rig.applied(), 1, "{stage}");
        rig.remove();
        assert_eq!(rig.hears_to_the_end().await, "", "{stage}");
    }
    let mut rig = Rig::with(json!({"timeout": {"timeout": "5s"}}));
    let began = Instant::now();
    rig.ask().await;
    rig.asked().await;
    assert_eq!(rig.hears_to_the_end().await, "");
    let took = began.elapsed();
    assert!(took >= 5_000 * MILLISECOND && took <= 5_002 * MILLISECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_cut_off_and_others_are_served_meanwhile() {
    let mut slow = Rig::new();
    slow.client.write_all(b"GET / HTTP/1.1\r\nX: ").await.expect("written");
    let mut other = Rig::new();
    other.exchange().await;
    let began = Instant::now();
    let heard = slow.hears_to_the_end().await;
    assert!(heard.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{heard}");
    let took = began.elapsed();
    assert!(took >= HEAD_WAIT - MILLISECOND && took <= HEAD_WAIT + 2 * MILLISECOND, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn rules_answer_for_a_server_that_can_not_be_reached_and_what_they_leave_is_reset() {
    let mut rig = Rig::without_server();
    rig.ask().await;
    // The reset ends the copying, which drops its end.
    assert_eq!(rig.hears_to_the_end().await, "");

    let mut rig = Rig::without_server();
    rig.add(rule_of(json!({"name": "r", "match": {"path": "/a"}, "action": {"http_error": {"status": 500}}})));
    for _ in 0..2 {
        rig.ask().await;
        rig.hears(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n").await;
    }
    rig.client.write_all(b"GET /b HTTP/1.1\r\n\r\n").await.expect("written");
    assert_eq!(rig.hears_to_the_end().await, "");

    let mut rig = Rig::without_server();
    rig.add(rule(json!({"timeout": {"stage": "response", "timeout": "5s"}})));
    let began = Instant::now();
    rig.ask().await;
    assert_eq!(rig.hears_to_the_end().await, "");
    assert!(began.elapsed() >= 5_000 * MILLISECOND, "it is silent as long as a server that is there would be");
}
