//! Detection of and response to a fault, as the metrics are defined: every time runs from the first proven effect.
//!
//! A mark belongs to the fault that it names, else to the latest one that was effective by then; an alarm belongs to the
//! latest fault that was in when it fired. The first of both detects; an inject before the first human mark takes its credit, and a
//! hint or a reveal more so. A mark
//! `diagnosed` that names a component counts when the fault's target is a part of that component. At a table a card takes the place of
//! the fault: its effect is proven when it lies there.

use super::Run;
use super::alarm::{clear_lag, could_fire, is_unseen, owner, unread};
use super::fault::CARD;
use crate::event::{AlarmNoteKind, AlarmRecord, EventKind, FaultProgress};
use crate::report::metric::Metric;
use crate::report::model::Response;
use crate::report::number::duration;
use crate::unit::{ComponentId, FaultId};

/// How often an effect is looked for where the plan names no longer period: load and probes report each second.
const LOOK_PERIOD_MS: u64 = 1_000;

/// The mark that names the right component, and the name that it had in older logs.
const DIAGNOSED: [&str; 2] = ["diagnosed", "identified"];
/// The marks that show that somebody knows of the fault. Marks of a scenario's own may mean anything.
const KNOWING_MARKS: [&str; 6] = ["detected", "diagnosed", "identified", "mitigated", "recovered", "escalated"];

pub(super) fn response(run: &Run<'_>, fault: &FaultProgress) -> Response {
    let Some(effective_ms) = fault.effective_ms else { return never_effective(fault) };
    let period_ms = match fault.kind == CARD {
        true => 0,
        false => run.facts.proof_periods_ms.get(fault.identity.fault.as_str()).copied().unwrap_or(LOOK_PERIOD_MS),
    };
    let seen = Seen { run, fault, effective_ms, period_ms };
    let (detected_by, time_to_detect) = seen.detection();
    let alarm = seen.alarm();
    let clear_lag = match &alarm {
        Some(alarm) => clear_lag(run, Some(fault), alarm.record, alarm.moment.at_ms),
        None => Metric::not_applicable("no expected alarm fired"),
    };
    Response {
        detected_by,
        alarm: alarm.as_ref().map(|alarm| alarm.name.to_owned()),
        alarm_ms: alarm.as_ref().map(|alarm| alarm.moment.at_ms),
        injection_lag: Metric::Measured {
            ms: effective_ms.saturating_sub(fault.requested_ms),
            uncertainty_ms: period_ms,
            source: "from the request to the first proven effect".to_owned(),
        },
        time_to_detect,
        time_to_acknowledge: seen.acknowledgement(),
        time_to_identify: seen.diagnosis(),
        time_to_mitigate: seen.until_mark(&["mitigated"]),
        time_to_recover: seen.recovery(),
        clear_lag,
    }
}

fn never_effective(fault: &FaultProgress) -> Response {
    let none = || Metric::not_applicable("its effect was never proven");
    let injection_lag = match (fault.applied_ms, fault.reverting_ms.or(fault.ended_ms)) {
        (Some(applied_ms), Some(until_ms)) => Metric::Censored {
            after_ms: until_ms.saturating_sub(fault.requested_ms),
            text: format!(
                "no effect was proven in the {} from the confirmed change to its undo",
                duration(until_ms.saturating_sub(applied_ms))
            ),
        },
        _ => none(),
    };
    Response {
        detected_by: None,
        alarm: None,
        alarm_ms: None,
        injection_lag,
        time_to_detect: none(),
        time_to_acknowledge: none(),
        time_to_identify: none(),
        time_to_mitigate: none(),
        time_to_recover: none(),
        clear_lag: none(),
    }
}

/// A moment at which a person did something about the fault.
struct Moment {
    at_ms: u64,
    source: String,
}

/// The expected alarm that came first.
struct FirstAlarm<'a> {
    name: &'a str,
    record: &'a AlarmRecord,
    moment: Moment,
    /// Whether it may have fired before, unseen.
    is_blind: bool,
}

/// When the notification of an alarm left, where AWS tells that; otherwise when it fired.
fn paged(alarm: FirstAlarm<'_>) -> Moment {
    let actions = alarm.record.history().into_iter().flat_map(|history| history.of(AlarmNoteKind::Action));
    match actions.map(|action| action.at_ms).find(|at_ms| *at_ms >= alarm.moment.at_ms) {
        Some(at_ms) => Moment { at_ms, source: format!("the notification of {}", alarm.moment.source) },
        None => alarm.moment,
    }
}

/// An effective fault and everything that was seen of it.
struct Seen<'a> {
    run: &'a Run<'a>,
    fault: &'a FaultProgress,
    effective_ms: u64,
    period_ms: u64,
}

impl Seen<'_> {
    /// Whether something that happened at `at_ms`, perhaps naming a fault, belongs to this one.
    fn is_ours(&self, at_ms: u64, named: Option<&FaultId>) -> bool {
        if at_ms < self.effective_ms {
            return false;
        }
        let owner = match named {
            Some(name) => self
                .run
                .state
                .faults
                .iter()
                .rev()
                .find(|fault| fault.identity.fault == *name && fault.requested_ms <= at_ms),
            None => self
                .run
                .state
                .faults
                .iter()
                .filter(|fault| !fault.identity.is_route())
                .filter(|fault| fault.effective_ms.is_some_and(|effective_ms| effective_ms <= at_ms))
                .max_by_key(|fault| fault.effective_ms),
        };
        owner.is_some_and(|owner| owner.identity == self.fault.identity)
    }

    fn first(&self, pick: impl Fn(&EventKind) -> Option<(Option<&FaultId>, String)>) -> Option<Moment> {
        self.run.events.iter().find_map(|event| {
            let (named, source) = pick(&event.kind)?;
            self.is_ours(event.elapsed_ms, named).then_some(Moment { at_ms: event.elapsed_ms, source })
        })
    }

    fn mark(&self, names: &[&str]) -> Option<Moment> {
        self.first(|kind| match kind {
            EventKind::Marked { name, fault, by, .. } if names.contains(&name.as_str()) => {
                Some((fault.as_ref(), with_author(&format!("mark {name}"), by.as_deref())))
            }
            _ => None,
        })
    }

    fn acknowledged(&self) -> Option<Moment> {
        self.first(|kind| match kind {
            EventKind::Acknowledged { by } => Some((None, with_author("acknowledgement", by.as_deref()))),
            _ => None,
        })
    }

    /// The first message while this fault was the latest.
    fn message(&self) -> Option<Moment> {
        self.first(|kind| match kind {
            EventKind::InjectDelivered { inject, .. } => Some((None, format!("inject {inject}"))),
            _ => None,
        })
    }

    /// What first gave people the answer, or a part of it.
    fn hint(&self) -> Option<Moment> {
        self.first(|kind| match kind {
            EventKind::HintGiven { hint, .. } => Some((None, format!("hint {hint}"))),
            EventKind::Revealed { fault, .. } => Some((fault.as_ref(), "the reveal".to_owned())),
            _ => None,
        })
    }

    fn measured(&self, moment: Moment) -> Metric {
        Metric::Measured {
            ms: moment.at_ms.saturating_sub(self.effective_ms),
            uncertainty_ms: self.period_ms,
            source: moment.source,
        }
    }

    fn censored(&self, what: &str, since_ms: u64) -> Metric {
        let undone_ms = self.fault.reverting_ms.or(self.fault.ended_ms).filter(|undone| *undone <= self.run.end_ms);
        let after_ms = undone_ms.unwrap_or(self.run.end_ms).saturating_sub(since_ms);
        let then = if undone_ms.is_some() { "the fault was undone" } else { "the run ended" };
        Metric::Censored { after_ms, text: format!("not {what} in {}; then {then}", duration(after_ms)) }
    }

    /// Where no person left a trace, nobody is called late: most likely nobody was there.
    fn is_unattended(&self) -> bool {
        !self.run.has_people()
    }

    /// The first expected alarm that went to `ALARM` while this fault was the latest.
    fn alarm(&self) -> Option<FirstAlarm<'_>> {
        let expected = self.run.facts.alarms.iter().flat_map(|alarms| &alarms.expected);
        let fired = expected.filter_map(|name| {
            let record = self.run.alarms.get(name)?;
            let is_ours = |at_ms: u64| owner(self.run, at_ms).is_some_and(|it| it.identity == self.fault.identity);
            let fired = record.fired().iter().find(|fired| is_ours(fired.at_ms))?;
            let vague = if fired.is_exact { "" } else { ", by the time of its last update" };
            let moment = Moment { at_ms: fired.at_ms, source: format!("alarm {name}{vague}") };
            let before = (self.fault.requested_ms, fired.at_ms);
            let is_blind = is_unseen(record, before) || self.was_unread(before);
            Some(FirstAlarm { name, record, moment, is_blind })
        });
        fired.min_by_key(|alarm| alarm.moment.at_ms)
    }

    /// Whether no alarm could be read for a part of a window.
    fn was_unread(&self, window: (u64, u64)) -> bool {
        unread(self.run).any(|(from, to, _)| from < window.1 && to > window.0)
    }

    /// Why it can not be said that nobody noticed; none where a person or an alarm was there to do so, and kept silent.
    fn unknown_detection(&self) -> Option<&'static str> {
        let expected = self.run.facts.alarms.as_ref().map(|alarms| alarms.expected.as_slice()).unwrap_or_default();
        let until_ms = self.fault.ended_ms.unwrap_or(self.run.end_ms);
        let is_unread = self.was_unread((self.effective_ms, until_ms));
        let is_free = |name: &String| {
            let record = self.run.alarms.get(name);
            record.is_some_and(|record| could_fire(record, self.fault.requested_ms, until_ms))
        };
        if !expected.is_empty() && is_unread {
            Some("alarms could not be read in that time")
        } else if !self.is_unattended() {
            None
        } else if expected.is_empty() {
            Some("no person left a trace in this run")
        } else if !expected.iter().any(is_free) {
            Some("the expected alarms were in ALARM already, or unknown")
        } else {
            None
        }
    }

    fn detection(&self) -> (Option<String>, Metric) {
        let human = [self.mark(&KNOWING_MARKS), self.acknowledged()].into_iter().flatten().min_by_key(|it| it.at_ms);
        if let Some(alarm) = self.alarm()
            && human.as_ref().is_none_or(|human| alarm.moment.at_ms <= human.at_ms)
        {
            let metric = match alarm.is_blind {
                true => Metric::not_applicable("alarms were not read all the time until it fired"),
                false => self.measured(alarm.moment),
            };
            return (Some("alarm".to_owned()), metric);
        }
        match (human, self.unknown_detection()) {
            (None, Some(why)) => (None, Metric::not_applicable(why)),
            (None, None) => (Some("nobody".to_owned()), self.censored("detected", self.effective_ms)),
            (Some(moment), _) => {
                let told = [("hint", self.hint()), ("inject", self.message())];
                let told =
                    told.into_iter().find_map(|(by, told)| Some((by, told.filter(|it| it.at_ms <= moment.at_ms)?)));
                let by = told.as_ref().map_or("human", |(by, _)| by);
                let mut metric = self.measured(moment);
                if let (Some((_, told)), Metric::Measured { source, .. }) = (told, &mut metric) {
                    source.push_str(&format!(", after {}", told.source));
                }
                (Some(by.to_owned()), metric)
            }
        }
    }

    fn acknowledgement(&self) -> Metric {
        let alarm = || self.alarm().filter(|_| !self.is_unattended()).map(paged);
        let Some(notice) = self.message().into_iter().chain(alarm()).min_by_key(|notice| notice.at_ms) else {
            return Metric::not_applicable("there was no notice to acknowledge");
        };
        match self.acknowledged() {
            Some(ack) if ack.at_ms < notice.at_ms => {
                Metric::not_applicable("it was acknowledged before the first notice")
            }
            Some(ack) => Metric::Measured {
                ms: ack.at_ms - notice.at_ms,
                uncertainty_ms: 0,
                source: format!("{}, after {}", ack.source, notice.source),
            },
            None => self.censored("acknowledged", notice.at_ms),
        }
    }

    fn until_mark(&self, names: &[&str]) -> Metric {
        match self.mark(names) {
            Some(moment) => self.measured(moment),
            None if self.is_unattended() => Metric::not_applicable("no person left a trace in this run"),
            None => self.censored(&format!("marked as {}", names.first().unwrap_or(&"anything")), self.effective_ms),
        }
    }

    /// The first diagnosis that names a component of which the fault's target is a part, or names none.
    fn diagnosis(&self) -> Metric {
        let right = self.run.facts.components.get(self.fault.target.as_str());
        let is_right = |component: Option<&ComponentId>| match (component, right) {
            (Some(component), Some(right)) => right.contains(component.as_str()),
            (None, _) | (_, None) => true,
        };
        let unverified = if right.is_none() { ", which no component of the workload confirms" } else { "" };
        let mut wrong: Vec<String> = Vec::new();
        let found = self.first(|kind| match kind {
            EventKind::Marked { name, fault, by, component, .. } if DIAGNOSED.contains(&name.as_str()) => {
                let told = component
                    .as_ref()
                    .map_or_else(|| ", which names no component".to_owned(), |it| format!(" as {it}{unverified}"));
                let source = format!("{}{told}", with_author(&format!("mark {name}"), by.as_deref()));
                is_right(component.as_ref()).then_some((fault.as_ref(), source))
            }
            _ => None,
        });
        if let Some(moment) = found {
            return self.measured(moment);
        }
        for event in self.run.events {
            if let EventKind::Marked { name, fault, component: Some(component), .. } = &event.kind
                && DIAGNOSED.contains(&name.as_str())
                && self.is_ours(event.elapsed_ms, fault.as_ref())
            {
                wrong.push(component.to_string());
            }
        }
        match self.until_mark(&DIAGNOSED) {
            _ if !wrong.is_empty() => {
                self.censored(&format!("diagnosed as what it was, but as {},", wrong.join(", ")), self.effective_ms)
            }
            metric => metric,
        }
    }

    fn recovery(&self) -> Metric {
        if let Some(moment) = self.mark(&["recovered"]) {
            return self.measured(moment);
        }
        let later = self.run.state.faults.iter().any(|fault| {
            fault.identity != self.fault.identity
                && fault.effective_ms.is_some_and(|effective_ms| effective_ms > self.effective_ms)
        });
        if later {
            return Metric::not_applicable(
                "the settle condition is judged once, after the last fault; no mark recovered",
            );
        }
        let settled = self.run.events.iter().rev().find_map(|event| match &event.kind {
            EventKind::SettleJudged { held, held_ms } => Some((event.elapsed_ms, *held, *held_ms)),
            _ => None,
        });
        match settled {
            Some((at_ms, true, held_ms)) => Metric::Measured {
                ms: held_ms.unwrap_or(at_ms).saturating_sub(self.effective_ms),
                uncertainty_ms: self.period_ms.saturating_add(LOOK_PERIOD_MS),
                source: "settle condition held, looked at after the undo".to_owned(),
            },
            Some((at_ms, false, _)) => {
                let after_ms = at_ms.saturating_sub(self.effective_ms);
                Metric::Censored {
                    after_ms,
                    text: format!("not back in bounds in {}; then the wait was over", duration(after_ms)),
                }
            }
            None => Metric::not_applicable("no settle condition was judged, and nobody marked it recovered"),
        }
    }
}

fn with_author(what: &str, by: Option<&str>) -> String {
    by.map_or_else(|| what.to_owned(), |by| format!("{what} by {by}"))
}
