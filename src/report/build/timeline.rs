//! The run as one list in plain words: what the chart shows, for those who cannot or do not want to look at it.

use super::Run;
use super::fault::fault_end;
use super::header::phase_end;
use super::safety::abort_cause;
use crate::event::{Event, EventKind, EvidenceKept, FaultEnd, FaultProgress, Recoverer, RunOutcome, StepOutcome};
use crate::report::model::TimelineEntry;
use crate::report::number::stopwatch;
use crate::unit::plural;

/// What an entry says.
struct Words {
    kind: &'static str,
    about: Option<String>,
    text: String,
    is_trouble: bool,
}

impl Words {
    fn new(kind: &'static str, about: impl ToString, text: impl Into<String>) -> Self {
        Self { kind, about: Some(about.to_string()), text: text.into(), is_trouble: false }
    }

    fn run(text: impl Into<String>) -> Self {
        Self { kind: "run", about: None, text: text.into(), is_trouble: false }
    }

    fn trouble(self) -> Self {
        Self { is_trouble: true, ..self }
    }
}

pub(super) fn timeline(run: &Run<'_>) -> Vec<TimelineEntry> {
    run.events.iter().filter_map(|event| entry(run, event)).collect()
}

/// What an event says; none where a reader of the run has no need of it.
pub(super) fn entry(run: &Run<'_>, event: &Event) -> Option<TimelineEntry> {
    let Words { kind, about, text, is_trouble } = run_words(run, &event.kind)
        .or_else(|| people_words(&event.kind))
        .or_else(|| fault_words(run, &event.kind))
        .or_else(|| load_words(&event.kind))
        .or_else(|| alarm_words(run, event))
        .or_else(|| notice_words(&event.kind))
        .or_else(|| evidence_words(&event.kind))
        .or_else(|| unknown_words(&event.kind))?;
    Some(TimelineEntry { at_ms: event.elapsed_ms, at: event.at, kind: kind.to_owned(), about, text, is_trouble })
}

/// What a newer version wrote: that it is there must not be kept quiet.
fn unknown_words(kind: &EventKind) -> Option<Words> {
    let EventKind::Unknown(value) = kind else { return None };
    let name = value.as_str().or_else(|| value.as_object()?.keys().next().map(String::as_str));
    let text = "an event of a kind that this version does not know";
    Some(Words::new("unknown", name.unwrap_or_default(), text))
}

fn run_words(run: &Run<'_>, kind: &EventKind) -> Option<Words> {
    Some(match kind {
        EventKind::RunStarted { .. } => Words::run("run started"),
        EventKind::RunApproved { role, by, given_at, note } => {
            let note = note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
            Words::new("approval", role, format!("agreed by {by} on {}{note}", given_at.format("%Y-%m-%d %H:%M UTC")))
        }
        EventKind::ScheduleOverridden { reason, objections } => {
            Words::run(format!("what spoke against the start was set aside: {reason} ({})", objections.join("; ")))
                .trouble()
        }
        EventKind::ReadinessPassed { checks } => {
            Words::run(format!("ready: {} passed", plural(checks.len(), "check", "checks")))
        }
        EventKind::PhaseStarted { phase } => Words::new("phase", phase, "phase started"),
        EventKind::PhaseHeld { phase, waits_for } => {
            Words::new("phase", phase, format!("stands still: it waits for {}", waits_for.join(", ")))
        }
        EventKind::PhaseReleased { phase } => Words::new("phase", phase, "goes on"),
        EventKind::PhaseEnded { phase, why } => {
            Words::new("phase", phase, format!("phase ended: {}", phase_end(*why).replace('_', " ")))
        }
        EventKind::GateJudged { phase, open: true, .. } => Words::new("gate", phase, "gate open"),
        EventKind::GateJudged { phase, open: false, .. } => {
            Words::new("gate", phase, "gate shut: nothing is injected after it").trouble()
        }
        EventKind::ActionSkipped { action, why } => Words::new("run", action, format!("left out: {why}")),
        EventKind::RunPaused { by: who } => Words::run(format!("paused{}", by(who))),
        EventKind::RunResumed { by: who } => Words::run(format!("resumed{}", by(who))),
        EventKind::Revealed { fault, by: who } => {
            let what = fault.as_ref().map_or_else(|| "everything".to_owned(), ToString::to_string);
            Words::run(format!("revealed to blind participants: {what}{}", by(who)))
        }
        EventKind::GuardrailWarned { guardrail, observed } => {
            Words::new("guardrail", guardrail, format!("warned: {observed}"))
        }
        EventKind::GuardrailTripped { guardrail, observed } => {
            Words::new("guardrail", guardrail, format!("tripped: {observed}")).trouble()
        }
        EventKind::RunAborted { cause } => Words::run(format!("aborted by {}", abort_cause(cause))).trouble(),
        EventKind::RunRecovering => Words::run("timeline over; what is left is undone"),
        EventKind::SettleJudged { held: true, .. } => Words::run("back in bounds"),
        EventKind::SettleJudged { held: false, .. } => Words::run("not back in bounds in the time given").trouble(),
        EventKind::RunSettled => Words::run(if run.state.not_read_back() == 0 {
            "settled: every change is undone and read back"
        } else {
            "settled: every change is undone"
        }),
        EventKind::RunDirty { left } => {
            Words::run(format!("dirty: {} not undone", plural(left.len(), "change", "changes"))).trouble()
        }
        EventKind::RunEnded { outcome, exit_code } => Words::run(format!(
            "run ended: {}, exit code {exit_code}",
            match outcome {
                RunOutcome::Completed => "completed",
                RunOutcome::GateShut => "gate shut",
                RunOutcome::NoGo => "no-go",
                RunOutcome::Aborted => "aborted",
            }
        )),
        EventKind::RecoveryStarted { by, .. } => Words::run(match by {
            Recoverer::Person => "recovery by another process",
            Recoverer::WatchdogAfterDeath => "the run died: recovery by its watchdog",
            Recoverer::WatchdogAfterSilence => "the run hung and was ended: recovery by its watchdog",
        }),
        _ => return None,
    })
}

fn by(by: &Option<String>) -> String {
    by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default()
}

/// Who was not told of what; those who were need not be told again.
fn notice_words(kind: &EventKind) -> Option<Words> {
    let EventKind::NoticeFailed { notice, channel, why } = kind else { return None };
    let what = if notice == "all" { "no notice" } else { "no notice of it" };
    Some(Words::new("notice", notice, format!("{what} went to {channel}: {why}")).trouble())
}

/// What could not be read; what was stands in the manifest.
fn evidence_words(kind: &EventKind) -> Option<Words> {
    let EventKind::EvidenceKept(EvidenceKept { source, about, unknown: Some(why), .. }) = kind else { return None };
    Some(Words::new("evidence", about, format!("its {} are not known: {why}", source.as_str())).trouble())
}

fn people_words(kind: &EventKind) -> Option<Words> {
    Some(match kind {
        EventKind::StepOpened { step, text, .. } => Words::new("step", step, format!("opened: {text}")),
        EventKind::StepOverdue { step } => Words::new("step", step, "overdue").trouble(),
        EventKind::StepClosed { step, outcome, by: who, evidence } => match outcome {
            StepOutcome::Done => {
                let evidence = evidence.as_ref().map(|evidence| format!(": {evidence}")).unwrap_or_default();
                Words::new("step", step, format!("done{}{evidence}", by(who)))
            }
            StepOutcome::NoGo => Words::new("step", step, "no-go").trouble(),
            StepOutcome::Skipped { why } => {
                let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                Words::new("step", step, format!("skipped{}{why}", by(who)))
            }
            StepOutcome::Rehearsed => Words::new("step", step, "answered by --yes"),
            StepOutcome::LeftOpen => Words::new("step", step, "left open").trouble(),
        },
        EventKind::InjectDelivered { inject, to, text, by: who } => {
            Words::new("inject", inject, format!("to {to}{}: {text}", by(who)))
        }
        EventKind::Acknowledged { by: who } => Words::new("mark", "acknowledged", format!("acknowledged{}", by(who))),
        EventKind::Marked { name, fault, by: who, component, text } => {
            let fault = fault.as_ref().map(|fault| format!(", about {fault}")).unwrap_or_default();
            let component = component.as_ref().map(|component| format!(", names {component}")).unwrap_or_default();
            let text = text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
            Words::new("mark", name, format!("marked{}{fault}{component}{text}", by(who)))
        }
        EventKind::Voted { step, role, go, why, by: who } => {
            let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            Words::new("vote", step, format!("{role} says {}{}{why}", if *go { "go" } else { "no-go" }, by(who)))
        }
        EventKind::Joined { role, by: who } => Words::new("people", role, format!("joined{}", by(who))),
        EventKind::HintGiven { hint, text, by: who, .. } => {
            Words::new("hint", hint, format!("given{}: {text}", by(who)))
        }
        EventKind::PredictionSealed { hypothesis, by: who, .. } => {
            Words::new("prediction", hypothesis, format!("sealed{}", by(who)))
        }
        EventKind::CardDealt { fault, text, by: who, .. } => {
            Words::new("card", fault, format!("on the table{}: {text}", by(who)))
        }
        EventKind::CardTaken { fault } => Words::new("card", fault, "taken away"),
        EventKind::BlockStarted { playbook, block, by: who, .. } => {
            Words::new("command", playbook, format!("{block} started{}", by(who)))
        }
        EventKind::BlockEnded { playbook, block, ok: true, .. } => {
            Words::new("command", playbook, format!("{block} done"))
        }
        EventKind::BlockEnded { playbook, block, ok: false, why, .. } => {
            let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            Words::new("command", playbook, format!("{block} failed{why}")).trouble()
        }
        EventKind::Noted { text, by: who } => Words { about: who.clone(), ..Words::new("note", "", text.clone()) },
        _ => return None,
    })
}

fn fault_words(run: &Run<'_>, kind: &EventKind) -> Option<Words> {
    let identity = kind.fault()?;
    let name = &identity.fault;
    let is_unread = |fault: &FaultProgress| fault.identity == *identity && fault.end == Some(FaultEnd::NotReadBack);
    Some(match kind {
        EventKind::FaultIntended { change, .. } => Words::new("fault", name, format!("requested: {change}")),
        EventKind::FaultApplied { .. } if run.state.faults.iter().any(is_unread) => {
            Words::new("fault", name, "applied, says its own command")
        }
        EventKind::FaultApplied { .. } => Words::new("fault", name, "applied and read back"),
        EventKind::FaultFailed { error, .. } => {
            Words::new("fault", name, format!("could not be injected: {error}")).trouble()
        }
        EventKind::FaultEffective { evidence, .. } => Words::new("fault", name, format!("effective: {evidence}")),
        EventKind::FaultLost { why, .. } => Words::new("fault", name, format!("not in any more: {why}")).trouble(),
        EventKind::FaultReverting { .. } => Words::new("fault", name, "undo began"),
        EventKind::FaultRestored { how, .. } => {
            Words::new("fault", name, format!("undone: {}", fault_end(*how).replace('_', " ")))
        }
        EventKind::FaultDrifted { fields, .. } => {
            Words::new("fault", name, format!("drifted, left alone: {}", fields.join("; "))).trouble()
        }
        EventKind::FaultStuck { error, .. } => Words::new("fault", name, format!("undo failed: {error}")).trouble(),
        EventKind::SwitchFailed { error, .. } => {
            Words::new("fault", name, format!("dead man's switch: {error}")).trouble()
        }
        EventKind::SwitchLeft { .. } => Words::new("fault", name, "its dead man's switch is left in AWS").trouble(),
        // The ledger shows when an undo was on disk; here it would only be noise.
        _ => return None,
    })
}

fn load_words(kind: &EventKind) -> Option<Words> {
    Some(match kind {
        EventKind::LoadStarted { load, .. } => Words::new("load", load, "load started"),
        EventKind::LoadSteered { load, how, by } => {
            let by = by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            Words::new("load", load, format!("{how}{by}"))
        }
        EventKind::LoadEnded { load } => Words::new("load", load, "load ended"),
        EventKind::LoadLost { load, why } => Words::new("load", load, format!("load lost: {why}")).trouble(),
        _ => return None,
    })
}

fn alarm_words(run: &Run<'_>, event: &Event) -> Option<Words> {
    Some(match &event.kind {
        EventKind::AlarmFound { alarm, state, .. } => {
            let is_ready = |it: &Event| it.seq < event.seq && matches!(it.kind, EventKind::ReadinessPassed { .. });
            Words::new(
                "alarm",
                alarm,
                match run.events.iter().any(is_ready) {
                    false => format!("is {state} before the first phase"),
                    true => format!("found in {state}, not seen to change"),
                },
            )
        }
        EventKind::AlarmTransitioned { alarm, to, at_ms, is_exact, reason, .. } => {
            let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            let vague = if *is_exact { "" } else { " at the latest" };
            Words::new("alarm", alarm, format!("{to} since {}{vague}{reason}", stopwatch(*at_ms)))
        }
        EventKind::AlarmUnseen { alarm, state, from_ms } => {
            let text = format!("{state} again; what it was since {} is not known", stopwatch(*from_ms));
            Words::new("alarm", alarm, text).trouble()
        }
        EventKind::AlarmLost { alarm, .. } => Words::new("alarm", alarm, "no longer there").trouble(),
        EventKind::AlarmsUnread { why, .. } => {
            Words { about: None, ..Words::new("alarm", "", format!("not read: {why}")).trouble() }
        }
        EventKind::AlarmsReread => Words { about: None, ..Words::new("alarm", "", "read again") },
        EventKind::MetricsUnread { why, .. } => {
            Words { about: None, ..Words::new("signal", "", format!("CloudWatch metrics not read: {why}")).trouble() }
        }
        EventKind::MetricsReread => Words { about: None, ..Words::new("signal", "", "CloudWatch metrics read again") },
        _ => return None,
    })
}
