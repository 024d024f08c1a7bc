//! Runs against a sandbox that runs apart: what a run leaves there outlives it, so what is undone can be looked at.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gameday::event::{AbortCause, EventKind, FaultEnd, FaultState, ProcessKind, RunState, StepOutcome, read_log};
use gameday::run::find_runs;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::lambda::{Function, Lambda};
use crate::support::{Output, Run, Workspace, free_port, has_ended, is_free, wait_for};

/// The shop, with updates that take their time as they do in AWS, and with payments that are not queued: an order comes
/// through only when the money does.
const FUNCTIONS: &str = r#"
functions:
  checkout-fn:
    demo: checkout
    timeout: 10s
    environment: {PAYMENTS: payments-fn, PAYMENT_TIMEOUT_MS: "5000"}
  payments-fn:
    demo: payments
    timeout: 5s
    update_ms: 300
    environment: {PROVIDER_URL: "http://127.0.0.1:18080", CURRENCY: EUR}
card_provider: "127.0.0.1:18080"
"#;

const SCENARIO: &str = r#"
gameday: 1
id: apart
title: Three faults on a sandbox that runs apart
owner: team-shop
mode: drill
environments: {allow: [local]}
people: {responder: {who: maria}}
targets:
  checkout-fn: {lambda: {function: checkout-fn}}
  payments-fn: {lambda: {function: payments-fn}}
  provider:
    proxy:
      listen: "127.0.0.1:18474"
      upstream: "127.0.0.1:18080"
      protocol: http
      route: {payments-fn: PROVIDER_URL}
signals:
  health: {level: system, http: {get: "${checkout-fn.url}/health", every: 500ms}}
hypotheses:
  - {id: H1, severity: high, text: "The shop is there before anything is broken", expect: "mean(health) > 50% during quiet"}
load:
  shoppers:
    base_url: "${checkout-fn.url}"
    on_lost: continue
    journeys: [{name: look, think: 200ms, steps: [{name: browse, get: /items, expect: {status: 200}}]}]
    shape: [{hold: 30m, at: 1 user}]
faults:
  silent-provider: {proxy_timeout: {target: provider}}
  impatient-payments: {lambda_timeout: {target: payments-fn, timeout: 1s}}
  throttled-checkout: {lambda_concurrency: {target: checkout-fn, reserved: 0}, effect_if: "mean(health) < 50%"}
timeline:
  - {phase: quiet, for: 3s, do: [{at: 0s, load: shoppers}], steady: [H1]}
  - phase: broken
    for: HOLD
    do: [{at: 0s, fault: silent-provider}, {at: 0s, fault: impatient-payments}, {at: 0s, fault: throttled-checkout}]
    checklist:
      - {id: look, do: "Look at the shop", owner: responder}
"#;

/// Changes of the scenario: three faults and the route through the proxy.
const CHANGES: usize = 4;

/// A workspace, and the sandbox that runs apart from its runs.
pub(crate) struct Apart {
    pub(crate) workspace: Workspace,
    lambda: Lambda,
    sandbox: Run,
}

impl Apart {
    pub(crate) fn start() -> Self {
        let workspace = Workspace::new();
        workspace.write("functions.yaml", FUNCTIONS);
        workspace.write("scenarios/apart.yaml", &SCENARIO.replace("HOLD", "30m"));
        workspace.write("scenarios/short.yaml", &SCENARIO.replace("HOLD", "5s"));
        let strict = SCENARIO.replace("HOLD", "30m").replace("on_lost: continue", "on_lost: abort");
        workspace.write("scenarios/strict.yaml", &strict);
        let mut sandbox = workspace.start(&["sandbox", "up", "--functions", "functions.yaml", "--json"]);
        let endpoint = sandbox.read_json()["endpoint"].as_str().expect("an endpoint").to_owned();
        workspace
            .write("gameday.yaml", &format!("gameday: 1\nenvironments: {{local: {{endpoint: \"{endpoint}\"}}}}\n"));
        Self { workspace, lambda: Lambda::at(&endpoint), sandbox }
    }

    pub(crate) fn gameday(&self, arguments: &[&str]) -> Output {
        self.workspace.gameday(arguments)
    }

    pub(crate) fn functions(&self) -> [Function; 2] {
        [self.lambda.function("checkout-fn"), self.lambda.function("payments-fn")]
    }

    /// Orders something through the shop's function URL, which pays through the provider: the status and the answer.
    fn buy(&self) -> (u16, Value) {
        let url = self.lambda.url("checkout-fn");
        self.lambda.runtime.block_on(async {
            let http = reqwest::Client::new();
            let basket = http.post(format!("{url}basket")).json(&json!({"item": 17})).send().await.expect("an answer");
            if basket.status() != 201 {
                return (basket.status().as_u16(), Value::Null);
            }
            let basket: Value = basket.json().await.expect("a basket");
            let id = basket["id"].as_str().expect("an id");
            let order = http.post(format!("{url}basket/{id}/checkout")).send().await.expect("an answer");
            (order.status().as_u16(), order.json().await.expect("an order"))
        })
    }

    #[track_caller]
    pub(crate) fn assert_paid(&self) {
        let (status, order) = self.buy();
        assert_eq!((status, &order["payment"]), (201, &json!("paid")), "{order}");
    }

    /// The latest run's folder.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        find_runs(&self.workspace.reports()).expect("runs").pop()
    }

    pub(crate) fn kinds(&self) -> Vec<EventKind> {
        let read = self.folder().and_then(|folder| read_log(&folder).ok());
        read.into_iter().flat_map(|read| read.events).map(|event| event.kind).collect()
    }

    pub(crate) fn state(&self) -> RunState {
        let read = self.folder().and_then(|folder| read_log(&folder).ok());
        read.map(|read| RunState::fold(&read.events)).unwrap_or_default()
    }

    /// Starts a run and waits until all its changes are made.
    pub(crate) fn start_broken(&self, more: &[&str]) -> Run {
        self.start_scenario("scenarios/apart.yaml", more)
    }

    fn start_scenario(&self, scenario: &str, more: &[&str]) -> Run {
        let run = self.workspace.start(&[&["run", scenario, "--env", "local"], more].concat());
        self.wait_until_broken();
        run
    }

    /// Waits until all changes of the latest run are made, and looks at them.
    pub(crate) fn wait_until_broken(&self) {
        wait_for("all faults to be applied, and one proven", || {
            let state = self.state();
            let is_in = |state: FaultState| matches!(state, FaultState::Applied | FaultState::Effective);
            let is_proven = state.faults.iter().any(|fault| fault.state == FaultState::Effective);
            (state.faults.iter().filter(|fault| is_in(fault.state)).count() == CHANGES && is_proven).then_some(())
        });
        let [checkout, payments] = self.functions();
        assert_eq!((checkout.reserved, payments.timeout_seconds), (Some(0), Some(1)));
        let through_proxy = format!("http://127.0.0.1:{}", self.workspace.proxy_port);
        assert_eq!(payments.environment["PROVIDER_URL"], through_proxy);
        assert_eq!(self.buy().0, 429);
    }

    /// Everything is as it was: the functions, the dependency, the ports and processes.
    #[track_caller]
    pub(crate) fn assert_as_before(&self, before: &[Function; 2]) {
        assert_eq!(self.functions(), *before);
        self.assert_paid();
        let state = self.state();
        assert_eq!(state.faults.len(), CHANGES, "{:#?}", state.faults);
        for fault in &state.faults {
            assert_eq!((fault.state, fault.end), (FaultState::Restored, Some(FaultEnd::Restored)), "{fault:#?}");
        }
        let proxies: Vec<_> = state.processes.iter().filter(|(kind, ..)| *kind == ProcessKind::Proxy).collect();
        assert_eq!(proxies.len(), 1);
        for (_, pid, socket) in proxies {
            wait_for("the proxy to end", || has_ended(*pid).then_some(()));
            assert!(!std::path::Path::new(socket).exists(), "`{socket}` is still there");
        }
        for pid in self.kinds().into_iter().filter_map(|kind| match kind {
            EventKind::LoadStarted { pid, .. } => Some(pid),
            _ => None,
        }) {
            wait_for("the load worker to end", || has_ended(pid).then_some(()));
        }
        wait_for("the proxy's port to be free", || is_free(self.workspace.proxy_port).then_some(()));
    }

    /// Ends the sandbox as a person would, and waits for it.
    pub(crate) fn stop(self) {
        self.sandbox.signal(Signal::INT);
        assert_eq!(self.sandbox.wait().code(), 0);
    }
}

#[test]
fn a_run_that_was_killed_is_undone_by_recover_and_only_then_may_the_next_one_begin() {
    let apart = Apart::start();
    apart.assert_paid();
    let before = apart.functions();
    assert_eq!((before[0].reserved, before[1].reserved), (None, None));

    let run = apart.start_broken(&["--no-watchdog"]);
    run.signal(Signal::KILL);
    assert_eq!(run.wait().status.code(), None);
    let broken = apart.state();
    assert_eq!(broken.outstanding().count(), CHANGES);
    let (_, proxy, _) = broken.processes.iter().find(|(kind, ..)| *kind == ProcessKind::Proxy).expect("a proxy");
    assert!(!has_ended(*proxy), "the proxy outlives the run, so that payments are not cut off");
    assert_eq!(apart.functions()[0].reserved, Some(0), "nobody has undone anything yet");
    let status = apart.gameday(&["status"]);
    assert!(status.stdout.contains(&format!("gameday recover {}", broken.run)), "{status:#?}");

    let refused = apart.gameday(&["run", "scenarios/apart.yaml", "--env", "local"]);
    assert_eq!(refused.code(), 8, "{refused:#?}");
    assert!(refused.stderr.contains(&format!("gameday recover {}", broken.run)), "{}", refused.stderr);
    assert_eq!(apart.state().run, broken.run, "a run that is refused leaves no folder");

    let recovered = apart.gameday(&["recover"]);
    assert_eq!(recovered.code(), 0, "{recovered:#?}");
    assert!(recovered.stdout.contains("everything is as it was"), "{recovered:#?}");
    apart.assert_as_before(&before);

    let events = apart.kinds().len();
    let again = apart.gameday(&["recover"]);
    assert_eq!(again.code(), 0, "{again:#?}");
    assert!(again.stdout.contains("nothing to recover"), "{again:#?}");
    let by_name = apart.gameday(&["recover", &broken.run]);
    assert_eq!(by_name.code(), 0, "{by_name:#?}");
    assert!(by_name.stdout.contains("nothing was left behind"), "{by_name:#?}");
    assert_eq!(apart.kinds().len(), events, "with nothing to do, nothing is written");
    let status = apart.gameday(&["status"]);
    assert!(status.stdout.contains("and was recovered"), "{status:#?}");

    let next = apart.gameday(&["run", "scenarios/short.yaml", "--env", "local"]);
    assert_eq!(next.code(), 0, "{next:#?}");
    assert_ne!(apart.state().run, broken.run);
    apart.assert_as_before(&before);
    apart.stop();
}

#[test]
fn a_proxy_whose_run_was_killed_lets_everything_through_until_recovery() {
    let apart = Apart::start();
    apart.assert_paid();
    let before = apart.functions();
    let run = apart.start_broken(&["--no-watchdog"]);
    run.signal(Signal::KILL);
    assert_eq!(run.wait().status.code(), None);
    let provider = format!("http://127.0.0.1:{}/health", apart.workspace.proxy_port);
    let http = reqwest::Client::builder().timeout(std::time::Duration::from_secs(1)).build().expect("a client");
    wait_for("the silent provider to answer through the proxy", || {
        apart.lambda.runtime.block_on(async { http.get(&provider).send().await.ok().map(drop) })
    });

    let recovered = apart.gameday(&["recover", "--json"]);
    assert_eq!(recovered.code(), 0, "{recovered:#?}");
    let answer: Value = serde_json::from_str(&recovered.stdout).expect("JSON alone");
    let ends: BTreeMap<&str, &str> = answer[0]["faults"]
        .as_array()
        .expect("faults")
        .iter()
        .map(|fault| (fault["fault"].as_str().expect("a name"), fault["end"].as_str().expect("an end")))
        .collect();
    let expected = BTreeMap::from([
        ("impatient-payments", "restored"),
        ("route-provider", "restored"),
        ("silent-provider", "as_before"),
        ("throttled-checkout", "restored"),
    ]);
    assert_eq!(ends, expected);
    assert_eq!(apart.functions(), before);
    apart.assert_paid();
    wait_for("the proxy's port to be free", || is_free(apart.workspace.proxy_port).then_some(()));
    apart.stop();
}

#[test]
fn a_run_that_is_told_to_terminate_undoes_everything_first() {
    let apart = Apart::start();
    apart.assert_paid();
    let before = apart.functions();
    let run = apart.start_broken(&[]);
    run.signal(Signal::TERM);
    let output = run.wait();
    assert_eq!(output.code(), 5, "{output:#?}");
    assert_eq!(apart.state().abort, Some(AbortCause::Signal { signal: "SIGTERM".to_owned() }));
    assert!(output.stdout.contains("ended by SIGTERM") && !output.stdout.contains("a person"), "{}", output.stdout);
    apart.assert_as_before(&before);
    let recovered = apart.gameday(&["recover"]);
    assert_eq!(recovered.code(), 0, "{recovered:#?}");
    assert!(recovered.stdout.contains("nothing to recover"), "{recovered:#?}");
    apart.stop();
}

#[test]
fn an_endpoint_that_does_not_answer_is_not_ready_and_has_a_report() {
    let workspace = Workspace::new();
    let endpoint = format!("http://127.0.0.1:{}", free_port());
    workspace.write("gameday.yaml", &format!("gameday: 1\nenvironments: {{local: {{endpoint: \"{endpoint}\"}}}}\n"));
    workspace.write("scenarios/short.yaml", &SCENARIO.replace("HOLD", "5s"));
    let output = workspace.gameday(&["run", "scenarios/short.yaml", "--env", "local", "--no-watchdog"]);
    assert_eq!(output.code(), 7, "{output:#?}");
    let named = format!("is not ready: nothing answers at `{endpoint}`, the endpoint of environment `local`");
    assert!(output.stderr.contains(&named) && !output.stderr.contains("error of our own"), "{}", output.stderr);
    let folder = workspace.run_folder().expect("a run");
    let report = std::fs::read_to_string(folder.join("report.md")).expect("a report");
    assert!(report.contains("not ready") && report.contains(&endpoint), "{report}");
    assert!(matches!(workspace.state().abort, Some(AbortCause::NotReady { .. })));
}

#[test]
fn a_run_whose_load_worker_is_killed_undoes_everything_and_says_why() {
    let apart = Apart::start();
    apart.assert_paid();
    let before = apart.functions();
    let run = apart.start_scenario("scenarios/strict.yaml", &[]);
    let worker = apart.kinds().into_iter().find_map(|kind| match kind {
        EventKind::LoadStarted { pid, .. } => Some(pid),
        _ => None,
    });
    let worker = worker.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).expect("a worker");
    kill_process(worker, Signal::KILL).expect("it lives");
    let output = run.wait();
    assert_eq!(output.code(), 6, "{output:#?}");
    assert!(output.stderr.contains("load shoppers was lost"), "{output:#?}");
    assert_eq!(apart.state().abort, Some(AbortCause::LoadLost { load: "shoppers".parse().expect("an id") }));
    apart.assert_as_before(&before);
    apart.stop();
}

#[test]
fn people_take_part_from_another_terminal_and_one_of_them_ends_the_run() {
    let apart = Apart::start();
    apart.assert_paid();
    let before = apart.functions();
    let nobody = apart.gameday(&["note", "is anybody there?"]);
    assert_eq!(nobody.code(), 1, "{nobody:#?}");
    let run = apart.start_broken(&[]);
    let say = |arguments: &[&str]| {
        let output = apart.gameday(arguments);
        assert_eq!(output.code(), 0, "{output:#?}");
        output.stdout
    };
    let refused = |arguments: &[&str], why: &str| {
        let output = apart.gameday(arguments);
        assert_eq!(output.code(), 1, "{output:#?}");
        assert!(output.stderr.contains(why), "{}", output.stderr);
    };

    let status = say(&["status"]);
    for part in ["alive", "phase broken", "throttled-checkout: effective", "step look", "load shoppers"] {
        assert!(status.contains(part), "`{part}` is not in: {status}");
    }
    let status: Value = serde_json::from_str(&say(&["status", "--json"])).expect("JSON alone");
    assert_eq!((&status["alive"], &status["state"]["stage"]), (&json!(true), &json!("running")));

    refused(&["step", "done", "loook", "--by", "maria"], "did you mean `look`?");
    say(&["step", "done", "look", "--by", "maria"]);
    refused(&["step", "done", "look", "--by", "maria"], "closed already");
    say(&["ack", "--by", "maria"]);
    say(&["mark", "detected", "--by", "joonas"]);
    refused(&["mark", "identified", "--fault", "silent-provder"], "did you mean `silent-provider`?");
    say(&["mark", "identified", "--fault", "silent-provider", "--by", "joonas"]);
    say(&["note", "the", "card", "page", "spins", "--by", "aiko"]);
    say(&["pause", "--by", "joonas"]);
    refused(&["pause"], "paused already");
    assert!(apart.functions()[0].reserved == Some(0), "a pause undoes nothing");
    say(&["resume", "--by", "joonas"]);
    let locked = apart.gameday(&["run", "scenarios/apart.yaml", "--env", "local"]);
    assert_eq!(locked.code(), 9, "{locked:#?}");
    let alive = apart.gameday(&["recover", &apart.state().run]);
    assert_eq!(alive.code(), 9, "{alive:#?}");
    say(&["abort", "--why", "we have seen enough", "--by", "aiko"]);
    let output = run.wait();
    assert_eq!(output.code(), 5, "{output:#?}");
    apart.assert_as_before(&before);
    refused(&["abort"], "no run is alive");

    let by = |name: &str| Some(name.to_owned());
    let kinds = apart.kinds();
    for expected in [
        EventKind::StepClosed {
            step: "look".parse().expect("an id"),
            outcome: StepOutcome::Done,
            by: by("maria"),
            evidence: None,
        },
        EventKind::Acknowledged { by: by("maria") },
        EventKind::Marked { name: "detected".to_owned(), fault: None, by: by("joonas"), component: None, text: None },
        EventKind::Marked {
            // The older name of the mark means the same.
            name: "diagnosed".to_owned(),
            fault: Some("silent-provider".parse().expect("an id")),
            by: by("joonas"),
            component: None,
            text: None,
        },
        EventKind::Noted { text: "the card page spins".to_owned(), by: by("aiko") },
        EventKind::RunPaused { by: by("joonas") },
        EventKind::RunResumed { by: by("joonas") },
        EventKind::RunAborted { cause: AbortCause::Person { why: by("we have seen enough"), by: by("aiko") } },
    ] {
        assert_eq!(kinds.iter().filter(|kind| **kind == expected).count(), 1, "{expected:?}");
    }
    apart.stop();
}
