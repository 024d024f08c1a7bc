//! The faults of the proxy through themselves, on a real proxy process: seen by clients while they are in, gone after.

use std::io;
use std::time::Duration;

use gameday::aws::{Aws, Connection};
use gameday::fault::{FaultError, FaultTarget, Reverted};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::contract;
use crate::proxy::{Rig, connect, exchange, http_server, now, patiently};

/// What clients see of each fault: one connection is older than the fault, another is made while it is in.
async fn sees(kind: &str, rig: &Rig, live: &mut TcpStream) {
    let late = |took: io::Result<Duration>, least_ms: u64| {
        let took = took.expect("an answer");
        assert!(took >= Duration::from_millis(least_ms), "{kind}: {took:?}");
    };
    let broken = |outcome: io::Result<Duration>, expected: io::ErrorKind| {
        assert_eq!(outcome.expect_err(kind).kind(), expected, "{kind}");
    };
    match kind {
        // An answer of 40 bytes at 1 KB/s, and byte by byte, each 5 ms after the one before.
        "proxy_bandwidth" => late(exchange(live).await, 35),
        "proxy_slicer" => late(exchange(live).await, 150),
        "proxy_latency" => late(exchange(live).await, 100),
        "proxy_reset" => broken(exchange(live).await, io::ErrorKind::ConnectionReset),
        "proxy_limit_data" => broken(exchange(live).await, io::ErrorKind::UnexpectedEof),
        "proxy_slow_close" => {
            exchange(live).await.expect("an answer");
            let began = now();
            live.shutdown().await.expect("shut");
            assert_eq!(patiently("the end", live.read(&mut [0; 1])).await.expect("an orderly end"), 0);
            assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
        }
        "proxy_down" => {
            assert!(exchange(live).await.is_err(), "it is closed");
            let refused = TcpStream::connect(rig.listen).await.expect_err(kind);
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        }
        "proxy_refuse" => {
            exchange(live).await.expect("the open one goes on");
            let refused = TcpStream::connect(rig.listen).await.expect_err(kind);
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        }
        other => panic!("say what clients see of `{other}`"),
    }
}

fn faults() -> [(&'static str, Value); 8] {
    [
        ("proxy_bandwidth", json!({"rate": "1KB/s"})),
        ("proxy_slicer", json!({"average_bytes": 1, "delay": "5ms"})),
        ("proxy_latency", json!({"latency": "100ms", "direction": "upstream", "toxicity": "100%"})),
        ("proxy_reset", json!({})),
        ("proxy_limit_data", json!({"bytes": 9})),
        ("proxy_slow_close", json!({"delay": "300ms", "direction": "upstream"})),
        ("proxy_down", json!({})),
        ("proxy_refuse", json!({})),
    ]
}

#[tokio::test]
async fn every_fault_of_the_proxy_is_seen_by_its_clients_and_is_gone_after_its_undo() {
    let rig = Rig::start(http_server().await).await;
    // No call goes to AWS: nobody listens there.
    let aws = Aws::connect(&Connection::Endpoint("http://127.0.0.1:1".to_owned())).await;
    let mut environment = contract::environment(&aws, &FaultTarget::Proxy(rig.proxy.clone()));
    environment.proxy = Some(rig.client.clone());
    for (kind, parameters) in faults() {
        let fault = contract::fault(kind, parameters);
        let mut live = rig.connect().await;
        exchange(&mut live).await.expect("an exchange");
        let undo = fault.prepare(&environment).await.expect(kind);
        assert_eq!(undo.revert(&environment).await.expect(kind), Reverted::AsBefore, "{kind}: nothing is injected yet");
        undo.inject(&environment, &contract::armed(&undo)).await.expect(kind);
        let again = fault.prepare(&environment).await;
        assert!(matches!(again, Err(FaultError::NotApplied { .. })), "{kind}: it is in already: {again:?}");
        sees(kind, &rig, &mut live).await;
        assert_eq!(undo.revert(&environment).await.expect(kind), Reverted::Restored, "{kind}");
        assert_eq!(undo.revert(&environment).await.expect(kind), Reverted::AsBefore, "{kind}: a second undo");
        exchange(&mut connect(rig.listen).await).await.expect("an exchange");
    }
    rig.stop().await;
}

#[tokio::test]
async fn what_somebody_else_did_to_the_proxy_is_left_alone() {
    let rig = Rig::start(http_server().await).await;
    let aws = Aws::connect(&Connection::Endpoint("http://127.0.0.1:1".to_owned())).await;
    let mut environment = contract::environment(&aws, &FaultTarget::Proxy(rig.proxy.clone()));
    environment.proxy = Some(rig.client.clone());
    let undo = contract::fault("proxy_refuse", json!({})).prepare(&environment).await.expect("it listens");
    undo.inject(&environment, &contract::armed(&undo)).await.expect("injected");
    rig.client.put_standing(&rig.proxy, gameday::proxy::ProxyStanding::Down).await.expect("somebody else");
    let reverted = undo.revert(&environment).await.expect("compared");
    assert!(matches!(reverted, Reverted::Drift(_)), "{reverted:?}");
    assert!(TcpStream::connect(rig.listen).await.is_err(), "it is still down");
    rig.stop().await;
}
