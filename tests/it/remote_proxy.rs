//! Proxy targets that somebody else runs: a `gameday proxy` with a token, and what speaks Toxiproxy's API.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path as UrlPath, State};
use axum::http::{Method, StatusCode, Uri};
use axum::{Json, Router};
use gameday::aws::{Aws, Connection};
use gameday::event::{EventKind, FaultEnd, FaultState, RunState};
use gameday::fault::{FaultTarget, Reverted, Undo};
use gameday::proxy::{AdminClient, ClientTls, Connector, ProxyStanding, Terminator, TlsFault, ToxicSpec, UpstreamTls};
use gameday::unit::{Clock, ProxyName, Secret};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::contract;
use crate::proxy::toxic;
use crate::support::{Output, Run, Workspace, gameday, wait_for};

pub(crate) const TOKEN: &str = "s3cret-of-the-proxy";
const VARIABLE: &str = "GAMEDAY_TEST_PROXY_TOKEN";

/// An HTTP server that answers `ok` to every request, on threads of its own.
fn upstream() -> SocketAddr {
    fn serve(mut stream: TcpStream) -> std::io::Result<()> {
        let mut head = Vec::new();
        loop {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
            if head.ends_with(b"\r\n\r\n") {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
                head.clear();
            }
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream).ok());
        }
    });
    address
}

/// A `gameday proxy` that a test started apart from any run, with the proxies `cards`, `mail`, and `sealed`, to which clients
/// come by TLS. Dropping it kills it.
pub(crate) struct Remote {
    process: Child,
    pub(crate) admin: SocketAddr,
    /// Where each of them listens.
    listens: BTreeMap<String, SocketAddr>,
    runtime: tokio::runtime::Runtime,
}

impl Remote {
    pub(crate) fn start(workspace: &Workspace) -> Self {
        let upstream = upstream();
        let entry =
            |name: &str, tls: &str| format!("- {{name: {name}, upstream: \"{upstream}\", protocol: http{tls}}}\n");
        let entries = [entry("cards", ""), entry("mail", ""), entry("sealed", ", tls: {client: {}}")];
        workspace.write("proxies.yaml", &entries.concat());
        let mut command = gameday();
        command
            .args(["proxy", "--admin", "127.0.0.1:0", "--time-limit", "5m", "--config", "proxies.yaml", "--token"])
            .arg(format!("env:{VARIABLE}"))
            .env(VARIABLE, TOKEN)
            .current_dir(workspace.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = command.spawn().expect("started");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let mut listens = BTreeMap::new();
        let admin = loop {
            let line = lines.next().expect("it goes on").expect("text");
            if let Some(address) = line.strip_prefix("admin API on ") {
                break address.parse().expect("an address");
            }
            let (name, rest) = line.strip_prefix("proxy ").and_then(|it| it.split_once(": ")).expect("a proxy");
            let listen = rest.split_once(" -> ").expect("an upstream").0;
            listens.insert(name.to_owned(), listen.parse().expect("an address"));
        };
        Self { process, admin, listens, runtime: tokio::runtime::Runtime::new().expect("a runtime") }
    }

    fn client(&self) -> AdminClient {
        AdminClient::tcp(self.admin).with_token(Secret::new(TOKEN))
    }

    /// Asks the admin API as somebody else would.
    pub(crate) fn ask<T>(&self, ask: impl AsyncFnOnce(AdminClient) -> T) -> T {
        self.runtime.block_on(ask(self.client()))
    }

    /// The names of all that is on `cards`: toxics and rules.
    fn parts(&self) -> Vec<String> {
        let stats = self.ask(async |client| client.stats().await.expect("stats"));
        let cards = stats.proxies.get("cards").expect("it is there");
        cards.toxics.keys().chain(cards.rules.keys()).cloned().collect()
    }

    pub(crate) fn standing(&self, proxy: &str) -> ProxyStanding {
        let proxy: ProxyName = proxy.parse().expect("a name");
        self.ask(async |client| client.standing(&proxy).await).expect("asked").expect("it is there").0
    }

    fn requests(&self) -> u64 {
        self.ask(async |client| client.stats().await.expect("stats")).proxies["cards"].requests
    }

    /// A target that is one of its proxies.
    pub(crate) fn target(&self, proxy: &str) -> String {
        let (admin, listen) = (self.admin, self.listens[proxy]);
        format!(
            "{{proxy: {{admin: \"http://{admin}\", name: {proxy}, token: \"env:{VARIABLE}\", url: \"http://{listen}\"}}}}"
        )
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // It may have ended where the test ended it.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// A workspace whose sandbox has nothing that faults could reach.
pub(crate) fn workspace() -> Workspace {
    let workspace = Workspace::empty();
    workspace.write("gameday.yaml", "gameday: 1\nenvironments: {sandbox: {functions: {probe: {demo: probe}}}}\n");
    workspace
}

/// A scenario with the target `shop`, load through it, and a timeline.
pub(crate) fn scenario(target: &str, more_targets: &str, faults: &str, timeline: &str) -> String {
    format!(
        "gameday: 1\nid: remote\ntitle: A proxy beside the workload\nowner: team-shop\n\
         targets:\n  shop: {target}\n{more_targets}\
         signals: {{ok: {{load: {{of: users, stat: success_ratio}}}}}}\n\
         hypotheses: [{{id: H1, text: \"Somebody is served\", expect: \"max(ok) > 0%\"}}]\n\
         load:\n  users: {{journeys: [{{name: look, steps: [{{get: \"${{shop.url}}/\"}}]}}], shape: [{{hold: 10m, at: 2 users}}]}}\n\
         faults:\n{faults}timeline:\n{timeline}"
    )
}

/// Starts a run in a workspace, with the token where one is given.
pub(crate) fn start(workspace: &Workspace, arguments: &[&str], token: Option<&str>) -> Run {
    let mut command = gameday();
    command.args(["run", "scenarios/remote.yaml"]).args(arguments).env_remove(VARIABLE);
    workspace.start_command(command.envs(token.map(|token| (VARIABLE, token))))
}

fn recover(workspace: &Workspace, arguments: &[&str], token: Option<&str>) -> Output {
    let mut command = gameday();
    command.arg("recover").args(arguments).env_remove(VARIABLE);
    workspace.start_command(command.envs(token.map(|token| (VARIABLE, token)))).wait()
}

/// The text of every file of a folder, by its path.
fn texts(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(texts(&path));
        } else {
            let bytes = std::fs::read(&path).expect("a file");
            found.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    found
}

/// The token stands nowhere in what a run wrote or said, and its variable's name does.
#[track_caller]
fn assert_no_secret(workspace: &Workspace, outputs: &[&Output]) {
    let files = texts(&workspace.reports());
    assert!(files.iter().any(|(path, text)| path.ends_with("plan.json") && text.contains(VARIABLE)));
    assert!(files.iter().any(|(path, _)| path.contains("/undo/")), "there are undo files");
    for (path, text) in &files {
        assert!(!text.contains(TOKEN), "the token stands in {path}");
    }
    for output in outputs {
        assert!(!output.stdout.contains(TOKEN) && !output.stderr.contains(TOKEN), "{output:#?}");
    }
}

pub(crate) fn wait_until_in(workspace: &Workspace, faults: usize) {
    wait_for("all faults to be in", || {
        let is_in = |state| matches!(state, FaultState::Applied | FaultState::Effective);
        (workspace.state().faults.iter().filter(|fault| is_in(fault.state)).count() == faults).then_some(())
    });
}

const BROKEN: &str = "  - {phase: broken, for: 10m, until: mark(seen), do: [{at: 0s, load: users}, {at: 0s, fault: slow}, \
                      {at: 0s, fault: some}, {at: 0s, fault: gone}]}\n";
const FAULTS: &str = "  slow: {proxy_latency: {target: shop, latency: 50ms}}\n  \
                      some: {proxy_http_error: {target: shop, status: 503, percentage: 50%}}\n  \
                      gone: {proxy_refuse: {target: mail}}\n";

/// A workspace with a run that has broken both proxies: a toxic and a rule on one, and the other refuses.
fn broken(arguments: &[&str]) -> (Workspace, Remote, Run) {
    let workspace = workspace();
    let remote = Remote::start(&workspace);
    let mail = format!("  mail: {}\n", remote.target("mail"));
    workspace.write("scenarios/remote.yaml", &scenario(&remote.target("cards"), &mail, FAULTS, BROKEN));
    let run = start(&workspace, arguments, Some(TOKEN));
    wait_until_in(&workspace, 3);
    assert_eq!((remote.parts().len(), remote.standing("mail")), (2, ProxyStanding::Refusing));
    (workspace, remote, run)
}

fn ends(state: &RunState) -> Vec<Option<FaultEnd>> {
    state.faults.iter().map(|fault| fault.end).collect()
}

#[test]
fn faults_on_somebody_elses_proxy_are_named_after_the_run_proven_and_undone() {
    let workspace = workspace();
    let remote = Remote::start(&workspace);
    let theirs: ToxicSpec =
        serde_json::from_value(json!({"name": "theirs", "type": "latency", "attributes": {"latency": 1}}))
            .expect("a toxic");
    let cards: ProxyName = "cards".parse().expect("a name");
    remote.ask(async |client| client.add_toxic(&cards, &theirs).await).expect("added");
    remote.ask(async |_| {
        for _ in 0..200 {
            reqwest::get(format!("http://{}/", remote.listens["cards"])).await.expect("an answer");
        }
    });
    let earlier = remote.requests();
    let mail = format!("  mail: {}\n", remote.target("mail"));
    let timeline = "  - {phase: before, for: 2s, do: [{at: 0s, load: users}]}\n  \
                    - {phase: broken, for: 5s, do: [{at: 0s, fault: slow}, {at: 0s, fault: some}, {at: 0s, fault: gone}]}\n  \
                    - {phase: after, for: 1s, do: [{at: 0s, undo: gone}, {at: 0s, undo: some}, {at: 0s, undo: slow}]}\n";
    workspace.write("scenarios/remote.yaml", &scenario(&remote.target("cards"), &mail, FAULTS, timeline));
    let output = start(&workspace, &[], Some(TOKEN)).wait();
    assert_eq!(output.code(), 0, "{output:#?}");

    let state = workspace.state();
    assert_eq!(ends(&state), [Some(FaultEnd::Restored); 3], "{:#?}", state.faults);
    let proven: Vec<&str> = state
        .faults
        .iter()
        .filter(|fault| fault.effective_ms.is_some())
        .map(|fault| fault.identity.fault.as_str())
        .collect();
    assert_eq!(proven, ["slow", "some"], "the proxy tells what it did to callers: {:#?}", state.faults);
    for fault in state.faults.iter().filter(|fault| fault.identity.fault.as_str() != "gone") {
        assert!(fault.change.contains(&format!("`gameday-{}", state.run)), "{}", fault.change);
        assert!(fault.change.contains(&format!("proxy `cards` at http://{}", remote.admin)), "{}", fault.change);
    }
    assert_eq!((remote.parts(), remote.standing("mail")), (vec!["theirs".to_owned()], ProxyStanding::Listening));

    let seconds: Vec<_> = workspace
        .events()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::ProxyRecorded(second) => Some(second),
            _ => None,
        })
        .collect();
    assert!(seconds.iter().all(|second| second.proxy.as_str() == "shop"), "{seconds:?}");
    let recorded: u64 = seconds.iter().map(|second| second.requests).sum();
    let during = remote.requests() - earlier;
    assert!(recorded > 0 && recorded <= during, "{recorded} of {during}: what was before the run is not counted");
    assert!(
        seconds.iter().any(|second| second.faults.iter().any(|fault| fault.name.contains(&state.run))),
        "{seconds:?}"
    );
    assert_no_secret(&workspace, &[&output]);
}

#[test]
fn a_run_that_was_killed_is_undone_by_another_process_that_has_the_token() {
    let (workspace, remote, run) = broken(&["--no-watchdog"]);
    run.signal(Signal::KILL);
    let killed = run.wait();

    let without = recover(&workspace, &[], None);
    assert_eq!(without.code(), 8, "{without:#?}");
    let told = format!("there is no token in the variable `{VARIABLE}`");
    assert!(without.stdout.contains(&told), "{}", without.stdout);
    let by_hand =
        format!("-H \"Authorization: Bearer ${VARIABLE}\" http://{}/proxies/cards/toxics/gameday-", remote.admin);
    assert!(without.stdout.contains(&by_hand), "{}", without.stdout);
    let wrong = recover(&workspace, &[], Some("wrong"));
    assert_eq!(wrong.code(), 8, "{wrong:#?}");
    assert!(wrong.stdout.contains("status 401"), "{}", wrong.stdout);
    assert_eq!(remote.parts().len(), 2, "nothing was taken away");

    let recovered = recover(&workspace, &[], Some(TOKEN));
    assert_eq!(recovered.code(), 0, "{recovered:#?}");
    assert_eq!(ends(&workspace.state()), [Some(FaultEnd::Restored); 3]);
    assert_eq!((remote.parts(), remote.standing("mail")), (Vec::new(), ProxyStanding::Listening));
    assert_no_secret(&workspace, &[&killed, &without, &wrong, &recovered]);
}

#[test]
fn a_machine_that_is_lost_leaves_nothing_on_somebody_elses_proxy() {
    let (workspace, remote, run) = broken(&["--no-watchdog"]);
    // Longer than what is there would last if nobody put it off.
    let since = workspace.events().last().expect("an event").elapsed_ms;
    wait_for("the run to have put off what is in", || {
        let now = workspace.events().last().expect("an event").elapsed_ms;
        (now > since + 35_000).then_some(())
    });
    assert_eq!((remote.parts().len(), remote.standing("mail")), (2, ProxyStanding::Refusing), "the run lives");
    run.signal(Signal::KILL);
    run.wait();
    wait_for("the proxy to drop what nobody puts off", || {
        (remote.parts().is_empty() && remote.standing("mail") == ProxyStanding::Listening).then_some(())
    });
    let recovered = recover(&workspace, &[], Some(TOKEN));
    assert_eq!(recovered.code(), 0, "{recovered:#?}");
    assert_eq!(ends(&workspace.state()), [Some(FaultEnd::AsBefore); 3]);
}

#[test]
fn the_watchdog_of_a_killed_run_has_the_token_too() {
    let (workspace, remote, run) = broken(&[]);
    run.signal(Signal::KILL);
    run.wait();
    wait_for("the watchdog to undo everything", || (workspace.state().outstanding().count() == 0).then_some(()));
    assert_eq!(ends(&workspace.state()), [Some(FaultEnd::Restored); 3]);
    assert_eq!((remote.parts(), remote.standing("mail")), (Vec::new(), ProxyStanding::Listening));
}

#[test]
fn the_tls_of_somebody_elses_proxy_goes_bad_and_is_good_again() {
    let workspace = workspace();
    let remote = Remote::start(&workspace);
    let sealed_target = format!("  sealed: {}\n", remote.target("sealed"));
    let faults = "  bad: {proxy_tls: {target: sealed, fault: expired}}\n";
    let timeline =
        "  - {phase: broken, for: 10m, until: mark(seen), do: [{at: 0s, load: users}, {at: 0s, fault: bad}]}\n";
    workspace.write("scenarios/remote.yaml", &scenario(&remote.target("cards"), &sealed_target, faults, timeline));
    let run = start(&workspace, &["--no-watchdog"], Some(TOKEN));
    wait_until_in(&workspace, 1);
    let sealed: ProxyName = "sealed".parse().expect("a name");
    let tls_fault = || remote.ask(async |client| client.get_tls_fault(&sealed).await).expect("asked");
    let (fault, hits) = tls_fault().expect("it is in");
    assert_eq!((fault.fault, hits), (TlsFault::Expired, 0), "nobody has come yet");
    assert!(fault.ttl_ms.is_some_and(|ttl_ms| ttl_ms > 0), "it ends by itself when nobody of ours is left");

    // Whoever checks the certificate is proof of the effect.
    remote.ask(async |client| {
        let authority = client.authority(&sealed).await.expect("asked").expect("it has one");
        workspace.write("ca.pem", &authority);
        let authorities = Some(workspace.path().join("ca.pem"));
        let connector = Connector::new(&UpstreamTls { authorities }).expect("an authority");
        let stream = tokio::net::TcpStream::connect(remote.listens["sealed"]).await.expect("connected");
        connector.connect(stream, "localhost").await.expect_err("it has expired");
    });
    workspace.wait_for_event("the effect to be told", |kind| matches!(kind, EventKind::FaultEffective { .. }));
    run.signal(Signal::KILL);
    run.wait();

    let without = recover(&workspace, &[], None);
    assert_eq!(without.code(), 8, "{without:#?}");
    let by_hand = format!("http://{}/proxies/sealed/tls/fault", remote.admin);
    assert!(without.stdout.contains(&by_hand), "{}", without.stdout);
    assert!(tls_fault().is_some(), "nothing was taken away");
    let recovered = recover(&workspace, &[], Some(TOKEN));
    assert_eq!(recovered.code(), 0, "{recovered:#?}");
    assert_eq!((ends(&workspace.state()), tls_fault()), (vec![Some(FaultEnd::Restored)], None));
    assert_no_secret(&workspace, &[&without, &recovered]);
}

#[test]
fn what_somebody_else_takes_away_is_told_and_what_they_change_is_left_alone() {
    let (workspace, remote, run) = broken(&[]);
    let cards: ProxyName = "cards".parse().expect("a name");
    let toxics = remote.ask(async |client| client.stats().await.expect("stats")).proxies["cards"].toxics.clone();
    let name: gameday::unit::ToxicName = toxics.keys().next().expect("ours").parse().expect("a name");
    remote.ask(async |client| client.remove_toxic(&cards, &name).await).expect("removed");
    let mail: ProxyName = "mail".parse().expect("a name");
    remote.ask(async |client| client.put_standing(&mail, ProxyStanding::Down).await).expect("changed");
    workspace.wait_for_event("the run to tell that a fault is not in any more", |kind| {
        matches!(kind, EventKind::FaultLost { identity, why }
            if identity.fault.as_str() == "slow" && why.contains(name.as_str()))
    });
    run.signal(Signal::INT);
    let output = run.wait();
    assert_eq!(output.code(), 8, "{output:#?}");
    let state = workspace.state();
    let of = |name: &str| state.fault(&name.parse().expect("a name")).expect("it was injected");
    assert_eq!((of("slow").end, of("some").end), (Some(FaultEnd::AsBefore), Some(FaultEnd::Restored)));
    let drifted = of("gone");
    assert_eq!(drifted.state, FaultState::Drifted);
    let expected = format!("proxy `mail` at http://{} is down, and refusing was injected", remote.admin);
    assert_eq!(drifted.left, [expected]);
    assert_eq!(remote.standing("mail"), ProxyStanding::Down, "it is theirs");
}

/// A run that does not begin, and what it says.
#[track_caller]
fn not_ready(workspace: &Workspace, token: Option<&str>, expected: &[&str]) {
    let output = start(workspace, &[], token).wait();
    assert_eq!(output.code(), 7, "{output:#?}");
    for part in expected {
        assert!(output.stderr.contains(part), "`{part}` is not in {}", output.stderr);
    }
    assert!(!output.stderr.contains(TOKEN), "{}", output.stderr);
}

const LATE: &str = "  slow: {proxy_latency: {target: shop, latency: 50ms}}\n";
const SHORT: &str = "  - {phase: broken, for: 5s, do: [{at: 0s, load: users}, {at: 1s, fault: slow}]}\n";

#[test]
fn what_is_missing_is_told_before_anything_is_injected() {
    let workspace = workspace();
    let remote = Remote::start(&workspace);
    let write = |target: &str, faults: &str| {
        workspace.write("scenarios/remote.yaml", &scenario(target, "", faults, SHORT));
    };
    let cards = remote.target("cards");
    write(&cards, LATE);
    not_ready(&workspace, None, &["target `shop` is not ready", &format!("no token in the variable `{VARIABLE}`")]);
    not_ready(
        &workspace,
        Some("wrong"),
        &["target `shop` is not ready", "status 401", "does not bear the token of this proxy"],
    );
    write(&cards.replace("name: cards", "name: card"), LATE);
    not_ready(&workspace, Some(TOKEN), &["has no proxy `card`", "it has `cards`, `mail`"]);
    let nowhere = crate::support::free_port();
    write(&cards.replace(&remote.admin.port().to_string(), &nowhere.to_string()), LATE);
    not_ready(&workspace, Some(TOKEN), &["target `shop` is not ready", "cannot connect to the admin API"]);
    // Somebody serves there, and it is no fault proxy.
    write(&cards.replace(&remote.admin.to_string(), &upstream().to_string()), LATE);
    not_ready(&workspace, Some(TOKEN), &["target `shop` is not ready", "the answer to `GET /version` is not valid"]);
    let proxy: ProxyName = "cards".parse().expect("a name");
    remote.ask(async |client| client.put_standing(&proxy, ProxyStanding::Down).await).expect("changed");
    write(&cards, "  slow: {proxy_down: {target: shop}}\n");
    not_ready(&workspace, Some(TOKEN), &["fault `slow`", "it is down"]);
    assert!(remote.parts().is_empty());
}

#[test]
fn a_proxy_elsewhere_must_be_permitted_by_the_environment() {
    let workspace = workspace();
    let target = "{proxy: {admin: \"http://proxy.invalid:8474\", token: env:HOME, url: \"http://127.0.0.1:1\"}}";
    workspace.write("scenarios/remote.yaml", &scenario(target, "", LATE, SHORT));
    let refused = workspace.gameday(&["plan", "scenarios/remote.yaml"]);
    assert_eq!(refused.code(), 7, "{refused:#?}");
    assert!(refused.stderr.contains("add `\"http://proxy.invalid:8474\"` to the list `proxies`"), "{}", refused.stderr);
    let environment = "sandbox: {functions: {probe: {demo: probe}}, proxies: [\"http://proxy.invalid:8474\"]}";
    workspace.write("gameday.yaml", &format!("gameday: 1\nenvironments: {{{environment}}}\n"));
    let plan = workspace.gameday(&["plan", "scenarios/remote.yaml"]);
    assert_eq!(plan.code(), 0, "{plan:#?}");
    let told = "shop is the fault proxy shop at http://proxy.invalid:8474, with the token of HOME";
    assert!(plan.stdout.contains(told), "{}", plan.stdout);
}

/// Where faults on a remote proxy work, and a target that is one.
pub(crate) async fn environment(at: Value) -> gameday::fault::FaultEnvironment {
    let aws = Aws::connect(&Connection::Endpoint("http://127.0.0.1:1".to_owned())).await;
    let name = "shop".parse().expect("a name");
    let at = serde_json::from_value(at).expect("a remote proxy");
    contract::environment(&aws, &FaultTarget::RemoteProxy { name, at })
}

#[tokio::test]
async fn a_run_folder_from_elsewhere_does_not_decide_who_is_sent_a_token() {
    let at = json!({"admin": "http://proxy.invalid:8474", "token": "env:HOME", "name": "cards"});
    let environment = environment(at.clone()).await;
    let remote = json!({"at": at, "program": "gameday", "workspace": "/nowhere"});
    let undo: Undo =
        serde_json::from_value(json!({"proxy_refuse": {"proxy": "shop", "remote": remote, "injected": "refusing"}}))
            .expect("an undo");
    let error = undo.revert(&environment).await.expect_err("it is not permitted").to_string();
    assert!(error.contains("`proxies` of the environment"), "{error}");
}

/// Time is paused: what waits for an answer that does not come is given up at once.
#[tokio::test(start_paused = true)]
async fn what_is_over_by_itself_keeps_no_run_dirty_when_its_proxy_is_gone_for_good() {
    let admin = format!("http://127.0.0.1:{}", crate::support::free_port());
    let at = json!({"admin": admin, "name": "cards"});
    let environment = environment(at.clone()).await;
    let undo = |program: &str, ttl: Option<u64>| -> Undo {
        let mut toxic = json!(toxic("t", gameday::proxy::Toxic::LimitData(gameday::proxy::LimitData { bytes: 1 })));
        if let Some(ttl) = ttl {
            toxic["ttl_ms"] = json!(ttl);
        }
        let remote = json!({"at": at, "program": program, "workspace": "/w"});
        let change = json!({"proxy": "shop", "remote": remote, "toxic": toxic});
        serde_json::from_value(json!({"proxy_limit_data": change})).expect("an undo")
    };
    let began = tokio::time::Instant::now();
    assert_eq!(undo("gameday", Some(30_000)).revert(&environment).await.expect("over"), Reverted::Expired);
    assert!(
        began.elapsed() > Duration::from_secs(35),
        "{:?}: it was tried for longer than it can last",
        began.elapsed()
    );
    undo("toxiproxy", None).revert(&environment).await.expect_err("a Toxiproxy keeps it");
}

/// What a server that knows Toxiproxy's API alone was asked, and what it has.
#[derive(Default)]
struct Toxiproxy {
    asked: Vec<(String, Value)>,
    is_enabled: bool,
    toxics: BTreeMap<String, Value>,
}

type Shared = Arc<Mutex<Toxiproxy>>;

/// Its attributes are integers: it refuses a body with others.
fn has_whole_numbers(attributes: &Value) -> bool {
    attributes.as_object().is_some_and(|attributes| attributes.values().all(|value| value.is_i64() || value.is_u64()))
}

/// Serves the proxy `cards` as Toxiproxy 2.9 does, as far as it is asked: fields that it does not know are dropped, and a
/// toxicity is kept in single precision.
fn toxiproxy(runtime: &tokio::runtime::Runtime) -> (SocketAddr, Shared) {
    async fn serve(
        State(shared): State<Shared>,
        method: Method,
        uri: Uri,
        path: UrlPath<String>,
        body: String,
    ) -> (StatusCode, Json<Value>) {
        let mut state = shared.lock().expect("nobody panicked");
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        state.asked.push((format!("{method} {}", uri.path()), body.clone()));
        let parts: Vec<&str> = path.0.split('/').collect();
        let view = |state: &Toxiproxy| {
            json!({"name": "cards", "listen": "127.0.0.1:1", "upstream": "127.0.0.1:2", "enabled": state.is_enabled,
                   "toxics": state.toxics.values().collect::<Vec<_>>()})
        };
        let missing = (StatusCode::NOT_FOUND, Json(json!({"error": "not found", "status": 404})));
        match (method.as_str(), parts.as_slice()) {
            ("GET", ["version"]) => (StatusCode::OK, Json(json!({"version": "2.9.0"}))),
            ("GET", ["proxies"]) => (StatusCode::OK, Json(json!({"cards": view(&state)}))),
            ("GET", ["proxies", "cards"]) => (StatusCode::OK, Json(view(&state))),
            ("POST", ["proxies", "cards"]) => {
                state.is_enabled = body["enabled"].as_bool().unwrap_or(state.is_enabled);
                (StatusCode::OK, Json(view(&state)))
            }
            ("POST", ["proxies", "cards", "toxics"]) if !has_whole_numbers(&body["attributes"]) => {
                (StatusCode::BAD_REQUEST, Json(json!({"error": "bad request body", "status": 400})))
            }
            ("POST", ["proxies", "cards", "toxics"]) => {
                #[expect(clippy::cast_possible_truncation, reason = "as Toxiproxy keeps it")]
                let toxicity = body["toxicity"].as_f64().unwrap_or(1.0) as f32;
                let toxic = json!({"name": body["name"], "type": body["type"], "stream": body["stream"],
                                   "toxicity": toxicity.to_string().parse::<f64>().expect("a number"),
                                   "attributes": body["attributes"]});
                state.toxics.insert(body["name"].as_str().expect("a name").to_owned(), toxic.clone());
                (StatusCode::OK, Json(toxic))
            }
            ("GET", ["proxies", "cards", "toxics", name]) => match state.toxics.get(*name) {
                Some(toxic) => (StatusCode::OK, Json(toxic.clone())),
                None => missing,
            },
            ("DELETE", ["proxies", "cards", "toxics", name]) => match state.toxics.remove(*name) {
                Some(_) => (StatusCode::NO_CONTENT, Json(Value::Null)),
                None => missing,
            },
            _ => missing,
        }
    }
    let shared: Shared = Arc::new(Mutex::new(Toxiproxy { is_enabled: true, ..Toxiproxy::default() }));
    let router = Router::new().route("/{*path}", axum::routing::any(serve)).with_state(Arc::clone(&shared));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    runtime.spawn(async move { axum::serve(listener, router).await.expect("served") });
    (address, shared)
}

#[test]
fn a_toxiproxy_is_driven_as_far_as_its_api_goes_and_the_rest_is_refused() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (admin, shared) = toxiproxy(&runtime);
    let workspace = workspace();
    let target = format!("{{proxy: {{admin: \"http://{admin}\", name: cards, url: \"http://{}\"}}}}", upstream());
    let write = |faults: &str, timeline: &str| {
        workspace.write("scenarios/remote.yaml", &scenario(&target, "", faults, timeline));
    };
    for (fault, expected) in [
        (
            "proxy_http_error: {target: shop, status: 503}",
            "it is a Toxiproxy, which knows no faults on single requests",
        ),
        ("proxy_latency: {target: shop, latency: 1s, percentage: 50%}", "knows no faults on single requests"),
        ("proxy_latency: {target: shop, latency: 1s, jitter: 1s, distribution: normal}", "knows no `distribution`"),
        ("proxy_reset: {target: shop, delay: 1.5ms}", "knows no parts of a millisecond"),
        ("proxy_refuse: {target: shop}", "use `proxy_down`"),
    ] {
        write(&format!("  slow: {{{fault}}}\n"), SHORT);
        not_ready(&workspace, None, &["fault `slow`", expected]);
    }
    let asked = |shared: &Shared| shared.lock().expect("nobody panicked").asked.clone();
    assert!(asked(&shared).iter().all(|(call, _)| call.starts_with("GET ")), "nothing was changed");

    std::fs::remove_dir_all(workspace.reports()).expect("removed");
    let faults = "  slow: {proxy_latency: {target: shop, latency: 50ms, toxicity: 33.3333333%}}\n  gone: {proxy_down: {target: shop}}\n";
    let timeline =
        "  - {phase: broken, for: 3s, do: [{at: 0s, load: users}, {at: 1s, fault: slow}, {at: 2s, fault: gone}]}\n";
    write(faults, timeline);
    let output = start(&workspace, &[], None).wait();
    assert_eq!(output.code(), 0, "{output:#?}");
    assert_eq!(ends(&workspace.state()), [Some(FaultEnd::Restored); 2]);
    workspace.wait_for_event("the run to have told what it can not promise", |kind| {
        matches!(kind, EventKind::Noted { text, .. } if text.contains("is a Toxiproxy") && text.contains("stays"))
    });
    let report = std::fs::read_to_string(workspace.run_folder().expect("a run").join("report.md")).expect("a report");
    let told = "Nothing shows that `slow` did anything: its proxy told of no traffic";
    assert!(report.contains(told) && !report.contains("never did it to a caller"), "{report}");
    let state = shared.lock().expect("nobody panicked");
    assert!(state.is_enabled && state.toxics.is_empty());
    for (call, body) in &state.asked {
        assert!(!call.contains("/gameday/") && !call.contains("/rules") && !call.starts_with("PATCH"), "{call}");
        assert!(body.get("ttl_ms").is_none() && body.get("refuse").is_none(), "{call} {body}");
    }
}

#[test]
fn an_admin_api_behind_tls_must_prove_its_name() {
    let workspace = workspace();
    let remote = Remote::start(&workspace);
    let terminator =
        Terminator::new(&ClientTls::default(), &["localhost".to_owned()], Clock::start().now()).expect("good");
    workspace.write("ca.pem", terminator.ca_pem().expect("an authority"));
    let (admin, terminator) = (remote.admin, Arc::new(terminator));
    let listener = remote.runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    remote.runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let terminator = Arc::clone(&terminator);
            tokio::spawn(async move {
                let Ok(mut stream) = terminator.accept(stream).await else { return };
                let mut admin = tokio::net::TcpStream::connect(admin).await.expect("it listens");
                tokio::io::copy_bidirectional(&mut stream, &mut admin).await.ok();
            });
        }
    });
    let target = remote.target("cards").replace(&format!("http://{admin}"), &format!("https://localhost:{port}"));
    workspace.write("scenarios/remote.yaml", &scenario(&target, "", LATE, SHORT));
    let run = |authorities: &str| {
        let mut command = gameday();
        command.args(["run", "scenarios/remote.yaml"]).env(VARIABLE, TOKEN).env_remove("SSL_CERT_DIR");
        workspace.start_command(command.env("SSL_CERT_FILE", workspace.path().join(authorities))).wait()
    };
    let other = Terminator::new(&ClientTls::default(), &["localhost".to_owned()], Clock::start().now()).expect("good");
    workspace.write("other.pem", other.ca_pem().expect("an authority"));
    let refused = run("other.pem");
    assert_eq!(refused.code(), 7, "{refused:#?}");
    assert!(refused.stderr.contains("the TLS handshake with the admin API"), "{}", refused.stderr);
    std::fs::remove_dir_all(workspace.reports()).expect("removed");
    let output = run("ca.pem");
    assert_eq!(output.code(), 0, "{output:#?}");
    assert_eq!(ends(&workspace.state()), [Some(FaultEnd::Restored)]);
    assert_no_secret(&workspace, &[&output]);
}

/// A function that is led to a proxy, by the URL of its target.
#[test]
fn a_functions_endpoint_may_be_the_url_of_a_target() {
    let workspace = workspace();
    let target = "{proxy: {admin: \"http://127.0.0.1:8474\", url: \"http://10.0.1.7:18474\"}}";
    let more = "  probe: {lambda: {function: probe}}\n";
    let faults = "  slow: {lambda_endpoint: {target: probe, service: dynamodb, url: \"${shop.url}\"}}\n";
    workspace.write("scenarios/remote.yaml", &scenario(target, more, faults, SHORT));
    let plan = workspace.gameday(&["plan", "scenarios/remote.yaml"]);
    assert_eq!(plan.code(), 0, "{plan:#?}");
    assert!(plan.stdout.contains("lead calls of dynamodb by `probe` to http://10.0.1.7:18474"), "{}", plan.stdout);
    workspace.write("scenarios/remote.yaml", &scenario(target, more, &faults.replace("shop.url", "probe.url"), SHORT));
    let unknown = workspace.gameday(&["check", "scenarios/remote.yaml"]);
    assert_eq!(unknown.code(), 2, "{unknown:#?}");
    assert!(unknown.stderr.contains("nobody knows before the run what `${probe.url}` is"), "{}", unknown.stderr);
}
