//! A run in Prometheus' text format, for what scrapes it while it is on: built from the board of a view, as its page is.

use crate::event::{FaultState, LoadSecond, RunStage, StepTime};
use crate::report::LoadUnit;
use crate::ui::board::Board;
use crate::unit::{AlarmState, Exposition, MetricKind, redact_text};

const STAGES: [(RunStage, &str); 8] = [
    (RunStage::Starting, "starting"),
    (RunStage::Ready, "ready"),
    (RunStage::Running, "running"),
    (RunStage::Paused, "paused"),
    (RunStage::Aborting, "aborting"),
    (RunStage::Recovering, "recovering"),
    (RunStage::Settled, "settled"),
    (RunStage::Dirty, "dirty"),
];

const ALARM_STATES: [(AlarmState, &str); 3] =
    [(AlarmState::Ok, "OK"), (AlarmState::Alarm, "ALARM"), (AlarmState::InsufficientData, "INSUFFICIENT_DATA")];

/// A count of a load's latest second: the metric's name, what it tells, and where it is read.
type Count = (&'static str, &'static str, fn(&LoadSecond) -> u64);

/// What a view shows at `now_ms`. Metrics of which it shows nothing have a head and no values, so that their absence tells nothing.
pub(super) fn metrics(board: &Board, now_ms: u64) -> String {
    let mut page = Page { exposition: Exposition::default(), board };
    page.run(now_ms);
    page.phase(now_ms);
    page.faults(now_ms);
    page.loads();
    page.signals_and_alarms();
    page.people(now_ms);
    page.guardrails();
    page.exposition.into_text()
}

struct Page<'a> {
    exposition: Exposition,
    board: &'a Board,
}

impl Page<'_> {
    fn gauge(&mut self, name: &str, help: &str) {
        self.exposition.metric(name, MetricKind::Gauge, help);
    }

    /// A value, with its labels blacked out as the page is; none of what is no number.
    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        if !value.is_finite() {
            return;
        }
        let redactions = &self.board.facts().redactions;
        let texts: Vec<(&str, String)> =
            labels.iter().map(|(label, of)| (*label, redact_text(of, redactions))).collect();
        let labels: Vec<(&str, &str)> = texts.iter().map(|(label, of)| (*label, of.as_str())).collect();
        self.exposition.sample(name, &labels, value);
    }

    /// A metric of one value.
    fn one(&mut self, name: &str, help: &str, value: f64) {
        self.gauge(name, help);
        self.sample(name, &[], value);
    }

    fn run(&mut self, now_ms: u64) {
        let board = self.board;
        let state = board.state();
        self.gauge("gameday_run_info", "The run, which is 1.");
        let labels = [
            ("run", state.run.as_str()),
            ("scenario", &state.scenario),
            ("environment", &state.environment),
            ("mode", &board.facts().mode),
        ];
        self.sample("gameday_run_info", &labels, 1.0);
        self.gauge("gameday_run_stage", "Where the run stands: 1 for its stage, 0 for the others.");
        for (stage, name) in STAGES {
            self.sample("gameday_run_stage", &[("stage", name)], flag(state.stage == stage));
        }
        self.one("gameday_run_elapsed_seconds", "Since the run's start.", seconds(now_ms));
        self.one("gameday_run_over", "Whether nothing more will come.", flag(state.is_over()));
    }

    fn phase(&mut self, now_ms: u64) {
        let phase = self.board.clock(now_ms).phase;
        self.gauge("gameday_phase_info", "The phase that is under way, which is 1.");
        if let Some(phase) = &phase {
            let number = phase.number.to_string();
            self.sample("gameday_phase_info", &[("phase", &phase.name), ("number", &number)], 1.0);
        }
        self.gauge("gameday_phase_elapsed_seconds", "How long the phase has lasted, pauses not counted.");
        if let Some(phase) = &phase {
            self.sample("gameday_phase_elapsed_seconds", &[], seconds(phase.elapsed_ms));
        }
        self.gauge("gameday_phase_left_seconds", "How long the phase has left.");
        if let Some(left_ms) = phase.and_then(|phase| phase.left_ms) {
            self.sample("gameday_phase_left_seconds", &[], seconds(left_ms));
        }
    }

    fn faults(&mut self, now_ms: u64) {
        let rows = self.board.faults(now_ms);
        self.gauge("gameday_fault_in", "A fault that is in, or on its way in or out, which is 1.");
        for row in &rows {
            let state = row.state.map_or("card", fault_state);
            self.sample("gameday_fault_in", &[("fault", &row.fault), ("target", &row.target), ("state", state)], 1.0);
        }
        self.gauge("gameday_fault_left_seconds", "How long a fault's own time limit leaves it.");
        for row in &rows {
            if let Some(left_ms) = row.left_ms {
                self.sample("gameday_fault_left_seconds", &[("fault", &row.fault)], seconds(left_ms));
            }
        }
    }

    fn loads(&mut self) {
        let board = self.board;
        let running: Vec<(&str, &LoadSecond)> = board
            .state()
            .loads
            .iter()
            .filter(|(_, load)| load.end_ms.is_none())
            .filter_map(|(id, load)| Some((id.as_str(), load.last.as_ref()?)))
            .collect();
        self.gauge("gameday_load_target", "What is asked for: users, or arrivals a second.");
        for (load, second) in &running {
            let unit = match board.facts().load_units.get(*load) {
                Some(LoadUnit::Users) => "users",
                Some(LoadUnit::PerSecond) => "per_second",
                None => "",
            };
            self.sample("gameday_load_target", &[("load", load), ("unit", unit)], second.target);
        }
        let counts: [Count; 3] = [
            ("gameday_load_ok", "Requests of the latest second that ended as expected.", |second| second.ok_count),
            ("gameday_load_failed", "Requests of the latest second that did not.", |second| second.failed_count),
            ("gameday_load_in_flight", "Requests under way at its end.", |second| second.in_flight_count),
        ];
        for (name, help, of) in counts {
            self.gauge(name, help);
            for (load, second) in &running {
                self.sample(name, &[("load", load)], float(of(second)));
            }
        }
        self.gauge("gameday_load_achieved", "Requests that ended in the latest second.");
        for (load, second) in &running {
            let achieved = float(second.ok_count.saturating_add(second.failed_count));
            self.sample("gameday_load_achieved", &[("load", load)], achieved);
        }
        self.gauge("gameday_load_latency_seconds", "Latency of the latest second.");
        for (load, second) in &running {
            for (quantile, millis) in [("0.5", second.p50_ms), ("0.99", second.p99_ms)] {
                let Some(millis) = millis else { continue };
                let labels = [("load", *load), ("quantile", quantile)];
                self.sample("gameday_load_latency_seconds", &labels, millis / 1_000.0);
            }
        }
    }

    fn signals_and_alarms(&mut self) {
        let state = self.board.state();
        self.gauge("gameday_signal", "What each probed signal read last; absent where it got nothing.");
        for (signal, value) in &state.samples {
            if let Some(value) = value {
                self.sample("gameday_signal", &[("signal", signal)], *value);
            }
        }
        self.gauge("gameday_alarm_state", "1 for the state in which an alarm was last read, 0 for the others.");
        for (alarm, now) in &state.alarms {
            for (state, name) in ALARM_STATES {
                self.sample("gameday_alarm_state", &[("alarm", alarm), ("state", name)], flag(*now == state));
            }
        }
        let unread = flag(state.alarms_unread.is_some());
        self.one("gameday_alarms_unread", "Whether alarms can not be read at present.", unread);
    }

    fn people(&mut self, now_ms: u64) {
        let open: Vec<_> = self.board.steps(now_ms).into_iter().filter(|step| step.outcome.is_none()).collect();
        let overdue = open.iter().filter(|step| matches!(step.time, StepTime::Overdue(_))).count();
        self.one("gameday_steps_open", "Steps for people that are open.", float(open.len() as u64));
        self.one("gameday_steps_overdue", "Those of them that are late.", float(overdue as u64));
    }

    fn guardrails(&mut self) {
        self.gauge("gameday_guardrail_nearness_ratio", "How near a guardrail is to its limit, from 0 to 1.");
        for row in self.board.guardrails() {
            if let Some(nearness) = row.nearness {
                self.sample("gameday_guardrail_nearness_ratio", &[("guardrail", &row.guardrail)], nearness);
            }
        }
    }
}

fn fault_state(state: FaultState) -> &'static str {
    match state {
        FaultState::Intended => "intended",
        FaultState::Armed => "armed",
        FaultState::Applied => "applied",
        FaultState::Effective => "effective",
        FaultState::Reverting => "reverting",
        FaultState::Restored => "restored",
        FaultState::Drifted => "drifted",
        FaultState::Stuck => "stuck",
    }
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

fn seconds(millis: u64) -> f64 {
    float(millis) / 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts and milliseconds of a run stay far below 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}
