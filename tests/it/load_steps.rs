//! The steps of a load, from the scenario's words to what a real server sees of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::any;
use gameday::load::{EndReason, FailureKind, LoadError, LoadPlan, LoadSpec, Targets, WorkerRecord};
use gameday::unit::{Clock, read_below};
use tokio::net::TcpListener;

use crate::load_rig::{Outcome, next, run, spawn, wait_until};

/// A request as the server saw it.
#[derive(Debug, Clone)]
struct Seen {
    /// `GET /path?query`.
    line: String,
    headers: BTreeMap<String, String>,
    body: Bytes,
}

type Shared = Arc<Mutex<Vec<Seen>>>;

async fn note(State(seen): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let line = format!("{} {}", head.method, head.uri);
    let text = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let headers = head.headers.iter().map(text).collect();
    seen.lock().unwrap().push(Seen { line, headers, body });
    match head.uri.path() {
        "/login" => (
            AppendHeaders([("set-cookie", "sid=s17; Path=/"), ("x-id", "h17")]),
            r#"{"token": "t17", "tier": "gold", "items": [{"id": 1}, {"id": 2}]}"#,
        )
            .into_response(),
        "/page" => "an id=r17; and more".into_response(),
        "/broken" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "/hang" => std::future::pending().await,
        _ => "fine".into_response(),
    }
}

/// Starts the server; gives its URL and what it sees.
async fn server() -> (String, Shared) {
    let seen = Shared::default();
    let router = Router::new().fallback(any(note)).with_state(Arc::clone(&seen));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
    (url, seen)
}

/// A plan of a load that is written in whole but for its `base_url`, with the files of a folder.
fn plan_of(url: &str, load: &str, folder: &Path) -> LoadPlan {
    let spec: LoadSpec = serde_yaml::from_str(&format!("base_url: '{url}'\n{load}")).unwrap();
    let read = |path: &str, bytes_max| read_below(folder, path, bytes_max);
    assert_eq!((spec.problems(), spec.file_problems(&read)), (vec![], vec![]));
    LoadPlan::build(&"users".parse().unwrap(), &spec, Clock::start().origin(), 7, &Targets::NONE, &read).unwrap()
}

/// Runs a load whose one journey has these steps ten times, and gives what the server saw of each path.
async fn ten(steps: &str) -> (Outcome, Vec<Seen>) {
    let (url, seen) = server().await;
    let load = format!("journeys: [{{name: j, steps: {steps}}}]\nshape: [{{hold: 1s, at: 10/s}}]");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("photo.png"), b"\x89PNG\0").unwrap();
    let outcome = run(&plan_of(&url, &load, folder.path())).await;
    let seen = seen.lock().unwrap().clone();
    (outcome, seen)
}

fn lines(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.line.as_str()).collect()
}

fn of<'s>(seen: &'s [Seen], path: &str) -> Vec<&'s Seen> {
    seen.iter().filter(|seen| seen.line.contains(path)).collect()
}

#[tokio::test]
async fn a_query_and_a_form_are_encoded_with_their_values() {
    let (outcome, seen) = ten(r#"[
        {options: /login, capture: {token: $.token}},
        {get: "/search?a=1", query: {q: "x & ${token}", "page no": "2"}},
        {post: /order, form: {note: "a+b ${token}", id: "7"}}]"#)
    .await;
    assert_eq!((outcome.totals(None).ok, outcome.totals(None).failed), (30, 0));
    assert_eq!(of(&seen, "OPTIONS /login").len(), 10);
    assert_eq!(of(&seen, "GET /search?a=1&page%20no=2&q=x%20%26%20t17").len(), 10);
    for order in of(&seen, "/order") {
        assert_eq!(order.headers["content-type"], "application/x-www-form-urlencoded");
        assert_eq!(order.body, "id=7&note=a%2Bb+t17");
    }
}

#[tokio::test]
async fn files_are_sent_as_they_are_alone_and_as_parts() {
    let (outcome, seen) = ten(r#"[
        {put: /photo, file: photo.png, headers: {content-type: image/png}},
        {post: /parts, multipart: {note: "${uuid}", photo: {file: photo.png, type: image/png, name: me.png}}}]"#)
    .await;
    assert_eq!((outcome.totals(None).ok, outcome.totals(None).failed), (20, 0));
    assert!(
        of(&seen, "/photo")
            .iter()
            .all(|seen| seen.body[..] == *b"\x89PNG\0" && seen.headers["content-type"] == "image/png")
    );
    let bodies: BTreeSet<Bytes> = of(&seen, "/parts").iter().map(|seen| seen.body.clone()).collect();
    assert_eq!(bodies.len(), 10, "each has a note of its own");
    for part in of(&seen, "/parts") {
        let boundary = part.headers["content-type"].strip_prefix("multipart/form-data; boundary=").unwrap();
        let body = String::from_utf8_lossy(&part.body);
        let pieces: Vec<&str> = body.split(&format!("--{boundary}")).collect();
        assert_eq!((pieces.len(), pieces[3]), (4, "--\r\n"));
        assert!(pieces[1].starts_with("\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\n"), "{body}");
        assert!(pieces[2].contains("filename=\"me.png\"\r\nContent-Type: image/png\r\n\r\n"), "{body}");
        assert!(part.body.windows(5).any(|window| window == b"\x89PNG\0"));
    }
}

#[tokio::test]
async fn values_are_captured_from_wherever_they_stand() {
    let (outcome, seen) = ten(r#"[
        {get: /login, capture: {token: $.token, id: {header: X-Id}, sid: {cookie: sid}}},
        {get: /page, capture: {page: {regex: 'id=(\w+)'}, whole: {regex: 'id=\w+'}}},
        {get: "/all/${token}/${id}/${sid}/${page}/${whole}"}]"#)
    .await;
    assert_eq!((outcome.totals(None).ok, outcome.totals(None).failed), (30, 0), "{:?}", outcome.totals(None));
    assert_eq!(of(&seen, "GET /all/t17/h17/s17/r17/id=r17").len(), 10);
}

#[tokio::test]
async fn an_answer_is_held_against_headers_and_expressions() {
    let (url, _) = server().await;
    let cases = [
        ("there", "get: /login, expect: {header: {x-id: '*'}}", None),
        ("equal", "get: /login, expect: {header: {X-Id: h17}}", None),
        ("other", "get: /login, expect: {header: {x-id: h18}}", Some(FailureKind::Header)),
        ("absent", "get: /login, expect: {header: {x-no: '*'}}", Some(FailureKind::Header)),
        ("matches", r"get: /page, expect: {body: {matches: 'id=\w+;'}}", None),
        ("differs", r"get: /page, expect: {body: {matches: '^id='}}", Some(FailureKind::Body)),
        ("no cookie", "get: /page, capture: {sid: {cookie: nobody}}", Some(FailureKind::Capture)),
    ];
    let journeys: Vec<String> =
        cases.iter().map(|(name, step, _)| format!("{{name: {name}, steps: [{{name: {name}, {step}}}]}}")).collect();
    let load = format!("journeys: [{}]\nshape: [{{hold: 3s, at: 50/s}}]", journeys.join(","));
    let outcome = run(&plan_of(&url, &load, Path::new("."))).await;
    for (name, _, kind) in cases {
        let totals = outcome.totals(Some(name));
        assert!(totals.count() > 0, "{name}");
        let expected = kind.map(|kind| (kind, totals.count()));
        assert_eq!(totals.failures, expected.into_iter().collect::<BTreeMap<_, _>>(), "{name}");
    }
}

#[tokio::test]
async fn steps_lead_to_each_other_and_a_failure_leads_out_of_all() {
    let (outcome, seen) = ten(r#"[
        {get: /login, capture: {items: $.items, tier: $.tier}},
        {set: {greeting: "hello ${tier}", count: 2}},
        {group: {name: buy, steps: [
            {loop: {over: "${items}", as: one, steps: [{name: item, get: "/item/${one.id}", query: {g: "${greeting}"}}]}},
            {loop: {times: 2, steps: [{get: "/again/${count}"}]}}]}},
        {pause: 20ms..40ms},
        {pause: exp(5ms)},
        {if: {value: "${tier}", is: gold}, then: [{get: /gold}], else: [{get: /other}]},
        {if: {value: "${count}", is_not: 2}, then: [{get: /other}]},
        {loop: {times: 5, steps: [{group: {name: deep, steps: [{get: /broken}]}}]}},
        {get: /never}]"#)
    .await;
    let totals = |step| outcome.totals(Some(step));
    assert_eq!(totals("buy / item").ok, 20);
    assert_eq!((of(&seen, "/item/1?g=hello%20gold").len(), of(&seen, "/item/2?g=hello%20gold").len()), (10, 10));
    assert_eq!(totals("buy / GET /again/${count}").ok, 20);
    assert_eq!((of(&seen, "/again/2").len(), totals("GET /gold").ok), (20, 10));
    assert_eq!((of(&seen, "/other").len(), of(&seen, "/never").len()), (0, 0));
    assert_eq!(totals("deep / GET /broken").failures, BTreeMap::from([(FailureKind::Status, 10)]));
    assert_eq!(outcome.totals(None).count(), seen.len() as u64);
}

#[tokio::test]
async fn users_of_a_closed_load_walk_loops_and_a_journey_that_does_nothing_takes_its_time() {
    let (url, seen) = server().await;
    let load = r#"
journeys:
  - name: loops
    think: 5ms
    steps: [{loop: {times: 3, steps: [{get: /a}, {pause: 5ms}]}}, {get: /b}]
  - name: idle
    steps: [{set: {x: 1}}, {loop: {times: 10000, steps: [{set: {y: 2}}]}}, {if: {value: "${x}", is: 2}, then: [{get: /never}]}]
shape: [{hold: 2s, at: 4 users}]
"#;
    let outcome = run(&plan_of(&url, load, Path::new("."))).await;
    assert_eq!(outcome.end, Some((EndReason::Finished, 0)));
    let (a, b) = (outcome.totals(Some("GET /a")).ok, outcome.totals(Some("GET /b")).ok);
    assert!(b > 10 && (3 * b..=3 * b + 12).contains(&a), "{a} and {b}");
    assert_eq!(outcome.totals(None).count(), seen.lock().unwrap().len() as u64);
    let cpu: f64 = outcome.frames.iter().filter_map(|frame| frame.worker_cpu_seconds).sum();
    assert!(cpu < 1.5, "nobody spins: {cpu} s");
}

#[tokio::test]
async fn each_journey_takes_a_row_of_the_data_that_it_mentions() {
    let (url, seen) = server().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let people: String = (0..6).map(|n| format!("p{n}@example.com,{n}\n")).collect();
    std::fs::write(folder.path().join("data/people.csv"), format!("email,number\n{people}")).unwrap();
    std::fs::write(folder.path().join("data/orders.jsonl"), "{\"id\": 1}\n{\"id\": 2}\n{\"id\": 3}\n").unwrap();
    let load = r#"
data:
  people: {file: data/people.csv}
  any: {file: data/people.csv, pick: random}
  orders: {file: data/orders.jsonl, pick: unique}
journeys:
  - {name: in order, weight: 3, steps: [{get: "/in/${people.number}"}, {get: "/same/${people.number}"}]}
  - {name: any, weight: 3, steps: [{get: /any, query: {mail: "${any.email}"}}]}
  - {name: once, weight: 3, steps: [{name: once, post: /once, json: {id: "${orders.id}"}}]}
shape: [{hold: 3s, at: 40/s}]
"#;
    let outcome = run(&plan_of(&url, load, folder.path())).await;
    let seen = seen.lock().unwrap();
    let numbers = |path: &str| -> Vec<usize> {
        of(&seen, path).iter().map(|seen| seen.line.rsplit('/').next().unwrap().parse().unwrap()).collect()
    };
    let (first, second) = (numbers("/in/"), numbers("/same/"));
    assert!(first.len() > 20, "{first:?}");
    let mut counts = [0_usize; 6];
    first.iter().for_each(|number| counts[*number] += 1);
    assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "one order for all: {counts:?}");
    let mut sorted = [first, second];
    sorted.iter_mut().for_each(|numbers| numbers.sort_unstable());
    assert_eq!(sorted[0], sorted[1], "a journey keeps its row");
    let mails: BTreeSet<&str> = of(&seen, "/any?").iter().map(|seen| seen.line.as_str()).collect();
    assert_eq!(mails.len(), 6, "{mails:?}");
    let bodies: Vec<&Bytes> = of(&seen, "/once").iter().map(|seen| &seen.body).collect();
    assert_eq!(bodies, [r#"{"id":1}"#, r#"{"id":2}"#, r#"{"id":3}"#]);
    let none_left = outcome.totals(Some("data"));
    assert!(none_left.failed > 10 && outcome.totals(Some("once")).ok == 3, "{none_left:?}");
    assert_eq!(none_left.failures, BTreeMap::from([(FailureKind::Other, none_left.failed)]));
    let sample = outcome.frames.iter().flat_map(|frame| &frame.samples).find(|sample| sample.step == "data").unwrap();
    assert_eq!(sample.detail, "each row of `orders` was taken, and each may be taken once");
}

const AROUND: &str = r#"
setup: [{get: /login, capture: {token: $.token, items: $.items}}, {set: {who: "me"}}]
teardown: [{name: fails, get: /broken}, {delete: "/token/${token}"}]
journeys:
  - {name: j, think: 10ms, steps: [{loop: {over: "${items}", steps: [{get: "/use/${token}/${who}/${item.id}"}]}}]}
"#;

#[tokio::test]
async fn what_the_setup_captured_is_there_for_all_and_taken_away_at_the_end() {
    let (url, seen) = server().await;
    for shape in ["[{hold: 1s, at: 20/s}]", "[{hold: 1s, at: 2 users}]"] {
        seen.lock().unwrap().clear();
        let outcome = run(&plan_of(&url, &format!("{AROUND}shape: {shape}"), Path::new("."))).await;
        assert_eq!(outcome.end, Some((EndReason::Finished, 0)));
        let seen = seen.lock().unwrap();
        let lines = lines(&seen);
        assert_eq!((lines[0], *lines.last().unwrap()), ("GET /login", "DELETE /token/t17"));
        let used = lines.iter().filter(|line| line.starts_with("GET /use/t17/me/")).count();
        assert!(used > 20 && used == lines.len() - 3, "{lines:?}");
        assert_eq!(outcome.totals(None).ok, used as u64, "setup and teardown are counted in no frame");
        let samples: Vec<_> = outcome.frames.iter().flat_map(|frame| &frame.samples).collect();
        assert_eq!(samples.len(), 1, "{samples:?}");
        assert_eq!((samples[0].journey.as_str(), samples[0].step.as_str()), ("teardown", "fails"));
    }
}

#[tokio::test]
async fn a_stop_leads_to_the_teardown_and_is_over_in_time() {
    let (url, seen) = server().await;
    let mut worker = spawn(&plan_of(&url, &format!("{AROUND}shape: [{{hold: 5m, at: 20/s}}]"), Path::new("."))).await;
    wait_until("requests", || of(&seen.lock().unwrap(), "/use/").len() > 5).await;
    let mut outcome = Outcome::default();
    let records = worker.stop().await.unwrap();
    let closing = records.iter().position(|record| *record == WorkerRecord::Closing);
    assert!(closing.is_some_and(|closing| closing < records.len() - 1), "before the teardown: {records:?}");
    records.into_iter().for_each(|record| outcome.add(record));
    assert_eq!(outcome.end, Some((EndReason::Stopped, 0)));
    assert_eq!(of(&seen.lock().unwrap(), "DELETE /token/t17").len(), 1);

    let load = "setup: [{get: /login}, {get: /hang}]\nteardown: [{delete: /token}, {get: /hang}]
journeys: [{name: j, steps: [{get: /use}]}]\nshape: [{hold: 5m, at: 20/s}]";
    seen.lock().unwrap().clear();
    let mut worker = spawn(&plan_of(&url, load, Path::new("."))).await;
    wait_until("the setup hangs", || of(&seen.lock().unwrap(), "/hang").len() == 1).await;
    let mut outcome = Outcome::default();
    let start = tokio::time::Instant::now();
    worker.stop().await.unwrap().into_iter().for_each(|record| outcome.add(record));
    let took = start.elapsed().as_secs_f64();
    assert!((4.5..7.5).contains(&took), "the teardown has 5 s: {took}");
    assert_eq!(outcome.end, Some((EndReason::Stopped, 0)));
    let seen = seen.lock().unwrap();
    assert_eq!(lines(&seen), ["GET /login", "GET /hang", "DELETE /token", "GET /hang"]);
}

#[tokio::test]
async fn a_setup_that_fails_ends_the_worker_and_says_why() {
    let (url, seen) = server().await;
    let load = "setup: [{get: /login, capture: {token: $.token}}, {name: seed, post: /broken}, {post: /never}]
teardown: [{delete: '/token/${token}'}]
journeys: [{name: j, steps: [{get: /use}]}]\nshape: [{hold: 1s, at: 20/s}]";
    let mut worker = spawn(&plan_of(&url, load, Path::new("."))).await;
    let error = loop {
        match next(&mut worker).await.expect("an error comes before the end") {
            Ok(WorkerRecord::Ready { .. }) => panic!("it is not ready"),
            Ok(WorkerRecord::Frame(_) | WorkerRecord::Closing | WorkerRecord::Ended { .. }) => {}
            Err(error) => break error,
        }
    };
    let LoadError::Lost { stderr_tail, .. } = error else { panic!("{error}") };
    assert!(stderr_tail.contains("failed to set up the load: step `seed`: status 500 (status)"), "{stderr_tail}");
    assert_eq!(lines(&seen.lock().unwrap()), ["GET /login", "POST /broken", "DELETE /token/t17"]);
}
