//! Notices of whole runs, to a receiver of our own that takes them, puts them off, refuses them, or says nothing at all.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse as _, Response};
use gameday::event::{Event, EventKind};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::process::Signal;
use serde_json::Value;
use sha2::Sha256;

use crate::apart::Apart;
use crate::lambda::Lambda;
use crate::peers::python;
use crate::support::{Output, Run, Workspace, free_port, gameday, wait_for};

/// Parts of the addresses, and the key: none of them may be told by anything.
const SLACK_PATH: &str = "services/T0S3CRET/B0S3CRET/slackS3cretPath";
const HOOK_PATH: &str = "hookS3cretPath?token=tokenS3cret";
const KEY: &str = "signingS3cretKey";
const SECRETS: [&str; 4] = ["S3CRET", "S3cretPath", "tokenS3cret", KEY];

/// How long a run waits at its end for what is not sent yet; it does so for the run and for its report.
const END_WAIT: Duration = Duration::from_secs(15);

/// What a receiver does.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Takes,
    /// The first two calls are put off, in different ways.
    TakesTheThird,
    PutsOffForAnHour,
    Fails,
    MovesElsewhere,
    /// A page that repeats the address.
    ShowsAPage,
    NeverAnswers,
}

#[derive(Clone)]
struct Call {
    path: String,
    signature: Option<String>,
    body: Bytes,
}

impl Call {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Clone)]
struct Known {
    slack: Manner,
    hook: Manner,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// A receiver of both kinds on this machine.
struct Receiver {
    known: Known,
    address: String,
    _runtime: tokio::runtime::Runtime,
}

async fn receive(State(known): State<Known>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let is_slack = uri.path().starts_with("/services");
    let count = {
        let mut calls = known.calls.lock().unwrap();
        let signature = headers.get("x-gameday-signature").map(|value| value.to_str().unwrap().to_owned());
        calls.push(Call { path: uri.to_string(), signature, body });
        calls.iter().filter(|call| call.path.starts_with("/services") == is_slack).count()
    };
    match if is_slack { known.slack } else { known.hook } {
        Manner::TakesTheThird if count == 1 => {
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "0")], "rate_limited").into_response()
        }
        Manner::TakesTheThird if count == 2 => StatusCode::BAD_GATEWAY.into_response(),
        Manner::Takes | Manner::TakesTheThird => "ok".into_response(),
        Manner::PutsOffForAnHour => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "3600")]).into_response(),
        Manner::Fails => (StatusCode::INTERNAL_SERVER_ERROR, "it broke").into_response(),
        Manner::MovesElsewhere => (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, "/elsewhere")]).into_response(),
        Manner::ShowsAPage => (StatusCode::NOT_FOUND, Html(format!("<h1>No such page</h1>{uri}"))).into_response(),
        Manner::NeverAnswers => std::future::pending().await,
    }
}

impl Receiver {
    fn new(slack: Manner, hook: Manner) -> Self {
        let known = Known { slack, hook, calls: Arc::default() };
        let app = Router::new().fallback(receive).with_state(known.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { known, address, _runtime: runtime }
    }

    /// Starts `gameday ARGUMENTS` with the variables that lead here.
    fn start(&self, workspace: &Workspace, arguments: &[&str]) -> Run {
        start(workspace, &self.address, arguments)
    }

    fn slack(&self) -> Vec<Call> {
        let calls = self.known.calls.lock().unwrap();
        calls.iter().filter(|call| call.path == format!("/{SLACK_PATH}")).cloned().collect()
    }

    fn hook(&self) -> Vec<Call> {
        let calls = self.known.calls.lock().unwrap();
        calls.iter().filter(|call| call.path == format!("/{HOOK_PATH}")).cloned().collect()
    }

    fn hook_events(&self) -> Vec<String> {
        self.hook().iter().map(|call| call.json()["event"].as_str().unwrap().to_owned()).collect()
    }
}

fn start(workspace: &Workspace, address: &str, arguments: &[&str]) -> Run {
    let mut command = gameday();
    command.env("TEST_SLACK", format!("http://{address}/{SLACK_PATH}"));
    command.env("TEST_HOOK", format!("http://{address}/{HOOK_PATH}")).env("TEST_KEY", KEY);
    workspace.start_command(command.args(arguments))
}

const NOTIFY: &str = r#"notify: {slack: "env:TEST_SLACK", webhook: "env:TEST_HOOK", webhook_secret: "env:TEST_KEY", files: "https://git.example/shop"}"#;

const SCENARIO: &str = r#"
gameday: 1
id: noticed
title: "Hurried <!channel> checkout"
owner: team-shop
why: "We were surprised."
mode: drill
people: {responder: {who: "maria & <@U123>", blind: BLIND}}
targets:
  checkout-fn: {lambda: {function: checkout-fn}}
signals:
  health: {level: system, http: {get: "${checkout-fn.url}/health", every: 500ms}}
hypotheses:
  - {id: H1, severity: high, text: "The shop is there before anything is broken", expect: "mean(health) > 50% during quiet"}
faults:
  hurried-checkout: {lambda_timeout: {target: checkout-fn, timeout: 4s}}
timeline:
  - {phase: quiet, for: 2s}
  - phase: hurried
    for: 2s
    do: [{at: 0s, fault: hurried-checkout}]
"#;

/// A step that a drill waits for.
const CHECKLIST: &str = r#"    checklist: [{id: look, do: "Look at the shop", owner: responder, within: 1s, must: true}]
"#;

fn workspace(checklist: &str, is_blind: bool) -> Workspace {
    let workspace = Workspace::new();
    let scenario = SCENARIO.replace("BLIND", &is_blind.to_string());
    workspace.write("scenarios/noticed.yaml", &format!("{scenario}{checklist}{NOTIFY}\n"));
    workspace
}

/// Nothing that a run left or said holds a part of an address, or the key.
fn assert_told_nothing(workspace: &Workspace, output: &Output) {
    for secret in SECRETS {
        assert!(!output.stdout.contains(secret) && !output.stderr.contains(secret), "{secret}: {output:#?}");
        assert_absent(secret, &workspace.run_folder().expect("a run"));
    }
}

fn assert_absent(secret: &str, folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_absent(secret, &path);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        let is_there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!is_there, "{secret} is in {}", path.display());
    }
}

fn sent(events: &[Event], channel: &str) -> Vec<(String, u32)> {
    let of = |event: &Event| match &event.kind {
        EventKind::NoticeSent { notice, channel: to, attempts } if to == channel => Some((notice.clone(), *attempts)),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn failed(events: &[Event], channel: &str) -> Vec<(String, String)> {
    let of = |event: &Event| match &event.kind {
        EventKind::NoticeFailed { notice, channel: to, why } if to == channel => Some((notice.clone(), why.clone())),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[test]
fn a_run_is_told_from_its_start_to_its_report_in_order_and_signed() {
    let receiver = Receiver::new(Manner::TakesTheThird, Manner::TakesTheThird);
    let workspace = workspace(CHECKLIST, false);
    let run = receiver.start(&workspace, &["run", "scenarios/noticed.yaml"]);
    wait_for("the step to be told of", || receiver.hook_events().contains(&"overdue".to_owned()).then_some(()));
    let done = workspace.gameday(&["step", "done", "look", "--by", "maria"]);
    assert_eq!(done.code(), 0, "{done:#?}");
    let output = run.wait();
    assert_eq!(output.code(), 0, "{output:#?}");

    let order = ["start", "start", "start", "fault_on", "overdue", "fault_off", "all_clear", "report"];
    assert_eq!(receiver.hook_events(), order, "the first was put off twice, and none went past it");
    for call in receiver.hook() {
        assert_eq!(call.signature.as_deref(), Some(signature(&call.body).as_str()));
    }
    let notices: Vec<Value> = receiver.hook().iter().map(Call::json).collect();
    let ids: BTreeSet<&str> = notices.iter().map(|notice| notice["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 6, "one that comes again is the same");
    let on = &notices[3];
    assert_eq!((&on["gameday_notice"], &on["severity"]), (&Value::from(1), &Value::from("warning")));
    assert_eq!(on["what"], "Fault hurried-checkout is on.");
    assert_eq!(on["where"]["target"], "checkout-fn (function checkout-fn)");
    assert!(on["until"].is_string() && on["since"].is_string(), "{on:#}");
    assert_eq!(on["who"][0], "responder (maria & <@U123>)");

    assert_eq!(receiver.slack().len(), order.len());
    for call in receiver.slack() {
        let text = String::from_utf8(call.body.to_vec()).unwrap();
        assert!(call.json()["blocks"].is_array() && call.json()["text"].is_string(), "{text}");
        let header = call.json()["blocks"][0].clone();
        assert_eq!(header["text"]["type"], "plain_text");
        let rest = text.replace(&serde_json::to_string(&header).unwrap(), "");
        assert!(!rest.contains("<!channel>") && !rest.contains("<@U123>"), "a mention: {text}");
        assert_eq!(call.signature, None);
    }

    let events = workspace.events();
    let told = [("start", 3), ("fault_on", 1), ("overdue", 1), ("fault_off", 1), ("all_clear", 1)];
    let told: Vec<(String, u32)> = told.iter().map(|(notice, attempts)| ((*notice).to_owned(), *attempts)).collect();
    assert_eq!((sent(&events, "slack"), sent(&events, "webhook")), (told.clone(), told));
    assert!(matches!(events.last().unwrap().kind, EventKind::RunEnded { .. }), "nothing is written behind the end");
    assert_told_nothing(&workspace, &output);
    assert_valid(&workspace, &receiver.hook());
}

/// What was sent is what the schema says.
fn assert_valid(workspace: &Workspace, calls: &[Call]) {
    workspace.write("schema.json", &workspace.gameday(&["schema", "notice"]).stdout);
    let Some(mut peer) = python("notices against their schema, by jsonschema") else { return };
    let program = "import json, sys, jsonschema; schema = json.load(open(sys.argv[1])); \
        jsonschema.Draft202012Validator.check_schema(schema); \
        [jsonschema.validate(notice, schema) for notice in json.load(open(sys.argv[2]))]";
    let notices: Vec<Value> = calls.iter().map(Call::json).collect();
    workspace.write("notices.json", &serde_json::to_string(&notices).unwrap());
    let checked =
        peer.args(["-c", program]).args([workspace.path().join("schema.json"), workspace.path().join("notices.json")]);
    let output = checked.stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("the peer");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// How long the phases took in the log, and how long everything took after them.
fn spans(events: &[Event]) -> (Duration, Duration) {
    let at = |is_it: fn(&EventKind) -> bool| events.iter().find(|event| is_it(&event.kind)).unwrap().elapsed_ms;
    let begun = at(|kind| matches!(kind, EventKind::PhaseStarted { .. }));
    let over = at(|kind| matches!(kind, EventKind::RunRecovering));
    let ended = at(|kind| matches!(kind, EventKind::RunEnded { .. }));
    (Duration::from_millis(over - begun), Duration::from_millis(ended - over))
}

/// A run whose receivers do not take what they are sent: it is as long, ends as well, and says who was not told.
fn assert_goes_on(address: &str, whys: [&str; 2]) {
    let workspace = workspace("", false);
    let output = start(&workspace, address, &["run", "scenarios/noticed.yaml"]).wait();
    assert_eq!(output.code(), 0, "{output:#?}");
    let events = workspace.events();
    let (timeline, end) = spans(&events);
    assert!(timeline >= Duration::from_secs(4) && timeline < Duration::from_secs(7), "{timeline:?} of timeline");
    assert!(end < END_WAIT + Duration::from_secs(10), "{end:?} of undoing and waiting");
    for (channel, why) in ["slack", "webhook"].into_iter().zip(whys) {
        let failures = failed(&events, channel);
        let notices: Vec<&str> = failures.iter().map(|(notice, _)| notice.as_str()).collect();
        assert_eq!(notices, ["start", "fault_on", "fault_off", "all_clear"], "{failures:?}");
        assert!(failures[0].1.contains(why), "{failures:?}");
        assert_eq!(sent(&events, channel), []);
        assert!(output.stderr.contains(&format!("notice start did not go to {channel}")), "{}", output.stderr);
        assert!(output.stderr.contains(&format!("report is there did not go to {channel}")), "{}", output.stderr);
    }
    let report = std::fs::read_to_string(workspace.run_folder().unwrap().join("report.md")).unwrap();
    assert!(report.contains("no notice of it went to slack"), "the report says who was not told");
    assert_told_nothing(&workspace, &output);
}

#[test]
fn a_receiver_that_moves_or_shows_a_page_changes_nothing() {
    let receiver = Receiver::new(Manner::MovesElsewhere, Manner::ShowsAPage);
    assert_goes_on(&receiver.address, ["no redirect is followed", "404 Not Found (an answer of"]);
    let calls = receiver.known.calls.lock().unwrap();
    assert!(calls.iter().all(|call| call.path != "/elsewhere"), "no redirect was followed");
    assert_eq!(calls.len(), 10, "a refusal is final");
}

#[test]
fn a_receiver_that_fails_or_never_answers_changes_nothing() {
    let receiver = Receiver::new(Manner::Fails, Manner::NeverAnswers);
    assert_goes_on(&receiver.address, ["500 Internal Server Error (it broke)", "there was no answer within 10 s"]);
}

#[test]
fn a_receiver_that_puts_off_for_an_hour_changes_nothing() {
    let receiver = Receiver::new(Manner::PutsOffForAnHour, Manner::Fails);
    assert_goes_on(&receiver.address, ["429 Too Many Requests", "500 Internal Server Error"]);
}

#[test]
fn a_receiver_that_is_not_there_changes_nothing() {
    assert_goes_on(&format!("127.0.0.1:{}", free_port()), ["refused", "refused"]);
}

#[test]
fn people_who_take_part_blind_are_told_nothing_of_a_fault() {
    let receiver = Receiver::new(Manner::Takes, Manner::Takes);
    let workspace = workspace("", true);
    let output = receiver.start(&workspace, &["run", "scenarios/noticed.yaml"]).wait();
    assert_eq!(output.code(), 0, "{output:#?}");
    assert_eq!(receiver.hook_events(), ["start", "all_clear", "report"]);
    for call in receiver.hook().iter().chain(&receiver.slack()) {
        let text = String::from_utf8(call.body.to_vec()).unwrap().to_lowercase();
        for word in ["hurried", "noticed", "surprised", "checkout-fn", "lambda"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
    }
}

#[test]
fn variables_that_are_not_as_they_should_be_are_told_before_a_run_and_hold_up_none() {
    let workspace = workspace("", false);
    let command = |arguments: &[&str]| {
        let mut command = gameday();
        command
            .env_remove("TEST_SLACK")
            .env("TEST_HOOK", "http://hooks.example.com/plainS3cretPath")
            .env("TEST_KEY", KEY);
        workspace.start_command(command.args(arguments)).wait()
    };
    let unset = "no notice goes to slack: the variable `TEST_SLACK` is not set, or is empty";
    let plain = "no notice goes to webhook: the variable `TEST_HOOK` holds no `https` URL";
    let plan = command(&["plan", "scenarios/noticed.yaml"]);
    assert_eq!(plan.code(), 0, "{plan:#?}");
    for text in
        [unset, plain, "slack: to the URL in TEST_SLACK", "signed with the key in TEST_KEY", "fault_off, overdue"]
    {
        assert!(plan.stdout.contains(text), "{text}: {}", plan.stdout);
    }
    assert!(!plan.stdout.contains("nobody is notified"), "{}", plan.stdout);
    let ready = command(&["readiness", "scenarios/noticed.yaml", "--permissions"]);
    assert_eq!(ready.code(), 0, "{ready:#?}");
    assert!(ready.stderr.contains(unset) && ready.stderr.contains(plain), "{ready:#?}");
    let run = command(&["run", "scenarios/noticed.yaml"]);
    assert_eq!(run.code(), 0, "{run:#?}");
    assert!(run.stderr.contains(unset) && run.stderr.contains(plain), "{run:#?}");
    let events = workspace.events();
    for channel in ["slack", "webhook"] {
        let failures = failed(&events, channel);
        assert_eq!(failures.len(), 1, "it is told once: {failures:?}");
        assert_eq!(failures[0].0, "all");
    }
    for output in [&plan, &ready, &run] {
        assert_told_nothing(&workspace, output);
    }
}

#[test]
fn a_test_shows_what_came_back() {
    let workspace = workspace("", false);
    workspace.write(
        "gameday.yaml",
        &format!("{}\n{NOTIFY}\n", std::fs::read_to_string(workspace.path().join("gameday.yaml")).unwrap()),
    );
    let receiver = Receiver::new(Manner::Takes, Manner::Takes);
    let output = receiver.start(&workspace, &["notify", "test", "--by", "maria"]).wait();
    assert_eq!(output.code(), 0, "{output:#?}");
    for line in ["sent    slack of `TEST_SLACK`: 200 (ok)", "sent    webhook of `TEST_HOOK`: 200 (ok)"] {
        assert!(output.stdout.contains(line), "{output:#?}");
    }
    let notice = receiver.hook()[0].json();
    assert!(notice["what"].as_str().unwrap().contains("test") && notice["who"][0] == "maria", "{notice:#}");
    assert_eq!(receiver.slack().len(), 1);

    let receiver = Receiver::new(Manner::Takes, Manner::ShowsAPage);
    let output = receiver.start(&workspace, &["notify", "test", "scenarios/noticed.yaml", "--json"]).wait();
    assert_eq!(output.code(), 1, "{output:#?}");
    let rows: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((&rows[0]["sent"], &rows[1]["sent"]), (&Value::from(true), &Value::from(false)));
    assert!(rows[1]["why"].as_str().unwrap().contains("404"), "{rows:#}");
    assert!(SECRETS.iter().all(|secret| !output.stdout.contains(secret)), "{output:#?}");

    let empty = Workspace::new();
    let output = empty.gameday(&["notify", "test"]);
    assert_eq!(output.code(), 1, "{output:#?}");
    assert!(output.stderr.contains("nobody is told of runs here"), "{output:#?}");
}

/// A run on a sandbox that runs apart, whose workspace tells the receiver.
fn start_apart(receiver: &Receiver) -> (Apart, Run, String) {
    let apart = Apart::start();
    let settings = std::fs::read_to_string(apart.workspace.path().join("gameday.yaml")).unwrap();
    apart.workspace.write("gameday.yaml", &format!("{settings}{NOTIFY}\n"));
    let run = receiver.start(&apart.workspace, &["run", "scenarios/apart.yaml", "--env", "local"]);
    apart.wait_until_broken();
    let endpoint = settings.split('"').find(|text| text.starts_with("http://")).unwrap().to_owned();
    (apart, run, endpoint)
}

#[test]
fn a_run_that_was_killed_is_told_of_by_the_watchdog_that_undoes_it() {
    let receiver = Receiver::new(Manner::Takes, Manner::Takes);
    let (apart, run, _) = start_apart(&receiver);
    run.signal(Signal::KILL);
    assert_eq!(run.wait().status.code(), None);
    wait_for("the all-clear", || receiver.hook_events().contains(&"all_clear".to_owned()).then_some(()));
    let clear = receiver.hook().pop().unwrap().json();
    assert!(clear["details"].to_string().contains("by a recovery"), "{clear:#}");
    assert!(clear["details"].to_string().contains("3 faults were injected and are undone"), "{clear:#}");
    assert_eq!(receiver.hook_events().iter().filter(|event| *event == "fault_off").count(), 0);
    wait_for("its record", || {
        apart
            .kinds()
            .iter()
            .any(|kind| matches!(kind, EventKind::NoticeSent { notice, .. } if notice == "all_clear"))
            .then_some(())
    });
    apart.stop();
}

#[test]
fn what_a_recovery_leaves_is_told_once_with_the_line_to_type() {
    let receiver = Receiver::new(Manner::Takes, Manner::Takes);
    let (apart, run, endpoint) = start_apart(&receiver);
    // Somebody else changes what a fault has changed: it is left alone.
    let lambda = Lambda::at(&endpoint);
    let mut payments = lambda.function("payments-fn");
    payments.timeout_seconds = Some(7);
    lambda.restore("payments-fn", &payments);
    run.signal(Signal::KILL);
    assert_eq!(run.wait().status.code(), None);
    wait_for("what is left", || receiver.hook_events().contains(&"dirty".to_owned()).then_some(()));
    let dirty = receiver.hook().pop().unwrap().json();
    let id = apart.state().run;
    assert_eq!(dirty["command"], format!("gameday recover {id}"));
    assert_eq!(dirty["severity"], "critical");
    wait_for("the watchdog's end", || {
        let output = receiver.start(&apart.workspace, &["recover", &id]).wait();
        (output.code() == 8).then_some(())
    });
    assert_eq!(receiver.hook_events().iter().filter(|event| *event == "dirty").count(), 1, "nothing is new");
    let accepted = receiver.start(&apart.workspace, &["recover", &id, "--accept-drift"]).wait();
    assert_eq!(accepted.code(), 0, "{accepted:#?}");
    assert_eq!(receiver.hook_events().last().map(String::as_str), Some("all_clear"));
    apart.stop();
}
