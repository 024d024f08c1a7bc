//! How soon an event is on every page, and what pages cost the engine. `cargo bench --bench room`.
//!
//! 50 pages, one more that takes nothing, and 100 events a second. An event is timed from before it is appended to the log until it has come
//! to a page. The bar is in the issue: 99 of 100 within 100 ms. The time that an append takes is told without and with pages.
//!
//! `GAMEDAY_BENCH_SECONDS` (default 10) makes it shorter.

#![expect(clippy::disallowed_methods, reason = "a benchmark keeps its own pace")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use gameday::event::{EventKind, EventLog, Feed, LOG_FORMAT};
use gameday::ui::board::View;
use gameday::ui::web::{Access, ControlRoom, serve};
use gameday::unit::Clock;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const PAGES: usize = 50;
const EVENT_EVERY: Duration = Duration::from_millis(10);

fn main() {
    let seconds = std::env::var("GAMEDAY_BENCH_SECONDS").map_or(10, |text| text.parse().expect("a number"));
    let count: u64 = seconds * 100;
    let directory = tempfile::tempdir().expect("a folder");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let (log, clock) = runtime.block_on(async {
        let clock = Clock::start();
        (EventLog::create(directory.path(), clock).expect("a log"), clock)
    });
    start(&log);
    let mut alone = append(&log, clock, count, 0);
    say(&format!("append without pages: {}", spread(&mut alone)));

    let (stop, address, access) = open(&directory, &log);
    let cookie = enter(address, &access);
    let (sender, receiver) = mpsc::channel();
    let readers: Vec<_> = (0..PAGES)
        .map(|_| {
            let (stream, sender) = (look(address, &cookie), sender.clone());
            std::thread::spawn(move || read(stream, clock, 2 * count, &sender))
        })
        .collect();
    drop(sender);
    let stalled = look(address, &cookie);
    std::thread::sleep(Duration::from_secs(1));
    let mut beside = append(&log, clock, count, count);
    say(&format!("append with {PAGES} pages and one that stalls: {}", spread(&mut beside)));
    readers.into_iter().for_each(|reader| reader.join().expect("a reader"));
    drop(stalled);
    let mut delays: Vec<f64> = receiver.iter().collect();
    say(&format!("event to page, {} deliveries: {}", delays.len(), spread(&mut delays)));
    stop.cancel();
}

fn say(text: &str) {
    writeln!(std::io::stdout(), "{text}").expect("standard output");
}

/// Percentiles of so many milliseconds.
fn spread(values: &mut [f64]) -> String {
    values.sort_unstable_by(f64::total_cmp);
    let at = |per_mille: usize| values.get((values.len() * per_mille / 1_000).min(values.len() - 1)).expect("a value");
    format!("p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms", at(500), at(990), at(1_000))
}

fn start(log: &EventLog) {
    let first = EventKind::RunStarted {
        format: LOG_FORMAT,
        run: "2026-11-10-100000-bench".parse().expect("an id"),
        scenario: "bench".parse().expect("an id"),
        title: "A bench".to_owned(),
        environment: "sandbox".to_owned(),
        version: "0.1.0".to_owned(),
        seed: 1,
        plan_sha256: String::new(),
        process: 1,
    };
    log.append(first).expect("an event");
}

/// Appends 100 events a second; each says when it was appended. How long each append took.
fn append(log: &EventLog, clock: Clock, count: u64, from: u64) -> Vec<f64> {
    let begun = clock.elapsed();
    let mut took = Vec::new();
    for number in 0..count {
        let due = begun + EVENT_EVERY * u32::try_from(number).expect("a few thousand");
        std::thread::sleep(due.saturating_sub(clock.elapsed()));
        let now = clock.elapsed();
        let text = format!("bench {} at {}", from + number, now.as_micros());
        log.append(EventKind::Noted { text, by: None }).expect("an event");
        took.push((clock.elapsed() - now).as_secs_f64() * 1_000.0);
    }
    took
}

fn plan() -> gameday::plan::Plan {
    let plan = json!({
        "format": 1,
        "scenario": {
            "id": "bench", "title": "A bench", "owner": "me", "why": null, "mode": "drill", "tags": [], "covers": null, "people": {},
            "sha256": "00",
        },
        "environment": {"name": "sandbox", "kind": "sandbox"},
        "targets": {},
        "phases": [{"phase": "day", "start": "0s", "length": "8h", "until": null, "gate": [], "checklist": []}],
        "steps": [], "loads": {}, "changes": {}, "signals": {}, "hypotheses": [], "guardrails": [], "settle": null, "formats": [],
        "debrief": null,
    });
    serde_json::from_value(plan).expect("a plan")
}

/// Serves the room from a thread of its own, as `gameday run --serve` does.
fn open(directory: &tempfile::TempDir, log: &EventLog) -> (CancellationToken, SocketAddr, Access) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("an address");
    let access = Access::new(address);
    let room = ControlRoom {
        directory: directory.path().to_owned(),
        plan: Arc::new(plan()),
        feed: Feed::new(directory.path(), log.subscribe(), None),
        clock: log.clock(),
        commands: None,
        access: access.clone(),
        public_hosts: Vec::new(),
    };
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            serve(tokio::net::TcpListener::from_std(listener).expect("a socket"), room, stopped).await;
        });
    });
    (stop, address, access)
}

/// Four sessions, since one may not hold 51 streams; their cookies.
fn enter(address: SocketAddr, access: &Access) -> Vec<String> {
    let token = access.fragment(View::Facilitator).split_off(2);
    let body = json!({ "view": "facilitator", "token": token }).to_string();
    let enter = |_| {
        let mut stream = TcpStream::connect(address).expect("a connection");
        let request = format!(
            "POST /session HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\ncontent-type: application/json\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
        cookie.split(';').next().expect("a cookie").to_owned()
    };
    (0..4).map(enter).collect()
}

fn look(address: SocketAddr, cookies: &[String]) -> TcpStream {
    for cookie in cookies {
        let mut stream = TcpStream::connect(address).expect("a connection");
        let request = format!("GET /events?view=facilitator HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut status = [0; 12];
        stream.read_exact(&mut status).expect("an answer");
        if status.ends_with(b"200") {
            return stream;
        }
    }
    panic!("every session has its streams");
}

/// Reads a page's stream up to the last event, and tells how long each took that was appended while it looked.
fn read(mut stream: TcpStream, clock: Clock, count: u64, delays: &mpsc::Sender<f64>) {
    let mut text = Vec::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = stream.read(&mut buffer).expect("the stream goes on");
        assert!(read > 0, "the stream ended");
        let now = clock.elapsed();
        text.extend_from_slice(buffer.get(..read).unwrap_or_default());
        while let Some(end) = text.windows(2).position(|window| window == b"\n\n") {
            let frame: Vec<u8> = text.drain(..end + 2).collect();
            let frame = String::from_utf8_lossy(&frame);
            let Some(data) = frame.lines().find_map(|line| line.strip_prefix("data: ")) else { continue };
            let Ok(value) = serde_json::from_str::<Value>(data) else { continue };
            for line in value["lines"].as_array().into_iter().flatten() {
                let words: Vec<&str> = line[3].as_str().unwrap_or_default().split(' ').collect();
                let ["note:", "bench", number, "at", micros] = words.as_slice() else { continue };
                let number: u64 = number.parse().expect("a number");
                let appended = Duration::from_micros(micros.parse().expect("a number"));
                if number >= count / 2 {
                    delays.send((now - appended).as_secs_f64() * 1_000.0).expect("somebody counts");
                }
                if number + 1 == count {
                    return;
                }
            }
        }
    }
}
