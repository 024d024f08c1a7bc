//! What the fault proxy does to live connections on real sockets: resets, half-closes, streams, limits, names.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use gameday::proxy::{Bandwidth, LimitData, ResetPeer, Slicer, Toxic, ToxicSpec, Toxicity};
use rustix::process::Signal;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::proxy::{Api, Rig, connect, end, exchange, http_server, now, patiently, start_on_tcp, toxic, until};

fn reset() -> ToxicSpec {
    toxic("broken", Toxic::ResetPeer(ResetPeer { timeout: Duration::ZERO }))
}

/// What a client sees that reads on: the bytes up to the end, or the error.
async fn read_on(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut received = Vec::new();
    patiently("the end", stream.read_to_end(&mut received)).await.map(|_| received)
}

/// A server that sends without an end to whoever connects, and counts who that was.
async fn endless_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let bytes = vec![7; 256 * 1024];
                while stream.write_all(&bytes).await.is_ok() {}
            });
        }
    });
    address
}

#[tokio::test]
async fn a_reset_is_a_reset_on_new_and_on_live_connections_and_never_with_toxicity_0() {
    let rig = Rig::start(http_server().await).await;
    let mut live = rig.connect().await;
    exchange(&mut live).await.expect("an exchange");
    rig.add(&ToxicSpec { toxicity: Toxicity::try_from(0.0).expect("a ratio"), ..reset() }).await;
    for _ in 0..20 {
        let mut spared = rig.connect().await;
        exchange(&mut spared).await.expect("an exchange");
        spared.shutdown().await.expect("shut");
        assert_eq!(read_on(&mut spared).await.expect("an orderly end"), b"");
    }
    assert!(rig.remove(&reset()).await);
    rig.add(&reset()).await;
    let mut fresh = rig.connect().await;
    for stream in [&mut live, &mut fresh] {
        let outcome = exchange(stream).await;
        assert_eq!(outcome.expect_err("broken off").kind(), io::ErrorKind::ConnectionReset);
    }
    rig.stop().await;
}

#[tokio::test]
async fn the_server_sees_a_reset_as_well() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let rig = Rig::start(listener.local_addr().expect("an address")).await;
    let mut client = rig.connect().await;
    let (mut server, _) = listener.accept().await.expect("a client");
    rig.add(&ToxicSpec { stream: gameday::proxy::Direction::Upstream, ..reset() }).await;
    client.write_all(b"question").await.expect("written");
    let outcome = patiently("it breaks off", server.read(&mut [0; 8])).await;
    assert_eq!(outcome.expect_err("a reset").kind(), io::ErrorKind::ConnectionReset);
    rig.stop().await;
}

#[tokio::test]
async fn a_toxic_takes_effect_in_the_middle_of_a_stream_and_its_removal_does_too() {
    let rig = Rig::start(endless_server().await).await;
    let mut stream = rig.connect().await;
    let mut megabytes = vec![0; 4_000_000];
    let mut take = async |bytes: usize| {
        let began = now();
        let part = megabytes.get_mut(..bytes).expect("as many as that");
        patiently("bytes", stream.read_exact(part)).await.expect("read");
        assert!(part.iter().all(|byte| *byte == 7));
        began.elapsed()
    };
    take(4_000_000).await;
    let narrow = toxic("narrow", Toxic::Bandwidth(Bandwidth { rate: 1_000 }));
    rig.add(&narrow).await;
    // What the sockets have taken in already passes first.
    while take(100_000).await < Duration::from_millis(50) {}
    let took = take(500_000).await;
    assert!(took >= Duration::from_millis(400) && took < Duration::from_secs(2), "{took:?} for 500 ms worth of bytes");
    assert!(rig.remove(&narrow).await);
    take(4_000_000).await;
    rig.add(&reset()).await;
    assert_eq!(read_on(&mut stream).await.expect_err("broken off").kind(), io::ErrorKind::ConnectionReset);
    rig.stop().await;
}

#[tokio::test]
async fn a_limit_delivers_its_bytes_and_a_slicer_all_of_them() {
    let rig = Rig::start(http_server().await).await;
    rig.add(&toxic("limit", Toxic::LimitData(LimitData { bytes: 9 }))).await;
    rig.add(&toxic("knife", Toxic::Slicer(Slicer { average_size: 2, size_variation: 1, delay: Duration::ZERO }))).await;
    let mut stream = rig.connect().await;
    stream.write_all(crate::proxy::REQUEST).await.expect("written");
    let expected = crate::proxy::RESPONSE.get(..9).expect("it is longer");
    assert_eq!(read_on(&mut stream).await.expect("an orderly end"), expected);
    rig.stop().await;
}

#[tokio::test]
async fn a_proxy_that_refuses_keeps_what_is_open_and_one_that_is_down_does_not() {
    let (mut process, admin) = start_on_tcp(&[]).await;
    let api = Api { admin };
    let (_, made) = api.ask("POST", "/proxies", Some(json!({"name": "p", "upstream": http_server().await}))).await;
    let listen: SocketAddr = made["listen"].as_str().expect("an address").parse().expect("an address");
    let mut open = connect(listen).await;
    exchange(&mut open).await.expect("an exchange");

    let (status, view) = api.ask("PATCH", "/proxies/p", Some(json!({"refuse": true}))).await;
    assert_eq!((status, &view["refuse"], &view["enabled"]), (200, &json!(true), &json!(true)));
    let refused = TcpStream::connect(listen).await.expect_err("refused");
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    exchange(&mut open).await.expect("the open one goes on");
    let (_, view) = api.ask("PATCH", "/proxies/p", Some(json!({"refuse": false}))).await;
    assert_eq!(view["refuse"], json!(null));
    exchange(&mut connect(listen).await).await.expect("a new one is served");

    assert_eq!(api.ask("PATCH", "/proxies/p", Some(json!({"enabled": false}))).await.0, 200);
    assert!(exchange(&mut open).await.is_err(), "it is closed");
    assert_eq!(api.ask("POST", "/reset", None).await.0, 204);
    exchange(&mut connect(listen).await).await.expect("a new one is served");
    end(&mut process, Signal::TERM).await;
}

#[tokio::test]
async fn ipv6_and_names_are_served_and_a_name_is_looked_up_for_every_connection() {
    let (mut process, admin) = start_on_tcp(&[]).await;
    let api = Api { admin };
    let port = http_server().await.port();
    let mut listens = Vec::new();
    for (name, listen, upstream) in [
        ("by_name", "[::1]:0", format!("localhost:{port}")),
        ("by_address", "127.0.0.1:0", format!("127.0.0.1:{port}")),
    ] {
        let body = json!({"name": name, "listen": listen, "upstream": upstream});
        let (status, made) = api.ask("POST", "/proxies", Some(body)).await;
        assert_eq!(status, 201, "{made}");
        listens.push(made["listen"].as_str().expect("an address").parse::<SocketAddr>().expect("an address"));
    }
    assert!(listens.iter().any(SocketAddr::is_ipv6));
    for listen in listens {
        for _ in 0..3 {
            // `localhost` has two addresses on most machines, of which the server has one.
            exchange(&mut connect(listen).await).await.expect("an exchange");
        }
    }
    let body = json!({"name": "nowhere", "upstream": "does-not-exist.invalid:1"});
    let (_, made) = api.ask("POST", "/proxies", Some(body)).await;
    let listen: SocketAddr = made["listen"].as_str().expect("an address").parse().expect("an address");
    for failures in 1..=2 {
        // The reset may be there before the client knows that it is connected.
        if let Ok(mut stream) = TcpStream::connect(listen).await {
            assert!(patiently("it closes", stream.read(&mut [0; 1])).await.is_err(), "a reset");
        }
        until("the failure is counted", async || {
            let (_, stats) = api.ask("GET", "/gameday/stats", None).await;
            stats["proxies"]["nowhere"]["upstream_connect_failures"] == json!(failures)
        })
        .await;
    }
    end(&mut process, Signal::TERM).await;
}

#[tokio::test]
async fn one_connection_too_many_is_closed_and_counted_and_the_next_is_served_when_there_is_room() {
    let (mut process, admin) = start_on_tcp(&["--connections-max", "2"]).await;
    let api = Api { admin };
    let (_, made) = api.ask("POST", "/proxies", Some(json!({"name": "p", "upstream": http_server().await}))).await;
    let listen: SocketAddr = made["listen"].as_str().expect("an address").parse().expect("an address");
    let mut first = connect(listen).await;
    let mut second = connect(listen).await;
    for stream in [&mut first, &mut second] {
        exchange(stream).await.expect("an exchange");
    }
    let mut third = TcpStream::connect(listen).await.expect("the system accepts it");
    assert!(matches!(patiently("it closes", third.read(&mut [0; 1])).await, Ok(0) | Err(_)));
    let (_, stats) = api.ask("GET", "/gameday/stats", None).await;
    assert_eq!(stats["proxies"]["p"]["connections_refused"], json!(1));
    drop(first);
    until("there is room", async || {
        let mut stream = TcpStream::connect(listen).await.expect("the system accepts it");
        exchange(&mut stream).await.is_ok()
    })
    .await;
    end(&mut process, Signal::TERM).await;
}

#[tokio::test]
async fn what_is_under_way_arrives_when_the_proxy_is_told_to_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let rig = Rig::start(listener.local_addr().expect("an address")).await;
    let slow = toxic("held", Toxic::Bandwidth(Bandwidth { rate: 0 }));
    rig.add(&slow).await;
    let mut client = rig.connect().await;
    let (mut server, _) = listener.accept().await.expect("a client");
    server.write_all(b"an answer that is held").await.expect("written");
    until("it is held", async || {
        let stats = rig.client.stats().await.expect("stats");
        stats.proxies.get("p").and_then(|proxy| proxy.toxics.get("held")).is_some_and(|toxic| toxic.hits == 1)
    })
    .await;
    rig.stop().await;
    assert_eq!(read_on(&mut client).await.expect("an orderly end"), b"an answer that is held");
}
