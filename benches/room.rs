//! How soon an event is on every page, and what pages cost the engine. `cargo bench --bench room`.
//!
//! 50 pages, one more that takes nothing, and 100 events a second. An event is timed from before it is appended to the log until it has come
//! to a page. The bar is in the issue: 99 of 100 within 100 ms. The time that an append takes is told without and with pages.
//!
//! The same once more with the page in Chromium beside them: until the first animation frame after an event's line is there; and how soon
//! the page itself is painted. Without Node, `make node-peers` or Chromium that is left out, and said so.
//!
//! `GAMEDAY_BENCH_SECONDS` (default 10) makes it shorter.

#![expect(clippy::disallowed_methods, reason = "a benchmark keeps its own pace")]

#[path = "rig/day.rs"]
mod day;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

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
    let mut alone = append(&log, clock, 0..count);
    say(&format!("append without pages: {}", spread(&mut alone)));

    let (stop, address, access) = open(&directory, &log);
    let cookies = enter(address, &access);
    let round = Round { address, cookies: &cookies, clock, log: &log };
    round.run(count..2 * count);
    let link = format!("http://{address}/#{}", access.fragment(View::Facilitator));
    match Painter::start(&link, 2 * count, count) {
        Some(mut painter) => {
            painter.wait_until_ready();
            round.run(2 * count..3 * count);
            painter.tell();
        }
        None => say("painted page: left out, since Node, `make node-peers` or Chromium is not there"),
    }
    stop.cancel();
}

/// The pages of a round.
struct Round<'a> {
    address: SocketAddr,
    cookies: &'a [String],
    clock: Clock,
    log: &'a EventLog,
}

impl Round<'_> {
    /// Appends the events of these numbers while pages look, and tells how long it took.
    fn run(&self, numbers: Range<u64>) {
        let (sender, receiver) = mpsc::channel();
        let readers: Vec<_> = (0..PAGES)
            .map(|page| {
                let (stream, sender) = (look(self.address, self.cookie(page)), sender.clone());
                let (clock, numbers) = (self.clock, numbers.clone());
                std::thread::spawn(move || read(stream, clock, &numbers, &sender))
            })
            .collect();
        drop(sender);
        let stalled = look(self.address, self.cookie(PAGES));
        std::thread::sleep(Duration::from_secs(1));
        let mut beside = append(self.log, self.clock, numbers);
        say(&format!("append with {PAGES} pages and one that stalls: {}", spread(&mut beside)));
        readers.into_iter().for_each(|reader| reader.join().expect("a reader"));
        drop(stalled);
        let mut delays: Vec<f64> = receiver.iter().collect();
        say(&format!("event to page, {} deliveries: {}", delays.len(), spread(&mut delays)));
    }

    /// One session holds no more than 16 streams.
    fn cookie(&self, page: usize) -> &str {
        self.cookies.get(page % self.cookies.len()).expect("a session")
    }
}

/// A script that has the page in a browser.
struct Painter {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Painter {
    fn start(link: &str, from: u64, count: u64) -> Option<Self> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/node");
        let path = std::env::var_os("PATH")?;
        let find = |names: &[&str]| {
            let all = std::env::split_paths(&path).flat_map(|folder| names.iter().map(move |name| folder.join(name)));
            all.into_iter().find(|program| program.is_file())
        };
        let node = std::env::var_os("GAMEDAY_TEST_NODE").map(std::path::PathBuf::from).or_else(|| find(&["node"]))?;
        let chromium = find(&["chromium", "chromium-browser", "google-chrome"])?;
        if !folder.join("node_modules/playwright-core").is_dir() {
            return None;
        }
        let mut command = Command::new(node);
        command.arg("room_bench.js").arg(chromium).args([link, &from.to_string(), &count.to_string()]);
        command.current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().ok()?;
        let lines = BufReader::new(child.stdout.take()?).lines();
        Some(Self { child, lines })
    }

    fn next(&mut self) -> Value {
        let line = self.lines.next().expect("the script says something").expect("a line");
        serde_json::from_str(&line).expect("JSON")
    }

    fn wait_until_ready(&mut self) {
        let said = self.next();
        assert_eq!(said["ask"], "begin", "{said}");
        self.child.stdin.as_mut().expect("a pipe").write_all(b"done\n").expect("the script reads");
    }

    /// Tells what the browser saw.
    fn tell(mut self) {
        let said = self.next();
        assert_eq!(said["errors"], json!([]), "{said}");
        let numbers =
            |key: &str| -> Vec<f64> { said[key].as_array().into_iter().flatten().filter_map(Value::as_f64).collect() };
        let mut delays = numbers("delays");
        say(&format!("event to painted page, {} events: {}", delays.len(), spread(&mut delays)));
        let mut paints = numbers("paints");
        say(&format!("first contentful paint, {} loads (p50 is the median): {}", paints.len(), spread(&mut paints)));
        self.child.wait().expect("the script ends");
    }
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

/// Appends 100 events a second; each says when it was appended, by the run's clock and by the wall's. How long each append took.
fn append(log: &EventLog, clock: Clock, numbers: Range<u64>) -> Vec<f64> {
    let begun = clock.elapsed();
    let mut took = Vec::new();
    for (index, number) in numbers.enumerate() {
        let due = begun + EVENT_EVERY * u32::try_from(index).expect("a few thousand");
        std::thread::sleep(due.saturating_sub(clock.elapsed()));
        let now = clock.elapsed();
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a date").as_micros();
        let text = format!("bench {number} at {} wall {wall}", now.as_micros());
        log.append(EventKind::Noted { text, by: None }).expect("an event");
        took.push((clock.elapsed() - now).as_secs_f64() * 1_000.0);
    }
    took
}

/// Serves the room from a thread of its own, as `gameday run --serve` does.
fn open(directory: &tempfile::TempDir, log: &EventLog) -> (CancellationToken, SocketAddr, Access) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("a socket");
    let address = listener.local_addr().expect("an address");
    let access = Access::new(address);
    access.write(directory.path()).expect("a file");
    let room = ControlRoom {
        directory: directory.path().to_owned(),
        plan: Arc::new(day::plan(false)),
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

/// Four sessions, since one can not hold 51 streams; their cookies.
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

fn look(address: SocketAddr, cookie: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let request = format!("GET /events?view=facilitator HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut status = [0; 12];
    stream.read_exact(&mut status).expect("an answer");
    assert!(status.ends_with(b"200"), "{status:?}");
    stream
}

/// Reads a page's stream up to the last event, and tells how long each took that was appended while it looked.
fn read(mut stream: TcpStream, clock: Clock, numbers: &Range<u64>, delays: &mpsc::Sender<f64>) {
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
                let ["note:", "bench", number, "at", micros, "wall", _] = words.as_slice() else { continue };
                let number: u64 = number.parse().expect("a number");
                let appended = Duration::from_micros(micros.parse().expect("a number"));
                if numbers.contains(&number) {
                    delays.send((now - appended).as_secs_f64() * 1_000.0).expect("somebody counts");
                }
                if number + 1 == numbers.end {
                    return;
                }
            }
        }
    }
}
