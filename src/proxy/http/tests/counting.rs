//! A rule counts what it has done, and nothing that another one did or that could not be done.

use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use super::rig::Rig;
use super::{OK, rule_of};

#[tokio::test(start_paused = true)]
async fn nothing_is_done_to_a_body_where_there_is_none() {
    let answers: [(&str, &[u8]); 4] = [
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
    ];
    for action in [
        json!({"timeout": {"stage": "body"}}),
        json!({"corrupt": {"replace": "other"}}),
        json!({"truncate": {"bytes": 0}}),
        json!({"slow_body": {"bytes": 1, "interval": "1s"}}),
    ] {
        let mut rig = Rig::with(action.clone());
        for (method, answer) in answers {
            let request = format!("{method} /a HTTP/1.1\r\nHost: h\r\n\r\n");
            rig.client.write_all(request.as_bytes()).await.expect("written");
            rig.asked().await;
            rig.say(answer).await;
            rig.hears(answer).await;
        }
        assert_eq!(rig.applied(), 0, "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_rules_that_may_answer_the_one_that_does_is_counted() {
    let mut rig = Rig::with(json!({"http_error": {"status": 502, "call_upstream": true}}));
    rig.add(rule_of(json!({"name": "s", "action": {"http_error": {"status": 503}}})));
    rig.ask().await;
    rig.hears(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!((rig.applied(), rig.rule("s").stats(Instant::now()).applied), (0, 1));
    rig.rules.send_modify(|set| *set = set.without("s"));
    rig.ask().await;
    rig.asked().await;
    rig.say(OK).await;
    rig.hears(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await;
    assert_eq!(rig.applied(), 1);
}

#[tokio::test(start_paused = true)]
async fn headers_that_are_so_already_are_no_effect() {
    for action in [
        json!({"headers": {"remove": ["x-absent"]}}),
        json!({"headers": {"set": {"x-kind": "a"}}}),
        json!({"headers": {"set": {"X-Kind": "a"}, "remove": ["x-absent"]}}),
    ] {
        let mut rig = Rig::with(action.clone());
        rig.exchange().await;
        assert_eq!(rig.applied(), 0, "{action}");
    }
    let mut rig = Rig::with(json!({"headers": {"remove": ["x-kind"]}}));
    rig.ask().await;
    rig.asked().await;
    rig.say(OK).await;
    rig.hears(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789").await;
    assert_eq!(rig.applied(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_would_be_done_to_an_answer_that_is_replaced_is_not_counted() {
    for action in [json!({"headers": {"set": {"A": "1"}}}), json!({"timeout": {"stage": "body"}})] {
        let mut rig = Rig::with(action.clone());
        rig.add(rule_of(json!({"name": "s", "action": {"http_error": {"status": 502, "call_upstream": true}}})));
        rig.ask().await;
        rig.asked().await;
        rig.say(OK).await;
        rig.hears(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!((rig.applied(), rig.rule("s").stats(Instant::now()).applied), (0, 1), "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_counts_no_pause_in_which_nothing_was_held() {
    let mut rig = Rig::with(json!({"slow_body": {"bytes": 100, "interval": "1s"}}));
    rig.ask().await;
    rig.asked().await;
    let (head, body) = OK.split_at(OK.len() - 10);
    for part in [head, body] {
        rig.say(part).await;
        rig.hears(part).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    let stats = rig.stats();
    assert_eq!((stats.applied, stats.added_delay), (0, None));
}
