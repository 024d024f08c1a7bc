//! How exact arrivals and times are, seen from a server that knows the truth.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gameday::load::{LoadPlan, LoadWorker, Totals, WorkerRecord};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

use crate::generator::plan;
use crate::rig::say;

/// How many arrivals a second are asked for.
const RATE: u32 = 2_000;

/// The server lets all answers wait for so long at the start of each second.
const STALL: Duration = Duration::from_millis(200);

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that notes when each request came, and answers at once or when its stall is over.
struct Server {
    url: String,
    came: Arc<Mutex<Vec<Instant>>>,
}

impl Server {
    async fn start(stall: Option<Duration>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("bound"));
        let came = Arc::<Mutex<Vec<Instant>>>::default();
        let noted = Arc::clone(&came);
        let zero = Instant::now();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&noted), zero, stall));
            }
        });
        Self { url, came }
    }
}

async fn serve(mut stream: TcpStream, came: Arc<Mutex<Vec<Instant>>>, zero: Instant, stall: Option<Duration>) {
    stream.set_nodelay(true).ok();
    let mut request = [0; 4_096];
    while stream.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
        let now = Instant::now();
        came.lock().expect("no panic").push(now);
        if let Some(stall) = stall {
            let second = Duration::from_secs((now - zero).as_secs());
            sleep_until(zero + second + stall).await;
        }
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}

async fn run(plan: &LoadPlan) -> Totals {
    let gameday = std::path::Path::new(env!("CARGO_BIN_EXE_gameday"));
    let mut worker = LoadWorker::spawn(gameday, plan).await.expect("a worker");
    let mut totals = Totals::default();
    while let Some(record) = worker.next().await {
        if let WorkerRecord::Frame(frame) = record.expect("a record") {
            totals.add(&frame, None);
        }
    }
    totals
}

/// How far arrivals at the server are from an even grid.
pub(crate) async fn schedule(lasting: Duration) {
    let server = Server::start(None).await;
    let shape = format!("[{{hold: {}s, at: {RATE}/s}}]", lasting.as_secs());
    run(&plan(&server.url, &shape, 100)).await;
    let came = server.came.lock().expect("no panic").clone();
    let (first, last) = (came.first().expect("one came"), came.last().expect("one came"));
    let count = u32::try_from(came.len()).expect("few");
    let rate = f64::from(count - 1) / (*last - *first).as_secs_f64();
    let mut off: Vec<f64> = (0_u32..)
        .zip(&came)
        .map(|(number, came)| (*came - *first).as_secs_f64() - f64::from(number) / f64::from(RATE))
        .collect();
    off.sort_unstable_by(f64::total_cmp);
    let middle = off.get(off.len() / 2).copied().expect("one came");
    let mut error: Vec<f64> = off.iter().map(|off| (off - middle).abs() * 1e6).collect();
    error.sort_unstable_by(f64::total_cmp);
    let at = |share: usize| error.get(error.len() * share / 1_000).copied().unwrap_or_default();
    say(&format!(
        "\n{RATE}/s for {} s: {count} came, {rate:.2}/s ({:+.3} %); off schedule p50 {:.0} us, p99 {:.0} us, p99.9 {:.0} us",
        lasting.as_secs(),
        (rate / f64::from(RATE) - 1.0) * 100.0,
        at(500),
        at(990),
        at(999)
    ));
}

/// Response times against what the stalls make of them: a fifth of all arrivals waits for 0 to 200 ms, evenly.
pub(crate) async fn stalls(lasting: Duration, in_flight_max: u32) {
    let server = Server::start(Some(STALL)).await;
    let shape = format!("[{{hold: {}s, at: {RATE}/s}}]", lasting.as_secs());
    let totals = run(&plan(&server.url, &shape, in_flight_max)).await;
    let expected = |quantile: f64| {
        let stalled = STALL.as_secs_f64();
        (stalled * (1.0 - (1.0 - quantile) / stalled)) * 1_000.0
    };
    let told: Vec<String> = [("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)]
        .into_iter()
        .map(|(name, quantile)| {
            let seen = totals.latency.quantile(quantile).unwrap_or_default().as_secs_f64() * 1_000.0;
            format!("{name} {seen:.1} ms ({:+.1} %)", (seen / expected(quantile) - 1.0) * 100.0)
        })
        .collect();
    say(&format!(
        "a server that stalls {} ms each second, {RATE}/s, {in_flight_max} users: {} sent of {}; {}",
        STALL.as_millis(),
        totals.count(),
        u64::from(RATE) * lasting.as_secs(),
        told.join(", ")
    ));
}
