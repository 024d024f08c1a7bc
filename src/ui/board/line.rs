//! An event as one line; what people do is in [`people_line`].

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::people_line;
use crate::event::{
    AbortCause, Event, EventKind, EvidenceKept, FaultEnd, HypothesisResult, PhaseEnd, RunState, SwitchStep, Verdict,
};
use crate::unit::{AlarmState, FaultId, PhaseId, TEXT_CHARS_MAX, format_duration, plural, printable_line};

/// Time since the run's start as `mm:ss`, or `h:mm:ss`.
pub fn clock(elapsed_ms: u64) -> String {
    let seconds = elapsed_ms / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes:02}:{seconds:02}") }
}

/// How loud a line is; each view has a colour of its own for it, and the sign says the same without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// What happens as planned.
    Quiet,
    /// What ended well.
    Good,
    /// What did not.
    Bad,
    /// What is worth a look.
    Warning,
    /// A fault that is in.
    Fault,
    /// What a person did, or should do.
    Person,
    /// A new part of the timeline.
    Phase,
}

/// An event in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventLine {
    /// Milliseconds since the run's start.
    pub at_ms: u64,
    /// One character that says what kind of line it is.
    pub sign: &'static str,
    /// How loud it is.
    pub tone: Tone,
    /// What happened. It may hold what people wrote, and is fit for a terminal: it has no line end.
    pub text: String,
}

pub(super) struct Mark {
    sign: &'static str,
    tone: Tone,
}

fn mark(sign: &'static str, tone: Tone) -> Mark {
    Mark { sign, tone }
}

pub(super) fn quiet() -> Mark {
    mark("·", Tone::Quiet)
}

pub(super) fn good() -> Mark {
    mark("✓", Tone::Good)
}

pub(super) fn bad() -> Mark {
    mark("✗", Tone::Bad)
}

pub(super) fn warning() -> Mark {
    mark("!", Tone::Warning)
}

pub(super) fn fault() -> Mark {
    mark("⚡", Tone::Fault)
}

pub(super) fn person() -> Mark {
    mark("☞", Tone::Person)
}

pub(super) type Line = (Mark, String);

impl EventLine {
    /// The line of an event; none for those that come too often or say nothing to a person.
    #[must_use]
    pub fn of(event: &Event, state: &RunState) -> Option<Self> {
        let (Mark { sign, tone }, text) = line(&event.kind, state)?;
        Some(Self { at_ms: event.elapsed_ms, sign, tone, text: printable_line(&text, TEXT_CHARS_MAX) })
    }
}

#[expect(clippy::too_many_lines, reason = "one table over every kind: each line is an arm")]
fn line(kind: &EventKind, state: &RunState) -> Option<Line> {
    Some(match kind {
        EventKind::RunStarted { run, title, environment, .. } => {
            (quiet(), format!("{title}, run {run} in {environment}"))
        }
        EventKind::RunApproved { role, by, .. } => (person(), format!("{role} agreed: {by}")),
        EventKind::ScheduleOverridden { reason, objections } => overridden_line(reason, objections),
        EventKind::ReadinessPassed { checks } => ready_line(checks.len()),
        EventKind::PhaseStarted { phase } => (mark("▶", Tone::Phase), format!("phase {phase}")),
        EventKind::PhaseHeld { phase, waits_for } => {
            (person(), format!("phase {phase} stands still: it waits for {}", waits_for.join(", ")))
        }
        EventKind::PhaseReleased { phase } => (quiet(), format!("phase {phase} goes on")),
        EventKind::PhaseEnded { phase, why } => return phase_end_line(phase, *why),
        EventKind::GateJudged { phase, open, results } => gate_line(phase, *open, results),
        EventKind::LoadStarted { load, .. } => (quiet(), format!("load {load} started")),
        EventKind::LoadSteered { load, how, by } => (person(), format!("load {load} {how}{}", by_text(by.as_deref()))),
        EventKind::LoadEnded { load } => (quiet(), format!("load {load} ended")),
        EventKind::LoadLost { load, why } => (bad(), format!("load {load} was lost: {why}")),
        EventKind::AlarmFound { .. }
        | EventKind::AlarmTransitioned { .. }
        | EventKind::AlarmUnseen { .. }
        | EventKind::AlarmLost { .. }
        | EventKind::AlarmsUnread { .. }
        | EventKind::AlarmsReread => return alarms_line(kind),
        EventKind::MetricsUnread { why, .. } => (warning(), format!("CloudWatch metrics can not be read: {why}")),
        EventKind::MetricsReread => (quiet(), "CloudWatch metrics are read again".to_owned()),
        EventKind::FaultApplied { identity } => (fault(), applied_text(&identity.fault, state)),
        EventKind::FaultFailed { identity, error } => (bad(), format!("{} was not injected: {error}", identity.fault)),
        EventKind::FaultEffective { identity, evidence, .. } => effective_line(&identity.fault, evidence),
        EventKind::FaultLost { identity, why } => (bad(), format!("{} is not in any more: {why}", identity.fault)),
        EventKind::FaultRestored { identity, how } => (good(), format!("{} {}", identity.fault, end_text(*how))),
        EventKind::FaultDrifted { identity, fields } => {
            (bad(), format!("{} was left alone: {}", identity.fault, fields.join("; ")))
        }
        EventKind::FaultStuck { identity, error, by_hand } => {
            (bad(), format!("{} is NOT undone: {error}; by hand: {}", identity.fault, by_hand.join("; ")))
        }
        EventKind::SwitchSet { identity } => set_line(&identity.fault),
        EventKind::SwitchFailed { identity, step, error, by_hand } => {
            switch_line(&identity.fault, *step, error, by_hand)
        }
        EventKind::SwitchLeft { identity, fires_at } => left_line(&identity.fault, *fires_at),
        EventKind::LockTaken { .. }
        | EventKind::LockFailed { .. }
        | EventKind::LockLost { .. }
        | EventKind::LockKept
        | EventKind::LockReleased => return lock_line(kind, state),
        EventKind::StepOpened { .. }
        | EventKind::StepTimed { .. }
        | EventKind::StepOverdue { .. }
        | EventKind::StepClosed { .. }
        | EventKind::Voted { .. }
        | EventKind::Joined { .. }
        | EventKind::InjectDelivered { .. }
        | EventKind::HintGiven { .. }
        | EventKind::PredictionSealed { .. }
        | EventKind::Revealed { .. }
        | EventKind::CardDealt { .. }
        | EventKind::CardTaken { .. }
        | EventKind::BlockStarted { .. }
        | EventKind::BlockEnded { .. }
        | EventKind::Acknowledged { .. }
        | EventKind::Marked { .. }
        | EventKind::Noted { .. }
        | EventKind::RunPaused { .. }
        | EventKind::RunResumed { .. } => return people_line::of(kind),
        EventKind::ActionSkipped { action, why } => (quiet(), format!("left out: {action}, since {why}")),
        EventKind::GuardrailWarned { guardrail, observed } => (warning(), format!("guardrail {guardrail}: {observed}")),
        EventKind::GuardrailTripped { guardrail, observed } => {
            (bad(), format!("guardrail {guardrail} ends the run: {observed}"))
        }
        EventKind::RunAborted { cause } => (bad(), abort_text(cause)),
        EventKind::RunRecovering => (quiet(), "the timeline is over; undoing what is left".to_owned()),
        EventKind::SettleJudged { held, .. } => settle_line(*held),
        EventKind::HypothesisJudged(result) => verdict_line(result),
        EventKind::RunSettled => (good(), "everything is as it was before".to_owned()),
        EventKind::RunDirty { left } => (bad(), format!("NOT everything is as it was: {}", left.join("; "))),
        EventKind::RecoveryStarted { .. } => (quiet(), "recovery started".to_owned()),
        EventKind::NoticeFailed { notice, channel, why } => untold_line(notice, channel, why),
        EventKind::EvidenceKept(kept) => return evidence_line(kept),
        EventKind::NoticeSent { .. }
        | EventKind::GuardrailRead { .. }
        | EventKind::ProcessStarted { .. }
        | EventKind::LoadRecorded(_)
        | EventKind::ProxyRecorded(_)
        | EventKind::SignalSampled { .. }
        | EventKind::MetricRead { .. }
        | EventKind::AlarmHistoryRead { .. }
        | EventKind::FaultIntended { .. }
        | EventKind::FaultArmed { .. }
        | EventKind::FaultReverting { .. }
        | EventKind::SwitchIntended { .. }
        | EventKind::SwitchPushed { .. }
        | EventKind::SwitchDeleted { .. }
        | EventKind::LockIntended { .. }
        | EventKind::RunEnded { .. }
        | EventKind::Unknown(_) => return None,
    })
}

fn overridden_line(reason: &str, objections: &[String]) -> Line {
    (person(), format!("the schedule is set aside: {reason} ({})", objections.join("; ")))
}

fn untold_line(notice: &str, channel: &str, why: &str) -> Line {
    let what = if notice == "all" { "no notice goes".to_owned() } else { format!("notice {notice} did not go") };
    (warning(), format!("{what} to {channel}: {why}"))
}

/// What could not be read; what was needs no line.
fn evidence_line(kept: &EvidenceKept) -> Option<Line> {
    let why = kept.unknown.as_ref()?;
    Some((warning(), format!("the {} of {} are not known: {why}", kept.source.as_str(), kept.about)))
}

fn effective_line(name: &FaultId, evidence: &str) -> Line {
    (fault(), format!("{name} is real: {evidence}"))
}

fn ready_line(check_count: usize) -> Line {
    (good(), format!("ready: {} passed", plural(check_count, "check", "checks")))
}

fn set_line(fault: &FaultId) -> Line {
    (quiet(), format!("{fault}: AWS undoes it by itself if this run is lost"))
}

/// What became of an alarm, or of looking at them.
fn alarms_line(kind: &EventKind) -> Option<Line> {
    if let EventKind::AlarmTransitioned { alarm, from, to, at_ms, reason, .. } = kind {
        return Some(alarm_line(alarm, (*from, *to), *at_ms, reason));
    }
    let text = if let EventKind::AlarmFound { alarm, state, transitioned_at, actions_enabled, .. } = kind {
        match (state, actions_enabled) {
            (AlarmState::Alarm, _) => {
                format!("alarm {alarm} is in ALARM already, since {}", transitioned_at.format("%F %T UTC"))
            }
            (_, false) => format!("alarm {alarm} tells nobody: its actions are disabled"),
            (_, true) => return None,
        }
    } else if let EventKind::AlarmUnseen { alarm, state, from_ms } = kind {
        format!("alarm {alarm} is {state}, and may have been in other states since {}", clock(*from_ms))
    } else if let EventKind::AlarmLost { alarm, .. } = kind {
        format!("alarm {alarm} is no longer there")
    } else if let EventKind::AlarmsUnread { why, .. } = kind {
        format!("alarms can not be read: {why}")
    } else {
        return Some((quiet(), "alarms are read again".to_owned()));
    };
    Some((warning(), text))
}

/// A dead man's switch with which something went wrong.
fn switch_line(fault: &FaultId, step: SwitchStep, error: &str, by_hand: &[String]) -> Line {
    match step {
        SwitchStep::Set | SwitchStep::Refused => (warning(), format!("{fault} has no dead man's switch: {error}")),
        SwitchStep::Push => (warning(), format!("the dead man's switch of {fault} could not be put off: {error}")),
        SwitchStep::Delete => {
            let by_hand = by_hand.join("; ");
            (bad(), format!("the dead man's switch of {fault} could not be deleted: {error}; by hand: {by_hand}"))
        }
    }
}

fn left_line(fault: &FaultId, fires_at: DateTime<Utc>) -> Line {
    let at = fires_at.format("%H:%M:%S UTC");
    (warning(), format!("{fault}: its dead man's switch is left in AWS, and undoes it at {at}"))
}

fn settle_line(held: bool) -> Line {
    match held {
        true => (good(), "the system is well again".to_owned()),
        false => (bad(), "the system is not well again in its time".to_owned()),
    }
}

/// What becomes of the lock that other machines see; that it is renewed is no news.
fn lock_line(kind: &EventKind, state: &RunState) -> Option<Line> {
    Some(if let EventKind::LockTaken { .. } = kind {
        let lock = state.lock.as_ref().filter(|lock| lock.renewed_count == 0)?;
        (quiet(), format!("the environment is locked for other machines by {}", lock.parameter))
    } else if let EventKind::LockFailed { step, error, by_hand } = kind {
        // There are commands where it is left.
        if by_hand.is_empty() {
            (warning(), format!("could not {step}: {error}"))
        } else {
            (bad(), format!("could not {step}: {error}; by hand: {}", by_hand.join("; ")))
        }
    } else if let EventKind::LockLost { found } = kind {
        (bad(), format!("the environment is not locked by this run any more: {found}"))
    } else if let EventKind::LockKept = kind {
        (warning(), "the environment stays locked for other machines".to_owned())
    } else {
        // A lock that was never had is not given back.
        state.lock.as_ref().filter(|lock| lock.expires_at.is_some())?;
        (quiet(), "the environment is free for other machines".to_owned())
    })
}

/// AWS's moment stands beside our own, which is that of the poll.
fn alarm_line(alarm: &str, (from, to): (Option<AlarmState>, AlarmState), at_ms: u64, reason: &str) -> Line {
    let sign = match to {
        AlarmState::Alarm => mark("◉", Tone::Bad),
        AlarmState::Ok => mark("◉", Tone::Good),
        AlarmState::InsufficientData => mark("◉", Tone::Quiet),
    };
    let was = from.map(|from| format!(", was {from}")).unwrap_or_default();
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    (sign, format!("alarm {alarm} is {to} since {}{was}{reason}", clock(at_ms)))
}

/// An end that was planned is told by the phase that follows.
fn phase_end_line(phase: &PhaseId, why: PhaseEnd) -> Option<Line> {
    match why {
        PhaseEnd::Until => Some((quiet(), format!("phase {phase} ended early"))),
        PhaseEnd::NoGo => Some((bad(), format!("no-go in phase {phase}: nothing more is injected"))),
        PhaseEnd::TimeUp | PhaseEnd::GateShut | PhaseEnd::Aborted => None,
    }
}

fn gate_line(phase: &PhaseId, open: bool, results: &[HypothesisResult]) -> Line {
    let names: Vec<&str> = results.iter().map(|result| result.hypothesis.as_str()).collect();
    let names = names.join(", ");
    if open {
        (good(), format!("steady state holds ({names}): the way is open"))
    } else {
        (bad(), format!("no steady state in {phase} ({names}): nothing is injected"))
    }
}

fn applied_text(fault: &FaultId, state: &RunState) -> String {
    let change = state.fault(fault).map(|progress| progress.change.as_str()).unwrap_or_default();
    format!("{fault}: {change}")
}

fn end_text(how: FaultEnd) -> &'static str {
    match how {
        FaultEnd::Restored => "undone, and read back as before",
        FaultEnd::AsBefore => "was as before already",
        FaultEnd::NotReadBack => "undone, says its own command: nothing read it back",
        FaultEnd::Expired => "is over by itself by now: its proxy could not be asked",
        FaultEnd::Gone => "is gone with its target",
        FaultEnd::Accepted => "was changed by somebody else, and is taken as it is",
    }
}

fn verdict_line(result: &HypothesisResult) -> Line {
    let seen: Vec<&str> = result.observations.iter().filter_map(|seen| seen.observed.as_deref()).collect();
    let (sign, word, why) = match &result.verdict {
        Verdict::Upheld => (good(), "upheld", None),
        Verdict::Refuted => (bad(), "refuted", None),
        Verdict::GapHolds => (mark("◐", Tone::Warning), "gap holds", None),
        Verdict::GapClosed => (bad(), "gap closed: take `known_gap` out", None),
        Verdict::Inconclusive(why) => (mark("?", Tone::Warning), "inconclusive", Some(why)),
        Verdict::NotTested(why) => (mark("?", Tone::Warning), "not tested", Some(why)),
    };
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let seen = if seen.is_empty() { String::new() } else { format!(" ({})", seen.join(", ")) };
    (sign, format!("{} {word}{seen}{why}", result.hypothesis))
}

pub(super) fn by_text(by: Option<&str>) -> String {
    by.map(|by| format!(" by {by}")).unwrap_or_default()
}

fn abort_text(cause: &AbortCause) -> String {
    let by = match cause {
        AbortCause::Guardrail { guardrail } => format!("by guardrail {guardrail}"),
        // What stands for a cause that is not told.
        AbortCause::Person { why: None, by: None } => return "aborted; undoing everything".to_owned(),
        AbortCause::Person { why, by } => {
            let by = by.as_deref().unwrap_or("a person");
            format!("by {by}{}", why.as_ref().map(|why| format!(": {why}")).unwrap_or_default())
        }
        AbortCause::Signal { signal } => format!("by {signal}"),
        AbortCause::LoadLost { load } => format!("since load {load} was lost"),
        AbortCause::FaultFailed { fault } => format!("since fault {fault} could not be injected"),
        AbortCause::NotReady { why } => return format!("the run does not begin, and nothing was changed: {why}"),
        AbortCause::Internal { error } => format!("by an error of our own: {error}"),
    };
    format!("aborted {by}; undoing everything")
}

/// A span of time as people read it on a clock that runs: whole seconds.
pub fn span(millis: u64) -> String {
    format_duration(std::time::Duration::from_secs(millis / 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_has_hours_when_there_are_any() {
        assert_eq!(clock(65_400), "01:05");
        assert_eq!(clock(3_600_000), "1:00:00");
    }

    #[test]
    fn text_from_a_file_cannot_move_the_cursor() {
        for (text, safe) in [
            ("a\u{1b}[2Jb", "note: a\\u{1b}[2Jb"),
            ("odd\n00:03 ✓ fine", "note: odd 00:03 ✓ fine"),
            ("odd\r\u{b}\u{c}\u{85}\u{2028}\u{2029}✓", "note: odd      ✓"),
        ] {
            let kind = EventKind::Noted { text: text.to_owned(), by: None };
            let event = Event { seq: 0, at: chrono::DateTime::UNIX_EPOCH, elapsed_ms: 0, kind };
            let line = EventLine::of(&event, &RunState::default()).unwrap();
            assert_eq!(line.text, safe);
        }
    }
}
