//! What clients say to a proxy that opens tunnels.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use super::rig::Rig;
use crate::proxy::http::engine::HEAD_WAIT;
use crate::proxy::http::head::HEAD_BYTES_MAX;
use crate::proxy::http::tunnel::Tunnel;

const HOUR: Duration = Duration::from_secs(3_600);

/// What a client hears until the connection ends.
async fn heard(said: &[u8]) -> String {
    let mut rig = Rig::of_tunnels();
    rig.client.write_all(said).await.expect("written");
    timeout(HOUR, rig.hears_to_the_end()).await.expect("an answer with an end")
}

#[tokio::test(start_paused = true)]
async fn what_is_no_http_is_refused_by_a_proxy_that_opens_tunnels() {
    let began = Instant::now();
    for said in [b"\x16\x03\x01\x02\x00\x01".as_slice(), b"\0", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let heard = heard(said).await;
        assert!(heard.starts_with("HTTP/1.1 400 "), "{said:?}: {heard}");
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_cut_off_by_a_proxy_that_opens_tunnels() {
    // The second may become HTTP/2, which nobody speaks here.
    for said in ["CONNECT a.example:443 HTTP/1.1\r\n", "PR"] {
        let began = Instant::now();
        let heard = heard(said.as_bytes()).await;
        assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
        // Tokio rounds a timer up to the next millisecond.
        let late = began.elapsed().checked_sub(HEAD_WAIT);
        assert!(late.is_some_and(|late| late <= Duration::from_millis(2)), "{late:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn empty_lines_before_a_tunnel_is_asked_for_are_passed_over() {
    let heard = heard(b"\r\n\r\n\r\nCONNECT a.example:443 HTTP/1.1\r\n\r\n").await;
    assert!(heard.starts_with("HTTP/1.1 502 ") && heard.contains("`a.example:443` cannot be reached"), "{heard}");
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_keeps_no_more_than_a_head() {
    for (said, status) in [(vec![b'a'; HEAD_BYTES_MAX], 431), (b"\x16\x03\n".to_vec(), 400)] {
        let nobody = |_| async { Err(io::ErrorKind::ConnectionRefused.into()) };
        let mut tunnel = Tunnel::new("*:443".parse().expect("a pattern"), nobody);
        tunnel.write_all(&said).await.expect("written");
        let mut heard = String::new();
        let ended = timeout(HOUR, tunnel.read_to_string(&mut heard)).await;
        ended.expect("an answer with an end").expect("text");
        assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{heard}");
        tunnel.write_all(&said).await.expect("nobody is there for it");
    }
}
