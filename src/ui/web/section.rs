//! What a page shows, in sections. Each is built from the board of its view alone, and changes only when there is something to see: times
//! that run are told as the moment at which they end.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::event::{MARKS, RunStage, RunState, Said, StepTime, Verdict};
use crate::ui::board::{Board, FaultRow, StepRow, View};
use crate::unit::{PersonId, printable};

/// How many of the things that come next are told.
const NEXT_MAX: usize = 8;
/// How many of the newest marks a chart shows.
const MARKS_SHOWN_MAX: usize = 200;
/// How many of the newest steps that are closed are told.
const CLOSED_STEPS_MAX: usize = 100;

/// How the server stands to the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// When the run began, by the server's clock.
    pub(super) began_at: DateTime<Utc>,
    /// Whether commands are taken.
    pub(super) takes_commands: bool,
    /// Why nothing more comes, where that is not the run's end.
    pub(super) trouble: Option<String>,
    /// The roles that participants may take.
    pub(super) players: Vec<PersonId>,
}

/// Every section with its name.
pub(super) fn sections(board: &Board, now_ms: u64, standing: &Standing) -> Vec<(&'static str, Value)> {
    let clock = board.clock(now_ms);
    let waits = clock.phase.as_ref().is_some_and(|phase| !phase.waits_for.is_empty() || phase.left_ms == Some(0));
    let time = Time { now_ms, stands: board.state().paused_since_ms.is_some(), waits };
    let mut sections = vec![
        ("run", run(board, standing)),
        ("plan", plan(board, &standing.players)),
        ("clock", clock_section(board, &clock, &time)),
        ("next", next(board, &time)),
        ("loads", value(&board.loads())),
        ("faults", value(&board.faults(now_ms).iter().map(|row| fault(row, &time)).collect::<Vec<_>>())),
        ("guardrails", value(&board.guardrails())),
        ("alarms", alarms(board.state())),
        ("steps", steps(board, &time)),
        ("people", people(board)),
        ("injects", value(&board.injects())),
        ("hints", value(&board.hints())),
        ("results", results(board)),
        ("timeline", timeline(board.state())),
    ];
    let redactions = &board.facts().redactions;
    if !redactions.is_empty() {
        sections.iter_mut().for_each(|(_, section)| crate::unit::redact_value(section, redactions));
    }
    sections
}

fn value(rows: &impl Serialize) -> Value {
    serde_json::to_value(rows).expect("invariant: our own rows serialise to JSON")
}

/// The moment, and whether the timeline goes on.
struct Time {
    now_ms: u64,
    stands: bool,
    /// Whether a phase is over its time and waits.
    waits: bool,
}

impl Time {
    /// A moment ahead: when it is, or, while the timeline stands still, in how long.
    fn ahead(&self, left_ms: u64) -> Value {
        if self.stands { json!({ "in_ms": left_ms }) } else { json!({ "at_ms": self.now_ms + left_ms }) }
    }
}

fn run(board: &Board, standing: &Standing) -> Value {
    let state = board.state();
    // How a run came out is the verdict, and that is hidden with all else.
    json!({
        "title": printable(&state.title),
        "began_at": standing.began_at,
        "run": state.run,
        "environment": printable(&state.environment),
        "mode": board.facts().mode,
        "view": board.view(),
        "is_open": board.is_open(),
        "stage": state.stage,
        "is_over": state.is_over(),
        "outcome": state.outcome.as_ref().filter(|_| board.is_open()),
        "exit_code": state.exit_code.filter(|_| board.is_open()),
        "takes_commands": standing.takes_commands && !state.is_over(),
        "trouble": standing.trouble,
    })
}

/// What forms offer.
fn plan(board: &Board, players: &[PersonId]) -> Value {
    let plan = board.plan();
    let is_player = board.view() == View::Participant;
    let roles = plan.scenario.people.keys().filter(|role| !is_player || players.contains(role));
    let is_blind = plan.scenario.people.values().any(|person| person.blind);
    let is_open = board.is_open();
    let components = plan.components.keys().filter(|_| is_open).map(crate::unit::ComponentId::as_str);
    let has_fault = board.state().faults.iter().any(|fault| !fault.identity.is_route() && fault.applied_ms.is_some());
    let hypotheses = board.facts().hypotheses.iter().filter(|_| is_open && !has_fault && !board.state().is_over());
    let hypotheses =
        hypotheses.map(|hypothesis| json!({ "hypothesis": hypothesis.id, "text": printable(&hypothesis.text) }));
    let faults = plan.changes.keys().filter(|_| board.view() == View::Facilitator).map(crate::unit::FaultId::as_str);
    let loads = board.series().keys().filter(|_| is_open);
    let bounds = loads.map(|load| (load.to_string(), value(&board.facts().tightest_bounds(load.as_str()))));
    json!({
        "bounds": bounds.collect::<serde_json::Map<_, _>>(),
        "roles": roles.map(PersonId::as_str).collect::<Vec<_>>(),
        "needs_role": is_player && is_blind,
        "marks": MARKS,
        "components": components.collect::<Vec<_>>(),
        "predictable": hypotheses.collect::<Vec<_>>(),
        "faults": faults.collect::<Vec<_>>(),
        "is_blind": is_blind,
    })
}

fn clock_section(board: &Board, clock: &crate::ui::board::ClockRow, time: &Time) -> Value {
    let phase = clock.phase.as_ref().map(|phase| {
        // While it stands still, its time does not run either.
        let elapsed = if time.stands {
            json!({ "elapsed_ms": phase.elapsed_ms })
        } else {
            json!({ "began_ms": time.now_ms.saturating_sub(phase.elapsed_ms) })
        };
        json!({
            "number": phase.number,
            "count": phase.count,
            "name": phase.name,
            "time": elapsed,
            "length_ms": phase.length_ms,
            "waits_for": phase.waits_for,
        })
    });
    let is_over = board.state().is_over();
    json!({ "stage": clock.stage, "is_paused": clock.stage == RunStage::Paused, "phase": phase, "is_over": is_over })
}

fn next(board: &Board, time: &Time) -> Value {
    let rows = board.next(time.now_ms).into_iter().take(NEXT_MAX).map(|row| {
        // A phase that waits for people holds up all that is behind it.
        let when = if time.waits { json!({ "in_ms": row.in_ms }) } else { time.ahead(row.in_ms) };
        json!({ "when": when, "text": printable(&row.text) })
    });
    rows.collect()
}

fn fault(row: &FaultRow, time: &Time) -> Value {
    // Its time limit is the target's, and goes on in a pause. What is over stays so.
    let end_ms = row.left_ms.map(|left_ms| if left_ms == 0 { 0 } else { time.now_ms + left_ms });
    json!({
        "fault": row.fault,
        "target": row.target,
        "change": row.change,
        "state": row.state,
        "since_ms": row.since_ms,
        "end_ms": end_ms,
        "evidence": row.evidence,
    })
}

fn alarms(state: &RunState) -> Value {
    let rows =
        state.alarms.iter().map(|(alarm, state)| json!({ "alarm": printable(alarm), "state": state.to_string() }));
    json!({ "alarms": rows.collect::<Vec<_>>(), "unread": state.alarms_unread.as_deref().map(printable) })
}

fn steps(board: &Board, time: &Time) -> Value {
    let (open, closed): (Vec<StepRow>, Vec<StepRow>) =
        board.steps(time.now_ms).into_iter().partition(|row| row.outcome.is_none());
    let older = closed.len().saturating_sub(CLOSED_STEPS_MAX);
    let rows: Vec<Value> = open.iter().chain(closed.iter().skip(older)).map(|row| step(row, time)).collect();
    json!({ "rows": rows, "older_count": older })
}

fn step(row: &StepRow, time: &Time) -> Value {
    let (nearness, due) = match row.time {
        StepTime::Untimed => ("untimed", None),
        StepTime::Due(left_ms) => ("due", Some(time.ahead(left_ms))),
        StepTime::Soon(left_ms) => ("soon", Some(time.ahead(left_ms))),
        StepTime::Overdue(late_ms) => ("overdue", Some(json!({ "at_ms": time.now_ms.saturating_sub(late_ms) }))),
    };
    // Of a closed one only how it was counts.
    let due = due.filter(|_| row.outcome.is_none());
    json!({
        "step": row.step,
        "text": row.text,
        "owner": row.owner,
        "playbook": row.playbook,
        "must": row.must,
        "nearness": nearness,
        "due": due,
        "outcome": row.outcome,
        "by": row.by,
        "closed_ms": row.closed_ms,
        "evidence": row.asks.evidence.map(|evidence| evidence.in_words()),
        "within": row.asks.within.as_ref().map(ToString::to_string),
        "is_poll": !row.asks.poll.is_empty(),
        "polls": row.polls,
    })
}

fn people(board: &Board) -> Value {
    let people = &board.state().people;
    let joined = people.joined.iter().map(|(role, name)| json!({ "role": role, "name": printable(name) }));
    json!({
        "joined": joined.collect::<Vec<_>>(),
        "revealed_ms": people.revealed_ms,
        "revealed_faults": people.revealed_faults.keys().collect::<Vec<_>>(),
    })
}

fn results(board: &Board) -> Value {
    let rows = board.state().results.iter().map(|result| {
        let (verdict, why) = match &result.verdict {
            Verdict::Upheld => ("upheld", None),
            Verdict::Refuted => ("refuted", None),
            Verdict::GapHolds => ("gap holds", None),
            Verdict::GapClosed => ("gap closed", None),
            Verdict::Inconclusive(why) => ("inconclusive", Some(printable(why))),
            Verdict::NotTested(why) => ("not tested", Some(printable(why))),
        };
        let planned = board.facts().hypotheses.iter().find(|it| it.id == result.hypothesis.as_str());
        let text = planned.filter(|_| board.is_open()).map(|planned| printable(&planned.text));
        let seen = result.observations.iter().filter_map(|seen| seen.observed.as_deref()).map(printable);
        json!({
            "hypothesis": result.hypothesis,
            "verdict": verdict,
            "why": why,
            "text": text,
            "seen": seen.collect::<Vec<_>>(),
        })
    });
    rows.collect()
}

/// What the chart draws beside loads.
fn timeline(state: &RunState) -> Value {
    let phases = state.phases.iter();
    let phases = phases.map(|it| json!({ "name": it.phase, "start_ms": it.start_ms, "end_ms": it.end_ms }));
    let faults = state.faults.iter().filter(|fault| !fault.identity.is_route()).map(|fault| {
        json!({
            "fault": fault.identity.fault,
            "requested_ms": fault.requested_ms,
            "effective_ms": fault.effective_ms,
            "end_ms": fault.ended_ms,
        })
    });
    let cards = state.people.cards.iter().map(|card| {
        json!({
            "fault": card.fault,
            "requested_ms": card.dealt_ms,
            "effective_ms": card.dealt_ms,
            "end_ms": card.taken_ms,
        })
    });
    let journal = &state.people.journal;
    let marks = journal.iter().filter_map(|entry| {
        let name = match &entry.said {
            Said::Mark { name, .. } => printable(name),
            Said::Ack => "acknowledged".to_owned(),
            Said::Note(_) => return None,
        };
        Some(json!({ "name": name, "at_ms": entry.at_ms, "by": entry.by.as_deref().map(printable) }))
    });
    let marks: Vec<Value> = marks.collect();
    let marks = marks.get(marks.len().saturating_sub(MARKS_SHOWN_MAX)..).unwrap_or_default();
    let steps = state.steps.iter().rev().take(CLOSED_STEPS_MAX);
    let steps = steps.map(|step| {
        json!({ "step": step.step, "opened_ms": step.opened_ms, "closed_ms": step.closed_ms, "overdue": step.overdue })
    });
    json!({
        "phases": phases.collect::<Vec<_>>(),
        "faults": faults.chain(cards).collect::<Vec<_>>(),
        "marks": marks,
        "steps": steps.collect::<Vec<_>>(),
    })
}
