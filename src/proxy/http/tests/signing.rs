//! Requests that are signed anew while they pass a stream.

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::rig::Rig;
use super::{GET, OK};
use crate::proxy::http::rule::RuleSet;
use crate::proxy::removed::Removed;
use crate::proxy::toxic::ToxicSet;
use crate::unit::{NotResigned, Resign, sha256_hex};

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
