//! Requests that are signed anew while they pass a stream.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::rig::Rig;
use super::{GET, OK};
use crate::proxy::http::rule::RuleSet;
use crate::proxy::http::signer::Signer;
use crate::proxy::removed::Removed;
use crate::proxy::toxic::ToxicSet;
use crate::unit::{NotResigned, Resign, sha256_hex};

const HOUR: Duration = Duration::from_secs(3_600);

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

/// Takes its time.
#[derive(Debug)]
struct Late;

#[async_trait]
impl Resign for Late {
    async fn resign(&self, head: &[u8], host: &str, body_sha256: Option<&str>) -> Result<Vec<u8>, NotResigned> {
        tokio::time::sleep(HOUR).await;
        Scribe.resign(head, host, body_sha256).await
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

/// Were its two halves to wake each other meanwhile, paused time would stand still.
#[tokio::test(start_paused = true)]
async fn a_client_that_has_ended_waits_in_silence_for_its_signature() {
    let mut rig = Rig::resigning(Late);
    rig.client.write_all(signed("GET / HTTP/1.1", "").as_bytes()).await.expect("written");
    rig.client.shutdown().await.expect("shut");
    assert!(rig.asked().await.contains("Host: real\r\n"));
    rig.say(OK).await;
    rig.hears(OK).await;
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
    assert_not_resigned(&rig, ["body_needed", "presigned"]);
}

/// Each was the reason once.
#[track_caller]
fn assert_not_resigned<const N: usize>(rig: &Rig, reasons: [&str; N]) {
    let stats = rig.counters.stats(&ToxicSet::default(), &RuleSet::default(), None, &Removed::default());
    let expected: BTreeMap<_, _> = reasons.iter().map(|reason| ((*reason).to_owned(), 1)).collect();
    assert_eq!(stats.not_resigned, expected);
}

#[tokio::test(start_paused = true)]
async fn what_a_web_page_may_have_sent_is_not_signed() {
    let mut rig = Rig::resigning(Scribe);
    let rebound = signed("GET /a HTTP/1.1", "").replace("Host: h", "Host: evil.example:18443");
    let own = signed("GET /a HTTP/1.1", "Sec-Fetch-Site: same-origin\r\n");
    for head in [rebound, own] {
        rig.client.write_all(head.as_bytes()).await.expect("written");
        assert_eq!(rig.asked().await, head);
        rig.say(OK).await;
        rig.hears(OK).await;
    }
    assert_not_resigned(&rig, ["browser", "foreign_host"]);
    assert_eq!(rig.counters.requests_resigned.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_ends_in_the_middle_of_a_body_that_is_kept_has_ended() {
    for (headers, body) in
        [("Content-Length: 10\r\n", "some"), ("Transfer-Encoding: chunked\r\n", "4\r\nsome\r\n2\r\nb")]
    {
        let mut rig = Rig::resigning(Scribe);
        let said = signed("POST / HTTP/1.1", &format!("Digest: needed\r\n{headers}")) + body;
        rig.client.write_all(said.as_bytes()).await.expect("written");
        rig.client.shutdown().await.expect("shut");
        let mut asked = Vec::new();
        let ended = tokio::time::timeout(HOUR, rig.server.read_to_end(&mut asked)).await;
        ended.expect("the server hears of the end").expect("an orderly end");
        assert_eq!(String::from_utf8_lossy(&asked), said);
        assert_not_resigned(&rig, ["body_cut_off"]);
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_for_which_there_is_no_room_go_on_as_they_are() {
    let signer = Signer::new(Arc::new(Scribe), vec!["h".parse().expect("a name")]).with_room(10);
    let (mut first, mut second) = (Rig::signed_by(signer.clone()), Rig::signed_by(signer));
    let head = |length: usize| signed("POST / HTTP/1.1", &format!("Digest: needed\r\nContent-Length: {length}\r\n"));
    let mut body = [0; 5];
    first.client.write_all(format!("{}12345678", head(10)).as_bytes()).await.expect("written");
    // When time passes, all that was said is kept.
    tokio::time::sleep(Duration::from_millis(1)).await;

    second.client.write_all(format!("{}12345", head(5)).as_bytes()).await.expect("written");
    assert_eq!(second.asked().await, head(5));
    second.server.read_exact(&mut body).await.expect("the body");
    assert_not_resigned(&second, ["no_room"]);
    second.say(OK).await;
    second.hears(OK).await;

    first.client.write_all(b"90").await.expect("written");
    assert!(first.asked().await.contains(&sha256_hex(b"1234567890")));
    first.server.read_exact(&mut [0; 10]).await.expect("the body");

    second.client.write_all(format!("{}12345", head(5)).as_bytes()).await.expect("written");
    assert!(second.asked().await.contains(&sha256_hex(b"12345")), "there is room again");
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
