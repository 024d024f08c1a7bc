//! A cockpit to which things happen, and its golden files.

use std::sync::Arc;

use chrono::DateTime;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::super::app::{Cockpit, Reaction, Sitter};
use super::super::draw;
use super::super::input::Key;
use super::super::look::Look;
use crate::event::{Event, EventKind, FaultIdentity, LOG_FORMAT, StepAsks, StepOutcome};
use crate::plan::testing::{Sketch, expectation, variable};
use crate::plan::{GuardrailRule, HintPlan, InjectPlan, Plan};
use crate::scenario::{Mode, OnMissing, Person};
use crate::ui::board::{Board, View};
use crate::unit::Evidence;

pub(super) const LOOK: Look = Look { has_colours: true, has_many_colours: true, has_unicode: true };

pub(super) fn plan(is_blind: bool) -> Plan {
    let mut plan = Sketch::new(Mode::Drill)
        .load("shoppers", "8m", "abort")
        .fault(variable("slow-provider", "orders", "LAG"), Some(180), None)
        .phase("baseline", 60)
        .start_load(0, "shoppers")
        .phase("provider-slow", 300)
        .inject(30, "slow-provider")
        .phase("after", 120)
        .hypothesis("H1", "p99(latency) < 300ms", &[])
        .hypothesis("H2", "mean(ok) >= 99%", &[])
        .guardrail("G1", GuardrailRule::AbortIf(expectation("mean(ok) < 80% for 10s")), OnMissing::Abort)
        .guardrail("G2", GuardrailRule::MaxDuration("20m".parse().unwrap()), OnMissing::Ignore)
        .plan();
    plan.signals.extend(
        serde_yaml::from_str::<std::collections::BTreeMap<_, _>>(
            "ok: {load: {of: shoppers, stat: success_ratio}}\nlatency: {load: {of: shoppers, stat: latency}}\n",
        )
        .unwrap(),
    );
    plan.scenario.title = "Checkout with a slow 決済 provider".to_owned();
    for (role, blind) in [("facilitator", false), ("ops", is_blind), ("dev", is_blind)] {
        let person = Person { who: role.to_owned(), required: false, blind };
        plan.scenario.people.insert(role.parse().unwrap(), person);
    }
    let text = "A customer writes: \"I paid twice\" 😡".to_owned();
    plan.injects.insert("ticket".parse().unwrap(), InjectPlan { to: "ops".parse().unwrap(), text });
    for (id, text) in [("h1", "Look at the provider's dashboard."), ("h2", "Which timeout does the client have?")] {
        plan.hints.push(HintPlan { id: id.parse().unwrap(), hypothesis: None, text: text.to_owned() });
    }
    for component in ["orders", "payments"] {
        plan.components.insert(component.parse().unwrap(), [].into());
    }
    plan
}

/// A cockpit to which things happen.
pub(super) struct Drill {
    pub(super) cockpit: Cockpit,
    pub(super) seq: u64,
    pub(super) now_ms: u64,
}

impl Drill {
    pub(super) fn new(view: View, is_blind: bool) -> Self {
        let board = Board::new(Arc::new(plan(is_blind)), view);
        let is_attached = view == View::Participant;
        let sitter = Sitter { name: Some("maria".to_owned()), is_attached, ..Sitter::default() };
        let mut drill = Self { cockpit: Cockpit::new(board, sitter), seq: 0, now_ms: 0 };
        drill.at(
            0,
            EventKind::RunStarted {
                format: LOG_FORMAT,
                run: "2026-03-10-100000-checkout".parse().unwrap(),
                scenario: "checkout".parse().unwrap(),
                title: "Checkout with a slow 決済 provider".to_owned(),
                environment: "sandbox".to_owned(),
                version: "0.1.0".to_owned(),
                seed: 1,
                plan_sha256: String::new(),
                process: 1,
            },
        );
        drill
    }

    pub(super) fn at(&mut self, now_ms: u64, kind: EventKind) {
        let event = Event { seq: self.seq, at: DateTime::UNIX_EPOCH, elapsed_ms: now_ms, kind };
        (self.seq, self.now_ms) = (self.seq + 1, now_ms);
        self.cockpit.apply(&event);
    }

    pub(super) fn json(&mut self, now_ms: u64, kind: serde_json::Value) {
        self.at(now_ms, serde_json::from_value(kind).unwrap());
    }

    pub(super) fn step(&mut self, now_ms: u64, step: &str, text: &str, due_ms: Option<u64>, asks: StepAsks) {
        let (step, text) = (step.parse().unwrap(), text.to_owned());
        let (owner, must) = (Some("ops".parse().unwrap()), asks.poll.is_empty());
        self.at(now_ms, EventKind::StepOpened { step, text, owner, due_ms, must, playbook: None, asks });
    }

    /// A run with load, a fault, and a step that is overdue.
    pub(super) fn under_way(mut self) -> Self {
        self.at(1_000, EventKind::ReadinessPassed { checks: vec!["account".to_owned()] });
        self.at(2_000, EventKind::PhaseStarted { phase: "baseline".parse().unwrap() });
        self.at(2_100, EventKind::LoadStarted { load: "shoppers".parse().unwrap(), pid: 7 });
        self.at(2_200, EventKind::Joined { role: "ops".parse().unwrap(), by: Some("anna".to_owned()) });
        self.step(
            3_000,
            "dashboards",
            "Open the dashboards of checkout and payments",
            Some(33_000),
            StepAsks::default(),
        );
        self.seconds(3, 92, 0, 80.0);
        let (step, by) = ("dashboards".parse().unwrap(), Some("anna".to_owned()));
        self.at(20_000, EventKind::StepClosed { step, outcome: StepOutcome::Done, by, evidence: None });
        self.at(62_000, EventKind::PhaseStarted { phase: "provider-slow".parse().unwrap() });
        let evidence = StepAsks { evidence: Some(Evidence::Number), ..StepAsks::default() };
        let text = "Read the age of the oldest message of the queue `orders-dlq` and write it down, with its unit";
        self.step(62_000, "age", text, Some(122_000), evidence);
        self.step(62_100, "tell", "Tell support (サポート) what customers see", Some(362_000), StepAsks::default());
        self.fault();
        self.seconds(92, 180, 3, 1_240.0);
        self.at(122_000, EventKind::StepOverdue { step: "age".parse().unwrap() });
        for (guardrail, reading, nearness) in [("G1", "97 %", 0.15), ("G2", "the run has lasted 3m of 20m", 0.15)] {
            let (guardrail, reading) = (guardrail.parse().unwrap(), reading.to_owned());
            self.at(170_000, EventKind::GuardrailRead { guardrail, reading, nearness: Some(nearness) });
        }
        self.json(
            175_000,
            serde_json::json!({"alarm_transitioned": {
                "alarm": "checkout-latency", "from": "OK", "to": "ALARM", "at_ms": 171_000,
                "transitioned_at": "2026-03-10T10:02:51Z", "is_exact": true, "reason": "3 datapoints were above 300",
            }}),
        );
        self.json(178_000, serde_json::json!({"marked": {"name": "detected", "fault": null, "by": "anna"}}));
        let text = "\u{1b}[2Jis it the provider?".to_owned();
        self.at(180_000, EventKind::Noted { text, by: Some("ben".to_owned()) });
        self
    }

    pub(super) fn fault(&mut self) {
        let identity = FaultIdentity { step: "002-slow-provider".to_owned(), fault: "slow-provider".parse().unwrap() };
        self.at(
            92_000,
            EventKind::FaultIntended {
                identity: identity.clone(),
                fault_kind: "lambda_environment".to_owned(),
                target: "orders".parse().unwrap(),
                change: "set LAG=slow-provider".to_owned(),
                undo: "unset LAG".to_owned(),
            },
        );
        self.at(92_100, EventKind::FaultArmed { identity: identity.clone(), undo_sha256: String::new() });
        self.at(92_300, EventKind::FaultApplied { identity: identity.clone() });
        let evidence = "p99(latency) is 1240 ms".to_owned();
        self.at(101_000, EventKind::FaultEffective { identity, evidence, first_ms: None });
    }

    pub(super) fn seconds(&mut self, from: u64, to: u64, failed: u64, p99_ms: f64) {
        for second in from..to {
            // Some waves, so that there is something to see.
            let wave = f64::from(u32::try_from(second % 7).unwrap());
            self.json(
                second * 1_000 + 900,
                serde_json::json!({"load_recorded": {
                    "load": "shoppers", "second": second, "target": 2.0, "ok_count": 40, "failed_count": failed * (second % 3),
                    "in_flight_count": 2, "p50_ms": 40.0, "p99_ms": p99_ms * (0.7 + wave / 10.0),
                }}),
            );
        }
    }

    pub(super) fn poll(&mut self) {
        let poll = ["facilitator", "ops", "dev"].map(|role| role.parse().unwrap()).to_vec();
        self.step(181_000, "go", "Go on to the next fault?", None, StepAsks { poll, ..StepAsks::default() });
        for (role, go, why) in [("ops", true, None), ("dev", false, Some("the queue is not empty"))] {
            let (step, role, why) = ("go".parse().unwrap(), role.parse().unwrap(), why.map(str::to_owned));
            self.at(182_000, EventKind::Voted { step, role, go, why, by: Some("ben".to_owned()) });
        }
    }

    pub(super) fn press(&mut self, text: &str) -> Reaction {
        let mut last = Reaction::Nothing;
        for c in text.chars() {
            last = self.key(if c == '\n' { Key::Enter } else { Key::Char(c) });
        }
        last
    }

    pub(super) fn key(&mut self, key: Key) -> Reaction {
        self.cockpit.key(&key, self.now_ms)
    }

    pub(super) fn draw(&self, look: Look, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let area = Rect::new(0, 0, width, height);
        let draw = |frame: &mut ratatui::Frame<'_>| {
            draw::frame(&self.cockpit, look, self.now_ms, area, frame.buffer_mut());
        };
        terminal.draw(draw).unwrap();
        terminal.backend().buffer().clone()
    }

    pub(super) fn text(&self, width: u16, height: u16) -> String {
        text(&self.draw(LOOK, width, height))
    }

    pub(super) fn matches_golden(&self, name: &str, look: Look) {
        for (width, height) in [(80, 24), (120, 40), (200, 60), (40, 10)] {
            golden(&format!("{name}-{width}x{height}.txt"), &text(&self.draw(look, width, height)));
        }
    }
}

/// The rows without what stands behind a wide character, and without blanks at their ends.
pub(super) fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for row in buffer.content.chunks(usize::from(buffer.area.width)) {
        let (mut line, mut hidden) = (String::new(), 0);
        for cell in row {
            if hidden > 0 {
                hidden -= 1;
                continue;
            }
            line.push_str(cell.symbol());
            hidden = super::super::text::width(cell.symbol()).saturating_sub(1);
        }
        assert!(super::super::text::width(&line) <= usize::from(buffer.area.width), "{line}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

pub(super) fn golden(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cockpit").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(golden == text, "`{name}` differs from its golden; run with BLESS=1 and read the difference\n{text}");
}
