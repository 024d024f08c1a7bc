//! Two minutes of an open load against a server that misbehaves now and then: everything is counted, and nothing grows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gameday::load::{EndReason, FailureKind, LoadPlan};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::load_rig::{Outcome, PATIENCE, plan, spawn};

const LASTING: Duration = Duration::from_secs(120);

/// When the worker has all the memory that it needs.
const SETTLED: Duration = Duration::from_secs(40);

/// How much more it may have from then on.
const GROWTH_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What the server did, by what was asked.
#[derive(Debug, Default)]
struct Done {
    fine: AtomicU64,
    refused: AtomicU64,
    reset: AtomicU64,
    half: AtomicU64,
}

async fn serve(mut stream: TcpStream, done: Arc<Done>) {
    let mut request = [0; 4096];
    while let Ok(bytes @ 1..) = stream.read(&mut request).await {
        let asked = request.get(..bytes).unwrap_or_default();
        let is = |path: &str| asked.starts_with(format!("GET /{path} ").as_bytes());
        let answer: &[u8] = if is("refused") {
            done.refused.fetch_add(1, Ordering::Relaxed);
            b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
        } else if is("reset") {
            done.reset.fetch_add(1, Ordering::Relaxed);
            stream.set_zero_linger().unwrap();
            return;
        } else if is("half") {
            done.half.fetch_add(1, Ordering::Relaxed);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await.ok();
            return;
        } else {
            done.fine.fetch_add(1, Ordering::Relaxed);
            b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine"
        };
        if stream.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// The memory of a process; none of one that has ended.
fn resident_bytes(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024)
}

#[tokio::test]
async fn two_minutes_of_load_lose_nothing_and_grow_by_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let done = Arc::<Done>::default();
    let counting = Arc::clone(&done);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&counting)));
        }
    });
    let journeys = "[{name: fine, weight: 97, steps: [{name: fine, get: /fine}]},
        {name: refused, steps: [{name: refused, get: /refused}]}, {name: reset, steps: [{name: reset, get: /reset}]},
        {name: half, steps: [{name: half, get: /half}]}]";
    let shape = format!("[{{hold: {}s, at: 300/s}}, {{hold: 1s, at: 0/s}}]", LASTING.as_secs() - 1);
    // However slow the machine is, there are no more connections than these.
    let worker_plan = LoadPlan { in_flight_max: 20, ..plan(&url, journeys, &shape) };
    let mut worker = spawn(&worker_plan).await;
    let (mut outcome, mut settled, mut most) = (Outcome::default(), None, 0);
    let start = Instant::now();
    while let Some(record) = timeout(PATIENCE, worker.next()).await.expect("a record in time") {
        outcome.add(record.unwrap());
        if start.elapsed() > SETTLED
            && let Some(bytes) = resident_bytes(worker.pid())
        {
            most = bytes.max(most);
            settled.get_or_insert(bytes);
        }
    }
    assert_eq!(outcome.end, Some((EndReason::Finished, 0)));
    let mut ended = 0;
    for frame in &outcome.frames {
        ended +=
            frame.steps.iter().flat_map(|step| step.ok.iter().chain(&step.failed)).map(|it| it.count()).sum::<u64>();
        assert_eq!(frame.started, ended + frame.in_flight, "{frame:?}");
    }
    let counted = |step: &str| outcome.totals(Some(step));
    assert_eq!(counted("fine").ok, done.fine.load(Ordering::Relaxed));
    for (step, kind, count) in [
        ("refused", FailureKind::Status, &done.refused),
        ("reset", FailureKind::Broken, &done.reset),
        ("half", FailureKind::Broken, &done.half),
    ] {
        assert_eq!(counted(step).failures, BTreeMap::from([(kind, count.load(Ordering::Relaxed))]), "{step}");
    }
    let growth = most.saturating_sub(settled.expect("it lasted long enough"));
    assert!(growth <= GROWTH_BYTES_MAX, "{growth} bytes more");
}
