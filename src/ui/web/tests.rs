//! The room without a socket: requests go in, answers come out, over a log that is written as they do.

mod metrics;
mod participant;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::access::Access;
use super::answer::{BODY_BYTES_MAX, Room, answer};
use super::guard::Guard;
use super::hub::Folding;
use super::page::Page;
use super::session::Sessions;
use crate::event::{
    Command, CommandAnswer, EventKind, EventLog, FaultIdentity, Feed, LOG_FORMAT, LoadSecond, LogTail, RunOutcome,
};
use crate::plan::Plan;
use crate::plan::testing::Sketch;
use crate::scenario::Mode;
use crate::ui::board::View;
use crate::unit::Clock;

const LOCAL: &str = "127.0.0.1:8424";

struct Rig {
    directory: tempfile::TempDir,
    log: EventLog,
    room: Room,
    access: Access,
    taken: Arc<Mutex<Vec<Command>>>,
    /// Why the run refuses what it is asked from now on.
    why: Arc<Mutex<Option<String>>>,
    stop: CancellationToken,
}

fn local() -> SocketAddr {
    LOCAL.parse().unwrap()
}

fn started(log: &EventLog) {
    log.append(EventKind::RunStarted {
        format: LOG_FORMAT,
        run: "2026-11-10-100000-dark-payments".parse().unwrap(),
        scenario: "dark-payments".parse().unwrap(),
        title: "Payments go dark".to_owned(),
        environment: "sandbox".to_owned(),
        version: "0.1.0".to_owned(),
        seed: 1,
        plan_sha256: String::new(),
        process: 987_654_321,
    })
    .unwrap();
}

fn rig() -> Rig {
    rig_of(drill().plan())
}

fn drill() -> Sketch {
    Sketch::new(Mode::Drill)
        .person("operator", false, true)
        .person("owner", false, false)
        .person("business", false, false)
        .message("ticket", "operator")
        .hint("look", None)
        .fault(crate::plan::testing::variable("dark", "payments", "DELAY"), Some(60), None)
        .phase("secret-phase", 600)
}

fn rig_of(plan: Plan) -> Rig {
    let directory = tempfile::tempdir().unwrap();
    let log = EventLog::create(directory.path(), Clock::start()).unwrap();
    started(&log);
    let taken: Arc<Mutex<Vec<Command>>> = Arc::default();
    let (commands, mut receiver) = mpsc::channel::<(Command, tokio::sync::oneshot::Sender<CommandAnswer>)>(8);
    let why: Arc<Mutex<Option<String>>> = Arc::default();
    let (kept, refuses) = (Arc::clone(&taken), Arc::clone(&why));
    tokio::spawn(async move {
        while let Some((command, back)) = receiver.recv().await {
            kept.lock().unwrap().push(command);
            let why = refuses.lock().unwrap().clone();
            back.send(why.map_or(CommandAnswer::Taken, |why| CommandAnswer::Refused { why })).unwrap();
        }
    });
    let access = Access::new(local());
    access.write(directory.path()).unwrap();
    let feed = Feed::new(directory.path(), log.subscribe(), None);
    let folding = Folding::new(&Arc::new(plan), feed, log.clock(), true);
    let room = Room {
        guard: Guard::default(),
        page: Page::new(),
        sessions: Arc::new(Sessions::new(directory.path().to_owned(), access.clone())),
        hub: folding.hub(),
        commands: Some(commands),
    };
    let stop = CancellationToken::new();
    tokio::spawn(folding.fold(stop.clone()));
    Rig { directory, log, room, access, taken, why, stop }
}

fn post(path: &str, cookie: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post(path).header("host", LOCAL).header("origin", format!("http://{LOCAL}"));
    request.header("content-type", "application/json").header("cookie", cookie).body(body.into()).unwrap()
}

fn get(path: &str, cookie: &str) -> Request<Body> {
    Request::get(path).header("host", LOCAL).header("cookie", cookie).body(Body::empty()).unwrap()
}

async fn body_of(response: Response<Body>) -> Value {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap()
}

impl Rig {
    async fn ask(&self, request: Request<Body>) -> Response<Body> {
        answer(&self.room, local(), request).await
    }

    async fn status(&self, request: Request<Body>) -> StatusCode {
        self.ask(request).await.status()
    }

    /// Enters by a link and says a name; the session's cookie as a browser sends it.
    async fn enter(&self, view: View) -> String {
        let cookie = self.open(view).await;
        let body = match view {
            View::Facilitator => json!({ "name": "ann" }),
            View::Participant => json!({ "name": "maria", "role": "operator" }),
        };
        assert_eq!(self.say(view, &cookie, body).await, StatusCode::OK);
        self.taken.lock().unwrap().clear();
        cookie
    }

    /// Says who somebody is.
    async fn say(&self, view: View, cookie: &str, body: Value) -> StatusCode {
        self.status(post(&format!("/me?view={}", name(view)), cookie, body.to_string())).await
    }

    /// What a participant is told of a command.
    async fn told(&self, cookie: &str, command: &Value) -> (u16, String) {
        let response = self.ask(post("/command?view=participant", cookie, command.to_string())).await;
        let status = response.status().as_u16();
        (status, body_of(response).await["error"].as_str().unwrap_or_default().to_owned())
    }

    async fn open(&self, view: View) -> String {
        let token = self.access.fragment(view).split_off(2);
        let response = self.ask(post("/session", "", json!({ "view": view, "token": token }).to_string())).await;
        assert_eq!(response.status(), StatusCode::OK);
        let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
        let (pair, flags) = cookie.split_once("; ").unwrap();
        assert_eq!(flags, "HttpOnly; SameSite=Strict; Path=/");
        assert!(!pair.contains(&token), "the cookie is not the token");
        pair.to_owned()
    }

    async fn command(&self, view: View, cookie: &str, command: Value) -> StatusCode {
        self.status(post(&format!("/command?view={}", name(view)), cookie, command.to_string())).await
    }
}

fn name(view: View) -> &'static str {
    match view {
        View::Facilitator => "facilitator",
        View::Participant => "participant",
    }
}

/// The stream of a page, frame by frame.
struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    async fn open(rig: &Rig, view: View, cookie: &str, after: Option<u64>) -> Self {
        let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
        let response = rig.ask(get(&format!("/events?view={}{after}", name(view)), cookie)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body(), text: String::new() }
    }

    /// The next frame with data; none when the stream has ended.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let frame = self.body.frame().await?.unwrap().into_data().unwrap();
            let text = String::from_utf8(frame.to_vec()).unwrap();
            assert!(text.ends_with("\n\n"), "{text:?}");
            self.text.push_str(&text);
            if !text.starts_with("event: time") {
                let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
                return Some(serde_json::from_str(data).unwrap());
            }
        }
    }

    /// All lines up to the one that says `last`.
    async fn lines_up_to(&mut self, last: &str) -> (Vec<String>, u64) {
        let mut lines = Vec::new();
        loop {
            let frame = self.next().await.unwrap();
            let texts = frame["lines"].as_array().unwrap().iter().map(|line| line[3].as_str().unwrap().to_owned());
            lines.extend(texts);
            if lines.last().is_some_and(|line| line.contains(last)) {
                return (lines, frame["seq"].as_u64().unwrap());
            }
        }
    }
}

fn note(log: &EventLog, text: &str) {
    log.append(EventKind::Noted { text: text.to_owned(), by: None }).unwrap();
}

#[tokio::test]
async fn nobody_comes_in_without_a_link_or_with_that_of_the_other_view() {
    let rig = rig();
    for path in ["/events", "/me"] {
        for view in ["facilitator", "participant"] {
            assert_eq!(rig.status(get(&format!("{path}?view={view}"), "")).await, StatusCode::UNAUTHORIZED);
        }
    }
    let token = rig.access.fragment(View::Participant).split_off(2);
    for (view, token) in
        [("facilitator", token.as_str()), ("participant", ""), ("participant", "AAAAAAAAAAAAAAAAAAAAAA")]
    {
        let body = json!({ "view": view, "token": token }).to_string();
        let response = rig.ask(post("/session", "", body)).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(!response.headers().contains_key("set-cookie"));
        assert!(body_of(response).await["error"].is_string());
    }
    let participant = rig.open(View::Participant).await;
    let (_, id) = participant.split_once('=').unwrap();
    assert_eq!(rig.status(get("/me?view=participant", &participant)).await, StatusCode::OK);
    for cookie in [participant.clone(), format!("gameday_facilitator_8424={id}")] {
        assert_eq!(rig.status(get("/events?view=facilitator", &cookie)).await, StatusCode::UNAUTHORIZED, "{cookie}");
        let status = rig.command(View::Facilitator, &cookie, json!({ "pause": {} })).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(rig.status(get("/me", &participant)).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_command_from_another_page_or_in_another_form_is_refused() {
    let rig = rig();
    let cookie = rig.enter(View::Facilitator).await;
    let path = "/command?view=facilitator";
    let body = || Body::from(json!({ "pause": {} }).to_string());
    let request = |header: &'static str, value: Option<&str>| {
        let mut request = post(path, &cookie, body());
        request.headers_mut().remove(header);
        if let Some(value) = value {
            request.headers_mut().insert(header, value.parse().unwrap());
        }
        request
    };
    for (request, expected) in [
        (request("host", Some("evil.example:8424")), StatusCode::MISDIRECTED_REQUEST),
        (request("host", None), StatusCode::BAD_REQUEST),
        (request("origin", Some("http://evil.example")), StatusCode::FORBIDDEN),
        (request("origin", Some("http://localhost:8424")), StatusCode::FORBIDDEN),
        (request("origin", None), StatusCode::FORBIDDEN),
        (request("content-type", Some("text/plain")), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (request("content-type", None), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (post(path, &cookie, "{"), StatusCode::BAD_REQUEST),
        (post(path, &cookie, r#"{"pause": {}, "abort": {}}"#), StatusCode::BAD_REQUEST),
        (post(path, &cookie, r#"{"destroy": {}}"#), StatusCode::BAD_REQUEST),
        (get(path, &cookie), StatusCode::METHOD_NOT_ALLOWED),
        (post("/events?view=facilitator", &cookie, ""), StatusCode::METHOD_NOT_ALLOWED),
        (get("/run.ndjson", &cookie), StatusCode::NOT_FOUND),
        (get("/../control-room.json", &cookie), StatusCode::NOT_FOUND),
    ] {
        assert_eq!(rig.status(request).await, expected);
    }
    assert_eq!(*rig.taken.lock().unwrap(), []);
    assert_eq!(rig.status(post(path, &cookie, body())).await, StatusCode::OK);
    assert_eq!(*rig.taken.lock().unwrap(), [Command::Pause { by: Some("ann".to_owned()) }]);
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_lock_it_down() {
    let rig = rig();
    let cookie = rig.enter(View::Participant).await;
    for request in [get("/", ""), get("/me?view=participant", &cookie), get("/nowhere", ""), post("/session", "", "{")]
    {
        let response = rig.ask(request).await;
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin");
        let policy = header("content-security-policy");
        for part in ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}

#[tokio::test]
async fn a_participant_can_do_nothing_that_is_the_facilitators() {
    let rig = rig();
    let cookie = rig.enter(View::Participant).await;
    for command in [
        json!({ "inject": { "inject": "ticket" } }),
        json!({ "hint": { "hint": null } }),
        json!({ "reveal": { "fault": null } }),
        json!({ "pause": {} }),
        json!({ "resume": {} }),
        json!({ "steer_load": { "load": null, "how": "pause" } }),
        json!({ "mark": { "name": "detected", "fault": "dark" } }),
        json!({ "block_started": { "playbook": "pb", "block": "b", "readonly": true } }),
    ] {
        let status = rig.command(View::Participant, &cookie, command.clone()).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{command}");
    }
    let facilitator = rig.enter(View::Facilitator).await;
    let steer = json!({ "steer_load": { "load": null, "how": "pause" } });
    assert_eq!(rig.command(View::Facilitator, &facilitator, steer).await, StatusCode::FORBIDDEN);
    assert_eq!(*rig.taken.lock().unwrap(), []);
    // The author is the session's, whatever the body says.
    let note = json!({ "note": { "text": "slow", "by": "somebody else" } });
    assert_eq!(rig.command(View::Participant, &cookie, note).await, StatusCode::OK);
    let by = Some("maria".to_owned());
    assert_eq!(*rig.taken.lock().unwrap(), [Command::Note { text: "slow".to_owned(), by }]);
}

#[tokio::test]
async fn who_speaks_has_a_name_of_one_plain_line_and_joins_in_a_role() {
    let rig = rig();
    let cookie = rig.open(View::Participant).await;
    assert_eq!(rig.command(View::Participant, &cookie, json!({ "ack": {} })).await, StatusCode::CONFLICT);
    assert_eq!(rig.command(View::Participant, &cookie, json!({ "abort": { "why": "fire" } })).await, StatusCode::OK);
    let taken = std::mem::take(&mut *rig.taken.lock().unwrap());
    assert_eq!(
        taken,
        [Command::Abort { why: Some("fire".to_owned()), by: None }],
        "an emergency stop asks for no name"
    );
    for name in ["", "  ", "a\u{1b}[2J", "\u{202e}b", "maria\u{200b}", &"x".repeat(61)] {
        let status = rig.say(View::Participant, &cookie, json!({ "name": name, "role": "operator" })).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name:?}");
    }
    let body = json!({ "name": " Maria\n of  ops ", "role": "operator" }).to_string();
    let said = body_of(rig.ask(post("/me?view=participant", &cookie, body)).await).await;
    assert_eq!(said, json!({ "name": "Maria of ops", "role": "operator" }));
    let by = Some("Maria of ops".to_owned());
    assert_eq!(*rig.taken.lock().unwrap(), [Command::Join { role: "operator".parse().unwrap(), by }]);
    let known = body_of(rig.ask(get("/me?view=participant", &cookie)).await).await;
    assert_eq!(known, json!({ "view": "participant", "name": "Maria of ops", "role": "operator" }));
}

#[tokio::test]
async fn nobody_takes_the_name_of_somebody_with_the_other_link() {
    let rig = rig();
    rig.enter(View::Facilitator).await;
    let cookie = rig.open(View::Participant).await;
    let say =
        |name: &str| post("/me?view=participant", &cookie, json!({ "name": name, "role": "operator" }).to_string());
    assert_eq!(rig.status(say("Ann")).await, StatusCode::CONFLICT);
    assert_eq!(*rig.taken.lock().unwrap(), [], "nobody has joined");
    assert_eq!(rig.status(say("Anna")).await, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_answered_and_not_kept() {
    let rig = rig();
    let cookie = rig.enter(View::Participant).await;
    let path = "/command?view=participant";
    let note = |length: usize| json!({ "note": { "text": "x".repeat(length) } }).to_string();
    assert_eq!(rig.status(post(path, &cookie, note(BODY_BYTES_MAX - 100))).await, StatusCode::OK);
    for length in [BODY_BYTES_MAX, 10_000_000] {
        assert_eq!(rig.status(post(path, &cookie, note(length))).await, StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut huge = post(path, &cookie, Body::empty());
    huge.headers_mut().insert("content-length", "100000000000".parse().unwrap());
    assert_eq!(rig.status(huge).await, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn commands_come_at_a_pace_that_people_have() {
    let rig = rig();
    let cookie = rig.enter(View::Participant).await;
    let mut statuses = Vec::new();
    for _ in 0..40 {
        let response = rig.ask(post("/command?view=participant", &cookie, json!({ "ack": {} }).to_string())).await;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(response.headers()["retry-after"], "1");
        }
        statuses.push(response.status());
    }
    assert!(statuses.iter().take(15).all(|status| *status == StatusCode::OK));
    assert!(statuses.contains(&StatusCode::TOO_MANY_REQUESTS));
}

#[tokio::test]
async fn a_page_that_comes_back_gets_each_line_once_and_whatever_has_changed() {
    let rig = rig();
    let cookie = rig.open(View::Facilitator).await;
    let mut first = Stream::open(&rig, View::Facilitator, &cookie, None).await;
    let mut seen = Vec::new();
    for number in 0..100 {
        note(&rig.log, &format!("n{number} "));
    }
    let (lines, seq) = first.lines_up_to("n99 ").await;
    seen.extend(lines);
    drop(first);
    for number in 100..200 {
        note(&rig.log, &format!("n{number} "));
    }
    let mut second = Stream::open(&rig, View::Facilitator, &cookie, Some(seq)).await;
    seen.extend(second.lines_up_to("n199 ").await.0);
    let notes: Vec<&String> = seen.iter().filter(|line| line.starts_with("note")).collect();
    let expected: Vec<String> = (0..200).map(|number| format!("note: n{number} ")).collect();
    assert_eq!(notes, expected.iter().collect::<Vec<_>>());
    assert!(!second.text.contains("whole"), "what it has stays");
    // A number from another run's page: it gets everything, and empties its log first.
    let mut other = Stream::open(&rig, View::Facilitator, &cookie, Some(1_000_000)).await;
    let frame = other.next().await.unwrap();
    assert_eq!(frame["whole"], true);
    assert!(frame["sections"]["run"].is_object() && frame["lines"].as_array().unwrap().len() > 100);
}

#[tokio::test]
async fn only_what_has_changed_is_sent() {
    let rig = rig();
    let cookie = rig.open(View::Facilitator).await;
    rig.log.append(EventKind::PhaseStarted { phase: "secret-phase".parse().unwrap() }).unwrap();
    let mut stream = Stream::open(&rig, View::Facilitator, &cookie, None).await;
    while stream.next().await.unwrap()["sections"]["clock"]["phase"]["name"] != "secret-phase" {}
    let load: LoadSecond = serde_json::from_value(json!({
        "load": "users", "second": 1, "target": 9.0, "ok_count": 9, "failed_count": 1, "in_flight_count": 0, "p50_ms": 1.0, "p99_ms": 80.0,
    }))
    .unwrap();
    rig.log.append(EventKind::LoadStarted { load: "users".parse().unwrap(), pid: 77 }).unwrap();
    rig.log.append(EventKind::LoadRecorded(load.clone())).unwrap();
    let mut points = Value::Null;
    while points.is_null() {
        let frame = stream.next().await.unwrap();
        assert!(frame["sections"]["steps"].is_null(), "no step has changed: {frame}");
        points = frame["charts"]["users"].clone();
    }
    assert_eq!(points, json!({ "from": 0, "step": 1, "points": [[1, 9.0, 9.0, 1.0, 80.0]] }));
    rig.log.append(EventKind::LoadRecorded(LoadSecond { second: 2, ..load })).unwrap();
    let grown = loop {
        let frame = stream.next().await.unwrap();
        if frame["charts"]["users"].is_object() {
            break frame["charts"]["users"].clone();
        }
    };
    assert_eq!(grown["from"], 0, "the last point may have changed, and comes with the new one");
    assert_eq!(grown["points"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_blind_participant_is_sent_nothing_of_what_is_hidden() {
    let rig = rig();
    let cookies = [rig.open(View::Facilitator).await, rig.open(View::Participant).await];
    let identity = FaultIdentity { step: "001-dark".to_owned(), fault: "dark".parse().unwrap() };
    rig.log.append(EventKind::PhaseStarted { phase: "secret-phase".parse().unwrap() }).unwrap();
    rig.log
        .append(EventKind::FaultIntended {
            identity: identity.clone(),
            fault_kind: "lambda_environment".to_owned(),
            target: "payments".parse().unwrap(),
            change: "set DELAY".to_owned(),
            undo: "unset DELAY".to_owned(),
        })
        .unwrap();
    rig.log.append(EventKind::FaultArmed { identity: identity.clone(), undo_sha256: "00".to_owned() }).unwrap();
    rig.log.append(EventKind::FaultApplied { identity }).unwrap();
    rig.log.append(EventKind::Acknowledged { by: Some("maria".to_owned()) }).unwrap();
    let mut open = Stream::open(&rig, View::Facilitator, &cookies[0], None).await;
    open.lines_up_to("acknowledged").await;
    let mut blind = Stream::open(&rig, View::Participant, &cookies[1], None).await;
    blind.lines_up_to("acknowledged").await;
    for hidden in ["dark", "DELAY", "secret-phase", "text of"] {
        assert!(open.text.contains(hidden), "{hidden}");
        assert!(!blind.text.contains(hidden), "{hidden}: {}", blind.text);
    }
    for never in ["987654321", "undo_sha256", "unset DELAY", rig.directory.path().to_str().unwrap()] {
        assert!(!open.text.contains(never) && !blind.text.contains(never), "{never}");
    }
    rig.log.append(EventKind::Revealed { fault: None, by: None }).unwrap();
    blind.lines_up_to("everything is revealed").await;
    assert!(blind.text.contains("dark") && blind.text.contains("secret-phase"));
}

#[tokio::test]
async fn when_the_run_ends_pages_hear_its_last_word_and_then_the_stream_ends() {
    let rig = rig();
    let cookie = rig.enter(View::Facilitator).await;
    let mut stream = Stream::open(&rig, View::Facilitator, &cookie, None).await;
    rig.log.append(EventKind::RunSettled).unwrap();
    rig.log.append(EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 0 }).unwrap();
    rig.stop.cancel();
    let mut last = Value::Null;
    while let Some(frame) = stream.next().await {
        if frame["sections"]["run"].is_object() {
            last = frame["sections"]["run"].clone();
        }
    }
    assert_eq!(
        (&last["is_over"], &last["exit_code"], &last["takes_commands"]),
        (&json!(true), &json!(0), &json!(false))
    );
    let whole = LogTail::new(rig.directory.path()).read().unwrap();
    assert_eq!(whole.len(), 3, "looking writes nothing");
}

#[tokio::test]
async fn ten_participants_who_post_steadily_do_not_keep_the_facilitator_from_ending_the_run() {
    let rig = rig();
    let mut participants = Vec::new();
    for _ in 0..10 {
        participants.push(rig.enter(View::Participant).await);
    }
    let facilitator = rig.enter(View::Facilitator).await;
    let note = json!({ "note": { "text": "x" } });
    let mut refused = 0;
    for _ in 0..60 {
        for cookie in &participants {
            let status = rig.command(View::Participant, cookie, note.clone()).await;
            refused += usize::from(status == StatusCode::TOO_MANY_REQUESTS);
        }
    }
    assert!(refused > 100, "{refused}");
    let abort = json!({ "abort": { "why": null } });
    assert_eq!(rig.command(View::Facilitator, &facilitator, note).await, StatusCode::OK);
    assert_eq!(rig.command(View::Facilitator, &facilitator, abort.clone()).await, StatusCode::OK);
    assert_eq!(rig.command(View::Participant, &participants[0], abort).await, StatusCode::OK);
}

#[tokio::test]
async fn a_stream_that_makes_room_says_so_and_one_whose_session_is_over_only_ends() {
    let rig = rig();
    let cookie = rig.open(View::Facilitator).await;
    let mut oldest = Stream::open(&rig, View::Facilitator, &cookie, None).await;
    oldest.next().await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..super::session::STREAMS_PER_SESSION_MAX {
        streams.push(Stream::open(&rig, View::Facilitator, &cookie, None).await);
    }
    let last = oldest.body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(last, "event: replaced\ndata: {}\n\n");
    assert!(oldest.body.frame().await.is_none());
    std::fs::remove_file(rig.directory.path().join(super::ROOM_FILE)).unwrap();
    rig.room.sessions.look().await;
    while streams[0].next().await.is_some() {}
    assert_eq!(rig.status(get("/me?view=facilitator", &cookie)).await, StatusCode::UNAUTHORIZED);
}
