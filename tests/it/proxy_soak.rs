//! A long stretch of traffic while toxics and rules come and go: no answer is wrong, and no descriptor and no memory is lost.
//!
//! `GAMEDAY_SOAK_REQUESTS` says how many requests; `make soak` makes two million of them.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gameday::proxy::http::RuleSpec;
use gameday::proxy::{ProxyStanding, ToxicSpec};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::proxy::{REQUEST, RESPONSE, Rig, http_server, patiently, until};

/// How many requests a usual run makes.
const REQUESTS_DEFAULT: u64 = 4_000;

/// How many clients make them.
const CLIENTS: u64 = 20;

/// How long each toxic and each rule stays.
const FAULTS_LAST: Duration = Duration::from_millis(100);

/// How long the proxy may live: two million requests with faults take a quarter of an hour.
const LASTS_MAX: Duration = Duration::from_secs(60 * 60);

/// How much memory of its own the process may have gained from a tenth of the way to the end, in KiB: 8 MiB. Two million
/// requests that lose 5 bytes each are more than that.
const GROWN_KIB_MAX: u64 = 8 * 1_024;

/// How many looks at the memory are taken together: their middle is told, since one may come at a peak.
const LOOKS: usize = 15;

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

/// Of another number than the toxics, so that each meets each.
fn rules() -> Vec<RuleSpec> {
    let actions = json!([
        {"latency": {"latency": "1ms", "jitter": "1ms"}},
        {"http_error": {"status": 503, "body": "busy"}},
        {"truncate": {"bytes": 1}},
        {"slow_body": {"bytes": 1, "interval": "1ms"}},
        {"corrupt": {"replace": "no"}},
        {"headers": {"set": {"X-Soak": "yes"}}},
        {"reset": {"after": "headers"}},
        {"timeout": {"stage": "response", "timeout": "5ms"}},
    ]);
    let rule = |(index, action): (usize, &serde_json::Value)| {
        let rule =
            json!({"name": format!("rule-{index}"), "match": {"path": "/"}, "percentage": "10%", "action": action});
        serde_json::from_value(rule).expect("a rule")
    };
    actions.as_array().expect("a list").iter().enumerate().map(rule).collect()
}

/// The answers that may come whole: the server's, and what rules make of it.
const ANSWERS: [&[u8]; 4] = [
    RESPONSE,
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Soak: yes\r\n\r\nok",
];

/// One exchange; false where the connection broke off. What came must be one of the answers, or the start of one.
async fn exchange(stream: &mut TcpStream) -> bool {
    let mut heard = Vec::new();
    if stream.write_all(REQUEST).await.is_err() {
        return false;
    }
    loop {
        let read = patiently("an answer or an end", stream.read_buf(&mut heard)).await;
        let starts = ANSWERS.iter().any(|answer| answer.starts_with(&heard));
        assert!(starts, "a wrong answer: {:?}", String::from_utf8_lossy(&heard));
        if ANSWERS.contains(&heard.as_slice()) {
            return true;
        }
        if matches!(read, Ok(0) | Err(_)) {
            return false;
        }
    }
}

/// How far all clients are.
struct Progress {
    requests: u64,
    made: AtomicU64,
    answered: AtomicU64,
    /// How often faults were exchanged.
    switches: AtomicU64,
}

impl Progress {
    /// Whether enough was asked, and every toxic and every rule has had its time.
    fn is_over(&self) -> bool {
        let each = toxics().len().max(rules().len());
        self.made.load(Ordering::Relaxed) >= self.requests && self.switches.load(Ordering::Relaxed) >= each as u64
    }

    fn is_warm(&self) -> bool {
        self.made.load(Ordering::Relaxed) > self.requests / 10
    }
}

/// Makes requests until it is over; a connection that a fault took is made anew.
async fn client(rig: Arc<Rig>, progress: Arc<Progress>) {
    while !progress.is_over() {
        // While the proxy refuses, there is no connection to be had.
        let Ok(mut stream) = TcpStream::connect(rig.listen).await else {
            tokio::task::yield_now().await;
            continue;
        };
        loop {
            progress.made.fetch_add(1, Ordering::Relaxed);
            if !exchange(&mut stream).await {
                break;
            }
            progress.answered.fetch_add(1, Ordering::Relaxed);
            if progress.is_over() {
                break;
            }
        }
    }
}

fn open_files(process: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd")).expect("it runs").count()
}

/// The memory that is the process's own, and no file's, in KiB.
fn own_kib(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("Linux tells it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn middle(looks: &[u64]) -> u64 {
    let mut sorted = looks.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().expect("it was looked at")
}

/// Exchanges toxics and rules until all clients are done: the memory from a tenth of the way on.
async fn exchange_faults(rig: &Rig, clients: &[JoinHandle<()>], progress: &Progress) -> Vec<u64> {
    let mut looks = Vec::new();
    let (toxics, rules) = (toxics(), rules());
    for (toxic, rule) in toxics.iter().cycle().zip(rules.iter().cycle()) {
        if clients.iter().all(JoinHandle::is_finished) {
            break;
        }
        rig.add(toxic).await;
        rig.client.add_rule(&rig.proxy, rule).await.expect("added");
        tokio::time::sleep(FAULTS_LAST).await;
        assert!(rig.remove(toxic).await, "it was there");
        assert!(rig.client.remove_rule(&rig.proxy, &rule.name).await.expect("removed"), "it was there");
        if progress.is_warm() {
            looks.push(own_kib(rig.process.pid()));
        }
        let switches = progress.switches.fetch_add(1, Ordering::Relaxed) + 1;
        if switches.is_multiple_of(10) {
            rig.client.put_standing(&rig.proxy, ProxyStanding::Refusing).await.expect("refused");
            rig.client.put_standing(&rig.proxy, ProxyStanding::Listening).await.expect("listening");
        }
    }
    looks
}

#[tokio::test]
async fn a_soak_with_faults_that_switch_leaks_no_descriptor_and_no_memory() {
    let asked = std::env::var("GAMEDAY_SOAK_REQUESTS").ok();
    let requests = asked.as_ref().map_or(REQUESTS_DEFAULT, |text| text.parse().expect("a number of requests"));
    let rig = Arc::new(Rig::start_for(http_server().await, LASTS_MAX).await);
    let process = rig.process.pid();
    let files_before = open_files(process);
    let (made, answered, switches) = Default::default();
    let progress = Arc::new(Progress { requests, made, answered, switches });
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(client(Arc::clone(&rig), Arc::clone(&progress)))).collect();
    let mut looks = exchange_faults(&rig, &clients, &progress).await;
    for client in clients {
        client.await.expect("no wrong answer");
    }
    let [requests, answered, switches] =
        [&progress.made, &progress.answered, &progress.switches].map(|count| count.load(Ordering::Relaxed));
    assert!(answered > requests / 2, "{answered} of {requests} were answered");
    until("every connection is closed", async || {
        rig.client.stats().await.expect("stats").proxies.get("p").is_some_and(|proxy| proxy.connections_open == 0)
    })
    .await;
    until("its descriptors are given back", async || open_files(process) <= files_before).await;
    let stats = rig.client.stats().await.expect("stats").proxies.remove("p").expect("the proxy");
    assert!(stats.requests >= answered && stats.toxics.is_empty() && stats.rules.is_empty(), "{stats:#?}");
    assert!(stats.parts().any(|part| part.applied > 0), "the last of them did something: {stats:#?}");
    looks.push(own_kib(process));
    assert!(looks.len() >= 2, "it was looked at between the first tenth and the end");
    let together = (looks.len() / 2).min(LOOKS);
    let before = middle(looks.chunks(together).next().expect("the first looks"));
    let after = middle(looks.rchunks(together).next().expect("the last looks"));
    assert!(after.saturating_sub(before) <= GROWN_KIB_MAX, "from {before} to {after} KiB");
    if asked.is_some() {
        // Past the harness, which keeps to itself what a test prints.
        let told = format!(
            "\nsoak: {answered} of {requests} requests answered, {switches} exchanges of faults, {files_before} descriptors, own memory {before} to {after} KiB\n"
        );
        std::io::stderr().write_all(told.as_bytes()).expect("somebody reads");
    }
    Arc::into_inner(rig).expect("no client is left").stop().await;
}
