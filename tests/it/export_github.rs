//! Actions as issues, against a small GitHub of our own: told first, made once, and never twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::routing::{get, patch};
use axum::{Json, response::IntoResponse, response::Response};
use serde_json::{Value, json};

use crate::action::workspace;
use crate::support::{Output, Workspace, gameday};

const TOKEN: &str = "ghp_notasecretatall";

/// How many issues a page has, so that a few of them are several pages.
const PAGE: usize = 2;

#[derive(Default)]
struct Known {
    issues: Vec<Value>,
    writes: usize,
    /// How many writes are taken before each is refused.
    writes_max: Option<usize>,
    /// Whether labels are left out, as of those who may not write to the repository.
    drops_labels: bool,
    /// How many calls are put off first.
    put_off: usize,
    tokens: Vec<String>,
}

type Shared = Arc<Mutex<Known>>;

/// A GitHub with one repository, `team/shop`.
struct Fake {
    known: Shared,
    url: String,
    _runtime: tokio::runtime::Runtime,
}

/// What stands before each answer: calls that are put off, and the token that came with it.
fn admit(known: &mut Known, headers: &HeaderMap) -> Option<Response> {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    known.tokens.push(token.to_owned());
    if known.put_off > 0 {
        known.put_off -= 1;
        return Some((StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "0")], "{}").into_response());
    }
    None
}

fn admit_write(known: &mut Known, headers: &HeaderMap) -> Option<Response> {
    let refused = admit(known, headers);
    if refused.is_some() {
        return refused;
    }
    if known.writes_max.is_some_and(|most| known.writes >= most) {
        let told = json!({"message": "Resource not accessible\u{1b}[2J by this token"});
        return Some((StatusCode::FORBIDDEN, Json(told)).into_response());
    }
    known.writes += 1;
    None
}

async fn list(
    State(known): State<Shared>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let mut known = known.lock().unwrap();
    if let Some(refused) = admit(&mut known, &headers) {
        return refused;
    }
    assert_eq!((query["state"].as_str(), query["labels"].as_str()), ("all", "gameday"));
    let page: usize = query.get("page").map_or(1, |page| page.parse().unwrap());
    let labelled =
        known.issues.iter().filter(|issue| issue["labels"].as_array().is_some_and(|labels| !labels.is_empty()));
    let issues: Vec<Value> = labelled.skip((page - 1) * PAGE).take(PAGE).cloned().collect();
    let host = headers[header::HOST].to_str().unwrap();
    let next = format!(
        "<http://{host}/repos/team/shop/issues?state=all&labels=gameday&page={}>; rel=\"next\", <http://{host}/>; rel=\"last\"",
        page + 1
    );
    let links: Vec<(HeaderName, String)> =
        if page * PAGE < known.issues.len() { vec![(header::LINK, next)] } else { Vec::new() };
    let mut response = Json(issues).into_response();
    for (name, value) in links {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

async fn create(State(known): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let mut known = known.lock().unwrap();
    if let Some(refused) = admit_write(&mut known, &headers) {
        return refused;
    }
    let number = known.issues.len() + 1;
    let labels = if known.drops_labels { json!([]) } else { json!([{"name": body["labels"][0]}]) };
    let issue = json!({
        "number": number, "html_url": format!("https://github.com/team/shop/issues/{number}"), "state": "open",
        "title": body["title"], "body": body["body"], "labels": labels, "user": {"login": "x"},
    });
    known.issues.push(issue.clone());
    (StatusCode::CREATED, Json(issue)).into_response()
}

async fn edit(
    State(known): State<Shared>,
    Path(number): Path<usize>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let mut known = known.lock().unwrap();
    if let Some(refused) = admit_write(&mut known, &headers) {
        return refused;
    }
    for (key, value) in body.as_object().unwrap() {
        known.issues[number - 1][key] = value.clone();
    }
    Json(known.issues[number - 1].clone()).into_response()
}

impl Fake {
    fn new() -> Self {
        let known = Shared::default();
        let app = Router::new()
            .route("/repos/team/shop/issues", get(list).post(create))
            .route("/repos/team/shop/issues/{number}", patch(edit))
            .with_state(Arc::clone(&known));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { known, url, _runtime: runtime }
    }

    fn export(&self, workspace: &Workspace, arguments: &[&str]) -> Output {
        let mut command = gameday();
        command.args(["export", "actions", "--to", "github", "--repo", "team/shop", "--api", &self.url]);
        command.args(arguments).env("OWN_TOKEN", TOKEN).env_remove("GITHUB_TOKEN");
        let output = workspace.start_command(&mut command).wait();
        assert!(!output.stdout.contains(TOKEN) && !output.stderr.contains(TOKEN), "the token is told");
        output
    }

    fn issues(&self) -> Vec<Value> {
        self.known.lock().unwrap().issues.clone()
    }
}

const APPLY: [&str; 3] = ["--apply", "--token-env", "OWN_TOKEN"];

/// Three open actions and one that is done; none is tracked.
fn actions() -> Workspace {
    let workspace = workspace();
    for (number, status) in [(31, "open"), (32, "open"), (33, "open"), (34, "done")] {
        let text = format!(
            "# A comment.\nid: A-2026-0{number}\ntext: Do {number} <b> @all\ntype: process\nowner: maria@example.com\ndue: 2026-04-15\nstatus: {status} # kept"
        );
        workspace.write(&format!("actions/A-2026-0{number}.yaml"), &text);
    }
    workspace
}

#[test]
fn what_would_be_done_is_told_then_done_and_not_done_twice() {
    let (fake, workspace) = (Fake::new(), actions());
    fake.known.lock().unwrap().put_off = 2;
    let dry = fake.export(&workspace, &[]);
    assert_eq!(dry.code(), 0, "{}", dry.stderr);
    assert_eq!((dry.stdout.matches("create ").count(), dry.stdout.matches("leave ").count()), (3, 1), "{}", dry.stdout);
    assert!(dry.stderr.contains("nothing was changed"), "{}", dry.stderr);
    assert!(fake.issues().is_empty() && fake.known.lock().unwrap().tokens.iter().all(String::is_empty));

    let first = fake.export(&workspace, &APPLY);
    assert_eq!(first.code(), 0, "{}", first.stderr);
    assert_eq!(first.stdout.matches("created ").count(), 3, "{}", first.stdout);
    let issues = fake.issues();
    let body = issues[0]["body"].as_str().unwrap();
    assert!(body.starts_with("<!-- gameday-id: A-2026-031 -->\n"), "{body}");
    assert!(!body.contains("<b>") && !body.contains("@all") && !body.contains("maria@"), "{body}");
    assert_eq!((&issues[0]["title"], &issues[0]["labels"][0]["name"]), (&"Do 31 <b> @all".into(), &"gameday".into()));
    assert_eq!(fake.known.lock().unwrap().tokens.last().unwrap(), &format!("Bearer {TOKEN}"));
    let read =
        |number| std::fs::read_to_string(workspace.path().join(format!("actions/A-2026-0{number}.yaml"))).unwrap();
    assert!(
        read(32).ends_with("status: open # kept\ntracker: https://github.com/team/shop/issues/2\n"),
        "only the tracker is written: {}",
        read(32)
    );
    assert!(read(32).starts_with("# A comment.\n") && !read(34).contains("tracker"));

    let writes = fake.known.lock().unwrap().writes;
    let again = fake.export(&workspace, &[&APPLY[..], &["--json"]].concat());
    let told: Value = serde_json::from_str(&again.stdout).unwrap();
    assert!(told.as_array().unwrap().iter().all(|task| task["step"] == "leave" && task["done"] == false), "{told}");
    assert_eq!(fake.known.lock().unwrap().writes, writes, "the second time nothing changes");

    workspace.write("actions/A-2026-031.yaml", &read(31).replace("status: open", "status: dropped\nwhy: It is gone"));
    workspace.write("actions/A-2026-032.yaml", &read(32).replace("2026-04-15", "2026-05-15"));
    fake.known.lock().unwrap().issues[2]["state"] = json!("closed");
    let last = fake.export(&workspace, &APPLY);
    assert_eq!(last.code(), 0, "{}", last.stderr);
    let issues = fake.issues();
    assert_eq!((&issues[0]["state"], &issues[0]["state_reason"]), (&"closed".into(), &"not_planned".into()));
    assert!(issues[1]["body"].as_str().unwrap().contains("2026-05-15") && issues[1]["state"] == "open");
    assert_eq!((issues.len(), &issues[2]["state"]), (3, &"closed".into()), "what somebody closed stays so");
    assert!(last.stdout.contains("somebody closed it there"), "{}", last.stdout);
}

#[test]
fn what_was_done_before_an_error_is_told_and_not_lost() {
    let (fake, workspace) = (Fake::new(), actions());
    fake.known.lock().unwrap().writes_max = Some(1);
    let cut = fake.export(&workspace, &APPLY);
    assert_eq!(cut.code(), 1);
    assert!(cut.stdout.contains("created  A-2026-031"), "{}", cut.stdout);
    for told in
        ["failed to create the issue of `A-2026-032`", "403", "permission to write issues", "1 of 3 changes were made"]
    {
        assert!(cut.stderr.contains(told), "{told}: {}", cut.stderr);
    }
    assert!(!cut.stderr.contains('\u{1b}'), "what a server says moves no cursor");
    fake.known.lock().unwrap().writes_max = None;
    // The address got lost: the issue is found again by what it says of itself.
    let path = workspace.path().join("actions/A-2026-031.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.split("tracker:").next().unwrap()).unwrap();
    let rest = fake.export(&workspace, &APPLY);
    assert_eq!((rest.code(), fake.issues().len()), (0, 3), "{}", rest.stderr);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn an_issue_that_gets_no_label_is_the_last_and_is_not_made_twice() {
    let (fake, workspace) = (Fake::new(), actions());
    fake.known.lock().unwrap().drops_labels = true;
    for _ in 0..2 {
        let cut = fake.export(&workspace, &APPLY);
        assert_eq!(cut.code(), 1, "{}", cut.stdout);
        assert!(cut.stderr.contains("without the label `gameday`"), "{}", cut.stderr);
    }
    let titles: Vec<String> = fake.issues().iter().map(|issue| issue["title"].to_string()).collect();
    assert_eq!(titles, ["\"Do 31 <b> @all\"", "\"Do 32 <b> @all\""], "one for each attempt, and none twice");
}

#[test]
fn what_can_not_be_done_is_told_before_anything_is() {
    let (fake, workspace) = (Fake::new(), actions());
    for (arguments, told) in [
        (&["--apply"][..], "`GITHUB_TOKEN` has no token"),
        (&["--apply", "--token-env", "NO_SUCH"], "`NO_SUCH` has no token"),
        (&["--output", "x"], "issues are written to no file"),
    ] {
        let output = fake.export(&workspace, arguments);
        assert_eq!(output.code(), 1, "{arguments:?}");
        assert!(output.stderr.contains(told), "{arguments:?}: {}", output.stderr);
    }
    for (arguments, told) in [
        (&["export", "actions", "--to", "github"][..], "say in which repository"),
        (&["export", "actions", "--to", "github", "--repo", "shop"], "write it as `owner/name`"),
        (
            &["export", "actions", "--to", "github", "--repo", "a/b", "--api", "http://github.example.com"],
            "read on the way",
        ),
        (&["export", "lessons", "--to", "github"], "lessons have no issues"),
        (&["export", "actions", "--to", "md", "--apply"], "belong to `--to github`"),
        (&["export", "actions", "--to", "github", "--repo", "team/other", "--api", &fake.url], "404"),
        (
            &["export", "actions", "--to", "github", "--repo", "a/b", "--api", "http://127.0.0.1:1"],
            "could not be asked",
        ),
    ] {
        let output = workspace.gameday(arguments);
        assert_eq!(output.code(), 1, "{arguments:?}: {}", output.stdout);
        assert!(output.stderr.contains(told), "{arguments:?}: {}", output.stderr);
    }
    assert!(fake.issues().is_empty());
}
