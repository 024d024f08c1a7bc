//! `alarm(PATTERN) is STATE` over a window.
//!
//! Of the alarms whose names fit, *any* in `ALARM` or in `INSUFFICIENT_DATA` is enough, and *all* must be `OK`. A term without
//! `for` asks for `ALARM` and `INSUFFICIENT_DATA` at any moment of its window and for `OK` at every moment; with `for` it asks
//! for the whole of the trailing time. An alarm with insufficient data says neither `ALARM` nor `OK`: that is not known, and so
//! is a time in which alarms could not be read.

use std::time::Duration;

use super::recording::WindowMs;
use super::term::{Judge, TermResult};
use crate::event::{AlarmRecord, AlarmStretch};
use crate::unit::{AlarmState, elapsed_ms, format_duration};

/// How long alarms may go unread before a guardrail takes them for missing, in milliseconds: three polls of an account.
pub(super) const UNREAD_GRACE_MS: u64 = 15_000;
/// How long an alarm of which nobody knows how far it looks back may be without data at first, in milliseconds.
const LOOKS_BACK_MS_DEFAULT: u64 = 300_000;
/// How many alarms a reading names.
const NAMED_MAX: usize = 3;

/// How much of a window must be in the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Some moment.
    Ever,
    /// All of it.
    Throughout,
}

/// What a window says of one alarm.
enum Seen {
    Yes(u64),
    No,
    Unknown(String),
}

impl Judge<'_> {
    /// A term over a window.
    pub(super) fn alarm(&self, pattern: &str, state: AlarmState, window: WindowMs, extent: Extent) -> TermResult {
        let window = self.readable(window);
        let fitting: Vec<(&str, &AlarmRecord)> = self.recording.alarms().matching(pattern).collect();
        if fitting.is_empty() {
            return TermResult::unknown(format!("no alarm `{pattern}` was read"));
        }
        let seen: Vec<(&str, &AlarmRecord, Seen)> = fitting
            .into_iter()
            .map(|(name, record)| (name, record, self.seen(name, record, state, window, extent)))
            .collect();
        let count = u64::try_from(seen.len()).unwrap_or(u64::MAX);
        let unknown = seen.iter().find_map(|(.., seen)| match seen {
            Seen::Unknown(why) => Some(why.clone()),
            Seen::Yes(_) | Seen::No => None,
        });
        let is_yes = |seen: &Seen| matches!(seen, Seen::Yes(_));
        let is_no = |seen: &Seen| matches!(seen, Seen::No);
        let held = match state {
            AlarmState::Alarm | AlarmState::InsufficientData if seen.iter().any(|(.., seen)| is_yes(seen)) => {
                Some(true)
            }
            AlarmState::Ok if seen.iter().any(|(.., seen)| is_no(seen)) => Some(false),
            AlarmState::Alarm | AlarmState::InsufficientData => unknown.is_none().then_some(false),
            AlarmState::Ok => unknown.is_none().then_some(true),
        };
        // What decided comes first: those in the state that was asked for, or those that are not `OK`.
        let decisive = |seen: &Seen| match state {
            AlarmState::Alarm | AlarmState::InsufficientData => is_yes(seen) == (held == Some(true)),
            AlarmState::Ok => is_no(seen) == (held == Some(false)),
        };
        let named =
            seen.iter().filter(|(.., seen)| decisive(seen)).map(|(name, record, _)| words(name, record, window));
        let held_ms = seen.iter().filter_map(|(.., seen)| match seen {
            Seen::Yes(at) => Some(*at),
            Seen::No | Seen::Unknown(_) => None,
        });
        TermResult {
            held,
            observed: Some(listed(named.collect())),
            window_ms: Some(window),
            sample_count: count,
            // What holds all the time has no moment at which it came true.
            held_ms: held_ms.min().filter(|_| held == Some(true) && extent == Extent::Ever && state != AlarmState::Ok),
            missing: if held.is_none() { unknown } else { None },
            ..TermResult::unknown("")
        }
    }

    /// For `effect_if`: whether an alarm fits the state that was not in it already at the window's beginning.
    pub(super) fn alarm_since(&self, pattern: &str, state: AlarmState, window: WindowMs) -> TermResult {
        let result = self.alarm(pattern, state, window, Extent::Ever);
        if result.held != Some(true) || state == AlarmState::Ok {
            return result;
        }
        let readable = self.readable(window);
        let mut begun = self.recording.alarms().matching(pattern).flat_map(|(_, record)| record.stretches(readable));
        if begun.any(|stretch| stretch.state == Some(state) && stretch.has_begun && stretch.from_ms >= window.0) {
            return result;
        }
        let missing = Some(format!("it was `{state}` already before the fault was in"));
        TermResult { held: None, held_ms: None, missing, ..result }
    }

    /// For `within`: the first moment at which the term holds, looking back over its `for D`.
    pub(super) fn alarm_within(
        &self,
        pattern: &str,
        state: AlarmState,
        window: WindowMs,
        hold: Option<Duration>,
    ) -> TermResult {
        let hold_ms = hold.map(elapsed_ms).unwrap_or_default();
        let changes = self.recording.alarms().matching(pattern).flat_map(|(_, record)| record.stretches(window));
        let mut moments: Vec<u64> = changes.map(|stretch| stretch.from_ms).chain([window.0]).collect();
        moments.push(window.1.saturating_sub(hold_ms));
        moments.sort_unstable();
        let first = window.0.saturating_add(hold_ms);
        let ends = moments
            .into_iter()
            .map(|moment| moment.saturating_add(hold_ms))
            .filter(|end| (first..=window.1).contains(end));
        let mut last = TermResult::unknown("the time to look back over is not full yet");
        for end in ends {
            let result = self.alarm(pattern, state, (end - hold_ms, end), Extent::Throughout);
            if result.held == Some(true) {
                return TermResult { held_ms: Some(end), ..result };
            }
            // One moment that is not known may have been the one that counts.
            if result.held.is_none() || last.held.is_some() || last.sample_count == 0 {
                last = result;
            }
        }
        last
    }

    /// The window up to which alarms could be read. While they can not be, what was read last still counts for a short time
    /// in what is asked again and again; after it, and at the end, it does not.
    fn readable(&self, window: WindowMs) -> WindowMs {
        match self.recording.alarms().unread_now() {
            Some(unread) if window.0 == window.1 && self.now_ms <= unread.from_ms.saturating_add(UNREAD_GRACE_MS) => {
                (window.0.min(unread.from_ms), window.1.min(unread.from_ms))
            }
            Some(_) | None => window,
        }
    }

    fn seen(&self, name: &str, record: &AlarmRecord, state: AlarmState, window: WindowMs, extent: Extent) -> Seen {
        let unread = self.recording.alarms().unread_now().filter(|unread| window.1 > unread.from_ms);
        // Behind the last reading nothing is known.
        let was_read =
            |stretch: &AlarmStretch| unread.is_none_or(|unread| stretch.from_ms.max(window.0) <= unread.from_ms);
        let stretches: Vec<AlarmStretch> = record.stretches(window).filter(was_read).collect();
        let is_known = |stretch: &&AlarmStretch| match stretch.state {
            Some(AlarmState::InsufficientData) => state == AlarmState::InsufficientData,
            Some(AlarmState::Alarm | AlarmState::Ok) => true,
            None => false,
        };
        let why = || match (unread, stretches.iter().find(|stretch| !is_known(stretch))) {
            (Some(unread), _) => Some(format!("alarms could not be read: {}", unread.why)),
            (None, None) if stretches.is_empty() => Some(format!("`{name}` was not there yet")),
            (None, None) => None,
            (None, Some(AlarmStretch { state: Some(_), .. })) => Some(format!("`{name}` has insufficient data")),
            (None, Some(_)) if record.is_lost() => Some(format!("`{name}` is no longer there")),
            (None, Some(_)) => Some(format!("the state of `{name}` is not known of all that time")),
        };
        let is_ever = extent == Extent::Ever && state != AlarmState::Ok;
        let in_state = |stretch: &&AlarmStretch| stretch.state == Some(state);
        let first = stretches.iter().find(in_state).map(|stretch| stretch.from_ms.max(window.0));
        if is_ever {
            return match (first, why()) {
                (Some(at), _) => Seen::Yes(at),
                (None, Some(why)) => Seen::Unknown(why),
                (None, None) => Seen::No,
            };
        }
        let is_other = |stretch: &AlarmStretch| is_known(&stretch) && stretch.state != Some(state);
        match (stretches.iter().any(is_other), why()) {
            (true, _) => Seen::No,
            (false, Some(why)) => Seen::Unknown(why),
            (false, None) => Seen::Yes(window.0),
        }
    }

    /// Whether the alarms of a pattern should be known by now, so that a guardrail may take them for missing.
    pub(super) fn should_know(&self, pattern: &str) -> bool {
        let alarms = self.recording.alarms();
        if let Some(unread) = alarms.unread_now() {
            return self.now_ms > unread.from_ms.saturating_add(UNREAD_GRACE_MS);
        }
        let Some(start_ms) = self.recording.start_ms() else { return false };
        let mut fitting = alarms.matching(pattern).peekable();
        let had_time = |record: &AlarmRecord| {
            // A period counts once it is over, and its data come late: twice the time that it looks back.
            let looks_back_ms = record.looks_back_ms().unwrap_or(LOOKS_BACK_MS_DEFAULT).saturating_mul(2);
            self.now_ms >= start_ms.saturating_add(looks_back_ms).saturating_add(UNREAD_GRACE_MS)
        };
        fitting.peek().is_none() || fitting.any(|(_, record)| record.is_lost() || record.had_data() || had_time(record))
    }
}

/// `checkout-errors ALARM since 31s`, in the words of its latest stretch in the window.
fn words(name: &str, record: &AlarmRecord, window: WindowMs) -> String {
    let stretches: Vec<AlarmStretch> = record.stretches(window).collect();
    let alarm = stretches.iter().find(|stretch| stretch.state == Some(AlarmState::Alarm));
    match alarm.or(stretches.last()) {
        Some(AlarmStretch { state: Some(AlarmState::Alarm), from_ms, .. }) => {
            format!("{name} ALARM since {}", format_duration(Duration::from_secs(from_ms / 1_000)))
        }
        Some(AlarmStretch { state: Some(state), .. }) => format!("{name} {state}"),
        Some(AlarmStretch { state: None, .. }) | None => format!("{name} not known"),
    }
}

fn listed(mut words: Vec<String>) -> String {
    let more = words.len().saturating_sub(NAMED_MAX);
    words.truncate(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", words.join(", "))
}
