//! On a proxy that several use: what a run put there is told from what somebody else put there since, though it looks the same.

use std::net::SocketAddr;
use std::time::Duration;

use gameday::event::{EventKind, FaultState};
use gameday::fault::{FaultEnvironment, FaultError, Renewed, Reverted, Undo};
use gameday::proxy::{AdminClient, ProxyStanding};
use gameday::unit::ProxyName;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::process::Child;

use crate::contract;
use crate::proxy::{Api, end, http_server, start_on_tcp, until};
use crate::remote_proxy::{Remote, TOKEN, environment, scenario, start, wait_until_in, workspace};

/// The proxy `p` of a `gameday proxy` that somebody else runs, and to which clients come by TLS.
struct Shared {
    process: Child,
    admin: SocketAddr,
    client: AdminClient,
    proxy: ProxyName,
}

impl Shared {
    async fn start() -> Self {
        let (process, admin) = start_on_tcp(&[]).await;
        let body = json!({"name": "p", "upstream": http_server().await, "tls": {"client": {}}});
        let (status, made) = Api { admin }.ask("POST", "/proxies", Some(body)).await;
        assert_eq!(status, 201, "{made}");
        Self { process, admin, client: AdminClient::tcp(admin), proxy: "p".parse().expect("a name") }
    }

    /// Where the faults of a run work.
    async fn run(&self, run: &str) -> FaultEnvironment {
        let at = json!({"admin": format!("http://{}", self.admin), "name": "p"});
        let mut environment = environment(at).await;
        environment.occasion.token = format!("gameday-{run}-001-it");
        environment
    }

    async fn standing(&self) -> (ProxyStanding, Option<String>) {
        self.client.standing(&self.proxy).await.expect("asked").expect("it is there")
    }

    /// What somebody does who knows nothing of tokens.
    async fn put(&self, standing: ProxyStanding) {
        self.client.put_standing(&self.proxy, standing).await.expect("changed");
    }

    /// The token of the TLS fault that is there; none where there is none.
    async fn tls_token(&self) -> Option<String> {
        let found = self.client.get_tls_fault(&self.proxy).await.expect("asked");
        found.map(|(fault, _)| fault.token.expect("a run gives one"))
    }

    async fn stop(mut self) {
        end(&mut self.process, Signal::TERM).await;
    }
}

async fn inject(undo: &Undo, run: &FaultEnvironment) -> Result<(), FaultError> {
    undo.inject(run, &contract::armed(undo)).await
}

async fn prepared(kind: &str, parameters: Value, run: &FaultEnvironment) -> Undo {
    contract::fault(kind, parameters).prepare(run).await.expect("it is free")
}

#[tokio::test]
async fn another_runs_tls_fault_of_the_same_kind_is_neither_put_off_nor_taken_away() {
    let shared = Shared::start().await;
    let (one, other) = (shared.run("one").await, shared.run("other").await);
    let expired = || json!({"fault": "expired"});
    let ours = prepared("proxy_tls", expired(), &one).await;
    inject(&ours, &one).await.expect("injected");
    inject(&ours, &one).await.expect("a second try finds it there");
    assert_eq!(ours.renew(&one).await.expect("asked"), Renewed::Held);
    let first = shared.tls_token().await.expect("it is in");
    assert!(first.starts_with("gameday-one-001-it-"), "{first}");

    // The run sleeps until its time is over.
    assert!(shared.client.put_tls_fault_off(&shared.proxy, Duration::from_millis(1), None).await.expect("asked"));
    until("it is over", async || shared.tls_token().await.is_none()).await;
    assert_eq!(ours.renew(&one).await.expect("asked"), Renewed::Lost);
    let theirs = prepared("proxy_tls", expired(), &other).await;
    inject(&theirs, &other).await.expect("injected");
    let second = shared.tls_token().await.expect("it is in");
    assert_ne!(first, second);
    assert_eq!(ours.renew(&one).await.expect("asked"), Renewed::Lost, "it is not ours");
    let told = format!(
        "TLS fault `expired` on proxy `p` at http://{} is over, and somebody else's TLS fault is there",
        shared.admin
    );
    assert_eq!(ours.revert(&one).await.expect("compared"), Reverted::Drift(vec![told]));
    assert_eq!(shared.tls_token().await, Some(second), "it is left alone");

    assert_eq!(theirs.renew(&other).await.expect("asked"), Renewed::Held);
    assert_eq!(theirs.revert(&other).await.expect("undone"), Reverted::Restored);
    assert_eq!(ours.revert(&one).await.expect("compared"), Reverted::AsBefore);
    shared.stop().await;
}

#[tokio::test]
async fn an_outage_that_somebody_else_made_after_ours_is_neither_put_off_nor_ended() {
    let shared = Shared::start().await;
    let (one, other) = (shared.run("one").await, shared.run("other").await);
    let told = format!("proxy `p` at http://{} was taken out of reach by somebody else", shared.admin);
    let drift = || Reverted::Drift(vec![told.clone()]);
    for (kind, standing) in [("proxy_down", ProxyStanding::Down), ("proxy_refuse", ProxyStanding::Refusing)] {
        let ours = prepared(kind, json!({}), &one).await;
        inject(&ours, &one).await.expect(kind);
        inject(&ours, &one).await.expect("a second try finds it so");
        assert_eq!(ours.renew(&one).await.expect(kind), Renewed::Held, "{kind}");
        let (found, token) = shared.standing().await;
        assert_eq!(found, standing);
        assert!(token.is_some_and(|token| token.starts_with("gameday-one-001-it-")), "{kind}");

        // Somebody ends it, and later takes the proxy out of reach for another reason.
        shared.put(ProxyStanding::Listening).await;
        assert_eq!(shared.standing().await, (ProxyStanding::Listening, None), "{kind}");
        shared.put(standing).await;
        assert_eq!(ours.renew(&one).await.expect(kind), Renewed::Lost, "{kind}");
        assert_eq!(ours.revert(&one).await.expect(kind), drift(), "{kind}");
        assert_eq!(shared.standing().await, (standing, None), "{kind}: it is left alone");
        shared.put(ProxyStanding::Listening).await;

        // Another run does the same.
        let theirs = prepared(kind, json!({}), &other).await;
        inject(&theirs, &other).await.expect(kind);
        assert_eq!(ours.renew(&one).await.expect(kind), Renewed::Lost, "{kind}");
        assert_eq!(ours.revert(&one).await.expect(kind), drift(), "{kind}");
        assert_eq!(theirs.renew(&other).await.expect(kind), Renewed::Held, "{kind}");
        assert_eq!(theirs.revert(&other).await.expect(kind), Reverted::Restored, "{kind}");
        assert_eq!(ours.revert(&one).await.expect(kind), Reverted::AsBefore, "{kind}");
    }
    shared.stop().await;
}

#[tokio::test]
async fn an_outage_that_somebody_else_made_since_the_proxy_was_read_is_not_made_ours() {
    let shared = Shared::start().await;
    let (one, other) = (shared.run("one").await, shared.run("other").await);
    let refused = async |ours: &Undo, what: &str| {
        let error = inject(ours, &one).await.expect_err(what);
        assert!(matches!(&error, FaultError::Unsafe { target, .. } if target == "shop"), "{what}: {error}");
        assert!(error.to_string().contains("somebody else changed it since it was read"), "{what}: {error}");
    };
    let ours = prepared("proxy_down", json!({}), &one).await;
    for standing in [ProxyStanding::Down, ProxyStanding::Refusing] {
        shared.put(standing).await;
        refused(&ours, "somebody who knows nothing of tokens").await;
        assert_eq!(shared.standing().await, (standing, None));
        let has_end = shared.client.put_standing_off(&shared.proxy, Duration::from_secs(60), None).await;
        assert!(!has_end.expect("asked"), "it does not end by itself, as before");
        shared.put(ProxyStanding::Listening).await;
    }
    let theirs = prepared("proxy_down", json!({}), &other).await;
    inject(&theirs, &other).await.expect("injected");
    let before = shared.standing().await;
    refused(&ours, "another run").await;
    assert_eq!(shared.standing().await, before);
    assert_eq!(theirs.revert(&other).await.expect("undone"), Reverted::Restored);
    shared.stop().await;
}

#[test]
fn an_outage_for_maintenance_after_ours_was_ended_is_left_alone_and_told() {
    let workspace = workspace();
    let remote = Remote::start(&workspace);
    let more = format!("  mail: {}\n", remote.target("mail"));
    let faults = "  gone: {proxy_down: {target: mail}}\n";
    let timeline =
        "  - {phase: broken, for: 10m, until: mark(seen), do: [{at: 0s, load: users}, {at: 0s, fault: gone}]}\n";
    workspace.write("scenarios/remote.yaml", &scenario(&remote.target("cards"), &more, faults, timeline));
    let run = start(&workspace, &[], Some(TOKEN));
    wait_until_in(&workspace, 1);
    let mail: ProxyName = "mail".parse().expect("a name");
    let put = |standing| remote.ask(async |client| client.put_standing(&mail, standing).await).expect("changed");
    put(ProxyStanding::Listening);
    put(ProxyStanding::Down);
    workspace.wait_for_event(
        "the run to tell that its fault is not in any more",
        |kind| matches!(kind, EventKind::FaultLost { identity, .. } if identity.fault.as_str() == "gone"),
    );
    run.signal(Signal::INT);
    let output = run.wait();
    assert_eq!(output.code(), 8, "{output:#?}");
    let state = workspace.state();
    let fault = state.fault(&"gone".parse().expect("a name")).expect("it was injected");
    assert_eq!(fault.state, FaultState::Drifted);
    let told = format!("proxy `mail` at http://{} was taken out of reach by somebody else", remote.admin);
    assert_eq!(fault.left, [told]);
    assert_eq!(remote.standing("mail"), ProxyStanding::Down, "it is theirs");
}
