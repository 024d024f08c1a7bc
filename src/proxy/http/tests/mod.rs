//! The engine and the stream around it, without sockets. Here: the engine alone, byte for byte.

mod counting;
mod effects;
mod removal;
mod rig;
mod signing;
mod stream;
mod tunnel;

use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::engine::{Ending, Engine};
use super::rule::{ActiveRule, RuleSet, RuleSpec};

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
    let mut engine = Engine::new(None);
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
fn empty_lines_before_the_first_request_leave_it_to_the_rules() {
    let set = RuleSet::default().with(active(rule(json!({"http_error": {"status": 503}}))));
    for cuts in [[1], [1_000]] {
        let passed = play(&set, &[b"\r\n\r\n", GET].concat(), b"", &cuts);
        assert_eq!(passed.to_server, b"\r\n\r\n");
        assert!(passed.to_client.starts_with(b"HTTP/1.1 503 "), "{passed:?}");
        let passed = play(&set, &[b"\n", GET].concat(), b"", &cuts);
        assert!(passed.to_client.starts_with(b"HTTP/1.1 400 "), "as before later requests: {passed:?}");
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
