//! The faults that are in force, and which invocation one of them hits.
//!
//! Owns: propagation, percentages, precedence. Must not know: experiments' lives, HTTP. Source of the precedence: AWS FIS,
//! "Use the AWS FIS aws:lambda:function actions": of actions that conflict the earliest wins. A delay goes together with one of
//! the two faults that replace the answer; those conflict with each other. What AWS's extension answers in the place of the
//! function is not documented; the texts here are the sandbox's own.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::action::{Effect, Parameters};

/// What happens to one invocation; by default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct Fault {
    /// How long the runtime is kept waiting for the invocation. The function's timeout runs meanwhile.
    pub delay: Duration,
    /// What the caller gets in the place of the function's answer.
    pub response: Option<ResponseFault>,
}

/// An answer that is not the function's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sandbox) struct ResponseFault {
    /// Whether the function does not run at all; otherwise its answer is thrown away.
    pub is_prevented: bool,
    /// Whether the invocation counts as failed.
    pub is_error: bool,
    /// JSON.
    pub payload: Bytes,
}

/// An action of an experiment on some functions.
#[derive(Debug)]
pub(super) struct Injection {
    /// Experiment and action.
    pub id: (String, String),
    /// By name.
    pub functions: BTreeSet<String>,
    /// The version or alias that an invocation must name; none is all.
    pub qualifier: Option<String>,
    pub parameters: Parameters,
    pub from: DateTime<Utc>,
    /// Set at the action's end.
    pub until: Option<DateTime<Utc>>,
    pub random: ChaCha8Rng,
}

impl Injection {
    fn concerns(&self, function: &str, qualifier: Option<&str>, now: DateTime<Utc>) -> bool {
        let is_meant = match (self.qualifier.as_deref(), qualifier) {
            (None, _) | (Some("$LATEST"), None) => true,
            (Some(wanted), named) => named == Some(wanted),
        };
        now >= self.from && self.until.is_none_or(|until| now < until) && is_meant && self.functions.contains(function)
    }

    fn hits(&mut self) -> bool {
        self.random.random_bool(f64::from(self.parameters.percentage) / 100.0)
    }

    fn response(&self) -> Option<ResponseFault> {
        let (experiment, action) = &self.id;
        match &self.parameters.effect {
            Effect::Error { is_prevented } => {
                let text = format!("injected by the action `{action}` of the experiment {experiment}");
                let payload = json!({"errorType": "FisInjectedError", "errorMessage": text}).to_string();
                Some(ResponseFault { is_prevented: *is_prevented, is_error: true, payload: payload.into() })
            }
            Effect::HttpResponse { is_prevented, status_code, content_type } => {
                let answer = json!({"statusCode": status_code, "headers": {"Content-Type": content_type}, "body": ""});
                Some(ResponseFault { is_prevented: *is_prevented, is_error: false, payload: answer.to_string().into() })
            }
            Effect::Wait | Effect::Delay(_) => None,
        }
    }
}

/// All faults in force, in the order in which their actions began.
#[derive(Debug, Default)]
pub(super) struct Injections(Mutex<Vec<Injection>>);

impl Injections {
    fn list(&self) -> MutexGuard<'_, Vec<Injection>> {
        self.0.lock().expect("invariant: nobody panics while holding the faults")
    }

    /// An action begins.
    pub(super) fn add(&self, injection: Injection) {
        self.list().push(injection);
    }

    /// An action has ended; its fault goes on for the propagation delay.
    pub(super) fn end(&self, experiment: &str, action: &str, until: DateTime<Utc>) {
        let mut list = self.list();
        for injection in list.iter_mut().filter(|injection| injection.id.0 == experiment && injection.id.1 == action) {
            injection.until = Some(until);
        }
    }

    /// Forgets faults that are over.
    pub(super) fn forget(&self, now: DateTime<Utc>) {
        self.list().retain(|injection| injection.until.is_none_or(|until| now < until));
    }

    /// What happens to an invocation of a function that named a qualifier or none.
    pub(super) fn decide(&self, function: &str, qualifier: Option<&str>, now: DateTime<Utc>) -> Fault {
        let mut list = self.list();
        let mut fault = Fault::default();
        let (mut has_delay, mut has_response) = (false, false);
        for injection in list.iter_mut().filter(|injection| injection.concerns(function, qualifier, now)) {
            match injection.parameters.effect {
                Effect::Delay(delay) if !has_delay => {
                    has_delay = true;
                    fault.delay = if injection.hits() { delay } else { Duration::ZERO };
                }
                Effect::Error { .. } | Effect::HttpResponse { .. } if !has_response => {
                    has_response = true;
                    fault.response = if injection.hits() { injection.response() } else { None };
                }
                Effect::Wait | Effect::Delay(_) | Effect::Error { .. } | Effect::HttpResponse { .. } => {}
            }
        }
        fault
    }
}

/// A moment that lies some milliseconds after another.
pub(super) fn later(at: DateTime<Utc>, millis: u64) -> DateTime<Utc> {
    let delta = TimeDelta::from_std(Duration::from_millis(millis)).unwrap_or(TimeDelta::MAX);
    at.checked_add_signed(delta).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("a time")
    }

    fn injection(action: &str, effect: Effect, percentage: u8) -> Injection {
        Injection {
            id: ("EXP1".to_owned(), action.to_owned()),
            functions: BTreeSet::from(["pay".to_owned()]),
            qualifier: None,
            parameters: Parameters { duration: Duration::from_secs(60), percentage, effect },
            from: at(10),
            until: None,
            random: ChaCha8Rng::seed_from_u64(1),
        }
    }

    fn delay(seconds: u64) -> Effect {
        Effect::Delay(Duration::from_secs(seconds))
    }

    #[test]
    fn a_fault_is_in_force_from_its_beginning_to_its_end_and_only_for_its_functions() {
        let injections = Injections::default();
        injections.add(injection("slow", delay(1), 100));
        let is_hit = |function: &str, second| injections.decide(function, None, at(second)) != Fault::default();
        assert_eq!([9, 10, 99].map(|second| is_hit("pay", second)), [false, true, true]);
        assert!(!is_hit("other", 10));
        injections.end("EXP1", "slow", at(20));
        assert_eq!([19, 20].map(|second| is_hit("pay", second)), [true, false]);
        injections.forget(at(20));
        assert!(injections.list().is_empty());
    }

    #[test]
    fn a_percentage_hits_about_that_share() {
        let injections = Injections::default();
        injections.add(injection("fail", Effect::Error { is_prevented: true }, 30));
        let hits = (0..1_000).filter(|_| injections.decide("pay", None, at(10)).response.is_some()).count();
        assert!((270..=330).contains(&hits), "{hits}");
    }

    #[test]
    fn of_actions_that_conflict_the_earliest_wins_and_a_delay_goes_with_an_error() {
        let injections = Injections::default();
        let page = Effect::HttpResponse { is_prevented: true, status_code: 503, content_type: "text/html".to_owned() };
        injections.add(injection("fail", Effect::Error { is_prevented: false }, 100));
        injections.add(injection("page", page, 100));
        injections.add(injection("slow", delay(1), 100));
        injections.add(injection("slower", delay(9), 100));
        let fault = injections.decide("pay", None, at(10));
        assert_eq!(fault.delay, Duration::from_secs(1));
        assert!(fault.response.is_some_and(|response| response.is_error && !response.is_prevented));
    }

    #[test]
    fn a_qualifier_means_the_invocations_that_name_it() {
        let hits = |wanted: Option<&str>, named: Option<&str>| {
            let injections = Injections::default();
            injections.add(Injection { qualifier: wanted.map(str::to_owned), ..injection("slow", delay(1), 100) });
            injections.decide("pay", named, at(10)) != Fault::default()
        };
        assert!(hits(None, None) && hits(None, Some("live")));
        assert!(hits(Some("live"), Some("live")) && !hits(Some("live"), None) && !hits(Some("live"), Some("1")));
        assert!(hits(Some("$LATEST"), None) && hits(Some("$LATEST"), Some("$LATEST")));
        assert!(!hits(Some("$LATEST"), Some("live")));
    }
}
