//! What a scraper reads, by whose link.

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;

use super::{LOCAL, Rig, drill, get, name, rig, rig_of};
use crate::event::{EventKind, FaultIdentity};
use crate::plan::Plan;
use crate::plan::testing::Sketch;
use crate::ui::board::View;

const PATH: &str = "/metrics";

impl Rig {
    fn token(&self, view: View) -> String {
        self.access.fragment(view).split_off(2)
    }

    async fn scrape(&self, authorization: &str) -> Response<Body> {
        let request = Request::get(PATH).header("host", LOCAL).header("authorization", authorization);
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    /// What the link of a view reads once the log was taken in up to a note.
    async fn read(&self, view: View, last: &str) -> String {
        loop {
            let response = self.scrape(&format!("Bearer {}", self.token(view))).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            if text.contains(last) {
                return text;
            }
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    fn happen(&self) {
        let identity = FaultIdentity { step: "001-dark".to_owned(), fault: "dark".parse().unwrap() };
        let json = serde_json::json!({
            "load": "users", "second": 3, "target": 20.0, "ok_count": 17, "failed_count": 3, "in_flight_count": 2,
            "p50_ms": 80.0, "p99_ms": 250.0,
        });
        for kind in [
            EventKind::PhaseStarted { phase: "secret-phase".parse().unwrap() },
            EventKind::LoadStarted { load: "users".parse().unwrap(), pid: 1 },
            EventKind::LoadRecorded(serde_json::from_value(json).unwrap()),
            EventKind::FaultIntended {
                identity: identity.clone(),
                fault_kind: "lambda_environment".to_owned(),
                target: "payments".parse().unwrap(),
                change: "goes dark".to_owned(),
                undo: "is lit".to_owned(),
            },
            EventKind::FaultArmed { identity: identity.clone(), undo_sha256: String::new() },
            EventKind::FaultApplied { identity },
            EventKind::SignalSampled { signal: "health".parse().unwrap(), value: Some(0.5) },
            EventKind::SignalSampled { signal: "silent".parse().unwrap(), value: None },
            EventKind::AlarmFound {
                alarm: "errors\"\n111122223333".to_owned(),
                state: crate::unit::AlarmState::Alarm,
                transitioned_at: chrono::DateTime::UNIX_EPOCH,
                actions_enabled: true,
                looks_back_ms: None,
                settings: None,
            },
        ] {
            self.log.append(kind).unwrap();
        }
    }
}

fn redacting(sketch: Sketch) -> Plan {
    Plan { redact: vec![crate::scenario::Redaction::AccountIds], ..sketch.plan() }
}

#[tokio::test]
async fn a_scraper_with_the_facilitators_link_reads_the_run_as_it_is() {
    let rig = rig_of(redacting(drill().load("users", "10m", "abort")));
    rig.happen();
    let text = rig.read(View::Facilitator, "alarm=").await;
    for line in [
        "gameday_run_info{run=\"2026-11-10-100000-dark-payments\",scenario=\"dark-payments\",environment=\"sandbox\",mode=\"drill\"} 1",
        "gameday_run_stage{stage=\"running\"} 1",
        "gameday_run_stage{stage=\"dirty\"} 0",
        "gameday_run_over 0",
        "gameday_phase_info{phase=\"secret-phase\",number=\"1\"} 1",
        "gameday_fault_in{fault=\"dark\",target=\"payments\",state=\"applied\"} 1",
        "gameday_load_target{load=\"users\",unit=\"users\"} 20",
        "gameday_load_ok{load=\"users\"} 17",
        "gameday_load_failed{load=\"users\"} 3",
        "gameday_load_achieved{load=\"users\"} 20",
        "gameday_load_in_flight{load=\"users\"} 2",
        "gameday_load_latency_seconds{load=\"users\",quantile=\"0.99\"} 0.25",
        "gameday_signal{signal=\"health\"} 0.5",
        "gameday_alarm_state{alarm=\"errors\\\"\\n[account]\",state=\"ALARM\"} 1",
        "gameday_steps_open 0",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\n{text}");
    }
    assert!(!text.contains("silent") && !text.contains("111122223333"), "{text}");
    let cookie = rig.open(View::Facilitator).await;
    assert_eq!(rig.status(get("/metrics?view=facilitator", &cookie)).await, StatusCode::OK);
}

#[tokio::test]
async fn a_blind_participant_learns_of_no_fault_load_or_signal_from_metrics_until_all_is_revealed() {
    let rig = rig_of(drill().load("users", "10m", "abort").plan());
    rig.happen();
    let hidden = rig.read(View::Participant, "alarm=").await;
    for secret in ["dark", "payments", "secret-phase", "\"users\"", "health", "gameday_fault_in{", "gameday_load_ok{"] {
        assert!(!hidden.contains(secret), "{secret}\n{hidden}");
    }
    assert!(hidden.contains("phase=\"part-1\""), "{hidden}");
    let heads = |text: &str| text.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(heads(&hidden), heads(&rig.read(View::Facilitator, "alarm=").await), "heads tell nothing");
    let cookie = rig.open(View::Participant).await;
    assert_eq!(rig.status(get("/metrics?view=participant", &cookie)).await, StatusCode::OK);
    assert_eq!(rig.status(get("/metrics?view=facilitator", &cookie)).await, StatusCode::UNAUTHORIZED);
    rig.log.append(EventKind::Revealed { fault: None, by: None }).unwrap();
    let shown = rig.read(View::Participant, "gameday_fault_in{").await;
    assert!(shown.contains("fault=\"dark\""), "{shown}");
}

#[tokio::test]
async fn whoever_has_no_link_reads_nothing_and_can_not_try_many() {
    let rig = rig();
    assert_eq!(rig.status(get(PATH, "")).await, StatusCode::BAD_REQUEST);
    for view in [View::Facilitator, View::Participant] {
        assert_eq!(rig.status(get(&format!("{PATH}?view={}", name(view)), "")).await, StatusCode::UNAUTHORIZED);
    }
    let token = rig.token(View::Facilitator);
    for wrong in ["Bearer ", "Bearer nonsense", "Basic Zjo=", &format!("Basic {token}"), &token, "Bearer"] {
        assert_eq!(rig.scrape(wrong).await.status(), StatusCode::UNAUTHORIZED, "{wrong}");
    }
    let foreign = Request::get(PATH).header("host", "evil.example").header("authorization", format!("Bearer {token}"));
    assert_eq!(rig.status(foreign.body(Body::empty()).unwrap()).await, StatusCode::MISDIRECTED_REQUEST);
    let mut last = StatusCode::UNAUTHORIZED;
    for _ in 0..20 {
        last = rig.scrape("Bearer nonsense").await.status();
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(rig.scrape(&format!("bearer {token}")).await.status(), StatusCode::OK, "the right one waits for nobody");
    let post = Request::post(PATH).header("host", LOCAL).body(Body::empty()).unwrap();
    assert_eq!(rig.status(post).await, StatusCode::METHOD_NOT_ALLOWED);
}
