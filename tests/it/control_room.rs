//! The control room over real sockets and a real run: what a hostile or a slow client can do to it, which is nothing.

#![expect(clippy::disallowed_methods, reason = "a test that waits for another process needs real time")]

#[path = "../../benches/rig/day.rs"]
mod day;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use gameday::event::{AbortCause, EventKind, EventLog, Feed, LOG_FORMAT, RunState, read_log};
use gameday::ui::board::View;
use gameday::ui::web::{Access, ControlRoom, ROOM_FILE, serve};
use gameday::unit::Clock;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::browser::Browser;
use crate::support::{PATIENCE, Run, Workspace, free_port, gameday, wait_for};

/// What stands in a function's environment and must never be seen.
const SECRET: &str = "hunter2-0af3c1";

const SETTINGS: &str = r#"
gameday: 1
environments:
  sandbox:
    functions:
      checkout-fn:
        demo: checkout
        timeout: 10s
        environment: {PAYMENTS: payments-fn, PAYMENT_TIMEOUT_MS: "2500", QUEUE_PAYMENTS: "on", API_KEY: "hunter2-0af3c1"}
      payments-fn:
        demo: payments
        timeout: 5s
        environment: {PROVIDER_URL: "http://127.0.0.1:18080", DB_PASSWORD: "hunter2-0af3c1"}
    card_provider: "127.0.0.1:18080"
"#;

/// A game day whose texts would like to be markup, a script and a terminal's commands.
fn scenario(rest: &str) -> String {
    let head = r#"
gameday: 1
id: room
title: "<img src=x onerror=window.__xss=1> Payments </script><script>window.__xss=1</script>"
owner: team-shop
mode: drill
environments: {allow: [sandbox]}
people:
  facilitator: {who: "ann"}
  operator: {who: "<svg onload=window.__xss=1>"}
targets:
  payments-fn: {lambda: {function: payments-fn}}
  checkout-fn: {lambda: {function: checkout-fn}}
signals:
  browse_ok: {level: ux, load: {of: shoppers, stat: success_ratio}}
  latency: {level: ux, load: {of: shoppers, stat: latency}}
hypotheses:
  - {id: H1, severity: high, text: "Shoppers can <b onmouseover=window.__xss=1>browse</b>", expect: "mean(browse_ok) >= 50% during slow and p99(latency) <= 5s during slow"}
guardrails:
  - {id: G1, max_duration: 10m}
load:
  shoppers:
    base_url: "${checkout-fn.url}"
    journeys: [{name: look, think: 300ms, steps: [{name: browse, get: /items, expect: {status: 200}}]}]
    shape: [{hold: 10m, at: 2 users}]
faults:
  slow:
    lambda_environment: {target: payments-fn, set: {PAYMENTS_DELAY_MS: "900"}}
    ttl: 5m
injects:
  ticket: {to: operator, text: "Support: <script>window.__xss=1</script> the card page spins"}
hints:
  - {id: look, text: "Look at <iframe src='javascript:window.__xss=1'> payments"}
"#;
    format!("{head}{rest}")
}

fn workspace(timeline: &str) -> Workspace {
    let workspace = Workspace::empty();
    workspace.write("gameday.yaml", SETTINGS);
    workspace.write("scenarios/room.yaml", &scenario(timeline));
    workspace
}

/// The control room of the only run, once it is open.
fn access(workspace: &Workspace) -> Access {
    wait_for("the control room", || Access::read(&workspace.run_folder()?).unwrap())
}

/// Somebody who has entered.
struct Guest {
    address: SocketAddr,
    view: &'static str,
    cookie: String,
    client: reqwest::Client,
}

impl Guest {
    async fn enter(access: &Access, view: View) -> Self {
        let name = match view {
            View::Facilitator => "facilitator",
            View::Participant => "participant",
        };
        let client = reqwest::Client::new();
        let origin = format!("http://{}", access.address);
        let token = access.fragment(view).split_off(2);
        let entry = json!({ "view": name, "token": token }).to_string();
        let request = client.post(format!("{origin}/session")).header("origin", &origin);
        let response = request.header("content-type", "application/json").body(entry).send().await.unwrap();
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        let cookie = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let guest = Self { address: access.address, view: name, cookie, client };
        let (status, said) = guest.post("/me", &json!({ "name": format!("{name} <b>x</b>") })).await;
        assert_eq!(status, 200, "{said}");
        guest
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let origin = format!("http://{}", self.address);
        let request = self.client.post(format!("{origin}{path}?view={}", self.view)).header("origin", &origin);
        let request = request.header("content-type", "application/json").header("cookie", &self.cookie);
        match request.body(body.to_string()).send().await {
            Ok(response) => (response.status().as_u16(), response.json().await.unwrap()),
            // A server that is full closes connections.
            Err(error) => (0, json!(error.to_string())),
        }
    }

    /// The head of a request for the stream.
    fn stream_head(&self, after: Option<u64>) -> String {
        let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
        format!(
            "GET /events?view={}{after} HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n\r\n",
            self.view, self.address, self.cookie
        )
    }

    /// Opens a stream by hand: what is not read stays with the server.
    fn open(&self, after: Option<u64>) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(self.stream_head(after).as_bytes()).unwrap();
        stream
    }

    async fn frames(&self, after: Option<u64>) -> Frames {
        let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
        let url = format!("http://{}/events?view={}{after}", self.address, self.view);
        let response = self.client.get(url).header("cookie", &self.cookie).send().await.unwrap();
        assert_eq!(response.status(), 200);
        Frames { response, bytes: Vec::new(), raw: String::new() }
    }
}

/// A stream that is read.
struct Frames {
    response: reqwest::Response,
    bytes: Vec<u8>,
    /// All that came.
    raw: String,
}

impl Frames {
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.bytes.windows(2).position(|window| window == b"\n\n") {
                let frame = String::from_utf8(self.bytes.drain(..end + 2).collect()).unwrap();
                self.raw.push_str(&frame);
                let data = frame.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
                let value: Value = serde_json::from_str(data).unwrap();
                if value["sections"].is_object() {
                    return Some(value);
                }
                continue;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("it goes on").ok()??;
            self.bytes.extend_from_slice(&chunk);
        }
    }

    /// The lines up to one that is as wanted, and the number of the last event.
    async fn lines_up_to(&mut self, what: &str) -> (Vec<String>, u64) {
        let mut lines: Vec<String> = Vec::new();
        loop {
            let frame = self.next().await.unwrap_or_else(|| panic!("the stream ended before {what}: {lines:?}"));
            lines.extend(frame["lines"].as_array().unwrap().iter().map(|line| line[3].as_str().unwrap().to_owned()));
            if lines.iter().any(|line| line.contains(what)) {
                return (lines, frame["seq"].as_u64().unwrap());
            }
        }
    }
}

/// A control room in this process, over a log of its own.
struct Rig {
    directory: tempfile::TempDir,
    log: EventLog,
    access: Access,
    stop: CancellationToken,
    ended: tokio::task::JoinHandle<()>,
}

async fn rig() -> Rig {
    let directory = tempfile::tempdir().unwrap();
    let log = EventLog::create(directory.path(), Clock::start()).unwrap();
    log.append(EventKind::RunStarted {
        format: LOG_FORMAT,
        run: "2026-11-10-100000-long".parse().unwrap(),
        scenario: "long".parse().unwrap(),
        title: "A long day".to_owned(),
        environment: "sandbox".to_owned(),
        version: "0.1.0".to_owned(),
        seed: 1,
        plan_sha256: String::new(),
        process: 1,
    })
    .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let access = Access::new(listener.local_addr().unwrap());
    access.write(directory.path()).unwrap();
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
    let ended = tokio::spawn(serve(listener, room, stop.clone()));
    Rig { directory, log, access, stop, ended }
}

fn note(log: &EventLog, text: String) {
    log.append(EventKind::Noted { text, by: None }).unwrap();
}

/// Lets this process hold that many sockets.
fn allow_descriptors(count: u64) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        let limit = rustix::process::Rlimit { current: Some(count), ..limit };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    }
}

/// The status of an answer, or none where the connection was closed without one.
fn status_of(stream: &mut TcpStream) -> Option<u16> {
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head).unwrap().split(' ').nth(1)?.parse().ok()
}

/// The most memory that a process has used, in kilobytes.
fn peak_kilobytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// A thousand that do not read, and a thousand that say a letter and wait.
fn crowd(access: &Access, guests: &[Guest]) -> (Vec<TcpStream>, Vec<TcpStream>) {
    let streams = (0..1_000).map(|number| guests[number % guests.len()].open(None)).collect();
    let lorises = (0..1_000).filter_map(|_| {
        let mut stream = TcpStream::connect(access.address).ok()?;
        stream.write_all(b"G").ok()?;
        Some(stream)
    });
    (streams, lorises.collect())
}

/// Asks on and on until it is refused, as it is at some time, however slow this machine is. How many were taken.
async fn flood(guest: &Guest) -> usize {
    let note = json!({ "note": { "text": "flood" } });
    let mut taken_count = 0;
    for _ in 0..50 {
        let answers = join_all((0..50).map(|_| guest.post("/command", &note))).await;
        assert!(answers.iter().all(|(status, _)| [200, 429].contains(status)), "{answers:?}");
        taken_count += answers.iter().filter(|(status, _)| *status == 200).count();
        if answers.iter().any(|(status, _)| *status == 429) {
            return taken_count;
        }
    }
    panic!("a flood is not slowed down: {taken_count} were taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_streams_a_loris_and_a_flood_leave_a_run_as_it_is_and_no_secret_is_ever_sent() {
    allow_descriptors(4_096);
    let workspace = workspace(
        "notify: {webhook: 'env:ROOM_HOOK', webhook_secret: 'env:ROOM_KEY'}\n\
         timeline:\n\
         - {phase: slow, for: 6s, do: [{at: 0s, load: shoppers}, {at: 1s, fault: slow}]}\n\
         - {phase: crowd, for: 1s, checklist: [{id: gone, do: They are gone, must: true}]}\n",
    );
    let mut command = gameday();
    command.args(["run", "--serve", "scenarios/room.yaml"]);
    // Nobody listens there: what is told of a notice that did not arrive has no URL.
    command.env("ROOM_HOOK", format!("http://127.0.0.1:1/{SECRET}")).env("ROOM_KEY", SECRET);
    let run = workspace.start_command(&mut command);
    let access = access(&workspace);
    let folder = workspace.run_folder().unwrap();
    assert_eq!(std::fs::metadata(folder.join(ROOM_FILE)).unwrap().mode() & 0o777, 0o600);
    let mut guests = Vec::new();
    for _ in 0..20 {
        guests.push(Guest::enter(&access, View::Participant).await);
    }
    let facilitator = Guest::enter(&access, View::Facilitator).await;
    let mut seen = facilitator.frames(None).await;
    // The run waits in this phase until somebody says that all have gone.
    seen.lines_up_to("phase crowd").await;
    let process = workspace.state().process;
    let before_kilobytes = peak_kilobytes(process);

    let (mut streams, lorises) = crowd(&access, &guests);
    let mut counts: BTreeMap<Option<u16>, usize> = BTreeMap::new();
    for stream in &mut streams {
        *counts.entry(status_of(stream)).or_default() += 1;
    }
    assert!(counts.get(&Some(200)).copied().unwrap_or_default() >= 200, "{counts:?}");
    assert!(counts.keys().flatten().all(|status| [200, 429, 503].contains(status)), "{counts:?}");
    let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    assert!(descriptors < 600, "{descriptors} descriptors");
    // Whoever was there goes on, and who leads comes in while they are all there.
    for _ in 0..3 {
        seen.next().await.expect("the stream goes on");
    }
    let late = Guest::enter(&access, View::Facilitator).await;
    late.frames(None).await.lines_up_to("phase crowd").await;
    let (status, said) = late.post("/command", &json!({ "note": { "text": "too many" } })).await;
    assert_eq!(status, 200, "{said}");
    drop(streams);
    drop(lorises);

    let huge = json!({ "note": { "text": "x".repeat(10_000_000) } });
    let (status, said) = facilitator.post("/command", &huge).await;
    assert_eq!(status, 413, "{said}");
    let taken_count = flood(&facilitator).await;
    let grown = peak_kilobytes(process).saturating_sub(before_kilobytes);
    assert!(grown < 60_000, "memory grew by {grown} kB");
    let (status, said) = late.post("/command", &json!({ "step_done": { "step": "gone" } })).await;
    assert_eq!(status, 200, "{said}");
    while let Some(frame) = seen.next().await {
        if frame["sections"]["run"]["is_over"] == true {
            break;
        }
    }
    let output = run.wait();
    assert_eq!(output.code(), 0, "{output:?}");
    let events = read_log(&folder).unwrap().events;
    let notes = events.iter().filter(|it| matches!(&it.kind, EventKind::Noted { text, .. } if text == "flood")).count();
    assert_eq!(notes, taken_count, "what was taken is in the log, once");

    // Nothing that was sent, and nothing that is kept for others, has a secret or a link.
    let page = facilitator.client.get(format!("http://{}/", access.address)).send().await;
    assert!(page.is_err(), "the room is closed with the run");
    let tokens = [View::Facilitator, View::Participant].map(|view| access.fragment(view).split_off(2));
    assert!(!seen.raw.contains(SECRET) && !seen.raw.contains(workspace.path().to_str().unwrap()));
    for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        let text = String::from_utf8_lossy(&std::fs::read(&entry).unwrap()).into_owned();
        let is_room = entry.ends_with(ROOM_FILE);
        assert_eq!(tokens.iter().any(|token| text.contains(token)), is_room, "{}", entry.display());
    }
    let manifest = std::fs::read_to_string(folder.join("evidence/manifest.json")).unwrap();
    assert!(!manifest.contains(ROOM_FILE));

    serves_what_is_over(&workspace, &access, &facilitator).await;
}

/// The same link and the same session lead to the same run, which only shows itself now.
async fn serves_what_is_over(workspace: &Workspace, access: &Access, guest: &Guest) {
    for _ in 0..2 {
        let server = workspace.start(&["serve"]);
        wait_for("the server", || TcpStream::connect(access.address).ok());
        let mut frames = guest.frames(None).await;
        let frame = frames.next().await.unwrap();
        assert_eq!(frame["sections"]["run"]["is_over"], true);
        assert_eq!(frame["sections"]["run"]["takes_commands"], false);
        assert_eq!(frame["sections"]["results"][0]["verdict"], "upheld");
        assert!(!frames.raw.contains(SECRET));
        let (status, said) = guest.post("/command", &json!({ "note": { "text": "late" } })).await;
        assert_eq!((status, &said), (409, &json!({ "error": "the run is over" })));
        server.signal(Signal::TERM);
        assert_eq!(server.wait().code(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_that_does_not_read_holds_up_nobody_and_catches_up() {
    let rig = rig().await;
    let guest = Guest::enter(&rig.access, View::Facilitator).await;
    let mut stalled = guest.open(None);
    let mut reader = guest.frames(None).await;
    reader.next().await.unwrap();
    let log = rig.log.clone();
    let writer = tokio::spawn(async move {
        // 100 events a second, 4 KB each: far more than a connection keeps.
        let mut pace = tokio::time::interval(Duration::from_millis(10));
        for number in 0..400 {
            pace.tick().await;
            note(&log, format!("n{number} {}", "x".repeat(900)));
        }
    });
    let (lines, _) = reader.lines_up_to("n399 ").await;
    let numbers = lines.iter().filter_map(|line| line.strip_prefix("note: n")?.split(' ').next()?.parse::<u64>().ok());
    assert!(numbers.eq(0..400), "each line once, and in order");
    writer.await.unwrap();
    // What it did not take was put together for it, and it has the newest when it reads again.
    let mut text = Vec::new();
    let mut buffer = [0; 65_536];
    while !text.windows(5).any(|window| window == b"n399 ") {
        let count = stalled.read(&mut buffer).unwrap();
        assert!(count > 0, "it was closed");
        text.extend_from_slice(&buffer[..count]);
    }
    rig.stop.cancel();
    rig.ended.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dawdles_over_a_request_is_sent_away() {
    let rig = rig().await;
    let mut slow = TcpStream::connect(rig.access.address).unwrap();
    slow.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let begun = Instant::now();
    let mut byte = [0; 64];
    let waited = tokio::task::spawn_blocking(move || {
        for letter in b"GET / HTTP/1.1\r\nhost: ".iter().cycle() {
            // One letter each 200 ms, for ever: the system tells when the other end has gone.
            if slow.write_all(&[*letter]).is_err() {
                break;
            }
            match slow.read(&mut byte) {
                Ok(0) => break,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Ok(_) | Err(_) => {}
            }
            assert!(begun.elapsed() < PATIENCE, "it is still served");
        }
        begun.elapsed()
    });
    assert!(waited.await.unwrap() > Duration::from_secs(3), "a slow network is no crime");
    let guest = Guest::enter(&rig.access, View::Participant).await;
    // A body that never comes is answered, too.
    let mut stream = TcpStream::connect(rig.access.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /command?view=participant HTTP/1.1\r\nhost: {0}\r\norigin: http://{0}\r\ncookie: {1}\r\ncontent-type: \
         application/json\r\ncontent-length: 100\r\n\r\n{{",
        rig.access.address, guest.cookie
    );
    stream.write_all(head.as_bytes()).unwrap();
    let status = tokio::task::spawn_blocking(move || status_of(&mut stream)).await.unwrap();
    assert_eq!(status, Some(408));
    assert!(rig.directory.path().join(ROOM_FILE).exists());
}

fn start_server(workspace: &Workspace, port: u16) -> Run {
    let server = workspace.start(&["serve", "--listen", &format!("127.0.0.1:{port}")]);
    wait_for("the server", || TcpStream::connect(("127.0.0.1", port)).ok());
    server
}

#[test]
fn two_browsers_tick_vote_mark_and_abort_and_go_on_when_the_server_is_another_one() {
    let timeline = r#"
timeline:
  - phase: briefing
    for: 2s
    do: [{at: 0s, load: shoppers}]
    checklist:
      - {id: go, do: "Ready? <img src=x onerror=window.__xss=1>", poll: [facilitator, operator]}
  - phase: slow
    for: 8m
    do: [{at: 0s, fault: slow}]
    checklist:
      - {id: watch, do: "<b>Open</b> the dashboard", owner: operator, within: 2m}
      - {id: skipped, do: "Call the provider", within: 3m}
"#;
    let folder = tempfile::tempdir().unwrap();
    let shots = std::env::var("GAMEDAY_TEST_SHOTS").unwrap_or_else(|_| folder.path().display().to_string());
    let workspace = workspace(timeline);
    let run = workspace.start(&["run", "scenarios/room.yaml", "--serve"]);
    let access = access(&workspace);
    workspace.wait_for_event("the poll", |kind| matches!(kind, EventKind::StepOpened { .. }));
    let port = free_port();
    let mut server = start_server(&workspace, port);
    let links = [View::Facilitator, View::Participant]
        .map(|view| format!("http://127.0.0.1:{port}/#{}", access.fragment(view)));
    let Some(mut browser) = Browser::start("control_room.js", &[&links[0], &links[1], &shots]) else {
        run.signal(Signal::INT);
        assert_eq!(run.wait().code(), 5);
        return;
    };
    let said = loop {
        let said = browser.next();
        match said["ask"].as_str() {
            Some("stop") => {
                server.signal(Signal::TERM);
                drop(server);
                server = workspace.start(&["--version"]);
                browser.answer();
            }
            Some("start") => {
                server = start_server(&workspace, port);
                browser.answer();
            }
            Some(other) => panic!("asked for {other}"),
            None => break said,
        }
    };
    browser.end();
    drop(server);
    assert_eq!(said["violations"], json!([]), "the page broke its own policy: {said}");
    assert_eq!(said["errors"], json!([]), "{said}");
    assert_eq!(said["xss"], json!([]), "{said}");
    assert_eq!(said["findings"], json!([]), "axe-core finds: {said:#}");
    assert_eq!(said["overflow"], 0, "{said}");
    let output = run.wait();
    assert_eq!(output.code(), 5, "{output:?}");
    let state: RunState = workspace.state();
    let who = |by: &Option<String>| by.clone().unwrap_or_default();
    let Some(AbortCause::Person { why, by }) = &state.abort else { panic!("{:?}", state.abort) };
    assert_eq!((why.as_deref(), who(by)), (Some("enough <i>seen</i>"), "Ann <b>".to_owned()));
    let step = |id: &str| state.steps.iter().find(|step| step.step.as_str() == id).unwrap();
    assert_eq!((step("go").votes.len(), who(&step("watch").by)), (2, "Paul".to_owned()));
    assert!(
        step("skipped").was_answered() && state.marks.contains_key("detected") && state.marks.contains_key("diagnosed")
    );
    assert_eq!(state.people.predictions.len(), 1);
    assert_eq!((state.people.injects.len(), state.people.hints.len()), (1, 1));
}
