//! Slow clients: many that trickle their heads byte by byte neither starve others nor get past the limit on connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::proxy::{Api, REQUEST, RESPONSE, connect, end, exchange, patiently, start_on_tcp, until};

/// How many clients trickle.
const LORISES: usize = 60;

/// How many others there are, and how much each of them asks.
const OTHERS: usize = 10;
const EXCHANGES: usize = 20;

/// How many bytes each of them has said when the others come.
const BYTES_MIN: u64 = 5;

/// The pause between two bytes of a slow client.
const TRICKLE: Duration = Duration::from_millis(5);

/// A client that goes on with one head byte by byte, and counts the bytes. Told to hurry, it ends the head and is answered.
async fn loris(listen: SocketAddr, bytes: Arc<AtomicU64>, hurry: watch::Receiver<bool>) -> TcpStream {
    let mut stream = connect(listen).await;
    let (line, rest) = REQUEST.split_at(REQUEST.len() - 2);
    let mut head = line.iter().chain(b"X-Slow: ");
    // What can not be left out of a head comes byte by byte, also in a hurry.
    while let Some(byte) = head.next().or_else(|| (!*hurry.borrow()).then_some(&b'z')) {
        stream.write_all(&[*byte]).await.expect("its connection is held");
        bytes.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(TRICKLE).await;
    }
    stream.write_all(b"\r\n").await.expect("its connection is held");
    stream.write_all(rest).await.expect("its connection is held");
    stream
}

/// A server that answers each head, of whatever length.
async fn head_server() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut heard = Vec::new();
                while stream.read_buf(&mut heard).await.is_ok_and(|read| read > 0) {
                    if heard.ends_with(b"\r\n\r\n") {
                        heard.clear();
                        stream.write_all(RESPONSE).await.expect("answered");
                    }
                }
            });
        }
    });
    address
}

async fn stats(api: &Api) -> Value {
    let (_, stats) = api.ask("GET", "/gameday/stats", None).await;
    stats["proxies"]["p"].clone()
}

/// Others, each on a connection of its own, that ask one thing after another; their connections stay open.
async fn ask_much(listen: SocketAddr) -> Vec<TcpStream> {
    let others: Vec<JoinHandle<TcpStream>> = (0..OTHERS)
        .map(|_| {
            tokio::spawn(async move {
                let mut stream = connect(listen).await;
                for _ in 0..EXCHANGES {
                    exchange(&mut stream).await.expect("an exchange");
                }
                stream
            })
        })
        .collect();
    let mut streams = Vec::new();
    for other in others {
        streams.push(patiently("the others are served", other).await.expect("all were served"));
    }
    streams
}

#[tokio::test]
async fn clients_that_trickle_their_heads_starve_nobody_and_count_against_the_limit() {
    let most = (LORISES + OTHERS).to_string();
    let (mut process, admin) = start_on_tcp(&["--connections-max", &most]).await;
    let api = Api { admin };
    let proxy = json!({"name": "p", "upstream": head_server().await, "protocol": "http"});
    let (_, made) = api.ask("POST", "/proxies", Some(proxy)).await;
    let listen: SocketAddr = made["listen"].as_str().expect("an address").parse().expect("an address");
    // Rules look at heads: they must not wait for those of others.
    let rule = json!({"name": "idle", "match": {"path": "/never"}, "action": {"http_error": {"status": 500}}});
    assert_eq!(api.ask("POST", "/proxies/p/rules", Some(rule)).await.0, 201);
    let hurry = watch::Sender::new(false);
    let said: Vec<_> = (0..LORISES).map(|_| Arc::new(AtomicU64::new(0))).collect();
    let lorises: Vec<_> =
        said.iter().map(|bytes| tokio::spawn(loris(listen, Arc::clone(bytes), hurry.subscribe()))).collect();
    let say_more_than =
        |before: &[u64]| said.iter().zip(before).all(|(now, before)| now.load(Ordering::Relaxed) > *before);
    let is_slow = |loris: &JoinHandle<TcpStream>| !loris.is_finished();
    until("every slow client is in the middle of its head", async || {
        let stats = stats(&api).await;
        stats["connections_open"] == json!(LORISES) && say_more_than(&[BYTES_MIN; LORISES])
    })
    .await;

    let trickled: Vec<u64> = said.iter().map(|bytes| bytes.load(Ordering::Relaxed)).collect();
    let held = ask_much(listen).await;
    let after = stats(&api).await;
    assert_eq!(after["requests"], json!(OTHERS * EXCHANGES), "no head of a slow client is whole");
    assert!(lorises.iter().all(is_slow), "each holds its connection");
    assert_eq!(after["connections_open"], json!(LORISES + OTHERS));
    until("the slow clients go on meanwhile", async || say_more_than(&trickled)).await;

    let mut surplus = TcpStream::connect(listen).await.expect("the system accepts it");
    assert!(matches!(patiently("it is closed", surplus.read(&mut [0; 1])).await, Ok(0) | Err(_)));
    assert_eq!(stats(&api).await["connections_refused"], json!(1));
    drop(held);
    until("there is room again", async || {
        let Ok(mut stream) = TcpStream::connect(listen).await else { return false };
        exchange(&mut stream).await.is_ok()
    })
    .await;

    assert!(lorises.iter().all(is_slow), "each still holds its connection");
    hurry.send_replace(true);
    for loris in lorises {
        let mut stream = patiently("it ends its head", loris).await.expect("its connection is held");
        let mut answer = [0; RESPONSE.len()];
        patiently("its answer", stream.read_exact(&mut answer)).await.expect("an answer");
        assert_eq!(answer, RESPONSE);
    }
    end(&mut process, Signal::TERM).await;
}
