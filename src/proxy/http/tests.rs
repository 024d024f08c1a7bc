//! The engine and the stream around it, without sockets.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::engine::{Ending, Engine, HEAD_WAIT};
use super::rule::{ActiveRule, RuleSet, RuleSpec, RuleStats};
use super::stream::{HttpStream, Resigning};
use crate::proxy::counters::ProxyCounters;
use crate::proxy::removed::Removed;
use crate::proxy::timer::Clockwork;
use crate::proxy::toxic::ToxicSet;
use crate::proxy::upstream::Upstream;
use crate::unit::{NotResigned, Resign, sha256_hex};

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);
const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-Kind: a\r\n\r\n0123456789";

fn rule_of(json: Value) -> RuleSpec {
    let spec: RuleSpec = serde_json::from_value(json).expect("a rule");
    assert_eq!(spec.problems(), []);
    spec
}

fn rule(action: Value) -> RuleSpec {
    rule_of(json!({"name": "r", "action": action}))
}

fn active(spec: RuleSpec) -> ActiveRule {
    ActiveRule::new(0, spec, &"p".parse().expect("a name"), 1)
}

/// What a connection gave its two sides, and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Passed {
    to_server: Vec<u8>,
    to_client: Vec<u8>,
    end: Option<Ending>,
}

impl Passed {
    fn take_from(&mut self, engine: &mut Engine) {
        self.to_server.extend_from_slice(&engine.to_server.split());
        self.to_client.extend_from_slice(&engine.to_client.split());
    }
}

/// Plays a client's and a server's bytes in pieces; the server speaks when it has seen all of the client's.
fn play(rules: &RuleSet, client: &[u8], server: &[u8], cuts: &[usize]) -> Passed {
    let mut engine = Engine::new(false);
    let now = Instant::now();
    let mut passed = Passed { to_server: Vec::new(), to_client: Vec::new(), end: None };
    let mut cuts = cuts.iter().cycle();
    let mut feed = |bytes: &[u8], is_client: bool, engine: &mut Engine| {
        let mut rest = bytes;
        while !rest.is_empty() {
            let cut = (*cuts.next().expect("some cuts")).min(rest.len());
            let (piece, after) = rest.split_at(cut);
            if is_client {
                let verbatim = engine.take_client(piece, rules, now);
                passed.to_server.extend_from_slice(&piece[..verbatim]);
            } else {
                let verbatim = engine.take_server(piece, now);
                passed.to_client.extend_from_slice(&piece[..verbatim]);
            }
            passed.take_from(engine);
            engine.advance(rules, now);
            passed.take_from(engine);
            rest = after;
        }
    };
    feed(client, true, &mut engine);
    feed(server, false, &mut engine);
    engine.server_ended = true;
    for _ in 0..3 {
        engine.advance(rules, now);
        passed.take_from(&mut engine);
    }
    passed.end = engine.end;
    passed
}

fn message(first_line: &str, body: &[u8], framing: u8) -> Vec<u8> {
    let mut bytes = format!("{first_line}\r\nX-Any: value\r\n").into_bytes();
    match framing {
        0 => bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes()),
        _ => bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n"),
    }
    if framing == 0 {
        bytes.extend_from_slice(body);
        return bytes;
    }
    for chunk in body.chunks(7) {
        bytes.extend_from_slice(format!("{:x};ext=1\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
    bytes
}

/// A request's body and framing, its answer's body and framing, and whether `100 Continue` comes before.
type Exchanged = (Vec<u8>, u8, Vec<u8>, u8, bool);

fn messages() -> impl Strategy<Value = Vec<Exchanged>> {
    let body = || prop::collection::vec(any::<u8>(), 0..60);
    prop::collection::vec((body(), 0..2_u8, body(), 0..2_u8, any::<bool>()), 1..8)
}

proptest! {
    #[test]
    fn pipelined_exchanges_pass_verbatim_however_they_are_cut(
        exchanges in messages(),
        cuts in prop::collection::vec(1_usize..40, 1..50),
    ) {
        let (mut client, mut server) = (Vec::new(), Vec::new());
        for (asked, asked_framing, said, said_framing, continues) in &exchanges {
            client.extend(message("POST /x HTTP/1.1", asked, *asked_framing));
            if *continues {
                server.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            server.extend(message("HTTP/1.1 200 OK", said, *said_framing));
        }
        let passed = play(&RuleSet::default(), &client, &server, &cuts);
        prop_assert_eq!(passed, Passed { to_server: client, to_client: server, end: Some(Ending::Close) });
    }

    /// Structured fuzzing: good messages with some bytes changed, taken away or doubled.
    #[test]
    fn broken_messages_pass_in_part_or_are_refused_and_never_change(
        exchanges in messages(),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6),
        cuts in prop::collection::vec(1_usize..40, 1..20),
        rules in any::<bool>(),
    ) {
        let (mut client, mut server) = (Vec::new(), Vec::new());
        for (asked, asked_framing, said, said_framing, _) in &exchanges {
            client.extend(message("POST /x HTTP/1.1", asked, *asked_framing));
            server.extend(message("HTTP/1.1 200 OK", said, *said_framing));
        }
        for (place, byte, kind) in &mutations {
            let bytes = if byte % 2 == 0 { &mut client } else { &mut server };
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = *byte,
                1 => { bytes.remove(place); }
                _ => bytes.insert(place, *byte),
            }
        }
        let set = if rules {
            RuleSet::default().with(active(rule_of(json!({"name": "r", "match": {"path": "/none"},
                                                         "action": {"http_error": {"status": 503}}}))))
        } else {
            RuleSet::default()
        };
        let passed = play(&set, &client, &server, &cuts);
        prop_assert!(client.starts_with(&passed.to_server), "what is passed on is what came");
        let common = passed.to_client.iter().zip(&server).take_while(|(left, right)| left == right).count();
        let own = String::from_utf8_lossy(&passed.to_client[common..]).into_owned();
        let is_own = own.is_empty() || ["400 ", "431 ", "502 "].iter().any(|status| own.contains(status));
        prop_assert!(is_own, "what is not the server's is a refusal: {own:?}");
        prop_assert!(passed.end.is_some());
    }
}

#[test]
fn smuggled_requests_are_refused_and_the_connection_is_closed() {
    for bad in [
        "POST / HTTP/1.1\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\nHost: h\n\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ] {
        let client = [GET, bad.as_bytes(), GET].concat();
        let passed = play(&RuleSet::default(), &client, OK, &[1_000]);
        assert_eq!(passed.to_server, GET, "{bad:?}");
        let refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&passed.to_client), String::from_utf8_lossy(&[OK, refusal].concat()));
        assert_eq!(passed.end, Some(Ending::Close), "{bad:?}");
    }
    let chunk = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n";
    let passed = play(&RuleSet::default(), chunk, b"", &[1_000]);
    assert!(passed.to_client.starts_with(b"HTTP/1.1 400 "));
    let long = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'a'; 70_000]].concat();
    assert!(play(&RuleSet::default(), &long, b"", &[1_000]).to_client.starts_with(b"HTTP/1.1 431 "));
}

#[test]
fn an_answer_that_two_readers_would_part_differently_is_refused() {
    let both = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let passed = play(&RuleSet::default(), GET, both, &[1_000]);
    assert!(passed.to_client.starts_with(b"HTTP/1.1 502 Bad Gateway\r\n"), "{passed:?}");
}

#[test]
fn what_is_not_http_1_passes_in_both_directions() {
    let tls = [0x16, 3, 1, 0, 4, 1, 0, 0, 0];
    let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0";
    let websocket = b"GET /chat HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05\n\n";
    let switched = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02\n\r";
    for (client, server) in [
        (tls.as_slice(), b"\x15\x03\x03".as_slice()),
        (http2, b"\0\0\x06\x04"),
        (websocket, switched),
        (b"CONNECT h:443 HTTP/1.1\r\n\r\n\x16\x03", b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\n\n"),
        (b"", b"220 smtp.example.com\r\n"),
    ] {
        for cuts in [[1], [1_000]] {
            let passed = play(&RuleSet::default(), client, server, &cuts);
            let expected = Passed { to_server: client.to_vec(), to_client: server.to_vec(), end: Some(Ending::Close) };
            assert_eq!(passed, expected);
        }
    }
}

#[test]
fn a_refused_upgrade_leaves_http_as_it_is() {
    let upgrade = b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
    let set = RuleSet::default().with(active(rule_of(
        json!({"name": "r", "match": {"path": "/a"}, "action": {"http_error": {"status": 503}}}),
    )));
    let passed = play(&set, &[upgrade, GET].concat(), OK, &[1_000]);
    assert_eq!(passed.to_server, upgrade);
    assert!(passed.to_client.starts_with(OK));
    assert!(String::from_utf8_lossy(&passed.to_client).contains("HTTP/1.1 503 Service Unavailable\r\n"));
}

/// A client and a server with a stream between them.
struct Rig {
    client: DuplexStream,
    server: DuplexStream,
    rules: watch::Sender<RuleSet>,
    counters: Arc<ProxyCounters>,
}

impl Rig {
    fn new() -> Self {
        let (server_side, server) = tokio::io::duplex(1 << 20);
        Self::between(server_side, server, None)
    }

    fn resigning(by: impl Resign + 'static) -> Self {
        let (server_side, server) = tokio::io::duplex(1 << 20);
        Self::between(server_side, server, Some(Resigning { by: Arc::new(by), host: "real".into() }))
    }

    /// A server that can not be reached.
    fn without_server() -> Self {
        let missing = Upstream::<DuplexStream>::new(async { Err(io::ErrorKind::ConnectionRefused.into()) });
        Self::between(missing, tokio::io::duplex(1).0, None)
    }

    fn between<S>(server_side: S, server: DuplexStream, resigning: Option<Resigning>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (client, mut client_side) = tokio::io::duplex(1 << 20);
        let (rules, seen) = watch::channel(RuleSet::default());
        let counters = Arc::<ProxyCounters>::default();
        let stream = HttpStream::new(server_side, seen, resigning, Clockwork::Wheel, Arc::clone(&counters));
        tokio::spawn(async move {
            let (reader, writer) = stream.split();
            // An error is the stream's reset: both ends are dropped then.
            tokio::io::copy_bidirectional(&mut client_side, &mut tokio::io::join(reader, writer)).await.ok();
        });
        Self { client, server, rules, counters }
    }

    fn with(action: Value) -> Self {
        let rig = Self::new();
        rig.add(rule(action));
        rig
    }

    fn add(&self, spec: RuleSpec) {
        self.rules.send_modify(|set| *set = set.with(active(spec)));
    }

    fn remove(&self) {
        self.rules.send_modify(|set| *set = set.without("r"));
    }

    fn stats(&self) -> RuleStats {
        self.rules.borrow().get("r").expect("the rule is there").stats(Instant::now())
    }

    fn applied(&self) -> u64 {
        self.stats().applied
    }

    async fn ask(&mut self) {
        self.client.write_all(GET).await.expect("written");
    }

    /// What the server is asked, as far as the next head reaches.
    async fn asked(&mut self) -> String {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(self.server.read_u8().await.expect("more of a head"));
        }
        String::from_utf8(request).expect("text")
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.server.write_all(bytes).await.expect("written");
    }

    async fn hears(&mut self, bytes: &[u8]) {
        let mut heard = vec![0; bytes.len()];
        self.client.read_exact(&mut heard).await.expect("all the bytes");
        assert_eq!(String::from_utf8_lossy(&heard), String::from_utf8_lossy(bytes));
    }

    async fn hears_to_the_end(&mut self) -> String {
        let mut heard = Vec::new();
        self.client.read_to_end(&mut heard).await.expect("an end");
        String::from_utf8_lossy(&heard).into_owned()
    }

    async fn exchange(&mut self) {
        self.ask().await;
        self.asked().await;
        self.say(OK).await;
        self.hears(OK).await;
    }
}

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

#[test]
fn a_reset_comes_after_the_request_the_headers_or_some_bytes() {
    let set = |after: Value| RuleSet::default().with(active(rule(json!({"reset": after}))));
    let passed = play(&set(json!({"after": "request"})), GET, OK, &[1_000]);
    assert_eq!(passed, Passed { to_server: GET.to_vec(), to_client: Vec::new(), end: Some(Ending::Reset) });
    let passed = play(&set(json!({"after": "headers"})), GET, OK, &[1_000]);
    assert_eq!((passed.to_client.as_slice(), passed.end), (&OK[..OK.len() - 10], Some(Ending::Reset)));
    let passed = play(&set(json!({"after": "bytes", "bytes": 4})), GET, OK, &[1]);
    assert_eq!((passed.to_client.as_slice(), passed.end), (&OK[..OK.len() - 6], Some(Ending::Reset)));
}

#[test]
fn the_operation_of_a_query_call_is_read_from_its_body() {
    let form = "Action=Publish&Message=hello";
    let head = format!(
        "POST / HTTP/1.1\r\nHost: sns\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AK/20260310/eu-west-1/sns/aws4_request, \
         SignedHeaders=host, Signature=0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        form.len()
    );
    let client = [head.as_bytes(), form.as_bytes()].concat();
    let rules = |operation: &str| {
        RuleSet::default().with(active(rule_of(json!({
            "name": "r", "match": {"aws": {"service": "sns", "operation": operation}},
            "action": {"aws_error": {"code": "Throttling"}},
        }))))
    };
    for cuts in [[1], [1_000]] {
        let passed = play(&rules("Publish"), &client, OK, &cuts);
        assert_eq!(passed.to_server, b"");
        assert!(String::from_utf8_lossy(&passed.to_client).contains("<Code>Throttling</Code>"), "{passed:?}");
        assert_eq!(play(&rules("Subscribe"), &client, OK, &cuts).to_server, client);
    }
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

/// Signs by writing the host and the digest that it was given.
#[derive(Debug)]
struct Scribe;

#[async_trait]
impl Resign for Scribe {
    async fn resign(&self, head: &[u8], host: &str, body_sha256: Option<&str>) -> Result<Vec<u8>, NotResigned> {
        let head = std::str::from_utf8(head).expect("text");
        if head.contains("Digest: needed") && body_sha256.is_none() {
            return Err(NotResigned::BodyNeeded);
        }
        if head.contains("Presigned") {
            return Err(NotResigned::Presigned);
        }
        let head = head.trim_end().replace("Host: h", &format!("Host: {host}"));
        Ok(format!("{head}\r\nDigest-Was: {}\r\n\r\n", body_sha256.unwrap_or("none")).into_bytes())
    }
}

fn signed(first_line: &str, headers: &str) -> String {
    format!("{first_line}\r\nHost: h\r\nAuthorization: AWS4-HMAC-SHA256 x\r\n{headers}\r\n")
}

#[tokio::test(start_paused = true)]
async fn a_signed_request_is_signed_anew_and_others_pass_as_they_are() {
    let mut rig = Rig::resigning(Scribe);
    rig.exchange().await;
    let body = "some body";
    let length = format!("Content-Length: {}\r\n", body.len());
    for (headers, digest) in
        [(length.clone(), "none".to_owned()), (format!("Digest: needed\r\n{length}"), sha256_hex(body.as_bytes()))]
    {
        let head = signed("POST / HTTP/1.1", &headers);
        for byte in format!("{head}{body}").bytes() {
            rig.client.write_all(&[byte]).await.expect("written");
        }
        let asked = rig.asked().await;
        assert!(asked.contains("Host: real\r\n") && asked.contains(&format!("Digest-Was: {digest}\r\n")), "{asked}");
        let mut sent = vec![0; body.len()];
        rig.server.read_exact(&mut sent).await.expect("the body");
        assert_eq!(sent, body.as_bytes());
        rig.say(OK).await;
        rig.hears(OK).await;
    }
    assert_eq!(rig.counters.requests_resigned.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_can_not_be_signed_anew_goes_on_as_it_is_and_the_reason_is_counted() {
    let mut rig = Rig::resigning(Scribe);
    let presigned = "GET /?X-Amz-Signature=0 HTTP/1.1\r\nHost: h\r\nX: Presigned\r\n\r\n".to_owned();
    // Its client says nothing more until it is told to go on.
    let waiting = signed("PUT / HTTP/1.1", "Digest: needed\r\nExpect: 100-continue\r\nContent-Length: 1\r\n");
    for (head, body) in [(presigned, ""), (waiting, "x")] {
        rig.client.write_all(head.as_bytes()).await.expect("written");
        assert_eq!(rig.asked().await, head);
        rig.client.write_all(body.as_bytes()).await.expect("written");
        rig.server.read_exact(&mut vec![0; body.len()]).await.expect("the body");
        rig.say(OK).await;
        rig.hears(OK).await;
    }
    let stats = rig.counters.stats(&ToxicSet::default(), &RuleSet::default(), None, &Removed::default());
    let expected = [NotResigned::BodyNeeded, NotResigned::Presigned].map(|reason| (reason.to_string(), 1));
    assert_eq!(stats.not_resigned, expected.into());
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_keep_their_order_while_one_is_signed() {
    let mut rig = Rig::resigning(Scribe);
    let head = signed("POST / HTTP/1.1", "Digest: needed\r\nTransfer-Encoding: chunked\r\n");
    let chunks = "3\r\nabc\r\n0\r\n\r\n";
    let both = [head.as_bytes(), chunks.as_bytes(), GET].concat();
    rig.client.write_all(&both).await.expect("written");
    assert!(rig.asked().await.contains(&format!("Digest-Was: {}\r\n", sha256_hex(b"abc"))));
    let mut sent = vec![0; chunks.len()];
    rig.server.read_exact(&mut sent).await.expect("the body");
    assert_eq!(sent, chunks.as_bytes());
    assert_eq!(rig.asked().await.as_bytes(), GET);
}
