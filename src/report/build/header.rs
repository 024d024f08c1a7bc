//! Which run, where, when, by whom, how it ended, and its phases.

use chrono::DateTime;

use super::Run;
use crate::event::{EventKind, PhaseEnd, RunOutcome};
use crate::report::model::{Header, Outcome, Phase};

pub(super) fn header(run: &Run<'_>) -> Header {
    let first = run.events.first();
    let (version, seed) = match first.map(|event| &event.kind) {
        Some(EventKind::RunStarted { version, seed, .. }) => (version.clone(), seed.to_string()),
        _ => (String::new(), String::new()),
    };
    let mut environment = run.facts.environment.clone();
    environment.name.clone_from(&run.state.environment);
    Header {
        run: run.state.run.clone(),
        scenario: run.state.scenario.clone(),
        scenario_sha256: run.facts.scenario_sha256.clone(),
        title: run.state.title.clone(),
        owner: run.facts.owner.clone(),
        mode: run.facts.mode.clone(),
        environment,
        started_at: first.map_or(DateTime::UNIX_EPOCH, |event| event.at),
        ended_at: run.ended_at,
        duration_ms: run.end_ms,
        version,
        seed,
        outcome: outcome(run),
        people: run.facts.people.clone(),
    }
}

fn outcome(run: &Run<'_>) -> Outcome {
    let (name, text) = match run.state.outcome {
        Some(RunOutcome::Completed) => ("completed", "The timeline was walked to its end."),
        Some(RunOutcome::GateShut) => ("gate_shut", "A gate stayed shut: nothing was injected after it."),
        Some(RunOutcome::NoGo) => ("no_go", "A poll that had to agree did not: nothing was injected after it."),
        Some(RunOutcome::Aborted) => ("aborted", "The run was aborted before its time."),
        None => ("crashed", "The log ends in the middle: the run ended without its last event."),
    };
    let (result, meaning) = match run.state.exit_code {
        None => ("crashed", None),
        Some(0) => ("passed", Some("all hypotheses upheld, or a known gap holds")),
        Some(2) => ("failed", Some("a file is not valid")),
        Some(3) => ("refuted", Some("a hypothesis was refuted, or a known gap has closed")),
        Some(4) => ("aborted", Some("aborted by a guardrail")),
        Some(5) => ("aborted", Some("aborted by a person or a signal")),
        Some(6) => ("inconclusive", Some("a hypothesis could not be judged or was not tested, or a load was lost")),
        Some(7) => ("not_ready", Some("not ready, no-go, or a gate failed")),
        Some(8) => ("dirty", Some("an undo is not complete")),
        Some(9) => ("locked", Some("the environment is locked by another run")),
        Some(_) => ("failed", Some("wrong usage, or an internal error")),
    };
    Outcome {
        name: name.to_owned(),
        result: result.to_owned(),
        text: text.to_owned(),
        exit_code: run.state.exit_code,
        exit_meaning: meaning.map(ToOwned::to_owned),
    }
}

pub(super) fn phases(run: &Run<'_>) -> Vec<Phase> {
    let phases = run.state.phases.iter().map(|progress| {
        let phase = progress.phase.to_string();
        Phase {
            planned_ms: run.facts.phases.get(&phase).copied(),
            phase,
            start_ms: progress.start_ms,
            end_ms: progress.end_ms,
            ended_by: progress.why.map(|why| phase_end(why).to_owned()),
        }
    });
    phases.collect()
}

pub(super) fn phase_end(why: PhaseEnd) -> &'static str {
    match why {
        PhaseEnd::TimeUp => "time_up",
        PhaseEnd::Until => "until",
        PhaseEnd::GateShut => "gate_shut",
        PhaseEnd::NoGo => "no_go",
        PhaseEnd::Aborted => "aborted",
    }
}
