//! A long stretch of traffic while toxics come and go: no answer is wrong, and no descriptor and no memory is lost.
//!
//! `GAMEDAY_SOAK_REQUESTS` says how many requests; `make soak` makes two million of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gameday::proxy::{ProxyStanding, ToxicSpec};
use serde_json::json;

use crate::proxy::{Rig, exchange, http_server, until};

/// How many requests a usual run makes.
const REQUESTS_DEFAULT: u64 = 4_000;

/// How many clients make them.
const CLIENTS: u64 = 20;

/// How long each toxic stays.
const TOXIC_LASTS: Duration = Duration::from_millis(100);

/// How much the process may have grown from a tenth of the way to the end, in pages of 4 KiB: 16 MiB.
const GROWN_PAGES_MAX: u64 = 4_096;

fn toxics() -> Vec<ToxicSpec> {
    let toxics = json!([
        {"type": "latency", "attributes": {"latency": 1, "jitter": 1}},
        {"type": "slicer", "attributes": {"average_size": 8, "size_variation": 4, "delay": 50}},
        {"type": "reset_peer", "toxicity": 0.3, "attributes": {"timeout": 1}},
        {"type": "bandwidth", "stream": "upstream", "attributes": {"rate": 1_000}},
        {"type": "limit_data", "toxicity": 0.5, "attributes": {"bytes": 4_000}},
        {"type": "timeout", "toxicity": 0.2, "attributes": {"timeout": 20}},
        {"type": "slow_close", "attributes": {"delay": 5}},
    ]);
    serde_json::from_value(toxics).expect("toxics")
}

fn open_files(process: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd")).expect("it runs").count()
}

fn resident_pages(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).expect("it runs");
    text.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages")
}

/// Makes requests until all together have made enough; a connection that a toxic took is made anew.
async fn client(rig: Arc<Rig>, made: Arc<AtomicU64>, answered: Arc<AtomicU64>, requests: u64) {
    while made.load(Ordering::Relaxed) < requests {
        // While the proxy refuses, there is no connection to be had.
        let Ok(mut stream) = tokio::net::TcpStream::connect(rig.listen).await else {
            tokio::task::yield_now().await;
            continue;
        };
        while made.fetch_add(1, Ordering::Relaxed) < requests {
            match exchange(&mut stream).await {
                Ok(_) => answered.fetch_add(1, Ordering::Relaxed),
                Err(_) => break,
            };
        }
    }
}

#[tokio::test]
async fn a_soak_with_toxics_that_switch_leaks_no_descriptor_and_no_memory() {
    let asked = std::env::var("GAMEDAY_SOAK_REQUESTS").ok();
    let requests = asked.map_or(REQUESTS_DEFAULT, |text| text.parse().expect("a number of requests"));
    let rig = Arc::new(Rig::start(http_server().await).await);
    let process = rig.process.pid();
    let files_before = open_files(process);
    let made = Arc::new(AtomicU64::new(0));
    let answered = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(client(Arc::clone(&rig), Arc::clone(&made), Arc::clone(&answered), requests)))
        .collect();
    let mut pages_before = None;
    let mut switches = 0_u64;
    for toxic in toxics().iter().cycle() {
        if clients.iter().all(tokio::task::JoinHandle::is_finished) {
            break;
        }
        rig.add(toxic).await;
        tokio::time::sleep(TOXIC_LASTS).await;
        rig.remove(toxic).await;
        if made.load(Ordering::Relaxed) > requests / 10 && pages_before.is_none() {
            pages_before = Some(resident_pages(process));
        }
        switches += 1;
        if switches.is_multiple_of(10) {
            rig.client.put_standing(&rig.proxy, ProxyStanding::Refusing).await.expect("refused");
            rig.client.put_standing(&rig.proxy, ProxyStanding::Listening).await.expect("listening");
        }
    }
    for client in clients {
        client.await.expect("no wrong answer");
    }
    let answered = answered.load(Ordering::Relaxed);
    assert!(answered > requests / 2, "{answered} of {requests} were answered");
    until("every connection is closed", async || {
        rig.client.stats().await.expect("stats").proxies.get("p").is_some_and(|proxy| proxy.connections_open == 0)
    })
    .await;
    until("its descriptors are given back", async || open_files(process) <= files_before).await;
    let grown = resident_pages(process).saturating_sub(pages_before.expect("a tenth of the way"));
    assert!(grown <= GROWN_PAGES_MAX, "it has grown by {grown} pages");
    Arc::into_inner(rig).expect("no client is left").stop().await;
}
