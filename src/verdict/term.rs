//! One term of an expectation over one window.

use std::collections::BTreeMap;
use std::time::Duration;

use super::alarm::Extent;
use super::measure::{Measured, Unit, measure, number, reports_since_ms};
use super::recording::{Recording, SECOND_MS, WindowMs};
use crate::event::{FaultProgress, Observation};
use crate::observe::SignalSpec;
use crate::scenario::expect::{Aggregate, Condition, Expectation, Measure, Operator, PhaseWindow, Term, Value};
use crate::unit::{PhaseId, SignalId, elapsed_ms, format_duration};

/// Over how long a term without `for` looks back, where it is asked again and again: guardrails, `until`, `within`.
pub(super) const LOOK_BACK: Duration = Duration::from_secs(5);

/// How long a source may take to report what it saw, in milliseconds.
const REPORT_GRACE_MS: u64 = 3_000;

/// What a term came to.
#[derive(Debug, Clone, PartialEq)]
pub struct TermResult {
    /// Whether it holds; none where the data does not tell.
    pub held: Option<bool>,
    /// The measured value with its unit.
    pub observed: Option<String>,
    /// The window, once it is known.
    pub window_ms: Option<(u64, u64)>,
    /// How many values stand behind it.
    pub sample_count: u64,
    /// When it first held, for `within`.
    pub held_ms: Option<u64>,
    /// Smallest, median, 99th percentile, largest.
    pub spread: Option<[String; 4]>,
    /// Why the data does not tell.
    pub missing: Option<String>,
    /// Why a verdict may not rest on it, though a guardrail may.
    pub doubt: Option<String>,
    /// How far the value is on its way to the bound at which the term holds, from 0 to 1; none where there is no such way.
    pub nearness: Option<f64>,
}

impl TermResult {
    pub(super) fn unknown(why: impl Into<String>) -> Self {
        Self {
            held: None,
            observed: None,
            window_ms: None,
            sample_count: 0,
            held_ms: None,
            spread: None,
            missing: Some(why.into()),
            doubt: None,
            nearness: None,
        }
    }

    /// The result as an event carries it.
    #[must_use]
    pub fn observation(self, term: &Term) -> Observation {
        Observation {
            term: term.to_string(),
            held: self.held,
            observed: self.observed,
            window_ms: self.window_ms,
            sample_count: self.sample_count,
            held_ms: self.held_ms,
            spread: self.spread,
            missing: self.missing,
        }
    }
}

/// Judges expectations over a recording, at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// What was recorded.
    pub recording: &'a Recording,
    /// The signals' specs.
    pub signals: &'a BTreeMap<SignalId, SignalSpec>,
    /// The phase that `of baseline` means.
    pub baseline: Option<&'a PhaseId>,
    /// The moment, in milliseconds since the run's start.
    pub now_ms: u64,
}

impl Judge<'_> {
    /// Whether all terms hold now, each over its trailing `for D` or 5 s: for guardrails.
    #[must_use]
    pub fn holds_now(&self, expectation: &Expectation) -> (Option<bool>, Vec<TermResult>) {
        self.all(expectation, |term| self.live(term, 0))
    }

    /// The same for `until` and `unless` of a phase: what metrics, which come late, said of the time before it does not count.
    #[must_use]
    pub fn holds_in_phase(&self, expectation: &Expectation, start_ms: u64) -> Option<bool> {
        let from_ms = |term: &Term| if self.is_metric(term) { start_ms } else { 0 };
        self.all(expectation, |term| self.live(term, from_ms(term))).0
    }

    /// Whether all terms hold over the time since `from_ms`, or over the trailing `for D` of it, without a demand on
    /// completeness: for `effect_if`.
    #[must_use]
    pub fn holds_since(&self, expectation: &Expectation, from_ms: u64) -> (Option<bool>, Vec<TermResult>) {
        self.all(expectation, |term| {
            if let Some(hold) = term.hold {
                return self.trailing(term, (from_ms, self.now_ms), hold);
            }
            if let Condition::Alarm { pattern, state } = &term.condition {
                return self.alarm_since(pattern, *state, (from_ms, self.now_ms));
            }
            let mut result = self.over(term, (from_ms, self.now_ms));
            if result.held == Some(true) && result.sample_count == 0 && result.missing.is_some() {
                result.held = None;
            }
            result
        })
    }

    /// Whether all terms hold over `window`, or over the trailing `for D` of it, whatever window they name themselves:
    /// for gates.
    #[must_use]
    pub fn holds_over(&self, expectation: &Expectation, window: WindowMs) -> (Option<bool>, Vec<TermResult>) {
        self.all(expectation, |term| beyond_doubt(self.closing(term, window)))
    }

    /// Whether all terms hold over the end of the time since `from_ms`, each over its `for D` or the last 5 s: for what
    /// must be so again after a disturbance.
    #[must_use]
    pub fn holds_again(&self, expectation: &Expectation, from_ms: u64) -> Option<bool> {
        let now = self.now_ms / SECOND_MS * SECOND_MS;
        let window = |term: &Term| (from_ms, self.newest(term, now));
        self.all(expectation, |term| self.trailing(term, window(term), self.look_back(term))).0
    }

    /// Judges one term over the window that it names, at the end of a run.
    #[must_use]
    pub fn finally(&self, term: &Term) -> TermResult {
        beyond_doubt(self.over_its_window(term))
    }

    fn over_its_window(&self, term: &Term) -> TermResult {
        let recording = self.recording;
        match &term.window {
            // A run that injects nothing is judged as a whole. One that should have, and did not, is not tested at all.
            None => match (recording.first_injection_ms(), recording.start_ms()) {
                (Some(injected), _) => self.closing(term, (injected, self.now_ms)),
                // Nothing else than the load was there: all of its seconds count, those that it began and ended in, too.
                (None, Some(start)) => {
                    let whole = (start / SECOND_MS * SECOND_MS, self.now_ms.next_multiple_of(SECOND_MS));
                    self.closing(term, whole)
                }
                (None, None) => TermResult::unknown("no phase began"),
            },
            Some(PhaseWindow::During(phase)) => match recording.phase(phase, self.now_ms) {
                Some(window) => self.closing(term, window),
                None => TermResult::unknown(format!("phase `{phase}` did not begin")),
            },
            Some(PhaseWindow::After(phase)) => match recording.phase_end(phase) {
                Some(end) => self.closing(term, (end, self.now_ms)),
                None => TermResult::unknown(format!("phase `{phase}` did not end")),
            },
            Some(PhaseWindow::Within { limit, after }) => match recording.phase_end(after) {
                Some(end) => self.within(term, end, end + elapsed_ms(*limit)),
                None => TermResult::unknown(format!("phase `{after}` did not end")),
            },
        }
    }

    /// Whether the signal of a term has had the time to report: what is missing now is really missing.
    #[must_use]
    pub fn should_have_data(&self, term: &Term) -> bool {
        let signal = match &term.condition {
            Condition::Compare { measure: Measure::Signal { signal, .. }, .. } => signal,
            Condition::Alarm { pattern, .. } => return self.should_know(pattern),
            Condition::Compare { measure: Measure::Detect(alarm), .. } => {
                // Before there is an effect there is nothing to detect.
                let is_effective = self.recording.state().faults.iter().any(|fault| fault.effective_ms.is_some());
                return is_effective && self.should_know(alarm.as_str());
            }
            Condition::Compare { measure: Measure::Ack | Measure::Steps { .. }, .. } | Condition::Mark(_) => {
                return false;
            }
        };
        let look_back_ms = elapsed_ms(self.look_back(term)) + self.report_grace_ms(term, REPORT_GRACE_MS);
        let since_ms = self.signals.get(signal).and_then(|spec| reports_since_ms(self.recording, spec));
        since_ms.is_some_and(|since| self.now_ms >= since + look_back_ms)
    }

    /// Until when a `within` can still become true; none for other terms, and before its phase has ended.
    #[must_use]
    pub fn open_until_ms(&self, term: &Term) -> Option<u64> {
        match term.window.as_ref()? {
            PhaseWindow::Within { limit, after } => Some(self.recording.phase_end(after)? + elapsed_ms(*limit)),
            PhaseWindow::During(_) | PhaseWindow::After(_) => None,
        }
    }

    fn all(&self, expectation: &Expectation, judge: impl Fn(&Term) -> TermResult) -> (Option<bool>, Vec<TermResult>) {
        let results: Vec<TermResult> = expectation.terms.iter().map(judge).collect();
        (conjunction(results.iter().map(|result| result.held)), results)
    }

    /// A term over a whole window, or over its trailing `for D` at the window's end.
    fn closing(&self, term: &Term, window: WindowMs) -> TermResult {
        match term.hold {
            None => complete(self.over(term, window)),
            Some(hold) => self.trailing(term, window, hold),
        }
    }

    /// A term over the last `length` of `window`, which must be that long.
    fn trailing(&self, term: &Term, window: WindowMs, length: Duration) -> TermResult {
        let window = (window.0, self.seen_to(term, window.1));
        match window.1.checked_sub(elapsed_ms(length)) {
            Some(start) if start >= window.0 => match &term.condition {
                Condition::Alarm { pattern, state } => {
                    self.alarm(pattern, *state, (start, window.1), Extent::Throughout)
                }
                Condition::Compare { .. } | Condition::Mark(_) => complete(self.over(term, (start, window.1))),
            },
            Some(_) | None => TermResult::unknown("the time to look back over is not full yet"),
        }
    }

    fn live(&self, term: &Term, from_ms: u64) -> TermResult {
        let length = self.look_back(term);
        // Load is known by whole seconds: the last whole second is the newest there is.
        let now = self.newest(term, self.now_ms / SECOND_MS * SECOND_MS);
        match &term.condition {
            Condition::Compare { measure: Measure::Signal { .. }, .. } => self.trailing(term, (from_ms, now), length),
            Condition::Alarm { pattern, state } => match term.hold {
                // Without `for` it is the state now.
                None => self.alarm(pattern, *state, (self.now_ms, self.now_ms), Extent::Throughout),
                Some(hold) => self.trailing(term, (0, self.now_ms), hold),
            },
            Condition::Compare { .. } | Condition::Mark(_) => self.over(term, (0, self.now_ms)),
        }
    }

    /// Whether a term becomes true at some time from `start` to `end`, looking back over its `for D` or 5 s.
    fn within(&self, term: &Term, start: u64, end: u64) -> TermResult {
        let length = self.look_back(term);
        let seen_until = end.min(self.now_ms);
        if let Condition::Mark(_) = term.condition {
            // A mark is made at its own moment: there is nothing to look back over.
            return self.over(term, (start, seen_until));
        }
        if let Condition::Alarm { pattern, state } = &term.condition {
            return still_open(self.alarm_within(pattern, *state, (start, seen_until), term.hold), self.now_ms < end);
        }
        let mut last = TermResult::unknown("the time to look back over is not full yet");
        let mut at = start + elapsed_ms(length);
        while at <= seen_until {
            let result = beyond_doubt(self.trailing(term, (start, at), length));
            if result.held == Some(true) {
                return TermResult { held_ms: Some(at), ..result };
            }
            if result.held.is_some() || last.held.is_none() {
                last = result;
            }
            at += SECOND_MS;
        }
        still_open(last, self.now_ms < end)
    }

    /// A term over exactly one window; data that misses is said, and not yet held against it.
    fn over(&self, term: &Term, window: WindowMs) -> TermResult {
        let result = match &term.condition {
            Condition::Compare { measure: subject, operator, value } => {
                self.compare(subject, *operator, *value, window)
            }
            Condition::Alarm { pattern, state } => return self.alarm(pattern, *state, window, Extent::Ever),
            Condition::Mark(name) => {
                let at = self.recording.mark_ms(name, window);
                // Only a window that reaches that far was left without the time to make it in.
                if at.is_none() && self.recording.state().cut_ms().is_some_and(|cut_ms| cut_ms <= window.1) {
                    return TermResult::unknown(format!("no mark `{name}` before the run was ended"));
                }
                TermResult {
                    held: Some(at.is_some()),
                    observed: Some(if at.is_some() { "made" } else { "not made" }.to_owned()),
                    sample_count: u64::from(at.is_some()),
                    held_ms: at,
                    missing: None,
                    ..TermResult::unknown("")
                }
            }
        };
        TermResult { window_ms: Some(window), ..result }
    }

    fn compare(&self, subject: &Measure, operator: Operator, value: Value, window: WindowMs) -> TermResult {
        match subject {
            Measure::Signal { aggregate, signal } => self.compare_signal(*aggregate, signal, operator, value, window),
            Measure::Detect(alarm) => self.compare_detect(alarm, operator, value, window),
            Measure::Ack => self.compare_ack(operator, value, window),
            Measure::Steps { playbook, must } => {
                let (done, all) = self.recording.steps(playbook, *must);
                if all == 0 {
                    return TermResult::unknown(format!("no step of playbook `{playbook}` was opened"));
                }
                let share = number(done) / number(all);
                TermResult {
                    held: bound(value, None).map(|bound| operator.holds(share, bound)),
                    observed: Some(format!("{done} of {all} in time")),
                    sample_count: all,
                    missing: None,
                    ..TermResult::unknown("")
                }
            }
        }
    }

    /// From the first notice of the latest fault whose effect was proven in the window, or whose card was dealt in it, to the first
    /// acknowledgement. The notice is an alarm or a message; where none came, the effect itself. Who acknowledges before that took
    /// no time.
    fn compare_ack(&self, operator: Operator, value: Value, window: WindowMs) -> TermResult {
        let state = self.recording.state();
        let is_in = |at: &u64| (window.0..=window.1).contains(at);
        let proven = |fault: &FaultProgress| Some((fault.effective_ms.filter(is_in)?, fault.requested_ms));
        let cards = state.people.cards.iter().filter(|card| is_in(&card.dealt_ms));
        let faults = state.faults.iter().filter_map(proven).chain(cards.map(|card| (card.dealt_ms, card.dealt_ms)));
        let Some((effective, requested)) = faults.max() else {
            return TermResult::unknown("no fault had a proven effect to acknowledge");
        };
        let noticed = self.recording.noticed_ms(requested);
        let since = |noticed: Option<u64>| noticed.map_or(effective, |noticed| noticed.max(effective));
        let Some(acknowledged) = self.recording.acknowledged_ms(requested) else {
            return self.unacknowledged(operator, value, since(noticed));
        };
        // What was told later is no reason why somebody was quick.
        let since = since(noticed.filter(|noticed| *noticed <= acknowledged));
        let seconds = Duration::from_millis(acknowledged.saturating_sub(since)).as_secs_f64();
        TermResult {
            held: bound(value, None).map(|bound| operator.holds(seconds, bound)),
            observed: Some(Unit::Duration.show(seconds)),
            sample_count: 1,
            held_ms: Some(acknowledged),
            missing: None,
            ..TermResult::unknown("")
        }
    }

    /// Nobody acknowledged: that is known once the time for it is up.
    fn unacknowledged(&self, operator: Operator, value: Value, since_ms: u64) -> TermResult {
        let waited_ms = self.now_ms.saturating_sub(since_ms);
        let held = match operator {
            Operator::Less | Operator::AtMost | Operator::Equal => false,
            Operator::More | Operator::AtLeast => true,
        };
        let observed = Some("nobody acknowledged".to_owned());
        match value {
            Value::Duration(limit) if waited_ms < elapsed_ms(limit) => {
                let waited = format_duration(Duration::from_secs(waited_ms / SECOND_MS));
                let missing = Some(format!("nobody acknowledged in the {waited} that it was waited for"));
                TermResult { observed, missing, ..TermResult::unknown("") }
            }
            _ => TermResult { held: Some(held), observed, missing: None, ..TermResult::unknown("") },
        }
    }

    fn compare_signal(
        &self,
        aggregate: Aggregate,
        signal: &SignalId,
        operator: Operator,
        value: Value,
        window: WindowMs,
    ) -> TermResult {
        let Some(spec) = self.signals.get(signal) else {
            return TermResult::unknown(format!("there is no signal `{signal}`"));
        };
        let measured = measure(self.recording, signal, spec, window);
        let Some(mut observed) = measured.values.aggregate(aggregate) else {
            return TermResult {
                missing: measured.missing.or_else(|| Some(format!("`{signal}` has no value"))),
                ..TermResult::unknown("")
            };
        };
        // A count has no unit; neither has the sum of a rate, which is how many there were.
        let is_number = aggregate == Aggregate::Count || (aggregate == Aggregate::Sum && measured.unit == Unit::Rate);
        let mut unit = if is_number { Unit::Number } else { measured.unit };
        let doubtful = measured.doubtful.as_ref();
        let limit = match value {
            Value::OfBaseline(_) => {
                let Some((baseline, baseline_window)) = self.baseline(aggregate, signal, spec) else {
                    return TermResult::unknown(format!("`{signal}` has no baseline"));
                };
                if matches!(aggregate, Aggregate::Sum | Aggregate::Count) {
                    // Windows differ in length: their sums are compared as rates.
                    observed /= seconds(window);
                    unit = Unit::Rate;
                    bound(value, Some(baseline / seconds(baseline_window)))
                } else {
                    bound(value, Some(baseline))
                }
            }
            Value::Number(_) | Value::Ratio(_) | Value::Duration(_) | Value::Rate(_) => bound(value, None),
        };
        let holds = |value| limit.map(|limit| operator.holds(value, limit));
        let held = holds(observed);
        TermResult {
            held,
            observed: Some(unit.show(observed)),
            window_ms: None,
            sample_count: measured.sample_count,
            held_ms: None,
            spread: spread(&measured),
            doubt: doubtful.and_then(|doubtful| doubtful.objection(aggregate, held, holds)),
            missing: measured.missing,
            nearness: limit.and_then(|limit| nearness(operator, observed, limit, unit == Unit::Ratio)),
        }
    }

    fn baseline(&self, aggregate: Aggregate, signal: &SignalId, spec: &SignalSpec) -> Option<(f64, WindowMs)> {
        let window = self.recording.phase(self.baseline?, self.now_ms)?;
        let measured = measure(self.recording, signal, spec, window);
        if measured.missing.is_some() {
            return None;
        }
        let values = match &measured.doubtful {
            Some(doubtful) if doubtful.is_too_much() => return None,
            // A sum is only right over all of its window.
            Some(doubtful) if !matches!(aggregate, Aggregate::Sum | Aggregate::Count) => doubtful.trusted(),
            Some(_) | None => &measured.values,
        };
        values.aggregate(aggregate).map(|value| (value, window))
    }
}

/// How far a value is on its way to the bound at which the comparison holds. What has to fall is measured from 100 % where it is a
/// ratio, and by how many times it exceeds its bound where it is not.
fn nearness(operator: Operator, value: f64, bound: f64, is_ratio: bool) -> Option<f64> {
    let way = match operator {
        Operator::More | Operator::AtLeast if bound > 0.0 => value / bound,
        Operator::Less | Operator::AtMost if is_ratio && bound < 1.0 => (1.0 - value) / (1.0 - bound),
        Operator::Less | Operator::AtMost if value > 0.0 => bound / value,
        Operator::More | Operator::AtLeast | Operator::Less | Operator::AtMost | Operator::Equal => return None,
    };
    way.is_finite().then(|| way.clamp(0.0, 1.0))
}

/// What did not come true so far may still do so while its time is not up.
fn still_open(last: TermResult, is_open: bool) -> TermResult {
    if is_open && last.held == Some(false) {
        let missing = Some("the run ended before the time was up".to_owned());
        return TermResult { held: None, missing, ..last };
    }
    last
}

/// Turns a result on incomplete data into "not known": missing data is never a pass.
fn complete(result: TermResult) -> TermResult {
    if result.missing.is_some() { TermResult { held: None, ..result } } else { result }
}

/// Turns a result that rests on seconds in which the load worker was the bottleneck into "not known".
fn beyond_doubt(result: TermResult) -> TermResult {
    match result.doubt {
        Some(doubt) => TermResult { held: None, missing: result.missing.or(Some(doubt)), doubt: None, ..result },
        None => result,
    }
}

/// The bound as a number in the signal's own unit.
pub(super) fn bound(value: Value, baseline: Option<f64>) -> Option<f64> {
    match value {
        Value::Number(number) | Value::Ratio(number) | Value::Rate(number) => Some(number),
        Value::Duration(duration) => Some(duration.as_secs_f64()),
        Value::OfBaseline(ratio) => baseline.map(|baseline| baseline * ratio),
    }
}

fn seconds(window: WindowMs) -> f64 {
    Duration::from_millis(window.1.saturating_sub(window.0).max(1)).as_secs_f64()
}

fn spread(measured: &Measured) -> Option<[String; 4]> {
    measured.values.spread().map(|values| values.map(|value| measured.unit.show(value)))
}

/// All hold: true; any fails: false; otherwise not known.
pub(super) fn conjunction(terms: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for term in terms {
        match term {
            Some(false) => return Some(false),
            None => all = None,
            Some(true) => {}
        }
    }
    all
}
