//! What a rule does ends with that rule, also where others are still there.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

use super::rig::Rig;
use super::{OK, rule_of};

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// Where the body of [`OK`] begins.
const BODY: usize = OK.len() - 10;

/// A rule `r` that comes first, and a rule `s`.
fn two(first: Value, second: Value) -> Rig {
    let rig = Rig::with(first);
    rig.add(rule_of(json!({"name": "s", "action": second})));
    rig
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(MILLISECOND * 5, future).await.expect("it is let go")
}

async fn stays_silent(rig: &mut Rig) {
    let silent = tokio::time::timeout(HOUR / 2, rig.client.read_u8()).await;
    assert!(silent.is_err(), "{silent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_to_be_corrupted_passes_as_it_came() {
    let mut rig = Rig::with(json!({"corrupt": {"replace": "other"}}));
    let corrupt = rig.rule("r");
    rig.ask().await;
    rig.asked().await;
    let begun = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nevents\r\n";
    rig.say(begun).await;
    stays_silent(&mut rig).await;
    rig.remove();
    soon(rig.hears(begun)).await;
    for more in [b"4\r\nmore\r\n".as_slice(), b"0\r\n\r\n"] {
        rig.say(more).await;
        soon(rig.hears(more)).await;
    }
    assert_eq!(corrupt.stats(Instant::now()).applied, 0);
    rig.exchange().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_when_the_server_breaks_off_passes_and_is_not_counted() {
    let mut rig = Rig::with(json!({"corrupt": {"replace": "other"}}));
    rig.ask().await;
    rig.asked().await;
    let begun = &OK[..BODY + 3];
    rig.say(begun).await;
    rig.server.shutdown().await.expect("shut");
    assert_eq!(soon(rig.hears_to_the_end()).await.as_bytes(), begun);
    assert_eq!(rig.applied(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_endless_answer_was_dropped_is_closed() {
    let mut rig = Rig::with(json!({"http_error": {"status": 502, "call_upstream": true}}));
    let error = rig.rule("r");
    rig.ask().await;
    rig.asked().await;
    rig.say(b"HTTP/1.1 200 OK\r\n\r\nevents").await;
    stays_silent(&mut rig).await;
    rig.remove();
    assert_eq!(soon(rig.hears_to_the_end()).await, "");
    assert_eq!(error.stats(Instant::now()).applied, 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_is_cut_and_slowed_by_its_own_rule_only() {
    let (cut, slow) = (json!({"truncate": {"bytes": 3}}), json!({"slow_body": {"bytes": 1, "interval": "1h"}}));
    let mut rig = two(cut.clone(), slow.clone());
    rig.ask().await;
    rig.asked().await;
    rig.say(&OK[..BODY + 2]).await;
    rig.hears(&OK[..BODY + 2]).await;
    rig.remove();
    rig.say(&OK[BODY + 2..]).await;
    soon(rig.hears(&OK[BODY + 2..])).await;

    let mut rig = two(slow, cut);
    let slow = rig.rule("r");
    rig.ask().await;
    rig.asked().await;
    rig.say(OK).await;
    rig.hears(&OK[..BODY]).await;
    stays_silent(&mut rig).await;
    rig.remove();
    soon(rig.hears(&OK[BODY..])).await;
    let stats = slow.stats(Instant::now());
    let delays = stats.added_delay.expect("what was let go before its time counts, too");
    assert_eq!((stats.applied, delays.count, delays.max_us / 1_000_000), (1, 1, 1_800));
    assert_eq!(rig.rule("s").stats(Instant::now()).applied, 0);
}

#[tokio::test(start_paused = true)]
async fn a_silence_ends_with_its_own_rule() {
    for stage in ["request", "response", "body"] {
        let silence = json!({"timeout": {"stage": stage}});
        let mut rig = two(silence.clone(), silence);
        rig.ask().await;
        if stage != "request" {
            rig.asked().await;
            rig.say(OK).await;
        }
        if stage == "body" {
            rig.hears(&OK[..BODY]).await;
        }
        stays_silent(&mut rig).await;
        rig.remove();
        assert_eq!(soon(rig.hears_to_the_end()).await, "", "{stage}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_latencies_the_one_that_is_removed_lets_go() {
    for (removed_ms, long_ms) in [(50, 0), (10_000, 9_900)] {
        let mut rig = two(json!({"latency": {"latency": "1h"}}), json!({"latency": {"latency": "100ms"}}));
        let (long, short) = (rig.rule("r"), rig.rule("s"));
        rig.ask().await;
        rig.asked().await;
        rig.say(OK).await;
        let began = Instant::now();
        tokio::time::sleep(removed_ms * MILLISECOND).await;
        rig.remove();
        rig.hears(OK).await;
        let (took, least) = (began.elapsed(), removed_ms.max(100) * MILLISECOND);
        assert!(took >= least && took <= least + 2 * MILLISECOND, "{took:?} is not {least:?}");
        for (rule, millis) in [(long, long_ms), (short, 100)] {
            let delays = rule.stats(Instant::now()).added_delay.expect("a delay");
            assert!(
                delays.count == 1 && (millis..=millis + 2).contains(&(delays.max_us / 1_000)),
                "{millis}: {delays:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn headers_of_a_rule_that_is_gone_are_not_set() {
    let mut rig = two(json!({"headers": {"set": {"A": "1"}}}), json!({"headers": {"set": {"B": "2"}}}));
    rig.ask().await;
    rig.asked().await;
    rig.remove();
    rig.say(OK).await;
    rig.hears(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-Kind: a\r\nB: 2\r\n\r\n0123456789").await;
}
