//! What a day keeps in memory: `cargo bench --bench day`.
//!
//! Eight hours, second by second: 200 steps that are opened, voted on and done, 400 marks and notes, an alarm and a probe each second, two
//! guardrails, the lock's renewals; kept by what `gameday run --serve` has: the recording that is judged, a cockpit, and the page's two boards,
//! one of them blind. Told is by how much the process has grown, without load and with one of two steps and twenty requests a second. The bar
//! is in the issue: 20 MB.

#[path = "rig/day.rs"]
mod day;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use gameday::event::{Event, EventKind, LoadSecond, StepAsks, StepOutcome};
use gameday::ui::board::{Board, View};
use gameday::unit::{Histogram, LoadId};
use gameday::verdict::{Recording, SecondRecord, StepRecord};

const SECONDS: u64 = 8 * 3_600;
const STEPS: u64 = 200;

fn main() {
    for has_load in [false, true] {
        let mut kept = Kept::new();
        let mut told = [0; 3];
        for second in 0..SECONDS {
            kept.second(second, has_load);
            // The first minutes fill what has a limit of its own.
            match second {
                600 => told[0] = resident_kilobytes(),
                14_400 => told[1] = resident_kilobytes(),
                _ => {}
            }
        }
        told[2] = resident_kilobytes();
        let [begun, half, ended] = told.map(|kilobytes| f64::from(u32::try_from(kilobytes).expect("small")) / 1_000.0);
        let what = if has_load { "with a load" } else { "without load" };
        let text = format!(
            "{what}: {begun:.1} MB after ten minutes, {half:.1} MB after four hours, {ended:.1} MB after eight; grown by {:.1} MB",
            ended - begun
        );
        writeln!(std::io::stdout(), "{text}").expect("standard output");
        assert_eq!(kept.recording.state().steps.len(), usize::try_from(STEPS).expect("small"));
    }
}

/// What a run keeps.
struct Kept {
    recording: Recording,
    boards: Vec<Board>,
    seq: u64,
}

impl Kept {
    fn new() -> Self {
        let plan = Arc::new(day::plan(true));
        let views = [View::Facilitator, View::Facilitator, View::Participant];
        let boards = views.map(|view| Board::new(Arc::clone(&plan), view)).into();
        let mut kept = Self { recording: Recording::default(), boards, seq: 0 };
        kept.event(0, EventKind::PhaseStarted { phase: "day".parse().expect("an id") });
        kept
    }

    fn event(&mut self, elapsed_ms: u64, kind: EventKind) {
        let at = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(i64::try_from(elapsed_ms).expect("a day"));
        let event = Event { seq: self.seq, at, elapsed_ms, kind };
        self.seq += 1;
        self.recording.apply(&event);
        self.boards.iter_mut().for_each(|board| board.apply(&event));
    }

    fn second(&mut self, second: u64, has_load: bool) {
        let at = second * 1_000;
        self.event(at, EventKind::SignalSampled { signal: "health".parse().expect("an id"), value: Some(1.0) });
        if second.is_multiple_of(5) {
            for guardrail in ["G1", "G2"] {
                let (guardrail, reading) = (guardrail.parse().expect("an id"), format!("{second} s"));
                self.event(at, EventKind::GuardrailRead { guardrail, reading, nearness: Some(0.5) });
            }
        }
        if second.is_multiple_of(20) {
            self.event(at, EventKind::LockTaken { expires_at: DateTime::UNIX_EPOCH });
        }
        if second.is_multiple_of(SECONDS / STEPS) {
            self.step(second / (SECONDS / STEPS), at);
        }
        if has_load {
            self.load(second);
        }
    }

    /// A step from its opening to its end, with what is said of it.
    fn step(&mut self, number: u64, at: u64) {
        let step = || format!("s{number}").parse().expect("an id");
        let (by, role) = (Some("aiko".to_owned()), || "responder".parse().expect("an id"));
        let asks = StepAsks { needs: Some(role()), ..StepAsks::default() };
        let text = "Look at the age of the oldest message, and write it down".to_owned();
        let (owner, due_ms, playbook) = (Some(role()), Some(at + 60_000), None);
        self.event(at, EventKind::StepOpened { step: step(), text, owner, due_ms, must: true, playbook, asks });
        self.event(at, EventKind::Voted { step: step(), role: role(), go: true, why: None, by: by.clone() });
        let (name, text) = ("detected".to_owned(), Some("it is the queue again".to_owned()));
        self.event(at, EventKind::Marked { name, fault: None, by: by.clone(), component: None, text });
        self.event(at, EventKind::Noted { text: "nobody has touched it since noon".to_owned(), by: by.clone() });
        let (outcome, evidence) = (StepOutcome::Done, Some("42 s".to_owned()));
        self.event(at, EventKind::StepClosed { step: step(), outcome, by, evidence });
    }

    fn load(&mut self, second: u64) {
        let load: LoadId = "shoppers".parse().expect("an id");
        let latencies = |from: u64| {
            let mut histogram = Histogram::default();
            (0..10).for_each(|number| histogram.record(Duration::from_micros(from + number * 977 + second % 331)));
            histogram.to_sparse()
        };
        let step = |from: u64| StepRecord { ok: latencies(from), ..StepRecord::default() };
        let steps = vec![("basket".into(), step(3_000)), ("pay".into(), step(40_000))];
        self.recording.record_second(
            &load,
            second,
            SecondRecord { steps, in_flight_count: 3, ..SecondRecord::default() },
        );
        let told = LoadSecond {
            load,
            second,
            target: 20.0,
            ok_count: 20,
            failed_count: 0,
            in_flight_count: 3,
            p50_ms: Some(12.0),
            p99_ms: Some(48.0),
            not_sent_count: 0,
            doubts: Vec::new(),
            failures: [].into(),
            steps: [].into(),
        };
        self.event(second * 1_000 + 999, EventKind::LoadRecorded(told));
    }
}

/// What this process has in memory.
fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.split_whitespace().next().expect("a number").parse().expect("a number")
}
