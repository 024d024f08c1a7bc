//! From events to notices: a pure fold.
//!
//! Whoever takes part reads the channel as well. Where faults are hidden from somebody, neither title, aim nor fault is told before it is
//! revealed; what is left behind is told in any case, since safety comes before surprise.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::notice::{NOTICE_FORMAT, Notice, NoticePlace, NoticePlaybook, NoticeSeverity, ReportFacts};
use super::text::{line, told};
use crate::event::{
    AbortCause, Event, EventKind, FaultEnd, FaultIdentity, FaultProgress, RunState, StepProgress, Verdict,
};
use crate::plan::{Action, EnvironmentKind, NotifyPlan, Plan, TargetPlan};
use crate::unit::{FaultId, PersonId, PhaseId, PlaybookId, format_duration, plural};
use crate::workspace::NotifyEvent;

/// How many lines a notice has beside what has happened.
pub(super) const DETAILS_MAX: usize = 20;

/// How many people are named as being on it.
const WHO_MAX: usize = 20;

/// What of a path is written as it is in an address.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The notices of one run: it takes in each event, and says what people are told of it.
#[derive(Debug)]
pub struct Composer {
    plan: Arc<Plan>,
    notify: NotifyPlan,
    state: RunState,
    /// The number of the event that comes next.
    next_seq: u64,
}

impl Composer {
    /// The composer of a run's notices; none where its plan tells nobody.
    #[must_use]
    pub fn new(plan: &Arc<Plan>) -> Option<Self> {
        Some(Self { notify: plan.notify.clone()?, plan: Arc::clone(plan), state: RunState::default(), next_seq: 0 })
    }

    /// The same after what has happened so far, of which nothing is told any more.
    #[must_use]
    pub fn after(mut self, events: &[Event]) -> Self {
        for event in events {
            self.take_in(event);
        }
        self
    }

    /// Takes in an event, and composes what is told of it. One that was taken in before is left out; one that no log has is taken in.
    pub fn on(&mut self, event: &Event) -> Vec<Notice> {
        if event.seq < self.next_seq {
            return Vec::new();
        }
        let was_aborted = self.state.abort.is_some();
        self.take_in(event);
        let notices = match &event.kind {
            EventKind::ReadinessPassed { .. } => vec![self.start(event)],
            EventKind::FaultApplied { identity } => self.fault_on(event, identity).into_iter().collect(),
            EventKind::Revealed { fault, .. } if self.plan.is_blind() => self.revealed(event, fault.as_ref()),
            EventKind::FaultRestored { identity, .. }
            | EventKind::FaultDrifted { identity, .. }
            | EventKind::FaultStuck { identity, .. } => self.fault_off(event, identity).into_iter().collect(),
            EventKind::StepOverdue { step } => {
                let step = self.state.open_step(step).filter(|step| step.must);
                step.map(|step| self.overdue(event, step)).into_iter().collect()
            }
            EventKind::RunAborted { cause } if !was_aborted => vec![self.abort(event, cause)],
            EventKind::RunSettled => vec![self.all_clear(event)],
            EventKind::RunDirty { left } => vec![self.dirty(event, left)],
            _ => Vec::new(),
        };
        notices.into_iter().filter(|notice| self.notify.tells(notice.event)).collect()
    }

    fn take_in(&mut self, event: &Event) {
        self.state.apply(event);
        if event.seq != u64::MAX {
            self.next_seq = event.seq + 1;
        }
    }

    /// Whether everything may be told.
    fn shows_all(&self) -> bool {
        !self.plan.is_blind() || self.state.people.revealed_ms.is_some()
    }

    /// Whether this fault may be told of.
    fn shows(&self, fault: &FaultId) -> bool {
        !self.plan.is_blind() || self.state.people.is_revealed(fault)
    }

    /// What is in, and was kept quiet until now.
    fn revealed(&self, event: &Event, fault: Option<&FaultId>) -> Vec<Notice> {
        let is_it = |it: &&FaultProgress| it.is_active() && fault.is_none_or(|fault| it.identity.fault == *fault);
        let active = self.state.faults.iter().filter(is_it);
        active.filter_map(|it| self.fault_on(event, &it.identity)).collect()
    }

    /// A notice about the run as a whole, to be filled in.
    fn notice(&self, event: &Event, about: NotifyEvent, severity: NoticeSeverity, what: &str) -> Notice {
        let environment = &self.plan.environment;
        let region = match &environment.kind {
            EnvironmentKind::Sandbox | EnvironmentKind::Endpoint { .. } => None,
            EnvironmentKind::Account { region, .. } => Some(line(region)),
        };
        let run = self.run_name();
        let number = if event.seq == u64::MAX { event.elapsed_ms } else { event.seq };
        Notice {
            gameday_notice: NOTICE_FORMAT,
            id: format!("{run}/{number}-{about}"),
            event: about,
            severity,
            what: line(what),
            details: Vec::new(),
            place: NoticePlace { environment: line(&environment.name), region, target: None },
            since: event.at,
            until: None,
            playbook: None,
            who: self.on_it(),
            command: None,
            run,
            at: event.at,
        }
    }

    /// The run's id; what stands before the scenario's where that would tell of the fault.
    fn run_name(&self) -> String {
        let run = &self.state.run;
        let moment = || run.splitn(5, '-').take(4).collect::<Vec<_>>().join("-");
        line(&if self.shows_all() { run.clone() } else { moment() })
    }

    fn start(&self, event: &Event) -> Notice {
        let plan = &self.plan;
        let length = plan.length();
        let mut details = vec![format!("It takes about {}.", format_duration(length))];
        let what = if self.shows_all() {
            details.extend(plan.scenario.why.as_deref().map(|why| told(plan, &format!("Why: {why}"))));
            details.extend(plan.steps.iter().filter_map(|step| self.planned_fault(&step.action)));
            told(plan, &format!("A game day starts: {}", plan.scenario.title))
        } else {
            "A game day starts.".to_owned()
        };
        details.push("Anybody may end it, at any time: `gameday abort`.".to_owned());
        let until = event.at + TimeDelta::from_std(length).unwrap_or_default();
        let notice = self.notice(event, NotifyEvent::Start, NoticeSeverity::Info, &what);
        Notice { details: few(details), until: Some(until), ..notice }
    }

    fn planned_fault(&self, action: &Action) -> Option<String> {
        let Action::InjectFault { fault, .. } = action else { return None };
        let change = &self.plan.changes.get(fault)?.change;
        Some(told(&self.plan, &format!("Planned: {fault}: {change}")))
    }

    /// A route breaks nothing, and is no news.
    fn shown_fault(&self, identity: &FaultIdentity) -> Option<&FaultProgress> {
        let fault = self.state.faults.iter().find(|fault| fault.identity == *identity)?;
        (!identity.is_route() && self.shows(&identity.fault)).then_some(fault)
    }

    fn fault_on(&self, event: &Event, identity: &FaultIdentity) -> Option<Notice> {
        let fault = self.shown_fault(identity)?;
        let what = format!("Fault {} is on.", identity.fault);
        let notice = self.notice(event, NotifyEvent::FaultOn, NoticeSeverity::Warning, &what);
        let since = self.moment(event, fault.applied_ms.unwrap_or(event.elapsed_ms));
        let lasts = self.lasts(identity).and_then(|lasts| TimeDelta::from_std(lasts).ok());
        Some(Notice {
            // Several may be revealed at once.
            id: format!("{}-{}", notice.id, line(&identity.step)),
            details: vec![told(&self.plan, &fault.change)],
            place: self.place_of(notice.place.clone(), fault),
            since,
            until: lasts.map(|lasts| since + lasts),
            playbook: self.playbook_of_phase(),
            ..notice
        })
    }

    fn fault_off(&self, event: &Event, identity: &FaultIdentity) -> Option<Notice> {
        let fault = self.shown_fault(identity)?;
        // One that was never made is not over.
        fault.applied_ms?;
        let name = &identity.fault;
        let (severity, what, details) = match &event.kind {
            EventKind::FaultDrifted { fields, .. } => {
                let what = format!("Fault {name} was left alone: somebody else has changed the same setting.");
                (NoticeSeverity::Warning, what, fields.clone())
            }
            EventKind::FaultStuck { error, .. } => {
                (NoticeSeverity::Critical, format!("Fault {name} is NOT undone."), vec![error.clone()])
            }
            _ => (NoticeSeverity::Good, format!("Fault {name} is over: {}.", end_words(fault.end)), Vec::new()),
        };
        let needs_hand = severity != NoticeSeverity::Good;
        let notice = self.notice(event, NotifyEvent::FaultOff, severity, &what);
        Some(Notice {
            details: few(details.iter().map(|detail| told(&self.plan, detail)).collect()),
            place: self.place_of(notice.place.clone(), fault),
            playbook: needs_hand.then(|| self.playbook_of_phase()).flatten(),
            ..notice
        })
    }

    /// What is to be done, and by which playbook, may tell of the fault: those who are on it know.
    fn overdue(&self, event: &Event, step: &StepProgress) -> Notice {
        let shows_all = self.shows_all();
        let what = match shows_all {
            true => told(&self.plan, &format!("A step is overdue: {}", step.text)),
            false => "A step that must be done is overdue.".to_owned(),
        };
        let notice = self.notice(event, NotifyEvent::Overdue, NoticeSeverity::Warning, &what);
        // Whose it is, and of a poll those who have not said anything yet.
        let silent = step.asks.poll.iter().filter(|role| step.vote_of(role).is_none());
        let who: Vec<String> = step.owner.iter().chain(silent).map(|role| self.person(role)).collect();
        let notice = Notice {
            since: self.moment(event, step.due_ms.unwrap_or(event.elapsed_ms)),
            who: if who.is_empty() { notice.who } else { who },
            ..notice
        };
        if !shows_all {
            return notice;
        }
        let of_phase = || self.playbook_of(step.phase.as_ref()?);
        let phase = step.phase.as_ref().map(|phase| format!("Step {} of phase {phase}.", step.step));
        Notice {
            details: phase.into_iter().collect(),
            playbook: step.playbook.as_ref().and_then(|id| self.playbook(id)).or_else(of_phase),
            command: Some(format!("gameday step done {}", step.step)),
            ..notice
        }
    }

    fn abort(&self, event: &Event, cause: &AbortCause) -> Notice {
        let (what, details) = abort_words(cause, self.shows_all());
        let notice = self.notice(event, NotifyEvent::Abort, NoticeSeverity::Critical, &told(&self.plan, &what));
        let playbook = if self.shows_all() { self.playbook_of_phase() } else { None };
        Notice { details: few(details.iter().map(|detail| told(&self.plan, detail)).collect()), playbook, ..notice }
    }

    fn all_clear(&self, event: &Event) -> Notice {
        let made = self.state.faults.iter().filter(|fault| !fault.identity.is_route() && fault.applied_ms.is_some());
        let mut details = Vec::new();
        // How many there were is a part of what is hidden.
        match made.count() {
            _ if !self.shows_all() => {}
            0 => details.push("No fault was injected.".to_owned()),
            made => details
                .push(format!("{} undone.", plural(made, "fault was injected and is", "faults were injected and are"))),
        }
        match self.state.not_read_back() {
            0 => {}
            unread => details.push(format!("{} could not be read back.", plural(unread, "undo", "undos"))),
        }
        if self.state.has_recovery {
            details.push("It was undone by a recovery: the run itself did not come to its end.".to_owned());
        }
        details.extend(verdicts(&self.state).map(|counts| format!("Hypotheses: {counts}.")));
        let what = "All clear: everything is as it was before.";
        let notice = self.notice(event, NotifyEvent::AllClear, NoticeSeverity::Good, what);
        Notice { details, ..notice }
    }

    /// What is left behind is told to everybody.
    fn dirty(&self, event: &Event, left: &[String]) -> Notice {
        let what = format!("NOT everything is as it was: {} left.", plural(left.len(), "change is", "changes are"));
        let notice = self.notice(event, NotifyEvent::Dirty, NoticeSeverity::Critical, &what);
        let run = line(&self.state.run);
        Notice {
            details: few(left.iter().map(|left| told(&self.plan, left)).collect()),
            command: Some(format!("gameday recover {run}")),
            playbook: self.playbook_of_phase(),
            run,
            ..notice
        }
    }

    /// The notice of a report that was made; none where nobody wants to hear of it.
    #[must_use]
    pub fn report(&self, event: &Event, facts: &ReportFacts) -> Option<Notice> {
        let severity = if facts.is_good { NoticeSeverity::Good } else { NoticeSeverity::Warning };
        let shows_all = self.shows_all();
        let title = &self.plan.scenario.title;
        let what = match shows_all {
            true => format!("The report is there: {title}: {}", facts.outcome),
            false => "The report is there.".to_owned(),
        };
        let mut details: Vec<String> =
            verdicts(&self.state).map(|counts| format!("Hypotheses: {counts}.")).into_iter().collect();
        let worst = facts.worst.iter().filter(|_| shows_all);
        details.extend(worst.map(|worst| told(&self.plan, &format!("Worst: {worst}"))));
        let notice = self.notice(event, NotifyEvent::Report, severity, &told(&self.plan, &what));
        Some(Notice { details, ..notice }).filter(|notice| self.notify.tells(notice.event))
    }

    /// The wall-clock moment of a time since the run's start.
    fn moment(&self, event: &Event, at_ms: u64) -> DateTime<Utc> {
        let behind = event.elapsed_ms.saturating_sub(at_ms);
        event.at - TimeDelta::from_std(Duration::from_millis(behind)).unwrap_or_default()
    }

    /// How long a fault is in, as planned.
    fn lasts(&self, identity: &FaultIdentity) -> Option<Duration> {
        let is_it = |action: &Action| matches!(action, Action::InjectFault { id, .. } if *id == identity.step);
        let step = self.plan.steps.iter().find(|step| is_it(&step.action))?;
        step.stop.map(|stop| stop.0.saturating_sub(step.start.0))
    }

    fn place_of(&self, place: NoticePlace, fault: &FaultProgress) -> NoticePlace {
        let target = &fault.target;
        let words = match self.plan.targets.get(target) {
            Some(TargetPlan::Lambda { function, alias, .. }) => {
                let alias = alias.as_ref().map(|alias| format!(":{alias}")).unwrap_or_default();
                format!("{target} (function {function}{alias})")
            }
            Some(TargetPlan::Proxy(_) | TargetPlan::RemoteProxy { .. }) => format!("{target} (behind the fault proxy)"),
            Some(TargetPlan::Resource(resource)) => format!("{target} ({resource})"),
            None => target.to_string(),
        };
        NoticePlace { target: Some(told(&self.plan, &words)), ..place }
    }

    /// Those who have an open step; where nobody has, all who take part; without them, the scenario's owner.
    fn on_it(&self) -> Vec<String> {
        let open = self.state.steps.iter().filter(|step| step.outcome.is_none());
        let busy: BTreeSet<&PersonId> = open.filter_map(|step| step.owner.as_ref()).collect();
        let all = || self.plan.scenario.people.keys().collect::<BTreeSet<_>>();
        let roles = if busy.is_empty() { all() } else { busy };
        let people: Vec<String> = roles.into_iter().take(WHO_MAX).map(|role| self.person(role)).collect();
        if people.is_empty() { vec![told(&self.plan, &self.plan.scenario.owner)] } else { people }
    }

    fn person(&self, role: &PersonId) -> String {
        match self.plan.scenario.people.get(role) {
            Some(person) => told(&self.plan, &format!("{role} ({})", person.who)),
            None => line(role.as_str()),
        }
    }

    fn playbook_of_phase(&self) -> Option<NoticePlaybook> {
        self.playbook_of(&self.state.phases.last()?.phase)
    }

    fn playbook_of(&self, phase: &PhaseId) -> Option<NoticePlaybook> {
        let phase = self.plan.phases.iter().find(|planned| planned.phase == *phase)?;
        self.playbook(phase.checklist.iter().find_map(|step| step.playbook.as_ref())?)
    }

    fn playbook(&self, id: &PlaybookId) -> Option<NoticePlaybook> {
        let path = self.notify.playbooks.get(id)?;
        let files = self.notify.files.as_deref();
        let url = files.map(|files| format!("{}/{}", files.trim_end_matches('/'), utf8_percent_encode(path, PATH)));
        Some(NoticePlaybook { id: id.to_string(), path: line(path), url })
    }
}

/// The first lines, and how many there are besides.
fn few(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > DETAILS_MAX {
        let more = lines.len() - (DETAILS_MAX - 1);
        lines.truncate(DETAILS_MAX - 1);
        lines.push(format!("and {more} more"));
    }
    lines
}

fn end_words(end: Option<FaultEnd>) -> &'static str {
    match end {
        Some(FaultEnd::Restored) | None => "it is undone, and read back as before",
        Some(FaultEnd::AsBefore) => "everything was as before already",
        Some(FaultEnd::NotReadBack) => "it is undone, says its own command, and nothing read it back",
        Some(FaultEnd::Expired) => "its time is up, and its proxy could not be asked",
        Some(FaultEnd::Gone) => "its target is gone",
        Some(FaultEnd::Accepted) => "somebody else has changed it, and it is taken as it is",
    }
}

/// Who or what aborted it, and what else there is to know; what may name a fault only where that may be told.
fn abort_words(cause: &AbortCause, shows_all: bool) -> (String, Vec<String>) {
    let undoing = "Everything that was changed is being undone.".to_owned();
    let (by, why) = match cause {
        AbortCause::Guardrail { guardrail } => (format!("by guardrail {guardrail}"), None),
        AbortCause::Person { why, by: Some(by) } => (format!("by {by}"), why.clone()),
        AbortCause::Person { why, by: None } => ("by a person".to_owned(), why.clone()),
        AbortCause::Signal { signal } => (format!("by {signal}"), None),
        AbortCause::LoadLost { .. } if !shows_all => ("since a load was lost".to_owned(), None),
        AbortCause::LoadLost { load } => (format!("since load {load} was lost"), None),
        AbortCause::FaultFailed { .. } if !shows_all => ("since a fault could not be injected".to_owned(), None),
        AbortCause::FaultFailed { fault } => (format!("since fault {fault} could not be injected"), None),
        AbortCause::NotReady { why } => {
            let why = shows_all.then(|| why.clone());
            return ("The game day does not begin, and nothing was changed.".to_owned(), why.into_iter().collect());
        }
        AbortCause::Internal { error } => ("by an error of the program".to_owned(), shows_all.then(|| error.clone())),
    };
    (format!("Aborted {by}."), why.into_iter().chain([undoing]).collect())
}

/// How many hypotheses came to which verdict; none where none was judged.
fn verdicts(state: &RunState) -> Option<String> {
    let count = |is_it: fn(&Verdict) -> bool| state.results.iter().filter(|result| is_it(&result.verdict)).count();
    let counts = [
        (count(|it| matches!(it, Verdict::Upheld)), "upheld"),
        (count(|it| matches!(it, Verdict::Refuted)), "refuted"),
        (count(|it| matches!(it, Verdict::GapHolds)), "gap holds"),
        (count(|it| matches!(it, Verdict::GapClosed)), "gap closed"),
        (count(|it| matches!(it, Verdict::Inconclusive(_))), "inconclusive"),
        (count(|it| matches!(it, Verdict::NotTested(_))), "not tested"),
    ];
    let texts = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    Some(texts.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
}

/// A notice that says nothing but that notices arrive.
#[must_use]
pub fn test_notice(environment: &str, by: &str, at: DateTime<Utc>) -> Notice {
    Notice {
        gameday_notice: NOTICE_FORMAT,
        id: format!("test/{}", at.timestamp_millis()),
        event: NotifyEvent::Start,
        severity: NoticeSeverity::Info,
        what: "This is a test of gameday: notices arrive here.".to_owned(),
        details: vec!["Nothing is run, and nothing is changed.".to_owned()],
        place: NoticePlace { environment: line(environment), region: None, target: None },
        since: at,
        until: None,
        playbook: None,
        who: vec![line(by)],
        command: None,
        run: "test".to_owned(),
        at,
    }
}

#[cfg(test)]
mod tests;
